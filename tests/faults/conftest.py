# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault suite: `make faults`, or `python -m pytest tests/faults -n 3 --maxschedchunk 1`.

--all adds what the bounded run leaves out.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import harness  # noqa: E402
from gateway import Gateway  # noqa: E402
from harness import Application, Audit, Unavailable  # noqa: E402
from scene import Scene, node_ready  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every sub-case, also those that the bounded run leaves out")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: stops a part of the cluster, measures time, or needs all CPUs, so no other test runs")
    config.addinivalue_line("markers", "complete: left out unless --all is given")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # once for all workers
        try:
            Audit()
        except harness.Failure as failure:
            if not isinstance(failure, Unavailable):
                pytest.exit(str(failure), returncode=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("complete")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    # What must be alone comes last, so that nothing else is kept waiting. Before it, tests that wait for a lease and tests
    # that keep the CPUs busy are mixed, by an order that is the same each time.
    items.sort(key=lambda item: (item.get_closest_marker("alone") is not None, zlib.crc32(item.nodeid.encode())))


@pytest.fixture(autouse=True)
def _share_the_cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked `alone` have the cluster for themselves, also among several pytest workers."""
    alone = request.node.get_closest_marker("alone")
    harness.STATE.mkdir(exist_ok=True)
    with (harness.STATE / "faults.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
        if alone:
            node_ready()


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
