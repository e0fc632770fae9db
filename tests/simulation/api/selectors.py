# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors, as the query of a list or a watch has them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from simulation.api.answers import bad_request
from simulation.api.kinds import Object

Selects = Callable[[Object], bool]

METADATA = {"metadata.name", "metadata.namespace"}
INVOLVED = {"kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"}
FIELDS = {
    "Event": {"reason", "reportingComponent", "source", "type"} | {f"involvedObject.{field}" for field in INVOLVED},
    "Pod": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    },
    "Service": {"spec.clusterIP", "spec.type"},
    "Secret": {"type"},
    "ReplicaSet": {"status.replicas"},
    "Job": {"status.successful"},
    "Node": {"spec.unschedulable"},
    "Namespace": {"status.phase"},
}

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!\s*)?(?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)


@functools.lru_cache(maxsize=1024)
def labels(selector: str) -> Selects:
    """Whether an object has the labels that a ``labelSelector`` wants."""
    tests: list[Callable[[dict[str, str]], bool]] = []
    at = 0
    while at < len(selector):
        found = _REQUIREMENT.match(selector, at)
        if not found:
            rest = re.sub(r"^\s*!?\s*[\w./-]+\s*(=|==|!=)\s*(?=\W)", "", selector[at:])
            raise bad_request(f"unable to parse requirement: found '{rest}', expected: identifier")
        tests.append(_test(found))
        at = found.end()
    if len(tests) == 1:
        only = tests[0]
        return lambda item: only(item["metadata"].get("labels") or {})
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _test(found: re.Match[str]) -> Callable[[dict[str, str]], bool]:
    key = found["key"]
    if found["absent"]:
        return lambda given: key not in given
    if found["set"]:
        values = {value.strip() for value in found["values"].split(",")}
        if found["set"] == "in":
            return lambda given: given.get(key) in values
        return lambda given: given.get(key) not in values
    value = found["value"]
    if found["op"] == "!=":
        return lambda given: given.get(key) != value
    if found["op"]:
        return lambda given: given.get(key) == value
    return lambda given: key in given


@functools.lru_cache(maxsize=1024)
def fields(kind: str, selector: str) -> Selects:
    """Whether an object has the values that a ``fieldSelector`` wants."""
    known = METADATA | FIELDS.get(kind, set())
    wanted = []
    for part in filter(None, selector.split(",")):
        path, operator, value = re.split(r"(==|!=|=)", part, maxsplit=1)
        if path not in known:
            raise bad_request(f"field label not supported: {path}")
        wanted.append((path.split("."), operator != "!=", value))
    return lambda item: all((_field(item, path) == value) is same for path, same, value in wanted)


def _field(item: object, path: list[str]) -> str:
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return "" if item is None else str(item)


@functools.lru_cache(maxsize=1024)
def both(kind: str, label_selector: str, field_selector: str) -> Selects | None:
    """``None`` where everything is wanted."""
    if not field_selector:
        return labels(label_selector) if label_selector else None
    if not label_selector:
        return fields(kind, field_selector)
    first, second = labels(label_selector), fields(kind, field_selector)
    return lambda item: first(item) and second(item)
