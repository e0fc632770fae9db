# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose dependents objects are, kept up to date with every change."""

from __future__ import annotations

from typing import Any

from simulation.world.objects import Object, controller_of

# What may have an owner in this cluster, or be one.
KINDS = ("Service", "Deployment", "ReplicaSet", "CronJob", "Job", "Pod", "EndpointSlice")

Place = tuple[str, str, str]  # kind, namespace, name


def place(item: Object) -> Place:
    metadata = item["metadata"]
    return item["kind"], metadata["namespace"], metadata["name"]


class Owned:
    """An index by the owners' uids."""

    def __init__(self, store: Any) -> None:
        self.living: dict[str, Place] = {}  # by uid, what exists
        self._dependents: dict[str, dict[Place, Object]] = {}
        self.orphans: dict[str, dict[Place, Object]] = {kind: {} for kind in KINDS}  # by kind, without a controller
        for kind in KINDS:
            store.subscribe(kind, self._changed)

    def dependents(self, uid: str) -> list[Object]:
        return list(self._dependents.get(uid, {}).values())

    def controlled(self, kind: str, uid: str) -> list[Object]:
        """The objects of a kind that this one controls, in the order of their creation."""
        found = self._dependents.get(uid)
        if not found:
            return []
        return [item for place_, item in found.items() if place_[0] == kind and _controls(uid, item)]

    def _changed(self, type_: str, new: Object, old: Object | None) -> None:
        if old is not None and (type_ == "DELETED" or _owners(new) != _owners(old)):
            self._forget(old)
        if type_ == "DELETED":
            self.living.pop(new["metadata"]["uid"], None)
            return
        where = place(new)
        self.living[new["metadata"]["uid"]] = where
        for owner in _owners(new):
            self._dependents.setdefault(owner["uid"], {})[where] = new
        if controller_of(new) is None:
            self.orphans[where[0]][where] = new

    def _forget(self, old: Object) -> None:
        where = place(old)
        self.orphans[where[0]].pop(where, None)
        for owner in _owners(old):
            found = self._dependents.get(owner["uid"], {})
            found.pop(where, None)
            if not found:
                self._dependents.pop(owner["uid"], None)


def _controls(uid: str, item: Object) -> bool:
    return any(owner["uid"] == uid and owner.get("controller") for owner in _owners(item))


def _owners(item: Object) -> list[Object]:
    return item["metadata"].get("ownerReferences") or []
