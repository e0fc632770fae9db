# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a version on the idle color."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _locking
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import preview as _preview
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch as _switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import wait as _wait
from following import following, held
from recorded import Clock, RecordedCluster

HTTP = {"name": "http", "containerPort": 8080}


def deploy(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return recorded.run(_deploy, cluster, **options)


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        deploy(cluster, **options)
    return caught.value


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]


def green(cluster: RecordedCluster) -> dict[str, Any]:
    return cluster.one("Deployment", "app-green")


def definition(cluster: RecordedCluster) -> dict[str, Any]:
    """A manifest for green as a user would write it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app-green", "labels": {"team": "shop"}},
        "spec": {
            "selector": copy.deepcopy(green(cluster)["spec"]["selector"]),
            "template": {
                "metadata": {"labels": {"app": "myapp", "version": "green"}},
                "spec": {"containers": [{"name": "app", "image": "myapp:2.0", "ports": [HTTP]}]},
            },
        },
    }


def test_a_version_goes_on_the_idle_color_with_the_live_colors_replicas() -> None:
    cluster = RecordedCluster()
    live = copy.deepcopy(cluster.one("Deployment", "app-blue"))
    result = deploy(cluster, version="2.0")
    assert pod(green(cluster))["containers"][0]["image"] == "myapp:2.0"
    assert green(cluster)["spec"]["replicas"] == 3
    assert cluster.one("Deployment", "app-blue") == live
    (write,) = cluster.writes
    assert (write.verb, write.kind, write.name) == ("patch", "Deployment", "app-green")
    assert result["changed"] is True
    assert (result["color"], result["image"], result["previous_image"]) == ("green", "myapp:2.0", "myapp:1.0")
    assert (result["replicas"], result["previous_replicas"]) == (3, 1)
    assert result["diff"]["before"] == {"images": {"app": "myapp:1.0"}, "replicas": 1}
    assert result["diff"]["after"] == {"images": {"app": "myapp:2.0"}, "replicas": 3}


def test_every_replaced_value_is_tested_in_the_same_patch() -> None:
    cluster = RecordedCluster()
    old = copy.deepcopy(green(cluster))
    deploy(cluster, version="2.0")
    operations = cluster.writes[0].body
    tested = {operation["path"]: operation["value"] for operation in operations if operation["op"] == "test"}
    for operation in operations:
        if operation["op"] == "replace":
            assert operation["path"] in tested
    assert tested["/metadata/uid"] == old["metadata"]["uid"]
    assert tested["/spec/template/spec/containers/0/image"] == "myapp:1.0"
    assert tested["/spec/template/spec/containers/0/name"] == "app"
    assert tested["/spec/replicas"] == 1


def test_the_second_run_only_reads() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0")
    cluster.requests.clear()
    result = deploy(cluster, version="2.0")
    assert result["changed"] is False
    assert cluster.requests
    assert cluster.writes == []
    assert result["diff"]["before"] == result["diff"]["after"]


def test_the_live_color_is_refused() -> None:
    cluster = RecordedCluster()
    error = failure(cluster, version="2.0", color="blue")
    assert error.reason == "live"
    assert "blue is live: deploying to it is refused." in str(error)
    assert '{"app": "myapp", "version": "blue"}' in str(error)
    assert cluster.writes == []


def test_a_switch_meanwhile_is_seen_before_the_write() -> None:
    """The release before has been switched back since this one looked: green is live now."""
    cluster = RecordedCluster(at="end")
    error = failure(cluster, version="3.0", color="green")
    assert error.reason == "live"
    assert cluster.writes == []


@pytest.mark.parametrize("live", [1, 5])
def test_replicas_follow_the_live_color(live: int) -> None:
    cluster = RecordedCluster()
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=live))
    assert deploy(cluster, version="2.0")["replicas"] == live
    assert green(cluster)["spec"]["replicas"] == live


def test_replicas_follow_a_live_color_that_is_scaled_while_we_write() -> None:
    """The write meets another one; what is decided next is decided on a new reading."""
    cluster = RecordedCluster()

    def meanwhile() -> None:
        cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=7))
        cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=2))

    cluster.before("patch", "Deployment", meanwhile)
    assert deploy(cluster, version="2.0")["replicas"] == 7
    assert green(cluster)["spec"]["replicas"] == 7
    assert len(cluster.writes) == 2


def test_replicas_can_be_given() -> None:
    cluster = RecordedCluster()
    assert deploy(cluster, version="2.0", replicas=2)["replicas"] == 2
    assert green(cluster)["spec"]["replicas"] == 2


def test_a_live_color_that_was_scaled_to_nothing_had_replicas_at_its_switch() -> None:
    cluster = RecordedCluster()
    entry = {
        "run": "r1",
        "outcome": "released",
        "color": "blue",
        "switched_at": "2026-01-01T00:00:00.000Z",
        "replicas": 4,
    }
    state = json.dumps({"schema": 1, "history": [entry], "intent": None})
    annotations = {"bluegreen.kubernetes/state": state}
    cluster.touch("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update(annotations))
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=0))
    assert deploy(cluster, version="2.0")["replicas"] == 4


def test_on_the_way_back_the_size_of_the_broken_color_says_nothing() -> None:
    """An autoscaler has made it ten; the version that is put back had four."""
    cluster = RecordedCluster()
    entry = {"run": "r0", "outcome": "released", "color": "blue", "from_color": "green", "previous_replicas": 4}
    entry["switched_at"] = "2026-01-01T00:00:00.000Z"
    state = json.dumps({"schema": 1, "history": [entry], "intent": None})
    cluster.touch(
        "Service",
        "myapp",
        lambda item: item["metadata"].setdefault("annotations", {}).update({"bluegreen.kubernetes/state": state}),
    )
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=10))
    assert deploy(cluster, version="1.0", way_back=True)["replicas"] == 4
    assert deploy(cluster, version="1.0")["replicas"] == 10


def test_a_live_color_without_pods_gives_no_number() -> None:
    cluster = RecordedCluster()
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=0))
    error = failure(cluster, version="2.0")
    assert error.reason == "bad_input"
    assert "would get 0 pods" in str(error)
    assert cluster.writes == []


def test_a_conflict_is_read_again_and_tried_again() -> None:
    cluster = RecordedCluster()
    cluster.before("patch", "Deployment", lambda: cluster.touch("Deployment", "app-green", _reimage("myapp:0.9")))
    result = deploy(cluster, version="2.0")
    assert result["previous_image"] == "myapp:0.9"
    assert pod(green(cluster))["containers"][0]["image"] == "myapp:2.0"


def test_a_conflict_without_end_is_given_up() -> None:
    cluster = RecordedCluster()
    images = iter(f"myapp:0.{number}" for number in range(100))
    cluster.before(
        "patch", "Deployment", lambda: cluster.touch("Deployment", "app-green", _reimage(next(images))), nth=None
    )
    error = failure(cluster, version="2.0")
    assert error.reason == "conflict"
    assert "Somebody else keeps changing the idle Deployment in namespace 'store'." in str(error)
    assert "422" in str(error)
    assert pod(green(cluster))["containers"][0]["image"].startswith("myapp:0.")
    assert 2 <= len(cluster.writes) <= 10


def _reimage(image: str) -> Any:
    return lambda item: pod(item)["containers"][0].update(image=image)


def test_another_container_in_the_place_of_ours_is_not_overwritten() -> None:
    """Somebody has put a sidecar first: the index that was read is another container's now."""
    cluster = RecordedCluster()
    sidecar = {"name": "proxy", "image": "myapp:1.0"}
    cluster.before(
        "patch",
        "Deployment",
        lambda: cluster.touch("Deployment", "app-green", lambda item: pod(item)["containers"].insert(0, sidecar)),
    )
    deploy(cluster, version="2.0", template_from="idle")
    images = {item["name"]: item["image"] for item in pod(green(cluster))["containers"]}
    assert images == {"proxy": "myapp:1.0", "app": "myapp:2.0"}


