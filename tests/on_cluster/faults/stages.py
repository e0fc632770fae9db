# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a release at which something can be made to happen: between every two stages, and in the middle of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway import Gate, Match
from scene import FaultRun, Scene


@dataclass(frozen=True)
class Point:
    """A moment of a release: when a request is held (match, nth, after), or when a line is printed.

    locked: whether the run holds the lock then. live: what users get at that moment.
    """

    name: str
    match: Match | None = None
    nth: int = 1
    after: bool = False
    line: str = ""
    locked: bool = True
    live: str = "blue"

    def __str__(self) -> str:
        return self.name

    def start(self, scene: Scene, playbook: str = "release.yml", **variables: Any) -> tuple[FaultRun, Gate | None]:
        """Start a release of 2.0 and return when it has come to this point."""
        variables = {"version": "2.0", **variables}
        if self.match:
            return scene.start_held(playbook, self.match, self.nth, self.after, **variables)
        run = scene.start(playbook, **variables)
        run.wait_for(self.line)
        return run, None


SERVICES, DEPLOYMENTS, LEASES = "/services/", "/deployments/", "/leases/"
FIRST = "/deployments"  # what a module asks for first when it reads the application

POINTS = [
    Point("detect", Match("bg_begin", "GET", SERVICES), locked=False),
    Point("detect-lock", Match("bg_begin", "GET", LEASES), locked=False),
    Point("lock", Match("bg_begin", "PATCH", SERVICES)),
    Point("lock-deploy", Match("bg_deploy", "GET", FIRST)),
    Point("deploy-unwritten", Match("bg_deploy", "PATCH", DEPLOYMENTS)),
    Point("deploy-written", Match("bg_deploy", "PATCH", DEPLOYMENTS), after=True),
    Point("deploy-wait", Match("bg_wait", "GET", FIRST)),
    Point("wait", line="app-green: 1 of 3 pods ready"),
    Point("wait-validate", Match("bg_smoke_check", "GET", FIRST)),
    Point("validate", Match("bg_smoke_check", "GET", "/proxy/")),
    Point("validate-switch", Match("bg_switch", "GET", FIRST)),
    Point("switch-unwritten", Match("bg_switch", "PATCH", SERVICES)),
    Point("switch-written", Match("bg_switch", "PATCH", SERVICES), after=True, live="green"),
    Point("switch-delay", Match("bg_scale", "GET", FIRST), live="green"),
    Point("delay", line="blue keeps its 3 pods", live="green"),
    Point("scale-unwritten", Match("bg_scale", "PATCH", DEPLOYMENTS), live="green"),
    Point("scale-written", Match("bg_scale", "PATCH", DEPLOYMENTS), after=True, live="green"),
    Point("scale-report", Match("bg_end", "GET", FIRST), live="green"),
    Point("report-half", Match("bg_end", "PATCH", LEASES, body='"value": ""'), live="green"),
]
AT = {point.name: point for point in POINTS}
