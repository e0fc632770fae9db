# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The companions of a color: what the documents of its manifest make beside the Deployment, before it, and only for it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.applied import Applied, digest_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_for
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.manifest import (
    NAMED_BY_COLOR,
    identity,
    in_words,
    merged,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import (
    acts_on,
    named_by,
    selects,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    CHANGING,
    NOTHING,
    OBJECTS,
    fingerprint,
    is_whole,
    objects_of,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    PREFIX,
    annotation,
    annotation_operations,
    as_read,
    unchanged,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

BELONGS_TO = PREFIX + "belongs-to"  # annotation on a companion: application/color
APPLIED = PREFIX + "applied"  # and the digest of the document that it was made from
NOTES = (BELONGS_TO, APPLIED, LOCK_ID)

# What the server adds to every object.
PASSING = ("resourceVersion", "uid", "managedFields", "generation", "creationTimestamp")

Named = tuple[str, str, str]


@dataclass
class Change:
    """What is to become of one object; ``None`` for what does not exist: before, or any more."""

    named: Named
    kind: str  # as the cluster calls it
    before: Any
    wanted: Any
    after: Any = None  # as the server would write it
    operations: Any = None  # the JSON Patch, where it exists already

    @property
    def verb(self) -> str:
        return "made" if self.before is None else "removed" if self.wanted is None else "changed"


class Companions:
    """What is applied with a pod template, and what goes because it is not applied any more.

    :param ours: called before every write; it raises when the color must not be touched any more.
    :param documents: in the order in which they are applied; ``None`` for those that had the ``digest``.
    :raises BlueGreenError: what had the digest is not known any more.
    """

    def __init__(
        self,
        app: Application,
        color: str,
        ours: Callable[[], object],
        documents: list[Object] | None,
        digest: str = "",
    ) -> None:
        self._app, self._color, self._ours = app, color, ours
        self._mark = kept_for(app, color)
        self._applied = Applied(app, color)
        found = self._applied.documents(digest) if documents is None else documents
        if found is None:
            raise BlueGreenError(
                f"What the manifest had beside the Deployment of {color}, when this pod template was made, is not known any more.",
                "nothing_to_roll_back",
                why=f"Secret {self._applied.name} has nothing under {digest}.",
                next_step="Release the version anew, with its manifest.",
            )
        self._documents: list[Object] = found
        self.digest = digest_of(found)
        self._kinds: dict[tuple[str, str], str] = {}
        self.changes: list[Change] = []  # what is applied before the Deployment is written
        self.leaving: list[Change] = []  # what is removed after that

    def plan(self) -> None:
        """Look at each object and have the server judge each write, before the first.

        :raises BlueGreenError: one of them is not this color's alone, or the server refuses it.
        """
        judge = copy.copy(self._app.cluster)
        judge.dry_run = True
        self.changes = [change for document in self._documents if (change := self._planned(document, judge))]
        self.leaving = [*self._left(judge)]

    def begun(self, color: Color, lock_id: str | None) -> Color:
        """The color, whose Deployment says that its objects are being changed: until they are, it is not whole."""
        deployment = color.deployment
        if not (self.changes or self.leaving) or self._app.cluster.dry_run or objects_of(deployment) == CHANGING:
            return color
        return self._says(
            color, [unchanged(deployment), *annotation_operations(deployment, OBJECTS, CHANGING)], lock_id
        )

    def note(self, manifest: Object) -> None:
        """Have a Deployment say what is applied with it, and its pod template as well, so that it comes back with that."""
        if not manifest:
            return
        for owner in [manifest] if self.digest == NOTHING else [manifest, manifest["spec"]["template"]]:
            owner["metadata"].setdefault("annotations", {})[OBJECTS] = self.digest
        manifest["metadata"]["annotations"][OBJECTS] = self._state

    def noted(self, deployment: Object) -> Patch:
        """The same as a JSON Patch, where the pod template says it already."""
        if (objects_of(deployment) or NOTHING) == self._state:
            return []
        return annotation_operations(deployment, OBJECTS, self._state)

    def apply(self) -> None:
        """Write what is not as it should be.

        :raises PatchConflict: somebody has changed one of the objects since it was looked at.
        """
        self._applied.put(self._documents, self._ours)
        for change in self.changes:
            if not self._app.cluster.dry_run:  # the plan has asked the server already
                self._ours()
                _write(self._app.cluster, change)

    def prune(self, color: Color, lock_id: str | None) -> Color:
        """Remove what this color had, and has no more; then it is whole."""
        if not self.leaving or self._app.cluster.dry_run:
            return color
        for change in self.leaving:
            self._ours()
            _remove(self._app.cluster, change)
        return self._says(color, annotation_operations(color.deployment, OBJECTS, self.digest), lock_id)

    def told(self) -> str:
        """What was done, as a part of a sentence."""
        verb = "would be " if self._app.cluster.dry_run else ""
        return "".join(f"; {in_words(change.named)} {verb}{change.verb}" for change in [*self.changes, *self.leaving])

    def shown(self) -> tuple[Object, Object]:
        """Both sides for ``--diff``, of the objects that change."""
        found = [(in_words(change.named), _sides(change)) for change in [*self.changes, *self.leaving]]
        return {name: old for name, (old, _new) in found}, {name: new for name, (_old, new) in found}

    def names(self) -> list[str]:
        return [f"{in_words(change.named)} {change.verb}" for change in [*self.changes, *self.leaving]]

    # --- inside

    @property
    def _state(self) -> str:
        """What the Deployment says when it is written: that all is done, if nothing is to be removed after it."""
        return CHANGING if self.leaving and not self._app.cluster.dry_run else self.digest

    def _says(self, color: Color, operations: Patch, lock_id: str | None) -> Color:
        fence = self._app.fence(color.deployment, lock_id)
        written = self._app.cluster.patch("Deployment", color.deployment_name, fence + operations)
        return Color(color.name, written, [item["name"] for item in color.containers])

    def _planned(self, document: Object, judge: Cluster) -> Change | None:
        """What is to be done for one document; ``None`` when nothing is."""
        named = identity(document)
        kind = self._kind(document)
        self._refuse_unfit(document)
        wanted = copy.deepcopy(document)
        wanted["metadata"].setdefault("annotations", {}).update(
            {BELONGS_TO: self._mark, APPLIED: fingerprint(document)}
        )
        live = self._app.cluster.get(kind, named[2])
        change = Change(named, kind, live, wanted)
        if live is not None and not self._differs(change, document, judge):
            return None
        users = self._users_on_live(document)
        if users:
            raise self._unfit(document, users, NAMED_BY_COLOR)
        if live is None:
            change.after = _write(judge, change)
        elif annotation(live, BELONGS_TO) != self._mark:
            raise self._unfit(
                document,
                "it exists already, with other content, and no release has made it",
                f"{NAMED_BY_COLOR} Or, if nothing else uses it, hand it over: kubectl -n {self._app.cluster.namespace} annotate "
                f"{named[1].lower()} {named[2]} {BELONGS_TO}={self._mark}",
            )
        return change

    def _differs(self, change: Change, document: Object, judge: Cluster) -> bool:
        """Whether an object that exists is to be written; what nobody has marked may be there alike, and is then left alone.

        :raises BlueGreenError: it is somebody else's, or on its way out.
        """
        live, mark = change.before, annotation(change.before, BELONGS_TO)
        if mark not in (None, self._mark):
            raise self._unfit(document, f"it belongs to {mark}", NAMED_BY_COLOR)
        if "deletionTimestamp" in live["metadata"]:
            raise BlueGreenError(
                f"{in_words(change.named)} is being deleted.",
                "conflict",
                next_step="Run again when it is gone; metadata.finalizers says what keeps it.",
            )
        last = self._last(change.named, annotation(live, APPLIED)) if mark else {}
        change.operations = merged(last, live, change.wanted if mark else document)
        if not change.operations:
            return False
        change.after = _write(judge, change)
        return _content(change.after) != _content(live) or annotation(change.after, APPLIED) != annotation(
            live, APPLIED
        )

    def _left(self, judge: Cluster) -> Iterator[Change]:
        """What was applied for this color once, is still there and still ours, and is wanted no more."""
        wanted = {identity(document) for document in self._documents}
        gone = {identity(document): document for document in self._applied.each()}
        for named, document in gone.items():
            if named in wanted:
                continue
            known = self._app.cluster.kind(*named[:2])
            live = self._app.cluster.get(known[0], named[2]) if known else None
            if live is None or annotation(live, BELONGS_TO) != self._mark or "deletionTimestamp" in live["metadata"]:
                continue
            if self._users_on_live(document):
                self._app.warnings.append(
                    f"{in_words(named)} has left {self._color}'s manifest and stays: {self._users_on_live(document)}."
                )
                continue
            change = Change(named, known[0] if known else "", live, None)
            _remove(judge, change)
            yield change

    def _last(self, named: Named, noted: str | None) -> Object:
        """The document that an object was made from, as far as it is known."""
        found = (item for item in self._applied.each() if identity(item) == named and fingerprint(item) == noted)
        return next(found, {})

    def _kind(self, document: Object) -> str:
        """:raises BlueGreenError: the server has no such kind, or it is in no namespace."""
        api_version, kind, name = identity(document)
        if (api_version, kind) not in self._kinds:
            found = self._app.cluster.kind(api_version, kind)
            if found is None:
                raise self._unfit(
                    document,
                    f"the API server has no {kind} in {api_version}",
                    "Correct apiVersion and kind, or install what defines the kind (a CustomResourceDefinition).",
                )
            if not found[1]:
                raise self._unfit(
                    document,
                    f"a {kind} belongs to the whole cluster, not to a color in namespace {self._app.cluster.namespace}",
                    "Take it out of the manifest and apply it by itself.",
                )
            self._kinds[api_version, kind] = found[0]
        return self._kinds[api_version, kind]

    def _refuse_unfit(self, document: Object) -> None:
        """What can be seen without a look at the object itself.

        :raises BlueGreenError: it is elsewhere, or would reach the live color.
        """
        app, (_api_version, kind, name) = self._app, identity(document)
        namespace = document["metadata"].get("namespace", app.cluster.namespace)
        if namespace != app.cluster.namespace:
            raise self._unfit(
                document,
                f"it is in namespace {namespace}, the application in {app.cluster.namespace}",
                "Take it out of the manifest and apply it by itself.",
            )
        if kind == "Service" and name in app.selectors():
            raise self._unfit(
                document,
                f"it is a Service of the application, which sends users to {app.active}",
                "Take it out of the manifest: only the switch changes it.",
            )
        reaches = acts_on(document, app.live.deployment) if app.live.deployment else ""
        if reaches:
            raise self._unfit(
                document,
                f"{reaches} {app.live.deployment_name}, which is live",
                f"Let it select or name {self._color} alone: {app.label}: {{{{ bluegreen_color }}}}.",
            )
        for service in app.services:
            if any(selects(app.switched(service, color), document) for color in app.names):
                raise self._unfit(
                    document,
                    f"its pods have the labels that Service {service['metadata']['name']} selects: it would send users to them",
                    "Give its pods other labels.",
                )

    def _users_on_live(self, document: Object) -> str:
        """Why the live color needs the object, in words; empty if its pod template does not name it."""
        live = self._app.live
        _api_version, kind, name = identity(document)
        if live.deployment is None or (kind, name) not in named_by(live.deployment["spec"]["template"]["spec"]):
            return ""
        return f"the pods of {live.deployment_name}, which is live, use it"

    def _unfit(self, document: Object, why: str, next_step: str) -> BlueGreenError:
        return BlueGreenError(
            f"{in_words(identity(document))} in {self._color}'s manifest is refused.", "bad_input", why, None, next_step
        )


def companions_of(
    app: Application,
    color: str,
    ours: Callable[[], object],
    was: Object | None,
    template: Object,
    others: list[Object] | None,
) -> Companions | None:
    """What is to be applied with a pod template; ``None`` where nothing is, and nothing ever was.

    :param was: the color's Deployment, as it is or was kept.
    :param others: what the manifest has beside the Deployment; ``None`` without a manifest.
    """
    if others is not None:
        return Companions(app, color, ours, others) if others or was and objects_of(was) else None
    wanted, has = objects_of(template) or NOTHING, NOTHING
    if was:
        has = objects_of(was["spec"]["template"]) or NOTHING if is_whole(was) else CHANGING
    return Companions(app, color, ours, None, wanted) if wanted != has else None


def stamp_companions(app: Application, idle: Object | None, fence: Callable[[], object], lock_id: str) -> None:
    """A write of a run that was overtaken may be on its way to an object: the version that it tests must no longer be there.

    :param idle: the Deployment of the idle color, as it is now.
    :param fence: called before every write.
    """
    if idle is None or objects_of(idle) is None:
        return
    for named in dict.fromkeys(map(identity, Applied(app, app.idle).each())):
        known = app.cluster.kind(*named[:2])
        live = app.cluster.get(known[0], named[2]) if known else None
        if known and live and annotation(live, BELONGS_TO) == kept_for(app, app.idle):
            fence()
            operations = [unchanged(live), *annotation_operations(live, LOCK_ID, lock_id)]
            with contextlib.suppress(PatchConflict):  # then it has arrived, and the next one is for another object
                app.cluster.patch(known[0], named[2], operations)


def without_manifest(app: Application, color: str) -> list[str]:
    """A warning where a version alone takes the live color's template, and cannot take what its manifest had beside it."""
    live = app.live.deployment
    if live is None or (objects_of(live["spec"]["template"]) or NOTHING) == NOTHING:
        return []
    return [
        f"{app.live.deployment_name}, which is live, was released with a manifest of several documents. {color} keeps the objects "
        "of its own last release: give the manifest (bluegreen_manifest) to have them anew."
    ]


def _write(cluster: Cluster, change: Change) -> Object:
    if change.before is None:
        return cluster.create(change.kind, change.wanted)
    return cluster.patch(change.kind, change.named[2], change.operations)


def _remove(cluster: Cluster, change: Change) -> None:
    cluster.delete(change.kind, change.named[2], as_read(change.before))


def _content(item: Any) -> Object:
    """What of an object somebody has written, without our own notes."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in PASSING}
    notes = {key: text for key, text in (metadata.pop("annotations", None) or {}).items() if key not in NOTES}
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": {**metadata, **({"annotations": notes} if notes else {})}}


def _sides(change: Change) -> tuple[Any, Any]:
    """An object before and after; of a Secret only the names of its values, and which of them change."""
    old, new = (_content(item) if item else "(absent)" for item in (change.before, change.after))
    if change.named[1] != "Secret":
        return old, new
    before, after = ((item or {}).get("data") or {} for item in (change.before, change.after))
    if isinstance(old, dict):
        old["data"] = {key: "(a value)" for key in before}
    if isinstance(new, dict):
        new["data"] = {
            key: "(a value)" if value == before.get(key) else "(another value)" for key, value in after.items()
        }
    return old, new
