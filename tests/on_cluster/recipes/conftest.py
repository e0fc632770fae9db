# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes suite: `make recipes`. Every file of examples/recipes is run, or read as what it is for reads it."""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own helpers

from cluster.toolchain import Failure, go_install
from collections_of_others import collections_path
from harness import QUICK, Application, Run, environment
from recipe_files import HELM, RECIPES
from traffic import Traffic


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:  # once, and before the tests: it takes minutes of both CPUs
        try:
            go_install(HELM)
        except Failure as failure:
            pytest.exit(str(failure), returncode=1)


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Application]:
    """The example application: 1.0 is live on three pods of blue, green has one."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:40].strip("-")
    with Application(f"recipes-{name}-{uuid.uuid4().hex[:6]}") as app:
        yield app


@pytest.fixture
def traffic(app: Application) -> Iterator[Traffic]:
    """60 requests a second all the time; none of them may fail."""
    with Traffic(app.url("/api/status"), rate=60, timeout=8) as traffic:
        yield traffic
        assert traffic.flowing()
    assert traffic.report.sent > 60 and not traffic.report.failed, traffic.report.line()


@pytest.fixture
def play(app: Application) -> Callable[..., Run]:
    """Runs a playbook of the recipes, with the recipes' inventory, in the application's namespace."""

    def run(playbook: str, *arguments: str, **variables: object) -> Run:
        values = {"team": app.namespace, **QUICK, **variables}
        path = f"{environment()['ANSIBLE_COLLECTIONS_PATH']}:{collections_path()}"
        return Run(
            [Path(playbook).name, "--inventory", str(RECIPES / "inventory"), "--limit", "myapp", *arguments],
            values,
            cwd=(RECIPES / playbook).parent,
            env={**app.credentials, "ANSIBLE_COLLECTIONS_PATH": path},
        ).finish()

    return run
