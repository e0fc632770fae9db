# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a rollout: when it is complete, when it is certain that it never will be, and what is said then."""

from __future__ import annotations

import copy
import re
from typing import Any, Callable

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import wait as _wait
from recorded import Clock, RecordedCluster, rollout

HEALS_NOT = "rollout_failed"


def wait(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_wait, cluster, said, **options)


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        wait(cluster, **options)
    assert cluster.writes == []
    return caught.value


def new_pods(cluster: RecordedCluster) -> list[dict[str, Any]]:
    return [pod for pod in cluster.objects("Pod", "green") if pod["spec"]["containers"][0]["image"] == "myapp:2.0"]


# --- complete


def test_ready_when_every_pod_of_the_new_version_is(clock: Clock) -> None:
    cluster = rollout("release", clock)
    began, said = clock.now, []
    result = wait(cluster, said)
    assert (result["ready"], result["color"]) == (True, "green")
    assert {pod["name"] for pod in result["pods"]} == {pod["metadata"]["name"] for pod in new_pods(cluster)}
    assert [pod["ready"] for pod in result["pods"]] == [True] * 3
    assert result["elapsed"] == pytest.approx(clock.now - began, abs=0.001)
    assert "app-green" in result["msg"]
    assert any("0 of 3 pods ready" in line or "of 3 pods ready" in line for line in said)
    assert cluster.writes == []


def test_at_no_moment_of_a_real_rollout_is_it_ready_too_early() -> None:
    cluster = RecordedCluster()
    events = cluster.events("ready")
    written = next(number for number, event in enumerate(events) if event.object["kind"] == "Deployment")
    verdicts = []
    for number, event in enumerate(events):
        cluster.take(event)
        if number < written:
            continue
        try:
            wait(cluster, timeout=0)
            verdicts.append(True)
        except BlueGreenError as error:
            assert error.reason == "timeout"
            verdicts.append(False)
        staying = [pod for pod in cluster.objects("Pod", "green") if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in new_pods(cluster) if _condition(pod, "Ready") == "True"]
        status = cluster.one("Deployment", "app-green")["status"]
        if verdicts[-1]:
            assert len(ready) == len(staying) == 3
            assert (status["availableReplicas"], status["updatedReplicas"], status["replicas"]) == (3, 3, 3)
    assert verdicts[0] is False
    assert verdicts[-1] is True
    assert verdicts == sorted(verdicts), "ready, and then not any more"


def _condition(pod: dict[str, Any], kind: str) -> str | None:
    return next((item["status"] for item in pod["status"].get("conditions", []) if item["type"] == kind), None)


Change = Callable[[RecordedCluster], Any]


def _status(**fields: int) -> Change:
    return lambda cluster: cluster.one("Deployment", "app-green")["status"].update(fields)


def _older_pod(cluster: RecordedCluster) -> dict[str, Any]:
    pod = copy.deepcopy(cluster.objects("Pod", "green")[0])
    pod["metadata"].update(name="app-green-older", uid="older")
    pod["metadata"]["labels"]["pod-template-hash"] = "older"
    return cluster.put(pod)


def _pod_of_an_older_template(cluster: RecordedCluster) -> None:
    cluster.objects("Pod", "green")[0]["metadata"]["labels"]["pod-template-hash"] = "older"


def _terminating_pod(cluster: RecordedCluster) -> None:
    _older_pod(cluster)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def _evicted_pod(cluster: RecordedCluster) -> None:
    _older_pod(cluster)["status"] = {"phase": "Failed", "reason": "Evicted"}


def _unready_pod(cluster: RecordedCluster) -> None:
    pod = cluster.objects("Pod", "green")[0]
    next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"


def _missing_pod(cluster: RecordedCluster) -> None:
    cluster.remove("Pod", cluster.objects("Pod", "green")[0]["metadata"]["name"])


