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


def json_patched(target: Object, operations: Any) -> Any:
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        return jsonpatch.JsonPatch(operations).apply(copied(target), in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
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


def applied(live: Any, given: Any, previous: Any = None, key: str = "") -> Any:
    """``live`` with what is ``given``, and without what this manager had given before (``previous``) and gives no more.

    ``previous`` has only what nobody else has given.
    """
    if isinstance(given, dict) and isinstance(live, dict) and key not in ATOMIC:
        result = dict(live)
        previous = previous if isinstance(previous, dict) else {}
        for name, value in given.items():
            result[name] = applied(live.get(name), value, previous.get(name), name)
        for name, value in previous.items():
            if name not in given and name in live:
                left = applied(live[name], {} if isinstance(value, dict) else [], value, name)
                if left and isinstance(value, (dict, list)) and name not in ATOMIC:
                    result[name] = left
                else:
                    del result[name]
        return result
    if isinstance(given, list) and isinstance(live, list):
        if key in SETS:
            return live + [item for item in given if item not in live]
        keys = _list_keys(key, given + live)
        if keys:
            return _applied_items(live, given, previous if isinstance(previous, list) else [], keys)
    return given


def _list_keys(key: str, items: list[Any]) -> tuple[str, ...]:
    if key == "ports":
        return ("containerPort", "protocol") if any("containerPort" in item for item in items) else ("port", "protocol")
    return LIST_KEYS.get(key, ())


def _applied_items(live: list[Any], given: list[Any], previous: list[Any], keys: tuple[str, ...]) -> list[Any]:
    def identity(item: Object) -> tuple[Any, ...]:
        return tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys)

    before = {identity(item): item for item in previous}
    wanted = {identity(item): item for item in given}
    there = {identity(item) for item in live}
    result = []
    for item in live:
        name = identity(item)
        if name in wanted:
            result.append(applied(item, wanted[name], before.get(name)))
        elif name not in before:
            result.append(item)
    return result + [item for item in given if identity(item) not in there]


def introduced(live: Any, given: Any, key: str = "") -> Any:
    """The part of ``given`` that ``live`` does not have: what the manager that applies it alone owns."""
    if isinstance(given, dict) and isinstance(live, dict) and key not in ATOMIC:
        parts = {name: introduced(live.get(name), value, name) for name, value in given.items()}
        return {name: part for name, part in parts.items() if part is not None} or None
    if isinstance(given, list) and isinstance(live, list):
        keys = _list_keys(key, given + live)
        if keys:
            there = {tuple(item.get(name) for name in keys): item for item in live}
            result = []
            for item in given:
                part = introduced(there.get(tuple(item.get(name) for name in keys)), item)
                if part is not None:
                    result.append({**{name: item[name] for name in keys if name in item}, **part})
            return result or None
    return given if live is None else None


def kept(before: Any, given: Any, key: str = "") -> Any:
    """The part of what a manager owned alone that it still gives."""
    if isinstance(before, dict) and isinstance(given, dict) and key not in ATOMIC:
        parts = {name: kept(value, given[name], name) for name, value in before.items() if name in given}
        return {name: part for name, part in parts.items() if part is not None} or None
    if isinstance(before, list) and isinstance(given, list):
        keys = _list_keys(key, given + before)
        if keys:
            wanted = {tuple(item.get(name) for name in keys): item for item in given}
            names = [tuple(item.get(name) for name in keys) for item in before]
            return [
                kept(item, wanted[name]) for item, name in zip(before, names, strict=True) if name in wanted
            ] or None
    return given if before is not None else None


def both(one: Any, other: Any, key: str = "") -> Any:
    """Two parts of an object together."""
    if one is None or other is None:
        return other if one is None else one
    return applied(one, other, None, key)
