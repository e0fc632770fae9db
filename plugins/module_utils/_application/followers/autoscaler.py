# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""HorizontalPodAutoscalers: one that goes with the live color, or one for each.

Whose target is patched keeps what it has recommended in the last five minutes, so that the new color is not shrunk
(https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/podautoscaler/horizontal.go, stabilizeRecommendation).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import (
    Aim,
    Edit,
    Follower,
    Found,
    There,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KIND = "HorizontalPodAutoscaler"
GROUP = "autoscalers"
LEAST = PREFIX + "least"  # on one of a color's own: its lower bound before a release changed it


class Autoscaler(Follower):
    """What scales a color. The names of its fields, and their defaults, are its kind's."""

    kind = KIND
    group = GROUP
    least = ("minReplicas", 1)
    most = ("maxReplicas", 1)

    @property
    def bound(self) -> int:
        """The lower bound as it is to be when no release goes on."""
        return int(self.annotation(LEAST) or self._field(self.least))

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        if not self.apart:
            return self._follow(app, aim)
        if aim.stage == "deploy":
            return self._pin(app) if self.color == aim.color else []
        return self._settle(aim) if aim.stage == "scale_down" else []

    def _follow(self, app: Application, aim: Aim) -> list[Edit]:
        """The only one scales whatever is live; what is idle is scaled by nobody."""
        if aim.stage == "deploy":
            return []
        return self.edit(("spec", "scaleTargetRef", "name"), app.name_for(aim.color)) + self._bounded(self.bound)

    def _pin(self, app: Application) -> list[Edit]:
        """A new color has no load yet: its own autoscaler would shrink it before, and right after, its switch."""
        needed, most = app.strength(), self._field(self.most)
        if needed > most:
            raise BlueGreenError(
                f"{self.name_in_full} lets {self.color} have {most} pods at most, and the live color has {needed}.",
                "bad_input",
                next_step=f"Raise {self.most[0]} of {self.name} to that of the live color's.",
            )
        return self._bounded(max(needed, self.bound))

    def _settle(self, aim: Aim) -> list[Edit]:
        """The live color's own has its bound back; the idle one's must not keep more pods than it shall have.

        One whose Deployment has no pods rests by itself.
        """
        lowered = self.color != aim.color and 0 < aim.idle_replicas < self.bound
        return self._bounded(aim.idle_replicas if lowered else self.bound)

    def _bounded(self, least: int) -> list[Edit]:
        """With another lower bound, and a note of its own one as long as it is another."""
        path, note = ("spec", self.least[0]), str(self.bound) if least != self.bound else None
        return ([] if self._field(self.least) == least else self.edit(path, least)) + self.annotate(LEAST, note)

    def _field(self, name: tuple[str, int]) -> int:
        return int(self.item["spec"].get(*name))

    def left_alone(self, app: Application) -> list[str]:
        least = self._field(self.least)
        return [
            f"{self.name_in_full} scales {target_of(self.item)['name']}: while {self.color} is idle it is kept at {least} replicas "
            "or more, whatever bluegreen_idle_replicas says, and it may change a color that is being released."
        ]

    def about(self, app: Application) -> str:
        pods = f"{self._field(self.least)} to {self._field(self.most)} pods"
        own = "" if self._field(self.least) == self.bound else f", {self.bound} at least of its own"
        return f"scales {target_of(self.item)['name']} ({pods}{own})"


def read(cluster: Cluster, there: There) -> None:
    there.read(cluster, KIND)


def find(app: Application, there: There, found: Found) -> None:
    items = [item for item in there.items[KIND] if not of_keda(item)]
    found.pair(Autoscaler, by_color(app, items))


def target_of(item: Object) -> Any:
    return item["spec"]["scaleTargetRef"]


def of_keda(item: Object) -> bool:
    """Whether KEDA has made it, and would put back whatever is changed."""
    return any(owner["kind"] == "ScaledObject" for owner in item["metadata"].get("ownerReferences") or [])


def by_color(app: Application, items: list[Object]) -> dict[str, list[Object]]:
    """Those that scale the Deployment of each color."""
    found: dict[str, list[Object]] = {name: [] for name in app.names}
    names = {app.name_for(color): color for color in app.names}
    for item in items:
        target = target_of(item)
        if target.get("kind", "Deployment") == "Deployment" and target["name"] in names:
            found[names[target["name"]]].append(item)
    return found
