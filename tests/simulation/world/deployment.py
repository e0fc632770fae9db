# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment controller: a ReplicaSet for each template, rolled out or recreated.

After pkg/controller/deployment (sync.go, rolling.go, recreate.go, progress.go) and its util of Kubernetes 1.35; the names
of the functions are those of the original where there is one.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import TYPE_CHECKING

from simulation.api.answers import Refused
from simulation.api.store import NAME_LETTERS
from simulation.world.controller import Controller
from simulation.world.objects import (
    Key,
    Object,
    condition,
    controller_of,
    has_ended,
    is_terminating,
    key,
    owner_reference,
    selects,
    with_condition,
    without_condition,
)

if TYPE_CHECKING:
    from simulation.world import World

REVISION = "deployment.kubernetes.io/revision"
DESIRED, MAX = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
}
NO_DEADLINE = 2**31 - 1


class DeploymentController(Controller):
    name = "deployment-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.store.subscribe("Deployment", self._deployment_changed)
        self.store.subscribe("ReplicaSet", self._replica_set_changed)
        self.store.subscribe("Pod", self._pod_changed)

    def _deployment_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ != "DELETED":
            self.enqueue(key(new))

    def _replica_set_changed(self, type_: str, item: Object, old: Object | None) -> None:
        owner = controller_of(item)
        if owner is not None:
            self.enqueue((item["metadata"]["namespace"], owner["name"]))
        elif type_ != "DELETED":
            for deployment in self.store.list("Deployment", item["metadata"]["namespace"]):
                if selects(deployment["spec"]["selector"], item["metadata"].get("labels") or {}):
                    self.enqueue(key(deployment))

    def _pod_changed(self, type_: str, new: Object, old: Object | None) -> None:
        """Whoever recreates waits for the last old pod to be gone."""
        if type_ != "DELETED":
            return
        owner = controller_of(new)
        if owner is None or owner["kind"] != "ReplicaSet":
            return
        where = self.world.owned.living.get(owner["uid"])
        found = self.store.get(*where) if where else None
        above = controller_of(found) if found else None
        deployment = (
            self.store.get("Deployment", found["metadata"]["namespace"], above["name"]) if found and above else None
        )
        if deployment and deployment["spec"]["strategy"]["type"] == "Recreate":
            self.enqueue(key(deployment))

    def sync(self, namespace: str, name: str) -> None:
        deployment = self.store.get("Deployment", namespace, name)
        if deployment is not None:
            _Rollout(self, deployment).sync()


