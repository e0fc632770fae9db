# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Detect: what is live, what is idle, what was there before."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _app
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import APPLICATION

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
        "warnings": app.warnings,
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
