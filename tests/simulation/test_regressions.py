# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules that were once gone through too slowly, or wrongly, where the laws alone would not say so."""

from __future__ import annotations

import pytest

from simulation import schedules, trial


@pytest.mark.parametrize("fault", ["crash-live", "unready-live"])
@pytest.mark.parametrize("later", [0, 2])
def test_a_color_that_breaks_right_after_the_switch_is_left_in_seconds(fault: str, later: int) -> None:
    """Before, after three minutes, or at the end of the delay."""
    plain = trial.Trial(schedules.parse("release/1"))
    plain.whole()
    own = [request for request in plain.network.requests if request.run == "release-1"]
    switch = next(request.number for request in own if request.agent == "bg_switch" and request.method == "PATCH")
    tried = trial.Trial(schedules.parse(f"release/1 {fault}@1#{switch + later}a"))
    verdict = tried.whole()
    assert (verdict.outcomes[0], verdict.violations) == ("release:reverted", [])
    writes = [request for request in tried.network.requests if request.run == "release-1" and request.method == "PATCH"]
    there, back = (
        next(request.at for request in writes if request.agent == agent and "/services/" in request.path)
        for agent in ("bg_switch", "bg_revert")
    )
    assert back - there < 20


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_what_somebody_switches_back_at_the_end_is_not_called_released(later: int) -> None:
    """It said RELEASED: blue (version 1.0) is live, of a release of 2.0."""
    plain = trial.Trial(schedules.parse("release/7"))
    plain.whole()
    own = [request for request in plain.network.requests if request.run == "release-1"]
    scaled = max(request.number for request in own if request.agent == "bg_scale" and "/deployments/" in request.path)
    verdict = trial.run(schedules.parse(f"release/7 select-blue@1#{scaled + later}a"))
    assert verdict.outcomes[0] == "release:superseded" and not verdict.violations


@pytest.mark.parametrize("late", [3, 4, 5])
def test_what_breaks_while_the_end_of_a_release_takes_its_time_was_looked_at_before(late: int) -> None:
    """The judge called it a release without a last look, by the 20 s in which nobody took the record, or the lock."""
    verdict = trial.run(schedules.parse(f"release/1 crash-live@1#end:2b balancer:20@1#end:{late}b"))
    assert verdict.outcomes[0] == "release:released" and not verdict.violations


