# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest schedule that still breaks the same law."""

from __future__ import annotations

import dataclasses

from simulation import trial
from simulation.schedules import Schedule


def laws_of(violations: list[str]) -> set[str]:
    return {text.partition(" at ")[0] for text in violations}


def shrink(schedule: Schedule) -> trial.Verdict:
    """Leave out one fault after the other, as long as a law is broken that the whole schedule breaks."""
    verdict = trial.run(schedule)
    wanted = laws_of(verdict.violations)
    shrunk = True
    while shrunk:
        shrunk = False
        for number in range(len(schedule.faults)):
            faults = schedule.faults[:number] + schedule.faults[number + 1 :]
            shorter = dataclasses.replace(schedule, faults=faults)
            tried = trial.run(shorter)
            if laws_of(tried.violations) & wanted:
                schedule, verdict, shrunk = shorter, tried, True
                break
    return verdict
