# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CronJobs: the only one has the live color's images, of two the live one works, and takes over what the other one has run."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import (
    begin,
    current_color,
    follow,
    lock,
    retire,
    scale,
)
from recorded import RecordedCluster, switched

RESTS = "bluegreen.kubernetes/rests"
LOCK_ID = "bluegreen.kubernetes/lock-id"
CRON = "CronJob"
MADE = "2026-01-01T00:00:30Z"
Object = dict[str, Any]


def repository(cluster: RecordedCluster) -> str:
    return image_of(cluster, "blue").rpartition(":")[0]


def image_of(cluster: RecordedCluster, color: str) -> str:
    return cluster.one("Deployment", f"app-{color}")["spec"]["template"]["spec"]["containers"][0]["image"]


def cron_job(name: str, *images: str, last: str = "", suspend: bool | None = False, rests: bool = False) -> Object:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    template = {"spec": {"template": {"spec": {"containers": containers}}}}
    return {
        "kind": CRON,
        "metadata": {"name": name, "creationTimestamp": MADE, "annotations": {RESTS: "true"} if rests else {}},
        "spec": {
            "schedule": "* * * * *",
            **({} if suspend is None else {"suspend": suspend}),
            "jobTemplate": template,
        },
        "status": {"lastScheduleTime": last} if last else {},
    }


def job(owner: str, name: str, image: str = "myapp:1.0", ended: str = "", made: str = "2026-01-01T00:09:01Z") -> Object:
    return {
        "kind": "Job",
        "metadata": {
            "name": name,
            "creationTimestamp": made,
            "ownerReferences": [{"kind": CRON, "name": owner, "uid": f"uid-of-{owner}"}],
        },
        "spec": {"template": {"spec": {"containers": [{"name": "c0", "image": image}]}}},
        "status": {"conditions": [{"type": ended, "status": "True"}] if ended else []},
    }


def cluster_with(*items: Object, live: str = "blue", base: RecordedCluster | None = None) -> RecordedCluster:
    cluster = base or RecordedCluster(at="ready")
    for item in items:
        cluster.put(item)
    if live != "blue":
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version=live))
    return cluster


def run(cluster: RecordedCluster, stage: str, **options: Any) -> Object:
    return recorded.run(follow, cluster, stage=stage, cronjobs=["nightly"], **options)


