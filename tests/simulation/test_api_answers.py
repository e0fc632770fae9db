# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated server's answers are those that a real one gave when it was recorded; `make fidelity` asks one afresh."""

from __future__ import annotations

import pytest

from simulation.fidelity import Seen, compared, simulated_as_recorded
from simulation.fidelity_cases import CASES


@pytest.mark.parametrize("case", sorted(CASES))
def test_answers_are_as_recorded(case: str) -> None:
    assert simulated_as_recorded(case) == []


ANSWER = Seen(
    "get Service", 200, "application/json", {"kind": "Service", "metadata": {"uid": "1"}, "spec": {"ports": [80]}}
)


@pytest.mark.parametrize(
    "other",
    [
        ANSWER._replace(status=201),
        ANSWER._replace(content_type="text/plain"),
        ANSWER._replace(body={**ANSWER.body, "spec": {"ports": [81]}}),
        ANSWER._replace(body={**ANSWER.body, "spec": {}}),
        ANSWER._replace(body={**ANSWER.body, "more": 1}),
    ],
)
def test_a_difference_is_seen(other: Seen) -> None:
    assert compared("case", [ANSWER], [ANSWER]) == []
    assert len(compared("case", [ANSWER], [other])) == 1
    assert len(compared("case", [ANSWER, ANSWER], [ANSWER])) == 1
