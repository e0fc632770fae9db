# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment controller rolls out, recreates, scales and reports as the real one does."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import shops
from simulation.world import World
from simulation.world.deployment import REVISION
from simulation.world.example import IMAGE, NAMESPACE, pods_of
from simulation.world.objects import Object, condition, is_ready, is_terminating


def counts(world: World, color: str) -> tuple[int, int]:
    """Pods that are not on their way out, and how many of them are ready."""
    pods = [pod for pod in pods_of(world, color) if not is_terminating(pod)]
    return len(pods), sum(map(is_ready, pods))


def size(world: World, color: str) -> int:
    """How many pods the ReplicaSets are told to have."""
    return sum(item["spec"]["replicas"] for item in world.store.list("ReplicaSet", NAMESPACE, {"version": color}))


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"),
    [
        ("25%", "25%", 4, 3),
        (1, 0, 4, 3),
        (0, 1, 3, 2),
        ("100%", 0, 6, 3),
        (0, 0, 3, 2),
        (2, 2, 5, 1),
        ("34%", "34%", 5, 2),
    ],
)
def test_a_rolling_update_stays_between_its_bounds(surge: Any, unavailable: Any, most: int, least: int) -> None:
    """The upper one holds for what the ReplicaSets are told; one may be at work before the other, as in a real cluster."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    if (surge, unavailable) == (0, 0):  # which the server refuses; a percentage of 0 comes to the same
        strategy["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": "1%"}
    lowest: set[int] = set()
    for seed in range(8):
        world = shops.world(seed, idle=3, strategy=strategy)
        asked: set[int] = set()
        ready: set[int] = set()
        world.store.subscribe("ReplicaSet", lambda type_, new, old, w=world, s=asked: s.add(size(w, "green")))
        world.store.subscribe("Pod", lambda type_, new, old, w=world, s=ready: s.add(counts(w, "green")[1]))
        shops.release(world, "2.0")
        shops.settled(world)
        assert max(asked) == most
        assert min(ready) >= least
        lowest.add(min(ready))
        assert {pod["spec"]["containers"][0]["image"] for pod in pods_of(world, "green")} == {f"{IMAGE}:2.0"}
    assert min(lowest) == least


def test_each_template_is_a_revision_and_one_that_comes_back_is_the_newest() -> None:
    world = shops.world()
    first = shops.deployment(world)["metadata"]["annotations"][REVISION]
    shops.release(world, "2.0")
    shops.settled(world)
    second = shops.deployment(world)["metadata"]["annotations"][REVISION]
    shops.release(world, "1.0")
    shops.settled(world)
    third = shops.deployment(world)["metadata"]["annotations"][REVISION]
    assert (first, second, third) == ("1", "2", "3")
    sets = world.store.list("ReplicaSet", NAMESPACE, {"version": "green"})
    assert sorted(item["metadata"]["annotations"][REVISION] for item in sets) == ["2", "3"]
    for item in sets:
        digest = item["metadata"]["labels"]["pod-template-hash"]
        assert item["metadata"]["name"] == f"app-green-{digest}"
        assert item["spec"]["selector"]["matchLabels"]["pod-template-hash"] == digest
        assert item["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == digest


def test_old_revisions_are_forgotten() -> None:
    world = shops.world(revisionHistoryLimit=2)
    for number in range(2, 7):
        shops.release(world, f"{number}.0")
        shops.settled(world)
    shops.later(world, 5)
    sets = world.store.list("ReplicaSet", NAMESPACE, {"version": "green"})
    assert sorted(int(item["metadata"]["annotations"][REVISION]) for item in sets) == [4, 5, 6]


def test_the_controller_says_later_that_it_has_seen_a_change() -> None:
    world = shops.world()
    seen: list[tuple[int, int, float]] = []

    def told(type_: str, new: Object, old: Object | None) -> None:
        if new["metadata"]["name"] == "app-green":
            seen.append((new["metadata"]["generation"], new["status"]["observedGeneration"], world.hub.now))

    world.store.subscribe("Deployment", told)
    shops.release(world, "2.0")
    shops.settled(world)
    assert seen[0][:2] == (2, 1)
    assert all(observed == 2 for _generation, observed, _at in seen[1:])
    assert 0.005 <= seen[1][2] - seen[0][2] <= 0.05


def test_a_rollout_that_makes_no_progress_exceeds_its_deadline_and_heals() -> None:
    world = shops.world(progressDeadlineSeconds=20)
    world.break_version("2.0", "unready")
    began = world.hub.now
    shops.release(world, "2.0")
    world.settle(lambda: (condition(shops.deployment(world), "Progressing") or {})["status"] == "False")
    found = condition(shops.deployment(world), "Progressing") or {}
    assert found["reason"] == "ProgressDeadlineExceeded"
    assert "has timed out progressing" in found["message"]
    # Progress was made until the old pods had been scaled up and the first new one was there.
    assert 20 <= world.hub.now - began <= 26
    assert counts(world, "green")[1] == 3  # of the old version, which goes on
    world.mend_version("2.0")
    shops.settled(world)
    assert (condition(shops.deployment(world), "Progressing") or {})["reason"] == "NewReplicaSetAvailable"


def test_old_pods_that_are_broken_go_first() -> None:
    world = shops.world(idle=3)
    world.break_version("2.0", "unready")
    shops.release(world, "2.0")
    shops.later(world, 10)
    broken = {pod["metadata"]["name"] for pod in pods_of(world, "green") if not is_ready(pod)}
    assert len(broken) == 1
    deleted: list[str] = []
    world.store.on_write.append(lambda write: deleted.append(write.name) if write.verb == "delete" else None)
    shops.release(world, "3.0")
    shops.settled(world)
    assert deleted[0] in broken


def test_nothing_is_rolled_out_while_it_is_paused() -> None:
    world = shops.world()
    shops.change(world, "app-green", {"image": f"{IMAGE}:2.0"}, paused=True, replicas=2)
    shops.later(world, 10)
    assert counts(world, "green") == (2, 2)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods_of(world, "green")} == {f"{IMAGE}:1.0"}
    found = condition(shops.deployment(world), "Progressing") or {}
    assert (found["status"], found["reason"]) == ("Unknown", "DeploymentPaused")
    shops.change(world, "app-green", paused=False)
    shops.settled(world)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods_of(world, "green")} == {f"{IMAGE}:2.0"}


def test_recreating_waits_until_the_old_pods_are_gone() -> None:
    world = shops.world(idle=2, strategy={"type": "Recreate"})
    images: list[set[str]] = []

    def told(type_: str, new: Object, old: Object | None) -> None:
        images.append({pod["spec"]["containers"][0]["image"] for pod in pods_of(world, "green")})

    world.store.subscribe("Pod", told)
    shops.release(world, "2.0", replicas=2)
    shops.settled(world)
    assert all(len(found) <= 1 for found in images)
    assert images[-1] == {f"{IMAGE}:2.0"}


def test_what_is_scaled_amid_a_rollout_is_shared_by_old_and_new() -> None:
    world = shops.world(idle=4)
    world.break_version("2.0", "unready")
    shops.release(world, "2.0", replicas=4)
    shops.later(world, 10)
    sizes = sorted(item["spec"]["replicas"] for item in world.store.list("ReplicaSet", NAMESPACE, {"version": "green"}))
    assert sizes == [2, 3]
    shops.change(world, "app-green", replicas=8)
    shops.later(world, 1)
    sizes = sorted(item["spec"]["replicas"] for item in world.store.list("ReplicaSet", NAMESPACE, {"version": "green"}))
    assert sum(sizes) == 10 and sizes[0] in (3, 4)


def test_a_deployment_takes_over_the_replica_sets_that_another_has_left() -> None:
    world = shops.world(idle=2)
    before = shops.deployment(world)
    pods = {pod["metadata"]["uid"] for pod in pods_of(world, "green")}
    world.store.delete("Deployment", NAMESPACE, "app-green", propagation="Orphan")
    world.settle(lambda: world.store.get("Deployment", NAMESPACE, "app-green") is None)
    metadata = {key: before["metadata"][key] for key in ("name", "namespace", "labels")}
    world.store.create({"kind": "Deployment", "metadata": metadata, "spec": before["spec"]})
    shops.settled(world)
    assert {pod["metadata"]["uid"] for pod in pods_of(world, "green")} == pods
    assert len(world.store.list("ReplicaSet", NAMESPACE, {"version": "green"})) == 1


def test_minimum_seconds_of_readiness_are_waited_for() -> None:
    world = shops.world(idle=1, minReadySeconds=5)
    shops.release(world, "2.0", replicas=1)
    shops.settled(world)
    (pod,) = pods_of(world, "green")
    ready = condition(pod, "Ready") or {}
    assert world.hub.now - world.moment(ready["lastTransitionTime"]) >= 5
