# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers need of objects: conditions, labels, owners."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name


def key(item: Object) -> Key:
    metadata = item["metadata"]
    return metadata["namespace"], metadata["name"]


def condition(item: Object, kind: str) -> Object | None:
    for found in item.get("status", {}).get("conditions") or ():
        if found["type"] == kind:
            return found  # type: ignore[no-any-return]
    return None


def is_ready(pod: Object) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def is_terminating(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def controller_of(item: Object) -> Object | None:
    for owner in item["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner  # type: ignore[no-any-return]
    return None


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selects(selector: Object, labels: Object) -> bool:
    """Whether a label selector with ``matchLabels`` and ``matchExpressions`` holds."""
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    for term in selector.get("matchExpressions") or ():
        there, among = term["key"] in labels, labels.get(term["key"]) in (term.get("values") or ())
        if not {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}[term["operator"]]:
            return False
    return True


def contains(selector: Object, labels: Object) -> bool:
    """Whether a plain selector, such as a Service's, holds."""
    return all(labels.get(name) == value for name, value in selector.items())


def with_condition(conditions: Iterable[Object], new: Object) -> list[Object]:
    """The conditions with this one at the end, which keeps its time of transition when its status has not changed."""
    kept = [item for item in conditions if item["type"] != new["type"]]
    for item in conditions:
        if item["type"] == new["type"] and item["status"] == new["status"]:
            new = {**new, "lastTransitionTime": item["lastTransitionTime"]}
    return [*kept, new]


def without_condition(conditions: Iterable[Object], kind: str) -> list[Object]:
    return [item for item in conditions if item["type"] != kind]


def named_port(pod: Object, name: str, protocol: str = "TCP") -> int | None:
    """The number of a pod's port of this name: of its containers, then of its native sidecars."""
    spec = pod["spec"]
    sidecars = [item for item in spec.get("initContainers") or () if item.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def port_number(pod: Object, port: int | str, protocol: str = "TCP") -> int | None:
    """A port that is given by its number or its name."""
    return port if isinstance(port, int) else named_port(pod, port, protocol)
