# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users see: at every moment, which pods answer requests to a Service, and whether one could be lost.

Nothing is sampled. A new interval begins whenever a node sends connections elsewhere or a pod begins or ceases to answer;
within one, any request may go to any of its pods.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.world.objects import Object
from simulation.world.proxy import Endpoint, ServicePort

if TYPE_CHECKING:
    from simulation.world import World


@dataclass
class Interval:
    """[since, until); ``until`` is ``None`` of the one that lasts."""

    since: float
    until: float | None
    pods: tuple[str, ...]  # to which requests go
    lost: str  # why a request may be lost, "" when none can

    def covers(self, moment: float) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Seen:
    """A pod that users have reached."""

    labels: dict[str, str] = field(hash=False)
    images: tuple[str, ...]


class Users:
    """``intervals`` of each port of each Service; ``pods``: what the pods in them are, by name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.intervals: dict[ServicePort, list[Interval]] = {}
        self.pods: dict[str, Seen] = {}
        self._ports: dict[str, set[ServicePort]] = {}  # by uid of a pod, where it is programmed
        self._dirty: dict[ServicePort, None] = {}
        world.proxy.on_change.append(self._look)
        world.on_serving.append(self._serving_changed)

    # --- what is asked of it

    def of(self, service: str, namespace: str | None = None, port: str | None = None) -> list[Interval]:
        """The intervals of a Service, of all its ports if none is named, in the order of their times."""
        found = [
            interval
            for key, intervals in self.intervals.items()
            if key.service == service and namespace in (None, key.namespace) and port in (None, key.port)
            for interval in intervals
        ]
        return sorted(found, key=lambda interval: interval.since)

    def at(self, moment: float, service: str, namespace: str | None = None) -> list[Interval]:
        return [interval for interval in self.of(service, namespace) if interval.covers(moment)]

    def lost(
        self, since: float = 0.0, until: float | None = None, namespace: str | None = None
    ) -> list[tuple[ServicePort, Interval]]:
        """All intervals in which a request may be lost, that have to do with a stretch of time."""
        return [
            (key, interval)
            for key, intervals in self.intervals.items()
            if namespace in (None, key.namespace)
            for interval in intervals
            if interval.lost
            and (interval.until is None or interval.until > since)
            and (until is None or interval.since < until)
        ]

    def images(self, interval: Interval) -> set[str]:
        return {image for name in interval.pods if name in self.pods for image in self.pods[name].images}

    # --- what it is told

    def _serving_changed(self, uid: str) -> None:
        for port in sorted(self._ports.get(uid, ())):
            self._look(port)

    def _look(self, port: ServicePort) -> None:
        """Once at a moment, when all that happens then has happened."""
        if not self._dirty:
            self.world.hub.after(0.0, self._record)
        self._dirty[port] = None

    def _record(self) -> None:
        ports, self._dirty = self._dirty, {}
        for port in ports:
            self._judge(port, self.world.proxy.programmed.get(port))

    def _judge(self, port: ServicePort, nodes: dict[str, tuple[Endpoint, ...]] | None) -> None:
        now, intervals = self.world.hub.now, self.intervals.setdefault(port, [])
        last = intervals[-1] if intervals else None
        if not nodes:  # the Service is gone
            if last and last.until is None:
                last.until = now
            return
        endpoints = sorted({endpoint for programmed in nodes.values() for endpoint in programmed})
        for endpoint in endpoints:
            self._ports.setdefault(endpoint.uid, set()).add(port)
            self._see(port.namespace, endpoint)
        pods = tuple(endpoint.pod for endpoint in endpoints)
        empty = [node for node, programmed in nodes.items() if not programmed]
        lost = f"no endpoints on {', '.join(empty)}" if empty else ""
        silent = [endpoint for endpoint in endpoints if not self._answers(endpoint)]
        if silent:
            lost = "; ".join(filter(None, [lost, *(f"{one.pod} does not answer on {one.port}" for one in silent)]))
        if last and last.until is None:
            if (last.pods, last.lost) == (pods, lost):
                return
            last.until = now
            if last.since == now:
                intervals.pop()
        intervals.append(Interval(now, None, pods, lost))

    def _answers(self, endpoint: Endpoint) -> bool:
        home = self.world.kubelet.pods.get(endpoint.uid)
        return home is not None and home.listening(endpoint.port) is not None

    def _see(self, namespace: str, endpoint: Endpoint) -> None:
        if endpoint.pod not in self.pods:
            pod: Object | None = self.world.store.get("Pod", namespace, endpoint.pod)
            if pod is not None:
                images = tuple(item["image"] for item in pod["spec"]["containers"])
                self.pods[endpoint.pod] = Seen(pod["metadata"].get("labels") or {}, images)
