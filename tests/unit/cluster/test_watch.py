# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: what is observed of what happens; over real sockets."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import Any, Callable, Iterator

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from connection import connect, failure
from loopback import CUT, Answer, Loopback, Seen, as_json, refusal


class Watched:
    """An API server with one pod collection: lists it, and streams what a test puts into `events`."""

    END = object()  # the stream ends as the server ends it
    CUT = object()  # the connection breaks

    def __init__(self, loopback: Loopback, *names: str) -> None:
        self.pods = {name: _pod(name, 1) for name in names}
        self.events: queue.Queue[Any] = queue.Queue()
        self.watches: list[Seen] = []
        self.lists: list[Seen] = []
        self.refuse: list[Answer] = []  # answers to the next watches
        self.version = 1
        self._loopback = loopback
        loopback.answer = self._answer

    def _answer(self, seen: Seen) -> Answer:
        if "watch" not in seen.query:
            self.lists.append(seen)
            return as_json({"items": list(self.pods.values()), "metadata": {"resourceVersion": str(self.version)}})
        self.watches.append(seen)
        if self.refuse:
            return self.refuse.pop(0)
        return Answer(200, self._stream())

    def _stream(self) -> Iterator[bytes]:
        while not self._loopback.closing.is_set():
            try:
                event = self.events.get(timeout=0.05)
            except queue.Empty:
                continue
            if event is self.END:
                return
            if event is self.CUT:
                raise OSError("cut")
            yield event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"

    def change(self, kind: str, name: str, **fields: Any) -> None:
        self.version += 1
        pod = _pod(name, self.version, **fields)
        if kind == "DELETED":
            self.pods.pop(name, None)
        else:
            self.pods[name] = pod
        self.events.put({"type": kind, "object": pod})


def _pod(name: str, version: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}, **fields}


def _until(view: Any, reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end, "this was not observed"
        view.wait(0.02)


def _names(view: Any) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in view["pods"])


def observe(loopback: Loopback, **options: Any) -> Any:
    return connect(loopback.url, **options).observe(pods=("Pod", {"labelSelector": "app=myapp"}))


def test_a_watch_follows_what_happens(loopback: Loopback) -> None:
    server = Watched(loopback, "a", "b")
    with observe(loopback) as view:
        assert _names(view) == ["a", "b"]
        server.change("ADDED", "c")
        _until(view, lambda: _names(view) == ["a", "b", "c"])
        server.change("MODIFIED", "a", status={"phase": "Running"})
        _until(view, lambda: any(pod.get("status") for pod in view["pods"]))
        server.change("DELETED", "b")
        _until(view, lambda: _names(view) == ["a", "c"])
    (watch,) = server.watches
    assert watch.query["resourceVersion"] == "1"
    assert watch.query["labelSelector"] == "app=myapp"
    assert len(server.lists) == 1, "nothing is polled"


