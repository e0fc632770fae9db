# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that does not come up: the release ends before its switch, and what worked before works again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulation.members import WORKER, WORKERS
from simulation.schedules import Schedule
from simulation.trial import NAMESPACE, Trial
from simulation.world.app import version_of


@pytest.mark.parametrize("mode", ["overlap", "gap"])
def test_a_worker_that_crashes_ends_the_release_before_its_switch(mode: str) -> None:
    trial = Trial(Schedule(f"workers-{mode}", 1))
    behaves = trial.world.app

    def app(image: str, env: dict[str, str], pod: Any) -> Any:
        behavior = behaves(image, env, pod)
        broken = pod["metadata"]["labels"]["app"] == WORKER and version_of(image) == "2.0"
        return replace(behavior, crash_after=1.0) if broken else behavior

    trial.world.app = app
    with trial._installed():
        trial._begin()
        trial._judged()
        run = trial.finish("release", "2.0")
        assert run.outcome == "aborted", run.text()
        assert f"{WORKER}-green cannot become ready" in run.result["msg"]
        assert trial.judge is not None
        assert trial.judge.live_colors() == {"blue"}
        found = {color: trial.store.get("Deployment", NAMESPACE, f"{WORKER}-{color}") for color in ("blue", "green")}
        assert {color: item["spec"]["replicas"] for color, item in found.items()} == {"blue": WORKERS, "green": 0}
        assert found["blue"]["status"]["readyReplicas"] == WORKERS
        assert trial.judge.violations == []
        # The next one goes the whole way.
        assert trial.finish("release", "3.0").outcome == "released"
        assert trial.judge.violations == []
        trial.members.converged("released", "green")
        assert trial.judge.violations == []
