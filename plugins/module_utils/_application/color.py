# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""One color: its Deployment, and what can be read off it."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import containers_of, version_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import is_whole, template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import controller
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object


class Color:
    """One color: its Deployment (``None`` when there is none) and what can be read off it."""

    def __init__(self, name: str, deployment: Any, container_names: list[str]) -> None:
        self.name = name
        self.deployment = deployment
        # What may be None is Any: `Application.color` hands out no color without a Deployment.
        self.deployment_name: Any = deployment["metadata"]["name"] if deployment else None
        self.containers = containers_of(deployment, container_names) if deployment else []
        self.image: Any = self.containers[0]["image"] if self.containers else None
        self.version = version_of(deployment, self.containers[0]["image"]) if deployment else None
        self.replicas = deployment["spec"].get("replicas", 1) if deployment else 0
        self.ready = deployment.get("status", {}).get("readyReplicas", 0) if deployment else 0

    @property
    def pod_selector(self) -> str:
        """The Deployment's own pod selector, as a labelSelector for the API."""
        selector = self.deployment["spec"]["selector"]
        terms = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
        for expression in selector.get("matchExpressions", []):
            key, operator, values = expression["key"], expression["operator"], ",".join(expression.get("values", []))
            written = {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }
            terms.append(written[operator])
        return ",".join(terms)

    def own(self, pods: list[Object]) -> list[Object]:
        """Those of the pods that are the Deployment's, whatever labels others have: its ReplicaSets have its name and a hash.

        https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/sync.go (getNewReplicaSet)
        """
        made_by = f"ReplicaSet {self.deployment_name}"
        return [
            pod
            for pod in pods
            if (controller(pod) or "").rpartition("-")[0] == made_by
            and "pod-template-hash" in (pod["metadata"].get("labels") or {})  # which others than Deployments do not set
        ]

    @property
    def template_hash(self) -> str | None:
        """:func:`template_hash` of the Deployment, ``None`` when there is none.

        While other objects are applied than those that its template was made with, it is no template's.
        """
        if not self.deployment:
            return None
        found = template_hash(self.deployment)
        return found if is_whole(self.deployment) else f"{found}, being changed"

    def summary(self) -> Object:
        return {
            "version": self.version,
            "image": self.image,
            "replicas": self.replicas,
            "ready": self.ready,
            "deployment": self.deployment_name,
            "template_hash": self.template_hash,
        }
