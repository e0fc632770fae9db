# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Pods: their state, what keeps them from becoming ready and for how long that may heal, and the evidence of it."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# What does not heal by waiting, and how long (seconds) it is given in case it does. The documentation shows this table.
# A pull that fails because the image is not there, or access is denied, will fail the same way again; one that fails
# because the registry is slow or overloaded may not.
PULL_IS_FINAL = re.compile(
    r"not found|manifest unknown|name unknown|repository does not exist|no such host|unauthorized|denied|forbidden|invalid reference"
    r"|not present with pull policy",
    re.IGNORECASE,
)

# What a busy node or API server does to a good pod; the kubelet tries again after 10 to 15 s. Its caches of ConfigMaps and
# Secrets have 1 s to be filled, and are empty on a node that has not used them for a while
# (https://github.com/kubernetes/kubernetes/issues/117972); of a container whose making took too long the runtime keeps the
# name (https://github.com/containerd/containerd/issues/4604).
BUSY = re.compile(
    r"timed ?out|timeout|deadline exceeded|not yet been read|connection refused|unavailable"
    r"|name .* is (reserved|already in use)|reserving ctr name",
    re.IGNORECASE,
)

BUSY_GRACE = 60  # seconds

# The command is not in the image, or may not be run (runc's and crun's words).
NO_PROGRAM = re.compile(r'exec: "|executable file .* not found')

NEVER = math.inf  # goes on to the timeout; the reason is shown there

GRACE: dict[str, float] = {
    "ErrImagePull": 60,  # 0 when PULL_IS_FINAL says so
    "ImagePullBackOff": 60,
    "ErrImageNeverPull": 0,
    "InvalidImageName": 0,
    "CreateContainerConfigError": 2,  # a ConfigMap, Secret or key is missing; BUSY_GRACE when the node is BUSY
    "CreateContainerError": 2,  # the same
    "RunContainerError": 15,  # it is started again at once, and may have been the runtime's trouble; 2 when NO_PROGRAM
    "CrashLoopBackOff": 0,  # has crashed, was started again, and has crashed again
    "FailedCreate": 2,  # quota, LimitRange, admission: no pod can be made
    "FailedMount": NEVER,  # a volume's ConfigMap or Secret is missing; 0 after MOUNT_FAILS, disks may take their time
    "ProgressDeadlineExceeded": 0,
    "Paused": 0,
    "Unschedulable": NEVER,  # an autoscaler may bring a node
}

# Seconds between the first and the last Event of a failed mount that make it certain. The kubelet tries again after 0.5, 1, 2, 4
# and 8 s, so this is the sixth; a volume that was mounted at last has no later Event, and its image may take minutes to come.
MOUNT_FAILS = 15

PULLS = ("ErrImagePull", "ImagePullBackOff")

STARTS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")

# By (object, reason): (grace in seconds or NEVER, reason, text).
Troubles = dict[tuple[str, str], tuple[float, str, str]]

WARNINGS = {"fieldSelector": "type=Warning,involvedObject.kind=Pod"}

EVENTS_SHOWN = 5
LOG_LINES = 10
PODS_SHOWN = 5


class Pod:
    """What matters about a pod."""

    def __init__(self, pod: Object) -> None:
        self.name = pod["metadata"]["name"]
        self.terminating = bool(pod["metadata"].get("deletionTimestamp"))
        self.template = _part(pod["metadata"], "labels").get("pod-template-hash")
        status = _part(pod, "status")
        self.phase = status.get("phase")
        self.conditions = {item.get("type"): item for item in _parts(status, "conditions")}
        self.ready = self.conditions.get("Ready", {}).get("status") == "True"
        self.is_over = self.terminating or self.phase in ("Succeeded", "Failed")
        self.carries = self.ready and not self.is_over  # traffic
        gates = [str(gate.get("conditionType")) for gate in _parts(_part(pod, "spec"), "readinessGates")]
        self.closed = [gate for gate in gates if self.conditions.get(gate, {}).get("status") != "True"]
        every = _parts(status, "initContainerStatuses") + _parts(status, "containerStatuses")
        self.containers = [_container(item) for item in every]
        self.restarts = sum(item["restartCount"] for item in self.containers)

    def in_trouble(self) -> bool:
        """Whether something is seen that may not heal; that a pod is just starting is none of it."""
        stuck = any(reason in GRACE for _container, reason, _message in self.waiting())
        unscheduled = self.conditions.get("PodScheduled", {}).get("status") == "False"
        return not self.terminating and not self.ready and (stuck or unscheduled)

    def waiting(self) -> Iterator[tuple[str, str, str]]:
        """``(container, reason, message)`` of each container that waits."""
        for item in self.containers:
            waiting = item["state"].get("waiting", {})
            if waiting.get("reason"):
                yield item["name"], waiting["reason"], waiting.get("message") or ""

    def state(self) -> str:
        if self.terminating:
            return "terminating"
        texts = []
        for item in self.containers:
            ((kind, detail),) = list(item["state"].items())[:1] or [("unknown", {})]
            text = detail.get("reason") or kind
            if kind == "terminated":
                text += f" (exit code {detail.get('exitCode')})"
            last = item["lastState"].get("terminated")
            if last:
                text += f", exited with {last.get('exitCode')} before"
            texts.append(
                f"{item['name']}: {text}, {'ready' if item.get('ready') else 'not ready'}, {item['restartCount']} restarts"
            )
        scheduled = self.conditions.get("PodScheduled", {})
        if scheduled.get("status") == "False":
            texts.append(f"{scheduled.get('reason')}: {scheduled.get('message')}")
        if self.closed and self.conditions.get("ContainersReady", {}).get("status") == "True":
            texts.append(f"ready but for the readiness gate {', '.join(self.closed)}")
        return "; ".join(texts) or self.phase or "unknown"

    def summary(self) -> Object:
        return {"name": self.name, "ready": self.ready, "restarts": self.restarts, "state": self.state()}


