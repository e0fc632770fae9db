# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is live, and what is idle: reading the application."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from reading import annotate, failure, past, read
from recorded import RecordedCluster

STATE = "bluegreen.kubernetes/state"


def test_the_seed_layout_needs_nothing_but_the_name_of_the_service() -> None:
    cluster = RecordedCluster()
    app = read(cluster)
    assert (app.active, app.idle) == ("blue", "green")
    assert app.colors["blue"].summary() == {
        "version": "1.0",
        "image": "myapp:1.0",
        "replicas": 3,
        "ready": 3,
        "deployment": "app-blue",
        "template_hash": app.colors["blue"].template_hash,
    }
    assert app.colors["green"].deployment_name == "app-green"
    assert cluster.live == "blue (version 1.0, 3 of 3 pods ready)"
    assert cluster.writes == []


def test_live_is_what_the_service_selects() -> None:
    app = read(RecordedCluster(at="end"))
    assert (app.active, app.idle) == ("green", "blue")
    assert app.colors["green"].version == "2.0"


def test_nothing_is_kept_from_an_earlier_reading() -> None:
    cluster = RecordedCluster()
    first = read(cluster)
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))
    assert (first.active, read(cluster).active) == ("blue", "green")


def test_an_unknown_service_names_those_that_are_there() -> None:
    cluster = RecordedCluster()
    cluster.before("list", "Service", functools.partial(pytest.fail, "not in the shipped Role"))
    labels = {"kubernetes.io/service-name": "other"}
    cluster.put({"kind": "EndpointSlice", "metadata": {"name": "other-x7k2p", "labels": labels}, "endpoints": []})
    cluster.put({"kind": "EndpointSlice", "metadata": {"name": "by-hand"}, "endpoints": []})
    error = failure(cluster, services=["shop"])
    assert error.reason == "not_found"
    assert "There is no Service 'shop' in namespace 'store'" in str(error)
    assert "Services there: myapp, other." in str(error)
    assert "kubeconfig recorded" in str(error)


def test_endpoints_that_may_not_be_listed_do_not_hide_the_error() -> None:
    cluster = RecordedCluster()

    def forbidden() -> None:
        raise ApiError("no", "forbidden", 403)

    cluster.before("list", "EndpointSlice", forbidden)
    error = failure(cluster, services=["shop"])
    assert "There is no Service 'shop'" in str(error)
    assert "not readable (HTTP 403)" in str(error)


@pytest.mark.parametrize("selector", [{"app": "myapp"}, {"app": "myapp", "version": "red"}, {}, None])
def test_a_service_that_selects_neither_color_is_not_guessed_at(selector: dict[str, str] | None) -> None:
    cluster = RecordedCluster()
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(selector=selector))
    error = failure(cluster)
    assert error.reason == "no_color"
    assert "selects neither color" in str(error)
    assert json.dumps(selector or {}, sort_keys=True) in str(error)
    assert "blue and green" in str(error)


def test_other_names_of_colors_and_label() -> None:
    cluster = RecordedCluster()
    for name, color in (("app-blue", "a"), ("app-green", "b")):

        def rename(item: dict[str, Any], color: str = color) -> None:
            labels = item["spec"]["template"]["metadata"]["labels"]
            labels["slot"] = color
            del labels["version"]

        cluster.touch("Deployment", name, rename)
    cluster.touch("Service", "myapp", lambda item: item["spec"].update(selector={"app": "myapp", "slot": "b"}))
    app = read(cluster, colors=["a", "b"], color_label="slot")
    assert (app.active, app.live.deployment_name) == ("b", "app-green")


@pytest.mark.parametrize("colors", [["blue"], ["blue", "blue"], ["blue", "green", "red"]])
def test_two_different_colors_are_needed(colors: list[str]) -> None:
    error = failure(RecordedCluster(), colors=colors)
    assert error.reason == "bad_input"
    assert "Two different colors are needed" in str(error)


def test_no_deployment_for_a_color_says_what_was_looked_for() -> None:
    cluster = RecordedCluster()
    cluster.remove("Deployment", "app-green")
    app = read(cluster)
    assert app.colors["green"].summary()["deployment"] is None
    with pytest.raises(BlueGreenError) as caught:
        app.color("green")
    assert caught.value.reason == "not_found"
    assert "no Deployment for the color green in namespace 'store'" in str(caught.value)
    assert '{"app": "myapp", "version": "green"}' in str(caught.value)
    assert "Deployments there: app-blue." in str(caught.value)


