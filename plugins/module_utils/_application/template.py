# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The pod template of a color: the hash that says whether two are the same, its labels, and the ports of its pods."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX, annotation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# On the pod template: the digest of what was applied with it. On the Deployment: of what is applied.
OBJECTS = PREFIX + "objects"
NOTHING, CHANGING = "none", "changing"


def fingerprint(value: Any) -> str:
    """A short digest: the same one means the same value, in whatever order its keys are."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def template_hash(owner: Object) -> str:
    """A short digest of the pod template of a Deployment or ReplicaSet: the same hash means the same pods.

    What controllers add to the template is left out.
    """
    template = owner["spec"]["template"]
    about = {key: value for key, value in template["metadata"].items() if key != "creationTimestamp"}
    about["labels"] = {key: value for key, value in (about.get("labels") or {}).items() if key != "pod-template-hash"}
    return fingerprint(dict(template, metadata=about))


def objects_of(owner: Object) -> str | None:
    """What a Deployment or a pod template says is applied with it: a digest, or one of the two words."""
    return annotation(owner, OBJECTS)


def is_whole(deployment: Object) -> bool:
    """Whether the objects of a manifest that are applied are those that belong to the pod template."""
    return objects_of(deployment) in (None, objects_of(deployment["spec"]["template"]) or NOTHING)


def own_template(owner: Object) -> Object:
    """The pod template as a Deployment has it: without what its controller adds for a ReplicaSet."""
    template: Object = copy.deepcopy(owner["spec"]["template"])
    template["metadata"].get("labels", {}).pop("pod-template-hash", None)
    return template


def refuse_another_template(deployment: Object, expected: str | None) -> None:
    """What is waited for, checked and switched to must be what was deployed.

    :param expected: the hash of what was; empty for whatever is there.
    :raises BlueGreenError: it is another one now.
    """
    found = template_hash(deployment)
    if expected and found != expected:
        raise BlueGreenError(
            f"The pod template of {deployment['metadata']['name']} was changed by somebody else since this release looked at it.",
            "not_prepared",
            why=f"template_hash was {expected}, it is {found}",
            next_step="Make sure that nothing else writes to the Deployment, then release again; what prepare.yml made, prepare again.",
        )


def pod_labels(owner: Object) -> dict[str, str]:
    """The labels of the pods that a Deployment or ReplicaSet makes."""
    return owner["spec"]["template"]["metadata"].get("labels") or {}


def container_ports(pod: Object, protocol: str | None = None) -> list[Object]:
    """The ports that a pod's containers declare, native sidecars (init containers that stay) among them.

    :param protocol: only those; ``None`` for all.
    """
    spec = pod["spec"]
    sidecars = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    ports = [port for container in spec["containers"] + sidecars for port in container.get("ports") or []]
    return [port for port in ports if protocol in (None, port.get("protocol", "TCP"))]
