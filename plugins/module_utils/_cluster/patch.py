# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Writes that go through only while nobody else has written: stamps and tests, and once more where somebody has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

Returned = TypeVar("Returned")

PREFIX = "bluegreen.kubernetes/"
LOCK_ID = PREFIX + "lock-id"  # on the Services and the idle Deployment: who may write

TRIES = 5  # of a write, while somebody else changes the same object


def annotation(target: Object, key: str) -> str | None:
    """The text of an object's annotation, or ``None``."""
    return (target["metadata"].get("annotations") or {}).get(key)


def stamp(target: Object) -> str | None:
    """The lock id that an object carries, or ``None``."""
    return annotation(target, LOCK_ID)


def stamp_test(target: Object) -> Patch:
    """JSON Patch operations that hold only while no run has stamped an object since it was read."""
    found = stamp(target)
    if found:
        return [{"op": "test", "path": "/metadata/annotations/" + escape(LOCK_ID), "value": found}]
    # That a key is absent cannot be tested, so all annotations are, or the version of an object that has none. Of a Service
    # always the version: it changes so seldom, and without a lock nothing else fences.
    if target.get("kind") != "Service" and target["metadata"].get("annotations"):
        return [{"op": "test", "path": "/metadata/annotations", "value": target["metadata"]["annotations"]}]
    return [unchanged(target)]


def unchanged(target: Object) -> Object:
    """The JSON Patch operation that holds only while nobody has changed anything of an object since it was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": target["metadata"]["resourceVersion"]}


def as_read(target: Object) -> Object:
    """The preconditions of a deletion that hold only while nobody has changed anything of an object since it was read."""
    return {name: target["metadata"][name] for name in ("uid", "resourceVersion")}


def escape(key: str) -> str:
    """A key as a JSON Pointer segment (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def compact(value: Any) -> str:
    """JSON text as short as it gets."""
    return json.dumps(value, separators=(",", ":"))


def annotation_operations(target: Object, key: str, text: str) -> Patch:
    """JSON Patch operations that set one annotation and keep the others."""
    operations: Patch = []
    if "annotations" not in target["metadata"]:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    return operations + [{"op": "add", "path": "/metadata/annotations/" + escape(key), "value": text}]


def again(
    attempt: Callable[[], Returned], what: str, next_step: str, refresh: Callable[[], object] | None = None
) -> Returned:
    """Read, decide, write; and again when somebody else has written in between.

    :param attempt: does it, and returns what this returns; a :class:`PatchConflict` that it raises lets it be called again.
    :param what: of the error that is raised when somebody else was faster every time; ``next_step`` likewise.
    :param refresh: reads again after a conflict, where ``attempt`` writes on what was read before it.
    """
    for _attempt in range(TRIES):
        try:
            return attempt()
        except PatchConflict as error:
            conflict = error
        if refresh:
            refresh()
    raise BlueGreenError(what, "conflict", why=conflict.what, next_step=next_step) from conflict


def diff(header: str, before: Any, after: Any) -> Object:
    """What ``--diff`` shows of a change to an object; ``before`` is ``None`` for one that did not exist."""
    absent = before is None
    return {
        "before_header": "(absent)" if absent else header,
        "after_header": header,
        "before": "" if absent else before,
        "after": after,
    }
