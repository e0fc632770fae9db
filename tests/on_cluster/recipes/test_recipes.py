# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases from inside other people's automation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bastion import bastion_of
from cluster.toolchain import go_install
from harness import DELAY, Application, Run
from recipe_files import HELM, RECIPES
from traffic import Traffic

Play = Callable[..., Run]


def runs(app: Application, color: str) -> str:
    """The image of a color."""
    return app.deployment(color)["spec"]["template"]["spec"]["containers"][0]["image"]


def test_the_role_with_an_inventory_of_ones_own(app: Application, play: Play, traffic: Traffic) -> None:
    run = play("release.yml", version="2.0")
    assert (run.code, run.outcome, app.color, runs(app, "green")) == (0, "released", "green", "myapp:2.0"), run.output
    run = play("rollback.yml")
    assert (run.code, run.outcome, app.color) == (0, "rolled_back", "blue"), run.output


@pytest.mark.promise("way in: single modules")
def test_single_modules(app: Application, play: Play, traffic: Traffic) -> None:
    run = play("modules.yml", version="2.0")
    assert (run.code, app.color, runs(app, "green")) == (0, "green", "myapp:2.0"), run.output
    assert app.deployment("blue")["spec"]["replicas"] == 1
    again = play("modules.yml", version="2.0")
    assert again.code == 0 and "changed=0" in again.output
    failed = play("modules.yml", version="never-ready", bluegreen_wait_timeout=5)
    assert failed.code == 2 and app.color == "green"
    assert not app.get("leases")[0]["spec"].get("holderIdentity"), "the lock was not given back"


@pytest.mark.parametrize("way", ["kubernetes_core", "kustomize", "helm"])
def test_deployed_by_tasks_of_ones_own(
    app: Application, play: Play, traffic: Traffic, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    grant_deploying(app)
    if way == "helm":
        monkeypatch.setenv("PATH", f"{go_install(HELM).parent}:{os.environ['PATH']}")
        grant(app, "helm", "get,list,create,update,delete", "secrets")
        run = play("by_own_tasks/release.yml", version="2.0", deploy="helm.yml")
        assert run.outcome == "aborted" and "cannot be imported" in run.result["msg"], run.output
    app.kubectl("delete", "deployment", "app-green")
    run = play("by_own_tasks/release.yml", version="2.0", deploy=f"{way}.yml")
    assert (run.code, run.outcome) == (0, "released"), run.output
    assert (app.color, runs(app, "green")) == ("green", "myapp:2.0")
    env = app.deployment("green")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "DEPLOYED_BY", "value": way.replace("_", ".")} in env
    assert len(app.pods("green")) == 3
    again = play("by_own_tasks/release.yml", version="2.0", deploy=f"{way}.yml")
    assert again.outcome == "unchanged", again.output


def grant_deploying(app: Application) -> None:
    """What kubernetes.core needs besides the Role: it reads, creates and patches the Deployment itself."""
    grant(app, "deploying", "get,create,patch", "deployments.apps")


def grant(app: Application, name: str, verbs: str, resource: str) -> None:
    app.kubectl("create", "role", name, f"--verb={verbs}", f"--resource={resource}")
    app.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={app.namespace}:release")


def test_own_tasks_that_fail_or_touch_what_is_live(app: Application, play: Play, tmp_path: Path) -> None:
    missing = play("by_own_tasks/release.yml", version="2.0", deploy="nowhere.yml")
    assert missing.outcome == "refused", missing.output
    assert "bluegreen_deploy_tasks: there is no file" in missing.output
    failing = tmp_path / "failing.yml"
    failing.write_text(json.dumps([{"name": "Deploy", "ansible.builtin.fail": {"msg": "the chart is broken"}}]))
    run = play("by_own_tasks/release.yml", version="2.0", deploy=str(failing))
    assert run.outcome == "aborted" and "the chart is broken" in run.result["msg"], run.output
    grant_deploying(app)
    live = tmp_path / "live.yml"
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app-blue", "namespace": app.namespace},
        "spec": {"template": {"metadata": {"annotations": {"touched": "1"}}}},
    }
    live.write_text(json.dumps([{"name": "Deploy", "kubernetes.core.k8s": {"definition": patch}}]))
    run = play("by_own_tasks/release.yml", version="2.0", deploy=str(live))
    assert run.outcome == "aborted" and "has changed app-blue, which is live" in run.output, run.output
    assert app.color == "blue"


def test_a_smoke_test_in_a_role_of_ones_own(app: Application, play: Play, traffic: Traffic) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "myapp-preview"},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": "myapp", "version": "none"}},
    }
    app.apply(service)
    address = app.get("service", "myapp-preview")["spec"]["clusterIP"]
    run = play("release_with_own_smoke_test.yml", version="2.0", preview_url=f"http://{address}")
    assert (run.code, run.outcome, app.color) == (0, "released", "green"), run.output
    assert "It is the version that was meant" in run.output
    run = play(
        "release_with_own_smoke_test.yml", version="wrong-version", preview_url=f"http://{address}", bluegreen_checks=[]
    )
    assert run.outcome == "aborted" and "answers as" in run.result["msg"], run.output
    assert app.color == "green"


def test_rolled_back_from_a_rescue(app: Application, play: Play, traffic: Traffic) -> None:
    address = app.url("").rstrip("/")
    run = play("release_or_roll_back.yml", version="2.0", public_url=address)
    assert (run.code, run.outcome, app.color) == (0, "released", "green"), run.output
    run = play("release_or_roll_back.yml", version="3.0", public_url=address, public_version="another")
    assert run.code == 2 and run.outcome == "rolled_back" and app.color == "green", run.output
    assert "3.0 did not stay live" in run.output and runs(app, "green") == "myapp:2.0"
    run = play("release_or_roll_back.yml", version="never-ready", public_url=address, bluegreen_wait_timeout=5)
    assert run.code == 2 and run.outcome == "unchanged", run.output
    assert app.color == "green", "the release before was rolled back in place of the one that failed"


def test_from_a_bastion_over_ssh(app: Application, traffic: Traffic, tmp_path: Path) -> None:
    with bastion_of(app, tmp_path) as bastion:
        hosts = tmp_path / "hosts.yml"
        hosts.write_text(
            yaml.safe_dump(
                {
                    "all": {
                        "children": {
                            "applications": {
                                "hosts": {"myapp": {"team": app.namespace, "bluegreen_scale_down_delay": DELAY}}
                            },
                            "bastions": {"hosts": {"bastion": bastion.login}},
                        }
                    }
                }
            )
        )
        (tmp_path / "group_vars").symlink_to(RECIPES / "inventory" / "group_vars")
        run = Run(
            ["release_from_bastion.yml", "--inventory", str(hosts)],
            {"version": "2.0"},
            cwd=RECIPES,
            env={"KUBECONFIG": str(tmp_path / "no-kubeconfig")},
        ).finish()
    assert (run.code, run.outcome, app.color) == (0, "released", "green"), run.output
    assert len([command for command in bastion.commands if "AnsiballZ_bg_" in command]) >= 5, bastion.commands
