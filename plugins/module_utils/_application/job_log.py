# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What a Job logs: read while it runs, shown line by line, and when it said that it freezes writes."""

from __future__ import annotations

import collections
import math
import queue
import re
import threading
import time
from datetime import datetime, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, written
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Progress

FREEZING, HANDED_OVER = "freezing", "handed over"  # what a Job that hands over logs, each on a line of its own

SETTLED = 3  # seconds that the last log lines may take after the end
LINES_KEPT = 100  # log lines in the result
LINES_SHOWN = 1000  # log lines shown while it runs
LINE = 500  # characters of a line

_PASSWORD = re.compile(r"(?<=://)[^/?#@\s]*@")

_STAMP = re.compile(r"^(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d+)?(Z|[-+]\d+:\d+)$")

_ASSIGNED = re.compile(r"((?:pass(?:word|wd)?|secret|token|api[-_]?key)[\"']?\s*[=:]\s*)[^\s,;&]+", re.IGNORECASE)


class JobLog:
    """The log of a Job's pods, as far as it is known.

    ``lines``     the last ones, with passwords hidden
    ``count``     how many there were
    ``said_at``   monotonic time of the last one

    :param timeout: seconds for which it is read at the longest.
    """

    def __init__(self, cluster: Cluster, job: str, timeout: float, progress: Progress) -> None:
        self._cluster = cluster
        self._job = job
        self._timeout = timeout
        self._progress = progress
        self.lines: collections.deque[str] = collections.deque(maxlen=LINES_KEPT)
        self.count = 0
        self.said_at = time.monotonic()
        self.wake = lambda: None  # called from a thread when a line that matters was read
        self._queue: queue.Queue[str] = queue.Queue()
        self._threads: dict[tuple[str, str, int], threading.Thread] = {}  # (pod, container, restarts) -> thread
        self._written: dict[str, float] = {}  # line -> when it was written, by the node's clock, of those that matter
        # Seconds from the writing of a line to its arrival here, of the fastest; with the clocks' difference.
        self._late = math.inf

    def has(self, line: str | None) -> bool:
        """Whether a line that matters was read."""
        return line in self._written

    def follow(self, pods: list[Pod]) -> None:
        """Read the log of each container that has begun."""
        several = len(pods) > 1 or any(len(pod.containers) > 1 for pod in pods)
        for pod in pods:
            for item in pod.containers:
                key = (pod.name, item["name"], item.get("restartCount", 0))
                begun = {"running", "terminated"} & set(item.get("state", {}))
                if begun and key not in self._threads:
                    label = f"{pod.name}/{item['name']}: " if several else ""
                    self._threads[key] = threading.Thread(target=self._read, args=(*key[:2], label), daemon=True)
                    self._threads[key].start()

    def _read(self, pod: str, container: str, label: str) -> None:
        since, end = None, time.monotonic() + self._timeout + SETTLED
        while time.monotonic() < end:
            try:
                for stamp, text in self._cluster.follow_log(pod, container, since):
                    if since is None or stamp > since:
                        self._queue.put(label + text)
                        since = stamp
                        self._note(stamp, text.strip())
                return
            except ApiError as error:
                if error.status not in (400, 404):  # the container has no log, or none any more
                    self._queue.put(f"{label}(log not readable: {error.what})")
                return
            except Exception:  # pylint: disable=broad-except
                # The connection was cut, or silent for long; whether the Job goes on is watched elsewhere.
                time.sleep(0.2)

    def _note(self, stamp: str, text: str) -> None:
        """Remember when a line was written, if it is one that matters."""
        parts = _STAMP.match(stamp)
        if not parts:
            return
        written_at = moment(parts.group(1) + parts.group(3)).timestamp() + float(parts.group(2) or 0)
        late = time.time() - written_at
        self._late = min(late, self._late)
        if text in (FREEZING, HANDED_OVER):
            self._written[text] = written_at
            self.wake()

    def frozen_at(self) -> str | None:
        """When the Job has said that it freezes writes, by our clock, as text; ``None`` when it has not."""
        if FREEZING not in self._written:
            return None
        return written(datetime.fromtimestamp(self._written[FREEZING] + self._late, timezone.utc))

    def say(self) -> None:
        """Show what has been logged since the last call."""
        while True:
            try:
                line = self._queue.get_nowait()
            except queue.Empty:
                return
            line = _ASSIGNED.sub(r"\1********", _PASSWORD.sub("********@", line.rstrip()))[:LINE]
            self.lines.append(line)
            self.count += 1
            self.said_at = time.monotonic()
            if self.count <= LINES_SHOWN:
                self._progress(f"{self._job}: {line}")
            if self.count == LINES_SHOWN:
                self._progress(f"{self._job}: further lines are not shown; the last ones are in the result")

    def settle(self) -> None:
        """Wait a moment for the last log lines."""
        end = time.monotonic() + SETTLED
        for thread in self._threads.values():
            thread.join(max(end - time.monotonic(), 0))
        self.say()
