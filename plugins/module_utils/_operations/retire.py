# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Retire: end the idle color's life some time after the switch, if the live one has had no issue since."""

from __future__ import annotations

import functools

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import keep
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import set_replicas
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import again, as_read, diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CRONJOBS, FOLLOW, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.retirement import LOOKS_AGAIN, verdict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_retire"

ARGUMENTS = dict(
    APPLICATION,
    after={"type": "raw", "default": "24h"},
    mode={"type": "str", "choices": ["zero", "delete"], "default": "zero"},
    follow=dict(FOLLOW, default=[]),
    cronjobs=CRONJOBS,
    **LOCK,
)

DURATIONS = ("api_timeout", "after")

KEEPS_LOCK = True

RETURNS: Object = {
    "color": None,
    "version": None,
    "retired": None,
    "due": None,
    "due_at": None,
    "kept": None,
    "issues": [],
    "diff": {},
}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    result = again(
        lambda: _retire(*followers.read(cluster, params, params["follow"], params["cronjobs"]), params),
        f"Somebody else keeps changing the idle Deployment in namespace {cluster.namespace!r}.",
        "Stop the other writer (an HPA? GitOps?), then run again.",
    )
    progress(result["msg"])
    return result


def _retire(app: Application, found: followers.Found, params: Params) -> Object:
    running = followers.running(app, found)
    result = verdict(app, params["after"], params["mode"], params["containers"], running)
    if not result["changed"]:
        return result
    # What scales it must not scale it up again.
    followers.converge(app, found, followers.Aim("scale_down", app.active, 0), params["lock_id"])
    return dict(result, retired=True, **_end(app, app.colors[app.idle], params, result["kept"]))


def _refuse_undue(cluster: Cluster, params: Params) -> None:
    """What the color's end was decided on may be old by now.

    :raises BlueGreenError: it is not due any more.
    """
    app, found = followers.read(cluster, params, params["follow"], params["cronjobs"])
    due = verdict(app, params["after"], params["mode"], params["containers"], followers.running(app, found))
    if not due["due"]:
        raise BlueGreenError(due["msg"], "not_due", next_step=LOOKS_AGAIN)


def _end(app: Application, color: Color, params: Params, kept: str | None) -> Object:
    """Put the color at 0 replicas, or keep its manifest in a Secret and delete it.

    :raises PatchConflict: somebody changed it meanwhile.
    """
    look = functools.partial(_refuse_undue, app.cluster, params)
    if params["mode"] == "zero":
        scaled = set_replicas(app, color, 0, params["lock_id"], look)
        return {key: scaled[key] for key in ("changed", "diff", "msg")}
    app.fence(color.deployment, params["lock_id"])
    keep(app, color)
    look()  # writing the Secret took its time
    # A takeover stamps the Deployment, which makes it another version: then this is refused.
    app.cluster.delete("Deployment", color.deployment_name, as_read(color.deployment), look=look)
    return {
        "changed": True,
        "kept": kept,
        "diff": diff("Deployment " + color.deployment_name, {"replicas": color.replicas}, {"replicas": "(deleted)"}),
        "msg": f"{color.deployment_name} (version {color.version}) {'would be' if app.cluster.dry_run else 'is'} deleted; Secret {kept} keeps its manifest.",
    }
