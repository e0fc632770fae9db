# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: judged on a reading after the last write, recorded, the lock given back."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import superseded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin as _begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import end as _end
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from following import BOTH, LEASE, STAMP, annotations, entry, following, half_way, held, history, leave
from recorded import Clock, RecordedCluster

SINCE, BEFORE, AFTER = "2026-01-01T10:00:00.000000Z", "2026-01-01T09:59:59.999999Z", "2026-01-01T10:00:00.000001Z"
FAILURE = {
    "msg": "2 of 3 checks failed on green.\n  GET / of pod a: 500\nNext: Mend app-green.",
    "reason": "checks_failed",
}


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    """Blue is live, green has 2.0."""
    return following(clock)


@pytest.fixture
def moved(clock: Clock) -> RecordedCluster:
    """Green is live, by a run that holds the lock."""
    cluster = following(clock, at="end")
    held(cluster, "own")
    leave(cluster, entry("own", outcome="running"))
    return cluster


def begun(**known: Any) -> dict[str, Any]:
    return {**_begin.RETURNS, "started_at": SINCE, "lock_id": "own", "good_color": "blue", "needed": True, **known}


def stage(**known: Any) -> dict[str, Any]:
    return {"started_at": AFTER, "ended_at": AFTER, "changed": True, **known}


def end(cluster: RecordedCluster, flow: str = "release", **options: Any) -> dict[str, Any]:
    return {**_end.RETURNS, **recorded.run(_end, cluster, **{"flow": flow, "application": "shop", **options})}


def blind(flow: str = "release", dry_run: bool = False, **options: Any) -> dict[str, Any]:
    nothing = {name: option.get("default") for name, option in _end.ARGUMENTS.items()}
    return _end.blind({**nothing, "flow": flow, **options}, dry_run)


def lose(cluster: RecordedCluster, verb: str, kind: str, nth: int | None = None) -> None:
    def lost() -> None:
        raise ApiError("The API server does not answer.", "api_unreachable", 0)

    cluster.before(verb, kind, lost, nth=nth)


# --- whole runs


def test_a_release(cluster: RecordedCluster) -> None:
    start = recorded.run(_begin, cluster, flow="release", version="2.0", settings={}, by="ann")
    whole = {**_begin.RETURNS, **start, "started_at": SINCE}
    deployed = recorded.run(_deploy, cluster, version="2.0", lock_id=start["lock_id"])
    switched = recorded.run(_switch, cluster, color="green", lock_id=start["lock_id"])
    stages = {
        "deploy": stage(**deployed),
        "wait": stage(elapsed=4.2),
        "switch": {**stage(), **switched},
        "bake": {},
        "validate": {"skipped": True, "changed": False},
    }
    result = end(cluster, begun=whole, stages=stages)
    assert (result["outcome"], result["bad"], result["active_color"], result["version"]) == (
        "released",
        False,
        "green",
        "2.0",
    )
    assert result["msg"] == "RELEASED: green (version 2.0) is live."
    assert result["result"]["previous_version"] == "1.0"
    assert result["result"]["timings"] == {
        "wait": 4.2,
        "endpoints_ms": switched["endpoints_ms"],
        "frozen_ms": None,
        "last_old_ms": None,
    }
    assert list(result["stages"]) == ["detect", "lock", "deploy", "wait", "switch"]
    assert (history(cluster)[0]["outcome"], history(cluster)[0]["by"]) == ("released", "ann")
    assert STAMP not in annotations(cluster)
    assert not cluster.one("Lease", LEASE)["spec"]["holderIdentity"]
    assert result["warnings"] == []


def test_a_prepared_release(clock: Clock) -> None:
    cluster = following(clock, at="start")
    start = recorded.run(_begin, cluster, flow="prepare", version="2.0", settings={})
    whole = {**_begin.RETURNS, **start, "started_at": SINCE}
    deployed = recorded.run(_deploy, cluster, version="2.0", lock_id=start["lock_id"])
    result = end(cluster, "prepare", begun=whole, stages={"deploy": stage(**deployed)})
    note = {"color": "green", "template_hash": deployed["template_hash"]}
    assert result["outcome"] == "prepared"
    assert result["result"]["prepared"] == {**note, "run": start["lock_id"], "version": "2.0"}
    assert history(cluster)[0]["prepared"] == note
    assert history(cluster)[0]["outcome"] == "prepared"


