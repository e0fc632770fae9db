# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scaling a color that is not live."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import scale as _scale
from following import entry, held, leave
from recorded import Clock, RecordedCluster


def scale(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_scale, cluster, said, **options)


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        scale(cluster, **options)
    return caught.value


def replicas(cluster: RecordedCluster) -> tuple[int, int]:
    blue, green = (cluster.one("Deployment", name) for name in ("app-blue", "app-green"))
    return blue["spec"]["replicas"], green["spec"]["replicas"]


def switch(cluster: RecordedCluster, color: str) -> None:
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version=color))


@pytest.mark.parametrize("wanted", [0, 2, 5])
def test_the_idle_color_gets_the_number_zero_included(wanted: int) -> None:
    cluster = RecordedCluster()
    result = scale(cluster, replicas=wanted)
    assert replicas(cluster) == (3, wanted)
    assert (result["changed"], result["color"]) == (True, "green")
    assert (result["replicas"], result["previous_replicas"]) == (wanted, 1)
    assert result["diff"]["before"] == {"replicas": 1}
    assert result["diff"]["after"] == {"replicas": wanted}
    (write,) = cluster.writes
    tested = {operation["path"]: operation["value"] for operation in write.body if operation["op"] == "test"}
    assert tested["/spec/replicas"] == 1
    assert "/metadata/uid" in tested


def test_a_number_that_is_there_already_only_reads() -> None:
    cluster = RecordedCluster()
    result = scale(cluster, replicas=1, delay=3600)
    assert (result["changed"], result["replicas"], result["previous_replicas"]) == (False, 1, 1)
    assert cluster.writes == []


def test_nothing_is_waited_for_when_there_is_nothing_to_do(clock: Clock) -> None:
    began = clock.now
    scale(RecordedCluster(clock=clock), replicas=1, delay=3600)
    assert clock.now == began


def test_the_live_color_is_refused() -> None:
    cluster = RecordedCluster()
    error = failure(cluster, replicas=0, color="blue")
    assert error.reason == "live"
    assert "blue is live: scaling it is refused." in str(error)
    assert cluster.writes == []


def test_the_color_that_was_live_keeps_its_pods_for_the_delay(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    began, said = clock.now, []
    written: list[float] = []
    cluster.before("patch", "Deployment", lambda: written.append(clock.now - began))
    scale(cluster, said, color="blue", replicas=1, delay="30s")
    assert replicas(cluster) == (1, 3)
    assert written == [pytest.approx(30)]
    assert any("blue keeps its 3 pods for 30 s more" in line for line in said)


def test_a_delay_of_zero_means_now(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    began = clock.now
    scale(cluster, color="blue", replicas=0, delay=0)
    assert clock.now == began
    assert replicas(cluster) == (0, 3)


def test_a_color_that_became_live_during_the_delay_is_refused(clock: Clock) -> None:
    """Somebody has rolled back while the old color waited for its end."""
    cluster = RecordedCluster(at="end", clock=clock)
    clock.at(20, lambda: switch(cluster, "blue"))
    error = failure(cluster, color="blue", replicas=1, delay=30)
    assert error.reason == "live"
    assert replicas(cluster) == (3, 3)
    assert cluster.writes == []


def test_without_a_color_the_one_that_is_idle_after_the_delay_is_scaled(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock)
    clock.at(20, lambda: switch(cluster, "blue"))
    assert scale(cluster, replicas=1, delay=30)["color"] == "green"
    assert replicas(cluster) == (3, 1)


def test_a_negative_number_is_refused() -> None:
    cluster = RecordedCluster()
    error = failure(cluster, replicas=-1)
    assert error.reason == "bad_input"
    assert "replicas must be 0 or more, not -1" in str(error)
    assert cluster.requests == []


def test_an_autoscaler_meanwhile_is_read_again() -> None:
    cluster = RecordedCluster()

    def autoscale() -> None:
        cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=4))

    cluster.before("patch", "Deployment", autoscale)
    assert scale(cluster, replicas=0)["previous_replicas"] == 4
    assert replicas(cluster) == (3, 0)


def test_an_autoscaler_without_end_is_given_up() -> None:
    cluster = RecordedCluster()
    numbers = iter(range(10, 1000))

    def autoscale() -> None:
        cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=next(numbers)))

    cluster.before("patch", "Deployment", autoscale, nth=None)
    error = failure(cluster, replicas=0)
    assert error.reason == "conflict"
    assert "keeps changing Deployment app-green" in str(error)
    assert 2 <= len(cluster.writes) <= 10


