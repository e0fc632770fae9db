# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Lock: one release at a time. A Lease says who works; its id, stamped on the objects, fences every write."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers, workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.companions import stamp_companions
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import entry_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import check_version
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job import JOB_OWNER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import (
    HOLDER,
    Keeper,
    check_held,
    describe_lease,
    holder_of,
    lease_name,
    user,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import (
    read_state,
    state_operations,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    TRIES,
    Returned,
    again,
    annotation,
    annotation_operations,
    compact,
    escape,
    stamp,
    stamp_test,
    unchanged,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
    explained,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CRONJOBS, FOLLOW
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import micro_time, now
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Patch, Progress

NAME = "bg_lock"

ARGUMENTS = dict(
    APPLICATION,
    state={"type": "str", "choices": ["held", "released"], "default": "held"},
    lock_id={"type": "str"},
    lease_duration={"type": "raw", "default": 30},
    timeout={"type": "raw", "default": 0},
    preempt={"type": "bool", "default": False},
    record={"type": "bool", "default": True},
    version={"type": "raw"},
    by={"type": "str"},
    job={"type": "str"},
    outcome={"type": "str"},
    prepared={"type": "dict"},
    follow=dict(FOLLOW, default=[]),
    workers={"type": "list", "elements": "str", "default": []},
    cronjobs=CRONJOBS,
)

DURATIONS = ("api_timeout", "lease_duration", "timeout")

KEEPS_LOCK = False
TAKES_LOCK = True

RETURNS = {"lock_id": None, "holder": None, "acquired_at": None, "waited": False}

OUTAGE = 5  # seconds without an answer that are more than a slow one


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    if cluster.dry_run:
        return {"msg": f"Would lock {params['services'][0]}."}
    if params["version"]:
        check_version(params["version"])
    if params["state"] == "released":
        return _released(params, cluster)
    return hold(read_application(cluster, params), params, cluster, progress)


def hold(app: Application, params: Params, cluster: Cluster, progress: Progress) -> Object:
    """Get the lock and record the run; the result keys of ``bg_lock``.

    :param app: a reading; nothing is decided on it, because another run may go on until the Services are stamped.
    """
    lock_id = params["lock_id"] or uuid.uuid4().hex
    holder = {"by": params["by"] or user(), "job": params["job"], "at": now(), "version": params["version"]}
    lease, waited = _acquire(params, cluster, progress, lock_id, holder)
    try:
        with Keeper(cluster, lease["metadata"]["name"], lock_id):
            took_over = _stamp(app, params, lock_id, holder)
    except Exception as failure:
        error = explained(failure)
        if error.reason != "superseded":
            _give_up(params, cluster, lock_id, error)
        raise error from failure
    return {
        "changed": True,
        "lock_id": lock_id,
        "holder": holder["by"],
        "acquired_at": holder["at"],
        "waited": waited or took_over,
        "msg": f"Run {lock_id} holds the lock ({lease['metadata']['name']}).",
    }


def _give_up(params: Params, cluster: Cluster, lock_id: str, error: BlueGreenError) -> None:
    """Let the next run in, after the stamps have failed; where that fails as well, whoever gets the error can try again.

    A lock that the run had before it asked again is its own to give back.
    """
    if params["lock_id"]:
        error.result = dict(error.result, lock_id=lock_id)
        return
    try:
        release(dict(params, lock_id=lock_id, outcome="refused", prepared=None), cluster)
    except Exception:  # pylint: disable=broad-except
        error.result = dict(error.result, lock_id=lock_id)


# --- the Lease -------------------------------------------------------------------------------------------------
def _acquire(params: Params, cluster: Cluster, progress: Progress, lock_id: str, holder: Object) -> tuple[Object, bool]:
    """Write our id into the Lease, as soon as it is free, dead, or to be preempted.

    :returns: ``(lease, whether somebody else had it)``
    :raises BlueGreenError: ``locked``: another run lives and does not end within ``timeout``.
    """
    name = lease_name(params["services"])
    waited = False
    conflicts, found = 0, None
    while True:
        lease = cluster.get("Lease", name)
        # A conflict says that somebody else was faster; one after which nobody else has it says something else.
        conflicts = conflicts if found == _held_by(lease) else 0
        found = _held_by(lease)
        try:
            if lease is None:
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "annotations": {HOLDER: compact(holder)}},
                    "spec": _spec(params, lock_id),
                }
                return cluster.create("Lease", body), waited
            other = found
            if other and other != lock_id and not params["preempt"]:
                progress(f"the lock is held by {describe_lease(lease)}; watching whether it lives")
                waited = True
                # Only what was seen dead or free is taken; the test of its version below refuses anything newer.
                lease = _wait_for(params, cluster, name, lease, progress)
                if lease is None:
                    continue
                other = _held_by(lease)
            if other and other != lock_id:
                waited = True
                progress(f"taking over from {describe_lease(lease)}")
            operations = [
                unchanged(lease),
                {"op": "add", "path": "/spec", "value": _spec(params, lock_id)},
            ]
            operations += annotation_operations(lease, HOLDER, compact(holder))
            return cluster.patch("Lease", name, operations), waited
        except PatchConflict as error:
            conflicts += 1
            if conflicts == TRIES:
                raise BlueGreenError(
                    f"Lease {name} in namespace {cluster.namespace!r} refuses to be written ({TRIES} attempts).",
                    "conflict",
                    why=error.what,
                    next_step="Stop whoever else writes this Lease (an admission webhook? a controller?), then run again.",
                ) from error


