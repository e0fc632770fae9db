# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with the live color: which objects are found, what becomes of each at each stage, and what is only said."""

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

HPA, SCALED, BUDGET = "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"
LEAST = "bluegreen.kubernetes/least"
PAUSED = "autoscaling.keda.sh/paused-replicas"
Object = dict[str, Any]


def autoscaler(target: str, name: str = "scaler", kind: str = "Deployment", **spec: Any) -> Object:
    found = {"apiVersion": "apps/v1", "kind": kind, "name": target}
    return {
        "kind": HPA,
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": found, "minReplicas": 2, "maxReplicas": 9, **spec},
    }


def scaled_object(target: str, name: str = "queue", **spec: Any) -> Object:
    return {"kind": SCALED, "metadata": {"name": name}, "spec": {"scaleTargetRef": {"name": target}, **spec}}


def of_keda(target: str, owner: str = "queue") -> Object:
    item = autoscaler(target, f"keda-hpa-{owner}")
    item["metadata"]["ownerReferences"] = [{"kind": SCALED, "name": owner}]
    return item


def budget(selector: Object, name: str = "budget", **spec: Any) -> Object:
    return {"kind": BUDGET, "metadata": {"name": name}, "spec": {"selector": selector, **(spec or {"minAvailable": 2})}}


def of_color(color: str) -> Object:
    return {"matchLabels": {"app": "myapp", "version": color}}


def cluster_with(*items: Object, live: str = "blue") -> RecordedCluster:
    cluster = RecordedCluster()
    for item in items:
        cluster.put(item)
    if live != "blue":
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version=live))
    return cluster


def run(cluster: RecordedCluster, stage: str, **options: Any) -> Object:
    return recorded.run(follow, cluster, stage=stage, **options)


def warnings(cluster: RecordedCluster, **options: Any) -> list[str]:
    return recorded.run(current_color, cluster, **options)["warnings"]


def target(cluster: RecordedCluster, kind: str, name: str) -> str:
    return cluster.one(kind, name)["spec"]["scaleTargetRef"]["name"]


def least(cluster: RecordedCluster, name: str, kind: str = HPA) -> tuple[int, str | None]:
    """The lower bound, and the note of what it was."""
    item = cluster.one(kind, name)
    field = "minReplicas" if kind == HPA else "minReplicaCount"
    return item["spec"].get(field, 0), (item["metadata"].get("annotations") or {}).get(LEAST)


# --- one for the application


@pytest.mark.parametrize("stage", ["switch", "scale_down"])
def test_the_only_autoscaler_and_the_only_budget_go_where_the_services_are(stage: str) -> None:
    cluster = cluster_with(autoscaler("app-blue"), budget(of_color("blue")), live="green")
    result = run(cluster, stage)
    assert target(cluster, HPA, "scaler") == "app-green"
    assert cluster.one(BUDGET, "budget")["spec"]["selector"] == of_color("green")
    assert result["changed"]
    assert result["diff"]["before"][f"{HPA} scaler"] == {"spec.scaleTargetRef.name": "app-blue"}
    assert result["diff"]["after"][f"{HPA} scaler"] == {"spec.scaleTargetRef.name": "app-green"}
    assert not run(cluster, stage)["changed"]
    assert len(cluster.writes) == 2


def test_before_the_switch_they_stay() -> None:
    cluster = cluster_with(autoscaler("app-blue"), budget(of_color("blue")))
    assert not run(cluster, "deploy", color="green")["changed"]
    assert not run(cluster, "switch")["changed"]
    assert cluster.writes == []


def test_nobody_makes_them_follow_a_color_that_is_not_live() -> None:
    cluster = cluster_with(autoscaler("app-blue"))
    with pytest.raises(BlueGreenError, match="green is not live") as caught:
        run(cluster, "switch", color="green")
    assert caught.value.reason == "changed_selector"
    with pytest.raises(BlueGreenError, match="blue is live"):
        run(cluster, "deploy", color="blue")


