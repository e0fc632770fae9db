# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The endpoints of the Services: those that they will have once they are switched, and those that they have."""

from __future__ import annotations

import json

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    SERVICE_NAME,
    Application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import container_ports
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

Ports = set[tuple[str, int, str]]  # name, number and protocol, as an EndpointSlice has them


def pods_of_both(app: Application) -> str:
    """A labelSelector for the pods of both colors: what the selectors of all Services have in common, in either color."""
    common = set.intersection(*(set(selector.items()) for selector in app.selectors().values()))
    terms = [f"{key}={value}" for key, value in sorted(common) if key != app.label]
    return ",".join([*terms, f"{app.label} in ({','.join(app.names)})"])


def ready_pods(pods: list[Object], selector: Object) -> list[Object]:
    """Those that a selector selects, and that can take traffic."""
    return [pod for pod in pods_selected(pods, selector) if Pod(pod).carries]


def restarts(pods: list[Object]) -> int:
    """How often the containers of pods have restarted, all together."""
    return sum(Pod(pod).restarts for pod in pods if not Pod(pod).terminating)


def pods_selected(pods: list[Object], selector: Object) -> list[Object]:
    return [pod for pod in pods if _selects(selector, pod)]


def is_deserted(app: Application, color: str, pods: list[Object]) -> bool:
    """Whether users have no ready pod of a color, while the other one has some to go back to.

    :param pods: of both colors.
    """
    return not ready_pods(pods, {app.label: color}) and bool(ready_pods(pods, {app.label: app.other(color)}))


def refuse_unreachable(app: Application, target: str, pods: list[Object], needed: int, any_port: bool) -> None:
    """Each Service, once it is switched, must lead to enough pods of the target, on each of its ports.

    :param pods: of both colors.
    :param any_port: whether one port that leads somewhere is enough: the Service may have got others since the target was
        live. Then a number need not be declared either, as the live pods do.
    :raises BlueGreenError: which Service would not, and for the want of which label or port.
    """
    ready = ready_pods(app.colors[target].own(pods), {})
    for service in app.services:
        selected = ready_pods(ready, app.switched(service, target))
        if len(selected) < min(needed, len(ready)):
            raise _unselected(app, service, target, len(selected), needed, ready)
        live = [] if any_port else ready_pods(pods, service["spec"]["selector"])
        ports = service["spec"].get("ports") or []
        for pod in selected:
            nowhere = [port for port in ports if _leads_nowhere(port, pod, live)]
            if nowhere and not (any_port and len(nowhere) < len(ports)):
                raise _unresolved(service, target, nowhere[0], pod)


def refuse_portless(app: Application, target: str, deployment: Object) -> None:
    """Where each Service's port leads to the live color's pods, it must lead to the ones that a Deployment would make.

    What injects containers into pods is not seen in a template, so only those that the live one declares count.

    :raises BlueGreenError: which port would lead nowhere.
    """
    if app.live.deployment is None:
        return
    live, new = (_pod_of(item) for item in (app.live.deployment, deployment))
    for service in app.services:
        for port in service["spec"].get("ports") or []:
            if _leads_nowhere(port, new, [live]) and not _leads_nowhere(port, live, []):
                raise _unresolved(service, target, port, new)


def _pod_of(deployment: Object) -> Object:
    """A pod that a Deployment would make, as far as its ports go."""
    return {"metadata": {"name": deployment["metadata"]["name"]}, "spec": deployment["spec"]["template"]["spec"]}


