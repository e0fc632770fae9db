# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database for each color: the example's release and rollback, and everything that can go wrong in between."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
import yaml
from harness import ROOT, Application, Run, command, environment, kubectl, until
from users import Users

EXAMPLE = ROOT / "examples" / "databases" / "per-color"
SETTINGS = yaml.safe_load((EXAMPLE / "vars.yml").read_text())
QUICK = {**SETTINGS, **harness.QUICK}
OTHER = {"blue": "green", "green": "blue"}


def each_its_own_database(manifests: list[dict]) -> None:
    """What the example's README says, before the first start."""
    manifests += yaml.safe_load_all(kubectl("kustomize", str(EXAMPLE)))
    for item in manifests:
        color = item["metadata"]["name"].removeprefix("app-")
        if item["kind"] == "Deployment" and color in OTHER:
            env = item["spec"]["template"]["spec"]["containers"][0]["env"]
            (url,) = [entry for entry in env if entry["name"] == "DATABASE_URL"]
            url["valueFrom"]["secretKeyRef"]["name"] = f"myapp-database-{color}"


@pytest.fixture
def app() -> Iterator[Application]:
    with Application(f"databases-{uuid.uuid4().hex[:6]}", postgres=True, change=each_its_own_database) as app:
        app.wait("myapp-postgres-blue", "myapp-postgres-green")
        yield app


@pytest.fixture
def sql(app: Application) -> Callable[..., str]:
    """Asks a color's database, and returns the rows as text."""

    def ask(color: str, *statements: str) -> str:
        commands = [part for text in statements for part in ("-c", text)]
        return app.kubectl(
            "exec",
            f"deployment/myapp-postgres-{color}",
            "--",
            "sh",
            "-c",
            'PGPASSWORD="$POSTGRES_PASSWORD" exec psql -h /data -U "$POSTGRES_USER" -d "$POSTGRES_DB" -qAt "$@"',
            "psql",
            *commands,
        ).strip()

    return ask


def healthy(app: Application, sql: Callable[..., str]) -> None:
    """Only the live color's database takes writes; the other one follows it, and nothing else is left."""
    live, idle = app.color, OTHER[app.color]
    assert sql(live, "SHOW default_transaction_read_only") == "off"
    assert sql(idle, "SHOW default_transaction_read_only") == "on"
    until(
        lambda: sql(live, "SELECT slot_name FROM pg_replication_slots WHERE active") == "bluegreen",
        "an active replication slot",
        20,
    )
    assert sql(live, "SELECT count(*) FROM pg_subscription") == "0"
    assert sql(idle, "SELECT count(*) FROM pg_subscription WHERE subenabled") == "1"
    assert sql(idle, "SELECT count(*) FROM pg_replication_slots") == "0"
    last = sql(live, "SELECT max(number) FROM entries")
    until(
        lambda: sql(idle, f"SELECT count(*) FROM entries WHERE number = {last}") == "1",
        "the last entry in the idle color's database",
        20,
    )
    assert not app.get("jobs")


def figures(note: Callable[[str, object], None], what: str, run: Run, users: Users, refused_before: int = 0) -> None:
    """The freeze as the collection measured it, and as users saw it."""
    measured = run.result["timings"]["frozen_ms"]
    assert f"writes were frozen for {measured} ms" in run.output
    (seen,) = users.freezes[-1:] or [0]
    note(
        "figure",
        f"{what}: writes frozen for {measured} ms; a writer waited {seen} ms for its next row, "
        f"{len(users.refused) - refused_before} answers refused, of {len(users.written)} written",
    )
    assert 0 < measured < 60_000


