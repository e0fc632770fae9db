# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers carry the version, and which images are wanted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import image as _image
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from reading import annotate, failure, read
from recorded import RecordedCluster


def wanted(app: application.Application, version: Any, image: str | None) -> dict[str, str]:
    return _image.wanted_images(app.live, app.colors["green"], version, image)


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


@pytest.mark.parametrize("version", ["a/b", "-1", ".1", "a b", "a:b", "x" * 129, "ü", "2.0\n"])
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


# --- refusals, word for word


def deployment(containers: list[str], init: list[str]) -> dict[str, Any]:
    spec = {"containers": [{"name": name} for name in containers], "initContainers": [{"name": name} for name in init]}
    return {"metadata": {"name": "app-green"}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize("version", [1.1, {"number": 1.1}])
def test_a_number_is_no_version(version: Any) -> None:
    with pytest.raises(BlueGreenError) as error:
        _image.check_version(version)
    assert str(error.value) == (
        "The version must be a string, not the number 1.1.\n"
        "  YAML and JSON read 1.10 as the number 1.1, so another version than the one meant could be released.\n"
        "Next: Quote it where it is written, as in version: '1.10' (on the command line -e version=1.10 is a string, and so is "
        "an answer to a survey of AWX)."
    )


def test_containers_say_where_they_are() -> None:
    found = _image.containers_of(deployment(["web", "app"], ["copy", "schema"]), ["app", "schema"])
    assert found == [
        {"name": "app", "list": "containers", "index": 1},
        {"name": "schema", "list": "initContainers", "index": 1},
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            ["app", "b", "a"],
            "Deployment 'app-green' has no container a, app, b.\n"
            "  Its containers: web, log, copy.\nNext: Correct bluegreen_containers.",
        ),
        (
            [],
            "It is not clear which container of Deployment 'app-green' carries the version.\n"
            "  Its containers: web, log, copy; none is named 'app'.\nNext: Set bluegreen_containers: [NAME].",
        ),
    ],
)
def test_containers_that_are_not_there(names: list[str], text: str) -> None:
    with pytest.raises(BlueGreenError) as error:
        _image.containers_of(deployment(["web", "log"], ["copy"]), names)
    assert str(error.value) == text


def color(version: str | None = None, **images: str) -> SimpleNamespace:
    return SimpleNamespace(
        version=version, deployment=None, containers=[{"name": name, "image": images[name]} for name in images]
    )


@pytest.mark.parametrize(
    ("version", "image", "text"),
    [
        (
            "",
            None,
            "No version was given.\n"
            "Next: Add -e version=X (it becomes the image tag), or set bluegreen_image to a whole image name.",
        ),
        (
            None,
            "other",
            "One image was given for 2 containers: app, log.\n"
            "Next: Give version instead of image, or name one container in bluegreen_containers.",
        ),
        (
            "a/b",
            None,
            "'a/b' cannot be an image tag.\n"
            "Next: A tag has letters, digits, '_', '.', '-' (128 at most). Set bluegreen_image for anything else.",
        ),
    ],
)
def test_images_that_are_refused(version: str | None, image: str | None, text: str) -> None:
    two = color(app="myapp:1.0", log="log:1.0")
    with pytest.raises(BlueGreenError) as error:
        _image.wanted_images(two, two, version, image)
    assert (error.value.reason, str(error.value)) == ("bad_input", text)


def test_images_of_a_container_that_only_one_color_has() -> None:
    live = color(app="moved/myapp:1.0")
    assert _image.wanted_images(live, color(), "2.0", None) == {"app": "moved/myapp:2.0"}
    assert _image.wanted_images(live, color(app="myapp:1.0", log="log:1.0"), "2.0", None) == {
        "app": "moved/myapp:2.0",
        "log": "log:2.0",
    }


@pytest.mark.parametrize(
    ("images", "version", "live"),
    [
        ({"app": "myapp:1.0"}, None, True),
        ({"app": "myapp:1.0"}, "", True),
        ({"app": "myapp:1.0"}, "1.0", True),
        ({"app": "myapp:1.0"}, "1.1", False),
        ({"app": "myapp:2.0"}, "1.0", False),
        ({"app": "myapp:1.0", "log": "log:1.0"}, "1.0", False),
    ],
)
def test_live_is_what_runs_these_images_under_this_version(
    images: dict[str, str], version: str | None, live: bool
) -> None:
    assert _image.is_live(color("1.0", app="myapp:1.0"), images, version) is live


MANGLED = [
    "2.0\n", "\n2.0", "2.0 ", "2.0\nspec: {}", "2.0'", '2"0', "2.0: x", "2.0 #x", "{{ x }}", "{a}", "[a]", "&a", "*a", "!a", "|", "-", "x" * 256,
    "2.0\x00", "2.0\u2028", "ä", "../../x",
]  # fmt: skip


@pytest.mark.parametrize("version", MANGLED)
@pytest.mark.parametrize("image", [None, "myapp@sha256:ab", "myapp:2.0"])
def test_a_version_that_could_be_more_than_one_is_refused(version: str, image: str | None) -> None:
    """It goes into manifests, environments, labels of images and messages."""
    for check in (
        lambda: _image.check_version(version),
        lambda: _image.check_version({"number": version}),
        lambda: wanted(read(RecordedCluster()), version, image),
    ):
        with pytest.raises(BlueGreenError) as caught:
            check()
        assert caught.value.reason == "bad_input"
        assert repr(version) in str(caught.value)


@pytest.mark.parametrize(
    "version", ["2.0", "2.0-rc.1+build.5", "v1_2", "sha256:" + "a" * 64, "feature/x", "r.example:5000/shop/app"]
)
def test_what_names_a_release_is_one(version: str) -> None:
    _image.check_version(version)
    assert wanted(read(RecordedCluster()), version, "myapp@sha256:ab") == {"app": "myapp@sha256:ab"}
