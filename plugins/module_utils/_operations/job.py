# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Job: run a Kubernetes Job to its end, and know afterwards that it has been done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import check_version
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job import Job
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job_definition import (
    check_definition,
    job_secrets,
    with_environment,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job_log import HANDED_OVER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import STATE, bounded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    TRIES,
    again,
    annotation_operations,
    compact,
    diff,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.retirement import LOOKS_AGAIN, verdict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import now
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_job"

ARGUMENTS = dict(
    APPLICATION,
    definition={"type": "dict", "required": True},
    color={"type": "str"},
    version={"type": "raw"},
    timeout={"type": "raw", "default": 300},
    keep_failed={"type": "bool", "default": False},
    force={"type": "bool", "default": False},
    undoes={"type": "str"},
    failure={"type": "dict"},
    contracts={"type": "bool", "default": False},
    after={"type": "raw"},
    hands_over={"type": "bool", "default": False},
    **LOCK,
)

DURATIONS = ("api_timeout", "timeout", "after")

KEEPS_LOCK = True

RETURNS: Object = {"job": None, "succeeded": None, "logs": [], "elapsed": None, "frozen_at": None, "diff": {}}


def secrets(params: Params) -> set[str]:
    return job_secrets(params.get("definition"))


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    if params["failure"] is not None:
        raise _undone(params, cluster, progress)
    return _run(params, cluster, progress)


# Another run works on the same database, or nobody can be asked.
NOT_UNDONE = ("superseded", "api_unreachable", "conflict")


def _undone(params: Params, cluster: Cluster, progress: Progress) -> BlueGreenError:
    """Undo what a failed run has changed, if that can be; the error that ends the run, with what failed and what became of it."""
    failure = params["failure"]
    reason, result = failure.get("reason") or "task_failed", {}
    if not params["definition"]:
        said = "No undo Job was run (bluegreen_database.undo names none): what the Job has changed by then is still changed."
    elif not params["undoes"] or reason in NOT_UNDONE:
        said = "No undo Job was run: what the Job has changed by then is still changed."
    else:
        try:
            result = _run(params, cluster, progress)
            said = f"The Job {result['job']} has undone the change."
        except BlueGreenError as error:
            result = error.result
            said = f"The undo Job failed as well, so the schema may be half changed: {error}"
    cluster.live = None  # the failure says already what is live
    return BlueGreenError(
        f"{failure.get('msg') or 'A task failed.'}\nNothing was deployed. {said}", reason, result=result
    )


def _run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    check_definition(params["definition"], "The Job's definition")
    if params["timeout"] <= 0:
        raise BlueGreenError("timeout must be more than 0.", "bad_input", next_step="Give a time limit such as 5m.")
    if params["version"]:
        check_version(params["version"])
    app = read_application(cluster, params)
    color = params["color"] or app.idle
    if color not in app.colors:
        app.color(color)  # which says so
    version = params["version"] or app.colors[color].version
    definition = with_environment(params["definition"], app, color, version)
    name = definition["metadata"]["name"]
    digest = _digest(params["definition"], version)
    done = app.state.get("jobs", {}).get(name)
    anew = params["force"] or params["hands_over"]  # neither skipped nor adopted
    if done and done["digest"] == digest and not anew and not params["undoes"]:
        return {
            "changed": False,
            "job": name,
            "succeeded": True,
            "elapsed": 0,
            "msg": f"Job {name} has been done for {version} already, {done['ended_at']}.",
        }
    _refuse_undue(app, params)
    result = {"job": name, "diff": diff("Job " + name, None, definition)}
    if cluster.dry_run:
        if cluster.get("Job", name) is None:
            cluster.create("Job", definition)
        return dict(result, changed=True, msg=f"Would run Job {name} for {version}.")
    app.refuse_foreign_lock(params["lock_id"])
    if params["contracts"] or params["undoes"] or params["hands_over"]:
        # Before the first step: from it on, the old version may be unable to use the database, the migration be half gone,
        # or the writes with neither database.
        record(cluster, params, lambda fresh: _begun(fresh, params, name))
    job = Job(cluster, definition, params["timeout"], progress)
    job.digest, job.lock_id = digest, params["lock_id"]
    job.owner = params["services"][0]
    try:
        job.fence = lambda: _refuse_undue(_ours(cluster, params), params)
        job.claim(adopt=not anew)
        job.fence = lambda: read_application(cluster, params).refuse_foreign_lock(params["lock_id"])
        job.follow(until=HANDED_OVER if params["hands_over"] else None)
    except BlueGreenError as error:
        error.result.update(job=name, changed=True)
        if error.reason == "not_due":
            # It has not begun, so the way back is as good as it was.
            record(cluster, params, lambda fresh: dict(fresh.state, contracted=app.state.get("contracted")))
        if error.reason in ("job_failed", "timeout") and not params["keep_failed"]:
            job.remove()
        raise
    if params["hands_over"]:
        # Every millisecond counts: it is followed to its end, recorded and removed by a call after the switch.
        result.update(
            changed=True, succeeded=True, logs=list(job.log.lines), elapsed=job.elapsed(), frozen_at=job.log.frozen_at()
        )
        result["msg"] = f"Job {name} has handed the writes over to {color} after {job.elapsed():.1f} s."
        return result
    if not params["undoes"]:  # what undoes something is needed again when that was done again
        ended = {"digest": digest, "version": version, "ended_at": now()}
        record(
            cluster, params, lambda fresh: dict(fresh.state, jobs=dict(fresh.state.get("jobs", {}), **{name: ended}))
        )
    job.remove()
    result.update(changed=True, succeeded=True, logs=list(job.log.lines), elapsed=job.elapsed())
    result["msg"] = f"Job {name} succeeded for {version} after {job.elapsed():.1f} s."
    return result


def _digest(definition: Object, version: str | None) -> str:
    text = json.dumps([definition, version], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _ours(cluster: Cluster, params: Params) -> Application:
    """A fresh reading, if no other run has taken over."""
    app = read_application(cluster, params)
    app.refuse_foreign_lock(params["lock_id"])
    return app


def _refuse_undue(app: Application, params: Params) -> None:
    """What older versions need is removed only while the version that does not need it is live, for long enough.

    :raises BlueGreenError: it is not, as things are now.
    """
    if not params["contracts"] or params["after"] is None:
        return
    due = verdict(app, params["after"], "zero", params["containers"])
    wanted = params["version"]
    if due["due"] and wanted in (None, "", app.live.version):
        return
    raise BlueGreenError(
        f"The Job that removes what versions before {wanted or 'the live one'} need is not begun: it is not due.",
        "not_due",
        why=due["msg"] if not due["due"] else f"{app.describe(app.active)} is live, not {wanted}.",
        next_step=LOOKS_AGAIN,
    )


def _begun(app: Application, params: Params, own: str) -> Object:
    """The state when a Job begins that takes something back, or hands over."""
    _refuse_undue(app, params)
    undone = own if params["hands_over"] else params["undoes"]
    jobs = {name: entry for name, entry in app.state.get("jobs", {}).items() if name != undone}
    state = dict(app.state, jobs=jobs)
    if params["contracts"]:
        state["contracted"] = {"version": app.live.version, "at": now()}
    return state


def record(cluster: Cluster, params: Params, change: Callable[[Application], Object]) -> None:
    """Change the state on the first Service, if no other run has taken over.

    :param change: makes the new state from a fresh reading.
    """
    name = params["services"][0]

    def attempt() -> None:
        app = read_application(cluster, params)
        service = app.services[0]
        text = compact(bounded(change(app)))
        operations = app.fence(service, params["lock_id"]) + annotation_operations(service, STATE, text)
        cluster.patch("Service", name, operations)

    again(
        attempt,
        f"Service {name} changes faster than the record can be written ({TRIES} attempts).",
        "Stop the other writer, then run again: what has been done is not done twice.",
    )
