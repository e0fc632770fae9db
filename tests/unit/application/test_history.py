# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recorded releases say: what is unfinished, where a rollback goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from reading import annotate, past, read, rollback_to
from recorded import RecordedCluster

STATE = "bluegreen.kubernetes/state"


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
    found = recorded.run(current_color, cluster)["unfinished"]
    assert found == (history[-1] if unfinished else None)


def test_a_release_whose_way_back_the_database_has_lost_is_over() -> None:
    cluster = RecordedCluster()
    state = {"schema": 1, "history": [past("interrupted")], "intent": None, "contracted": {"version": "1.0", "at": "x"}}
    annotate(cluster.one("Service", "myapp"), STATE, json.dumps(state))
    assert recorded.run(current_color, cluster)["unfinished"] is None
