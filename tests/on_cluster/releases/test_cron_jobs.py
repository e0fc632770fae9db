# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CronJobs go with the live color, there and back, and each slot of a schedule is run once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from harness import Application, Audit

MINUTE = 60


def cron_job(app: Application, name: str, suspend: bool = False) -> dict[str, Any]:
    image = app.deployment("blue")["spec"]["template"]["spec"]["containers"][0]["image"]
    pod = {"restartPolicy": "Never", "containers": [{"name": "app", "image": image, "command": ["true"]}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": "* * * * *",
            "suspend": suspend,
            "successfulJobsHistoryLimit": 20,
            "failedJobsHistoryLimit": 20,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }


def image_of(app: Application, name: str) -> str:
    spec = app.get("cronjob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return str(spec["containers"][0]["image"])


def turns(app: Application) -> dict[str, bool]:
    return {color: bool(app.get("cronjob", f"nightly-{color}")["spec"]["suspend"]) for color in ("blue", "green")}


def slots(app: Application) -> list[int]:
    """The minutes for which there are Jobs, of whichever CronJob."""
    names = [item["metadata"]["name"] for item in app.get("jobs")]
    return sorted(int(name.rpartition("-")[2]) for name in names if name.startswith("nightly"))


def before_a_slot(seconds: int) -> None:
    """Until so many seconds before the next minute."""
    time.sleep((MINUTE - seconds - time.time()) % MINUTE)


def test_without_the_right_to_hand_over_a_release_is_refused(app: Application, audit: Audit) -> None:
    app.apply(cron_job(app, "nightly"))
    mark = audit.mark()
    run = app.playbook("release.yml", version="2.0", bluegreen_cronjobs="nightly")
    assert run.outcome == "refused", run.output
    assert "examples/rbac/followers.yml" in run.output
    missing = app.playbook("release.yml", version="2.0", bluegreen_cronjobs="weekly")
    assert missing.outcome == "refused", missing.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    assert not [str(request) for request in requests if request.writes]


@pytest.mark.promise("a CronJob runs what is live, there and back, and what somebody has set on it stays")
def test_the_only_one_has_the_image_of_what_is_live(app: Application) -> None:
    app.grant("followers")
    app.apply(cron_job(app, "nightly"))
    old = image_of(app, "nightly")
    run = app.playbook("release.yml", version="2.0", bluegreen_cronjobs="nightly", bluegreen_scale_down_delay=2)
    assert run.outcome == "released", run.output
    assert image_of(app, "nightly") == app.deployment("green")["spec"]["template"]["spec"]["containers"][0]["image"]
    app.kubectl("set", "env", "cronjob/nightly", "ADDED=later")

    back = app.playbook("rollback.yml", bluegreen_cronjobs="nightly")
    assert back.outcome == "rolled_back", back.output
    assert image_of(app, "nightly") == old
    spec = app.get("cronjob", "nightly")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"] == [{"name": "ADDED", "value": "later"}]
    app.kubectl("delete", "cronjob/nightly")


@pytest.mark.promise("of two CronJobs the one takes over from the other, and each slot of the schedule is run once")
def test_of_two_each_slot_is_run_by_one(app: Application) -> None:
    app.grant("followers")
    app.apply(cron_job(app, "nightly-blue"), cron_job(app, "nightly-green", suspend=True))
    before_a_slot(12)
    began = int(time.time() // MINUTE)
    release = app.playbook("release.yml", version="3.0", bluegreen_cronjobs="nightly", bluegreen_scale_down_delay=2)
    assert release.outcome == "released", release.output
    assert turns(app) == {"blue": True, "green": False}
    before_a_slot(8)
    back = app.playbook("rollback.yml", bluegreen_cronjobs="nightly")
    assert back.outcome == "rolled_back", back.output
    assert turns(app) == {"blue": False, "green": True}
    before_a_slot(0)
    time.sleep(15)  # the controller has run the slot of this minute
    ended = int(time.time() // MINUTE)
    found = [slot for slot in slots(app) if began < slot <= ended]
    assert found == list(range(began + 1, ended + 1)), "each once"
