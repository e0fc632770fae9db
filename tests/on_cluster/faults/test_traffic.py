# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request is lost by a release and a rollback, on new connections, on kept ones, and of the slow ones in flight."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import until
from scene import Scene, clock

DELAY = 8  # seconds; longer than the slowest request, and than kube-proxy takes to notice
SLOW = 5
IN_FLIGHT = 100


@pytest.mark.alone  # with other tests beside it, two CPUs may have too little left to answer a readiness probe in time
@pytest.mark.parametrize(
    "drain",
    [
        pytest.param(
            10,
            id="drains",
            marks=pytest.mark.promise(
                "of an application that ends gracefully, kept connections and slow requests lose nothing"
            ),
        ),
        pytest.param(0, id="stops-at-once"),
    ],
)
def test_release_and_rollback(new_scene: Callable[..., Scene], figure: Callable[[str], None], drain: int) -> None:
    scene = new_scene(env={"DRAIN": str(drain)})
    slow = f"/slow?seconds={SLOW}"
    options = {"rate": IN_FLIGHT // SLOW, "timeout": 30}
    scene.flow("kept connections", keepalive=True)
    scene.flow("slow requests", slow, **options)
    scene.flow("slow requests on kept connections", slow, keepalive=True, **options)
    scene.flow("slow POST requests on kept connections", slow, keepalive=True, method="POST", **options)
    for playbook, variables in (("release.yml", {"version": "2.0"}), ("rollback.yml", {})):
        run = scene.play(playbook, bluegreen_scale_down_delay=DELAY, **variables)
        assert run.code == 0, run.output
        color = {"release.yml": "blue", "rollback.yml": "green"}[playbook]
        # The traffic goes on until the pods that were scaled away have ended.
        until(
            lambda color=color: len(scene.app.get("pods", "", f"--selector=app=myapp,version={color}")) == 1,
            f"{color} down to 1 pod, those that are ending counted",
            pause=0.5,
        )
    reports = scene.stop()
    for name, report in reports.items():
        figure(f"{name}: sent {report.sent}, lost {report.failed}")
        assert report.sent
    # Every new connection goes to a pod that stays: whatever the application does, none of them is lost. A slow request
    # is over before its pod ends, because the delay is longer than it takes.
    #
    # A kept connection stays with the pod that it was opened to, also after the switch: that is how Services work. A pod
    # that stops at once takes with it what is in flight on those connections. Clients send a GET again; a POST is lost.
    posts = reports.pop("slow POST requests on kept connections")
    assert {name: report.failed for name, report in reports.items() if report.failed} == {}
    if drain:
        assert posts.failed == 0
    else:
        # They fail when pods end, after the delay, and at no other time.
        ends = [
            request.answered
            for run in scene.runs
            for request in run.written
            if request.resource == "deployments" and "bg_scale" in request.agent
        ]
        assert len(ends) == 2 and posts.failed
        for kind, ended, _took in posts.rows():
            assert not kind.failure or any(0 <= ended - end < 5 for end in ends), f"{kind} at {clock(ended)}"
