# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch that nodes are slow to notice: the old colour stays until its last answer has been seen."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from gateway import Match
from scene import Scene, component

OUTAGE = 10  # seconds


@pytest.mark.alone
@pytest.mark.promise("with a probe, the old color stays until its last answer")
def test_stopped_around_the_switch(scene: Scene, figure: Callable[[str], None]) -> None:
    run, gate = scene.start_held(
        "release.yml",
        Match("bg_switch", "PATCH", "/services/"),
        version="2.0",
        bluegreen_scale_down_delay=0,
        bluegreen_probe=scene.app.probe,
    )
    component("stop", "kube-proxy")
    try:
        scene.note("kube-proxy is stopped")
        gate.open()
        run.wait_for("switched from blue to green")
        time.sleep(OUTAGE)
        scene.note("kube-proxy is started")
    finally:
        component("start", "kube-proxy")
    run.finish()
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()
    last_old = scene.traffics["users"].report.last("blue")
    (scaled,) = [
        request.received for request in run.written if "bg_scale" in request.agent and request.resource == "deployments"
    ]
    said = float(run.result["timings"]["last_old_ms"])
    figure(
        f"last old answer {last_old - run.switched():.2f} s after the switch (the release says {said:.0f} ms), "
        f"old colour scaled down {scaled - run.switched():.2f} s after it"
    )
    assert last_old - run.switched() >= OUTAGE - 1, "kube-proxy went on without being there"
    assert scaled > last_old, "the old colour was scaled down while it still answered"
    assert abs(said / 1000 - (last_old - run.switched())) < 2
