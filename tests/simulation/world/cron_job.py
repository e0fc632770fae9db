# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CronJob controller: a Job for each slot of a schedule, named by the slot's minute, and a status that says so afterwards.

After pkg/controller/cronjob (cronjob_controllerv2.go, utils.go). Schedules are ``* * * * *`` or ``*/N * * * *`` with an N that
divides 60. It works on what it saw when it began: whoever writes to the CronJob meanwhile does not stop its Job, and its
status is then refused. Not here: time zones, Replace, the limit for failed Jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.api.answers import Refused
from simulation.world.controller import Controller
from simulation.world.lag import drawn
from simulation.world.objects import Key, Object, condition, controller_of, key, owner_reference

if TYPE_CHECKING:
    from simulation.world import World

DELTA = 0.1  # seconds after a slot in which the controller looks, because clocks differ


class CronJobController(Controller):
    name = "cronjob-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self.store.subscribe("CronJob", self._changed)
        self.store.subscribe("Job", self._job_changed)

    def _changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ != "DELETED":
            self.enqueue(key(new))

    def _job_changed(self, type_: str, new: Object, old: Object | None) -> None:
        owner = controller_of(new)
        if owner is not None and owner["kind"] == "CronJob":
            self.enqueue((new["metadata"]["namespace"], owner["name"]))

    def sync(self, namespace: str, name: str) -> None:
        where = (namespace, name)
        if where in self._busy:
            self._again.add(where)  # a key is worked on by one at a time
            return
        item = self.store.get("CronJob", namespace, name)
        if item is None:
            return
        jobs = self.world.owned.controlled("Job", item["metadata"]["uid"])
        status = {**item["status"], "active": [one for one in item["status"].get("active", []) if _lives(one, jobs)]}
        if not status["active"]:
            del status["active"]
        self._clean(item, jobs)
        slot = None if item["spec"]["suspend"] else self._missed(item)
        if slot is None or self._is_late(item, slot) or _is_forbidden(item, status):
            self._look_later(item)
            self.set_status(item, status)
            return
        self._busy.add(where)
        self.hub.after(drawn(self.hub.random, self.world.lag.slot), self._run_slot, item, status, slot)

    # --- slots

    def _period(self, item: Object) -> float:
        minute = item["spec"]["schedule"].partition(" ")[0]
        return 60.0 * int(minute.partition("/")[2] or 1)

    def _missed(self, item: Object) -> float | None:
        """The newest slot that was not run; earlier ones are let go."""
        since = self.world.moment(item["status"].get("lastScheduleTime") or item["metadata"]["creationTimestamp"])
        period = self._period(item)
        newest = (self.hub.epoch + self.hub.now) // period * period - self.hub.epoch
        return newest if newest > since else None

    def _is_late(self, item: Object, slot: float) -> bool:
        deadline = item["spec"].get("startingDeadlineSeconds")
        return deadline is not None and slot + deadline < self.hub.now

    def _look_later(self, item: Object) -> None:
        if not item["spec"]["suspend"]:
            period = self._period(item)
            since = (self.hub.epoch + self.hub.now) % period
            self.enqueue_after(key(item), period - since + DELTA)

    # --- Jobs

    def _run_slot(self, item: Object, status: Object, slot: float) -> None:
        """The Job, and a moment later the status: each is a request, and nobody waits for it."""
        metadata = item["metadata"]
        name = f"{metadata['name']}-{int((self.hub.epoch + slot) // 60)}"
        template = item["spec"]["jobTemplate"]
        made = {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owner_reference(item)]}
        made.update(
            {key: value for key, value in (template.get("metadata") or {}).items() if key in ("labels", "annotations")}
        )
        try:
            job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": template["spec"]}
            self.store.create(job, by=self.name)
        except Refused as refused:
            if refused.reason != "AlreadyExists":
                self._done(item, again=True)
                return
        self.hub.after(drawn(self.hub.random, self.world.lag.slot), self._say, item, status, slot, name)

    def _say(self, item: Object, status: Object, slot: float, name: str) -> None:
        where = key(item)
        found = self.store.get("CronJob", *where)
        job = self.store.get("Job", where[0], name)
        stale = found is None or found["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]
        if not stale:
            new = {**status, "lastScheduleTime": self.store.stamp(slot - self.hub.now)}
            if job is not None and not _has_ended(job):
                reference = {"name": name, "uid": job["metadata"]["uid"], "kind": "Job"}
                new["active"] = [*new.get("active", []), reference]
            self.set_status(item, new)
        self._done(item, again=stale)

    def _done(self, item: Object, again: bool) -> None:
        where = key(item)
        self._busy.discard(where)
        self._look_later(item)
        if again:
            self.retry(where)
        if where in self._again:
            self._again.discard(where)
            self.enqueue(where)

    def _clean(self, item: Object, jobs: list[Object]) -> None:
        """Jobs that have ended well, but for the newest."""
        ended = sorted(
            (job for job in jobs if _has_ended(job)), key=lambda job: int(job["metadata"]["resourceVersion"])
        )
        for job in ended[: -item["spec"]["successfulJobsHistoryLimit"] or None]:
            self.store.delete("Job", *key(job), by=self.name, propagation="Background")


def _is_forbidden(item: Object, status: Object) -> bool:
    return bool(item["spec"]["concurrencyPolicy"] == "Forbid" and status.get("active"))


def _lives(reference: Object, jobs: list[Object]) -> bool:
    return any(job["metadata"]["uid"] == reference["uid"] and not _has_ended(job) for job in jobs)


def _has_ended(job: Object) -> bool:
    found = condition(job, "Complete") or condition(job, "Failed")
    return found is not None and found["status"] == "True"