class _Rollout:
    """One look at a Deployment and its ReplicaSets, and what follows from it."""

    def __init__(self, controller: DeploymentController, deployment: Object) -> None:
        self.controller = controller
        self.world, self.store = controller.world, controller.store
        self.deployment = deployment
        self.spec = deployment["spec"]
        self.wanted: int = self.spec["replicas"]
        self.rolling = self.spec["strategy"]["type"] == "RollingUpdate"
        self.surge, self.unavailable = _fenceposts(self.spec["strategy"], self.wanted)
        if not self.rolling:
            self.surge = 0
        deadline = self.spec.get("progressDeadlineSeconds")
        self.deadline: int | None = None if deadline in (None, NO_DEADLINE) else deadline
        uid = deployment["metadata"]["uid"]
        found = self.world.owned.controlled("ReplicaSet", uid)
        found += [] if is_terminating(deployment) else self._adopted(deployment)
        self.sets: dict[str, Object] = {item["metadata"]["name"]: item for item in sorted(found, key=_by_creation)}
        self.new_name = self._find_new()

    def _adopted(self, deployment: Object) -> list[Object]:
        adopted = []
        for where, item in list(self.world.owned.orphans["ReplicaSet"].items()):
            fits = where[1] == deployment["metadata"]["namespace"] and not is_terminating(item)
            if fits and selects(self.spec["selector"], item["metadata"].get("labels") or {}):
                adopted.append(self.controller.change(item, lambda copy: adopt(copy, deployment)))
        return adopted

    def _find_new(self) -> str | None:
        template = self.spec["template"]
        for name, item in self.sets.items():
            if _without_hash(item["spec"]["template"]) == template:
                return name
        return None

    # --- what there is

    @property
    def new(self) -> Object | None:
        return self.sets[self.new_name] if self.new_name else None

    @property
    def old(self) -> list[Object]:
        return [item for name, item in self.sets.items() if name != self.new_name]

    def max_unavailable(self) -> int:
        if not self.rolling or self.wanted == 0:
            return 0
        return min(self.unavailable, self.wanted)

    # --- the order of things

    def sync(self) -> None:
        if is_terminating(self.deployment):
            self._write(self._calculated())
            return
        self._check_paused()
        if self.spec.get("paused"):
            self._sync_only()
        elif self._is_scaling_event():
            self._sync_only()
        elif self.rolling:
            self._roll()
        else:
            self._recreate()

    def _sync_only(self) -> None:
        """Take up what was scaled, and report; roll nothing out."""
        self._annotate_new(create=False)
        self._scale_proportionally()
        if self.spec.get("paused"):
            self._clean_up()
        self._write(self._calculated())

    def _roll(self) -> None:
        if not self._annotate_new(create=True):
            return
        if self._reconcile_new() or self._reconcile_old():
            self._report()
            return
        if self._is_complete(self.deployment.get("status", {})):
            self._clean_up()
        self._report()

    def _recreate(self) -> None:
        self._annotate_new(create=False)
        scaled = [self._scale(item, 0) for item in self.old if item["spec"]["replicas"]]
        if scaled or self._old_pods_run():
            self._report()
            return
        if not self._annotate_new(create=True):
            return
        assert self.new is not None
        if self.new["spec"]["replicas"] != self.wanted:
            self._scale(self.new, self.wanted)
        if self._is_complete(self.deployment.get("status", {})):
            self._clean_up()
        self._report()

    def _old_pods_run(self) -> bool:
        for item in self.old:
            if item["status"].get("replicas"):
                return True
            if not all(has_ended(pod) for pod in self.world.owned.controlled("Pod", item["metadata"]["uid"])):
                return True
        return False

    # --- paused, scaled

    def _check_paused(self) -> None:
        if self.deadline is None:
            return
        now = condition(self.deployment, "Progressing")
        if now is not None and now["reason"] == "ProgressDeadlineExceeded":
            return
        is_marked = now is not None and now["reason"] == "DeploymentPaused"
        if self.spec.get("paused") and not is_marked:
            self._set_condition("Unknown", "DeploymentPaused", "Deployment is paused")
        elif not self.spec.get("paused") and is_marked:
            self._set_condition("Unknown", "DeploymentResumed", "Deployment is resumed")

    def _set_condition(self, status: str, reason: str, message: str) -> None:
        found = self.deployment.get("status", {})
        conditions = self._with(found.get("conditions") or [], "Progressing", status, reason, message)
        self._write({**found, "conditions": conditions})

    def _is_scaling_event(self) -> bool:
        for item in self.sets.values():
            desired = item["metadata"].get("annotations", {}).get(DESIRED)
            if item["spec"]["replicas"] and desired is not None and int(desired) != self.wanted:
                return True
        return False

    def _scale_proportionally(self) -> None:
        active = [item for item in self.sets.values() if item["spec"]["replicas"]]
        if len(active) <= 1:
            latest = active[0] if active else self.new or (self.old[-1] if self.old else None)
            if latest is not None and latest["spec"]["replicas"] != self.wanted:
                self._scale(latest, self.wanted)
            return
        new = self.new
        if new is not None and self._is_saturated(new):
            for item in self.old:
                if item["spec"]["replicas"]:
                    self._scale(item, 0)
            return
        if not self.rolling:
            return
        total = sum(item["spec"]["replicas"] for item in active)
        to_add = (self.wanted + self.surge if self.wanted else 0) - total
        # Growing, the newest of the largest first; shrinking, the oldest.
        active.sort(key=_by_creation, reverse=to_add > 0)
        active.sort(key=lambda item: -item["spec"]["replicas"])
        sizes, added = [], 0
        for item in active:
            share = self._proportion(item, to_add, added)
            sizes.append(item["spec"]["replicas"] + share)
            added += share
        sizes[0] = max(sizes[0] + to_add - added, 0)
        for item, size in zip(active, sizes):
            self._scale(item, size)

    def _proportion(self, item: Object, to_add: int, added: int) -> int:
        size: int = item["spec"]["replicas"]
        if not size or not to_add or to_add == added:
            return 0
        if not self.wanted:
            return -size
        before = int(item["metadata"].get("annotations", {}).get(MAX) or self.deployment["status"].get("replicas", 0))
        share = (_rounded(size * (self.wanted + self.surge) / before) if before else 0) - size
        left = to_add - added
        return min(share, left) if to_add > 0 else max(share, left)

    def _is_saturated(self, item: Object) -> bool:
        desired = item["metadata"].get("annotations", {}).get(DESIRED)
        counts = (item["spec"]["replicas"], int(desired or 0), item["status"].get("availableReplicas", 0))
        return counts == (self.wanted,) * 3

    def _scale(self, item: Object, size: int) -> bool:
        notes = {DESIRED: str(self.wanted), MAX: str(self.wanted + self.surge)}
        have = item["metadata"].get("annotations") or {}
        if item["spec"]["replicas"] == size and all(have.get(name) == value for name, value in notes.items()):
            return False

        def change(copy: Object) -> None:
            copy["spec"]["replicas"] = size
            copy["metadata"].setdefault("annotations", {}).update(notes)

        self.sets[item["metadata"]["name"]] = self.controller.change(item, change)
        return bool(item["spec"]["replicas"] != size)

    # --- the newest ReplicaSet

    def _annotate_new(self, create: bool) -> bool:
        """Let the newest ReplicaSet be there, with the newest revision. ``False`` when this has to be looked at again."""
        revision = 1 + max((_revision(item) for item in self.old), default=0)
        new = self.new
        if new is None:
            return self._create_new(revision) if create else True
        notes = self._notes()
        if _revision(new) < revision:
            notes[REVISION] = str(revision)
        have = new["metadata"].get("annotations") or {}
        seconds = self.spec.get("minReadySeconds", 0)
        if (
            any(have.get(name) != value for name, value in notes.items())
            or new["spec"].get("minReadySeconds", 0) != seconds
        ):

            def change(copy: Object) -> None:
                copy["metadata"].setdefault("annotations", {}).update(notes)
                if seconds or "minReadySeconds" in copy["spec"]:
                    copy["spec"]["minReadySeconds"] = seconds

            self.sets[new["metadata"]["name"]] = self.controller.change(new, change)
            return False
        message = f'Found new replica set "{new["metadata"]["name"]}"'
        self._take_up(new, "FoundNewReplicaSet", message, condition(self.deployment, "Progressing") is None)
        return True

    def _notes(self) -> dict[str, str]:
        """The Deployment's own annotations, which its ReplicaSets carry as well."""
        notes = self.deployment["metadata"].get("annotations") or {}
        return {name: value for name, value in notes.items() if name not in NOT_COPIED}

    def _create_new(self, revision: int) -> bool:
        metadata, template = self.deployment["metadata"], self.spec["template"]
        collisions = self.deployment.get("status", {}).get("collisionCount", 0)
        digest = template_hash(template, collisions)
        labels = {**(template["metadata"].get("labels") or {}), HASH: digest}
        name = f"{metadata['name']}-{digest}"
        size = self._size_of_new(0)
        selector = {**self.spec["selector"]}
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: digest}
        notes = {**self._notes(), REVISION: str(revision)}
        notes |= {DESIRED: str(self.wanted), MAX: str(self.wanted + self.surge)}
        wanted: Object = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": notes,
                "ownerReferences": [owner_reference(self.deployment)],
            },
            "spec": {
                "replicas": size,
                "selector": selector,
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
            "status": {"replicas": 0},
        }
        if self.spec.get("minReadySeconds"):
            wanted["spec"]["minReadySeconds"] = self.spec["minReadySeconds"]
        try:
            made = self.store.create(wanted, by=self.controller.name)
        except Refused as refused:
            if refused.reason == "AlreadyExists":
                status = self.deployment.get("status", {})
                self._write({**status, "collisionCount": collisions + 1})
            else:
                message = f'Failed to create new replica set "{name}": {refused.message}'
                self._set_condition("False", "ReplicaSetCreateError", message)
            raise
        self.sets[name], self.new_name = made, name
        self._take_up(made, "NewReplicaSetCreated", f'Created new replica set "{name}"', True)
        return True

    def _take_up(self, new: Object, reason: str, message: str, progressing: bool) -> None:
        """Let the Deployment carry the revision of its newest ReplicaSet, and say that this one is made or found."""
        revision = new["metadata"]["annotations"].get(REVISION)
        notes, status = self.deployment["metadata"].get("annotations") or {}, self.deployment.get("status", {})
        if progressing and self.deadline is not None:
            conditions = self._with(status.get("conditions") or [], "Progressing", "True", reason, message)
            status = {**status, "conditions": conditions}
        elif notes.get(REVISION) == revision:
            return
        self.deployment = self.world.set_status(
            self.deployment, status, self.controller.name, {**notes, REVISION: revision}
        )

    def _size_of_new(self, current: int) -> int:
        if not self.rolling:
            return self.wanted
        total = sum(item["spec"]["replicas"] for item in self.sets.values())
        most = self.wanted + self.surge
        return current if total >= most else current + min(most - total, self.wanted - current)

    # --- a rolling update

    def _reconcile_new(self) -> bool:
        new = self.new
        assert new is not None
        size = new["spec"]["replicas"]
        if size == self.wanted:
            return False
        return self._scale(new, self.wanted if size > self.wanted else self._size_of_new(size))

    def _reconcile_old(self) -> bool:
        new = self.new
        assert new is not None
        if not sum(item["spec"]["replicas"] for item in self.old):
            return False
        total = sum(item["spec"]["replicas"] for item in self.sets.values())
        least = self.wanted - self.max_unavailable()
        new_unavailable = new["spec"]["replicas"] - new["status"].get("availableReplicas", 0)
        most = total - least - new_unavailable
        if most <= 0:
            return False
        cleaned = self._clean_unhealthy(most)
        return bool(self._scale_down_old(least) + cleaned)

    def _clean_unhealthy(self, most: int) -> int:
        """Old pods that are not available go first: nobody misses them."""
        done = 0
        for item in self.old:
            size, available = item["spec"]["replicas"], item["status"].get("availableReplicas", 0)
            if done >= most:
                break
            count = min(most - done, size - available)
            if size and count > 0:
                self._scale(item, size - count)
                done += count
        return done

    def _scale_down_old(self, least: int) -> int:
        available = sum(item["status"].get("availableReplicas", 0) for item in self.sets.values())
        done = 0
        for item in self.old:
            if done >= available - least:
                break
            size = item["spec"]["replicas"]
            if size:
                count = min(size, available - least - done)
                self._scale(item, size - count)
                done += count
        return done

    def _clean_up(self) -> None:
        """ReplicaSets of old revisions, but for the last ones."""
        limit = self.spec.get("revisionHistoryLimit")
        if limit is None:
            return
        old = sorted((item for item in self.old if not is_terminating(item)), key=_revision)
        for item in old[: max(len(old) - limit, 0)]:
            late = item["metadata"]["generation"] > item["status"].get("observedGeneration", 0)
            if not (item["status"].get("replicas") or item["spec"]["replicas"] or late):
                metadata = item["metadata"]
                self.store.delete("ReplicaSet", metadata["namespace"], metadata["name"], by=self.controller.name)

    # --- the status

    def _calculated(self) -> Object:
        before = self.deployment.get("status", {})
        sets = [item["status"] for item in self.sets.values()]
        specified = sum(item["spec"]["replicas"] for item in self.sets.values())
        available = sum(item.get("availableReplicas", 0) for item in sets)
        counts = {
            "replicas": sum(item.get("replicas", 0) for item in sets),
            "updatedReplicas": self.new["status"].get("replicas", 0) if self.new else 0,
            "readyReplicas": sum(item.get("readyReplicas", 0) for item in sets),
            "availableReplicas": available,
            "unavailableReplicas": max(specified - available, 0),
        }
        status: Object = {"observedGeneration": self.deployment["metadata"]["generation"]}
        status |= {name: count for name, count in counts.items() if count}
        status["terminatingReplicas"] = sum(item.get("terminatingReplicas", 0) for item in sets)
        if "collisionCount" in before:
            status["collisionCount"] = before["collisionCount"]
        enough = available >= self.wanted - self.max_unavailable()
        words = (
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
            if enough
            else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        )
        status["conditions"] = self._with(before.get("conditions") or [], "Available", *words)
        return status

    def _report(self) -> None:
        """The status of a rollout, with whether it goes on."""
        before, status = self.deployment.get("status", {}), self._calculated()
        current = condition(self.deployment, "Progressing")
        if self.deadline is None:
            status["conditions"] = without_condition(status["conditions"], "Progressing")
        elif not (
            status.get("replicas", 0) == status.get("updatedReplicas", 0)
            and current is not None
            and current["reason"] == "NewReplicaSetAvailable"
        ):
            self._judge_progress(before, status, current)
        failure = next((found for item in self._newest_first() if (found := condition(item, "ReplicaFailure"))), None)
        if failure is None:
            status["conditions"] = without_condition(status["conditions"], "ReplicaFailure")
        else:
            words = (failure["status"], failure["reason"], failure["message"])
            status["conditions"] = self._with(status["conditions"], "ReplicaFailure", *words)
        if status == before:
            self._look_again()
        else:
            self._write(status)

    def _newest_first(self) -> list[Object]:
        return [self.new, *self.old] if self.new else self.old

    def _judge_progress(self, before: Object, status: Object, current: Object | None) -> None:
        what = (
            f'ReplicaSet "{self.new_name}"' if self.new_name else f'Deployment "{self.deployment["metadata"]["name"]}"'
        )
        conditions = status["conditions"]
        if self._is_complete(status):
            words = ("True", "NewReplicaSetAvailable", f"{what} has successfully progressed.")
            status["conditions"] = self._with(conditions, "Progressing", *words)
        elif _has_progressed(before, status):
            now = self.world.stamp()
            new = {"type": "Progressing", "status": "True", "lastUpdateTime": now, "lastTransitionTime": now}
            new |= {"reason": "ReplicaSetUpdated", "message": f"{what} is progressing."}
            status["conditions"] = with_condition(conditions, new)
        elif self._is_late(current):
            words = ("False", "ProgressDeadlineExceeded", f"{what} has timed out progressing.")
            status["conditions"] = self._with(conditions, "Progressing", *words)

    def _is_late(self, current: Object | None) -> bool:
        if current is None or current["reason"] == "NewReplicaSetAvailable" or self.deadline is None:
            return False
        if current["reason"] == "ProgressDeadlineExceeded":
            return True
        return self.world.moment(current["lastUpdateTime"]) + self.deadline < self.world.hub.now

    def _look_again(self) -> None:
        """When the deadline may have passed."""
        current = condition(self.deployment, "Progressing")
        if current is None or self.deadline is None or self._is_complete(self.deployment["status"]):
            return
        if current["reason"] in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
            return
        left = self.world.moment(current["lastUpdateTime"]) + self.deadline - self.world.hub.now
        self.controller.enqueue_after(key(self.deployment), max(left, 0.0) + 1)

    def _is_complete(self, status: Object) -> bool:
        counts = [status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")]
        seen = status.get("observedGeneration", 0) >= self.deployment["metadata"]["generation"]
        return seen and counts == [self.wanted] * 3

    def _with(self, conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
        """The same status for the same reason is left as it is, whatever the message."""
        for item in conditions:
            if item["type"] == kind and item["status"] == status and item["reason"] == reason:
                return list(conditions)
        now = self.world.stamp()
        new = {"type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": now}
        return with_condition(conditions, {**new, "reason": reason, "message": message})

    def _write(self, status: Object) -> None:
        self.deployment = self.controller.set_status(self.deployment, status)


def adopt(copy: Object, owner: Object) -> None:
    copy["metadata"].setdefault("ownerReferences", []).append(owner_reference(owner))


def template_hash(template: Object, collisions: int = 0) -> str:
    """Not the number that the real controller gets, but one that is as much the template's own."""
    text = json.dumps([template, collisions], sort_keys=True, separators=(",", ":"))
    return "".join(NAME_LETTERS[ord(digit) % len(NAME_LETTERS)] for digit in str(zlib.crc32(text.encode())))


def _without_hash(template: Object) -> Object:
    labels = {name: value for name, value in template["metadata"]["labels"].items() if name != HASH}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def _by_creation(item: Object) -> Key:
    return item["metadata"]["creationTimestamp"], item["metadata"]["name"]


def _revision(item: Object) -> int:
    return int((item["metadata"].get("annotations") or {}).get(REVISION, 0))


def _fenceposts(strategy: Object, wanted: int) -> tuple[int, int]:
    """``maxSurge``, of which a percentage is rounded up, and ``maxUnavailable``, which is rounded down; not both 0."""
    limits = strategy.get("rollingUpdate") or {}
    surge = _share(limits.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _share(limits.get("maxUnavailable", "25%"), wanted, up=False)
    return surge, unavailable if surge or unavailable else 1


def _share(limit: int | str, wanted: int, up: bool) -> int:
    if isinstance(limit, int):
        return limit
    percent = int(limit.rstrip("%")) * wanted
    return -(-percent // 100) if up else percent // 100


def _rounded(number: float) -> int:
    return math.floor(number + 0.5) if number >= 0 else math.ceil(number - 0.5)


def _has_progressed(before: Object, status: Object) -> bool:
    def count(which: Object, name: str) -> int:
        return int(which.get(name, 0))

    return (
        count(status, "updatedReplicas") > count(before, "updatedReplicas")
        or count(status, "replicas") - count(status, "updatedReplicas")
        < count(before, "replicas") - count(before, "updatedReplicas")
        or count(status, "readyReplicas") > count(before, "readyReplicas")
        or count(status, "availableReplicas") > count(before, "availableReplicas")
    )
