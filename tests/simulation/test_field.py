# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people have in their clusters, and what a release has to make of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from simulation.field import Field, container
from simulation.scenarios import FILES
from simulation.world import example
from simulation.world.objects import Object

MANIFEST = str(FILES / "deployment.yml.j2")
FEATURE = {"name": "FEATURE", "value": "on"}


def wide(item: Object) -> None:
    item["spec"]["selector"] = {"matchLabels": {"app": "myapp"}}


def remade(field: Field, *names: str, change: Any) -> None:
    """Deployments made anew with what cannot be changed."""
    for name in names:
        old = field.deployment(name)
        field.store.delete("Deployment", old["metadata"]["namespace"], name, by="kubectl")
        field.settle()
        metadata = {"name": name, "labels": old["metadata"].get("labels")}
        new = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": old["spec"]}
        change(new)
        field.put(new)


# --- whose a pod is


def test_wide_selectors() -> None:
    with Field() as field:
        remade(field, "app-blue", "app-green", change=wide)
        run = field.play("release", "2.0")
        assert (run.outcome, field.live()) == ("released", "green"), run.text()
        assert field.play("rollback").outcome == "rolled_back"


def test_a_pod_that_the_new_version_would_share_its_users_with_is_named_before_anything() -> None:
    with Field() as field:
        labels = {"app": "myapp", "version": "green"}
        stray = {"metadata": {"name": "debug", "labels": labels}, "apiVersion": "v1", "kind": "Pod"}
        field.put({**stray, "spec": {"containers": [{"name": "app", "image": "registry/app:1.0"}]}})
        before = field.written()
        for check in (True, False):
            run = field.play("release", "2.0", check=check)
            assert run.outcome == "refused", run.text()
            assert "pod debug" in str(run.result) and "Service myapp would send users to it" in str(run.result)
        assert field.written() == before


# --- a template is more than its image


def test_what_was_changed_on_the_live_color_is_carried_over() -> None:
    with Field() as field:
        field.play("release", "2.0")
        field.change("Deployment", "app-green", lambda item: container(item)["env"].append(dict(FEATURE)))
        planned = field.play("release", "3.0", check=True)
        assert "containers[app].env[FEATURE]" in planned.text()
        run = field.play("release", "3.0")
        assert run.outcome == "released"
        assert "containers[app].env[FEATURE]" in run.text()
        assert field.env("app-blue")["FEATURE"] == "on"
        assert container(field.deployment("app-blue"))["image"] == "registry/app:3.0"
        assert field.play("release", "3.0").outcome == "unchanged"


def test_a_hotfix_after_a_manifest_has_what_the_manifest_said() -> None:
    with Field() as field:
        field.play("release", "2.0", bluegreen_manifest=MANIFEST)
        assert field.play("release", "2.1").outcome == "released"
        assert field.env("app-blue")["SETTINGS"] == "of 2.0"
        assert field.play("rollback").outcome == "rolled_back"


def test_what_belongs_to_a_color_stays_with_it() -> None:
    def colored(item: Object) -> None:
        color = item["metadata"]["labels"]["version"]
        spec = item["spec"]["template"]["spec"]
        spec["nodeSelector"] = {"pool": color}
        spec["containers"][0]["env"] = [{"name": "CONFIG", "value": f"shop-{color}"}, {"name": "N", "value": "1"}]

    with Field() as field:
        for name in ("app-blue", "app-green"):
            field.change("Deployment", name, colored)
        field.change("Deployment", "app-blue", lambda item: container(item)["env"][1].update(value="2"))
        run = field.play("release", "2.0", check=True)
        assert "env[N]" in run.text() and "CONFIG" not in run.text() and "nodeSelector" not in run.text()


def test_the_idle_colors_own_template_can_be_kept() -> None:
    with Field(bluegreen_template="idle") as field:
        field.change("Deployment", "app-blue", lambda item: container(item)["env"].append(dict(FEATURE)))
        run = field.play("release", "2.0")
        assert run.outcome == "released"
        assert "containers[app].env[FEATURE]" in run.text()
        assert "FEATURE" not in field.env("app-green")


def test_what_the_manifest_has_no_more_is_gone() -> None:
    def legacy(item: Object) -> None:
        container(item)["env"].append({"name": "LEGACY", "value": "1"})
        container(item)["livenessProbe"] = {"httpGet": {"path": "/health", "port": 8080}}
        item["spec"]["template"]["spec"]["initContainers"] = [{"name": "old", "image": "registry/tool:true"}]

    with Field(bluegreen_manifest=MANIFEST) as field:
        field.change("Deployment", "app-green", legacy)
        run = field.play("release", "2.0")
        assert run.outcome == "released", run.text()
        spec = field.deployment("app-green")["spec"]["template"]["spec"]
        assert not spec.get("initContainers")
        assert "livenessProbe" not in spec["containers"][0]
        assert list(field.env("app-green")) == ["DRAIN", "SETTINGS"]
        assert "the manifest has no more: containers[app].env[COLOR], containers[app].env[LEGACY]" in run.text()
        assert field.play("release", "2.0").outcome == "unchanged"


def _registry(item: Object) -> None:
    image = container(item)["image"]
    container(item)["image"] = image if "/" in image else f"registry/{image}"