def test_an_unchanged_release_writes_nothing(clock: Clock) -> None:
    cluster = following(clock, at="end")
    result = end(cluster, begun=begun(lock_id=None, needed=False))
    assert cluster.writes == []
    assert result["msg"] == "UNCHANGED: green (version 2.0) is live already; nothing was changed."


def test_check_mode_writes_nothing(cluster: RecordedCluster) -> None:
    cluster.dry_run = True
    result = end(cluster, begun=begun(lock_id=None), stages={"switch": stage(to_color="green")})
    assert cluster.writes == []
    assert (result["outcome"], result["active_color"]) == ("planned", "blue")


# --- failures


def test_a_failure_before_the_switch(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    leave(cluster, entry("own", switched_at=None, color=None, outcome="running"))
    result = end(cluster, begun=begun(), stages={"deploy": stage(color="green")}, failure=FAILURE)
    assert (result["outcome"], result["bad"]) == ("aborted", True)
    assert result["msg"] == (
        "ABORTED: stopped before the switch; blue (version 1.0) is live. 2 of 3 checks failed on green."
    )
    assert (result["result"]["reason"], result["result"]["next_step"]) == ("checks_failed", "Mend app-green.")
    assert result["result"]["timings"] == {}
    assert history(cluster)[0]["outcome"] == "aborted"
    assert STAMP not in annotations(cluster)


def test_a_way_back(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    leave(cluster, entry("own", outcome="running", reverted_at="2026-01-01T00:02:00.000Z"))
    stages = {"deploy": stage(color="green"), "switch": stage(to_color="green"), "switch back": stage(to_color="blue")}
    result = end(cluster, begun=begun(), stages=stages, failure={**FAILURE, "reason": "bake_failed"})
    assert (result["outcome"], result["active_color"]) == ("reverted", "blue")
    assert history(cluster)[0]["outcome"] == "reverted"


def test_what_the_cluster_says_counts_and_not_what_was_meant(moved: RecordedCluster) -> None:
    """The switch back says that it has changed something, but green is live."""
    stages = {"switch": stage(to_color="green"), "switch back": stage(to_color="blue")}
    result = end(moved, begun=begun(), stages=stages, failure=FAILURE)
    assert (result["outcome"], result["active_color"]) == ("failed", "green")


def test_a_switch_whose_answer_was_lost_is_in_the_history(moved: RecordedCluster) -> None:
    failure = {"msg": "The API server does not answer.", "reason": "api_unreachable"}
    result = end(moved, begun=begun(), stages={"deploy": stage(color="green")}, failure=failure)
    assert (result["outcome"], history(moved)[0]["outcome"]) == ("failed", "failed")


def test_services_that_do_not_agree_are_not_right(clock: Clock) -> None:
    two = following(clock, second=True)
    half_way(two, entry("own", switched_at=None, outcome="running"))
    held(two, "own")
    result = end(two, services=BOTH, begun=begun(), stages={"deploy": stage(color="green")}, failure=FAILURE)
    assert result["outcome"] == "failed"


def test_services_that_do_not_agree_are_told_so(clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    half_way(two, entry("own", outcome="running"), to="blue")
    held(two, "own")
    stages = {"switch": stage(), "switch back": stage(failed=True, changed=False, msg="It failed.")}
    result = end(two, services=BOTH, begun=begun(), stages=stages, failure=FAILURE)
    assert (result["outcome"], result["active_color"], result["version"]) == ("failed", None, None)
    assert "some Services select green, some blue" in result["msg"]
    assert "rollback.yml" in result["result"]["next_step"]


def test_writes_that_may_be_refused_are_said_beside_the_cause(moved: RecordedCluster) -> None:
    stages = {"hand back": stage(failed=True, msg="The Job failed.\nNext: Look at it.")}
    result = end(moved, begun=begun(), stages=stages, failure=FAILURE)
    assert result["outcome"] == "failed"
    assert result["result"]["next_step"] == "Look at it."
    assert result["result"]["reason"] == "checks_failed"


def test_what_could_not_even_begin(cluster: RecordedCluster) -> None:
    failed = {**_begin.RETURNS, "failed": True, "msg": FAILURE["msg"], "started_at": SINCE, "ended_at": AFTER}
    result = end(cluster, begun=failed, failure=FAILURE)
    assert (result["outcome"], cluster.writes) == ("refused", [])
    assert result["stages"] == {
        "detect": {"started_at": SINCE, "ended_at": AFTER, "failed": True, "msg": FAILURE["msg"]}
    }, "the report shows where it has failed"


def test_what_did_not_get_the_lock(cluster: RecordedCluster) -> None:
    detect = stage(active_color="blue", changed=False)
    failed = begun(lock_id=None, failed=True, msg="locked", ended_at=AFTER, stages={"detect": detect})
    result = end(cluster, begun=failed, failure={"msg": "locked", "reason": "locked"})
    assert (result["outcome"], list(result["stages"])) == ("refused", ["detect", "lock"])
    assert result["stages"]["lock"]["failed"] is True


def test_what_failed_right_after_the_lock_was_got(cluster: RecordedCluster) -> None:
    stages = {"detect": stage(), "lock": stage(holder="ann")}
    result = end(cluster, begun=begun(failed=True, msg="x", stages=stages, ended_at=AFTER), failure=FAILURE)
    assert result["stages"] == stages


def test_what_is_being_finished_by_somebody_else_is_not_this_runs(clock: Clock) -> None:
    """The release is live and its run at work; this one has not got the lock."""
    cluster = following(clock, at="end")
    leave(cluster, entry("r1", outcome="running"))
    locked = begun(lock_id=None, resumes="r1", good_color="blue")
    assert end(cluster, begun=locked, failure={"msg": "x", "reason": "locked"})["outcome"] == "refused"


def test_a_plan_that_would_finish_a_release_and_fails(clock: Clock) -> None:
    cluster = following(clock, at="end")
    cluster.dry_run = True
    leave(cluster, entry("r1", outcome="interrupted"))
    plan = begun(lock_id=None, resumes="r1", good_color="blue")
    assert end(cluster, begun=plan, failure={"msg": "a hook"})["outcome"] == "refused"


def test_a_release_of_another_run_that_failed_again(moved: RecordedCluster) -> None:
    leave(moved, entry("own", switched_at=None, outcome="running"), entry("r1", outcome="interrupted"))
    result = end(moved, begun=begun(resumes="r1"), failure=FAILURE)
    assert (result["outcome"], history(moved)[0]["outcome"]) == ("failed", "failed")


def test_own_tasks_may_have_done_anything(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    with_tasks = begun(steps=[{"name": "deploy_tasks"}, {"name": "end"}])
    assert end(cluster, begun=with_tasks, failure=FAILURE)["outcome"] == "aborted"
    assert end(cluster, begun=begun(steps=[{"name": "deploy"}]), failure=FAILURE)["outcome"] != "aborted"


def test_a_rollback_that_had_nothing_to_undo_any_more(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    leave(cluster, entry("own", kind="rollback", version=None, switched_at=None, outcome="running"))
    result = end(cluster, "rollback", begun=begun(needed=False))
    assert (result["outcome"], history(cluster)[0]["outcome"]) == ("unchanged", "unchanged")
    assert STAMP not in annotations(cluster)


# --- the lock


@pytest.mark.parametrize("failure", [None, FAILURE])
def test_a_lock_that_is_somebody_elses(failure: Any, moved: RecordedCluster) -> None:
    held(moved, "r2")
    result = end(moved, begun=begun(), stages={"deploy": stage(color="green")}, failure=failure)
    assert (result["outcome"], result["bad"]) == ("superseded", True)
    assert annotations(moved)[STAMP] == "r2"
    assert history(moved)[0]["outcome"] == "running"
    if failure is None:
        assert result["result"]["reason"] == "superseded"
        assert "Another run has taken over" in result["msg"]


def test_a_lock_whose_giving_back_was_not_answered_was_ours(moved: RecordedCluster) -> None:
    """The writes have arrived, only the answers were lost: sent again, their tests fail."""

    def lost() -> None:
        raise PatchConflict("The API server refused 'patch ...' (HTTP 422)", "conflict", 422)

    moved.after("patch", "Service", lost, nth=1)
    moved.after("patch", "Lease", lost, nth=1)
    result = end(moved, begun=begun(color="green"))
    assert (result["outcome"], result["warnings"]) == ("released", [])


def test_whoever_knows_that_it_was_overtaken_writes_nothing(moved: RecordedCluster) -> None:
    result = end(moved, begun=begun(), failure={"msg": "x", "reason": "superseded"})
    assert (result["outcome"], moved.writes) == ("superseded", [])


def test_a_lock_that_cannot_be_given_back_is_no_failure(moved: RecordedCluster) -> None:
    lose(moved, "patch", "Service")
    result = end(moved, begun=begun(), stages={"switch": stage(to_color="green")})
    assert (result["outcome"], result["bad"]) == ("released", False)
    (warning,) = result["warnings"]
    assert warning.startswith("The lock could not be given back: The API server does not answer.")
    assert "30 s" in warning


@pytest.mark.parametrize("verb, kind", [("list", "Deployment"), ("patch", "Service"), ("patch", "Lease")])
def test_nor_is_one_that_a_library_fails_at(verb: str, kind: str, moved: RecordedCluster) -> None:
    def fail() -> None:
        raise ValueError("of a library")

    moved.before(verb, kind, fail, nth=None)
    result = end(moved, begun=begun(), stages={"switch": stage(to_color="green")})
    assert (result["outcome"], result["bad"]) == ("released", False)
    (warning,) = result["warnings"]
    assert "ValueError: of a library" in warning


def test_a_run_that_is_overtaken_before_it_is_recorded_is_superseded(moved: RecordedCluster) -> None:
    """Its renewals have noticed it, so its next write is refused."""

    def overtaken() -> None:
        raise superseded("run r2 of bob")

    moved.before("patch", "Service", overtaken)
    result = end(moved, begun=begun(), stages={"switch": stage(to_color="green")})
    assert (result["outcome"], result["result"]["reason"]) == ("superseded", "superseded")


def test_one_that_is_overtaken_after_it_is_what_is_recorded(moved: RecordedCluster) -> None:
    def overtaken() -> None:
        raise superseded("run r2 of bob")

    moved.before("patch", "Lease", overtaken)
    result = end(moved, begun=begun(), stages={"switch": stage(to_color="green")})
    assert (result["outcome"], history(moved)[0]["outcome"], result["warnings"]) == ("released", "released", [])


def test_the_lock_can_be_said_without_a_begin(moved: RecordedCluster) -> None:
    """As in a playbook that is put together from the modules."""
    result = end(moved, lock_id="own", stages={"switch": {**stage(), "started_at": BEFORE}})
    assert (result["outcome"], list(result["stages"])) == ("released", ["switch"])
    assert history(moved)[0]["outcome"] == "released"


def test_without_any_lock(cluster: RecordedCluster) -> None:
    assert end(cluster)["outcome"] == "unchanged"
    assert cluster.writes == []


# --- what is this run's


@pytest.mark.parametrize("when, own", [(BEFORE, False), (SINCE, False), (AFTER, True), (None, False)])
def test_what_an_earlier_run_in_the_play_has_left_is_not_this_ones(when: Any, own: bool) -> None:
    result = blind(begun=begun(), stages={"deploy": {"started_at": when, "color": "green"}}, failure=FAILURE)
    assert ("deploy" in result["stages"], result["outcome"]) == (own, "aborted" if own else "refused")


def test_nothing_is_this_runs_if_not_even_its_begin_is_known() -> None:
    """Its arguments could not be templated, so that it says no time."""
    failed = {"failed": True, "msg": "'shop' is undefined"}
    result = blind(begun=failed, stages={"switch": stage(to_color="green")}, failure=failed)
    assert (result["outcome"], result["stages"]) == ("refused", {})


# --- a reading that fails


def test_what_cannot_be_read_is_not_claimed(moved: RecordedCluster) -> None:
    lose(moved, "list", "Deployment")
    result = end(moved, begun=begun())
    assert (result["outcome"], result["active_color"], result["version"]) == ("released", None, None)
    assert result["msg"] == "RELEASED: all was done; what is live could not be read."
    assert result["warnings"] == ["What is live now could not be read: The API server does not answer."]
    assert history(moved)[0]["outcome"] == "released"


def test_a_failure_is_said_once(moved: RecordedCluster) -> None:
    lose(moved, "list", "Deployment")
    result = end(moved, begun=begun(), stages={"switch": stage(to_color="green")}, failure=FAILURE)
    assert (result["outcome"], result["warnings"]) == ("failed", [])
    assert "is live" not in result["msg"]


def test_without_a_connection() -> None:
    result = blind(failure={"msg": "There is no kubeconfig.", "reason": "bad_input"})
    assert (result["outcome"], result["bad"], result["active_color"]) == ("refused", True, None)
    assert result["msg"] == "REFUSED: nothing was changed. There is no kubeconfig."
    assert result["stages"] == {}


def test_without_a_connection_in_check_mode() -> None:
    assert blind(dry_run=True)["outcome"] == "planned"


# --- retire

DUE = {"changed": True, "retired": False, "version": "0.9", "due": True}


def retire(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return end(cluster, "retire", **{"begun": begun(retirement=DUE), **options})


def test_a_retirement(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    leave(cluster, entry("r1"))
    result = retire(cluster, stages={"retire": stage(retired=True, version="0.9")})
    assert (result["outcome"], result["result"]["previous_version"]) == ("retired", "0.9")
    assert [item["outcome"] for item in history(cluster)] == ["released"]
    assert STAMP not in annotations(cluster)
    assert result["result"]["timings"] == {}


def test_a_postponed_retirement_is_no_failure(cluster: RecordedCluster) -> None:
    held(cluster, "own")
    result = retire(cluster, failure=FAILURE)
    assert (result["outcome"], result["bad"], result["result"]["reason"]) == ("postponed", False, None)
    assert "2 of 3 checks failed on green." in result["msg"]
    assert result["result"]["previous_version"] == "0.9"
    assert STAMP not in annotations(cluster)


def test_a_retirement_that_was_overtaken_has_been_done_all_the_same(cluster: RecordedCluster) -> None:
    held(cluster, "r2")
    result = retire(cluster, stages={"retire": stage(retired=True)})
    assert (result["outcome"], result["result"]["reason"]) == ("retired", None)
    assert annotations(cluster)[STAMP] == "r2"


def test_a_retirement_that_is_not_due(cluster: RecordedCluster) -> None:
    early = {"changed": False, "retired": False, "version": "0.9", "due": False}
    result = retire(cluster, begun=begun(lock_id=None, retirement=early))
    assert (result["outcome"], cluster.writes) == ("postponed", [])


def test_a_lock_taken_by_hand_is_given_back(cluster: RecordedCluster) -> None:
    lock_id = recorded.run(_lock, cluster, version="2.0")["lock_id"]
    assert end(cluster, lock_id=lock_id, failure=FAILURE)["outcome"] == "refused"
    assert history(cluster)[0]["outcome"] == "refused"


SWITCHED = {"run": "r1", "color": "green", "from_color": "blue", "previous_version": "1.0", "switched_at": SINCE}


# the history, what is prepared, the outcome; the version before the live one, where blue has 3.0 and green is live
@pytest.mark.parametrize(
    ("history", "prepared", "outcome", "previous"),
    [
        pytest.param([SWITCHED], None, "prepared", "1.0", id="after-prepare"),
        pytest.param([SWITCHED], {"color": "blue"}, "refused", "1.0", id="after-a-refused-promote"),
        pytest.param([SWITCHED], None, "aborted", "1.0", id="after-a-release-that-did-not-switch"),
        pytest.param([], None, "prepared", None, id="the-first-prepare"),
        pytest.param([], {"color": "blue"}, "refused", None, id="nothing-was-ever-switched"),
        pytest.param([], None, "unchanged", "3.0", id="nothing-is-recorded"),
        pytest.param([{**SWITCHED, "color": "blue", "from_color": "green"}], None, "unchanged", "3.0", id="by-hand"),
        pytest.param(
            [{**SWITCHED, "color": "blue", "reverted_at": SINCE}], None, "reverted", "3.0", id="switched-back"
        ),
    ],
)
def test_the_previous_version(history: Any, prepared: Any, outcome: str, previous: str | None) -> None:
    colors = {"blue": {"version": "3.0"}, "green": {"version": "2.0"}}
    now = {"active_color": "green", "colors": colors, "history": history, "prepared": prepared}
    assert _end.previous_version(now, outcome) == previous
