# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the example's workflow whose promote has failed: it fails too, and says what is live."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback import Loopback
from playing import Player

PLAYBOOK = Path(__file__).resolve().parents[2] / "examples" / "awx" / "not_released.yml"
BACK = {"blog": {"outcome": "rolled_back", "msg": "blue (version 1.0) is live again."}}


@pytest.mark.parametrize(
    ("handed_on", "said"),
    [({"bluegreen_result": BACK}, "blue (version 1.0) is live again."), ({}, "See its job promote for the reason")],
)
def test_a_workflow_that_released_nothing_fails(
    loopback: Loopback, tmp_path: Path, handed_on: dict[str, object], said: str
) -> None:
    ended = Player(tmp_path, loopback).run(str(PLAYBOOK), "-e", json.dumps(handed_on))
    assert ended.code == 2
    assert f"This workflow has not released what it was launched for. {said}" in ended.out
    assert not loopback.seen, "it needs no cluster, which may be what has failed"
