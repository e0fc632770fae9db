# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions take from the variables of the host, and what they make of their arguments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _options
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin as _begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _variables
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import as_given

# --- settings


def test_the_roles_variables_are_taken_by_their_names() -> None:
    variables = {
        "bluegreen_services": ["myapp"],
        "bluegreen_typo": 1,
        "bluegreen_image": "{{ image }}",
        "bluegreen_color": "{{ undefined }}",  # bound by the role for each step
        "bluegreen_result": {},
        "__bluegreen_begun": {},
        "Bluegreen_x": 1,
        "image": "myapp",
        "my_bluegreen_x": 1,
    }
    asked: list[Any] = []

    def template(value: Any) -> Any:
        asked.append(value)
        return "filled in" if value == "{{ image }}" else value

    assert _variables.settings(variables, template) == {
        "bluegreen_services": ["myapp"],
        "bluegreen_typo": 1,
        "bluegreen_image": "filled in",
    }
    assert "{{ undefined }}" not in asked, "nothing is filled in that is not there yet"


# host, Services, the name of the application
@pytest.mark.parametrize(
    "host, services, name",
    [
        ("shop", ["myapp"], "shop"),
        ("shop", None, "shop"),
        ("localhost", ["myapp", "other"], "myapp"),
        ("localhost", "myapp, other", "myapp"),
        ("localhost", '["myapp"]', "myapp"),
        ("localhost", [7], "7"),
        ("localhost", [], "localhost"),
        ("localhost", "", "localhost"),
        ("localhost", None, "localhost"),
        ("localhost", {"a": 1}, "localhost"),
    ],
)
def test_the_application(host: str, services: Any, name: str) -> None:
    assert _variables.application({"inventory_hostname": host}, services) == name


def test_the_directory_is_the_playbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _variables.directory({"playbook_dir": "/home/me/shop"}) == "/home/me/shop"
    assert _variables.directory({}) == str(tmp_path)
    assert _variables.directory({"playbook_dir": ""}) == str(tmp_path)


def test_the_directory_is_the_working_one_for_the_collections_playbooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _variables.PLAYBOOKS.joinpath("release.yml").is_file()
    assert _variables.directory({"playbook_dir": str(_variables.PLAYBOOKS)}) == str(tmp_path)
    link = tmp_path / "link"
    os.symlink(_variables.PLAYBOOKS, link)
    assert _variables.directory({"playbook_dir": str(link)}) == str(tmp_path)


# variables, who started it, which job it is
@pytest.mark.parametrize(
    "variables, by, job",
    [
        ({}, "", ""),
        ({"awx_user_name": "ann"}, "ann", ""),
        ({"tower_user_name": "bob"}, "bob", ""),
        ({"awx_user_name": "ann", "tower_user_name": "bob"}, "ann", ""),
        ({"awx_user_name": "", "tower_user_name": "bob"}, "bob", ""),
        ({"awx_user_name": None}, "", ""),  # a schedule's
        ({"awx_job_id": 42}, "", "42"),
        ({"awx_job_template_name": "Release"}, "", "Release"),
        ({"awx_job_id": 42, "awx_job_template_name": "Release", "awx_user_name": "ann"}, "ann", "42 Release"),
        ({"tower_job_id": 7, "tower_job_template_name": "Release"}, "", "7 Release"),
    ],
)
def test_who(variables: dict[str, Any], by: str, job: str) -> None:
    assert _variables.who(variables) == {"by": by, "job": job}


PREPARED = {"run": "r1", "version": "2.0"}
OLD = {"run": "r0", "version": "1.0"}


def result(prepared: Any, name: str = "shop") -> dict[str, Any]:
    return {name: {"prepared": prepared}}


