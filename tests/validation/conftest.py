# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validation suite: `make validation`. Checks, bake and report against the real application on the embedded cluster.

--all adds what the bounded run leaves out.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import harness  # noqa: E402
from harness import Application  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every sub-case, also those that the bounded run leaves out")


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:  # once for all workers
        try:
            harness.Audit()
        except harness.Failure as failure:
            pytest.exit(str(failure), returncode=1)


@pytest.fixture
def everything(request: pytest.FixtureRequest) -> bool:
    """Whether the complete run was asked for."""
    return request.config.getoption("--all")


@pytest.fixture
def new_app(request: pytest.FixtureRequest) -> Iterator[Callable[..., Application]]:
    """Deploys the example application (with the arguments of harness.Application); it ends with the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:40].strip("-")
    with ExitStack() as stack:
        def new(**options: object) -> Application:
            return stack.enter_context(Application(f"validation-{name}-{uuid.uuid4().hex[:6]}", **options))

        yield new


@pytest.fixture
def app(new_app: Callable[..., Application]) -> Application:
    """Blue is live with three pods of 1.0, green has one."""
    return new_app()


def green(**env: str) -> Callable[[list[dict]], None]:
    """A change of the manifests: settings that only the green colour's container gets."""
    def change(manifests: list[dict]) -> None:
        for item in manifests:
            if item["kind"] == "Deployment" and item["metadata"]["name"] == "app-green":
                container = item["spec"]["template"]["spec"]["containers"][0]
                container["env"] += [{"name": key, "value": value} for key, value in env.items()]
    return change
