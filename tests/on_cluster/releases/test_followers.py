# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoscalers and disruption budgets go with the live color, there and back, while users are served.

Without a metrics server a HorizontalPodAutoscaler enforces its bounds and nothing else, at its next look (15 s).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Application, Audit
from traffic import Traffic

SYNC = 17  # seconds in which the controller has looked at each autoscaler at least once


def autoscaler(name: str, target: str) -> dict[str, Any]:
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 3,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": metric}],
        },
    }


BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "myapp"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "myapp", "version": "blue"}}},
}


@pytest.fixture(scope="module")
def traffic(app: Application) -> Iterator[Traffic]:
    with Traffic(app.url("/api/status"), rate=100) as running:
        yield running


def replicas(app: Application) -> tuple[int, int]:
    blue, green = (app.deployment(color)["spec"]["replicas"] for color in ("blue", "green"))
    return blue, green


def followed(app: Application) -> tuple[str, str]:
    """The Deployment that is scaled, and the color that is protected."""
    scaler, budget = app.get("horizontalpodautoscaler", "myapp"), app.get("poddisruptionbudget", "myapp")
    return scaler["spec"]["scaleTargetRef"]["name"], budget["spec"]["selector"]["matchLabels"]["version"]


def test_without_the_right_to_change_them_a_release_is_refused(app: Application, audit: Audit) -> None:
    app.apply(autoscaler("myapp", "app-blue"), BUDGET)
    mark = audit.mark()
    run = app.playbook("release.yml", version="2.0")
    assert run.outcome == "refused", run.output
    assert "examples/rbac/followers.yml" in run.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    assert not [str(request) for request in requests if request.writes]


def test_a_plan_shows_what_will_follow(app: Application, audit: Audit) -> None:
    app.grant("followers")
    mark = audit.mark()
    run = app.playbook("release.yml", "--check", "--diff", version="2.0")
    assert run.outcome == "planned", run.output
    assert "app-blue -> app-green" in run.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    assert not [str(request) for request in requests if request.writes]


@pytest.mark.promise("autoscalers and disruption budgets go with the live color, there and back")
def test_the_only_ones_go_where_the_users_are(app: Application, traffic: Traffic) -> None:
    app.grant("followers")
    app.apply(autoscaler("myapp", "app-blue"), BUDGET)
    run = app.playbook("release.yml", version="2.0", bluegreen_scale_down_delay=2)
    assert run.outcome == "released", run.output
    assert followed(app) == ("app-green", "green")
    time.sleep(SYNC)
    assert replicas(app) == (1, 3), "the idle color is scaled up again"

    back = app.playbook("rollback.yml", bluegreen_scale_down_delay=2)
    assert back.outcome == "rolled_back", back.output
    assert followed(app) == ("app-blue", "blue")
    time.sleep(SYNC)
    assert replicas(app) == (3, 1)
    assert not traffic.report.failed, traffic.report.failures


def test_with_one_for_each_color_the_idle_one_stays_small(app: Application, traffic: Traffic) -> None:
    app.kubectl("delete", "horizontalpodautoscaler/myapp")
    app.apply(autoscaler("app-blue", "app-blue"), autoscaler("app-green", "app-green"))
    run = app.playbook("release.yml", version="3.0", bluegreen_scale_down_delay=2)
    assert run.outcome == "released", run.output
    time.sleep(SYNC)
    assert replicas(app) == (1, 3)
    bounds = {
        name: app.get("horizontalpodautoscaler", f"app-{name}")["spec"]["minReplicas"] for name in ("blue", "green")
    }
    assert bounds == {"blue": 1, "green": 3}
    status = app.playbook("status.yml")
    assert "HorizontalPodAutoscaler app-blue scales app-blue (1 to 10 pods, 3 at least of its own)" in status.output
    assert not traffic.report.failed, traffic.report.failures
