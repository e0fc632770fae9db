# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of checks."""

from __future__ import annotations

import pytest
from api import Api
from loopback import Loopback
from recorded import RecordedCluster


@pytest.fixture
def api(loopback: Loopback) -> Api:
    """Green is ready."""
    return Api(loopback, RecordedCluster(at="ready"))
