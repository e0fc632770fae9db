# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of a failed run: only what the history says that it has moved is moved back."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import revert as _revert
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from following import BOTH, entry, following, half_way, held, history, leave, live
from recorded import Clock, RecordedCluster

OWN = "own"


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    """Green is live; the run that has made it so holds the lock."""
    cluster = following(clock, at="end")
    held(cluster, OWN)
    leave(cluster, entry(OWN, outcome="running"))
    return cluster


@pytest.fixture
def two(clock: Clock) -> RecordedCluster:
    return following(clock, second=True)


def revert(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return {**_revert.RETURNS, **recorded.run(_revert, cluster, **{"lock_id": OWN, "wait_timeout": 60, **options})}


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        revert(cluster, **options)
    return caught.value


def forbid(cluster: RecordedCluster, nth: int | None = 1) -> None:
    def forbidden() -> None:
        raise ApiError("The API server refused it (HTTP 403).", "forbidden", 403)

    cluster.before("patch", "Service", forbidden, nth=nth)


def test_the_runs_own_switch(cluster: RecordedCluster) -> None:
    result = revert(cluster)
    assert live(cluster) == "blue"
    assert (result["changed"], result["from_color"], result["to_color"]) == (True, "green", "blue")
    assert result["active_color"] == "blue"
    assert result["endpoints_ms"] is not None
    assert history(cluster)[0]["reverted_at"]
    assert [item["run"] for item in history(cluster)] == [OWN]
    assert "blue is live" in result["msg"]
    assert "frozen_ms" not in result


def test_the_way_back_of_a_real_run(clock: Clock) -> None:
    cluster = following(clock)
    lock_id = recorded.run(_lock, cluster, version="2.0")["lock_id"]
    recorded.run(_switch, cluster, color="green", lock_id=lock_id)
    assert revert(cluster, lock_id=lock_id)["active_color"] == "blue"
    assert history(cluster)[0]["reverted_at"]


def test_the_switch_of_the_run_that_it_goes_on_with(cluster: RecordedCluster) -> None:
    leave(cluster, entry(OWN, switched_at=None, color=None, outcome="running"), entry("r1", outcome="interrupted"))
    assert revert(cluster, resumes="r1")["active_color"] == "blue"
    assert live(cluster) == "blue"
    own, other = history(cluster)
    assert (own.get("reverted_at"), bool(other["reverted_at"])) == (None, True)


# what the history says, options
NOT_OURS = {
    "a run without a lock": ([entry(OWN)], {"lock_id": None}),
    "a run of which no more is known": ([], {}),
    "another run has come after it": ([entry("r2", switched_at=None), entry(OWN)], {}),
    "another run has taken over": ([entry("r2"), entry(OWN, switched_at=None)], {}),
    "it has moved nothing": ([entry(OWN, switched_at=None, color=None), entry("r1")], {}),
    "it is back already": ([entry(OWN, reverted_at="2026-01-01T00:02:00.000Z")], {}),
    "it has switched, and somebody has switched again": ([entry(OWN, color="blue", from_color="green")], {}),
    "it goes on with one that is back": ([entry(OWN, switched_at=None), entry("r1", reverted_at="x")], {"resumes": "r1"}),
    "it goes on with one that nobody knows": ([entry(OWN, switched_at=None)], {"resumes": "r1"}),
    "empty text is no other run": ([entry(OWN, switched_at=None), entry("", outcome="x")], {"resumes": ""}),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_OURS)
def test_what_it_has_not_moved_it_leaves(what: str, cluster: RecordedCluster) -> None:
    entries, options = NOT_OURS[what]
    leave(cluster, *entries)
    result = revert(cluster, **options)
    assert cluster.writes == []
    assert (result.get("changed"), result["to_color"], result["active_color"]) == (None, None, "green")
    assert "it is not this run's to move" in result["msg"]


@pytest.mark.parametrize("options", [{"switches": False}, {"failure": {"reason": "superseded"}}])
def test_no_way_back_is_wanted(options: dict[str, Any], cluster: RecordedCluster) -> None:
    result = revert(cluster, **options)
    assert (cluster.writes, result["active_color"]) == ([], "green")
    assert "nothing is put back" in result["msg"]


def test_other_failures_are_no_reason_to_stay(cluster: RecordedCluster) -> None:
    assert revert(cluster, failure={"reason": "bake_failed"})["active_color"] == "blue"


def test_check_mode_moves_nothing(cluster: RecordedCluster) -> None:
    cluster.dry_run = True
    result = revert(cluster)
    assert (live(cluster), result["active_color"], result["changed"]) == ("green", "green", True)


def test_the_old_color_is_scaled_up_and_waited_for(cluster: RecordedCluster) -> None:
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=1))
    cluster.touch("Deployment", "app-blue", lambda item: item["status"].update(readyReplicas=1, replicas=1))
    error = failure(cluster)
    assert cluster.one("Deployment", "app-blue")["spec"]["replicas"] == 3
    assert error.reason == "timeout" or error.reason == "not_ready"
    assert error.result["active_color"] == "green"


