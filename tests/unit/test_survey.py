# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a survey, as AWX writes them into the file of extra variables: a text stays a text, whatever it looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _extra
from api import Api
from loopback import Loopback
from playing import Player
from recorded import RecordedCluster

ANSWERS = ("2.0", "1.10", "1e3", "0123", "yes", "1_000", "2026-01-02", "null", "~", "0x1F", "12:30:45", "")


class Unsafe(yaml.SafeDumper):
    """Marks every text, as AWX does with what comes from users."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@pytest.fixture
def player(loopback: Loopback, tmp_path: Path) -> Player:
    return Player(tmp_path, Api(loopback, RecordedCluster(at="ready")).server)


def test_an_answer_is_released_as_it_was_typed(player: Player) -> None:
    (player.directory / "extravars").write_text(yaml.dump({"version": "1.10"}, Dumper=Unsafe))
    ended = player.play("-e", "@extravars", "--check")
    assert "blog | 1.10 is released to green" in ended.out
    assert "app-green would get myapp:1.10" in ended.out
    assert ended.results["blog"]["outcome"] == "planned"


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


# an option of ansible-playbook, or what a file of extra variables has; the text that was written, None for what was none
@pytest.mark.parametrize(
    ("option", "text"),
    [
        *((f"@version: !unsafe {quote}{answer}{quote}\n", answer) for quote in "'\"" for answer in ANSWERS),
        ("@version: '1.10'", "1.10"),
        ("@version: !unsafe 1.10", None),
        ("@version: 1.10", None),
        ("@version: 0123", None),
        ("@version: 2026-01-02", None),
        ('@{"version": "1.10"}', "1.10"),
        ('@{"version": 1.10}', None),
        ("@version: !unsafe '{{ 1.10 }}'", "{{ 1.10 }}"),
        ("@version: '{{ 1.10 }}'", None),
        ("@version: !vault '1.10'", None),
        ("@version: [1.10]", None),
        ("@version: '1'\nversion: '2'", "2"),
        ("@other: '1'", None),
        ("@- version", None),
        ("@", None),
        ("@version: '", None),
        ("version=1.10", "1.10"),
        ("version='1.10' other=1", "1.10"),
        ("version={{ 1.10 }}", None),
        ('{"version": "1.10"}', "1.10"),
        ("{version: 1.10}", None),
        ("other=1.10", None),
    ],
)
def test_a_text_is_found_where_it_was_written(option: str, text: str | None, tmp_path: Path) -> None:
    if option.startswith("@"):
        (tmp_path / "extra").write_text(option[1:])
        option = f"@{tmp_path / 'extra'}"
    assert _extra.text_of("version", [option], DataLoader()) == text


def test_the_last_option_that_has_it_counts() -> None:
    options = ["version=1", '{"version": "1.10"}', "other=2"]
    assert _extra.text_of("version", options, DataLoader()) == "1.10"
    assert _extra.text_of("version", [*options, "{version: 3.0}"], DataLoader()) is None
    assert _extra.text_of("version", [], DataLoader()) is None


def test_a_file_is_looked_for_where_ansible_has_found_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working directory, not beside the playbook; a pipe is not read again, which would never end."""
    (tmp_path / "extra").write_text("version: '1.10'")
    monkeypatch.chdir(tmp_path)
    loader = DataLoader()
    loader.set_basedir("/nowhere")
    assert _extra.text_of("version", ["@extra"], loader) == "1.10"
    os.mkfifo("pipe")
    assert _extra.text_of("version", ["@pipe"], loader) is None
    assert _extra.text_of("version", ["@gone"], loader) is None
