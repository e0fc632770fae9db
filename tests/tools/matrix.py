# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests and ansible-test sanity with every version that the collection is meant for: `make matrix`.

ARGS selects rows by their words: `make matrix ARGS='2.16'`, `make matrix ARGS='units 24.2'`. Each row has a virtual
environment of its own beside that of the tools, made once. Their output is in tests/output/matrix.

antsibull-nox is not used because it runs ansible-test in containers alone, which need an engine and a registry, and has no rows
for versions of the package kubernetes.

A Python that is missing is NOT RUN, which is no pass: the exit code is 1.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import checkout
import env

OUTPUT = checkout.ROOT / "tests" / "output" / "matrix"
COLLECTIONS = env.make_tree()
# What the unit tests import beside what the collection needs.
NEEDED = ["requests", "jmespath", "jsonpatch", "cryptography", "grpcio-health-checking", "pytest", "pytest-xdist"]


class Row(NamedTuple):
    test: str  # units or sanity
    core: str  # of ansible-core; "newest": that the Python takes
    python: str
    client: str  # of the package kubernetes

    def __str__(self) -> str:
        return f"{self.test:<7} ansible-core {self.core:<7} Python {self.python:<5} kubernetes {self.client}"


CORES = [("2.16", "3.11"), ("2.18", "3.11"), ("2.19", "3.11"), ("newest", "3.12"), ("newest", "3.13")]
CLIENTS = ["24.2", "31", "36"]
ROWS = [Row(test, core, python, "37") for core, python in CORES for test in ("units", "sanity")]
ROWS += [Row("units", "2.19", "3.11", client) for client in CLIENTS]


def make_venv(row: Row, python: str, log: Path) -> Path:
    """The row's virtual environment; a CalledProcessError when it cannot be made, with the reason in the log."""
    core = "ansible-core" if row.core == "newest" else f"ansible-core=={row.core}.*"
    packages = [core, f"kubernetes=={row.client}.*", *NEEDED]
    key = hashlib.sha256(" ".join([os.path.realpath(python), *packages]).encode()).hexdigest()[:12]
    venv = checkout.CACHE / "matrix" / f"{row.core}-{row.python}-{row.client}-{key}"
    with log.open("a") as output:
        if not (venv / ".complete").exists():
            for command in (
                [python, "-m", "venv", "--clear", venv],
                [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
            ):
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=True)
            (venv / ".complete").touch()
    return venv


def version_of(venv: Path, package: str) -> str:
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run(
        [venv / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def run(row: Row) -> tuple[str, str]:
    """The verdict of one row, and what there is to say about it."""
    major, minor = map(int, row.python.split("."))
    python = env.find_python(major, minor)
    if not python:
        return "NOT RUN", f"there is no Python {row.python} on the PATH, and pyenv has none"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    log = OUTPUT / f"{row.test}-{row.core}-{row.python}-{row.client}.log"
    log.write_text("")
    try:
        venv = make_venv(row, python, log)
    except subprocess.CalledProcessError:
        return "FAILED", f"its environment could not be made; see {log}"
    command = [
        venv / "bin" / "python",
        *(["-m", "pytest", "-q", "-n", "2"] if row.test == "units" else ["tests/tools/sanity/run.py"]),
    ]
    environ = {
        **os.environ,
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    }
    with log.open("a") as output:
        code = subprocess.run(
            command,
            cwd=checkout.ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    lines = log.read_text().rstrip().splitlines()
    versions = f"ansible-core {version_of(venv, 'ansible-core')}, kubernetes {version_of(venv, 'kubernetes')}"
    return ("FAILED" if code else "passed"), f"{versions}: {lines[-1].strip(' =') if lines else 'it said nothing'}"


def chosen(words: list[str]) -> Iterator[Row]:
    for row in ROWS:
        if set(words) <= set(str(row).split()):
            yield row


def main(words: list[str]) -> int:
    verdicts = []
    for row in chosen(words):
        started = time.monotonic()
        verdict, text = run(row)
        verdicts.append(verdict)
        print(f"{row}  {verdict}  {time.monotonic() - started:.0f} s  {text}", flush=True)
    passed = verdicts.count("passed")
    print(
        f"matrix: {passed} of {len(verdicts)} rows hold, {verdicts.count('FAILED')} failed, {verdicts.count('NOT RUN')} not run"
    )
    return int(not verdicts or passed < len(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