def _part(owner: Object, name: str) -> Object:
    """A part that is a dictionary; what is missing, or something else, is an empty one."""
    found = owner.get(name)
    return found if isinstance(found, dict) else {}


def _parts(owner: Object, name: str) -> list[Object]:
    found = owner.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _container(status: Object) -> Object:
    """A container's status in which nothing is missing that is looked at."""
    whole = {
        name: {key: _part(_part(status, name), key) for key in _part(status, name)} for name in ("state", "lastState")
    }
    return {**status, "name": status.get("name") or "?", "restartCount": status.get("restartCount") or 0, **whole}


def controller(item: Object) -> str | None:
    """What an object belongs to, such as ``Job reindex``; ``None`` for one that somebody has made by itself."""
    owners = [owner for owner in _parts(item["metadata"], "ownerReferences") if owner.get("controller")]
    return f"{owners[0].get('kind')} {owners[0].get('name')}" if owners else None


def condition(owner: Object, kind: str) -> Object:
    return next((item for item in _parts(_part(owner, "status"), "conditions") if item.get("type") == kind), {})


def holds(owner: Object, kind: str) -> Object:
    """A condition of the object that holds, else ``{}``."""
    found = condition(owner, kind)
    return found if found.get("status") == "True" else {}


def pod_troubles(pods: Iterable[Pod], events: Iterable[Object]) -> Troubles:
    """The same of what stands in the way of pods, by their states and the Events about them."""
    troubles: Troubles = {}
    waiting = [pod for pod in pods if not pod.terminating and not pod.ready]
    unmounted = {pod.name for pod in waiting if pod.phase == "Pending"}  # nothing of them has run yet
    for pod in waiting:
        for container, reason, message in pod.waiting():
            if reason in GRACE:
                note(troubles, f"pod {pod.name}, container {container}", reason, message)
        scheduled = pod.conditions.get("PodScheduled", {})
        if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
            note(troubles, "pod " + pod.name, "Unschedulable", scheduled.get("message") or "")
    times: dict[str, list[float]] = {}  # of failed mounts, by pod
    for event in events:
        name = str(_part(event, "involvedObject").get("name"))
        if event.get("reason") == "FailedMount" and name in unmounted:
            seen = times.setdefault(name, [])
            for stamp in (event.get("firstTimestamp"), event.get("lastTimestamp")):
                with contextlib.suppress(ValueError):
                    seen.extend([moment(stamp).timestamp()] if stamp else [])
            certain = max(seen, default=0) - min(seen, default=0) >= MOUNT_FAILS
            note(troubles, "pod " + name, "FailedMount", event.get("message") or "", certain)
    return troubles


def _grace(reason: str, message: str) -> float:
    """The grace (seconds or NEVER) of a container's reason to wait, which the message may make shorter or longer."""
    if reason in PULLS and PULL_IS_FINAL.search(message):
        return 0
    if reason == "RunContainerError" and NO_PROGRAM.search(message):
        return 2
    if reason in STARTS and BUSY.search(message):
        return BUSY_GRACE
    return GRACE[reason]


def note(troubles: Troubles, what: str, reason: str, message: str, certain: bool = False) -> None:
    """Put one more into ``troubles``; with no grace when it is certain already."""
    text = " ".join(f"{what}: {reason}{': ' + message if message else ''}".split())
    # The kubelet goes to and fro between the two reasons of a failing pull; they share one entry, and so one grace.
    key = (what, "image pull" if reason in PULLS else reason)
    troubles[key] = (0 if certain else _grace(reason, message), reason, text[:600])


def evidence(cluster: Cluster, pods: list[Pod]) -> list[str]:
    """What is to be seen of pods with which something is wrong, as a bounded number of lines: state, events, last log lines.

    It explains a failure, so it never ends in another one.

    :param pods: list of :class:`Pod`, the worst first; the log is the first one's.
    """
    if not pods:
        return []
    shown = pods[:PODS_SHOWN]
    why = [f"pod {pod.name}: {pod.state()}" for pod in shown]
    for what, look in (("events", _events), ("log", _last_lines)):
        try:
            why += look(cluster, shown)
        except Exception as error:  # pylint: disable=broad-except
            why.append(f"({what} not readable: {explained(error).what})")
    return why


def _events(cluster: Cluster, pods: list[Pod]) -> list[str]:
    names = {pod.name for pod in pods if not pod.ready or pods[0].ready}
    found = cluster.list("Event", **WARNINGS)["items"]
    events = sorted(
        (event for event in found if _part(event, "involvedObject").get("name") in names),
        key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "",
    )
    texts = [
        f"event {event.get('reason') or 'without a reason'}: {' '.join((event.get('message') or '').split())[:300]}"
        for event in events
    ]
    return list(dict.fromkeys(reversed(texts)))[:EVENTS_SHOWN][::-1]  # the newest, each text once


def _last_lines(cluster: Cluster, pods: list[Pod]) -> list[str]:
    why, first = [], pods[0]
    for item in first.containers:
        state = item["state"]
        ran = "running" in state or "terminated" in item["lastState"] or "terminated" in state
        if item.get("ready") and not first.ready or not ran:
            continue
        previous = "running" not in state and item["restartCount"] > 0
        log = cluster.pod_log(first.name, item["name"], LOG_LINES, previous=previous)
        if log.strip():
            why.append(f"last log lines of {first.name}/{item['name']}:")
            why += ["  " + line[:600] for line in log.strip().splitlines()[-LOG_LINES:]]
    return why
