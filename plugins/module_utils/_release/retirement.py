# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Whether the old color's life is to end now: some time after the switch, if the live color has had no issue since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import (
    live_since_last_switch,
    moved_at,
    prepared,
    retires_at,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_name, read_kept
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, holds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, to_second
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# Seconds. The switch is recorded by the clock of the machine that releases, a condition by the cluster's.
CLOCKS_DIFFER = 60

LOOKS_AGAIN = "Nothing is to be done: retire.yml looks again when it runs the next time."


def verdict(
    app: Application, after: float, mode: str, containers: list[str], running: Iterable[str] = ()
) -> dict[str, Any]:
    """Whether the idle color is to be retired now, and if not, why; the result keys of ``bg_retire``.

    ``changed`` says whether there is something to do. Nothing is changed here.

    :param running: what of it has not come to its end.
    """
    color = app.colors[app.idle]
    kept = kept_name(app, color.name) if mode == "delete" or color.deployment is None else None
    result: Object = {
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
    if app.pending:
        return dict(result, msg=f"{color.name} stays: a switch to {app.pending} was interrupted.")
    newest: dict[str, Any] = next(iter(app.state["history"]), {})
    if newest.get("outcome") == "running":
        text = (
            f"{app.describe(color.name)} stays: a {newest.get('kind')} of {newest.get('by')} is under way since "
            f"{newest.get('started_at')}, or was interrupted."
        )
        return dict(result, msg=text)
    ready = prepared(app.state["history"])
    if ready and (ready["color"], ready["template_hash"]) == (color.name, color.template_hash):
        return dict(
            result, msg=f"{app.describe(color.name)} stays: {ready['version']} is prepared there, to be promoted."
        )
    moved, due = moved_at(app.state["history"]), retires_at(app.state["history"], after)
    if moved is None or due is None:
        text = f"{color.name} stays: no switch is recorded, so nothing says since when it is idle."
        return dict(result, msg=text)
    if live_since_last_switch(app.state["history"]) not in (None, app.active):
        text = f"{app.describe(color.name)} stays: {app.active} was made live by hand, so nothing says since when."
        return dict(result, msg=text)
    result["due_at"] = to_second(due)
    if datetime.now(timezone.utc) < due:
        text = f"{app.describe(color.name)} stays until {result['due_at']}: a rollback goes back to it."
        return dict(result, msg=text)
    result["issues"] = _issues(app, moved)
    if result["issues"]:
        text = (
            f"{color.name} stays, though it was due at {result['due_at']}: the live color {app.active} has had issues since "
            f"the switch: {'; '.join(result['issues'])}."
        )
        return dict(result, msg=text)
    if running:
        text = f"{color.name} stays, though it was due at {result['due_at']}: {', '.join(running)} of it still runs."
        return dict(result, msg=text)
    result["due"] = True
    if manifest:
        version = Color(color.name, manifest, containers).version
        text = f"{color.name} (version {version}) is retired already; Secret {kept} keeps its manifest."
        return dict(result, retired=True, kept=kept, version=version, msg=text)
    if mode == "zero" and color.replicas == 0:
        return dict(result, retired=True, msg=f"{app.describe(color.name)} is retired already.")
    return dict(
        result,
        changed=True,
        kept=kept,
        msg=f"{app.describe(color.name)} is due to be retired since {result['due_at']}.",
    )


def _issues(app: Application, moved: datetime) -> list[str]:
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
    for pod in map(Pod, live.own(app.cluster.list("Pod", labelSelector=live.pod_selector)["items"])):
        if pod.terminating:
            continue
        if pod.restarts:
            found.append(f"pod {pod.name} has restarted ({pod.state()})")
        elif not pod.ready:
            found.append(f"pod {pod.name} is not ready")
    return found
