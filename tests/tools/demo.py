# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, counted: a release and its rollback under constant traffic. `make demo`

Sets up the example application with its database in the namespace bluegreen-demo, releases 2.0 and rolls back to 1.0 as
a user does, and all the time sends requests through the Service, each on a new connection. The application stops at once
on SIGTERM: whatever reaches a pod that is going is lost, and counted.

Exit code 0: no request was lost, and each was answered by the version that had to answer it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time

from checkout import ROOT

sys.path.extend([str(ROOT / "tests"), str(ROOT / "tests" / "shared")])
from cluster.toolchain import Failure
from harness import DELAY, Application, Run, moment
from traffic import Report, Traffic

NAMESPACE = "bluegreen-demo"
RATE = 320  # sent; what must have been sent in every phase:
LEAST = 300
AFTER = 2  # seconds of traffic after each playbook: what it has left behind must work
OLD, NEW = ("blue", "1.0"), ("green", "2.0")


def say(text: str = "") -> None:
    print(text, flush=True)


def headline(text: str) -> None:
    say(f"\n{text}\n{'=' * len(text)}")


class Phase:
    """One playbook under traffic: what it was to do, and what came of it.

    title: its name in the table; source, target: (colour, version) that answer before and after.
    """

    def __init__(self, title: str, playbook: list[str], source: tuple[str, str], target: tuple[str, str]) -> None:
        self.title, self.playbook, self.source, self.target = title, playbook, source, target

    def play(self, app: Application) -> None:
        """Run the playbook, its output shown as it comes. Raises Failure if it does not end well."""
        arguments = [
            *self.playbook,
            "-e",
            f"bluegreen_namespace={app.namespace}",
            "-e",
            f"bluegreen_scale_down_delay={DELAY}s",
            "-e",
            json.dumps({"bluegreen_probe": app.probe}),
        ]
        say(f"$ cd examples/myapp\n$ ansible-playbook {shlex.join(arguments)}")
        run = Run(arguments, live=True, env=app.credentials).finish()
        if run.code:
            raise Failure(f"{self.playbook[0]} ended with exit code {run.code}")
        # The collection's own record of the switch, made just before it was asked for.
        self.switched = moment(app.state["history"][0]["switched_at"])
        self.seconds, self.began = run.seconds, run.began
        time.sleep(AFTER)
        self.ended = time.time()

    def judge(self, report: Report) -> list[str]:
        """Count the phase's share of the traffic; what is wrong with it, in words."""
        part = report.between(self.began, self.ended)
        self.sent, self.failures, self.answers = part.sent, part.failures, part.answers
        self.rate = part.sent / (self.ended - self.began)
        last = part.last(self.source[0])
        self.last_old = None if last is None else last - self.switched
        problems = [f"{self.title}: {count} requests failed: {text}" for text, count in self.failures.items()]
        if self.rate < LEAST:
            problems.append(f"{self.title}: only {self.rate:.0f} requests a second were sent, {LEAST} are wanted")
        for color, version in (self.source, self.target):
            if set(self.answers.get(color, {})) != {version}:
                problems.append(
                    f"{self.title}: {color} should have answered as {version}; "
                    f"it answered as {', '.join(self.answers.get(color, {})) or 'nothing'}"
                )
        strangers = set(self.answers) - {self.source[0], self.target[0]}
        if strangers:
            problems.append(f"{self.title}: answers of neither colour: {', '.join(sorted(strangers))}")
        final = report.between(self.ended - AFTER, self.ended).answers
        if set(final) != {self.target[0]}:
            problems.append(
                f"{self.title}: at the end {' and '.join(final) or 'nobody'} answered, not {self.target[0]} alone"
            )
        return problems

    def count(self, color: str) -> int:
        return sum(self.answers.get(color, {}).values())


def table(phases: list[Phase]) -> None:
    """The figures, one column a phase."""

    def row(name: str, *cells: str) -> None:
        say(f"{name:<34}" + "".join(f"{cell:>16}" for cell in cells))

    row("", *[phase.title for phase in phases])
    row("seconds the playbook took", *[f"{phase.seconds:.1f}" for phase in phases])
    row("requests a second", *[f"{phase.rate:.0f}" for phase in phases])
    row("requests sent", *[str(phase.sent) for phase in phases])
    row("requests failed", *[str(sum(phase.failures.values())) for phase in phases])
    for color, version in (OLD, NEW):
        row(f"answered by {color} ({version})", *[str(phase.count(color)) for phase in phases])
    row(
        "last old answer after the switch",
        *["none" if phase.last_old is None else f"{max(phase.last_old, 0) * 1000:.0f} ms" for phase in phases],
    )


def demo(keep: bool) -> int:
    """Everything; returns the exit code."""
    headline("A release and its rollback under traffic")
    say(f"Setting up myapp {OLD[1]} and its PostgreSQL in namespace {NAMESPACE} ...")
    began = time.monotonic()
    phases = [
        Phase("release", ["release.yml", "-e", f"version={NEW[1]}"], OLD, NEW),
        Phase("rollback", ["rollback.yml"], NEW, OLD),
    ]
    with Application(NAMESPACE, postgres=True, keep=keep) as app:
        say(f"... ready after {time.monotonic() - began:.1f} s: 3 pods of blue are live, 1 pod of green is idle.")
        url = app.url("/api/status")
        with Traffic(url, rate=RATE) as traffic:
            say(f"From now on {RATE} requests a second go to {url}, each on a new connection.")
            for phase in phases:
                headline(phase.title.capitalize())
                phase.play(app)
            if not traffic.flowing():
                raise Failure("the traffic ended before the playbooks did")
        report = traffic.report
    headline("What the users saw")
    problems = [problem for phase in phases for problem in phase.judge(report)]
    table(phases)
    say(f"\nin all: {report.line()}")
    if report.failed and not problems:
        problems.append(f"{report.failed} requests failed outside the playbooks: {report.failures}")
    say("".join(f"\nFAILED: {problem}" for problem in problems) if problems else "\nNo request was lost.")
    if keep:
        say(f"The namespace {NAMESPACE} is kept: kubectl delete namespace {NAMESPACE} removes it.")
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the namespace, to look at it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it cleans up as Ctrl-C does
    try:
        return demo(options.keep)
    except Failure as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
