# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch: one fenced write a Service, recorded in the same write, and observed."""

from __future__ import annotations

import copy
import functools
import json
import re
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color, lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from loopback import Answer, Loopback, Seen, as_json, free_port
from recorded import Clock, RecordedCluster

STATE = "bluegreen.kubernetes/state"
STAMP = "bluegreen.kubernetes/lock-id"
BOTH = ["myapp", "myapp-internal"]
BLUE, GREEN = {"app": "myapp", "version": "blue"}, {"app": "myapp", "version": "green"}


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    """Blue is live, green is ready; once the Service is switched, its EndpointSlices do what was recorded."""
    ready = RecordedCluster(at="ready", clock=clock)
    events = ready.events()[len(ready.events("ready")) :]
    ready.after("patch", "Service", lambda: ready.replay(events[1:], since=events[0].at))
    return ready


def switch(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_switch, cluster, said, **{"color": "green", **options})


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        switch(cluster, **options)
    return caught.value


def selector(cluster: RecordedCluster, name: str = "myapp") -> dict[str, str]:
    return cluster.one("Service", name)["spec"]["selector"]


def state(cluster: RecordedCluster) -> dict[str, Any]:
    return json.loads(cluster.one("Service", "myapp")["metadata"]["annotations"][STATE])


def annotate(cluster: RecordedCluster, key: str, text: str, name: str = "myapp") -> None:
    cluster.touch("Service", name, lambda item: item["metadata"].setdefault("annotations", {}).update({key: text}))


def preconditions(operations: list[dict[str, Any]]) -> dict[str, Any]:
    return {operation["path"]: operation["value"] for operation in operations if operation["op"] == "test"}


def test_the_freeze_ends_when_the_endpoints_have_followed(cluster: RecordedCluster) -> None:
    result = switch(cluster, frozen_at=_time.written(datetime.now(timezone.utc) - timedelta(seconds=2)))
    assert 2000 <= result["frozen_ms"] < 60_000
    assert result["msg"].endswith("writes were frozen for {0} ms.".format(result["frozen_ms"]))


def test_a_freeze_of_no_known_begin_is_refused_before_anything(cluster: RecordedCluster) -> None:
    assert failure(cluster, frozen_at="soon").reason == "bad_input"
    assert cluster.requests == []


# --- one write


def test_one_patch_tests_the_whole_selector_and_replaces_it_whole(cluster: RecordedCluster) -> None:
    result = switch(cluster)
    assert selector(cluster) == GREEN
    (write,) = cluster.writes
    assert (write.verb, write.kind, write.name) == ("patch", "Service", "myapp")
    assert preconditions(write.body)["/spec/selector"] == BLUE
    assert {"op": "replace", "path": "/spec/selector", "value": GREEN} in write.body
    order = [(operation["op"], operation["path"]) for operation in write.body]
    assert order.index(("test", "/spec/selector")) < order.index(("replace", "/spec/selector"))
    assert (result["changed"], result["from_color"], result["to_color"]) == (True, "blue", "green")
    assert result["diff"]["before"] == {"myapp": {"selector": BLUE}}
    assert result["diff"]["after"] == {"myapp": {"selector": GREEN}}


def test_the_record_is_in_the_same_patch(cluster: RecordedCluster) -> None:
    switch(cluster, by="ann", job="42")
    newest = state(cluster)["history"][0]
    for key, value in {
        "color": "green",
        "from_color": "blue",
        "version": "2.0",
        "image": "myapp:2.0",
        "previous_version": "1.0",
        "previous_image": "myapp:1.0",
        "replicas": 3,
        "by": "ann",
        "job": "42",
    }.items():
        assert newest[key] == value
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", newest["switched_at"])
    assert len(cluster.writes) == 1
    assert recorded.run(current_color, cluster)["previous_color"] == "blue"


def test_annotations_and_history_of_before_are_kept(cluster: RecordedCluster) -> None:
    annotate(cluster, "team", "shop")
    annotate(cluster, STATE, json.dumps({"schema": 1, "history": [_entry("r0")], "intent": None}))
    switch(cluster)
    assert cluster.one("Service", "myapp")["metadata"]["annotations"]["team"] == "shop"
    assert [entry["run"] for entry in state(cluster)["history"][1:]] == ["r0"]


def _entry(run: str) -> dict[str, Any]:
    return {
        "run": run,
        "color": "blue",
        "from_color": "green",
        "version": "1.0",
        "image": "myapp:1.0",
        "previous_version": "0.9",
        "previous_image": "myapp:0.9",
        "replicas": 3,
        "switched_at": "2026-01-01T00:00:00.000Z",
        "outcome": "released",
    }


def test_what_is_live_already_is_not_written(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    result = switch(cluster)
    assert (result["changed"], result["to_color"]) == (False, "green")
    assert cluster.writes == []
    assert "is live already" in result["msg"]


def test_switching_back_is_the_same(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)

    def follow() -> None:
        (piece,) = cluster.objects("EndpointSlice")
        pods = [pod["metadata"]["name"] for pod in cluster.objects("Pod", "blue")]
        piece["endpoints"] = [{"conditions": {"ready": True}, "targetRef": {"name": name}} for name in pods]

    cluster.after("patch", "Service", lambda: clock.at(0.05, follow))
    result = switch(cluster, color="blue")
    assert (result["from_color"], result["to_color"], result["endpoints_ms"]) == ("green", "blue", 50)
    assert selector(cluster) == BLUE


def test_an_unknown_color_is_refused(cluster: RecordedCluster) -> None:
    error = failure(cluster, color="red")
    assert error.reason == "bad_input"
    assert cluster.writes == []


def test_a_color_without_deployment_is_refused(cluster: RecordedCluster) -> None:
    cluster.remove("Deployment", "app-green")
    assert failure(cluster).reason == "not_found"
    assert failure(cluster, force=True).reason == "not_found"
    assert cluster.writes == []


# --- somebody else writes


def test_a_selector_that_was_changed_since_the_decision_is_refused(cluster: RecordedCluster) -> None:
    """The decision was made on the selectors that bg_current_color returned."""
    seen = recorded.run(current_color, cluster)["selectors"]
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].pop("app"))
    error = failure(cluster, selectors=seen)
    assert error.reason == "changed_selector"
    assert 'it was {"app": "myapp", "version": "blue"}' in str(error)
    assert 'it is  {"version": "blue"}' in str(error)
    assert cluster.writes == []


