# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Scale: set the number of pods of a color that is not live."""

from __future__ import annotations

import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import set_replicas
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import again
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_scale"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    replicas={"type": "int", "required": True},
    delay={"type": "raw", "default": 0},
    elapsed={"type": "float", "default": 0},
    assume_active={"type": "str"},
    **LOCK,
)

DURATIONS = ("api_timeout", "delay")

KEEPS_LOCK = True

RETURNS: Object = {"color": None, "replicas": None, "previous_replicas": None, "diff": {}}

HEARTBEAT = 10  # seconds between progress lines


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    if params["replicas"] < 0:
        raise BlueGreenError(
            f"replicas must be 0 or more, not {params['replicas']}.", "bad_input", next_step="Give 0 or more."
        )
    app = read_application(cluster, params)
    name = _target(app, params)
    if app.color(name).replicas != params["replicas"] and not cluster.dry_run:
        _wait(cluster, params["delay"] - params["elapsed"], name, app.color(name).replicas, progress)
    return again(
        lambda: _scale(cluster, params),
        f"Somebody else keeps changing Deployment {app.color(name).deployment_name}.",
        "Stop the other writer (an HPA? GitOps?), then run again.",
    )


def _scale(cluster: Cluster, params: Params) -> Object:
    app = read_application(cluster, params)  # after the delay: another run may have switched back meanwhile
    return set_replicas(app, app.color(_target(app, params)), params["replicas"], params["lock_id"])


def _target(app: Application, params: Params) -> str:
    """The color to scale, which must not be live."""
    active = app.active
    if app.cluster.dry_run and params["assume_active"]:
        active = params["assume_active"]  # a switch that was only planned has not happened
    name = params["color"] or app.other(active)
    if name == active or (name == app.active and not app.cluster.dry_run):
        app.refuse_live(app.active, "scaling it")
    return name


def _wait(cluster: Cluster, delay: float, name: str, replicas: int, progress: Progress) -> None:
    end = time.monotonic() + delay
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return
        progress(f"{name} keeps its {replicas} pods for {left:.0f} s more")
        cluster.sleep(min(left, HEARTBEAT))
