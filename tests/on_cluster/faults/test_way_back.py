# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back never depends on the broken colour."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from harness import within
from scene import FaultRun, Scene


def break_pods(scene: Scene) -> None:
    """Let all of green's pods crash for good; return when they are unready."""
    pods = [pod["metadata"]["name"] for pod in scene.app.pods("green")]
    scene.note("green: its pods begin to crash")
    for name in pods:
        # A new image for a container restarts it in its place; the Deployment has no say in it.
        scene.app.kubectl(
            "patch",
            "pod",
            name,
            "--type=json",
            '--patch=[{"op": "replace", "path": "/spec/containers/0/image", "value": "myapp:crash"}]',
        )
    for name in pods:
        scene.app.kubectl("wait", "--for=condition=Ready=false", f"pod/{name}", "--timeout=60s")
    scene.note("green: its pods are unready")


def delete_deployment(scene: Scene) -> None:
    scene.note("green: its Deployment is deleted")
    scene.app.kubectl("delete", "deployment", "app-green", "--wait=true")


@pytest.mark.alone  # it measures time
def test_at_full_strength(scene: Scene, figure: Callable[[str], None]) -> None:
    back = broken_after_switch(scene, delete_deployment, idle=3, bluegreen_rollback_from="2.0")
    seconds = back.switched() - back.requests[0].at
    figure(f"selector patched {seconds:.3f} s after the playbook's first API request")
    assert within(seconds, 1)


@pytest.mark.promise("the way back does not depend on the broken color")
def test_scaled_down_to_one(scene: Scene, figure: Callable[[str], None]) -> None:
    back = broken_after_switch(scene, break_pods, idle=1)
    seconds = back.switched() - back.requests[0].at
    figure(f"selector patched {seconds:.3f} s after the playbook's first API request")


def broken_after_switch(scene: Scene, breaks: Callable[[Scene], None], idle: int, **undo: str) -> FaultRun:
    """A release, green breaks, and rollback.yml (with these variables), which must succeed; returns its run."""
    release = scene.play("release.yml", version="2.0", bluegreen_idle_replicas=idle)
    assert release.outcome == "released", release.output
    breaks(scene)
    back = scene.play("rollback.yml", bluegreen_idle_replicas=idle, **undo)
    assert back.code == 0 and back.outcome == "rolled_back", back.output
    scene.live_and_whole("blue", "1.0")
    assert scene.lock == ""
    nothing_lost_after(scene, back)
    return back


def nothing_lost_after(scene: Scene, back: FaultRun) -> None:
    """What the broken pods lost is theirs. From the way back on nothing is, once kube-proxy knows of it.

    A connection to a pod that does not answer, or broke it off, stays in the node's connection tracking (120 s for the
    first kind: nf_conntrack_tcp_timeout_syn_sent). A new connection from the same source port is led to that pod too, and
    fails. All users here are one address, and vegeta takes its ports at random: with a hundred of such connections that
    is a few of a thousand new ones. A pod of three that is lost would be a third of them.
    """
    time.sleep(6)
    scene.nothing_lost(since=back.switched() + 4, but=("no route to host", "connection refused"), share=0.03)


def test_at_once_while_the_release_waits(scene: Scene, figure: Callable[[str], None]) -> None:
    """The release is still in its delay, which it would end by itself if the new pods broke: it is overtaken."""
    release = scene.start("release.yml", version="2.0", bluegreen_scale_down_delay=600)
    release.wait_for("blue keeps its 3 pods")
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    figure(f"selector patched {back.switched() - back.requests[0].at:.3f} s after the playbook's first API request")
    release.finish(30)
    assert release.outcome == "superseded", release.output
    scene.live_and_whole("blue", "1.0")
    nothing_lost_after(scene, back)


def test_instant(scene: Scene) -> None:
    """rollback_instant does not even wait for the old colour's pods."""
    assert scene.play("release.yml", version="2.0", bluegreen_idle_replicas=0).outcome == "released"
    break_pods(scene)
    back = scene.play("rollback.yml", bluegreen_rollback_instant=True)
    assert back.outcome == "rolled_back", back.output
    scaled = [request for request in back.written if request.resource == "deployments"]
    assert scaled[0].answered <= back.switched(), "the old colour was not scaled up first"
    scene.app.wait("app-blue")
    scene.live_and_whole("blue", "1.0")


def test_over_a_version_that_was_refused(scene: Scene) -> None:
    """A version that failed its checks is where the old one was, and ready: nobody gets it on the way back."""
    assert scene.play("release.yml", version="2.0").outcome == "released"
    assert scene.play("release.yml", version="wrong-version").outcome == "aborted"
    assert scene.app.deployment("blue")["status"].get("readyReplicas") == 3
    back = scene.play("rollback.yml")
    assert back.outcome == "rolled_back", back.output
    scene.live_and_whole("blue", "1.0")
    scene.nothing_lost()
    answers = {str(kind) for kind, _ended, _took in scene.traffics["users"].report.rows()}
    assert answers == {"blue(1.0)", "green(2.0)"}


@pytest.mark.promise("rolling back twice does not flip forward")
def test_twice_does_not_flip_forward(scene: Scene) -> None:
    """A second rollback says what is live and asks for a version."""
    assert scene.play("release.yml", version="2.0").outcome == "released"
    assert scene.play("rollback.yml").outcome == "rolled_back"
    again = scene.play("rollback.yml")
    assert again.code != 0 and again.outcome == "refused"
    assert "blue (version 1.0, 3 of 3 pods ready) is live" in again.output
    assert "rollback.yml -e version=X" in again.output
    assert not again.writes
    named = scene.play("rollback.yml", version="2.0")
    assert named.outcome == "rolled_back", named.output
    scene.live_and_whole("green", "2.0")
    scene.nothing_lost()
