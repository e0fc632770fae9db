# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retiring the idle color, and bringing it back from its kept manifest."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import template_hash
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import patch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color, deploy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import retire as _retire
from following import BOTH, entry, following, half_way
from recorded import Clock, RecordedCluster, switched

SECRET = "bluegreen-myapp-blue"
KEPT_FOR = "bluegreen.kubernetes/kept-for"


def retire(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return recorded.run(_retire, cluster, **options)


def test_after_the_window_it_has_no_pods() -> None:
    cluster = switched()
    result = retire(cluster)
    assert (result["changed"], result["retired"], result["color"]) == (True, True, "blue")
    assert cluster.one("Deployment", "app-blue")["spec"]["replicas"] == 0
    assert retire(cluster)["changed"] is False


@pytest.mark.parametrize(("ago", "after"), [(timedelta(hours=23, minutes=59), "24h"), (timedelta(hours=1), "2h")])
def test_before_the_end_of_the_window_it_stays(ago: timedelta, after: str) -> None:
    cluster = switched(ago)
    result = retire(cluster, after=after)
    assert (result["changed"], result["retired"]) == (False, False)
    assert result["due_at"] > datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert cluster.writes == []


def test_the_window_begins_anew_with_the_way_back() -> None:
    now = datetime.now(timezone.utc).isoformat()
    assert retire(switched(outcome="reverted", reverted_at=now))["retired"] is False


def test_a_release_under_way_is_left_alone() -> None:
    cluster = switched(outcome="running")
    result = retire(cluster)
    assert "under way" in result["msg"] and "anna" in result["msg"]
    assert cluster.writes == []


def remember(cluster: RecordedCluster, change: Any) -> None:
    """Somebody has written the state since."""

    def write(item: dict) -> None:
        found = state.read_state(item)
        item["metadata"]["annotations"][state.STATE] = json.dumps(change(found))

    cluster.touch("Service", "myapp", write)


def prepare(cluster: RecordedCluster, **known: Any) -> None:
    """Blue waits to be promoted."""
    ready = {"color": "blue", "template_hash": template_hash(cluster.one("Deployment", "app-blue")), **known}
    entry = {"run": "r2", "outcome": "prepared", "version": "3.0", "switched_at": None, "prepared": ready}
    remember(cluster, lambda found: dict(found, history=[entry, *found["history"]]))


@pytest.mark.parametrize("mode", ["zero", "delete"])
def test_what_is_prepared_stays(mode: str) -> None:
    cluster = switched()
    prepare(cluster)
    result = retire(cluster, mode=mode)
    assert (result["changed"], result["due"], cluster.writes) == (False, False, [])
    assert "3.0 is prepared" in result["msg"]


def test_what_is_not_that_any_more_goes() -> None:
    cluster = switched()
    prepare(cluster, template_hash="of before")
    assert retire(cluster)["retired"]


def by_hand(cluster: RecordedCluster, color: str = "blue") -> None:
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version=color))


def test_a_color_that_somebody_has_left_by_hand_stays() -> None:
    """Nothing says since when green is idle."""
    cluster = switched()
    by_hand(cluster)
    result = retire(cluster)
    assert (result["color"], result["changed"], result["due"], cluster.writes) == ("green", False, False, [])
    assert "by hand" in result["msg"]


def test_after_a_way_back_the_other_color_goes() -> None:
    back = (datetime.now(timezone.utc) - timedelta(days=1, hours=12)).isoformat()
    cluster = switched(outcome="reverted", reverted_at=back)
    by_hand(cluster)
    assert retire(cluster)["color"] == "green"
    assert "by hand" not in retire(cluster)["msg"]


def test_while_a_switch_has_stopped_half_way_nothing_is_retired(clock: Clock) -> None:
    two = following(clock, at="end", second=True)
    half_way(two, entry("r2", outcome="failed"), to="blue")
    result = retire(two, services=BOTH, after=0)
    assert (result["changed"], result["due"], two.writes) == (False, False, [])
    assert "interrupted" in result["msg"]


