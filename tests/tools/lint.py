# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that needs no cluster and no test: style, types, licences, changelog, documentation, artifact. `make lint`.

All checks are run; the output of those that fail is shown. Exit code 0: all hold.

They are the tools that antsibull-nox would run. It is not used because it installs them once more, each session for itself and
over the network, where these are in one pinned environment already, and because it checks no code blocks and no shell scripts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checkout

SHELL_SCRIPTS = [path for path in checkout.files() if path.endswith(".sh") or path == ".ci/run"]
# The longest ones first: as many run at a time as there are CPUs.
CHECKS = {
    "ansible-lint": ["ansible-lint", "--strict", "--nocolor", "-q"],
    "artifact": [sys.executable, str(Path(__file__).with_name("artifact.py"))],
    "code blocks": [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/docs"],
    "documentation": [
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--check-extra-docs-refs",
        "--validate-collection-refs",
        "all",
        "--skip-rstcheck",
        ".",
    ],
    "changelog": ["antsibull-changelog", "lint"],
    "licences": ["reuse", "lint", "--lines"],
    "types": ["mypy"],
    "yamllint": ["yamllint", "--strict", "."],
    "shellcheck": ["shellcheck", *SHELL_SCRIPTS],
    "imports": ["env", f"PYTHONPATH={os.environ['ANSIBLE_COLLECTIONS_PATH']}", "lint-imports", "--no-cache"],
    "ruff": ["ruff", "check", "--quiet", "--output-format", "concise", "."],
    "format": ["ruff", "format", "--check", "--output-format", "concise", "."],
}


def run(name: str) -> bool:
    """Run a check and say what came of it; True if it holds."""
    started = time.monotonic()
    # ansible-lint and the others show what they found without their own colours, and without asking the network.
    result = subprocess.run(
        CHECKS[name],
        cwd=checkout.ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    seconds = time.monotonic() - started
    if result.returncode == 0:
        print(f"  {name:<15}passed  {seconds:5.1f} s\n", end="", flush=True)
    else:
        print(
            f"  {name:<15}FAILED  {seconds:5.1f} s (exit code {result.returncode})\n{result.stdout}\n",
            end="",
            flush=True,
        )
    return result.returncode == 0


def main() -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [name for name, holds in zip(CHECKS, pool.map(run, CHECKS)) if not holds]
    print(f"lint: {len(CHECKS) - len(failed)} of {len(CHECKS)} hold{'; failed: ' if failed else ''}{', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
