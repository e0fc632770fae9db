# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A Job in the cluster: begun, or adopted from an interrupted run, followed to its end, and removed.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job_log import SETTLED, JobLog
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import EVENTS_AFTER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    PREFIX,
    again,
    annotation_operations,
    as_read,
    escape,
    stamp,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import (
    Pod,
    Troubles,
    holds,
    note,
    pod_troubles,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch, Progress

JOB_OWNER = PREFIX + "application"  # on a Job: for which application it runs
DONE_FOR = PREFIX + "job"  # annotation on a Job: which definition and version it is of

HEARTBEAT = 10  # seconds between progress lines when nothing is said
GONE = 60  # seconds, beside the pods' own grace, until a Job that was deleted must be gone with its pods
LINES_WHY = 20  # log lines in the message of a failure


class Job:
    """One Job in the cluster.

    ``digest``   tells a Job of this definition from others of the same name; ``None`` for one that is never adopted
    ``owner``    the application that it is run for
    ``fence``    raises when another run has taken over
    """

    def __init__(self, cluster: Cluster, definition: Object, timeout: float, progress: Progress) -> None:
        self.cluster = cluster
        self.definition = definition
        self.name = definition["metadata"]["name"]
        self.timeout = timeout
        self.progress = progress
        self.digest: str | None = None
        self.lock_id: str | None = None
        self.owner = ""
        self.fence: Callable[[], None] = lambda: None
        self.uid: str | None = None
        self.started = time.monotonic()
        self.log = JobLog(cluster, self.name, timeout, progress)

    def elapsed(self) -> float:
        return round(time.monotonic() - self.started, 3)

    # --- getting it

    def claim(self, adopt: bool) -> None:
        """Let the Job run for us: the one that an interrupted run has left, if it is of this definition, else a new one.

        It is created suspended, so that a request that arrives after another run has taken over starts nothing.
        """
        again(
            lambda: self._claim(adopt),
            f"Somebody else keeps changing Job {self.name}.",
            "Stop the other writer, then run again.",
        )

    def _claim(self, adopt: bool) -> None:
        self.fence()
        found = self.cluster.get("Job", self.name)
        if found and not self._goes_on(found, adopt):
            self.uid = found["metadata"]["uid"]
            self.progress(f"Job {self.name} of an earlier run is removed first")
            self.remove()
            self.fence()
            found = None
        found = found or self.cluster.create("Job", self._stamped())
        self.uid = found["metadata"]["uid"]
        self._start(found)

    def _goes_on(self, found: Object, adopt: bool) -> bool:
        """Whether the Job that is there is of this definition and can still succeed.

        :raises BlueGreenError: it is somebody else's.
        """
        metadata = found["metadata"]
        notes = metadata.get("annotations") or {}
        if notes.get(JOB_OWNER) != self.owner:
            raise BlueGreenError(
                f"There is a Job {self.name!r} in namespace {self.cluster.namespace!r} that is not of this application.",
                "conflict",
                why=f"Its annotation {JOB_OWNER} is {notes.get(JOB_OWNER)!r}, not {self.owner!r}.",
                next_step="Delete it if nobody needs it, or give this one another name.",
            )
        same = adopt and notes.get(DONE_FOR) == self.digest and "deletionTimestamp" not in metadata
        return same and not holds(found, "Failed") and not holds(found, "FailureTarget")

    def _stamped(self) -> Object:
        wanted = copy.deepcopy(self.definition)
        notes = wanted["metadata"].get("annotations") or {}
        wanted["metadata"]["annotations"] = dict(
            notes, **{DONE_FOR: self.digest or "", JOB_OWNER: self.owner, LOCK_ID: self.lock_id or ""}
        )
        limit = math.ceil(self.timeout)  # should this run be killed, the cluster ends the Job
        own = wanted["spec"].get("activeDeadlineSeconds")
        wanted["spec"].update(suspend=True, activeDeadlineSeconds=min(own, limit) if own else limit)
        return wanted

    def _start(self, found: Object) -> None:
        """Put our stamp on the Job, if it has another one, and let it run, if it does not yet."""
        before = stamp(found)
        operations: Patch = [
            {"op": "test", "path": "/metadata/uid", "value": self.uid},
            {"op": "test", "path": "/metadata/annotations/" + escape(LOCK_ID), "value": before},
        ]
        if before != (self.lock_id or ""):
            self.progress(f"Job {self.name} was begun by an earlier run and is followed")
            operations += annotation_operations(found, LOCK_ID, self.lock_id or "")
        if found["spec"].get("suspend"):
            operations.append({"op": "replace", "path": "/spec/suspend", "value": False})
        if len(operations) > 2:
            self.fence()
            self.cluster.patch("Job", self.name, operations, look=self._look_again)

    def _look_again(self) -> None:
        """Unless it runs already, it may be wrong by now to let it run."""
        found = self.cluster.get("Job", self.name)
        if found is None or found["spec"].get("suspend"):
            self.fence()

    # --- following it

    def follow(self, until: str | None = None) -> None:
        """Return when the Job has succeeded, or has logged the line ``until``.

        :raises BlueGreenError: ``job_failed`` as soon as it has, or cannot succeed any more; ``timeout``.
        """
        watched = {
            "job": ("Job", {"fieldSelector": "metadata.name=" + self.name}),
            "pods": ("Pod", {"labelSelector": "job-name=" + self.name}),
        }
        first_seen: dict[tuple[str, str], float] = {}
        seen, events_watched, state, said_at = False, False, None, self.started
        reasons: list[str] = []  # the last troubles that were seen: when time is over, the pods may be gone
        with self.cluster.observe(**watched) as view:
            self.log.wake = view.wake
            while True:
                jobs = [item for item in view["job"] if item["metadata"]["uid"] == self.uid]
                pods = [Pod(pod) for pod in view["pods"] if self._owns(pod)]
                self.log.follow(pods)
                self.log.say()
                if self.log.has(until):
                    return
                now = time.monotonic()
                if not jobs and (seen or now - self.started > SETTLED):
                    raise self._failure("job_failed", f"Job {self.name} was deleted while it ran.", [], pods)
                for job in jobs:
                    seen = True
                    if holds(job, "Complete"):
                        self.log.settle()
                        return
                    failed = holds(job, "Failed")
                    if failed:
                        self.log.settle()
                        late = failed.get("reason") == "DeadlineExceeded"
                        what = f"Job {self.name} {'did not end in time and was stopped' if late else 'failed'}."
                        why = f"{failed.get('reason')}: {failed.get('message')}"
                        raise self._failure("timeout" if late else "job_failed", what, reasons + [why], pods)
                if self.elapsed() >= EVENTS_AFTER and not events_watched:
                    view.add("events", "Event", {"fieldSelector": "type=Warning"})
                    events_watched = True
                troubles = self._troubles(pods, view["events"] if events_watched else [])
                first_seen = {key: first_seen.get(key, now) for key in troubles}
                reasons = [text for _grace, _reason, text in troubles.values()] or reasons
                certain = [key for key, (grace, _reason, _text) in troubles.items() if now - first_seen[key] >= grace]
                if certain:
                    what = f"Job {self.name} cannot run: {troubles[certain[0]][1]}."
                    raise self._failure("job_failed", what, [troubles[key][2] for key in certain], pods)
                if now - self.started >= self.timeout:
                    what = f"Job {self.name} has not ended after {self.timeout:g} s and is stopped."
                    error = self._failure("timeout", what, reasons, pods)
                    self._stop()
                    raise error
                said = "; ".join(sorted({reason for _grace, reason, _text in troubles.values()}))
                said_at = max(said_at, self.log.said_at)
                if said != state or now - said_at >= HEARTBEAT:
                    if state is not None or said:
                        text = said or f"{self.log.count} log lines so far"
                        self.progress(f"{self.name}: {text}, {self.elapsed():.0f} s of {self.timeout:.0f} s")
                        said_at = now
                    state = said
                due = [first_seen[key] + grace - now for key, (grace, _r, _t) in troubles.items()]
                view.wait(min([self.started + self.timeout - now, said_at + HEARTBEAT - now, 1] + due))

    def _owns(self, pod: Object) -> bool:
        return any(owner.get("uid") == self.uid for owner in pod["metadata"].get("ownerReferences") or [])

    def _troubles(self, pods: list[Pod], events: list[Object]) -> Troubles:
        # A container that crashes is the Job's own affair: backoffLimit says how often it is tried again.
        troubles = {key: value for key, value in pod_troubles(pods, events).items() if value[1] != "CrashLoopBackOff"}
        for event in events:
            about = event.get("involvedObject") or {}
            if (
                about.get("kind") == "Job"
                and about.get("uid") == self.uid
                and event.get("reason") == "FailedCreate"
                and not pods
            ):
                note(troubles, "Job", "FailedCreate", event.get("message") or "")
        return troubles

    def _failure(self, reason: str, what: str, why: list[str], pods: list[Pod]) -> BlueGreenError:
        self.log.say()
        last = list(self.log.lines)[-LINES_WHY:]
        why = list(dict.fromkeys(why)) + [f"pod {pod.name}: {pod.state()}" for pod in pods[-3:]]
        if last:
            why += ["last log lines:"] + ["  " + line for line in last]
        return BlueGreenError(
            what,
            reason,
            why=why,
            next_step="Mend the cause, then run the same command again.",
            result={"job": self.name, "succeeded": False, "logs": list(self.log.lines), "elapsed": self.elapsed()},
        )

    # --- ending it

    def _stop(self) -> None:
        """Let the cluster end the Job and its pods, for whoever wants to look at it; `remove` does more."""
        try:
            self.cluster.patch(
                "Job",
                self.name,
                [
                    {"op": "test", "path": "/metadata/uid", "value": self.uid},
                    {"op": "replace", "path": "/spec/activeDeadlineSeconds", "value": 1},
                ],
            )
        except ApiError as error:
            if not isinstance(error, PatchConflict) and error.status != 404:
                raise

    def remove(self) -> None:
        """Delete the Job and wait until its pods are gone.

        :raises BlueGreenError: ``timeout``: they are still there, so nothing else may work on the same data yet.
        """
        grace = self.definition["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        end = time.monotonic() + GONE + grace
        watched = {"job": ("Job", {"fieldSelector": "metadata.name=" + self.name})}
        with self.cluster.observe(**watched) as view:
            while True:
                left = [item for item in view["job"] if item["metadata"]["uid"] == self.uid]
                if not left:
                    return
                if "deletionTimestamp" not in left[0]["metadata"]:
                    try:
                        self.fence()
                        # A run that has taken over since, and adopted the Job, has stamped it: then this is refused.
                        # In the foreground: the Job goes last, so when it is gone its pods are.
                        self.cluster.delete("Job", self.name, as_read(left[0]), "Foreground")
                    except ApiError as error:
                        if not isinstance(error, PatchConflict) and error.status != 404:
                            raise
                if time.monotonic() >= end:
                    raise BlueGreenError(
                        f"Job {self.name} was deleted, but its pods have not ended.",
                        "timeout",
                        next_step=f"kubectl -n {self.cluster.namespace} get pods -l job-name={self.name} shows them; run again when they are gone.",
                        result={"job": self.name},
                    )
                view.wait(1)
