# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to an object that requests describe: JSON Patch, merge patch, server-side apply.

All of them return a new object, which shares with the old one what is the same, and leave the old one as it was.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from simulation.api.answers import bad_request, not_applicable
from simulation.api.kinds import Object, copied

# --- JSON Patch (RFC 6902)


class Replace(jsonpatch.ReplaceOperation):
    """The server takes a key that an object does not have for one to be added."""

    def apply(self, obj: Any) -> Any:
        target, key = self.pointer.to_last(obj)
        if isinstance(target, dict) and key is not None:
            target[key] = self.operation["value"]
            return obj
        return super().apply(obj)


class Test(jsonpatch.TestOperation):
    """The server takes a key that an object does not have for null."""

    def apply(self, obj: Any) -> Any:
        target, key = self.pointer.to_last(obj)
        if isinstance(target, dict) and key not in target and self.operation.get("value") is None:
            return obj
        return super().apply(obj)


class JsonPatch(jsonpatch.JsonPatch):  # type: ignore[misc]
    operations = {**jsonpatch.JsonPatch.operations, "replace": Replace, "test": Test}


def json_patched(target: Object, operations: Any) -> Any:
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    try:
        # Only what the operations lead into is copied.
        ways = [operation[key] for operation in operations for key in ("path", "from") if key in operation]
        parts = {way.split("/", 2)[1] for way in ways}
        own = {key: copied(value) if key in parts else value for key, value in target.items()}
        return JsonPatch(operations).apply(own, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, IndexError, TypeError) as error:
        raise not_applicable() from error


# --- merge patch (RFC 7386)


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


# --- server-side apply

# What tells the items of a list apart; other lists are replaced as a whole.
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
ATOMIC = {"selector", "nodeSelector", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fieldRef"}
SETS = {"finalizers"}


Path = tuple[Any, ...]


def applied(live: Object, given: Object, left_out: set[Path]) -> Object:
    """``live`` with what is ``given``, and without the fields that its manager gives no more."""
    return _without(_with(live, given), left_out, (), "")


def _with(live: Any, given: Any, key: str = "") -> Any:
    if isinstance(given, dict) and isinstance(live, dict) and key not in ATOMIC:
        return {**live, **{name: _with(live.get(name), value, name) for name, value in given.items()}}
    if isinstance(given, list) and isinstance(live, list):
        if key in SETS:
            return live + [item for item in given if item not in live]
        keys = _list_keys(key, given + live)
        if keys:
            wanted = {_identity(item, keys): item for item in given}
            there = {_identity(item, keys) for item in live}
            kept = [_with(item, wanted.get(_identity(item, keys), {})) for item in live]
            return kept + [item for item in given if _identity(item, keys) not in there]
    return given


def _without(value: Any, left_out: set[Path], path: Path, key: str) -> Any:
    if isinstance(value, dict) and key not in ATOMIC:
        pairs = [(name, (*path, name), item) for name, item in value.items()]
        return {name: _without(item, left_out, at, name) for name, at, item in pairs if at not in left_out}
    if isinstance(value, list):
        keys = _list_keys(key, value)
        if keys:
            items = [((*path, _identity(item, keys)), item) for item in value]
            return [_without(item, left_out, at, "") for at, item in items if at not in left_out]
    return value


_PARTED = object()


def paths(value: Any, path: Path = (), key: str = "") -> dict[Path, Any]:
    """The fields that an object has, by their ways, with the values of those that have no parts; items of lists by what
    tells them apart.
    """
    found: dict[Path, Any] = {}
    if isinstance(value, dict) and key not in ATOMIC:
        found[path] = _PARTED
        for name, item in value.items():
            found.update(paths(item, (*path, name), name))
        return found
    keys = _list_keys(key, value) if isinstance(value, list) else ()
    found[path] = _PARTED if keys else value
    for item in value if keys else ():
        found.update(paths(item, (*path, _identity(item, keys))))
    return found


def _identity(item: Object, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys)


def _list_keys(key: str, items: list[Any]) -> tuple[str, ...]:
    if key == "ports":
        return ("containerPort", "protocol") if any("containerPort" in item for item in items) else ("port", "protocol")
    return LIST_KEYS.get(key, ())
