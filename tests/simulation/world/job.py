# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job controller: pods that run until enough of them have succeeded or too many have failed.

After pkg/controller/job. The finalizer that pods of Jobs have, and what is counted with it, is not here: which pods were
counted is known by their uids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.api.answers import Refused
from simulation.world.controller import Controller
from simulation.world.objects import Object, condition, controller_of, is_ready, is_terminating, key, with_condition
from simulation.world.replicaset import pod_of

if TYPE_CHECKING:
    from simulation.world import World

FIRST_BACKOFF, LAST_BACKOFF = 10.0, 360.0  # seconds between pods of a Job that fail
REASONS = {
    "BackoffLimitExceeded": "Job has reached the specified backoff limit",
    "DeadlineExceeded": "Job was active longer than specified deadline",
}


class JobController(Controller):
    name = "job-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._counted: dict[str, dict[str, str]] = {}  # uid of a Job -> uid of a pod -> its phase
        self._failed_at: dict[str, float] = {}
        self.store.subscribe("Job", self._job_changed)
        self.store.subscribe("Pod", self._pod_changed)

    def _job_changed(self, type_: str, new: Object, old: Object | None) -> None:
        if type_ == "DELETED":
            self._counted.pop(new["metadata"]["uid"], None)
        else:
            self.enqueue(key(new))

    def _pod_changed(self, type_: str, new: Object, old: Object | None) -> None:
        owner = controller_of(new)
        if owner is not None and owner["kind"] == "Job":
            self._count(owner["uid"], new, type_ == "DELETED")
            self.enqueue((new["metadata"]["namespace"], owner["name"]))

    def _count(self, job: str, pod: Object, gone: bool) -> None:
        """A pod that is deleted before it has succeeded has failed."""
        phase, uid = pod["status"].get("phase"), pod["metadata"]["uid"]
        counted = self._counted.setdefault(job, {})
        if uid in counted:
            return
        if phase in ("Succeeded", "Failed") or gone:
            # What ended because it was deleted has not succeeded.
            counted[uid] = "Succeeded" if phase == "Succeeded" and not is_terminating(pod) else "Failed"
            if counted[uid] == "Failed":
                self._failed_at[job] = self.hub.now

    def sync(self, namespace: str, name: str) -> None:
        job = self.store.get("Job", namespace, name)
        if job is None or is_terminating(job):
            return
        finished = condition(job, "Complete") or condition(job, "Failed")
        if finished is not None and finished["status"] == "True":
            self._expire(job, finished)
            return
        _Work(self, job, self._counted.get(job["metadata"]["uid"], {})).go_on()

    def last_failure(self, job: Object) -> float:
        return self._failed_at.get(job["metadata"]["uid"], 0.0)

    def _expire(self, job: Object, finished: Object) -> None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        left = self.world.moment(finished["lastTransitionTime"]) + seconds - self.hub.now
        if left > 0:
            self.enqueue_after(key(job), left)
        else:
            self.store.delete("Job", *key(job), by="ttl-after-finished-controller", propagation="Foreground")