def _digest(item: Object) -> None:
    repository, tagged, tag = container(item)["image"].partition(":")
    digest = hashlib.sha256(tag.encode()).hexdigest()
    container(item)["image"] = (
        f"{repository}@sha256:{digest}" if tagged and "@" not in repository else repository + tagged + tag
    )


@pytest.mark.parametrize(
    ("admission", "image", "manifest"), [(_registry, "app", False), (_digest, "", False), (_digest, "", True)]
)
def test_an_image_that_admission_has_rewritten_is_the_same_version(admission: Any, image: str, manifest: bool) -> None:
    given = {"bluegreen_image": image, **({"bluegreen_manifest": MANIFEST} if manifest else {})}
    with Field(**given) as field:
        field.admit(admission)
        assert field.play("release", "2.0").outcome == "released"
        before = field.written()
        again = field.play("release", "2.0")
        assert (again.outcome, field.live()) == ("unchanged", "green"), again.text()
        assert field.written() == before
        back = field.play("rollback")
        assert (back.outcome, back.result["version"], field.live()) == ("rolled_back", "1.0", "blue"), back.text()


# --- who else


def test_a_service_that_sends_users_to_the_idle_color_is_named_before_the_first_write() -> None:
    with Field() as field:
        field.put(example.service("partner", "green"))
        for check in (True, False):
            text = field.play("release", "2.0", check=check).text()
            assert "Service partner sends users to green" in text


def test_a_service_without_a_color_is_named() -> None:
    with Field() as field:
        both = example.service("metrics")
        del both["spec"]["selector"]["version"]
        field.put(both)
        assert "Service metrics sends users to green" in field.play("release", "2.0", check=True).text()


def test_a_switch_by_somebody_else_is_told() -> None:
    with Field() as field:
        field.play("release", "2.0")
        field.change("Service", "myapp", lambda item: item["spec"]["selector"].update(version="blue"))
        told = "blue is live, but the last release made green live"
        assert told in field.play("status").text()
        assert told in field.play("release", "3.0", check=True).text()


def test_the_manifest_that_would_put_the_selector_back_is_told() -> None:
    with Field() as field:
        applied = json.dumps({"spec": {"selector": {"app": "myapp", "version": "blue"}}})
        note = {"kubectl.kubernetes.io/last-applied-configuration": applied}
        field.change("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update(note))
        assert "kubectl apply" not in field.play("status").text()
        field.play("release", "2.0")
        assert "kubectl apply" in field.play("status").text()


# --- what can be known


def test_a_missing_color_is_made_from_the_manifest() -> None:
    with Field(idle=False, bluegreen_create_missing=True, bluegreen_manifest=MANIFEST) as field:
        assert field.play("release", "2.0", check=True).outcome == "planned"
        run = field.play("release", "2.0")
        assert run.outcome == "released", run.text()
        assert field.env("app-green") == {"DRAIN": "5", "SETTINGS": "of 2.0"}
        assert field.deployment("app-green")["spec"]["replicas"] == 3


def test_a_missing_color_that_is_named_is_made_with_that_name() -> None:
    with Field(idle=False, bluegreen_create_missing=True, bluegreen_deployments={"green": "shop-two"}) as field:
        assert field.play("release", "2.0", check=True).outcome == "planned"
        run = field.play("release", "2.0")
        assert run.outcome == "released", run.text()
        assert field.deployment("shop-two")


def test_a_live_color_without_pods_is_refused_in_the_plan() -> None:
    with Field() as field:
        field.change("Deployment", "app-blue", lambda item: item["spec"].update(replicas=0))
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused"
        assert "kubectl -n shop scale deployment app-blue" in str(run.result)


def test_a_twin_does_not_keep_away_from_the_other_color() -> None:
    def apart(item: Object) -> None:
        term = {"labelSelector": {"matchLabels": {"version": "blue"}}, "topologyKey": "kubernetes.io/hostname"}
        rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        item["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": rule}

    with Field(idle=False, live=2, bluegreen_create_missing=True) as field:
        field.change("Deployment", "app-blue", apart)
        field.play("release", "2.0")
        rule = field.deployment("app-green")["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        (term,) = rule["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == {"version": "green"}


def test_a_quota_without_room_for_the_surge_has_a_way_out() -> None:
    with Field(live=2) as field:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
        field.put({**quota, "spec": {"hard": {"pods": "4"}}})
        assert "ResourceQuota q has no room for 2 more pods" in field.play("release", "2.0", check=True).text()
        run = field.play("release", "2.0")
        assert run.outcome == "aborted", run.text()
        assert "kubectl -n shop scale deployment app-green --replicas=0" in str(run.result)
        field.change("Deployment", "app-green", lambda item: item["spec"].update(replicas=0))
        run = field.play("release", "2.0", bluegreen_idle_replicas=0)
        assert run.outcome == "released", run.text()
        assert field.play("release", "3.0", bluegreen_idle_replicas=0).outcome == "released"


def test_annotations_that_are_full_are_refused_in_the_plan() -> None:
    with Field() as field:
        full = {"notes": "x" * 262000}
        field.change("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update(full))
        run = field.play("release", "2.0", check=True)
        assert run.outcome == "refused"
        assert "annotations of Service myapp" in str(run.result)
