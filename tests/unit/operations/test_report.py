# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says at its end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import report

FAILURE = {
    "msg": "app-green cannot become ready: pod app-green-x: CrashLoopBackOff.\n"
    "  pod app-green-x: app: CrashLoopBackOff\n"
    "Live now: blue (version 1.0, 3 of 3 pods ready)\n"
    "Next: Mend the cause and release again.",
    "reason": "rollout_failed",
}
LIVE = {"active_color": "green", "version": "2.0", "previous_version": "1.0"}


def parameters(**options: Any) -> dict[str, Any]:
    checked = ArgumentSpecValidator(report.ARGUMENTS).validate({"application": "myapp", **options})
    assert not checked.error_messages, checked.error_messages
    return checked.validated_parameters


def compose(**options: Any) -> dict[str, Any]:
    return report.result_of(parameters(**options))


@pytest.mark.parametrize("outcome", ["released", "unchanged", "planned", "prepared", "rolled_back"])
def test_a_good_end(outcome: str) -> None:
    result = compose(outcome=outcome, timings={"wait": 4.2}, **LIVE)
    assert result["outcome"] == outcome
    assert (result["active_color"], result["version"], result["previous_version"]) == ("green", "2.0", "1.0")
    assert (result["reason"], result["next_step"], result["timings"]) == (None, None, {"wait": 4.2})
    assert "green (version 2.0) is live" in result["msg"]
    assert report.failed(parameters(outcome=outcome)) is False


@pytest.mark.parametrize("outcome", ["refused", "aborted", "reverted", "superseded", "failed"])
def test_a_bad_end(outcome: str) -> None:
    result = compose(outcome=outcome, failure=FAILURE, **LIVE)
    assert (result["outcome"], result["reason"]) == (outcome, "rollout_failed")
    assert result["next_step"] == "Mend the cause and release again."
    assert "green (version 2.0) is live" in result["msg"]
    assert "app-green cannot become ready: pod app-green-x: CrashLoopBackOff." in result["msg"]
    assert "\n" not in result["msg"], "one sentence for people"
    assert report.failed(parameters(outcome=outcome)) is True


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("released", "green (version 2.0) is live."),
        ("unchanged", "green (version 2.0) is live already; nothing was changed."),
        ("planned", "this was a plan, nothing was changed; green (version 2.0) is live."),
        ("prepared", "ready to be promoted; green (version 2.0) is live."),
        ("rolled_back", "green (version 2.0) is live again."),
        ("refused", "nothing was changed; green (version 2.0) is live."),
        ("aborted", "stopped before the switch; green (version 2.0) is live."),
        ("reverted", "switched back; green (version 2.0) is live."),
        ("superseded", "another run took over and goes on; green (version 2.0) is live."),
        ("failed", "this run could not put things right; green (version 2.0) is live."),
    ],
)
def test_the_sentences(outcome: str, sentence: str) -> None:
    assert compose(outcome=outcome, **LIVE)["msg"] == sentence


def test_always_the_same_keys() -> None:
    keys = {
        "outcome",
        "msg",
        "active_color",
        "version",
        "previous_version",
        "reason",
        "next_step",
        "timings",
        "prepared",
    }
    for outcome in report.GOOD + report.BAD:
        assert set(compose(outcome=outcome)) == keys


def test_a_failure_before_anything_was_read_claims_nothing_about_what_is_live() -> None:
    result = compose(outcome="refused", failure=FAILURE)
    assert (result["active_color"], result["version"]) == (None, None)
    assert "None" not in result["msg"]
    assert "is live" not in result["msg"]


@pytest.mark.parametrize("failure", [None, {}, {"msg": ""}, {"msg": None, "reason": None}])
def test_a_failure_that_says_nothing_has_a_reason_all_the_same(failure: Any) -> None:
    result = compose(outcome="failed", failure=failure, **LIVE)
    assert result["reason"] == "task_failed"
    assert result["next_step"] is None


def test_a_task_of_the_users_may_say_why_in_any_line() -> None:
    said = "Failure when executing Helm command. Exited 1.\nstdout:\nstderr: Error: the chart is broken"
    msg = compose(outcome="aborted", failure={"msg": said, "reason": "task_failed"}, **LIVE)["msg"]
    assert msg.endswith("Exited 1. stdout: stderr: Error: the chart is broken") and "\n" not in msg


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(AssertionError, match="value of outcome must be one of"):
        parameters(outcome="fine")