def test_what_became_live_at_the_last_moment_is_not_deleted() -> None:
    cluster = switched()
    cluster.after("create", "Secret", lambda: by_hand(cluster))
    with pytest.raises(BlueGreenError) as caught:
        retire(cluster, mode="delete")
    assert caught.value.reason == "not_due"
    assert cluster.get("Deployment", "app-blue") is not None


def test_without_a_recorded_switch_nothing_is_retired() -> None:
    cluster = RecordedCluster(at="end")
    cluster.touch(
        "Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).pop(state.STATE, None)
    )
    assert "no switch is recorded" in retire(cluster)["msg"]
    assert cluster.writes == []


def restart(item: dict) -> None:
    item["status"]["containerStatuses"][0]["restartCount"] = 1


def unready(item: dict) -> None:
    next(found for found in item["status"]["conditions"] if found["type"] == "Ready")["status"] = "False"


@pytest.mark.parametrize(("change", "text"), [(restart, "has restarted"), (unready, "is not ready")])
def test_a_live_pod_with_an_issue_keeps_the_old_color(change: Any, text: str) -> None:
    cluster = switched()
    cluster.touch("Pod", cluster.objects("Pod", "green")[0]["metadata"]["name"], change)
    result = retire(cluster)
    assert not result["retired"] and text in "; ".join(result["issues"])
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"status": "False"}, "is not Available"),
        ({"lastTransitionTime": "2099-01-01T00:00:00Z"}, "became Available again"),
    ],
)
def test_a_live_deployment_with_an_issue_keeps_the_old_color(change: dict, text: str) -> None:
    cluster = switched()
    cluster.touch(
        "Deployment",
        "app-green",
        lambda item: next(found for found in item["status"]["conditions"] if found["type"] == "Available").update(
            change
        ),
    )
    assert text in retire(cluster)["msg"]
    assert cluster.writes == []


def test_deleted_it_is_kept_first_and_only_that_very_version_goes() -> None:
    cluster = switched()
    before = json.loads(json.dumps(cluster.one("Deployment", "app-blue")))
    result = retire(cluster, mode="delete")
    assert (result["changed"], result["kept"]) == (True, SECRET)
    assert [(write.verb, write.kind) for write in cluster.writes] == [("create", "Secret"), ("delete", "Deployment")]
    assert cluster.get("Deployment", "app-blue") is None
    kept = json.loads(base64.b64decode(cluster.one("Secret", SECRET)["data"]["deployment.json"]))
    assert kept["spec"] == before["spec"] and kept["metadata"]["labels"] == before["metadata"]["labels"]
    assert patch.LOCK_ID not in kept["metadata"]["annotations"]
    again = retire(cluster, mode="delete")
    assert (again["changed"], again["retired"], again["kept"]) == (False, True, SECRET)


def test_a_deployment_changed_meanwhile_is_looked_at_again() -> None:
    cluster = switched()
    cluster.before(
        "delete",
        "Deployment",
        lambda: cluster.touch(
            "Deployment", "app-blue", lambda item: item["metadata"].setdefault("labels", {}).update(team="shop")
        ),
    )
    assert retire(cluster, mode="delete")["retired"]
    kept = json.loads(base64.b64decode(cluster.one("Secret", SECRET)["data"]["deployment.json"]))
    assert kept["metadata"]["labels"]["team"] == "shop"


def test_the_next_deploy_brings_it_back_with_the_new_image() -> None:
    cluster = switched()
    retire(cluster, mode="delete")
    result = recorded.run(deploy, cluster, version="3.0")
    assert result["changed"] and result["image"].endswith(":3.0") and result["replicas"] == 3
    assert f"kept in Secret {SECRET}" in result["msg"]
    assert cluster.one("Deployment", "app-blue")["spec"]["replicas"] == 3


