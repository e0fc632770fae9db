# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's code takes from Python's standard library to wait, to run at the same time and by chance, on a hub.

`install` puts these in the place of the names that the collection's modules have imported, and takes them out again. The
code itself is the product's, as it is.
"""

from __future__ import annotations

import contextlib
import datetime as real_datetime
import sys
import threading as real_threading
import time as real_time
import uuid as real_uuid
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from simulation.clock import Hub, Signal, Task

COLLECTION = "ansible_collections.bluegreen.kubernetes.plugins."


class Time:
    """The module ``time``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.sleep = hub.sleep

    def monotonic(self) -> float:
        return 1000.0 + self._hub.now

    perf_counter = monotonic

    def time(self) -> float:
        """What the wall clock of this process's machine shows."""
        task = self._hub.current
        return self._hub.epoch + self._hub.now + (task.group.skew if task else 0.0)

    def __getattr__(self, name: str) -> Any:
        return getattr(real_time, name)


class Event:
    def __init__(self, hub: Hub) -> None:
        self._signal = Signal(hub)
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._signal.set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._set or self._signal.wait(timeout) or self._set


class Condition:
    """Only one task runs at a time, and gives way only where it waits: the lock is always to be had."""

    def __init__(self, hub: Hub) -> None:
        self._signal = Signal(hub)

    def __enter__(self) -> Condition:
        return self

    def __exit__(self, *unused: object) -> None:
        pass

    def wait(self, timeout: float | None = None) -> bool:
        return self._signal.wait(timeout)

    def notify_all(self) -> None:
        self._signal.set()

    notify = notify_all


def thread_class(hub: Hub) -> type:
    class Thread:
        """A thread of the process that starts it."""

        def __init__(
            self,
            target: Callable[..., Any] | None = None,
            args: Iterable[Any] = (),
            daemon: bool | None = None,
            name: str = "",
        ) -> None:
            self.daemon, self.name = daemon, name
            self._target, self._args = target, tuple(args)
            self._task: Task | None = None

        def run(self) -> None:
            if self._target:
                self._target(*self._args)

        def start(self) -> None:
            self._task = hub.spawn(self.run)

        def is_alive(self) -> bool:
            return self._task is not None and not self._task.done

        def join(self, timeout: float | None = None) -> None:
            if self._task and not self._task.done:
                self._task.ended.wait(timeout)

    return Thread


def pool_class(hub: Hub) -> type:
    class ThreadPoolExecutor:
        def __init__(self, max_workers: int | None = None) -> None:
            self._workers = max_workers or 1

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *unused: object) -> None:
            pass

        def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
            waiting = list(enumerate(items))[::-1]
            results: dict[int, Any] = {}

            def work() -> None:
                while waiting:
                    number, item = waiting.pop()
                    results[number] = function(item)

            count = len(waiting)
            tasks = [hub.spawn(work) for _worker in range(min(self._workers, count))]
            for task in tasks:
                if not task.done:
                    task.ended.wait()
            for task in tasks:
                if task.error:
                    raise task.error
            return iter([results[number] for number in range(count)])

    return ThreadPoolExecutor


def datetime_class(time: Time) -> type:
    class datetime(real_datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real_datetime.datetime.fromtimestamp(time.time(), tz)

    return datetime


def install(hub: Hub) -> contextlib.AbstractContextManager[None]:
    """Put a hub's time, threads and chance in the place of the real ones, in all modules of the collection there are now."""
    time = Time(hub)
    chance = hub.random
    uuid = SimpleNamespace(uuid4=lambda: real_uuid.UUID(int=chance.getrandbits(128), version=4))
    threading = SimpleNamespace(
        Thread=thread_class(hub),
        Event=lambda: Event(hub),
        Condition=lambda: Condition(hub),
        Lock=lambda: Condition(hub),
        RLock=lambda: Condition(hub),
        local=real_threading.local,
    )
    return _exchanged(
        {
            "time": time,
            "threading": threading,
            "ThreadPoolExecutor": pool_class(hub),
            "datetime": datetime_class(time),
            "uuid": uuid,
            "random": chance,
        },
        bases={real_threading.Thread: threading.Thread},
    )


@contextlib.contextmanager
def _exchanged(names: dict[str, Any], bases: dict[type, type]) -> Iterator[None]:
    before: list[tuple[Any, str, Any]] = []
    classes: list[tuple[type, tuple[type, ...]]] = []
    for name in [name for name in sys.modules if name.startswith(COLLECTION)]:
        module = sys.modules[name]
        own = vars(module)
        for key, stand_in in names.items():
            if key in own:
                before.append((module, key, own[key]))
                setattr(module, key, stand_in)
        if "threading" not in own:
            continue
        for found in [item for item in own.values() if isinstance(item, type) and item.__module__ == name]:
            for real, stand_in in bases.items():
                if real in found.__bases__:
                    classes.append((found, found.__bases__))
                    found.__bases__ = (stand_in,)
    try:
        yield
    finally:
        for module, key, value in before:
            setattr(module, key, value)
        for found, original in classes:
            found.__bases__ = original
