# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Retire: end the idle color's life some time after the switch, if the live one has had no issue since."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Color,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import keep, kept_name, read_kept
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import set_replicas
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, holds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, to_second

NAME = "bg_retire"

ARGUMENTS = dict(
    APPLICATION,
    after={"type": "raw", "default": "24h"},
    mode={"type": "str", "choices": ["zero", "delete"], "default": "zero"},
    **LOCK,
)

DURATIONS = ("api_timeout", "after")

KEEPS_LOCK = True

RETURNS = {
    "color": None,
    "version": None,
    "retired": None,
    "due": None,
    "due_at": None,
    "kept": None,
    "issues": [],
    "diff": {},
}

TRIES = 5

# Seconds. The switch is recorded by the clock of the machine that releases, a condition by the cluster's.
CLOCKS_DIFFER = 60


def run(params, cluster, progress):
    for _attempt in range(TRIES):
        app = read_application(cluster, params)
        try:
            result = _retire(app, params)
        except PatchConflict:
            continue
        progress(result["msg"])
        return result
    raise BlueGreenError(
        f"Somebody else keeps changing Deployment {app.colors[app.idle].deployment_name}.",
        "conflict",
        next_step="Stop the other writer (an HPA? GitOps?), then run again.",
    )


def _retire(app, params):
    color = app.colors[app.idle]
    kept = kept_name(app, color.name) if params["mode"] == "delete" or color.deployment is None else None
    result = {
        "changed": False,
        "color": color.name,
        "version": color.version,
        "retired": False,
        "due": False,
        "kept": None,
        "warnings": app.warnings,
    }
    manifest = read_kept(app, color.name) if color.deployment is None else None
    if color.deployment is None and manifest is None:
        return dict(result, msg=f"There is no Deployment for {color.name}: nothing to retire.")
    newest = next(iter(app.state["history"]), {})
    if newest.get("outcome") == "running":
        text = (
            f"{app.describe(color.name)} stays: a {newest.get('kind')} of {newest.get('by')} is under way since "
            f"{newest.get('started_at')}, or was interrupted."
        )
        return dict(result, msg=text)
    moved = app.moved_at()
    if moved is None:
        text = f"{color.name} stays: no switch is recorded, so nothing says since when it is idle."
        return dict(result, msg=text)
    due = app.retires_at(params["after"])
    result["due_at"] = to_second(due)
    if datetime.now(timezone.utc) < due:
        text = f"{app.describe(color.name)} stays until {result['due_at']}: a rollback goes back to it."
        return dict(result, msg=text)
    result["issues"] = _issues(app, moved)
    if result["issues"]:
        text = "{0} stays, though it was due at {1}: the live color {2} has had issues since the switch: {3}.".format(
            color.name, result["due_at"], app.active, "; ".join(result["issues"])
        )
        return dict(result, msg=text)
    result["due"] = True
    if manifest:
        version = Color(color.name, manifest, params["containers"]).version
        text = f"{color.name} (version {version}) is retired already; Secret {kept} keeps its manifest."
        return dict(result, retired=True, kept=kept, version=version, msg=text)
    if params["mode"] == "zero" and color.replicas == 0:
        return dict(result, retired=True, msg=f"{app.describe(color.name)} is retired already.")
    return dict(result, retired=True, **_end(app, color, params, kept))


def _issues(app, moved):
    """What the live color has had since the switch that somebody may still want to go back for.

    The Available condition changes whenever fewer pods are available than the strategy asks for:
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    live = app.color(app.active)
    available = holds(live.deployment, "Available")
    found = []
    if not available:
        found.append(f"Deployment {live.deployment_name} is not Available")
    elif moment(available["lastTransitionTime"]) > moved + timedelta(seconds=CLOCKS_DIFFER):
        found.append(f"Deployment {live.deployment_name} became Available again at {available['lastTransitionTime']}")
    for pod in map(Pod, app.cluster.list("Pod", labelSelector=live.pod_selector)["items"]):
        if pod.terminating:
            continue
        if pod.restarts:
            found.append(f"pod {pod.name} has restarted ({pod.state()})")
        elif not pod.ready:
            found.append(f"pod {pod.name} is not ready")
    return found


def _end(app, color, params, kept):
    """Put the color at 0 replicas, or keep its manifest in a Secret and delete it.

    :raises PatchConflict: somebody changed it meanwhile.
    """
    if params["mode"] == "zero":
        scaled = set_replicas(app, color, 0, params["lock_id"])
        return {key: scaled[key] for key in ("changed", "diff", "msg")}
    app.fence(color.deployment, params["lock_id"])
    keep(app, color)
    metadata = color.deployment["metadata"]
    # A takeover stamps the Deployment, which makes it another version: then this is refused.
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    app.cluster.delete("Deployment", color.deployment_name, preconditions)
    header = "Deployment " + color.deployment_name
    return {
        "changed": True,
        "kept": kept,
        "diff": {
            "before_header": header,
            "after_header": header,
            "before": {"replicas": color.replicas},
            "after": {"replicas": "(deleted)"},
        },
        "msg": f"{color.deployment_name} (version {color.version}) {'would be' if app.cluster.dry_run else 'is'} deleted; Secret {kept} keeps its manifest.",
    }