def test_several_containers_get_the_version() -> None:
    cluster = RecordedCluster()
    for name in ("app-blue", "app-green"):
        cluster.touch(
            "Deployment", name, lambda item: pod(item)["containers"].append({"name": "worker", "image": "worker:1.0"})
        )
    deploy(cluster, version="2.0", containers=["app", "worker"])
    assert [item["image"] for item in pod(green(cluster))["containers"]] == ["myapp:2.0", "worker:2.0"]


def test_the_version_of_an_image_without_it_is_noted() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0", image="myapp@sha256:abc")
    assert pod(green(cluster))["containers"][0]["image"] == "myapp@sha256:abc"
    cluster.requests.clear()
    assert deploy(cluster, version="2.0", image="myapp@sha256:abc")["changed"] is False
    assert cluster.writes == []
    assert deploy(cluster, version="2.1", image="myapp@sha256:abc")["changed"] is True, (
        "another version of the same image"
    )


def test_force_makes_new_pods_of_the_same_image() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0")
    template = copy.deepcopy(green(cluster)["spec"]["template"])
    assert deploy(cluster, version="2.0", force=True)["changed"] is True
    assert green(cluster)["spec"]["template"] != template
    assert pod(green(cluster)) == template["spec"]


# --- check mode


def test_check_mode_sends_only_a_dry_run() -> None:
    cluster = RecordedCluster(dry_run=True)
    before = copy.deepcopy(green(cluster))
    result = deploy(cluster, version="2.0")
    assert result["changed"] is True
    assert result["diff"]["after"] == {"images": {"app": "myapp:2.0"}, "replicas": 3}
    assert [write.dry_run for write in cluster.writes] == [True]
    assert green(cluster) == before
    assert "would" in result["msg"]


