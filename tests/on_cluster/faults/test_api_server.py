# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release survives an API server that is away, restarts, refuses for a while, or cuts its watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gateway import WATCH, Gate, Match, Seen
from harness import CHECKS
from scene import FaultRun, Scene, component, sampled, without
from stages import AT, Point

OUTAGE = 20  # seconds
# What makes a stage last until all the releases are where they shall be.
SLOW_START = {"wait": {"env": {"START_DELAY": "6"}}}
SLOW_CHECK = {"bluegreen_checks": [{**check, "timeout": 60} for check in CHECKS]}
AFTER_THE_DELAY = ("scale-unwritten", "report-half")  # an outage then comes to nodes that know of the switch


def patient(scene: Scene) -> dict[str, Any]:
    """What a release after an outage needs: the default times, and the probe, which says when kube-proxy has followed.

    Everybody else as well has to find the way back: the controllers, which make no pod until then, and kube-proxy, which
    knows of no switch. Each asks again after pauses of up to a minute (client-go's reflector).
    """
    return {"bluegreen_scale_down_delay": 30, "bluegreen_wait_timeout": 300, "bluegreen_probe": scene.app.probe}


def go_through(new_scene: Callable[..., Scene], names: tuple[str, ...], seconds: float) -> None:
    """A release at each of these points, an outage of the real API server, and all must end well."""
    scenes = {AT[name]: new_scene(**SLOW_START.get(name, {})) for name in names}

    def start(point: Point, scene: Scene) -> tuple[FaultRun, Gate | None]:
        more = {} if point.name in AFTER_THE_DELAY else patient(scene)
        return point.start(scene, **more, **SLOW_CHECK)

    with ThreadPoolExecutor() as pool:
        started = {point: pool.submit(start, point, scene) for point, scene in scenes.items()}
        runs = {point: future.result() for point, future in started.items()}
    for scene in scenes.values():
        scene.note("the API server is stopped")
    with without("kube-apiserver"):
        for _run, gate in runs.values():
            if gate:
                gate.open()
        time.sleep(seconds)
    for scene in scenes.values():
        scene.note("the API server is back")
    for point, scene in scenes.items():
        run = runs[point][0].finish()
        assert run.outcome == "released", f"{point}: {run.output}"
        scene.live_and_whole("green", "2.0")
        scene.tidy()
        scene.nothing_lost()


@pytest.mark.alone
@pytest.mark.parametrize(
    "points",
    [
        pytest.param(
            ("switch-unwritten",),
            marks=pytest.mark.promise("a release survives an API server that is away for a while"),
        ),
        pytest.param(("wait", "delay"), marks=pytest.mark.complete),
        pytest.param(("detect", "lock", "deploy-unwritten"), marks=pytest.mark.complete),
        pytest.param(("validate", "switch-written", "scale-unwritten", "report-half"), marks=pytest.mark.complete),
    ],
    ids="+".join,
)
def test_stopped_for_20_seconds(new_scene: Callable[..., Scene], points: tuple[str, ...]) -> None:
    go_through(new_scene, points, OUTAGE)


@pytest.mark.complete
@pytest.mark.alone
def test_restarted(new_scene: Callable[..., Scene]) -> None:
    go_through(new_scene, ("wait", "validate", "switch-written", "delay"), 0)


@pytest.mark.complete
@pytest.mark.alone
def test_stopped_for_longer(new_scene: Callable[..., Scene]) -> None:
    """Longer than api_timeout: the run fails; once the API server is back, the same command finishes the release."""
    scene = new_scene()
    run, _gate = AT["wait"].start(scene)
    component("stop", "kube-apiserver")
    try:
        run.finish(300)
    finally:
        component("start", "kube-apiserver")
    assert run.outcome == LONGER["wait"], run.output
    assert scene.play("release.yml", version="2.0", **patient(scene)).outcome == "released"
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


# How a release ends when the API server stays away for longer than bluegreen_api_timeout, by the stage it goes in.
# docs/faults.md has this table. What is live does not change any more in any of them.
LONGER = {
    "detect": "refused",
    "lock": "refused",
    "deploy-unwritten": "aborted",
    "deploy-written": "aborted",
    "wait": "aborted",
    "validate": "aborted",
    "switch-unwritten": "failed",
    "switch-written": "failed",
    "delay": "failed",
    "scale-unwritten": "failed",
    "report-half": "failed",
}


@pytest.mark.parametrize("point", sampled({name: AT[name] for name in LONGER}, "switch-unwritten"))
def test_away_for_longer(scene: Scene, point: Point) -> None:
    """As above, in every stage, with an API server that is away for this run only."""
    run, gate = point.start(scene, bluegreen_api_timeout=3)
    scene.note("the API server is away")
    scene.gateway.down.add(run.tag)
    if gate:
        gate.drop()
    run.finish()
    scene.note("the API server is back")
    assert run.code != 0 and run.outcome == LONGER[point.name], run.output
    assert "The API server" in run.output and "does not answer" in run.output
    assert "Traceback" not in run.output
    assert scene.app.color == point.live, "the run has changed what is live, or says nothing of it"
    again = scene.play("release.yml", version="2.0")
    scene.live_and_whole("green", "2.0")
    if point.name == "report-half":  # the release was complete
        assert again.outcome == "unchanged", again.output
    else:
        assert again.outcome == "released", again.output
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


@pytest.mark.parametrize("status", sampled({"429": 429, "500": 500, "503": 503, "504": 504}, "429", "500"))
def test_refuses_every_request_once(scene: Scene, status: int) -> None:
    tag = scene.prepare("release.yml")
    text = "Too many requests, please try again later." if status == 429 else "etcdserver: leader changed"
    refusals = scene.gateway.fault(tag, FirstOfEach(), times=1000, status=status, text=text)
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


@pytest.mark.parametrize(
    "fault",
    sampled(
        {"cut": {"cut": 0.3}, "expired": {"status": 410}, "refused": {"status": 500}, "broken": {"reset": True}}, "cut"
    ),
)
def test_watches(new_scene: Callable[..., Scene], fault: dict) -> None:
    """Watches that end early are opened again, and no change is missed."""
    scene = new_scene(env={"START_DELAY": "2"})
    tag = scene.prepare("release.yml")
    ends = scene.gateway.fault(tag, WATCH, times=10, **fault)
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