def test_a_selector_that_is_changed_at_the_last_moment_is_refused(cluster: RecordedCluster) -> None:
    cluster.before(
        "patch",
        "Service",
        lambda: cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(tier="new")),
    )
    error = failure(cluster)
    assert error.reason == "changed_selector"
    assert 'expected {"app": "myapp", "version": "blue"}' in str(error)
    assert 'found    {"app": "myapp", "tier": "new", "version": "blue"}' in str(error)
    assert selector(cluster) == {**BLUE, "tier": "new"}


def test_somebody_elses_switch_is_not_taken_for_our_own(cluster: RecordedCluster) -> None:
    """At the last moment another run, without any lock, has done the same switch."""
    cluster.before(
        "patch",
        "Service",
        lambda: cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green")),
    )
    assert failure(cluster).reason == "changed_selector"


def test_a_change_of_another_field_meanwhile_does_not_matter(cluster: RecordedCluster) -> None:
    cluster.before("patch", "Service", lambda: annotate(cluster, "team", "shop"))
    assert switch(cluster)["changed"] is True
    assert selector(cluster) == GREEN
    assert cluster.one("Service", "myapp")["metadata"]["annotations"]["team"] == "shop"


def test_a_service_that_never_holds_still_is_given_up(cluster: RecordedCluster) -> None:
    numbers = iter(range(1000))
    cluster.before("patch", "Service", lambda: annotate(cluster, "n", str(next(numbers))), nth=None)
    error = failure(cluster)
    assert error.reason == "conflict"
    assert selector(cluster) == BLUE
    assert 2 <= len(cluster.writes) <= 10


def test_a_service_that_is_deleted_at_the_last_moment(cluster: RecordedCluster) -> None:
    def delete() -> None:
        cluster.remove("Service", "myapp")
        raise PatchConflict("no such Service any more", "conflict", 409)

    cluster.before("patch", "Service", delete)
    error = failure(cluster)
    assert error.reason == "not_found"
    assert "Service myapp was deleted" in str(error) and '"version": "blue"' in str(error)


@pytest.mark.parametrize("releases", [0, 10])
@pytest.mark.parametrize("lock_id", [None, "ours"])
def test_a_write_whose_answer_was_lost_is_recognised_as_our_own(
    releases: int, lock_id: str | None, cluster: RecordedCluster
) -> None:
    """The connection broke after the write; sent again, its test fails, since it has been carried out already."""
    history = [_entry(f"r{number}") for number in range(releases)]
    annotate(cluster, STATE, json.dumps({"schema": 1, "history": history, "intent": None}))
    if lock_id:
        annotate(cluster, STAMP, lock_id)

    def lost() -> None:
        raise PatchConflict("The API server refused 'patch ...' (HTTP 422)", "conflict", 422)

    cluster.after("patch", "Service", lost, nth=1)
    result = switch(cluster, lock_id=lock_id)
    assert result["changed"] is True
    assert selector(cluster) == GREEN
    assert len(cluster.writes) == 1


def test_a_refusal_that_is_no_conflict_is_not_retried(cluster: RecordedCluster) -> None:
    def forbidden() -> None:
        raise ApiError("The API server refused 'patch Service myapp' (HTTP 403)", "forbidden", 403)

    cluster.before("patch", "Service", forbidden)
    assert failure(cluster).reason == "forbidden"
    assert selector(cluster) == BLUE
    assert len(cluster.writes) == 1


# --- can the color carry the traffic?


def test_too_few_ready_pods_are_refused(cluster: RecordedCluster) -> None:
    cluster.one("Deployment", "app-green")["status"]["readyReplicas"] = 2
    error = failure(cluster)
    assert error.reason == "not_ready"
    assert "green cannot carry the traffic: 2 pods ready, 3 needed." in str(error)
    assert "force" in str(error)
    assert cluster.writes == []


def test_as_many_pods_as_the_live_color_has_are_needed(cluster: RecordedCluster) -> None:
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=5))
    error = failure(cluster)
    assert error.reason == "not_ready"
    assert "3 pods ready, 5 needed" in str(error)


def test_what_the_color_that_is_left_had_is_recorded(cluster: RecordedCluster) -> None:
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=2))
    switch(cluster)
    assert (state(cluster)["history"][0]["replicas"], state(cluster)["history"][0]["previous_replicas"]) == (3, 2)


def test_the_restarts_of_the_new_pods_are_recorded(cluster: RecordedCluster) -> None:
    """So that those after it can be told from them."""
    for color, count in (("green", 2), ("blue", 7)):
        cluster.objects("Pod", color)[0]["status"]["containerStatuses"][0]["restartCount"] = count
    switch(cluster)
    assert state(cluster)["history"][0]["restarts"] == 2


@pytest.mark.parametrize("force", [False, True])
def test_the_way_back_needs_what_the_color_had(force: bool, cluster: RecordedCluster) -> None:
    """As rollback.yml goes it."""
    entry = dict(_entry("r0"), previous_replicas=3, replicas=10)
    annotate(cluster, STATE, json.dumps({"schema": 1, "history": [entry], "intent": None}))
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=10))
    assert switch(cluster, way_back=True, force=force)["changed"] is True
    assert [write.kind for write in cluster.writes] == ["Service"]


