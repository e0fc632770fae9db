# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers on a real queue, a table with SKIP LOCKED: a release and a rollback in the middle of 1,000 numbered tasks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from harness import Application, until

TASKS = 1000
POOL = 2  # pods of the live color's workers

TABLE = f"""
CREATE TABLE tasks (id int PRIMARY KEY, times int NOT NULL DEFAULT 0, began timestamptz, ended timestamptz, pod text);
INSERT INTO tasks (id) SELECT generate_series(1, {TASKS});
"""

# One task, of a tenth of a second; Kubernetes makes one dollar of two in a variable. What is killed in the middle is rolled back, and done by another pod.
TASK = """
DO $task$
DECLARE task int; start timestamptz := clock_timestamp();
BEGIN
  SELECT id INTO task FROM tasks WHERE ended IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
  PERFORM pg_sleep(0.1);
  UPDATE tasks SET times = times + 1, began = start, ended = clock_timestamp(), pod = current_setting('application_name')
    WHERE id = task;
END $task$
"""

MIXED = """
SELECT count(*) FROM tasks one JOIN tasks other ON one.pod LIKE 'mailer-blue-%' AND other.pod LIKE 'mailer-green-%'
  AND one.began < other.ended AND other.began < one.ended
"""


def worker(app: Application, color: str, replicas: int) -> dict[str, Any]:
    """The application's own container, which carries the version, and beside it what works on the queue."""
    found = app.deployment(color)
    labels = {"app": "mailer", "version": color}
    template = copy.deepcopy(found["spec"]["template"])
    template["metadata"] = {"labels": labels}
    queue = {
        "name": "queue",
        "image": "myapp-postgres:15",
        "imagePullPolicy": "IfNotPresent",
        # The shell hears SIGTERM when the task is done.
        "command": ["sh", "-c", 'trap "exit 0" TERM; while :; do psql -q -d "$DATABASE_URL" -c "$TASK"; done'],
        "env": [
            {"name": "TASK", "value": TASK},
            {"name": "PGAPPNAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "myapp-database", "key": "url"}}},
        ],
        "securityContext": template["spec"]["containers"][0].get("securityContext", {}),
    }
    template["spec"]["containers"].append(queue)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"mailer-{color}", "namespace": app.namespace, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.mark.parametrize("mode", ["overlap", "gap"])
def test_every_task_is_done_once_whoever_is_live(app: Application, sql: Callable[[str], str], mode: str) -> None:
    sql(TABLE)
    app.apply(worker(app, "blue", POOL), worker(app, "green", 0))
    app.wait("mailer-blue")
    workers = [{"name": "mailer", "mode": mode}]

    def done() -> int:
        return int(sql("SELECT count(*) FROM tasks WHERE ended IS NOT NULL"))

    def strength() -> dict[str, int]:
        return {color: app.get("deployment", f"mailer-{color}")["spec"]["replicas"] for color in ("blue", "green")}

    until(lambda: done() > 20, "the old workers have done some tasks")
    released = app.playbook("release.yml", version="2.0", bluegreen_workers=workers)
    assert released.outcome == "released", released.output
    assert strength() == {"blue": 0, "green": POOL}
    app.kubectl(
        "delete", "pod", "--selector=app=mailer,version=green", "--field-selector=status.phase=Running", "--now"
    )
    until(lambda: int(sql("SELECT count(*) FROM tasks WHERE pod LIKE 'mailer-green-%'")) > 20, "the new ones as well")
    back = app.playbook("rollback.yml", bluegreen_workers=workers)
    assert back.outcome == "rolled_back", back.output
    assert strength() == {"blue": POOL, "green": 0}

    until(lambda: done() == TASKS, "all tasks are done", seconds=300)
    by_color = sql("SELECT split_part(pod, '-', 2), count(*) FROM tasks GROUP BY 1 ORDER BY 1")
    print(f"{mode}: {by_color.split()}; {sql(MIXED)} pairs of tasks of two versions at the same time")
    assert sql("SELECT count(*) FROM tasks WHERE times <> 1") == "0"
    if mode == "gap":
        assert sql(MIXED) == "0"
