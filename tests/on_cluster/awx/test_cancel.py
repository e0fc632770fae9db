# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that is cancelled in any stage: the right color stays live, nothing of it stays behind, and the next job goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cases import one_of
from controller import Controller
from gateway import Gateway, Match
from harness import Application, kubeconfig, until
from traffic import Traffic

LEASE_SECONDS = 30  # how long a dead run's lock stands
SLACK = 6  # seconds that a busy machine may add to that


@dataclass(frozen=True)
class Stage:
    """Where it is cancelled: when a request is held, or when a line has come. live: what users get at that moment.

    settings: what makes the stage long enough.
    """

    name: str
    line: str = ""
    match: Match | None = None
    live: str = "blue"
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


NEVER = [{"name": "patience", "http": "/nothing-there", "retries": 100, "delay": 1}]
STAGES = [
    Stage("deploy", match=Match("bg_deploy", "PATCH", "/deployments/")),
    Stage("wait", line="of 3 pods ready, ", settings={"bluegreen_image": "myapp:slow-start"}),
    Stage("validate", line="app-green: 3 of 3 pods ready", settings={"bluegreen_checks": NEVER}),
    Stage("switch", match=Match("bg_switch", "PATCH", "/services/")),
    Stage("bake", line="green is live", live="green", settings={"bluegreen_bake_time": 60}),
    Stage("scale-down", line="blue keeps its 3 pods", live="green", settings={"bluegreen_scale_down_delay": 60}),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(kubeconfig(), tmp_path) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "stage", one_of(STAGES, "switch", "a job cancelled in AWX leaves nothing behind, and the next one goes on")
)
def test_cancelled(
    app: Application,
    controller: Controller,
    traffic: Traffic,
    request: pytest.FixtureRequest,
    stage: Stage,
    record_property: Any,
) -> None:
    host, gate = "", None
    if stage.match:
        gateway = request.getfixturevalue("gateway")
        host = f"{gateway.address}/job"
        gate = gateway.hold("job", stage.match)
    job = controller.launch("release", {"version": "2.0"}, host=host, **stage.settings)
    if gate:
        gate.reached(90)
    else:
        job.wait_for(stage.line)
    cancelled = time.time()
    ended = job.cancel()
    assert job.status == "canceled", job.output
    until(lambda: not job.processes(), "the end of the cancelled job's last process", 2, pause=0.02)
    if gate:
        gate.drop()
    assert app.color == stage.live
    assert app.get("leases")[0]["spec"]["holderIdentity"], "the job was cancelled before it worked on anything"

    again = controller.launch("release", {"version": "2.0"}).finish()
    assert again.status == "successful" and again.result["outcome"] == "released", again.output
    entry = app.state["history"][0]
    lock = [
        event["came"]
        for event in again.events()
        if (event.get("event_data", {}).get("task") or "").startswith("Begin - ")
    ]
    waited = lock[-1] - lock[0]  # from the start of the task to its end
    record_property(
        "figure",
        f"{stage.name}: ended {ended - cancelled:.1f} s after it was cancelled, "
        f"the next job waited {waited:.1f} s for the lock",
    )
    assert waited < LEASE_SECONDS + SLACK
    assert app.color == "green" and entry["job"] == f"{again.id} release"
    assert app.deployment("blue")["spec"]["replicas"] == 1
    assert not app.get("leases")[0]["spec"].get("holderIdentity")
