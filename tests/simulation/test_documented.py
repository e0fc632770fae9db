# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedules that docs/faults.md names end without a broken law, and as their rows say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulation import schedules, trial

DOCUMENT = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
ROWS = [line for line in DOCUMENT.splitlines() if line.startswith("|") and schedules.named_in(line)]
OUTCOMES = {"released", "unchanged", "rolled_back", "retired", "postponed", "refused", "aborted", "reverted", "failed"}
OUTCOMES |= {"superseded"}


def tried(text: str) -> trial.Verdict:
    verdict = trial.run(schedules.parse(text))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])
    return verdict


@pytest.mark.parametrize("row", ROWS, ids=[schedules.named_in(row)[0] for row in ROWS])
def test_it_ends_as_the_document_says(row: str) -> None:
    verdicts = [tried(text) for text in schedules.named_in(row)]
    ends = {outcome.partition(":")[2] for verdict in verdicts for outcome in verdict.outcomes}
    if "::test_" not in row:
        assert OUTCOMES & set(re.findall(r"`(\w+)`", row)) <= ends


@pytest.mark.parametrize("row", [row for row in ROWS if "version | `" in row])
def test_an_api_server_that_stays_away(row: str) -> None:
    """Of each stage the outcome of that run, and what was live."""
    *_rest, live, outcome, schedule = (cell.strip(" `") for cell in row.strip("|").split("|"))
    tried = trial.Trial(schedules.parse(schedule))
    verdict = tried.whole()
    assert verdict.outcomes[0].partition(":")[2] == outcome
    assert tried.judge
    first = tried.main[0]
    at_its_end = [what for at, what in tried.judge.live if first.ended is not None and at <= first.ended][-1]
    assert set(at_its_end.values()) == {"green" if live == "new version" else "blue"}
