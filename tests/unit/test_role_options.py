# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's options are said in three places, defaults, argument specs and what the release judges, and these agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import PREFIX, SETTINGS

ROLE = Path(__file__).resolve().parents[2] / "roles" / "bluegreen"
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
SPECS: dict[str, Any] = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
OPTIONS = [(entry, name) for entry, spec in SPECS.items() for name in spec["options"]]
MISSING = object()


@pytest.mark.parametrize(("entry", "name"), OPTIONS)
def test_option_has_the_same_default_in_both_places_or_says_why_it_has_none(entry: str, name: str) -> None:
    option = SPECS[entry]["options"][name]
    default = DEFAULTS.get(name, MISSING)
    if isinstance(default, str) and "{{" in default or default is MISSING:  # taken from another variable, or none
        assert "default" not in option
        assert option.get("required") or "If not set, " in " ".join(option["description"])
    else:
        assert (default, type(default)) == (option.get("default", MISSING), type(option.get("default", MISSING)))


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_is_one_of_an_option(name: str) -> None:
    assert name in {name for _entry, name in OPTIONS}


def test_settings_are_the_options_with_their_defaults_and_choices() -> None:
    said = {name: spec["options"][name] for spec in SPECS.values() for name in spec["options"]}
    assert {PREFIX + name: (setting.default, list(setting.choices)) for name, setting in SETTINGS.items()} == {
        name: (option.get("default"), option.get("choices", [])) for name, option in said.items()
    }


@pytest.mark.parametrize("entry", SPECS)
def test_entry_point_has_its_tasks_and_means_the_same_by_an_option_as_the_others(entry: str) -> None:
    assert (ROLE / "tasks" / f"{entry}.yml").is_file()
    for name, option in SPECS[entry]["options"].items():
        for other in SPECS.values():
            same = other["options"].get(name, option)
            assert {**same, "description": ""} == {**option, "description": ""}


def test_no_task_of_a_stage_binds_what_its_step_binds() -> None:
    """It would be in vain: the variables of the include that brings a stage in count more than those of its tasks."""

    def tasks(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for item in items:
            yield item
            for part in ("block", "rescue", "always"):
                yield from tasks(item.get(part, []))

    files = sorted((ROLE / "tasks" / "stages").glob("*.yml"))
    every = [(file.name, task) for file in files for task in tasks(yaml.safe_load(file.read_text()))]
    assert len(every) > len(files) > 10
    bound = [
        (name, task["vars"]) for name, task in every if "vars" in task and "ansible.builtin.include_tasks" not in task
    ]
    assert bound == []


@pytest.mark.parametrize(
    ("step", "deployed", "expected"),
    [
        ({"deployed": True, "template_hash": ""}, {"template_hash": "h1"}, "h1"),
        ({"deployed": True, "template_hash": ""}, {}, ""),
        (
            {"deployed": False, "template_hash": "h2"},
            {"template_hash": "h1"},
            "h2",
        ),  # that of an earlier run in the play
        ({}, {"template_hash": "h1"}, ""),  # checks of another stage, on what is live
    ],
)
def test_what_is_waited_for_checked_and_switched_is_what_was_deployed(
    step: dict[str, Any], deployed: dict[str, Any], expected: str
) -> None:
    expression = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__bluegreen_template_hash"]
    assert jinja2.Template(expression).render(__bluegreen_step=step, __bluegreen_deployed=deployed) == expected
    for stage in ("wait", "validate", "switch"):
        (task,) = yaml.safe_load((ROLE / "tasks" / "stages" / f"{stage}.yml").read_text())
        options = next(value for key, value in task.items() if key.startswith("bluegreen.kubernetes."))
        assert options["template_hash"] == "{{ __bluegreen_template_hash }}"
