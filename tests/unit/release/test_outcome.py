# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome: what happened and what the cluster says after the last write -> one word and one sentence.

Unless a row says otherwise, blue was live, so that it is what traffic is put on when a run fails.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import outcome as _outcome
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD, GOOD, Happened, judge

# --- what the cluster says afterwards


def reading(active: str, *history: dict[str, Any]) -> dict[str, Any]:
    return {"active_color": active, "history": list(history)}


OWN: dict[str, Any] = {"run": "own", "switched_at": None, "from_color": None}
SWITCHED = {"run": "own", "switched_at": "10:00", "color": "green", "from_color": "blue"}
REVERTED = {**SWITCHED, "reverted_at": "10:01"}
OTHERS = {"run": "r1", "switched_at": "09:00", "color": "green", "from_color": "blue"}

BLUE = reading("blue", OWN)
GREEN = reading("green", SWITCHED)
BACK = reading("blue", REVERTED)
HALF_WAY = {**BLUE, "pending_color": "green"}  # one of two Services selects green
UNKNOWN = None

# --- what happened, by the names of the stages

NOTHING: dict[str, Any] = {}
MIGRATED = {"database": {"changed": True}}
DEPLOYED = {"deploy": {"color": "green", "changed": True}}
DEPLOY_FAILED = {"deploy": {"color": None, "failed": True}}
MOVED = {**DEPLOYED, "switch": {"changed": True, "to_color": "green"}}
MOVE_REFUSED = {**DEPLOYED, "switch": {"changed": False, "to_color": "green", "failed": True}}
WENT_BACK = {"switch back": {"changed": True}}
STAYED = {"switch back": {"changed": False}}
LOST = {"switch back": {"changed": False, "failed": True}}
HANDED_BACK = {"hand back": {"changed": True}}
NOT_HANDED_BACK = {"hand back": {"changed": True, "failed": True}}


def happened(flow: str, reason: str | None, stages: dict[str, Any], **known: Any) -> Happened:
    failure = {"msg": "It failed.", "reason": reason} if reason else None
    return Happened(
        **{"flow": flow, "lock_id": "own", "good_color": "blue", "stages": stages, "failure": failure, **known}
    )


# --- success

# flow, what is known, stages, outcome
SUCCESS = [
    ("release", {}, MOVED, "released"),
    ("release", {}, NOTHING, "released"),  # it has finished or tidied up
    ("release", {"lock_id": None}, NOTHING, "unchanged"),
    ("release", {"lock_id": None, "planned": True}, MOVED, "planned"),
    ("release", {"lock_id": None, "planned": True}, NOTHING, "planned"),
    ("release", {"resumes": "r1"}, NOTHING, "released"),
    ("promote", {}, MOVED, "released"),
    ("promote", {"lock_id": None}, NOTHING, "unchanged"),
    ("promote", {"lock_id": None, "planned": True}, NOTHING, "planned"),
    ("prepare", {}, DEPLOYED, "prepared"),
    ("prepare", {}, {"deploy": {"color": "green", "changed": False}}, "prepared"),
    ("prepare", {}, NOTHING, "unchanged"),  # another run has made it live meanwhile
    ("prepare", {"lock_id": None}, NOTHING, "unchanged"),
    ("prepare", {"lock_id": None, "planned": True}, DEPLOYED, "planned"),
    ("rollback", {}, MOVED, "rolled_back"),
    ("rollback", {}, NOTHING, "rolled_back"),  # a release was given up before its switch
    ("rollback", {"lock_id": None}, NOTHING, "unchanged"),
    ("rollback", {"needed": False}, NOTHING, "unchanged"),  # another run has undone it meanwhile
    ("rollback", {"lock_id": None, "planned": True}, MOVED, "planned"),
]


@pytest.mark.parametrize("flow, known, stages, outcome", SUCCESS)
@pytest.mark.parametrize("now", [BLUE, GREEN, UNKNOWN], ids=["blue", "green", "unknown"])
def test_a_run_that_came_to_its_end(flow: str, known: Any, stages: Any, outcome: str, now: Any) -> None:
    assert judge(happened(flow, None, stages, **known), now) == outcome


# --- failures before anything was done

ANY = ("release", "prepare", "promote", "rollback")
REASONS = ("bad_input", "not_found", "locked", "not_prepared", "nothing_to_roll_back", "contracted", "api_unreachable")