def test_a_secret_with_something_else_is_named() -> None:
    cluster = switched()
    cluster.remove("Deployment", "app-blue")
    cluster.put({"kind": "Secret", "metadata": {"name": SECRET}, "data": {"deployment.json": "bm8="}})
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(deploy, cluster, version="3.0")
    assert caught.value.reason == "kept_unreadable" and SECRET in str(caught.value)


def test_who_may_not_look_at_secrets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = switched()
    cluster.remove("Deployment", "app-blue")
    get = cluster.get

    def forbidden(kind: str, name: str) -> Any:
        if kind == "Secret":
            raise ApiError("secrets is forbidden", "forbidden", 403)
        return get(kind, name)

    monkeypatch.setattr(cluster, "get", forbidden)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(deploy, cluster, version="3.0")
    assert caught.value.reason == "not_found"


FOREIGN = [
    ("type", lambda secret, kept: secret.update(type="Opaque")),
    ("another application", lambda secret, kept: secret["metadata"]["annotations"].update({KEPT_FOR: "other"})),
    ("another color", lambda secret, kept: secret["metadata"]["annotations"].update({KEPT_FOR: "myapp/green"})),
    ("kind", lambda secret, kept: kept.update(kind="DaemonSet")),
    ("namespace", lambda secret, kept: kept["metadata"].update(namespace="kube-system")),
    ("the live one's name", lambda secret, kept: kept["metadata"].update(name="app-green")),
    ("labels", lambda secret, kept: kept["spec"]["template"]["metadata"].update(labels={"app": "other"})),
    ("the live color", lambda secret, kept: kept["spec"]["template"]["metadata"]["labels"].update(version="green")),
    ("no metadata", lambda secret, kept: kept.update(metadata=None)),
    ("containers", lambda secret, kept: kept["spec"]["template"]["spec"].update(containers=[])),
]


def kept_secret(cluster: RecordedCluster, change: Any = lambda secret, kept: None) -> None:
    """Blue was deleted, and its Secret is another one now."""
    retire(cluster, mode="delete")

    def foreign(secret: Any) -> None:
        kept = json.loads(base64.b64decode(secret["data"]["deployment.json"]))
        secret["metadata"].setdefault("annotations", {})
        change(secret, kept)
        secret["data"]["deployment.json"] = base64.b64encode(json.dumps(kept).encode()).decode()

    cluster.touch("Secret", SECRET, foreign)


@pytest.mark.parametrize("change", [change for _name, change in FOREIGN], ids=[name for name, _change in FOREIGN])
@pytest.mark.parametrize("operation", [deploy, current_color], ids=["deploy", "status"])
def test_a_secret_that_is_not_proven_ours_is_named_and_refused(change: Any, operation: Any) -> None:
    cluster = switched()
    kept_secret(cluster, change)
    cluster.requests.clear()
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(operation, cluster, version="3.0")
    assert caught.value.reason == "kept_unreadable" and SECRET in str(caught.value)
    assert cluster.writes == []


def test_one_of_the_version_before_is_read() -> None:
    """It has only its type."""
    cluster = switched()
    kept_secret(cluster, lambda secret, kept: secret["metadata"].pop("annotations"))
    assert recorded.run(deploy, cluster, version="3.0")["image"].endswith(":3.0")


def test_one_of_another_deployment_than_the_one_named() -> None:
    cluster = switched()
    kept_secret(cluster)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(deploy, cluster, version="3.0", deployments={"blue": "shop-blue"})
    assert caught.value.reason == "kept_unreadable"


def test_a_secret_of_somebody_else_is_not_overwritten() -> None:
    cluster = switched()
    cluster.put({"kind": "Secret", "metadata": {"name": SECRET}, "type": "Opaque", "data": {"password": "bm8="}})
    with pytest.raises(BlueGreenError) as caught:
        retire(cluster, mode="delete")
    assert caught.value.reason == "kept_unreadable" and SECRET in str(caught.value)
    assert cluster.writes == []
