# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a release at which something can be made to happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway import Gate, Match
from scene import FaultRun, Scene


@dataclass(frozen=True)
class Point:
    """A moment of a release: when a request is held (match, after), or when a line is printed."""

    name: str
    match: Match | None = None
    after: bool = False
    line: str = ""

    def __str__(self) -> str:
        return self.name

    def start(self, scene: Scene, playbook: str = "release.yml", **variables: Any) -> tuple[FaultRun, Gate | None]:
        """Start a release of 2.0 and return when it has come to this point."""
        variables = {"version": "2.0", **variables}
        if self.match:
            return scene.start_held(playbook, self.match, after=self.after, **variables)
        run = scene.start(playbook, **variables)
        run.wait_for(self.line)
        return run, None


SERVICES, DEPLOYMENTS, LEASES = "/services/", "/deployments/", "/leases/"
FIRST = "/deployments"  # what a module asks for first when it reads the application

POINTS = [
    Point("wait", line="app-green: 1 of 3 pods ready"),
    Point("validate", Match("bg_smoke_check", "GET", "/proxy/")),
    Point("switch-unwritten", Match("bg_switch", "PATCH", SERVICES)),
    Point("switch-written", Match("bg_switch", "PATCH", SERVICES), after=True),
    Point("delay", line="blue keeps its 3 pods"),
    Point("scale-unwritten", Match("bg_scale", "PATCH", DEPLOYMENTS)),
]
AT = {point.name: point for point in POINTS}
