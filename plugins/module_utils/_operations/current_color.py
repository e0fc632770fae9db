# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Detect: what is live, what is idle, what was there before."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Color,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.hazards import hazards
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_name, read_kept
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.preview import check_preview
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import (
    missing_file,
    mistaken_database,
    mistaken_hooks,
    refuse,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, seconds, to_second

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
)

DURATIONS = ("api_timeout", "retire_after")

KEEPS_LOCK = False

secrets = _checks.secrets

RETURNS = {
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
}


def run(params, cluster, progress):
    _refuse_mistakes(params)
    app = read_application(cluster, params)
    if params["preview_service"]:
        check_preview(app, params["preview_service"], cluster.get("Service", params["preview_service"]))
    history, last = app.state["history"], app.last_switch()
    kept = read_kept(app, app.idle) if app.colors[app.idle].deployment is None else None
    retires = _retires_at(app, params["retire_after"])
    # Only those who want to know when the idle color ends are told how long a rollback takes: it costs a request.
    rollback_seconds = _rollback_seconds(app) if params["retire_after"] is not None else None
    result = {
        "active_color": app.active,
        "idle_color": app.idle,
        "pending_color": app.pending,
        "previous_color": last["from_color"] if last and last["color"] == app.active else None,
        "unfinished": app.unfinished(),
        "rollback_to": app.rollback_to(),
        "rollback_seconds": rollback_seconds,
        "colors": {name: color.summary() for name, color in app.colors.items()},
        "retires_at": retires,
        "selectors": app.selectors(),
        "switched_at": last["switched_at"] if last else None,
        "history": history,
        "contracted": app.state.get("contracted"),
        "summary": _summary(app, kept, retires, rollback_seconds),
        "prepared": app.prepared(),
        "warnings": app.warnings + hazards(app),
        "msg": f"{app.describe(app.active)} is live, {app.describe(app.idle)} is idle.{f' A switch to {app.pending} was interrupted.' if app.pending else ''}",
    }
    if kept:
        retired = Color(app.idle, kept, params["containers"])
        result["colors"][app.idle].update(version=retired.version, image=retired.image)
        result["msg"] += f" Secret {kept_name(app, app.idle)} keeps its manifest."
    if params["version"] is not None or params["image"]:
        if not params["create_missing"] and not kept:
            app.color(app.idle)
        images = app.wanted_images(app.idle, params["version"], params["image"])
        result["wanted_image"] = next(iter(images.values()))
        result["is_live"] = app.is_live(images, params["version"])
        # An interrupted switch is put right first; then this is looked at again.
        if params["prepared"] is not None and not result["is_live"] and not app.pending:
            _refuse_unprepared(app, params["prepared"], images, result)
    return result


def _refuse_unprepared(app, approved, images, result):
    """What is promoted must be what was prepared, and, where somebody approved of it, what was approved.

    :param approved: ``prepared`` of the run that was approved; empty for whatever was prepared last.
    :param result: what is returned all the same.
    :raises BlueGreenError: ``not_prepared``
    """
    color, prepared = app.color(app.idle), app.prepared()
    current = {item["name"]: item["image"] for item in color.containers}
    wrong = [name for name, image in images.items() if current.get(name) != image]
    why = []
    if wrong:
        what = f"{color.name} runs {current.get(wrong[0])}, not {images[wrong[0]]}."
    elif prepared is None:
        what = f"No release is prepared on {color.name}, or the traffic was moved since."
    elif prepared["color"] != color.name:
        what = f"{prepared['color']} was prepared, but {color.name} is idle now."
    elif approved.get("run") and approved["run"] != prepared["run"]:
        what = "Another release was prepared since this one was approved."
        why = [
            f"approved: run {approved['run']}, version {approved.get('version')}",
            f"prepared: run {prepared['run']}, version {prepared['version']}",
        ]
    elif color.template_hash != prepared["template_hash"]:
        what = f"The pod template of {color.deployment_name} was changed since it was prepared."
        why = [f"template_hash was {prepared['template_hash']}, it is {color.template_hash}"]
    else:
        return
    raise BlueGreenError(
        what, "not_prepared", why=why, next_step="Run prepare.yml again, and have that approved.", result=result
    )


def _refuse_mistakes(params):
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


def _retires_at(app, after):
    """When the idle color is due to be retired, as text; ``None`` when it is already, or nothing says since when it is idle."""
    due = app.retires_at(after) if after is not None and app.colors[app.idle].replicas else None
    return due and to_second(due)


def _rollback_seconds(app):
    """How long a rollback has to wait for pods before it switches, as its pods took the last time; ``None`` if unknown."""
    target = app.rollback_to()
    if target is None:
        return None
    color = app.colors[target["color"]]
    if color.name == app.active or color.ready >= app.live.replicas:
        return 0
    for seen in (color, app.live):
        pods = app.cluster.list("Pod", labelSelector=seen.pod_selector)["items"] if seen.deployment else []
        took = sorted(filter(None, map(_seconds_to_ready, pods)))
        if took:
            return round(took[len(took) // 2])
    return None


def _seconds_to_ready(pod):
    ready = Pod(pod).conditions.get("Ready", {})
    if ready.get("status") != "True":
        return None
    return (moment(ready["lastTransitionTime"]) - moment(pod["metadata"]["creationTimestamp"])).total_seconds()


def _summary(app, kept, retires, rollback_seconds):
    """What ``status`` shows: a line for each color, what a rollback would do, and the last releases."""
    rows = [("", "color", "version", "pods", "Deployment", "image")]
    for name in (app.active, app.idle):
        color = app.colors[name]
        rows.append(
            (
                "live" if name == app.active else "idle",
                name,
                color.version or "-",
                f"{color.ready}/{color.replicas} ready",
                color.deployment_name or "(none)",
                color.image or "-",
            )
        )
    lines = _table(rows)
    last = app.last_switch()
    if last:
        moved = f"{app.active} is live since {last.get('reverted_at') or last['switched_at']}"
        lines.append(moved + (f", by {last['by']}" if last.get("by") else ""))
    target = app.rollback_to()
    if target is None:
        lines.append("rollback: nothing to go back to; rollback.yml -e version=X goes to X if the idle color has it")
    elif target["color"] == app.active:
        lines.append(f"rollback: gives up the release that was not finished; {app.active} stays live")
    else:
        ready = app.colors[target["color"]]
        short = app.live.replicas - ready.ready
        wait = "at once" if short <= 0 else f"after {short} more of its pods are ready"
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
                entry["outcome"],
                entry.get("by") or "-",
                entry.get("job") or "-",
            )
        )
    return lines + (_table(rows) if len(rows) > 1 else ["no release recorded yet"])


def _table(rows):
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