@pytest.mark.parametrize("forward", [False, True])
def test_nobody_answers_the_probe_of_a_broken_color(
    forward: bool, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way back, and where a release mends what is live."""
    monkeypatch.setattr(_switch, "PROBE_TIMEOUT", 0.2)
    cluster = RecordedCluster(at="ready", clock=Clock())
    for pod in cluster.objects("Pod", "blue") if forward else []:
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    cluster.after("patch", "Service", lambda: _slice(cluster, *map(_end, cluster.objects("Pod", "green"))))
    loopback.answer = lambda seen: as_json({"color": "green" if selector(cluster) == GREEN else "none"})
    result = switch(cluster, way_back=not forward, probe={"url": loopback.url, "color_from": {"json": "color"}})
    assert (result["changed"], result["last_old_ms"]) == (True, None)


@pytest.mark.parametrize("behind", ["the status", "the pods"])
def test_ready_pods_of_an_older_template_carry_no_traffic(behind: str, cluster: RecordedCluster) -> None:
    """The image has just been changed: the pods that are ready are those that a rollout is about to replace."""
    green = cluster.one("Deployment", "app-green")
    if behind == "the status":
        green["metadata"]["generation"] += 1
    else:
        green["status"]["updatedReplicas"] = 1
    error = failure(cluster)
    assert error.reason == "not_ready"
    assert "its rollout is not complete" in str(error)
    assert cluster.writes == []


def test_a_live_color_that_was_scaled_to_nothing_needs_the_pods_of_its_switch(cluster: RecordedCluster) -> None:
    """Somebody has scaled the live color to 0: its traffic has not become less."""
    entry = dict(_entry("r0"), replicas=5)
    annotate(cluster, STATE, json.dumps({"schema": 1, "history": [entry], "intent": None}))
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=0))
    assert "3 pods ready, 5 needed" in str(failure(cluster))


def test_the_color_that_is_left_need_not_be_well(cluster: RecordedCluster) -> None:
    """Law 3: the way back never depends on the broken color."""
    cluster.one("Deployment", "app-blue")["status"] = {"unavailableReplicas": 3}
    for pod in cluster.objects("Pod", "blue"):
        pod["status"] = {"phase": "Failed"}
    assert switch(cluster)["changed"] is True


def test_with_a_timeout_the_color_is_scaled_up_and_waited_for_first(clock: Clock) -> None:
    """A rollback to a color that was scaled down: the recorded rollout brings its pods."""
    cluster = recorded.rollout("release", clock)
    green = cluster.one("Deployment", "app-green")
    green["spec"]["replicas"] = 1
    written: list[tuple[str, float]] = []
    began = clock.now
    cluster.after("patch", "Deployment", lambda: written.append(("scaled", clock.now - began)))
    events = cluster.events()[len(cluster.events("ready")) :]

    def switched() -> None:
        written.append(("switched", clock.now - began))
        cluster.replay(events[1:], since=events[0].at)

    cluster.after("patch", "Service", switched)
    said: list[str] = []
    assert switch(cluster, said, wait_timeout=60)["changed"] is True
    assert [what for what, _at in written] == ["scaled", "switched"]
    assert cluster.one("Deployment", "app-green")["spec"]["replicas"] == 3
    assert written[1][1] >= 1, "the pods were not there before"
    assert any("green is scaled from 1 to 3 pods before the switch" in line for line in said)


def test_an_autoscaler_at_the_last_moment_is_no_reason_not_to_switch(cluster: RecordedCluster) -> None:
    more = functools.partial(cluster.touch, "Deployment", "app-green", lambda item: item["spec"].update(replicas=5))
    cluster.before("watch", "EndpointSlice", more)
    assert switch(cluster)["changed"] is True


def test_a_color_that_does_not_come_up_is_not_switched_to(clock: Clock) -> None:
    cluster = recorded.rollout("never-ready", clock)
    error = failure(cluster, wait_timeout=20)
    assert error.reason == "timeout"
    assert selector(cluster) == BLUE
    assert [write.kind for write in cluster.writes if write.kind == "Service"] == []


def test_a_switch_by_somebody_else_while_waiting_is_seen(clock: Clock) -> None:
    cluster = recorded.rollout("release", clock)
    seen = recorded.run(current_color, cluster)["selectors"]
    clock.at(
        1, lambda: cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    )
    error = failure(cluster, wait_timeout=60, selectors=seen)
    assert error.reason == "changed_selector"
    assert cluster.writes == []


def test_force_switches_without_asking(cluster: RecordedCluster) -> None:
    cluster.one("Deployment", "app-green")["status"]["readyReplicas"] = 0
    assert switch(cluster, force=True)["changed"] is True
    assert selector(cluster) == GREEN


# --- check mode


def test_check_mode_sends_nothing_but_a_dry_run(clock: Clock) -> None:
    cluster = RecordedCluster(at="start", clock=clock, dry_run=True)
    result = switch(cluster)
    assert result["changed"] is True
    assert result["diff"]["after"] == {"myapp": {"selector": GREEN}}
    assert [(write.verb, write.kind, write.dry_run) for write in cluster.writes] == [("patch", "Service", True)]
    assert selector(cluster) == BLUE
    assert "would be switched" in result["msg"]
    assert result.get("endpoints_ms") is None


def test_check_mode_records_no_release(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock, dry_run=True)
    switch(cluster)
    assert STATE not in json.dumps(cluster.writes[0].body)


# --- the endpoints that will be


def _pods(cluster: RecordedCluster, change: Callable[[dict[str, Any]], Any]) -> None:
    for pod in cluster.objects("Pod", "green"):
        change(pod)


def _port(pod: dict[str, Any], **fields: Any) -> None:
    pod["spec"]["containers"][0]["ports"][0].update(fields)


def _nowhere(cluster: RecordedCluster, **options: Any) -> str:
    error = failure(cluster, **options)
    assert error.reason == "endpoints"
    assert (cluster.writes, selector(cluster)) == ([], BLUE)
    return str(error)


@pytest.mark.parametrize("force", [False, True])
def test_a_port_that_the_pods_have_under_another_name_is_none(force: bool, cluster: RecordedCluster) -> None:
    _pods(cluster, lambda pod: _port(pod, name="web"))
    text = _nowhere(cluster, force=force)
    assert "Service myapp would lead nowhere when green is live: its port http goes to port http of the pods" in text
    assert "has web (8080/TCP)" in text


def test_a_port_of_another_protocol_is_another_one(cluster: RecordedCluster) -> None:
    _pods(cluster, lambda pod: _port(pod, protocol="UDP"))
    _nowhere(cluster)


def test_every_port_counts(cluster: RecordedCluster) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81, "targetPort": "admin"}]
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(ports=ports))
    assert "its port admin goes to port admin of the pods" in _nowhere(cluster)


@pytest.mark.parametrize("options", [{"way_back": True}, {"force": True}])
def test_a_port_that_the_service_has_got_since_stops_no_way_back(
    options: dict[str, Any], cluster: RecordedCluster
) -> None:
    """Users of its other ports are served again."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81, "targetPort": "admin"}]
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(ports=ports))
    assert switch(cluster, **options)["changed"] is True


