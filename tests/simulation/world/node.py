# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: what a kubelet makes of the pods that are bound to its node, and reports of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.world.lag import drawn
from simulation.world.needs import unmounted
from simulation.world.objects import Object, condition, is_terminating, selects
from simulation.world.process import Process

if TYPE_CHECKING:
    from simulation.world import World

FIRST_MOUNT_RETRY, LAST_MOUNT_RETRY = 0.5, 122.0
PHASE_LAG = (0.3, 1.1)  # seconds from the end of the last container to the pod's phase
EVICTED_AGAIN = 5.0  # seconds between two tries to evict a pod that its budget protects
SLEEP = re.compile(r"\bsleep\s+(\d+(?:\.\d+)?)")


@dataclass
class Node:
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    unschedulable: bool = False
    most_pods: int = 110


class Kubelet:
    """All nodes' kubelets: each pod that is bound is one `PodOnNode`."""

    name = "kubelet"

    def __init__(self, world: World) -> None:
        self.world = world
        self.pods: dict[str, PodOnNode] = {}  # by uid
        self.images: set[tuple[str, str]] = set()  # by node, those that it has pulled
        self._addresses = 0
        world.store.subscribe("Pod", self._changed)

    def address(self) -> str:
        self._addresses += 1
        return f"198.18.{4 + self._addresses // 250}.{1 + self._addresses % 250}"

    def _changed(self, type_: str, new: Object, old: Object | None) -> None:
        uid = new["metadata"]["uid"]
        home = self.pods.get(uid)
        if type_ == "DELETED":
            if home is not None:
                del self.pods[uid]
                home.vanish()
        elif home is not None:
            home.changed(new)
        elif new["spec"].get("nodeName"):
            home = self.pods[uid] = PodOnNode(self.world, new)
            self.world.hub.after(drawn(self.world.hub.random, self.world.lag.kubelet), home.begin)
            if is_terminating(new):
                home.changed(new)

    def reconsider(self, version: str) -> None:
        for home in list(self.pods.values()):
            for process in home.processes:
                if self.world.version_of(process.spec["image"]) == version:
                    process.reconsider()

    # --- drains

    def drain(self, node: str) -> None:
        """Cordon a node and evict its pods, each as soon as its budget lets it go."""
        self.world.nodes[node].unschedulable = True
        for home in list(self.pods.values()):
            if home.node == node:
                self._evict(home)

    def _evict(self, home: PodOnNode) -> None:
        if home.uid not in self.pods or home.terminating:
            return
        if self._is_protected(home.pod):
            self.world.hub.after(EVICTED_AGAIN, self._evict, home)
        else:
            self.world.store.delete("Pod", home.namespace, home.name, by="kubectl-drain")

    def _is_protected(self, pod: Object) -> bool:
        """Whether a PodDisruptionBudget allows no further disruption."""
        namespace = pod["metadata"]["namespace"]
        for budget in self.world.store.list("PodDisruptionBudget", namespace):
            spec = budget["spec"]
            if not selects(spec.get("selector") or {}, pod["metadata"].get("labels") or {}):
                continue
            pods = [
                item
                for item in self.world.store.list("Pod", namespace)
                if selects(spec.get("selector") or {}, item["metadata"].get("labels") or {})
            ]
            healthy = sum(
                (condition(item, "Ready") or {}).get("status") == "True" and not is_terminating(item) for item in pods
            )
            if "minAvailable" in spec:
                least = _amount(spec["minAvailable"], len(pods))
            else:
                least = len(pods) - _amount(spec.get("maxUnavailable", 0), len(pods))
            if healthy - 1 < least:
                return True
        return False


