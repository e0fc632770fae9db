# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects, each version of which never changes, and what a write to them means.

Whoever gets an object from here must not change it; `update` hands out a copy for that.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from simulation.api import admission, decoding, defaults, patch, validation
from simulation.api.answers import (
    Refused,
    already_exists,
    bad_request,
    conflict,
    invalid,
    modified,
    must_have_version,
    not_found,
    precondition,
    unreadable_body,
    unreadable_patch,
)
from simulation.api.kinds import KINDS, Kind, Object, copied
from simulation.clock import Hub

Callback = Callable[[str, Object, "Object | None"], None]
Hook = Callable[[str, Object, "Object | None", str], "Object | None"]
Key = tuple[str, str]

FIRST_VERSION = 1000
CONDITIONAL = {"Lease", "PodDisruptionBudget"}  # of these, who replaces one has to say which version
OTHERS = ""  # the manager that stands for all who do not apply
KEPT = (
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "generation",
)
NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Write(NamedTuple):
    """A write that was carried out; ``new`` is ``None`` when the object is gone."""

    verb: str
    kind: str
    ns: str
    name: str
    old: Object | None
    new: Object | None
    by: str
    at: float


class Version:
    """One version of an object, with its JSON text, which is made once."""

    __slots__ = ("object", "_tail")

    def __init__(self, item: Object) -> None:
        self.object = item
        self._tail = b""

    @property
    def tail(self) -> bytes:
        """Its text without the opening bracket, kind and apiVersion, as lists have it."""
        if not self._tail:
            rest = {key: value for key, value in self.object.items() if key not in ("kind", "apiVersion")}
            self._tail = json.dumps(rest, separators=(",", ":"))[1:].encode()
        return self._tail

    @property
    def text(self) -> bytes:
        item = self.object
        return f'{{"kind":"{item["kind"]}","apiVersion":"{item["apiVersion"]}",'.encode() + self.tail


class Change(NamedTuple):
    """What watches tell: ADDED, MODIFIED or DELETED."""

    number: int
    type: str
    new: Version
    old: Version | None


