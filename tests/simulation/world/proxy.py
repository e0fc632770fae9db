# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes' proxies: where connections to a Service really go, a while after its EndpointSlices have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from simulation.world.endpointslice import SERVICE_NAME
from simulation.world.lag import drawn
from simulation.world.objects import Object

if TYPE_CHECKING:
    from simulation.world import World


class Endpoint(NamedTuple):
    pod: str
    uid: str
    port: int


class ServicePort(NamedTuple):
    namespace: str
    service: str
    port: str  # its name, "" when it has none


Programmed = tuple[Endpoint, ...]


class Proxy:
    """``programmed``: of each port of each Service, what each node sends connections to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.programmed: dict[ServicePort, dict[str, Programmed]] = {}
        self.on_change: list[Callable[[ServicePort], None]] = []
        self._pending: set[tuple[str, str, str]] = set()  # node, namespace, Service
        world.store.subscribe("Service", self._service_changed)
        world.store.subscribe("EndpointSlice", self._slice_changed)

    def _service_changed(self, type_: str, new: Object, old: Object | None) -> None:
        metadata = new["metadata"]
        if type_ == "DELETED" or old is None or new["spec"].get("ports") != old["spec"].get("ports"):
            self._plan(metadata["namespace"], metadata["name"])

    def _slice_changed(self, type_: str, new: Object, old: Object | None) -> None:
        name = (new["metadata"].get("labels") or {}).get(SERVICE_NAME)
        if name:
            self._plan(new["metadata"]["namespace"], name)

    def _plan(self, namespace: str, name: str) -> None:
        """What changes until a node is at it is taken up at once."""
        hub = self.world.hub
        for node in self.world.nodes:
            if (node, namespace, name) not in self._pending:
                self._pending.add((node, namespace, name))
                hub.after(drawn(hub.random, self.world.lag.proxy), self._program, node, namespace, name)

    def _program(self, node: str, namespace: str, name: str) -> None:
        self._pending.discard((node, namespace, name))
        service = self.world.store.get("Service", namespace, name)
        if service is None:
            for port in [port for port in self.programmed if port[:2] == (namespace, name)]:
                self.programmed[port].pop(node, None)
                self._tell(port)
                if not self.programmed[port]:
                    del self.programmed[port]
            return
        slices = self.world.store.list("EndpointSlice", namespace, {SERVICE_NAME: name})
        for given in service["spec"].get("ports") or ():
            port = ServicePort(namespace, name, given.get("name", ""))
            found = _endpoints(slices, port.port)
            nodes = self.programmed.setdefault(port, {})
            if nodes.get(node) != found:
                nodes[node] = found
                self._tell(port)

    def _tell(self, port: ServicePort) -> None:
        for told in self.on_change:
            told(port)


def _endpoints(slices: list[Object], port: str) -> Programmed:
    """The ready ones; if there are none, those that serve still while they terminate."""
    ready, serving = [], []
    for item in slices:
        for given in item.get("ports") or ():
            if given.get("name", "") != port:
                continue
            for one in item.get("endpoints") or ():
                conditions, target = one["conditions"], one["targetRef"]
                endpoint = Endpoint(target["name"], target["uid"], given["port"])
                if conditions.get("ready", True):
                    ready.append(endpoint)
                elif conditions.get("serving") and conditions.get("terminating"):
                    serving.append(endpoint)
    return tuple(sorted(ready or serving))