def _held_by(lease: Object | None) -> str | None:
    """Whose the Lease is; ``None`` when it is nobody's."""
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or None


def _spec(params: Params, lock_id: str) -> Object:
    now = micro_time()
    duration = max(int(params["lease_duration"]), 1)
    return {"holderIdentity": lock_id, "leaseDurationSeconds": duration, "acquireTime": now, "renewTime": now}


def _wait_for(params: Params, cluster: Cluster, name: str, lease: Object, progress: Progress) -> Object | None:
    """Wait until the Lease is free, gone, or has not been renewed for its whole duration.

    Only whether ``renewTime`` changes is looked at, so no two clocks are compared.

    :returns: the Lease as it was when that was seen; ``None`` when it is gone.
    :raises BlueGreenError: the holder lives, and ``timeout`` is over.
    """
    started = still_since = time.monotonic()
    holder, renewed = _held_by(lease), lease["spec"].get("renewTime")
    duration = lease["spec"].get("leaseDurationSeconds") or params["lease_duration"]
    with cluster.observe(leases=("Lease", {"fieldSelector": "metadata.name=" + name})) as view:
        while True:
            leases, now = view["leases"], time.monotonic()
            if not leases:
                return None
            lease = leases[0]
            if not _held_by(lease):
                return lease
            alive = lease["spec"].get("renewTime") != renewed or _held_by(lease) != holder
            if alive:
                holder, renewed = _held_by(lease), lease["spec"].get("renewTime")
                still_since = now
                if now - started >= params["timeout"]:
                    raise BlueGreenError(
                        f"Another release of this application is running: {describe_lease(lease)}.",
                        "locked",
                        why=_how_far(params, cluster, lease),
                        next_step="Wait for it to end (bluegreen_lock_timeout: 10m does that for you); rollback.yml takes over at once.",
                    )
            if now - still_since >= duration:
                # Nobody could renew while the API server was away. Then the holder gets the time again.
                fresh = cluster.get("Lease", name)
                version = fresh and fresh["metadata"]["resourceVersion"]
                if version != lease["metadata"]["resourceVersion"] or time.monotonic() - now > OUTAGE:
                    still_since = time.monotonic()
                    view.wait(1)
                    continue
                progress(f"the holder has not renewed the lock for {duration} s: it is dead")
                return lease
            view.wait(still_since + duration - now)


def _how_far(params: Params, cluster: Cluster, lease: Object) -> str:
    """What the run that has the lock is about, and whether users are on it already."""
    service = cluster.get("Service", params["services"][0])
    history = read_state(service)["history"] if service else []
    own = entry_of(history, lease["spec"]["holderIdentity"])
    version = own.get("version") or holder_of(lease).get("version")
    what = f"a {own.get('kind') or 'run'}" + (f" of {version}" if version else "")
    switched = own.get("switched_at")
    return f"It is {what}, and " + (f"switched at {switched}." if switched else "has not switched yet.")


# --- the stamps ------------------------------------------------------------------------------------------------
def _stamp(app: Application, params: Params, lock_id: str, holder: Object) -> bool:
    """Put our id on the Services and, if another run left one, on the idle Deployment; record the run in the history.

    From the first stamp on, no write of a run that we have overtaken can succeed. Until then it may have gone on, while its
    lease was waited for, so nothing is decided on what was read before.

    :returns: whether another run's stamp had to be replaced.
    """
    took_over = False
    stamped: list[Object] = []
    running = {
        "run": lock_id,
        "kind": "rollback" if params["preempt"] else "release",
        "version": params["version"],
        "by": holder["by"],
        "job": params["job"],
        "started_at": holder["at"],
        "switched_at": None,
        "outcome": "running",
    }
    begun = [running][: params["record"]]
    for service in app.services:
        # The state is on the first one.
        change = None if stamped else (lambda state: _begun(state, lock_id, begun))
        written, overtaken = _stamp_service(app, service, params, lock_id, change)
        took_over = took_over or overtaken
        stamped.append(written)
    if read_state(stamped[0])["intent"]:
        _forget_intent(app, params, stamped[0])
    if took_over:
        _stamp_objects(*_stamp_deployments(params, app.cluster, lock_id), params, lock_id)
        _stamp_followers(params, app.cluster, lock_id)
        _stamp_jobs(app, lock_id)
    return took_over


