# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes start, probe, restart and end pods as kubelets do."""

from __future__ import annotations

import pytest

from simulation import shops
from simulation.world import Behavior, World
from simulation.world.example import IMAGE, NAMESPACE, at_rest, pods_of, ready_pods, service
from simulation.world.objects import Object, condition, is_ready, is_terminating


def state(world: World, pod: str) -> Object:
    found = world.store.get("Pod", NAMESPACE, pod)
    assert found is not None
    return found["status"]["containerStatuses"][0]  # type: ignore[no-any-return]


def behave(world: World, behavior: Behavior) -> None:
    world.app = lambda image, env, pod: behavior


def test_a_pod_is_ready_when_its_application_listens_and_the_next_probe_has_come() -> None:
    world = shops.world(idle=0)
    behave(world, Behavior(start_seconds=3.0))
    shops.release(world, "2.0", replicas=1)
    shops.settled(world)
    (pod,) = pods_of(world, "green")
    process = world.process(pod["metadata"]["uid"], "app")
    assert process is not None
    ready = world.moment((condition(pod, "Ready") or {})["lastTransitionTime"])
    assert process.began + 2 <= ready <= process.began + 4


def test_a_pod_without_a_probe_is_ready_before_it_listens() -> None:
    world = shops.world(idle=0)
    behave(world, Behavior(start_seconds=30.0))
    shops.release(world, "2.0", replicas=1, readinessProbe=None)
    shops.settled(world, limit=10)
    (pod,) = pods_of(world, "green")
    assert world.answer(pod, 8080, "GET", "/health") is None


