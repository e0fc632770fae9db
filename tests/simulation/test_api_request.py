# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches and quotas of the simulated server; what its answers say is compared with a real one's by `fidelity`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulation.api import Api, Refused, Store, Stream
from simulation.clock import Hub
from simulation.objects import NS, PATHS, Requests, deployment, pod, secret


@pytest.fixture
def hub() -> Hub:
    return Hub(7)


@pytest.fixture
def store(hub: Hub) -> Store:
    return Store(hub)


@pytest.fixture
def ask(store: Store) -> Requests:
    return Requests(Api(store))


def read(stream: Stream) -> list[tuple[str, str, dict[str, Any]]]:
    """What has come since the last call: type, version, object."""
    events = [json.loads(line) for line in stream.lines]
    stream.lines.clear()
    return [
        (event["type"], event["object"].get("metadata", {}).get("resourceVersion", ""), event["object"])
        for event in events
    ]


def test_a_watch_goes_on_from_a_list(store: Store, ask: Requests) -> None:
    store.create(pod("before"))
    _status, listed = ask("GET", PATHS["Pod"])
    store.create(pod("between"))
    stream = ask.watch(PATHS["Pod"], resourceVersion=listed["metadata"]["resourceVersion"])
    store.create(pod("after"))
    events = read(stream)
    assert [(kind, item["metadata"]["name"]) for kind, _version, item in events] == [
        ("ADDED", "between"),
        ("ADDED", "after"),
    ]
    assert events[-1][1] == store.get("Pod", NS, "after")["metadata"]["resourceVersion"]


def test_a_selecting_watch_tells_of_what_comes_and_goes(store: Store, ask: Requests) -> None:
    store.create(pod("one", color="green"))
    stream = ask.watch(PATHS["Pod"], resourceVersion=str(store.number), labelSelector="color=blue")
    for color in ("blue", "blue", "green", "red"):
        store.update(
            "Pod",
            NS,
            "one",
            lambda item, color=color: item["metadata"].update(labels={"color": color, "n": str(store.number)}),
        )
    store.delete("Pod", NS, "one", grace=0)
    events = read(stream)
    assert [kind for kind, _version, _item in events] == ["ADDED", "MODIFIED", "DELETED"]
    # As it was when it was selected, at the version in which it is not any more.
    assert events[2][2]["metadata"]["labels"]["color"] == "blue"
    assert int(events[2][1]) > int(events[1][1])


def test_what_has_been_forgotten_cannot_be_watched(store: Store, ask: Requests) -> None:
    version = str(store.number)
    store.create(pod())
    store.compact()
    stream = ask.watch(PATHS["Pod"], resourceVersion=version)
    ((kind, _version, status),) = read(stream)
    assert (kind, status["code"], status["reason"], stream.ended) == ("ERROR", 410, "Expired", True)
    assert status["message"] == f"too old resource version: {version} ({store.forgotten})"
    fresh = ask.watch(PATHS["Pod"], resourceVersion=str(store.number))
    assert not fresh.ended and read(fresh) == []


def test_a_watch_ends_in_time_and_says_how_far_it_got(store: Store, ask: Requests, hub: Hub) -> None:
    stream = ask.watch(PATHS["Pod"], resourceVersion=str(store.number), timeoutSeconds="30", allowWatchBookmarks="true")
    store.create(secret())
    hub.run(until=29)
    assert [(kind, version) for kind, version, _item in read(stream)] == [("BOOKMARK", str(store.number))]
    assert not stream.ended
    hub.run(until=31)
    assert stream.ended
    store.create(pod())
    assert not stream.lines


def test_a_client_that_has_gone_is_told_nothing(store: Store, ask: Requests, hub: Hub) -> None:
    stream = ask.watch(PATHS["Pod"], resourceVersion="0")
    stream.close()
    store.create(pod())
    assert not stream.lines
    hub.run()
    assert hub.steps == 0, "its timers are cancelled"


def test_who_waits_for_a_watch_is_woken(store: Store, ask: Requests, hub: Hub) -> None:
    stream, woken = ask.watch(PATHS["Pod"], resourceVersion="0", timeoutSeconds="600"), []

    def reader() -> None:
        assert stream.signal.wait(100)
        woken.append(hub.now)

    hub.spawn(reader)
    hub.after(5, store.create, pod())
    hub.run(until=50)
    assert woken == [5.0]


