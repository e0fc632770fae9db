# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that went wrong as people met them: which Deployment is a color, its ports, and what becomes of it meanwhile."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from simulation.field import Field, container
from simulation.scenarios import CHECKS, FILES
from simulation.test_field import remade
from simulation.trial import COMES_TO_AN_END, NAMESPACE
from simulation.world import example
from simulation.world.objects import Object

MANIFEST = FILES / "deployment.yml.j2"
BOTH = ("app-blue", "app-green")
NAMED = {"blue": "app-blue", "green": "app-green"}


def template(item: Object) -> Object:
    found: Object = item["spec"]["template"]
    return found


def manifest(directory: Path, *changes: tuple[str, str]) -> str:
    text = MANIFEST.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (directory / "deployment.yml.j2").write_text(text)
    return str(directory / "deployment.yml.j2")


def warned(text: str, about: str) -> list[str]:
    return [line for line in text.splitlines() if "warning: " in line and about in line]


# --- which Deployment is a color


def of_its_own_release(item: Object) -> None:
    """As one Helm release per color makes it."""
    release = "shop-" + template(item)["metadata"]["labels"]["version"]
    for labels in (item["spec"]["selector"]["matchLabels"], template(item)["metadata"]["labels"]):
        labels["release"] = release


def of_two_releases(field: Field) -> list[Object]:
    for name in BOTH:
        remade(field, name, change=of_its_own_release)
    field.change("Service", "myapp", lambda item: item["spec"]["selector"].update(release="shop-blue"))
    return field.written()


def test_a_named_deployment_that_the_service_would_not_select() -> None:
    with Field(bluegreen_deployments=NAMED) as field:
        before = of_two_releases(field)
        for check in (True, False):
            run = field.play("release", "2.0", check=check)
            assert run.outcome == "refused", run.text()
            assert "Deployment 'app-green' is not green: Service myapp would not select its pods" in str(run.result)
            assert '"release": "shop-blue"' in run.text() and '"release": "shop-green"' in run.text()
        assert field.written() == before


def test_a_color_to_be_made_whose_name_is_taken() -> None:
    with Field(bluegreen_create_missing=True) as field:
        before = of_two_releases(field)
        for check in (True, False):
            run = field.play("release", "2.0", check=check)
            assert run.outcome == "refused", run.text()
            assert "Deployment 'app-green' is not green: Service myapp would not select its pods" in str(run.result)
            assert "Somebody else" not in run.text()
        assert field.written() == before


def test_deployments_that_are_swapped() -> None:
    with Field(bluegreen_deployments={"green": "app-blue", "blue": "app-green"}) as field:
        before = field.written()
        for check in (True, False):
            run = field.play("release", "2.0", check=check)
            assert run.outcome == "refused", run.text()
            assert "Deployment 'app-green' is not blue: Service myapp would not select its pods" in str(run.result)
        assert field.written() == before


def test_one_deployment_for_both_colors() -> None:
    with Field(bluegreen_deployments={"green": "app-blue", "blue": "app-blue"}) as field:
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused" and "Deployment 'app-blue' is not green" in str(run.result)


def test_a_second_service_with_a_label_that_the_idle_color_lacks() -> None:
    second = example.service("myapp-admin")
    second["spec"]["selector"]["tier"] = "web"
    with Field(bluegreen_services=["myapp", "myapp-admin"]) as field:
        field.change("Deployment", "app-blue", lambda item: template(item)["metadata"]["labels"].update(tier="web"))
        field.put(second)
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused"
        assert "app-green is none: Service myapp-admin would not select its pods, which lack tier=web" in run.text()


def test_a_canary_beside_the_live_color_is_told() -> None:
    with Field(bluegreen_deployments=NAMED) as field:
        labels = {"app": "myapp", "version": "blue", "track": "canary"}
        canary = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "canary"}}
        spec = copy.deepcopy(field.deployment("app-blue")["spec"])
        spec["template"]["metadata"]["labels"] = labels
        field.put({**canary, "spec": {**spec, "replicas": 1, "selector": {"matchLabels": labels}}})
        run = field.play("release", "2.0")
        assert run.outcome == "released"
        assert warned(run.text(), "Service myapp sends users of blue to pods that are none of Deployment app-blue")


