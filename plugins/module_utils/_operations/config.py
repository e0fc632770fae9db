# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Config: write the ConfigMaps and Secrets of a version, and remove those that nothing refers to any more."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import (
    APPLICATION as OF_APPLICATION,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import (
    KINDS,
    called,
    config_of,
    hidden,
    is_ours,
    names_of,
    parse,
    shown,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_manifests
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import (
    pod_spec,
    references,
    referred,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    again,
    annotation_operations,
    as_read,
    diff,
    stamp,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_config"

ARGUMENTS = dict(
    APPLICATION,
    state={"type": "str", "choices": ["present", "collected"], "default": "present"},
    manifests={"type": "json", "no_log": True},
    **LOCK,
)

DURATIONS = ("api_timeout",)

KEEPS_LOCK = True

RETURNS: Object = {"config": {}, "created": [], "deleted": [], "diff": {}}

# Whose pods may start, now or when somebody goes back to them.
OWNERS = ("Deployment", "ReplicaSet", "Job", "CronJob", "Pod")


def secrets(params: Params) -> set[str]:
    """Values of Secrets, unless they are what the result is about."""
    return hidden(params, params.get("manifests"))


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    if params["state"] == "collected":
        result = _end(params, cluster)
    else:
        wanted = parse(params["manifests"], params["services"][0])
        result = again(
            lambda: _present(read_application(cluster, params), wanted, params["lock_id"]),
            f"Somebody else keeps changing the configuration in namespace {cluster.namespace!r}.",
            "Stop the other writer (GitOps?), then run again.",
        )
    progress(result["msg"])
    return result


# --- before a deploy


def _present(app: Application, wanted: list[Object], lock_id: str | None) -> Object:
    created = [item for item in wanted if _write(app, item, lock_id)]
    names = [_called(item) for item in created]
    verb = "to be created" if app.cluster.dry_run else "created"
    return {
        "changed": bool(created),
        "config": names_of(wanted),
        "created": names,
        "diff": _diff(app, created) if created else {},
        "warnings": app.warnings,
        "msg": f"Configuration {verb}: {', '.join(names)}." if names else "The configuration is there already.",
    }


def _write(app: Application, item: Object, lock_id: str | None) -> bool:
    """Create an object, or let whoever had the lock before know that it is in use again.

    :returns: whether it was created.
    """
    kind, name, cluster = item["kind"], item["metadata"]["name"], app.cluster
    found = cluster.get(kind, name)
    if found is None:
        if not cluster.dry_run:
            app.refuse_foreign_lock(lock_id)
        notes = {**item["metadata"]["annotations"], **({LOCK_ID: lock_id} if lock_id else {})}
        cluster.create(kind, dict(item, metadata=dict(item["metadata"], annotations=notes)))
        return True
    going = "deletionTimestamp" in found["metadata"]
    if going or not is_ours(found, app.services[0]["metadata"]["name"]):
        raise BlueGreenError(
            f"{kind} {name} in namespace {cluster.namespace!r} "
            + ("is being deleted." if going else "is there, and is not what this release would write."),
            "conflict",
            next_step="Run again when it is gone; metadata.finalizers says what keeps it."
            if going
            else "Find out who has written it; delete it if nobody needs it, or rename what bluegreen_config has.",
        )
    if lock_id and stamp(found) != lock_id and not cluster.dry_run:
        # Also what is there already: a late removal by a run that we have overtaken must fail.
        cluster.patch(kind, name, app.fence(found, lock_id) + annotation_operations(found, LOCK_ID, lock_id))
    return False


def _diff(app: Application, created: list[Object]) -> Object:
    """What is new beside what the live color has in its place."""
    live = references(pod_spec(app.live.deployment)) if app.live.deployment else ()
    of_live = {called(item): (item.kind, item.name) for item in live}
    before, after = {}, {}
    for item in created:
        config, name = config_of(item), _called(item)
        old = app.cluster.get(*of_live[config]) if config in of_live else None
        if old is not None:
            before[_called(old)] = shown(old)
        after[name] = shown(item, old)
    return diff("Configuration", before or None, after)


def _called(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


# --- after a release


def _end(params: Params, cluster: Cluster) -> Object:
    """Remove what nothing refers to; where that cannot be known or done it stays, which is no failure of a release."""
    try:
        return again(
            lambda: _collected(cluster, params),
            f"Somebody else keeps changing the configuration in namespace {cluster.namespace!r}.",
            "The next release tries again.",
        )
    except BlueGreenError as error:
        if error.reason in ("superseded", "locked"):
            raise
        text = f"The configuration of earlier versions was not removed: {error.what}"
        return {"changed": False, "warnings": [text], "msg": text}


def _collected(cluster: Cluster, params: Params) -> Object:
    # Before the Services: who takes over stamps those first. So if they still carry our lock id, whoever needs one of these
    # objects again has changed it since, and its removal, which tests its version, fails.
    name = params["services"][0]
    there = [item for kind in KINDS for item in _ours(cluster, kind, name)]
    deleted = []
    if there:
        app = read_application(cluster, params)
        needed = _needed(app)
        for item in there:
            if (item["kind"], item["metadata"]["name"]) not in needed:
                _delete(app, item, params["lock_id"])
                deleted.append(_called(item))
    verb = "to be removed" if cluster.dry_run else "removed"
    text = f"Configuration {verb}, because nothing refers to it any more: {', '.join(deleted)}."
    before = dict.fromkeys(deleted, "")
    return {
        "changed": bool(deleted),
        "deleted": deleted,
        "diff": diff("Configuration", before, dict.fromkeys(deleted, "(deleted)")) if deleted else {},
        "msg": text if deleted else "All configuration that is there is referred to.",
    }


def _ours(cluster: Cluster, kind: str, application: str) -> list[Object]:
    found = cluster.list(kind, labelSelector=f"{OF_APPLICATION}={application}")["items"]
    items = [dict(item, kind=kind) for item in found]  # those of a list do not say their kind
    return [item for item in items if is_ours(item, application) and "deletionTimestamp" not in item["metadata"]]


def _needed(app: Application) -> set[tuple[str, str]]:
    """What anything refers to that runs or can be had again. A color that is being kept is in a Deployment until it is in
    its Secret, so they are read in this order."""
    owners = [item for kind in OWNERS for item in app.cluster.list(kind)["items"]]
    # A container of a pod that is going is not started again.
    owners = [item for item in owners if "template" in item["spec"] or "deletionTimestamp" not in item["metadata"]]
    return referred([*owners, *kept_manifests(app)])


def _delete(app: Application, item: Object, lock_id: str | None) -> None:
    """:raises PatchConflict: somebody needs it again."""
    if not app.cluster.dry_run:
        app.refuse_foreign_lock(lock_id)
    try:
        app.cluster.delete(item["kind"], item["metadata"]["name"], as_read(item))
    except ApiError as error:
        if error.status != 404:
            raise
