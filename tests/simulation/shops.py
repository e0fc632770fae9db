# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the world share: the example application in a world of its own."""

from __future__ import annotations

from typing import Any

from simulation.api.store import Store
from simulation.clock import Hub
from simulation.world import Lag, World
from simulation.world.example import IMAGE, NAMESPACE, at_rest, shop
from simulation.world.objects import Object


def world(seed: int = 1, lag: Lag | None = None, nodes: tuple[str, ...] = ("node-1", "node-2"), **given: Any) -> World:
    """One in which the shop is at rest; ``given``: see `shop`."""
    hub = Hub(seed)
    made = World(hub, Store(hub), lag, nodes)
    shop(made, **given)
    return made


def change(made: World, name: str, template: Object | None = None, **spec: Any) -> None:
    """Fields of a Deployment's spec, and of its container."""

    def write(copy: Object) -> None:
        copy["spec"].update(spec)
        copy["spec"]["template"]["spec"]["containers"][0].update(template or {})

    made.store.update("Deployment", NAMESPACE, name, write, by="test")


def release(made: World, version: str, name: str = "app-green", replicas: int = 3, **container: Any) -> None:
    change(made, name, {"image": f"{IMAGE}:{version}", **container}, replicas=replicas)


def settled(made: World, name: str = "app-green", limit: float = 120.0) -> None:
    made.settle(lambda: at_rest(made, name), limit)


def later(made: World, seconds: float) -> None:
    made.hub.run(until=made.hub.now + seconds)


def deployment(made: World, name: str = "app-green") -> Object:
    found = made.store.get("Deployment", NAMESPACE, name)
    assert found is not None
    return found


def warnings(made: World, reason: str = "") -> list[Object]:
    return [item for item in made.store.list("Event", NAMESPACE) if reason in ("", item["reason"])]
