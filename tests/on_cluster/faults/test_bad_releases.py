# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad release ends the same way, whatever earlier ones have left behind: live is what was live, nothing is lost."""

from __future__ import annotations

import json

from scene import Scene
from stages import AT

# A bad version, and what its failure has to say.
BAD = {"crash": "CrashLoopBackOff", "never-ready": "NEVER_READY is set"}


def bad_release(scene: Scene, version: str, live: str = "blue", live_version: str = "1.0", pods: int = 3) -> None:
    """A release of a bad version; it must be aborted, and must not have touched the live colour."""
    before = scene.app.uids(live)
    run = scene.play("release.yml", version=version, bluegreen_wait_timeout=12 if version == "never-ready" else 90)
    assert run.code != 0 and run.outcome == "aborted", run.output
    assert BAD[version] in run.output
    assert f"{live} (version {live_version}) is live" in run.output
    scene.live_and_whole(live, live_version, pods)
    assert scene.app.uids(live) == before, "the live colour has other pods"
    assert scene.lock == ""


def good_release(scene: Scene, version: str, color: str) -> None:
    run = scene.play("release.yml", version=version)
    assert run.outcome == "released", run.output
    scene.live_and_whole(color, version)
    scene.tidy()


def test_after_a_bad_one(scene: Scene) -> None:
    bad_release(scene, "crash")
    bad_release(scene, "never-ready")
    good_release(scene, "2.0", "green")
    scene.nothing_lost()


def test_over_a_dirty_idle_colour(scene: Scene) -> None:
    dirt = {"/spec/replicas": 5, "/spec/template/spec/containers/0/image": "myapp:crash"}
    patch = [{"op": "replace", "path": path, "value": value} for path, value in dirt.items()]
    scene.app.kubectl("patch", "deployment", "app-green", "--type=json", f"--patch={json.dumps(patch)}")
    good_release(scene, "2.0", "green")
    scene.nothing_lost()


def test_while_the_old_colour_still_has_all_pods(scene: Scene) -> None:
    """The release before was killed in its delay, so the idle colour is at full strength."""
    run, _gate = AT["delay"].start(scene)
    run.kill()
    bad_release(scene, "crash", "green", "2.0")
    back = scene.play("rollback.yml")  # to what was live before the last release that moved the traffic
    assert back.outcome == "rolled_back", back.output
    scene.live_and_whole("blue", "1.0")
    scene.tidy()
    scene.nothing_lost()
