# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""JSON Patch operations that let a write through only while nobody else has written: stamps and tests."""

from __future__ import annotations

import json

PREFIX = "bluegreen.kubernetes/"
LOCK_ID = PREFIX + "lock-id"  # on the Services and the idle Deployment: who may write


def stamp(target):
    """The lock id that an object carries, or ``None``."""
    return (target["metadata"].get("annotations") or {}).get(LOCK_ID)


def stamp_test(target):
    """JSON Patch operations that hold only while no run has stamped an object since it was read."""
    found = stamp(target)
    if found:
        return [{"op": "test", "path": "/metadata/annotations/" + escape(LOCK_ID), "value": found}]
    # That a key is absent cannot be tested, so all annotations are, or the version of an object that has none. Of a Service
    # always the version: it changes so seldom, and without a lock nothing else fences.
    if target.get("kind") != "Service" and target["metadata"].get("annotations"):
        return [{"op": "test", "path": "/metadata/annotations", "value": target["metadata"]["annotations"]}]
    return [unchanged(target)]


def unchanged(target):
    """The JSON Patch operation that holds only while nobody has changed anything of an object since it was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": target["metadata"]["resourceVersion"]}


def escape(key):
    """A key as a JSON Pointer segment (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def compact(value):
    """JSON text as short as it gets."""
    return json.dumps(value, separators=(",", ":"))


def annotation_operations(target, key, text):
    """JSON Patch operations that set one annotation and keep the others."""
    operations = []
    if "annotations" not in target["metadata"]:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    return operations + [{"op": "add", "path": "/metadata/annotations/" + escape(key), "value": text}]
