# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that tell of trouble, as controllers and nodes write them. Those of type Normal nobody reads here."""

from __future__ import annotations

from typing import Any

from simulation.clock import Hub
from simulation.world.objects import Object

COMBINED_AFTER = 10  # different messages of the same reason about one object; further ones share an Event
BURST = 25  # Events about one object from one source; then one in five minutes


class Recorder:
    """Writes an Event, or counts one that says the same."""

    def __init__(self, hub: Hub, store: Any, stamp: Any) -> None:
        self._hub, self._store, self._stamp = hub, store, stamp
        self._names: dict[tuple[str, str, str, str], tuple[str, str]] = {}
        self._messages: dict[tuple[str, str, str], set[str]] = {}
        self._sent: dict[tuple[str, str], int] = {}
        self._number = 0x18EC16C85F5B6574

    def warn(
        self,
        about: Object,
        reason: str,
        message: str,
        source: str,
        host: str = "",
        field: str = "",
        series: bool = False,
    ) -> None:
        """``series``: by the newer API, without counts, as the scheduler does."""
        metadata = about["metadata"]
        uid, namespace = metadata["uid"], metadata["namespace"]
        sent = self._sent.get((source, uid), 0)
        if sent >= BURST:
            return
        self._sent[source, uid] = sent + 1
        messages = self._messages.setdefault((source, uid, reason), set())
        messages.add(message)
        same = message if len(messages) <= COMBINED_AFTER else ""
        found = self._names.get((source, uid, reason, same))
        if not same:
            message = "(combined from similar events): " + message
        if found and self._store.get("Event", *found):
            self._store.update("Event", *found, lambda event: self._count(event, message), by=source)
            return
        self._number += 0x1000 + self._hub.random.getrandbits(20)
        name = f"{metadata['name']}.{self._number:x}"
        self._names[source, uid, reason, same] = (namespace, name)
        now = self._stamp()
        involved = {
            "kind": about["kind"],
            "namespace": namespace,
            "name": metadata["name"],
            "uid": uid,
            "apiVersion": about["apiVersion"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if field:
            involved["fieldPath"] = field
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning",
            "reportingComponent": source,
            "reportingInstance": host,
        }
        if series:
            event |= {"source": {}, "action": "Scheduling", "firstTimestamp": None, "lastTimestamp": None}
            event["eventTime"] = now[:-1] + ".000000Z"
        else:
            event |= {"source": {"component": source, **({"host": host} if host else {})}, "eventTime": None}
            event |= {"firstTimestamp": now, "lastTimestamp": now, "count": 1}
        self._store.create(event, by=source)

    def _count(self, event: Object, message: str) -> None:
        event["message"] = message
        if event["lastTimestamp"] is not None:
            event["count"] += 1
            event["lastTimestamp"] = self._stamp()
