# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make mutants`: the judge is judged. The product is broken on purpose, in one place at a time, and the simulation has to see it.

Each break is a piece of text of a file and what is put in its place: a fence removed, a second look left out, an order
exchanged, a condition turned. They are listed in mutants.yml. One whose text is not found any more is an error. The schedule
that has shown a break before is tried first; where it shows nothing any more, all others are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTED = Path(__file__).with_name("mutants.yml")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument(
        "-n", type=int, default=5000, help="schedules for each (default 5000); the first broken law ends it"
    )
    arguments = parser.parse_args()
    listed = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    chosen = [mutant for mutant in listed if not arguments.names or mutant["name"] in arguments.names]
    for mutant in chosen:
        broken(mutant)
    unseen = []
    for number, mutant in enumerate(chosen, 1):
        began = time.monotonic()
        found = seen(mutant, arguments.n)
        took = time.monotonic() - began
        print(
            f"{number:3} of {len(chosen)}  {took:5.0f} s  {'found ' if found else 'UNSEEN'} {mutant['name']}: {found}",
            flush=True,
        )
        if not found:
            unseen.append(mutant["name"])
    print(f"\n{len(chosen) - len(unseen)} of {len(chosen)} breaks were found; not found: {', '.join(unseen) or 'none'}")
    return 1 if unseen else 0


def broken(mutant: dict[str, Any]) -> str:
    """The text of the file with the break in it."""
    text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
    if text.count(mutant["was"]) != 1:
        raise SystemExit(f"{mutant['name']}: {mutant['file']} has {text.count(mutant['was'])} times:\n{mutant['was']}")
    return text.replace(mutant["was"], mutant["is"])


def seen(mutant: dict[str, Any], count: int) -> str:
    """The first broken law, or nothing."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "ansible_collections" / "bluegreen" / "kubernetes"
        for part in ("plugins", "roles", "meta", "tests/simulation"):
            shutil.copytree(ROOT / part, tree / part)
        shutil.copy(ROOT / "galaxy.yml", tree)
        (tree / mutant["file"]).write_text(broken(mutant), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": directory,
            "PYTHONPATH": f"{directory}:{tree / 'tests'}",
        }
        listed = mutant.get("seen", "").split()
        for arguments in filter(None, [listed, ["--first", "-n", str(count)]]):
            command = [sys.executable, "-m", "simulation", *arguments]
            ended = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
            if ended.returncode:
                break
        else:
            return ""
    lines = [line.strip() for line in ended.stdout.splitlines() if "BROKEN" in line]
    if not lines:
        return f"the simulation broke: {ended.stderr.strip()[-300:]}"
    again = [line.strip() for line in ended.stdout.splitlines() if "again:" in line]
    return lines[0] if arguments == listed else f"{lines[0]} (not by the schedule that is listed; {again[0]})"


if __name__ == "__main__":
    sys.exit(main())