def _new_spec(cluster: RecordedCluster) -> None:
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(revisionHistoryLimit=7))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_new_spec, id="the newest generation is not observed"),
        pytest.param(_status(updatedReplicas=2), id="a pod of the new template is missing"),
        pytest.param(_status(availableReplicas=2), id="a pod is ready, but not yet available"),
        pytest.param(_status(replicas=4), id="the Deployment counts an older pod"),
        pytest.param(_older_pod, id="an older pod is there that the Deployment does not count"),
        pytest.param(_pod_of_an_older_template, id="one of the pods that the Deployment counts is an older one"),
        pytest.param(_unready_pod, id="a pod has become unready that the Deployment counts"),
        pytest.param(_missing_pod, id="a pod has gone that the Deployment counts"),
    ],
)
def test_not_ready(change: Change) -> None:
    cluster = RecordedCluster(at="ready")
    assert wait(cluster, timeout=0)["ready"] is True
    change(cluster)
    error = failure(cluster, timeout=0)
    assert error.reason == "timeout"
    assert error.result.get("ready", False) is False


@pytest.mark.parametrize("change", [_terminating_pod, _evicted_pod])
def test_pods_that_take_no_part_do_not_matter(change: Change) -> None:
    cluster = RecordedCluster(at="ready")
    change(cluster)
    assert wait(cluster, timeout=0)["ready"] is True


def test_what_an_earlier_version_suffers_from_says_nothing_about_this_one(clock: Clock) -> None:
    """The idle color had 5 crashing pods. The Deployment is scaled before the new version's ReplicaSet is made."""
    cluster = rollout("over-crash", clock)
    assert wait(cluster)["ready"] is True


def test_pods_of_an_earlier_version_that_cannot_be_made_say_nothing_about_this_one(clock: Clock) -> None:
    """The Deployment's condition goes on telling of them while it makes the new version's pods, here without a pod leaving."""
    cluster = rollout(
        "over-refused", clock, lambda text: re.sub(r'"deletion(Timestamp|GracePeriodSeconds)":[^,]*,', "", text)
    )
    assert wait(cluster)["ready"] is True


def test_a_color_that_is_given_is_waited_for() -> None:
    assert wait(RecordedCluster(), color="blue", timeout=0)["color"] == "blue"


def test_check_mode_looks_at_nothing_and_claims_nothing(clock: Clock) -> None:
    cluster = rollout("crash", clock)
    cluster.dry_run = True
    result = wait(cluster)
    assert result.get("ready", False) is False
    assert "Would wait up to 300 s for app-green" in result["msg"]
    assert not [request for request in cluster.requests if request.verb == "watch"]


# --- certain to fail: what the documentation says, in seconds after the reason is first seen


def _first(cluster: RecordedCluster, reason: str) -> float:
    """When the recording shows a reason first, in seconds after the change was written.

    An Event may tell of a pod's state up to a second before the pod's own status does, which is what is waited for.
    """
    events = cluster.events()
    written = next(event.at for event in events if event.object["kind"] == "Deployment")
    for event in events:
        status = event.object.get("status", {})
        reasons = [item.get("reason") for item in status.get("conditions", [])]
        if reason == "FailedMount":  # of which no status tells
            reasons.append(event.object.get("reason"))
        for container in status.get("containerStatuses", []):
            reasons.append(container["state"].get("waiting", {}).get("reason"))
        if "green" in event.object["metadata"]["name"] and reason in reasons:
            return event.at - written
    raise AssertionError(f"{reason} is not in the recording")


