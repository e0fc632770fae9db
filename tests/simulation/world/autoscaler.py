# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HorizontalPodAutoscalers: as many pods as the load asks for, within their bounds.

The load is a number that a test sets, of pods that it would keep busy; without one the present number is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.world.controller import Controller
from simulation.world.lag import Range
from simulation.world.objects import Key, Object, key

if TYPE_CHECKING:
    from simulation.world import World


class Autoscaler(Controller):
    name = "horizontal-pod-autoscaler"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._load: dict[Key, int] = {}
        self.store.subscribe("HorizontalPodAutoscaler", self._autoscaler_changed)
        self.store.subscribe("Deployment", self._deployment_changed)

    def lag(self) -> Range:
        return self.world.lag.autoscaler

    def set_load(self, namespace: str, name: str, pods: int | None) -> None:
        if pods is None:
            self._load.pop((namespace, name), None)
        else:
            self._load[namespace, name] = pods
        self.enqueue((namespace, name))

    def _autoscaler_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ != "DELETED" and (old is None or new["spec"] != old["spec"]):
            self.enqueue(key(new))

    def _deployment_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if old is not None and new["spec"].get("replicas") == old["spec"].get("replicas") and type_ != "DELETED":
            return
        for item in self.store.list("HorizontalPodAutoscaler", new["metadata"]["namespace"]):
            target = item["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == ("Deployment", new["metadata"]["name"]):
                self.enqueue(key(item))

    def sync(self, namespace: str, name: str) -> None:
        item = self.store.get("HorizontalPodAutoscaler", namespace, name)
        if item is None:
            return
        target = item["spec"]["scaleTargetRef"]
        found = self.store.get("Deployment", namespace, target["name"]) if target["kind"] == "Deployment" else None
        if found is None:
            text = f'the HPA controller was unable to get the target\'s current scale: deployments.apps "{target["name"]}" not found'
            self._report(item, 0, 0, ("AbleToScale", "False", "FailedGetScale", text))
            return
        current = found["spec"]["replicas"]
        if current == 0:
            text = "scaling is disabled since the replica count of the target is zero"
            self._report(item, 0, 0, ("ScalingActive", "False", "ScalingDisabled", text))
            return
        least, most = item["spec"].get("minReplicas", 1), item["spec"]["maxReplicas"]
        wanted = min(max(self._load.get((namespace, name), current), least), most)
        if wanted != current:
            self.change(found, lambda copy: copy["spec"].update(replicas=wanted))
        text = "the HPA was able to successfully calculate a replica count"
        self._report(item, current, wanted, ("ScalingActive", "True", "ValidMetricFound", text))

    def _report(self, item: Object, current: int, wanted: int, words: tuple[str, str, str, str]) -> None:
        kind, status, reason, message = words
        before = item.get("status") or {}
        new = {"type": kind, "status": status, "reason": reason, "message": message}
        same = [old for old in before.get("conditions") or () if all(old.get(name) == new[name] for name in new)]
        new["lastTransitionTime"] = same[0]["lastTransitionTime"] if same else self.world.stamp()
        found: Object = {"currentReplicas": current, "desiredReplicas": wanted, "conditions": [new]}
        if wanted != current:
            found["lastScaleTime"] = self.world.stamp()
        elif "lastScaleTime" in before:
            found["lastScaleTime"] = before["lastScaleTime"]
        self.set_status(item, found)