def test_another_deployment_of_the_same_name_is_not_scaled() -> None:
    """Deleted and created anew between reading and writing."""
    cluster = RecordedCluster()
    cluster.before("patch", "Deployment", lambda: cluster.touch("Deployment", "app-green", _another))
    scale(cluster, replicas=0)
    assert len(cluster.writes) == 2, "the first write must have been refused"


def _another(item: dict[str, Any]) -> None:
    item["metadata"]["uid"] = "another"


def test_check_mode_waits_for_nothing_and_sends_a_dry_run(clock: Clock) -> None:
    cluster = RecordedCluster(at="end", clock=clock, dry_run=True)
    began = clock.now
    result = scale(cluster, color="blue", replicas=1, delay=30)
    assert clock.now == began
    assert (result["changed"], "would" in result["msg"]) == (True, True)
    assert [write.dry_run for write in cluster.writes] == [True]
    assert replicas(cluster) == (3, 3)


def test_check_mode_believes_in_a_switch_that_was_only_planned() -> None:
    cluster = RecordedCluster(at="ready", dry_run=True)
    assert scale(cluster, color="blue", replicas=1, assume_active="green")["changed"] is True
    for refused in (
        {"color": "green", "assume_active": "green"},  # it would be live by then
        {"color": "blue"},  # nothing was planned
    ):
        with pytest.raises(BlueGreenError, match="is live"):
            scale(RecordedCluster(at="ready", dry_run=True), replicas=1, **refused)
    with pytest.raises(BlueGreenError, match="blue is live"):
        scale(RecordedCluster(at="ready"), color="blue", replicas=1, assume_active="green")


def test_another_runs_lock_is_respected() -> None:
    cluster = RecordedCluster()
    key = "bluegreen.kubernetes/lock-id"
    cluster.touch(
        "Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({key: "theirs"})
    )
    assert failure(cluster, replicas=0).reason == "locked"
    assert failure(cluster, replicas=0, lock_id="ours").reason == "superseded"
    assert cluster.writes == []


# --- the live color is looked at once more

OWN = "own"


def _release(clock: Clock, **known: Any) -> RecordedCluster:
    """The release of green is under way: it has switched, and is about to scale blue down."""
    cluster = RecordedCluster(at="end", clock=clock)
    held(cluster, OWN)
    leave(cluster, entry(OWN, **{"outcome": "running", "restarts": 1, **known}))
    _restarts(cluster, 1)  # it has crashed once while it started
    return cluster


def _restarts(cluster: RecordedCluster, count: int) -> None:
    cluster.objects("Pod", "green")[0]["status"]["containerStatuses"][0]["restartCount"] = count


def _ready(cluster: RecordedCluster, status: str) -> None:
    for pod in cluster.objects("Pod", "green"):
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = status


