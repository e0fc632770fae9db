# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of an application that was recorded."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import history
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from recorded import RecordedCluster


def read(cluster: RecordedCluster, **options: Any) -> Application:
    return read_application(cluster, recorded.parameters(current_color, **options))


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        read(cluster, **options)
    return caught.value


def annotate(item: dict[str, Any], key: str, text: str) -> None:
    item["metadata"].setdefault("annotations", {})[key] = text


def rollback_to(app: Application) -> dict[str, Any] | None:
    return history.rollback_to(app.state, app.live, app.colors[app.idle])


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
