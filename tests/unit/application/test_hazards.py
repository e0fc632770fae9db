# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endangers a release is said before it does harm."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import read_application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.hazards import changed_beside
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


@pytest.mark.parametrize(
    "key, value, warned",
    [
        ("reloader.stakater.com/auto", "true", True),
        ("configmap.reloader.stakater.com/reload", "settings", True),
        ("secret.reloader.stakater.com/auto", "true", True),
        ("reloader.stakater.com/search", "true", True),
        ("reloader.stakater.com/auto", "false", False),
        ("reloader.stakater.com/last-reloaded-from", "{}", False),
        ("example.com/auto", "true", False),
    ],
)
@pytest.mark.parametrize("of_pods", [False, True])
def test_who_restarts_pods_when_shared_configuration_changes(key: str, value: str, warned: bool, of_pods: bool) -> None:
    cluster = RecordedCluster()

    def annotate(item: dict[str, Any]) -> None:
        owner = item["spec"]["template"] if of_pods else item
        owner["metadata"].setdefault("annotations", {})[key] = value

    cluster.touch("Deployment", "app-blue", annotate)
    found = warnings(cluster)
    assert len(found) == warned
    assert all(f"Deployment app-blue has the annotation {key}" in text for text in found)


# --- ConfigMaps and Secrets that both colors share


def shared(cluster: RecordedCluster, at: str, part: str = "f:data", name: str = "shared") -> list[str]:
    """Warnings, when the live color has a ConfigMap of which a part was written then."""
    fields = [{"time": "2020-01-01T00:00:00Z", "fieldsV1": {"f:data": {}}}, {"time": at, "fieldsV1": {part: {}}}]
    cluster.put({"kind": "ConfigMap", "metadata": {"name": name, "managedFields": fields}, "data": {}})
    pod = cluster.one("Deployment", "app-blue")["spec"]["template"]["spec"]
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": name}}, {"secretRef": {"name": "gone"}}]
    return changed_beside(read_application(cluster, recorded.parameters(current_color)))


@pytest.mark.parametrize(
    "at, part, name, warned",
    [
        ("2099-01-01T00:00:00Z", "f:data", "shared", True),
        ("2099-01-01T00:00:00Z", "f:binaryData", "shared", True),
        ("2099-01-01T00:00:00Z", "f:metadata", "shared", False),
        ("2021-01-01T00:00:00Z", "f:data", "shared", False),
        ("2099-01-01T00:00:00Z", "f:data", "settings-0123456789", False),  # of a version
    ],
)
def test_shared_configuration_that_has_changed_since_the_live_pods_started(
    at: str, part: str, name: str, warned: bool
) -> None:
    found = shared(RecordedCluster(), at, part, name)
    assert len(found) == warned
    assert all(f"ConfigMap {name}, which both colors share, was changed at {at}" in text for text in found)


def test_shared_configuration_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RecordedCluster()
    real = cluster.get

    def refuse(kind: str, name: str) -> Any:
        if kind == "ConfigMap":
            raise ApiError("The API server refused 'get configmaps' (HTTP 403)", "forbidden", 403)
        return real(kind, name)

    monkeypatch.setattr(cluster, "get", refuse)
    (warning,) = shared(cluster, "2099-01-01T00:00:00Z")
    assert warning.startswith("Whether ConfigMap shared has changed since the live pods started is not known: The API")


def test_without_pods_nothing_has_changed_since() -> None:
    cluster = RecordedCluster()
    for pod in cluster.objects("Pod"):
        cluster.remove("Pod", pod["metadata"]["name"])
    assert shared(cluster, "2099-01-01T00:00:00Z") == []