def test_a_plan_shows_what_will_follow() -> None:
    cluster = cluster_with(autoscaler("app-blue"))
    cluster.dry_run = True
    result = run(cluster, "switch", color="green")
    assert result["changed"]
    assert target(cluster, HPA, "scaler") == "app-blue"
    assert "would be changed" in result["msg"]


def test_one_that_follows_a_color_without_a_deployment_knows_its_name() -> None:
    cluster = cluster_with(autoscaler("app-green"), live="blue")
    cluster.remove("Deployment", "app-green")
    run(cluster, "switch")
    assert target(cluster, HPA, "scaler") == "app-blue"


@pytest.mark.parametrize(("kind", "name"), [("Deployment", "other"), ("StatefulSet", "app-green")])
def test_an_autoscaler_of_something_else_is_not_touched(kind: str, name: str) -> None:
    cluster = cluster_with(autoscaler(name, kind=kind), live="green")
    assert run(cluster, "switch")["followers"] == []
    assert cluster.writes == []
    assert warnings(cluster) == []


def test_two_of_one_color_are_left_alone_with_a_word() -> None:
    cluster = cluster_with(autoscaler("app-blue", "one"), autoscaler("app-blue", "two"), live="green")
    assert not run(cluster, "switch")["changed"]
    (warning,) = warnings(cluster)
    assert "Several HorizontalPodAutoscalers are about the same color: one, two." in warning


# --- one for each color


def apart(live: str = "blue", **idle: Any) -> RecordedCluster:
    other = "green" if live == "blue" else "blue"
    return cluster_with(autoscaler(f"app-{live}", live), autoscaler(f"app-{other}", other, **idle), live=live)


def test_a_color_that_is_released_is_not_shrunk_before_it_has_users() -> None:
    cluster = apart()
    assert run(cluster, "deploy", color="green")["changed"]
    assert least(cluster, "green") == (3, "2")  # as many as blue has
    assert least(cluster, "blue") == (2, None)
    assert not run(cluster, "deploy", color="green")["changed"]


def test_the_old_one_is_let_go_and_the_new_one_has_its_bound_back() -> None:
    cluster = apart()
    run(cluster, "deploy", color="green")
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    assert not run(cluster, "switch")["changed"]
    run(cluster, "scale_down", idle_replicas=1)
    assert least(cluster, "green") == (2, None)
    assert least(cluster, "blue") == (1, "2")
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=3))
    run(cluster, "deploy", color="blue")  # the next release
    assert least(cluster, "blue") == (3, "2")


@pytest.mark.parametrize(("idle_replicas", "bound"), [(0, (2, None)), (1, (1, "2")), (2, (2, None)), (5, (2, None))])
def test_an_idle_color_keeps_what_it_shall(idle_replicas: int, bound: tuple[int, str | None]) -> None:
    cluster = apart()
    run(cluster, "scale_down", idle_replicas=idle_replicas)
    assert least(cluster, "green") == bound


def test_a_new_color_that_may_not_have_enough_pods_is_refused() -> None:
    cluster = apart(maxReplicas=2)
    with pytest.raises(BlueGreenError, match="lets green have 2 pods at most, and the live color has 3"):
        run(cluster, "deploy", color="green")


def test_the_old_color_s_own_one_is_lowered_before_it_is_scaled_down() -> None:
    cluster = apart(live="green")
    cluster.touch("Deployment", "app-blue", lambda item: item["spec"].update(replicas=3))
    result = recorded.run(scale, cluster, replicas=1, follow=["autoscalers", "budgets"])
    assert [write.kind for write in cluster.writes] == [HPA, "Deployment"]
    assert result["changed"]
    assert result["diff"]["after"] == {
        "replicas": 1,
        f"{HPA} blue": {"spec.minReplicas": 1, f"metadata.annotations.{LEAST}": "2"},
    }


