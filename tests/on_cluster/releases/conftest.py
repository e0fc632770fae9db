# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite of releases as users run them: `make releases`.

The tests of a file follow each other on one application, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Application, Audit, Unavailable


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest) -> str:
    """The file's own namespace."""
    return f"releases-{request.path.stem.removeprefix('test_').replace('_', '-')}"


@pytest.fixture(scope="module")
def app(namespace: str) -> Iterator[Application]:
    """The example application without its database: 1.0 live on three pods of blue, one pod of green."""
    with Application(namespace) as application:
        yield application


@pytest.fixture(scope="module")
def audit() -> Audit:
    """The API server's audit log; without one the test is skipped, and the reason shown."""
    try:
        return Audit()
    except Unavailable as reason:
        pytest.skip(str(reason))
