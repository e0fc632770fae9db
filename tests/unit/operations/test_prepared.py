# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promoted is what was prepared and approved."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import state as _state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import patch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import (
    current_color,
    deploy,
    lock,
    switch,
)
from recorded import RecordedCluster

GREEN = "app-green"


def prepare(cluster: RecordedCluster, version: str = "2.0") -> dict[str, Any]:
    """As the role does it; what the run hands on to whoever approves."""
    lock_id = recorded.run(lock, cluster, version=version)["lock_id"]
    deployed = recorded.run(deploy, cluster, version=version, lock_id=lock_id)
    prepared = {"color": deployed["color"], "template_hash": deployed["template_hash"]}
    recorded.run(lock, cluster, state="released", lock_id=lock_id, outcome="prepared", prepared=prepared)
    return {**prepared, "run": lock_id, "version": version}


def look(cluster: RecordedCluster, approved: dict[str, Any] | None, version: str = "2.0") -> dict[str, Any]:
    return recorded.run(current_color, cluster, version=version, prepared=approved)


def refusal(cluster: RecordedCluster, approved: dict[str, Any], version: str = "2.0") -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        look(cluster, approved, version)
    assert caught.value.reason == "not_prepared"
    assert "prepare.yml" in caught.value.next_step
    assert caught.value.result["active_color"] == "blue", "whoever is refused learns what is live"
    return caught.value


def set_env(item: dict[str, Any]) -> None:
    item["spec"]["template"]["spec"]["containers"][0].setdefault("env", []).append({"name": "BY_HAND", "value": "1"})


@pytest.fixture
def cluster() -> RecordedCluster:
    return RecordedCluster()


def test_what_was_prepared_is_found_again(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)
    assert look(cluster, approved)["prepared"] == approved
    assert look(cluster, {})["prepared"] == approved
    assert look(cluster, None)["prepared"] == approved


def test_a_template_changed_by_hand(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)
    cluster.touch("Deployment", GREEN, set_env)
    error = refusal(cluster, approved)
    assert "The pod template of app-green was changed since it was prepared." in error.what
    assert approved["template_hash"] in error.why[0]
    refusal(cluster, {})


def test_replicas_and_what_controllers_add_are_no_change(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)

    def change(item: dict[str, Any]) -> None:
        item["spec"]["replicas"] = 7
        item["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "9"
        item["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "5d8f"
        item["spec"]["template"]["metadata"]["creationTimestamp"] = None

    cluster.touch("Deployment", GREEN, change)
    assert look(cluster, approved)["prepared"] == approved


def test_prepared_again_since_it_was_approved(cluster: RecordedCluster) -> None:
    approved, newer = prepare(cluster), prepare(cluster)
    assert approved["template_hash"] == newer["template_hash"]
    error = refusal(cluster, approved)
    assert error.what == "Another release was prepared since this one was approved."
    assert approved["run"] in error.why[0]
    assert newer["run"] in error.why[1]
    assert look(cluster, newer)["prepared"] == newer


def test_another_version(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)
    assert refusal(cluster, approved, "3.0").what == "green runs myapp:2.0, not myapp:3.0."


def test_nothing_was_prepared(cluster: RecordedCluster) -> None:
    recorded.run(deploy, cluster, version="2.0")
    assert "No release is prepared on green" in refusal(cluster, {}).what


def test_a_run_between_that_moved_nothing_is_none_of_its_business(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)
    lock_id = recorded.run(lock, cluster, version="2.0")["lock_id"]
    recorded.run(lock, cluster, state="released", lock_id=lock_id, outcome="aborted")
    assert look(cluster, approved)["prepared"] == approved


def test_traffic_that_was_moved_since(cluster: RecordedCluster) -> None:
    approved = prepare(cluster)
    entry = {
        "run": "r9",
        "outcome": "rolled_back",
        "color": "blue",
        "from_color": "green",
        "switched_at": "2026-01-01T00:00:00.000Z",
    }

    def change(item: dict[str, Any]) -> None:
        state = _state.read_state(item)
        state["history"].insert(0, entry)
        item["metadata"]["annotations"]["bluegreen.kubernetes/state"] = patch.compact(state)

    cluster.touch("Service", "myapp", change)
    assert "the traffic was moved since" in refusal(cluster, approved).what


def test_the_switch_looks_at_the_template_once_more() -> None:
    cluster = RecordedCluster(at="ready")
    expected = look(cluster, None)["colors"]["green"]["template_hash"]
    cluster.touch("Deployment", GREEN, set_env)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(switch, cluster, color="green", template_hash=expected)
    assert caught.value.reason == "not_prepared"
    assert cluster.writes == []