@pytest.mark.parametrize("flow", ANY)
@pytest.mark.parametrize("reason", [*REASONS, "conflict", "task_failed"])
@pytest.mark.parametrize("now", [BLUE, GREEN, UNKNOWN], ids=["blue", "green", "unknown"])
def test_without_the_lock_nothing_was_changed(flow: str, reason: str, now: Any) -> None:
    assert judge(happened(flow, reason, NOTHING, lock_id=None, good_color=None), now) == "refused"


@pytest.mark.parametrize("flow", ANY)
@pytest.mark.parametrize("lock_id", ["own", None])
@pytest.mark.parametrize("stages", [NOTHING, MOVED, {**MOVED, **WENT_BACK}, {**MOVED, **NOT_HANDED_BACK}])
@pytest.mark.parametrize("now", [BLUE, GREEN, BACK, UNKNOWN], ids=["blue", "green", "back", "unknown"])
def test_another_run_has_taken_over(flow: str, lock_id: str | None, stages: Any, now: Any) -> None:
    assert judge(happened(flow, "superseded", stages, lock_id=lock_id), now) == "superseded"


@pytest.mark.parametrize("flow", ANY)
@pytest.mark.parametrize("reason", [None, "bake_failed", "api_unreachable"])
def test_the_lock_turned_out_to_be_somebody_elses(flow: str, reason: str | None) -> None:
    assert judge(happened(flow, reason, MOVED, lost_lock=True), GREEN) == "superseded"


def test_what_another_run_has_left_half_way_is_not_of_one_that_has_no_lock() -> None:
    assert judge(happened("release", "locked", NOTHING, lock_id=None), HALF_WAY) == "refused"


# --- failures under the lock