def images(cluster: RecordedCluster, name: str = "nightly") -> list[str]:
    spec = cluster.one(CRON, name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return [item["image"] for item in spec["containers"]]


# --- one


def test_the_only_one_has_the_images_of_what_is_live_and_gets_them_back() -> None:
    cluster = RecordedCluster(at="ready")
    old, new, other = image_of(cluster, "blue"), image_of(cluster, "green"), "busybox:1"
    assert old != new
    cluster_with(cron_job("nightly", old, other), base=cluster)
    before = cluster.one(CRON, "nightly")["spec"]
    assert not run(cluster, "deploy", color="green")["changed"]
    assert not run(cluster, "switch")["changed"]
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    assert run(cluster, "switch")["changed"]
    assert images(cluster) == [new, other]
    assert not run(cluster, "scale_down")["changed"]
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
    run(cluster, "switch")
    assert cluster.one(CRON, "nightly")["spec"] == before


def test_what_somebody_has_changed_meanwhile_stays() -> None:
    cluster = RecordedCluster(at="ready")
    cluster_with(cron_job("nightly", image_of(cluster, "green")), base=cluster)

    def set_env(item: Object) -> None:
        spec = item["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        spec["containers"][0]["env"] = [{"name": "A", "value": "b"}]

    cluster.touch(CRON, "nightly", set_env)
    run(cluster, "switch")  # blue is live
    (container,) = cluster.one(CRON, "nightly")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "c0", "image": image_of(cluster, "blue"), "env": [{"name": "A", "value": "b"}]}


def test_an_init_container_follows_as_well() -> None:
    cluster = RecordedCluster(at="ready")
    item = cron_job("nightly", "busybox:1")
    spec = item["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    spec["initContainers"] = [{"name": "wait", "image": image_of(cluster, "green")}]
    cluster_with(item, base=cluster)
    run(cluster, "switch")
    found = cluster.one(CRON, "nightly")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert found["initContainers"][0]["image"] == image_of(cluster, "blue")


def test_a_version_that_comes_from_another_repository_is_followed_and_left() -> None:
    cluster = RecordedCluster(at="ready")
    old, new = image_of(cluster, "blue"), "mirror.example/else:2.0"

    def moved(item: Object) -> None:
        item["spec"]["template"]["spec"]["containers"][0]["image"] = new

    cluster.touch("Deployment", "app-green", moved)
    cluster_with(cron_job("nightly", old), live="green", base=cluster)
    run(cluster, "switch")
    assert images(cluster) == [new]
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
    run(cluster, "switch")
    assert images(cluster) == [old]


@pytest.mark.parametrize("version", [None, "9.9"])
def test_a_plan_shows_the_image_that_was_only_planned(version: str | None) -> None:
    cluster = RecordedCluster(at="ready")
    cluster_with(cron_job("nightly", image_of(cluster, "blue")), base=cluster)
    cluster.dry_run = True
    result = run(cluster, "switch", color="green", version=version)
    (change,) = result["diff"]["after"]["CronJob nightly"].values()
    assert change == (f"{repository(cluster)}:9.9" if version else image_of(cluster, "green"))
    assert images(cluster) == [image_of(cluster, "blue")]


def test_a_plan_says_it_once() -> None:
    cluster = RecordedCluster(at="ready")
    cluster_with(cron_job("nightly", image_of(cluster, "blue")), base=cluster)
    cluster.dry_run = True
    result = recorded.run(scale, cluster, replicas=1, assume_active="green", cronjobs=["nightly"])
    assert "CronJob" not in str(result["diff"])


# --- two

WORKS, RESTING, OFF = {"suspend": False}, {"suspend": True, "rests": True}, {"suspend": True}
ABSENT = {"suspend": None}
FRESH = {"suspend": False, "rests": True}  # somebody has applied his file again

# blue, green; the stage, when green is live but for deploy; what becomes of blue and green
TURNS = [
    ("deploy", WORKS, OFF, WORKS, RESTING),
    ("deploy", WORKS, WORKS, WORKS, RESTING),
    ("deploy", ABSENT, ABSENT, ABSENT, RESTING),
    ("deploy", WORKS, RESTING, WORKS, RESTING),
    ("deploy", OFF, OFF, OFF, RESTING),
    ("deploy", RESTING, OFF, RESTING, OFF),  # a run was killed: what is off must be known to be
    ("deploy", RESTING, WORKS, RESTING, WORKS),
    ("deploy", OFF, WORKS, OFF, WORKS),  # somebody has switched by hand
    ("switch", WORKS, RESTING, RESTING, WORKS),
    ("switch", ABSENT, RESTING, RESTING, WORKS),
    ("switch", FRESH, RESTING, RESTING, WORKS),
    ("switch", WORKS, OFF, RESTING, WORKS),  # nobody has prepared it
    ("switch", WORKS, WORKS, RESTING, WORKS),
    ("switch", RESTING, RESTING, RESTING, WORKS),  # a run was killed in between
    ("switch", RESTING, WORKS, RESTING, WORKS),
    ("switch", OFF, RESTING, OFF, OFF),  # somebody has suspended the live one
    ("switch", OFF, OFF, OFF, OFF),
    ("switch", RESTING, OFF, RESTING, OFF),
    ("switch", OFF, WORKS, OFF, WORKS),
    ("scale_down", WORKS, RESTING, RESTING, WORKS),
    ("scale_down", RESTING, RESTING, RESTING, WORKS),
    ("scale_down", OFF, RESTING, OFF, OFF),
    ("scale_down", RESTING, WORKS, RESTING, WORKS),
]


def pair(blue: Object, green: Object, live: str = "blue", last: dict[str, str] | None = None) -> RecordedCluster:
    last = last or {}
    cluster = RecordedCluster(at="ready")
    return cluster_with(
        cron_job("nightly-blue", image_of(cluster, "blue"), last=last.get("blue", ""), **blue),
        cron_job("nightly-green", image_of(cluster, "blue"), last=last.get("green", ""), **green),
        live=live,
        base=cluster,
    )


def state(cluster: RecordedCluster, color: str) -> Object:
    item = cluster.one(CRON, f"nightly-{color}")
    found = {"suspend": item["spec"].get("suspend")}
    return {**found, "rests": True} if RESTS in item["metadata"]["annotations"] else found


@pytest.mark.parametrize(("stage", "blue", "green", "blue_then", "green_then"), TURNS)
def test_who_works(stage: str, blue: Object, green: Object, blue_then: Object, green_then: Object) -> None:
    live = "blue" if stage == "deploy" else "green"
    cluster = pair(blue, green, live)
    result = run(cluster, stage)
    assert (state(cluster, "blue"), state(cluster, "green")) == (blue_then, green_then)
    assert result["changed"] is bool(cluster.writes)
    if stage != "deploy" and green_then == WORKS:
        assert images(cluster, "nightly-green") == [image_of(cluster, "green")]
    assert images(cluster, "nightly-blue") == [image_of(cluster, "blue")]
    assert not run(cluster, stage)["changed"]


@pytest.mark.parametrize(("stage", "blue", "green", "blue_then", "green_then"), TURNS)
def test_a_plan_shows_the_same(stage: str, blue: Object, green: Object, blue_then: Object, green_then: Object) -> None:
    live = "blue" if stage == "deploy" else "green"
    cluster = pair(blue, green, live)
    cluster.dry_run = True
    result = run(cluster, stage)
    for color, before, after in (("blue", blue, blue_then), ("green", green, green_then)):
        shown = result["diff"].get("after", {}).get(f"CronJob nightly-{color}", {})
        assert ("spec.suspend" in shown) == (bool(before["suspend"]) != bool(after["suspend"]))
        assert (f"metadata.annotations.{RESTS}" in shown) == (before.get("rests") != after.get("rests"))
        assert state(cluster, color) == before


@pytest.mark.parametrize(
    ("stage", "blue", "green", "blue_then", "green_then"), [row for row in TURNS if row[0] != "deploy"]
)
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_whoever_is_killed_after_any_write_is_followed_by_one_who_goes_on(
    stage: str, blue: Object, green: Object, blue_then: Object, green_then: Object, kept: int
) -> None:
    cluster = pair(blue, green, "green")

    class Killed(BaseException):
        pass

    def kill() -> None:
        if len(cluster.writes) == kept:
            raise Killed

    cluster.after("patch", CRON, kill, None)
    try:
        run(cluster, stage)
    except Killed:
        pass
    cluster._after.clear()
    run(cluster, stage)
    assert (state(cluster, "blue"), state(cluster, "green")) == (blue_then, green_then)


@pytest.mark.parametrize(("stage", "blue", "green"), [row[:3] for row in TURNS if row[0] != "deploy"])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_rollback_after_a_kill_puts_all_back(stage: str, blue: Object, green: Object, kept: int) -> None:
    """Blue works again if it did, and is off if somebody had suspended it."""
    if green == WORKS or blue in (RESTING,):
        return  # green was live already
    cluster = pair(blue, green, "green")

    class Killed(BaseException):
        pass

    def kill() -> None:
        if len(cluster.writes) == kept:
            raise Killed

    cluster.after("patch", CRON, kill, None)
    try:
        run(cluster, stage)
    except Killed:
        pass
    cluster._after.clear()
    run(cluster, "deploy", color="blue")
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
    run(cluster, "switch")
    assert bool(state(cluster, "blue")["suspend"]) == bool(blue["suspend"])
    assert state(cluster, "green")["suspend"]
    assert state(cluster, "blue").get("rests") is None


def test_the_old_one_stops_then_the_new_one_is_told_then_it_works() -> None:
    cluster = pair(WORKS, RESTING, "green", {"blue": "2026-01-01T00:08:00Z", "green": "2025-12-01T00:00:00Z"})
    result = run(cluster, "switch")
    first, told, last = cluster.writes
    assert (first.name, first.kind) == ("nightly-blue", CRON)
    assert (told.name, told.kind) == ("nightly-green", "CronJob/status")
    assert (last.name, last.kind) == ("nightly-green", CRON)
    assert cluster.one(CRON, "nightly-green")["status"] == {"lastScheduleTime": "2026-01-01T00:08:00Z"}
    assert result["diff"]["before"]["CronJob nightly-green"]["status.lastScheduleTime"] == "2025-12-01T00:00:00Z"
    assert all({"op": "test"}.items() <= write.body[0].items() for write in cluster.writes)


NINE = 1767225600 // 60 + 9  # 2026-01-01T00:09:00Z

SLOTS = [
    ({}, [], None),  # nothing has run, both were made in the same second
    ({"blue": "2026-01-01T00:08:00Z"}, [], "2026-01-01T00:08:00Z"),
    ({"green": "2026-01-01T00:08:00Z"}, [], "2026-01-01T00:08:00Z"),
    ({"blue": "2026-01-01T00:07:00Z", "green": "2026-01-01T00:08:00Z"}, [], "2026-01-01T00:08:00Z"),
    # Its controller has made a Job, and could not write so because we were writing.
    ({"blue": "2026-01-01T00:08:00Z"}, [job("nightly-blue", f"nightly-blue-{NINE}")], "2026-01-01T00:09:00Z"),
    ({}, [job("nightly-blue", f"nightly-blue-{NINE}", ended="Complete")], "2026-01-01T00:09:00Z"),
    # Made by hand, or another one's.
    ({"blue": "2026-01-01T00:08:00Z"}, [job("nightly-blue", "nightly-blue-now")], "2026-01-01T00:08:00Z"),
    ({"blue": "2026-01-01T00:08:00Z"}, [job("nightly-blue", "nightly-blue-99999999")], "2026-01-01T00:08:00Z"),
    ({"blue": "2026-01-01T00:08:00Z"}, [job("nightly-blue", f"nightly-blue-x-{NINE}")], "2026-01-01T00:08:00Z"),
    ({"blue": "2026-01-01T00:08:00Z"}, [job("other", f"nightly-blue-{NINE}")], "2026-01-01T00:08:00Z"),
]


@pytest.mark.parametrize(("last", "jobs", "told"), SLOTS)
def test_what_has_run_is_not_run_again(last: dict[str, str], jobs: list[Object], told: str | None) -> None:
    cluster = pair(WORKS, RESTING, "green", last)
    for item in jobs:
        cluster.put(item)
    run(cluster, "switch")
    assert cluster.one(CRON, "nightly-green")["status"].get("lastScheduleTime") == told
    assert state(cluster, "green") == WORKS


def test_a_job_that_is_made_while_the_old_one_is_suspended_is_seen() -> None:
    cluster = pair(WORKS, RESTING, "green")
    cluster.after(
        "patch", CRON, lambda: cluster.clock.at(1, lambda: cluster.put(job("nightly-blue", f"nightly-blue-{NINE}")))
    )
    run(cluster, "switch")
    assert cluster.one(CRON, "nightly-green")["status"]["lastScheduleTime"] == "2026-01-01T00:09:00Z"


def test_who_is_overtaken_hands_nothing_over() -> None:
    cluster = pair(WORKS, RESTING, "green")
    cluster.touch(
        "Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({LOCK_ID: "mine"})
    )

    def taken() -> None:
        for kind, name in (("Service", "myapp"), (CRON, "nightly-blue"), (CRON, "nightly-green")):
            cluster.touch(
                kind, name, lambda item: item["metadata"].setdefault("annotations", {}).update({LOCK_ID: "other"})
            )

    cluster.after("patch", CRON, lambda: cluster.clock.at(1, taken))
    with pytest.raises(BlueGreenError) as caught:
        run(cluster, "switch", lock_id="mine")
    assert caught.value.reason == "superseded"
    assert state(cluster, "green") == RESTING


def test_who_finds_the_traffic_moved_meanwhile_begins_anew() -> None:
    cluster = pair(WORKS, RESTING, "green")

    def back() -> None:
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))

    cluster.after("patch", CRON, lambda: cluster.clock.at(1, back))
    run(cluster, "switch")
    assert (state(cluster, "blue"), state(cluster, "green")) == (WORKS, RESTING)


