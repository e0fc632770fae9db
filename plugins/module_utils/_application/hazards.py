# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What in the cluster endangers a blue-green release, said before it does harm."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import HASH
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import live_since_last_switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import referred
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import annotation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.quantity import quantity
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, to_second
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# Who writes objects from a source of its own, and would put a switched selector back.
OWNER_MARKS = {
    "Helm": ("labels", "app.kubernetes.io/managed-by", "Helm"),
    "Argo CD": ("annotations", "argocd.argoproj.io/tracking-id", None),
    "Argo CD (instance label)": ("labels", "argocd.argoproj.io/instance", None),
    "Flux (kustomize)": ("labels", "kustomize.toolkit.fluxcd.io/name", None),
    "Flux (helm)": ("labels", "helm.toolkit.fluxcd.io/name", None),
}

RELOADER = "reloader.stakater.com"
RELOADS = ("auto", "reload", "search")

PODS = ("pods", "count/pods")  # of a ResourceQuota

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

OWNER_MANAGERS = ("helm", "argocd", "kustomize-controller", "helm-controller", "flux")


def hazards(app: Application) -> list[str]:
    """Warnings about the Services of an application, and who restarts it; one sentence or two each."""
    return [*_of_services(app), *_of_others(app), *_of_reloaders(app)]


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


def _of_others(app: Application) -> Iterator[str]:
    """Who has switched beside the releases, and whose next step would."""
    recorded = live_since_last_switch(app.state["history"])
    if recorded in app.names and recorded != app.active and not app.pending:
        yield (
            f"{app.active} is live, but the last release made {recorded} live: somebody else has switched since. What this "
            "release goes by is what is live."
        )
    for service in app.services:
        text = annotation(service, LAST_APPLIED)
        try:
            applied = json.loads(text)["spec"]["selector"][app.label] if text else app.active
        except (KeyError, TypeError, ValueError):
            continue
        if applied in app.names and applied != app.active:
            name = service["metadata"]["name"]
            yield (
                f"Service {name} was last written by `kubectl apply` with {applied} in its selector: applying that manifest again "
                f"makes {applied} live. Take {app.label} out of the manifest's selector, or the Service out of what is applied."
            )


def _of_reloaders(app: Application) -> Iterator[str]:
    """Who restarts the pods of a color when a ConfigMap or Secret changes: https://github.com/stakater/Reloader"""
    for color in app.colors.values():
        owner = color.deployment or {"metadata": {}, "spec": {"template": {"metadata": {}}}}
        notes: Object = {}
        for metadata in (owner["metadata"], owner["spec"]["template"]["metadata"]):
            notes.update(metadata.get("annotations") or {})
        for key, value in sorted(notes.items()):
            if key.partition("/")[0].endswith(RELOADER) and key.partition("/")[2] in RELOADS and value != "false":
                yield (
                    f"Deployment {color.deployment_name} has the annotation {key}: when a ConfigMap or Secret changes that it shares, "
                    "its pods are restarted outside of any release, the live ones too. Take the annotation off, and name what belongs "
                    "to a version in bluegreen_config, of which a change is a release."
                )


def changed_beside(app: Application) -> list[str]:
    """Warnings about ConfigMaps and Secrets of others that have changed since the live pods started, one sentence each."""
    if app.live.deployment is None:
        return []
    pods = app.live.own(app.cluster.list("Pod", labelSelector=app.live.pod_selector)["items"])
    started = [moment(pod["status"]["startTime"]) for pod in pods if pod.get("status", {}).get("startTime")]
    if not started:
        return []
    found = []
    for kind, name in sorted(referred([app.live.deployment])):
        if HASH.search(name):
            continue
        try:
            changed = _changed_at(app.cluster.get(kind, name))
        except ApiError as error:
            if error.status != 403:
                raise
            found.append(f"Whether {kind} {name} has changed since the live pods started is not known: {error.what}")
            continue
        if changed and changed > min(started):
            found.append(
                f"{kind} {name}, which both colors share, was changed at {to_second(changed)}, when pods of {app.active} ran already, "
                f"since {to_second(min(started))}: a pod of it that restarts is another one than before, and a rollback does not bring "
                "the old content back. What belongs to a version is better named in bluegreen_config."
            )
    return found


def _changed_at(item: Object | None) -> datetime | None:
    """When the content of a ConfigMap or Secret was written last; ``None`` when nothing says so."""
    entries = (item or {"metadata": {}})["metadata"].get("managedFields") or []
    content = {"f:data", "f:binaryData"}
    times = [moment(one["time"]) for one in entries if one.get("time") and content & set(one.get("fieldsV1") or {})]
    return max(times, default=None)


def without_room(app: Application) -> list[str]:
    """Warnings about ResourceQuotas that do not let the idle color be rolled out at the live one's size."""
    try:
        quotas = app.cluster.list("ResourceQuota")["items"]
    except ApiError as error:
        if error.status != 403:
            raise
        return [f"ResourceQuotas were not looked at: {error.what}"]
    idle, needed = app.colors[app.idle], app.strength()
    more = needed - idle.replicas + (_surge(idle.deployment, needed) if idle.replicas else 0)
    found = []
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue  # it may be for other pods
        for name, hard in sorted((status.get("hard") or {}).items()):
            used, each = (status.get("used") or {}).get(name), _asked(app, name)
            if used is not None and each is not None and more * each > quantity(hard) - quantity(used):
                there = f"{used} of {hard} are there" if name in PODS else f"{name}: {used} of {hard} are taken"
                found.append(
                    f"ResourceQuota {quota['metadata']['name']} has no room for {more} more pods ({there}), which "
                    f"{app.idle} needs. {room(app.cluster.namespace, idle.deployment_name)}"
                )
    return found


def _asked(app: Application, name: str) -> Decimal | None:
    """How much of a quota's resource a pod takes that is made after the live ones; ``None`` where that is not known."""
    if name in PODS:
        return Decimal(1)
    group, _dot, resource = name.rpartition(".")
    if app.live.deployment is None or group not in ("requests", "limits") and name not in ("cpu", "memory"):
        return None
    spec = app.live.deployment["spec"]["template"]["spec"]
    before = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") != "Always"]
    stay = spec["containers"] + [item for item in spec.get("initContainers") or [] if item not in before]
    amounts = {}
    for item in stay + before:
        given = item.get("resources") or {}
        limit = (given.get("limits") or {}).get(resource)
        amount = limit if group == "limits" else (given.get("requests") or {}).get(resource, limit)
        if amount is None:
            return None  # a LimitRange may say it
        amounts[item["name"]] = quantity(amount)
    return max([sum((amounts[item["name"]] for item in stay), Decimal(0)), *(amounts[item["name"]] for item in before)])


def room(namespace: str, deployment: str | None) -> str:
    """How the idle color comes by pods where there is a quota."""
    first = (
        f"Let its old pods go first: kubectl -n {namespace} scale deployment {deployment} --replicas=0"
        if deployment
        else ""
    )
    return f"{first}; bluegreen_idle_replicas: 0 keeps it so. Or raise the quota." if first else "Raise the quota."


def _surge(deployment: Object, replicas: int) -> int:
    """How many pods more than its replicas a Deployment may have while it is rolled out."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return math.ceil(replicas * int(surge[:-1]) / 100) if isinstance(surge, str) else int(surge)


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
