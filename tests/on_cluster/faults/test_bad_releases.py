# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad release ends the same way, whatever earlier ones have left behind: live is what was live, nothing is lost."""

from __future__ import annotations

import json

import pytest
from scene import Scene, sampled
from stages import AT

# A bad version, and what its failure has to say.
BAD = {"crash": "CrashLoopBackOff", "never-ready": "NEVER_READY is set", "wrong-version": "0.9"}


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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("crash", "never-ready"),
        *(
            pytest.param(*others, marks=pytest.mark.complete)
            for others in (("wrong-version", "crash"), ("crash", "crash"), ("never-ready", "wrong-version"))
        ),
    ],
)
def test_after_a_bad_one(scene: Scene, first: str, second: str) -> None:
    bad_release(scene, first)
    bad_release(scene, second)
    good_release(scene, "2.0", "green")
    scene.nothing_lost()


REPLICAS, IMAGE = "/spec/replicas", "/spec/template/spec/containers/0/image"
LOCK_ID = "/metadata/annotations/bluegreen.kubernetes~1lock-id"
DIRT = {  # what is done to the idle Deployment: path → value
    "scaled-and-crashing": {REPLICAS: 5, IMAGE: "myapp:crash"},
    "scaled-to-zero": {REPLICAS: 0},
    "image-missing": {IMAGE: "myapp:no-such"},
    "foreign-lock-id": {LOCK_ID: "long-gone"},
    "rolling-out": {IMAGE: "myapp:slow-start"},
}


@pytest.mark.parametrize("version", sampled({"2.0": "2.0", "crash": "crash"}, "2.0"))
@pytest.mark.parametrize("dirt", sampled(DIRT, "scaled-and-crashing"))
def test_over_a_dirty_idle_colour(scene: Scene, dirt: dict, version: str) -> None:
    patch = [{"op": "add", "path": path, "value": value} for path, value in dirt.items()]
    scene.app.kubectl("patch", "deployment", "app-green", "--type=json", f"--patch={json.dumps(patch)}")
    if version in BAD:
        bad_release(scene, version)
    else:
        good_release(scene, version, "green")
    scene.nothing_lost()


@pytest.mark.complete
def test_while_the_old_colour_waits(scene: Scene) -> None:
    """The release before is in its delay: it has the lock, so the bad one is refused, and the good one ends well."""
    first = scene.start("release.yml", version="2.0", bluegreen_scale_down_delay=20)
    first.wait_for("blue keeps its 3 pods")
    second = scene.play("release.yml", version="crash")
    assert second.code != 0 and second.outcome == "refused", second.output
    assert not second.written
    first.finish()
    assert first.outcome == "released", first.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


@pytest.mark.complete
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