def test_writes_say_who_writes(store: Store, ask: Requests) -> None:
    seen: list[Any] = []
    store.on_write.append(seen.append)
    assert ask("POST", PATHS["Deployment"], deployment())[0] == 201
    ask.patch(PATHS["Deployment"] + "/app-blue", {"op": "replace", "path": "/spec/replicas", "value": 2})
    assert [(one.verb, one.by) for one in seen] == [("create", "tests"), ("patch", "tests")]


def test_a_dry_run_changes_nothing(store: Store, ask: Requests) -> None:
    store.create(deployment())
    before, number = store.get("Deployment", NS, "app-blue"), store.number
    path = PATHS["Deployment"] + "/app-blue"
    status, said = ask.patch(path, {"op": "replace", "path": "/spec/replicas", "value": 2}, dryRun="All")
    assert (status, said["spec"]["replicas"], said["metadata"]["generation"]) == (200, 2, 2)
    assert ask("DELETE", path, {"dryRun": ["All"]})[0] == 200
    assert ask("POST", PATHS["Deployment"], deployment("other"), dryRun="All")[0] == 201
    assert store.get("Deployment", NS, "app-blue") is before
    assert store.number == number and len(store.list("Deployment", NS)) == 1


def test_a_quota_counts_pods_that_end_slowly_and_frees_their_place(store: Store) -> None:
    store.create(
        {"kind": "ResourceQuota", "metadata": {"name": "small", "namespace": NS}, "spec": {"hard": {"pods": "1"}}}
    )

    def used() -> str:
        return store.get("ResourceQuota", NS, "small")["status"]["used"]["pods"]

    store.create(pod("one"))
    store.delete("Pod", NS, "one")
    assert used() == "1"
    with pytest.raises(Refused, match="exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1"):
        store.create(pod("two"))
    store.delete("Pod", NS, "one", grace=0)
    assert used() == "0"
    store.create(pod("two"))
    store.update("Pod", NS, "two", lambda item: item["status"].update(phase="Succeeded"), status=True)
    assert used() == "0"


class World:
    def answer(
        self, item: dict[str, Any], port: int, method: str, path: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        return (418, {"X-Pod": item["metadata"]["name"]}, f"{method} {path} {port}".encode()) if port == 8080 else None

    def logs(self, item: dict[str, Any], container: str, previous: bool) -> list[tuple[str, str]] | None:
        return (
            []
            if previous
            else [
                (f"2026-01-01T00:00:0{number}Z", f"line {number}")
                for number in range(int(item["metadata"]["labels"]["n"]))
            ]
        )


def test_proxies_lead_to_pods(store: Store, ask: Requests) -> None:
    ask.api.containers.world = World()
    store.create(pod("one"))
    store.update("Pod", NS, "one", lambda item: item["status"].update(podIP="10.0.0.1"), status=True)
    answer = ask.raw("GET", PATHS["Pod"] + "/one:8080/proxy/health", q="1")
    assert (answer.status, answer.headers["X-Pod"], answer.body) == (418, "one", b"GET /health?q=1 8080")
    assert ask.raw("POST", PATHS["Pod"] + "/one/proxy/").body == b"POST / 8080"
    status, said = ask("GET", PATHS["Pod"] + "/one:9/proxy/health")
    assert (status, said["reason"]) == (503, "ServiceUnavailable") and "connection refused" in said["message"]


def test_logs_are_followed_until_the_container_ends(store: Store, ask: Requests) -> None:
    ask.api.containers.logs = World().logs
    store.create(pod("one", n="2"))
    path = PATHS["Pod"] + "/one/log"
    assert ask.raw("GET", path, tailLines="1").body == b"line 1\n"
    stream = ask.raw("GET", path, follow="true", timestamps="true").stream
    store.update("Pod", NS, "one", lambda item: item["metadata"]["labels"].update(n="3"))
    assert list(stream.lines)[1:] == [b"2026-01-01T00:00:01Z line 1\n", b"2026-01-01T00:00:02Z line 2\n"]
    ended = [{"name": "app", "state": {"terminated": {"exitCode": 0}}}]
    store.update("Pod", NS, "one", lambda item: item["status"].update(containerStatuses=ended), status=True)
    assert stream.ended
