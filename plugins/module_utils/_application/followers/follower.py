# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""One follower: an object that goes with the live color, and the changes that make it what it is to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import annotation, escape
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

STAGES = ("deploy", "switch", "scale_down")


@dataclass(frozen=True)
class Aim:
    """What followers are to be.

    ``stage``          ``deploy``: before a color is released, ``switch``: after the Services', ``scale_down``: before the
                       color that is idle now becomes small, and whenever nothing goes on any more
    ``color``          the one that is released, or live
    ``idle_replicas``  how many pods the idle color keeps
    ``images``         of the color, by container, where they are planned and not deployed
    ``settled``        whether what controllers were doing before our last write has come to its end
    """

    stage: str
    color: str
    idle_replicas: int
    images: Mapping[str, str] = field(default_factory=dict)
    settled: bool = True


@dataclass(frozen=True)
class Edit:
    """One field that is to be another; ``None`` stands for one that is not there."""

    path: tuple[str, ...]
    old: Any
    new: Any


def operations_of(edits: list[Edit], item: Object) -> Patch:
    """As JSON Patch, which goes through only while each field is what was read."""
    made: Patch = []
    if not item["metadata"].get("annotations") and any(edit.path[1] == "annotations" for edit in edits):
        made.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    for edit in edits:
        pointer = "".join("/" + escape(step) for step in edit.path)
        if edit.old is not None:
            made.append({"op": "test", "path": pointer, "value": edit.old})
        verb = "add" if edit.old is None else "remove" if edit.new is None else "replace"
        made.append({"op": verb, "path": pointer, **({} if edit.new is None else {"value": edit.new})})
    return made


class Follower:
    """An object of the application, as it was read.

    ``color``  that it is about now
    ``apart``  whether each color has one of its own, else it is the only one
    ``parts``  of the object that are written, the main one and subresources
    """

    kind = ""
    group = ""
    parts: tuple[str, ...] = ("",)

    def __init__(self, item: Object, color: str, apart: bool) -> None:
        self.item = item
        self.color = color
        self.apart = apart
        self.name: str = item["metadata"]["name"]

    @property
    def name_in_full(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def stages(self) -> tuple[str, ...]:
        """Before ``scale_down``, in which something may become of it."""
        return ("deploy",) if self.apart else ("switch",)

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        """What is to be changed next, in one part of it; nothing where all is as it is to be.

        :raises BlueGreenError: it does not let the color be what the release needs.
        """
        raise NotImplementedError

    def about(self, app: Application) -> str:
        """In words, what it does now."""
        raise NotImplementedError

    def left_alone(self, app: Application) -> list[str]:
        """What people should know when it does not go with the live color; one sentence, or nothing."""
        raise NotImplementedError

    def running(self, app: Application) -> list[str]:
        """What of the idle color has not come to its end."""
        return []

    def summary(self, app: Application) -> Object:
        return {
            "kind": self.kind,
            "name": self.name,
            "color": self.color,
            "apart": self.apart,
            "stages": list(self.stages),
            "about": self.about(app),
        }

    def edit(self, path: tuple[str, ...], new: Any) -> list[Edit]:
        """A field that is to have a value, if it has another one; ``None`` lets it go."""
        old: Any = self.item
        for step in path:
            old = (old or {}).get(step)
        return [] if old == new else [Edit(path, old, new)]

    def annotation(self, key: str) -> str | None:
        return annotation(self.item, key)

    def annotate(self, key: str, text: str | None) -> list[Edit]:
        return self.edit(("metadata", "annotations", key), text)


@dataclass
class There:
    """All objects of the kinds that can follow, whosever they are, by kind; and what people should know of the reading.

    ``cronjobs``  the names that somebody has given
    ``mistakes``  for which a release is refused
    """

    cronjobs: list[str] = field(default_factory=list)
    items: dict[str, list[Object]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def read(self, cluster: Cluster, kind: str, told: list[str] | None = None) -> None:
        """None, and a warning, where they may not be read: their absence is then not known."""
        try:
            self.items[kind] = list(cluster.list(kind)["items"])
        except ApiError as error:
            if error.status != 403:
                raise
            self.items[kind] = []
            (self.warnings if told is None else told).append(f"{kind}s were not looked at: {error.what}")


@dataclass
class Found:
    """What was found: the followers, and what people should know of those that are left alone.

    ``mistakes``  for which a release is refused
    ``again``     makes a fresh reading of the same
    """

    again: Callable[[], tuple[Application, Found]]
    followers: list[Follower] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    there: There = field(default_factory=There)
    mistakes: list[str] = field(default_factory=list)

    def pair(self, made: type[Follower], by_color: Mapping[str, list[Object]]) -> None:
        """Take the one that there is, or the one of each color.

        :param by_color: the objects that are about each color.
        """
        counts = sorted(len(items) for items in by_color.values())
        if counts[-1] > 1:
            names = ", ".join(sorted(item["metadata"]["name"] for items in by_color.values() for item in items))
            self.warnings.append(
                f"Several {made.kind}s are about the same color: {names}. They are left alone; one for the application, or "
                "one for each color, would go with the release."
            )
            return
        self.followers += [made(items[0], color, counts[0] == 1) for color, items in by_color.items() if items]


@dataclass(frozen=True)
class Change:
    """What became of one follower."""

    follower: Follower
    edits: list[Edit]

    @property
    def header(self) -> str:
        return self.follower.name_in_full

    @property
    def words(self) -> str:
        fields = ", ".join(f"{edit.path[-1]} {_text(edit.old)} -> {_text(edit.new)}" for edit in self.edits)
        return f"{self.header}: {fields}"


def _text(value: Any) -> str:
    return "(none)" if value is None else str(value)
