# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endangers a release is said before anything is written."""

from __future__ import annotations

import json

import pytest
from scene import FaultRun, Scene

SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "scaler"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app-green"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ],
    },
}
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "budget"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "myapp"}}},
}
LOCAL = {"spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"}}


def said(run: FaultRun) -> str:
    return " ".join(run.output.split())


def own_the_selector(scene: Scene, manager: str) -> None:
    """Apply the Service from a source of one's own, as Helm and GitOps controllers do."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "myapp"},
        "spec": {"selector": scene.service["spec"]["selector"]},
    }
    scene.app.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        f"--field-manager={manager}",
        "--filename=-",
        stdin=json.dumps(service),
    )


@pytest.mark.promise("what endangers a release is said before anything is written")
def test_before_the_first_write(scene: Scene) -> None:
    own_the_selector(scene, "helm")
    scene.app.apply(SCALER, BUDGET)
    scene.app.kubectl("patch", "service", "myapp", f"--patch={json.dumps(LOCAL)}")
    run = scene.play("release.yml", version="2.0", bluegreen_follow=[])
    assert run.outcome == "released", run.output
    before = said(run).partition("2.0 is released to green")[0]
    for warning in (
        "Service myapp is managed by helm, whose next sync may put the selector back",
        "Service myapp has sessionAffinity ClientIP",
        "Service myapp has externalTrafficPolicy Local",
        "HorizontalPodAutoscaler scaler scales app-green: while green is idle it is kept at 2 replicas or more",
        "PodDisruptionBudget budget covers the pods of both colors",
    ):
        assert warning in before, f"{warning!r} is not said before the lock:\n{run.output}"


def test_manager_and_headless(scene: Scene) -> None:
    service = scene.service
    scene.app.kubectl("delete", "service", "myapp", "--wait=true")
    scene.app.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "myapp"},
            "spec": {"clusterIP": "None", "selector": service["spec"]["selector"], "ports": service["spec"]["ports"]},
        }
    )
    own_the_selector(scene, "argocd-controller")
    run = scene.play("status.yml")
    assert run.code == 0, run.output
    assert "Service myapp is managed by argocd-controller" in said(run), run.output
    assert "Service myapp is headless" in said(run), run.output
    assert not run.writes
