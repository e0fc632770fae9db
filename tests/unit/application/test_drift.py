# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In what the two colors' templates differ."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import drift
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color

Template = dict[str, Any]


def template(color: str) -> Template:
    app = {
        "name": "app",
        "image": f"app:{color}",
        "env": [{"name": "COLOR", "value": color}, {"name": "DB", "value": f"http://db-{color}.shop:80"}],
        "ports": [{"containerPort": 8080, "name": "http"}],
    }
    labels = {"app": "myapp", "version": color, "release": f"one-{color}"}
    return {"metadata": {"labels": labels}, "spec": {"containers": [app], "nodeSelector": {"pool": color}}}


def compared(change: Callable[[Template], Any]) -> tuple[list[str], Template, Template]:
    """The names of what differs, the template that green has then, and the one it had."""
    blue, green = template("blue"), template("green")
    change(blue)
    colors = [
        Color(name, {"metadata": {"name": name}, "spec": {"template": one}}, ["app"])
        for name, one in (("blue", blue), ("green", green))
    ]
    found = drift.drift(*colors, {"app", "version", "release"})
    return [drift.name_of(path) for path, _new, _old in found], drift.carried(green, found, blue), green


def app(one: Template) -> dict[str, Any]:
    found: dict[str, Any] = one["spec"]["containers"][0]
    return found


def test_what_only_names_the_colors_is_no_drift() -> None:
    names, carried, green = compared(lambda blue: None)
    assert (names, carried) == ([], green)


def test_a_restart_of_the_live_color_is_no_drift_where_it_is_the_only_annotation() -> None:
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    names, carried, green = compared(lambda blue: blue["metadata"].update(annotations=restarted))
    assert (names, carried) == ([], green)


CHANGES: dict[str, tuple[Callable[[Template], Any], str]] = {
    "a variable more": (lambda blue: app(blue)["env"].append({"name": "X", "value": "1"}), "containers[app].env[X]"),
    "one less": (lambda blue: app(blue)["env"].pop(1), "containers[app].env[DB]"),
    "another value": (lambda blue: app(blue)["env"][0].update(value="red"), "containers[app].env[COLOR]"),
    "no variables": (lambda blue: app(blue).pop("env"), "containers[app].env"),
    "another port": (lambda blue: app(blue)["ports"][0].update(name="web"), "containers[app].ports[8080]"),
    "a probe": (lambda blue: app(blue).update(livenessProbe={"periodSeconds": 1}), "containers[app].livenessProbe"),
    "a sidecar": (lambda blue: blue["spec"]["containers"].insert(0, {"name": "proxy", "image": "p:1"}), "containers[proxy]"),
    "a note": (lambda blue: blue["metadata"].update(annotations={"checksum": "1"}), "metadata.annotations"),
    "another pool": (lambda blue: blue["spec"]["nodeSelector"].update(pool="ssd"), "nodeSelector.pool"),
    "tolerations": (lambda blue: blue["spec"].update(tolerations=[{"key": "a"}]), "tolerations"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_on_live_is_carried_over(what: str) -> None:
    change, name = CHANGES[what]
    names, carried, green = compared(change)
    assert names == [name]
    assert carried != green
    wanted = template("blue")
    change(wanted)
    wanted = drift.recolored(wanted, "blue", "green")
    assert carried == wanted, "the live template in the idle color's names"
    assert green == template("green"), "what was read stays as it is"


@pytest.mark.parametrize(
    "change",
    [
        lambda blue: app(blue).update(image="app:9"),
        lambda blue: blue["metadata"]["labels"].update(release="other"),
        lambda blue: blue["metadata"].update(annotations={}) or blue["metadata"].pop("annotations"),
    ],
    ids=["version", "a label that a selector goes by", "nothing"],
)
def test_what_is_not_carried_over(change: Callable[[Template], Any]) -> None:
    names, carried, green = compared(change)
    assert (names, carried) == ([], green)


def test_variables_come_in_the_live_ones_order() -> None:
    """One can refer to those before it."""
    _names, carried, _green = compared(lambda blue: app(blue)["env"].insert(0, {"name": "HOST", "value": "x"}))
    assert [item["name"] for item in app(carried)["env"]] == ["HOST", "COLOR", "DB"]


def test_no_value_that_may_be_secret_is_shown() -> None:
    old, new = template("blue"), template("blue")
    app(new)["env"][1]["value"] = "s3cret-new"
    app(old)["env"][1]["value"] = "s3cret-old"
    new["spec"]["containers"].append({"name": "more", "env": [{"name": "A", "value": "s3cret-more"}]})
    new["spec"]["priorityClassName"] = "high"
    shown = drift.shown(list(drift.differences(old, new)))
    assert "s3cret" not in str(shown)
    assert shown[1] == {
        "containers[app].env[DB]": "(another value)",
        "containers[more]": "(another value)",
        "priorityClassName": "high",
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("catalog-a", "catalog-b"),
        ("a", "b"),
        ("b", "a"),
        ("a-catalog", "b-catalog"),
        ("http://shop.a:80", "http://shop.b:80"),
        ("catalog", "catalog"),
        ("-a", "-a"),
        ("grade a", "grade a"),
        (1, 1),
        (None, None),
    ],
)
def test_a_colors_name_is_a_whole_part(text: Any, wanted: Any) -> None:
    assert drift.recolored(text, "a", "b") == wanted
    assert drift.recolored([{"x": copy.deepcopy(text)}], "a", "b") == [{"x": wanted}]