# stages, reason, what the cluster says, outcome; of a release
RELEASE_FAILED = [
    # Before the switch.
    (NOTHING, "task_failed", BLUE, "refused"),
    (NOTHING, "rollout_failed", UNKNOWN, "refused"),
    (STAYED, "conflict", BLUE, "refused"),
    (LOST, "conflict", UNKNOWN, "refused"),
    (LOST, "api_unreachable", UNKNOWN, "refused"),
    ({"database": {"changed": False}}, "job_failed", BLUE, "refused"),
    (MIGRATED, "job_failed", BLUE, "aborted"),
    (DEPLOY_FAILED, "quota", BLUE, "refused"),
    (DEPLOY_FAILED, "api_unreachable", BLUE, "aborted"),  # its write may have arrived
    (DEPLOY_FAILED, "api_unreachable", UNKNOWN, "aborted"),
    (NOTHING, "api_unreachable", BLUE, "refused"),
    (DEPLOYED, "rollout_failed", BLUE, "aborted"),
    (DEPLOYED, "checks_failed", BLUE, "aborted"),
    (DEPLOYED, "checks_failed", UNKNOWN, "aborted"),
    ({**DEPLOYED, **STAYED}, "checks_failed", BLUE, "aborted"),
    ({**DEPLOYED, **LOST}, "checks_failed", UNKNOWN, "aborted"),  # there was nothing to put back
    ({"deploy": {"color": "green", "changed": False}}, "checks_failed", BLUE, "aborted"),
    (MOVE_REFUSED, "changed_selector", BLUE, "aborted"),
    ({**MOVE_REFUSED, **STAYED}, "api_unreachable", BLUE, "aborted"),
    # It has moved the traffic.
    ({**MOVED, **WENT_BACK}, "bake_failed", BACK, "reverted"),
    ({**MOVED, **WENT_BACK}, "endpoints", BACK, "reverted"),
    ({**MOVED, **WENT_BACK}, "bake_failed", reading("blue", SWITCHED), "reverted"),
    ({**MOVED, **STAYED}, "bake_failed", BACK, "reverted"),  # somebody was faster, and recorded it as this run's way back
    ({**MOVED, **WENT_BACK}, "bake_failed", UNKNOWN, "reverted"),
    ({**MOVED, **WENT_BACK}, "bake_failed", reading("blue"), "reverted"),  # the history was lost
    ({**MOVED, **WENT_BACK}, "bake_failed", GREEN, "failed"),  # somebody has moved it once more
    ({**MOVED, **WENT_BACK}, "bake_failed", reading("green", REVERTED), "failed"),
    ({**MOVED, **STAYED}, "bake_failed", GREEN, "failed"),  # no way back was wanted
    (MOVED, "bake_failed", GREEN, "failed"),
    (MOVED, "bake_failed", UNKNOWN, "failed"),
    ({**MOVED, **STAYED}, "bake_failed", UNKNOWN, "failed"),
    ({**MOVED, **STAYED}, "bake_failed", reading("blue", SWITCHED), "aborted"),  # somebody has put it back by hand
    ({**MOVED, **LOST}, "bake_failed", GREEN, "failed"),
    ({**MOVED, **LOST}, "bake_failed", BACK, "failed"),  # written, but the endpoints have not followed
    ({**MOVED, **LOST}, "bake_failed", UNKNOWN, "failed"),
    # The answer to the switch was lost; the history knows.
    (MOVE_REFUSED, "api_unreachable", GREEN, "failed"),
    ({**MOVE_REFUSED, **WENT_BACK}, "api_unreachable", BACK, "reverted"),
    ({**MOVE_REFUSED, **LOST}, "api_unreachable", BLUE, "failed"),
    ({**MOVE_REFUSED, **LOST}, "api_unreachable", UNKNOWN, "failed"),
    ({**MOVE_REFUSED, **LOST}, "conflict", UNKNOWN, "aborted"),
    ({**MOVE_REFUSED, **LOST}, "conflict", GREEN, "failed"),
    # One of two Services was switched, and put back.
    (WENT_BACK, "conflict", BLUE, "reverted"),
    ({**MOVE_REFUSED, **WENT_BACK}, "conflict", BLUE, "reverted"),
    ({**MOVE_REFUSED, **LOST}, "conflict", BLUE, "aborted"),
    (MOVE_REFUSED, "conflict", HALF_WAY, "failed"),
    ({**MOVE_REFUSED, **LOST}, "conflict", HALF_WAY, "failed"),
    ({**MOVE_REFUSED, **WENT_BACK}, "conflict", HALF_WAY, "failed"),  # and somebody has begun it again
    (LOST, "conflict", HALF_WAY, "failed"),  # what another run has left could not be undone
    # What others have moved is not this run's.
    (DEPLOYED, "checks_failed", reading("green", OTHERS, OWN), "aborted"),
    (NOTHING, "checks_failed", reading("green", OTHERS, OWN), "refused"),
    # The writes.
    ({**MOVED, **WENT_BACK, **HANDED_BACK}, "bake_failed", BACK, "reverted"),
    ({**MOVED, **WENT_BACK, **NOT_HANDED_BACK}, "bake_failed", BACK, "failed"),
    ({**DEPLOYED, **NOT_HANDED_BACK}, "timeout", BLUE, "failed"),
    ({**DEPLOYED, **HANDED_BACK}, "timeout", BLUE, "aborted"),
    (NOT_HANDED_BACK, "timeout", UNKNOWN, "failed"),
]  # fmt: skip


@pytest.mark.parametrize("stages, reason, now, outcome", RELEASE_FAILED)
@pytest.mark.parametrize("flow", ["release", "promote"])
def test_a_release_that_failed(stages: Any, reason: str, now: Any, outcome: str, flow: str) -> None:
    assert judge(happened(flow, reason, stages), now) == outcome


@pytest.mark.parametrize("stages, reason, now, outcome", RELEASE_FAILED)
def test_a_rollback_that_failed_has_not_put_things_right(stages: Any, reason: str, now: Any, outcome: str) -> None:
    moved = {key: value for key, value in stages.items() if key != "switch back"}  # it has no way back
    without = now and reading(now["active_color"], *({**e, "reverted_at": None} for e in now["history"]))
    assert judge(happened("rollback", reason, moved, good_color="green"), without) == "failed"


# stages, what the cluster says, outcome
PREPARE_FAILED = [
    (NOTHING, BLUE, "refused"),
    (MIGRATED, BLUE, "aborted"),
    (DEPLOYED, BLUE, "aborted"),
    (DEPLOYED, UNKNOWN, "aborted"),
    (WENT_BACK, BLUE, "reverted"),  # of an interrupted switch
]


@pytest.mark.parametrize("stages, now, outcome", PREPARE_FAILED)
def test_a_prepare_that_failed(stages: Any, now: Any, outcome: str) -> None:
    assert judge(happened("prepare", "checks_failed", stages), now) == outcome


