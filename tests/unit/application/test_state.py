# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that runs leave in the cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import history as _history
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import state as _state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from reading import annotate, failure, read, rollback_to
from recorded import RecordedCluster

STATE = "bluegreen.kubernetes/state"


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
    result = recorded.run(current_color, cluster)
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


# --- the reader itself


def service(state: Any) -> dict[str, Any]:
    return {"metadata": {"name": "myapp", "annotations": {_state.STATE: json.dumps(state)}}}


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


def test_an_unfinished_switch_is_read() -> None:
    intent = {"from": "blue", "to": "green", "run": "a"}
    assert _state.read_state(service({"schema": 1, "intent": intent, "history": []}))["intent"] == intent


def test_a_state_without_some_keys_has_them() -> None:
    history = [{"run": "a", "outcome": "released"}]
    whole = {"schema": 1, "history": history, "intent": None}
    assert _state.read_state(service({"schema": 1, "history": history})) == whole


@pytest.mark.parametrize(("over", "kept"), [(0, 2), (1, 1)])
def test_of_64_kib_nothing_is_dropped(over: int, kept: int) -> None:
    state: dict[str, Any] = {"schema": 1, "history": [{"run": "a"}, {"run": ""}], "intent": None}
    state["history"][1]["run"] = "x" * (65536 - len(json.dumps(state, separators=(",", ":"))) + over)
    assert _state.bounded(state)["history"] == state["history"][:kept]


# --- the way back is never pushed out

SWITCHED = {"run": "live", "outcome": "released", "switched_at": "2026-01-01T00:00:00.000Z", "color": "green"}


def job(number: int, size: int = 0) -> dict[str, Any]:
    return {"digest": "d" * 16, "version": "x" * size, "ended_at": f"2026-01-01T00:00:{number % 60:02d}.{number:05d}Z"}


def test_jobs_never_push_out_the_history() -> None:
    jobs = {f"migrate-{number}": job(number, 1000) for number in range(200)}
    state = _state.bounded({"schema": 1, "history": [SWITCHED], "intent": None, "jobs": jobs})
    assert state["history"] == [SWITCHED]
    assert len(json.dumps(state, separators=(",", ":"))) <= 65536


def test_of_many_jobs_the_newest_are_remembered() -> None:
    jobs = {f"migrate-{number}": {"ended_at": f"2026-01-01T00:00:00.{number:03d}Z"} for number in reversed(range(100))}
    state = _state.bounded({"schema": 1, "history": [], "intent": None, "jobs": jobs})
    assert set(state["jobs"]) == {f"migrate-{number}" for number in range(50, 100)}


def test_attempts_never_push_out_the_switch_before_them() -> None:
    attempts = [{"run": f"r{number}", "outcome": "aborted", "switched_at": None} for number in range(12)]
    state = _state.bounded({"schema": 1, "history": [*attempts, SWITCHED, dict(SWITCHED, run="old")], "intent": None})
    assert [item["run"] for item in state["history"]] == [f"r{number}" for number in range(9)] + ["live"]


def test_attempts_never_push_out_what_is_prepared() -> None:
    attempts = [{"run": f"r{number}", "outcome": "aborted", "switched_at": None} for number in range(12)]
    ready = {"run": "p", "outcome": "prepared", "prepared": {"color": "blue", "template_hash": "h"}}
    state = _state.bounded({"schema": 1, "history": [*attempts, ready, SWITCHED], "intent": None})
    assert [item["run"] for item in state["history"]] == [f"r{number}" for number in range(8)] + ["p", "live"]


def test_long_texts_never_push_out_the_way_back() -> None:
    long = [{"run": f"r{number}", "outcome": "aborted", "job": "x" * 20_000} for number in range(5)]
    state = _state.bounded({"schema": 1, "history": [*long, SWITCHED], "intent": None})
    assert [item["run"] for item in state["history"]] == ["r0", "r1", "r2", "live"]