class Store:
    """All objects of a simulated cluster.

    ``admission`` are functions ``(verb, new, old, by)`` that are asked before every write: they return the object to be
    stored in place of ``new``, or ``None`` to leave it, or raise `Refused`. ``on_write`` are told of every write.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.number = FIRST_VERSION
        self.admission: list[Hook] = []
        self.on_write: list[Callable[[Write], None]] = []
        self.forgotten = FIRST_VERSION  # changes up to this version are not known any more
        self.history: dict[str, list[Change]] = {name: [] for name in KINDS}
        self._objects: dict[str, dict[Key, Version]] = {name: {} for name in KINDS}
        self._subscribers: dict[str, list[Callable[[Change], None]]] = {name: [] for name in KINDS}
        self._told: deque[tuple[str, Change]] = deque()
        self._telling = False
        # By uid and manager: the fields it applies; of others, the fields that they have, and all that was there last.
        self._owners: dict[str, dict[str, tuple[set[Any], dict[Any, Any]]]] = {}
        self._second, self._stamp = -1, ""
        admission.keep_usage(self)

    # --- reading

    def get(self, kind: str, ns: str, name: str) -> Object | None:
        found = self._objects[kind].get((ns, name))
        return found.object if found else None

    def list(self, kind: str, ns: str | None, labels: dict[str, str] | None = None) -> list[Object]:
        """In the order of their names; ``ns`` ``None``: of all namespaces."""
        found = [version.object for version in self.versions(kind, ns)]
        if labels:
            wanted = labels.items()
            found = [item for item in found if wanted <= (item["metadata"].get("labels") or {}).items()]
        return found

    def version(self, kind: str, ns: str, name: str) -> Version:
        """:raises Refused: there is none."""
        found = self._objects[kind].get((ns, name))
        if found is None:
            raise not_found(KINDS[kind], name)
        return found

    def versions(self, kind: str, ns: str | None) -> list[Version]:
        objects = self._objects[kind]
        return [objects[key] for key in sorted(objects) if ns is None or key[0] == ns]

    # --- being told

    def subscribe(self, kind: str, callback: Callback) -> Callable[[], None]:
        """Be told of every change, right after it was stored. What is returned ends that."""
        return self.follow(
            kind, lambda change: callback(change.type, change.new.object, change.old and change.old.object)
        )

    def follow(self, kind: str, callback: Callable[[Change], None]) -> Callable[[], None]:
        """The same, with the texts of the objects."""
        self._subscribers[kind].append(callback)

        def end() -> None:
            if callback in self._subscribers[kind]:
                self._subscribers[kind].remove(callback)

        return end

    def compact(self) -> None:
        """Forget all earlier changes: who wants to watch from an older version on has to list again."""
        self.forgotten = self.number
        for changes in self.history.values():
            changes.clear()

    # --- writing

    def create(self, item: Object, by: str = "", dry_run: bool = False) -> Object:
        """:raises Refused: the server does not take it."""
        return self.created(copied(item), by, dry_run).object

    def created(self, item: Object, by: str = "", dry_run: bool = False, verb: str = "create") -> Version:
        """The same, of an object that nobody else has."""
        kind = KINDS[item["kind"]]
        item["apiVersion"] = kind.api_version
        metadata = item.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            raise Refused(500, "", "resourceVersion should not be set on objects to be created")
        if kind.namespaced:
            metadata.setdefault("namespace", "default")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(self.hub.random.choices(NAME_LETTERS, k=5))
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"):
            metadata.pop(key, None)
        metadata["uid"] = self._uid()
        metadata["creationTimestamp"] = self.stamp()
        if kind.counted:
            metadata["generation"] = 1
        if kind.status:
            item["status"] = copied(defaults.STATUS.get(kind.name, {}))
        item = self._admitted("create", item, None, by)
        _tidy(metadata)
        _readable(kind, verb, item)
        defaults.fill(item, self.hub.random)
        validation.check(item, None)
        if kind.name == "Pod":
            item["status"] = defaults.fill_status(item)
        admission.check_quota(self, item)
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._objects[kind.name]:
            raise already_exists(kind, metadata["name"])
        return self._stored(verb, kind, key, item, None, by, dry_run)

    def update(
        self, kind: str, ns: str, name: str, change: Callable[[Object], Any], by: str = "", status: bool = False
    ) -> Object:
        """Change a copy of an object and store it; with ``status``, only its status is stored, otherwise all but that.

        :raises Refused: there is none, or the server does not take it.
        """
        old = self.version(kind, ns, name)
        new = copied(old.object)
        change(new)
        return self.replaced(old, new, by, status=status).object

    def replaced(
        self,
        old: Version,
        new: Object,
        by: str,
        status: bool = False,
        dry_run: bool = False,
        verb: str = "update",
        by_request: bool = False,
    ) -> Version:
        """Store ``new``, which may share parts with the old object, in its place."""
        kind, was = KINDS[old.object["kind"]], old.object
        if verb == "update" and by_request and kind.name in CONDITIONAL and not new["metadata"].get("resourceVersion"):
            raise must_have_version(kind, was["metadata"]["name"])
        new = {**new, "kind": kind.name, "apiVersion": kind.api_version, "metadata": _kept(kind, verb, was, new)}
        if kind.status and status:
            if kind.name == "Deployment" and "labels" in was["metadata"]:
                new["metadata"]["labels"] = was["metadata"]["labels"]
            new = {**was, "metadata": new["metadata"], "status": defaults.fill_status(new)}
            new = self._admitted("update", new, was, by)
        else:
            _readable(kind, verb, new)
            if kind.status:
                new["status"] = was.get("status")
            new = self._filled(kind, was, self._admitted("update", new, was, by))
        if new == was:
            return old
        key = (was["metadata"].get("namespace", ""), was["metadata"]["name"])
        held = was["metadata"].get("finalizers")
        if held and "deletionTimestamp" in was["metadata"] and not new["metadata"].get("finalizers"):
            return self._removed(kind, key, old, by, dry_run, Version(new))
        return self._stored(verb, kind, key, new, old, by, dry_run)

    def _filled(self, kind: Kind, was: Object, new: Object) -> Object:
        """Defaults, checks and the generation, where more than metadata has changed."""
        if _content(new) == _content(was):
            if new["metadata"] != was["metadata"]:
                validation.check_metadata(new)
                # Alone of all kinds, a Deployment counts changes to its annotations as well.
                if kind.name == "Deployment" and _annotations(new) != _annotations(was):
                    new["metadata"]["generation"] = was["metadata"].get("generation", 0) + 1
            return new
        new = copied(new)
        defaults.fill(new, self.hub.random)
        validation.check(new, was)
        changed = _content(new) != _content(was)
        if kind.name == "Deployment":
            changed = changed or _annotations(new) != _annotations(was)
        if kind.counted and changed:
            new["metadata"]["generation"] = was["metadata"].get("generation", 0) + 1
        return new

    def delete(
        self,
        kind: str,
        ns: str,
        name: str,
        by: str = "",
        grace: int | None = None,
        propagation: str | None = None,
        preconditions: Object | None = None,
        dry_run: bool = False,
    ) -> tuple[Version, bool]:
        """Delete an object, or mark it for that: a pod until its node is done with it, others until their finalizers are gone.

        A node ends the life of a pod with ``grace=0``.

        :returns: the object as it is now or as it was last, and whether it is gone.
        """
        old = self.version(kind, ns, name)
        item, of = old.object, KINDS[kind]
        metadata = item["metadata"]
        for key, field, word in (("uid", "uid", "UID"), ("resourceVersion", "resourceVersion", "ResourceVersion")):
            wanted = (preconditions or {}).get(key)
            if wanted and wanted != metadata[field]:
                raise precondition(of, name, word, wanted, metadata[field])
        self._admitted("delete", item, item, by)
        marked = dict(metadata)
        finalizers = [one for one in metadata.get("finalizers") or [] if one not in ("orphan", "foregroundDeletion")]
        if propagation == "Foreground":
            finalizers.append("foregroundDeletion")
        elif propagation == "Orphan" or (propagation is None and kind == "Job"):
            finalizers.append("orphan")
        seconds = _grace(item, grace) if kind == "Pod" else 0
        if not finalizers and not seconds:
            if kind == "Pod":
                old = Version({**item, "metadata": {**metadata, **self._marks(metadata, 0)}})
            return self._removed(of, (ns, name), old, by, dry_run), True
        if finalizers:
            marked["finalizers"] = finalizers
        if "deletionTimestamp" not in metadata or seconds < metadata.get("deletionGracePeriodSeconds", 0):
            marked.update(self._marks(metadata, seconds))
        if marked == metadata:
            return old, False
        return self._stored("delete", of, (ns, name), {**item, "metadata": marked}, old, by, dry_run), False

    # --- server-side apply

    def merged(self, old: Version, given: Object, manager: str, dry_run: bool) -> Object:
        """What an object becomes when a manager applies ``given``.

        What it gave before and gives no more is taken away, unless somebody else has it as well: whoever made the object has
        all that it had then, and others have what has come since the last apply.
        """
        live = old.object
        if (
            given["metadata"].get("resourceVersion", live["metadata"]["resourceVersion"])
            != live["metadata"]["resourceVersion"]
        ):
            raise modified(KINDS[live["kind"]], live["metadata"]["name"])
        owners = self._owners.setdefault(live["metadata"]["uid"], {})
        there, wanted = patch.paths(_fields(live)), patch.paths(_fields(given))
        others, last = owners.get(OTHERS, (set(), {}))
        others = (others | (there.keys() - last.keys())) - {path for path in wanted if there.get(path) != wanted[path]}
        mine = owners.get(manager, (set(), {}))[0]
        kept = others.union(*(owned for name, (owned, _last) in owners.items() if name not in (OTHERS, manager)))
        new = patch.applied(live, _fields(given), mine - wanted.keys() - kept)
        if not dry_run:
            owners[OTHERS] = (others, patch.paths(_fields(new)))
            owners[manager] = (set(wanted), {})
        return new

    def own(self, made: Version, given: Object, manager: str) -> None:
        """All of an object that was made by an apply is its manager's."""
        owners = {OTHERS: (set(), patch.paths(_fields(made.object))), manager: (set(patch.paths(_fields(given))), {})}
        self._owners[made.object["metadata"]["uid"]] = owners

    # --- inside

    def _marks(self, metadata: Object, seconds: int) -> Object:
        """What metadata gets when the object's deletion begins."""
        marks = {"deletionTimestamp": self.stamp(seconds), "deletionGracePeriodSeconds": seconds}
        if "deletionTimestamp" not in metadata and "generation" in metadata:
            marks["generation"] = metadata["generation"] + 1
        return marks

    def stamp(self, later: float = 0) -> str:
        """The wall clock, as objects have it."""
        second = int(self.hub.epoch + self.hub.now + later)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self._stamp

    def _uid(self) -> str:
        text = f"{self.hub.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _admitted(self, verb: str, new: Object, old: Object | None, by: str) -> Object:
        for hook in self.admission:
            new = hook(verb, new, old, by) or new
        return new

    def _stored(
        self, verb: str, kind: Kind, key: Key, item: Object, old: Version | None, by: str, dry_run: bool
    ) -> Version:
        if dry_run:
            return Version(item)
        self.number += 1
        item["metadata"] = {**item["metadata"], "resourceVersion": str(self.number)}
        new = self._objects[kind.name][key] = Version(item)
        self._tell(
            kind,
            Change(self.number, "MODIFIED" if old else "ADDED", new, old),
            Write(verb, kind.name, *key, old.object if old else None, item, by, self.hub.now),
        )
        return new

    def _removed(
        self, kind: Kind, key: Key, old: Version, by: str, dry_run: bool, last: Version | None = None
    ) -> Version:
        last = last or old
        if dry_run:
            return last
        self.number += 1
        metadata = {**last.object["metadata"], "resourceVersion": str(self.number)}
        gone = Version({**last.object, "metadata": metadata})
        del self._objects[kind.name][key]
        change = Change(self.number, "DELETED", gone, old)
        self._tell(kind, change, Write("delete", kind.name, *key, old.object, None, by, self.hub.now))
        return gone

    def _tell(self, kind: Kind, change: Change, write: Write) -> None:
        """Tell all; what they write in answer is told after this, so that nobody hears of a later change first."""
        self.history[kind.name].append(change)
        for judge in self.on_write:
            judge(write)
        self._told.append((kind.name, change))
        if self._telling:
            return
        self._telling = True
        try:
            while self._told:
                name, told = self._told.popleft()
                for callback in tuple(self._subscribers[name]):
                    callback(told)
        finally:
            self._telling = False