# --- whose a pod is


def test_a_replicaset_that_is_only_named_like_one_of_the_colors() -> None:
    labels = {"app": "myapp", "version": "green", "role": "admin"}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}}
    with Field() as field:
        pod = {"metadata": {"labels": labels}, "spec": copy.deepcopy(template(field.deployment("app-green"))["spec"])}
        about = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "app-green-admin"}}
        field.put({**about, "spec": {**spec, "template": pod}})
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused", run.text()
        assert "of ReplicaSet app-green-admin has the labels of green" in str(run.result)


def test_a_pod_that_was_evicted_is_in_nobodys_way() -> None:
    with Field() as field:
        own = field.store.list("Pod", NAMESPACE, {"version": "green"})[0]
        metadata = {key: copy.deepcopy(own["metadata"][key]) for key in ("labels", "ownerReferences")}
        metadata.update(name="app-green-evicted", finalizers=["example.com/keep"])
        field.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(own["spec"])})
        field.change("Pod", "app-green-evicted", lambda item: item["status"].update(phase="Failed", reason="Evicted"))
        assert field.play("release", "2.0").outcome == "released"


# --- ports


def test_the_named_port_of_a_native_sidecar() -> None:
    gate = {"name": "gate", "image": "registry/app:1.0", "restartPolicy": "Always"}
    ports = [{"name": "web", "containerPort": 9090}]
    with Field(bluegreen_checks=CHECKS[:1]) as field:
        for name in BOTH:
            gates = [{**gate, "ports": ports}]
            field.change(
                "Deployment", name, lambda item, gates=gates: template(item)["spec"].update(initContainers=gates)
            )
        field.change("Service", "myapp", lambda item: item["spec"]["ports"][0].update(targetPort="web"))
        run = field.play("release", "2.0")
        assert (run.outcome, field.live()) == ("released", "green"), run.text()
        asked = [request.path for request in field.network.requests if "/proxy/" in request.path]
        assert asked and all(":9090/proxy/health" in path for path in asked)


def test_a_port_that_the_new_version_calls_otherwise(tmp_path: Path) -> None:
    renamed = manifest(
        tmp_path, ("{name: http, containerPort", "{name: web, containerPort"), ("port: http", "port: 8080")
    )
    with Field(bluegreen_manifest=renamed) as field:
        before = field.written()
        for check in (True, False):
            run = field.play("release", "2.0", check=check)
            assert run.outcome in ("refused", "aborted"), run.text()
            assert "Service myapp would lead nowhere when green is live: its port http goes to port http" in str(
                run.result
            )
            assert "app-green has web (8080/TCP)" in run.text()
        assert field.written() == before


def test_a_second_port_that_only_the_live_color_has() -> None:
    metrics = {"name": "metrics", "containerPort": 9102}
    with Field(bluegreen_template="idle") as field:
        field.change("Deployment", "app-blue", lambda item: container(item)["ports"].append(metrics))
        port = {"name": "metrics", "port": 9102, "targetPort": "metrics"}
        field.change("Service", "myapp", lambda item: item["spec"]["ports"].append(port))
        run = field.play("release", "2.0", check=True)
        assert "its port metrics goes to port metrics of the pods (TCP), which have none" in str(run.result), run.text()
        assert field.play("release", "2.0", check=True, bluegreen_template="live").outcome == "planned"


# --- what objects say of themselves


def test_an_idle_deployment_that_is_paused_is_refused_in_the_plan(tmp_path: Path) -> None:
    with Field() as field:
        field.change("Deployment", "app-green", lambda item: item["spec"].update(paused=True))
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused"
        assert "kubectl -n shop rollout resume deployment app-green" in str(run.result)
        assert field.play("release", "2.0", bluegreen_manifest=str(MANIFEST)).outcome == "released", (
            "it is not any more"
        )


