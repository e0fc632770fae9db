# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validation suite: `make validation`. Checks, bake and report against the real application on the embedded cluster."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own helpers

from harness import Application


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
