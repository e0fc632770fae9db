# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No output shows the values of headers and environment variables, whichever operation is told them."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation, _operations
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import (
    bake,
    begin,
    current_color,
    deploy,
    job,
    smoke_check,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import as_shown

OPERATIONS = [
    importlib.import_module(f"{_operations.__name__}.{entry.name}")
    for entry in pkgutil.iter_modules(_operations.__path__)
]
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"name": "app", "env": [{"name": "PASSWORD", "value": "canary-job"}]}],
                "initContainers": [{"name": "first", "env": [{"name": "TOKEN", "value": "canary-first"}]}],
            }
        }
    },
}
CHECKS = [
    {"name": "up", "http": "/", "headers": {"Authorization": "canary-header"}},
    {"name": "orders", "command": ["./orders.sh"], "env": {"API_KEY": "canary-env"}},
    {"name": "import", "job": "job.yml"},
]
BAKE_CHECKS = [{"name": "bake", "url": "http://x", "headers": {"Cookie": "canary-cookie"}}]
PROMETHEUS = {"url": "http://x", "headers": {"X-Scope-Token": "canary-prometheus"}}
OF_JOB = {"canary-job", "canary-first"}
OF_CHECKS = {"canary-header", "canary-env"} | OF_JOB
ALL = OF_CHECKS | {"canary-prometheus"}


@pytest.fixture
def directory(tmp_path: Path) -> str:
    tmp_path.joinpath("job.yml").write_text(json.dumps(JOB))
    return str(tmp_path)


def secrets(operation: Any, directory: str, **params: Any) -> set[str]:
    where = "directory" if operation is begin else "chdir"
    return _operation.secrets(operation, {where: directory, **params})


@pytest.mark.parametrize("operation", [smoke_check, bake, current_color], ids=lambda item: item.NAME)
def test_of_checks(operation: Any, directory: str) -> None:
    assert secrets(operation, directory, checks=CHECKS, prometheus=PROMETHEUS) == ALL
    assert secrets(operation, directory, checks=[], prometheus=None) == set()


def test_of_a_job(directory: str) -> None:
    assert secrets(job, directory, definition=JOB) == OF_JOB


# the settings as they are written, what no output shows of them
SETTINGS = [
    ({}, set()),
    ({"checks": CHECKS}, OF_CHECKS),
    ({"bake_checks": BAKE_CHECKS}, {"canary-cookie"}),
    ({"prometheus": PROMETHEUS}, {"canary-prometheus"}),
    ({"checks": CHECKS, "bake_checks": BAKE_CHECKS, "prometheus": PROMETHEUS}, ALL | {"canary-cookie"}),
    # As text, which INI files, -e and surveys make of it.
    ({"checks": json.dumps(CHECKS)}, OF_CHECKS),
    ({"prometheus": json.dumps(PROMETHEUS)}, {"canary-prometheus"}),
    # What is no setting is shown in the mistake.
    ({"checks": CHECKS[0]}, {"canary-header"}),
    ({"checks": ["up", CHECKS[0], None]}, {"canary-header"}),
    ({"checks": "up"}, set()),
    ({"checks": None, "bake_checks": "", "prometheus": ""}, set()),
    ({"prometheus": "http://x"}, set()),
    ({"checks": [{"headers": "x", "env": ["x"]}], "prometheus": ["x"]}, set()),
]  # fmt: skip


@pytest.mark.parametrize("settings, hidden", SETTINGS)
def test_of_settings(settings: dict[str, Any], hidden: set[str], directory: str) -> None:
    given = {"bluegreen_" + name: value for name, value in settings.items()}
    assert secrets(begin, directory, settings=given) == hidden
    assert secrets(begin, directory, settings=None) == set()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda item: item.__name__.rpartition(".")[2])
def test_whoever_is_told_them_hides_them(operation: Any) -> None:
    """So that none is forgotten: it was once, when files were moved."""
    told = {"checks", "prometheus", "settings", "definition", "manifests"} & set(getattr(operation, "ARGUMENTS", {}))
    assert bool(told) == hasattr(operation, "secrets")


def test_of_a_manifest() -> None:
    assert secrets(deploy, "", definition=dict(JOB, kind="Deployment")) == OF_JOB
    assert secrets(deploy, "", definition=None) == set()


def test_the_version_of_a_manifest_is_no_secret() -> None:
    """Though its environment has it too: the result and the history need it."""
    values = {"VERSION": "2.0.0-rc.1", "IMAGE": "shop/myapp:2.0.0-rc.1", "PASSWORD": "canary-job"}
    container: dict[str, Any] = {"name": "app", "image": "shop/myapp:2.0.0-rc.1"}
    container["env"] = [{"name": name, "value": value} for name, value in values.items()]
    manifest = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}}
    assert secrets(deploy, "", definition=manifest, version="2.0.0-rc.1", services=["myapp"]) == {"canary-job"}


def test_short_lines_of_a_value_hide_no_color() -> None:
    """A variable that holds a whole configuration: the role goes on with the color that a result names."""
    value = "color: any\n  green\nsecret-canary-line\n"
    shown = remove_values({"color": "green", "log": "> secret-canary-line <"}, as_shown({value}))
    assert shown["color"] == "green"
    assert "canary" not in shown["log"]
