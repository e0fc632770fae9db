# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database suite: `make databases`. Releases that change the schema of a real PostgreSQL while users write to it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own helpers

from harness import Application


@pytest.fixture
def app() -> Iterator[Application]:
    with Application(f"databases-{uuid.uuid4().hex[:6]}", postgres=True) as app:
        yield app


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., str]:
    """Makes files with a Job like the example's that executes SQL statements, each in a transaction of its own."""
    example = yaml.safe_load((Path(__file__).parents[3] / "examples/databases/shared/migrate.yml").read_text())

    def make(name: str, *statements: str) -> str:
        container = example["spec"]["template"]["spec"]["containers"][0]
        container["command"] = ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--echo-queries"]
        container["args"] = ["--dbname=$(DATABASE_URL)", *[f"--command={text}" for text in statements]]
        example["metadata"]["name"] = name
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump(example))
        return str(path)

    return make


@pytest.fixture
def sql(app: Application) -> Callable[[str], str]:
    """Asks the application's database, and returns the rows as text."""

    def ask(statement: str) -> str:
        return app.kubectl(
            "exec",
            "deployment/myapp-postgres",
            "--",
            "sh",
            "-c",
            'PGPASSWORD="$POSTGRES_PASSWORD" psql -h /data -U "$POSTGRES_USER" -d "$POSTGRES_DB" -At -c "$0"',
            statement,
        ).strip()

    return ask
