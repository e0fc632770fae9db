# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The Lease that says which run may write, and its renewal while an operation works.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

import contextlib
import copy
import getpass
import json
import socket
import threading

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import micro_time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

HOLDER = "bluegreen.kubernetes/holder"  # annotation on the Lease: who, since when, which job, for people
FIRST_RENEWAL = 2  # seconds after an operation began; short operations do not renew, so they cost no request
RENEWAL = 5  # seconds between renewals: somebody who waits learns within this time that the holder lives
GIVEN_UP = 5  # seconds after which a renewal without an answer is made anew: several fit into a lease's duration


def lease_name(services: list[str]) -> str:
    """One Lease per application, named after the Service that keeps the state."""
    return "bluegreen-" + services[0]


def holder_of(lease: Object) -> Object:
    """``{"by", "job", "at", "version"}`` as its run has written it."""
    try:
        holder = json.loads((lease["metadata"].get("annotations") or {})[HOLDER])
    except (KeyError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def describe_lease(lease: Object) -> str:
    """Who holds the Lease, for messages."""
    holder = holder_of(lease)
    spec = lease.get("spec") or {}
    run, by = spec.get("holderIdentity"), holder.get("by") or "an unknown user"
    job = f"job {holder['job']}, " if holder.get("job") else ""
    return f"run {run} of {by}, {job}since {holder.get('at') or spec.get('acquireTime')}"


def superseded(why: str) -> BlueGreenError:
    return BlueGreenError(
        "Another run has taken over this application; this one writes nothing any more.",
        "superseded",
        why=why,
        next_step="See what the other run does; run this release again when it has ended.",
    )


def check_held(cluster: Cluster, name: str, lock_id: str) -> None:
    """A reading of the Lease, before a write that nothing else fences.

    :raises BlueGreenError: it is no longer ours, and so nothing is to be written any more.
    """
    lease = cluster.get("Lease", name)
    if lease is None or (lease.get("spec") or {}).get("holderIdentity") != lock_id:
        error = superseded(describe_lease(lease) if lease else "The Lease is gone.")
        cluster.lose(error)
        raise error


class Keeper(threading.Thread):
    """Renews the Lease while an operation works. When the Lease is no longer ours, the cluster refuses further writes."""

    def __init__(self, cluster: Cluster, lease_name: str, lock_id: str) -> None:
        super().__init__(daemon=True)
        self._operations = cluster
        self._cluster = copy.copy(cluster)  # the same connections, with less patience
        self._cluster.api_timeout = min(GIVEN_UP, cluster.api_timeout)
        self._cluster.progress = lambda text: None  # the operation says it
        self._name = lease_name
        self._lock_id = lock_id
        self._end = threading.Event()

    def __enter__(self) -> Keeper:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()

    def run(self) -> None:
        pause: float = FIRST_RENEWAL
        while not self._end.wait(pause):
            try:
                pause = min(RENEWAL, self._renew() / 4)
                self._cluster.api_timeout = min(GIVEN_UP, pause, self._operations.api_timeout)
            except Exception:  # pylint: disable=broad-except
                # No answer, or none that is understood. The operation's own requests meet the same trouble and report it; the
                # fence is on the objects. Made again soon: who waits for the lock counts from the last renewal that arrived.
                pause = min(RENEWAL, FIRST_RENEWAL)
            if self._operations.lost:
                return

    def _renew(self) -> float:
        """:returns: seconds for which the Lease counts."""
        try:
            lease = self._cluster.patch(
                "Lease",
                self._name,
                [
                    {"op": "test", "path": "/spec/holderIdentity", "value": self._lock_id},
                    {"op": "add", "path": "/spec/renewTime", "value": micro_time()},
                ],
            )
            return float(lease["spec"]["leaseDurationSeconds"])
        except ApiError as error:
            if not isinstance(error, PatchConflict) and error.status != 404:
                raise
            with contextlib.suppress(BlueGreenError):
                check_held(self._cluster, self._name, self._lock_id)
            if self._cluster.lost and not self._end.is_set():  # else we have given it back ourselves
                self._operations.lose(self._cluster.lost)
            raise


def user() -> str:
    """Who runs this, as ``user@host``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user without a name
        return socket.gethostname()
