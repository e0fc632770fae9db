# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Wait: watch a color's rollout until every pod of the new template is available, or until it cannot become so."""

from __future__ import annotations

import re
import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _app
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError

NAME = "bg_wait"
ARGUMENTS = dict(APPLICATION, color={"type": "str"}, timeout={"type": "raw", "default": 300}, **LOCK)
DURATIONS = ("api_timeout", "timeout")
KEEPS_LOCK = True
RETURNS = {"ready": False, "color": None, "elapsed": None, "pods": []}

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
NEVER = None  # goes on to the timeout; the reason is shown there
GRACE = {
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
EVENTS_AFTER = 2  # seconds; a rollout that needs longer may have reasons that only events tell, such as FailedMount
WARNINGS = {"fieldSelector": "type=Warning,involvedObject.kind=Pod"}
HEARTBEAT = 10  # seconds between progress lines when nothing changes
EVENTS_SHOWN = 5
LOG_LINES = 10
PODS_SHOWN = 5


def run(params, cluster, progress):
    app = _app.read(cluster, params)
    color = app.color(params["color"] or app.idle)
    if cluster.dry_run:
        return {
            "color": color.name,
            "msg": f"Would wait up to {params['timeout']:.0f} s for {color.deployment_name}.",
        }
    return wait_ready(app, color, params["timeout"], progress)


def wait_ready(app, color, timeout, progress):
    """Watch until every pod of the newest template is available and no older pod takes part any more.

    :param timeout: seconds; 0 looks once.
    :returns: the result keys of ``bg_wait``.
    :raises BlueGreenError: ``rollout_failed`` as soon as it is certain, ``timeout`` otherwise; with the reasons.
    """
    started = time.monotonic()
    name = color.deployment_name
    watched = {
        "deployment": ("Deployment", {"fieldSelector": "metadata.name=" + name}),
        "pods": ("Pod", {"labelSelector": color.pod_selector}),
    }
    first_seen = {}  # (object, reason) -> when this run first saw it
    said, said_at = None, started
    deadline_before = None  # a ProgressDeadlineExceeded of an earlier rollout says nothing about this one
    with app.cluster.observe(**watched) as view:
        events_watched = False
        newest = _Newest()
        while True:
            deployments, pods = view["deployment"], [Pod(pod) for pod in view["pods"]]
            if not deployments:
                raise BlueGreenError(
                    f"Deployment {name} was deleted while it was waited for.",
                    "not_found",
                    next_step="Find out who did; then run again.",
                )
            deployment = deployments[0]
            if deadline_before is None:
                deadline_before = _deadline_exceeded(deployment) or ""
            missing = _missing(deployment, pods)
            elapsed = time.monotonic() - started
            if not missing:
                ready = [pod for pod in pods if not pod.terminating]
                progress(f"{name}: {len(ready)} of {len(ready)} pods ready after {elapsed:.1f} s")
                return {
                    "ready": True,
                    "color": color.name,
                    "elapsed": round(elapsed, 3),
                    "pods": [pod.summary() for pod in ready],
                    "msg": f"{name} is ready: {len(ready)} pods.",
                }
            if elapsed >= EVENTS_AFTER and not events_watched:
                view.add("events", "Event", WARNINGS)
                events_watched = True
            events = [item for item in view["events"] if item["reason"] == "FailedMount"] if events_watched else []
            if holds(deployment, "ReplicaFailure") or events or any(pod.in_trouble() for pod in pods):
                newest = newest.follow(app.cluster, color, deployment)
            troubles = _troubles(deployment, newest, pods, events, deadline_before)
            now = time.monotonic()
            first_seen = {key: first_seen.get(key, now) for key in troubles}
            certain = [
                key
                for key, (grace, _reason, _text) in troubles.items()
                if grace is not NEVER and now - first_seen[key] >= grace
            ]
            if certain:
                raise _failure(
                    app,
                    color,
                    pods,
                    "rollout_failed",
                    elapsed,
                    f"{name} cannot become ready: {troubles[certain[0]][1]}.",
                    [troubles[key][2] for key in certain],
                )
            if elapsed >= timeout:
                reasons = [text for _grace, _reason, text in troubles.values()] or [missing]
                what = f"{name} is not ready" + (f" after {timeout:.0f} s." if timeout else ".")
                raise _failure(app, color, pods, "timeout", elapsed, what, reasons)
            state = missing + (
                ""
                if not troubles
                else "; " + "; ".join(sorted({reason for _grace, reason, _text in troubles.values()}))
            )
            if state != said or now - said_at >= HEARTBEAT:
                progress(f"{name}: {state}, {elapsed:.0f} s of {timeout:.0f} s")
                said, said_at = state, now
            due = [
                first_seen[key] + grace - now for key, (grace, _reason, _text) in troubles.items() if grace is not NEVER
            ]
            view.wait(min([started + timeout - now, said_at + HEARTBEAT - now] + due))


class Pod:
    """What matters about a pod."""

    def __init__(self, pod):
        self.name = pod["metadata"]["name"]
        self.terminating = "deletionTimestamp" in pod["metadata"]
        self.template = (pod["metadata"].get("labels") or {}).get("pod-template-hash")
        status = pod.get("status", {})
        self.phase = status.get("phase")
        self.conditions = {item["type"]: item for item in status.get("conditions", [])}
        self.ready = self.conditions.get("Ready", {}).get("status") == "True"
        self.containers = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        self.restarts = sum(item.get("restartCount", 0) for item in self.containers)

    def in_trouble(self):
        """Whether something is seen that may not heal; that a pod is just starting is none of it."""
        stuck = any(reason in GRACE for _container, reason, _message in self.waiting())
        unscheduled = self.conditions.get("PodScheduled", {}).get("status") == "False"
        return not self.terminating and not self.ready and (stuck or unscheduled)

    def waiting(self):
        """``(container, reason, message)`` of each container that waits."""
        for item in self.containers:
            waiting = item.get("state", {}).get("waiting")
            if waiting and waiting.get("reason"):
                yield item["name"], waiting["reason"], waiting.get("message", "")

    def state(self):
        if self.terminating:
            return "terminating"
        texts = []
        for item in self.containers:
            ((kind, detail),) = list(item.get("state", {}).items())[:1] or [("unknown", {})]
            text = detail.get("reason") or kind
            if kind == "terminated":
                text += f" (exit code {detail.get('exitCode')})"
            last = item.get("lastState", {}).get("terminated")
            if last:
                text += f", exited with {last.get('exitCode')} before"
            texts.append(
                f"{item['name']}: {text}, {'ready' if item.get('ready') else 'not ready'}, {item.get('restartCount', 0)} restarts"
            )
        scheduled = self.conditions.get("PodScheduled", {})
        if scheduled.get("status") == "False":
            texts.append(f"{scheduled.get('reason')}: {scheduled.get('message')}")
        return "; ".join(texts) or self.phase or "unknown"

    def summary(self):
        return {"name": self.name, "ready": self.ready, "restarts": self.restarts, "state": self.state()}


class _Newest:
    """Which pods are of the Deployment's newest template: what older ones suffer from says nothing about this rollout."""

    def __init__(self, generation=None, replica_set=None):
        self._generation = generation
        self._asked = time.monotonic()
        self._template = replica_set and replica_set["metadata"]["labels"].get("pod-template-hash")
        self.failure = holds(replica_set or {}, "ReplicaFailure")

    def follow(self, cluster, color, deployment):
        """Know the newest template's pods, by the ReplicaSet that was made of it. Asked once a generation.

        As the Deployment controller finds it, by the template. The revision that the Deployment carries is no guide: where the
        replicas change too, the controller first scales, and reports the new generation before it has made the ReplicaSet.
        https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/util/deployment_util.go (FindNewReplicaSet)

        While the Deployment says that pods cannot be made, the ReplicaSet is asked again: these may be pods of an older template,
        and the Deployment says nothing more when the newest one's follow them.
        """
        generation = deployment["metadata"]["generation"]
        if not _taken_up(deployment):
            return _Newest()
        due = time.monotonic() - self._asked >= GRACE["FailedCreate"]
        if generation == self._generation and not (due and holds(deployment, "ReplicaFailure")):
            return self
        wanted = _app.template_hash(deployment)
        for item in cluster.list("ReplicaSet", labelSelector=color.pod_selector)["items"]:
            if _app.template_hash(item) == wanted:
                return _Newest(generation, item)
        return _Newest()  # the Deployment controller is about to make it

    def of(self, pods):
        return [pod for pod in pods if pod.template == self._template and self._template]


def _taken_up(deployment):
    """Whether the Deployment's status speaks of its present spec."""
    return deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"]["generation"]


def rolled_out(deployment):
    """Whether all pods that the Deployment counts are of its newest template, by its own status."""
    status = deployment.get("status", {})
    return _taken_up(deployment) and status.get("updatedReplicas", 0) == status.get("replicas", 0)


def _condition(owner, kind):
    for condition in owner.get("status", {}).get("conditions") or []:
        if condition["type"] == kind:
            return condition
    return {}


def holds(owner, kind):
    """A condition of the object that holds, else ``{}``."""
    condition = _condition(owner, kind)
    return condition if condition.get("status") == "True" else {}


def _deadline_exceeded(deployment):
    """The time of a ProgressDeadlineExceeded condition, or ``None``."""
    progressing = _condition(deployment, "Progressing")
    return progressing.get("lastUpdateTime") if progressing.get("reason") == "ProgressDeadlineExceeded" else None


def _missing(deployment, pods):
    """What is still missing, in words; empty when the rollout is complete.

    As `kubectl rollout status` decides it, and beyond: no pod of an older template is left that could still be an endpoint.
    https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
    """
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status", {})
    if not _taken_up(deployment):
        return "waiting for the Deployment to be taken up"
    available = status.get("availableReplicas", 0)
    if status.get("updatedReplicas", 0) < wanted or available < wanted:
        return f"{min(available, status.get('updatedReplicas', 0))} of {wanted} pods ready"
    # The Deployment controller can be a moment ahead of the pods that we see, so they are counted themselves.
    staying = [pod for pod in pods if not pod.terminating and pod.phase not in ("Succeeded", "Failed")]
    if status.get("replicas", 0) > wanted or len(staying) > wanted or len({pod.template for pod in staying}) > 1:
        return f"{max(status.get('replicas', 0), len(staying)) - wanted or 1} older pods are going"
    ready = [pod for pod in staying if pod.ready]
    if len(ready) < wanted:
        return f"{len(ready)} of {wanted} pods ready"
    return ""


def _troubles(deployment, newest, pods, events, deadline_before):
    """``{(object, reason): (grace in seconds or NEVER, text)}`` of everything that stands in the way."""
    troubles = {}
    if deployment["spec"].get("paused"):
        note(troubles, "Deployment", "Paused", "spec.paused is true, so it rolls out nothing")
    exceeded = _deadline_exceeded(deployment)
    if exceeded and exceeded != deadline_before:
        message = _condition(deployment, "Progressing").get("message", "")
        note(troubles, "Deployment", "ProgressDeadlineExceeded", message)
    # Pods on their way out may make the room that is missing.
    if holds(deployment, "ReplicaFailure") and newest.failure and not any(pod.terminating for pod in pods):
        note(troubles, "Deployment", "FailedCreate", newest.failure.get("message", ""))
    troubles.update(pod_troubles(newest.of(pods), events))
    return troubles


def pod_troubles(pods, events):
    """The same of what stands in the way of pods, by their states and the Events about them."""
    troubles = {}
    waiting = [pod for pod in pods if not pod.terminating and not pod.ready]
    unmounted = {pod.name for pod in waiting if pod.phase == "Pending"}  # nothing of them has run yet
    for pod in waiting:
        for container, reason, message in pod.waiting():
            if reason in GRACE:
                note(troubles, f"pod {pod.name}, container {container}", reason, message)
        scheduled = pod.conditions.get("PodScheduled", {})
        if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
            note(troubles, "pod " + pod.name, "Unschedulable", scheduled.get("message", ""))
    times = {}  # of failed mounts, by pod
    for event in events:
        name = event["involvedObject"]["name"]
        if event["reason"] == "FailedMount" and name in unmounted:
            stamps = (event.get("firstTimestamp"), event.get("lastTimestamp"))
            seen = times.setdefault(name, [])
            seen.extend(_app.moment(stamp).timestamp() for stamp in stamps if stamp)
            certain = max(seen, default=0) - min(seen, default=0) >= MOUNT_FAILS
            note(troubles, "pod " + name, "FailedMount", event.get("message", ""), certain)
    return troubles


def _grace(reason, message):
    """The grace (seconds or NEVER) of a container's reason to wait, which the message may make shorter or longer."""
    if reason in PULLS and PULL_IS_FINAL.search(message):
        return 0
    if reason == "RunContainerError" and NO_PROGRAM.search(message):
        return 2
    if reason in STARTS and BUSY.search(message):
        return BUSY_GRACE
    return GRACE[reason]


def note(troubles, what, reason, message, certain=False):
    """Put one more into ``troubles``; with no grace when it is certain already."""
    text = " ".join(f"{what}: {reason}{': ' + message if message else ''}".split())
    # The kubelet goes to and fro between the two reasons of a failing pull; they share one entry, and so one grace.
    key = (what, "image pull" if reason in PULLS else reason)
    troubles[key] = (0 if certain else _grace(reason, message), reason, text[:600])


def _failure(app, color, pods, reason, elapsed, what, reasons):
    """The error, with the evidence: pod states, last events, last log lines."""
    why = list(dict.fromkeys(reasons))[:PODS_SHOWN]
    why += evidence(app.cluster, sorted((pod for pod in pods if not pod.terminating), key=lambda pod: pod.ready))
    return BlueGreenError(
        what,
        reason,
        why=why,
        next_step=f"Mend the cause and release again: kubectl -n {app.cluster.namespace} describe deployment {color.deployment_name} shows more.",
        result={
            "color": color.name,
            "elapsed": round(elapsed, 3),
            "pods": [pod.summary() for pod in pods if not pod.terminating],
        },
    )


def evidence(cluster, pods):
    """What is to be seen of pods with which something is wrong, as a bounded number of lines: state, events, last log lines.

    :param pods: list of :class:`Pod`, the worst first; the log is the first one's.
    """
    if not pods:
        return []
    shown = pods[:PODS_SHOWN]
    why = [f"pod {pod.name}: {pod.state()}" for pod in shown]
    names = {pod.name for pod in shown if not pod.ready or pods[0].ready}
    events = sorted(
        (event for event in cluster.list("Event", **WARNINGS)["items"] if event["involvedObject"]["name"] in names),
        key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "",
    )
    texts = [f"event {event['reason']}: {' '.join(event.get('message', '').split())[:300]}" for event in events]
    why += list(dict.fromkeys(reversed(texts)))[:EVENTS_SHOWN][::-1]  # the newest, each text once
    for item in shown[0].containers:
        ran = (
            item.get("state", {}).get("running")
            or item.get("lastState", {}).get("terminated")
            or item.get("state", {}).get("terminated")
        )
        if item.get("ready") and not shown[0].ready or not ran:
            continue
        log = cluster.pod_log(
            shown[0].name,
            item["name"],
            LOG_LINES,
            previous="running" not in item.get("state", {}) and item.get("restartCount", 0) > 0,
        )
        if log.strip():
            why.append(f"last log lines of {shown[0].name}/{item['name']}:")
            why += ["  " + line[:600] for line in log.strip().splitlines()[-LOG_LINES:]]
    return why
