# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema grows before the release, and shrinks when nobody will want to go back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from harness import EXAMPLE, QUICK, Application, Run, until
from users import Users

DATABASE = {
    "strategy": "expand_contract",
    "expand": "../databases/expand-contract/expand.yml",
    "contract": "../databases/expand-contract/contract.yml",
}
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = 'entries' ORDER BY 1"


def release(app: Application) -> Run:
    run = app.playbook("release.yml", version="new-schema", bluegreen_database=DATABASE, **QUICK)
    assert run.outcome == "released", run.output
    return run


def test_release_and_rollback_lose_no_entry(app: Application, sql: Callable[[str], str]) -> None:
    # More than one batch of entries from before the change; the users' own begin at 1.
    sql("INSERT INTO entries (number, text) SELECT -n, 'old ' || n FROM generate_series(1, 2500) n")
    with Users(app) as users:
        release(app)
        back = app.playbook("rollback.yml", **QUICK)
        assert back.outcome == "rolled_back", back.output
    users.lost_nothing(besides=2500)
    assert sql(COLUMNS).split() == ["id", "message", "number", "text"]
    for change in ("text = 'by the old version'", "message = 'by the new version'"):
        sql(f"UPDATE entries SET {change} WHERE number = 1")
        assert sql("SELECT count(*) FROM entries WHERE text IS DISTINCT FROM message") == "0"


@pytest.mark.promise("expand and contract: released, contracted when due, and no way back by accident then")
def test_once_contracted_there_is_no_way_back_by_accident(app: Application, sql: Callable[[str], str]) -> None:
    with Users(app) as users:
        release(app)
        early = app.playbook("retire.yml", bluegreen_database=DATABASE)
        assert early.outcome == "postponed" and "text" in sql(COLUMNS).split()
        retired = app.playbook("retire.yml", bluegreen_database=DATABASE, bluegreen_retire_after=0)
        assert retired.outcome == "retired", retired.output
        assert sql(COLUMNS).split() == ["id", "message", "number"]
        again = app.playbook("retire.yml", bluegreen_database=DATABASE, bluegreen_retire_after=0)
        assert again.outcome == "unchanged", again.output
        refused = app.playbook("rollback.yml", **QUICK)
        assert refused.outcome == "refused" and refused.code == 2, refused.output
        assert "A rollback to 1.0 is refused: the database was contracted" in refused.output
        assert app.color == "green"
    users.lost_nothing()
    forced = app.playbook("rollback.yml", bluegreen_rollback_contracted=True, **QUICK)
    assert forced.outcome == "rolled_back", forced.output
    assert app.color == "blue"


def test_a_run_killed_in_either_job_is_run_again(app: Application, sql: Callable[[str], str], tmp_path: Path) -> None:
    database = {**DATABASE, **{name: slowly(name, tmp_path) for name in ("expand", "contract")}}
    with Users(app) as users:
        for playbook, outcome, variables in (
            ("release.yml", "released", {"version": "new-schema", **QUICK}),
            ("retire.yml", "retired", {"bluegreen_retire_after": 0}),
        ):
            first = app.start(playbook, bluegreen_database=database, **variables)
            until(
                lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == "1",
                "the migration under way",
            )
            first.kill()
            again = app.playbook(playbook, bluegreen_database=database, **variables)
            assert again.outcome == outcome, again.output
    assert sql(COLUMNS).split() == ["id", "message", "number"]
    users.lost_nothing()


def slowly(name: str, directory: Path) -> str:
    """The example's Job of that name, which sleeps before it begins."""
    job = yaml.safe_load((EXAMPLE.parent / "databases" / "expand-contract" / f"{name}.yml").read_text())
    job["spec"]["template"]["spec"]["containers"][0]["args"].insert(1, "--command=SELECT pg_sleep(10)")
    path = directory / f"{name}.yml"
    path.write_text(yaml.safe_dump(job))
    return str(path)
