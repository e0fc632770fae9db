# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release at a time: the Lease, the stamps, takeovers."""

from __future__ import annotations

import copy
import json
import re
import threading
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import lease as _lease
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job import JOB_OWNER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color, deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from recorded import Clock, RecordedCluster

STATE, STAMP = "bluegreen.kubernetes/state", "bluegreen.kubernetes/lock-id"
LEASE = "bluegreen-myapp"


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    return RecordedCluster(clock=clock)


def lock(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_lock, cluster, said, **options)


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        lock(cluster, **options)
    return caught.value


def spec(cluster: RecordedCluster) -> dict[str, Any]:
    return cluster.one("Lease", LEASE)["spec"]


def annotations(cluster: RecordedCluster, kind: str = "Service", name: str = "myapp") -> dict[str, str]:
    return cluster.one(kind, name)["metadata"].get("annotations") or {}


def history(cluster: RecordedCluster) -> list[dict[str, Any]]:
    return json.loads(annotations(cluster)[STATE])["history"]


def renewing(cluster: RecordedCluster, every: float = 5.0, times: int = 200) -> None:
    """The holder lives."""

    def renew(number: int) -> None:
        cluster.touch("Lease", LEASE, lambda item: item["spec"].update(renewTime=f"renewal {number}"))

    for number in range(1, times):
        cluster.clock.at(every * number, lambda number=number: renew(number))


def test_a_free_lock_is_taken(cluster: RecordedCluster) -> None:
    result = lock(cluster, by="ann", job="42", version="2.0")
    assert (result["changed"], result["holder"], result["waited"]) == (True, "ann", False)
    assert spec(cluster)["holderIdentity"] == result["lock_id"]
    assert spec(cluster)["leaseDurationSeconds"] == 30
    assert annotations(cluster)[STAMP] == result["lock_id"]
    (entry,) = history(cluster)
    assert (entry["run"], entry["version"], entry["by"], entry["job"]) == (result["lock_id"], "2.0", "ann", "42")
    assert entry["outcome"] == "running"
    assert recorded.run(deploy, cluster, version="2.0", lock_id=result["lock_id"])["changed"] is True


def test_without_a_name_the_holder_is_who_runs_this(cluster: RecordedCluster) -> None:
    assert re.fullmatch(r"[^@]+@[^@]+", lock(cluster)["holder"])


def test_a_released_lock_is_free(cluster: RecordedCluster) -> None:
    lock_id = lock(cluster)["lock_id"]
    assert lock(cluster, state="released", lock_id=lock_id, outcome="released")["changed"] is True
    assert not spec(cluster)["holderIdentity"]
    assert STAMP not in annotations(cluster)
    assert history(cluster)[0]["outcome"] == "released"
    again = lock(cluster)
    assert again["lock_id"] != lock_id
    assert again["waited"] is False


def test_releasing_twice_changes_nothing(cluster: RecordedCluster) -> None:
    lock_id = lock(cluster)["lock_id"]
    lock(cluster, state="released", lock_id=lock_id)
    assert lock(cluster, state="released", lock_id=lock_id)["changed"] is False


def test_releasing_needs_the_id(cluster: RecordedCluster) -> None:
    assert failure(cluster, state="released").reason == "bad_input"


def test_releasing_what_another_run_has_taken_over_leaves_it_alone(cluster: RecordedCluster) -> None:
    first = lock(cluster, by="ann")["lock_id"]
    second = lock(cluster, by="bob", preempt=True)["lock_id"]
    assert lock(cluster, state="released", lock_id=first, outcome="released")["changed"] is False
    assert spec(cluster)["holderIdentity"] == second
    assert annotations(cluster)[STAMP] == second
    assert {entry["run"]: entry["outcome"] for entry in history(cluster)} == {first: "interrupted", second: "running"}


@pytest.mark.parametrize("switched", [None, "2026-05-04T09:30:00Z"])
def test_whoever_is_refused_reads_how_far_the_other_one_is(cluster: RecordedCluster, switched: str | None) -> None:
    lock(cluster, by="ann", version="2.0")
    state = json.loads(annotations(cluster)[STATE])
    state["history"][0]["switched_at"] = switched
    cluster.touch("Service", "myapp", lambda item: item["metadata"]["annotations"].update({STATE: json.dumps(state)}))
    renewing(cluster)
    error = str(failure(cluster, by="bob"))
    how_far = f"switched at {switched}." if switched else "has not switched yet."
    assert f"It is a release of 2.0, and {how_far}" in error
    assert "bluegreen_lock_timeout" in error


