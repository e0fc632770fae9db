# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is repeated after the switch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import bake as _bake
from recorded import RecordedCluster

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "suite"},
    "spec": {"template": {"spec": {"containers": [{"name": "suite", "image": "suite:1"}]}}},
}


@pytest.mark.parametrize(("jobs", "count"), [(True, 2), (False, 1)])
def test_checks_that_are_jobs_can_be_left_out(jobs: bool, count: int, tmp_path: Path) -> None:
    (tmp_path / "suite.yml").write_text(json.dumps(JOB))
    result = recorded.run(
        _bake,
        RecordedCluster(dry_run=True),
        checks=[{"http": "/"}, {"job": "suite.yml"}],
        jobs=jobs,
        time=1,
        chdir=str(tmp_path),
    )
    assert result["msg"] == f"Would repeat {count} checks for 1 s."
