# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of objects that the simulated server knows, and where they are in its API."""

from __future__ import annotations

from typing import Any, NamedTuple

Object = dict[str, Any]


class Kind(NamedTuple):
    """One kind; ``status``: its status is written apart; ``counted``: its generation tells of changes to the spec."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    status: bool = False
    counted: bool = False
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def qualified(self) -> str:
        """As messages name the resource: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS = {
    kind.name: kind
    for kind in (
        Kind("Namespace", "namespaces", status=True, namespaced=False),
        Kind("Node", "nodes", status=True, namespaced=False),
        Kind("ConfigMap", "configmaps"),
        Kind("Secret", "secrets"),
        Kind("Event", "events"),
        Kind("Service", "services", status=True),
        Kind("ResourceQuota", "resourcequotas", status=True),
        Kind("Pod", "pods", status=True, counted=True),
        Kind("Deployment", "deployments", "apps", status=True, counted=True),
        Kind("ReplicaSet", "replicasets", "apps", status=True, counted=True),
        Kind("Job", "jobs", "batch", status=True, counted=True),
        Kind("CronJob", "cronjobs", "batch", status=True, counted=True),
        Kind("EndpointSlice", "endpointslices", "discovery.k8s.io", counted=True),
        Kind("Lease", "leases", "coordination.k8s.io"),
        Kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2", status=True, counted=True),
        Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy", status=True, counted=True),
    )
}
BY_PATH = {(kind.root, kind.plural): kind for kind in KINDS.values()}


def copied(value: Any) -> Any:
    """A copy that shares nothing that can be changed."""
    if value.__class__ is dict:
        return {key: copied(item) if type(item) in (dict, list) else item for key, item in value.items()}
    if value.__class__ is list:
        return [copied(item) if type(item) in (dict, list) else item for item in value]
    return value