def test_releasing_when_the_lease_is_gone(cluster: RecordedCluster) -> None:
    lock_id = lock(cluster)["lock_id"]
    cluster.remove("Lease", LEASE)
    lock(cluster, state="released", lock_id=lock_id)
    assert STAMP not in annotations(cluster)


def test_whoever_is_refused_reads_who_since_when_and_which_job(cluster: RecordedCluster, clock: Clock) -> None:
    first = lock(cluster, by="ann", job="42")
    renewing(cluster)
    began = clock.now
    error = failure(cluster, by="bob")
    assert error.reason == "locked"
    for text in ("ann", "job 42", first["acquired_at"], first["lock_id"], "rollback.yml"):
        assert text in str(error)
    assert clock.now - began <= 6, "one renewal proves that the holder lives"
    assert annotations(cluster)[STAMP] == first["lock_id"]
    assert len(history(cluster)) == 1


def test_a_dead_holder_is_taken_over_within_one_lease_duration(cluster: RecordedCluster, clock: Clock) -> None:
    first = lock(cluster, by="ann")["lock_id"]
    began, said = clock.now, []
    result = lock(cluster, said, by="bob")
    assert clock.now - began == pytest.approx(30, abs=1)
    assert result["waited"] is True
    assert spec(cluster)["holderIdentity"] == result["lock_id"] == annotations(cluster)[STAMP]
    assert any("ann" in line for line in said)
    assert {entry["run"]: entry["outcome"] for entry in history(cluster)} == {
        first: "interrupted",
        result["lock_id"]: "running",
    }


def test_a_holder_that_dies_later_is_taken_over_one_duration_after_its_last_sign_of_life(
    cluster: RecordedCluster, clock: Clock
) -> None:
    lock(cluster)
    renewing(cluster, times=4)  # the last one after 15 s
    began = clock.now
    lock(cluster, timeout="10m")
    assert clock.now - began == pytest.approx(45, abs=1)


def test_the_holders_own_lease_duration_counts(cluster: RecordedCluster, clock: Clock) -> None:
    lock(cluster, lease_duration="10s")
    began = clock.now
    lock(cluster, lease_duration="60s")
    assert clock.now - began == pytest.approx(10, abs=1)


def test_clocks_are_not_compared(cluster: RecordedCluster, clock: Clock) -> None:
    """The holder's clock is wrong by years; what counts is whether its renewTime moves."""
    lock(cluster)
    cluster.one("Lease", LEASE)["spec"].update(
        renewTime="1999-01-01T00:00:00.000000Z", acquireTime="1999-01-01T00:00:00.000000Z"
    )
    began = clock.now
    lock(cluster)
    assert clock.now - began == pytest.approx(30, abs=1)


def record_a_switch(cluster: RecordedCluster) -> None:
    """What the holder's bg_switch writes, but for the selector."""
    entry = dict(history(cluster)[0], switched_at="2026-01-01T00:00:00.000Z", color="green", from_color="blue")
    text = json.dumps({"schema": 1, "history": [entry], "intent": None})
    cluster.touch("Service", "myapp", lambda item: item["metadata"]["annotations"].update({STATE: text}))


def test_what_the_holder_writes_while_it_is_waited_for_is_kept(cluster: RecordedCluster, clock: Clock) -> None:
    """It switches, and dies in its delay: whoever takes over must know of the switch."""
    first = lock(cluster, by="ann", version="2.0")["lock_id"]
    renewing(cluster, times=4)
    clock.at(10, lambda: record_a_switch(cluster))
    second = lock(cluster, timeout="10m")["lock_id"]
    newest, before = history(cluster)
    assert (newest["run"], before["run"], before["outcome"]) == (second, first, "interrupted")
    assert before["switched_at"]


def test_the_holder_may_write_at_the_last_moment(cluster: RecordedCluster) -> None:
    """A rollback waits for nobody, so the run that it overtakes may write between its look and its stamp."""
    first = lock(cluster, by="ann", version="2.0")["lock_id"]
    cluster.before("patch", "Service", lambda: record_a_switch(cluster))
    second = lock(cluster, preempt=True)["lock_id"]
    assert [(entry["run"], bool(entry["switched_at"])) for entry in history(cluster)] == [
        (second, False),
        (first, True),
    ]


