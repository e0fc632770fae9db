# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where relative paths start: at the playbook; with the collection's own playbooks, in the working directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api import Api
from loopback import Loopback
from playing import Player
from recorded import RecordedCluster

SETTINGS = {
    "version": "2.0",
    "bluegreen_hooks": {"before_deploy": "deploy/hook.yml"},
    "bluegreen_manifest": "deploy/app.yml.j2",
    "bluegreen_checks": [{"name": "script", "command": "./deploy/check.sh"}],
    "bluegreen_report": "deploy/reports",
}


@pytest.fixture
def player(loopback: Loopback, tmp_path: Path) -> Player:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for directory, said in ((here, "HERE"), (elsewhere, "WRONG PROJECT")):
        (directory / "deploy").mkdir(parents=True)
        (directory / "deploy" / "hook.yml").write_text(json.dumps([{"ansible.builtin.debug": {"msg": said}}]))
    store = RecordedCluster(at="ready")
    green = store.one("Deployment", "app-green")
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app-{{ bluegreen_color }}"}}
    (here / "deploy" / "app.yml.j2").write_text(json.dumps({**manifest, "spec": green["spec"]}))
    check = here / "deploy" / "check.sh"
    check.write_text("#!/bin/sh\necho checked >> deploy/checked\n")
    check.chmod(0o755)
    return Player(here, Api(loopback, store).server)


def test_the_collections_playbooks_start_in_the_working_directory(player: Player) -> None:
    """Which PWD need not be: make -C, env of a container, or cwd= of a program leave it as it was."""
    player.environment["PWD"] = str(player.directory.parent / "elsewhere")
    ended = player.run("bluegreen.kubernetes.prepare", "-e", json.dumps(SETTINGS))
    assert ended.code == 0, ended.all
    assert "HERE" in ended.out and "WRONG PROJECT" not in ended.out
    assert (player.directory / "deploy" / "checked").read_text() == "checked\n" * 3, "a check for each pod"
    assert (player.directory / "deploy" / "reports" / "blog.html").is_file()


def test_playbooks_of_ones_own_start_where_they_are(player: Player) -> None:
    elsewhere = player.directory.parent / "elsewhere"
    ended = player.play("-e", json.dumps(SETTINGS), tasks=[player.role("prepare")], cwd=elsewhere)
    assert ended.code == 0, ended.all
    assert "HERE" in ended.out and "WRONG PROJECT" not in ended.out
    assert (player.directory / "deploy" / "checked").is_file()
    assert (player.directory / "deploy" / "reports" / "blog.html").is_file()


def test_a_manifest_is_found_beside_ansibles_templates_as_well(player: Player) -> None:
    (player.directory / "templates").mkdir()
    (player.directory / "deploy" / "app.yml.j2").rename(player.directory / "templates" / "other.yml.j2")
    settings = {**SETTINGS, "bluegreen_manifest": "other.yml.j2"}
    ended = player.play("-e", json.dumps(settings), "--check", tasks=[player.role("prepare")])
    assert ended.code == 0, ended.all
