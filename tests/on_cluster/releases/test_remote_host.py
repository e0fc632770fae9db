# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release from a bastion host that Ansible reaches by SSH, and that alone knows the cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from bastion import Host, bastion_of
from harness import Application, Run


@pytest.fixture(scope="module")
def bastion(app: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with bastion_of(app, tmp_path_factory.mktemp("bastion")) as host:
        yield host


@pytest.fixture(scope="module")
def inventory(bastion: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application, released from the bastion."""
    file = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    login = {**bastion.login, "bluegreen_services": ["myapp"]}
    file.write_text(yaml.safe_dump({"all": {"hosts": {"myapp": login}}}))
    return file


def play(app: Application, inventory: Path, playbook: str, *arguments: str, **variables: object) -> Run:
    """Run a playbook on the bastion, from a controller that knows no cluster."""
    nowhere = str(inventory.parent / "no-kubeconfig")
    return Run(
        [playbook, "-i", str(inventory), *arguments],
        app.variables(bluegreen_scale_down_delay=0, **variables),
        env={"KUBECONFIG": nowhere},
    ).finish()


@pytest.mark.promise("modules work on another host than the controller")
def test_release_and_rollback(app: Application, bastion: Host, inventory: Path) -> None:
    run = play(app, inventory, "release.yml", version="2.0")
    assert (run.code, run.outcome, app.color) == (0, "released", "green"), run.output
    modules = [command for command in bastion.commands if "AnsiballZ_bg_" in command or sys.executable in command]
    assert len(modules) >= 7, bastion.commands

    run = play(app, inventory, "rollback.yml")
    assert (run.code, run.outcome, app.color) == (0, "rolled_back", "blue"), run.output


def test_the_plan_is_the_same(app: Application, inventory: Path) -> None:
    there = play(app, inventory, "release.yml", "--check", "--diff", version="3.0")
    here = app.playbook("release.yml", "--check", "--diff", version="3.0", bluegreen_scale_down_delay=0)
    assert there.outcome == here.outcome == "planned", there.output
    assert difference(there) == difference(here) != []


def test_a_failure_says_the_same(app: Application, inventory: Path) -> None:
    there = play(app, inventory, "release.yml", version="2.0", bluegreen_services=["shop"])
    here = app.playbook("release.yml", version="2.0", bluegreen_services=["shop"])
    assert there.errors[0] == here.errors[0]
    assert there.results == here.results and there.outcome == "refused"


def difference(run: Run) -> list[str]:
    """What --diff shows."""
    return [text for _at, text in run.lines if text.startswith(("-", "+"))]