@pytest.mark.parametrize("moved", [True, False])
def test_the_intent_of_a_dead_run_stays_while_it_is_needed(moved: bool, cluster: RecordedCluster, clock: Clock) -> None:
    """Killed between two Services, after whoever waits had looked at them; or before it had moved one."""
    both = ["myapp", "myapp-internal"]
    second = copy.deepcopy(cluster.one("Service", "myapp"))
    second["metadata"].update(name="myapp-internal", uid="second")
    cluster.put(second)
    first = lock(cluster, services=both)["lock_id"]

    def half() -> None:
        intent = {"from": "blue", "to": "green", "run": first}
        text = json.dumps({"schema": 1, "history": history(cluster), "intent": intent})
        cluster.touch("Service", "myapp", lambda item: item["metadata"]["annotations"].update({STATE: text}))
        if moved:
            cluster.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].update(version="green"))

    clock.at(5, half)
    lock(cluster, services=both, timeout="10m")
    now = recorded.run(current_color, cluster, services=both)
    assert (now["active_color"], now["pending_color"]) == ("blue", "green" if moved else None)
    assert bool(json.loads(annotations(cluster)[STATE])["intent"]) is moved


def test_a_holder_that_could_not_renew_is_not_dead(cluster: RecordedCluster, clock: Clock) -> None:
    """The API server is away: nobody renews. The holder does when it is back, and keeps its lock."""
    first = lock(cluster, by="ann")["lock_id"]
    clock.at(45, lambda: cluster.touch("Lease", LEASE, lambda item: item["spec"].update(renewTime="renewed")))
    # The first look, then the one that the answer to came late.
    cluster.before("get", "Lease", lambda: clock.sleep(14), nth=2)
    assert failure(cluster, by="bob").reason == "locked"
    assert spec(cluster)["holderIdentity"] == first


def test_a_lock_timeout_waits_for_the_other_release(cluster: RecordedCluster, clock: Clock) -> None:
    first = lock(cluster)["lock_id"]
    renewing(cluster, times=9)
    began = clock.now
    clock.at(42, lambda: lock(cluster, state="released", lock_id=first))
    result = lock(cluster, timeout="2m")
    assert clock.now - began == pytest.approx(42, abs=1)
    assert (result["waited"], spec(cluster)["holderIdentity"]) == (True, result["lock_id"])


def test_a_lock_timeout_ends(cluster: RecordedCluster, clock: Clock) -> None:
    lock(cluster)
    renewing(cluster)
    began = clock.now
    assert failure(cluster, timeout="1m").reason == "locked"
    assert clock.now - began == pytest.approx(60, abs=6)


def test_of_two_that_wait_for_a_dead_holder_one_wins(cluster: RecordedCluster, clock: Clock) -> None:
    """Both have seen that it is dead; the other one was faster, and lives."""
    lock(cluster, by="ann")
    winner: list[str] = []
    began = clock.now

    def faster() -> None:
        if not winner and clock.now - began >= 29:
            winner.append("bob's run")
            body = dict(spec(cluster), holderIdentity="bob's run", renewTime="bob 0")
            cluster.touch("Lease", LEASE, lambda item: item.update(spec=body))
            renewing(cluster)

    cluster.before("get", "Lease", faster, nth=None)
    cluster.before("patch", "Lease", faster, nth=None)
    assert failure(cluster, by="carl").reason == "locked"
    assert winner
    assert spec(cluster)["holderIdentity"] == "bob's run"


def test_of_two_that_create_the_lease_one_wins(cluster: RecordedCluster) -> None:
    def faster() -> None:
        body = {"holderIdentity": "bob's run", "leaseDurationSeconds": 30, "renewTime": "bob 0"}
        cluster.put({"kind": "Lease", "metadata": {"name": LEASE}, "spec": body})
        renewing(cluster)

    cluster.before("create", "Lease", faster)
    assert failure(cluster, by="carl").reason == "locked"


def test_a_rollback_takes_over_at_once(cluster: RecordedCluster, clock: Clock) -> None:
    first = lock(cluster, by="ann")["lock_id"]
    renewing(cluster)
    began = clock.now
    result = lock(cluster, by="bob", preempt=True)
    assert clock.now == began
    assert annotations(cluster)[STAMP] == result["lock_id"]
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(deploy, cluster, version="2.0", lock_id=first)
    assert caught.value.reason == "superseded"


