# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The Lease that says which run may write, and its renewal while an operation works.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

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


def lease_name(services: list[str]) -> str:
    """One Lease per application, named after the Service that keeps the state."""
    return "bluegreen-" + services[0]


def holder_of(lease: Object) -> Object:
    """``{"by", "job", "at", "version"}`` as its run has written it."""
    try:
        return json.loads((lease["metadata"].get("annotations") or {})[HOLDER])
    except (KeyError, ValueError):
        return {}


def describe_lease(lease: Object) -> str:
    """Who holds the Lease, for messages."""
    holder = holder_of(lease)
    run, by = lease["spec"].get("holderIdentity"), holder.get("by") or "an unknown user"
    job = f"job {holder['job']}, " if holder.get("job") else ""
    return f"run {run} of {by}, {job}since {holder.get('at') or lease['spec'].get('acquireTime')}"


def superseded(why: str) -> BlueGreenError:
    return BlueGreenError(
        "Another run has taken over this application; this one writes nothing any more.",
        "superseded",
        why=why,
        next_step="See what the other run does; run this release again when it has ended.",
    )


class Keeper(threading.Thread):
    """Renews the Lease while an operation works. When the Lease is no longer ours, the cluster refuses further writes."""

    def __init__(self, cluster: Cluster, lease_name: str, lock_id: str) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._name = lease_name
        self._lock_id = lock_id
        self._end = threading.Event()

    def __enter__(self) -> Keeper:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()

    def run(self) -> None:
        pause = FIRST_RENEWAL
        while not self._end.wait(pause):
            pause = RENEWAL
            try:
                self._renew()
            except ApiError:
                # No answer. The operation's own requests meet the same trouble and report it; the fence is on the objects.
                continue
            if self._cluster.lost:
                return

    def _renew(self) -> None:
        try:
            self._cluster.patch(
                "Lease",
                self._name,
                [
                    {"op": "test", "path": "/spec/holderIdentity", "value": self._lock_id},
                    {"op": "add", "path": "/spec/renewTime", "value": micro_time()},
                ],
            )
        except ApiError as error:
            if not isinstance(error, PatchConflict) and error.status != 404:
                raise
            lease = self._cluster.get("Lease", self._name)
            if lease is None or lease["spec"].get("holderIdentity") != self._lock_id:
                self._cluster.lose(superseded(describe_lease(lease) if lease else "The Lease is gone."))


def user() -> str:
    """Who runs this, as ``user@host``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user without a name
        return socket.gethostname()
