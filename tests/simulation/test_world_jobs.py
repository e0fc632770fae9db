# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs run, fail, are tried again, are suspended, end in time and go."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import shops
from simulation.world import Behavior, World
from simulation.world.example import IMAGE, NAMESPACE
from simulation.world.objects import Object, condition, has_ended

GOOD = Behavior(start_seconds=0.0, ends_after=2.0, log=((0.5, "one"), (1.5, "two")))
BAD = Behavior(start_seconds=0.0, crash_after=1.0, exit_code=3)


def begin(behavior: Behavior, restart: str = "Never", **spec: Any) -> World:
    world = shops.world()
    world.app = lambda image, env, pod: behavior
    template = {"spec": {"restartPolicy": restart, "containers": [{"name": "migrate", "image": f"{IMAGE}:1.0"}]}}
    metadata = {"name": "migrate", "namespace": NAMESPACE}
    world.store.create({"kind": "Job", "metadata": metadata, "spec": {"template": template, **spec}}, by="test")
    return world


def job(world: World) -> Object | None:
    return world.store.get("Job", NAMESPACE, "migrate")


def pods(world: World) -> list[Object]:
    return world.store.list("Pod", NAMESPACE, {"job-name": "migrate"})


def has(world: World, kind: str) -> bool:
    found = job(world)
    return found is not None and (condition(found, kind) or {}).get("status") == "True"


def test_a_job_completes() -> None:
    world = begin(GOOD)
    world.settle(lambda: has(world, "Complete"))
    found = job(world)
    assert found is not None
    assert found["status"]["succeeded"] == 1 and "active" not in found["status"]
    assert [item["type"] for item in found["status"]["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    (pod,) = pods(world)
    assert pod["status"]["phase"] == "Succeeded"
    lines = world.logs(pod, "migrate", False)
    assert lines is not None and [text for _at, text in lines] == ["one", "two"]
    assert world.moment(lines[1][0][:19] + "Z") - world.moment(lines[0][0][:19] + "Z") <= 2


def test_a_job_is_tried_again_until_its_limit() -> None:
    world = begin(BAD, backoffLimit=2)
    began = world.hub.now
    world.settle(lambda: has(world, "Failed"))
    found = job(world)
    assert found is not None
    assert found["status"]["failed"] == 3 and len(pods(world)) == 3
    assert (condition(found, "Failed") or {})["reason"] == "BackoffLimitExceeded"
    assert 30 < world.hub.now - began < 45  # pauses of 10 and 20 s
    assert [event["reason"] for event in shops.warnings(world)] == ["BackoffLimitExceeded"]


def test_restarts_in_the_same_pod_count_as_well() -> None:
    world = begin(BAD, restart="OnFailure", backoffLimit=1)
    world.settle(lambda: has(world, "Failed"))
    world.settle(lambda: not pods(world))


def test_a_suspended_job_runs_nothing_until_it_is_resumed() -> None:
    world = begin(GOOD, suspend=True)
    shops.later(world, 5)
    assert not pods(world) and has(world, "Suspended")
    world.store.update("Job", NAMESPACE, "migrate", lambda copy: copy["spec"].update(suspend=False), by="test")
    world.settle(lambda: has(world, "Complete"))
    assert not has(world, "Suspended")


def test_a_job_that_is_late_is_stopped() -> None:
    world = begin(Behavior(start_seconds=0.0), activeDeadlineSeconds=5)
    began = world.hub.now
    world.settle(lambda: has(world, "FailureTarget"))
    assert 4 <= world.hub.now - began <= 6
    assert not has(world, "Failed")  # its pod has not ended yet
    world.settle(lambda: has(world, "Failed"))
    assert all(has_ended(pod) for pod in pods(world))
    assert (condition(job(world) or {}, "Failed") or {})["reason"] == "DeadlineExceeded"


def test_a_deadline_may_be_brought_forward() -> None:
    world = begin(Behavior(start_seconds=0.0), activeDeadlineSeconds=500)
    shops.later(world, 5)
    world.store.update(
        "Job", NAMESPACE, "migrate", lambda copy: copy["spec"].update(activeDeadlineSeconds=1), by="test"
    )
    world.settle(lambda: has(world, "Failed"), limit=10)


def test_a_finished_job_goes_after_its_time() -> None:
    world = begin(GOOD, ttlSecondsAfterFinished=20)
    world.settle(lambda: has(world, "Complete"))
    ended = world.hub.now
    world.settle(lambda: job(world) is None and not pods(world))
    assert 19 <= world.hub.now - ended <= 22


@pytest.mark.parametrize("propagation", ["Foreground", "Background"])
def test_a_job_that_is_deleted_takes_its_pods_along(propagation: str) -> None:
    world = begin(Behavior(start_seconds=0.0, drain_seconds=3.0))
    shops.later(world, 3)
    world.store.delete("Job", NAMESPACE, "migrate", by="test", propagation=propagation)
    shops.later(world, 2)
    assert (job(world) is not None) == (propagation == "Foreground")
    assert pods(world)
    world.settle(lambda: not pods(world))
    shops.later(world, 1)
    assert job(world) is None


def test_a_pod_that_is_deleted_has_failed() -> None:
    world = begin(GOOD, backoffLimit=0)
    shops.later(world, 1)
    (pod,) = pods(world)
    world.store.delete("Pod", NAMESPACE, pod["metadata"]["name"], by="test")
    world.settle(lambda: has(world, "Failed"))
