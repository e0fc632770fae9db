# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller: as many pods as it says, and which of them go when it says fewer.

After pkg/controller/replicaset and ActivePodsWithRanks in pkg/controller/controller_utils.go.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulation.api.answers import Refused
from simulation.api.store import NAME_LETTERS
from simulation.world.controller import Controller
from simulation.world.objects import (
    Object,
    condition,
    controller_of,
    has_ended,
    is_ready,
    is_terminating,
    key,
    owner_reference,
    selects,
    with_condition,
    without_condition,
)

if TYPE_CHECKING:
    from simulation.world import World

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500


class ReplicaSetController(Controller):
    name = "replicaset-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.store.subscribe("ReplicaSet", self._replica_set_changed)
        self.store.subscribe("Pod", self._pod_changed)

    def _replica_set_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ != "DELETED":
            self.enqueue(key(new))

    def _pod_changed(self, type_: str, item: Object, old: Object | None) -> None:
        owner = controller_of(item)
        if owner is not None:
            if owner["kind"] == "ReplicaSet":
                self.enqueue((item["metadata"]["namespace"], owner["name"]))
        elif type_ != "DELETED":
            for found in self.store.list("ReplicaSet", item["metadata"]["namespace"]):
                if selects(found["spec"]["selector"], item["metadata"].get("labels") or {}):
                    self.enqueue(key(found))

    def sync(self, namespace: str, name: str) -> None:
        found = self.store.get("ReplicaSet", namespace, name)
        if found is None:
            return
        pods = self._claimed(found)
        active = [pod for pod in pods if not is_terminating(pod) and not has_ended(pod)]
        failure = None if is_terminating(found) else self._manage(found, active)
        status = self._status(found, active, sum(map(is_terminating, pods)), failure)
        self.set_status(found, status)
        waited = found["spec"].get("minReadySeconds", 0)
        if waited and status.get("readyReplicas") == found["spec"]["replicas"] != status.get("availableReplicas", 0):
            self.enqueue_after((namespace, name), waited)
        if failure:
            raise failure[1]

    def _claimed(self, owner: Object) -> list[Object]:
        """Its pods, with those that it selects and nobody controls; one that it selects no longer is let go."""
        pods = self.world.owned.controlled("Pod", owner["metadata"]["uid"])
        if is_terminating(owner):
            return pods
        selector, uid = owner["spec"]["selector"], owner["metadata"]["uid"]

        def adopt(copy: Object) -> None:
            copy["metadata"].setdefault("ownerReferences", []).append(owner_reference(owner))

        def let_go(copy: Object) -> None:
            references = copy["metadata"]["ownerReferences"]
            copy["metadata"]["ownerReferences"] = [item for item in references if item["uid"] != uid]

        claimed = []
        for pod in pods:
            if is_terminating(pod) or selects(selector, pod["metadata"].get("labels") or {}):
                claimed.append(pod)
            else:
                self.change(pod, let_go)
        for where, pod in list(self.world.owned.orphans["Pod"].items()):
            fits = where[1] == owner["metadata"]["namespace"] and not is_terminating(pod)
            if fits and selects(selector, pod["metadata"].get("labels") or {}):
                claimed.append(self.change(pod, adopt))
        return claimed

    # --- pods

    def _manage(self, owner: Object, active: list[Object]) -> tuple[str, Refused] | None:
        missing = owner["spec"]["replicas"] - len(active)
        if missing > 0:
            return self._create(owner, min(missing, BURST))
        if missing < 0:
            for pod in self._dispensable(owner, active)[: min(-missing, BURST)]:
                try:
                    self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], by=self.name)
                except Refused as refused:
                    if refused.reason != "NotFound":
                        return "FailedDelete", refused
        return None

    def _create(self, owner: Object, count: int) -> tuple[str, Refused] | None:
        """In batches that grow from one, until something is wrong with a batch."""
        failure, batch = None, 1
        while count and not failure:
            for _number in range(min(batch, count)):
                try:
                    self.store.create(pod_of(owner, owner["spec"]["template"], self.hub.random), by=self.name)
                except Refused as refused:
                    failure = failure or ("FailedCreate", refused)
                    self.world.events.warn(owner, "FailedCreate", f"Error creating: {refused.message}", self.name)
                count -= 1
            batch *= 2
        return failure

    def _dispensable(self, owner: Object, active: list[Object]) -> list[Object]:
        """Those that are missed least come first."""
        above = controller_of(owner)
        related: dict[str, int] = {}
        family = self.world.owned.controlled("ReplicaSet", above["uid"]) if above else [owner]
        for item in family:
            for pod in self.world.owned.controlled("Pod", item["metadata"]["uid"]):
                if not is_terminating(pod) and not has_ended(pod):
                    node = pod["spec"].get("nodeName") or ""
                    related[node] = related.get(node, 0) + 1
        return sorted(active, key=lambda pod: self._worth(pod, related))

    def _worth(self, pod: Object, related: dict[str, int]) -> tuple[Any, ...]:
        metadata, status = pod["metadata"], pod.get("status", {})
        node = pod["spec"].get("nodeName") or ""
        ready = condition(pod, "Ready")
        return (
            bool(node),
            {"Pending": 0, "Unknown": 1, "Running": 2}.get(status.get("phase", ""), 0),
            is_ready(pod),
            int((metadata.get("annotations") or {}).get(DELETION_COST, 0)),
            -related.get(node, 0),
            self._age(ready["lastTransitionTime"]) if ready and ready["status"] == "True" else 0,
            -max((item.get("restartCount", 0) for item in status.get("containerStatuses") or ()), default=0),
            self._age(metadata["creationTimestamp"]),
            metadata["uid"],
        )

    def _age(self, since: str) -> int:
        """The logarithm of an age: of pods that are about as old, chance chooses."""
        age = self.hub.now - self.world.moment(since)
        return math.floor(math.log2(age * 1e9)) if age > 0 else -1

    # --- the status

    def _status(
        self, owner: Object, active: list[Object], terminating: int, failure: tuple[str, Refused] | None
    ) -> Object:
        before = owner.get("status", {})
        ready = [pod for pod in active if is_ready(pod)]
        waited = owner["spec"].get("minReadySeconds", 0)
        available = ready
        if waited:
            now = self.hub.now
            available = [
                pod
                for pod in ready
                if self.world.moment(condition(pod, "Ready")["lastTransitionTime"]) + waited <= now  # type: ignore[index]
            ]
        status: Object = {"replicas": len(active)}
        counts = (("fullyLabeledReplicas", active), ("readyReplicas", ready), ("availableReplicas", available))
        status |= {name: len(pods) for name, pods in counts if pods}
        status["terminatingReplicas"] = terminating
        status["observedGeneration"] = owner["metadata"]["generation"]
        conditions = before.get("conditions") or []
        if failure is None:
            conditions = without_condition(conditions, "ReplicaFailure")
        elif condition(owner, "ReplicaFailure") is None:
            new = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": self.world.stamp()}
            conditions = with_condition(conditions, {**new, "reason": failure[0], "message": failure[1].message})
        if conditions:
            status["conditions"] = conditions
        return status


def suffix(source: Any) -> str:
    return "".join(source.choices(NAME_LETTERS, k=5))


def pod_of(owner: Object, template: Object, source: Any) -> Object:
    """A pod of a template, as controllers create it."""
    metadata, given = owner["metadata"], template.get("metadata") or {}
    made: Object = {
        "name": f"{metadata['name']}-{suffix(source)}",
        "generateName": metadata["name"] + "-",
        "namespace": metadata["namespace"],
        "labels": given.get("labels") or {},
        "ownerReferences": [owner_reference(owner)],
    }
    if given.get("annotations"):
        made["annotations"] = given["annotations"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": made,
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }
