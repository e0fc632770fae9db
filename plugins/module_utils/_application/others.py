# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Who else uses a color: pods of others that its Services would send users to, and Services of others that its pods serve."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    SERVICE_NAME,
    Application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.endpoints import (
    pods_of_both,
    pods_selected,
    ready_pods,
    served_pods,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, controller
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object


def refuse_strangers(app: Application, color: str, pods: list[Object]) -> None:
    """A Service that is switched must send users to the pods of the color's Deployment only.

    :param pods: of both colors.
    :raises BlueGreenError: whose pods it would send them to as well.
    """
    if app.colors[color].deployment is None:  # those of one that was deleted go with it
        pods = [pod for pod in pods if not (controller(pod) or "").startswith("ReplicaSet ")]
    own = {pod["metadata"]["name"] for pod in app.colors[color].own(pods)}
    for service in app.services:
        found = pods_selected(pods, app.switched(service, color))
        strange = [pod for pod in found if pod["metadata"]["name"] not in own and not Pod(pod).is_over]
        if strange:
            name = service["metadata"]["name"]
            raise BlueGreenError(
                f"{_named(strange[0])} has the labels of {color}: Service {name} would send users to it when {color} is live.",
                "ambiguous",
                why=[f"{_named(pod)} is none of {_deployment(app, color)}" for pod in strange[:5]]
                + [f"Service {name} will select {app.selector_for(color, name)}"],
                next_step=f"Give {color}'s Deployment, or those pods, a label that the others have not, and the Service's selector "
                "as well; or run again when they are gone.",
            )


def services_beside(app: Application, preview: str | None, pods: list[Object]) -> list[str]:
    """Warnings about Services that are not switched, and send users to the pods of the idle color, one sentence each.

    :param pods: of both colors.
    """
    idle, live = ({pod["metadata"]["name"] for pod in app.colors[name].own(pods)} for name in (app.idle, app.active))
    slices = app.cluster.list("EndpointSlice")["items"]
    soon = not idle and app.colors[app.idle].deployment
    known = {*app.selectors(), preview}
    names = {(piece["metadata"].get("labels") or {}).get(SERVICE_NAME) for piece in slices} - known
    found = []
    for name in sorted(filter(None, names)):
        served = served_pods(name, slices)
        if served & idle or soon and served <= live and _would_serve(app, name, soon):
            both = f", and to {app.active}" if served & live else ""
            found.append(
                f"Service {name} sends users to {app.idle}, the idle color{both}: they get the new version before it has been "
                "checked, and whatever becomes of it. Name the Service in bluegreen_services, or let it select something else."
            )
    return found


def _would_serve(app: Application, name: str, deployment: Object) -> bool:
    """Whether a Service selects the pods that a Deployment would make; not known to whom may not read it."""
    try:
        service = app.cluster.get("Service", name)
    except ApiError as error:
        if error.status != 403:
            raise
        return False
    selector = (service["spec"].get("selector") if service else None) or {}
    return bool(selector) and selector.items() <= pod_labels(deployment).items()


def beside_live(app: Application, pods: list[Object]) -> list[str]:
    """Warnings about pods that have the live color's users as well, and whose strength the new color does not get.

    :param pods: of both colors.
    """
    color = app.live
    if color.deployment is None:
        return []
    own = {pod["metadata"]["name"] for pod in color.own(pods)}
    found = []
    for service in app.services:
        strange = [pod for pod in ready_pods(pods, service["spec"]["selector"]) if pod["metadata"]["name"] not in own]
        if strange:
            found.append(
                f"Service {service['metadata']['name']} sends users of {color.name} to pods that are none of Deployment "
                f"{color.deployment_name} as well ({_named(strange[0])}): {app.idle} gets only as many pods as that Deployment has."
            )
    return found


def look_beside(app: Application, preview: str | None) -> list[str]:
    """Both, of the color that is about to be released.

    :raises BlueGreenError: see :func:`refuse_strangers`.
    """
    pods = app.cluster.list("Pod", labelSelector=pods_of_both(app))["items"]
    refuse_strangers(app, app.idle, pods)
    return services_beside(app, preview, pods) + beside_live(app, pods)


def _named(pod: Object) -> str:
    owner = controller(pod)
    return f"pod {pod['metadata']['name']}" + (f" of {owner}" if owner else "")


def _deployment(app: Application, color: str) -> str:
    return (
        f"Deployment {app.colors[color].deployment_name}" if app.colors[color].deployment else f"{color}'s Deployment"
    )