# --- what is refused, and what is told


def begun(cluster: RecordedCluster, flow: str = "release", **options: Any) -> Object:
    settings = {"bluegreen_services": ["myapp"], "bluegreen_cronjobs": "nightly"}
    cluster.dry_run = True
    return recorded.run(begin, cluster, flow=flow, settings=settings, **options)


REFUSED = [
    ([], "there must be either a CronJob nightly or both nightly-blue and nightly-green. CronJobs there: none."),
    ([cron_job("nightly-blue", "myapp:1")], "CronJobs there: nightly-blue."),
    ([cron_job(name, "myapp:1") for name in ("nightly", "nightly-blue", "nightly-green")], "nightly, nightly-blue"),
    ([cron_job("nightly-red", "myapp:1"), cron_job("hourly", "myapp:1")], "CronJobs there: hourly, nightly-red."),
    ([cron_job("nightly", "busybox:1", "else/myapp:1")], "no container of it has an image of the application's"),
]


@pytest.mark.parametrize(("items", "why"), REFUSED)
def test_a_release_is_refused_and_everything_else_only_says_why(items: list[Object], why: str) -> None:
    cluster = cluster_with(*items, base=RecordedCluster())
    with pytest.raises(BlueGreenError) as caught:
        begun(cluster, version="9.9")
    assert why in str(caught.value)
    assert caught.value.reason == "bad_input"
    told = recorded.run(current_color, cluster, cronjobs=["nightly"])["warnings"]
    assert [why in text for text in told] == [True]
    assert not run(cluster, "switch")["changed"]


