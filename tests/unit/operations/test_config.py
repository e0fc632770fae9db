# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the configuration of a version, and removing what nothing refers to any more."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import APPLICATION, parse
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import config as _config
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy as _deploy
from following import STAMP
from recorded import RecordedCluster

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {LEVEL: LEVEL_HERE}\n"
CREDENTIALS = "apiVersion: v1\nkind: Secret\nmetadata: {name: credentials}\nstringData: {PASSWORD: correct-horse}\n"
NOTHING = "All configuration that is there is referred to."


def files(level: str = "info", *more: str) -> str:
    return json.dumps({"a.yml": "---\n".join([SETTINGS.replace("LEVEL_HERE", level), *more])})


def config(cluster: RecordedCluster, level: str = "info", *more: str, **options: Any) -> dict[str, Any]:
    return recorded.run(_config, cluster, manifests=files(level, *more), **options)


def collected(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return recorded.run(_config, cluster, state="collected", **options)


def failure(cluster: RecordedCluster, *arguments: str, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        config(cluster, *arguments, **options)
    return caught.value


def stamp(cluster: RecordedCluster, lock: str) -> None:
    cluster.touch("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({STAMP: lock}))


def there(cluster: RecordedCluster, *levels: str) -> list[str]:
    """Objects of earlier releases, by their names."""
    items = [item for level in levels for item in parse(files(level), "myapp")]
    return [cluster.put(item)["metadata"]["name"] for item in items]


def refers(item: dict[str, Any], name: str) -> None:
    """Let the pods of an object have a ConfigMap."""
    spec = item["spec"]
    spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
    pod = spec["template"]["spec"] if "template" in spec else spec
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": name}}]


def names(cluster: RecordedCluster) -> set[str]:
    return {item["metadata"]["name"] for item in cluster.objects("ConfigMap")}


# --- writing


def test_what_is_not_there_is_created_once() -> None:
    cluster = RecordedCluster()
    stamp(cluster, "ours")
    result = config(cluster, "info", CREDENTIALS, lock_id="ours")
    settings, credentials = result["config"]["ConfigMap/settings"], result["config"]["Secret/credentials"]
    assert result["created"] == [f"ConfigMap {settings}", f"Secret {credentials}"]
    found = cluster.one("Secret", credentials)
    assert found["immutable"] is True
    assert base64.b64decode(found["data"]["PASSWORD"]) == b"correct-horse"
    assert found["metadata"]["labels"][APPLICATION] == "myapp"
    assert found["metadata"]["annotations"][STAMP] == "ours"
    writes = len(cluster.writes)
    again = config(cluster, "info", CREDENTIALS, lock_id="ours")
    assert (again["changed"], again["config"], len(cluster.writes)) == (False, result["config"], writes)


def test_what_is_there_is_stamped_so_that_who_had_the_lock_before_cannot_remove_it() -> None:
    cluster = RecordedCluster()
    stamp(cluster, "ours")
    (name,) = there(cluster, "info")
    assert config(cluster, lock_id="ours")["changed"] is False
    assert cluster.one("ConfigMap", name)["metadata"]["annotations"][STAMP] == "ours"


def test_without_a_lock_what_is_there_is_left_alone() -> None:
    cluster = RecordedCluster()
    there(cluster, "info")
    config(cluster)
    assert cluster.writes == []


@pytest.mark.parametrize(
    "change, text",
    [
        ({"immutable": False}, "is not what this release would write"),
        ({"data": {"LEVEL": "debug"}}, "is not what this release would write"),
        ({"labels": {}}, "is not what this release would write"),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "is being deleted"),
    ],
)
def test_what_is_somebody_elses_is_refused(change: dict[str, Any], text: str) -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "info")
    item = cluster.one("ConfigMap", name)
    for key, value in change.items():
        (item["metadata"] if key in ("labels", "deletionTimestamp") else item)[key] = value
    error = failure(cluster)
    assert (error.reason, text in error.what, cluster.writes) == ("conflict", True, [])


@pytest.mark.parametrize("lock_id, reason", [("ours", "superseded"), (None, "locked")])
def test_another_runs_lock_is_respected(lock_id: str | None, reason: str) -> None:
    cluster = RecordedCluster()
    stamp(cluster, "theirs")
    assert failure(cluster, lock_id=lock_id).reason == reason
    there(cluster, "debug")
    with pytest.raises(BlueGreenError) as caught:
        collected(cluster, lock_id=lock_id)
    assert (caught.value.reason, cluster.writes) == (reason, [])


def test_who_creates_it_at_the_same_time_is_no_trouble() -> None:
    cluster = RecordedCluster()
    cluster.before("create", "ConfigMap", lambda: there(cluster, "info"))
    assert config(cluster)["changed"] is False


def test_a_plan_sends_dry_runs_and_shows_no_secret() -> None:
    cluster = RecordedCluster(dry_run=True)
    (old,) = there(cluster, "debug")
    refers(cluster.one("Deployment", "app-blue"), old)
    result = config(cluster, "info", CREDENTIALS)
    new, credentials = result["config"].values()
    assert [write.dry_run for write in cluster.writes] == [True, True]
    assert names(cluster) == {old}
    assert result["diff"]["before"] == {f"ConfigMap {old}": {"LEVEL": "debug"}}
    assert result["diff"]["after"] == {
        f"ConfigMap {new}": {"LEVEL": "info"},
        f"Secret {credentials}": {"PASSWORD": "(13 bytes)"},
    }


def test_a_secret_is_in_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the API server quotes it."""
    encoded = base64.b64encode(b"correct-horse").decode()
    cluster = RecordedCluster()

    def refuse(kind: str, definition: dict[str, Any]) -> None:
        raise ApiError(f"HTTP 422: {json.dumps(definition)} correct-horse", "api_error", 422)

    monkeypatch.setattr(cluster, "create", refuse)
    monkeypatch.setattr(cluster, "secrets", set, raising=False)
    monkeypatch.setattr(_operation, "Cluster", lambda *unused: cluster)
    params = recorded.parameters(_config, manifests=files("info", CREDENTIALS))
    result = _operation.execute(_config, {**params, "validate_certs": None}, False)
    assert result["failed"] and "HTTP 422" in result["msg"]
    assert "correct-horse" not in json.dumps(result) and encoded not in json.dumps(result)


# --- removing


def test_what_nothing_refers_to_is_removed() -> None:
    cluster = RecordedCluster()
    old, live = there(cluster, "old", "live")
    refers(cluster.one("Deployment", "app-blue"), live)
    result = collected(cluster)
    assert (result["changed"], result["deleted"], names(cluster)) == (True, [f"ConfigMap {old}"], {live})
    (write,) = cluster.writes
    assert set(write.body) == {"uid", "resourceVersion"}
    assert collected(cluster)["msg"] == NOTHING


def pod_of(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "app"}]}
    if kind != "Pod":
        spec = {"template": {"metadata": {}, "spec": spec}}
    return {
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec,
    }


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_whoever_refers_to_it_keeps_it(kind: str) -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "old")
    item = pod_of(kind)
    refers(item, name)
    cluster.put(item)
    assert collected(cluster)["msg"] == NOTHING
    assert names(cluster) == {name}


def test_a_pod_that_is_going_needs_nothing_any_more() -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "old")
    item = pod_of("Pod")
    refers(item, name)
    item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.put(item)
    assert collected(cluster)["deleted"] == [f"ConfigMap {name}"]


@pytest.mark.parametrize("color", ["blue", "green"])
def test_a_kept_manifest_keeps_it(color: str) -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "old")
    item = pod_of("Deployment")
    refers(item, name)
    data = {"deployment.json": base64.b64encode(json.dumps(item).encode()).decode()}
    cluster.put({"kind": "Secret", "metadata": {"name": f"bluegreen-myapp-{color}"}, "data": data})
    assert collected(cluster)["deleted"] == []
    cluster.one("Secret", f"bluegreen-myapp-{color}")["data"] = {"deployment.json": "e30"}
    result = collected(cluster)
    assert (result["changed"], names(cluster)) == (False, {name})
    assert "was not removed: Secret" in result["warnings"][0]


def test_what_somebody_else_has_labelled_so_stays() -> None:
    cluster = RecordedCluster()
    cluster.put({"kind": "ConfigMap", "metadata": {"name": "a", "labels": {APPLICATION: "myapp"}}, "immutable": True})
    for item in parse(files("old"), "other"):
        cluster.put(item)
    assert collected(cluster)["msg"] == NOTHING
    assert len(names(cluster)) == 2


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "Deployment", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_where_it_cannot_be_known_everything_stays(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "old")
    real = cluster.list

    def refuse(asked: str, **selectors: str) -> dict[str, Any]:
        if asked == kind:
            raise ApiError(f"The API server refused 'list {kind}' (HTTP 403)", "forbidden", 403)
        return real(asked, **selectors)

    monkeypatch.setattr(cluster, "list", refuse)
    result = collected(cluster)
    assert (result["changed"], names(cluster)) == (False, {name})
    assert f"'list {kind}' (HTTP 403)" in result["warnings"][0]


def test_whoever_needs_it_again_meanwhile_keeps_it() -> None:
    """The next run has taken over, and found it there."""
    cluster = RecordedCluster()
    stamp(cluster, "ours")
    (name,) = there(cluster, "old")

    def take_over() -> None:
        stamp(cluster, "theirs")
        assert config(cluster, "old", lock_id="theirs")["changed"] is False

    cluster.before("delete", "ConfigMap", take_over)
    with pytest.raises(BlueGreenError) as caught:
        collected(cluster, lock_id="ours")
    assert (caught.value.reason, names(cluster)) == ("superseded", {name})


def test_what_is_gone_already_is_no_trouble() -> None:
    cluster = RecordedCluster()
    (name,) = there(cluster, "old")
    cluster.before("delete", "ConfigMap", lambda: cluster.remove("ConfigMap", name))
    assert collected(cluster)["deleted"] == [f"ConfigMap {name}"]


def test_a_plan_removes_nothing() -> None:
    cluster = RecordedCluster(dry_run=True)
    (name,) = there(cluster, "old")
    result = collected(cluster)
    assert (result["deleted"], names(cluster)) == ([f"ConfigMap {name}"], {name})


# --- what a deploy makes of it

NAMES = {"ConfigMap/settings": "settings-1111111111"}


def env_from(cluster: RecordedCluster, color: str) -> str:
    pod = cluster.one("Deployment", f"app-{color}")["spec"]["template"]["spec"]
    return str(pod["containers"][0]["envFrom"][0]["configMapRef"]["name"])


@pytest.mark.parametrize("template_from", ["live", "idle"])
@pytest.mark.parametrize("live, idle", [("settings", "settings"), ("settings-0000000000", "settings-9999999999")])
def test_only_the_idle_color_gets_it(live: str, idle: str, template_from: str) -> None:
    cluster = RecordedCluster()
    refers(cluster.one("Deployment", "app-blue"), live)
    refers(cluster.one("Deployment", "app-green"), idle)
    result = recorded.run(_deploy, cluster, version="2.0", config=NAMES, template_from=template_from)
    assert (env_from(cluster, "blue"), env_from(cluster, "green")) == (live, "settings-1111111111")
    assert result["differences"] == []
    again = recorded.run(_deploy, cluster, version="2.0", config=NAMES, template_from=template_from)
    assert again["changed"] is False


def test_what_only_the_live_color_refers_to_comes_along() -> None:
    cluster = RecordedCluster()
    refers(cluster.one("Deployment", "app-blue"), "settings-0000000000")
    recorded.run(_deploy, cluster, version="2.0", config=NAMES)
    assert env_from(cluster, "green") == "settings-1111111111"


def manifest() -> dict[str, Any]:
    item = pod_of("Deployment")
    item["metadata"]["name"] = "app-green"
    item["spec"]["template"]["metadata"] = {"labels": {"app": "myapp", "version": "green"}}
    container = item["spec"]["template"]["spec"]["containers"][0]
    container.update(image="myapp:2.0", ports=[{"name": "http", "containerPort": 8080}])
    return item


def test_a_manifest_gets_it() -> None:
    cluster = RecordedCluster()
    item = manifest()
    refers(item, "settings")
    recorded.run(_deploy, cluster, definition=item, version="2.0", config=NAMES)
    assert env_from(cluster, "green") == "settings-1111111111"


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("options", [{}, {"definition": manifest()}])
def test_one_that_nothing_refers_to_is_refused(options: dict[str, Any], missing: bool) -> None:
    cluster = RecordedCluster()
    if missing:
        cluster.remove("Deployment", "app-green")
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(_deploy, cluster, version="2.0", config=NAMES, create_missing=True, **options)
    assert (caught.value.reason, cluster.writes) == ("bad_input", [])
    assert caught.value.what == "Nothing in app-green refers to ConfigMap settings of bluegreen_config."


def test_a_color_that_is_made_gets_it() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    refers(cluster.one("Deployment", "app-blue"), "settings-0000000000")
    recorded.run(_deploy, cluster, version="2.0", config=NAMES, create_missing=True)
    assert (env_from(cluster, "blue"), env_from(cluster, "green")) == ("settings-0000000000", "settings-1111111111")