@pytest.mark.parametrize(
    ("name", "reason", "grace", "said"),
    [
        ("image-never-pulled", "ErrImageNeverPull", 0, "not present with pull policy of Never"),
        ("image-invalid", "InvalidImageName", 0, 'image name "myapp:9.9:9"'),
        ("config-key-missing", "CreateContainerConfigError", 2, 'configmap "missing" not found'),
        ("command-missing", "RunContainerError", 2, 'exec: "/missing"'),
        ("crash", "CrashLoopBackOff", 0, "restarting failed container"),
        ("quota", "FailedCreate", 2, "exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5"),
        ("volume-missing", "FailedMount", 15, 'configmap "missing" not found'),
        ("deadline", "ProgressDeadlineExceeded", 0, "has timed out progressing"),
        ("image-missing", "ErrImagePull", 60, "registry.invalid/myapp:9.9"),
    ],
)
def test_what_does_not_heal_ends_the_wait_after_its_grace(
    name: str, reason: str, grace: int, said: str, clock: Clock
) -> None:
    cluster = rollout(name, clock)
    began = clock.now
    error = failure(cluster)
    assert error.reason == HEALS_NOT
    assert "app-green cannot become ready" in error.what
    assert said in error.why[0]
    late = clock.now - began - _first(cluster, reason) - grace
    # Events are watched only when a rollout takes longer than usual.
    assert -0.001 <= late <= (2.5 if reason == "FailedMount" else 0.9), "as soon as it is certain, but not before"
    assert error.result["color"] == "green"
    assert error.result["elapsed"] == pytest.approx(clock.now - began, abs=0.01)


@pytest.mark.parametrize(
    "message",
    [
        'failed to resolve reference \\"registry.invalid/myapp:9.9\\": registry.invalid/myapp:9.9: not found',
        "manifest unknown: manifest tagged by 9.9 is not found",
        "pull access denied, repository does not exist or may require authorization",
        "unexpected status from HEAD request: 401 Unauthorized",
        "unexpected status from HEAD request: 403 Forbidden",
        "dial tcp: lookup registry.invalid: no such host",
    ],
)
def test_an_image_that_will_not_come_is_not_waited_for(message: str, clock: Clock) -> None:
    cluster = rollout("image-missing", clock, lambda text: re.sub(r"dial udp [^\"]*", message, text))
    began = clock.now
    error = failure(cluster)
    assert error.reason == HEALS_NOT
    assert clock.now - began - _first(cluster, "ErrImagePull") <= 1
    assert "registry.invalid/myapp:9.9" in str(error)


def test_a_paused_deployment_rolls_out_nothing(clock: Clock) -> None:
    cluster = rollout("paused", clock)
    began = clock.now
    error = failure(cluster)
    assert error.reason == HEALS_NOT
    assert "Paused" in str(error)
    assert clock.now - began <= 1


@pytest.mark.parametrize(
    ("name", "said"), [("unschedulable", "Unschedulable: 0/1 nodes are available"), ("never-ready", "of 3 pods ready")]
)
def test_what_may_heal_is_waited_for_to_the_timeout(name: str, said: str, clock: Clock) -> None:
    """An autoscaler may bring a node, an application may become ready late."""
    cluster = rollout(name, clock)
    began = clock.now
    lines: list[str] = []
    with pytest.raises(BlueGreenError) as caught:
        wait(cluster, lines, timeout="2m")
    error = caught.value
    assert error.reason == "timeout"
    assert clock.now - began == pytest.approx(120, abs=1)
    assert "app-green is not ready after 120 s" in str(error)
    assert said in error.why[0]
    assert any(said.split(":")[0] in line for line in lines), "said while it is waited for"


def test_a_reason_that_goes_away_begins_anew() -> None:
    clock = Clock()
    cluster = RecordedCluster("config-key-missing", "end", clock)
    pod = next(pod for pod in cluster.objects("Pod", "green") if _waiting(pod) == "CreateContainerConfigError")
    state = pod["status"]["containerStatuses"][0]
    waiting = copy.deepcopy(state["state"])
    clock.at(1.5, lambda: state.update(state={"waiting": {"reason": "ContainerCreating"}}))
    clock.at(1.6, lambda: state.update(state=waiting))
    elapsed = _measured(cluster, clock).result["elapsed"]
    assert elapsed == pytest.approx(3.6, abs=0.2)


def test_what_heals_in_its_grace_is_no_failure() -> None:
    clock = Clock()
    cluster = RecordedCluster("config-key-missing", "end", clock)
    pod = next(pod for pod in cluster.objects("Pod", "green") if _waiting(pod) == "CreateContainerConfigError")
    state = pod["status"]["containerStatuses"][0]
    clock.at(1.5, lambda: state.update(state={"running": {"startedAt": "2026-01-01T00:00:00Z"}}, started=True))
    error = _measured(cluster, clock)
    assert (error.reason, error.result["elapsed"]) == ("timeout", pytest.approx(30, abs=1))


