# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest with more than the Deployment: what else is in it is the idle color's, and only its."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any, Callable

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import retire as _retire
from recorded import RecordedCluster

Object = dict[str, Any]
MARK, APPLIED = "bluegreen.kubernetes/belongs-to", "bluegreen.kubernetes/applied"
RECORD = "bluegreen-myapp-green-objects"


def deployment(version: str = "2.0", color: str = "green") -> Object:
    labels = {"app": "myapp", "version": color}
    container = {"name": "app", "image": f"myapp:{version}", "env": [{"name": "PASSWORD", "value": "canary-env"}]}
    container["ports"] = [{"name": "http", "containerPort": 8080}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    metadata = {"name": f"app-{color}"}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def config_map(name: str = "settings-green", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}


def secret(name: str = "key-green", **texts: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts}


def other(kind: str, api_version: str = "v1", name: str = "x-green", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def deploy(cluster: RecordedCluster, *documents: Any, **options: Any) -> Object:
    definition = [*documents, deployment(options.get("version", "2.0"))]
    return recorded.run(_deploy, cluster, **{"definition": definition, "version": "2.0", **options})


def failure(cluster: RecordedCluster, *documents: Any, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        deploy(cluster, *documents, **options)
    return caught.value


def kept(cluster: RecordedCluster) -> list[tuple[str, str, str]]:
    """What was really written."""
    return [(item.verb, item.kind, item.name or "") for item in cluster.writes if not item.dry_run]


def there(cluster: RecordedCluster, kind: str) -> set[str]:
    return {item["metadata"]["name"] for item in cluster.objects(kind)}


def uses(name: str) -> Callable[[Object], None]:
    def change(item: Object) -> None:
        container = item["spec"]["template"]["spec"]["containers"][0]
        container["envFrom"] = [{"configMapRef": {"name": name}}]

    return change


# --- what is applied


def test_all_of_it_is_applied_in_order_before_the_deployment() -> None:
    cluster = RecordedCluster()
    result = deploy(cluster, config_map(), secret(key="canary-secret"))
    assert kept(cluster) == [
        ("patch", "Deployment", "app-green"),  # says what is about to be applied
        ("create", "Secret", RECORD),
        ("create", "ConfigMap", "settings-green"),
        ("create", "Secret", "key-green"),
        ("patch", "Deployment", "app-green"),
    ]
    made = cluster.one("ConfigMap", "settings-green")
    assert made["metadata"]["annotations"][MARK] == "myapp/green"
    assert cluster.one("Secret", "key-green")["data"] == {"key": base64.b64encode(b"canary-secret").decode()}
    assert result["changed"] is True
    assert result["objects"] == ["ConfigMap settings-green made", "Secret key-green made"]
    assert result["msg"].endswith("; ConfigMap settings-green made; Secret key-green made.")


def test_a_second_run_changes_nothing() -> None:
    cluster = RecordedCluster()
    documents = config_map(), secret(key="canary-secret"), other("NetworkPolicy", "networking.k8s.io/v1", spec=POLICY)
    first = deploy(cluster, *documents)
    cluster.requests.clear()
    result = deploy(cluster, *documents)
    assert (result["changed"], result["objects"]) == (False, [])
    assert result["template_hash"] == first["template_hash"]
    # The Deployment's own write changes nothing, and shows what the server's defaults make of it.
    assert {request[:2] for request in kept(cluster)} == {("patch", "Deployment")}


POLICY = {"podSelector": {"matchLabels": {"version": "green"}}, "ingress": [{"ports": [{"port": 8080}]}]}


def test_documents_may_be_in_a_list_and_empty() -> None:
    cluster = RecordedCluster()
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("a-green"), config_map("b-green")]}
    deploy(cluster, None, listed, {})
    assert there(cluster, "ConfigMap") >= {"a-green", "b-green"}


def test_what_left_a_document_goes_and_what_others_have_set_stays() -> None:
    cluster = RecordedCluster()
    deploy(cluster, config_map(a="1", b="2"))
    cluster.touch("ConfigMap", "settings-green", lambda item: item["data"].update(injected="by somebody"))
    result = deploy(cluster, config_map(b="3"), version="2.1")
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"b": "3", "injected": "by somebody"}
    assert result["objects"] == ["ConfigMap settings-green changed"]


