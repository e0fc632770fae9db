# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWX suite: `make awx`. Jobs of examples/awx, run as AWX runs them, under traffic."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own helpers

from controller import Controller
from harness import Application
from traffic import Traffic


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Application]:
    """The example application: 1.0 is live on three pods of blue, green has one."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:40].strip("-")
    with Application(f"awx-{name}-{uuid.uuid4().hex[:6]}") as app:
        yield app


@pytest.fixture
def controller(app: Application, tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(app, tmp_path)
    yield controller
    for job in controller.jobs:
        job.end()


@pytest.fixture
def traffic(app: Application) -> Iterator[Traffic]:
    """60 requests a second all the time; none of them may fail."""
    with Traffic(app.url("/api/status"), rate=60, timeout=8) as traffic:
        yield traffic
        assert traffic.flowing()
    report = traffic.report
    assert report.sent > 60 and not report.failed, report.line()