def _stamp_service(
    app: Application, service: Object, params: Params, lock_id: str, change: Callable[[Object], Object] | None
) -> tuple[Object, bool]:
    """Put our id on one Service.

    It was read before the Lease was ours, or the Lease was ours after it was read again. So the test of what was read
    refuses this write when whoever has taken the Lease since has stamped it: a stamp never replaces a later one.

    :param change: makes the new state from the one that is there; ``None`` where there is none.
    :returns: ``(the Service as written, whether another run's stamp had to be replaced)``
    """

    def attempt() -> tuple[Object, bool]:
        operations = [unchanged(service)]
        operations += annotation_operations(service, LOCK_ID, lock_id)
        if change:
            operations += state_operations(change(read_state(service)))
        written = app.cluster.patch("Service", service["metadata"]["name"], operations)
        return written, stamp(service) not in (None, lock_id)

    def refresh() -> None:
        nonlocal service
        service = app.reread(service)
        check_held(app.cluster, lease_name(params["services"]), lock_id)

    return _again(service["metadata"]["name"], attempt, refresh)


def _begun(state: Object, lock_id: str, begun: list[Object]) -> Object:
    """The state when a run begins: what others had left running was interrupted."""
    others = [dict(entry, outcome=_ended(entry["outcome"])) for entry in state["history"] if entry["run"] != lock_id]
    return dict(state, history=begun + others)


def _forget_intent(app: Application, params: Params, first: Object) -> None:
    """The intent of a run that died before it had moved anything, or after all: the Services agree."""
    if read_application(app.cluster, params).pending:
        return
    operations = [unchanged(first)] + state_operations(dict(read_state(first), intent=None))
    try:
        app.cluster.patch("Service", first["metadata"]["name"], operations)
    except PatchConflict:
        pass  # while the Services agree it means nothing, and the next switch replaces it


def _ours(cluster: Cluster, services: list[str], found: Object, lock_id: str) -> Patch:
    """JSON Patch operations that put our id on what the overtaken run may still write to, while the Lease is ours.

    :raises BlueGreenError: somebody has taken over from us.
    """
    check_held(cluster, lease_name(services), lock_id)
    return stamp_test(found) + annotation_operations(found, LOCK_ID, lock_id)


def _stamp_deployments(params: Params, cluster: Cluster, lock_id: str) -> tuple[Application, Object | None]:
    """A write of the overtaken run may be on its way to the idle Deployment, or to a worker: what it tests must no longer hold.

    :returns: a reading, and the Deployment as it is from then on.
    """

    def attempt() -> tuple[Application, Object | None]:
        app = read_application(cluster, params)
        idle = [app.colors[app.idle].deployment] if app.colors[app.idle].deployment else []
        for found in idle + workers.deployments_of(app, params["workers"]):
            if stamp(found) == lock_id:
                continue
            operations = _ours(cluster, params["services"], found, lock_id)
            written = cluster.patch("Deployment", found["metadata"]["name"], operations)
            idle = [written if found is item else item for item in idle]
        return app, idle[0] if idle else None

    return again(
        attempt,
        f"Somebody else keeps changing the idle Deployment in namespace {cluster.namespace!r}, so it cannot be locked.",
        "Stop the other writer (an HPA? GitOps?), then run again.",
    )


def _stamp_followers(params: Params, cluster: Cluster, lock_id: str) -> None:
    """The same for what goes with the live color; what this user may not write, the overtaken run did not either."""

    def attempt() -> None:
        _app, found = followers.read(cluster, params, params["follow"], params["cronjobs"])
        for follower in found.followers:
            if stamp(follower.item) == lock_id:
                continue
            operations = _ours(cluster, params["services"], follower.item, lock_id)
            try:
                cluster.patch(follower.kind, follower.name, operations)
            except ApiError as error:
                if error.status not in (403, 404):
                    raise

    again(
        attempt,
        f"Somebody else keeps changing what follows the live color in namespace {cluster.namespace!r}, so it cannot be locked.",
        "Stop the other writer (GitOps?), then run again.",
    )


def _stamp_objects(app: Application, idle: Object | None, params: Params, lock_id: str) -> None:
    """The same of what the idle color's manifest has beside the Deployment, where it has."""
    fence = functools.partial(check_held, app.cluster, lease_name(params["services"]), lock_id)
    try:
        stamp_companions(app, idle, fence, lock_id)
    except BlueGreenError as error:
        if error.reason not in ("forbidden", "kept_unreadable"):  # an emergency needs no right to these
            raise


