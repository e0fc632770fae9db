# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller: keys of objects in a queue, each looked at once, a while after something has happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulation.api.answers import Refused
from simulation.clock import Timer
from simulation.world.lag import Range, drawn
from simulation.world.objects import Key, Object

if TYPE_CHECKING:
    from simulation.world import World

FIRST_RETRY, LAST_RETRY = 0.005, 1000.0  # seconds; each failure doubles the pause


class Controller:
    """``sync`` looks at the object of a key and does what is due; what it raises as ``Refused`` is tried again."""

    name = ""

    def __init__(self, world: World) -> None:
        self.world, self.hub, self.store = world, world.hub, world.store
        self.stopped = False
        self._queued: dict[Key, Timer] = {}
        self._later: dict[Key, Timer] = {}
        self._failures: dict[Key, int] = {}
        self._left: dict[Key, None] = {}

    def lag(self) -> Range:
        return self.world.lag.controller

    def sync(self, namespace: str, name: str) -> None:
        raise NotImplementedError

    def enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued[key] = self.hub.after(drawn(self.hub.random, self.lag()), self._run, key)

    def enqueue_after(self, key: Key, delay: float) -> None:
        """Look again then; an earlier wish for the same key stands."""
        when = self.hub.now + delay
        before = self._later.get(key)
        if before is not None and before.function is not None:
            if before.when <= when:
                return
            before.cancel()
        self._later[key] = self.hub.at(when, self._is_due, key)

    def stop(self) -> None:
        """Do nothing, as a controller that has lost its leader's lease, until ``go_on``."""
        self.stopped = True

    def go_on(self) -> None:
        self.stopped = False
        left, self._left = self._left, {}
        for key in left:
            self.enqueue(key)

    def retry(self, key: Key) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.enqueue_after(key, min(FIRST_RETRY * 2**failures, LAST_RETRY))

    def _is_due(self, key: Key) -> None:
        del self._later[key]
        self.enqueue(key)

    def _run(self, key: Key) -> None:
        del self._queued[key]
        if self.stopped:
            self._left[key] = None
            return
        try:
            self.sync(*key)
        except Refused:
            self.retry(key)
        else:
            if key not in self._later:
                self._failures.pop(key, None)

    # --- writes

    def set_status(self, item: Object, status: Object) -> Object:
        """Write the whole status, if it is another one."""
        if item.get("status") == status:
            return item
        return self.world.set_status(item, status, self.name)

    def change(self, item: Object, change: Any) -> Object:
        metadata = item["metadata"]
        return self.store.update(item["kind"], metadata["namespace"], metadata["name"], change, by=self.name)
