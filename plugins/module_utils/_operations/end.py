# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""End: judge how a run went on a reading after its last write, record that, let the next run in, and say it."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import read_application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import last_switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import superseded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import (
    BAD,
    Happened,
    Result,
    account,
    are_frozen,
    compose,
    is_gone,
    judge,
    moved_away,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.plan import FLOWS
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.reading import read_kept_of_idle, reading
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Params, Progress

NAME = "bg_end"
ARGUMENTS = dict(
    APPLICATION,
    flow={"type": "str", "required": True, "choices": list(FLOWS)},
    application={"type": "str"},
    begun={"type": "dict", "default": {}},
    stages={"type": "dict", "default": {}},
    failure={"type": "dict"},
    directory={"type": "path"},
    by={"type": "str"},
    job={"type": "str"},
    **LOCK,
)
DURATIONS = ("api_timeout",)
KEEPS_LOCK = True
# What the rescue puts right after the traffic, by its stages.
WAY_BACK = {"follow back": "what goes with the live color", "workers back": "the workers"}
RETURNS: Result = {
    "outcome": None,
    "bad": None,
    "result": {},
    "stages": {},
    "active_color": None,
    "version": None,
    "account": None,
}


def run(params: Params, cluster: Cluster, progress: Progress) -> Result:
    happened = happened_of(params, cluster.dry_run)
    now, warnings = (None, []) if _reached_nobody(params["begun"]) else _read(cluster, params)
    given = happened.failure
    away, gone = moved_away(happened, now or {}), is_gone(happened, now or {})
    if away:
        happened.failure = _taken_from(away, now or {})
    elif gone:
        happened.failure = _gone(gone, now or {})
    outcome = judge(happened, now)
    # What is gone is a failure like any other: the rescue may put the traffic back, and has the lock to do so.
    if happened.lock_id and (away or outcome != "superseded") and not gone and not cluster.dry_run:
        outcome = _give_back(params, cluster, happened, now, outcome, warnings)
    result = dict(conclude(happened, now, outcome, params["begun"]), warnings=warnings)
    if given is None and happened.failure is not None:
        result["msg"] = happened.failure[
            "msg"
        ]  # whoever ends the run after this failure says what else there is to say
    return result


def blind(params: Params, dry_run: bool) -> Result:
    """The same where not even a connection is to be had: something must be said all the same."""
    happened = happened_of(params, dry_run)
    return conclude(happened, None, judge(happened, None), params["begun"])


def happened_of(params: Params, dry_run: bool) -> Happened:
    """What is known of the run."""
    begun = params["begun"]
    lock_id = params["lock_id"] or begun.get("lock_id")
    own = _own_stages(params["stages"], begun)
    happened = Happened(
        flow=params["flow"],
        planned=dry_run,
        needed=begun.get("needed") is not False,
        lock_id=lock_id,
        good_color=begun.get("good_color"),
        resumes=begun.get("resumes") if lock_id else None,  # without the lock, it has not gone on with anything
        own_tasks=any(step["name"] == "deploy_tasks" for step in begun.get("steps") or []),
        stages=own,
        failure=params["failure"],
    )
    happened.failure = _failure(happened)
    return happened


def _taken_from(color: str, now: Result) -> Result:
    """The failure of a run that has come to its end, whose color somebody has made idle again meanwhile."""
    error = BlueGreenError(
        f"{color} was made live, and somebody else has switched the Services to {now['active_color']} since.",
        "superseded",
        live=now.get("msg"),
        next_step="Find out who did, and why; then run again.",
    )
    return _told(error)


def _gone(color: str, now: Result) -> Result:
    """The failure of a run that has come to its end, when somebody has deleted what it tells of."""
    error = BlueGreenError(
        f"The Deployment of {color} is gone: somebody else has deleted it.",
        "not_found",
        live=now.get("msg"),
        next_step="Find out who did, and why. release.yml -e version=X makes any version live.",
    )
    return _told(error)


def _told(error: BlueGreenError) -> Result:
    """An error as the failure of a run."""
    return {"msg": str(error), "reason": error.reason}


def _own_stages(stages: Result, begun: Result) -> dict[str, Result]:
    """The stages of this run, in their order; results that an earlier run in the same play has left are not its own."""
    own = dict(begun.get("stages") or {})
    if begun.get("failed") and begun.get("started_at"):
        failed = {key: begun.get(key) for key in ("started_at", "ended_at", "failed", "msg")}
        own.setdefault("lock" if "detect" in own else "detect", failed)
    since = begun.get("started_at") or ("" if not begun else None)
    for name, stage in stages.items():
        if since is not None and stage and str(stage.get("started_at") or "") > since:
            own[name] = stage
    if begun.get("retirement"):
        own["due"] = begun["retirement"]
    return own


