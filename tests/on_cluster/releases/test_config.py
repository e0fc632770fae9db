# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a version: released with it, gone back to with it, shown to nobody, and nothing of it left over."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from harness import Application, Audit, until

FILE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {REPORT_VERSION: "{{ bluegreen_expected_version }} with {{ level }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {PASSWORD: "correct-horse-of-{{ level }}"}
"""


def configured(manifests: list[dict[str, Any]]) -> None:
    """Both colors have a ConfigMap and a Secret in their environment, and keep one old ReplicaSet."""
    for item in manifests:
        if item["kind"] == "Deployment" and item["metadata"]["name"].startswith("app-"):
            item["spec"]["revisionHistoryLimit"] = 1
            sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "credentials"}}]
            item["spec"]["template"]["spec"]["containers"][0]["envFrom"] = sources
    for kind, name in (("ConfigMap", "settings"), ("Secret", "credentials")):
        manifests.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})


@pytest.fixture(scope="module")
def app(namespace: str) -> Iterator[Application]:
    with Application(namespace, change=configured) as application:
        application.grant("config")
        yield application


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every release is told."""
    directory: Path = tmp_path_factory.mktemp("config")
    (directory / "app.yml.j2").write_text(FILE)
    checks = [{"name": "health", "http": "/health"}]
    return {"bluegreen_config": [f"{directory}/*.yml.j2"], "bluegreen_checks": checks, "bluegreen_scale_down_delay": 0}


def objects(app: Application) -> dict[str, str]:
    """The uid of each ConfigMap and Secret that belongs to a version."""
    found = app.get("configmaps,secrets", "", "--selector=bluegreen.kubernetes/application=myapp")
    return {f"{item['kind']} {item['metadata']['name']}": item["metadata"]["uid"] for item in found}


def seen(app: Application) -> str:
    """What the live pods say that their configuration is."""
    return str(requests.get(app.url("/api/status"), timeout=10).json()["version"])


def test_a_plan_shows_no_secret_and_writes_nothing(app: Application, audit: Audit, given: dict[str, Any]) -> None:
    mark = audit.mark()
    run = app.playbook("release.yml", "--check", "--diff", version="2.0", level="info", **given)
    assert run.outcome == "planned", run.output
    assert "2.0 with info" in run.output and "(21 bytes)" in run.output
    assert not [str(request) for request in audit.since(mark, namespace=app.namespace) if request.writes]
    assert objects(app) == {}


def test_a_version_has_its_configuration_and_the_live_one_keeps_its_own(
    app: Application, given: dict[str, Any]
) -> None:
    live = app.deployment("blue")["spec"]["template"]
    run = app.playbook("release.yml", "-vvv", version="2.0", level="info", **given)
    assert (run.outcome, seen(app)) == ("released", "2.0 with info"), run.output
    assert app.deployment("blue")["spec"]["template"] == live
    assert len(objects(app)) == 2
    assert "correct-horse-of" not in run.output
    assert base64.b64encode(b"correct-horse-of-info").decode() not in run.output


def test_the_same_again_is_unchanged(app: Application, audit: Audit, given: dict[str, Any]) -> None:
    mark = audit.mark()
    run = app.playbook("release.yml", version="2.0", level="info", **given)
    assert run.outcome == "unchanged", run.output
    assert not [str(request) for request in audit.since(mark, namespace=app.namespace) if request.writes]


def test_it_cannot_be_changed(app: Application) -> None:
    for name in objects(app):
        patch = '--patch={"data": {"REPORT_VERSION": "eA=="}}'
        before = app.get(*name.split())
        app.kubectl("patch", *name.split(), "--type=merge", patch, check=False)
        assert app.get(*name.split()) == before


def test_a_changed_configuration_alone_is_a_release(app: Application, given: dict[str, Any]) -> None:
    run = app.playbook("release.yml", version="2.0", level="debug", **given)
    assert (run.outcome, app.color, seen(app)) == ("released", "blue", "2.0 with debug"), run.output


@pytest.mark.promise("a rollback brings the old configuration back with the old code, to the byte")
def test_a_rollback_brings_the_old_configuration(app: Application, given: dict[str, Any]) -> None:
    """Also a pod of the old color that has started meanwhile has it."""
    for level in () if objects(app) else ("info", "debug"):  # which the tests before have released, where they were run
        assert app.playbook("release.yml", version="2.0", level=level, **given).outcome == "released"
    before, ago = objects(app), app.uids("green")
    app.kubectl("delete", "pods", "--selector=app=myapp,version=green", "--wait=false")
    until(lambda: app.uids("green") and not app.uids("green") & ago, "a new pod of green")
    run = app.playbook("rollback.yml", **given)
    assert (run.outcome, app.color, seen(app)) == ("rolled_back", "green", "2.0 with info"), run.output
    assert objects(app) == before


def test_ten_releases_leave_nothing_over(app: Application, given: dict[str, Any]) -> None:
    for number in range(10):
        run = app.playbook("release.yml", version="2.0", level=f"level-{number}", **given)
        assert (run.outcome, seen(app)) == ("released", f"2.0 with level-{number}"), run.output
    sets = [item["spec"]["template"]["spec"] for item in app.get("replicasets")]
    sources = [source for pod in sets for source in pod["containers"][0]["envFrom"]]
    names = {f"ConfigMap {source['configMapRef']['name']}" for source in sources if "configMapRef" in source}
    names |= {f"Secret {source['secretRef']['name']}" for source in sources if "secretRef" in source}
    assert objects(app).keys() == names - {"ConfigMap settings", "Secret credentials"}