def _selects(selector: Object, pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _leads_nowhere(port: Object, pod: Object, live: list[Object]) -> bool:
    number = _number(pod, port)
    return number is None or _is_missing(number, port, pod, live)


def _number(pod: Object, port: Object) -> int | None:
    """The number that a port of a Service leads to on a pod; ``None`` when the pod has none of that name.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/api/v1/pod/util.go (FindPort)
    """
    wanted = _wanted(port)
    if isinstance(wanted, int):
        return wanted
    protocol = port.get("protocol", "TCP")
    found = [item for item in container_ports(pod, protocol) if item.get("name") == wanted]
    return found[0]["containerPort"] if found else None


def _wanted(port: Object) -> int | str:
    return port.get("targetPort") or port["port"]


def _is_missing(number: int, port: Object, pod: Object, live: list[Object]) -> bool:
    """Whether the live pods declare a port which this one, that declares others, does not; none needs to be declared."""
    protocol = port.get("protocol", "TCP")
    own = {item["containerPort"] for item in container_ports(pod, protocol)}
    others = {item["containerPort"] for other in live for item in container_ports(other, protocol)}
    return bool(own) and number in others - own


def _unselected(
    app: Application, service: Object, target: str, count: int, needed: int, ready: list[Object]
) -> BlueGreenError:
    name, selector = service["metadata"]["name"], app.switched(service, target)
    left = [pod for pod in ready if not _selects(selector, pod)]
    labels = json.dumps(left[0]["metadata"].get("labels") or {}, sort_keys=True)
    return BlueGreenError(
        f"Service {name} would have {count} endpoint{'' if count == 1 else 's'} when {target} is live, {needed} are needed.",
        "endpoints",
        why=[
            f"its selector will be {json.dumps(selector, sort_keys=True)}",
            f"pod {left[0]['metadata']['name']} has the labels {labels}",
        ],
        next_step=f"Give all pods of {target} these labels, by the template of their Deployment, then run again.",
    )


def _unresolved(service: Object, target: str, port: Object, pod: Object) -> BlueGreenError:
    name, protocol = service["metadata"]["name"], port.get("protocol", "TCP")
    declared = [
        f"{item.get('name') or 'one without a name'} ({item['containerPort']}/{item.get('protocol', 'TCP')})"
        for item in container_ports(pod)
    ]
    return BlueGreenError(
        f"Service {name} would lead nowhere when {target} is live: its port {port.get('name') or port['port']} goes to port "
        f"{_wanted(port)} of the pods ({protocol}), which have none.",
        "endpoints",
        why=f"{pod['metadata']['name']} has {', '.join(declared) or 'no ports'}",
        next_step=f"Correct the ports of the containers of {target}, or targetPort of the Service, then run again.",
    )


class Following:
    """Whether the EndpointSlices have followed a switch: the target's ready pods are in, with the Service's ports, and
    the other color's are out. What belongs to neither does not count."""

    def __init__(self, app: Application, target: str) -> None:
        self._target = {service["metadata"]["name"]: app.switched(service, target) for service in app.services}
        self._other = {
            service["metadata"]["name"]: app.switched(service, app.other(target)) for service in app.services
        }
        self._ports = {service["metadata"]["name"]: service["spec"].get("ports") or [] for service in app.services}
        self._old: dict[str, set[str]] = {name: set() for name in self._ports}  # a slice may outlast a pod
        self.held: dict[str, dict[str, Ports]] = {}  # by Service and pod
        self.ready: set[str] = set()

    def done(self, pods: list[Object], slices: list[Object]) -> bool:
        """Whether it is so now; leaves in ``held`` and ``ready`` what was seen.

        :param pods: of both colors.
        """
        self.held = {name: _held(name, slices) for name in self._ports}
        self.ready, done = set(), True
        for name, held in self.held.items():
            self._old[name] |= {pod["metadata"]["name"] for pod in pods_selected(pods, self._other[name])}
            ready = ready_pods(pods, self._target[name])
            self.ready |= {pod["metadata"]["name"] for pod in ready}
            reached = all(self._led_to(name, pod) <= held.get(pod["metadata"]["name"], set()) for pod in ready)
            listed = all(pod["metadata"]["name"] in held for pod in ready)
            done = done and bool(ready) and listed and reached and not self._old[name] & set(held)
        return done

    def _led_to(self, name: str, pod: Object) -> Ports:
        numbers = [(port, _number(pod, port)) for port in self._ports[name]]
        return {
            (port.get("name") or "", number, port.get("protocol", "TCP"))
            for port, number in numbers
            if number is not None
        }


def served_pods(name: str, slices: list[Object]) -> set[str]:
    """The names of the pods that a Service sends traffic to."""
    return set(_held(name, [piece for piece in slices if SERVICE_NAME in (piece["metadata"].get("labels") or {})]))


def _held(name: str, slices: list[Object]) -> dict[str, Ports]:
    """The pods that the EndpointSlices of a Service send traffic to, and on which ports."""
    held: dict[str, Ports] = {}
    for piece in slices:
        if piece["metadata"]["labels"][SERVICE_NAME] != name:
            continue
        ports = {
            (port.get("name") or "", port["port"], port.get("protocol", "TCP"))
            for port in piece.get("ports") or []
            if port.get("port")
        }
        for endpoint in piece.get("endpoints") or []:
            # "ready" missing means unknown, to be taken as true:
            # https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
            pod = (endpoint.get("targetRef") or {}).get("name")
            if pod and (endpoint.get("conditions") or {}).get("ready", True) is not False:
                held.setdefault(pod, set()).update(ports)
    return held