def test_what_left_the_manifest_is_removed_after_the_deployment_is_written() -> None:
    cluster = RecordedCluster()
    deploy(cluster, config_map("old-green"), config_map())
    cluster.requests.clear()
    result = deploy(cluster, config_map(), version="2.1")
    written = ("patch", "Deployment", "app-green")  # the last one says that all is done
    assert kept(cluster)[-3:] == [written, ("delete", "ConfigMap", "old-green"), written]
    assert result["objects"] == ["ConfigMap old-green removed"]
    result = deploy(cluster, version="2.2")
    assert result["objects"] == ["ConfigMap settings-green removed"]
    assert there(cluster, "ConfigMap") == set()


@pytest.mark.parametrize(
    "meddle",
    [
        lambda cluster: cluster.touch("ConfigMap", "old-green", lambda item: item["metadata"].pop("annotations")),
        lambda cluster: cluster.touch(
            "ConfigMap", "old-green", lambda item: item["metadata"]["annotations"].update({MARK: "myapp/blue"})
        ),
        lambda cluster: cluster.touch("Deployment", "app-blue", uses("old-green")),
    ],
    ids=["not ours any more", "the other color's", "the live color uses it"],
)
def test_what_is_not_this_colors_is_not_removed(meddle: Callable[[RecordedCluster], None]) -> None:
    cluster = RecordedCluster()
    deploy(cluster, config_map("old-green"), config_map())
    meddle(cluster)
    deploy(cluster, config_map(), version="2.1")
    assert "old-green" in there(cluster, "ConfigMap")


def test_one_document_asks_and_writes_what_it_always_has() -> None:
    cluster = RecordedCluster()
    result = deploy(cluster)
    assert [request.verb for request in cluster.requests if request.kind not in ("Deployment", "Service")] == []
    assert kept(cluster) == [("patch", "Deployment", "app-green")]
    assert result["objects"] == []


# --- what is refused, before the first write


def unlike(item: Object) -> Callable[[RecordedCluster], None]:
    return lambda cluster: cluster.put(item)


def marked(item: Object, mark: str) -> Object:
    item["metadata"]["annotations"] = {MARK: mark}
    return item


