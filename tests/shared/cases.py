# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of a test that is run with several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_of(cases: Iterable[Any], name: str, promise: str) -> list[Any]:
    """Parameters of a test, named by their text; one of them stands for the promise that all of them hold."""
    found = [
        pytest.param(case, id=str(case), marks=[pytest.mark.promise(promise)] if str(case) == name else [])
        for case in cases
    ]
    assert any(case.marks for case in found), f"no such case: {name}"
    return found
