# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings: the same by every way in, and every mistake in them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.workers import Wanted
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import settings as _settings

CHECK = {"name": "up", "http": "/health"}


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """Where the playbook is; there are files of tasks and of Jobs."""
    for name in ("tasks.yml", "job.yml", "hooks/a.yml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("[]")
    return str(tmp_path)


def judge(directory: str, **given: Any) -> dict[str, Any]:
    return _settings.judge({"bluegreen_" + name: value for name, value in given.items()}, directory)


def mistakes(directory: str, **given: Any) -> list[str]:
    with pytest.raises(BlueGreenError) as caught:
        judge(directory, **given)
    assert caught.value.reason == "bad_input"
    assert caught.value.what == f"The settings have {len(caught.value.why)} mistake{'s' * (len(caught.value.why) > 1)}."
    assert caught.value.next_step == "Correct them; nothing has been changed."
    return caught.value.why


# variable, what is given, what it is
VALUES = [
    ("services", ["a", "b"], ["a", "b"]),
    ("services", "a, b", ["a", "b"]),
    ("services", '["a", "b"]', ["a", "b"]),
    ("services", [1], ["1"]),
    ("services", None, []),
    ("namespace", "shop", "shop"),
    ("namespace", 7, "7"),
    ("namespace", None, ""),
    ("namespace", "  ", ""),
    ("colors", "red,black", ["red", "black"]),
    ("colors", "", ["blue", "green"]),
    ("deployments", '{"blue": "a"}', {"blue": "a"}),
    ("deployments", "", {}),
    ("kubeconfig", {"kind": "Config"}, {"kind": "Config"}),
    ("api_timeout", "2m", 120.0),
    ("version", "2.0", "2.0"),
    ("version", 1.1, 1.1),  # refused where it is used, together with what is live
    ("version", "", None),
    ("version", None, None),
    ("force", "yes", True),
    ("force", "False", False),
    ("force", 1, True),
    ("force", "", False),
    ("create_missing", "true", True),
    ("auto_rollback", "no", False),
    ("auto_rollback", None, True),
    ("auto_rollback", "", True),
    ("wait_timeout", "5m", 300.0),
    ("wait_timeout", 0, 0.0),
    ("wait_timeout", "0", 0.0),
    ("wait_timeout", "", 300.0),
    ("checks", '[{"name": "up", "http": "/"}]', [{"name": "up", "http": "/"}]),
    ("checks", "", []),
    ("checks", [], []),
    ("checks_parallel", "4", 4),
    ("checks_parallel", 1, 1),
    ("checks_parallel", "", 32),
    ("bake_time", "1h", 3600.0),
    ("bake_checks", None, None),
    ("bake_checks", "", None),
    ("bake_checks", [], []),
    ("bake_interval", "250ms", 0.25),
    ("bake_tolerance", "2", 2),
    ("scale_down_delay", "", 30.0),
    ("follow", "budgets", ["budgets"]),
    ("follow", [], []),
    ("follow", "", ["autoscalers", "budgets"]),
    ("workers", "", []),
    ("workers", "mailer", [Wanted("mailer")]),
    ("workers", [{"name": "mailer", "mode": "gap"}], [Wanted("mailer", "gap")]),
    ("cronjobs", "nightly", ["nightly"]),
    ("cronjobs", ["nightly", "hourly"], ["nightly", "hourly"]),
    ("idle_replicas", "3", 3),
    ("idle_replicas", " 3 ", 3),
    ("idle_replicas", 0, 0),
    ("idle_replicas", "0", 0),
    ("idle_replicas", "", 1),
    ("hooks", "", {}),
    ("database", "", {}),
    ("rollback_from", '"2.0"', "2.0"),  # the quotes of a survey
    ("rollback_from", "2.0", "2.0"),
    ("rollback_from", '"X1-X"', "X1-X"),
    ("rollback_from", "", ""),
    ("rollback_instant", "on", True),
    ("retire_after", "", 86400.0),
    ("retire_after", "0", 0.0),
    ("retire_mode", "delete", "delete"),
    ("retire_mode", "", "zero"),
    ("lock_timeout", "10m", 600.0),
    ("probe", "", {}),
    ("prometheus", "", {}),
]  # fmt: skip


@pytest.mark.parametrize("name, given, value", VALUES)
def test_a_value(name: str, given: Any, value: Any, directory: str) -> None:
    found = judge(directory, **{name: given})[name]
    assert (found, type(found)) == (value, type(value))


def test_what_is_not_given() -> None:
    """The defaults, as docs and argument specs say them; durations in seconds."""
    assert _settings.judge({}, "/") == {
        "services": [],
        "namespace": "",
        "colors": ["blue", "green"],
        "color_label": "version",
        "deployments": {},
        "containers": [],
        "kubeconfig": "",
        "context": "",
        "api_timeout": 60,
        "version": None,
        "image": "",
        "manifest": "",
        "deploy_tasks": "",
        "config": [],
        "create_missing": False,
        "template": "",
        "force": False,
        "wait_timeout": 300,
        "checks": [],
        "checks_parallel": 32,
        "prometheus": {},
        "probe": {},
        "preview_service": "",
        "bake_time": 0,
        "bake_checks": None,
        "bake_interval": 5,
        "bake_tolerance": 0,
        "scale_down_delay": 30,
        "idle_replicas": 1,
        "follow": ["autoscalers", "budgets"],
        "workers": [],
        "cronjobs": [],
        "hooks": {},
        "database": {},
        "rollback_from": "",
        "rollback_contracted": False,
        "auto_rollback": True,
        "rollback_instant": False,
        "retire_after": 86400,
        "retire_mode": "zero",
        "lock_timeout": 0,
        "report": "",
    }


# variable, what is given, words of the one mistake
MISTAKES = [
    ("namespace", ["shop"], ["bluegreen_namespace is text", "['shop']"]),
    ("image", {"a": 1}, ["bluegreen_image is text"]),
    ("services", {"a": 1}, ["bluegreen_services is a list of names"]),
    ("services", [["a"]], ["bluegreen_services is a list of names"]),
    ("services", [{"a": 1}], ["bluegreen_services is a list of names"]),
    ("services", "[a, b", ["bluegreen_services is a list of names", "[a, b"]),
    ("services", 5, ["bluegreen_services is a list of names"]),
    ("deployments", "blue", ["bluegreen_deployments is a dictionary", "'blue'"]),
    ("deployments", ["blue"], ["bluegreen_deployments is a dictionary"]),
    ("checks", "up", ["bluegreen_checks is a list of dictionaries"]),
    ("checks", ["up"], ["bluegreen_checks is a list of dictionaries"]),
    ("checks", CHECK, ["bluegreen_checks is a list of dictionaries"]),
    ("force", "maybe", ["bluegreen_force is true or false", "'maybe'"]),
    ("force", 2, ["bluegreen_force is true or false"]),
    ("wait_timeout", "soon", ["bluegreen_wait_timeout is not a duration: 'soon'", "such as 30s or 5m"]),
    ("wait_timeout", True, ["bluegreen_wait_timeout is not a duration"]),
    ("wait_timeout", -1, ["bluegreen_wait_timeout is not a duration"]),
    ("follow", ["pods"], ["bluegreen_follow can hold autoscalers and budgets, not 'pods'"]),
    ("workers", {"a": 1}, ["bluegreen_workers: it is a list of workers"]),
    ("workers", [{"name": "mailer", "mode": "x"}], ["bluegreen_workers: the mode of mailer is overlap or gap"]),
    ("cronjobs", {"nightly": 1}, ["bluegreen_cronjobs is a list of names"]),
    ("idle_replicas", -1, ["bluegreen_idle_replicas is not a number of 0 or more: -1"]),
    ("idle_replicas", "many", ["bluegreen_idle_replicas is not a number", "'many'"]),
    ("idle_replicas", 1.5, ["bluegreen_idle_replicas is not a number"]),
    ("idle_replicas", True, ["bluegreen_idle_replicas is not a number"]),
    ("idle_replicas", "²", ["bluegreen_idle_replicas is not a number"]),
    ("checks_parallel", 0, ["bluegreen_checks_parallel is a number of 1 or more, not 0"]),
    ("checks_parallel", "x", ["bluegreen_checks_parallel is not a number"]),
    ("rollback_from", 1.1, ["bluegreen_rollback_from is text, not 1.1", "quote it"]),
    ("retire_mode", "never", ["bluegreen_retire_mode is zero or delete, not 'never'"]),
    ("deploy_tasks", "none.yml", ["bluegreen_deploy_tasks: there is no file", "/none.yml"]),
    ("deploy_tasks", "hooks", ["bluegreen_deploy_tasks: there is no file"]),  # a directory
    ("hooks", {"before_lunch": "tasks.yml"}, ["there is no hook 'before_lunch'", "before_database, after_database"]),
    ("config", ["tasks.yml", "none/*.yml"], ["bluegreen_config: there is no file", "/none/*.yml"]),
    ("config", ["hooks"], ["bluegreen_config: there is no file", "/hooks"]),
    ("config", {"a": 1}, ["bluegreen_config is a list of names"]),
    ("hooks", {"before_deploy": "none.yml"}, ["bluegreen_hooks.before_deploy: there is no file"]),
    ("hooks", {"before_deploy": ""}, ["bluegreen_hooks.before_deploy: no file is named"]),
    ("hooks", {"before_deploy": None}, ["bluegreen_hooks.before_deploy: no file is named"]),
    ("hooks", "tasks.yml", ["bluegreen_hooks is a dictionary"]),
    ("database", {"strategy": "big_bang"}, ["strategy is 'big_bang'; it can be expand_contract, per_color, shared"]),
    ("database", {"migrate": "job.yml"}, ["strategy is None"]),
    ("database", {"strategy": "shared"}, ["bluegreen_database: shared needs migrate, a file with a Job"]),
    ("database", {"strategy": "shared", "migrate": "none.yml"}, ["bluegreen_database.migrate: there is no file"]),
    ("database", {"strategy": "shared", "migrate": "job.yml", "undo": "none.yml"}, ["bluegreen_database.undo: there is no"]),
    ("database", {"strategy": "shared", "migrate": "job.yml", "sync": "job.yml"},
     ["shared knows no 'sync'; it knows strategy, keep_failed, migrate, undo, timeout"]),
    ("database", {"strategy": "shared", "migrate": "job.yml", "timeout": "soon"}, ["bluegreen_database.timeout is not a dur"]),
    ("database", {"strategy": "shared", "migrate": "job.yml", "keep_failed": "maybe"}, ["bluegreen_database.keep_failed is"]),
    ("database", {"strategy": "expand_contract", "expand": "job.yml"}, ["expand_contract needs contract"]),
    ("database", {"strategy": "per_color", "sync": "job.yml", "hand_over": "job.yml"}, ["per_color needs detach"]),
    ("database",
     {"strategy": "per_color", "sync": "job.yml", "hand_over": "job.yml", "detach": "job.yml", "undo": "job.yml"},
     ["per_color knows no 'undo'"]),
    ("probe", {"url": "http://x"}, ["bluegreen_probe: ", "color_from"]),
    ("probe", "x", ["bluegreen_probe is a dictionary"]),
    ("checks", [{"name": "up", "htp": "/"}], ["check up"]),
]  # fmt: skip


@pytest.mark.parametrize("name, given, words", MISTAKES)
def test_a_mistake(name: str, given: Any, words: list[str], directory: str) -> None:
    if name == "checks" and isinstance(given, list) and isinstance(given[0], dict):
        with pytest.raises(BlueGreenError) as caught:  # of the checks alone, their own error tells
            judge(directory, checks=given)
        found = [line for line in caught.value.why if "check up" in line][:1]
    else:
        found = mistakes(directory, **{name: given})
    assert len(found) == 1
    assert [word for word in words if word not in found[0]] == []


# a database that is right
@pytest.mark.parametrize(
    "database",
    [
        {"strategy": "shared", "migrate": "job.yml"},
        {"strategy": "shared", "migrate": "job.yml", "undo": "job.yml", "timeout": "10m", "keep_failed": "yes"},
        {"strategy": "expand_contract", "expand": "job.yml", "contract": "job.yml", "undo": "job.yml"},
        {"strategy": "per_color", "sync": "job.yml", "hand_over": "job.yml", "detach": "job.yml"},
    ],
)
def test_a_database(database: dict[str, Any], directory: str) -> None:
    assert judge(directory, database=database)["database"] == database


def test_files_are_beside_the_playbook_or_anywhere(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", directory)
    for path in ("tasks.yml", "hooks/a.yml", f"{directory}/tasks.yml", "~/tasks.yml"):
        judge(directory, deploy_tasks=path, hooks={"after_switch": path})
    assert _settings.place("a.yml", "/play") == "/play/a.yml"
    assert _settings.place("/a.yml", "/play") == "/a.yml"
    assert _settings.place("a.yml", None) == "a.yml"


@pytest.mark.parametrize("stage", _settings.STAGES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_stage_has_hooks(stage: str, when: str, directory: str) -> None:
    assert judge(directory, hooks={f"{when}_{stage}": "tasks.yml"})


# a variable that is none, what is said of it
@pytest.mark.parametrize(
    "name, said",
    [
        ("check", "There is no variable bluegreen_check; did you mean bluegreen_checks?"),
        ("idle_replica", "There is no variable bluegreen_idle_replica; did you mean bluegreen_idle_replicas?"),
        ("zzz", "There is no variable bluegreen_zzz; what begins with bluegreen_ is the role's."),
    ],
)
def test_an_unknown_variable(name: str, said: str, directory: str) -> None:
    assert mistakes(directory, **{name: "x"}) == [said]


@pytest.mark.parametrize("name", _settings.OURS)
def test_what_the_role_itself_leaves_behind_is_no_mistake(name: str, directory: str) -> None:
    assert name not in judge(directory, **{name: "x"})


def test_every_mistake_at_once(directory: str) -> None:
    found = mistakes(
        directory,
        chekcs=[],
        servces=[],
        force="maybe",
        wait_timeout="soon",
        deploy_tasks="none.yml",
        hooks={"before_lunch": "x", "before_deploy": "none.yml"},
        database={"strategy": "shared"},
        probe={"url": "http://x"},
        checks=[{"name": "up", "htp": "/"}, {"name": "down", "http": "/", "retries": "x"}],
    )
    words = [
        "bluegreen_chekcs",
        "bluegreen_servces",
        "bluegreen_force",
        "bluegreen_wait_timeout",
        "bluegreen_deploy_tasks",
        "before_lunch",
        "bluegreen_hooks.before_deploy",
        "shared needs migrate",
        "bluegreen_probe",
        "check up",
        "check down",
    ]
    for word in words:
        assert [text for text in found if word in text], word
    assert found[:2] == sorted(found[:2])


def test_one_mistake_is_one() -> None:
    with pytest.raises(BlueGreenError) as caught:
        _settings.judge({"bluegreen_force": "maybe"}, "/")
    assert caught.value.what == "The settings have 1 mistake."


def test_checks_of_the_bake_are_judged_where_there_is_one(directory: str) -> None:
    wrong = [{"name": "up", "htp": "/"}]
    judge(directory, bake_checks=wrong)
    with pytest.raises(BlueGreenError) as caught:
        judge(directory, bake_checks=wrong, bake_time=60)
    assert "check up" in str(caught.value)


def test_the_files_of_checks_are_beside_the_playbook(directory: str) -> None:
    with pytest.raises(BlueGreenError) as caught:
        judge(directory, checks=[{"name": "up", "job": "none.yml"}])
    assert f"{directory}/none.yml" in str(caught.value)


def test_checks_by_prometheus_need_one(directory: str) -> None:
    check = {"name": "errors", "prometheus": "up", "expect": {"max": 1}}
    with pytest.raises(BlueGreenError):
        judge(directory, checks=[check])
    assert judge(directory, checks=[check], prometheus={"url": "http://x"})["checks"] == [check]
    assert judge(directory, checks=[check], prometheus='{"url": "http://x"}')["prometheus"] == {"url": "http://x"}


def test_what_goes_wrong_beside_the_mistakes_is_one_more() -> None:
    def broken() -> None:
        raise BlueGreenError("A library is missing.", "missing_library", why=["install it"])

    with pytest.raises(BlueGreenError) as caught:
        _settings.refuse(["One."], broken)
    assert caught.value.why == ["One.", "A library is missing."]
    with pytest.raises(BlueGreenError) as caught:
        _settings.refuse([], broken)
    assert caught.value.reason == "missing_library"
    _settings.refuse([], lambda: None)


@pytest.mark.parametrize(
    "paths, files",
    [
        ([], []),
        (["tasks.yml"], ["tasks.yml"]),
        (["*.yml"], ["job.yml", "tasks.yml"]),
        (["tasks.yml", "*.yml"], ["tasks.yml", "job.yml"]),
        (["**/*.yml"], ["hooks/a.yml", "job.yml", "tasks.yml"]),
        (["*", "none"], ["job.yml", "tasks.yml"]),
    ],
)
def test_the_files_of_the_configuration(paths: list[str], files: list[str], directory: str) -> None:
    found = _settings.config_files(paths, directory)
    assert [Path(file).relative_to(directory).as_posix() for file in found] == files
    assert found == _settings.config_files([f"{directory}/{path}" for path in paths], "/elsewhere")