SERVED_BY_LIVE = {"matchLabels": {"app": "myapp"}}
REFUSED: dict[str, tuple[Object, Callable[[RecordedCluster], Any], str]] = {
    "the live Deployment's": (
        config_map("shared"),
        lambda cluster: cluster.touch("Deployment", "app-blue", uses("shared")),
        "the pods of app-blue, which is live, use it",
    ),
    "another color's": (config_map(), unlike(marked(config_map(), "myapp/blue")), "it belongs to myapp/blue"),
    "another application's": (config_map(), unlike(marked(config_map(), "other/green")), "it belongs to other/green"),
    "nobody's, and unlike": (config_map(a="1"), unlike(config_map(a="2")), "it exists already, with other content"),
    "a Service of the application": (
        other("Service", name="myapp", spec={"selector": {"app": "myapp", "version": "green"}}),
        lambda cluster: None,
        "it is a Service of the application",
    ),
    "the whole cluster's": (other("Namespace"), lambda cluster: None, "a Namespace belongs to the whole cluster"),
    "another namespace's": (
        {**config_map(), "metadata": {"name": "settings-green", "namespace": "elsewhere"}},
        lambda cluster: None,
        "it is in namespace elsewhere",
    ),
    "of no kind": (other("Thing", "example.com/v1"), lambda cluster: None, "the API server has no Thing"),
    "an autoscaler of the live color": (
        other(
            "HorizontalPodAutoscaler",
            "autoscaling/v2",
            spec={"scaleTargetRef": {"kind": "Deployment", "name": "app-blue"}},
        ),
        lambda cluster: None,
        "it scales app-blue, which is live",
    ),
    "a budget over both": (
        other("PodDisruptionBudget", "policy/v1", spec={"selector": SERVED_BY_LIVE}),
        lambda cluster: None,
        "it selects the pods of app-blue, which is live",
    ),
    "a policy over both": (
        other("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}}),
        lambda cluster: None,
        "it selects the pods of app-blue, which is live",
    ),
    "pods that users would be sent to": (
        other("Job", "batch/v1", spec={"template": {"metadata": {"labels": {"app": "myapp", "version": "green"}}}}),
        lambda cluster: None,
        "its pods have the labels that Service myapp selects",
    ),
    "without a name": ({"apiVersion": "v1", "kind": "ConfigMap"}, lambda cluster: None, "has no metadata.name"),
    "named twice": (config_map("first-green"), lambda cluster: None, "has ConfigMap first-green more than once"),
    "no object": ("text", lambda cluster: None, "is no object"),  # type: ignore[dict-item]
    "a second Deployment": (deployment(color="red"), lambda cluster: None, "2 Deployments among its 3 documents"),
    "being deleted": (
        config_map(),
        lambda cluster: cluster.put(
            {**config_map(a="2"), "metadata": {"name": "settings-green", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
        ),
        "is being deleted",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("dry_run", [False, True], ids=["run", "plan"])
def test_what_is_refused(case: str, dry_run: bool) -> None:
    document, happens, why = REFUSED[case]
    cluster = RecordedCluster(dry_run=dry_run)
    happens(cluster)
    error = failure(cluster, config_map("first-green"), document)
    assert why in str(error), str(error)
    assert error.next_step
    assert kept(cluster) == []


def test_the_way_out_is_the_colors_name() -> None:
    document, happens, _why = REFUSED["nobody's, and unlike"]
    cluster = RecordedCluster()
    happens(cluster)
    error = str(failure(cluster, document))
    assert "ConfigMap settings-green in green's manifest is refused." in error
    assert "name: settings-{{ bluegreen_color }}" in error
    hand_over = f"annotate configmap settings-green {MARK}=myapp/green"
    assert hand_over in error
    cluster.touch(
        "ConfigMap", "settings-green", lambda item: item["metadata"].update(annotations={MARK: "myapp/green"})
    )
    assert deploy(cluster, document)["objects"] == ["ConfigMap settings-green changed"]


def test_what_is_there_alike_is_left_alone_for_ever() -> None:
    cluster = RecordedCluster()
    cluster.touch("Deployment", "app-blue", uses("shared"))
    cluster.put(config_map("shared"))
    result = deploy(cluster, config_map("shared"))
    assert result["objects"] == []
    assert "annotations" not in cluster.one("ConfigMap", "shared")["metadata"]
    deploy(cluster, config_map(), version="2.1")
    assert "shared" in there(cluster, "ConfigMap")


def test_a_missing_right_is_found_before_the_first_write() -> None:
    class Forbidden(RecordedCluster):
        def create(self, kind: str, definition: Object) -> Object:
            if kind == "Secret" and definition["metadata"]["name"] == "key-green":
                raise ApiError(
                    "The API server refused 'create .../secrets' (HTTP 403): cannot create", "forbidden", 403
                )
            return super().create(kind, definition)

    cluster = Forbidden()
    assert failure(cluster, config_map(), secret(key="canary-secret")).reason == "forbidden"
    assert kept(cluster) == []


# --- what is shown


def test_a_plan_shows_every_object_and_keeps_nothing() -> None:
    cluster = RecordedCluster()
    deploy(cluster, config_map(a="1"), config_map("old-green"))
    cluster.dry_run = True
    cluster.requests.clear()
    result = deploy(cluster, config_map(a="2"), config_map("new-green"), version="2.1")
    assert kept(cluster) == []
    assert "ConfigMap settings-green would be changed; ConfigMap new-green would be made" in result["msg"]
    assert "ConfigMap old-green would be removed" in result["msg"]
    before, after = result["diff"]["before"]["objects"], result["diff"]["after"]["objects"]
    assert (before["ConfigMap settings-green"]["data"], after["ConfigMap settings-green"]["data"]) == (
        {"a": "1"},
        {"a": "2"},
    )
    assert (before["ConfigMap new-green"], after["ConfigMap old-green"]) == ("(absent)", "(absent)")


def test_no_value_of_a_secret_is_shown() -> None:
    cluster = RecordedCluster()
    deploy(cluster, secret(key="canary-before", stays="canary-same"))
    result = deploy(cluster, secret(key="canary-after", stays="canary-same"), version="2.1")
    shown = json.dumps(result)
    for value in ("canary-before", "canary-after", "canary-same"):
        assert value not in shown
        assert base64.b64encode(value.encode()).decode() not in shown
    assert result["diff"]["after"]["objects"]["Secret key-green"]["data"] == {
        "key": "(another value)",
        "stays": "(a value)",
    }


def test_values_of_secrets_are_kept_out_of_all_output() -> None:
    encoded = base64.b64encode(b"canary-data").decode()
    data = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d"}, "data": {"d": encoded, "empty": None}}
    listed = {"kind": "List", "items": [secret(t="canary-text"), data]}
    found = _operation.secrets(_deploy, {"definition": [listed, deployment()], "services": ["myapp"]})
    assert found >= {"canary-env", "canary-text", "canary-data", encoded}
    assert not _operation.secrets(_deploy, {"definition": "no manifest"})


# --- ways back


def test_a_template_comes_back_with_what_it_had() -> None:
    cluster = RecordedCluster()
    first = deploy(cluster, config_map(a="1"), config_map("only-green"))
    old = copy.deepcopy(cluster.one("Deployment", "app-green"))
    deploy(cluster, config_map(a="2", b="2"), version="3.0")
    cluster.put(replica_set(old))
    result = recorded.run(_deploy, cluster, template_hash=first["template_hash"], version="2.0", way_back=True)
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"a": "1"}
    assert "only-green" in there(cluster, "ConfigMap")
    assert result["template_hash"] == first["template_hash"]


def replica_set(item: Object) -> Object:
    template = copy.deepcopy(item["spec"]["template"])
    owner = {"kind": "Deployment", "name": "app-green", "uid": item["metadata"]["uid"], "controller": True}
    metadata = {"name": "app-green-old", "labels": template["metadata"]["labels"], "ownerReferences": [owner]}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {"template": template}}


def test_a_template_does_not_come_back_without_what_it_had() -> None:
    cluster = RecordedCluster()
    first = deploy(cluster, config_map(a="1"))
    old = copy.deepcopy(cluster.one("Deployment", "app-green"))
    deploy(cluster, config_map(a="2"), version="3.0")
    cluster.put(replica_set(old))
    cluster.remove("Secret", RECORD)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(_deploy, cluster, template_hash=first["template_hash"], version="2.0", way_back=True)
    assert caught.value.reason == "nothing_to_roll_back"
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"a": "2"}


def test_a_color_in_the_middle_of_a_change_is_not_what_it_was() -> None:
    """A run that was killed there has left the old template with new objects."""
    cluster = RecordedCluster()
    first = deploy(cluster, config_map(a="1"))

    def killed() -> None:
        raise KeyboardInterrupt

    cluster.after("patch", "ConfigMap", killed, nth=2)  # the first one only asks
    with pytest.raises(KeyboardInterrupt):
        deploy(cluster, config_map(a="2"), version="3.0")
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"a": "2"}
    result = recorded.run(_deploy, cluster, template_hash=first["template_hash"], version="2.0", way_back=True)
    assert result["changed"] is True
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"a": "1"}
    assert result["template_hash"] == first["template_hash"]