# --- a Deployment that is missing


def test_a_missing_deployment_is_an_error() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    error = failure(cluster, version="2.0")
    assert error.reason == "not_found"
    assert "create_missing" in str(error)
    assert cluster.writes == []


def test_in_the_place_of_one_that_is_being_deleted_none_is_made() -> None:
    cluster = RecordedCluster()
    green(cluster)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    error = failure(cluster, version="2.0", create_missing=True)
    assert (error.reason, cluster.writes) == ("conflict", [])
    assert "Deployment app-green is being deleted." in error.what


def test_create_missing_makes_a_twin_of_the_live_one() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    result = deploy(cluster, version="2.0", create_missing=True)
    made = green(cluster)
    assert made["spec"]["selector"] == {"matchLabels": {"app": "myapp", "version": "green"}}
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "myapp", "version": "green"}
    assert pod(made)["containers"][0]["image"] == "myapp:2.0"
    assert made["spec"]["replicas"] == 3
    live = cluster.one("Deployment", "app-blue")
    assert pod(made)["containers"][0]["readinessProbe"] == pod(live)["containers"][0]["readinessProbe"]
    assert pod(live)["containers"][0]["image"] == "myapp:1.0"
    assert (result["changed"], result["previous_image"], result["replicas"]) == (True, None, 3)
    # Nothing fences a creation, so it has no pods before a patch that is fenced gives it some.
    created, scaled = cluster.writes
    assert (created.verb, created.name, created.body["spec"]["replicas"]) == ("create", "app-green", 0)
    assert (scaled.verb, scaled.name) == ("patch", "app-green")


def test_create_missing_carries_nothing_of_the_live_objects_identity() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    deploy(cluster, version="2.0", create_missing=True)
    sent = cluster.writes[0].body
    assert "status" not in sent
    assert not {"uid", "resourceVersion", "generation", "creationTimestamp"} & set(sent["metadata"])
    assert "deployment.kubernetes.io/revision" not in (sent["metadata"].get("annotations") or {})


def test_a_twin_of_a_deployment_whose_name_says_no_color() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    live = copy.deepcopy(cluster.remove("Deployment", "app-blue"))
    live["metadata"]["name"] = "web"
    cluster.put(live)
    deploy(cluster, version="2.0", create_missing=True)
    assert sorted(item["metadata"]["name"] for item in cluster.objects("Deployment")) == ["web", "web-green"]


def test_create_missing_changes_nothing_when_it_is_there() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0", create_missing=True)
    assert [write.verb for write in cluster.writes] == ["patch"]


def test_a_twin_that_would_fight_over_the_live_pods_is_refused() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    cluster.touch(
        "Deployment", "app-blue", lambda item: item["spec"].update(selector={"matchLabels": {"app": "myapp"}})
    )
    error = failure(cluster, version="2.0", create_missing=True)
    assert error.reason == "bad_input"
    assert "fight over the same pods" in str(error)
    assert cluster.writes == []


