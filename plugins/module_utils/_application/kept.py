# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The manifest of a retired color, kept in a Secret, because it may hold environment values that are secret."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    own_template,
    template_hash,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    PREFIX,
    annotation_operations,
    compact,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KEY = "deployment.json"
TYPE = PREFIX + "deployment"  # of the Secret; it cannot be changed
KEPT_FOR = PREFIX + "kept-for"  # annotation on the Secret: of which application, and which of its colors

# What the cluster, a client or a run of ours has added, and what makes no sense on a new object.
DROPPED_NOTES = (
    LOCK_ID,
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
)


def kept_name(app: Application, color: str) -> str:
    """Of the Secret; that of a worker's color has the worker's name in it."""
    return "-".join(filter(None, ["bluegreen", app.services[0]["metadata"]["name"], app.worker, color]))


def keep(app: Application, color: Color) -> None:
    """Write the color's manifest into its Secret.

    :raises PatchConflict: another run has just written the Secret.
    :raises BlueGreenError: a Secret of its name is somebody else's.
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
        secret = {"apiVersion": "v1", "kind": "Secret", "type": TYPE}
        notes = {KEPT_FOR: kept_for(app, color.name)}
        app.cluster.create("Secret", dict(secret, metadata={"name": name, "annotations": notes}, data=data))
        return
    foreign = foreign_secret(app, color.name, found)
    if foreign:
        raise _unreadable(app, color.name, foreign, "Delete the Secret, or give it another name, then run again.")
    if found.get("data") != data:
        version = found["metadata"]["resourceVersion"]
        app.cluster.patch(
            "Secret",
            name,
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/data", "value": data},
                *annotation_operations(found, KEPT_FOR, kept_for(app, color.name)),
            ],
        )


def template_again(app: Application, color: Color, wanted: str) -> Object | None:
    """The pod template of a hash, from where a color's earlier ones are kept: its ReplicaSets and its Secret.

    A newer API server may read other defaults into a template, which then has another hash; so the ReplicaSet that a switch
    has recorded with the hash counts as well.
    """
    uid = color.deployment["metadata"]["uid"]
    recorded = [entry for entry in app.state["history"] if entry.get("previous_template_hash") == wanted]
    names = {entry.get("previous_replica_set") for entry in recorded}
    for item in app.cluster.list("ReplicaSet", labelSelector=color.pod_selector)["items"]:
        owners = [owner["uid"] for owner in item["metadata"].get("ownerReferences") or []]
        if uid in owners and (item["metadata"]["name"] in names or template_hash(item) == wanted):
            return own_template(item)
    kept = read_kept(app, color.name)
    return own_template(kept) if kept and template_hash(kept) == wanted else None


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
    next_step = f"Create the Deployment for {color} yourself, then delete the Secret."
    try:
        manifest = json.loads(base64.b64decode(secret["data"][KEY]))
        foreign = foreign_secret(app, color, secret) + _foreign_manifest(app, color, manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(app, color, [f"{type(error).__name__}: {error}"], next_step) from error
    if foreign:
        raise _unreadable(app, color, foreign, next_step)
    return manifest


def kept_manifests(app: Application) -> Iterator[Object]:
    """What is kept for both colors, whoever has written it.

    :raises BlueGreenError: it cannot be read.
    """
    for color in app.names:
        secret = app.cluster.get("Secret", kept_name(app, color))
        if secret is not None:
            try:
                yield json.loads(base64.b64decode(secret["data"][KEY]))
            except (KeyError, TypeError, ValueError) as error:
                why = [f"{type(error).__name__}: {error}"]
                raise _unreadable(app, color, why, "Delete the Secret, or give it another name.") from error


def kept_for(app: Application, color: str) -> str:
    return f"{app.services[0]['metadata']['name']}/{color}"


def foreign_secret(app: Application, color: str, secret: Object, kind: str = TYPE) -> list[str]:
    """Why the Secret is not one that a run of ours has written for this color; those of before have only their type."""
    found, wanted = secret.get("type"), kept_for(app, color)
    noted = (secret["metadata"].get("annotations") or {}).get(KEPT_FOR, wanted)
    wrong = [] if found == kind else [f"its type is {found}, not {kind}"]
    return wrong + ([] if noted == wanted else [f"its annotation {KEPT_FOR} is {noted!r}, not {wanted!r}"])


def _foreign_manifest(app: Application, color: str, manifest: Object) -> list[str]:
    """Why the manifest is not that of this color's Deployment.

    :raises KeyError, TypeError, AttributeError: it is none of a Deployment.
    """
    metadata, wrong = manifest["metadata"], []
    name, namespace = metadata["name"], metadata.get("namespace")
    if manifest.get("kind") != "Deployment" or not manifest["spec"]["template"]["spec"]["containers"]:
        wrong.append(f"it holds a {manifest.get('kind')}, not a Deployment with containers")
    if namespace not in (None, app.cluster.namespace):
        wrong.append(f"its Deployment is one of namespace {namespace!r}")
    if name == app.live.deployment_name or name != app.deployments.get(color, name):
        wrong.append(f"its Deployment is {name!r}, which is not that of {color}")
    for service in app.services:
        if not app.would_select(service, color, manifest):
            wrong.append(f"Service {service['metadata']['name']} would not select its pods when {color} is live")
    return wrong


def _unreadable(app: Application, color: str, why: list[str], next_step: str) -> BlueGreenError:
    name = kept_name(app, color)
    return BlueGreenError(
        f"Secret {name} in namespace {app.cluster.namespace!r} does not hold the manifest of a Deployment that was kept for {color}.",
        "kept_unreadable",
        why=why,
        next_step=next_step,
    )
