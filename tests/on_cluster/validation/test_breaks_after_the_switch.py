# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The new version breaks after the switch, in eight ways: the bake puts the old one back, at full strength, every time.

The eight are those that were measured with Argo Rollouts 1.10.2 on the same cluster (docs/bake.md has the table).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cases import one_of
from colors import green
from harness import CHECKS, DELAY, Application, Audit, moment
from traffic import Traffic

AFTER = 20  # seconds from the start of the new pods to the break; the switch must come before it, on a busy machine too
BUSINESS = {"name": "business", "http": "/api/db-check"}  # fails: these applications have no database


@dataclass(frozen=True)
class Scenario:
    """env: what breaks green. settings: of the release. argo: what was seen there."""

    name: str
    argo: str
    env: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    one_unready: bool = False  # besides, one pod becomes unready for good, as soon as the bake has begun

    def __str__(self) -> str:
        return self.name[:2]


UNHEALTHY = {"UNHEALTHY_AFTER": str(AFTER)}
SCENARIOS = [
    Scenario(
        "A0 health 500, checks as the documentation shows them",
        "not reverted; dead from 8 s on, analysis Successful",
        UNHEALTHY,
        {"bluegreen_bake_interval": 2},
    ),
    Scenario(
        "A1 health 500, checked every second",
        "reverted 6.3 s after the switch",
        UNHEALTHY,
        {"bluegreen_bake_interval": 1},
    ),
    Scenario(
        "A2 health 500, checked every 5 s",
        "not reverted; outage from 9 s on",
        UNHEALTHY,
        {"bluegreen_bake_interval": 5},
    ),
    Scenario(
        "A3 crash",
        "reverted 12.8 s after the switch, because the pods were briefly ready again",
        {"CRASH_AFTER": str(AFTER)},
        {"bluegreen_bake_interval": 1},
    ),
    Scenario(
        "A4 one pod unready, the API fails on all",
        "not reverted; outage from 43 s on until a manual undo",
        {"FAIL_AFTER": str(AFTER)},
        {"bluegreen_bake_interval": 2},
        one_unready=True,
    ),
    Scenario(
        "A5 a business check fails, all pods ready",
        "reverted 4.9 s after the switch",
        {},
        {"bluegreen_bake_checks": [*CHECKS, BUSINESS], "bluegreen_bake_interval": 1},
    ),
    Scenario(
        "A6 health 500, no checks at all", "not reverted; outage from 8 s on", UNHEALTHY, {"bluegreen_checks": []}
    ),
    Scenario(
        "A7 all pods unready",
        "not reverted; outage from 8 s on until a manual undo",
        UNHEALTHY,
        {"bluegreen_bake_checks": [], "bluegreen_bake_interval": 2},
    ),
]


@pytest.mark.parametrize("scenario", one_of(SCENARIOS, "A0", "a version that breaks after the switch is switched back"))
def test_breaks_after_the_switch(
    new_app: Callable[..., Application], figure: Callable[[str], None], scenario: Scenario
) -> None:
    app = new_app(replicas=(3, 0), change=green(**scenario.env))
    audit = Audit()
    mark = audit.mark()
    blue = app.uids("blue")
    with Traffic(app.url("/api/status"), rate=20, keepalive=False, timeout=4) as traffic:
        run = app.start(
            "release.yml",
            version="2.0",
            bluegreen_template="idle",  # which breaks by its environment
            bluegreen_bake_time=90,
            bluegreen_scale_down_delay=DELAY,
            **scenario.settings,
        )
        run.wait_for("bake: ")
        began = min(
            (
                moment(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
                for pod in app.pods("green")
                if "running" in pod["status"]["containerStatuses"][0]["state"]
            ),
            default=None,
        )
        if scenario.one_unready:
            name = app.pods("green")[0]["metadata"]["name"]
            app.kubectl(
                "patch",
                "pod",
                name,
                "--type=json",
                '--patch=[{"op": "replace", "path": "/spec/containers/0/image", "value": "myapp:never-ready"}]',
            )
        run.finish()
    assert run.code != 0 and run.outcome == "reverted", run.output[-4000:]
    assert run.result["reason"] == "bake_failed"
    assert app.color == "blue" and run.result["version"] == "1.0"
    assert app.uids("blue") == blue, "the old version's pods are not those that were there before"
    assert len(app.pods("blue")) == 3 and app.deployment("blue")["status"]["readyReplicas"] == 3
    writes = audit.since(mark, namespace=app.namespace)
    there, back = [request.answered for request in writes if request.replaces("services", "myapp", "/spec/selector")]
    lost = traffic.report.between(there)
    after = traffic.report.between(back + 4)
    assert not after.failed, f"requests failed after the way back: {after.failures}"
    text = f"{scenario.name}: switched back {back - there:.1f} s after the switch"
    if scenario.env and began and not scenario.one_unready:
        text += f", {back - began - AFTER:.1f} s after the break (pod start + {AFTER} s, whole seconds)"
    figure(f"{text}; {lost.failed} of {lost.sent} requests lost {lost.failures or ''}. Argo Rollouts: {scenario.argo}")
