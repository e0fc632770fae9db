# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release at a time, and never in the way of an emergency."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gateway import Match
from harness import until, within
from scene import LEASE_SECONDS, SLACK, FaultRun, Scene, cases
from stages import LEASES

SLOW_HOOK = {"before_switch": str(Path(__file__).parent / "hook.yml")}


def nothing_written_after(run: FaultRun, moment: float) -> None:
    late = [request for request in run.written if request.answered > moment]
    assert not late, f"the overtaken run wrote: {', '.join(map(str, late))}"


@pytest.mark.parametrize(
    ("line", "live", "variables"),
    cases(
        {
            "hook": ("A hook that takes long", "blue", {"bluegreen_hooks": SLOW_HOOK}),
            "delay": ("blue keeps its 3 pods", "green", {"bluegreen_scale_down_delay": 60}),
        },
        promise={"delay": "a rollback takes over a release that is running"},
    ),
)
def test_rollback_takes_over(scene: Scene, line: str, live: str, variables: dict) -> None:
    release = scene.start("release.yml", version="2.0", **variables)
    release.wait_for(line)
    assert scene.app.color == live
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    assert back.locked() - back.requests[0].at < LEASE_SECONDS / 2, "a rollback waits for nobody"
    release.finish(60)
    assert release.code != 0 and release.outcome == "superseded", release.output
    assert back.tag != release.tag
    nothing_written_after(release, back.locked())
    scene.live_and_whole("blue", "1.0")
    scene.tidy()
    scene.nothing_lost()


@pytest.mark.promise("of two releases at once one wins, and the other says who")
def test_two_together_and_a_third(scene: Scene) -> None:
    """Two at the same moment: one wins. A third, of the version that is under way, is no way around that."""
    begin = {"bluegreen_scale_down_delay": 25}
    # Both have looked at the application before either has asked for the lock.
    gates = []
    for version in ("2.0", "3.0"):
        run, gate = scene.start_held("release.yml", Match("bg_begin", "GET", LEASES), version=version, **begin)
        gates.append((run, gate, version))
    for _run, gate, _version in gates:
        gate.open()
    ((winner, version),) = until(
        lambda: [(run, version) for run, _gate, version in gates if run.time_of("keeps its 3 pods")], "a switch"
    )
    loser = next(run for run, _gate, _version in gates if run is not winner)
    with ThreadPoolExecutor() as pool:
        third = pool.submit(scene.play, "release.yml", version=version, bluegreen_force=True)
        loser.finish(60)
        third_run = third.result()
    for refused in (loser, third_run):
        assert refused.code != 0 and refused.outcome == "refused", refused.output
        assert f"Another release of this application is running: run {scene.lock}" in refused.output
        assert {request.resource for request in refused.writes} <= {"leases"}, "it wrote more than its own attempt"
        assert not refused.written
    winner.finish()
    assert winner.outcome == "released", winner.output
    scene.live_and_whole("green", version)
    scene.tidy()
    scene.nothing_lost()


@pytest.mark.promise("a run that was overtaken can write nothing")
def test_paused_beyond_its_lease(scene: Scene) -> None:
    """A run that sleeps longer than its lease is taken over; awake again it can write nothing."""
    paused, gate = scene.start_held("release.yml", Match("bg_switch", "PATCH", "/services/"), version="2.0")
    paused.signal_all(signal.SIGSTOP)
    assert scene.app.color == "blue"
    other = scene.play("release.yml", version="3.0")
    assert other.outcome == "released", other.output
    assert within(other.locked() - other.requests[0].at - LEASE_SECONDS, SLACK)
    after = scene.app.get("services,deployments")
    paused.signal_all(signal.SIGCONT)
    gate.open()  # the write that it had under way comes now
    paused.finish(60)
    assert gate.answered() in (409, 422)
    assert paused.code != 0 and paused.outcome == "superseded", paused.output
    nothing_written_after(paused, other.locked())
    assert versions(scene.app.get("services,deployments")) == versions(after)
    scene.live_and_whole("green", "3.0")
    scene.tidy()
    scene.nothing_lost()


def versions(objects: list[dict]) -> dict[str, str]:
    """Who has the object been changed by since: its generation, selector and annotations."""
    return {
        item["metadata"]["name"]: str(
            (item["metadata"].get("generation"), item["spec"].get("selector"), item["metadata"].get("annotations"))
        )
        for item in objects
    }