def test_a_takeover_fences_writes_that_are_on_their_way_to_the_idle_deployment(cluster: RecordedCluster) -> None:
    """Read under the first lock, sent after the takeover."""
    first = lock(cluster)["lock_id"]
    seen = [False]

    def take_over() -> None:
        if not seen[0]:
            seen[0] = True
            lock(cluster, preempt=True)

    recorded.run(deploy, cluster, version="2.0", lock_id=first)  # stamps nothing, but may have left a stamp
    lock(cluster, state="released", lock_id=first)
    second = lock(cluster)["lock_id"]
    cluster.touch(
        "Deployment", "app-green", lambda item: item["metadata"].setdefault("annotations", {}).update({STAMP: second})
    )
    cluster.before("patch", "Deployment", take_over)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(deploy, cluster, version="3.0", lock_id=second)
    assert caught.value.reason == "superseded"
    image = cluster.one("Deployment", "app-green")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "myapp:2.0"


def test_the_same_run_may_lock_again(cluster: RecordedCluster, clock: Clock) -> None:
    lock_id = lock(cluster)["lock_id"]
    began = clock.now
    again = lock(cluster, lock_id=lock_id)
    assert (again["lock_id"], again["waited"]) == (lock_id, False)
    assert clock.now == began
    assert [entry["run"] for entry in history(cluster)] == [lock_id]


def test_other_changes_of_the_service_do_not_matter(cluster: RecordedCluster) -> None:
    def label() -> None:
        cluster.touch("Service", "myapp", lambda item: item["metadata"]["labels"].update(team="shop"))

    cluster.before("patch", "Service", label)
    assert annotations(cluster).get(STAMP) is None
    lock_id = lock(cluster)["lock_id"]
    assert annotations(cluster)[STAMP] == lock_id


def test_a_service_that_never_holds_still_is_given_up(cluster: RecordedCluster) -> None:
    def label() -> None:
        cluster.touch("Service", "myapp", lambda item: item["metadata"]["labels"].update(n=str(len(cluster.requests))))

    cluster.before("patch", "Service", label, nth=None)
    assert failure(cluster).reason == "conflict"


def test_a_takeover_that_cannot_fence_the_idle_deployment_says_so(cluster: RecordedCluster) -> None:
    def note() -> None:
        cluster.touch(
            "Deployment",
            "app-green",
            lambda item: item["metadata"].setdefault("annotations", {}).update(n=str(len(cluster.requests))),
        )

    lock(cluster)
    cluster.before("patch", "Deployment", note, nth=None)
    error = failure(cluster, preempt=True)
    assert error.reason == "conflict"
    assert "keeps changing the idle Deployment" in str(error)


def test_check_mode_locks_nothing(clock: Clock) -> None:
    cluster = RecordedCluster(clock=clock, dry_run=True)
    assert "Would lock" in lock(cluster)["msg"]
    assert cluster.requests == []


def test_a_release_that_locked_shows_in_the_history(cluster: RecordedCluster) -> None:
    lock_id = lock(cluster, by="ann", version="2.0")["lock_id"]
    lock(cluster, state="released", lock_id=lock_id, outcome="aborted")
    (entry,) = recorded.run(current_color, cluster)["history"]
    assert (entry["outcome"], entry["switched_at"]) == ("aborted", None)


def test_a_lost_answer_to_the_create_does_not_lock_out_ourselves(cluster: RecordedCluster) -> None:
    def lost() -> None:
        raise PatchConflict("The API server refused 'create leases' (HTTP 409)", "conflict", 409)

    cluster.after("create", "Lease", lost)
    result = lock(cluster)
    assert spec(cluster)["holderIdentity"] == result["lock_id"]
    assert cluster.clock.now <= 1005, "nobody waits for a lock of one's own"


def taken_over(cluster: RecordedCluster) -> Any:
    """What lets another run take over, once."""
    winners: list[str] = []

    def take() -> None:
        if not winners:
            winners.append("")
            winners[0] = lock(cluster, by="bob", preempt=True)["lock_id"]

    return take, winners


def test_a_run_that_has_lost_the_lease_stamps_no_service_over_the_new_holder(cluster: RecordedCluster) -> None:
    take, winners = taken_over(cluster)
    cluster.before("patch", "Service", take)
    error = failure(cluster, by="ann")
    assert error.reason == "superseded"
    assert winners == [spec(cluster)["holderIdentity"]] == [annotations(cluster)[STAMP]]
    assert [entry["run"] for entry in history(cluster)] == winners


