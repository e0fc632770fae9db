# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database for both versions, changed before the new one is deployed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import EXAMPLE, QUICK, Application, Run, until
from users import Users

SHARED = {"strategy": "shared", "migrate": "../databases/shared/migrate.yml", "undo": "../databases/shared/undo.yml"}


def deployed(app: Application) -> tuple[str, int]:
    """The live color, and the generation of the idle Deployment."""
    return app.color, app.deployment("green")["metadata"]["generation"]


def left(app: Application) -> list[str]:
    return [item["metadata"]["name"] for item in app.get("jobs")]


@pytest.mark.promise("shared database: release and rollback lose no entry")
def test_release_and_rollback_lose_no_entry(app: Application, sql: Callable[[str], str]) -> None:
    assert (EXAMPLE / SHARED["migrate"]).is_file()
    with Users(app) as users:
        released = app.playbook("release.yml", version="2.0", bluegreen_database=SHARED, **QUICK)
        assert released.outcome == "released" and released.result["active_color"] == "green", released.output
        assert sql("SELECT nickname FROM users") == ""
        assert released.time_of("Database - migrate") < released.time_of("app-green gets myapp:2.0")
        back = app.playbook("rollback.yml", **QUICK)
        assert back.outcome == "rolled_back", back.output
    users.lost_nothing()
    assert not left(app)


def test_what_breaks_the_live_version_stops_before_the_deploy(
    app: Application, sql: Callable[[str], str], job: Callable[..., str]
) -> None:
    before = deployed(app)
    database = {
        "strategy": "shared",
        "migrate": job("migrate", "ALTER TABLE users RENAME email TO address"),
        "undo": job("undo", "ALTER TABLE users RENAME address TO email"),
    }
    run = app.playbook("release.yml", version="2.0", bluegreen_database=database, **QUICK)
    assert run.outcome == "aborted" and run.code == 2, run.output
    assert "checks failed on blue" in run.output and "The Job undo has undone the change." in run.output
    assert deployed(app) == before
    assert sql("SELECT email FROM users") == "test-user@example.com"
    assert not left(app)


def test_one_that_fails_half_way_is_mended_and_run_again(
    app: Application, sql: Callable[[str], str], job: Callable[..., str]
) -> None:
    before = deployed(app)
    half = job("migrate", "ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname text", "SELECT no_such_function()")
    run = app.playbook(
        "release.yml", version="2.0", bluegreen_database={"strategy": "shared", "migrate": half}, **QUICK
    )
    assert run.code == 2 and "no_such_function" in run.output, run.output
    assert "No undo Job was run" in run.output and deployed(app) == before
    assert sql("SELECT count(nickname) FROM users") == "0"
    again = app.playbook("release.yml", version="2.0", bluegreen_database=SHARED, **QUICK)
    assert again.outcome == "released", again.output


def test_one_that_hangs_is_ended(app: Application, sql: Callable[[str], str], job: Callable[..., str]) -> None:
    before = deployed(app)
    database = {"strategy": "shared", "migrate": job("migrate", "SELECT pg_sleep(600)"), "timeout": 6}
    run = app.playbook("release.yml", version="2.0", bluegreen_database=database, **QUICK)
    assert run.code == 2 and "has not ended after 6 s" in run.output, run.output
    assert deployed(app) == before and not left(app)
    until(
        lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == "0",
        "the end of the migration",
    )


def test_a_killed_run_s_migration_is_followed_and_not_repeated(
    app: Application, sql: Callable[[str], str], job: Callable[..., str]
) -> None:
    sql("CREATE TABLE runs (at timestamptz)")
    database = {
        "strategy": "shared",
        "migrate": job("migrate", "INSERT INTO runs VALUES (now())", "SELECT pg_sleep(15)"),
    }
    variables = app.variables(version="2.0", bluegreen_database=database, **QUICK)
    with Users(app) as users:
        first = Run(["release.yml"], variables, env=app.credentials)
        until(lambda: sql("SELECT count(*) FROM runs") == "1", "the Job's first row")
        first.kill()
        again = Run(["release.yml"], variables, env=app.credentials).finish(180)
    assert again.outcome == "released", again.output
    assert sql("SELECT count(*) FROM runs") == "1"
    users.lost_nothing()
