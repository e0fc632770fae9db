# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The Deployment of a missing color, made after the live one."""

from __future__ import annotations

import copy

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.drift import recolored
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import OBJECTS, pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object


def twin_of(app: Application, name: str, live: Color) -> Object:
    """The manifest of a missing color's Deployment, made after the live one."""
    source = live.deployment
    twin: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": app.name_for(name),
            "labels": _recolored(source["metadata"].get("labels"), app, name),
        },
        "spec": copy.deepcopy(source["spec"]),
    }
    spec = twin["spec"]
    spec["selector"] = {"matchLabels": _recolored(source["spec"]["selector"].get("matchLabels"), app, name)}
    spec["template"]["metadata"]["labels"] = _recolored(pod_labels(source), app, name)
    spec["template"]["metadata"].pop("creationTimestamp", None)
    (spec["template"]["metadata"].get("annotations") or {}).pop(OBJECTS, None)
    pod = spec["template"]["spec"]
    for place in {"affinity", "topologySpreadConstraints"} & set(pod):  # which go by the pods' labels
        pod[place] = recolored(pod[place], app.active, name)
    if app.label not in spec["selector"]["matchLabels"]:
        raise BlueGreenError(
            f"Deployment {live.deployment_name} selects its pods without the label {app.label!r}, so a twin of it would fight over the same pods.",
            "bad_input",
            next_step=f"Create the Deployment for {name} yourself, with its own selector.",
        )
    return twin


def _recolored(labels: dict[str, str] | None, app: Application, name: str) -> dict[str, str]:
    return {key: name if value == app.active else value for key, value in (labels or {}).items()}
