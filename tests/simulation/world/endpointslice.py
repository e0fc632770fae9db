# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EndpointSlice controller: for each Service the pods that it selects, by the ports they really have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.world.controller import Controller
from simulation.world.lag import Range
from simulation.world.objects import (
    Object,
    contains,
    has_ended,
    is_ready,
    is_terminating,
    key,
    owner_reference,
    port_number,
)
from simulation.world.replicaset import suffix

if TYPE_CHECKING:
    from simulation.world import World

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"

Ports = tuple[tuple[str, int, str], ...]  # name, number, protocol


class EndpointSliceController(Controller):
    name = "endpointslice-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.store.subscribe("Service", self._service_changed)
        self.store.subscribe("Pod", self._pod_changed)

    def lag(self) -> Range:
        return self.world.lag.endpoints

    def _service_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ != "DELETED" and (old is None or new["spec"] != old["spec"] or _labels(new) != _labels(old)):
            self.enqueue(key(new))

    def _pod_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ == "MODIFIED" and old is not None and _essence(new) == _essence(old):
            return
        for service in self.store.list("Service", new["metadata"]["namespace"]):
            selector = service["spec"].get("selector")
            if selector and (contains(selector, _labels(new)) or old is not None and contains(selector, _labels(old))):
                self.enqueue(key(service))

    def sync(self, namespace: str, name: str) -> None:
        service = self.store.get("Service", namespace, name)
        if service is None or not service["spec"].get("selector") or is_terminating(service):
            return
        groups: dict[Ports, list[Object]] = {}
        for pod in self.store.list("Pod", namespace, service["spec"]["selector"]):
            if pod["status"].get("podIP") and not has_ended(pod):
                groups.setdefault(_ports(service, pod), []).append(_endpoint(service, pod))
        self._reconcile(service, groups)

    def _reconcile(self, service: Object, groups: dict[Ports, list[Object]]) -> None:
        """Each set of ports has a slice. One that is not needed any more is used for another set before it is deleted."""
        have = {
            _ports_of(item): item for item in self.world.owned.controlled("EndpointSlice", service["metadata"]["uid"])
        }
        if not groups:
            # A Service without endpoints keeps one slice, so that everybody sees that there are none.
            first = next(iter(have), ())
            groups = {first: []}
        spare = [item for ports, item in have.items() if ports not in groups]
        for ports, endpoints in groups.items():
            item = have.get(ports) or (spare.pop(0) if spare else None)
            if item is None:
                self.store.create(self._new(service, ports, endpoints), by=self.name)
            elif (item.get("endpoints") or []) != endpoints or _ports_of(item) != ports:
                self._write(item, ports, endpoints)
        for item in spare:
            self.store.delete("EndpointSlice", *key(item), by=self.name)

    def _write(self, item: Object, ports: Ports, endpoints: list[Object]) -> None:
        def change(copy: Object) -> None:
            copy["endpoints"], copy["ports"] = endpoints, _as_objects(ports)
            copy["metadata"]["annotations"] = {TRIGGER: self.world.stamp()}

        self.change(item, change)

    def _new(self, service: Object, ports: Ports, endpoints: list[Object]) -> Object:
        metadata = service["metadata"]
        labels = {**_labels(service), SERVICE_NAME: metadata["name"], MANAGED_BY: "endpointslice-controller.k8s.io"}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{metadata['name']}-{suffix(self.hub.random)}",
                "generateName": metadata["name"] + "-",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {TRIGGER: self.world.stamp()},
                "ownerReferences": [owner_reference(service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": _as_objects(ports),
        }


def _endpoint(service: Object, pod: Object) -> Object:
    serving, terminating = is_ready(pod), is_terminating(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    metadata = pod["metadata"]
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {key: metadata[key] for key in ("name", "namespace", "uid")} | {"kind": "Pod"},
    }


def _ports(service: Object, pod: Object) -> Ports:
    """The Service's ports as this pod has them; one that it has not is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = port_number(pod, port.get("targetPort", port["port"]), protocol)
        if number is not None:
            found.append((port.get("name", ""), number, protocol))
    return tuple(found)


def _ports_of(item: Object) -> Ports:
    return tuple((port.get("name", ""), port["port"], port["protocol"]) for port in item.get("ports") or ())


def _as_objects(ports: Ports) -> list[Object]:
    return [{"name": name, "port": number, "protocol": protocol} for name, number, protocol in ports]


def _labels(item: Object) -> Object:
    return item["metadata"].get("labels") or {}


def _essence(pod: Object) -> tuple[object, ...]:
    """What a change of a pod can change in a slice."""
    return is_ready(pod), is_terminating(pod), has_ended(pod), pod["status"].get("podIP"), _labels(pod)
