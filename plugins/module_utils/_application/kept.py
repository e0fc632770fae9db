# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The manifest of a retired color, kept in a Secret, because it may hold environment values that are secret."""

from __future__ import annotations

import base64
import copy
import json

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import LOCK_ID, compact
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KEY = "deployment.json"

# What the cluster, a client or a run of ours has added, and what makes no sense on a new object.
DROPPED_NOTES = (
    LOCK_ID,
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
)


def kept_name(app: Application, color: str) -> str:
    return f"bluegreen-{app.services[0]['metadata']['name']}-{color}"


def keep(app: Application, color: Color) -> None:
    """Write the color's manifest into its Secret.

    :raises PatchConflict: another run has just written the Secret.
    """
    deployment = color.deployment
    metadata = {
        key: copy.deepcopy(deployment["metadata"][key]) for key in ("name", "labels") if key in deployment["metadata"]
    }
    notes = deployment["metadata"].get("annotations") or {}
    metadata["annotations"] = {key: text for key, text in notes.items() if key not in DROPPED_NOTES}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment["spec"]}
    data = {KEY: base64.b64encode(compact(manifest).encode()).decode()}
    name = kept_name(app, color.name)
    found = app.cluster.get("Secret", name)
    if found is None:
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "bluegreen.kubernetes/deployment"}
        app.cluster.create("Secret", dict(secret, metadata={"name": name}, data=data))
    elif found.get("data") != data:
        version = found["metadata"]["resourceVersion"]
        app.cluster.patch(
            "Secret",
            name,
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/data", "value": data},
            ],
        )


def read_kept(app: Application, color: str) -> Object | None:
    """The manifest that is kept for a color, or ``None``.

    :raises BlueGreenError: the Secret holds something else.
    """
    name = kept_name(app, color)
    try:
        secret = app.cluster.get("Secret", name)
    except ApiError as error:
        if error.status != 403:
            raise
        # Who never deletes a color needs no right to look at Secrets.
        app.warnings.append(f"Whether Secret {name} keeps a manifest for {color} is not known: {error.what}")
        return None
    if secret is None:
        return None
    try:
        manifest = json.loads(base64.b64decode(secret["data"][KEY]))
        manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]["containers"]  # pylint: disable=pointless-statement
        return manifest
    except (KeyError, TypeError, ValueError) as error:
        raise BlueGreenError(
            f"Secret {name} in namespace {app.cluster.namespace!r} does not hold the manifest of a Deployment.",
            "kept_unreadable",
            why=f"{type(error).__name__}: {error}",
            next_step=f"Create the Deployment for {color} yourself, then delete the Secret.",
        ) from error
