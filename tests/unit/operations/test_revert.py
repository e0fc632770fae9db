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


def revert(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return {
        **_revert.RETURNS,
        **recorded.run(_revert, cluster, said, **{"lock_id": OWN, "wait_timeout": 60, **options}),
    }


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


# --- what the old color needs


def _replicas(cluster: RecordedCluster, color: str, replicas: int, ready: int) -> None:
    cluster.touch("Deployment", f"app-{color}", lambda item: item["spec"].update(replicas=replicas))
    deployment = cluster.one("Deployment", f"app-{color}")
    deployment["status"].update(replicas=replicas, updatedReplicas=replicas, readyReplicas=ready)
    deployment["status"]["observedGeneration"] = deployment["metadata"]["generation"]


def _unready(pod: dict[str, Any], **waiting: Any) -> None:
    next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    if waiting:
        pod["status"]["containerStatuses"][0].update(ready=False, state={"waiting": waiting})


def _scaled_down(cluster: RecordedCluster, *later: dict[str, str]) -> None:
    """Blue has one pod left; 2 s after it is scaled up it has the others, of which some do not become ready."""
    gone = [cluster.remove("Pod", pod["metadata"]["name"]) for pod in cluster.objects("Pod", "blue")[1:]]
    _replicas(cluster, "blue", replicas=1, ready=1)
    for pod, waiting in zip(gone, later):
        _unready(pod, **waiting)

    def come_up() -> None:
        for pod in gone:
            cluster.put(pod)
        _replicas(cluster, "blue", replicas=3, ready=3 - len(later))

    def scale() -> None:
        ready = cluster.one("Deployment", "app-blue")["status"]["readyReplicas"]
        cluster.clock.at(0.1, lambda: _replicas(cluster, "blue", replicas=3, ready=ready))
        cluster.clock.at(2, come_up)

    cluster.after("patch", "Deployment", scale)


CRASHES = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}


def _deployments(cluster: RecordedCluster) -> list[Any]:
    return [(write.name, write.body[-1]["value"]) for write in cluster.writes if write.kind == "Deployment"]


@pytest.mark.parametrize("recorded", [{"previous_replicas": 3, "replicas": 10}, {"replicas": 3}])
def test_at_full_strength_it_goes_back_at_once_however_large_the_broken_color_is(
    recorded: dict[str, int], cluster: RecordedCluster, clock: Clock
) -> None:
    """An autoscaler has made it ten. What older versions have recorded says it by the size that green had."""
    leave(cluster, entry(OWN, outcome="running", **recorded))
    _replicas(cluster, "green", replicas=10, ready=0)
    began: list[float] = []
    cluster.before("patch", "Service", lambda: began.append(clock.now))
    start = clock.now
    assert revert(cluster, wait_timeout=0)["active_color"] == "blue"
    assert began == [start]
    assert _deployments(cluster) == []


def test_scaled_down_it_gets_what_it_had(cluster: RecordedCluster, clock: Clock) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _replicas(cluster, "green", replicas=10, ready=10)
    _scaled_down(cluster)
    start, moments = clock.now, []
    cluster.before("patch", "Service", lambda: moments.append(clock.now - start))
    assert revert(cluster)["active_color"] == "blue"
    assert (_deployments(cluster), moments) == ([("app-blue", 3)], [pytest.approx(2)])


def test_it_is_not_made_smaller(cluster: RecordedCluster) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=2))
    assert revert(cluster)["active_color"] == "blue"
    assert _deployments(cluster) == []


@pytest.mark.parametrize("waiting", [{}, CRASHES])
def test_one_pod_that_is_not_ready_is_in_nobodys_way(
    waiting: dict[str, str], cluster: RecordedCluster, clock: Clock
) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _unready(cluster.objects("Pod", "blue")[0], **waiting)
    _replicas(cluster, "blue", replicas=3, ready=2)
    start, moments = clock.now, []
    cluster.before("patch", "Service", lambda: moments.append(clock.now - start))
    assert revert(cluster)["active_color"] == "blue"
    assert moments == [0]


