# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of versions, containers and states, word for word, and what is at the edge of what is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import image as _image
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import state as _state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError


def deployment(containers: list[str], init: list[str]) -> dict[str, Any]:
    spec = {"containers": [{"name": name} for name in containers], "initContainers": [{"name": name} for name in init]}
    return {"metadata": {"name": "app-green"}, "spec": {"template": {"spec": spec}}}


def service(state: Any) -> dict[str, Any]:
    return {"metadata": {"name": "myapp", "annotations": {_state.STATE: json.dumps(state)}}}


@pytest.mark.parametrize("version", [1.1, {"number": 1.1}])
def test_a_number_is_no_version(version: Any) -> None:
    with pytest.raises(BlueGreenError) as error:
        _image.check_version(version)
    assert str(error.value) == (
        "The version must be a string, not the number 1.1.\n"
        "  YAML and JSON read 1.10 as the number 1.1, so another version than the one meant could be released.\n"
        'Next: Quote it: version: "1.1" (on the command line -e version=1.1 is a string already; in a survey of AWX '
        "type the quotes)."
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


def test_a_state_of_a_newer_version_is_refused() -> None:
    with pytest.raises(BlueGreenError) as error:
        _state.read_state(service({"schema": 2}))
    assert str(error.value) == (
        "Service 'myapp' was last switched by a newer version of bluegreen.kubernetes (state schema 2, known here: 1).\n"
        "Next: Update the collection on this machine."
    )


@pytest.mark.parametrize("state", [{"schema": 1, "history": {}}, {"schema": 1, "history": [{}]}, {}, 1])
def test_a_state_that_is_none_is_taken_as_empty(state: Any) -> None:
    empty = {"schema": 1, "history": [], "intent": None}
    assert _state.read_state(service(state)) == empty
    warnings: list[str] = []
    assert _state.read_state(service(state), warnings) == empty
    assert len(warnings) == 1


def test_a_state_without_some_keys_has_them() -> None:
    assert _state.read_state(service({"schema": 1})) == {"schema": 1, "history": [], "intent": None}


@pytest.mark.parametrize(("over", "kept"), [(0, 2), (1, 1)])
def test_of_64_kib_nothing_is_dropped(over: int, kept: int) -> None:
    state: dict[str, Any] = {"schema": 1, "history": [{"run": "a"}, {"run": ""}], "intent": None}
    state["history"][1]["run"] = "x" * (65536 - len(json.dumps(state, separators=(",", ":"))) + over)
    assert _state.bounded(state)["history"] == state["history"][:kept]