@pytest.mark.promise("a database per color: release and rollback lose no entry")
def test_release_and_rollback_lose_no_entry(
    app: Application, sql: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    sql("blue", "INSERT INTO entries (number, text) SELECT -n, 'old ' || n FROM generate_series(1, 5000) n")
    with Users(app, patient=True) as users:
        released = app.playbook("release.yml", version="2.0", **QUICK)
        assert released.outcome == "released" and released.result["active_color"] == "green", released.output
        assert len(users.freezes) <= 1
        figures(record_property, "release", released, users)
        assert sql("green", "SELECT nickname FROM users") == "" and app.color == "green"
        healthy(app, sql)
        refused = len(users.refused)
        time.sleep(1)
        back = app.playbook("rollback.yml", **QUICK)
        assert back.outcome == "rolled_back", back.output
        figures(record_property, "rollback", back, users, refused)
        again = app.playbook("release.yml", version="3.0", **QUICK)
        assert again.outcome == "released" and "it follows already" in again.output, again.output
        assert users.behind == []
        instant = app.playbook("rollback.yml", bluegreen_rollback_instant=True, **QUICK)
        assert instant.outcome == "rolled_back", instant.output
        users.write_on()
    users.lost_nothing(besides=5000, may_be_behind=True)
    healthy(app, sql)


def test_a_run_killed_in_the_copy_is_run_again(app: Application, sql: Callable[..., str]) -> None:
    with Users(app, patient=True) as users:
        first = app.start("release.yml", version="2.0", **QUICK)
        first.wait_for("copying", 300)
        first.kill()
        again = app.playbook("release.yml", version="2.0", **QUICK)
        assert again.outcome == "released", again.output
    users.lost_nothing()
    healthy(app, sql)


@pytest.mark.parametrize(
    ("playbook", "outcome", "live"), [("release.yml", "released", "green"), ("rollback.yml", "rolled_back", "blue")]
)
def test_a_run_killed_in_the_freeze_leaves_nothing_frozen_when_run_again(
    app: Application, sql: Callable[..., str], playbook: str, outcome: str, live: str
) -> None:
    version = {"version": "2.0"} if playbook == "release.yml" else {}
    with Users(app, patient=True) as users:
        first = app.start("release.yml", version="2.0", **QUICK)
        first.wait_for("hand-over: freezing", 300)
        first.kill()
        assert app.color == "blue"
        until(lambda: users.refused, "a write that is told to wait")
        again = app.playbook(playbook, **version, **QUICK)
        assert again.outcome == outcome, again.output
        users.write_on()
    users.lost_nothing()
    assert app.color == live
    healthy(app, sql)


def test_a_copy_that_cannot_succeed_ends_before_anything_is_deployed(app: Application, sql: Callable[..., str]) -> None:
    generation = app.deployment("green")["metadata"]["generation"]
    sql("green", "ALTER TABLE users ADD CHECK (name = 'nobody') NOT VALID")
    database = {**SETTINGS["bluegreen_database"], "timeout": 20}
    with Users(app) as users:
        run = app.playbook("release.yml", version="2.0", **{**QUICK, "bluegreen_database": database})
        assert run.outcome == "aborted" and run.code == 2, run.output
        assert run.result["reason"] == "timeout" and "Job sync " in run.result["msg"]
    users.lost_nothing()
    assert app.color == "blue" and app.deployment("green")["metadata"]["generation"] == generation
    assert sql("blue", "SHOW default_transaction_read_only") == "off" and not app.get("jobs")


# A transaction that does not end. In green the next rows are there already, so that what is replicated has to wait for it;
# in blue it has written, so that the freeze has to.
@pytest.mark.parametrize(
    ("color", "numbers", "rows", "reason"),
    [
        pytest.param("green", "-30000, 30000", 20000, "behind after 5 s", id="a-lag-that-does-not-end-never-freezes"),
        pytest.param(
            "blue",
            "-1, -1",
            0,
            "transactions from before the freeze have not ended after 2 s",
            id="a-freeze-is-given-up",
        ),
    ],
)
def test_what_does_not_end(
    app: Application, sql: Callable[..., str], color: str, numbers: str, rows: int, reason: str
) -> None:
    with Users(app, patient=True) as users:
        limits = {"database_lag_limit": 5, "database_freeze_limit": 2}
        run = app.start("release.yml", version="2.0", **{**QUICK, **limits})
        run.wait_for("app-green gets myapp:2.0", 300)
        insert = (
            f"INSERT INTO entries (number, text) SELECT n, '' FROM generate_series({numbers}) n ON CONFLICT DO NOTHING"
        )
        blocker = subprocess.Popen(
            [
                command("kubectl"),
                "--namespace",
                app.namespace,
                "exec",
                f"deployment/myapp-postgres-{color}",
                "--",
                "psql",
                "postgres://myapp:example-only@127.0.0.1/myapp",
                "-c",
                "SET default_transaction_read_only = off",
                "-c",
                f"BEGIN; {insert}; SELECT pg_sleep(600)",
            ],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(
                lambda: sql(
                    color, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'BEGIN%'"
                ),
                "the transaction that blocks",
            )
            sql(
                "blue",
                f"INSERT INTO entries (number, text) SELECT -n, 'old ' || n FROM generate_series(2, {rows + 1}) n",
            )
            run.finish()
        finally:
            blocker.kill()
            blocker.wait()
        assert run.outcome == "aborted" and run.code == 2 and reason in run.output, run.output
        users.write_on()
    assert len(users.freezes) == (0 if rows else 1)
    users.lost_nothing(besides=rows)
    assert app.color == "blue" and sql("blue", "SHOW default_transaction_read_only") == "off"


@pytest.mark.parametrize("broken", ["the-switch", "after-the-switch"])
def test_a_failure_gives_the_writes_back(
    app: Application, sql: Callable[..., str], tmp_path: Path, broken: str
) -> None:
    hook = tmp_path / "fail.yml"
    hook.write_text("- ansible.builtin.pause: {seconds: 2}\n- ansible.builtin.fail: {msg: by intention}\n")
    settings = {
        "the-switch": {"bluegreen_probe": {"url": "ftp://nowhere", "color_from": {"json": "color"}}},
        "after-the-switch": {"bluegreen_hooks": {"after_switch": str(hook)}},
    }[broken]
    with Users(app, patient=True) as users:
        run = app.playbook("release.yml", version="2.0", **QUICK, **settings)
        assert run.outcome == ("aborted" if broken == "the-switch" else "reverted") and run.code == 2, run.output
        users.write_on()
    users.lost_nothing()
    assert app.color == "blue"
    healthy(app, sql)


def test_once_detached_there_is_no_way_back_by_accident_and_the_next_release_copies_anew(
    app: Application, sql: Callable[..., str]
) -> None:
    with Users(app, patient=True) as users:
        assert app.playbook("release.yml", version="2.0", **QUICK).outcome == "released"
        killed = app.start("retire.yml", **SETTINGS, bluegreen_retire_after=0)
        until(lambda: app.get("jobs"), "the Job, to be in the middle of it")
        killed.kill()
        retired = app.playbook("retire.yml", **SETTINGS, bluegreen_retire_after=0)
        assert retired.outcome == "retired", retired.output
        assert sql("green", "SELECT count(*) FROM pg_replication_slots") == "0"
        assert sql("blue", "SELECT count(*) FROM pg_subscription") == "0"
        refused = app.playbook("rollback.yml", **QUICK)
        assert refused.outcome == "refused" and refused.code == 2, refused.output
        assert "That of blue lacks all rows since." in refused.output
        again = app.playbook("release.yml", version="3.0", **QUICK)
        assert again.outcome == "released", again.output
    users.lost_nothing()
    assert app.color == "blue"
    healthy(app, sql)
