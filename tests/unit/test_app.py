# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is live, what is idle, which images are wanted: reading the application."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import application as _application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import history as _history
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import image as _image
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import state as _state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color as _current_color
from recorded import RecordedCluster

STATE = "bluegreen.kubernetes/state"


def read(cluster: RecordedCluster, **options: Any) -> _application.Application:
    return _application.read_application(cluster, recorded.parameters(_current_color, **options))


def wanted(app: _application.Application, version: Any, image: str | None) -> dict[str, str]:
    return _image.wanted_images(app.live, app.colors["green"], version, image)


def rollback_to(app: _application.Application) -> dict[str, Any] | None:
    return _history.rollback_to(app.state, app.live, app.colors[app.idle])


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        read(cluster, **options)
    return caught.value


def annotate(item: dict[str, Any], key: str, text: str) -> None:
    item["metadata"].setdefault("annotations", {})[key] = text


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
    error = failure(RecordedCluster(), deployments={"green": "app-verde"})
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


# --- containers


def containers(cluster: RecordedCluster, *names: str, init: tuple[str, ...] = ()) -> None:
    """Give both Deployments these containers, all of version 1.0 and of a repository of their own."""
    for deployment in ("app-blue", "app-green"):
        pod = cluster.one("Deployment", deployment)["spec"]["template"]["spec"]
        pod["containers"] = [{"name": name, "image": f"registry.example:5000/{name}:1.0"} for name in names]
        pod["initContainers"] = [{"name": name, "image": f"{name}:1.0"} for name in init]


def test_the_only_container_carries_the_version_whatever_its_name() -> None:
    cluster = RecordedCluster()
    containers(cluster, "web")
    assert wanted(read(cluster), "2.0", None) == {"web": "registry.example:5000/web:2.0"}


def test_of_several_containers_app_carries_the_version() -> None:
    cluster = RecordedCluster()
    containers(cluster, "proxy", "app", init=("migrate",))
    assert wanted(read(cluster), "2.0", None) == {"app": "registry.example:5000/app:2.0"}


def test_an_ambiguous_container_is_not_guessed() -> None:
    cluster = RecordedCluster()
    containers(cluster, "web", "proxy")
    error = failure(cluster)
    assert error.reason == "ambiguous"
    assert "which container of Deployment 'app-blue' carries the version" in str(error)
    assert "web, proxy; none is named 'app'" in str(error)
    assert "containers: [NAME]" in str(error)


def test_named_containers_get_the_version_each_in_its_own_repository() -> None:
    cluster = RecordedCluster()
    containers(cluster, "web", "proxy", "metrics", init=("migrate",))
    app = read(cluster, containers=["web", "metrics", "migrate"])
    assert wanted(app, "2.0", None) == {
        "web": "registry.example:5000/web:2.0",
        "metrics": "registry.example:5000/metrics:2.0",
        "migrate": "migrate:2.0",
    }


def test_a_named_container_that_does_not_exist() -> None:
    cluster = RecordedCluster()
    containers(cluster, "web", "proxy")
    error = failure(cluster, containers=["web", "api"])
    assert error.reason == "not_found"
    assert "Deployment 'app-blue' has no container api." in str(error)
    assert "web, proxy" in str(error)


# --- images


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("myapp", ("myapp", None, None)),
        ("myapp:1.0", ("myapp", "1.0", None)),
        ("registry.example:5000/team/myapp", ("registry.example:5000/team/myapp", None, None)),
        ("registry.example:5000/team/myapp:1.0", ("registry.example:5000/team/myapp", "1.0", None)),
        ("localhost:5000/myapp", ("localhost:5000/myapp", None, None)),
        ("myapp@sha256:abc", ("myapp", None, "sha256:abc")),
        ("myapp:1.0@sha256:abc", ("myapp", "1.0", "sha256:abc")),
        ("registry.example:5000/myapp:1.0@sha256:abc", ("registry.example:5000/myapp", "1.0", "sha256:abc")),
    ],
)
def test_split_image(image: str, parts: tuple[str, str | None, str | None]) -> None:
    assert _image.split_image(image) == parts


def test_the_version_becomes_the_tag_of_the_live_repository() -> None:
    cluster = RecordedCluster()
    live = cluster.one("Deployment", "app-blue")["spec"]["template"]["spec"]["containers"][0]
    live["image"] = "registry.example:5000/moved/myapp:1.0@sha256:abc"
    images = wanted(read(cluster), "2.0", None)
    assert images == {"app": "registry.example:5000/moved/myapp:2.0"}


