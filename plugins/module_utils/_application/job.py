# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Job: run a Kubernetes Job to its end, and know afterwards that it has been done.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import collections
import copy
import math
import queue
import re
import threading
import time
from datetime import datetime, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import EVENTS_AFTER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    PREFIX,
    annotation_operations,
    escape,
    stamp,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import (
    NEVER,
    Pod,
    holds,
    note,
    pod_troubles,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, written

JOB_OWNER = PREFIX + "application"  # on a Job: for which application it runs
DONE_FOR = PREFIX + "job"  # annotation on a Job: which definition and version it is of

FREEZING, HANDED_OVER = "freezing", "handed over"  # what a Job that hands over logs, each on a line of its own

TRIES = 5
HEARTBEAT = 10  # seconds between progress lines when nothing is said
SETTLED = 3  # seconds that the last log lines may take after the end
GONE = 60  # seconds, beside the pods' own grace, until a Job that was deleted must be gone with its pods
LINES_KEPT = 100  # log lines in the result
LINES_SHOWN = 1000  # log lines shown while it runs
LINES_WHY = 20  # log lines in the message of a failure
LINE = 500  # characters of a line

_PASSWORD = re.compile(r"(?<=://)[^/?#@\s]*@")

_STAMP = re.compile(r"^(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d+)?(Z|[-+]\d+:\d+)$")

_ASSIGNED = re.compile(r"((?:pass(?:word|wd)?|secret|token|api[-_]?key)[\"']?\s*[=:]\s*)[^\s,;&]+", re.IGNORECASE)


def job_secrets(params):
    """Values in the Job's environment that no output may show."""
    found = set()
    for container in job_containers(params["definition"]):
        for item in container.get("env") or []:
            if isinstance(item, dict) and item.get("value") is not None:
                found |= secret_values({item.get("name"): item["value"]})
    return found


def check_definition(definition, what):
    """:raises BlueGreenError: names everything that keeps ``definition`` from being a Job that can be run and followed."""
    wrong = job_mistakes(definition)
    if wrong:
        raise BlueGreenError(f"{what} cannot be used.", "bad_input", why=wrong, next_step="Correct it.")


def job_mistakes(definition):
    """What keeps ``definition`` from being a Job that can be run and followed, as a list of texts."""
    if not isinstance(definition, dict) or definition.get("kind") != "Job":
        kind = definition.get("kind") if isinstance(definition, dict) else type(definition).__name__
        return [f"it is no Job but {kind!r}"]
    wrong = []
    if definition.get("apiVersion") != "batch/v1":
        wrong.append(f"apiVersion is batch/v1, not {definition.get('apiVersion')!r}")
    metadata, spec = definition.get("metadata"), definition.get("spec")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        wrong.append("metadata.name is missing")
    if not job_containers(definition):
        wrong.append("spec.template.spec.containers is missing")
    elif spec.get("suspend"):
        wrong.append("spec.suspend is true, so it would never begin")
    return wrong


def job_containers(definition):
    """The containers of a definition that may be no Job at all."""
    part = definition
    for key in ("spec", "template", "spec"):
        part = part.get(key) if isinstance(part, dict) else None
    found = []
    for key in ("initContainers", "containers"):
        items = part.get(key) if isinstance(part, dict) else None
        found += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return found


def with_environment(definition, app, color, version):
    """A copy of the definition whose containers know what is released where; what they set themselves stays."""
    other = app.colors[app.other(color)]
    values = {
        "BG_VERSION": version or "",
        "BG_COLOR": color,
        "BG_PREVIOUS_COLOR": other.name,
        "BG_PREVIOUS_VERSION": other.version or "",
        "BG_ACTIVE_COLOR": app.active,
        "BG_NAMESPACE": app.cluster.namespace,
    }
    definition = copy.deepcopy(definition)
    definition["metadata"].setdefault("namespace", app.cluster.namespace)
    for container in job_containers(definition):
        own = container.get("env") or []
        names = {item.get("name") for item in own}
        # First, so that the container's own variables may refer to them.
        container["env"] = [{"name": key, "value": value} for key, value in values.items() if key not in names] + own
    return definition


class Job:
    """One Job in the cluster.

    ``digest``   tells a Job of this definition from others of the same name; ``None`` for one that is never adopted
    ``owner``    the application that it is run for
    ``fence``    raises when another run has taken over
    """

    def __init__(self, cluster, definition, timeout, progress):
        self.cluster = cluster
        self.definition = definition
        self.name = definition["metadata"]["name"]
        self.timeout = timeout
        self.progress = progress
        self.digest = self.lock_id = None
        self.owner = ""
        self.fence = lambda: None
        self.uid = None
        self.started = time.monotonic()
        self.lines = collections.deque(maxlen=LINES_KEPT)
        self._said = 0
        self._said_at = self.started
        self._queue = queue.Queue()
        self._logs = {}  # (pod, container, restarts) -> thread
        self._written = {}  # line -> when it was written, by the node's clock, of those that matter
        self._late = (
            None  # seconds from the writing of a line to its arrival here, of the fastest; with the clocks' difference
        )
        self._wake = lambda: None

    def elapsed(self):
        return round(time.monotonic() - self.started, 3)

    def shown(self):
        return list(self.lines)

    # --- getting it

    def claim(self, adopt):
        """Let the Job run for us: the one that an interrupted run has left, if it is of this definition, else a new one.

        It is created suspended, so that a request that arrives after another run has taken over starts nothing.
        """
        for _attempt in range(TRIES):
            self.fence()
            found = self.cluster.get("Job", self.name)
            try:
                fresh = found is None
                if fresh:
                    found = self.cluster.create("Job", self._stamped())
                notes = found["metadata"].get("annotations") or {}
                if notes.get(JOB_OWNER) != self.owner:
                    raise BlueGreenError(
                        f"There is a Job {self.name!r} in namespace {self.cluster.namespace!r} that is not of this application.",
                        "conflict",
                        why=f"Its annotation {JOB_OWNER} is {notes.get(JOB_OWNER)!r}, not {self.owner!r}.",
                        next_step="Delete it if nobody needs it, or give this one another name.",
                    )
                same = adopt and notes.get(DONE_FOR) == self.digest and "deletionTimestamp" not in found["metadata"]
                if not (fresh or same) or holds(found, "Failed") or holds(found, "FailureTarget"):
                    self.uid = found["metadata"]["uid"]
                    self.progress(f"Job {self.name} of an earlier run is removed first")
                    self.remove()
                    continue
                self.uid = found["metadata"]["uid"]
                self._start(found)
                return
            except PatchConflict:
                continue  # somebody was faster, or its status has changed meanwhile
        raise BlueGreenError(
            f"Somebody else keeps changing Job {self.name}.",
            "conflict",
            next_step="Stop the other writer, then run again.",
        )

    def _stamped(self):
        wanted = copy.deepcopy(self.definition)
        notes = wanted["metadata"].get("annotations") or {}
        wanted["metadata"]["annotations"] = dict(
            notes, **{DONE_FOR: self.digest or "", JOB_OWNER: self.owner, LOCK_ID: self.lock_id or ""}
        )
        limit = math.ceil(self.timeout)  # should this run be killed, the cluster ends the Job
        own = wanted["spec"].get("activeDeadlineSeconds")
        wanted["spec"].update(suspend=True, activeDeadlineSeconds=min(own, limit) if own else limit)
        return wanted

    def _start(self, found):
        """Put our stamp on the Job, if it has another one, and let it run, if it does not yet."""
        before = stamp(found)
        operations = [
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
            self.cluster.patch("Job", self.name, operations)

    # --- following it

    def follow(self, until=None):
        """Return when the Job has succeeded, or has logged the line ``until``.

        :raises BlueGreenError: ``job_failed`` as soon as it has, or cannot succeed any more; ``timeout``.
        """
        watched = {
            "job": ("Job", {"fieldSelector": "metadata.name=" + self.name}),
            "pods": ("Pod", {"labelSelector": "job-name=" + self.name}),
        }
        first_seen, seen, events_watched, state = {}, False, False, None
        reasons = []  # the last troubles that were seen: when time is over, the pods may be gone
        with self.cluster.observe(**watched) as view:
            self._wake = view.wake
            while True:
                jobs = [item for item in view["job"] if item["metadata"]["uid"] == self.uid]
                pods = [Pod(pod) for pod in view["pods"] if self._owns(pod)]
                self._follow_logs(pods)
                self._say()
                if until in self._written:
                    return
                now = time.monotonic()
                if not jobs and (seen or now - self.started > SETTLED):
                    raise self._failure("job_failed", f"Job {self.name} was deleted while it ran.", [], pods)
                for job in jobs:
                    seen = True
                    if holds(job, "Complete"):
                        self._settle()
                        return
                    failed = holds(job, "Failed")
                    if failed:
                        self._settle()
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
                certain = [
                    key
                    for key, (grace, _reason, _text) in troubles.items()
                    if grace is not NEVER and now - first_seen[key] >= grace
                ]
                if certain:
                    what = f"Job {self.name} cannot run: {troubles[certain[0]][1]}."
                    raise self._failure("job_failed", what, [troubles[key][2] for key in certain], pods)
                if now - self.started >= self.timeout:
                    what = f"Job {self.name} has not ended after {self.timeout:g} s and is stopped."
                    error = self._failure("timeout", what, reasons, pods)
                    self._stop()
                    raise error
                said = "; ".join(sorted({reason for _grace, reason, _text in troubles.values()}))
                if said != state or now - self._said_at >= HEARTBEAT:
                    if state is not None or said:
                        text = said or f"{self._said} log lines so far"
                        self.progress(f"{self.name}: {text}, {self.elapsed():.0f} s of {self.timeout:.0f} s")
                        self._said_at = now
                    state = said
                due = [first_seen[key] + grace - now for key, (grace, _r, _t) in troubles.items() if grace is not None]
                view.wait(min([self.started + self.timeout - now, self._said_at + HEARTBEAT - now, 1] + due))

    def _owns(self, pod):
        return any(owner.get("uid") == self.uid for owner in pod["metadata"].get("ownerReferences") or [])

    def _troubles(self, pods, events):
        # A container that crashes is the Job's own affair: backoffLimit says how often it is tried again.
        troubles = {key: value for key, value in pod_troubles(pods, events).items() if value[1] != "CrashLoopBackOff"}
        for event in events:
            about = event["involvedObject"]
            if (
                about.get("kind") == "Job"
                and about.get("uid") == self.uid
                and event["reason"] == "FailedCreate"
                and not pods
            ):
                note(troubles, "Job", "FailedCreate", event.get("message", ""))
        return troubles

    def _failure(self, reason, what, why, pods):
        self._say()
        last = list(self.lines)[-LINES_WHY:]
        why = list(dict.fromkeys(why)) + [f"pod {pod.name}: {pod.state()}" for pod in pods[-3:]]
        if last:
            why += ["last log lines:"] + ["  " + line for line in last]
        return BlueGreenError(
            what,
            reason,
            why=why,
            next_step="Mend the cause, then run the same command again.",
            result={"job": self.name, "succeeded": False, "logs": self.shown(), "elapsed": self.elapsed()},
        )

    # --- its log

    def _follow_logs(self, pods):
        several = len(pods) > 1 or any(len(pod.containers) > 1 for pod in pods)
        for pod in pods:
            for item in pod.containers:
                key = (pod.name, item["name"], item.get("restartCount", 0))
                begun = {"running", "terminated"} & set(item.get("state", {}))
                if begun and key not in self._logs:
                    label = f"{pod.name}/{item['name']}: " if several else ""
                    self._logs[key] = threading.Thread(target=self._read_log, args=(*key[:2], label), daemon=True)
                    self._logs[key].start()

    def _read_log(self, pod, container, label):
        since, end = None, time.monotonic() + self.timeout + SETTLED
        while time.monotonic() < end:
            try:
                for stamp, text in self.cluster.follow_log(pod, container, since):
                    if since is None or stamp > since:
                        self._queue.put(label + text)
                        since = stamp
                        self._note(stamp, text.strip())
                return
            except ApiError as error:
                if error.status not in (400, 404):  # the container has no log, or none any more
                    self._queue.put(f"{label}(log not readable: {error.what})")
                return
            except Exception:  # pylint: disable=broad-except
                # The connection was cut, or silent for long; whether the Job goes on is watched elsewhere.
                time.sleep(0.2)

    def _note(self, stamp, text):
        """Remember when a line was written, if it is one that matters."""
        parts = _STAMP.match(stamp)
        if not parts:
            return
        written = moment(parts.group(1) + parts.group(3)).timestamp() + float(parts.group(2) or 0)
        late = time.time() - written
        self._late = late if self._late is None else min(late, self._late)
        if text in (FREEZING, HANDED_OVER):
            self._written[text] = written
            self._wake()

    def frozen_at(self):
        """When the Job has said that it freezes writes, by our clock, as text; ``None`` when it has not."""
        if FREEZING not in self._written:
            return None
        return written(datetime.fromtimestamp(self._written[FREEZING] + self._late, timezone.utc))

    def _say(self):
        """Show what has been logged since the last call."""
        while True:
            try:
                line = self._queue.get_nowait()
            except queue.Empty:
                return
            line = _ASSIGNED.sub(r"\1********", _PASSWORD.sub("********@", line.rstrip()))[:LINE]
            self.lines.append(line)
            self._said += 1
            self._said_at = time.monotonic()
            if self._said <= LINES_SHOWN:
                self.progress(f"{self.name}: {line}")
            if self._said == LINES_SHOWN:
                self.progress(f"{self.name}: further lines are not shown; the last ones are in the result")

    def _settle(self):
        """Wait a moment for the last log lines."""
        end = time.monotonic() + SETTLED
        for thread in self._logs.values():
            thread.join(max(end - time.monotonic(), 0))
        self._say()

    # --- ending it

    def _stop(self):
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

    def remove(self):
        """Delete the Job and wait until its pods are gone.

        :raises BlueGreenError: ``timeout``: they are still there, so nothing else may work on the same data yet.
        """
        grace = self.definition["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        end = time.monotonic() + GONE + grace
        watched = {"job": ("Job", {"fieldSelector": "metadata.name=" + self.name})}
        with self.cluster.observe(**watched) as view:
            asked = False
            while True:
                left = [item for item in view["job"] if item["metadata"]["uid"] == self.uid]
                if not left and asked:
                    return
                if left and "deletionTimestamp" not in left[0]["metadata"] or not asked:
                    try:
                        self.fence()
                        # In the foreground: the Job goes last, so when it is gone its pods are.
                        self.cluster.delete("Job", self.name, {"uid": self.uid}, "Foreground")
                    except ApiError as error:
                        if not isinstance(error, PatchConflict) and error.status != 404:
                            raise
                        return  # gone, or another one by now
                    asked = True
                if time.monotonic() >= end:
                    raise BlueGreenError(
                        f"Job {self.name} was deleted, but its pods have not ended.",
                        "timeout",
                        next_step=f"kubectl -n {self.cluster.namespace} get pods -l job-name={self.name} shows them; run again when they are gone.",
                        result={"job": self.name},
                    )
                view.wait(1)
