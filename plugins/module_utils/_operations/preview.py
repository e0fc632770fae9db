# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Preview: point a Service for people who look before users do at the idle color, or at nothing."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.preview import NOTHING, check_preview
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    TRIES,
    again,
    annotation_operations,
    diff,
    stamp,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_preview"

ARGUMENTS = dict(APPLICATION, service={"type": "str", "required": True}, color={"type": "str"}, **LOCK)

DURATIONS = ("api_timeout",)

KEEPS_LOCK = True

RETURNS: Object = {"color": None, "service": None, "previous_color": None, "diff": {}}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    return again(
        lambda: _preview(cluster, params),
        f"Service {params['service']} changes faster than it can be written ({TRIES} attempts).",
        "Stop the other writer (GitOps?), then run again.",
    )


def _preview(cluster: Cluster, params: Params) -> Object:
    name, color = params["service"], params["color"]
    # Before the application: whoever takes over stamps its Services first. So if they still carry our lock id, this
    # reading is older than any takeover, and a write that tests the preview's stamp is fenced.
    service = cluster.get("Service", name)
    app = read_application(cluster, params)
    service = check_preview(app, name, service)
    if color:
        app.planned(color)
        if not cluster.dry_run:
            app.refuse_live(color, "showing it as the preview")
    return _write(app, service, color, params["lock_id"])


def _write(app: Application, service: Object, color: str | None, lock_id: str | None) -> Object:
    before = service["spec"]["selector"]
    after = dict(before, **{app.label: color or NOTHING})
    name = service["metadata"]["name"]
    shown = f"selects {app.describe(color)}" if color else "selects nothing"
    result = {
        "changed": before != after,
        "service": name,
        "color": color,
        "previous_color": before[app.label] if before[app.label] in app.names else None,
        "diff": diff("Service " + name, {"selector": before}, {"selector": after}),
        "msg": f"{name} {'would be changed: it ' if app.cluster.dry_run else ''}{shown}.",
    }
    operations = app.fence(service, lock_id) + [
        {"op": "test", "path": "/spec/selector", "value": before},
        {"op": "replace", "path": "/spec/selector", "value": after},
    ]
    stamped = None if app.cluster.dry_run or stamp(service) == lock_id else lock_id
    if stamped:
        # Also where it selects the right thing already: a late write of a run that we have overtaken must not undo that.
        operations += annotation_operations(service, LOCK_ID, stamped)
    if result["changed"] or stamped:
        app.cluster.patch("Service", name, operations)
    return result