def test_who_only_scales_leaves_them_alone() -> None:
    cluster = apart(live="green")
    recorded.run(scale, cluster, replicas=0)
    assert {write.kind for write in cluster.writes} == {"Deployment"}


# --- KEDA


def test_the_only_scaled_object_follows_and_what_keda_makes_of_it_does_not() -> None:
    cluster = cluster_with(scaled_object("app-blue"), of_keda("app-blue"), live="green")
    run(cluster, "switch")
    assert target(cluster, SCALED, "queue") == "app-green"
    assert target(cluster, HPA, "keda-hpa-queue") == "app-blue"  # KEDA's to change


def test_without_keda_nobody_asks_for_scaled_objects() -> None:
    cluster = cluster_with(autoscaler("app-blue"))
    run(cluster, "switch")
    assert not [request for request in cluster.requests if request.kind == SCALED]


def test_of_two_the_idle_one_is_paused() -> None:
    cluster = cluster_with(
        scaled_object("app-blue", "blue"), scaled_object("app-green", "green"), of_keda("app-blue", "blue")
    )
    run(cluster, "scale_down", idle_replicas=1)
    annotations = cluster.one(SCALED, "green")["metadata"]["annotations"]
    assert annotations[PAUSED] == "1"
    assert not run(cluster, "scale_down", idle_replicas=1)["changed"]
    run(cluster, "deploy", color="green")
    assert PAUSED not in cluster.one(SCALED, "green")["metadata"]["annotations"]
    assert least(cluster, "green", SCALED) == (3, "0")


def test_what_somebody_else_has_paused_stays_so() -> None:
    cluster = cluster_with(
        scaled_object("app-blue", "blue"), scaled_object("app-green", "green"), of_keda("app-blue", "blue")
    )
    cluster.touch(SCALED, "green", lambda item: item["metadata"].update(annotations={PAUSED: "0"}))
    run(cluster, "deploy", color="green")
    assert cluster.one(SCALED, "green")["metadata"]["annotations"][PAUSED] == "0"


# --- budgets


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"matchLabels": {"app": "myapp"}}, "covers the pods of both colors"),
        ({}, "covers the pods of both colors"),
        ({"matchExpressions": [{"key": "version", "operator": "In", "values": ["blue", "green"]}]}, "both colors"),
        ({"matchExpressions": [{"key": "version", "operator": "Exists"}]}, "both colors"),
        ({"matchLabels": {"app": "myapp", "version": "blue"}}, None),
        ({"matchLabels": {"app": "other"}}, None),
        ({"matchExpressions": [{"key": "version", "operator": "NotIn", "values": ["green"]}]}, "by other labels"),
        ({"matchExpressions": [{"key": "version", "operator": "DoesNotExist"}]}, None),
    ],
)
def test_a_budget_that_cannot_follow_is_told_of(selector: Object, said: str | None) -> None:
    cluster = cluster_with(budget(selector))
    assert [said in warning for warning in warnings(cluster) if said] == ([True] if said else [])


@pytest.mark.parametrize(
    ("spec", "hangs"),
    [
        ({"minAvailable": 1}, True),
        ({"minAvailable": "50%"}, True),
        ({"minAvailable": 0}, False),
        ({"maxUnavailable": 1}, False),
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
    ],
)
def test_an_idle_color_s_own_budget_that_lets_no_pod_go(spec: Object, hangs: bool) -> None:
    cluster = cluster_with(
        budget(of_color("blue"), "blue", maxUnavailable=1), budget(of_color("green"), "green", **spec)
    )
    told = warnings(cluster, idle_replicas=1)
    assert ["PodDisruptionBudget green" in text and "waits for ever" in text for text in told] == [True] * hangs
    assert not run(cluster, "switch")["changed"]


# --- what is left alone, and what may not be done


