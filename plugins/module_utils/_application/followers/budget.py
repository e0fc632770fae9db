# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""PodDisruptionBudgets: one that protects whatever is live, or one for each color.

More than one for the same pod makes every eviction of it fail, so none is ever made
(https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/registry/core/pod/storage/eviction.go).
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
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import matches
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KIND = "PodDisruptionBudget"
GROUP = "budgets"


class Budget(Follower):
    kind = KIND
    group = GROUP

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        if self.apart or aim.stage == "deploy":
            return []
        return self.edit(("spec", "selector", "matchLabels", app.label), aim.color)

    def left_alone(self, app: Application) -> list[str]:
        if self.apart:
            return []
        return [f"{self.name_in_full} protects {self.color} only, whatever is live."]

    def about(self, app: Application) -> str:
        return f"protects the pods of {self.color} ({self.bound})"

    @property
    def bound(self) -> str:
        spec = self.item["spec"]
        return next((f"{name} {spec[name]}" for name in ("minAvailable", "maxUnavailable") if name in spec), "no bound")


def read(cluster: Cluster, there: There) -> None:
    there.read(cluster, KIND)


def find(app: Application, there: There, found: Found) -> None:
    alone: dict[str, list[Object]] = {name: [] for name in app.names}
    for item in there.items[KIND]:
        covered = [color for color in app.names if matches(item["spec"].get("selector") or {}, _labels(app, color))]
        if len(covered) == len(app.names):
            name = item["metadata"]["name"]
            found.warnings.append(
                f"PodDisruptionBudget {name} covers the pods of both colors: the idle color's pods count, so the live ones are "
                f"protected less than it says, and while new pods start none may be evicted. Put {app.label} into its selector: "
                "then it follows the live color."
            )
        elif covered:
            alone[covered[0]].append(item)
    found.pair(Budget, alone)
    kept = []
    for follower in found.followers:
        if isinstance(follower, Budget) and not follower.apart and not _names_color(app, follower.item):
            found.warnings.append(
                f"PodDisruptionBudget {follower.name} protects {follower.color} by other labels than {app.label}, so it cannot "
                "follow the live color, and is left alone."
            )
            continue
        kept.append(follower)
    found.followers = kept


def blocking_drains(followers: list[Follower], idle_replicas: int) -> list[str]:
    """Warnings about budgets that let none of the few pods go that the idle color has: drains of their nodes hang."""
    texts = []
    for follower in followers:
        if isinstance(follower, Budget) and follower.apart and _keeps_all(follower.item["spec"], idle_replicas):
            texts.append(
                f"PodDisruptionBudget {follower.name} ({follower.bound}) lets no pod of {follower.color} go while that is idle with "
                f"{idle_replicas}: a drain of its node waits for ever. Let it say maxUnavailable: 1, or have one budget for "
                "the application, which follows the live color."
            )
    return texts


def _keeps_all(spec: Object, replicas: int) -> bool:
    if replicas < 1:
        return False
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is not None:
        return str(most) in ("0", "0%")
    if isinstance(least, str):
        return -(-replicas * int(least.rstrip("%")) // 100) >= replicas  # rounded up, as the controller does
    return least is not None and int(least) >= replicas


def _labels(app: Application, color: str) -> dict[str, Any]:
    """Of a color's pods; one that has no Deployment gets them after the live one."""
    deployment = app.colors[color].deployment or app.live.deployment
    return {**(pod_labels(deployment) if deployment else {}), app.label: color}


def _names_color(app: Application, item: Object) -> bool:
    return app.label in ((item["spec"].get("selector") or {}).get("matchLabels") or {})
