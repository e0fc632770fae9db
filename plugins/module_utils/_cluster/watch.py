# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Watches: collections that are kept up to date, and answers that are read while they come."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.answers import RETRIED_STATUS
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

try:
    import urllib3
except ImportError:
    pass  # credentials.py says so

Collection = tuple[str, dict[str, str]]  # kind and selectors


class Observation:
    """Local copies of a few collections, each listed once and then kept current by a watch in its own thread.

    A cut or expired watch is opened again (after a new list, when the server has forgotten our version), so callers
    see states, never gaps. Reading: ``observation["pods"]`` gives the current objects.
    """

    def __init__(self, cluster: Any, collections: dict[str, Collection]) -> None:
        self._cluster = cluster
        self._objects: dict[str, dict[str, Object]] = {}  # by collection and uid
        self._dirty = False  # something has changed since the last wait()
        self._changed = threading.Condition()
        self._closed = False
        self._error: BlueGreenError | None = None
        self._streams: dict[str, urllib3.HTTPResponse] = {}
        self._versions: dict[str, str] = {}
        self._collections = collections
        for name, (kind, selectors) in collections.items():
            self._versions[name] = self._list(name, kind, selectors)

    def __enter__(self) -> Observation:
        self._dirty = False  # the caller looks at the first lists before it waits
        for name in self._collections:
            self._start(name)
        return self

    def add(self, name: str, kind: str, selectors: dict[str, str]) -> None:
        """Observe one more collection from now on."""
        self._collections[name] = (kind, selectors)
        self._versions[name] = self._list(name, kind, selectors)
        self._start(name)

    def _start(self, name: str) -> None:
        arguments = (name, *self._collections[name], self._versions[name])
        threading.Thread(target=self._follow, args=arguments, daemon=True).start()

    def __exit__(self, *unused: object) -> None:
        self._closed = True
        for response in list(self._streams.values()):
            _abandon(response)

    def __getitem__(self, name: str) -> list[Object]:
        with self._changed:
            return list(self._objects[name].values())

    def wait(self, seconds: float) -> None:
        """Return when something has changed since the last call, or after ``seconds``, at the latest after one second.

        :raises ApiError: a watch could not be kept up (no permission, or no API server for ``api_timeout`` seconds).
        :raises BlueGreenError: another run has taken over.
        """
        self._cluster.check()
        with self._changed:
            if not self._dirty and not self._error:
                self._changed.wait(min(max(seconds, 0), 1))
            self._dirty = False
            if self._error:
                raise self._error

    def wake(self) -> None:
        """Let wait() return now."""
        with self._changed:
            self._notify()

    def _notify(self, error: BlueGreenError | None = None) -> None:
        self._dirty = True
        self._error = self._error or error
        self._changed.notify_all()

    def _list(self, name: str, kind: str, selectors: Mapping[str, str]) -> str:
        listed = self._cluster.list(kind, **selectors)
        with self._changed:
            self._objects[name] = {item["metadata"]["uid"]: item for item in listed["items"]}
            self._notify()
        return listed["metadata"]["resourceVersion"]

    def _follow(self, name: str, kind: str, selectors: Mapping[str, str], version: str | None) -> None:
        failures = 0
        while not self._closed:
            try:
                version, events = self._stream(name, kind, selectors, version)
                failures = 0 if events else failures + 1
                if not events and not self._closed:
                    time.sleep(_pause(failures))  # a server in trouble ends watches as soon as they are opened
            except BlueGreenError as error:
                if not self._closed:
                    with self._changed:
                        self._notify(error)
                return
            except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
                # The connection was cut, by the network or by our own closing. Listing waits for the API server to be back.
                failures += 1
                if not self._closed:
                    self._cluster.doubt_refusals()
                    time.sleep(_pause(failures))
                    version = None

    def _stream(
        self, name: str, kind: str, selectors: Mapping[str, str], version: str | None
    ) -> tuple[str | None, int]:
        """Follow one watch to its end.

        :returns: the version to go on from (``None``: list again), and how many events there were.
        """
        events = 0
        if version is None:
            version = self._list(name, kind, selectors)
        response = self._cluster.open_watch(kind, selectors, version)
        self._streams[name] = response
        try:
            if self._closed:  # ended while this was being opened
                return version, events
            if response.status in RETRIED_STATUS:
                raise OSError(f"HTTP {response.status}")
            if response.status == 410:
                return None, events
            if response.status == 403:  # of a server that has just started; it is asked again
                return version, events
            for line in lines(response):
                event = json.loads(line)
                item = event["object"]
                if event["type"] == "ERROR":  # 410 Gone: the server no longer has our version
                    return None, events
                events += 1
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                with self._changed:
                    if event["type"] == "DELETED":
                        self._objects[name].pop(item["metadata"]["uid"], None)
                    else:
                        self._objects[name][item["metadata"]["uid"]] = item
                    self._notify()
            return version, events
        finally:
            response.close()


def lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    """The lines of a streamed answer as they arrive (``HTTPResponse.readline`` waits for whole blocks)."""
    rest = b""
    for chunk in response.stream(amt=None, decode_content=True):  # a watch comes in chunks
        rest += chunk
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            yield line


def _abandon(response: urllib3.HTTPResponse) -> None:
    """End a stream that another thread is reading: only shutting the socket down wakes that thread."""
    connection = getattr(response, "_connection", None) or getattr(response, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        try:
            sock.shutdown(2)
        except OSError:
            pass  # it had ended already


def _pause(failures: int) -> float:
    """Seconds to wait before a watch is opened again."""
    return min(0.05 * 2 ** min(failures, 5), 1.0)