@pytest.mark.parametrize("flow", ["release", "prepare"])
def test_what_tasks_of_the_users_have_done_nobody_knows(flow: str) -> None:
    assert judge(happened(flow, "task_failed", NOTHING, own_tasks=True), BLUE) == "aborted"
    assert judge(happened(flow, "locked", NOTHING, own_tasks=True, lock_id=None), BLUE) == "refused"


# Run r1 was stopped after its switch from green to blue; this one finishes it, so that green is the good color.
R1 = {"run": "r1", "switched_at": "09:00", "color": "blue", "from_color": "green"}
R1_BACK = {**R1, "reverted_at": "10:00"}
# stages, reason, what the cluster says, outcome
RESUMED = [
    ({"bake": {"failed": True}, **WENT_BACK}, "bake_failed", reading("green", OWN, R1_BACK), "reverted"),
    ({"bake": {"failed": True}, **STAYED}, "bake_failed", reading("blue", OWN, R1), "failed"),
    (NOTHING, "task_failed", reading("blue", OWN, R1), "failed"),
    ({"bake": {"failed": True}, **LOST}, "bake_failed", reading("blue", OWN, R1), "failed"),
    (LOST, "bake_failed", UNKNOWN, "failed"),
    (WENT_BACK, "bake_failed", UNKNOWN, "reverted"),
    (NOTHING, "bake_failed", UNKNOWN, "failed"),
    (STAYED, "bake_failed", reading("green", OWN, R1_BACK), "reverted"),
    (STAYED, "bake_failed", reading("green", OWN), "aborted"),  # somebody else has put it back
    (NOTHING, "superseded", reading("blue", OWN, R1), "superseded"),
]


@pytest.mark.parametrize("stages, reason, now, outcome", RESUMED)
def test_the_release_of_another_run_is_finished(stages: Any, reason: str, now: Any, outcome: str) -> None:
    assert judge(happened("release", reason, stages, resumes="r1", good_color="green"), now) == outcome


# A plan has changed nothing: flow, the color for a failure, stages, outcome
PLANNED = [
    ("release", "blue", NOTHING, "refused"),
    ("release", "blue", DEPLOYED, "aborted"),
    ("release", "blue", MOVED, "aborted"),
    ("rollback", "green", NOTHING, "refused"),
    ("rollback", "green", {"switch": {"changed": True, "to_color": "green"}}, "aborted"),
    ("rollback", "green", {**MOVED, **LOST}, "aborted"),
]


@pytest.mark.parametrize("flow, good, stages, outcome", PLANNED)
def test_a_plan_that_failed(flow: str, good: str, stages: Any, outcome: str) -> None:
    run = happened(flow, "task_failed", stages, planned=True, lock_id=None, good_color=good)
    assert judge(run, reading("blue")) == outcome


# Without bg_begin nobody has said which color is the good one; the history knows it.
UNPLANNED = [
    (MOVED, GREEN, "failed"),
    (MOVED, UNKNOWN, "failed"),
    ({**MOVED, **WENT_BACK}, BACK, "reverted"),
    ({**MOVED, **WENT_BACK}, GREEN, "failed"),
    (DEPLOYED, BLUE, "aborted"),
]


def test_a_switch_without_a_lock_is_one_all_the_same() -> None:
    assert judge(happened("release", "bake_failed", MOVED, lock_id=None, good_color=None), GREEN) == "failed"


@pytest.mark.parametrize("stages, now, outcome", UNPLANNED)
def test_a_run_that_was_put_together_from_modules(stages: Any, now: Any, outcome: str) -> None:
    assert judge(happened("release", "bake_failed", stages, good_color=None), now) == outcome


# --- retire

