# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A killed run leaves nothing running, and the same command, or a rollback, puts everything right.

Here are its processes and its lock; all moments in which it can be killed are the simulation's.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from harness import CHECKS, until, within
from scene import LEASE_SECONDS, SLACK, FaultRun, Scene, cases, switches
from stages import AT, Point


def kill(scene: Scene, run: FaultRun, number: int = signal.SIGKILL) -> None:
    """Kill a run's process group, as an automation controller cancels a job; nothing of it may stay."""
    killed = time.time()
    run.kill(number)
    until(lambda: not run.processes(), "the end of the killed run's last process", 5, pause=0.02)
    scene.note(f"{run.tag}: its last process had ended {time.time() - killed:.2f} s after the signal")
    # What it had sent may still be answered; anything later is a deed of the dead.
    time.sleep(1)
    ended = max([killed, *(request.received for request in scene.audited() if request.agent.endswith(f" {run.tag}"))])
    assert ended - killed < 0.5, f"it asked something of the API server {ended - killed:.2f} s after it was killed"


@pytest.mark.parametrize(
    "point",
    cases(
        {name: AT[name] for name in ("wait", "switch-written", "delay")},
        promise={
            "wait": "killed before the switch and run again: released",
            "switch-written": "killed after the switch and run again: released, and switched once",
        },
    ),
)
def test_release_again(scene: Scene, point: Point) -> None:
    run, gate = point.start(scene)
    kill(scene, run)
    if gate:
        gate.drop()
    again = scene.play("release.yml", version="2.0")
    assert again.code == 0, again.output
    waited = again.locked() - again.requests[0].at
    scene.note(f"{again.tag}: had the lock after {waited:.1f} s")
    assert within(waited - LEASE_SECONDS, SLACK)
    scene.live_and_whole("green", "2.0")
    assert again.outcome == "released" and scene.last["outcome"] == "released"
    scene.tidy()
    scene.nothing_lost()
    # The traffic was moved once, by whichever run: what had been done already was not done again.
    assert len([request for request in scene.audited() if switches(request) and request.status < 300]) == 1


def test_rollback(scene: Scene) -> None:
    run, gate = AT["switch-written"].start(scene)
    kill(scene, run)
    assert gate
    gate.drop()
    assert scene.app.color == "green"
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    waited = back.locked() - back.requests[0].at
    scene.note(f"{back.tag}: had the lock after {waited:.1f} s")
    assert waited < LEASE_SECONDS / 2, "a rollback waits for nobody"
    scene.tidy()
    scene.live_and_whole("blue", "1.0")
    scene.nothing_lost()


BUSINESS = {"name": "business", "http": "/api/db-check"}  # fails: this application has no database


def test_release_again_in_its_bake(scene: Scene, tmp_path: Path) -> None:
    """What the dead run had not watched to its end is watched anew, with the same way back."""
    hook = tmp_path / "hook.yml"
    hook.write_text(
        "- ansible.builtin.debug: {msg: '{{ bluegreen_hook }} {{ bluegreen_color }} {{ bluegreen_previous_version }}'}\n"
    )
    run = scene.start("release.yml", version="2.0", bluegreen_bake_time=600)
    run.wait_for("bake: ")
    run.kill()
    again = scene.play(
        "release.yml",
        version="2.0",
        bluegreen_bake_time=10,
        bluegreen_bake_checks=[*CHECKS, BUSINESS],
        bluegreen_hooks={"after_switch": str(hook)},
    )
    assert again.outcome == "reverted", again.output
    assert again.result["reason"] == "bake_failed"
    assert "after_switch green 1.0" in again.output
    scene.live_and_whole("blue", "1.0")
    scene.tidy(idle=3)
    # It leads forward no more than after a release that was reverted in one go.
    back = scene.play("rollback.yml")
    assert back.outcome == "refused" and not back.writes, back.output
    scene.nothing_lost()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_cancelled(scene: Scene, number: int) -> None:
    """Other signals than SIGKILL end no worker by themselves either."""
    run, gate = AT["validate"].start(scene)
    kill(scene, run, number)
    assert gate
    gate.drop()
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    scene.live_and_whole("blue", "1.0")
    scene.nothing_lost()


def test_late_write(scene: Scene) -> None:
    """A write that was under way when its run was killed arrives after the next run has taken over: it is refused."""
    run, gate = AT["scale-unwritten"].start(scene)
    kill(scene, run)
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    assert gate
    gate.open()
    status = gate.answered()
    scene.note(f"the late write was answered with {status}")
    assert status in (409, 422), "a write of a run that had been overtaken was accepted"
    scene.live_and_whole("blue", "1.0")
    scene.nothing_lost()