def test_two_of_three_are(cluster: RecordedCluster) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    for pod in cluster.objects("Pod", "blue")[:2]:
        _unready(pod)
    _replicas(cluster, "blue", replicas=3, ready=1)
    error = failure(cluster, wait_timeout=20)
    assert (error.reason, live(cluster)) == ("timeout", "green")
    assert "rollback_instant" in str(error)


def test_the_only_pod_is_needed(cluster: RecordedCluster) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=1, replicas=1))
    for pod in cluster.objects("Pod", "blue"):
        _unready(pod)
    _replicas(cluster, "blue", replicas=3, ready=0)
    assert failure(cluster, wait_timeout=20).reason == "timeout"


@pytest.mark.parametrize(("waiting", "after"), [(CRASHES, 2), ({}, 60)])
def test_one_that_does_not_come_up_is_not_waited_for_in_vain(
    waiting: dict[str, str], after: float, cluster: RecordedCluster, clock: Clock
) -> None:
    """At once when it is certain, at the end of the time when not."""
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _scaled_down(cluster, waiting)
    start, moments, said = clock.now, [], []
    cluster.before("patch", "Service", lambda: moments.append(clock.now - start))
    assert revert(cluster, said=said)["active_color"] == "blue"
    assert moments == [pytest.approx(after, abs=1)]
    assert "app-blue: 2 of 3 pods ready is enough for the way back" in "\n".join(said)


def test_the_one_that_is_left_may_crash_while_others_come_up(cluster: RecordedCluster) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _unready(cluster.objects("Pod", "blue")[0], **CRASHES)
    _scaled_down(cluster)
    cluster.one("Deployment", "app-blue")["status"]["readyReplicas"] = 0
    assert revert(cluster)["active_color"] == "blue"


def test_a_pod_that_crashes_is_not_looked_at_without_a_pause(
    cluster: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _unready(cluster.objects("Pod", "blue")[0], **CRASHES)
    _scaled_down(cluster)
    waits: list[float] = []
    wait = recorded.RecordedObservation.wait

    def noted(self: recorded.RecordedObservation, seconds: float) -> None:
        waits.append(seconds)
        wait(self, seconds)

    monkeypatch.setattr(recorded.RecordedObservation, "wait", noted)
    revert(cluster)
    assert min(waits) > 0


def test_two_that_crash_end_it_early(cluster: RecordedCluster, clock: Clock) -> None:
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    _scaled_down(cluster, CRASHES, CRASHES)
    start = clock.now
    error = failure(cluster)
    assert (error.reason, live(cluster)) == ("rollout_failed", "green")
    assert clock.now - start == pytest.approx(2, abs=1)


@pytest.mark.parametrize("scaled_down", [False, True])
def test_a_paused_deployment_is_in_nobodys_way(scaled_down: bool, cluster: RecordedCluster) -> None:
    """Its pods are scaled all the same; only another template is not rolled out."""
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(paused=True))
    cluster.one("Deployment", "app-blue")["status"]["observedGeneration"] += 1
    if scaled_down:
        _scaled_down(cluster)
    assert revert(cluster)["active_color"] == "blue"


@pytest.mark.parametrize(("paused", "reason"), [(False, "timeout"), (True, "rollout_failed")])
def test_pods_of_an_older_template_are_not_what_was_live(paused: bool, reason: str, cluster: RecordedCluster) -> None:
    """The image has just been put back: what is ready is what a rollout is about to replace, unless it is paused."""
    leave(cluster, entry(OWN, outcome="running", previous_replicas=3))
    image = {"image": "myapp:0.9"}
    cluster.touch(
        "Deployment", "app-blue", lambda item: item["spec"]["template"]["spec"]["containers"][0].update(image)
    )
    if paused:
        cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(paused=True))
    cluster.one("Deployment", "app-blue")["status"]["observedGeneration"] += 2
    cluster.one("Deployment", "app-blue")["status"]["updatedReplicas"] = 0
    error = failure(cluster, wait_timeout=20)
    assert (error.reason, live(cluster)) == (reason, "green")
    assert ("spec.paused is true" in str(error)) == paused


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
