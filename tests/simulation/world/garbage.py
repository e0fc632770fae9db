# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The garbage collector: what becomes of objects whose owner is deleted, in each of the three ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulation.api.answers import Refused
from simulation.world.lag import drawn
from simulation.world.objects import Object, is_terminating
from simulation.world.owned import KINDS, Place, place

if TYPE_CHECKING:
    from simulation.world import World

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
RETRY = 0.5  # seconds


class GarbageCollector:
    name = "generic-garbage-collector"

    def __init__(self, world: World) -> None:
        self.world, self.store = world, world.store
        self._queued: set[Place] = set()
        for kind in KINDS:
            self.store.subscribe(kind, self._changed)

    def _changed(self, type_: str, new: Object, old: Object | None) -> None:
        metadata = new["metadata"]
        if type_ == "DELETED":
            for item in self.world.owned.dependents(metadata["uid"]):
                self._enqueue(place(item))
            self._enqueue_owners(new)  # one that waits for its dependents to be gone
        elif "deletionTimestamp" in metadata:
            if metadata.get("finalizers"):
                self._enqueue(place(new))
        elif type_ == "ADDED" and any(owner["uid"] not in self.world.owned.living for owner in _owners(new)):
            self._enqueue(place(new))  # its owner was deleted before it was made

    def _enqueue_owners(self, item: Object) -> None:
        for owner in _owners(item):
            where = self.world.owned.living.get(owner["uid"])
            found = self.store.get(*where) if where else None
            if where and found and FOREGROUND in (found["metadata"].get("finalizers") or ()):
                self._enqueue(where)

    def _enqueue(self, where: Place) -> None:
        if where not in self._queued:
            self._queued.add(where)
            hub = self.world.hub
            hub.after(drawn(hub.random, self.world.lag.garbage), self._run, where)

    def _run(self, where: Place) -> None:
        self._queued.discard(where)
        item = self.store.get(*where)
        if item is None:
            return
        try:
            finalizers = item["metadata"].get("finalizers") or ()
            if is_terminating(item) and ORPHAN in finalizers:
                self._orphan(item)
            elif is_terminating(item) and FOREGROUND in finalizers:
                self._delete_dependents(item)
            elif _owners(item):
                self._collect(item)
        except Refused as refused:
            if refused.reason != "NotFound":
                self.world.hub.after(RETRY, self._enqueue, where)

    def _collect(self, item: Object) -> None:
        """Delete what no owner is left of; one whose owner waits for it goes in the foreground as well."""
        living = self.world.owned.living
        left = [owner for owner in _owners(item) if owner["uid"] in living]
        waiting = [owner for owner in left if self._waits(living[owner["uid"]])]
        if left and len(left) > len(waiting):
            if len(left) < len(_owners(item)):
                self._set(item, ownerReferences=left)
            return
        if is_terminating(item):
            return
        foreground = bool(waiting) and bool(self.world.owned.dependents(item["metadata"]["uid"]))
        self.store.delete(*place(item), by=self.name, propagation="Foreground" if foreground else "Background")

    def _waits(self, where: Place) -> bool:
        owner = self.store.get(*where)
        return owner is not None and is_terminating(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())

    def _delete_dependents(self, owner: Object) -> None:
        dependents = self.world.owned.dependents(owner["metadata"]["uid"])
        for item in dependents:
            if not is_terminating(item):
                self._enqueue(place(item))
        uid = owner["metadata"]["uid"]
        if not any(one["uid"] == uid and one.get("blockOwnerDeletion") for item in dependents for one in _owners(item)):
            self._remove_finalizer(owner, FOREGROUND)

    def _orphan(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for item in self.world.owned.dependents(uid):
            self._set(item, ownerReferences=[one for one in _owners(item) if one["uid"] != uid])
        self._remove_finalizer(owner, ORPHAN)

    def _remove_finalizer(self, item: Object, finalizer: str) -> None:
        self._set(item, finalizers=[one for one in item["metadata"]["finalizers"] if one != finalizer])

    def _set(self, item: Object, **values: list[Any]) -> None:
        def change(copy: Object) -> None:
            for field, value in values.items():
                if value:
                    copy["metadata"][field] = value
                else:
                    copy["metadata"].pop(field, None)

        self.store.update(*place(item), change, by=self.name)


def _owners(item: Object) -> list[Object]:
    return item["metadata"].get("ownerReferences") or []
