# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The begin of a run: judged, read, planned, locked, put right, and planned once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import parse
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin as _begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color as _current_color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from following import BOTH, LEASE, STAMP, annotations, entry, following, half_way, held, history, leave, live, state
from recorded import Clock, RecordedCluster

ONLY_END = ["end", "fail"]


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    return following(clock, at="start")


@pytest.fixture
def two(clock: Clock) -> RecordedCluster:
    return following(clock, second=True)


def options(flow: str = "release", given: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The options; the settings by their short names."""
    settings = {"bluegreen_" + name: value for name, value in (given or {}).items()}
    return {"flow": flow, "settings": settings, "application": "shop", "directory": "/play", "version": "2.0", **more}


def begin(
    cluster: RecordedCluster, flow: str = "release", said: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    return {**_begin.RETURNS, **recorded.run(_begin, cluster, said, **options(flow, **more))}


def failure(cluster: RecordedCluster, flow: str = "release", **more: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        begin(cluster, flow, **more)
    return caught.value


def known(error: BlueGreenError) -> dict[str, Any]:
    """What the module would return."""
    return {**_begin.RETURNS, **error.result}


def names(steps: list[dict[str, Any]]) -> list[str]:
    return [step["name"] for step in steps]


def running(cluster: RecordedCluster) -> str:
    """Another run has the lock, as by bg_lock."""
    return recorded.run(_lock, cluster, by="ann", version="2.0")["lock_id"]


# --- nothing to do, or only a plan


@pytest.mark.parametrize("flow", ["release", "prepare", "promote"])
def test_what_is_live_already_is_left_alone(flow: str, cluster: RecordedCluster) -> None:
    result = begin(cluster, flow, version="1.0")
    assert cluster.writes == []
    assert (result.get("changed"), result["lock_id"], result["needed"]) == (None, None, False)
    assert names(result["steps"]) == ["end"]
    assert result["msg"] == "1.0 is live already."


def test_a_rollback_of_what_is_not_there_is_left_alone(clock: Clock) -> None:
    cluster = following(clock)
    leave(cluster, entry("r1", color="blue", from_color="green"))
    result = begin(cluster, "rollback", given={"rollback_from": '"3.0"'}, version=None)
    assert (cluster.writes, names(result["steps"])) == ([], ["end"])
    assert result["msg"] == "3.0 is neither live nor on its way: nothing is rolled back."


def test_a_retirement_that_is_not_due_is_left_alone(cluster: RecordedCluster) -> None:
    result = begin(cluster, "retire")
    assert (cluster.writes, names(result["steps"])) == ([], ["end"])
    assert result["retirement"]["due"] is False
    assert "no switch is recorded" in result["msg"]


def test_check_mode_plans_and_writes_nothing(clock: Clock) -> None:
    cluster = following(clock, at="start")
    cluster.dry_run = True
    result = begin(cluster)
    assert cluster.writes == []
    assert (result["lock_id"], result["needed"]) == (None, True)
    assert names(result["steps"]) == ["deploy", "wait", "switch", "scale_down", "end"]


# --- the lock


def test_whoever_has_something_to_do_has_the_lock(cluster: RecordedCluster) -> None:
    result = begin(cluster, by="ann", job="42")
    assert result["changed"] is True
    assert annotations(cluster)[STAMP] == result["lock_id"]
    assert cluster.one("Lease", LEASE)["spec"]["holderIdentity"] == result["lock_id"]
    (own,) = history(cluster)
    assert (own["run"], own["kind"], own["version"], own["by"], own["job"]) == (
        result["lock_id"],
        "release",
        "2.0",
        "ann",
        "42",
    )
    assert names(result["steps"]) == ["deploy", "wait", "switch", "scale_down", "end"]
    assert names(result["rescue"]) == ["revert", "end", "fail"]
    assert (result["color"], result["good_color"], result["version"], result["resumes"]) == (
        "green",
        "blue",
        "2.0",
        None,
    )
    assert (result["active_color"], result["is_live"], result["wanted_image"]) == ("blue", False, "myapp:2.0")
    assert (result["application"], result["directory"], result["waited"]) == ("shop", "/play", False)


def test_the_image_is_recorded_where_no_version_is_given(cluster: RecordedCluster) -> None:
    begin(cluster, version=None, given={"image": "myapp:3.0"})
    assert history(cluster)[0]["version"] == "myapp:3.0"


def test_the_stages_have_their_times(cluster: RecordedCluster) -> None:
    stages = begin(cluster)["stages"]
    assert list(stages) == ["detect", "lock"]
    assert stages["detect"]["active_color"] == "blue"
    assert stages["lock"]["holder"]
    assert all(stage["started_at"] <= stage["ended_at"] for stage in stages.values())


def test_a_run_that_lives_is_not_disturbed(cluster: RecordedCluster) -> None:
    held(cluster, alive=True)
    leave(cluster, entry("r1", switched_at=None, outcome="running"))
    error = failure(cluster)
    assert error.reason == "locked"
    assert known(error)["lock_id"] is None
    assert names(known(error)["rescue"]) == ONLY_END, "what the other run shows and has moved is its own"
    assert annotations(cluster)[STAMP] == "r1"


def test_it_is_waited_for_as_long_as_the_settings_say(cluster: RecordedCluster, clock: Clock) -> None:
    began = clock.now
    held(cluster, alive=True)
    assert failure(cluster, given={"lock_timeout": "60s"}).reason == "locked"
    assert clock.now - began == pytest.approx(60, abs=6)


def test_what_is_being_finished_by_another_run_is_not_this_ones(clock: Clock) -> None:
    """The release is live, and its run is at work on it."""
    cluster = following(clock, at="end")
    held(cluster, alive=True)
    leave(cluster, entry("r1", outcome="running"))
    error = failure(cluster)
    assert error.reason == "locked"
    assert known(error)["resumes"] is None


def test_a_schedule_does_not_wait_for_a_release(clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1", switched_at=_time.now()))
    held(cluster, "r2", alive=True)
    began = clock.now
    error = failure(cluster, "retire", given={"lock_timeout": "1h", "retire_after": "0"})
    assert error.reason == "locked"
    assert clock.now - began < 10


def test_a_rollback_that_completes_before_the_lock_is_seen_under_it(clock: Clock, tmp_path: Any) -> None:
    """Neither is the database contracted nor anything retired."""
    cluster = following(clock, at="end")
    leave(cluster, entry("r1", switched_at="2026-01-01T00:00:00.000Z"))

    def back() -> None:
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
        moved = {"kind": "rollback", "color": "blue", "from_color": "green", "switched_at": _time.now()}
        leave(cluster, entry("r2", **moved, outcome="rolled_back"), entry("r1", switched_at="2026-01-01T00:00:00.000Z"))

    cluster.before("create", "Lease", back)
    jobs = {name: f"{name}.yml" for name in ("expand", "contract")}
    for name in jobs.values():
        tmp_path.joinpath(name).write_text("{}")
    database = {"strategy": "expand_contract", **jobs}
    result = begin(cluster, "retire", directory=str(tmp_path), given={"retire_after": "1h", "database": database})
    assert (names(result["steps"]), result["retirement"]["due"]) == (["end"], False)


def test_a_retirement_leaves_no_entry(clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1", switched_at=_time.now()))
    result = begin(cluster, "retire", given={"retire_after": "0"})
    assert names(result["steps"]) == ["retire", "end"]
    assert annotations(cluster)[STAMP] == result["lock_id"]
    assert [item["run"] for item in history(cluster)] == ["r1"]


def test_a_dead_run_is_waited_for_and_the_plan_made_again(clock: Clock) -> None:
    """It has switched just before it died."""
    cluster = following(clock, at="start")
    held(cluster)
    leave(cluster, entry("r1", switched_at=None, outcome="running"))

    def move() -> None:
        for event in cluster.events():
            cluster.take(event)
        held(cluster)
        leave(cluster, entry("r1", outcome="running"))

    clock.at(10, move)
    said: list[str] = []
    result = begin(cluster, said=said)
    assert (result["waited"], result["active_color"], result["resumes"]) == (True, "green", "r1")
    assert result["good_color"] == "blue"
    assert names(result["steps"]) == ["scale_down", "end"]
    assert "2.0 is released to green; blue is live with 1.0." in said
    assert said[-1] == result["msg"] == "2.0 is live, but run r1 did not come to its end. It is finished."


def test_a_rollback_takes_over_at_once(clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r0"))
    first = running(cluster)
    began = clock.now
    result = begin(cluster, "rollback", version=None)
    assert clock.now == began
    assert result["waited"] is True
    assert annotations(cluster)[STAMP] == result["lock_id"] != first
    assert history(cluster)[0]["kind"] == "rollback"
    assert history(cluster)[0]["version"] is None
    assert (result["color"], result["version"]) == ("green", "2.0"), "the release that was running is given up"


def test_what_shall_be_undone_is_still_known_under_the_lock(clock: Clock) -> None:
    """The release was killed before its switch: there is something to give up, though it is not live."""
    cluster = following(clock)
    leave(cluster, entry("r1", switched_at=None, outcome="interrupted"))
    result = begin(cluster, "rollback", version=None, given={"rollback_from": "2.0"})
    assert (result["needed"], result["color"]) == (True, "blue")
    assert names(result["steps"]) == ["scale_down", "end"]


def test_what_another_run_has_undone_meanwhile_is_not_undone_again(clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1"))

    def undo() -> None:
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
        leave(
            cluster,
            entry("r2", kind="rollback", color="blue", from_color="green", version="1.0", outcome="rolled_back"),
        )

    cluster.before("create", "Lease", undo)
    result = begin(cluster, "rollback", version=None, given={"rollback_from": "2.0"})
    assert (result["needed"], names(result["steps"])) == (False, ["end"])
    assert result["lock_id"], "it is held, and given back at the end"


def test_an_error_under_the_lock_tells_whose_it_is_and_what_to_do(clock: Clock) -> None:
    cluster = following(clock, at="start")

    def lost() -> None:
        raise ApiError("The API server does not answer.", "api_unreachable", 0)

    cluster.before("list", "Deployment", lost, nth=2)  # the first one is before the lock
    error = failure(cluster)
    result = known(error)
    assert error.reason == "api_unreachable"
    assert result["lock_id"] == annotations(cluster)[STAMP]
    assert names(result["rescue"]) == ["revert", "end", "fail"]
    assert list(result["stages"]) == ["detect", "lock"]
    assert (result["good_color"], result["application"]) == ("blue", "shop")


def test_a_refusal_under_the_lock_too(clock: Clock) -> None:
    cluster = following(clock)
    cluster.before("create", "Lease", lambda: cluster.remove("Deployment", "app-green"))
    error = failure(cluster, version="3.0")
    assert error.reason == "not_found"
    assert known(error)["lock_id"] == annotations(cluster)[STAMP]


# --- a switch that was interrupted between two Services


@pytest.mark.parametrize("flow", ["release", "prepare"])
def test_it_is_undone_before_another_version_is_released(flow: str, two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="interrupted"))
    result = begin(two, flow, services=BOTH, version="3.0")
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["pending_color"], result["color"]) == (None, "green")


def test_it_is_undone_though_the_version_is_live(two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="interrupted"))
    result = begin(two, "prepare", services=BOTH, version="1.0", given={"preview_service": ""})
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["changed"], result["needed"]) == (True, True)


def test_it_is_undone_for_a_rollback_that_gives_it_up(two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="interrupted"))
    result = begin(two, "rollback", services=BOTH, version=None)
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["color"], names(result["steps"])) == ("blue", ["scale_down", "end"])


def test_a_way_back_goes_on(clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    half_way(
        two, entry("r2", kind="rollback", version=None, switched_at=None, outcome="interrupted"), entry("r1"), to="blue"
    )
    result = begin(two, "rollback", services=BOTH, version=None)
    assert [live(two, name) for name in BOTH] == ["green", "blue"], "nothing is moved here, and nothing back"
    assert (result["pending_color"], result["color"]) == ("blue", "blue")
    assert "switch_back" in names(result["steps"])


@pytest.fixture
def broken(clock: Clock) -> RecordedCluster:
    """Green is broken; a rollback has stopped after it had put the second Service on blue."""
    two = following(clock, at="end", second=True)
    back = entry("r2", kind="rollback", color=None, version=None, switched_at=None, outcome="interrupted")
    half_way(two, back, entry("r1"), to="blue", run="r2")
    return two


@pytest.mark.parametrize(
    "flow, version, color",
    [("release", "3.0", "green"), ("release", "1.0", "blue"), ("prepare", "3.0", "green"), ("promote", "1.0", "blue"),
     ("retire", None, "blue")],
)  # fmt: skip
def test_a_way_back_is_finished_whoever_comes(
    flow: str, version: str | None, color: str, broken: RecordedCluster
) -> None:
    seen: list[str] = []
    broken.after("patch", "Service", lambda: seen.append(live(broken, "myapp-internal")), nth=None)
    result = begin(broken, flow, services=BOTH, version=version)
    assert [live(broken, name) for name in BOTH] == ["blue", "blue"]
    assert set(seen) == {"blue"}, "nobody is moved to the broken color again"
    assert (result["pending_color"], result["active_color"], result["color"]) == (None, "blue", color)
    finished = next(item for item in history(broken) if item["run"] == "r2")
    assert (finished["outcome"], finished["color"], bool(finished["switched_at"])) == ("rolled_back", "blue", True)
    assert (finished["kind"], finished["by"] if "by" in finished else None) == ("rollback", None)
    own = [item for item in history(broken) if item["run"] == result["lock_id"]]
    assert [item["switched_at"] for item in own] == [None] * (flow != "retire")
    assert history(broken)[0]["run"] == (result["lock_id"] if own else "r2"), "its own way back must find it"
    assert state(broken)["intent"] is None


@pytest.mark.parametrize("outcome", ["interrupted", "failed"])
def test_so_is_the_way_back_of_a_release(outcome: str, clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    half_way(two, entry("r1", outcome=outcome), to="blue")
    result = begin(two, services=BOTH, version="3.0")
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["color"], result["active_color"]) == ("green", "blue")
    assert bool(history(two)[1]["reverted_at"])


def test_so_is_that_of_a_run_that_went_on_with_it(clock: Clock) -> None:
    """It has switched nothing itself."""
    two = following(clock, at="end", second=True)
    half_way(
        two,
        entry("r2", switched_at=None, outcome="failed"),
        entry("r1", outcome="failed"),
        to="blue",
        run="r2",
        reverts="r1",
    )
    begin(two, services=BOTH, version="3.0")
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert bool(history(two)[2]["reverted_at"])


def test_a_way_back_says_what_it_is(clock: Clock) -> None:
    """As the switch records it, of a run that went on with another one."""
    two = following(clock, at="end", second=True)
    held(two, "r2")
    leave(two, entry("r2", switched_at=None, outcome="running"), entry("r1", outcome="failed"))
    intents: list[Any] = []
    two.after("patch", "Service", lambda: intents.append(state(two)["intent"]))
    options = {"color": "blue", "services": BOTH, "lock_id": "r2", "reverts": "r1"}
    recorded.run(_switch, two, **options)
    assert [(item["run"], item["reverts"]) for item in intents] == [("r2", "r1")]


def test_a_way_back_that_cannot_be_finished_ends_the_run(broken: RecordedCluster) -> None:
    broken.touch("Deployment", "app-blue", lambda item: item["status"].update(readyReplicas=1, availableReplicas=1))
    for pod in broken.objects("Pod", "blue")[:2]:
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
    error = failure(broken, services=BOTH, version="3.0", given={"wait_timeout": "10s"})
    assert error.reason == "timeout"
    assert [live(broken, name) for name in BOTH] == ["green", "blue"]
    assert known(error)["lock_id"] == annotations(broken)[STAMP]


def test_a_plan_finishes_nothing(broken: RecordedCluster) -> None:
    broken.dry_run = True
    begin(broken, services=BOTH, version="3.0")
    assert broken.writes == []


@pytest.mark.parametrize("before", [[], [entry("r0", color="blue", from_color="green", previous_version="0.9")]])
@pytest.mark.parametrize("asked", [{}, {"rollback_from": "2.0"}])
@pytest.mark.parametrize("outcome", ["failed", "aborted", "interrupted"])
def test_a_rollback_undoes_the_switch_of_a_run_that_could_not(
    outcome: str, asked: dict[str, Any], before: list[dict[str, Any]], two: RecordedCluster
) -> None:
    """Its undo was refused, and the history says only that it has failed."""
    half_way(two, entry("r1", switched_at=None, outcome=outcome), *before)
    result = begin(two, "rollback", services=BOTH, version=None, given=asked)
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert (result["color"], result["needed"], names(result["steps"])) == ("blue", True, ["scale_down", "end"])
    assert result["rollback_to"]["color"] == "blue"


def test_a_rollback_goes_on_with_one_that_has_failed(clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    failed = entry("r2", kind="rollback", color=None, version=None, switched_at=None, outcome="failed")
    half_way(two, failed, entry("r1"), to="blue", run="r2")
    result = begin(two, "rollback", services=BOTH, version=None)
    assert (result["color"], result["version"], "switch_back" in names(result["steps"])) == ("blue", "1.0", True)


def test_a_rollback_goes_on_whatever_else_has_failed_since(clock: Clock) -> None:
    """Runs since then have moved nothing, and could not put it right."""
    two = following(clock, at="end", second=True)
    back = entry("r2", kind="rollback", color=None, version=None, switched_at=None, outcome="failed")
    half_way(two, entry("r3", switched_at=None, outcome="failed"), back, to="blue", run="r2")
    result = begin(two, "rollback", services=BOTH, version=None, given={"rollback_from": "9.9"})
    assert (result["color"], result["version"], "switch_back" in names(result["steps"])) == ("blue", "1.0", True)


def test_a_schedule_undoes_a_switch_that_stopped(two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="failed"))
    result = begin(two, "retire", services=BOTH)
    assert [live(two, name) for name in BOTH] == ["blue", "blue"]
    assert names(result["steps"]) == ["end"]


def test_what_cannot_be_undone_ends_the_run(two: RecordedCluster) -> None:
    half_way(two, entry("r1", switched_at=None, outcome="interrupted"))

    def forbidden() -> None:
        raise ApiError("The API server refused it (HTTP 403).", "forbidden", 403)

    two.before("patch", "Service", forbidden, nth=3)  # after both stamps
    error = failure(two, services=BOTH, version="3.0")
    assert error.reason == "forbidden"
    assert known(error)["lock_id"] == annotations(two)[STAMP]


def test_check_mode_undoes_nothing(two: RecordedCluster) -> None:
    half_way(two)
    two.dry_run = True
    result = begin(two, services=BOTH)
    assert (two.writes, result["pending_color"]) == ([], "green")


# --- promote


def prepared(cluster: RecordedCluster) -> dict[str, Any]:
    """Green was prepared by run r1."""
    found = recorded.run(_current_color, cluster)["colors"]["green"]
    note = {"color": "green", "template_hash": found["template_hash"]}
    leave(cluster, entry("r1", color=None, from_color=None, switched_at=None, outcome="prepared", prepared=note))
    return {**note, "run": "r1", "version": "2.0"}


@pytest.mark.parametrize("approved", [None, {}, {"run": "r1", "version": "2.0"}])
def test_what_was_prepared_is_promoted(approved: Any, clock: Clock) -> None:
    cluster = following(clock)
    note = prepared(cluster)
    result = begin(cluster, "promote", approved=approved)
    assert names(result["steps"]) == ["wait", "switch", "scale_down", "end"]
    (switch,) = [step for step in result["steps"] if step["name"] == "switch"]
    assert switch["template_hash"] == note["template_hash"]


@pytest.mark.parametrize(
    "what, approved, version",
    [
        ("another run", {"run": "r0", "version": "2.0"}, "2.0"),
        ("another version", {"run": "r1"}, "3.0"),
    ],
)
def test_anything_else_is_not(what: str, approved: Any, version: str, clock: Clock) -> None:
    cluster = following(clock)
    prepared(cluster)
    error = failure(cluster, "promote", approved=approved, version=version)
    assert (error.reason, cluster.writes) == ("not_prepared", [])
    assert known(error)["active_color"] == "blue"


def test_nothing_was_prepared(clock: Clock) -> None:
    cluster = following(clock)
    assert failure(cluster, "promote").reason == "not_prepared"


def test_force_promotes_nothing_that_was_not_prepared(cluster: RecordedCluster) -> None:
    """1.0 is live and idle; nobody has approved of the idle pods."""
    assert failure(cluster, "promote", version="1.0", given={"force": True}).reason == "not_prepared"
    assert cluster.writes == []


def test_it_is_looked_at_again_under_the_lock(clock: Clock) -> None:
    cluster = following(clock)
    prepared(cluster)

    def change(item: dict[str, Any]) -> None:
        item["spec"]["template"]["spec"]["containers"][0].setdefault("env", []).append({"name": "A", "value": "1"})

    cluster.before("create", "Lease", lambda: cluster.touch("Deployment", "app-green", change))
    error = failure(cluster, "promote")
    assert error.reason == "not_prepared"
    assert known(error)["lock_id"] == annotations(cluster)[STAMP]


# --- refusals before anything is asked


def test_all_mistakes_at_once_and_no_request(cluster: RecordedCluster) -> None:
    error = failure(cluster, given={"check": [], "bake_time": "soon", "idle_replicas": -1})
    assert error.reason == "bad_input"
    assert len(error.why) == 3
    assert cluster.requests == []
    assert known(error)["application"] == "shop"
    assert names(known(error)["rescue"]) == ONLY_END


@pytest.mark.parametrize("flow", ["release", "prepare", "promote"])
def test_a_version_that_is_a_number(flow: str, cluster: RecordedCluster) -> None:
    for given in ({"version": 1.1}, {"version": None, "given": {"version": 1.1}}):
        error = failure(cluster, flow, **given)
        assert (error.reason, cluster.writes) == ("bad_input", [])
        assert "must be a string" in error.what


@pytest.mark.parametrize("flow", ["rollback", "retire"])
def test_it_is_not_in_the_way_of_those_who_need_no_version(flow: str, clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1", switched_at=_time.now()))
    assert begin(cluster, flow, version=3, given={"retire_after": "0"})["lock_id"]


def test_a_rollback_to_a_number(cluster: RecordedCluster) -> None:
    error = failure(cluster, "rollback", version=1.0)
    assert (error.reason, "must be a string" in error.what) == ("bad_input", True)


@pytest.mark.parametrize(
    "settings, version, expected",
    [
        ({"version": "2.0"}, "3.0", "2.0"),
        ({"version": ""}, "2.0", "2.0"),
        ({"version": None}, "2.0", "2.0"),
        ({"version": '"2.0"'}, None, "2.0"),
        ({}, '"2.0"', "2.0"),
        ({}, "2.0", "2.0"),
    ],
)
def test_the_version(settings: Any, version: Any, expected: str, cluster: RecordedCluster) -> None:
    assert begin(cluster, given=settings, version=version)["version"] == expected


@pytest.mark.parametrize("version", [None, "", '""'])
def test_no_version(version: Any, cluster: RecordedCluster) -> None:
    assert "No version was given" in failure(cluster, version=version).what


def test_a_missing_deployment(cluster: RecordedCluster) -> None:
    cluster.remove("Deployment", "app-green")
    assert failure(cluster).reason == "not_found"
    assert begin(cluster, given={"create_missing": "yes"})["lock_id"]


def test_tasks_of_the_users_may_make_it(cluster: RecordedCluster, tmp_path: Any) -> None:
    cluster.remove("Deployment", "app-green")
    tmp_path.joinpath("own.yml").write_text("[]")
    result = begin(cluster, directory=str(tmp_path), given={"deploy_tasks": "own.yml"})
    assert names(result["steps"])[:2] == ["deploy_tasks", "deploy"]


@pytest.mark.parametrize(
    "flow, asked", [("release", True), ("prepare", True), ("promote", True), ("rollback", False), ("retire", False)]
)
def test_a_preview_that_is_not_there(flow: str, asked: bool, clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1"))
    call = {"version": "2.0", "given": {"preview_service": "myapp-preview"}}
    if asked:
        assert "myapp-preview" in failure(cluster, flow, **call).what
    else:
        begin(cluster, flow, **call)


def test_nothing_to_roll_back(cluster: RecordedCluster) -> None:
    error = failure(cluster, "rollback", version="0.9")
    assert (error.reason, cluster.writes) == ("nothing_to_roll_back", [])


def test_a_contracted_database(clock: Clock, tmp_path: Any) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1"), contracted={"version": "2.0", "at": "2026-01-02T00:00:00Z"})
    error = failure(cluster, "rollback", version=None)
    assert (error.reason, cluster.writes) == ("contracted", [])
    assert begin(cluster, "rollback", version=None, given={"rollback_contracted": True})["color"] == "blue"


def test_what_endangers_the_release_is_said_before_anything_is_written(cluster: RecordedCluster) -> None:
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(sessionAffinity="ClientIP"))
    writes: list[int] = []
    cluster.warn = lambda text: writes.append(len(cluster.writes))  # type: ignore[method-assign]
    begin(cluster)
    assert writes and set(writes) == {0}


# --- the configuration of the version

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {LEVEL: LEVEL_HERE}\n"
PASSWORD = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {PASSWORD: correct-horse}\n"


def rendered(blue: str, green: str, more: str = "") -> str:
    """As the action hands it over: what the files hold on each color."""
    texts = {"blue": blue, "green": green}
    return json.dumps({color: {"a.yml": SETTINGS.replace("LEVEL_HERE", text) + more} for color, text in texts.items()})


def configured(cluster: RecordedCluster, color: str, level: str) -> None:
    """Let a color have what an earlier version has written; only its own name of a level that is empty."""
    items = parse(json.dumps({"a": SETTINGS.replace("LEVEL_HERE", level)}), "myapp") if level else []
    name = items[0]["metadata"]["name"] if items else "settings"
    pod = cluster.one("Deployment", f"app-{color}")["spec"]["template"]["spec"]
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": name}}]


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "a.yml").write_text("")
    return {"given": {"config": ["a.yml"]}, "directory": str(tmp_path)}


# what live has, what this version has on blue and green, flow, version -> whether there is something to do
RECONFIGURED = [
    ("one", ("one", "one"), "release", "1.0", False),
    ("one", ("two", "two"), "release", "1.0", True),
    ("", ("one", "one"), "release", "1.0", True),
    ("blue", ("blue", "green"), "release", "1.0", False),  # each color has another one
    ("one", ("one", "one"), "release", "2.0", True),
    ("one", ("two", "two"), "prepare", "1.0", True),
    ("one", ("one", "one"), "prepare", "1.0", False),
    ("one", ("two", "two"), "promote", "1.0", False),  # nothing is prepared
]


@pytest.mark.parametrize("live, texts, flow, version, needed", RECONFIGURED)
def test_a_changed_configuration_alone_is_a_release(
    live: str,
    texts: tuple[str, str],
    flow: str,
    version: str,
    needed: bool,
    config: dict[str, Any],
    cluster: RecordedCluster,
) -> None:
    configured(cluster, "blue", live)
    result = begin(cluster, flow, version=version, config=rendered(*texts), **config)
    assert result["needed"] is needed
    assert result["is_live"] is not needed
    if needed and version == "1.0":
        assert result["reconfigured"] == ["ConfigMap settings"]
        assert "The configuration differs: ConfigMap settings." in result["msg"]
    assert ("config" in names(result["steps"])) is needed


@pytest.mark.parametrize("level, needed", [("one", False), ("two", True)])
def test_promoted_is_the_configuration_that_was_prepared(
    level: str, needed: bool, config: dict[str, Any], cluster: RecordedCluster
) -> None:
    configured(cluster, "blue", "one")
    configured(cluster, "green", level)
    wanted = template_hash(cluster.one("Deployment", "app-green"))
    prepared = {"color": "green", "template_hash": wanted}
    leave(cluster, entry("r1", version="1.0", switched_at=None, outcome="prepared", prepared=prepared))
    result = begin(cluster, "promote", version="1.0", config=rendered("three", "three"), **config)
    assert result["needed"] is needed
    assert [step.get("template_hash") for step in result["steps"]][:1] == ([wanted] if needed else [None])


@pytest.mark.parametrize("color, given", [("blue", {}), ("green", {"template": "idle"})])
def test_what_no_pod_would_get_is_refused_before_anything(
    color: str, given: dict[str, Any], config: dict[str, Any], cluster: RecordedCluster
) -> None:
    config["given"].update(given)
    error = failure(cluster, config=rendered("one", "one"), **config)
    assert f"Nothing in app-{color} refers to ConfigMap settings of bluegreen_config." in error.what
    assert cluster.writes == []
    configured(cluster, color, "")
    assert begin(cluster, config=rendered("one", "one"), **config)["needed"] is True


def test_what_deploys_is_asked_where_it_brings_a_template_of_its_own(
    config: dict[str, Any], cluster: RecordedCluster
) -> None:
    config["given"].update(manifest="green.yml.j2")
    assert begin(cluster, config=rendered("one", "one"), **config)["needed"] is True


def test_mistakes_in_it_are_refused_before_anything(config: dict[str, Any], cluster: RecordedCluster) -> None:
    error = failure(cluster, config=rendered("one", "7"), **config)
    assert error.reason == "bad_input"
    assert cluster.writes == []


def test_secrets_in_it_are_hidden(config: dict[str, Any]) -> None:
    params = recorded.parameters(_begin, **options(config=rendered("a", "b", "---\n" + PASSWORD)))
    assert "correct-horse" in _begin.secrets(params)