@pytest.mark.parametrize(
    ("image", "version", "whole"),
    [
        ("other/app:7", "2.0", "other/app:7"),
        ("other/app:7", None, "other/app:7"),
        ("other/app", "2.0", "other/app:2.0"),
        ("other:5000/app", "2.0", "other:5000/app:2.0"),
        ("other/app@sha256:abc", "2.0", "other/app@sha256:abc"),
        ("other/app", None, "other/app"),
    ],
)
def test_an_image_says_it_whole(image: str, version: str | None, whole: str) -> None:
    assert wanted(read(RecordedCluster()), version, image) == {"app": whole}


def test_one_image_for_two_containers_is_refused() -> None:
    cluster = RecordedCluster()
    containers(cluster, "web", "proxy")
    app = read(cluster, containers=["web", "proxy"])
    with pytest.raises(BlueGreenError, match="One image was given for 2 containers: web, proxy"):
        wanted(app, None, "other:2.0")


@pytest.mark.parametrize("version", [None, ""])
def test_no_version_is_refused(version: str | None) -> None:
    with pytest.raises(BlueGreenError) as caught:
        wanted(read(RecordedCluster()), version, None)
    assert caught.value.reason == "bad_input"
    assert "No version was given." in str(caught.value)
    assert "-e version=X" in str(caught.value)


@pytest.mark.parametrize("version", [1.1, 2, 0, 0.0, True])
def test_a_version_that_is_no_string_is_refused(version: Any) -> None:
    with pytest.raises(BlueGreenError) as caught:
        wanted(read(RecordedCluster()), version, None)
    assert caught.value.reason == "bad_input"
    assert "must be a string" in str(caught.value)


@pytest.mark.parametrize("version", ["a/b", "-1", ".1", "a b", "a:b", "x" * 129, "ü"])
def test_a_version_that_cannot_be_a_tag_is_refused(version: str) -> None:
    with pytest.raises(BlueGreenError, match="cannot be an image tag"):
        wanted(read(RecordedCluster()), version, None)


@pytest.mark.parametrize("version", ["2.0", "v2", "1", "sha-0123abc", "x" * 128, "_1"])
def test_a_version_that_can_be_a_tag(version: str) -> None:
    assert wanted(read(RecordedCluster()), version, None) == {"app": "myapp:" + version}


def test_the_version_of_an_image_whose_tag_does_not_say_it() -> None:
    cluster = RecordedCluster()
    green = cluster.one("Deployment", "app-green")
    green["spec"]["template"]["spec"]["containers"][0]["image"] = "myapp@sha256:abc"
    assert read(cluster).colors["green"].version == "sha256:abc"
    annotate(green, "bluegreen.kubernetes/release", json.dumps({"version": "2.0", "image": "myapp@sha256:abc"}))
    assert read(cluster).colors["green"].version == "2.0"
    green["spec"]["template"]["spec"]["containers"][0]["image"] = "myapp@sha256:def"
    assert read(cluster).colors["green"].version == "sha256:def", "somebody has changed the image since"


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


# --- the state


def test_no_state_yet() -> None:
    app = read(RecordedCluster())
    assert app.state["history"] == []
    assert app.warnings == []
    assert _history.last_switch(app.state["history"]) is None
    assert rollback_to(app) is None


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "7",
        "{}",
        '{"schema": "one"}',
        '{"schema": 1, "history": null}',
        '{"schema": 1, "history": {}}',
        '{"schema": 1, "history": [7]}',
        '{"schema": 1, "history": [{}]}',
        '{"schema": 1, "history": [], "intent": 7}',
    ],
)
def test_a_state_that_is_not_readable_is_empty_with_a_warning(text: str) -> None:
    cluster = RecordedCluster()
    annotate(cluster.one("Service", "myapp"), STATE, text)
    result = recorded.run(_current_color, cluster)
    assert (result["active_color"], result["history"]) == ("blue", [])
    assert any(STATE in warning and "not readable" in warning for warning in result["warnings"])


