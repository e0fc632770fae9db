# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks on every pod: how many at a time, how many must pass, how often, and what is told of them."""

from __future__ import annotations

import copy
import json
import threading
import time
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check as _smoke_check
from api import Api
from checking import PROXY, check, failure, pods, proxied
from loopback import Answer, Seen, as_json, refusal


def test_every_check_runs_on_every_pod_of_the_idle_color(api: Api) -> None:
    said: list[str] = []
    result = check(
        api, {"name": "health", "http": "/health"}, {"name": "status", "http": "/api/status?full=1"}, said=said
    )
    assert result["passed"] is True
    assert result["color"] == "green"
    assert sorted((item["name"], item["target"]) for item in result["checks"]) == sorted(
        (name, pod) for name in ("health", "status") for pod in pods(api)
    )
    for item in result["checks"]:
        assert (item["passed"], item["status"], item["attempts"], item["reason"]) == (True, 200, 1, "")
        assert item["latency_ms"] > 0
    assert sorted(seen.path for seen in proxied(api) if "status" in seen.path) == [
        f"{PROXY}{pod}:8080/proxy/api/status" for pod in pods(api)
    ]
    assert {json.dumps(seen.query) for seen in proxied(api) if "status" in seen.path} == {'{"full": "1"}'}
    assert any("health" in line and "3 of 3" in line for line in said)


def test_the_live_color_can_be_checked(api: Api) -> None:
    result = check(api, {"name": "health", "http": "/health"}, color="blue")
    assert all(item["target"].startswith("app-blue-") for item in result["checks"])


def test_all_run_together(api: Api) -> None:
    """Every request waits for all the others to have arrived."""
    together = threading.Barrier(6, timeout=20)

    def application(seen: Seen, pod: str, path: str) -> Answer:
        together.wait()
        return as_json({})

    api.application = application
    assert check(api, {"name": "a", "http": "/a"}, {"name": "b", "http": "/b"})["passed"] is True


def test_parallel_is_a_limit(api: Api) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def application(seen: Seen, pod: str, path: str) -> Answer:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return as_json({})

    api.application = application
    check(api, {"name": "a", "http": "/a"}, {"name": "b", "http": "/b"}, parallel=2)
    assert most[0] == 2


def test_parallel_of_nothing_is_refused(api: Api) -> None:
    assert failure(api, {"name": "a", "http": "/a"}, parallel=0).reason == "bad_input"


@pytest.mark.parametrize(
    ("wanted", "good", "passes"),
    [
        ("all", 3, True),
        ("all", 2, False),
        ("any", 1, True),
        ("any", 0, False),
        (2, 2, True),
        (2, 1, False),
        ("2", 2, True),
    ],
)
def test_how_many_pods_must_pass(wanted: Any, good: int, passes: bool, api: Api) -> None:
    healthy = pods(api)[:good]
    api.application = lambda seen, pod, path: as_json({}, 200 if pod.split(":")[0] in healthy else 500)
    one = {"name": "health", "http": "/health", "pods": wanted}
    if passes:
        assert check(api, one)["passed"] is True
    else:
        assert failure(api, one).reason == "checks_failed"


def test_more_pods_wanted_than_there_are(api: Api) -> None:
    assert "wants 4 pods, there are 3" in str(failure(api, {"name": "health", "http": "/health", "pods": 4}))


@pytest.mark.parametrize("trouble", ["unready", "none"])
def test_pods_that_carry_no_traffic_are_not_checked(trouble: str, api: Api) -> None:
    store = api.store
    if trouble == "unready":
        pod = store.objects("Pod", "green")[1]
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
        expected = "pods are not ready: " + pod["metadata"]["name"]
    else:
        for name in pods(api):
            store.remove("Pod", name)
        expected = "it has no pods"
    error = failure(api, {"name": "health", "http": "/health"})
    assert error.reason == "not_ready"
    assert expected in str(error)
    assert proxied(api) == []


def test_pods_on_their_way_out_are_left_alone(api: Api) -> None:
    store = api.store
    gone = copy.deepcopy(store.objects("Pod", "green")[0])
    gone["metadata"].update(name="app-green-gone", uid="gone", deletionTimestamp="2026-01-01T00:00:00Z")
    store.put(gone)
    assert len(check(api, {"name": "health", "http": "/health"})["checks"]) == 3


@pytest.mark.parametrize(("port", "used"), [(None, "8080"), (9090, "9090"), ("http", "8080"), ("9090", "9090")])
def test_the_port(port: Any, used: str, api: Api) -> None:
    check(api, {"name": "health", "http": "/health", "port": port})
    assert {seen.path.split(":")[1].split("/")[0] for seen in proxied(api)} == {used}