def going(field: Field, name: str) -> None:
    """Deleted, and held by a finalizer."""
    field.change("Deployment", name, lambda item: item["metadata"].update(finalizers=["example.com/hold"]))
    field.store.delete("Deployment", NAMESPACE, name, by="kubectl")


def test_nothing_is_switched_to_a_deployment_that_is_being_deleted() -> None:
    with Field(bluegreen_idle_replicas=3) as field:
        assert field.play("release", "2.0").outcome == "released"
        going(field, "app-blue")
        before = field.written()
        for flow, version in (("rollback", ""), ("release", "3.0")):
            for check in (True, False):
                run = field.play(flow, version, check=check)
                assert run.outcome in ("refused", "failed"), run.text()
        assert (field.written(), field.live()) == (before, "green")


def test_a_deployment_that_is_being_deleted_is_called_so() -> None:
    with Field(bluegreen_idle_replicas=3) as field:
        field.play("release", "2.0")
        going(field, "app-blue")
        status = field.play("status").text()
        assert "app-blue (is being deleted)" in status
        assert "rollback: not to blue (version 1.0), whose Deployment is gone" in status
        for flow, version in (("rollback", ""), ("release", "3.0")):
            run = field.play(flow, version, check=True)
            assert "Deployment app-blue is being deleted. There is no other one for the color blue" in str(
                run.result
            ), run.text()


# --- what becomes of it meanwhile


def test_a_version_that_crashes_in_the_delay() -> None:
    with Field(live=2, bluegreen_scale_down_delay=30) as field:
        field.world.faults.put("2.0", "crash", 20)
        run = field.play("release", "2.0")
        assert (run.outcome, field.live()) == ("reverted", "blue"), run.text()
        assert field.deployment("app-blue")["spec"]["replicas"] == 2


def test_an_idle_deployment_that_somebody_else_writes() -> None:
    with Field() as field:
        run = field.runs.start("release", {**field.scenario.settings("release", "3.0"), **field.given})

        def put_back(item: Any) -> None:
            container(item).update(image="registry/app:1.0")

        def owned() -> None:
            if container(field.deployment("app-green"))["image"] != "registry/app:1.0":
                field.store.update("Deployment", NAMESPACE, "app-green", put_back, by="operator")
            if run.ended is None:
                field.hub.after(1.0, owned)

        field.hub.after(0.5, owned)
        field.runs.finish(run, COMES_TO_AN_END)
        assert (run.outcome, field.live()) == ("aborted", "blue"), run.text()
        assert "The pod template of app-green was changed by somebody else" in str(run.result)


def test_a_rollback_after_a_manifest_that_was_aborted(tmp_path: Path) -> None:
    bad = manifest(tmp_path, ("path: /health, port: http", "path: /not-there, port: 8081"), ("SETTINGS", "MODE"))
    with Field(bluegreen_checks=CHECKS, bluegreen_wait_timeout=20) as field:
        before = template(field.deployment("app-blue"))["spec"]
        assert field.play("release", "2.0", bluegreen_manifest=str(MANIFEST)).outcome == "released"
        assert field.play("release", "3.0", bluegreen_manifest=bad).outcome == "aborted"
        status = field.play("status").text()
        assert "rollback: to blue (version 1.0), after 3 of its pods are made again and ready" in status
        run = field.play("rollback")
        assert (run.outcome, run.result["version"], field.live()) == ("rolled_back", "1.0", "blue"), run.text()
        assert template(field.deployment("app-blue"))["spec"] == before


# --- a template is more than its image


