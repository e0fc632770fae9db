# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all suites on the cluster have in common, so that they can be run one by one or in one call.

`make promises` runs, of all suites, the tests that are marked with the promise that they hold.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Generator, Iterator

import harness
import pytest
from harness import Audit, Unavailable
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:  # once for all workers
        try:
            Audit()
        except harness.Failure as failure:
            if not isinstance(failure, Unavailable):
                pytest.exit(str(failure), returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("promise"):
            item.user_properties.append(("promise", mark.args[0]))
    # What must be alone comes last, so that nothing else is kept waiting. Before it, tests that wait for a lease and tests
    # that keep the CPUs busy are mixed, by an order that is the same each time.
    alone = {unit(item.nodeid) for item in items if item.get_closest_marker("alone")}
    items.sort(key=lambda item: (unit(item.nodeid) in alone, zlib.crc32(unit(item.nodeid).encode())))


def unit(nodeid: str) -> str:
    """What one worker runs in one go: a test, or a file of those whose tests build on one another."""
    file = nodeid.partition("::")[0]
    return file if "/releases/" in file else nodeid


class Scheduling(LoadScopeScheduling):
    """Hands out units one by one. xdist_group would say the same, and has no effect with this pytest (xdist 3.8, pytest 9.2)."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False  # the largest first would bring what must be alone to the front
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests marked `alone` have the cluster for themselves, also among several workers: so have their fixtures."""
    harness.STATE.mkdir(exist_ok=True)
    with (harness.STATE / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """What another cluster than the embedded one cannot show is skipped, and the reason shown."""
    try:
        return (yield)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def _node_is_ready_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("alone"):
        harness.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which promises have been seen to hold."""
    held: dict[str, bool] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed):
                for text in [text for name, text in report.user_properties if name == "promise"]:
                    held[text] = held.get(text, True) and report.passed
    if held:
        terminalreporter.section("promises")
        for text, good in sorted(held.items()):
            terminalreporter.line(f"{'holds' if good else 'NOT SEEN TO HOLD'}: {text}")