@pytest.mark.parametrize(
    ("ports", "used"),
    [
        ([{"port": 80, "targetPort": 8080}], "8080"),  # which no container has to declare
        ([{"port": 8080}], "8080"),
        ([{"port": 53, "protocol": "UDP"}, {"port": 80, "targetPort": "http"}], "8080"),
        ([], "9102"),
    ],
)
def test_the_port_is_the_one_that_users_reach(ports: Any, used: str, api: Api) -> None:
    """Not that of a container which happens to come first."""
    api.store.objects("Service")[0]["spec"]["ports"] = ports
    for pod in api.store.objects("Pod", "green"):
        sidecar = {"name": "sidecar", "ports": [{"name": "metrics", "containerPort": 9102}]}
        pod["spec"]["containers"].insert(0, sidecar)
    check(api, {"name": "health", "http": "/health"})
    assert {seen.path.rsplit(":", 1)[1].split("/")[0] for seen in proxied(api)} == {used}


def test_a_template_that_was_changed_since_is_not_checked(api: Api) -> None:
    deployed = template_hash(api.store.one("Deployment", "app-green"))
    check(api, {"name": "health", "http": "/health"}, template_hash=deployed)
    asked = len(proxied(api))
    error = failure(api, {"name": "health", "http": "/health"}, template_hash="another")
    assert (error.reason, len(proxied(api))) == ("not_prepared", asked)
    assert "The pod template of app-green was changed by somebody else" in error.what


def test_check_mode_asks_nobody(api: Api) -> None:
    params = recorded.parameters(_smoke_check, checks=[{"name": "health", "http": "/health"}], **api.connection)
    result = _smoke_check.run(params, Cluster(params, "bg_smoke_check", dry_run=True), [].append)
    assert "Would run 1 checks: health" in result["msg"]
    assert result.get("passed") is None
    assert api.server.seen == []


def test_every_result_is_shown_and_every_failure_explained(api: Api) -> None:
    broken = pods(api)[1]

    def application(seen: Seen, pod: str, path: str) -> Answer:
        if pod.startswith(broken) and path == "/api/status":
            return as_json({"version": "0.9"})
        return as_json({"version": "2.0"})

    api.application = application
    error = failure(
        api,
        {"name": "health", "http": "/health"},
        {"name": "version", "http": "/api/status", "expect": {"json": {"version": "2.0"}}},
    )
    assert error.reason == "checks_failed"
    assert "1 of 2 checks failed on green: version." in error.what
    assert f'version on {broken}: version is "0.9", expected "2.0" (answer: {{"version": "0.9"}})' in str(error)
    assert len(error.result["checks"]) == 6
    assert [item["target"] for item in error.result["checks"] if not item["passed"]] == [broken]
    assert error.result["passed"] is False


def test_many_failures_are_bounded(api: Api) -> None:
    api.application = lambda seen, pod, path: Answer(500, pod.encode() + b"x" * 100_000)
    error = failure(api, *[{"name": f"check {number}", "http": f"/{number}"} for number in range(10)])
    assert len(str(error).splitlines()) <= 60
    assert "20 more" in str(error)
    assert len(str(error)) < 10_000
    assert all(len(item["reason"]) < 1000 for item in error.result["checks"])


def test_what_was_asked_is_said_and_the_same_answer_of_all_pods_once(api: Api) -> None:
    api.application = lambda seen, pod, path: Answer(404, b"nothing here")
    lines = str(failure(api, {"name": "health", "http": "/nix"})).splitlines()
    assert [line.partition(": ")[2] for line in lines if "health on" in line] == [
        "HTTP 404 instead of 2xx (answer: nothing here) (asked GET :8080/nix; the same on 2 more)"
    ]


def test_a_port_that_no_container_has_is_said_beside_those_that_there_are(api: Api) -> None:
    def application(seen: Seen, pod: str, path: str) -> Answer:
        return refusal(500, f"error trying to reach service: dial tcp {pod}: connect: connection refused")

    api.application = application
    assert "the pod has no port 9090, it has 8080" in str(failure(api, {"name": "health", "http": "/", "port": 9090}))
    assert "it has" not in str(failure(api, {"name": "health", "http": "/", "port": 8080}))


def test_retries_until_it_passes(api: Api) -> None:
    seen_by: dict[str, int] = {}

    def application(seen: Seen, pod: str, path: str) -> Answer:
        seen_by[pod] = seen_by.get(pod, 0) + 1
        return as_json({}, 200 if seen_by[pod] >= 3 else 500)

    api.application = application
    result = check(api, {"name": "health", "http": "/health", "retries": 3, "delay": "10ms"})
    assert {item["attempts"] for item in result["checks"]} == {3}


def test_retries_are_counted_and_delayed(api: Api) -> None:
    api.application = lambda seen, pod, path: as_json({}, 500)
    began = time.monotonic()
    error = failure(api, {"name": "health", "http": "/health", "retries": 2, "delay": "100ms"})
    assert {item["attempts"] for item in error.result["checks"]} == {3}
    assert time.monotonic() - began >= 0.2


def test_a_pod_that_has_no_status_yet_stays() -> None:
    pods: list[dict[str, Any]] = [{"metadata": {}}, {"metadata": {}, "status": None}, {"metadata": {}, "status": {}}]
    assert _checks.staying(pods) == pods
