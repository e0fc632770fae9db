# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The rollout of a color: watched until every pod of the new template is available, or until it cannot become so."""

from __future__ import annotations

import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.hazards import room
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    refuse_another_template,
    template_hash,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import (
    GRACE,
    PODS_SHOWN,
    WARNINGS,
    Pod,
    Troubles,
    condition,
    controller,
    evidence,
    holds,
    note,
    pod_troubles,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Look, Object, Progress


def set_replicas(
    app: Application, color: Color, replicas: int, lock_id: str | None, look: Look | None = None
) -> Object:
    """Write the number of replicas, if it is another one; the reading in ``app`` must be fresh.

    :param look: what :meth:`Cluster.patch` calls when the reading may not be fresh any more.
    :raises PatchConflict: somebody changed it meanwhile.
    """
    before = color.replicas
    if before != replicas:
        deployment = color.deployment
        operations = app.fence(deployment, lock_id)
        operations += [
            {"op": "test", "path": "/metadata/uid", "value": deployment["metadata"]["uid"]},
            {"op": "test", "path": "/spec/replicas", "value": before},
            {"op": "replace", "path": "/spec/replicas", "value": replicas},
        ]
        app.cluster.patch("Deployment", color.deployment_name, operations, look=look)
    return {
        "changed": before != replicas,
        "color": color.name,
        "replicas": replicas,
        "previous_replicas": before,
        "diff": diff("Deployment " + color.deployment_name, {"replicas": before}, {"replicas": replicas}),
        "msg": f"{color.deployment_name} {'would have' if app.cluster.dry_run and before != replicas else 'has'} {replicas} replicas (before: {before}).",
    }


EVENTS_AFTER = 2  # seconds; a rollout that needs longer may have reasons that only events tell, such as FailedMount
HEARTBEAT = 10  # seconds between progress lines when nothing changes
KUBELET = 30  # seconds beyond its grace period until a pod is gone, where its node answers


def wait_ready(
    app: Application, color: Color, timeout: float, progress: Progress, back: int = 0, expected: str | None = None
) -> Object:
    """Watch until every pod of the newest template is available and no older pod takes part any more.

    :param timeout: seconds; 0 looks once.
    :param back: on the way back, how many ready pods of the newest template are enough. One less is when it is certain that
        the last one does not come, or when it has not come in time.
    :param expected: the hash of the template that was deployed; ``None`` for whatever is there.
    :returns: the result keys of ``bg_wait``.
    :raises BlueGreenError: ``rollout_failed`` as soon as it is certain, ``timeout`` otherwise, with the reasons;
        ``not_prepared`` as soon as the template is another one.
    """
    started = time.monotonic()
    name = color.deployment_name
    watched = {
        "deployment": ("Deployment", {"fieldSelector": "metadata.name=" + name}),
        "pods": ("Pod", {"labelSelector": color.pod_selector}),
    }
    first_seen: dict[tuple[str, str], float] = {}  # (object, reason) -> when this run first saw it
    said, said_at = None, started
    deadline_before = None  # a ProgressDeadlineExceeded of an earlier rollout says nothing about this one
    with app.cluster.observe(**watched) as view:
        events_watched = False
        newest = _Newest()
        while True:
            deployments, pods = view["deployment"], [Pod(pod) for pod in color.own(view["pods"])]
            if not deployments:
                raise BlueGreenError(
                    f"Deployment {name} was deleted while it was waited for.",
                    "not_found",
                    next_step="Find out who did; then run again.",
                )
            deployment = deployments[0]
            refuse_another_template(deployment, expected)
            if deadline_before is None:
                deadline_before = _deadline_exceeded(deployment) or ""
            if back:
                newest = newest.follow(app.cluster, color, deployment)
            missing = _missing(deployment, pods) if not back else _missing_back(deployment, newest, pods, back)
            elapsed = time.monotonic() - started
            if not missing:
                return _complete(color, pods, elapsed, progress)
            if elapsed >= EVENTS_AFTER and not events_watched:
                view.add("events", "Event", WARNINGS)
                events_watched = True
            events = [item for item in view["events"] if item.get("reason") == "FailedMount"] if events_watched else []
            if holds(deployment, "ReplicaFailure") or events or any(pod.in_trouble() for pod in pods):
                newest = newest.follow(app.cluster, color, deployment)
            troubles = _troubles(deployment, newest, pods, events, deadline_before, back)
            now = time.monotonic()
            first_seen = {key: first_seen.get(key, now) for key in troubles}
            certain = [key for key, (grace, _reason, _text) in troubles.items() if now - first_seen[key] >= grace]
            if back and (certain or elapsed >= timeout):
                if back > 1 and not _missing_back(deployment, newest, pods, back - 1):
                    progress(f"{name}: {missing} is enough for the way back")
                    return _complete(color, pods, elapsed, progress)
                if not _is_hopeless(deployment, certain, back):
                    certain = []
            if certain:
                raise _failure(
                    app,
                    color,
                    pods,
                    "rollout_failed",
                    elapsed,
                    f"{name} cannot become ready: {troubles[certain[0]][1]}.",
                    [troubles[key][2] for key in certain],
                    back,
                )
            if elapsed >= timeout:
                reasons = [text for _grace, _reason, text in troubles.values()] or [missing]
                what = f"{name} is not ready" + (f" after {timeout:.0f} s." if timeout else ".")
                raise _failure(app, color, pods, "timeout", elapsed, what, reasons, back)
            state = missing + (
                ""
                if not troubles
                else "; " + "; ".join(sorted({reason for _grace, reason, _text in troubles.values()}))
            )
            if state != said or now - said_at >= HEARTBEAT:
                progress(f"{name}: {state}, {elapsed:.0f} s of {timeout:.0f} s")
                said, said_at = state, now
            due = [first_seen[key] + grace - now for key, (grace, _reason, _text) in troubles.items()]
            view.wait(min([started + timeout - now, said_at + HEARTBEAT - now] + [left for left in due if left > 0]))


def wait_gone(app: Application, color: Color, progress: Progress) -> list[str]:
    """Watch until no pod of a color that was put at rest is left, those on their way out among them.

    They have their own grace period for that, and the kubelet a little more.

    :returns: the pods that are left when that time is over, in words; empty when all are gone.
    """
    name = color.deployment_name
    if color.deployment is None:
        return []
    started = time.monotonic()
    said, grace = "", float(color.deployment["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30))
    watched = {
        "deployment": ("Deployment", {"fieldSelector": "metadata.name=" + name}),
        "pods": ("Pod", {"labelSelector": color.pod_selector}),
    }
    with app.cluster.observe(**watched) as view:
        while True:
            own = color.own(view["pods"])
            grace = max([grace, *(float(pod["spec"].get("terminationGracePeriodSeconds", 30)) for pod in own)])
            pods = [pod for pod in map(Pod, own) if pod.phase not in ("Succeeded", "Failed")]
            if not pods and all(map(_is_empty, view["deployment"])) and _makes_none(app.cluster, color):
                return []
            left, text = started + grace + KUBELET - time.monotonic(), f"{len(pods)} pods are ending"
            if left <= 0:
                return [f"pod {pod.name}: {pod.state()}" for pod in pods[:PODS_SHOWN]] or [
                    "its Deployment is not at rest"
                ]
            if text != said:
                progress(f"{name}: {text}")
                said = text
            view.wait(min(left, 1))


def _is_empty(deployment: Object) -> bool:
    """Whether a Deployment knows of no pod; older servers say nothing of those on their way out."""
    status = deployment.get("status", {})
    return _taken_up(deployment) and not status.get("replicas") and not status.get("terminatingReplicas")


def _makes_none(cluster: Cluster, color: Color) -> bool:
    """Whether no ReplicaSet is about to make a pod, or has made one, of which the Deployment does not know yet."""
    uid = color.deployment["metadata"]["uid"]
    for item in cluster.list("ReplicaSet", labelSelector=color.pod_selector)["items"]:
        if uid in [owner["uid"] for owner in item["metadata"].get("ownerReferences") or []]:
            status = item.get("status", {})
            if item["spec"].get("replicas") or status.get("replicas") or not _taken_up(item):
                return False
    pods = color.own(cluster.list("Pod", labelSelector=color.pod_selector)["items"])
    return all((pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") for pod in pods)


class _Newest:
    """Which pods are of the Deployment's newest template: what older ones suffer from says nothing about this rollout."""

    def __init__(self, generation: int | None = None, replica_set: Object | None = None) -> None:
        self._generation = generation
        self._asked = time.monotonic()
        self._template = replica_set and replica_set["metadata"]["labels"].get("pod-template-hash")
        self.failure = holds(replica_set or {}, "ReplicaFailure")

    def follow(self, cluster: Cluster, color: Color, deployment: Object) -> _Newest:
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
        wanted = template_hash(deployment)
        for item in cluster.list("ReplicaSet", labelSelector=color.pod_selector)["items"]:
            if template_hash(item) == wanted and controller(item) == f"Deployment {color.deployment_name}":
                return _Newest(generation, item)
        return _Newest()  # the Deployment controller is about to make it

    @property
    def is_made(self) -> bool:
        """Whether there is a ReplicaSet of the newest template."""
        return self._template is not None

    def of(self, pods: list[Pod]) -> list[Pod]:
        return [pod for pod in pods if pod.template == self._template and self._template]


def _taken_up(deployment: Object) -> bool:
    """Whether the Deployment's status speaks of its present spec."""
    return deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"]["generation"]


def rolled_out(deployment: Object) -> bool:
    """Whether all pods that the Deployment counts are of its newest template, by its own status."""
    status = deployment.get("status", {})
    return _taken_up(deployment) and status.get("updatedReplicas", 0) == status.get("replicas", 0)


def _deadline_exceeded(deployment: Object) -> str | None:
    """The time of a ProgressDeadlineExceeded condition, or ``None``."""
    progressing = condition(deployment, "Progressing")
    return progressing.get("lastUpdateTime") if progressing.get("reason") == "ProgressDeadlineExceeded" else None


def _missing(deployment: Object, pods: list[Pod]) -> str:
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


def _missing_back(deployment: Object, newest: _Newest, pods: list[Pod], needed: int) -> str:
    """The same on the way back, where so many ready pods of the newest template are enough, if users get no other."""
    if not _taken_up(deployment):
        return "waiting for the Deployment to be taken up"
    own = newest.of(pods)
    others = [pod for pod in pods if pod.carries and pod not in own]
    if others:
        return f"{len(others)} older pods are going"
    ready = len([pod for pod in own if pod.carries])
    return "" if ready >= needed else f"{ready} of {needed} pods ready"


def _is_hopeless(deployment: Object, certain: list[tuple[str, str]], back: int) -> bool:
    """Whether what is certain not to heal leaves too few pods for the way back."""
    objects = {what.partition(",")[0] for what, _reason in certain}
    left = deployment["spec"].get("replicas", 1) - len(objects)
    return "Deployment" in objects or left < max(back - 1, 1)


def _complete(color: Color, pods: list[Pod], elapsed: float, progress: Progress) -> Object:
    name, staying = color.deployment_name, [pod for pod in pods if not pod.terminating]
    ready = len([pod for pod in staying if pod.ready])
    progress(f"{name}: {ready} of {len(staying)} pods ready after {elapsed:.1f} s")
    return {
        "ready": True,
        "color": color.name,
        "elapsed": round(elapsed, 3),
        "pods": [pod.summary() for pod in staying],
        "msg": f"{name} is ready: {ready} pods.",
    }


def _troubles(
    deployment: Object, newest: _Newest, pods: list[Pod], events: list[Object], deadline_before: str, back: int
) -> Troubles:
    """``{(object, reason): (grace in seconds or NEVER, text)}`` of everything that stands in the way."""
    troubles: Troubles = {}
    # Pods of the newest template are scaled all the same; if there never were any, none will come.
    if deployment["spec"].get("paused") and (not back or _taken_up(deployment) and not newest.is_made):
        note(troubles, "Deployment", "Paused", "spec.paused is true, so it rolls out nothing")
    exceeded = _deadline_exceeded(deployment)
    if exceeded and exceeded != deadline_before and not back:
        message = condition(deployment, "Progressing").get("message", "")
        note(troubles, "Deployment", "ProgressDeadlineExceeded", message)
    # Pods on their way out may make the room that is missing.
    if holds(deployment, "ReplicaFailure") and newest.failure and not any(pod.terminating for pod in pods):
        note(troubles, "Deployment", "FailedCreate", newest.failure.get("message", ""))
    troubles.update(pod_troubles(newest.of(pods), events))
    return troubles


def _failure(
    app: Application,
    color: Color,
    pods: list[Pod],
    reason: str,
    elapsed: float,
    what: str,
    reasons: list[str],
    back: int,
) -> BlueGreenError:
    """The error, with the evidence: pod states, last events, last log lines."""
    why = list(dict.fromkeys(reasons))[:PODS_SHOWN]
    why += evidence(app.cluster, sorted((pod for pod in pods if not pod.terminating), key=lambda pod: pod.ready))
    describe = f"kubectl -n {app.cluster.namespace} describe deployment {color.deployment_name} shows more"
    if back:
        next_step = (
            f"Mend the cause and roll back again: {describe}. Not to wait for pods: rollback.yml -e "
            "bluegreen_rollback_instant=true."
        )
    elif any("exceeded quota" in text for text in reasons):
        next_step = f"{room(app.cluster.namespace, color.deployment_name)} Then release again."
    else:
        next_step = f"Mend the cause and release again: {describe}."
    return BlueGreenError(
        what,
        reason,
        why=why,
        next_step=next_step,
        result={
            "color": color.name,
            "elapsed": round(elapsed, 3),
            "pods": [pod.summary() for pod in pods if not pod.terminating],
        },
    )