def test_a_sidecar_and_a_volume_of_the_live_color_are_carried_over() -> None:
    def changed(item: Object) -> None:
        spec = template(item)["spec"]
        spec["containers"].append({"name": "proxy", "image": "registry/proxy:7"})
        spec["volumes"] = [{"name": "scratch", "emptyDir": {}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/tmp"}]

    with Field() as field:
        field.change("Deployment", "app-blue", changed)
        planned = field.play("release", "2.0", check=True).text()
        assert "containers[proxy]" in planned and "volumes" in planned
        assert field.play("release", "2.0").outcome == "released"
        spec = template(field.deployment("app-green"))["spec"]
        assert [item["image"] for item in spec["containers"]] == ["registry/app:2.0", "registry/proxy:7"]
        assert field.play("release", "2.0").outcome == "unchanged"


def test_a_restart_of_the_live_color_is_no_setting() -> None:
    def restarted(item: Object) -> None:
        notes = template(item)["metadata"].setdefault("annotations", {})
        notes["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"

    with Field() as field:
        field.change("Deployment", "app-blue", restarted)
        assert "restartedAt" not in field.play("release", "2.0", check=True).text()
        assert field.play("release", "2.0").outcome == "released"
        field.change("Deployment", "app-green", restarted)
        assert field.play("release", "2.0").outcome == "unchanged"
        assert field.play("rollback").outcome == "rolled_back"


# --- who else


def test_a_headless_service_for_the_idle_color_is_named() -> None:
    with Field() as field:
        headless = example.service("peers", "green")
        headless["spec"]["clusterIP"] = "None"
        field.put(headless)
        about = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy"}}
        field.put({**about, "spec": {"type": "ExternalName", "externalName": "db.example.com"}})
        text = field.play("release", "2.0", check=True).text()
        assert warned(text, "Service peers sends users to green") and not warned(text, "legacy")


@pytest.mark.parametrize("color", ["", "green"], ids=["both", "idle"])
def test_a_service_that_would_send_users_to_the_idle_color_once_it_has_pods(color: str) -> None:
    with Field() as field:
        field.change("Deployment", "app-green", lambda item: item["spec"].update(replicas=0))
        partner = example.service("partner", color)
        if not color:
            del partner["spec"]["selector"]["version"]
        field.put(partner)
        field.put(example.service("live-only"))
        text = field.play("release", "2.0", check=True).text()
        assert warned(text, "Service partner sends users to green") and not warned(text, "live-only")


@pytest.mark.parametrize("text", ["{not json", "[]", "null", '{"spec": null}', '"x"'])
def test_a_last_applied_manifest_that_is_none(text: str) -> None:
    with Field() as field:
        note = {"kubectl.kubernetes.io/last-applied-configuration": text}
        field.change("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update(note))
        assert field.play("release", "2.0", check=True).outcome == "planned"


def test_a_switch_back_by_hand() -> None:
    def by_hand(item: Object) -> None:
        item["spec"]["selector"]["version"] = "blue"

    with Field() as field:
        field.play("release", "2.0")
        field.change("Service", "myapp", by_hand)
        assert (field.play("release", "2.0").outcome, field.live()) == ("released", "green")
        field.change("Service", "myapp", by_hand)
        assert (field.play("rollback").outcome, field.live()) == ("refused", "blue"), "it is back"


# --- what can be known

QUOTA: dict[str, Any] = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}


@pytest.mark.parametrize(("resource", "hard"), [("requests.cpu", "40m"), ("cpu", "0.04"), ("limits.memory", "384Mi")])
def test_a_quota_of_what_pods_ask_for(resource: str, hard: str) -> None:
    with Field(live=2) as field:
        field.put({**QUOTA, "spec": {"hard": {resource: hard}}})
        text = field.play("release", "2.0", check=True).text()
        assert warned(text, f"ResourceQuota q has no room for 2 more pods ({resource}: ")
        field.change("Deployment", "app-green", lambda item: item["spec"].update(replicas=0))
        assert not warned(field.play("release", "2.0", check=True).text(), "ResourceQuota")


def test_a_quota_of_deployments() -> None:
    with Field(idle=False, bluegreen_create_missing=True) as field:
        field.put({**QUOTA, "spec": {"hard": {"count/deployments.apps": "1"}}})
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused" and "exceeded quota: q" in str(run.result)
