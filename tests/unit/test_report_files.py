# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run: what it says, and the files it leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import outcome as _outcome
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import report as _report
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _report_files, _variables

DOCS = Path(__file__).resolve().parents[2] / "docs"
FAILURE = {"msg": "It <broke>.\n  deep\nLive now: blue\nNext: Mend it.", "reason": "rollout_failed"}


def at(second: int) -> str:
    return f"2026-05-04T09:30:{second:02d}.000000Z"


def document(outcome: str = "released", began: int = 0, **about: Any) -> dict[str, Any]:
    """A release of 2.0 over 1.0, ten seconds long."""
    bad = outcome in _outcome.BAD
    colors = {
        "blue": {"version": "1.0", "ready": 3, "replicas": 3},
        "green": {"version": "0.9", "ready": 1, "replicas": 1},
    }
    stages = {
        "detect": {"started_at": at(began), "ended_at": at(began + 1), "active_color": "blue", "colors": colors},
        "scale down": {"started_at": at(began + 4), "ended_at": at(began + 10)},
    }
    failure = FAILURE if bad else None
    live = ("blue", "1.0", "2.0") if bad else ("green", "2.0", "1.0")
    known = {"application": "shop", "namespace": None, "by": "ann", "job": "", "failure": failure, "stages": stages}
    return _report.document({**known, "wanted": "2.0", **about}, _outcome.compose(outcome, *live, failure=failure))


def written(directory: Path, **about: Any) -> str:
    return Path(_report_files.write(str(directory), document(**about))["html"]).read_text()


def test_the_headline_says_which_version_was_to_follow_which(tmp_path: Path) -> None:
    assert "<h1>shop 1.0 → 2.0</h1>" in written(tmp_path)
    assert "<h1>shop 1.0 → 2.0</h1>" in written(tmp_path, outcome="aborted")


def test_live_and_idle_and_the_time_that_was_planned(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert "<strong>Live: green, 2.0.</strong> Idle: blue, 1.0." in page
    assert "10.0 s, of which 6.0 s were planned waiting" in page


def test_the_way_back_is_a_command_where_there_is_one(tmp_path: Path) -> None:
    assert "ansible-playbook bluegreen.kubernetes.rollback --limit shop" in written(tmp_path)
    assert "Way back" not in written(tmp_path, outcome="aborted")


def test_a_failure_is_shown_line_by_line_and_its_next_step_once(tmp_path: Path) -> None:
    page = written(tmp_path, outcome="aborted")
    assert '--indent: 2ch">deep</pre>' in page and "It &lt;broke&gt;." in page
    assert page.count("Mend it.") == 1
    assert f'href="{_report.HELP}#-cannot-become-ready"' in page


def test_the_page_of_the_job_is_a_link(tmp_path: Path) -> None:
    page = written(tmp_path, job="42 release", job_url="https://awx/#/jobs/playbook/42/output")
    assert '<a href="https://awx/#/jobs/playbook/42/output">job 42 release</a>' in page


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({}, None),
        ({"CI_JOB_URL": "https://gitlab/j/1"}, "https://gitlab/j/1"),
        ({"BUILD_URL": "https://jenkins/b/1/"}, "https://jenkins/b/1/"),
        ({"AWX_HOST": "https://awx/", "JOB_ID": "7"}, "https://awx/#/jobs/playbook/7/output"),
        (
            {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "9"},
            "https://github.com/a/b/actions/runs/9",
        ),
    ],
)
def test_the_job_that_this_is_a_part_of(monkeypatch: pytest.MonkeyPatch, told: dict[str, str], url: str | None) -> None:
    for name in ("CI_JOB_URL", "BUILD_URL", "AWX_HOST", "JOB_ID", "GITHUB_SERVER_URL", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert _variables.job_url() == url


def test_every_run_is_kept_and_listed_newest_first(tmp_path: Path) -> None:
    written(tmp_path, began=0)
    written(tmp_path, began=20, outcome="aborted")
    written(tmp_path, began=10, application="blog")
    (tmp_path / "runs" / "broken.json").write_text("{")
    index = (tmp_path / "index.html").read_text()
    pages = re.findall(r'href="(runs/[^"]+)">(\w+)<', index)
    assert [application for _page, application in pages] == ["shop", "blog", "shop"]
    assert all((tmp_path / page).is_file() for page, _application in pages)
    assert json.loads((tmp_path / "shop.json").read_text())["outcome"] == "aborted"


def test_old_runs_of_an_application_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_report_files, "KEPT", 2)
    written(tmp_path, application="shop-2")
    for began in range(0, 50, 10):
        written(tmp_path, began=began)
    names = sorted(path.name for path in (tmp_path / "runs").glob("*.html"))
    assert names == [
        "shop-2-20260504093010000000.html",
        "shop-20260504093040000000.html",
        "shop-20260504093050000000.html",
    ]


def test_an_application_may_be_called_index(tmp_path: Path) -> None:
    assert "<h1>index 1.0" in written(tmp_path, application="index")


def test_every_heading_that_is_linked_to_is_there() -> None:
    text = (DOCS / "troubleshooting.md").read_text()
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {*_report.HEADINGS.values(), "reasons-for-playbooks"} <= slugs
    assert set(_report.HEADINGS) <= set(re.findall(r"`(\w+)`", text))
