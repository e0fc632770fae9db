# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback makes live what was live: the whole pod template, not its image only; or it says what is gone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin as _begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color as _current_color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import retire as _retire
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from following import entry, following, history, leave, live
from recorded import Clock, RecordedCluster

REPLICASET = "app-blue-6f7995d488"


def blue(cluster: RecordedCluster) -> dict[str, Any]:
    return cluster.one("Deployment", "app-blue")


def refused_release(item: dict[str, Any]) -> None:
    """What a release of 3.0 has left that never became ready: its image, its environment, its probe."""
    (container,) = item["spec"]["template"]["spec"]["containers"]
    container.update(image="myapp:3.0", env=[{"name": "MODE", "value": "new"}])
    container["readinessProbe"] = {"httpGet": {"path": "/not-there", "port": 8081}}


@pytest.fixture
def cluster(clock: Clock) -> RecordedCluster:
    """2.0 was switched to from 1.0; then 3.0 was deployed where 1.0 was, and refused."""
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    cluster.before_it = copy.deepcopy(blue(cluster)["spec"]["template"])  # type: ignore[attr-defined]
    cluster.touch("Deployment", "app-blue", refused_release)
    return cluster


def begun(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    given = {"flow": "rollback", "settings": {}, "application": "shop", "directory": "/", **options}
    return recorded.run(_begin, cluster, **given)


def restore(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    """The step that a rollback plans for it."""
    result = begun(cluster)
    (step,) = [step for step in result["steps"] if step["name"] == "restore"]
    told = {"template_hash": step["template_hash"]} if "template_hash" in step else {}
    told.update(color=step["color"], version=step["version"], image=step["image"], lock_id=result.get("lock_id"))
    return recorded.run(_deploy, cluster, **told, **options)


def refusal(cluster: RecordedCluster) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        restore(cluster)
    assert caught.value.reason == "nothing_to_roll_back"
    assert live(cluster) == "green"
    return caught.value


def test_the_switch_records_both_templates(clock: Clock) -> None:
    cluster = following(clock)
    hashes = [template_hash(cluster.one("Deployment", f"app-{color}")) for color in ("green", "blue")]
    recorded.run(_switch, cluster, color="green")
    assert [history(cluster)[0].get(key) for key in ("template_hash", "previous_template_hash")] == hashes


def test_the_whole_template_comes_back(cluster: RecordedCluster) -> None:
    result = restore(cluster)
    assert blue(cluster)["spec"]["template"] == cluster.before_it  # type: ignore[attr-defined]
    assert (result["changed"], result["version"], result["image"]) == (True, "1.0", "myapp:1.0")
    assert result["template_hash"] == template_hash({"spec": {"template": cluster.before_it}})  # type: ignore[attr-defined]
    assert result["replicas"] == 3


def test_also_where_only_its_settings_were_changed(cluster: RecordedCluster) -> None:
    """The image is the same; today nothing is restored at all."""
    cluster.touch(
        "Deployment",
        "app-blue",
        lambda item: item["spec"]["template"]["spec"]["containers"][0].update(image="myapp:1.0"),
    )
    restore(cluster)
    assert blue(cluster)["spec"]["template"] == cluster.before_it  # type: ignore[attr-defined]


def test_what_is_switched_back_to_is_that(cluster: RecordedCluster) -> None:
    (step,) = [step for step in begun(cluster)["steps"] if step["name"] == "switch_back"]
    assert step["template_hash"] == template_hash({"spec": {"template": cluster.before_it}})  # type: ignore[attr-defined]


def test_what_is_there_already_is_not_written(clock: Clock) -> None:
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    assert "restore" not in [step["name"] for step in begun(cluster)["steps"]]


def test_a_template_that_is_gone_is_said(cluster: RecordedCluster) -> None:
    cluster.remove("ReplicaSet", REPLICASET)
    before = copy.deepcopy(blue(cluster))
    error = refusal(cluster)
    assert blue(cluster)["spec"] == before["spec"]
    assert "1.0" in error.what and "app-blue" in error.what
    assert error.next_step and "release.yml -e version=1.0" in error.next_step


def test_a_replicaset_of_somebody_else_is_none(cluster: RecordedCluster) -> None:
    def foreign(item: dict[str, Any]) -> None:
        item["metadata"]["ownerReferences"][0]["uid"] = "another"

    cluster.touch("ReplicaSet", REPLICASET, foreign)
    refusal(cluster)


def test_the_plan_says_it_too(cluster: RecordedCluster) -> None:
    cluster.remove("ReplicaSet", REPLICASET)
    cluster.dry_run = True
    refusal(cluster)


def test_the_kept_manifest_is_as_good(clock: Clock) -> None:
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    before = copy.deepcopy(blue(cluster)["spec"]["template"])
    available = {"type": "Available", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    cluster.touch("Deployment", "app-green", lambda item: item["status"].update(conditions=[available]))
    assert recorded.run(_retire, cluster, after=0, mode="delete")["retired"]
    restore(cluster)
    assert blue(cluster)["spec"]["template"] == before


def test_a_kept_manifest_of_another_template_is_not(clock: Clock) -> None:
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    cluster.touch("Deployment", "app-blue", refused_release)
    available = {"type": "Available", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    cluster.touch("Deployment", "app-green", lambda item: item["status"].update(conditions=[available]))
    assert recorded.run(_retire, cluster, after=0, mode="delete")["retired"]
    refusal(cluster)


def test_a_record_of_before_knows_only_the_image(clock: Clock) -> None:
    cluster = following(clock, at="end")
    leave(cluster, entry("r1"))
    cluster.touch("Deployment", "app-blue", refused_release)
    restore(cluster)
    assert blue(cluster)["spec"]["template"]["spec"]["containers"][0]["image"] == "myapp:1.0"


def test_status_does_not_promise_that_it_is_there(cluster: RecordedCluster) -> None:
    result = recorded.run(_current_color, cluster, retire_after="24h")
    (line,) = [line for line in result["summary"] if line.startswith("rollback:")]
    assert "at once" not in line and "made again" in line
    assert result["rollback_seconds"] != 0


def test_a_release_that_was_stopped_is_over_when_its_way_back_was_changed(clock: Clock) -> None:
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    known = history(cluster)[0]
    leave(cluster, dict(known, kind="release", outcome="interrupted"))
    assert recorded.run(_current_color, cluster)["unfinished"]
    cluster.touch(
        "Deployment",
        "app-blue",
        lambda item: item["spec"]["template"]["spec"]["containers"][0].update(env=[{"name": "A", "value": "1"}]),
    )
    assert recorded.run(_current_color, cluster)["unfinished"] is None


def upgraded(cluster: RecordedCluster) -> None:
    """A newer API server reads one more default into every template that is stored, and counts no generation for it."""
    for kind in ("Deployment", "ReplicaSet"):
        for item in cluster.objects(kind):
            item["spec"]["template"]["spec"]["hostUsers"] = True


def after_upgrade(clock: Clock, *changes: Any) -> RecordedCluster:
    cluster = following(clock)
    recorded.run(_switch, cluster, color="green")
    for change in changes:
        cluster.touch("Deployment", "app-blue", change)
    upgraded(cluster)
    return cluster


def test_an_upgrade_of_the_api_server_takes_no_way_back(clock: Clock) -> None:
    cluster = after_upgrade(clock)
    before = copy.deepcopy(blue(cluster)["spec"]["template"])
    result = restore(cluster)
    assert blue(cluster)["spec"]["template"] == before
    assert result["template_hash"] == template_hash(blue(cluster))


def test_nor_does_it_make_another_template_that_one(clock: Clock) -> None:
    cluster = after_upgrade(clock, refused_release)
    restore(cluster)
    spec = blue(cluster)["spec"]["template"]["spec"]
    assert (spec["containers"][0]["image"], spec["hostUsers"]) == ("myapp:1.0", True)
    assert "env" not in spec["containers"][0] or spec["containers"][0]["env"] != [{"name": "MODE", "value": "new"}]


def test_what_was_put_back_is_what_is_switched_to(cluster: RecordedCluster) -> None:
    """Not what the record says, which may read otherwise by now."""
    steps = {step["name"]: step for step in begun(cluster)["steps"]}
    assert steps["switch_back"]["deployed"] is True