@pytest.mark.parametrize("kind", [CRON, "Job"])
def test_what_may_not_be_read_is_refused(kind: str) -> None:
    cluster = pair(WORKS, OFF)

    def forbidden() -> None:
        raise ApiError(f"The API server refused 'list {kind}' (HTTP 403)", "forbidden", 403)

    cluster.before("list", kind, forbidden, None)
    with pytest.raises(BlueGreenError, match=f"{kind}s were not looked at") as caught:
        begun(cluster, version="9.9")
    assert "there must be either" not in str(caught.value)


@pytest.mark.parametrize("kind", [CRON, "CronJob/status"])
def test_what_may_not_be_written_is_refused_before_the_first_write(kind: str) -> None:
    cluster = pair(WORKS, OFF)

    def forbidden() -> None:
        raise ApiError("The API server refused 'patch' (HTTP 403)", "forbidden", 403)

    cluster.before("patch", kind, forbidden)
    with pytest.raises(BlueGreenError, match="CronJob nightly-blue belongs to the application, and may not") as caught:
        begun(cluster, version="9.9")
    assert "Or leave it out of bluegreen_cronjobs." in str(caught.value)


def test_who_names_none_needs_no_right_to_look() -> None:
    cluster = RecordedCluster()
    recorded.run(follow, cluster, stage="switch")
    assert not [request for request in cluster.requests if request.kind in (CRON, "Job")]


