# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is done to the world, it comes to rest as it is told once it is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from simulation import shops
from simulation.world import World
from simulation.world.app import FAULTS
from simulation.world.example import IMAGE, NAMESPACE, at_rest, pods_of, switch

VERSIONS = ("1.0", "2.0", "3.0", "4.0")
DEPLOYMENTS = ("app-blue", "app-green")


def scale(world: World, chance: random.Random) -> None:
    shops.change(world, chance.choice(DEPLOYMENTS), replicas=chance.randrange(6))


def deploy(world: World, chance: random.Random) -> None:
    shops.change(world, chance.choice(DEPLOYMENTS), {"image": f"{IMAGE}:{chance.choice(VERSIONS)}"})


def pause(world: World, chance: random.Random) -> None:
    shops.change(world, chance.choice(DEPLOYMENTS), paused=chance.random() < 0.5)


def turn(world: World, chance: random.Random) -> None:
    switch(world, "myapp", chance.choice(("blue", "green")))


def spoil(world: World, chance: random.Random) -> None:
    world.break_version(chance.choice(VERSIONS), chance.choice(FAULTS), chance.choice((0.0, 1.0, 5.0)))


def crash(world: World, chance: random.Random) -> None:
    for pod in pods_of(world, "blue")[:1]:
        world.crash(pod["metadata"]["name"], NAMESPACE)


def delete(world: World, chance: random.Random) -> None:
    for pod in chance.sample(pods_of(world, "green"), k=min(1, len(pods_of(world, "green")))):
        world.store.delete("Pod", NAMESPACE, pod["metadata"]["name"], by="test", grace=chance.choice((None, 0, 5)))


def drain(world: World, chance: random.Random) -> None:
    world.drain(chance.choice(list(world.nodes)))


def stop(world: World, chance: random.Random) -> None:
    controller = chance.choice(list(world.controllers.values()))
    (controller.stop if chance.random() < 0.5 else controller.go_on)()


HARMS: tuple[Callable[[World, random.Random], None], ...] = (
    scale,
    deploy,
    pause,
    turn,
    spoil,
    crash,
    delete,
    drain,
    stop,
)


def heal(world: World) -> None:
    for version in VERSIONS:
        world.mend_version(version)
    for node in world.nodes:
        world.uncordon(node)
    for controller in world.controllers.values():
        controller.go_on()
    for name in DEPLOYMENTS:
        shops.change(world, name, paused=False, replicas=3)


@pytest.mark.parametrize("seed", range(25))
def test_the_world_comes_to_rest(seed: int) -> None:
    chance = random.Random(seed)
    strategy = chance.choice(({"type": "Recreate"}, {"type": "RollingUpdate"}))
    drained = chance.choice(("0", "2", "5"))
    world = shops.world(seed, idle=chance.randrange(4), env={"DRAIN": drained}, strategy=strategy)
    for _step in range(12):
        chance.choice(HARMS)(world, chance)
        shops.later(world, chance.choice((0.0, 0.01, 0.1, 1.0, 5.0, 20.0)))
    heal(world)
    world.settle(lambda: all(at_rest(world, name) for name in DEPLOYMENTS), limit=900)
    shops.later(world, 5)
    intervals = world.users.of("myapp")
    assert all(one.until == other.since for one, other in zip(intervals, intervals[1:]))
    service = world.store.get("Service", NAMESPACE, "myapp")
    assert service is not None
    live = pods_of(world, service["spec"]["selector"]["version"])
    assert intervals[-1].pods == tuple(pod["metadata"]["name"] for pod in live) and len(live) == 3
    assert not intervals[-1].lost