def _readable(kind: Kind, verb: str, item: Object) -> None:
    why = decoding.unreadable(item)
    if why:
        raise unreadable_patch(item, why) if verb == "patch" else unreadable_body(kind, why)


def _kept(kind: Kind, verb: str, was: Object, new: Object) -> Object:
    """The metadata of an object's next version: what nobody may change is as it was.

    :raises Refused: somebody wants to change it, or means another version.
    """
    metadata, before = dict(new.get("metadata") or {}), was["metadata"]
    name = before["name"]
    if metadata.get("resourceVersion") not in (None, "", before["resourceVersion"]):
        raise modified(kind, name)
    if metadata.get("uid") not in (None, "", before["uid"]):
        raise _other_uid(kind, verb, was, metadata["uid"])
    if metadata.get("name") != name:
        raise bad_request(
            f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({name})"
        )
    deleted = metadata.get("deletionTimestamp")
    if verb == "patch" and deleted != before.get("deletionTimestamp"):
        raise invalid(kind, name, [validation.immutable("metadata.deletionTimestamp", deleted)])
    for key in KEPT:
        metadata.pop(key, None)
        if key in before:
            metadata[key] = before[key]
    _tidy(metadata)
    return metadata


def _other_uid(kind: Kind, verb: str, was: Object, uid: str) -> Refused:
    name, found = was["metadata"]["name"], was["metadata"]["uid"]
    if verb == "patch":
        return invalid(kind, name, [validation.immutable("metadata.uid", uid)])
    folder = "services/specs" if kind.name == "Service" else kind.plural
    key = f"/registry/{folder}/{was['metadata'].get('namespace', '')}/{name}"
    return conflict(
        kind,
        name,
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed:"
        f" UID in precondition: {uid}, UID in object meta: {found}",
    )


def _annotations(item: Object) -> Object:
    return item["metadata"].get("annotations") or {}


def _tidy(metadata: Object) -> None:
    """What is empty is left out."""
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if key in metadata and not metadata[key]:
            del metadata[key]
    for key in ("labels", "annotations"):
        values = metadata.get(key)
        if values.__class__ is dict and None in values.values():
            metadata[key] = {name: "" if value is None else value for name, value in values.items()}


def _fields(item: Object) -> Object:
    """What managers can own."""
    metadata = item.get("metadata") or {}
    found = {
        key: metadata[key] for key in ("labels", "annotations", "finalizers", "ownerReferences") if key in metadata
    }
    return {
        "metadata": found,
        **{key: item[key] for key in item if key not in ("kind", "apiVersion", "metadata", "status")},
    }


def _content(item: Object) -> Object:
    return {key: value for key, value in item.items() if key not in ("metadata", "status", "kind", "apiVersion")}


def _grace(pod: Object, wanted: int | None) -> int:
    """Seconds that a pod still gets: none when no node runs it or its containers have ended."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if not pod["spec"].get("nodeName") or ended:
        return 0
    seconds = pod["spec"].get("terminationGracePeriodSeconds", 30) if wanted is None else wanted
    return max(int(seconds), 0)