@pytest.mark.parametrize(
    "variables, extra, approved",
    [
        ({}, {}, {}),
        ({"bluegreen_result": {}}, {}, {}),
        ({"bluegreen_result": result(PREPARED)}, {}, PREPARED),
        ({"bluegreen_result": result(PREPARED, "other")}, {}, {}),
        ({"bluegreen_result": result(None)}, {}, {}),
        ({"bluegreen_result": {"shop": {}}}, {}, {}),
        ({"bluegreen_result": {"shop": None}}, {}, {}),
        ({"__bluegreen_results": result(PREPARED)}, {}, PREPARED),
        # A fact may be an earlier run's, out of a cache, whether it is there as a variable as well or not.
        ({"ansible_facts": {"bluegreen_result": result(OLD)}}, {}, {}),
        ({"ansible_facts": {"bluegreen_result": result(OLD)}, "bluegreen_result": result(OLD)}, {}, {}),
        ({"ansible_facts": {"bluegreen_result": result(OLD)}, "bluegreen_result": result(PREPARED)}, {}, PREPARED),
        ({"ansible_facts": {"bluegreen_result": result(OLD)}, "__bluegreen_results": result(PREPARED)}, {}, PREPARED),
        ({"ansible_facts": None}, {}, {}),
        # In a workflow of AWX it is an extra variable, and the fact of the job before may be cached as well.
        ({"bluegreen_result": result(PREPARED)}, {"bluegreen_result": result(PREPARED)}, PREPARED),
        (
            {"bluegreen_result": result(OLD), "ansible_facts": {"bluegreen_result": result(OLD)}},
            {"bluegreen_result": result(OLD)},
            OLD,
        ),
        ({"__bluegreen_results": result(OLD)}, {"bluegreen_result": result(PREPARED)}, PREPARED),
    ],
)
def test_what_was_approved(variables: dict[str, Any], extra: dict[str, Any], approved: dict[str, Any]) -> None:
    assert _variables.approved(variables, extra, "shop") == approved


# --- arguments

SPECS = {
    operation.NAME: dict(_options.CONNECTION, **operation.ARGUMENTS) for operation in (_begin, _deploy, _switch)
}  # fmt: skip

# module, option, what is given, what that means; "..." for not given at all
GIVEN = [
    # Text is the list or dictionary that it writes.
    ("bg_begin", "services", "a, b", ["a", "b"]),
    ("bg_begin", "services", '["a"]', ["a"]),
    ("bg_begin", "services", ["a"], ["a"]),
    ("bg_begin", "deployments", '{"blue": "a"}', {"blue": "a"}),
    ("bg_begin", "colors", "red,black", ["red", "black"]),
    ("bg_begin", "colors", "", ...),
    ("bg_begin", "containers", "", ...),
    ("bg_begin", "services", "", ...),
    ("bg_begin", "settings", "", ...),
    # A template of a variable that is not set is empty text: the default, or the environment.
    ("bg_begin", "kubeconfig", "", ...),
    ("bg_begin", "context", "", ...),
    ("bg_begin", "validate_certs", "", ...),
    ("bg_begin", "verify_ssl", "", ...),
    ("bg_begin", "api_timeout", "", ...),
    ("bg_begin", "color_label", "", ...),
    ("bg_deploy", "create_missing", "", ...),
    ("bg_switch", "wait_timeout", "", ...),
    ("bg_switch", "force", "", ...),
    # Where empty text is a value, it stays one.
    ("bg_begin", "version", "", ""),
    ("bg_begin", "by", "", ""),
    ("bg_begin", "namespace", "", ""),
    ("bg_deploy", "image", "", ""),
    ("bg_switch", "color", "", ""),
    # An empty dictionary is a value, unless there is something that it must say.
    ("bg_switch", "selectors", {}, {}),
    ("bg_switch", "probe", {}, ...),
    ("bg_switch", "probe", "{}", ...),
    ("bg_switch", "probe", " {} ", ...),
    ("bg_switch", "probe", {"url": "http://x"}, {"url": "http://x"}),
    ("bg_deploy", "definition", {}, {}),
    # All else is as it is.
    ("bg_begin", "flow", "release", "release"),
    ("bg_begin", "version", "[1]", "[1]"),
    ("bg_begin", "kubeconfig", "{}", "{}"),
    ("bg_begin", "api_timeout", 0, 0),
    ("bg_deploy", "create_missing", False, False),
    ("bg_begin", "no_such_option", "", ""),
]


@pytest.mark.parametrize("module, option, given, meant", GIVEN)
def test_an_argument(module: str, option: str, given: Any, meant: Any) -> None:
    assert as_given({option: given}, SPECS[module]) == ({} if meant is ... else {option: meant})


def test_arguments_stay_apart() -> None:
    given = {"services": "a", "version": "2.0", "kubeconfig": ""}
    assert as_given(given, SPECS["bg_begin"]) == {"services": ["a"], "version": "2.0"}
    assert given["services"] == "a", "what the task says is not changed"