@pytest.mark.parametrize("then", ["runs", "waits for its image"])
def test_a_volume_that_was_mounted_at_last_is_no_failure(then: str) -> None:
    """The ConfigMap came a second after the pod; the application then takes its time to become ready, or its image to come."""
    clock = Clock()
    cluster = RecordedCluster("volume-missing", "end", clock)
    event = next(event for event in cluster.objects("Event") if event["reason"] == "FailedMount")
    event["lastTimestamp"] = event["firstTimestamp"]
    pod = cluster.one("Pod", event["involvedObject"]["name"])

    def runs() -> None:
        state = pod["status"]["containerStatuses"][0]
        state.update(state={"running": {"startedAt": "2026-01-01T00:00:00Z"}}, started=True)
        pod["status"]["phase"] = "Running"

    if then == "runs":
        clock.at(1, runs)
    assert _measured(cluster, clock, timeout=40).reason == "timeout"


SHIM = "failed to create shim task: OCI runtime create failed: "


@pytest.mark.parametrize(
    ("reason", "message", "grace"),
    [
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition", 60),
        ("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars", 60),
        ("CreateContainerError", "context deadline exceeded", 60),
        ("CreateContainerError", 'failed to reserve container name "app_1": name "app_1" is reserved for "5d4e"', 60),
        ("CreateContainerError", "no command specified", 2),
        ("RunContainerError", "failed to start containerd task: dial unix:///run/s/1: connect: connection refused", 60),
        ("RunContainerError", SHIM + "unable to start container process: error during container init: EOF", 15),
        ("RunContainerError", SHIM + "executable file `/missing` not found: No such file or directory", 2),
        ("RunContainerError", SHIM + 'exec: "/data": permission denied', 2),
    ],
)
def test_what_a_busy_node_does_has_longer_to_heal(reason: str, message: str, grace: int) -> None:
    for heals_at, verdict, elapsed in ((grace - 1, "timeout", 90), (None, HEALS_NOT, grace)):
        clock = Clock()
        cluster = RecordedCluster("config-key-missing", "end", clock)
        pod = next(pod for pod in cluster.objects("Pod", "green") if _waiting(pod) == "CreateContainerConfigError")
        state = pod["status"]["containerStatuses"][0]
        state["state"] = {"waiting": {"reason": reason, "message": message}}
        if heals_at:
            running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
            clock.at(heals_at, lambda state=state, running=running: state.update(state=running, started=True))
        error = _measured(cluster, clock, timeout=90)
        assert (error.reason, error.result["elapsed"]) == (verdict, pytest.approx(elapsed, abs=1))


def _waiting(pod: dict[str, Any]) -> str | None:
    containers = pod["status"].get("containerStatuses") or [{"state": {}}]
    return containers[0]["state"].get("waiting", {}).get("reason")