@pytest.mark.parametrize("moment", ["the objects", "the Deployment", "the removal"])
def test_a_way_back_that_was_killed_before_is_made_whole(moment: str) -> None:
    cluster = RecordedCluster()
    first = deploy(cluster, config_map(a="1"))
    old = copy.deepcopy(cluster.one("Deployment", "app-green"))
    deploy(cluster, config_map(a="2"), config_map("new-green"), version="3.0")
    cluster.put(replica_set(old))

    def killed() -> None:
        raise KeyboardInterrupt

    # After the question what it would be, after the mark.
    verb = "delete" if moment == "the removal" else "patch"
    cluster.before(verb, "Deployment" if moment == "the Deployment" else "ConfigMap", killed, nth=2)
    back = {"template_hash": first["template_hash"], "version": "2.0", "way_back": True}
    with pytest.raises(KeyboardInterrupt):
        recorded.run(_deploy, cluster, **back)
    assert Color("green", cluster.one("Deployment", "app-green"), []).template_hash != first["template_hash"]
    result = recorded.run(_deploy, cluster, **back)
    assert cluster.one("ConfigMap", "settings-green")["data"] == {"a": "1"}
    assert "new-green" not in there(cluster, "ConfigMap")
    assert result["template_hash"] == first["template_hash"]


def test_what_a_retired_color_has_stays_and_its_manifest_keeps_it() -> None:
    cluster = recorded.switched(color="blue", from_color="green")
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
    cluster.touch("Deployment", "app-blue", available)
    deploy(cluster, config_map())
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=0))
    recorded.run(_retire, cluster, mode="delete", after="1h")
    assert "app-green" not in there(cluster, "Deployment")
    assert "settings-green" in there(cluster, "ConfigMap")
    cluster.remove("ConfigMap", "settings-green")
    recorded.run(_deploy, cluster, version="2.0")
    assert "settings-green" in there(cluster, "ConfigMap")


def available(item: Object) -> None:
    for condition in item["status"]["conditions"]:
        if condition["type"] == "Available":
            condition.update(status="True", lastTransitionTime="2020-01-01T00:00:00Z")


def test_a_version_alone_after_such_a_manifest_is_warned_of() -> None:
    cluster = RecordedCluster(at="end")  # green is live
    cluster.touch(
        "Deployment",
        "app-green",
        lambda item: item["spec"]["template"]["metadata"].update(annotations={"bluegreen.kubernetes/objects": "1f"}),
    )
    result = recorded.run(_deploy, cluster, version="3.0")
    assert "blue keeps the objects of its own last release" in str(result["warnings"])
    assert result["differences"] == []
