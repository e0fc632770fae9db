# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Detect: what is live, what is idle, what was there before."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _app
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import APPLICATION
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._hazards import hazards

NAME = "bg_current_color"
ARGUMENTS = dict(APPLICATION, version={"type": "raw"}, image={"type": "str"})
DURATIONS = ("api_timeout",)
KEEPS_LOCK = False
RETURNS = {
    "active_color": None,
    "idle_color": None,
    "pending_color": None,
    "previous_color": None,
    "rollback_to": None,
    "colors": {},
    "selectors": {},
    "switched_at": None,
    "history": [],
    "summary": [],
    "wanted_image": None,
    "is_live": None,
}


def run(params, cluster, progress):
    app = _app.read(cluster, params)
    history, last = app.state["history"], app.last_switch()
    result = {
        "active_color": app.active,
        "idle_color": app.idle,
        "pending_color": app.pending,
        "previous_color": last["from_color"] if last and last["color"] == app.active else None,
        "rollback_to": app.rollback_to(),
        "colors": {name: color.summary() for name, color in app.colors.items()},
        "selectors": app.selectors(),
        "switched_at": last["switched_at"] if last else None,
        "history": history,
        "summary": _summary(app),
        "warnings": app.warnings + hazards(app),
        "msg": "{0} is live, {1} is idle.{2}".format(
            app.describe(app.active),
            app.describe(app.idle),
            " A switch to {0} was interrupted.".format(app.pending) if app.pending else "",
        ),
    }
    if params["version"] is not None or params["image"]:
        images = app.wanted_images(app.idle, params["version"], params["image"])
        result["wanted_image"] = next(iter(images.values()))
        result["is_live"] = app.is_live(images, params["version"])
    return result


def _summary(app):
    """What ``status`` shows: a line for each color, what a rollback would do, and the last releases."""
    rows = [("", "color", "version", "pods", "Deployment", "image")]
    for name in (app.active, app.idle):
        color = app.colors[name]
        rows.append(
            (
                "live" if name == app.active else "idle",
                name,
                color.version or "-",
                "{0}/{1} ready".format(color.ready, color.replicas),
                color.deployment_name or "(none)",
                color.image or "-",
            )
        )
    lines = _table(rows)
    target = app.rollback_to()
    if target is None:
        lines.append("rollback: nothing to go back to; rollback.yml -e version=X goes to X if the idle color has it")
    elif target["color"] == app.active:
        lines.append("rollback: gives up the release that was not finished; {0} stays live".format(app.active))
    else:
        ready = app.colors[target["color"]]
        short = app.live.replicas - ready.ready
        lines.append(
            "rollback: to {0} (version {1}), {2}".format(
                target["color"],
                target["version"],
                "at once" if short <= 0 else "after {0} more of its pods are ready".format(short),
            )
        )
    rows = [("when", "what", "version", "outcome", "by", "job")]
    for entry in app.state["history"]:
        rows.append(
            (
                entry.get("started_at") or entry.get("switched_at") or "-",
                entry.get("kind") or "switch",
                entry.get("version") or "-",
                entry["outcome"],
                entry.get("by") or "-",
                entry.get("job") or "-",
            )
        )
    return lines + (_table(rows) if len(rows) > 1 else ["no release recorded yet"])


def _table(rows):
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
