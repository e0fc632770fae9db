# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What belongs to an application beside its Deployments, and goes with the live color: its followers.

A kind of follower is one module of this package, and one entry in the list of KINDS. It has

``KIND``    of Kubernetes
``GROUP``   the name that ``bluegreen_follow`` has for it
``read(cluster, there)``
            puts all objects of the kind into ``there.items``, and a sentence into ``there.warnings`` where it may not
``find(app, there, found)``
            puts a Follower for each of the application's into ``found.followers``, and a sentence about each that it does
            not understand, and so leaves alone, into ``found.warnings``

What a follower is to become is decided by ``Follower.edits``, from nothing but the application and the stage. So a run that
was killed in the middle is finished by whoever asks for the same stage again, and asking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers import (
    autoscaler,
    budget,
    scaled_object,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import (
    Aim,
    Change,
    Found,
    There,
    operations_of,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError, explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

KINDS = (autoscaler, scaled_object, budget)
GROUPS = tuple(dict.fromkeys(kind.GROUP for kind in KINDS))


def read(cluster: Cluster, params: Params, groups: Iterable[str]) -> tuple[Application, Found]:
    """A fresh reading of the application and of its followers.

    Those are read before the Services: whoever takes over stamps the Services first. So if they still carry our lock id, what
    was read of the followers is older than any takeover, and a write that tests it is fenced.

    :param groups: those that are wanted, of GROUPS.
    """
    there = There()
    kinds = [kind for kind in KINDS if kind.GROUP in groups]
    for kind in kinds:
        kind.read(cluster, there)
    app = read_application(cluster, params)
    found = Found(warnings=there.warnings, there=there)
    for kind in kinds:
        try:
            kind.find(app, there, found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what is not understood ends no release
            found.warnings.append(f"{kind.KIND}s were not looked at: {explained(error).what}")
    return app, found


def look(cluster: Cluster, params: Params, groups: Iterable[str], idle_replicas: int) -> tuple[Application, Found]:
    """The same, with a warning about each that belongs to the application and is not wanted, or does harm while it is idle."""
    app, found = read(cluster, params, GROUPS)
    found.warnings += [text for item in found.followers if item.group not in groups for text in item.left_alone(app)]
    found.warnings += budget.blocking_drains(found.followers, idle_replicas)
    found.followers = [item for item in found.followers if item.group in groups]
    return app, found


def summaries(app: Application, found: Found, idle_replicas: int) -> list[Object]:
    """What a run is planned on, and ``status`` shows: each follower, and what of it an interrupted run has left undone.

    ``lags``       it is not where the live color is
    ``unsettled``  it is not as it is to be when no release goes on
    """
    aims = {
        "lags": Aim("switch", app.active, idle_replicas),
        "unsettled": Aim("scale_down", app.active, idle_replicas),
    }
    return [
        {**follower.summary(app), **{name: bool(follower.edits(app, aim)) for name, aim in aims.items()}}
        for follower in found.followers
    ]


def converge(app: Application, found: Found, aim: Aim, lock_id: str | None) -> list[Change]:
    """Make each follower what it is to be at that stage, by one fenced write each.

    :param app: from the same :func:`read` as what was found.
    :returns: what was changed, or would be in check mode.
    :raises PatchConflict: somebody has changed one meanwhile.
    """
    changes = []
    for follower in found.followers:
        edits = follower.edits(app, aim)
        if edits:
            operations = app.fence(follower.item, lock_id) + operations_of(edits, follower.item)
            app.cluster.patch(follower.kind, follower.name, operations)
            changes.append(Change(follower, edits))
    return changes


def refuse_too_few(app: Application, found: Found) -> None:
    """:raises BlueGreenError: a follower does not let the idle color have the pods that a release needs."""
    for follower in found.followers:
        follower.edits(app, Aim("deploy", app.idle, 0))


def refuse_forbidden(app: Application, found: Found) -> None:
    """What a release would fail at after its switch is refused before its first write.

    :raises BlueGreenError: a follower may not be written.
    """
    for follower in found.followers:
        same: Object = {"op": "test", "path": "/metadata/uid", "value": follower.item["metadata"]["uid"]}
        try:
            app.cluster.try_patch(follower.kind, follower.name, [same])
        except ApiError as error:
            if error.status != 403:
                raise
            raise BlueGreenError(
                f"{follower.name_in_full} belongs to the application, and may not be changed by this user.",
                "forbidden",
                why=error.what,
                next_step=f"Let it: examples/rbac/followers.yml. Or leave all {follower.group} alone: bluegreen_follow: "
                f"{[name for name in GROUPS if name != follower.group]}.",
            ) from error


def told(cluster: Cluster, changes: list[Change]) -> Object:
    """The part of a result that says what became of followers."""
    verb = "would be changed" if cluster.dry_run else "changed"
    before = {change.header: change.side("old") for change in changes}
    after = {change.header: change.side("new") for change in changes}
    return {
        "diff": diff("followers", before, after) if changes else {},
        "msg": f"{verb}: {'; '.join(change.words for change in changes)}" if changes else "Nothing is to be changed.",
    }
