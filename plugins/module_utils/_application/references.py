# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What objects name and select: what pods use, and whom an object acts on."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# Where a pod names other objects, and by which key: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
NAMES = {
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}


def named_by(pod: Object) -> set[tuple[str, str]]:
    """Kind and name of everything that the spec of a pod names."""
    found = {("ServiceAccount", pod.get("serviceAccountName") or "default")}
    found |= {("Secret", item["name"]) for item in pod.get("imagePullSecrets") or [] if "name" in item}
    _collect(pod, found)
    return found


def _collect(value: Any, found: set[tuple[str, str]]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in NAMES and isinstance(item, dict):
                kind, field = NAMES[key]
                name = item.get(field) or item.get("name")  # in a projected volume every kind has its name there
                if name:
                    found.add((kind, name))
            _collect(item, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector of the newer form selects something; an empty one selects everything.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
    """
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        found, values = labels.get(term["key"]), term.get("values") or []
        holds = {
            "In": found in values,
            "NotIn": found not in values,
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }[term["operator"]]
        if not holds:
            return False
    return True


def acts_on(document: Object, deployment: Object) -> str:
    """How an object would act on a Deployment or its pods, as a verb; empty when it does not."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return ""
    for key in ("scaleTargetRef", "targetRef"):  # of autoscalers
        target = spec.get(key)
        kind = target.get("kind", "Deployment") if isinstance(target, dict) else ""
        if isinstance(target, dict) and (kind, target.get("name")) == ("Deployment", deployment["metadata"]["name"]):
            return "it scales"
    selector = spec.get({"NetworkPolicy": "podSelector", "PodDisruptionBudget": "selector"}.get(document["kind"], ""))
    if isinstance(selector, dict) and matches(selector, pod_labels(deployment)):
        return "it selects the pods of"
    return ""


def selects(selector: dict[str, str], document: Object) -> bool:
    """Whether the selector of a Service selects the pods that an object is, or makes."""
    spec = document.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    pod = document if document["kind"] == "Pod" else template
    labels = (pod.get("metadata") or {}).get("labels") or {} if isinstance(pod, dict) else {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
