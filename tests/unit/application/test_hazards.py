# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endangers a release is said before it does harm."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
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
