# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What objects name and select: what pods use, and whom an object acts on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# Where a pod spec refers to the two kinds: of a container, of a volume, of a source of a projected one.
OF_VARIABLES = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
OF_ENVIRONMENTS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
OF_SOURCES = {"configMap": "ConfigMap", "secret": "Secret"}
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class Reference(NamedTuple):
    """One place where a pod spec names a ConfigMap or Secret: ``owner[key]`` is its name."""

    kind: str
    owner: Object
    key: str

    @property
    def name(self) -> str:
        return str(self.owner[self.key])


def pod_spec(owner: Object) -> Object:
    """Of a Deployment, ReplicaSet, Job, CronJob, pod or pod template."""
    spec: Object = owner.get("spec") or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    return (spec["template"].get("spec") or {}) if "template" in spec else spec


def references(spec: Object) -> Iterator[Reference]:
    """Every place where a pod spec names a ConfigMap or Secret."""
    for container in (item for group in CONTAINERS for item in spec.get(group) or []):
        for variable in container.get("env") or []:
            yield from _named(variable.get("valueFrom") or {}, OF_VARIABLES)
        for source in container.get("envFrom") or []:
            yield from _named(source, OF_ENVIRONMENTS)
    for volume in spec.get("volumes") or []:
        yield from _named(volume, OF_SOURCES)
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _named(source, OF_SOURCES)
        for driver in volume.values():  # of storage that needs credentials
            if isinstance(driver, dict):
                yield from _named(driver, {"secretRef": "Secret", "nodePublishSecretRef": "Secret"})
    for secret in spec.get("imagePullSecrets") or []:
        if secret.get("name"):
            yield Reference("Secret", secret, "name")


def _named(holder: Object, fields: Mapping[str, str]) -> Iterator[Reference]:
    for field, kind in fields.items():
        source = holder.get(field)
        if isinstance(source, dict):
            yield from (Reference(kind, source, key) for key in ("name", "secretName") if source.get(key))


def referred(owners: Iterable[Object]) -> set[tuple[str, str]]:
    """``(kind, name)`` of all that the pods of these objects refer to."""
    return {(item.kind, item.name) for owner in owners for item in references(pod_spec(owner))}


def named_by(pod: Object) -> set[tuple[str, str]]:
    """Kind and name of everything that the spec of a pod names."""
    claims = (volume.get("persistentVolumeClaim") or {} for volume in pod.get("volumes") or [])
    found = {("PersistentVolumeClaim", claim["claimName"]) for claim in claims if claim.get("claimName")}
    found.add(("ServiceAccount", pod.get("serviceAccountName") or "default"))
    return found | {(item.kind, item.name) for item in references(pod)}


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
