# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several Services are switched all or none."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from gateway import Match
from scene import Scene

BOTH = {"bluegreen_services": ["myapp", "myapp-admin"]}
# The last of the writes: the intent is on this Service, and the selector of the second one is replaced.
FIRST = Match("bg_switch", "PATCH", "/services/myapp$", r'"replace", "path": "/spec/selector"')


@pytest.fixture
def scene(new_scene: Callable[..., Scene]) -> Scene:
    def change(manifests: list[dict]) -> None:
        twin = copy.deepcopy(next(item for item in manifests if item["kind"] == "Service"))
        twin["metadata"]["name"] = "myapp-admin"
        manifests.append(twin)

    scene = new_scene(change=change)
    address = scene.app.get("service", "myapp-admin")["spec"]["clusterIP"]
    scene.flow("admins", address=address)
    return scene


def live(scene: Scene) -> list[str]:
    return [scene.app.get("service", name)["spec"]["selector"]["version"] for name in ("myapp", "myapp-admin")]


@pytest.mark.promise("several Services are switched all or none, also by a run that is killed between them")
def test_killed_between_the_patches(scene: Scene) -> None:
    run, gate = scene.start_held("release.yml", FIRST, version="2.0", **BOTH)
    run.kill()
    gate.drop()
    assert live(scene) == ["blue", "green"]
    again = scene.play("release.yml", version="2.0", **BOTH)
    assert again.outcome == "released", again.output
    assert live(scene) == ["green", "green"]
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


def test_second_patch_forbidden(scene: Scene) -> None:
    """The last of the patches is refused: those before it are undone."""
    tag = scene.prepare("release.yml")
    scene.gateway.fault(
        tag,
        FIRST,
        times=99,
        status=403,
        text='services "myapp" is forbidden: User "release" cannot patch resource "services"',
    )
    run = scene.play("release.yml", tag, version="2.0", **BOTH)
    assert run.code != 0 and run.outcome == "aborted", run.output
    assert 'cannot patch resource "services"' in run.output and "All Services select blue again" in run.output
    assert live(scene) == ["blue", "blue"]
    scene.live_and_whole("blue", "1.0")
    assert scene.play("release.yml", version="2.0", **BOTH).outcome == "released"
    assert live(scene) == ["green", "green"]
    scene.tidy()
    scene.nothing_lost()


def test_contradiction_made_by_hand(scene: Scene) -> None:
    """Services that disagree without a recorded switch are nobody's to put right: both selectors are shown."""
    scene.app.kubectl("patch", "service", "myapp-admin", '--patch={"spec": {"selector": {"version": "green"}}}')
    run = scene.play("release.yml", version="2.0", **BOTH)
    assert run.code != 0 and run.outcome == "refused", run.output
    for line in ('myapp: {"app": "myapp", "version": "blue"}', 'myapp-admin: {"app": "myapp", "version": "green"}'):
        assert line in run.output.replace('\\"', '"')
    assert not run.writes
    assert live(scene) == ["blue", "green"]
    scene.nothing_lost()
