# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes Jobs as checks."""

from __future__ import annotations

from pathlib import Path

from checking import mistakes


def test_mistakes_in_a_job_are_named_before_anything(tmp_path: Path) -> None:
    (tmp_path / "pod.yml").write_text("kind: Pod\n")
    (tmp_path / "broken.yml").write_text("a: [")
    error = mistakes(
        {"name": "absent", "job": "absent.yml"},
        {"name": "pod", "job": "pod.yml", "keep_failed": "perhaps"},
        {"name": "broken", "job": "broken.yml", "pods": "all"},
        chdir=str(tmp_path),
    )
    text = str(error)
    assert f"check absent: {tmp_path}/absent.yml: No such file or directory" in text
    assert f"check pod: {tmp_path}/pod.yml: it is no Job but 'Pod'" in text
    assert "check pod: keep_failed is true or false, not 'perhaps'" in text
    assert "is no YAML" in text
    assert "pods has no meaning for job" in text
