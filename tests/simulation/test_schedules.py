# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule is its text, and its text is what happens."""

from __future__ import annotations

import signal

import pytest

from simulation import schedules, trial
from simulation.scenarios import SCENARIOS


def test_a_schedule_is_read_as_it_is_written() -> None:
    for seed in range(200):
        schedule = schedules.by_chance("release", 40, seed)
        assert schedules.parse(str(schedule)) == schedule


@pytest.mark.parametrize("text", ["release/1 kill", "release/1 kill@1#2c", "release/x", "release/1 kill@#2a"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        schedules.parse(text)


@pytest.mark.parametrize(
    "text", ["release/3", "release/3 kill@1#20a outage:20@2#5b", "rollback-several/8 release:3.0@1#9a"]
)
def test_the_same_schedule_is_the_same_run(text: str) -> None:
    """Of every request its time, of every run its words."""

    def once() -> list[str]:
        tried = trial.Trial(schedules.parse(text))
        tried.whole()
        return [*map(str, tried.network.requests), *[run.text() for run in tried.runs.all]]

    assert once() == once()


def test_ansible_leaves_its_signal_handlers_with_nobody() -> None:
    """A process of the pool that kept one missed once the signal that was to end it."""
    before = signal.getsignal(signal.SIGTERM)
    trial.Trial(schedules.parse("retire-early/1"), by_ansible=True).whole()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_watch_is_followed_from_event_to_event() -> None:
    tried = trial.Trial(schedules.parse("release/1"))
    tried.whole()
    waited = [
        request for request in tried.network.requests if request.run == "release-1" and request.agent == "bg_wait"
    ]
    assert sum(request.watch and request.path.endswith("/pods") for request in waited) == 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_goes_wrong_where_nothing_is_done_to_it(name: str) -> None:
    verdict = trial.run(schedules.Schedule(name, 5))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])
