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

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers import (
    autoscaler,
    budget,
    cron_job,
    scaled_object,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import (
    Aim,
    Change,
    Edit,
    Follower,
    Found,
    There,
    operations_of,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
    explained,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

KINDS = (autoscaler, scaled_object, budget, cron_job)
GROUPS = tuple(dict.fromkeys(kind.GROUP for kind in KINDS if kind is not cron_job))  # found by themselves

SETTLES = 2  # seconds in which a controller has carried out what it was doing when we wrote
ROUNDS = 2  # of writes to the same followers: one may wait for another one's


def read(cluster: Cluster, params: Params, groups: Iterable[str], cronjobs: list[str]) -> tuple[Application, Found]:
    """A fresh reading of the application and of its followers.

    Those are read before the Services: whoever takes over stamps the Services first. So if they still carry our lock id, what
    was read of the followers is older than any takeover, and a write that tests it is fenced.

    :param groups: those that are wanted, of GROUPS.
    :param cronjobs: the names of those that are.
    """
    there = There(cronjobs)
    wanted = {*groups, cron_job.GROUP}
    kinds = [kind for kind in KINDS if kind.GROUP in wanted]
    for kind in kinds:
        kind.read(cluster, there)
    app = read_application(cluster, params)
    found = Found(
        lambda: read(cluster, params, groups, cronjobs), warnings=there.warnings, mistakes=there.mistakes, there=there
    )
    for kind in kinds:
        try:
            kind.find(app, there, found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what is not understood ends no release
            found.warnings.append(f"{kind.KIND}s were not looked at: {explained(error).what}")
    return app, found


def look(
    cluster: Cluster, params: Params, groups: Iterable[str], cronjobs: list[str], idle_replicas: int
) -> tuple[Application, Found]:
    """The same, with a warning about each that belongs to the application and is not wanted, or does harm while it is idle."""
    app, found = read(cluster, params, GROUPS, cronjobs)
    groups = {*groups, cron_job.GROUP}
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
    """Make each follower what it is to be at that stage, by fenced writes.

    :param app: from the same :func:`read` as what was found.
    :returns: what was changed, or would be in check mode.
    :raises PatchConflict: somebody has changed one meanwhile.
    """
    if app.cluster.dry_run:
        return _planned(app, found, aim)
    now = replace(aim, settled=False)
    changes = _go_on(app, found, now, lock_id)
    if any(item.edits(app, aim) and not item.edits(app, now) for item in found.followers):
        app.cluster.sleep(SETTLES)
        fresh, found = found.again()
        if fresh.active != app.active:
            raise PatchConflict(f"{fresh.active} became live meanwhile.", "conflict", 409)
        changes += _go_on(fresh, found, aim, lock_id)
    return changes


def _go_on(app: Application, found: Found, aim: Aim, lock_id: str | None) -> list[Change]:
    """One write for each, then one for each that waited for another one's."""
    changes = []
    for _round in range(ROUNDS):
        for follower, edits in [(item, item.edits(app, aim)) for item in found.followers]:
            if edits:
                operations = app.fence(follower.item, lock_id) + operations_of(edits, follower.item)
                follower.item = app.cluster.patch(follower.kind, follower.name, operations, _part(edits))
                changes.append(Change(follower, edits))
    return changes


def _planned(app: Application, found: Found, aim: Aim) -> list[Change]:
    """The same as dry runs. A later write cannot build on an earlier one, so all to one part of an object are one."""
    made: dict[tuple[str, str, str], tuple[Follower, list[Edit]]] = {}
    before = {id(item): item.item for item in found.followers}
    for _round in range(2 * ROUNDS):
        for follower, edits in [(item, item.edits(app, aim)) for item in found.followers]:
            if edits:
                made.setdefault((follower.kind, follower.name, _part(edits)), (follower, []))[1].extend(edits)
                follower.item = _edited(follower.item, edits)
    changes = []
    for (kind, name, part), (follower, several) in made.items():
        edits = _as_one(several)
        if edits:
            app.cluster.patch(kind, name, operations_of(edits, before[id(follower)]), part)
            changes.append(Change(follower, edits))
    return changes


def _part(edits: list[Edit]) -> str:
    return "status" if edits[0].path[0] == "status" else ""


def _edited(item: Object, edits: list[Edit]) -> Object:
    item = copy.deepcopy(item)
    for edit in edits:
        place: Any = item
        for step in edit.path[:-1]:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if edit.new is None:
            del place[edit.path[-1]]
        else:
            place[edit.path[-1]] = edit.new
    return item


def _as_one(several: list[Edit]) -> list[Edit]:
    """Each field once, from what it was first to what it became last."""
    fields: dict[tuple[str, ...], Edit] = {}
    for edit in several:
        fields[edit.path] = Edit(edit.path, fields.get(edit.path, edit).old, edit.new)
    return [edit for edit in fields.values() if edit.old != edit.new]


def running(app: Application, found: Found) -> list[str]:
    """What of the idle color has not come to its end, so that it must not be retired."""
    return [text for follower in found.followers for text in follower.running(app)]


def refuse_mistakes(found: Found) -> None:
    """:raises BlueGreenError: what somebody has named is not there, or cannot follow."""
    if found.mistakes:
        raise BlueGreenError(
            "Not all that is to go with the live color can.",
            "bad_input",
            why=found.mistakes,
            next_step="Correct bluegreen_cronjobs, or what it names; for rights see examples/rbac/followers.yml. Nothing has "
            "been changed.",
        )


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
            for part in follower.parts:
                app.cluster.try_patch(follower.kind, follower.name, [same], part)
        except ApiError as error:
            if error.status != 403:
                raise
            raise BlueGreenError(
                f"{follower.name_in_full} belongs to the application, and may not be changed by this user.",
                "forbidden",
                why=error.what,
                next_step=f"Let it: examples/rbac/followers.yml. Or leave {_how_to_leave(follower)}.",
            ) from error


def _how_to_leave(follower: Follower) -> str:
    if follower.group not in GROUPS:
        return f"it out of bluegreen_{follower.group}"
    others = [name for name in GROUPS if name != follower.group]
    return f"all {follower.group} alone: bluegreen_follow: {others}"


def told(cluster: Cluster, changes: list[Change]) -> Object:
    """The part of a result that says what became of followers."""
    verb = "would be changed" if cluster.dry_run else "changed"
    before: Object = {}
    after: Object = {}
    for change in changes:
        for edit in change.edits:
            before.setdefault(change.header, {}).setdefault(".".join(edit.path), edit.old)
            after.setdefault(change.header, {})[".".join(edit.path)] = edit.new
    return {
        "diff": diff("followers", before, after) if changes else {},
        "msg": f"{verb}: {'; '.join(change.words for change in changes)}" if changes else "Nothing is to be changed.",
    }
