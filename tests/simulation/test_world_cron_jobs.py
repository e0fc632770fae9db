# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CronJobs run each slot once, make up for the newest one, and say so a moment later."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import shops
from simulation.api import Api
from simulation.world import World
from simulation.world.example import IMAGE, NAMESPACE

EPOCH_MINUTE = 1767225600 // 60


def begin(**spec: Any) -> World:
    world = shops.world()
    pod = {"restartPolicy": "Never", "containers": [{"name": "app", "image": f"{IMAGE}:1.0"}]}
    item = {
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": NAMESPACE},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}, **spec},
    }
    world.store.create(item, by="test")
    return world


def slots(world: World) -> list[int]:
    """The minutes for which there are Jobs."""
    names = [item["metadata"]["name"] for item in world.store.list("Job", NAMESPACE)]
    return sorted(int(name.rpartition("-")[2]) - EPOCH_MINUTE for name in names)


def until(world: World, seconds: float) -> None:
    world.hub.run(until=seconds)


def suspend(world: World, value: bool) -> None:
    world.store.update("CronJob", NAMESPACE, "nightly", lambda copy: copy["spec"].update(suspend=value), by="test")


def status(world: World) -> dict[str, Any]:
    found = world.store.get("CronJob", NAMESPACE, "nightly")
    assert found is not None
    return dict(found["status"])


def test_each_slot_is_run_once_and_the_newest_jobs_are_kept() -> None:
    world = begin()
    until(world, 130)
    assert slots(world) == [1, 2]
    assert status(world)["lastScheduleTime"] == "2026-01-01T00:02:00Z"
    assert "active" not in status(world)
    until(world, 430)
    assert slots(world) == [5, 6, 7]


def test_who_is_suspended_runs_nothing_and_then_the_newest_slot_at_once() -> None:
    world = begin()
    until(world, 70)
    suspend(world, True)
    until(world, 250)
    assert slots(world) == [1]
    suspend(world, False)
    until(world, 255)
    assert slots(world) == [1, 4]


@pytest.mark.parametrize(("deadline", "run"), [(20, [5]), (200, [4, 5])])
def test_what_is_older_than_its_deadline_is_let_go(deadline: int, run: list[int]) -> None:
    world = begin(suspend=True, startingDeadlineSeconds=deadline)
    until(world, 270)
    suspend(world, False)
    until(world, 310)
    assert slots(world) == run


def test_what_is_told_is_not_run_again() -> None:
    world = begin(suspend=True)
    until(world, 130)
    told = b'[{"op":"add","path":"/status/lastScheduleTime","value":"2026-01-01T00:02:00Z"}]'
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/nightly/status"
    answer = Api(world.store, world).request("PATCH", path, {}, {"Content-Type": "application/json-patch+json"}, told)
    assert answer.status == 200
    suspend(world, False)
    until(world, 190)
    assert slots(world) == [3]


def test_who_suspends_it_at_that_moment_gets_a_job_that_the_status_does_not_tell_of() -> None:
    world = begin()
    world.lag.slot = (0.5, 0.5)
    until(world, 60.4)  # it has looked, and the Job is not there yet
    assert slots(world) == []
    suspend(world, True)
    until(world, 100)
    assert slots(world) == [1]
    assert "lastScheduleTime" not in status(world)
    suspend(world, False)
    until(world, 110)
    assert slots(world) == [1]
    assert status(world)["lastScheduleTime"] == "2026-01-01T00:01:00Z"


def test_one_at_a_time_where_that_is_wanted() -> None:
    world = begin(concurrencyPolicy="Forbid")
    behavior = world.app("", {}, {"spec": {"restartPolicy": "Never"}, "metadata": {"name": ""}})
    world.app = lambda image, env, pod: type(behavior)(start_seconds=0.0, ends_after=90.0)
    until(world, 130)
    assert slots(world) == [1]
