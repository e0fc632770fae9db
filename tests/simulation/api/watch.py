# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: from a version on, with bookmarks, until their time is over or the client ends them."""

from __future__ import annotations

import bisect
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from simulation.api.answers import Refused, expired
from simulation.api.kinds import Kind, Object
from simulation.api.selectors import Selects
from simulation.api.store import Change, Store, Version
from simulation.clock import Signal, Timer

BOOKMARK_SECONDS = 60.0  # and shortly before a watch ends
BEFORE_END = 2.0


class Stream:
    """An answer that goes on: lines as they come. ``close()`` is the client's way to end it, ``end()`` the server's."""

    def __init__(self, hub: Any) -> None:
        self.lines: deque[bytes] = deque()
        self.signal = Signal(hub)
        self.ended = False
        self.at_end: list[Callable[[], Any]] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)
        self.signal.set()

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            for function in self.at_end:
                function()
            self.signal.set()

    def close(self) -> None:
        self.end()
        self.lines.clear()


class Watch:
    """One watch on a collection."""

    def __init__(
        self, store: Store, kind: Kind, ns: str | None, selects: Selects | None, query: dict[str, str]
    ) -> None:
        self.store, self.kind, self.ns, self.selects = store, kind, ns, selects
        self.stream = Stream(store.hub)
        _number(query.get("resourceVersion") or "0")
        self.bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        hub = store.hub
        seconds = float(query.get("timeoutSeconds") or hub.random.uniform(1800, 3600))
        self.deadline = hub.now + seconds
        self._bookmark: Timer | None = None
        try:
            self._begin(query)
        except Refused as error:
            self.stream.write(_line("ERROR", json.dumps(error.body(), separators=(",", ":")).encode()))
            self.stream.end()
            return
        end = hub.after(seconds, self.stream.end)
        self.stream.at_end += [store.follow(kind.name, self.tell), end.cancel, self._quiet]
        if self.bookmarks:
            self._next_bookmark()

    def _begin(self, query: dict[str, str]) -> None:
        """What has happened since the version that the client knows, or everything there is."""
        asked = query.get("resourceVersion") or "0"
        initial = query.get("sendInitialEvents") == "true"
        if asked == "0" or initial:
            for version in self.store.versions(self.kind.name, self.ns):
                self.tell(Change(0, "ADDED", version, None))
            if initial and self.bookmarks:
                self.bookmark({"k8s.io/initial-events-end": "true"})
            return
        number = _number(asked)
        if number < self.store.forgotten:
            raise expired(number, self.store.forgotten)
        changes = self.store.history[self.kind.name]
        for change in changes[bisect.bisect_right(changes, number, key=lambda change: change.number) :]:
            self.tell(change)

    def tell(self, change: Change) -> None:
        new = change.new.object
        if self.ns is not None and new["metadata"].get("namespace") != self.ns:
            return
        what, told = change.type, change.new
        if self.selects:
            now = what != "DELETED" and self.selects(new)
            before = change.old is not None and self.selects(change.old.object)
            if not now and not before:
                return
            if now and not before:
                what = "ADDED"
            elif before and not now and what != "DELETED" and change.old:
                # What is selected no more is told of as deleted, as it was when it was selected.
                old = change.old.object
                metadata = {**old["metadata"], "resourceVersion": new["metadata"]["resourceVersion"]}
                what, told = "DELETED", Version({**old, "metadata": metadata})
        self.stream.write(_line(what, told.text))

    def bookmark(self, annotations: dict[str, str] | None = None) -> None:
        metadata: Object = {"resourceVersion": str(self.store.number)}
        if annotations:
            metadata["annotations"] = annotations
        item = {"kind": self.kind.name, "apiVersion": self.kind.api_version, "metadata": metadata}
        self.stream.write(_line("BOOKMARK", json.dumps(item, separators=(",", ":")).encode()))

    def _next_bookmark(self) -> None:
        now = self.store.hub.now
        before_end = self.deadline - BEFORE_END
        at = before_end if now < before_end < now + BOOKMARK_SECONDS else now + BOOKMARK_SECONDS
        if at < self.deadline:
            self._bookmark = self.store.hub.at(at, self._due)

    def _due(self) -> None:
        self.bookmark()
        self._next_bookmark()

    def _quiet(self) -> None:
        if self._bookmark:
            self._bookmark.cancel()


def _number(version: str) -> int:
    if not version.isdigit():
        why = f'Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
        raise Refused(500, "", f"resourceVersion: {why}")
    return int(version)


def _line(what: str, text: bytes) -> bytes:
    return b'{"type":"' + what.encode() + b'","object":' + text + b"}\n"