DUE = {"due": {"changed": True, "retired": False}}
DONE = {"due": {"changed": False, "retired": True}}
EARLY = {"due": {"changed": False, "retired": False}}
RETIRED = {**DUE, "retire": {"changed": True, "retired": True}}
MEANWHILE = {**DUE, "retire": {"changed": False, "retired": True}}
NOT_YET = {**DUE, "retire": {"changed": False, "retired": False}}
HALF = {**DUE, "retire": {"changed": True, "retired": False, "failed": True}}
# what is known, stages, reason, outcome
RETIREMENT = [
    ({}, RETIRED, None, "retired"),
    ({}, MEANWHILE, None, "unchanged"),
    ({}, NOT_YET, None, "postponed"),
    ({"lock_id": None}, DONE, None, "unchanged"),
    ({"lock_id": None}, EARLY, None, "postponed"),
    ({"lock_id": None, "planned": True}, RETIRED, None, "planned"),
    ({"lock_id": None, "planned": True}, DONE, None, "unchanged"),
    ({"lock_id": None, "planned": True}, EARLY, None, "postponed"),
    (
        {},
        {**DONE, "retire": {"changed": False, "retired": True}},
        None,
        "unchanged",
    ),  # only the database was contracted
    ({}, DUE, "checks_failed", "postponed"),
    ({}, DUE, "not_ready", "postponed"),
    ({}, DUE, "superseded", "postponed"),
    ({"lock_id": None}, DUE, "locked", "postponed"),
    ({}, HALF, "superseded", "postponed"),
    ({}, DUE, "job_failed", "failed"),
    ({}, HALF, "conflict", "failed"),
    ({}, DUE, "task_failed", "failed"),
    ({"lock_id": None}, NOTHING, "bad_input", "refused"),
    ({"lock_id": None}, NOTHING, "api_unreachable", "refused"),
    ({"lost_lock": True}, RETIRED, None, "retired"),  # it is, whoever holds the lock now
    ({"lost_lock": True}, NOT_YET, None, "postponed"),
]


@pytest.mark.parametrize("known, stages, reason, outcome", RETIREMENT)
def test_a_retirement(known: Any, stages: Any, reason: str | None, outcome: str) -> None:
    assert judge(happened("retire", reason, stages, **known), BLUE) == outcome


# --- what is said

OURS = {
    "msg": "2 of 3 checks failed on green.\n  GET / of pod a: 500\nLive now: blue\nNext: Mend app-green.",
    "reason": "checks_failed",
}
TWICE = {"msg": "It failed.\nNext: Wait.\nAnd that as well.\nNext: Do it yourself.", "reason": "timeout"}
THEIRS = {"msg": "Failure of Helm.\nstderr: the chart is broken", "reason": None}

# outcome, live, failure, sentence
SENTENCES = [
    ("released", "green", None, "green (version 2.0) is live."),
    ("unchanged", "green", None, "green (version 2.0) is live already; nothing was changed."),
    ("planned", "green", None, "this was a plan, nothing was changed; green (version 2.0) is live."),
    ("prepared", "green", None, "ready to be promoted; green (version 2.0) is live."),
    ("rolled_back", "green", None, "green (version 2.0) is live again."),
    ("retired", "green", None, "the other color is retired; green (version 2.0) is live."),
    ("postponed", "green", None, "the other color stays; green (version 2.0) is live."),
    ("postponed", "green", OURS, "the other color stays; green (version 2.0) is live. 2 of 3 checks failed on green."),
    ("refused", "green", OURS, "nothing was changed; green (version 2.0) is live. 2 of 3 checks failed on green."),
    ("aborted", "green", THEIRS,
     "stopped before the switch; green (version 2.0) is live. Failure of Helm. stderr: the chart is broken"),
    ("reverted", "green", TWICE, "switched back; green (version 2.0) is live. It failed."),
    ("superseded", "green", {"msg": "x"}, "another run took over and goes on; green (version 2.0) is live. x"),
    ("failed", "green", {}, "this run could not put things right; green (version 2.0) is live."),
    # Where it could not be read what is live, nothing is claimed about it.
    ("released", None, None, "all was done; what is live could not be read."),
    ("unchanged", None, None, "nothing was changed; what is live could not be read."),
    ("planned", None, None, "this was a plan, nothing was changed."),
    ("prepared", None, None, "ready to be promoted."),
    ("rolled_back", None, None, "all was done; what is live could not be read."),
    ("retired", None, None, "the other color is retired."),
    ("postponed", None, OURS, "the other color stays. 2 of 3 checks failed on green."),
    ("refused", None, OURS, "nothing was changed. 2 of 3 checks failed on green."),
    ("aborted", None, OURS, "stopped before the switch. 2 of 3 checks failed on green."),
    ("reverted", None, OURS, "switched back. 2 of 3 checks failed on green."),
    ("superseded", None, OURS, "another run took over and goes on. 2 of 3 checks failed on green."),
    ("failed", None, OURS, "this run could not put things right. 2 of 3 checks failed on green."),
]  # fmt: skip


@pytest.mark.parametrize("outcome, live, failure, sentence", SENTENCES)
def test_the_sentence(outcome: str, live: str | None, failure: Any, sentence: str) -> None:
    result = _outcome.compose(outcome, live, "2.0", "1.0", failure)
    assert result["msg"] == sentence
    assert result["outcome"] == outcome


