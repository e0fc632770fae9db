# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endangers a release is said before it does harm."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from recorded import RecordedCluster


def warnings(cluster: RecordedCluster) -> list[str]:
    return recorded.run(current_color, cluster)["warnings"]


def test_the_seed_layout_endangers_nothing() -> None:
    assert warnings(RecordedCluster()) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"sessionAffinity": "ClientIP"}, "known stay on the old color for up to 10800 s"),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}},
            "known stay on the old color for up to 60 s",
        ),
        ({"clusterIP": "None"}, "headless"),
        ({"externalTrafficPolicy": "Local"}, "externalTrafficPolicy Local"),
    ],
)
def test_a_service_that_does_not_switch_at_once(spec: dict[str, Any], said: str) -> None:
    cluster = RecordedCluster()
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(spec))
    (warning,) = warnings(cluster)
    assert said in warning
    assert "myapp" in warning


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "Helm"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Service:store/myapp"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux"),
        ({"managedFields": [{"manager": "helm", "fieldsV1": {"f:spec": {"f:selector": {}}}}]}, "helm"),
    ],
)
def test_an_owner_who_would_put_the_selector_back(metadata: dict[str, Any], owner: str) -> None:
    cluster = RecordedCluster()
    cluster.touch("Service", "myapp", lambda item: item["metadata"].update(metadata))
    (warning,) = warnings(cluster)
    assert f"Service myapp is managed by {owner}" in warning
    assert "/spec/selector/version" in warning


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app.kubernetes.io/managed-by": "ansible"}},
        {"managedFields": [{"manager": "helm", "fieldsV1": {"f:metadata": {"f:labels": {}}}}]},
        {"managedFields": [{"manager": "kubectl-client-side-apply", "fieldsV1": {"f:spec": {"f:selector": {}}}}]},
    ],
)
def test_who_does_not_own_the_selector(metadata: dict[str, Any]) -> None:
    cluster = RecordedCluster()
    cluster.touch("Service", "myapp", lambda item: item["metadata"].update(metadata))
    assert warnings(cluster) == []


def autoscaler(kind: str, name: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}
    return {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"}, "spec": spec}


def test_an_autoscaler_of_a_color() -> None:
    cluster = RecordedCluster()
    cluster.put(autoscaler("Deployment", "app-green"))
    (warning,) = warnings(cluster)
    assert "HorizontalPodAutoscaler scaler scales app-green" in warning
    assert "kept at 2 replicas or more" in warning


@pytest.mark.parametrize(("kind", "name"), [("Deployment", "other"), ("StatefulSet", "app-green")])
def test_an_autoscaler_of_something_else(kind: str, name: str) -> None:
    cluster = RecordedCluster()
    cluster.put(autoscaler(kind, name))
    assert warnings(cluster) == []


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        ({"matchLabels": {"app": "myapp"}}, True),
        ({}, True),
        ({"matchExpressions": [{"key": "version", "operator": "In", "values": ["blue", "green"]}]}, True),
        ({"matchExpressions": [{"key": "version", "operator": "Exists"}]}, True),
        ({"matchLabels": {"app": "myapp", "version": "blue"}}, False),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "version", "operator": "NotIn", "values": ["green"]}]}, False),
        ({"matchExpressions": [{"key": "version", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_disruption_budget_over_both_colors(selector: dict[str, Any], covers: bool) -> None:
    cluster = RecordedCluster()
    spec = {"minAvailable": 2, "selector": selector}
    cluster.put({"kind": "PodDisruptionBudget", "metadata": {"name": "budget"}, "spec": spec})
    found = warnings(cluster)
    assert len(found) == int(covers)
    assert all("PodDisruptionBudget budget covers the pods of both colors" in warning for warning in found)


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "PodDisruptionBudget"])
def test_what_may_not_be_read_is_not_taken_for_absent(kind: str) -> None:
    cluster = RecordedCluster()

    def forbidden() -> None:
        raise ApiError(f"The API server refused 'list {kind}' (HTTP 403)", "forbidden", 403)

    cluster.before("list", kind, forbidden)
    (warning,) = warnings(cluster)
    assert f"{kind}s were not looked at" in warning


ODD = [
    {"kind": "HorizontalPodAutoscaler", "spec": {}},
    {"kind": "HorizontalPodAutoscaler"},
    {"kind": "PodDisruptionBudget", "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Near"}]}}},
    {"kind": "PodDisruptionBudget"},
]


@pytest.mark.parametrize("item", ODD)
def test_what_is_not_understood_ends_no_release(item: dict[str, Any]) -> None:
    cluster = RecordedCluster()
    cluster.put(dict(item, metadata={"name": "odd"}))
    (warning,) = warnings(cluster)
    assert warning.startswith(f"{item['kind']}s were not looked at")
