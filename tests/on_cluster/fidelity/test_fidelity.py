# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated API server answers as the real one does: `make fidelity`."""

from __future__ import annotations

import pytest
from simulation.fidelity import compare


@pytest.mark.promise("what the simulation shows of the API server is what a real one does")
def test_answers_are_the_same() -> None:
    result = compare([])
    print(result.table())
    assert sum(result.asked.values()) > 300
    assert not result.differences, "\n".join(map(str, result.differences))
