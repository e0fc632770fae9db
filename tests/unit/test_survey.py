# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a survey, as AWX writes them into the file of extra variables: a text stays a text, whatever it looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from api import Api
from loopback import Loopback
from playing import Player
from recorded import RecordedCluster


class Unsafe(yaml.SafeDumper):
    """Marks every text, as AWX does with what comes from users."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@pytest.fixture
def player(loopback: Loopback, tmp_path: Path) -> Player:
    return Player(tmp_path, Api(loopback, RecordedCluster(at="ready")).server)


@pytest.mark.xfail(strict=True, reason="ansible-core 2.19 and newer make a number of it")
def test_an_answer_is_released_as_it_was_typed(player: Player) -> None:
    (player.directory / "extravars").write_text(yaml.dump({"version": "1.10"}, Dumper=Unsafe))
    ended = player.play("-e", "@extravars", "--check")
    assert "blog | 1.10 is released to green" in ended.out
    assert "app-green would get myapp:1.10" in ended.out
    assert ended.results["blog"]["outcome"] == "planned"


@pytest.mark.xfail(strict=True, reason="ansible-core 2.19 and newer make a number of it")
def test_the_rollback_of_a_workflow_spares_what_was_live_before(player: Player) -> None:
    """Its variable is a template that mentions the answer."""
    (player.directory / "extravars").write_text(yaml.dump({"version": "1.10"}, Dumper=Unsafe))
    role = player.role("rollback", vars={"bluegreen_rollback_from": "{{ version }}"})
    ended = player.play("-e", "@extravars", "--check", tasks=[role])
    assert "1.10 is neither live nor on its way: nothing is rolled back." in ended.out


def test_a_number_stays_refused(player: Player) -> None:
    (player.directory / "extravars").write_text("version: 1.10\n")
    ended = player.play("-e", "@extravars", "--check")
    assert ended.code == 2 and "The version must be a string, not the number 1.1" in ended.out


def test_native_types_leave_a_version_what_it_is(player: Player) -> None:
    player.environment["ANSIBLE_JINJA2_NATIVE"] = "True"  # as ansible-core 2.19 and newer always do
    player.hosts = {"blog": {"bluegreen_version": "1.10"}, "shop": {"bluegreen_version": "{{ mine }}", "mine": "1.10"}}
    ended = player.play("--check", "-e", "ansible_deprecation_warnings=false")
    assert ended.out.count("would get myapp:1.10") == 2
