# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped Roles are enough, and nothing in them is too much: for every verb something fails without it, clearly."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from checkout import ROOT
from harness import Request
from scene import FaultRun, Scene, cases

ROLES = {
    name: yaml.safe_load((ROOT / "examples" / "rbac" / f"{name}.yml").read_text()) for name in ("release", "status")
}
ACCOUNT = "bluegreen-release"
# Without these a release goes on, with a warning that says what it could not look at.
WARNS = ("horizontalpodautoscalers", "poddisruptionbudgets", "resourcequotas")


def grants(role: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Everything that a Role allows: "verb resource" → (API group, resource, verb)."""
    return {
        f"{verb} {resource}": (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def without(role: dict[str, Any], grant: tuple[str, str, str] | None) -> dict[str, Any]:
    """The Role with one grant less."""
    role = copy.deepcopy(role)
    role["rules"] = [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group, resource, verb in grants(role).values()
        if (group, resource, verb) != grant
    ]
    return role


def account(scene: Scene, role: dict[str, Any]) -> str:
    """A ServiceAccount that has this Role and nothing else; its token."""
    name = role["metadata"]["name"]
    scene.app.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        role,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    )
    return scene.app.token(name)


def foreign_lock(scene: Scene) -> None:
    """Somebody has the lock, and died."""
    scene.app.apply(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "bluegreen-myapp"},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 3, "renewTime": "2026-01-01T00:00:00.000000Z"},
        }
    )


def provoke(scene: Scene, secret: str, resource: str, verb: str) -> FaultRun:
    """A release that needs what a grant is for."""
    variables: dict[str, Any] = {"version": "2.0"}
    if resource == "leases" and verb != "create":  # the first release of an application makes its Lease
        foreign_lock(scene)
    if resource in ("pods/log", "replicasets"):  # asked when a pod is in trouble
        variables["version"] = "crash"
    if resource in ("pods/proxy", "pods/portforward"):
        # One way is tried where the other is not allowed; so it is said which.
        way = {"pods/proxy": "proxy", "pods/portforward": "port_forward"}[resource]
        variables["bluegreen_checks"] = [{"name": "health", "http": "/health", "via": way}]
    if resource == "jobs":
        variables["bluegreen_checks"] = [
            {"name": "suite", "job": str(ROOT / "tests" / "on_cluster" / "faults" / "job.yml")}
        ]
    return scene.play("release.yml", token=secret, direct=resource == "pods/portforward", **variables)


def refused(scene: Scene) -> list[Request]:
    """What the API server has not let the release's account do."""
    return [request for request in scene.audited() if request.user.endswith(f":{ACCOUNT}") and request.status == 403]


def said(run: FaultRun) -> str:
    """A run's output, in one line and without the backslashes of JSON."""
    return " ".join(run.output.replace('\\"', '"').split())


@pytest.mark.promise("the shipped Role is enough for release and rollback")
def test_release_and_rollback_with_the_shipped_role(scene: Scene) -> None:
    secret = account(scene, ROLES["release"])
    assert scene.play("release.yml", token=secret, version="2.0").outcome == "released"
    scene.live_and_whole("green", "2.0")
    assert scene.play("rollback.yml", token=secret).outcome == "rolled_back"
    scene.live_and_whole("blue", "1.0")
    assert not refused(scene)
    scene.nothing_lost()


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    cases(grants(ROLES["release"])),
)
def test_release_without_one_verb(scene: Scene, group: str, resource: str, verb: str) -> None:
    run = provoke(scene, account(scene, without(ROLES["release"], (group, resource, verb))), resource, verb)
    assert refused(scene), f"the Role grants {verb} on {resource}, and a release does without"
    if (resource, verb) == ("pods/portforward", "create"):
        # Asked for behind the upgrade to a WebSocket, where the API server does not say what is missing; we do.
        assert "grant 'get' and 'create' on pods/portforward" in said(run)
    else:
        assert f'cannot {verb} resource "{resource}"' in said(run)
        assert f'in the namespace "{scene.app.namespace}"' in said(run)
    assert "Traceback" not in run.output
    if resource in WARNS:
        assert run.outcome == "released", run.output
    else:
        assert run.code != 0, run.output
        scene.live_and_whole("blue", "1.0")
    scene.nothing_lost()


@pytest.mark.parametrize("taken", ["nothing", *grants(ROLES["status"])])
def test_status(scene: Scene, taken: str) -> None:
    grant = grants(ROLES["status"]).get(taken)
    # Until there is something to go back to, nobody asks how long that would take.
    assert scene.play("release.yml", version="2.0").outcome == "released"
    if taken == "get leases":  # of a run that has not recorded its end, it is asked whether it lives
        half = scene.start("release.yml", version="3.0")
        half.wait_for("app-blue gets")
        half.kill()
    # Only where there are CronJobs are these asked for.
    own: dict[str, Any] = {"bluegreen_cronjobs": ["nightly"]} if grant and grant[0] == "batch" else {}
    run = scene.play("status.yml", token=account(scene, without(ROLES["status"], grant)), **own)
    if grant:
        assert f'cannot {grant[2]} resource "{grant[1]}"' in said(run)
    else:
        assert run.code == 0, run.output
    assert not run.writes