def _measured(cluster: RecordedCluster, clock: Clock, **options: Any) -> BlueGreenError:
    """A failure on a clock of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.monotonic", clock.monotonic)
        return failure(cluster, **{"timeout": 30, **options})


def test_a_deadline_that_an_earlier_rollout_has_missed_says_nothing_about_this_one(clock: Clock) -> None:
    cluster = RecordedCluster("deadline", "end", clock)
    _new_spec(cluster)
    assert failure(cluster, timeout=5).reason == "timeout"


def test_a_deadline_that_this_rollout_misses_is_told_from_an_earlier_one(clock: Clock) -> None:
    cluster = RecordedCluster("deadline", "end", clock)
    _new_spec(cluster)
    began = clock.now

    def missed() -> None:
        deployment = cluster.one("Deployment", "app-green")
        deployment["status"]["observedGeneration"] = deployment["metadata"]["generation"]
        progressing = next(item for item in deployment["status"]["conditions"] if item["type"] == "Progressing")
        progressing["lastUpdateTime"] = "2030-01-01T00:00:00Z"

    clock.at(3, missed)
    error = failure(cluster, timeout=60)
    assert error.reason == HEALS_NOT
    assert "ProgressDeadlineExceeded" in str(error)
    assert clock.now - began == pytest.approx(3, abs=0.5)


def test_a_deployment_that_is_deleted_meanwhile(clock: Clock) -> None:
    cluster = rollout("never-ready", clock)
    clock.at(5, lambda: cluster.remove("Deployment", "app-green"))
    error = failure(cluster)
    assert error.reason == "not_found"
    assert "Deployment app-green was deleted" in str(error)


def test_a_run_that_was_overtaken_stops_waiting(clock: Clock) -> None:
    cluster = rollout("never-ready", clock)
    clock.at(5, lambda: setattr(cluster, "lost", BlueGreenError("Another run has taken over.", "superseded")))
    began = clock.now
    assert failure(cluster).reason == "superseded"
    assert clock.now - began <= 7


# --- timeout and progress


def test_a_timeout_of_zero_looks_once(clock: Clock) -> None:
    cluster = rollout("release", clock)
    began = clock.now
    error = failure(cluster, timeout=0)
    assert (error.reason, clock.now) == ("timeout", began)
    assert "app-green is not ready." in str(error)


def test_what_is_missing_is_said_at_once_when_it_changes_and_every_ten_seconds(clock: Clock) -> None:
    said: list[str] = []
    cluster = rollout("never-ready", clock)
    with pytest.raises(BlueGreenError):
        wait(cluster, said, timeout=65)
    assert all("app-green" in line for line in said)
    quiet = [line for line in said if "of 65 s" in line and any(f", {second} s" in line for second in range(10, 65))]
    assert 4 <= len(quiet) <= 6
    assert len(said) <= 20


# --- the evidence


def test_a_crash_is_explained_with_state_and_last_log_lines(clock: Clock) -> None:
    cluster = rollout("crash", clock)
    error = failure(cluster)
    pod = next(pod for pod in cluster.objects("Pod", "green") if _waiting(pod) == "CrashLoopBackOff")
    text = str(error)
    assert f"pod {pod['metadata']['name']}" in text
    assert "CrashLoopBackOff" in text
    assert "exited with 1 before" in text
    assert "restarts" in text
    assert f"last log lines of {pod['metadata']['name']}/app" in text
    assert "this image gives up at its start" in text
    assert "kubectl -n store describe deployment app-green" in text


def test_the_evidence_holds_the_last_events(clock: Clock) -> None:
    text = str(failure(rollout("config-key-missing", clock)))
    assert 'event Failed: Error: configmap "missing" not found' in text


def test_events_of_other_pods_are_no_evidence(clock: Clock) -> None:
    cluster = rollout("crash", clock)
    event = copy.deepcopy(next(event.object for event in cluster.events() if event.object["kind"] == "Event"))
    event["metadata"].update(name="other", uid="other")
    event["involvedObject"]["name"] = "app-blue-of-somebody-else"
    event["message"] = "nothing to do with it"
    clock.at(1, lambda: cluster.put(event))
    assert "nothing to do with it" not in str(failure(cluster))


def test_the_evidence_is_bounded(clock: Clock) -> None:
    cluster = rollout("crash", clock)
    long = {pod: {"app": ["x" * 5000 + "\n"] * 2} for pod in cluster.recording.logs}
    cluster.recording = cluster.recording._replace(logs=long)
    events = [event.object for event in cluster.events() if event.object["kind"] == "Event"]

    def many_more() -> None:
        pod = next(pod for pod in cluster.objects("Pod", "green") if pod["status"]["phase"] == "Pending")
        for number in range(40):
            for item, about in (
                (pod, {}),
                (
                    events[0],
                    {"involvedObject": {"kind": "Pod", "name": f"more-{number}"}, "message": f"{number}" * 999},
                ),
            ):
                more = copy.deepcopy(dict(item, **about))
                more["metadata"].update(name=f"more-{number}", uid=f"more-{number}")
                cluster.put(more)

    clock.at(0.3, many_more)
    text = str(failure(cluster))
    assert "last log lines" in text
    assert "event " in text
    assert len(text.splitlines()) <= 60
    assert len(text) <= 20_000


def test_the_pods_are_in_the_result_of_a_failure(clock: Clock) -> None:
    error = failure(rollout("crash", clock))
    states = [pod["state"] for pod in error.result["pods"] if not pod["ready"]]
    assert any("CrashLoopBackOff" in state for state in states)
    assert any(pod["restarts"] >= 1 for pod in error.result["pods"])


def test_an_event_without_its_parts_is_none_of_them() -> None:
    clock = Clock()
    cluster = RecordedCluster("volume-missing", "end", clock)
    for number, event in enumerate([{}, {"reason": "FailedMount"}, {"message": None}]):
        about = {"involvedObject": {"kind": "Pod"}, "type": "Warning"}
        cluster.put({"kind": "Event", "metadata": {"name": f"event-{number}"}, **about, **event})
    assert _measured(cluster, clock, timeout=40).reason == "rollout_failed"


def test_on_the_way_back_one_pod_may_be_missing(clock: Clock) -> None:
    """Before writes are frozen for a rollback, its pods are waited for; one that is not ready stops nobody."""
    cluster = recorded.switched(previous_replicas=3)
    cluster.clock = clock
    pod = cluster.objects("Pod", "blue")[0]
    next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    cluster.one("Deployment", "app-blue")["status"].update(readyReplicas=2, availableReplicas=2)
    began = clock.now
    assert wait(cluster, color="blue", timeout=30, way_back=True)["ready"] is True
    assert clock.now - began == pytest.approx(30, abs=1)


# --- what is waited for is what was deployed


def _another_image(cluster: RecordedCluster) -> None:
    change = {"image": "myapp:3.0"}
    cluster.touch(
        "Deployment", "app-green", lambda item: item["spec"]["template"]["spec"]["containers"][0].update(change)
    )


def _template(cluster: RecordedCluster) -> str:
    return template_hash(cluster.one("Deployment", "app-green"))


@pytest.mark.parametrize("seconds", [0.001, 1])
def test_a_template_that_somebody_changes_ends_it(seconds: float, clock: Clock) -> None:
    cluster = rollout("release", clock)
    deployed, began = _template(cluster), clock.now
    clock.at(seconds, lambda: _another_image(cluster))
    error = failure(cluster, template_hash=deployed)
    assert error.reason == "not_prepared"
    assert "The pod template of app-green was changed by somebody else" in error.what
    assert f"template_hash was {deployed}, it is {_template(cluster)}" in str(error)
    assert clock.now - began == pytest.approx(seconds, abs=0.1)


def test_a_template_that_was_changed_before_it(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    assert failure(cluster, template_hash="another").reason == "not_prepared"
    assert wait(cluster, template_hash=_template(cluster))["ready"] is True
    assert wait(cluster, template_hash="")["ready"] is True


@pytest.mark.parametrize(
    "owners",
    [
        pytest.param([], id="made by itself"),
        pytest.param([{"kind": "Job", "name": "reindex", "controller": True}], id="a Job's"),
        pytest.param(
            [{"kind": "ReplicaSet", "name": "app-green-two-1", "controller": True}], id="another Deployment's"
        ),
    ],
)
def test_a_pod_with_the_colors_labels_that_is_none_of_its_own_is_not_waited_for(owners: list[dict[str, Any]]) -> None:
    cluster = RecordedCluster(at="ready")
    stranger = cluster.objects("Pod")[0]
    labels = dict(cluster.one("Deployment", "app-green")["spec"]["template"]["metadata"]["labels"])
    cluster.put({**stranger, "metadata": {"name": "stranger", "labels": labels, "ownerReferences": owners}})
    result = wait(cluster, timeout=0)
    assert "stranger" not in [pod["name"] for pod in result["pods"]]
    assert len(result["pods"]) == 3
