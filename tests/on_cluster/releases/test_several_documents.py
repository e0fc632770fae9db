# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest with a ConfigMap, a Secret, a budget and a policy beside the Deployment: they go with the color, and come back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import EXAMPLE, QUICK, Application, Audit, Run

KEY = "hidden-key-of-"  # what no output may show
BOTH = "{{ bluegreen_color }}"
VERSION = "{{ bluegreen_expected_version }}"


def documents() -> list[dict[str, Any]]:
    labels = {"app": "myapp", "version": BOTH}
    deployment = yaml.safe_load((EXAMPLE / "manifests" / "app-green.yml").read_text())
    found = json.loads(json.dumps(deployment).replace("green", BOTH).replace("myapp:1.0", f"myapp:{VERSION}"))
    found["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": f"settings-{BOTH}"}},
        {"secretRef": {"name": f"myapp-key-{BOTH}"}},
    ]
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    policy = {"podSelector": {"matchLabels": labels}, "ingress": [{"ports": [{"port": 8080}]}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"SETTINGS": f"of {VERSION}"}, **named("settings")},
        {"apiVersion": "v1", "kind": "Secret", "stringData": {"KEY": KEY + VERSION}, **named("myapp-key")},
        {"apiVersion": "v1", "kind": "ServiceAccount", **named("app")},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": budget, **named("app")},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": policy, **named("app")},
        found,
    ]


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": f"{name}-{BOTH}"}}


def written(path: Path, *items: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(items))
    return str(path)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("several") / "app.yml.j2", *documents())


def play(app: Application, playbook: str, manifest: str, *arguments: str, **variables: Any) -> Run:
    run = app.playbook(playbook, *arguments, bluegreen_manifest=manifest, **{**QUICK, **variables})
    assert KEY not in run.output
    assert base64.b64encode(KEY.encode()).decode()[:-2] not in run.output
    return run


def settings(app: Application, color: str) -> str:
    return app.get("configmap", f"settings-{color}")["data"]["SETTINGS"]


def test_a_missing_right_is_found_in_the_plan(app: Application, manifest: str) -> None:
    run = play(app, "release.yml", manifest, "--check", version="2.0")
    assert run.code != 0
    assert "secrets" in run.output and "HTTP 403" in run.output
    app.grant("manifest")


def test_a_plan_shows_each_object_and_writes_nothing(app: Application, manifest: str, audit: Audit) -> None:
    mark = audit.mark()
    run = play(app, "release.yml", manifest, "--check", "--diff", version="2.0")
    assert run.outcome == "planned", run.output
    for name in ("ConfigMap settings-green", "Secret myapp-key-green", "PodDisruptionBudget app-green"):
        assert f"{name} would be made" in run.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    assert not [str(request) for request in requests if request.writes]


def test_everything_is_made_before_the_deployment_and_serves_users(app: Application, manifest: str) -> None:
    run = play(app, "release.yml", manifest, version="2.0")
    assert run.outcome == "released", run.output
    assert app.color == "green"
    assert settings(app, "green") == "of 2.0"
    for kind in ("serviceaccount", "poddisruptionbudget", "networkpolicy"):
        notes = app.get(kind, "app-green")["metadata"]["annotations"]
        assert notes["bluegreen.kubernetes/belongs-to"] == "myapp/green"


def test_a_second_run_writes_nothing(app: Application, manifest: str, audit: Audit) -> None:
    mark = audit.mark()
    run = play(app, "release.yml", manifest, version="2.0")
    assert run.outcome == "unchanged", run.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    assert not [str(request) for request in requests if request.writes]


def test_what_the_live_color_uses_is_refused_before_anything(app: Application, tmp_path: Path, audit: Audit) -> None:
    mine = json.loads(json.dumps(documents()).replace(f"settings-{BOTH}", "settings-green"))
    mark = audit.mark()
    run = play(app, "release.yml", written(tmp_path / "app.yml.j2", *mine), version="3.0")
    assert run.outcome == "refused", run.output
    assert "ConfigMap settings-green in blue's manifest is refused." in run.output
    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/bg_deploy")
    assert not [str(request) for request in requests if request.writes and not request.dry_run]
    assert settings(app, "green") == "of 2.0"


def test_what_left_the_manifest_goes_and_a_rollback_brings_it_back(
    app: Application, manifest: str, tmp_path: Path
) -> None:
    assert play(app, "release.yml", manifest, version="3.0").outcome == "released"
    fewer = [item for item in documents() if item["kind"] not in ("NetworkPolicy", "PodDisruptionBudget")]
    other = written(tmp_path / "app.yml.j2", *fewer)
    run = play(
        app, "../../playbooks/prepare.yml", other, "--inventory=inventory", version="1.0", bluegreen_hosts="myapp"
    )
    assert run.outcome == "prepared", run.output
    assert settings(app, "green") == "of 1.0"
    assert {item["metadata"]["name"] for item in app.get("networkpolicy")} == {"app-blue"}

    run = play(app, "rollback.yml", manifest)
    assert run.outcome == "rolled_back", run.output
    assert (app.color, settings(app, "green"), settings(app, "blue")) == ("green", "of 2.0", "of 3.0")
    assert {item["metadata"]["name"] for item in app.get("networkpolicy")} == {"app-blue", "app-green"}
