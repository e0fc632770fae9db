# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Queue workers of an application: two Deployments NAME-COLOR each, without a Service, that go with the live color.

How many pods each is to have is decided from nothing but a fresh reading, so that a run that was killed in the middle is
finished by whoever comes next, and asking twice changes nothing. What a run puts at rest has a note of what it had; one
without pods and without that note was put there by somebody else, such as KEDA, and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import referred_configs
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers import (
    autoscaler,
    scaled_object,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import There
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    PREFIX,
    annotation,
    annotation_operations,
    escape,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import from_text
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

RESTS = PREFIX + "worker-replicas"  # on a Deployment that a run has put to 0: what it had
MODES = ("overlap", "gap")
CHECKS = ("command", "job", "prometheus")  # a worker serves nobody who could ask it
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True)
class Wanted:
    """A worker as the settings have it."""

    name: str
    mode: str = "overlap"
    checks: list[Object] = field(default_factory=list)


def parse(value: Any) -> tuple[list[Wanted], list[str]]:
    """``(the workers, what is wrong with them)``

    :param value: names, and dictionaries with ``name``, ``mode`` and ``checks``; or the text of such a list.
    """
    value = from_text(value, list)
    if not isinstance(value, list):
        return [], [f"it is a list of workers, not {value!r}"]
    wanted: list[Wanted] = []
    mistakes: list[str] = []
    for item in value:
        given = item if isinstance(item, Mapping) else {"name": item}
        name, mode = given.get("name"), given.get("mode") or MODES[0]
        checks = from_text(given.get("checks") or [], list)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            mistakes.append(f"a worker is a name, or a dictionary with one, not {item!r}")
            continue
        unknown = sorted(set(given) - {"name", "mode", "checks"})
        if unknown:
            mistakes.append(f"{name} knows no {unknown[0]!r}; it knows name, mode and checks")
        if mode not in MODES:
            mistakes.append(f"the mode of {name} is {' or '.join(MODES)}, not {mode!r}")
        if not isinstance(checks, list) or not all(isinstance(check, Mapping) for check in checks):
            mistakes.append(f"the checks of {name} are a list of dictionaries")
        elif not all(any(kind in check for kind in CHECKS) for check in checks):
            mistakes.append(f"a check of {name} is one by {', '.join(CHECKS)}")
        elif name in (one.name for one in wanted):
            mistakes.append(f"{name} is named twice")
        else:
            wanted.append(Wanted(name, mode, [dict(check) for check in checks]))
    return wanted, mistakes


@dataclass(frozen=True)
class Scaling:
    """That a color of a worker gets so many pods.

    ``had`` is noted on what is put at rest; ``None`` takes the note away.
    """

    color: Color
    replicas: int
    had: int | None = None

    def operations(self) -> Patch:
        deployment = self.color.deployment
        made: Patch = [
            {"op": "test", "path": "/metadata/uid", "value": deployment["metadata"]["uid"]},
            {"op": "test", "path": "/spec/replicas", "value": self.color.replicas},
            {"op": "replace", "path": "/spec/replicas", "value": self.replicas},
        ]
        if self.had is not None:
            return made + annotation_operations(deployment, RESTS, str(self.had))
        noted = annotation(deployment, RESTS) is not None
        return made + ([{"op": "remove", "path": "/metadata/annotations/" + escape(RESTS)}] if noted else [])


