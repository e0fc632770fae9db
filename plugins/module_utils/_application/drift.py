# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""In what two pod templates differ, field by field, and what of that is only each color's own name."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Union

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

Path = tuple[Union[str, tuple[str, Any]], ...]  # keys of dictionaries, and (field, value) of items in lists
Difference = tuple[Path, Any, Any]  # where, and the two values; None for what is not there

# What tells the items of a list apart.
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
}
WHOLE = ("env", "volumes", "volumeMounts", "ports")  # whose items are looked at as one

# Restarts and clocks are no settings, and what was applied with a template is each color's own.
PASSING = ("kubectl.kubernetes.io/restartedAt", PREFIX + "restarted-at", PREFIX + "objects", "creationTimestamp")

ANNOTATIONS = ("metadata", "annotations")

# Where values may be secrets.
UNSHOWN = ("env", "args", "command")
SHOWN = 5


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every field in which two pod templates differ."""
    if old == new or path and path[-1] in PASSING:
        return
    if path == ANNOTATIONS and {*(old or {}), *(new or {})} & {*PASSING}:
        old, new = old or {}, new or {}
    whole = len(path) > 1 and isinstance(path[-1], tuple) and path[-2] in WHOLE
    if isinstance(old, dict) and isinstance(new, dict) and not whole:
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), (*path, key))
        return
    olds, news = _by_key(old, path), _by_key(new, path)
    if olds is None or news is None:
        yield path, old, new
        return
    for key in {**olds, **news}:
        yield from differences(olds.get(key), news.get(key), (*path, (KEYS[str(path[-1])], key)))


def drift(live: Color, idle: Color, fixed: set[str]) -> list[Difference]:
    """In what the live color's template differs from the idle one's, by more than the version and the colors' names.

    :param fixed: labels of pods that selectors go by.
    :returns: the second value is the one that the idle color would have, after the live one.
    """
    versioned = {("name", item["name"]) for item in live.containers + idle.containers}
    found = []
    for path, old, new in differences(live.deployment["spec"]["template"], idle.deployment["spec"]["template"]):
        wanted = recolored(old, live.name, idle.name)
        is_version = path[-1] == "image" and path[-2] in versioned
        is_fixed = path[:2] == ("metadata", "labels") and path[-1] in fixed
        if wanted != new and not is_version and not is_fixed:
            found.append((path, wanted, new))
    return found


def carried(template: Object, found: list[Difference], live: Object) -> Object:
    """The idle color's template with what :func:`drift` has found on the live one."""
    template = copy.deepcopy(template)
    for path, wanted, _old in found:
        owner, last = _owner(template, path), path[-1]
        _put(owner, last, wanted)
        if isinstance(last, tuple) and wanted is not None:  # variables can refer to those before them
            order = [item[last[0]] for item in _owner(live, path)]
            owner.sort(key=lambda item: order.index(item[last[0]]) if item[last[0]] in order else len(order))
    return template


def in_words(found: list[Difference]) -> str:
    """The fields, without their values, which may be secrets."""
    names = [name_of(path) for path, _old, _new in found]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def name_of(path: Path) -> str:
    """Such as ``containers[app].env[FEATURE]``."""
    steps = [f".{step}" if isinstance(step, str) else f"[{step[1]}]" for step in path]
    return "".join(steps).removeprefix(".spec").lstrip(".")


def shown(found: list[Difference]) -> tuple[Object, Object]:
    """Both sides for ``--diff``; of what may hold secrets only that there is a value, and that it is another one."""
    old, new = {}, {}
    for path, before, after in found:
        open_ = all(step not in UNSHOWN for step in path) and not isinstance(before or after, (dict, list))
        old[name_of(path)] = before if open_ or before is None else "(a value)"
        new[name_of(path)] = after if open_ or after is None else "(another value)"
    return old, new


def recolored(value: Any, one: str, other: str) -> Any:
    """The same with the two colors exchanged, where they are a name or a part of one: ``catalog-a``, not ``-a``."""
    if isinstance(value, dict):
        return {key: recolored(item, one, other) for key, item in value.items()}
    if isinstance(value, list):
        return [recolored(item, one, other) for item in value]
    if not isinstance(value, str):
        return value
    names = {one: other, other: one}
    part = rf"(^|[A-Za-z0-9][-._/:=])({re.escape(one)}|{re.escape(other)})(?=$|[-._/:=])"
    return re.sub(part, lambda match: match[1] + names[match[2]], value)


def _by_key(items: Any, path: Path) -> dict[Any, Any] | None:
    """The items of a list by what tells them apart; ``None`` when nothing does."""
    field = KEYS.get(str(path[-1])) if path else None
    if not field or not isinstance(items, list) or not all(isinstance(item, dict) and field in item for item in items):
        return None
    found = {item[field]: item for item in items}
    return found if len(found) == len(items) else None


def _owner(template: Object, path: Path) -> Any:
    """The dictionary or list that a path's last step is about."""
    owner: Any = template
    for step in path[:-1]:
        owner = (
            owner.setdefault(step, {})
            if isinstance(step, str)
            else next(item for item in owner if item[step[0]] == step[1])
        )
    return owner


def _put(owner: Any, step: Any, value: Any) -> None:
    if isinstance(step, str):
        if value is None:
            owner.pop(step)
        else:
            owner[step] = value
        return
    places = [number for number, item in enumerate(owner) if item[step[0]] == step[1]]
    if not places:
        owner.append(value)
    elif value is None:
        del owner[places[0]]
    else:
        owner[places[0]] = value