def test_the_one_whose_label_is_mistyped_is_named_and_those_of_other_applications_are_not() -> None:
    cluster = RecordedCluster()
    cluster.touch("Deployment", "app-green", _mistype)
    other = copy.deepcopy(cluster.one("Deployment", "app-green"))
    other["metadata"].update(name="catalog-green", uid="another")
    cluster.put(other)
    with pytest.raises(BlueGreenError) as caught:
        read(cluster).color("green")
    assert "app-green is none: Service myapp would not select its pods, which lack app=myapp." in caught.value.why
    assert not any("catalog-green is none" in line for line in caught.value.why)


def _mistype(item: dict[str, Any]) -> None:
    item["spec"]["template"]["metadata"]["labels"]["app"] = "myap"


def test_several_deployments_for_a_color_are_named() -> None:
    cluster = RecordedCluster()
    twin = copy.deepcopy(cluster.one("Deployment", "app-green"))
    twin["metadata"].update(name="app-verde", uid="another")
    cluster.put(twin)
    error = failure(cluster)
    assert error.reason == "ambiguous"
    assert "Several Deployments in namespace 'store' are green: app-green, app-verde." in str(error)
    assert "deployments: {green: NAME}" in str(error)
    assert read(cluster, deployments={"green": "app-verde"}).colors["green"].deployment_name == "app-verde"


def test_pods_of_another_application_are_no_color() -> None:
    cluster = RecordedCluster()
    other = copy.deepcopy(cluster.one("Deployment", "app-green"))
    other["metadata"].update(name="other-green", uid="another")
    other["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    cluster.put(other)
    assert read(cluster).colors["green"].deployment_name == "app-green"


def test_deployments_names_what_does_not_exist() -> None:
    app = read(RecordedCluster(), deployments={"green": "app-verde"})  # it may be about to be made
    with pytest.raises(BlueGreenError) as caught:
        app.color("green")
    error = caught.value
    assert error.reason == "not_found"
    assert "no Deployment 'app-verde' in namespace 'store' (named for the color green)" in str(error)
    assert "app-blue, app-green" in str(error)


def test_a_named_deployment_that_was_deleted_is_in_nobodys_way() -> None:
    """After a release it is no mistake in the name, and there must be a way back from a live color that is gone."""
    cluster = RecordedCluster(at="end")
    history = json.dumps({"schema": 1, "history": [past("released", "green")], "intent": None})
    annotate(cluster.one("Service", "myapp"), STATE, history)
    cluster.remove("Deployment", "app-green")
    app = read(cluster, deployments={"blue": "app-blue", "green": "app-green"})
    assert (app.active, app.live.deployment, app.colors["blue"].deployment_name) == ("green", None, "app-blue")


def test_deployments_for_a_color_that_does_not_exist() -> None:
    error = failure(RecordedCluster(), deployments={"red": "app-blue"})
    assert error.reason == "bad_input"
    assert "names colors that do not exist: red" in str(error)
    assert "blue and green" in str(error)


def test_an_unknown_color_names_the_choices() -> None:
    with pytest.raises(BlueGreenError, match="There is no color 'red'(?s:.*)blue and green"):
        read(RecordedCluster()).color("red")


# --- several Services


def second_service(cluster: RecordedCluster, color: str) -> None:
    twin = copy.deepcopy(cluster.one("Service", "myapp"))
    twin["metadata"].update(name="myapp-internal", uid="second")
    twin["spec"]["selector"]["version"] = color
    cluster.put(twin)


def test_services_that_agree() -> None:
    cluster = RecordedCluster()
    second_service(cluster, "blue")
    assert read(cluster, services=["myapp", "myapp-internal"]).active == "blue"


def test_services_that_disagree_without_a_recorded_switch_are_a_contradiction() -> None:
    cluster = RecordedCluster()
    second_service(cluster, "green")
    error = failure(cluster, services=["myapp", "myapp-internal"])
    assert error.reason == "contradiction"
    assert 'myapp: {"app": "myapp", "version": "blue"}' in str(error)
    assert 'myapp-internal: {"app": "myapp", "version": "green"}' in str(error)


def test_services_that_disagree_in_a_recorded_switch_are_an_unfinished_one() -> None:
    cluster = RecordedCluster()
    second_service(cluster, "green")
    state = {"schema": 1, "history": [], "intent": {"from": "blue", "to": "green", "run": "r1"}}
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps(state))
    app = read(cluster, services=["myapp", "myapp-internal"])
    assert (app.active, app.pending) == ("blue", "green")
    for color in ("blue", "green"):
        with pytest.raises(BlueGreenError, match=f"{color} is live"):
            app.refuse_live(color, "scaling it")