def down(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return scale(cluster, **{"color": "blue", "replicas": 1, "delay": 30, "lock_id": OWN, **options})


def kept(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        down(cluster, **options)
    assert (cluster.writes, replicas(cluster)) == ([], (3, 3))
    assert caught.value.reason == "not_ready"
    return caught.value


def test_a_live_color_that_is_well_is_believed(clock: Clock) -> None:
    cluster = _release(clock)
    began = clock.now
    down(cluster)
    assert (replicas(cluster), clock.now - began) == ((1, 3), pytest.approx(30))


def test_one_that_broke_in_the_delay_is_not_left_alone(clock: Clock) -> None:
    cluster = _release(clock)
    clock.at(20, lambda: _ready(cluster, "False"))
    error = kept(cluster)
    assert "green is live, but 0 of the 3 pods that it needs are ready: blue keeps its 3 pods." in str(error)
    assert "pod app-green-" in str(error)


@pytest.mark.parametrize("how", ["restarted", "not ready"])
def test_the_delay_is_not_waited_for_when_the_live_color_breaks(how: str, clock: Clock) -> None:
    """The way back begins in seconds, and users have nobody until then."""
    cluster = _release(clock)
    clock.at(2, lambda: _restarts(cluster, 2) if how == "restarted" else _ready(cluster, "False"))
    began = clock.now
    kept(cluster, delay=300)
    assert clock.now - began < 15


def test_but_it_is_when_that_was_nothing(clock: Clock) -> None:
    cluster = _release(clock)
    clock.at(2, lambda: _ready(cluster, "False"))
    clock.at(4, lambda: _ready(cluster, "True"))
    began = clock.now
    down(cluster)
    assert (replicas(cluster), clock.now - began) == ((1, 3), pytest.approx(30))


def test_a_rollback_does_not_look(clock: Clock) -> None:
    cluster = _release(clock, kind="rollback")
    _ready(cluster, "False")
    down(cluster)
    assert "Pod" not in [request.kind for request in cluster.requests]
    assert [request.kind for request in cluster.requests].count("Deployment") == 3, "read twice, written once"


def test_one_that_comes_back_at_once_is_well(clock: Clock) -> None:
    """A node is drained, and the pod's successor is about to be ready."""
    cluster = _release(clock)
    clock.at(28, lambda: _ready(cluster, "False"))
    clock.at(33, lambda: _ready(cluster, "True"))
    down(cluster)
    assert replicas(cluster) == (1, 3)


def test_one_that_has_restarted_since_the_switch(clock: Clock) -> None:
    cluster = _release(clock)
    clock.at(10, lambda: _restarts(cluster, 2))
    assert "green is live, but its pods have restarted since the switch (1 time): blue keeps its 3 pods." in str(
        kept(cluster)
    )


def test_one_that_is_gone(clock: Clock) -> None:
    cluster = _release(clock)
    cluster.remove("Deployment", "app-green")
    for pod in cluster.objects("Pod", "green"):
        cluster.remove("Pod", pod["metadata"]["name"])
    with pytest.raises(BlueGreenError, match="0 of the 3 pods that it needs are ready"):
        down(cluster)
    assert cluster.writes == []


def test_the_release_that_another_run_finishes(clock: Clock) -> None:
    cluster = _release(clock)
    leave(
        cluster, entry(OWN, switched_at=None, color=None, outcome="running"), entry("r1", outcome="failed", restarts=0)
    )
    assert "have restarted since the switch" in str(kept(cluster))


def test_a_release_that_only_tidies_up_asks_for_strength_and_not_for_old_restarts(clock: Clock) -> None:
    cluster = _release(clock)
    leave(cluster, entry(OWN, switched_at=None, color=None, outcome="running"), entry("r1", restarts=0))
    down(cluster, replicas=2)
    _ready(cluster, "False")
    with pytest.raises(BlueGreenError, match="0 of the 3 pods"):
        down(cluster)


@pytest.mark.parametrize(
    ("entries", "options"),
    [
        ([entry(OWN, kind="rollback", outcome="running", restarts=0)], {}),
        ([entry(OWN, outcome="switched", restarts=0)], {"lock_id": None}),
        ([], {"lock_id": None}),
    ],
)
def test_only_a_release_is_told_by_its_error_to_go_back(
    entries: list[dict[str, Any]], options: dict[str, Any], clock: Clock
) -> None:
    """A rollback has nowhere to go, and who scales without a lock may have other reasons."""
    cluster = RecordedCluster(at="end", clock=clock)
    if options.get("lock_id", OWN):
        held(cluster, OWN)
    leave(cluster, *entries)
    _restarts(cluster, 1)
    _ready(cluster, "False")
    down(cluster, **options)
    assert replicas(cluster) == (1, 3)


def test_what_older_versions_have_recorded_says_nothing_of_restarts(clock: Clock) -> None:
    cluster = _release(clock)
    leave(cluster, entry(OWN, outcome="running"))
    down(cluster)
    assert replicas(cluster) == (1, 3)


def test_pods_that_an_autoscaler_has_just_asked_for_are_not_missing(clock: Clock) -> None:
    cluster = _release(clock)
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=5))
    down(cluster)
    assert replicas(cluster) == (1, 5)


def test_fewer_are_enough_if_fewer_are_asked_for_by_now(clock: Clock) -> None:
    cluster = _release(clock)
    for pod in cluster.objects("Pod", "green")[1:]:
        cluster.remove("Pod", pod["metadata"]["name"])
    with pytest.raises(BlueGreenError, match="1 of the 3 pods"):
        down(cluster)
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=1))
    down(cluster)
    assert replicas(cluster) == (1, 1)


def test_a_way_back_meanwhile_is_what_is_told(clock: Clock) -> None:
    cluster = _release(clock)
    clock.at(20, lambda: switch(cluster, "blue"))
    for pod in cluster.objects("Pod", "blue"):
        pod["status"]["conditions"] = []
    with pytest.raises(BlueGreenError, match="blue is live: scaling it is refused"):
        down(cluster)


def test_to_scale_up_needs_nobody(clock: Clock) -> None:
    cluster = _release(clock)
    _ready(cluster, "False")
    down(cluster, replicas=5)
    assert replicas(cluster) == (5, 3)
