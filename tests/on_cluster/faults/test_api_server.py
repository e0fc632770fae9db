# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release survives an API server that is away, restarts, refuses for a while, or cuts its watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from gateway import WATCH, Match, Seen
from scene import Scene, without
from stages import AT

OUTAGE = 20  # seconds


def patient(scene: Scene) -> dict[str, Any]:
    """What a release after an outage needs: the default times, and the probe, which says when kube-proxy has followed.

    Everybody else as well has to find the way back: the controllers, which make no pod until then, and kube-proxy, which
    knows of no switch. Each asks again after pauses of up to a minute (client-go's reflector).
    """
    return {"bluegreen_scale_down_delay": 30, "bluegreen_wait_timeout": 300, "bluegreen_probe": scene.app.probe}


@pytest.mark.alone
@pytest.mark.promise("a release survives an API server that is away for a while")
def test_stopped_for_20_seconds(scene: Scene) -> None:
    run, gate = AT["switch-unwritten"].start(scene, **patient(scene))
    scene.note("the API server is stopped")
    with without("kube-apiserver"):
        assert gate
        gate.open()
        time.sleep(OUTAGE)
    scene.note("the API server is back")
    run.finish()
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


def test_away_for_longer(scene: Scene) -> None:
    """Longer than api_timeout, for this run only: it fails, and the same command finishes the release afterwards."""
    run, gate = AT["switch-unwritten"].start(scene, bluegreen_api_timeout=3)
    scene.note("the API server is away")
    scene.gateway.down.add(run.tag)
    assert gate
    gate.drop()
    run.finish()
    scene.note("the API server is back")
    assert run.code != 0 and run.outcome == "failed", run.output
    assert "The API server" in run.output and "does not answer" in run.output
    assert "Traceback" not in run.output
    assert scene.app.color == "blue", "the run has changed what is live, or says nothing of it"
    again = scene.play("release.yml", version="2.0")
    assert again.outcome == "released", again.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


class FirstOfEach:
    """Matches the first request of each kind: module, method and path."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str, str]] = set()

    def __call__(self, seen: Seen) -> bool:
        kind = (seen.module, seen.method, seen.path)
        new = kind not in self.known
        self.known.add(kind)
        return new


def test_refuses_every_request_once(scene: Scene) -> None:
    tag = scene.prepare("release.yml")
    text = "Too many requests, please try again later."
    refusals = scene.gateway.fault(tag, FirstOfEach(), times=1000, status=429, text=text)
    run = scene.play("release.yml", tag, version="2.0")
    assert refusals.used > 20
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


def test_connections_break(scene: Scene) -> None:
    """Every request is sent twice: the first time its connection breaks without an answer."""
    tag = scene.prepare("release.yml")
    breaks = scene.gateway.fault(tag, FirstOfEach(), times=1000, reset=True)
    run = scene.play("release.yml", tag, version="2.0")
    assert breaks.used > 20
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


@pytest.mark.promise("a write whose answer is lost is not done twice")
def test_answers_of_writes_are_lost(scene: Scene) -> None:
    """Every write arrives, and its answer does not: it is not done twice, nor taken for somebody else's."""
    tag = scene.prepare("release.yml")
    lost = scene.gateway.fault(tag, FirstOfWrites(), times=1000, lose_answer=True)
    run = scene.play("release.yml", tag, version="2.0")
    assert lost.used >= 6
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    assert [entry["outcome"] for entry in scene.app.state["history"]] == ["released"]
    scene.nothing_lost()


class FirstOfWrites(FirstOfEach):
    def __call__(self, seen: Seen) -> bool:
        return seen.method != "GET" and super().__call__(seen)


def test_watches(new_scene: Callable[..., Scene]) -> None:
    """Watches that end early are opened again, and no change is missed."""
    scene = new_scene(env={"START_DELAY": "2"})
    tag = scene.prepare("release.yml")
    ends = scene.gateway.fault(tag, WATCH, times=10, cut=0.3)
    run = scene.play("release.yml", tag, version="2.0")
    assert ends.used >= 6
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


def test_token_expires(scene: Scene) -> None:
    """Credentials that end in the middle of a release: the error says so, and nothing has changed."""
    run, gate = scene.start_held("release.yml", Match("bg_smoke_check", "GET", "/proxy/"), version="2.0")
    scene.gateway.tokens[run.tag] = "eyJhbGciOiJSUzI1NiJ9.e30.expired"
    gate.open()
    run.finish()
    assert run.code != 0, run.output
    assert "does not accept the credentials" in run.output and "Renew the token" in run.output
    assert run.seconds < 60, "waiting does not heal it"
    scene.live_and_whole("blue", "1.0")
    assert scene.play("release.yml", version="2.0").outcome == "released"
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()