def test_a_state_of_a_newer_collection_is_not_touched() -> None:
    cluster = RecordedCluster()
    annotate(cluster.one("Service", "myapp"), STATE, '{"schema": 2, "what": "ever"}')
    error = failure(cluster)
    assert error.reason == "newer_state"
    assert "newer version of bluegreen.kubernetes" in str(error)
    assert "Update the collection" in str(error)


def entry(number: int, size: int = 0) -> dict[str, Any]:
    return {"run": f"r{number}", "version": f"{number}.0", "outcome": "released", "note": "x" * size}


def written(history: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    state = {"schema": 1, "history": history, "intent": None}
    (operation,) = [item for item in _state.state_operations(state) if item["path"].endswith("~1state")]
    return operation["value"], json.loads(operation["value"])


def test_the_last_ten_releases_are_remembered() -> None:
    _text, state = written([entry(number) for number in range(15)])
    assert [item["run"] for item in state["history"]] == [f"r{number}" for number in range(10)]
    assert state["schema"] == 1


def test_the_state_stays_below_64_kib_and_loses_the_oldest_first() -> None:
    text, state = written([entry(number, 10_000) for number in range(10)])
    assert len(text) <= 65536
    assert [item["run"] for item in state["history"]] == [f"r{number}" for number in range(6)]


# --- where a rollback goes


def past(outcome: str, color: str = "blue", kind: str = "release", **fields: Any) -> dict[str, Any]:
    """An entry of the history: a switch from the other color to this one."""
    other = {"blue": "green", "green": "blue"}[color]
    return {
        "run": f"{outcome}-{color}",
        "kind": kind,
        "outcome": outcome,
        "color": color,
        "from_color": other,
        "version": "1.0",
        "image": "myapp:1.0",
        "previous_version": "0.9",
        "previous_image": "myapp:1.0",  # what the idle color of the recorded cluster has
        "switched_at": "2026-01-01T00:00:00.000Z",
        **fields,
    }


UNSWITCHED: dict[str, Any] = {"switched_at": None}


@pytest.mark.parametrize(
    ("history", "color", "version"),
    [
        pytest.param([], None, None, id="nothing is known"),
        pytest.param([past("released")], "green", "0.9", id="back to where the release came from"),
        pytest.param([past("switched")], "green", "0.9", id="a switch without a lock counts as well"),
        pytest.param([past("released", "green")], None, None, id="somebody has switched since"),
        pytest.param([past("rolled_back")], None, None, id="a rollback is not undone"),
        pytest.param([past("reverted")], None, None, id="an automatic way back is not undone"),
        pytest.param(
            [past("aborted", **UNSWITCHED), past("released")], "green", "0.9", id="an aborted release moved nothing"
        ),
        pytest.param([past("running", **UNSWITCHED), past("released")], "blue", "1.0", id="given up before its switch"),
        pytest.param([past("interrupted", **UNSWITCHED), past("released")], "blue", "1.0", id="dead before its switch"),
        pytest.param([past("interrupted")], "green", "0.9", id="dead after its switch"),
        pytest.param([past("interrupted", "green", reverted_at="x")], "blue", "1.0", id="dead on its way back"),
        pytest.param([past("interrupted", kind="rollback")], "blue", "1.0", id="a rollback that died after its switch"),
        pytest.param(
            [past("running", kind="rollback", **UNSWITCHED), past("released")],
            "green",
            "0.9",
            id="the rollback that asks",
        ),
        pytest.param([past("failed", kind="rollback")], "blue", "1.0", id="a rollback that failed after its switch"),
        pytest.param(
            [past("aborted", **UNSWITCHED), past("failed", kind="rollback")],
            None,
            None,
            id="a rollback that failed, and a release since",
        ),
        pytest.param(
            [past("aborted", **UNSWITCHED), past("interrupted", **UNSWITCHED), past("released")],
            "green",
            "0.9",
            id="a newer release has ended since one died",
        ),
        pytest.param(
            [past("rolled_back", kind="rollback", **UNSWITCHED), past("interrupted", **UNSWITCHED), past("released")],
            "green",
            "0.9",
            id="the release that died was given up by a rollback",
        ),
        pytest.param(
            [past("failed", kind="rollback", **UNSWITCHED), past("interrupted", **UNSWITCHED), past("released")],
            "blue",
            "1.0",
            id="the rollback that was to give it up failed",
        ),
        pytest.param(
            [past("running", **UNSWITCHED), past("interrupted")],
            "green",
            "0.9",
            id="a release that died after its switch is being finished",
        ),
    ],
)
def test_where_a_rollback_goes(history: list[dict[str, Any]], color: str | None, version: str | None) -> None:
    cluster = RecordedCluster()
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps({"schema": 1, "history": history, "intent": None}))
    target = rollback_to(read(cluster))
    assert (target and target["color"], target and target["version"]) == (color, version)


