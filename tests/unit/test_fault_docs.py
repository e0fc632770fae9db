# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/faults.md and tests/on_cluster/faults name the same tests; the schedules it names are schedules of the simulation.

That they end well is seen by tests/simulation/test_documented.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from simulation.scenarios import SCENARIOS
from simulation.schedules import named_in, parse

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "faults.md").read_text()
TESTS = {
    path.name: set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    for path in (ROOT / "tests" / "on_cluster" / "faults").glob("test_*.py")
}


def test_every_name_in_the_document_is_a_test() -> None:
    names = set(re.findall(r"\btest_\w+(?:\.py)?", DOCUMENT))
    assert names
    assert names <= {*TESTS, *set().union(*TESTS.values())}
    pairs = re.findall(r"\b(test_\w+\.py)::(test_\w+)", DOCUMENT)
    assert pairs
    assert [pair for pair in pairs if pair[1] not in TESTS[pair[0]]] == []


def test_every_test_is_in_the_document() -> None:
    missing = {
        f"{file}::{name}" for file, names in TESTS.items() for name in names if not re.search(rf"\b{name}\b", DOCUMENT)
    }
    assert missing == set()


def test_every_schedule_in_the_document_is_one() -> None:
    schedules = named_in(DOCUMENT)
    assert schedules
    assert DOCUMENT.count("@1#") == sum(text.count("@1#") for text in schedules)
    for text in schedules:
        schedule = parse(text)
        assert str(schedule) == text and schedule.scenario in SCENARIOS


def test_every_fault_has_a_test_or_a_schedule() -> None:
    table = DOCUMENT.partition("## Faults")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if "::test_" not in row and not named_in(row)] == []
