# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Detect: what is live, what is idle, what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers, workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.hazards import hazards
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import (
    last_switch,
    live_since_last_switch,
    retires_at,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_name
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import lease_name
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.preview import check_preview
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CRONJOBS, FOLLOW
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.reading import (
    judge_version,
    read_kept_of_idle,
    reading,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.retirement import CLOCKS_DIFFER
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import (
    missing_file,
    mistaken_database,
    mistaken_hooks,
    refuse,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, seconds, to_second
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_current_color"

ARGUMENTS = dict(
    APPLICATION,
    version={"type": "raw"},
    image={"type": "str"},
    create_missing={"type": "bool", "default": False},
    preview_service={"type": "str"},
    prepared={"type": "dict"},
    checks={"type": "list", "elements": "dict", "default": []},
    **_checks.SETTINGS,
    retire_after={"type": "raw"},
    deploy_tasks={"type": "str"},
    hooks={"type": "dict", "default": {}},
    database={"type": "dict", "default": {}},
    durations={"type": "dict", "default": {}},
    counts={"type": "dict", "default": {}},
    follow=dict(FOLLOW, default=list(followers.GROUPS)),
    cronjobs=CRONJOBS,
    idle_replicas={"type": "int", "default": 1},
    workers={"type": "raw", "default": []},
)

DURATIONS = ("api_timeout", "retire_after")

KEEPS_LOCK = False

FIRST_CONTACT = True

secrets = _checks.secrets

RETURNS: Object = {
    "active_color": None,
    "idle_color": None,
    "pending_color": None,
    "previous_color": None,
    "unfinished": None,
    "rollback_to": None,
    "rollback_seconds": None,
    "colors": {},
    "selectors": {},
    "switched_at": None,
    "history": [],
    "contracted": None,
    "retires_at": None,
    "summary": [],
    "wanted_image": None,
    "is_live": None,
    "prepared": None,
    "followers": [],
    "workers": [],
}


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    _refuse_mistakes(params)
    app, found = followers.look(cluster, params, params["follow"], params["cronjobs"], params["idle_replicas"])
    if params["preview_service"]:
        check_preview(app, params["preview_service"], cluster.get("Service", params["preview_service"]))
    kept = read_kept_of_idle(app)
    result = reading(app, kept, params["containers"])
    result["followers"] = followers.summaries(app, found, params["idle_replicas"])
    wanted, mistakes = workers.parse(params["workers"])
    refuse([f"bluegreen_workers: {text}" for text in mistakes], lambda: None)
    found.warnings += workers.scaled_by_others(app, wanted, found.there)
    result["workers"] = workers.summaries(app, wanted, params["containers"])
    retires, target = _retires_at(app, params["retire_after"]), result["rollback_to"]
    # Only those who want to know when the idle color ends are told how long a rollback takes: it costs a request.
    rollback_seconds = _rollback_seconds(app, target) if params["retire_after"] is not None else None
    running = _running(app, params) if params["retire_after"] is not None else "running"
    result.update(
        rollback_seconds=rollback_seconds,
        retires_at=retires,
        summary=_summary(app, kept, retires, target, rollback_seconds, running)
        + _followers_in_words(result["followers"])
        + _workers_in_words(app, result["workers"]),
        warnings=app.warnings + hazards(app) + found.warnings + found.mistakes,
    )
    judge_version(
        app,
        result,
        kept,
        params["containers"],
        params["version"],
        params["image"],
        create_missing=params["create_missing"],
        approved=params["prepared"],
    )
    return result


def _refuse_mistakes(params: Params) -> None:
    """What later stages of a release would stumble over is refused before the first of them.

    :raises BlueGreenError: names every mistake.
    """
    mistakes = []
    for name, value in params["durations"].items():
        try:
            seconds(value, name)
        except BlueGreenError as error:
            mistakes.append(f"{error.what} {error.next_step}")
    for name, value in params["counts"].items():
        if not str(value).isdigit():
            mistakes.append(f"{name} is not a number of 0 or more: {value!r}.")
    mistakes += missing_file("bluegreen_deploy_tasks", params["deploy_tasks"], params["chdir"])
    mistakes += mistaken_hooks(params["hooks"], params["chdir"])
    mistakes += mistaken_database(params["database"], params["chdir"])
    refuse(mistakes, lambda: _checks.parse(params))


def _retires_at(app: Application, after: float | None) -> str | None:
    """When the idle color is due to be retired, as text; ``None`` when it is already, or nothing says since when it is idle."""
    due = retires_at(app.state["history"], after) if after is not None and app.colors[app.idle].replicas else None
    return to_second(due) if due else None


def _rollback_seconds(app: Application, target: Object | None) -> int | None:
    """How long a rollback has to wait for pods before it switches, as its pods took the last time; ``None`` if unknown."""
    if target is None:
        return None
    color = app.colors[target["color"]]
    if color.name == app.active or _short(app, target) <= 0:
        return 0
    for seen in (color, app.live):
        pods = app.cluster.list("Pod", labelSelector=seen.pod_selector)["items"] if seen.deployment else []
        took = sorted(filter(None, map(_seconds_to_ready, seen.own(pods))))
        if took:
            return round(took[len(took) // 2])
    return None


def _is_made_again(color: Color, target: Object) -> bool:
    """Whether a rollback has to put another pod template on the color first, or make its Deployment."""
    wanted = target.get("template_hash")
    return color.template_hash != wanted if wanted else color.image != target["image"]


def _short(app: Application, target: Object) -> int:
    """How many pods a rollback has to wait for."""
    color = app.colors[target["color"]]
    return app.strength_before(color.name) - (0 if _is_made_again(color, target) else color.ready)


def _seconds_to_ready(pod: Object) -> float | None:
    ready = Pod(pod).conditions.get("Ready", {})
    if ready.get("status") != "True":
        return None
    return (moment(ready["lastTransitionTime"]) - moment(pod["metadata"]["creationTimestamp"])).total_seconds()


def _running(app: Application, params: Params) -> str:
    """What to call the run that has not recorded an end: it may have been killed, and nobody was there to write that down."""
    newest: Object = next(iter(app.state["history"]), {})
    if newest.get("outcome") != "running":
        return "running"
    try:
        lease = app.cluster.get("Lease", lease_name(params["services"]))
    except ApiError as error:
        if error.status != 403:
            raise
        app.warnings.append(f"Whether run {newest['run']} lives was not looked at: {error.what}")
        return "running"
    if lease is None or lease["spec"].get("holderIdentity") != newest["run"]:
        return "interrupted"
    renewed = moment(lease["spec"]["renewTime"])
    quiet = timedelta(seconds=lease["spec"]["leaseDurationSeconds"] + CLOCKS_DIFFER)
    return "running" if datetime.now(timezone.utc) < renewed + quiet else f"no sign of life since {to_second(renewed)}"


def _summary(
    app: Application,
    kept: Object | None,
    retires: str | None,
    target: Object | None,
    rollback_seconds: int | None,
    running: str,
) -> list[str]:
    """What ``status`` shows: a line for each color, what a rollback would do, and the last releases."""
    rows = [("", "color", "version", "pods", "Deployment", "image")]
    for name in (app.active, app.idle):
        color = app.colors[name]
        leaving = None if color.deployment else app.leaving(name)
        rows.append(
            (
                "live" if name == app.active else "idle",
                name,
                color.version or "-",
                f"{color.ready}/{color.replicas} ready",
                color.deployment_name or (f"{leaving} (is being deleted)" if leaving else "(none)"),
                color.image or "-",
            )
        )
    lines = _table(rows)
    last = last_switch(app.state["history"])
    if last and live_since_last_switch(app.state["history"]) == app.active:
        moved = f"{app.active} is live since {last.get('reverted_at') or last['switched_at']}"
        lines.append(moved + (f", by {last['by']}" if last.get("by") else ""))
    if target is None:
        lines.append("rollback: nothing to go back to; rollback.yml -e version=X goes to X if the idle color has it")
    elif target["color"] == app.active:
        lines.append(f"rollback: gives up the release that was not finished; {app.active} stays live")
    elif not app.colors[target["color"]].deployment and not kept:
        lines.append(f"rollback: not to {target['color']} (version {target['version']}), whose Deployment is gone")
    else:
        short = _short(app, target)
        again = _is_made_again(app.colors[target["color"]], target)
        more = "of its pods are made again and" if again else "more of its pods are"
        wait = "at once" if short <= 0 else f"after {short} {more} ready"
        if short > 0 and rollback_seconds is not None:
            wait += f", about {rollback_seconds} s"
        lines.append(f"rollback: to {target['color']} (version {target['version']}), {wait}")
    if kept:
        lines.append(f"retired: {app.idle}; Secret {kept_name(app, app.idle)} keeps its manifest")
    elif retires:
        lines.append(f"retires: {app.idle} is due at {retires}")
    rows = [("when", "what", "version", "outcome", "by", "job")]
    for entry in app.state["history"]:
        rows.append(
            (
                entry.get("started_at") or entry.get("switched_at") or "-",
                entry.get("kind") or "switch",
                entry.get("version") or "-",
                running if entry["outcome"] == "running" else entry["outcome"],
                entry.get("by") or "-",
                entry.get("job") or "-",
            )
        )
    return lines + (_table(rows) if len(rows) > 1 else ["no release recorded yet"])


def _followers_in_words(found: list[Object]) -> list[str]:
    """A line for each, and whether an interrupted run, or somebody else, has left it behind."""
    return [
        f"{'lags' if item['lags'] else 'follows' if not item['apart'] else 'beside'}: {item['kind']} {item['name']} {item['about']}"
        for item in found
    ]


def _workers_in_words(app: Application, found: list[Object]) -> list[str]:
    """A line for each, and whether an interrupted run, or somebody else, has left it behind."""
    return [
        f"{'lags' if item['lags'] else 'works'}: worker {item['name']} "
        + ", ".join(f"{name} {_worker_in_words(item['colors'][name])}" for name in (app.active, app.idle))
        for item in found
    ]


def _worker_in_words(color: Object) -> str:
    if color["deployment"] is None:
        return "(no Deployment)"
    return f"{color['ready']}/{color['replicas']} ready (version {color['version']})"


def in_one_line(result: Object) -> str:
    """The most important of a status, for those who have many."""
    live, idle = result["active_color"], result["idle_color"]
    colors = result["colors"]
    shown = [
        f"{name} (version {colors[name]['version'] or '-'}) {what}, {colors[name]['ready']}/{colors[name]['replicas']} ready"
        for name, what in ((live, "is live"), (idle, "is idle"))
    ]
    return "; ".join([*shown, *(line for line in result["summary"] if line.startswith("rollback: "))])


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