class Worker:
    """A worker as it was read.

    ``app``  the application by the worker's Deployments
    """

    def __init__(self, app: Application, wanted: Wanted, containers: list[str]) -> None:
        self.name, self.mode, self.checks = wanted.name, wanted.mode, wanted.checks
        self.app = app.of_worker(wanted.name, containers)

    def color(self, name: str) -> Color:
        """:raises BlueGreenError: it has no Deployment, except in a plan, where what makes one was only planned."""
        return self.app.planned(name)

    def strength(self, name: str) -> int:
        """How many pods a color has, or had before a run put it at rest."""
        color = self.app.colors[name]
        return color.replicas or _rests(color) or 0

    def needed(self, name: str, way_back: bool = False) -> int:
        """How many pods a color is to have when it becomes live; one at least, so that it is seen to start.

        That is what the other one has now, and on the way back what the color had itself.
        """
        other = self.strength(self.app.other(name))
        own = (self.strength(name) or self._recorded(name)) if way_back else 0
        return max(own or other, 1)

    def _recorded(self, name: str) -> int:
        """What the history says that a color had when it was left; 0 when it says nothing."""
        left = (entry for entry in self.app.state["history"] if entry.get("switched_at"))
        found = (entry.get("workers") or {} for entry in left if entry.get("from_color") == name)
        return int((next(found, {}).get(self.name) or {}).get("replicas") or 0)

    def reserved(self, name: str, way_back: bool = False) -> list[Scaling]:
        """What notes on a color, before none works, what it is to have: should it become live without having begun."""
        color = self.color(name)
        return [] if color.replicas or _rests(color) else [Scaling(color, 0, self.needed(name, way_back))]

    def inherited(self, name: str) -> list[Scaling]:
        """What notes on a color that is live and has not begun, before the other one rests, that it is to work as that did."""
        color, other = self.color(name), self.app.colors[self.app.other(name)].replicas
        return [Scaling(color, 0, other)] if other and not color.replicas and not _rests(color) else []

    def rested(self, name: str) -> list[Scaling]:
        """What puts a color at rest."""
        color = self.color(name)
        return [Scaling(color, 0, color.replicas)] if color.replicas else []

    def begun(self, name: str, way_back: bool = False) -> list[Scaling]:
        """What lets a color begin before it is live."""
        color, needed = self.color(name), self.needed(name, way_back)
        return [Scaling(color, needed)] if color.replicas < needed else []

    def resumed(self, name: str) -> list[Scaling]:
        """What lets a color work that is live: only what a run has put at rest, or what works as the other color."""
        color = self.color(name)
        had = _rests(color) or self.app.colors[self.app.other(name)].replicas
        return [Scaling(color, had)] if not color.replicas and had else []

    @property
    def lags(self) -> bool:
        """Whether an interrupted run, or somebody else, has left it otherwise than it is to be when nothing goes on."""
        live, idle = self.app.live, self.app.colors[self.app.idle]
        return bool(idle.replicas or live.deployment and not live.replicas and _rests(live))

    def summary(self) -> Object:
        return {
            "name": self.name,
            "mode": self.mode,
            "lags": self.lags,
            "colors": {name: color.summary() for name, color in self.app.colors.items()},
        }


def _rests(color: Color) -> int | None:
    """What a color had before a run put it at rest; ``None`` when no run has."""
    text = str(annotation(color.deployment, RESTS) or "") if color.deployment else ""
    return int(text) if text.isdecimal() else None


def summaries(app: Application, wanted: Iterable[Wanted], containers: list[str]) -> list[Object]:
    """What a run is planned on, and ``status`` shows."""
    return [Worker(app, item, containers).summary() for item in wanted]


def deployments_of(app: Application, names: Iterable[str]) -> list[Object]:
    """Those that there are of workers, of both colors."""
    found = (app.there.get(f"{name}-{color}") for name in names for color in app.names)
    return [item for item in found if item]


def recorded(app: Application, names: Iterable[str], color: str, containers: list[str]) -> Object:
    """What the history shall say of the workers of the color that is left: what a way back needs."""
    found = {name: Worker(app, Wanted(name), containers) for name in names}
    return {
        name: {"replicas": worker.strength(color), "template_hash": worker.app.colors[color].template_hash}
        for name, worker in found.items()
        if worker.app.colors[color].deployment
    }


def scaled_by_others(app: Application, wanted: Iterable[Wanted], there: There) -> list[str]:
    """A warning about each autoscaler of a worker."""
    names = {f"{item.name}-{color}" for item in wanted for color in app.names}
    return [
        f"{kind} {item['metadata']['name']} scales {target}, a worker: it does not go with the live color, and one of KEDA's "
        "starts what is to rest. Pause that for a release."
        for kind in (autoscaler.KIND, scaled_object.KIND)
        for item in there.items.get(kind, [])
        for target in [((item.get("spec") or {}).get("scaleTargetRef") or {}).get("name")]
        if target in names and not autoscaler.of_keda(item)
    ]


def refuse_missing(app: Application, wanted: Iterable[Wanted], containers: list[str], create_missing: bool) -> None:
    """:raises BlueGreenError: a worker has no Deployment, and none is to be made."""
    for item in wanted:
        worker = Worker(app, item, containers)
        worker.app.color(app.active)
        if not create_missing:
            worker.app.color(app.idle)


def refuse_split(app: Application) -> None:
    """:raises BlueGreenError: the Services select both colors, so that nobody can tell which workers are to run."""
    if app.pending:
        raise BlueGreenError(
            "The workers stay as they are: the Services select both colors.",
            "contradiction",
            why=[f"{name}: {selector[app.label]}" for name, selector in app.selectors().items()],
            next_step="Run rollback.yml: it puts all Services on one color, and the workers with them.",
        )


def configs_of_workers(app: Application, names: Iterable[str], configs: Iterable[str]) -> list[str]:
    """Those of the configs that a worker refers to, by whatever hash."""
    colors = (color for name in names for color in app.of_worker(name, []).colors.values() if color.deployment)
    found = referred_configs(color.deployment for color in colors)
    return [config for config in configs if config in found]