class _Work:
    """One look at a Job that has not finished."""

    def __init__(self, controller: JobController, job: Object, counted: dict[str, str]) -> None:
        self.controller, self.world, self.job, self.spec = controller, controller.world, job, job["spec"]
        pods = self.world.owned.controlled("Pod", job["metadata"]["uid"])
        left = [pod for pod in pods if pod["metadata"]["uid"] not in counted]
        self.active = [pod for pod in left if not is_terminating(pod)]
        self.terminating = len(left) - len(self.active)
        phases = list(counted.values())
        self.succeeded, self.failed = phases.count("Succeeded"), phases.count("Failed")
        self.status: Object = {**job.get("status", {})}
        self.conditions: list[Object] = self.status.get("conditions") or []
        self.made = 0

    def go_on(self) -> None:
        suspended = bool(self.spec.get("suspend"))
        if not suspended and "startTime" not in self.status:
            self.status["startTime"] = self.world.stamp()
        refused: Refused | None = None
        ended = self._end()
        if ended:
            self._stop()
        elif suspended:
            if self._holds("Suspended") != "True":
                self._put("Suspended", "True", "JobSuspended", "Job suspended")
            self.status.pop("startTime", None)
            self._stop()
        else:
            if self._holds("Suspended") == "True":
                self._put("Suspended", "False", "JobResumed", "Job resumed")
                self.status["startTime"] = self.world.stamp()
            refused = self._create()
            self._wait_for_deadline()
        self._write(ended)
        if refused:
            raise refused

    # --- ends

    def _end(self) -> tuple[str, str, str] | None:
        """``(type, reason, message)`` of the condition with which it ends, once all its pods have."""
        limit = self.spec.get("activeDeadlineSeconds")
        begun = self.status.get("startTime")
        wanted = self.spec.get("completions")
        if self._holds("FailureTarget") == "True":
            found = next(item for item in self.conditions if item["type"] == "FailureTarget")
            return "Failed", found["reason"], found["message"]
        if wanted is not None and self.succeeded >= wanted:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        if wanted is None and self.succeeded and not self.active:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        reason = ""
        if self.failed > self.spec["backoffLimit"] or self._restarts() > self.spec["backoffLimit"]:
            reason = "BackoffLimitExceeded"
        elif limit is not None and begun and not self.spec.get("suspend"):
            if self.world.hub.now >= self.world.moment(begun) + limit:
                reason = "DeadlineExceeded"
        return ("Failed", reason, REASONS[reason]) if reason else None

    def _restarts(self) -> int:
        """Of containers that are run again in the same pod; there each counts as a failure."""
        if self.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return 0
        statuses = [item for pod in self.active for item in pod["status"].get("containerStatuses") or ()]
        return sum(item.get("restartCount", 0) for item in statuses)

    def _wait_for_deadline(self) -> None:
        limit = self.spec.get("activeDeadlineSeconds")
        if limit is not None:
            left = self.world.moment(self.status["startTime"]) + limit - self.world.hub.now
            self.controller.enqueue_after(key(self.job), max(left, 0.0))

    # --- pods

    def _create(self) -> Refused | None:
        wanted = self.spec.get("completions")
        most = self.spec["parallelism"]
        if wanted is not None:
            most = min(most, wanted - self.succeeded)
        missing = most - len(self.active) - self.terminating
        if missing <= 0:
            return None
        if self.failed:
            pause = min(FIRST_BACKOFF * 2 ** (self.failed - 1), LAST_BACKOFF)
            left = self.controller.last_failure(self.job) + pause - self.world.hub.now
            if left > 1e-9:
                self.controller.enqueue_after(key(self.job), left)
                return None
        for _number in range(missing):
            try:
                pod = pod_of(self.job, self.spec["template"], self.world.hub.random)
                self.world.store.create(pod, by=self.controller.name)
                self.made += 1
            except Refused as refused:
                text = f"Error creating: {refused.message}"
                self.world.events.warn(self.job, "FailedCreate", text, self.controller.name)
                return refused
        return None

    def _stop(self) -> None:
        for pod in self.active:
            self.world.store.delete("Pod", *key(pod), by=self.controller.name)

    # --- the status

    def _holds(self, kind: str) -> str:
        return next((item["status"] for item in self.conditions if item["type"] == kind), "")

    def _put(self, kind: str, status: str, reason: str, message: str) -> None:
        now = self.world.stamp()
        new = {"type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now}
        self.conditions = with_condition(self.conditions, {**new, "reason": reason, "message": message})

    def _write(self, ended: tuple[str, str, str] | None) -> None:
        active = 0 if ended or self.spec.get("suspend") else len(self.active) + self.made
        counts = {"active": active, "succeeded": self.succeeded, "failed": self.failed}
        for name, count in counts.items():
            self.status.pop(name, None)
            if count:
                self.status[name] = count
        self.status["ready"] = sum(map(is_ready, self.active))
        self.status["terminating"] = self.terminating
        self.status["uncountedTerminatedPods"] = {}
        if ended:
            self._finish(*ended)
        if self.conditions:
            self.status["conditions"] = self.conditions
        self.controller.set_status(self.job, self.status)

    def _finish(self, kind: str, reason: str, message: str) -> None:
        """First that it will end so; that it has, when its last pod is gone."""
        before = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        if self._holds(before) != "True":
            self._put(before, "True", reason, message)
            return
        if self.active or self.terminating:
            return
        self._put(kind, "True", reason, message)
        if kind == "Complete":
            self.status["completionTime"] = self.world.stamp()
        else:
            self.world.events.warn(self.job, reason, message, self.controller.name)