def test_status_says_which_one_lags() -> None:
    cluster = pair(WORKS, RESTING, "green")
    result = recorded.run(current_color, cluster, cronjobs=["nightly"])
    assert [(item["name"], item["lags"]) for item in result["followers"]] == [
        ("nightly-blue", True),
        ("nightly-green", False),
    ]
    assert f"lags: CronJob nightly-blue runs at * * * * * ({image_of(cluster, 'blue')})" in result["summary"]


def test_before_the_first_release_nothing_lags() -> None:
    for items in (WORKS, OFF), (OFF, OFF):
        result = recorded.run(current_color, pair(*items), cronjobs=["nightly"])
        assert [item["lags"] or item["unsettled"] for item in result["followers"]] == [False, False]


def test_who_takes_over_shuts_late_writes_out() -> None:
    cluster = pair(WORKS, OFF)
    cluster.touch(
        "Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({LOCK_ID: "dead"})
    )
    result = recorded.run(lock, cluster, cronjobs=["nightly"])
    for color in ("blue", "green"):
        assert cluster.one(CRON, f"nightly-{color}")["metadata"]["annotations"][LOCK_ID] == result["lock_id"]


# --- retire


def old_and_new(cluster: RecordedCluster) -> tuple[str, str]:
    return image_of(cluster, "blue"), image_of(cluster, "green")


@pytest.mark.parametrize(("ended", "stays"), [("", True), ("Complete", False), ("Failed", False)])
@pytest.mark.parametrize("two", [False, True])
def test_what_still_runs_is_waited_for(ended: str, stays: bool, two: bool) -> None:
    cluster = switched()
    old, new = old_and_new(cluster)
    if two:
        cluster.put(cron_job("nightly-blue", old, **RESTING))
        cluster.put(cron_job("nightly-green", new))
    else:
        cluster.put(cron_job("nightly", new))
    owner = "nightly-blue" if two else "nightly"
    cluster.put(job(owner, "it", old, ended))
    cluster.put(job("nightly-green" if two else "nightly", "new", new))  # of what is live
    cluster.put(job("another", "other", old))
    result = recorded.run(retire, cluster, cronjobs=["nightly"])
    assert result["retired"] is not stays
    if stays:
        assert "blue stays" in result["msg"] and "Job it of it still runs" in result["msg"]
        assert not cluster.writes
