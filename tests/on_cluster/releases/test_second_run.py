# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judged by the audit log: what the second run asks of the API server."""

from __future__ import annotations

import pytest
from harness import Application, Audit


@pytest.mark.promise("the same release again changes nothing")
def test_second_release_writes_nothing(app: Application, audit: Audit) -> None:
    first = app.playbook("release.yml", version="2.0", bluegreen_scale_down_delay=0)
    assert first.outcome == "released", first.output

    mark = audit.mark()
    second = app.playbook("release.yml", version="2.0", bluegreen_scale_down_delay=0)

    assert second.code == 0, second.output
    assert second.outcome == "unchanged"
    assert "green (version 2.0) is live already; nothing was changed." in second.output
    assert "changed=0 " in second.output
    requests = audit.since(mark, namespace=app.namespace)
    assert any(request.agent.startswith("bluegreen.kubernetes/") for request in requests), (
        "the run asked for nothing at all"
    )
    assert not [str(request) for request in requests if request.writes]