def test_nor_does_one_pod_that_a_service_does_not_select(two: RecordedCluster) -> None:
    """As one that is not ready does not."""
    two.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].update(tier="web"))
    for item in (two.one("Deployment", "app-blue"), two.one("Deployment", "app-green")):
        item["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
    for pod in two.objects("Pod", "green")[:2]:
        pod["metadata"]["labels"]["tier"] = "web"
    assert switch(two, services=BOTH, way_back=True)["changed"] is True


def test_a_number_that_the_live_pods_have_and_the_new_ones_have_not(cluster: RecordedCluster) -> None:
    cluster.touch("Service", "myapp", lambda item: item["spec"]["ports"][0].update(targetPort=8080))
    _pods(cluster, lambda pod: _port(pod, containerPort=9090))
    assert "its port http goes to port 8080 of the pods" in _nowhere(cluster)


@pytest.mark.parametrize("declared", [None, 8080])
def test_a_number_need_not_be_declared(declared: int | None, cluster: RecordedCluster) -> None:
    """Kubernetes leads to it all the same; only what the live pods say, and the new ones do not, is a mistake."""
    cluster.touch("Service", "myapp", lambda item: item["spec"]["ports"][0].update(targetPort=8080))
    for pod in cluster.objects("Pod", "green" if declared else ""):
        del pod["spec"]["containers"][0]["ports"]
    assert switch(cluster)["changed"] is True


@pytest.mark.parametrize("restarts", ["Always", None])
def test_a_native_sidecar_has_ports_and_another_init_container_has_none(
    restarts: str | None, cluster: RecordedCluster
) -> None:
    def aside(pod: dict[str, Any]) -> None:
        ports = pod["spec"]["containers"][0].pop("ports")
        aside = {"name": "proxy", "image": "proxy:1", "ports": ports}
        pod["spec"]["initContainers"] = [{**aside, "restartPolicy": restarts} if restarts else aside]

    _pods(cluster, aside)
    if restarts:
        assert switch(cluster)["changed"] is True
    else:
        _nowhere(cluster)


def test_pods_that_a_service_does_not_select_are_none(two: RecordedCluster) -> None:
    """The template has the label, but the pods are older than that, or somebody has taken it off."""
    two.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].update(tier="web"))
    for color in ("blue", "green"):
        labels = two.one("Deployment", f"app-{color}")["spec"]["template"]["metadata"]["labels"]
        labels["tier"] = "web"
    two.objects("Pod", "green")[0]["metadata"]["labels"]["tier"] = "web"
    text = _nowhere(two, services=BOTH)
    assert "Service myapp-internal would have 1 endpoint when green is live, 3 are needed" in text
    assert 'its selector will be {"app": "myapp", "tier": "web", "version": "green"}' in text


def test_ready_pods_are_counted_themselves(cluster: RecordedCluster) -> None:
    """The status of the Deployment is a moment behind."""
    pod = cluster.objects("Pod", "green")[0]
    next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    error = failure(cluster)
    assert (error.reason, cluster.writes) == ("not_ready", [])
    assert "green cannot carry the traffic: 2 pods ready, 3 needed" in str(error)