@pytest.mark.parametrize(
    ("history", "unfinished"),
    [
        pytest.param([past("interrupted")], True, id="dead after its switch"),
        pytest.param([past("running")], True, id="still going on"),
        pytest.param([past("running", **UNSWITCHED), past("interrupted")], True, id="being finished"),
        pytest.param(
            [past("interrupted", kind="rollback", version=None, **UNSWITCHED), past("interrupted")],
            True,
            id="a rollback died before it moved anything",
        ),
        pytest.param([past("failed")], True, id="failed after its switch"),
        pytest.param([past("failed", **UNSWITCHED), past("interrupted")], True, id="finishing it has failed"),
        pytest.param([past("refused", **UNSWITCHED), past("interrupted")], True, id="refused, before it did anything"),
        pytest.param([past("unchanged", **UNSWITCHED), past("interrupted")], True, id="prepared what is live"),
        pytest.param(
            [past("running", version="myapp:1.0", **UNSWITCHED), past("interrupted")], True, id="the same image"
        ),
        pytest.param(
            [past("running", version="myapp:3.0", **UNSWITCHED), past("interrupted")], False, id="another image"
        ),
        pytest.param([past("released")], False, id="ended"),
        pytest.param([past("switched")], False, id="a switch without a lock"),
        pytest.param([past("interrupted", reverted_at="x")], False, id="reverted"),
        pytest.param([past("interrupted", kind="rollback")], False, id="a rollback"),
        pytest.param([past("interrupted", "green")], False, id="not live"),
        pytest.param([past("interrupted", previous_image="myapp:0.9")], False, id="the way back is gone"),
        pytest.param([past("aborted", **UNSWITCHED), past("interrupted")], False, id="another one has ended since"),
        pytest.param(
            [past("interrupted", version="3.0", **UNSWITCHED), past("interrupted")],
            False,
            id="another version was begun since",
        ),
        pytest.param(
            [past("rolled_back", kind="rollback", version=None, **UNSWITCHED), past("interrupted")],
            False,
            id="a rollback has given it up",
        ),
    ],
)
def test_a_release_that_was_stopped_after_its_switch(history: list[dict[str, Any]], unfinished: bool) -> None:
    cluster = RecordedCluster()
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps({"schema": 1, "history": history, "intent": None}))
    found = recorded.run(_current_color, cluster)["unfinished"]
    assert found == (history[-1] if unfinished else None)


def test_a_release_whose_way_back_the_database_has_lost_is_over() -> None:
    cluster = RecordedCluster()
    state = {"schema": 1, "history": [past("interrupted")], "intent": None, "contracted": {"version": "1.0", "at": "x"}}
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps(state))
    assert recorded.run(_current_color, cluster)["unfinished"] is None


# --- what bg_current_color returns


def test_current_color_returns_what_is_documented() -> None:
    result = recorded.run(_current_color, RecordedCluster(at="end"), version="2.0")
    assert result["active_color"] == "green"
    assert result["idle_color"] == "blue"
    assert len(result["colors"]["green"].pop("template_hash")) == 16
    assert result["colors"]["green"] == {
        "version": "2.0",
        "image": "myapp:2.0",
        "replicas": 3,
        "ready": 3,
        "deployment": "app-green",
    }
    assert result["selectors"] == {"myapp": {"app": "myapp", "version": "green"}}
    assert result["is_live"] is True
    assert set(result) - {"msg", "warnings"} <= set(_current_color.RETURNS)
    assert "changed" not in result or result["changed"] is False


def test_current_color_knows_what_is_not_live_yet() -> None:
    result = recorded.run(_current_color, RecordedCluster(), version="2.0")
    assert result["is_live"] is False
    assert result["wanted_image"] == "myapp:2.0"


def test_current_color_writes_nothing() -> None:
    cluster = RecordedCluster(at="end")
    recorded.run(_current_color, cluster, version="2.0")
    assert cluster.requests
    assert cluster.writes == []