@pytest.mark.parametrize(
    ("scenario", "agent", "kind", "meanwhile"),
    [
        ("release", "bg_deploy", "deployments", "select-green"),
        ("release", "bg_switch", "services", "crash-idle"),
        ("release-several", "bg_switch", "services", "crash-idle"),
        ("release", "bg_scale", "deployments", "crash-live"),
        ("release", "bg_scale", "deployments", "select-blue"),
        ("followed", "bg_scale", "deployments", "crash-live"),
        ("retire", "bg_retire", "deployments", "select-blue"),
        ("retire-delete", "bg_retire", "deployments", "select-blue"),
        ("contract", "bg_job", "jobs", "select-blue"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_what_gets_no_answer_is_not_sent_again_as_if_nothing_could_have_happened(
    scenario: str, agent: str, kind: str, meanwhile: str, before: int
) -> None:
    """It was, half a minute later: to a color without pods, or to one that was live by then."""
    plain = trial.Trial(schedules.parse(f"{scenario}/1"))
    plain.whole()
    own = [request for request in plain.network.requests if request.run == plain.main[0].name]
    write = next(
        request.number
        for request in reversed(own)
        if request.agent == agent and request.method in ("PATCH", "DELETE") and f"/{kind}/" in request.path
    )
    at = f"1#{write - before}b"
    verdict = trial.run(schedules.parse(f"{scenario}/1 never@{at} {meanwhile}@{at}"))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])


@pytest.mark.parametrize("scenario", ["release-planned", "cron-planned"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_late_answer_does_not_end_a_plan(scenario: str, number: int) -> None:
    """It was looked at once more, and the switch that was only planned had not happened."""
    verdict = trial.run(schedules.parse(f"{scenario}/1 never@1#scale:{number}b"))
    assert verdict.outcomes[0] == "release:planned" and not verdict.violations


def test_what_was_prepared_and_has_no_pods_any_more_is_promoted() -> None:
    verdict = trial.run(schedules.parse("promote/11 scale-idle:0@1#begin:2a"))
    assert verdict.outcomes == ["promote:released", "promote:unchanged"] and not verdict.violations


def test_somebody_switches_all_services_between_two_writes() -> None:
    """It was taken for the last write of the run, which had not arrived: the intent stayed, and no history was written."""
    verdict = trial.run(schedules.parse("release-several/1 select-green@1#switch:11a"))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])


def test_a_conflict_while_the_old_color_is_scaled_up_is_no_reason_to_wait_for_pods_that_nobody_asked_for() -> None:
    """The rollback waited until its timeout for three pods of a Deployment that still had one replica."""
    verdict = trial.run(schedules.parse("rollback-several/1 touch-idle@1#switch:3a"))
    assert verdict.outcomes[0] == "rollback:rolled_back" and not verdict.violations


def test_a_color_whose_deployment_is_gone_is_not_said_to_be_live_again() -> None:
    """It said ROLLED_BACK: blue (version None) is live again, while users got no answer."""
    tried = trial.Trial(schedules.parse("rollback-several/1000 delete-idle@1#35a"))
    verdict = tried.whole()
    assert verdict.outcomes == ["rollback:failed", "rollback:refused"] and not verdict.violations
    assert "app-green" not in {write.name for _at, run, write in tried.judge.writes if run == "rollback-3"}


@pytest.mark.parametrize(
    ("schedule", "outcome"),
    [
        ("rollback/3 delete-live@1#end:1b", "rollback:failed"),
        ("release/3 delete-live@1#end:1b", "release:reverted"),
        ("prepare/3 delete-idle@1#end:1b", "prepare:aborted"),
    ],
)
def test_what_is_deleted_before_the_last_look_is_not_said_to_be_there(schedule: str, outcome: str) -> None:
    verdict = trial.run(schedules.parse(schedule))
    assert verdict.outcomes[0] == outcome


@pytest.mark.parametrize(
    "schedule", ["release-missing/1000 preempted@1#deploy:4b", "release-kept/1000 preempted@1#deploy:4b"]
)
def test_what_an_overtaken_run_creates_has_no_pods(schedule: str) -> None:
    verdict = trial.run(schedules.parse(schedule))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])


@pytest.mark.parametrize("flow", ["release", "promote"])
def test_what_is_live_is_unchanged_though_the_other_color_is_gone(flow: str) -> None:
    tried = trial.Trial(schedules.parse(f"{flow}/7 delete-idle@30s"))
    verdict = tried.whole()
    assert verdict.outcomes[:2] == [f"{flow}:released", f"{flow}:unchanged"] and not verdict.violations


def test_a_kept_color_is_released_to_when_the_live_one_is_gone() -> None:
    """It ended with a Python error: there was no container whose image could be said."""
    verdict = trial.run(schedules.parse("release-kept/7 delete-live@1#1b"))
    assert verdict.outcomes[0] == "release:released" and not verdict.violations


def test_a_run_that_has_undone_a_change_does_not_say_that_it_has_changed_nothing() -> None:
    """The Job had been done by the run that was killed; then the live version did not pass, and it was undone."""
    verdict = trial.run(schedules.parse("shared/7 release:2.0@1#job:23b kill@1#smoke-check:1b unready-live@2#begin:2b"))
    assert verdict.outcomes[1] == "release:aborted"


@pytest.mark.parametrize("scenario", ["shared", "expand"])
def test_a_color_whose_deployment_is_gone_is_not_checked_on_the_new_schema(scenario: str) -> None:
    verdict = trial.run(schedules.parse(f"{scenario}/1 delete-live@90s"))
    assert verdict.outcomes[:2] == ["release:released", "release:released"] and not verdict.violations


def test_an_overtaken_run_removes_only_a_job_that_nobody_has_adopted() -> None:
    """Its deletion of the Job was under way; it named no version of it."""
    verdict = trial.run(schedules.parse("contract/77 overtaken@1#job:32b"))
    assert not verdict.violations, "\n".join([*verdict.violations, *verdict.timeline])
