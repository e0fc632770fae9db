# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the user's around the stages."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Application

HOOKS = Path(__file__).parent / "hooks"
STAGES = ("database", "deploy", "wait", "validate", "switch", "bake", "scale_down")


def hooks(file: str, *names: str) -> dict[str, str]:
    return {name: str(HOOKS / file) for name in names}


def test_mistakes_are_found_before_anything(app: Application) -> None:
    wrong = {**hooks("say.yml", "before_lunch"), **hooks("missing.yml", "after_switch")}
    run = app.playbook("release.yml", version="2.0", bluegreen_hooks=wrong)
    assert run.outcome == "refused", run.output
    assert "there is no hook 'before_lunch'" in run.output
    assert "bluegreen_hooks.after_switch: there is no file" in run.output
    assert not app.state


def test_a_hook_that_fails_ends_the_release(app: Application) -> None:
    run = app.playbook("release.yml", version="2.0", bluegreen_hooks=hooks("fail.yml", "before_switch"))
    assert run.outcome == "aborted", run.output
    assert "the cache could not be warmed" in run.result["msg"]
    assert app.color == "blue"


def test_after_the_switch_a_hook_that_fails_switches_back(app: Application) -> None:
    run = app.playbook("release.yml", version="2.0", bluegreen_hooks=hooks("fail.yml", "after_switch"))
    assert run.outcome == "reverted", run.output
    assert app.color == "blue"


@pytest.mark.promise("tasks of one's own run before and after each stage")
def test_all_of_them_run_in_their_order(app: Application) -> None:
    every = [f"{when}_{stage}" for stage in STAGES for when in ("before", "after")]
    run = app.playbook(
        "release.yml", version="2.0", bluegreen_scale_down_delay=0, bluegreen_hooks=hooks("say.yml", *every)
    )
    assert run.outcome == "released", run.output
    assert [run.result[key] for key in ("active_color", "version", "previous_version")] == ["green", "2.0", "1.0"]
    said = [line.partition("hook ")[2].rstrip('"') for _at, line in run.lines if '"msg": "hook ' in line]
    assert [text.partition(":")[0] for text in said] == every
    moved = every.index("after_switch")
    for number, text in enumerate(said):
        live = "green" if number >= moved else "blue"
        assert text.endswith(f": green gets 2.0 after 1.0, live is {live}")


def test_a_rollback_runs_the_one_after_its_switch(app: Application) -> None:
    run = app.playbook(
        "rollback.yml", bluegreen_scale_down_delay=0, bluegreen_hooks=hooks("say.yml", "after_switch", "before_deploy")
    )
    assert run.outcome == "rolled_back", run.output
    assert "hook after_switch: blue gets 1.0 after 2.0, live is blue" in run.output
    assert "hook before_deploy" not in run.output


@pytest.mark.parametrize(
    ("name", "outcome"), [("before_switch", "aborted"), ("after_switch", "reverted"), ("after_scale_down", "reverted")]
)
def test_a_hook_that_includes_what_is_not_there(app: Application, name: str, outcome: str) -> None:
    """Ansible goes to the rescue without a result of what failed."""
    run = app.playbook(
        "release.yml", version="2.0", bluegreen_scale_down_delay=0, bluegreen_hooks=hooks("include_missing.yml", name)
    )
    assert (run.code, run.outcome) == (2, outcome), run.output
    assert "A file of tasks could not be included" in run.result["msg"]
    assert app.color == "blue"
