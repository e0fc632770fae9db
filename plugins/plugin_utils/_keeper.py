# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""A process that renews the Lease between the operations: while tasks of the user, or of other hosts, are at work.

It is forked before the operation that takes the lock, because a worker has a single thread then. A new interpreter would
have to find the collection and load it and kubernetes once more, at the cost of half a second of a release.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import threading
import time
from typing import Any, Callable, Iterator

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import lease
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster

POLL = 1  # seconds between looks at a process that cannot be waited for


@contextlib.contextmanager
def lease_keeper(params: dict[str, Any], playbook: int) -> Iterator[Callable[[str], None]]:
    """Start the process; it ends with this context unless what is yielded was called with the id of the lock.

    From then on it renews the Lease until that is no longer ours, or ansible-playbook ends, however it ends.

    :param params: those of the operation, so that the same cluster is reached in the same way.
    :param playbook: process id of ansible-playbook.
    """
    watched = _Watched(playbook)
    hears, says = os.pipe()
    if os.fork() == 0:
        try:
            _detach(hears, watched.descriptor)
            _keep(params, _read(hears), watched)
        finally:
            os._exit(0)
    os.close(hears)
    watched.close()

    def keep(lock_id: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended: the release goes on without it
            os.write(says, lock_id.encode())

    try:
        yield keep
    finally:
        os.close(says)


class _Watched:
    """A process that is not our child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self.descriptor: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):  # no Linux, or one before 5.3
            self.descriptor = None
            self._began = _began(pid)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)

    def has_ended(self, seconds: float = 0) -> bool:
        """Wait for its end, this long at most."""
        if self.descriptor is not None:
            poll = select.poll()
            poll.register(self.descriptor, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        end = time.monotonic() + seconds
        while self._began is not None and _began(self.pid) == self._began:
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, POLL))
        return True


def _began(pid: int) -> bytes | None:
    """What tells a process from a later one with the same id; ``None`` when it has ended."""
    try:
        if not os.path.exists("/proc/self/stat"):
            os.kill(pid, 0)
            return b""
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # from the third on, see proc_pid_stat(5)
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19]


def _detach(*kept: int | None) -> None:
    """Leave the worker's session and signal handlers, and whatever it has open: readers of a pipe wait for its last writer."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        # Not closed: an object of Ansible's that is collected later would close what had got the number since.
        if int(name) not in kept:
            os.dup2(nothing, int(name))


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor) as file:
        return file.read()


def _keep(params: dict[str, Any], lock_id: str, watched: _Watched) -> None:
    if not lock_id:
        return
    # A name without a file, held while this process lives: the lock may be taken again by the run that holds it.
    only_one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        only_one.bind(f"\0bluegreen.kubernetes/{watched.pid}/{lock_id}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return
    if watched.has_ended(lease.RENEWAL):  # a short run costs no request
        return

    def before_write() -> None:
        if watched.has_ended():
            os._exit(0)

    def renew() -> None:
        cluster = Cluster(params, "keeper", before_write=before_write)
        lease.Keeper(cluster, lease.lease_name(params["services"]), lock_id).run()

    renewal = threading.Thread(target=renew, daemon=True)
    renewal.start()
    while renewal.is_alive() and not watched.has_ended(POLL):
        pass
