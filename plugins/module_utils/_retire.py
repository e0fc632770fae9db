# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Retire: end the idle color's life some time after the switch, if the live one has had no issue since."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _app, _kept, _scale, _wait
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict

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
        app = _app.read(cluster, params)
        try:
            result = _retire(app, params)
        except PatchConflict:
            continue
        progress(result["msg"])
        return result
    raise BlueGreenError(
        "Somebody else keeps changing Deployment {0}.".format(app.colors[app.idle].deployment_name),
        "conflict",
        next_step="Stop the other writer (an HPA? GitOps?), then run again.",
    )


def _retire(app, params):
    color = app.colors[app.idle]
    kept = _kept.name_of(app, color.name) if params["mode"] == "delete" or color.deployment is None else None
    result = {
        "changed": False,
        "color": color.name,
        "version": color.version,
        "retired": False,
        "due": False,
        "kept": None,
        "warnings": app.warnings,
    }
    manifest = _kept.read(app, color.name) if color.deployment is None else None
    if color.deployment is None and manifest is None:
        return dict(result, msg="There is no Deployment for {0}: nothing to retire.".format(color.name))
    newest = next(iter(app.state["history"]), {})
    if newest.get("outcome") == "running":
        text = "{0} stays: a {1} of {2} is under way since {3}, or was interrupted.".format(
            app.describe(color.name), newest.get("kind"), newest.get("by"), newest.get("started_at")
        )
        return dict(result, msg=text)
    moved = app.moved_at()
    if moved is None:
        text = "{0} stays: no switch is recorded, so nothing says since when it is idle.".format(color.name)
        return dict(result, msg=text)
    due = app.retires_at(params["after"])
    result["due_at"] = _app.to_second(due)
    if datetime.now(timezone.utc) < due:
        text = "{0} stays until {1}: a rollback goes back to it.".format(app.describe(color.name), result["due_at"])
        return dict(result, msg=text)
    result["issues"] = _issues(app, moved)
    if result["issues"]:
        text = "{0} stays, though it was due at {1}: the live color {2} has had issues since the switch: {3}.".format(
            color.name, result["due_at"], app.active, "; ".join(result["issues"])
        )
        return dict(result, msg=text)
    result["due"] = True
    if manifest:
        version = _app.Color(color.name, manifest, params["containers"]).version
        text = "{0} (version {1}) is retired already; Secret {2} keeps its manifest.".format(color.name, version, kept)
        return dict(result, retired=True, kept=kept, version=version, msg=text)
    if params["mode"] == "zero" and color.replicas == 0:
        return dict(result, retired=True, msg="{0} is retired already.".format(app.describe(color.name)))
    return dict(result, retired=True, **_end(app, color, params, kept))


def _issues(app, moved):
    """What the live color has had since the switch that somebody may still want to go back for.

    The Available condition changes whenever fewer pods are available than the strategy asks for:
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    live = app.color(app.active)
    available = _wait.holds(live.deployment, "Available")
    found = []
    if not available:
        found.append("Deployment {0} is not Available".format(live.deployment_name))
    elif _app.moment(available["lastTransitionTime"]) > moved + timedelta(seconds=CLOCKS_DIFFER):
        found.append(
            "Deployment {0} became Available again at {1}".format(live.deployment_name, available["lastTransitionTime"])
        )
    for pod in map(_wait.Pod, app.cluster.list("Pod", labelSelector=live.pod_selector)["items"]):
        if pod.terminating:
            continue
        if pod.restarts:
            found.append("pod {0} has restarted ({1})".format(pod.name, pod.state()))
        elif not pod.ready:
            found.append("pod {0} is not ready".format(pod.name))
    return found


def _end(app, color, params, kept):
    """Put the color at 0 replicas, or keep its manifest in a Secret and delete it.

    :raises PatchConflict: somebody changed it meanwhile.
    """
    if params["mode"] == "zero":
        scaled = _scale.set_replicas(app, color, 0, params["lock_id"])
        return {key: scaled[key] for key in ("changed", "diff", "msg")}
    app.fence(color.deployment, params["lock_id"])
    _kept.keep(app, color)
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
        "msg": "{0} (version {1}) {2} deleted; Secret {3} keeps its manifest.".format(
            color.deployment_name, color.version, "would be" if app.cluster.dry_run else "is", kept
        ),
    }
