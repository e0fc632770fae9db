# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world around the API server: controllers, nodes, proxies and users, all on one clock.

What is modelled is what the collection, or a law that judges it, can see. Left out on purpose: Events of type Normal,
liveness and startup probes, init containers that fail, preemption and taints, traffic policies and session affinity,
connections that clients keep open, a node that is lost, the status of PodDisruptionBudgets, the finalizers of Jobs' pods.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from typing import Any

from simulation.api.store import Store
from simulation.clock import Hub
from simulation.world.app import Application, Behavior, Example, Faults, version_of
from simulation.world.autoscaler import Autoscaler
from simulation.world.cron_job import CronJobController
from simulation.world.deployment import DeploymentController
from simulation.world.endpointslice import EndpointSliceController
from simulation.world.events import Recorder
from simulation.world.garbage import GarbageCollector
from simulation.world.job import JobController
from simulation.world.lag import Lag
from simulation.world.node import Kubelet, Node
from simulation.world.objects import Object
from simulation.world.owned import Owned
from simulation.world.process import Process
from simulation.world.proxy import Proxy
from simulation.world.registry import Registry
from simulation.world.replicaset import ReplicaSetController
from simulation.world.scheduler import Scheduler
from simulation.world.users import Interval, Users

__all__ = ["Behavior", "Interval", "Lag", "Node", "World"]


class World:
    """Starts everything on an empty store.

    ``app``          what runs in containers: ``(image, environment, pod) -> Behavior``; may be replaced
    ``registry``     the images there are
    ``nodes``        by name
    ``controllers``  by name, each with ``stop()`` and ``go_on()``
    ``users``        who was answered by whom
    ``on_serving``   told the uid of a pod that begins or ceases to answer
    ``on_log``       told uid and container of each new line of a log
    """

    def __init__(
        self, hub: Hub, store: Store, lag: Lag | None = None, nodes: tuple[str, ...] = ("node-1", "node-2")
    ) -> None:
        self.hub, self.store = hub, store
        self.lag = lag or Lag()
        self.nodes = {name: Node(name) for name in nodes}
        self.faults = Faults()
        self.registry = Registry(self.faults)
        self.app: Application = Example(hub.random, self.lag)
        self.events = Recorder(hub, store, self.stamp)
        self.on_serving: list[Callable[[str], None]] = []
        self.on_log: list[Callable[[str, str], None]] = []
        self._moments: dict[str, float] = {}
        self.owned = Owned(store)
        self.kubelet = Kubelet(self)
        self.garbage = GarbageCollector(self)
        self.autoscaler = Autoscaler(self)
        self.scheduler = Scheduler(self)
        self.endpoints = EndpointSliceController(self)
        found = (
            DeploymentController(self),
            ReplicaSetController(self),
            JobController(self),
            CronJobController(self),
            self.autoscaler,
            self.scheduler,
            self.endpoints,
        )
        self.controllers = {controller.name: controller for controller in found}
        self.proxy = Proxy(self)
        self.users = Users(self)

    # --- time

    def stamp(self) -> str:
        return self.store.stamp()

    def fine_stamp(self) -> str:
        """With nanoseconds, as logs have it."""
        now = self.hub.epoch + self.hub.now
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e9):09d}Z"

    def moment(self, stamp: str) -> float:
        """A time of an object as one of the hub's."""
        if stamp not in self._moments:
            self._moments[stamp] = calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) - self.hub.epoch
        return self._moments[stamp]

    # --- for controllers

    def set_status(self, item: Object, status: Object, by: str, annotations: Object | None = None) -> Object:
        """Write the status, and annotations along with it."""
        metadata = item["metadata"]
        old = self.store.version(item["kind"], metadata["namespace"], metadata["name"])
        new = {**old.object, "status": status}
        if annotations is not None:
            new["metadata"] = {**new["metadata"], "annotations": annotations}
        return self.store.replaced(old, new, by, status=True).object

    # --- what the API server asks

    def answer(self, pod: Object, port: int, method: str, path: str) -> tuple[int, dict[str, str], bytes] | None:
        home = self.kubelet.pods.get(pod["metadata"]["uid"])
        process = home.listening(port) if home else None
        if process is None:
            return None
        status, body = process.answer(path)
        kind = "application/json" if body.startswith("{") else "text/plain; charset=utf-8"
        return status, {"Content-Type": kind}, body.encode()

    def logs(self, pod: Object, container: str, previous: bool) -> list[tuple[str, str]] | None:
        process = self.process(pod["metadata"]["uid"], container)
        if process is None:
            return None
        return process.previous_log if previous else process.log

    def process(self, uid: str, container: str) -> Process | None:
        home = self.kubelet.pods.get(uid)
        return next((one for one in home.processes if one.name == container), None) if home else None

    # --- faults

    def break_version(self, version: str, what: str, after: float = 0.0) -> None:
        """Break all containers whose image has this tag, those that run and those to come; see `app.FAULTS`."""
        self.faults.put(version, what, after)
        self.kubelet.reconsider(version)

    def mend_version(self, version: str) -> None:
        self.faults.mend(version)
        self.kubelet.reconsider(version)

    def crash(self, pod: str, namespace: str, code: int = 1, reason: str = "Error") -> None:
        """Let the processes of one pod end."""
        item = self.store.get("Pod", namespace, pod)
        home = self.kubelet.pods.get(item["metadata"]["uid"]) if item else None
        for process in home.containers if home else ():
            process.end(code, reason)

    def drain(self, node: str) -> None:
        self.kubelet.drain(node)

    def uncordon(self, node: str) -> None:
        self.nodes[node].unschedulable = False
        self.scheduler.look_again()

    def version_of(self, image: str) -> str:
        return version_of(image)

    def settle(self, arrived: Callable[[], Any], limit: float = 120.0) -> None:
        """Let time go on until something is the case.

        :raises AssertionError: it is not within so many seconds.
        """
        end = self.hub.now + limit
        self.hub.run(until=lambda: bool(arrived()) or self.hub.now > end)
        assert arrived(), f"not the case after {limit} s"
