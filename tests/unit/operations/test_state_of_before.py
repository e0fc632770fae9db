# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application whose state annotation was written before releases were decided in Python is taken over as it is."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin
from following import following
from recorded import Clock, RecordedCluster

# As those modules have written it, letter by letter: a release of 2.0 after its switch, and when it had ended.
SWITCHED = (
    '{"schema":1,"history":[{"run":"abab4481e02c4b338a98891aaf548f11","kind":"release","version":"2.0","by":"jane@laptop",'
    '"job":"42 release","started_at":"2026-11-30T13:55:56.282Z","switched_at":"2026-11-30T13:55:56.283Z","outcome":"running",'
    '"color":"green","from_color":"blue","image":"myapp:2.0","previous_version":"1.0","previous_image":"myapp:1.0",'
    '"replicas":3}],"intent":null}'
)
RELEASED = SWITCHED.replace('"running"', '"released"').replace(
    '"replicas":3', '"replicas":3,"ended_at":"2026-11-30T13:56:02.496Z"'
)
RUN = "abab4481e02c4b338a98891aaf548f11"


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    return following(clock)


def leave(cluster: RecordedCluster, text: str, lock_id: str | None = None) -> None:
    """Green is live, and the Service says how it became that."""
    notes = {"bluegreen.kubernetes/state": text, **({"bluegreen.kubernetes/lock-id": lock_id} if lock_id else {})}

    def change(item: dict[str, Any]) -> None:
        item["spec"]["selector"]["version"] = "green"
        item["metadata"]["annotations"] = notes

    cluster.touch("Service", "myapp", change)


def begun(cluster: RecordedCluster, flow: str, version: str | None = None) -> dict[str, Any]:
    return recorded.run(begin, cluster, flow=flow, settings={}, application="shop", directory="/", version=version)


def test_a_rollback_goes_to_what_was_live_before(cluster: RecordedCluster) -> None:
    leave(cluster, RELEASED)
    result = begun(cluster, "rollback")
    assert (result["color"], result["version"]) == ("blue", "1.0")
    assert [entry["outcome"] for entry in result["history"]] == ["running", "released"]


def test_a_release_that_was_killed_after_its_switch_is_finished(cluster: RecordedCluster) -> None:
    leave(cluster, SWITCHED, lock_id=RUN)
    result = begun(cluster, "release", "2.0")
    assert (result["resumes"], result["color"], result["good_color"]) == (RUN, "green", "blue")


def test_the_same_release_again_has_only_to_tidy_up(cluster: RecordedCluster) -> None:
    leave(cluster, RELEASED)
    result = begun(cluster, "release", "2.0")
    assert [step["name"] for step in result["steps"]] == ["scale_down", "end"]
