# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bg_current_color returns."""

from __future__ import annotations

import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from recorded import RecordedCluster


def test_current_color_returns_what_is_documented() -> None:
    result = recorded.run(current_color, RecordedCluster(at="end"), version="2.0")
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
    assert set(result) - {"msg", "warnings"} <= set(current_color.RETURNS)
    assert "changed" not in result or result["changed"] is False


def test_current_color_knows_what_is_not_live_yet() -> None:
    result = recorded.run(current_color, RecordedCluster(), version="2.0")
    assert result["is_live"] is False
    assert result["wanted_image"] == "myapp:2.0"


def test_current_color_writes_nothing() -> None:
    cluster = RecordedCluster(at="end")
    recorded.run(current_color, cluster, version="2.0")
    assert cluster.requests
    assert cluster.writes == []