@pytest.mark.parametrize("verb", ["list", "patch"])
def test_nor_a_deployment(cluster: RecordedCluster, verb: str) -> None:
    """Between its stamps on the Services, which were another run's, and the one on the idle Deployment."""
    lock(cluster)
    take, winners = taken_over(cluster)
    seen = []

    def stamped() -> None:
        seen.append("")
        if len(seen) == (2 if verb == "list" else 1):  # of the readings, that for the Deployment's stamp
            take()

    cluster.before(verb, "Deployment", stamped, nth=None)
    assert failure(cluster, by="ann", preempt=True).reason == "superseded"
    assert annotations(cluster, "Deployment", "app-green")[STAMP] == winners[0]
    assert annotations(cluster)[STAMP] == winners[0]


@pytest.mark.parametrize("verb", ["list", "patch"])
def test_nor_a_job(cluster: RecordedCluster, verb: str) -> None:
    job = {"kind": "Job", "metadata": {"name": "migrate", "annotations": {JOB_OWNER: "myapp"}}}
    cluster.put(dict(job, spec={"suspend": True}))
    lock(cluster)
    take, winners = taken_over(cluster)
    cluster.before(verb, "Job", take)
    assert failure(cluster, by="ann", preempt=True).reason == "superseded"
    assert annotations(cluster, "Job", "migrate")[STAMP] == winners[0]


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_a_lease_that_refuses_every_write_is_given_up(cluster: RecordedCluster, verb: str) -> None:
    if verb == "patch":
        lock(cluster, state="released", lock_id=lock(cluster)["lock_id"])
    refused: list[str] = []

    def refuse() -> None:
        refused.append("")
        assert len(refused) < 50, "this goes round for ever"
        raise PatchConflict("The API server refused 'patch lease' (HTTP 409)", "conflict", 409)

    cluster.before(verb, "Lease", refuse, nth=None)
    error = failure(cluster)
    assert (error.reason, "HTTP 409" in str(error), LEASE in str(error)) == ("conflict", True, True)


def unwritable(cluster: RecordedCluster) -> None:
    def refuse() -> None:
        raise ApiError("The API server refused 'patch services' (HTTP 403)", "forbidden", 403)

    cluster.before("patch", "Service", refuse)


def test_a_lock_that_could_not_be_stamped_is_given_back(cluster: RecordedCluster) -> None:
    unwritable(cluster)
    assert failure(cluster, by="ann").reason == "forbidden"
    assert not spec(cluster)["holderIdentity"]
    assert lock(cluster, by="bob")["waited"] is False


def test_one_that_cannot_be_given_back_either_is_handed_on(cluster: RecordedCluster) -> None:
    def away() -> None:
        raise ApiError("The API server does not answer", "api_unreachable", 0)

    unwritable(cluster)
    cluster.before("patch", "Lease", away)
    error = failure(cluster, by="ann")
    assert (error.reason, error.result["lock_id"]) == ("forbidden", spec(cluster)["holderIdentity"])


def test_that_a_lock_cannot_be_given_back_is_a_warning(cluster: RecordedCluster) -> None:
    def away() -> None:
        raise ApiError("The API server does not answer", "api_unreachable", 0)

    lock_id = lock(cluster)["lock_id"]
    cluster.before("patch", "Lease", away)
    result = lock(cluster, state="released", lock_id=lock_id, outcome="released")
    assert [entry["outcome"] for entry in history(cluster)] == ["released"]
    assert (result["changed"], len(result["warnings"])) == (True, 1)
    assert "does not answer" in result["warnings"][0]


def test_a_lock_that_the_run_had_before_is_its_own_to_give_back(cluster: RecordedCluster) -> None:
    lock_id = lock(cluster)["lock_id"]
    unwritable(cluster)
    assert failure(cluster, lock_id=lock_id).result["lock_id"] == lock_id
    assert spec(cluster)["holderIdentity"] == annotations(cluster)[STAMP] == lock_id


def test_a_lock_is_renewed_while_it_is_stamped(cluster: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that is slow lets the stamps outlast the lease."""
    monkeypatch.setattr(_lease, "FIRST_RENEWAL", 0.01)
    renewed: list[str] = []
    arrived = threading.Event()

    def slow() -> None:
        began = spec(cluster)["renewTime"]
        while spec(cluster)["renewTime"] == began and not arrived.wait(0.01):
            pass
        renewed.append(spec(cluster)["renewTime"])

    cluster.before("patch", "Service", slow)
    timer = threading.Timer(20, arrived.set)
    timer.start()
    lock(cluster)
    timer.cancel()
    assert renewed and not arrived.is_set()