# --- several Services


def test_a_switch_that_stopped_half_way_is_undone(two: RecordedCluster) -> None:
    half_way(two, entry(OWN, switched_at=None, outcome="running"))
    held(two, OWN)
    result = revert(two, services=BOTH)
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["changed"], result["active_color"]) == (True, "blue")
    assert history(two)[0].get("reverted_at") is None


def test_that_of_another_run_is_left(two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="running"))
    assert revert(two, services=BOTH)["active_color"] == "blue"
    assert two.writes == []


def test_a_way_back_that_stopped_half_way_goes_on(clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    half_way(two, entry(OWN, outcome="running"), to="blue")
    held(two, OWN)
    assert revert(two, services=BOTH)["active_color"] == "blue"
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert history(two)[0]["reverted_at"]


# --- it fails


def test_what_is_live_is_told_when_it_fails_before_its_write(cluster: RecordedCluster) -> None:
    forbid(cluster)
    error = failure(cluster)
    assert (error.reason, live(cluster)) == ("forbidden", "green")
    assert (error.result["active_color"], error.result.get("changed")) == ("green", None)
    assert set(error.result) <= {*_revert.RETURNS, "changed"}


def test_what_is_live_is_told_when_it_fails_after_its_write(clock: Clock) -> None:
    """The endpoints do not follow: the writes belong to blue all the same."""
    cluster = RecordedCluster(at="end", clock=clock)
    held(cluster, OWN)
    leave(cluster, entry(OWN, outcome="running"))
    error = failure(cluster)
    assert (error.reason, live(cluster)) == ("endpoints", "blue")
    assert (error.result["active_color"], error.result["changed"]) == ("blue", True)


def lose_answer(cluster: RecordedCluster, nth: int = 1) -> None:
    def lost() -> None:
        raise ApiError("The API server does not answer.", "api_unreachable", 0)

    cluster.after("patch", "Service", lost, nth=nth)


def test_what_is_live_is_read_when_the_answer_was_lost(cluster: RecordedCluster) -> None:
    lose_answer(cluster)
    error = failure(cluster)
    assert (error.reason, live(cluster)) == ("api_unreachable", "blue")
    assert error.result["active_color"] == "blue"
    assert cluster.live and cluster.live.startswith("blue")


def test_what_is_live_is_read_when_somebody_has_moved_it_again(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    held(cluster, OWN)
    leave(cluster, entry(OWN, outcome="running"))
    clock.at(
        5, lambda: cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    )
    error = failure(cluster)
    assert (error.reason, live(cluster)) == ("endpoints", "green")
    assert (error.result["active_color"], error.result["changed"]) == ("green", True)
    assert cluster.live and cluster.live.startswith("green")


def test_what_nobody_can_read_is_told_as_unknown(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    held(cluster, OWN)
    leave(cluster, entry(OWN, outcome="running"))

    def away() -> None:
        raise ApiError("The API server does not answer.", "api_unreachable", 0)

    clock.at(5, lambda: cluster.before("list", "Deployment", away, nth=None))
    error = failure(cluster)
    assert error.reason == "endpoints"
    assert (error.result["active_color"], cluster.live) == (None, None)


def test_services_that_are_split_are_told_as_split(clock: Clock) -> None:
    """The second Service is back, the first one and the undo are refused."""
    two = following(clock, at="end", second=True)
    held(two, OWN)
    leave(two, entry(OWN, outcome="running"))
    two.before("patch", "Service", lambda: forbid(two, None), nth=3)
    error = failure(two, services=BOTH)
    assert [live(two, name) for name in BOTH] == ["green", "blue"]
    assert error.result["active_color"] is None, "no database is that of both"
    assert (
        two.live
        == "green (version 2.0, 3 of 3 pods ready) on myapp; blue (version 1.0, 3 of 3 pods ready) on myapp-internal"
    )


def test_a_run_that_was_overtaken_moves_nothing(cluster: RecordedCluster) -> None:
    held(cluster, "r2")
    assert failure(cluster).reason == "superseded"
    assert live(cluster) == "green"
