# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler: each pod to the node where fewest of its kind are, or nowhere, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.world.controller import Controller
from simulation.world.lag import Range
from simulation.world.node import Node
from simulation.world.objects import Object, controller_of, is_terminating, key

if TYPE_CHECKING:
    from simulation.world import World


class Scheduler(Controller):
    name = "default-scheduler"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._waiting: dict[tuple[str, str], None] = {}
        self.store.subscribe("Pod", self._pod_changed)

    def lag(self) -> Range:
        return self.world.lag.scheduler

    def _pod_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ == "DELETED":
            self._waiting.pop(key(new), None)
            self.look_again()  # there is room for one more
        elif not new["spec"].get("nodeName") and old is None:
            self.enqueue(key(new))

    def look_again(self) -> None:
        """At the pods that no node could take: something about the nodes has changed."""
        for waiting in self._waiting:
            self.enqueue(waiting)

    def sync(self, namespace: str, name: str) -> None:
        pod = self.store.get("Pod", namespace, name)
        self._waiting.pop((namespace, name), None)
        if pod is None or pod["spec"].get("nodeName") or is_terminating(pod):
            return
        nodes = list(self.world.nodes.values())
        owner = controller_of(pod)
        family = self.world.owned.controlled("Pod", owner["uid"]) if owner else []
        load: dict[str, int] = {}
        for home in self.world.kubelet.pods.values():
            load[home.node] = load.get(home.node, 0) + 1
        why: dict[str, int] = {}
        fit: list[Node] = []
        for node in nodes:
            reason = _refuses(node, pod, load.get(node.name, 0))
            if reason:
                why[reason] = why.get(reason, 0) + 1
            else:
                fit.append(node)
        if not fit:
            self._unschedulable(pod, len(nodes), why)
            return
        near = [item["spec"].get("nodeName") for item in family]
        best = min(fit, key=lambda node: (near.count(node.name), load.get(node.name, 0), node.name))
        self.change(pod, lambda copy: copy["spec"].update(nodeName=best.name))

    def _unschedulable(self, pod: Object, count: int, why: dict[str, int]) -> None:
        self._waiting[key(pod)] = None
        reasons = ", ".join(sorted(f"{number} {reason}" for reason, number in why.items()))
        helpless = f"preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."
        message = f"0/{count} nodes are available: {reasons}. {helpless}"
        now = self.world.stamp()
        new = {"type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": now}
        new |= {"reason": "Unschedulable", "message": message}
        self.world.events.warn(pod, "FailedScheduling", message, self.name, series=True)
        self.set_status(pod, {**pod["status"], "conditions": [new]})


def _refuses(node: Node, pod: Object, load: int) -> str:
    wanted = pod["spec"].get("nodeSelector") or {}
    if not wanted.items() <= {"kubernetes.io/hostname": node.name, **node.labels}.items():
        return "node(s) didn't match Pod's node affinity/selector"
    if node.unschedulable:
        return "node(s) were unschedulable"
    return "Too many pods" if load >= node.most_pods else ""
