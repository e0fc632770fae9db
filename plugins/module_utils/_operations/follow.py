# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Follow: let what belongs to the application, autoscalers, disruption budgets and CronJobs, go with the live color."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import STAGES, Aim
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import wanted_images
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import again
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CRONJOBS, FOLLOW, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_follow"

ARGUMENTS = dict(
    APPLICATION,
    stage={"type": "str", "required": True, "choices": list(STAGES)},
    color={"type": "str"},
    idle_replicas={"type": "int", "default": 1},
    follow=dict(FOLLOW, default=list(followers.GROUPS)),
    cronjobs=CRONJOBS,
    version={"type": "raw"},
    image={"type": "str"},
    **LOCK,
)

DURATIONS = ("api_timeout",)

KEEPS_LOCK = True

RETURNS: Object = {"color": None, "followers": [], "diff": {}}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    result = again(
        lambda: _follow(cluster, params),
        f"Somebody else keeps changing what follows the live color in namespace {cluster.namespace!r}.",
        "Stop the other writer (GitOps?), then run again.",
    )
    if result["changed"]:
        progress(result["msg"])
    return result


def _follow(cluster: Cluster, params: Params) -> Object:
    app, found = followers.read(cluster, params, params["follow"], params["cronjobs"])
    color = _color(app, params)
    there = [follower.summary(app) for follower in found.followers]
    aim = Aim(params["stage"], color, params["idle_replicas"], _images(app, color, params))
    changes = followers.converge(app, found, aim, params["lock_id"])
    return {
        "changed": bool(changes),
        "color": color,
        "followers": there,
        "warnings": app.warnings + found.mistakes,
        **followers.told(cluster, changes),
    }


def _images(app: Application, color: str, params: Params) -> dict[str, str]:
    """Those that the color is planned to be live with."""
    there, version, image = app.colors[color], params["version"], params["image"]
    if not app.cluster.dry_run or color == app.active:
        return {}
    if there.version == version or not (version or image):
        return {item["name"]: item["image"] for item in there.containers}
    return wanted_images(app.live, there, version, image)


def _color(app: Application, params: Params) -> str:
    """The color that is released, or live; which of both it is, is what the Services select, except in a plan.

    :raises BlueGreenError: the color that is named is not it.
    """
    released = params["stage"] == "deploy"
    now = app.idle if released else app.active
    color = params["color"] or now
    if color not in app.names:
        app.color(color)
    if color != now and not app.cluster.dry_run:
        raise BlueGreenError(
            f"{color} is {'live' if released else 'not live'}, so nothing is made to {'let it be released' if released else 'follow it'}.",
            "live" if released else "changed_selector",
            why=[f"Service {name} selects {selector[app.label]}" for name, selector in app.selectors().items()],
            next_step="Make sure that the Services select what they shall, then run again.",
        )
    return color
