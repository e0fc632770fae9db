# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several applications in one play: the failure of one is put right at once, and locks outlast the work of others."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import CHECKS, EXAMPLE, QUICK, Run, until
from scene import LEASE_SECONDS, Scene, switches

BUSINESS = {"name": "business", "http": "/api/db-check"}  # fails: these applications have no database
BAKE = 90  # seconds, of the one that is well
WAITING = "A hook that waits"
LINEAR = """
- hosts: all
  gather_facts: false
  strategy: ansible.builtin.linear
  tasks:
    - ansible.builtin.include_role:
        name: bluegreen.kubernetes.bluegreen
"""


def release(directory: Path, playbook: Path, *arguments: str, **hosts: tuple[Scene, dict[str, Any]]) -> Run:
    """Start a release of several applications, each with variables of its own."""
    inventory = directory / "inventory.yml"
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "bluegreen_services": ["myapp"],
        "version": "2.0",
        **QUICK,
    }
    inventory.write_text(
        yaml.safe_dump(
            {
                "all": {
                    "hosts": {
                        name: scene.app.variables(
                            bluegreen_kubeconfig=str(scene.app.kubeconfig()), **common, **variables
                        )
                        for name, (scene, variables) in hosts.items()
                    }
                }
            }
        )
    )
    return Run([str(playbook), "-i", str(inventory), *arguments])


def hook(directory: Path) -> tuple[dict[str, str], Path]:
    """A value for bluegreen_hooks, and the file for which the hook waits, but for the host "waits"."""
    tasks, awaited = directory / "hook.yml", directory / "go"
    tasks.write_text(
        yaml.safe_dump(
            [
                {"ansible.builtin.debug": {"msg": WAITING}},
                {
                    "ansible.builtin.wait_for": {"path": str(awaited), "timeout": 600},
                    "when": "inventory_hostname != 'waits'",
                },
            ]
        )
    )
    return {"before_switch": str(tasks)}, awaited


def switched(scene: Scene, since: float) -> list[float]:
    """When its traffic was moved."""
    return [
        request.answered
        for request in scene.audited()
        if switches(request) and request.status < 300 and request.answered > since
    ]


@pytest.mark.promise("of two applications in one play, one goes back while the other bakes")
def test_one_goes_back_while_another_bakes(new_scene: Callable[..., Scene], tmp_path: Path) -> None:
    breaks, bakes = new_scene(), new_scene()
    hosts = {
        "breaks": (
            breaks,
            {
                "bluegreen_bake_time": 60,
                "bluegreen_bake_checks": [*CHECKS, BUSINESS],
                "bluegreen_bake_interval": 2,
                "bluegreen_bake_tolerance": 2,
            },
        ),
        "bakes": (bakes, {"bluegreen_bake_time": BAKE}),
    }
    alone = release(tmp_path, EXAMPLE / "release.yml", "--limit", "breaks", **hosts).finish()
    assert alone.outcome == "reverted", alone.output
    there, back = switched(breaks, alone.began)
    took_alone = back - there

    run = release(tmp_path, EXAMPLE / "release.yml", **hosts).finish()
    assert {name: result["outcome"] for name, result in run.results.items()} == {
        "breaks": "reverted",
        "bakes": "released",
    }
    there, back = switched(breaks, run.began)
    breaks.note(f"back {took_alone:.1f} s after the switch alone, {back - there:.1f} s beside another one")
    assert back - there < 4 * took_alone
    assert back < switched(bakes, run.began)[0] + BAKE, "it has waited for the bake of the other one"
    breaks.live_and_whole("blue", "1.0")
    bakes.live_and_whole("green", "2.0")
    breaks.tidy(idle=3)
    bakes.tidy()


def stays_locked(scene: Scene) -> None:
    """Long after the lock was taken, without any operation of its run since, another release is still refused."""
    locked = until(
        lambda: [
            request.answered
            for request in scene.audited()
            if request.resource == "leases" and request.writes and request.status < 300
        ],
        "a lock",
    )[0]
    time.sleep(max(0, locked + LEASE_SECONDS + 5 - time.time()))
    holder = scene.lock
    other = scene.play("release.yml", version="3.0")
    assert other.outcome == "refused" and other.result["reason"] == "locked", other.output
    assert holder and scene.lock == holder
    assert not other.written


def test_lock_while_another_host_works(new_scene: Callable[..., Scene], tmp_path: Path) -> None:
    """With Ansible's default strategy a host that has done its part of a task waits for all others."""
    waits, works = new_scene(), new_scene()
    hooks, go = hook(tmp_path)
    playbook = tmp_path / "linear.yml"
    playbook.write_text(LINEAR)
    run = release(
        tmp_path, playbook, waits=(waits, {"bluegreen_hooks": hooks}), works=(works, {"bluegreen_hooks": hooks})
    )
    run.wait_for(WAITING, 600)
    stays_locked(waits)
    go.touch()
    run.finish()
    assert {name: result["outcome"] for name, result in run.results.items()} == {
        "waits": "released",
        "works": "released",
    }
    for scene in (waits, works):
        scene.live_and_whole("green", "2.0")
        scene.tidy()


@pytest.mark.promise("no other release comes in between while a hook works")
def test_lock_while_a_hook_works(scene: Scene, tmp_path: Path) -> None:
    hooks, go = hook(tmp_path)
    run = scene.start("release.yml", version="2.0", bluegreen_hooks=hooks)
    run.wait_for(WAITING, 600)
    stays_locked(scene)
    go.touch()
    run.finish()
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0")
    scene.tidy()
