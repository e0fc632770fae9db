# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other, as `make test` does: run.py TARGET... -- TARGET...

Those after the -- need a cluster: unless it runs already, it is started before the first of them (a step of its own)
and stopped at the end. Ends at the first failure. Exit code 0: all passed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

CLUSTER = [sys.executable, str(Path(__file__).resolve().parents[1] / "cluster" / "cluster.py")]


def passes(number: int, total: int, target: str) -> bool:
    """Run one make target between a headline and a verdict with its duration; True if it passed."""
    print(f"\n=== {number}/{total} {target} {'=' * (60 - len(target))}", flush=True)
    started = time.monotonic()
    code = subprocess.run(["make", target], stdin=subprocess.DEVNULL, check=False).returncode
    seconds = f"{time.monotonic() - started:.0f} s"
    verdict = f"FAILED after {seconds} (exit code {code}); alone: make {target}" if code else f"passed in {seconds}"
    print(f"--- {target}: {verdict}", flush=True)
    return code == 0


def main(arguments: list[str]) -> int:
    middle = arguments.index("--")
    without, with_cluster = arguments[:middle], arguments[middle + 1:]
    ours = with_cluster and subprocess.run([*CLUSTER, "status"], stdout=subprocess.DEVNULL, check=False).returncode != 0
    targets = without + (["cluster"] if ours else []) + with_cluster
    passed = 0
    try:
        while passed < len(targets) and passes(passed + 1, len(targets), targets[passed]):
            passed += 1
    finally:
        if ours and passed >= len(without):
            subprocess.run([*CLUSTER, "down"], check=False)
    if passed == len(targets):
        print(f"\n{passed} passed, 0 failed", flush=True)
        return 0
    not_run = len(targets) - passed - 1
    print(f"\n{passed} passed, 1 failed: {targets[passed]}" + (f"; {not_run} not run" if not_run else ""), flush=True)
    return 1


if __name__ == "__main__":
    # A terminated run stops the cluster it started, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
