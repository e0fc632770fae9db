# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What the recorded releases say: when the traffic was moved, what is unfinished, what a rollback goes back to.

``history`` is the list in the state annotation, newest first; ``state`` the whole of it, see :func:`read_state`; ``live``
and ``idle`` are the two colors.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object


def entry_of(history: list[Object], run: str | None) -> Object:
    """What is recorded of a run; empty when there is nothing."""
    return next((entry for entry in history if entry["run"] == run), {})


def last_switch(history: list[Object]) -> Object | None:
    """The newest release or rollback in the history that moved the traffic, or ``None``."""
    return next((entry for entry in history if entry.get("switched_at")), None)


def live_since_last_switch(history: list[Object]) -> str | None:
    """The color that the traffic was moved to last, forward or back, as far as that is recorded."""
    last = last_switch(history)
    return last.get("from_color" if last.get("reverted_at") else "color") if last else None


def moved_at(history: list[Object]) -> datetime | None:
    """When the traffic was moved last, forward or back, as a ``datetime``; ``None`` when that is not recorded."""
    last = last_switch(history)
    return max(map(moment, filter(None, (last["switched_at"], last.get("reverted_at"))))) if last else None


def retires_at(history: list[Object], after: float) -> datetime | None:
    """When the idle color's life ends, ``after`` seconds after the traffic was moved, as a ``datetime`` or ``None``."""
    moved = moved_at(history)
    return moved and moved + timedelta(seconds=after)


def unfinished(state: Object, live: Color, idle: Color) -> Object | None:
    """The entry of the release that is live, and whose run was stopped after its switch; ``None`` when there is none.

    Further attempts at its version that did not come to their end either, and rollbacks that moved nothing, leave it
    as it is. It is over when another version was begun, or when its way back is not there any more: the idle color is
    another version, or the database has lost what that needs.
    """
    contracted = (state.get("contracted") or {}).get("version") == live.version
    attempts: set[str | None] = set()  # versions, or images where no version was given; a rollback names none
    for entry in state["history"]:
        stopped = entry["outcome"] in ("running", "interrupted", "failed")
        if entry.get("switched_at"):
            if not stopped or entry.get("kind") != "release" or entry.get("reverted_at"):
                return None
            whole = entry["color"] == live.name and entry["previous_image"] == idle.image
            whole = whole and entry.get("previous_template_hash") in (None, idle.template_hash)
            same = attempts <= {None, entry["version"], entry["image"]}
            return entry if whole and same and not contracted else None
        did_nothing = entry["outcome"] in ("refused", "unchanged") or entry.get("kind") == "rollback"
        if entry["outcome"] == "rolled_back" or not stopped and not did_nothing:
            return None
        attempts.add(entry.get("version"))
    return None


def goes_back(state: Object) -> bool:
    """Whether the switch that was interrupted between two Services was a way back: such a one is finished, never undone."""
    intent = state.get("intent") or {}
    for entry in state["history"]:
        if entry["run"] == (intent.get("reverts") or intent.get("run")):
            own = bool(entry.get("switched_at")) and entry.get("color") == intent["from"]
            return own or entry.get("kind") == "rollback"
    return False


def rollback_to(state: Object, live: Color, idle: Color, pending: str | None = None) -> Object | None:
    """What a rollback has to make live: ``{"color", "version", "image"}``, and ``template_hash`` where that is recorded;
    ``None`` when there is nothing to go back to.

    A switch that was interrupted between two Services (``pending``: to which color) comes first, whatever the history says
    of its run: on a way back it is finished, and otherwise given up.

    A run that was stopped before its switch is given up, and one that was stopped on its way back is finished: the
    live color stays. A rollback or an automatic way back is not undone by another rollback, however it ended: that would
    flip forward.
    """
    if pending:
        known = rollback_to(state, live, idle)
        target = idle if goes_back(state) else live
        if known and known["color"] == target.name:
            return known
        return {"color": target.name, "version": target.version, "image": target.image}
    left = unfinished(state, live, idle)
    if left:  # also while another run is finishing it
        return _before(left)
    stay = {"color": live.name, "version": live.version, "image": live.image}
    settled = False  # a newer run has come to its end, and with it what an older one had left unfinished
    for entry in state["history"]:
        open_still = entry["outcome"] in ("running", "interrupted") and not settled
        switched, rollback = entry.get("switched_at"), entry.get("kind") == "rollback"
        if open_still and (entry.get("reverted_at") or not switched and not rollback):
            return stay
        if not switched:
            # It moved nothing. A rollback that failed has not given up either what it was to give up.
            settled = settled or entry["outcome"] == "rolled_back" or not rollback
            continue
        if entry["outcome"] in ("rolled_back", "reverted") or entry["color"] != live.name:
            return None
        if rollback:
            return None if settled else stay
        return _before(entry)
    return None


def prepared(history: list[Object]) -> Object | None:
    """The newest release that was prepared and waits to be promoted: ``{"run", "version", "color", "template_hash"}``.

    ``None`` when there is none, or the traffic was moved since, so that it was prepared for another situation.
    """
    for entry in history:
        if entry.get("prepared"):
            return dict(entry["prepared"], run=entry["run"], version=entry.get("version"))
        if entry.get("switched_at"):
            return None
    return None


def _before(entry: Object) -> Object:
    """What was live before a switch; its pod template, and what its workers were, are known since switches record that."""
    known = {"color": entry["from_color"], "version": entry["previous_version"], "image": entry["previous_image"]}
    also = {"template_hash": entry.get("previous_template_hash"), "workers": entry.get("workers")}
    return {**known, **{key: value for key, value in also.items() if value}}