@pytest.mark.parametrize("what", ["deleted", "template"])
def test_what_becomes_of_the_deployment_while_it_is_waited_for(what: str, cluster: RecordedCluster) -> None:
    green = cluster.one("Deployment", "app-green")
    seen = recorded.run(current_color, cluster)["colors"]["green"]["template_hash"]

    def change() -> None:
        if what == "deleted":
            green["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        else:
            green["spec"]["template"]["spec"]["containers"][0]["image"] = "myapp:3.0"

    cluster.before("watch", "EndpointSlice", change)
    error = failure(cluster, template_hash=seen)
    assert error.reason == {"deleted": "not_found", "template": "not_prepared"}[what]
    assert (cluster.writes, selector(cluster)) == ([], BLUE)


# --- the endpoints


def test_the_time_until_the_endpoints_have_followed(cluster: RecordedCluster, clock: Clock) -> None:
    said: list[str] = []
    result = switch(cluster, said)
    (piece,) = cluster.objects("EndpointSlice")
    assert {end["targetRef"]["name"] for end in piece["endpoints"]} == {
        pod["metadata"]["name"] for pod in cluster.objects("Pod", "green")
    }
    assert 0 <= result["endpoints_ms"] < 2000
    assert any("switched from blue to green" in line for line in said)


def _slice(cluster: RecordedCluster, *ends: dict[str, Any]) -> None:
    (piece,) = cluster.objects("EndpointSlice")
    piece["endpoints"] = [dict(end) for end in ends]


def _end(pod: dict[str, Any], **conditions: bool) -> dict[str, Any]:
    return {"targetRef": {"name": pod["metadata"]["name"]}, "conditions": conditions}


def test_the_endpoints_must_hold_exactly_the_ready_pods(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    green, blue = cluster.objects("Pod", "green"), cluster.objects("Pod", "blue")
    began = clock.now
    steps = [
        (1.0, [*map(_end, green[:2])]),  # one is missing
        (2.0, [*map(_end, green), _end(blue[0], ready=True)]),  # an old one is still there
        (3.0, [*map(_end, green[:2]), _end(green[2], ready=False)]),  # one is not ready
        (4.0, [*map(_end, green), _end(blue[0], ready=False)]),  # the old one takes no traffic any more
    ]
    for seconds, ends in steps:
        clock.at(seconds, functools.partial(_slice, cluster, *ends))
    result = switch(cluster)
    assert clock.now - began == pytest.approx(4 + _switch.NODES_PAUSE, abs=0.05)
    assert result["endpoints_ms"] == pytest.approx(4000, abs=50)


def test_the_endpoints_must_have_the_services_ports(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    (piece,) = cluster.objects("EndpointSlice")
    right = piece["ports"]
    green = [*map(_end, cluster.objects("Pod", "green"))]
    began = clock.now
    clock.at(1.0, lambda: piece.update(endpoints=green, ports=[]))
    clock.at(2.0, lambda: piece.update(ports=[dict(right[0], port=9090)]))
    clock.at(3.0, lambda: piece.update(ports=right))
    assert switch(cluster)["endpoints_ms"] == pytest.approx(3000, abs=50)
    assert clock.now - began == pytest.approx(3 + _switch.NODES_PAUSE, abs=0.05)


def test_what_belongs_to_neither_color_does_not_count(clock: Clock) -> None:
    """A slice that somebody has made by hand, and a pod of nobody's that the Service selects."""
    cluster = RecordedCluster(at="ready", clock=clock)
    green = cluster.objects("Pod", "green")
    labels = {"kubernetes.io/service-name": "myapp"}
    ends = [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]
    cluster.put({"kind": "EndpointSlice", "metadata": {"name": "by-hand", "labels": labels}, "endpoints": ends})
    stranger = copy.deepcopy(green[0])
    stranger["metadata"].update(name="stranger", uid="stranger", labels={"app": "other"})
    piece = cluster.objects("EndpointSlice")[0]
    clock.at(1.0, lambda: piece.update(endpoints=[*map(_end, [*green, stranger])]))
    assert switch(cluster)["endpoints_ms"] == pytest.approx(1000, abs=50)


def test_a_service_that_publishes_pods_that_are_not_ready(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(publishNotReadyAddresses=True))
    green = cluster.objects("Pod", "green")
    starting = copy.deepcopy(green[0])
    starting["metadata"].update(name="app-green-starting", uid="starting")
    next(item for item in starting["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    cluster.put(starting)
    clock.at(1.0, functools.partial(_slice, cluster, *map(_end, [*green, starting])))
    assert switch(cluster)["endpoints_ms"] == pytest.approx(1000, abs=50)


def _never_followed(clock: Clock) -> RecordedCluster:
    """The switch to green was never followed, and now it is taken back."""
    cluster = RecordedCluster(at="ready", clock=clock)
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    return cluster


def test_endpoints_of_before_the_switch_say_nothing(clock: Clock) -> None:
    """The controller comes to the first switch only now."""
    cluster = _never_followed(clock)
    green, blue = ([*map(_end, cluster.objects("Pod", color))] for color in ("green", "blue"))
    clock.at(0.5, functools.partial(_slice, cluster, *green))
    clock.at(1.5, functools.partial(_slice, cluster, *blue))
    assert switch(cluster, color="blue")["endpoints_ms"] == pytest.approx(1500, abs=50)


def test_what_was_not_observed_is_no_number(clock: Clock) -> None:
    cluster = _never_followed(clock)
    frozen_at = _time.written(datetime.now(timezone.utc) - timedelta(seconds=2))
    result = switch(cluster, color="blue", frozen_at=frozen_at)
    assert (result["changed"], result["endpoints_ms"], result.get("frozen_ms")) == (True, None, None)
    assert result["msg"] == "blue is live: its endpoints were there before the switch."


def test_nothing_is_said_until_the_nodes_had_time_to_follow(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    said: list[str] = []
    seen: list[int] = []
    clock.at(1.0, functools.partial(_slice, cluster, *map(_end, cluster.objects("Pod", "green"))))
    clock.at(1.0 + _switch.NODES_PAUSE - 0.01, lambda: seen.append(len(said)))
    switch(cluster, said)
    assert seen == [0]
    assert "switched from blue to green" in said[0]


def test_no_endpoints_are_not_those_of_a_color_without_ready_pods(clock: Clock) -> None:
    """Switched by force, before any pod is ready: the users have nobody yet."""
    cluster = RecordedCluster(at="ready", clock=clock)
    ready = [
        item
        for pod in cluster.objects("Pod", "green")
        for item in pod["status"]["conditions"]
        if item["type"] == "Ready"
    ]
    for condition in ready:
        condition["status"] = "False"
    _slice(cluster)

    def come_up() -> None:
        for condition in ready:
            condition["status"] = "True"
        _slice(cluster, *map(_end, cluster.objects("Pod", "green")))

    began = clock.now
    clock.at(7, come_up)
    switch(cluster, force=True)
    assert clock.now - began == pytest.approx(7, abs=1.1)


def test_endpoints_that_never_follow_are_an_error_that_knows_what_was_switched(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    began = clock.now
    said: list[str] = []
    error = failure(cluster, said=said)
    assert error.reason == "endpoints"
    assert [line for line in said if "not followed yet" in line] == [
        "switched, but the EndpointSlices have not followed yet; waiting for up to 180 s"
    ]
    assert clock.now - began == pytest.approx(180, abs=2)
    assert cluster.objects("Pod", "blue")[0]["metadata"]["name"] in str(error)
    assert cluster.objects("Pod", "green")[0]["metadata"]["name"] in str(error)
    assert (error.result["to_color"], error.result["changed"]) == ("green", True)
    assert "green (version 2.0)" in (cluster.live or "")
    assert selector(cluster) == GREEN


def _crashes(cluster: RecordedCluster, *colors: str) -> None:
    """No pod of these colors is ready any more."""
    for pod in [pod for color in colors for pod in cluster.objects("Pod", color)]:
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"


def test_a_color_that_loses_every_pod_at_the_switch_is_not_waited_for(clock: Clock) -> None:
    cluster = RecordedCluster(at="ready", clock=clock)
    cluster.after("patch", "Service", lambda: _crashes(cluster, "green"))
    began = clock.now
    error = failure(cluster)
    assert (error.reason, error.result["changed"]) == ("not_ready", True)
    assert clock.now - began < 10
    assert "green" in error.what and cluster.objects("Pod", "green")[0]["metadata"]["name"] in str(error)


def test_nor_where_only_the_probe_is_waited_for(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_switch, "LOST", 0.3)
    monkeypatch.setattr(_switch, "FOLLOW_TIMEOUT", 5)
    cluster = RecordedCluster(at="ready", clock=Clock())
    cluster.after("patch", "Service", lambda: _slice(cluster, *map(_end, cluster.objects("Pod", "green"))))
    monkeypatch.setattr(cluster, "sleep", lambda seconds: _crashes(cluster, "green"))  # once the endpoints are there
    loopback.answer = lambda seen: as_json({"color": "blue"})
    error = failure(cluster, probe={"url": loopback.url, "color_from": {"json": "color"}})
    assert (error.reason, error.result["changed"]) == ("not_ready", True)


@pytest.mark.parametrize("options", [{"force": True}, {"way_back": True}, {}])
def test_where_nothing_better_is_there_it_is(options: dict[str, Any], clock: Clock) -> None:
    """In an emergency the pods may be on their way still; and where the old color has none either, nobody need go back."""
    cluster = RecordedCluster(at="ready", clock=clock)
    cluster.after("patch", "Service", lambda: _crashes(cluster, "green", *([] if options else ["blue"])))

    def come() -> None:
        for pod in cluster.objects("Pod", "green"):
            next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "True"
        _slice(cluster, *map(_end, cluster.objects("Pod", "green")))

    clock.at(20, come)
    assert switch(cluster, **options)["endpoints_ms"] == pytest.approx(20000, abs=1100)


# --- the probe: what users see


def test_the_last_old_answer_is_measured(loopback: Loopback) -> None:
    """In real time: the old color answers for half a second after the switch."""
    cluster = RecordedCluster(at="ready", clock=Clock())
    moments: dict[str, float] = {}

    def follow() -> None:
        _slice(cluster, *map(_end, cluster.objects("Pod", "green")))
        moments["switched"] = time.monotonic()

    def answer(_seen: Seen) -> Answer:
        now = time.monotonic()
        color = "green" if now > moments.get("switched", now) + 0.5 else "blue"
        moments[color] = now
        return as_json({}, **{"X-Color": color})

    cluster.after("patch", "Service", follow)
    loopback.answer = answer
    result = switch(cluster, probe={"url": loopback.url + "/status", "color_from": {"header": "X-Color"}})
    truth = (moments["blue"] - moments["switched"]) * 1000
    assert result["last_old_ms"] == pytest.approx(truth, abs=200)
    ports = [seen.client[1] for seen in loopback.seen]
    # The kernel may hand out a port again, but not at once.
    assert len(ports) > 5
    assert all(one != other for one, other in zip(ports, ports[1:])), (
        "every probe has a connection of its own, as a new user has"
    )
    assert f"last answer of blue after {result['last_old_ms']} ms" in result["msg"]
    time.sleep(0.2)  # what is on its way may arrive
    asked = len(loopback.seen)
    time.sleep(0.2)
    assert len(loopback.seen) == asked, "the probe has ended"


@pytest.mark.parametrize(
    ("color", "switched", "said"),
    [
        ("blue", True, "the old color still answers"),
        ("red", False, "the answer names no color, but 'red'"),
        ("green", False, "only green answers there, though blue is live"),
        (None, False, "Connection refused"),
    ],
)
def test_a_probe_that_does_not_see_the_switch(
    color: str | None, switched: bool, said: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache between the users and the Service. Nothing is switched for another application, or nothing at all."""
    monkeypatch.setattr(_switch, "FOLLOW_TIMEOUT", 0.5)
    monkeypatch.setattr(_switch, "PROBE_TIMEOUT", 0.5, raising=False)
    cluster = RecordedCluster(at="ready", clock=Clock())
    cluster.after("patch", "Service", lambda: _slice(cluster, *map(_end, cluster.objects("Pod", "green"))))
    loopback.answer = lambda seen: as_json({"color": color})
    url = loopback.url if color else f"http://127.0.0.1:{free_port()}"
    error = failure(cluster, probe={"url": url, "color_from": {"json": "color"}})
    assert error.reason == "probe"
    assert bool(cluster.writes) == switched
    assert said in str(error)
    assert url in str(error)
    assert (error.result.get("changed", False), error.result["to_color"]) == (switched, "green")


def test_without_a_probe_nothing_is_claimed_about_old_answers(cluster: RecordedCluster) -> None:
    assert switch(cluster).get("last_old_ms") is None


@pytest.mark.parametrize("color_from", [{}, {"json": None, "header": None}])
def test_a_probe_that_does_not_say_where_the_color_is_is_refused(
    color_from: dict[str, Any], cluster: RecordedCluster
) -> None:
    """By the argument spec, or by the operation, but before anything is switched."""
    with pytest.raises((AssertionError, BlueGreenError)):
        switch(cluster, probe={"url": "http://127.0.0.1:9/", "color_from": color_from})
    assert cluster.writes == []


# --- the lock


def test_the_lock_id_is_tested_in_the_same_patch(cluster: RecordedCluster) -> None:
    annotate(cluster, STAMP, "ours")
    switch(cluster, lock_id="ours")
    assert preconditions(cluster.writes[0].body)["/metadata/annotations/bluegreen.kubernetes~1lock-id"] == "ours"


def test_another_runs_lock_is_respected(cluster: RecordedCluster) -> None:
    annotate(cluster, STAMP, "theirs")
    assert failure(cluster).reason == "locked"
    assert failure(cluster, lock_id="ours").reason == "superseded"
    assert selector(cluster) == BLUE
    assert cluster.writes == []


def test_a_takeover_at_the_last_moment_stops_the_switch(cluster: RecordedCluster) -> None:
    annotate(cluster, STAMP, "ours")
    cluster.before("patch", "Service", lambda: annotate(cluster, STAMP, "theirs"))
    error = failure(cluster, lock_id="ours")
    assert error.reason == "superseded"
    assert "theirs" in str(error)
    assert selector(cluster) == BLUE


def test_a_lock_that_is_taken_at_the_last_moment_stops_a_switch_without_lock(cluster: RecordedCluster) -> None:
    cluster.before("patch", "Service", lambda: annotate(cluster, STAMP, "theirs"))
    assert failure(cluster).reason == "locked"
    assert selector(cluster) == BLUE


def test_a_locked_run_has_one_entry_in_the_history(cluster: RecordedCluster) -> None:
    lock_id = recorded.run(lock, cluster, by="ann", job="42", version="2.0")["lock_id"]
    switch(cluster, lock_id=lock_id)
    (entry,) = state(cluster)["history"]
    assert (entry["run"], entry["by"], entry["job"]) == (lock_id, "ann", "42")
    assert (entry["color"], entry["from_color"], entry["version"]) == ("green", "blue", "2.0")
    assert entry["outcome"] == "running"
    assert entry["switched_at"]


def _later(cluster: RecordedCluster, clock: Clock, seconds: float) -> None:
    """Some time after the switch to green; from now on the EndpointSlices follow a switch back to blue."""
    blue = cluster.objects("Pod", "blue")
    cluster.after("patch", "Service", lambda: clock.at(1, lambda: _slice(cluster, *map(_end, blue))), nth=None)
    clock.sleep(seconds)


def test_the_way_back_of_a_run_is_noted_in_its_entry(cluster: RecordedCluster, clock: Clock) -> None:
    lock_id = recorded.run(lock, cluster, version="2.0")["lock_id"]
    switch(cluster, lock_id=lock_id)
    _later(cluster, clock, 5)
    switch(cluster, color="blue", lock_id=lock_id)
    (entry,) = state(cluster)["history"]
    assert (entry["color"], bool(entry["switched_at"]), bool(entry["reverted_at"])) == ("green", True, True)
    assert selector(cluster) == BLUE


def test_the_way_back_from_another_runs_switch_is_noted_there(cluster: RecordedCluster, clock: Clock) -> None:
    first = recorded.run(lock, cluster, version="2.0")["lock_id"]
    switch(cluster, lock_id=first)
    _later(cluster, clock, 60)
    second = recorded.run(lock, cluster, version="2.0")["lock_id"]
    assert recorded.run(current_color, cluster)["unfinished"]["run"] == first
    switch(cluster, color="blue", lock_id=second, reverts=first)
    own, other = state(cluster)["history"]
    assert (own["run"], own["switched_at"]) == (second, None)
    assert (other["run"], other["outcome"], bool(other["reverted_at"])) == (first, "interrupted", True)
    now = recorded.run(current_color, cluster)
    # Killed now, it has nothing to go back to.
    assert (now["unfinished"], now["rollback_to"]["color"]) == (None, "blue")
    recorded.run(lock, cluster, state="released", lock_id=second, outcome="reverted")
    assert recorded.run(current_color, cluster)["rollback_to"] is None


def test_every_switch_without_a_lock_is_a_run_of_its_own(cluster: RecordedCluster, clock: Clock) -> None:
    switch(cluster)
    _later(cluster, clock, 5)
    switch(cluster, color="blue")
    runs = [entry["run"] for entry in state(cluster)["history"]]
    assert len(set(runs)) == len(runs) == 2


# --- several Services


@pytest.fixture
def lagging() -> set[str]:
    """Services whose EndpointSlices do not follow."""
    return set()


@pytest.fixture
def two(clock: Clock, lagging: set[str]) -> RecordedCluster:
    """Blue is live in two Services, green is ready; the EndpointSlices follow each switch in 50 ms."""
    cluster = RecordedCluster(at="ready", clock=clock)
    second = copy.deepcopy(cluster.one("Service", "myapp"))
    second["metadata"].update(name="myapp-internal", uid="second")
    cluster.put(second)
    (piece,) = copy.deepcopy(cluster.objects("EndpointSlice"))
    piece["metadata"].update(name="myapp-internal-slice", uid="second-slice")
    piece["metadata"]["labels"]["kubernetes.io/service-name"] = "myapp-internal"
    cluster.put(piece)

    def follow() -> None:
        for piece in cluster.objects("EndpointSlice"):
            service = cluster.one("Service", piece["metadata"]["labels"]["kubernetes.io/service-name"])
            if service["metadata"]["name"] in lagging:
                continue
            pods = cluster.objects("Pod", service["spec"]["selector"]["version"])
            piece["endpoints"] = [_end(pod) for pod in pods]

    cluster.after("patch", "Service", lambda: clock.at(0.05, follow), nth=None)
    return cluster


def test_all_services_are_switched_and_the_intent_is_recorded_first(two: RecordedCluster) -> None:
    intents: list[Any] = []
    two.before("patch", "Service", lambda: intents.append(_intent(two)), nth=None)
    result = switch(two, services=BOTH)
    assert (selector(two), selector(two, "myapp-internal")) == (GREEN, GREEN)
    assert result["changed"] is True
    first_change = next(number for number, write in enumerate(two.writes) if _moves(write.body))
    assert intents[first_change]["from"] == "blue"
    assert intents[first_change]["to"] == "green"
    assert state(two)["intent"] is None
    assert state(two)["history"][0]["color"] == "green"
    for write in two.writes:
        if _moves(write.body):
            assert preconditions(write.body)["/spec/selector"] == BLUE


def _intent(cluster: RecordedCluster) -> Any:
    annotations = cluster.one("Service", "myapp")["metadata"].get("annotations") or {}
    return json.loads(annotations[STATE])["intent"] if STATE in annotations else None


def _moves(operations: list[dict[str, Any]]) -> bool:
    return any(operation["op"] == "replace" and operation["path"] == "/spec/selector" for operation in operations)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_all_or_none(nth: int, two: RecordedCluster) -> None:
    """The API server refuses one of the writes."""

    def forbidden() -> None:
        raise ApiError("The API server refused it (HTTP 403)", "forbidden", 403)

    two.before("patch", "Service", forbidden, nth=nth)
    assert failure(two, services=BOTH).reason == "forbidden"
    assert (selector(two), selector(two, "myapp-internal")) == (BLUE, BLUE)
    assert _intent(two) is None


@pytest.mark.parametrize("nth", [2, 3])
def test_all_or_none_when_an_answer_is_lost(nth: int, two: RecordedCluster) -> None:
    """A write arrives, and the API server is away before it could say so: nothing is undone that is complete."""

    def lost() -> None:
        raise ApiError("The API server does not answer", "api_unreachable", 0)

    two.after("patch", "Service", lost, nth=nth)
    if nth == 3:
        assert switch(two, services=BOTH)["changed"] is True
    else:
        assert "All Services select blue again." in str(failure(two, services=BOTH))
    wanted = GREEN if nth == 3 else BLUE
    assert (selector(two), selector(two, "myapp-internal")) == (wanted, wanted)
    assert _intent(two) is None


def test_a_service_that_loses_its_color_while_the_switch_is_undone(two: RecordedCluster) -> None:
    def forbidden() -> None:
        two.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].pop("version"))
        raise ApiError("The API server refused it (HTTP 403)", "forbidden", 403)

    two.before("patch", "Service", forbidden, nth=3)
    error = failure(two, services=BOTH)
    assert error.reason == "forbidden"
    assert "All Services select blue again." not in str(error) or selector(two, "myapp-internal") == BLUE


class Killed(Exception):
    """The run has died at this point, as by kill -9."""


@pytest.mark.parametrize("color", ["green", "blue"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_switch_that_died_is_finished_or_undone_by_the_next_one(
    nth: int, moment: str, color: str, two: RecordedCluster
) -> None:
    def die() -> None:
        raise Killed

    getattr(two, moment)("patch", "Service", die, nth=nth)
    with pytest.raises(Killed):
        switch(two, services=BOTH)
    now = recorded.run(current_color, two, services=BOTH)
    assert now["active_color"] in ("blue", "green"), "never called a contradiction"
    switch(two, services=BOTH, color=color)
    wanted = {**BLUE, "version": color}
    assert (selector(two), selector(two, "myapp-internal")) == (wanted, wanted)
    if color == "green":
        assert _intent(two) is None
        newest = state(two)["history"][0]
        assert (newest["color"], newest["version"]) == ("green", "2.0"), "the switch is in the history"


@pytest.mark.parametrize("late", BOTH)
def test_the_endpoints_of_every_service_are_observed(
    late: str, two: RecordedCluster, lagging: set[str], clock: Clock
) -> None:
    lagging.add(late)
    began = clock.now
    (piece,) = [
        item
        for item in two.objects("EndpointSlice")
        if item["metadata"]["labels"]["kubernetes.io/service-name"] == late
    ]
    green = [_end(pod) for pod in two.objects("Pod", "green")]
    clock.at(5, lambda: piece.update(endpoints=green))
    switch(two, services=BOTH)
    assert clock.now - began == pytest.approx(5, abs=0.2)


def test_check_mode_plans_every_service(two: RecordedCluster) -> None:
    two.dry_run = True
    result = switch(two, services=BOTH)
    assert set(result["diff"]["after"]) == set(BOTH)
    assert all(write.dry_run for write in two.writes)
    assert (selector(two), selector(two, "myapp-internal")) == (BLUE, BLUE)
