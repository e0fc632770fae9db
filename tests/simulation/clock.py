# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual time. All that happens is a timer's callback or a piece of a task, one after the other, in the order of their times.

A task is a greenlet: code that blocks (an operation of the collection) gives way to the hub, which goes on with whatever
is due next. Nothing waits for a real clock, and what is due at the same time runs in the order in which it was asked for,
so the same seed gives the same run.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

import greenlet

# What the wall clock shows when a simulation begins: 2026-01-01T00:00:00Z.
EPOCH = 1767225600.0
TICK = 1e-6  # seconds, the shortest wait


class Killed(greenlet.GreenletExit):
    """The process that a task belongs to was killed: nothing of it runs any more."""


class Timer:
    """A callback that is due at a time. ``cancel()`` forgets it."""

    __slots__ = ("when", "function", "arguments")

    def __init__(self, when: float, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.when = when
        self.function: Callable[..., Any] | None = function
        self.arguments = arguments

    def cancel(self) -> None:
        self.function = None


class Group:
    """Tasks that live and die together, such as the threads of a process.

    ``skew`` is by how many seconds the clock on this machine's wall differs.
    """

    def __init__(self, name: str = "", skew: float = 0.0) -> None:
        self.name = name
        self.skew = skew
        self.dead = False
        self.paused_until = 0.0
        self.tasks: list[Task] = []


class Task:
    """A greenlet of a group. ``ended`` is set when its function has returned; ``error`` is what it raised."""

    def __init__(self, hub: Hub, function: Callable[..., Any], arguments: tuple[Any, ...], group: Group) -> None:
        self.hub = hub
        self.group = group
        self.ended = Signal(hub)
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._function, self._arguments = function, arguments
        self.greenlet = greenlet.greenlet(self._run, hub.greenlet)
        group.tasks.append(self)

    def _run(self, _begin: bool) -> None:
        try:
            self.result = self._function(*self._arguments)
        except Killed:
            pass
        except BaseException as error:  # what a task raises is for whoever asks it
            self.error = error
        self.done = True
        self.ended.set()


class Signal:
    """What tasks wait for: ``set()`` wakes all that wait at that moment."""

    __slots__ = ("_hub", "_waiting")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[Callable[[bool], None]] = []

    def set(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it was set within so many seconds."""
        return self._hub.wait(self._waiting, timeout)


class Hub:
    """The clock and what is due on it.

    :param seed: of ``random``, the only source of chance.
    """

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self.epoch = EPOCH
        self.random = random.Random(seed)
        self.greenlet = greenlet.getcurrent()
        self.current: Task | None = None
        self.nobody = Group("nobody")
        self.steps = 0
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    # --- what is due

    def at(self, when: float, function: Callable[..., Any], *arguments: Any) -> Timer:
        timer = Timer(max(when, self.now), function, arguments)
        heapq.heappush(self._due, (timer.when, next(self._order), timer))
        return timer

    def after(self, delay: float, function: Callable[..., Any], *arguments: Any) -> Timer:
        return self.at(self.now + delay, function, *arguments)

    def run(self, until: float | Callable[[], bool] | None = None, limit: int = 1_000_000) -> None:
        """Let time go on: up to a moment, until something is the case, or until nothing is due any more.

        :raises RuntimeError: so many steps did not lead there.
        """
        arrived = until if callable(until) else None
        end = None if until is None or arrived else float(until)  # type: ignore[arg-type]
        for _step in range(limit):
            if arrived and arrived():
                return
            if not self._due or (end is not None and self._due[0][0] > end):
                if end is not None:
                    self.now = max(self.now, end)
                return
            self.now, _order, timer = heapq.heappop(self._due)
            if timer.function is not None:
                self.steps += 1
                timer.function(*timer.arguments)
        raise RuntimeError(f"the simulation does not come to its end: {limit} steps, {self.now:.1f} s")

    # --- tasks

    def spawn(self, function: Callable[..., Any], *arguments: Any, group: Group | None = None) -> Task:
        """Begin a task, as soon as whatever runs now gives way."""
        task = Task(self, function, arguments, group or (self.current.group if self.current else self.nobody))
        self.after(0, self._resume, task, True)
        return task

    def sleep(self, seconds: float) -> None:
        """Let a task give way for so long."""
        self.wait(None, max(seconds, 0.0))

    def wait(self, waiting: list[Callable[[bool], None]] | None, timeout: float | None) -> bool:
        """Give way until somebody calls what is put on the list, or until the time is over."""
        task = self.current
        if task is None:
            raise RuntimeError("only a task can wait")
        if task.group.dead:
            raise Killed
        woken = False

        def wake(by_signal: bool) -> None:
            nonlocal woken
            if not woken:
                woken = True
                if timer:
                    timer.cancel()
                self.after(0, self._resume, task, by_signal)

        # Time always goes on while something waits: a remainder too small to be added to the clock would be waited for for ever.
        timer = self.after(max(timeout, TICK), wake, False) if timeout is not None else None
        if waiting is not None:
            waiting.append(wake)
        result = self.greenlet.switch()
        if task.group.dead:
            raise Killed
        return bool(result)

    def _resume(self, task: Task, value: bool) -> None:
        if task.done:
            return
        if task.group.paused_until > self.now and not task.group.dead:
            self.at(task.group.paused_until, self._resume, task, value)
            return
        before, self.current = self.current, task
        try:
            task.greenlet.switch(value)
        finally:
            self.current = before

    def pause(self, group: Group, seconds: float) -> None:
        """Stop a process, as SIGSTOP or a frozen machine does, and let it go on later."""
        group.paused_until = max(group.paused_until, self.now + seconds)

    def kill(self, group: Group) -> None:
        """End a process at once: its tasks run no further; all they still do is leave their frames."""
        group.dead = True
        self.after(0, self._bury, group)
        if self.current is not None and self.current.group is group:
            raise Killed

    def _bury(self, group: Group) -> None:
        for task in group.tasks:
            if task.done:
                continue
            before, self.current = self.current, task
            try:
                task.greenlet.throw(Killed)
            finally:
                self.current = before
                task.done = True
