# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Revert: put traffic back where it was before a run that failed, if the history says that the run has moved it."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import entry_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_revert"
ARGUMENTS = dict(
    APPLICATION,
    switches={"type": "bool", "default": True},
    resumes={"type": "str"},
    failure={"type": "dict", "default": {}},
    wait_timeout={"type": "raw", "default": 0},
    **LOCK,
)
DURATIONS = ("api_timeout", "wait_timeout")
KEEPS_LOCK = True
# ``active_color`` is None where nobody could read it, or where the Services select both.
RETURNS: Object = {"from_color": None, "to_color": None, "active_color": None, "endpoints_ms": None, "diff": {}}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    app = read_application(cluster, params)
    target, reverts = way_back(app, params["lock_id"], params["resumes"] or None)
    result = {"active_color": app.active}
    if target is None or not params["switches"] or params["failure"].get("reason") == "superseded":
        why = "it is not this run's to move" if target is None else "nothing is put back"
        return dict(result, msg=f"The traffic stays where it is, {why}: {cluster.live} is live.")
    try:
        back = switch.put_on(target, params, cluster, progress, reverts=reverts, way_back=True)
    except BlueGreenError as error:
        # Its write may have arrived though its answer was lost, and somebody may have moved the traffic again.
        error.result = dict(_returned(error.result), active_color=_live_now(cluster, params))
        raise
    moved = back["changed"] and not cluster.dry_run
    live = target if moved else app.active  # it was seen to have arrived
    return dict(_returned(back), active_color=live, msg=back["msg"], warnings=back["warnings"])


def _returned(switched: Object) -> Object:
    """What is returned of a switch."""
    return {key: value for key, value in switched.items() if key in RETURNS or key == "changed"}


def _live_now(cluster: Cluster, params: Params) -> str | None:
    """The color that all Services select, read afresh; ``None`` where they do not, or nobody can tell."""
    cluster.live = None
    try:
        app = read_application(cluster, params)
    except BlueGreenError:
        return None
    return None if app.pending else app.active


def way_back(app: Application, lock_id: str | None, resumes: str | None) -> tuple[str | None, str | None]:
    """``(the color to put traffic on, the run whose switch is taken back or None)``; ``(None, None)`` to leave it.

    Only what this very run has switched, or the one that it goes on with, is switched back: a moved selector may be the
    work of somebody else.

    :param lock_id: this run; ``None`` for one without a lock, which the history cannot tell from others.
    :param resumes: the run whose release this one has gone on with.
    """
    newest: Object = next(iter(app.state["history"]), {})
    if lock_id is None or newest.get("run") != lock_id:
        return None, None
    switched = entry_of(app.state["history"], resumes or lock_id)
    if switched.get("switched_at") and not switched.get("reverted_at") and switched.get("color") == app.active:
        return switched["from_color"], resumes  # also where that has stopped half-way
    return (app.active, None) if app.pending else (None, None)
