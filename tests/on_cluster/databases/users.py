# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the application who write and read while a test does something to it."""

from __future__ import annotations

import threading
import time

import requests
from harness import Application, until


class Users:
    """Somebody who writes numbered entries, and somebody who reads them, each request on a connection of its own.

    written: numbers whose writing was acknowledged. failed: what was answered instead, for writes and reads.
    patient: who is told that the database takes no writes for the moment writes the same entry again; refused has the
    times of these answers, and freezes how many ms it took each time from the last write before to the next one. behind has
    what was not there yet when it was read: a way back that does not freeze leaves the newest rows under way for a moment.
    """

    def __init__(self, app: Application, patient: bool = False) -> None:
        self.url = app.url("/api/entries")
        self.patient = patient
        self.written: list[int] = []
        self.failed: list[str] = []
        self.refused: list[float] = []
        self.freezes: list[int] = []
        self.behind: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._write, self._read)]

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, method: str, path: str = "", entry: dict | None = None) -> bool:
        """Whether it was answered well; if not, it is noted what came instead."""
        what = f"{method} {path} {entry or ''}"
        try:
            answer = requests.request(method, self.url + path, json=entry, timeout=10)
        except requests.RequestException as error:
            self.failed.append(f"{what}: {error}")
            return False
        if self.patient and method == "POST" and answer.status_code == 503 and answer.json()["status"] == "read-only":
            self.refused.append(time.monotonic())
        elif self.patient and method == "GET" and answer.status_code == 404:
            self.behind.append(path)
        elif not answer.ok:
            self.failed.append(f"{what}: HTTP {answer.status_code} {answer.text[:200]}")
        return answer.ok

    def _write(self) -> None:
        number, written_at, waiting = 1, time.monotonic(), False
        while not self._end.wait(0.03):
            known = len(self.refused)
            if self._ask("POST", entry={"number": number, "text": f"entry {number}"}):
                self.written.append(number)
                now = time.monotonic()
                if waiting:
                    self.freezes.append(round((now - written_at) * 1000))
                written_at, waiting = now, False
            elif len(self.refused) > known:
                waiting = True
                continue
            number += 1

    def _read(self) -> None:
        while not self._end.wait(0.03):
            if self.written:
                self._ask("GET", f"/{self.written[-1]}")

    def write_on(self) -> None:
        """Wait until another entry has been written."""
        number = len(self.written)
        until(lambda: len(self.written) > number, "another entry written", 10)

    def lost_nothing(self, besides: int = 0, may_be_behind: bool = False) -> None:
        """Every acknowledged entry is there, once, and nothing else but so many older ones; no request failed."""
        assert self.written and not self.failed, self.failed[:5]
        assert may_be_behind or not self.behind, self.behind[:5]
        there: list[int] = []
        while True:
            answer = requests.get(self.url, params={"after": there[-1] if there else 0}, timeout=10).json()
            if not answer["numbers"]:
                break
            there += answer["numbers"]
        assert there == self.written
        assert answer["count"] == len(there) + besides