class PodOnNode:
    """A pod while its node has something to do with it."""

    def __init__(self, world: World, pod: Object) -> None:
        self.world, self.pod = world, pod
        metadata = pod["metadata"]
        self.uid, self.name, self.namespace = metadata["uid"], metadata["name"], metadata["namespace"]
        self.node = pod["spec"]["nodeName"]
        self.ip = ""
        self.phase = "Pending"
        self.began = ""
        self.terminating = False
        self.gone = False
        spec = pod["spec"]
        self.setup = spec.get("initContainers") or []
        sidecars = [item for item in self.setup if item.get("restartPolicy") == "Always"]
        self.sidecars = [Process(self, item, sidecar=True) for item in sidecars]
        self.containers = [Process(self, item) for item in spec["containers"]]
        self.processes = self.sidecars + self.containers
        gates = spec.get("readinessGates") or ()
        self._gates = [item["conditionType"] for item in gates]

    # --- its life

    def begin(self) -> None:
        if self.gone or self.terminating:
            return
        self.began = self.world.stamp()
        self.write()
        self._mount(0)

    def _mount(self, tries: int) -> None:
        if self.gone or self.terminating:
            return
        missing = unmounted(self.world.store, self.pod)
        if missing:
            self.warn("FailedMount", missing)
            self.world.hub.after(min(FIRST_MOUNT_RETRY * 2**tries, LAST_MOUNT_RETRY), self._mount, tries + 1)
        else:
            self.world.hub.after(drawn(self.world.hub.random, self.world.lag.sandbox), self._start)

    def _start(self) -> None:
        if self.gone or self.terminating:
            return
        self.ip = self.world.kubelet.address()
        for process in self.processes:
            process.start()

    def changed(self, pod: Object) -> None:
        before, self.pod = self.pod, pod
        if is_terminating(pod) and not self.terminating:
            self.terminating = True
            self.world.hub.after(drawn(self.world.hub.random, self.world.lag.kubelet), self._terminate)
        elif self._gates and self.began and any(_status(before, gate) != _status(pod, gate) for gate in self._gates):
            self.world.hub.after(drawn(self.world.hub.random, self.world.lag.kubelet), self.write)

    def container_done(self) -> None:
        """A container has ended for good."""
        self.write()
        if not self.terminating and all(process.done for process in self.containers):
            self.world.hub.after(self.world.hub.random.uniform(*PHASE_LAG), self._finish)

    def _finish(self) -> None:
        if self.gone or self.terminating:
            return
        for process in self.sidecars:
            process.stop(0, "Completed")
        self.phase = "Failed" if any(process.exit_code for process in self.containers) else "Succeeded"
        self.write()

    def _terminate(self) -> None:
        """Serve until the hook before the stop is over and the application has drained, or until the grace is over."""
        if self.gone:
            return
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds", 30)
        longest, killed = 0.0, []
        for process in self.processes:
            if process.running:
                drained = _hook(process.spec) + process.behavior.drain_seconds
                process.listens_until = self.world.hub.now + min(drained, grace)
                self.world.hub.at(process.listens_until, self.serving_changed)
                longest = max(longest, min(drained + self.world.hub.random.uniform(0.0, 0.1), grace))
                if drained > grace:
                    killed.append(process)
        self.world.hub.after(longest, self._ended, killed)

    def _ended(self, killed: list[Process]) -> None:
        if self.gone:
            return
        for process in self.processes:
            process.stop(137 if process in killed else 0, "Error" if process in killed else "Completed")
        # A container that never ran counts as failed.
        failed = any(process.exit_code != 0 for process in self.containers)
        self.phase = "Failed" if failed else "Succeeded"
        if self.began:
            self.write()
        self.world.hub.after(drawn(self.world.hub.random, self.world.lag.shutdown), self._remove)

    def _remove(self) -> None:
        if not self.gone:
            self.world.store.delete("Pod", self.namespace, self.name, by="kubelet", grace=0)

    def vanish(self) -> None:
        """It was deleted: what still runs of it is killed."""
        self.gone = True
        for process in self.processes:
            process.stop(137, "Error")
        self.serving_changed()

    # --- what it serves

    def serving_changed(self) -> None:
        for told in self.world.on_serving:
            told(self.uid)

    def listening(self, port: int) -> Process | None:
        return next((process for process in self.processes if process.listens_on(port)), None)

    # --- what is reported

    def warn(self, reason: str, message: str, process: Process | None = None) -> None:
        kind = "initContainers" if process and process.sidecar else "containers"
        where = f"spec.{kind}{{{process.name}}}" if process else ""
        self.world.events.warn(self.pod, reason, message, "kubelet", self.node, where)

    def write(self) -> None:
        if not self.gone:
            self.world.set_status(self.pod, self._status(), "kubelet")

    def _status(self) -> Object:
        if self.phase == "Pending" and any(process.log is not None for process in self.containers):
            self.phase = "Running"
        status: Object = {"phase": self.phase, "conditions": self._conditions(), "hostIP": "198.18.0.2"}
        status["startTime"] = self.began
        if self.ip:
            status |= {"podIP": self.ip, "podIPs": [{"ip": self.ip}]}
        if self.setup:
            status["initContainerStatuses"] = [self._of_setup(item) for item in self.setup]
        status["containerStatuses"] = [process.status() for process in self.containers]
        status["qosClass"] = "Burstable"
        return status

    def _of_setup(self, spec: Object) -> Object:
        for process in self.sidecars:
            if process.spec is spec:
                return process.status()
        state: Object = {"waiting": {"reason": "PodInitializing"}}
        if self.ip:
            state = {
                "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": self.began, "finishedAt": self.began}
            }
        found = {"name": spec["name"], "image": spec["image"], "imageID": "", "ready": bool(self.ip), "restartCount": 0}
        return {**found, "started": False, "state": state, "lastState": {}}

    def _conditions(self) -> list[Object]:
        ended = self.phase in ("Succeeded", "Failed")
        unready = [process.name for process in self.processes if not process.ready]
        reason, message = "", ""
        if unready:
            reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
            if all(process.done for process in self.containers) or ended:
                failed = self.phase == "Failed" or any(process.exit_code for process in self.containers)
                reason, message = ("PodFailed" if failed else "PodCompleted"), ""
        closed = [gate for gate in self._gates if _status(self.pod, gate) != "True"]
        gated, why = reason, message
        if not unready and closed:
            texts = [_gate_text(self.pod, gate) for gate in closed]
            gated, why = "ReadinessGatesNotReady", ", ".join(texts)
        sandbox = bool(self.ip) and not ended
        found = [
            self._condition("PodReadyToStartContainers", sandbox, "PodSandboxNotReady"),
            self._condition("Initialized", bool(self.ip) or not self.setup, "ContainersNotInitialized"),
            self._condition("Ready", not unready and not closed, gated, why),
            self._condition("ContainersReady", not unready, reason, message),
            self._condition("PodScheduled", True),
        ]
        own = {item["type"] for item in found}
        others = [item for item in self.pod.get("status", {}).get("conditions") or () if item["type"] not in own]
        return found + others

    def _condition(self, kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
        status, before = "True" if holds else "False", condition(self.pod, kind)
        since = before["lastTransitionTime"] if before and before["status"] == status else self.world.stamp()
        found: Object = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
        if reason and not holds:
            found["reason"] = reason
        if message and not holds:
            found["message"] = message
        return found


def _status(pod: Object, kind: str) -> str:
    return str((condition(pod, kind) or {}).get("status", ""))


def _gate_text(pod: Object, gate: str) -> str:
    if condition(pod, gate) is None:
        return f'corresponding condition of pod readiness gate "{gate}" does not exist.'
    return f'the status of pod readiness gate "{gate}" is not "True", but {_status(pod, gate)}'


def _hook(container: Object) -> float:
    """Seconds that the hook before the stop takes."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return float(hook["sleep"]["seconds"])
    found = SLEEP.search(" ".join((hook.get("exec") or {}).get("command") or ()))
    return float(found.group(1)) if found else 0.0


def _amount(limit: int | str, of: int) -> int:
    return limit if isinstance(limit, int) else math.ceil(int(limit.rstrip("%")) * of / 100)