def test_a_crash_is_restarted_at_once_then_with_pauses_that_grow() -> None:
    world = shops.world(idle=0)
    starts: list[float] = []

    def app(image: str, env: dict[str, str], pod: Object) -> Behavior:
        starts.append(world.hub.now)
        return Behavior(start_seconds=9.0, crash_after=0.5, exit_code=7)

    world.app = app
    shops.release(world, "2.0", replicas=1)
    world.settle(lambda: len(starts) == 6)
    pauses = [late - early - 0.5 for early, late in zip(starts, starts[1:])]
    assert 0.1 <= pauses[0] <= 0.3
    assert pauses[1:] == pytest.approx([10, 20, 40, 80][: len(pauses) - 1])
    (pod,) = pods_of(world, "green")
    shops.later(world, 5)
    found = state(world, pod["metadata"]["name"])
    assert found["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert "back-off 2m40s restarting failed container=app" in found["state"]["waiting"]["message"]
    assert found["lastState"]["terminated"]["exitCode"] == 7
    assert found["restartCount"] == 5
    assert [event["count"] for event in shops.warnings(world, "BackOff")] == [5]


def test_crashes_are_forgiven_after_ten_minutes_of_running() -> None:
    world = shops.world(idle=0)
    starts: list[float] = []
    lives = iter((0.5, 0.5, 700.0, 0.5, 9000.0))

    def app(image: str, env: dict[str, str], pod: Object) -> Behavior:
        starts.append(world.hub.now)
        return Behavior(start_seconds=0.1, crash_after=next(lives))

    world.app = app
    shops.release(world, "2.0", replicas=1)
    world.settle(lambda: len(starts) == 5, limit=1000)
    assert starts[2] - starts[1] == pytest.approx(10.5)
    assert starts[3] - starts[2] < 700.5  # at once, as after a first crash
    assert starts[4] - starts[3] == pytest.approx(10.5)


def test_a_pod_that_crashes_once_is_ready_again() -> None:
    world = shops.world()
    name = ready_pods(world, "blue")[0]["metadata"]["name"]
    world.crash(name, NAMESPACE, code=137, reason="OOMKilled")
    assert len(ready_pods(world, "blue")) == 2
    world.settle(lambda: len(ready_pods(world, "blue")) == 3)
    found = state(world, name)
    assert (found["ready"], found["restartCount"]) == (True, 1)
    assert found["lastState"]["terminated"]["reason"] == "OOMKilled"
    pod = world.store.get("Pod", NAMESPACE, name)
    assert pod is not None
    previous, current = world.logs(pod, "app", True), world.logs(pod, "app", False)
    assert previous and current and previous[0][0] < current[0][0]


def test_an_image_that_comes_is_pulled_at_last() -> None:
    world = shops.world()
    world.registry.remove(f"{IMAGE}:2.0")
    shops.release(world, "2.0")
    reasons: set[str] = set()

    def told(type_: str, new: Object, old: Object | None) -> None:
        for item in new["status"].get("containerStatuses") or ():
            reasons.add(item["state"].get("waiting", {}).get("reason", ""))

    world.store.subscribe("Pod", told)
    shops.later(world, 40)
    assert {"ErrImagePull", "ImagePullBackOff"} <= reasons
    assert not at_rest(world, "app-green")
    world.registry.put_back(f"{IMAGE}:2.0")
    shops.settled(world)


@pytest.mark.parametrize(("policy", "comes_up"), [("IfNotPresent", True), ("Always", False)])
def test_an_image_that_a_node_has_is_not_pulled_again(policy: str, comes_up: bool) -> None:
    world = shops.world(nodes=("node",))
    world.registry.remove(f"{IMAGE}:1.0")
    shops.release(world, "1.0", imagePullPolicy=policy)
    shops.later(world, 20)
    assert at_rest(world, "app-green") == comes_up


def test_a_pod_waits_for_its_configuration() -> None:
    world = shops.world()
    reference = {"secretKeyRef": {"name": "database", "key": "url"}}
    shops.release(world, "2.0", env=[{"name": "DATABASE_URL", "valueFrom": reference}])
    shops.later(world, 5)
    waiting = [
        item["state"]["waiting"]
        for pod in pods_of(world, "green")
        for item in pod["status"]["containerStatuses"]
        if "waiting" in item["state"]
    ]
    assert waiting == [{"reason": "CreateContainerConfigError", "message": 'secret "database" not found'}]
    secret = {"kind": "Secret", "metadata": {"name": "database", "namespace": NAMESPACE}, "data": {"url": "eA=="}}
    world.store.create(secret)
    shops.settled(world)


def test_the_environment_is_the_pods_own() -> None:
    world = shops.world()
    (pod,) = pods_of(world, "green")
    answer = world.answer(pod, 8080, "GET", "/api/status?verbose")
    assert answer is not None and answer[0] == 200
    assert b'"version": "1.0", "color": "green"' in answer[2]
    missing = world.answer(pod, 8080, "GET", "/nowhere")
    assert missing is not None and missing[0] == 404
    assert world.answer(pod, 9090, "GET", "/health") is None


def test_a_pod_that_no_node_takes_goes_when_one_can() -> None:
    world = shops.world()
    for node in world.nodes.values():
        node.unschedulable = True
    shops.change(world, "app-green", replicas=2)
    shops.later(world, 2)
    waiting = [pod for pod in pods_of(world, "green") if not pod["spec"].get("nodeName")]
    assert len(waiting) == 1
    found = condition(waiting[0], "PodScheduled") or {}
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    assert "0/2 nodes are available: 2 node(s) were unschedulable" in found["message"]
    world.uncordon("node-1")
    shops.settled(world)
    assert (condition(pods_of(world, "green")[0], "PodScheduled") or {})["status"] == "True"


@pytest.mark.parametrize(
    ("hook", "drain", "least", "most"),
    [
        (None, 0.0, 0.0, 0.2),
        (None, 4.0, 4.0, 4.2),
        ({"sleep": {"seconds": 5}}, 0.0, 5.0, 5.2),
        ({"exec": {"command": ["sh", "-c", "sleep 3; true"]}}, 2.0, 5.0, 5.2),
        ({"sleep": {"seconds": 100}}, 0.0, 30.0, 30.2),
    ],
)
def test_a_pod_serves_until_it_is_drained_or_its_grace_is_over(
    hook: Object | None, drain: float, least: float, most: float
) -> None:
    world = shops.world(idle=0)
    behave(world, Behavior(start_seconds=0.1, drain_seconds=drain))
    more = {"lifecycle": {"preStop": hook}} if hook else {}
    shops.release(world, "2.0", replicas=1, **more)
    shops.settled(world)
    (pod,) = pods_of(world, "green")
    began, phases = world.hub.now, [""]
    world.store.subscribe(
        "Pod", lambda type_, new, old: phases.append(new["status"]["phase"]) if is_terminating(new) else None
    )
    world.store.delete("Pod", NAMESPACE, pod["metadata"]["name"], by="test")
    world.settle(lambda: world.answer(pod, 8080, "GET", "/health") is None)
    assert least <= world.hub.now - began <= most
    world.settle(lambda: world.store.get("Pod", NAMESPACE, pod["metadata"]["name"]) is None)
    assert world.hub.now - began <= most + 1.2
    assert phases[-1] == ("Failed" if drain + least > 29 else "Succeeded")


def test_a_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    world = shops.world()

    def write(copy: Object) -> None:
        copy["spec"]["template"]["spec"]["readinessGates"] = [{"conditionType": "example.com/lb"}]

    world.store.update("Deployment", NAMESPACE, "app-green", write)
    shops.later(world, 10)
    pod = next(pod for pod in pods_of(world, "green") if pod["spec"].get("readinessGates"))
    assert (condition(pod, "Ready") or {})["reason"] == "ReadinessGatesNotReady"
    assert (condition(pod, "ContainersReady") or {})["status"] == "True"
    new = {"type": "example.com/lb", "status": "True", "lastTransitionTime": world.stamp()}
    world.store.update(
        "Pod", NAMESPACE, pod["metadata"]["name"], lambda copy: copy["status"]["conditions"].append(new), status=True
    )
    shops.settled(world)
    assert len(pods_of(world, "green")) == 1


def test_a_drain_moves_pods_and_respects_their_budget() -> None:
    world = shops.world(live=4)
    budget = {"kind": "PodDisruptionBudget", "metadata": {"name": "live", "namespace": NAMESPACE}}
    world.store.create({**budget, "spec": {"minAvailable": 3, "selector": {"matchLabels": {"version": "blue"}}}})
    least = 4

    def told(type_: str, new: Object, old: Object | None) -> None:
        nonlocal least
        ready = [pod for pod in ready_pods(world, "blue") if not is_terminating(pod)]
        least = min(least, len(ready))

    world.store.subscribe("Pod", told)
    world.drain("node-1")
    world.settle(lambda: all(pod["spec"].get("nodeName") == "node-2" for pod in pods_of(world, "blue")))
    shops.settled(world, "app-blue")
    assert least == 3


@pytest.mark.parametrize(("what", "status"), [("unready", 503), ("errors", 200)])
def test_a_version_that_breaks_breaks_where_it_runs(what: str, status: int) -> None:
    world = shops.world()
    world.break_version("1.0", what)
    shops.later(world, 10)
    assert len(ready_pods(world, "blue")) == (0 if what == "unready" else 3)
    pod = pods_of(world, "blue")[0]
    health, page = (world.answer(pod, 8080, "GET", path) for path in ("/health", "/"))
    assert health is not None and health[0] == status
    assert page is not None and page[0] == (200 if what == "unready" else 500)
    world.mend_version("1.0")
    shops.later(world, 5)
    assert len(ready_pods(world, "blue")) == 3


def test_a_native_sidecar_counts_and_serves() -> None:
    world = shops.world()
    sidecar = {
        "name": "proxy",
        "image": "proxy:1",
        "restartPolicy": "Always",
        "ports": [{"name": "in", "containerPort": 9000}],
    }

    def write(copy: Object) -> None:
        copy["spec"]["template"]["spec"]["initContainers"] = [sidecar]

    world.store.update("Deployment", NAMESPACE, "app-green", write)
    world.store.create(service("inner", "green", target="in"))
    shops.settled(world)
    shops.later(world, 2)
    (pod,) = pods_of(world, "green")
    assert is_ready(pod)
    assert [item["name"] for item in pod["status"]["initContainerStatuses"]] == ["proxy"]
    (piece,) = world.store.list("EndpointSlice", NAMESPACE, {"kubernetes.io/service-name": "inner"})
    assert [port["port"] for port in piece["ports"]] == [9000]
    assert not world.users.at(world.hub.now, "inner")[0].lost
