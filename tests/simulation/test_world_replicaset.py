# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller keeps the pods that are worth most, and says when it can make none."""

from __future__ import annotations

import pytest

from simulation import shops
from simulation.world import World
from simulation.world.example import NAMESPACE, pods_of
from simulation.world.objects import Object, condition, is_terminating
from simulation.world.replicaset import DELETION_COST


def gone_first(world: World) -> str:
    """Which of blue's pods goes when there is one too many."""
    deleted: list[str] = []
    world.store.on_write.append(lambda write: deleted.append(write.name) if write.verb == "delete" else None)
    shops.change(world, "app-blue", replicas=len(pods_of(world, "blue")) - 1)
    shops.later(world, 0.2)
    (name,) = deleted
    return name


def test_a_pod_that_is_not_ready_goes_first() -> None:
    world = shops.world()
    name = pods_of(world, "blue")[1]["metadata"]["name"]
    world.crash(name, NAMESPACE)
    assert gone_first(world) == name


def test_the_cheapest_pod_goes_first() -> None:
    world = shops.world()
    name = pods_of(world, "blue")[2]["metadata"]["name"]
    world.store.update(
        "Pod", NAMESPACE, name, lambda copy: copy["metadata"].update(annotations={DELETION_COST: "-5"}), by="test"
    )
    assert gone_first(world) == name


def test_of_two_on_a_node_one_goes_first() -> None:
    world = shops.world(live=3)
    homes = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods_of(world, "blue")}
    name = gone_first(world)
    assert list(homes.values()).count(homes[name]) == 2


def test_the_youngest_by_far_goes_first() -> None:
    world = shops.world(live=1, nodes=("node",))
    shops.later(world, 3600)
    (old,) = pods_of(world, "blue")
    shops.change(world, "app-blue", replicas=2)
    shops.settled(world, "app-blue")
    assert gone_first(world) != old["metadata"]["name"]


def test_a_quota_is_told_by_conditions_and_events_until_there_is_room() -> None:
    world = shops.world()
    quota = {
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "5"}},
    }
    world.store.create(quota)
    shops.release(world, "2.0")
    shops.later(world, 30)
    found = condition(shops.deployment(world), "ReplicaFailure") or {}
    assert (found["status"], found["reason"]) == ("True", "FailedCreate")
    assert "exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5" in found["message"]
    events = shops.warnings(world, "FailedCreate")
    assert all(
        event["message"].removeprefix("(combined from similar events): ").startswith("Error creating: pods ")
        for event in events
    )
    # About each of the two ReplicaSets ten, and one for all further ones.
    assert len(events) == 22
    assert sum(event["message"].startswith("(combined") for event in events) == 2
    world.store.update("ResourceQuota", NAMESPACE, "small", lambda copy: copy["spec"].update(hard={"pods": "50"}))
    shops.settled(world)
    assert condition(shops.deployment(world), "ReplicaFailure") is None


@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_that_is_deleted_is_replaced_at_once(code: int) -> None:
    world = shops.world(seed=code)
    pod = pods_of(world, "blue")[code]
    world.store.delete("Pod", NAMESPACE, pod["metadata"]["name"], by="test")
    shops.later(world, 0.1)
    left = [item for item in pods_of(world, "blue") if not is_terminating(item)]
    assert len(left) == 3
    assert pod["metadata"]["name"] not in {item["metadata"]["name"] for item in left}


def test_a_pod_whose_labels_no_longer_fit_is_let_go() -> None:
    world = shops.world()
    pod = pods_of(world, "blue")[0]

    def write(copy: Object) -> None:
        copy["metadata"]["labels"]["app"] = "quarantine"

    world.store.update("Pod", NAMESPACE, pod["metadata"]["name"], write, by="test")
    shops.later(world, 0.2)
    assert len(pods_of(world, "blue")) == 3
    kept = world.store.get("Pod", NAMESPACE, pod["metadata"]["name"])
    assert kept is not None and not kept["metadata"].get("ownerReferences")
