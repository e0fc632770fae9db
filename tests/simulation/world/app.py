# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in containers: how it starts, answers, fails and ends. The settings are those of the example application."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simulation.world.lag import Lag, drawn
from simulation.world.objects import Object

Answers = dict[str, tuple[int, str]]
LISTENING = "listening"

# What can be wrong with a version. `after` counts from the start of its containers, and from now for those that run.
FAULTS = ("crash", "unready", "errors", "slow", "image", "hang", "command")

NO_COMMAND = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to"
    ' start container process: exec: "/missing": stat /missing: no such file or directory: unknown'
)


@dataclass(frozen=True)
class Behavior:
    """One process, from its start on; seconds count from there.

    ``answers`` ``None``: 200 to everything; a path that is not in it is answered with 404.
    ``ports`` ``None``: those that the container declares.
    ``start_error``: why the runtime cannot even start it.
    """

    start_seconds: float = 0.5  # then it listens
    ready: bool = True
    unready_after: float | None = None
    crash_after: float | None = None
    exit_code: int = 1  # of a crash
    exit_reason: str = "Error"
    ends_after: float | None = None  # ends well, as a Job's program does
    drain_seconds: float = 0.0  # goes on answering for so long after SIGTERM
    errors_after: float | None = None  # all but the readiness probe's path is answered with 500
    answers: Answers | None = None
    ports: frozenset[int] | None = None
    log: tuple[tuple[float, str], ...] = ()
    start_error: str = ""


Application = Callable[[str, dict[str, str], Object], Behavior]


def version_of(image: str) -> str:
    """The tag of an image, or its digest."""
    if "@" in image:
        return image.partition("@")[2]
    last = image.rpartition("/")[2]
    return last.partition(":")[2] or "latest"


class Example:
    """Behaves as examples/myapp does, with the same settings in its environment; a Job's program ends well after a second."""

    def __init__(self, source: random.Random, lag: Lag) -> None:
        self._random, self._lag = source, lag

    def __call__(self, image: str, env: dict[str, str], pod: Object) -> Behavior:
        if pod["spec"].get("restartPolicy") != "Always":
            return Behavior(start_seconds=0.0, ends_after=float(env.get("RUNS", 1)), log=((0.0, "started"),))

        def seconds(name: str) -> float | None:
            return float(env[name]) if env.get(name) else None

        version = version_of(image)
        start = seconds("START_DELAY")
        start = drawn(self._random, self._lag.start) if start is None else start
        identity = {"version": env.get("REPORT_VERSION", version), "color": env.get("COLOR", "")}
        status = json.dumps({**identity, "host": pod["metadata"]["name"]})
        ready = env.get("NEVER_READY", "false") != "true"
        return Behavior(
            start_seconds=start,
            ready=ready,
            unready_after=seconds("UNHEALTHY_AFTER"),
            crash_after=seconds("CRASH_AFTER"),
            errors_after=seconds("FAIL_AFTER"),
            drain_seconds=seconds("DRAIN") or 0.0,
            answers={"/health": (200, '{"status":"ok"}'), "/api/status": (200, status), "/": (200, status)},
            log=((0.0, f"starting version {version}"), (start, LISTENING)),
        )


class Faults:
    """What was broken on purpose, by version."""

    def __init__(self) -> None:
        self._broken: dict[str, dict[str, float]] = {}

    def put(self, version: str, what: str, after: float) -> None:
        if what not in FAULTS:
            raise ValueError(f"unknown fault {what!r}; known are {', '.join(FAULTS)}")
        self._broken.setdefault(version, {})[what] = after

    def mend(self, version: str) -> None:
        self._broken.pop(version, None)

    def has(self, version: str, what: str) -> bool:
        return what in self._broken.get(version, {})

    def applied(self, image: str, behavior: Behavior, age: float = 0.0) -> Behavior:
        """How it behaves with what is broken; ``age``: seconds for which it runs already."""
        found = self._broken.get(version_of(image))
        if not found:
            return behavior
        changes: dict[str, Any] = {}
        for what, field in (("crash", "crash_after"), ("unready", "unready_after"), ("errors", "errors_after")):
            if what in found:
                changes[field] = age + found[what]
        if "unready" in found and not age and not found["unready"]:
            changes["ready"] = False
        if "slow" in found and not age:
            changes["start_seconds"] = found["slow"]
        if "command" in found:
            changes["start_error"] = NO_COMMAND
        if "hang" in found:
            changes["ports"] = frozenset()
        return replace(behavior, **changes)
