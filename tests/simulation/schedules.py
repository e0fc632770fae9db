# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule: a scenario, a seed, and what goes wrong at which request; as text, so that one command repeats it.

    release/7 kill@1#23a outage:20@1#30b rollback@1#12a

says: in scenario ``release`` with seed 7, the run that was started first is killed after its 23rd request was carried out and
before it has the answer; the API server is away for 20 s from just before its 30th; a second run, a rollback, is started
after its 12th. ``kill@1#switch:3a`` says it by the operation: after the third request that bg_switch sends; such a schedule
stays what it is when another operation sends more. ``kill@12.5s`` is a moment instead of a request.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

# What can happen to a request or at it, before it arrives or when it was carried out; then what seconds or sizes it takes.
AT_A_REQUEST = {
    "kill": "ba",  # ansible-playbook is killed
    "lost": "a",  # carried out, and the answer lost with the connection
    "silent": "a",  # carried out, and no answer ever comes
    "never": "b",  # it does not arrive, and no answer ever comes
    "refused": "b",  # nobody accepts the connection
    "503": "b",
    "500": "b",
    "429": "b",
    "403": "b",
    "pause:60": "ba",  # the machine stands still for longer than the Lease lasts
    "overtaken": "b",  # the machine stands still for so long, and another run takes over meanwhile
    "preempted": "b",  # it stands still for a moment, in which a rollback takes over
    "cut": "b",  # all watches break
    "outage:20": "b",  # the API server is away
    "outage:90": "a",
    "balancer:20": "b",  # and a load balancer answers 503 for it
}
OTHER_RUNS = ("release:2.0", "release:3.0", "rollback", "retire", "prepare:3.0", "promote:2.0")
SOMEBODY = (
    "select-blue",
    "select-green",
    "template-idle",
    "template-live",
    "scale-live:5",
    "scale-idle:0",
    "scale-idle:1",
    "forget-state",
    "delete-idle",
    "delete-live",
    "going-idle",
    "delete-lease",
    "touch-service",
    "touch-idle",
    "widen-selector",
)
PODS = ("crash-idle", "crash-live", "unready-idle", "unready-live", "errors-new", "drain", "quota:4")
# From the start on: by how many seconds the clock of the run's machine is wrong.
CLOCKS = ("skew:-7200", "skew:90")

# What hurts users by itself, so that lost requests are nobody's fault but the schedule's.
HURTS_USERS = {
    "select-blue",
    "select-green",
    "template-live",
    "crash-live",
    "unready-live",
    "crash-idle",
    "unready-idle",
}
HURTS_USERS |= {"delete-idle", "delete-live", "going-idle", "scale-idle", "template-idle"}
# What heals by itself: a run goes on as if nothing had happened.
HEALS = {"lost", "refused", "429", "500", "503", "cut", "touch-service", "touch-idle"}
# What may leave the application as it must not be released, so that the next run may refuse to.
MAY_BE_REFUSED = {
    "quota",
    "select-blue",
    "select-green",
    "delete-idle",
    "delete-live",
    "going-idle",
    "forget-state",
    "template-idle",
    "template-live",
}

FAULT = re.compile(
    r"(?P<what>[a-z0-9.:-]+)@(?:(?P<run>\d+)#(?P<request>\d+|[a-z-]+:\d+)(?P<moment>[ba])|(?P<time>[0-9.]+)s)"
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: ``what``, at a request of run ``run`` (``moment`` b or a), or at a time.

    ``number`` is the request's in its run; 0 where ``place`` says it by the operation that sends it.
    """

    what: str
    run: int = 0
    number: int = 0
    moment: str = ""
    time: float = 0.0
    place: str = ""

    @property
    def kind(self) -> str:
        return self.what.partition(":")[0]

    @property
    def size(self) -> str:
        return self.what.partition(":")[2]

    def __str__(self) -> str:
        if not self.run:
            return f"{self.what}@{self.time:g}s"
        return f"{self.what}@{self.run}#{self.place or self.number}{self.moment}"


@dataclass(frozen=True)
class Schedule:
    scenario: str
    seed: int
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return " ".join([f"{self.scenario}/{self.seed}", *map(str, self.faults)])


def parse(text: str) -> Schedule:
    """:raises ValueError: it is not written as the module's documentation says."""
    first, *rest = text.split()
    scenario, _slash, seed = first.rpartition("/")
    faults = []
    for item in rest:
        match = FAULT.fullmatch(item)
        if not match:
            raise ValueError(f"{item!r} is no fault: write WHAT@RUN#REQUESTb, WHAT@RUN#REQUESTa or WHAT@SECONDSs")
        what = match["what"]
        if match["time"]:
            faults.append(Fault(what, time=float(match["time"])))
        elif match["request"].isdigit():
            faults.append(Fault(what, int(match["run"]), int(match["request"]), match["moment"]))
        else:
            faults.append(Fault(what, int(match["run"]), 0, match["moment"], place=match["request"]))
    return Schedule(scenario, int(seed), tuple(faults))


def named_in(text: str) -> list[str]:
    """The schedules that a document names, each between backticks."""
    return re.findall(r"`([a-z][a-z-]*/\d+(?: [^`]*)?)`", text)


def exhaustive(scenario: str, requests: int, seed: int, events: bool) -> list[Schedule]:
    """One fault at every request of the scenario's run, of every kind.

    :param requests: how many it sends when nothing goes wrong.
    :param events: also whatever other runs, people and pods may do at each of them.
    """
    found = []
    for number in range(1, requests + 1):
        for what, moments in AT_A_REQUEST.items():
            found += [Schedule(scenario, seed, (Fault(what, 1, number, moment),)) for moment in moments]
        if events:
            for what in (*OTHER_RUNS, *SOMEBODY, *PODS):
                found.append(Schedule(scenario, seed, (Fault(what, 1, number, "a"),)))
    return found


def by_chance(scenario: str, requests: int, seed: int) -> Schedule:
    """One to four faults of any kind anywhere, also in a run that another fault has started."""
    chance = random.Random(seed)
    every = [*AT_A_REQUEST, *AT_A_REQUEST, *OTHER_RUNS, *SOMEBODY, *PODS]
    faults = []
    for _fault in range(chance.choice((1, 2, 2, 3, 4))):
        what = chance.choice(every)
        moment = chance.choice(AT_A_REQUEST.get(what, "ba"))
        run = chance.choice((1, 1, 1, 2)) if faults else 1
        faults.append(Fault(what, run, chance.randint(1, requests + 5), moment))
    if chance.random() < 0.15:
        faults.append(Fault(chance.choice(CLOCKS)))
    if chance.random() < 0.15:
        # When what got no answer is sent again, things are no longer as they were when it was decided on.
        number, meanwhile = chance.randint(1, requests), chance.choice((*OTHER_RUNS, *SOMEBODY, *PODS))
        faults += [Fault("never", 1, number, "b"), Fault(meanwhile, 1, number, "b")]
    return Schedule(scenario, seed, tuple(faults))
