# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""ScaledObjects of KEDA: one that goes with the live color, or one for each, of which the idle one's is paused.

https://keda.sh/docs/2.20/concepts/scaling-deployments/
"""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers import autoscaler
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import (
    Aim,
    Edit,
    Found,
    There,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX

KIND = "ScaledObject"
GROUP = autoscaler.GROUP
PAUSED = "autoscaling.keda.sh/paused-replicas"  # its mere presence pauses
OURS = PREFIX + "paused"  # the pause is ours to end


class ScaledObject(autoscaler.Autoscaler):
    kind = KIND
    least = ("minReplicaCount", 0)
    most = ("maxReplicaCount", 100)

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        """Its queue is seen by both colors' ones, so that the idle one's would scale as well."""
        if not self.apart or aim.stage == "switch":
            return super().edits(app, aim)
        if aim.stage == "scale_down":
            return self._bounded(self.bound) + self._paused(aim.idle_replicas if self.color != aim.color else None)
        return super().edits(app, aim) + (self._paused(None) if self.color == aim.color else [])

    def _paused(self, replicas: int | None) -> list[Edit]:
        """Kept at so many pods, or not any more; what somebody else has paused stays so."""
        if self.annotation(PAUSED) is not None and self.annotation(OURS) is None:
            return []
        text = None if replicas is None else str(replicas)
        return self.annotate(PAUSED, text) + self.annotate(OURS, None if text is None else "true")


def read(cluster: Cluster, there: There) -> None:
    """Only where KEDA is at work: nobody else has to be allowed to read them."""
    there.items[KIND] = []
    if any(autoscaler.of_keda(item) for item in there.items[autoscaler.KIND]):
        there.read(cluster, KIND)


def find(app: Application, there: There, found: Found) -> None:
    found.pair(ScaledObject, autoscaler.by_color(app, there.items[KIND]))