def test_a_change_wakes_who_waits(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    with observe(loopback) as view:
        threading.Timer(0.2, server.change, ("ADDED", "b")).start()
        began = time.monotonic()
        while _names(view) == ["a"]:
            view.wait(30)
        assert 0.1 <= time.monotonic() - began < 5


def test_waiting_ends_without_a_change_too(loopback: Loopback) -> None:
    Watched(loopback, "a")
    with observe(loopback) as view:
        began = time.monotonic()
        view.wait(0.2)
        assert 0.15 <= time.monotonic() - began < 5


def test_events_in_pieces(loopback: Loopback) -> None:
    """The network cuts lines where it likes."""
    server = Watched(loopback, "a")
    text = b"".join(json.dumps({"type": "ADDED", "object": _pod(name, 2)}).encode() + b"\n" for name in ("b", "c"))
    with observe(loopback) as view:
        for start in range(0, len(text), 50):
            server.events.put(text[start : start + 50])
        _until(view, lambda: _names(view) == ["a", "b", "c"])


@pytest.mark.parametrize("end", [Watched.END, Watched.CUT])
def test_a_watch_that_ends_is_opened_again(end: object, loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    with observe(loopback) as view:
        server.change("ADDED", "b")
        _until(view, lambda: _names(view) == ["a", "b"])
        server.events.put(end)
        _until(view, lambda: len(server.watches) == 2)
        server.change("ADDED", "c")
        _until(view, lambda: _names(view) == ["a", "b", "c"])
    if end is Watched.END:
        assert server.watches[1].query["resourceVersion"] == "2", "goes on where it ended"
        assert len(server.lists) == 1


def test_what_happened_while_a_watch_was_cut_is_not_missed(loopback: Loopback) -> None:
    server = Watched(loopback, "a", "b")
    with observe(loopback) as view:
        _until(view, lambda: len(server.watches) == 1)
        server.pods = {"c": _pod("c", 9)}  # a and b have gone, and no event tells
        server.events.put(Watched.CUT)
        _until(view, lambda: _names(view) == ["c"])


@pytest.mark.parametrize("how", ["answer", "event"])
def test_a_version_the_server_has_forgotten_is_listed_again(how: str, loopback: Loopback) -> None:
    server = Watched(loopback, "a", "b")
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    if how == "answer":
        server.refuse = [refusal(410, "too old resource version", reason="Expired")]
    else:
        server.events.put({"type": "ERROR", "object": gone})
    with observe(loopback) as view:
        server.pods = {"c": _pod("c", 9)}
        server.version = 9
        _until(view, lambda: _names(view) == ["c"] and len(server.watches) == 2)
        assert server.watches[1].query["resourceVersion"] == "9"


def test_a_bookmark_only_moves_the_version(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    server.events.put({"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "77"}}})
    server.events.put(Watched.END)
    with observe(loopback) as view:
        _until(view, lambda: len(server.watches) == 2)
        assert _names(view) == ["a"]
    assert server.watches[1].query["resourceVersion"] == "77"


def test_a_server_in_trouble_is_watched_again(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    server.refuse = [refusal(503), refusal(429)]
    with observe(loopback) as view:
        _until(view, lambda: len(server.watches) == 3)
        server.change("ADDED", "b")
        _until(view, lambda: _names(view) == ["a", "b"])


@pytest.mark.parametrize("event", [Watched.END, {"type": "ERROR", "object": {"kind": "Status", "code": 500}}])
def test_a_server_that_ends_every_watch_is_not_asked_without_pause(event: Any, loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    for _number in range(10_000):
        server.events.put(event)
    with observe(loopback) as view:
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            view.wait(0.1)
        assert len(server.watches) <= 12


def test_a_watch_that_is_forbidden_is_an_error_that_says_so(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    server.refuse = [refusal(403, 'User "ann" cannot watch resource "pods"')] * 10
    with observe(loopback) as view:
        error = failure(lambda: [view.wait(1) for _second in range(10)])
        assert error.reason == "forbidden"
        assert 'cannot watch resource "pods"' in str(error)


def test_a_watch_refused_by_a_server_that_is_not_ready_yet_is_opened_again(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    server.refuse = [refusal(403, 'User "ann" cannot watch resource "pods"')]
    with observe(loopback) as view:
        _until(view, lambda: len(server.watches) == 2)
        server.change("ADDED", "b")
        _until(view, lambda: _names(view) == ["a", "b"])


def test_an_api_server_that_does_not_come_back_ends_the_observation(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    with observe(loopback, api_timeout=0.5) as view:
        _until(view, lambda: len(server.watches) == 1)
        loopback.answer = lambda seen: CUT
        server.events.put(Watched.CUT)
        error = failure(lambda: [view.wait(1) for _second in range(20)])
        assert error.reason == "api_unreachable"


def test_an_overtaken_run_stops_observing(loopback: Loopback) -> None:
    Watched(loopback, "a")
    cluster = connect(loopback.url)
    with cluster.observe(pods=("Pod", {})) as view:
        cluster.lost = BlueGreenError("Another run has taken over.", "superseded")
        assert failure(lambda: view.wait(5)).reason == "superseded"


def _followers(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in set(threading.enumerate()) - before if "_follow" in thread.name]


def test_the_end_of_an_observation_ends_its_threads(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    before = set(threading.enumerate())
    with observe(loopback) as view:
        server.change("ADDED", "b")
        _until(view, lambda: _names(view) == ["a", "b"])
        (follower,) = _followers(before)
    follower.join(5)
    assert not follower.is_alive()


def test_an_observation_that_ends_while_a_watch_is_opened(loopback: Loopback) -> None:
    server = Watched(loopback, "a")
    before, ended, answer = set(threading.enumerate()), threading.Event(), loopback.answer

    def late(seen: Seen) -> Answer:
        if "watch" in seen.query:
            server.watches.append(seen)
            ended.wait(10)
        return answer(seen)

    loopback.answer = late
    with observe(loopback) as view:
        _until(view, lambda: len(server.watches) == 1)
        (follower,) = _followers(before)
    ended.set()
    follower.join(5)
    assert not follower.is_alive()
