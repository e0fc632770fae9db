# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Wait: watch the rollout of a color until every pod of the new template is available, or until it cannot become so."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import read_application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import wait_ready
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_wait"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    timeout={"type": "raw", "default": 300},
    template_hash={"type": "str"},
    way_back={"type": "bool", "default": False},
    **LOCK,
)

DURATIONS = ("api_timeout", "timeout")

KEEPS_LOCK = True

RETURNS: Object = {"ready": False, "color": None, "elapsed": None, "pods": []}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    app = read_application(cluster, params)
    color = app.planned(params["color"] or app.idle)
    if cluster.dry_run:
        return {
            "color": color.name,
            "msg": f"Would wait up to {params['timeout']:.0f} s for {color.deployment_name or color.name}.",
        }
    back = app.strength_before(color.name) if params["way_back"] else 0
    return wait_ready(app, color, params["timeout"], progress, back, params["template_hash"])
