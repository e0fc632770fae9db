# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EndpointSlices, proxies and users: who answers, and when a request may be lost."""

from __future__ import annotations

import pytest

from simulation import shops
from simulation.world import Lag, World
from simulation.world.example import NAMESPACE, pods_of, ready_pods, service, switch
from simulation.world.objects import Object


def slices(world: World, name: str = "myapp") -> list[Object]:
    return world.store.list("EndpointSlice", NAMESPACE, {"kubernetes.io/service-name": name})


def names(world: World, color: str) -> tuple[str, ...]:
    return tuple(sorted(pod["metadata"]["name"] for pod in pods_of(world, color)))


def after(world: World, moment: float, name: str = "myapp") -> list[tuple[str, ...]]:
    return [interval.pods for interval in world.users.of(name) if interval.until is None or interval.until > moment]


def test_a_switch_moves_users_from_all_old_pods_to_all_new_ones_without_loss() -> None:
    world = shops.world(idle=3)
    began = world.hub.now
    switch(world, "myapp", "green")
    shops.later(world, 5)
    blue, green = names(world, "blue"), names(world, "green")
    assert after(world, began)[0] == blue
    assert after(world, began)[-1] == green
    assert not world.users.lost(began)
    # The slice was not made anew, and both nodes were at it once.
    assert len(slices(world)) == 1
    assert [end["targetRef"]["name"] for end in slices(world)[0]["endpoints"]] == list(green)
    assert len(after(world, began)) == 3 and after(world, began)[1] == tuple(sorted(blue + green))


def test_the_reactions_take_their_time() -> None:
    world = shops.world(lag=Lag(endpoints=(0.1, 0.1), proxy=(0.5, 0.5)), idle=3)
    began = world.hub.now
    switch(world, "myapp", "green")
    shops.later(world, 5)
    (old, new) = [interval for interval in world.users.of("myapp") if interval.until is None or interval.until > began]
    assert old.until == new.since == pytest.approx(began + 0.6)


def test_a_terminating_pod_leaves_the_slice_at_once_and_users_later() -> None:
    world = shops.world(lag=Lag(endpoints=(0.1, 0.1), proxy=(0.5, 0.5)), env={"DRAIN": "5"})
    pod = pods_of(world, "blue")[0]["metadata"]["name"]
    began = world.hub.now
    world.store.delete("Pod", NAMESPACE, pod, by="test")
    shops.later(world, 0.2)
    (found,) = [end for end in slices(world)[0]["endpoints"] if end["targetRef"]["name"] == pod]
    assert found["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert pod in world.users.at(world.hub.now, "myapp")[0].pods
    shops.later(world, 0.5)
    assert pod not in world.users.at(world.hub.now, "myapp")[0].pods
    shops.later(world, 10)
    assert not world.users.lost(began)
    assert len(slices(world)[0]["endpoints"]) == 3


def test_a_pod_that_does_not_drain_loses_requests_until_the_nodes_know() -> None:
    world = shops.world(lag=Lag(endpoints=(0.1, 0.1), proxy=(0.5, 0.5)))
    pod = pods_of(world, "blue")[0]["metadata"]["name"]
    began = world.hub.now
    world.store.delete("Pod", NAMESPACE, pod, by="test")
    shops.later(world, 10)
    ((port, interval),) = world.users.lost(began)
    assert port.service == "myapp"
    assert interval.lost == f"{pod} does not answer on 8080"
    assert interval.until == pytest.approx(began + 0.6)
    assert began < interval.since <= began + 0.2


def test_when_all_pods_terminate_they_are_still_used() -> None:
    world = shops.world(live=1, env={"DRAIN": "10"})
    began = world.hub.now
    shops.change(world, "app-blue", replicas=0)
    shops.later(world, 8)
    assert not world.users.lost(began)
    shops.later(world, 10)
    assert "no endpoints on" in world.users.at(world.hub.now, "myapp")[0].lost


def test_a_crash_is_seen_by_users_and_by_the_slice() -> None:
    world = shops.world()
    pod = ready_pods(world, "blue")[0]["metadata"]["name"]
    world.crash(pod, NAMESPACE)
    shops.later(world, 0.01)
    assert pod in world.users.at(world.hub.now, "myapp")[0].lost
    shops.later(world, 10)
    now = world.users.at(world.hub.now, "myapp")[0]
    assert pod in now.pods and not now.lost


def test_a_port_name_means_each_pods_own_number() -> None:
    world = shops.world()
    shops.release(world, "2.0", replicas=3, ports=[{"name": "http", "containerPort": 9090}])
    shops.settled(world)
    began = world.hub.now
    switch(world, "myapp", "green")
    shops.later(world, 5)
    assert [port["port"] for piece in slices(world) for port in piece["ports"]] == [9090]
    assert after(world, began)[-1] == names(world, "green")
    both = {"selector": {"app": "myapp"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    world.store.create({**service("both"), "spec": both})
    shops.later(world, 5)
    assert sorted(port["port"] for piece in slices(world, "both") for port in piece["ports"]) == [8080, 9090]
    assert not world.users.at(world.hub.now, "both")[0].lost
    assert len(world.users.at(world.hub.now, "both")[0].pods) == 6


def test_a_port_that_the_pods_have_not_leads_nowhere() -> None:
    world = shops.world()
    world.store.create(service("named", target="grpc"))
    world.store.create(service("numbered", target=9999))
    shops.later(world, 5)
    assert [piece.get("ports") or [] for piece in slices(world, "named")] == [[]]
    assert world.users.at(world.hub.now, "named")[0].lost.startswith("no endpoints on")
    numbered = world.users.at(world.hub.now, "numbered")[0]
    assert len(numbered.pods) == 3 and "does not answer on 9999" in numbered.lost


def test_addresses_that_are_not_ready_may_be_published() -> None:
    world = shops.world()
    world.break_version("1.0", "unready")
    shops.later(world, 10)
    assert "no endpoints" in world.users.at(world.hub.now, "myapp")[0].lost
    world.store.update(
        "Service", NAMESPACE, "myapp", lambda copy: copy["spec"].update(publishNotReadyAddresses=True), by="test"
    )
    shops.later(world, 5)
    assert not world.users.at(world.hub.now, "myapp")[0].lost


def test_several_services_are_looked_at_one_by_one() -> None:
    world = shops.world(services=("front", "back"), idle=3)
    began = world.hub.now
    switch(world, "front", "green")
    shops.later(world, 5)
    assert after(world, began, "front")[-1] == names(world, "green")
    assert after(world, began, "back") == [names(world, "blue")]
    (interval,) = world.users.at(world.hub.now, "front")
    assert {world.users.pods[name].labels["version"] for name in interval.pods} == {"green"}
    assert world.users.images(interval) == {"registry/app:1.0"}


def test_a_service_that_goes_takes_its_slices_and_users_along() -> None:
    world = shops.world()
    world.store.delete("Service", NAMESPACE, "myapp", by="test")
    shops.later(world, 3)
    assert not slices(world)
    assert world.users.of("myapp")[-1].until is not None
    assert not world.users.at(world.hub.now, "myapp")


def test_intervals_follow_each_other_without_gaps() -> None:
    world = shops.world(env={"DRAIN": "3"})
    shops.release(world, "2.0", "app-blue")
    shops.settled(world, "app-blue")
    intervals = world.users.of("myapp")
    assert len(intervals) > 6
    assert all(one.until == other.since for one, other in zip(intervals, intervals[1:]))
    assert all(one.since < one.until for one in intervals if one.until is not None)
    assert intervals[-1].until is None