def _stamp_jobs(app: Application, lock_id: str) -> None:
    """The overtaken run may just be letting a Job begin: it stays suspended until a run wants it."""
    try:
        jobs = app.cluster.list("Job")["items"]
    except ApiError as error:
        if error.status != 403:
            raise
        return  # whoever may not even list Jobs has none run
    name = app.services[0]["metadata"]["name"]
    for job in jobs:
        if annotation(job, JOB_OWNER) != name:
            continue
        if job["spec"].get("suspend") and stamp(job) != lock_id:
            waits: Object = {"op": "test", "path": "/spec/suspend", "value": True}
            operations = [waits, *_ours(app.cluster, [name], job, lock_id)]
            try:
                app.cluster.patch("Job", job["metadata"]["name"], operations)
            except ApiError as error:
                if not isinstance(error, PatchConflict) and error.status != 404:
                    raise

                # It was let run before the Services were stamped; whoever needs it adopts or removes it. Or somebody who
                # has taken over from us has stamped it.
                check_held(app.cluster, lease_name([name]), lock_id)


def _ended(outcome: str) -> str:
    return "interrupted" if outcome == "running" else outcome


def _released(params: Params, cluster: Cluster) -> Object:
    """What ``state=released`` does: that the lock cannot be given back does not make the run a failed one."""
    try:
        return release(params, cluster)
    except Exception as failure:
        error = explained(failure)
        if error.reason == "bad_input":
            raise
        text = not_given_back(error)
        return {"changed": True, "lock_id": params["lock_id"], "msg": text, "warnings": [text]}


def not_given_back(error: BlueGreenError) -> str:
    return (
        f"The lock could not be given back: {error.what} The next release takes it over 30 s after the end of this run."
    )


def release(params: Params, cluster: Cluster) -> Object:
    """Record how the run ended, take our id off the Services and free the Lease; nothing happens to what is not ours."""
    lock_id = params["lock_id"]
    if not lock_id:
        raise BlueGreenError(
            "state=released needs the lock_id that was acquired.", "bad_input", next_step="Give lock_id."
        )
    changed = False
    try:
        # Nothing else is read: what else may be wrong must not keep the lock.
        for number, name in enumerate(params["services"]):
            changed = _unstamp_service(cluster, name, params, number == 0) or changed
        changed = _free(cluster, lease_name(params["services"]), lock_id) or changed
    except BlueGreenError as error:
        if not changed or error.reason != "superseded":
            raise  # else the record has been written, and what is left is that of whoever has taken over
    return {
        "changed": changed,
        "lock_id": lock_id,
        "msg": "Released." if changed else "The lock was not held any more.",
    }


def _free(cluster: Cluster, name: str, lock_id: str) -> bool:
    """Take our id off the Lease.

    :returns: whether it was there.
    """
    try:
        cluster.patch(
            "Lease",
            name,
            [
                {"op": "test", "path": "/spec/holderIdentity", "value": lock_id},
                {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
            ],
        )
        return True
    except PatchConflict:
        return False  # another run holds it
    except ApiError as error:
        if error.status != 404:  # somebody has deleted it: free as well
            raise
        return False


def _unstamp_service(cluster: Cluster, name: str, params: Params, first: bool) -> bool:
    """Take our id off one Service, and close the record on the first.

    :returns: whether it carried our id.
    """
    lock_id, path = params["lock_id"], "/metadata/annotations/" + escape(LOCK_ID)

    sent = False

    def attempt() -> bool:
        nonlocal sent
        service = cluster.get("Service", name)
        if service is None or stamp(service) != lock_id:
            # Our own write may have arrived, and only its answer was lost.
            return sent and first and service is not None and _is_closed(read_state(service), params)
        operations = [{"op": "test", "path": path, "value": lock_id}, {"op": "remove", "path": path}]
        if first:
            operations += state_operations(_closed(read_state(service), params))
        sent = True
        cluster.patch("Service", name, operations)
        return True

    return _again(name, attempt)


def _again(name: str, attempt: Callable[[], Returned], refresh: Callable[[], None] | None = None) -> Returned:
    what = f"Service {name} changes faster than the lock can be written ({TRIES} attempts)."
    return again(attempt, what, "Stop the other writer, then run again.", refresh)


def _closed(state: Object, params: Params) -> Object:
    ended = {"ended_at": now(), "outcome": params["outcome"] or "ended"}
    if params["prepared"]:
        ended["prepared"] = params["prepared"]
    return dict(state, history=[dict(e, **ended) if e["run"] == params["lock_id"] else e for e in state["history"]])


def _is_closed(state: Object, params: Params) -> bool:
    """Whether the record says how this run has ended as we say it; who takes over writes that it was interrupted."""
    own = entry_of(state["history"], params["lock_id"])
    return own.get("ended_at") is not None and own["outcome"] == (params["outcome"] or "ended")
