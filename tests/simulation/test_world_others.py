# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The garbage collector, the autoscaler, a controller that is away, and that the same seed gives the same world."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import shops
from simulation.world import World
from simulation.world.example import NAMESPACE, pods_of, switch
from simulation.world.objects import Object


def family(world: World) -> list[str]:
    kinds = ("Deployment", "ReplicaSet", "Pod")
    return [kind for kind in kinds if world.store.list(kind, NAMESPACE, {"version": "green"})]


def test_what_belongs_to_a_deleted_deployment_goes_after_it() -> None:
    world = shops.world()
    world.store.delete("Deployment", NAMESPACE, "app-green", by="test")
    assert family(world) == ["ReplicaSet", "Pod"]
    world.settle(lambda: not family(world))
    assert len(pods_of(world, "blue")) == 3


def test_in_the_foreground_it_goes_before_it() -> None:
    world = shops.world()
    left: list[list[str]] = []
    world.store.on_write.append(lambda write: left.append(family(world)) if write.verb == "delete" else None)
    world.store.delete("Deployment", NAMESPACE, "app-green", by="test", propagation="Foreground")
    world.settle(lambda: not family(world))
    assert all(found == [] or "Deployment" in found for found in left)


def test_orphans_stay() -> None:
    world = shops.world()
    world.store.delete("Deployment", NAMESPACE, "app-green", by="test", propagation="Orphan")
    shops.later(world, 10)
    assert family(world) == ["ReplicaSet", "Pod"]


def autoscaler(world: World, least: int, most: int, target: str = "app-blue") -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    spec = {"scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most}
    metadata = {"name": "live", "namespace": NAMESPACE}
    world.store.create({"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec})


def replicas(world: World, name: str = "app-blue") -> Any:
    return shops.deployment(world, name)["spec"]["replicas"]


def test_an_autoscaler_follows_the_load_between_its_bounds() -> None:
    world = shops.world()
    autoscaler(world, 2, 5)
    shops.later(world, 20)
    assert replicas(world) == 3
    for load, wanted in ((9, 5), (4, 4), (1, 2)):
        world.autoscaler.set_load(NAMESPACE, "live", load)
        shops.later(world, 20)
        assert replicas(world) == wanted
    shops.change(world, "app-blue", replicas=1)
    shops.later(world, 20)
    assert replicas(world) == 2


def test_an_autoscaler_leaves_nothing_alone_and_follows_its_target() -> None:
    world = shops.world(idle=0)
    autoscaler(world, 2, 5, "app-green")
    shops.later(world, 20)
    assert replicas(world, "app-green") == 0
    found = world.store.get("HorizontalPodAutoscaler", NAMESPACE, "live")
    assert found is not None and found["status"]["conditions"][0]["reason"] == "ScalingDisabled"

    def write(copy: Object) -> None:
        copy["spec"]["scaleTargetRef"]["name"] = "app-blue"

    world.autoscaler.set_load(NAMESPACE, "live", 5)
    world.store.update("HorizontalPodAutoscaler", NAMESPACE, "live", write)
    shops.later(world, 20)
    assert replicas(world) == 5


def test_a_controller_that_is_away_makes_up_for_it() -> None:
    world = shops.world()
    controller = world.controllers["deployment-controller"]
    controller.stop()
    shops.release(world, "2.0")
    shops.later(world, 30)
    assert shops.deployment(world)["status"]["observedGeneration"] == 1
    assert len(pods_of(world, "green")) == 1
    controller.go_on()
    shops.settled(world)


def trace(seed: int) -> list[tuple[Any, ...]]:
    world = shops.world(seed, env={"DRAIN": "1"})
    found: list[tuple[Any, ...]] = []
    world.store.on_write.append(lambda write: found.append((write.at, write.verb, write.kind, write.name, write.by)))
    world.break_version("2.0", "crash", after=4.0)
    shops.release(world, "2.0")
    shops.later(world, 30)
    switch(world, "myapp", "green")
    world.drain("node-1")
    shops.later(world, 30)
    found += [(one.since, one.until, one.pods, one.lost) for one in world.users.of("myapp")]
    found += [(item["metadata"]["name"], item["metadata"]["uid"]) for item in shops.warnings(world)]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_seed_gives_the_same_world(seed: int) -> None:
    first = trace(seed)
    assert len(first) > 100
    assert trace(seed) == first
    assert trace(seed + 10) != first


def test_a_rolling_update_needs_no_more_than_what_a_real_one_writes() -> None:
    """The recorded one has 140 changes with its switch; each costs time of every simulated release."""
    world = shops.world()
    writes: list[str] = []
    world.store.on_write.append(lambda write: writes.append(write.kind))
    before = world.hub.steps
    shops.release(world, "2.0")
    shops.settled(world)
    assert len(writes) <= 100
    assert world.hub.steps - before <= 300
