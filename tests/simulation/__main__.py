# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make simulate`: thousands of schedules, the laws as judge; `make simulate ARGS='release/7 kill@1#23a'` repeats one.

Every scenario is run with one fault of each kind at every request, as far as the number allows, and the rest is by chance
from one seed. A schedule that breaks a law is shown as short as it gets, with what happened in it.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator

from simulation import same, shrink, trial
from simulation.scenarios import SCENARIOS
from simulation.schedules import Schedule, by_chance, exhaustive, parse

SHOWN = 10  # schedules that are shrunk and shown whole


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make simulate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("schedule", nargs="*", help="one schedule, to be repeated and shown")
    parser.add_argument("-n", type=int, default=5000, help="how many schedules (default 5000)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn by chance")
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS), help="only these")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KIND", help="only faults such as kill or pause:60"
    )
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--first", action="store_true", help="end at the first broken law")
    arguments = parser.parse_args()
    if arguments.schedule:
        return repeat(parse(" ".join(arguments.schedule)))
    return many(arguments)


def repeat(schedule: Schedule) -> int:
    verdict = trial.run(schedule)
    show(verdict)
    return 1 if verdict.violations else 0


def show(verdict: trial.Verdict) -> None:
    print(f"\n{verdict.schedule}\n  {' '.join(verdict.outcomes)}, {verdict.seconds:.0f} s of virtual time")
    for text in verdict.violations:
        print(f"  BROKEN {text}")
    for line in verdict.timeline:
        print(f"    {line}")
    if verdict.violations:
        print(f"  again: make simulate ARGS='{verdict.schedule}'")


def many(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    names, differ = arguments.scenario or list(SCENARIOS), []
    with multiprocessing.Pool(arguments.jobs) as pool:
        plain = [
            verdict for _schedule, verdict in pool.map(_one, [Schedule(name, arguments.seed) for name in names], 1)
        ]
        broken = [verdict for verdict in plain if verdict.violations]
        if broken and arguments.first:
            show(broken[0])
            return 1
        counted: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        requests = dict(zip(names, [verdict.requests for verdict in plain]))
        chosen = choose(requests, arguments.n, arguments.seed, set(arguments.only))
        if not arguments.first:
            differ = list(filter(None, pool.imap_unordered(same.difference, same.COMPARED)))
            print(
                f"{len(same.COMPARED)} schedules by Ansible itself: {len(differ)} go another way", *differ, sep="\n  "
            )
        print(f"{len(chosen)} schedules of {len(names)} scenarios, seed {arguments.seed}", flush=True)
        said = began
        for number, (schedule, verdict) in enumerate(pool.imap(_one, chosen, chunksize=4), 1):
            for fault in schedule.faults:
                counted[schedule.scenario][fault.kind] += 1
            if verdict.violations:
                broken.append(verdict)
                print(f"{verdict.schedule}: {verdict.violations[0]}", flush=True)
                if arguments.first:
                    pool.terminate()
                    break
            if time.monotonic() - said > 20:
                said = time.monotonic()
                print(f"  {number} done, {len(broken)} with a broken law, {said - began:.0f} s", flush=True)
    table(counted)
    for verdict in broken[:SHOWN]:
        show(verdict if arguments.first else shrink.shrink(parse(verdict.schedule)))
    laws = collections.Counter(law for verdict in broken for law in shrink.laws_of(verdict.violations))
    print(
        f"\n{len(chosen) + len(plain)} schedules in {time.monotonic() - began:.0f} s; {len(broken)} break a law {dict(laws) or ''}"
    )
    return 1 if broken or differ else 0


def _one(schedule: Schedule) -> tuple[Schedule, trial.Verdict]:
    try:
        return schedule, trial.run(schedule)
    except Exception as error:
        return schedule, trial.Verdict(
            str(schedule), [f"simulation at 0 s: {type(error).__name__}: {error}"], [], 0, 0.0
        )


def choose(requests: dict[str, int], wanted: int, seed: int, only: set[str]) -> list[Schedule]:
    """Two thirds with one fault, taken evenly from all there are; one third by chance, with up to four.

    :param only: faults to which all of them are limited, each alone; empty for all.
    """
    chance = random.Random(seed)
    single = [item for name, count in requests.items() for item in exhaustive(name, count, seed, events=True)]
    chance.shuffle(single)
    if only:
        return [item for item in single if item.faults[0].what in only][:wanted]
    chosen = single[: wanted * 2 // 3]
    drawn = _drawn(requests, chance)
    return chosen + [next(drawn) for _schedule in range(wanted - len(chosen))]


def _drawn(requests: dict[str, int], chance: random.Random) -> Iterator[Schedule]:
    names = list(requests)
    while True:
        name = chance.choice(names)
        yield by_chance(name, requests[name], chance.randrange(10**6))


def table(counted: dict[str, collections.Counter[str]]) -> None:
    kinds = sorted({kind for counts in counted.values() for kind in counts})
    print("\nfaults tried, by scenario and kind")
    for name, counts in counted.items():
        parts = " ".join(f"{kind} {counts[kind]}" for kind in kinds if counts[kind])
        print(f"  {name:18} {sum(counts.values()):5}  {parts}")


if __name__ == "__main__":
    sys.exit(main())