def test_create_missing_in_check_mode_creates_nothing() -> None:
    cluster = RecordedCluster(dry_run=True)
    cluster.remove("Deployment", "app-green")
    assert deploy(cluster, version="2.0", create_missing=True)["changed"] is True
    assert [write.dry_run for write in cluster.writes] == [True]
    assert [item["metadata"]["name"] for item in cluster.objects("Deployment")] == ["app-blue"]


# --- a manifest


def test_a_manifest_is_applied_with_the_live_colors_replicas() -> None:
    cluster = RecordedCluster()
    result = deploy(cluster, version="2.0", definition=definition(cluster))
    (write,) = cluster.writes
    assert (write.verb, write.kind, write.name) == ("patch", "Deployment", "app-green")
    assert green(cluster)["spec"]["replicas"] == 3
    assert (result["changed"], result["image"], result["replicas"]) == (True, "myapp:2.0", 3)
    assert green(cluster)["metadata"]["labels"]["team"] == "shop"
    assert "readinessProbe" not in pod(green(cluster))["containers"][0], "what the manifest does not name is gone"


def test_a_manifest_that_is_there_already_changes_nothing() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0", definition=definition(cluster))
    assert deploy(cluster, version="2.0", definition=definition(cluster))["changed"] is False


def test_a_manifest_in_check_mode_says_what_would_change() -> None:
    cluster = RecordedCluster(dry_run=True)
    assert deploy(cluster, version="2.0", definition=definition(cluster))["changed"] is True
    assert [write.dry_run for write in cluster.writes] == [True]
    assert pod(green(cluster))["containers"][0]["image"] == "myapp:1.0"


def test_a_manifest_that_is_there_already_would_change_nothing() -> None:
    cluster = RecordedCluster()
    deploy(cluster, version="2.0", definition=definition(cluster))
    cluster.dry_run = True
    assert deploy(cluster, version="2.0", definition=definition(cluster))["changed"] is False


def test_a_manifest_is_not_applied_over_a_change_made_meanwhile() -> None:
    cluster = RecordedCluster()
    seen: list[str] = []

    def meanwhile() -> None:
        cluster.touch(
            "Deployment", "app-green", lambda item: item["metadata"].setdefault("annotations", {}).update(x="y")
        )
        seen.append(green(cluster)["metadata"]["resourceVersion"])

    cluster.before("patch", "Deployment", meanwhile)
    assert deploy(cluster, version="2.0", definition=definition(cluster))["changed"] is True
    assert [write.verb for write in cluster.writes] == ["patch", "patch"]
    assert {"op": "test", "path": "/metadata/resourceVersion", "value": seen[0]} in cluster.writes[1].body


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "app-blue"), ("StatefulSet", "app-green"), ("Deployment", "other"), (None, None)]
)
def test_a_manifest_of_something_else_is_refused(kind: str | None, name: str | None) -> None:
    cluster = RecordedCluster()
    wrong = dict(definition(cluster), kind=kind, metadata={"name": name})
    error = failure(cluster, version="2.0", definition=wrong)
    assert error.reason == "bad_input"
    assert f"The manifest is a {kind} {name}, but the idle color green is Deployment app-green." in str(error)
    assert cluster.writes == []


@pytest.mark.parametrize("labels", [{"app": "myapp", "version": "blue"}, {"app": "myapp"}])
def test_a_manifest_whose_pods_the_service_would_not_select_is_refused(labels: dict[str, str]) -> None:
    cluster = RecordedCluster()
    wrong = definition(cluster)
    wrong["spec"]["template"]["metadata"]["labels"] = labels
    error = failure(cluster, version="2.0", definition=wrong)
    assert error.reason == "bad_input"
    assert "would not be selected by myapp when green is live" in str(error)
    assert '{"app": "myapp", "version": "green"}' in str(error)
    assert cluster.writes == []