def _failure(happened: Happened) -> Result | None:
    """What failed, and what could not be put right after it."""
    failure = happened.failure
    if failure is None:
        return None
    undone = [
        (f"{what} could not be put right, which the next run does", happened.of(stage).get("msg"))
        for stage, what in WAY_BACK.items()
        if happened.of(stage).get("failed")
    ]
    if are_frozen(happened):
        what = "the writes could not be handed to the database of the live color, so they may be refused"
        why = "it could not be read what is live, or the Services select both colors."
        undone.append((what, happened.of("hand back").get("msg") or why))
    if not undone:
        return failure
    return dict(failure, msg="\n".join([str(failure.get("msg")), *(f"And {what}:\n{why}" for what, why in undone)]))


def conclude(happened: Happened, now: Result | None, outcome: str, begun: Result) -> Result:
    """The keys of ``bg_end``, from the outcome and the reading it was judged on."""
    live, colors = (now or {}).get("active_color"), (now or {}).get("colors") or {}
    retired = happened.of("retire") or happened.of("due")
    pending = (now or {}).get("pending_color")
    split = f"some Services select {live}, some {pending}" if pending else None
    live = None if pending else live
    result = compose(
        outcome,
        live,
        colors.get(live, {}).get("version"),
        retired.get("version") if happened.flow == "retire" else previous_version(now or {}, outcome),
        happened.failure,
        _timings(happened),
        _prepared(happened, outcome, begun),
        split,
    )
    return {
        "outcome": outcome,
        "bad": outcome in BAD,
        "result": result,
        "stages": happened.stages,
        "active_color": live,
        "version": result["version"],
        "msg": f"{outcome.upper()}: {result['msg']}",
        "account": account(result, happened.failure, happened.flow, begun.get("version")),
    }


def previous_version(now: Result, outcome: str) -> str | None:
    """The version before the live one. The other color may have another one by now, that was prepared or has failed there."""
    live, colors, ready = now.get("active_color"), now.get("colors") or {}, now.get("prepared") or {}
    other = next((name for name in colors if name != live), "")
    last = last_switch(now.get("history") or []) or {}
    if last.get("color") == live and last.get("from_color") == other and not last.get("reverted_at"):
        return last.get("previous_version")
    return None if outcome == "prepared" or ready.get("color") == other else colors.get(other, {}).get("version")


def _reached_nobody(begun: Result) -> bool:
    """Whether the API server did not even answer the first question, so that it is not asked a second time."""
    return begun.get("reason") == "api_unreachable" and not begun.get("stages")


def _read(cluster: Cluster, params: Params) -> tuple[Result | None, list[str]]:
    """The reading after the last write, ``None`` when nobody can tell; and what people should know."""
    try:
        app = read_application(cluster, params)
        return reading(app, read_kept_of_idle(app), params["containers"]), []
    except Exception as failure:  # pylint: disable=broad-except
        error = explained(failure)
        return None, [f"What is live now could not be read: {error.what}"] if params["failure"] is None else []


def _give_back(
    params: Params, cluster: Cluster, happened: Happened, now: Result | None, outcome: str, warnings: list[str]
) -> str:
    """Record the outcome and free the lock; that this fails is no failure of the release, which is what it is.

    :returns: the outcome, which is another one when the lock turns out to be somebody else's.
    """
    prepared = _prepared(happened, outcome, params["begun"])
    asked = dict(
        params,
        lock_id=happened.lock_id,
        outcome=outcome,
        prepared=_record(prepared, happened.of("deploy").get("workers") or {}) if prepared else None,
    )
    try:
        held = lock.release(asked, cluster)["changed"]
    except Exception as failure:  # pylint: disable=broad-except
        error = explained(failure)
        if error.reason != "superseded":
            warnings.append(lock.not_given_back(error))
            return outcome
        held = False
    if held or happened.flow == "retire":  # what is retired is retired, whoever has taken over since
        return outcome
    happened.lost_lock = True
    happened.failure = happened.failure or _told(superseded("The lock was not held any more."))
    return judge(happened, now)


def _record(prepared: Result, workers: Result) -> Result:
    """What the history keeps of what is prepared."""
    found = {key: prepared[key] for key in ("color", "template_hash")}
    hashes = {name: {"template_hash": item["template_hash"]} for name, item in workers.items()}
    return {**found, **({"workers": hashes} if hashes else {})}


def _timings(happened: Happened) -> Result:
    if happened.failure is not None or happened.flow == "retire":
        return {}
    switch = happened.of("switch")
    names = ("endpoints_ms", "frozen_ms", "last_old_ms")
    return dict({"wait": happened.of("wait").get("elapsed")}, **{name: switch.get(name) for name in names})


def _prepared(happened: Happened, outcome: str, begun: Result) -> Result | None:
    """What promote compares: of which run, which version, which pod template."""
    if outcome != "prepared":
        return None
    deploy = happened.of("deploy")
    return {
        "color": deploy["color"],
        "template_hash": deploy["template_hash"],
        "run": happened.lock_id,
        "version": begun.get("version"),
    }
