# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the unit tests notice mistakes in the code that decides: `make mutation`.

mutmut makes one mistake at a time in the files below and runs the tests that reach it. A mistake that no test notices
survives and is shown. Exit code 1: more than 5 % have survived.

mutmut tells a module by its path, so it works on a copy that has the collection's name as real directories.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import checkout

# Below plugins/module_utils, and the unit tests that hold them.
MUTATED = {
    "_application/image.py": ["application/test_image.py", "operations/test_deploy.py"],
    "_application/state.py": ["application/test_state.py", "operations/test_prepared.py"],
    "_release/outcome.py": ["release/test_outcome.py"],
    "_release/plan.py": ["release/test_plan.py"],
    "_release/settings.py": ["release/test_settings.py"],
    "_release/steps.py": ["release/test_plan.py"],
}
ALLOWED = 5  # per cent
COLLECTION = Path("ansible_collections", "bluegreen", "kubernetes")
# What mutmut says of a mistake that was noticed; one that makes an endless loop is.
NOTICED = {"killed", "timeout"}


def lay_out(work: Path) -> None:
    """The copy, and what mutmut is to do with it."""
    for path in checkout.files():
        if path.startswith(("plugins/", "tests/unit/")) or path in ("pytest.ini", "tests/conftest.py"):
            target = work / COLLECTION / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkout.ROOT / path, target)
    settings = {
        "source_paths": [COLLECTION / "plugins"],
        "only_mutate": [COLLECTION / "plugins" / "module_utils" / file for file in MUTATED],
        "also_copy": [COLLECTION],
        "pytest_add_cli_args_test_selection": sorted(
            {COLLECTION / "tests" / "unit" / test for tests in MUTATED.values() for test in tests}
        ),
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
    }
    lines = [f"{name} =\n" + "".join(f"    {value}\n" for value in values) for name, values in settings.items()]
    (work / "setup.cfg").write_text("[mutmut]\nuse_git_change_detection = false\n" + "".join(lines))


def mutmut(work: Path, *arguments: str) -> str:
    # The tests import the collection from the copy that has the mistakes.
    environ = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(work / "mutants")}
    result = subprocess.run(
        ["mutmut", *arguments],
        cwd=work,
        env=environ,
        stdin=subprocess.DEVNULL,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        sys.exit(f"mutmut {' '.join(arguments)}: exit code {result.returncode}\n{result.stdout[-5000:]}")
    return result.stdout


def main() -> int:
    print(f"mutation: mistakes are made in {', '.join(MUTATED)} (some minutes)", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        lay_out(work)
        mutmut(work, "run")
        found = re.findall(r"^\s*(\S+__mutmut_\d+): (.+?)\s*$", mutmut(work, "results", "--all", "true"), re.MULTILINE)
        if not found:
            sys.exit("mutation: mutmut has made no mistake; are the files still there?")
        survivors = [name for name, how in found if how not in NOTICED]
        for name in survivors:
            print(mutmut(work, "show", name), flush=True)
    percent = 100 * len(survivors) / len(found)
    print(f"mutation: {len(found)} mistakes, {len(survivors)} survived: {percent:.1f} % (at most {ALLOWED} %)")
    return int(percent > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