# --- what a color had when it was live

HAD = {
    "at the switch away from it": ([past("released", "green", previous_replicas=4, replicas=7)], 4),
    "recorded by an older version": ([past("released", "green", replicas=7)], 7),
    "at the switch to it": ([past("released", "blue", previous_replicas=4, replicas=7)], 7),
    "a run that moved nothing is newer": (
        [past("aborted", "green", switched_at=None, replicas=9), past("released", "green", previous_replicas=4)],
        4,
    ),
    "the newest counts": (
        [past("released", "green", previous_replicas=4), past("released", "blue", previous_replicas=1, replicas=7)],
        4,
    ),
    "it had none": ([past("released", "green", previous_replicas=0, replicas=7)], 7),
    "nothing is recorded": ([], 3),
}


@pytest.mark.parametrize("what", HAD)
def test_what_a_color_had_when_it_was_live(what: str) -> None:
    history, count = HAD[what]
    cluster = RecordedCluster(at="end")
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps({"schema": 1, "history": history, "intent": None}))
    assert read(cluster).strength_before("blue") == count


# --- what is no color


def _deleted(item: dict[str, Any]) -> None:
    item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("named", [{}, {"green": "app-green"}])
def test_a_deployment_that_is_being_deleted_is_no_color(named: dict[str, str]) -> None:
    cluster = RecordedCluster(at="ready")
    annotate(
        cluster.one("Service", "myapp"), STATE, json.dumps({"schema": 1, "history": [past("released")], "intent": None})
    )
    cluster.touch("Deployment", "app-green", _deleted)
    app = read(cluster, deployments=named)
    assert app.colors["green"].deployment is None
    with pytest.raises(BlueGreenError, match=r"Deployments there: app-blue, app-green \(is being deleted\)"):
        app.color("green")


def test_its_successor_of_another_name_is_the_color() -> None:
    cluster = RecordedCluster(at="ready")
    twin = copy.deepcopy(cluster.one("Deployment", "app-green"))
    twin["metadata"].update(name="app-verde", uid="another")
    cluster.put(twin)
    cluster.touch("Deployment", "app-green", _deleted)
    assert read(cluster).colors["green"].deployment_name == "app-verde"


@pytest.mark.parametrize("color", ["blue", "green"])
def test_a_deployment_whose_pods_the_service_would_not_select_is_no_color(color: str) -> None:
    cluster = RecordedCluster(at="ready")
    other = copy.deepcopy(cluster.one("Deployment", f"app-{color}"))
    other["metadata"].update(name="other", uid="another")
    other["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    cluster.put(other)
    error = failure(cluster, deployments={color: "other"})
    assert error.reason == "bad_input"
    assert f"Deployment 'other' is not {color}: Service myapp would not select its pods." in error.what
    assert f'they need the labels {{"app": "myapp", "version": "{color}"}}' in str(error)
    assert f'"app": "other", "version": "{color}"' in str(error)


def test_each_service_counts() -> None:
    cluster = RecordedCluster(at="ready")
    second_service(cluster, "blue")
    cluster.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].update(tier="web"))
    names = {"services": ["myapp", "myapp-internal"], "deployments": {"blue": "app-blue", "green": "app-green"}}
    assert "Service myapp-internal would not select its pods" in failure(cluster, **names).what


def test_a_live_deployment_that_is_not_selected_any_more_is_in_nobodys_way() -> None:
    """The way back never depends on the broken color."""
    cluster = RecordedCluster(at="end")
    history = json.dumps({"schema": 1, "history": [past("released", "green")], "intent": None})
    annotate(cluster.one("Service", "myapp"), STATE, history)
    labels = {"app": "changed", "version": "green"}
    cluster.touch(
        "Deployment", "app-green", lambda item: item["spec"]["template"]["metadata"].update(labels=dict(labels))
    )
    app = read(cluster, deployments={"blue": "app-blue", "green": "app-green"})
    assert (app.active, app.live.deployment, app.colors["blue"].deployment_name) == ("green", None, "app-blue")
