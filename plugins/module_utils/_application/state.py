# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The state that runs leave in the cluster: one annotation on the first Service."""

from __future__ import annotations

import json

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import last_switch, prepared
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    PREFIX,
    annotation,
    compact,
    escape,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

STATE = PREFIX + "state"  # on the first Service: schema, history, an unfinished switch
SCHEMA = 1
HISTORY = 10  # releases remembered
JOBS = 50  # Jobs remembered, to be run once
SIZE = 65536  # characters
ENTRY = 4096  # bytes that one more release takes at most
# https://github.com/kubernetes/apimachinery/blob/master/pkg/api/validation/objectmeta.go (TotalAnnotationSizeLimitB)
ANNOTATIONS = 256 * 1024  # bytes of names and values


def read_state(service: Object, warnings: list[str] | None = None) -> Object:
    """``{"schema": 1, "history": [newest first, ...], "intent": unfinished switch or None}``."""
    text = annotation(service, STATE)
    empty = {"schema": SCHEMA, "history": [], "intent": None}
    if not text:
        return empty
    try:
        state = json.loads(text)
        if state["schema"] > SCHEMA:
            raise BlueGreenError(
                f"Service {service['metadata']['name']!r} was last switched by a newer version of bluegreen.kubernetes (state schema {state['schema']}, known "
                f"here: {SCHEMA}).",
                "newer_state",
                next_step="Update the collection on this machine.",
            )
        state = dict(empty, **state)
        if not isinstance(state["history"], list):
            raise TypeError("history")
        for entry in state["history"]:
            entry["run"], entry["outcome"]  # pylint: disable=pointless-statement
        if state["intent"] is not None:
            state["intent"]["from"], state["intent"]["to"]  # pylint: disable=expression-not-assigned
        return state
    except (ValueError, KeyError, TypeError):
        (warnings if warnings is not None else []).append(
            f"The annotation {STATE} is not readable and is taken as empty; the release history starts anew."
        )
        return empty


def bounded(state: Object) -> Object:
    """The state with as much as is kept: ten releases, fifty Jobs, 64 KiB of text; the oldest go first.

    What the way back and promote need is always kept: the newest switch, one that is unfinished, and what is prepared. Kubernetes allows 256 KiB for
    all annotations of an object.
    """
    switch, ready = last_switch(state["history"]), prepared(state["history"])
    intent = state.get("intent") or {}
    needed = [entry["run"] for entry in (switch, ready) if entry] + [intent.get("run"), intent.get("reverts")]
    spare = [entry for entry in state["history"] if entry["run"] not in needed]  # newest first
    gone: list[Object] = []
    while spare and len(state["history"]) - len(gone) > HISTORY:
        gone.append(spare.pop())
    jobs = sorted(state.get("jobs", {}).items(), key=lambda item: item[1].get("ended_at", ""), reverse=True)[:JOBS]
    while True:
        state = dict(state, history=[entry for entry in state["history"] if entry not in gone])
        if "jobs" in state:
            state["jobs"] = dict(jobs)
        if len(compact(state)) <= SIZE or not jobs and not spare:
            return state
        if jobs:
            jobs.pop()
        else:
            gone.append(spare.pop())


def refuse_full(services: list[Object]) -> None:
    """:raises BlueGreenError: the annotations of a Service leave no room for what a release has to note."""
    for service in services:
        annotations = service["metadata"].get("annotations") or {}
        used = sum(len(key.encode()) + len(text.encode()) for key, text in annotations.items())
        if used + ENTRY > ANNOTATIONS:
            name = service["metadata"]["name"]
            largest = max(annotations, key=lambda key: len(annotations[key]))
            raise BlueGreenError(
                f"The annotations of Service {name} are full: a release could not be recorded.",
                "bad_input",
                why=f"they have {used} of {ANNOTATIONS} bytes; the largest is {largest}",
                next_step=f"Remove what nobody needs: kubectl annotate service {name} {largest}-",
            )


def state_operations(state: Object) -> Patch:
    """JSON Patch operations that write the state annotation on the first Service (which has annotations already)."""
    return [{"op": "add", "path": "/metadata/annotations/" + escape(STATE), "value": compact(bounded(state))}]
