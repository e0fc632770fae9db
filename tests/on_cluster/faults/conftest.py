# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault suite: `make faults`."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own helpers

import harness
from gateway import Gateway
from harness import Application, Audit, Unavailable
from scene import Scene


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    try:
        Audit()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with Gateway(harness.kubeconfig(), tmp_path_factory.mktemp("runs")) as gateway:
        yield gateway


@pytest.fixture
def new_scene(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Callable[..., Scene]]:
    """Makes scenes (with the arguments of harness.Application) that end with the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:40].strip("-")
    with ExitStack() as stack:

        def new(**options: object) -> Scene:
            namespace = f"faults-{name}-{uuid.uuid4().hex[:6]}"
            return stack.enter_context(Scene(gateway, Application(namespace, **options)))

        yield new


@pytest.fixture
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """One application: blue is live with three pods of 1.0, green has one; 60 requests a second."""
    return new_scene()
