# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What in the cluster endangers a blue-green release, said before it does harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# Who writes objects from a source of its own, and would put a switched selector back.
OWNER_MARKS = {
    "Helm": ("labels", "app.kubernetes.io/managed-by", "Helm"),
    "Argo CD": ("annotations", "argocd.argoproj.io/tracking-id", None),
    "Argo CD (instance label)": ("labels", "argocd.argoproj.io/instance", None),
    "Flux (kustomize)": ("labels", "kustomize.toolkit.fluxcd.io/name", None),
    "Flux (helm)": ("labels", "helm.toolkit.fluxcd.io/name", None),
}

OWNER_MANAGERS = ("helm", "argocd", "kustomize-controller", "helm-controller", "flux")


def hazards(app: Application) -> list[str]:
    """Warnings about the Services, autoscalers and disruption budgets of an application; one sentence or two each."""
    found = [*_of_services(app)]
    for kind, look in (("HorizontalPodAutoscaler", _of_autoscalers), ("PodDisruptionBudget", _of_budgets)):
        try:
            found += look(app)
        except (AttributeError, KeyError, TypeError) as error:  # what is not understood ends no release
            found.append(f"{kind}s were not looked at: {explained(error).what}")
    return found


def _of_services(app: Application) -> Iterator[str]:
    for service in app.services:
        name, spec = service["metadata"]["name"], service["spec"]
        owner = _selector_owner(service)
        if owner:
            yield (
                f"Service {name} is managed by {owner}, whose next sync may put the selector back and so switch the traffic. "
                f"Let it ignore /spec/selector/{app.label} of this Service."
            )
        if spec.get("sessionAffinity") == "ClientIP":
            known = spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds", 10800)
            yield (
                f"Service {name} has sessionAffinity ClientIP: clients that are known stay on the old color for up to {known} s "
                "after the switch, and fail when its pods go earlier."
            )
        if spec.get("clusterIP") == "None":
            yield (
                f"Service {name} is headless: clients keep the addresses that DNS gave them, so the switch reaches them only when "
                "they ask again. Raise bluegreen_scale_down_delay above their DNS cache time."
            )
        if spec.get("externalTrafficPolicy") == "Local":
            yield (
                f"Service {name} has externalTrafficPolicy Local: nodes without a pod of the new color drop external traffic until "
                "the load balancer has noticed. Spread both colors over the same nodes."
            )


def _selector_owner(service: Object) -> str | None:
    """Who keeps the Service's selector as it is in its own source, or ``None``."""
    for owner, (part, key, value) in OWNER_MARKS.items():
        found = (service["metadata"].get(part) or {}).get(key)
        if found is not None and value in (None, found):
            return owner
    for entry in service["metadata"].get("managedFields") or []:
        manager = entry.get("manager", "")
        if "f:selector" in entry.get("fieldsV1", {}).get("f:spec", {}) and manager.lower().startswith(OWNER_MANAGERS):
            return manager
    return None


def _of_autoscalers(app: Application) -> Iterator[str]:
    names = {color.deployment_name: color.name for color in app.colors.values() if color.deployment}
    for item in _list(app, "HorizontalPodAutoscaler"):
        if isinstance(item, str):
            yield item
            continue
        target = item["spec"]["scaleTargetRef"]
        if target["kind"] == "Deployment" and target["name"] in names:
            name, least = item["metadata"]["name"], item["spec"].get("minReplicas", 1)
            yield (
                f"HorizontalPodAutoscaler {name} scales {target['name']}: while {names[target['name']]} is idle it is kept at "
                f"{least} replicas or more, whatever bluegreen_idle_replicas says, and it may change a color that is being released."
            )


def _of_budgets(app: Application) -> Iterator[str]:
    for item in _list(app, "PodDisruptionBudget"):
        if isinstance(item, str):
            yield item
            continue
        covered = [color for color in app.colors.values() if color.deployment and _matches(item, color.deployment)]
        if len(covered) > 1:
            yield (
                f"PodDisruptionBudget {item['metadata']['name']} covers the pods of both colors: the idle color's pods count, so the live ones are "
                "protected less than it says. Give each color its own."
            )


def _list(app: Application, kind: str) -> list[Any]:
    """The objects, or one warning when they may not be read: their absence is then not known."""
    try:
        return app.cluster.list(kind)["items"]
    except ApiError as error:
        if error.status != 403:
            raise
        return [f"{kind}s were not looked at: {error.what}"]


def _matches(budget: Object, deployment: Object) -> bool:
    """Whether a PodDisruptionBudget selects a Deployment's pods; an empty selector selects every pod."""
    labels = pod_labels(deployment)
    selector = budget["spec"].get("selector") or {}
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