PARTS = ["spec", "spec.template", "spec.template.metadata", "spec.template.metadata.labels", "spec.template.spec"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("there", [False, True], ids=["missing", "null"])
def test_a_manifest_that_lacks_a_part_is_refused(there: bool, part: str) -> None:
    cluster = RecordedCluster()
    wrong = definition(cluster)
    *parents, last = part.split(".")
    inner = wrong
    for name in parents:
        inner = inner[name]
    del inner[last]
    if there:
        inner[last] = None
    error = failure(cluster, version="2.0", definition=wrong)
    assert error.reason == "bad_input"
    assert cluster.writes == []


# --- the lock


def test_another_runs_lock_is_respected() -> None:
    cluster = RecordedCluster()
    _lock(cluster, "theirs")
    assert failure(cluster, version="2.0").reason == "locked"
    assert failure(cluster, version="2.0", lock_id="ours").reason == "superseded"
    assert cluster.writes == []


def test_with_its_own_lock_it_writes() -> None:
    cluster = RecordedCluster()
    _lock(cluster, "ours")
    assert deploy(cluster, version="2.0", lock_id="ours")["changed"] is True


def test_a_takeover_between_reading_and_writing_stops_the_write() -> None:
    """Who takes over stamps the Services and then the idle Deployment."""
    cluster = RecordedCluster()
    _lock(cluster, "ours")
    _stamp(cluster, "Deployment", "app-green", "ours")

    def take_over() -> None:
        _lock(cluster, "theirs")
        _stamp(cluster, "Deployment", "app-green", "theirs")

    cluster.before("patch", "Deployment", take_over)
    assert failure(cluster, version="2.0", lock_id="ours").reason == "superseded"
    assert pod(green(cluster))["containers"][0]["image"] == "myapp:1.0"


def _lock(cluster: RecordedCluster, run: str) -> None:
    _stamp(cluster, "Service", "myapp", run)


def _stamp(cluster: RecordedCluster, kind: str, name: str, run: str) -> None:
    key = "bluegreen.kubernetes/lock-id"
    cluster.touch(kind, name, lambda item: item["metadata"].setdefault("annotations", {}).update({key: run}))


def test_the_double_refuses_a_patch_whose_test_fails() -> None:
    """What all tests of fences rest on."""
    cluster = RecordedCluster()
    wrong = [
        {"op": "test", "path": "/spec/replicas", "value": 9},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
    ]
    with pytest.raises(PatchConflict):
        cluster.patch("Deployment", "app-green", wrong)
    assert green(cluster)["spec"]["replicas"] == 1


# --- a color that is made


def test_what_a_run_has_made_can_be_taken_over_at_once(clock: Clock) -> None:
    """Its status changes all the time then."""
    cluster = following(clock, at="start")
    cluster.remove("Deployment", "app-green")
    held(cluster, "dead")
    recorded.run(_deploy, cluster, image="myapp:2.0", create_missing=True, lock_id="dead")

    def change(item: dict[str, Any]) -> None:
        item["status"] = {"observedGeneration": item.get("status", {}).get("observedGeneration", 0) + 1}

    cluster.before("patch", "Deployment", lambda: cluster.touch("Deployment", "app-green", change), nth=None)
    lock_id = recorded.run(_locking, cluster)["lock_id"]
    assert recorded.run(_deploy, cluster, version="3.0", create_missing=True, lock_id=lock_id)["version"] == "3.0"


@pytest.mark.parametrize("operation, options", [
    (_wait, {"color": "green"}), (_switch, {"color": "green"}), (_preview, {"color": "green", "service": "myapp-preview"}),
])  # fmt: skip
def test_the_plan_goes_on_without_it(operation: Any, options: dict[str, Any], clock: Clock) -> None:
    cluster = following(clock, at="start")
    cluster.remove("Deployment", "app-green")
    preview = {"selector": {"app": "myapp", "version": "none"}}
    cluster.put({"kind": "Service", "metadata": {"name": "myapp-preview"}, "spec": preview})
    cluster.dry_run = True
    assert recorded.run(_deploy, cluster, version="2.0", create_missing=True)["changed"]
    assert recorded.run(operation, cluster, **options)["msg"]


@pytest.mark.parametrize("operation, options", [
    (_wait, {"color": "green"}), (_switch, {"color": "green"}), (_preview, {"color": "green", "service": "myapp-preview"}),
])  # fmt: skip
def test_without_a_plan_it_is_missing(operation: Any, options: dict[str, Any], clock: Clock) -> None:
    cluster = following(clock, at="start")
    cluster.remove("Deployment", "app-green")
    preview = {"selector": {"app": "myapp", "version": "none"}}
    cluster.put({"kind": "Service", "metadata": {"name": "myapp-preview"}, "spec": preview})
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(operation, cluster, **options)
    assert caught.value.reason == "not_found"