@pytest.mark.parametrize(
    "failure, step",
    [
        (OURS, "Mend app-green."),
        (TWICE, "Do it yourself."),
        (THEIRS, None),
        (None, None),
        ({}, None),
        ({"msg": None}, None),
        ({"msg": "Next to nothing is left."}, None),
    ],
)
def test_the_next_step_is_the_last_one_that_was_said(failure: Any, step: str | None) -> None:
    assert _outcome.compose("failed", "green", "2.0", "1.0", failure)["next_step"] == step


@pytest.mark.parametrize("outcome", GOOD)
def test_a_good_end_has_no_reason(outcome: str) -> None:
    assert _outcome.compose(outcome, "green", "2.0", "1.0", OURS)["reason"] is None


@pytest.mark.parametrize("outcome", BAD)
@pytest.mark.parametrize("failure, reason", [(OURS, "checks_failed"), (THEIRS, "task_failed"), (None, "task_failed")])
def test_a_bad_end_has_a_reason(outcome: str, failure: Any, reason: str) -> None:
    assert _outcome.compose(outcome, "green", "2.0", "1.0", failure)["reason"] == reason


def test_what_is_told_beside_the_sentence() -> None:
    result = _outcome.compose("prepared", "blue", "1.0", "0.9", None, {"wait": 1}, {"run": "own"})
    assert (result["active_color"], result["version"], result["previous_version"]) == ("blue", "1.0", "0.9")
    assert (result["timings"], result["prepared"]) == ({"wait": 1}, {"run": "own"})
    assert _outcome.compose("failed", None, None, None)["timings"] == {}


def test_what_others_say_is_bounded() -> None:
    long = {"msg": "x " * 2000, "reason": "task_failed"}
    assert len(_outcome.first_line(long)) == 1000
    assert _outcome.first_line({"msg": "  \n one\n\ttwo ", "reason": "task_failed"}) == "one two"
    assert _outcome.first_line({"msg": "one\ntwo", "reason": "timeout"}) == "one"
    assert _outcome.first_line({}) == ""


def test_every_outcome_has_a_sentence() -> None:
    assert set(_outcome.SENTENCES) == {*GOOD, *BAD}
    assert not set(GOOD) & set(BAD)


# switch back, hand back, what users see, whether the writes may be refused
@pytest.mark.parametrize(
    "back, handed, now, outcome",
    [
        (LOST, {}, UNKNOWN, "failed"),  # nobody knew what is live, so nothing was handed back
        (LOST, {"hand back": {"job": "hand-over"}}, BLUE, "aborted"),
        (STAYED, {"hand back": {"job": "hand-over"}}, BLUE, "aborted"),
        (STAYED, {"hand back": {"job": "hand-over", "failed": True}}, BLUE, "failed"),
    ],
)
def test_writes_that_were_handed_over(back: Any, handed: Any, now: Any, outcome: str) -> None:
    stages = {**MOVE_REFUSED, "hand over": {"job": "hand-over", "changed": True}, **back, **handed}
    assert judge(happened("release", "not_ready", stages), now) == outcome


def account(failure: dict[str, Any] | None, live: str | None = "blue", outcome: str = "aborted") -> list[str]:
    result = _outcome.compose(outcome, live, "1.0", "2.0", failure)
    return _outcome.account(result, failure, "release", "2.0").splitlines()


def test_the_last_words_say_each_fact_once() -> None:
    failure = {
        "msg": "It cannot become ready.\n  why\nLive now: blue\nNext: first\nAnd the writes:\nNext: Mend it.",
        "reason": "rollout_failed",
    }
    assert account(failure) == [
        "Release of 2.0 ABORTED: stopped before the switch; blue (version 1.0) is live. It cannot become ready.",
        "  why",
        "And the writes:",
        "Next: Mend it.",
    ]
    assert "Live now: blue" in account(failure, live=None)  # what it knew is better than nothing


def test_the_last_words_have_the_whole_of_what_others_said() -> None:
    assert account({"msg": "non-zero return code\nboom", "reason": "task_failed"}) == [
        "Release of 2.0 ABORTED: stopped before the switch; blue (version 1.0) is live.",
        "non-zero return code",
        "boom",
    ]


def test_the_last_words_without_a_message() -> None:
    assert account(None, outcome="failed")[0].startswith("Release of 2.0 FAILED: this run could not")
