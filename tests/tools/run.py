# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other, as `make test` and `make proof` do.

Unless the cluster runs already, it is started before the first target that needs it (a step of its own) and stopped at the
end. At the end there is a page of results: each step's time, what became of its tests, which failed, and the ten slowest; and
all that the steps and the playbooks in them have said is looked through for the credentials of the tests (leaks.py).
Exit code 0: all passed, and none was found.
"""

from __future__ import annotations

import argparse
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import checkout
import leaks

CLUSTER = [sys.executable, str(checkout.ROOT / "tests" / "cluster" / "cluster.py")]
OUTPUT = checkout.ROOT / "tests" / "output" / "steps"
RUNS = OUTPUT.parent / "runs"  # what each playbook of a suite has said
SLOWEST = 10


@dataclass
class Step:
    """A make target and what came of it. code: its exit code, None as long as it was not run."""

    target: str
    code: int | None = None
    seconds: float = 0
    tests: list[tuple[str, str, float]] = field(default_factory=list)  # name; passed, failed or skipped; seconds

    def run(self, number: int, total: int) -> bool:
        """Run it between a headline and a verdict with its duration; True if it passed."""
        print(f"\n=== {number}/{total} {self.target} {'=' * (60 - len(self.target))}", flush=True)
        report = OUTPUT / f"{self.target}.xml"
        options = f"{os.environ.get('PYTEST_ADDOPTS', '')} {shlex.quote(f'--junitxml={report}')}"
        started = time.monotonic()
        # Without ARGS here, make would hand on those that it was called with itself.
        self.code = said(
            ["make", self.target, "ARGS="],
            {**os.environ, "PYTEST_ADDOPTS": options, "BLUEGREEN_RUNS": str(RUNS)},
            OUTPUT / f"{self.target}.log",
        )
        self.seconds = time.monotonic() - started
        self.tests = tests_of(report)
        verdict = (
            f"FAILED after {self.seconds:.0f} s (exit code {self.code}); alone: make {self.target}"
            if self.code
            else f"passed in {self.seconds:.0f} s"
        )
        print(f"--- {self.target}: {verdict}", flush=True)
        return self.code == 0

    def count(self, result: str) -> str:
        """How many of its tests have a result; nothing for a step that is not pytest's."""
        return str(sum(found == result for _name, found, _seconds in self.tests)) if self.tests else ""


def said(command: list[str], environment: dict[str, str], log: Path) -> int:
    """Run a command whose output is shown and kept; its exit code."""
    with log.open("wb") as kept:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout
        output = process.stdout.fileno()
        try:
            # Not until the pipe's end: what a step leaves running, as the cluster, may keep it open.
            while select.select([output], [], [], 0.1)[0] or process.poll() is None:
                chunk = os.read(output, 65536) if select.select([output], [], [], 0)[0] else b""
                os.write(sys.stdout.fileno(), chunk)
                kept.write(chunk)
                if not chunk and process.poll() is not None:
                    break
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
        return process.wait()


def tests_of(report: Path) -> list[tuple[str, str, float]]:
    """The tests in a report of pytest's; none when there is no report."""
    if not report.exists():
        return []
    tests: dict[str, tuple[str, float]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        failed = case.find("failure") is not None or case.find("error") is not None
        result = "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
        before, seconds = tests.get(name, ("passed", 0))
        # One that passes and fails in its teardown is there twice.
        tests[name] = ("failed" if before == "failed" else result, seconds + float(case.get("time", 0)))
    return [(name, result, seconds) for name, (result, seconds) in tests.items()]


def results(steps: list[Step], seconds: float) -> None:
    """The page of results."""
    print(f"\n{'step':<14}{'':<10}{'passed':>8}{'failed':>8}{'skipped':>9}{'minutes':>9}")
    for step in steps:
        verdict = "not run" if step.code is None else "FAILED" if step.code else "passed"
        minutes = f"{step.seconds / 60:.1f}" if step.code is not None else ""
        print(
            f"{step.target:<14}{verdict:<10}{step.count('passed'):>8}{step.count('failed'):>8}{step.count('skipped'):>9}{minutes:>9}"
        )
    print(f"{'in all':<49}{seconds / 60:>9.1f}")
    tests = [(taken, step.target, name, result) for step in steps for name, result, taken in step.tests]
    failed = [f"  {target:<12} {name}" for _taken, target, name, result in tests if result == "failed"]
    if failed:
        print("\n".join(["\nfailed:", *failed]))
    if tests:
        print(f"\nthe slowest {min(SLOWEST, len(tests))} tests, in seconds:")
        for taken, target, name, _result in sorted(tests, reverse=True)[:SLOWEST]:
            print(f"  {taken:6.1f}  {target:<12} {name}")
    codes = [step.code for step in steps if step.code is not None]
    bad = ", ".join(step.target for step in steps if step.code)
    left = len(steps) - len(codes)
    print(
        f"\n{codes.count(0)} passed, {len(codes) - codes.count(0)} failed{': ' * bool(bad)}{bad}"
        + (f"; {left} not run" if left else ""),
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", nargs="*", default=[], metavar="TARGET", help="those that need no cluster")
    parser.add_argument("--on-cluster", nargs="*", default=[], metavar="TARGET")
    parser.add_argument("--go-on", action="store_true", help="also after one that failed")
    parser.add_argument("--only", default="", metavar="TARGETS", help="these of them; without any, all")
    options = parser.parse_args()
    only = options.only.split()
    unknown = set(only) - {*options.first, *options.on_cluster}
    if unknown:
        parser.error(
            f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join([*options.first, *options.on_cluster])}"
        )
    without, with_cluster = (
        [name for name in names if not only or name in only] for names in (options.first, options.on_cluster)
    )
    ours = with_cluster and subprocess.run([*CLUSTER, "status"], stdout=subprocess.DEVNULL, check=False).returncode != 0
    steps = [Step(target) for target in [*without, *(["cluster"] if ours else []), *with_cluster]]
    started = time.monotonic()
    for directory in (OUTPUT, RUNS):  # of the run before
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    try:
        for number, step in enumerate(steps, 1):
            # Without the cluster, nothing that needs it can pass.
            if not step.run(number, len(steps)) and (not options.go_on or step.target == "cluster"):
                break
    finally:
        if ours and next(step for step in steps if step.target == "cluster").code is not None:
            subprocess.run([*CLUSTER, "down"], check=False)
        results(steps, time.monotonic() - started)
        shown = leaks.main([str(OUTPUT.parent)])
    return int(shown or any(step.code != 0 for step in steps))


if __name__ == "__main__":
    # A terminated run stops the cluster it started, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