def test_what_is_left_alone_is_told_of() -> None:
    cluster = cluster_with(autoscaler("app-green"), budget(of_color("blue")), live="green")
    found = warnings(cluster, follow=[])
    assert "HorizontalPodAutoscaler scaler scales app-green" in found[0]
    assert "kept at 2 replicas or more" in found[0]
    assert "protects blue only" in found[1]
    assert not run(cluster, "switch", follow=[])["changed"]


@pytest.mark.parametrize("kind", [HPA, BUDGET])
def test_what_may_not_be_read_is_not_taken_for_absent(kind: str) -> None:
    cluster = RecordedCluster()

    def forbidden() -> None:
        raise ApiError(f"The API server refused 'list {kind}' (HTTP 403)", "forbidden", 403)

    cluster.before("list", kind, forbidden)
    (warning,) = warnings(cluster)
    assert f"{kind}s were not looked at" in warning


def test_what_may_not_be_written_is_refused_before_the_first_write() -> None:
    cluster = cluster_with(autoscaler("app-blue"))

    def forbidden() -> None:
        raise ApiError("The API server refused 'patch' (HTTP 403)", "forbidden", 403)

    cluster.before("patch", HPA, forbidden)
    settings = {"bluegreen_services": ["myapp"]}
    with pytest.raises(BlueGreenError, match="belongs to the application, and may not be changed") as caught:
        recorded.run(begin, cluster, flow="release", settings=settings, version="2.0")
    assert "bluegreen_follow: ['budgets']" in str(caught.value)
    assert cluster.writes == []


def test_what_may_not_be_written_stops_no_way_back() -> None:
    cluster = switched(
        version="2.0", previous_version="1.0", image="myapp:2.0", previous_image="myapp:1.0", kind="release"
    )
    cluster.put(autoscaler("app-green"))

    def forbidden() -> None:
        raise ApiError("The API server refused 'patch' (HTTP 403)", "forbidden", 403)

    cluster.before("patch", HPA, forbidden, nth=None)
    result = recorded.run(begin, cluster, flow="rollback", settings={"bluegreen_services": ["myapp"]})
    assert "follow" not in [step["name"] for step in result["steps"]]
    assert any("belongs to the application" in text for text in cluster.warned)


ODD = [
    {"kind": HPA, "spec": {}},
    {"kind": HPA},
    {"kind": BUDGET, "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Near"}]}}},
    {"kind": BUDGET},
]


@pytest.mark.parametrize("item", ODD)
def test_what_is_not_understood_ends_no_release(item: Object) -> None:
    cluster = cluster_with(dict(item, metadata={"name": "odd"}))
    (warning,) = warnings(cluster)
    assert warning.startswith(f"{item['kind']}s were not looked at")


def test_who_takes_over_shuts_late_writes_out() -> None:
    cluster = cluster_with(autoscaler("app-blue"))
    cluster.touch(
        "Service",
        "myapp",
        lambda item: item["metadata"].setdefault("annotations", {}).update({"bluegreen.kubernetes/lock-id": "dead"}),
    )
    result = recorded.run(lock, cluster, follow=["autoscalers"])
    assert cluster.one(HPA, "scaler")["metadata"]["annotations"]["bluegreen.kubernetes/lock-id"] == result["lock_id"]


def test_status_says_which_one_lags() -> None:
    cluster = cluster_with(autoscaler("app-blue"), live="green")
    result = recorded.run(current_color, cluster)
    (found,) = result["followers"]
    assert (found["lags"], found["color"]) == (True, "blue")
    assert "lags: HorizontalPodAutoscaler scaler scales app-blue (2 to 9 pods)" in result["summary"]


def test_what_is_retired_is_not_scaled_up_again() -> None:
    cluster = switched()
    for item in (scaled_object("app-blue", "blue"), scaled_object("app-green", "green"), of_keda("app-green", "green")):
        cluster.put(item)
    recorded.run(retire, cluster, follow=["autoscalers"])
    assert cluster.one(SCALED, "blue")["metadata"]["annotations"][PAUSED] == "0"
