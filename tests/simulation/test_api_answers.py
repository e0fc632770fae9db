# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated server's answers are those that a real one gave when it was recorded; `make fidelity` asks one afresh."""

from __future__ import annotations

import pytest

from simulation.fidelity import simulated_as_recorded
from simulation.fidelity_cases import CASES


@pytest.mark.parametrize("case", CASES)
def test_answers_are_as_recorded(case: str) -> None:
    assert simulated_as_recorded(case) == []
