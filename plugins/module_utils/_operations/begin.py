# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Begin: judge the settings, see what is live, plan the run, lock out others, put right what an interrupted run has left."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers, workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import (
    hidden,
    in_words,
    names_of,
    other_configs,
    parse,
    refuse_unreferred,
    versioned,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.hazards import (
    changed_beside,
    hazards,
    without_room,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import goes_back, prepared
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import Keeper, lease_name
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.others import look_beside
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.preview import check_preview
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import refuse_full
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock, switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, from_text
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import plan as planning
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.reading import (
    judge_version,
    read_kept_of_idle,
    reading,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.retirement import verdict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import judge, unquoted
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.steps import template_from
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import micro_time, seconds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

RELEASES = ("release", "prepare", "promote")

NAME = "bg_begin"
ARGUMENTS = dict(
    APPLICATION,
    flow={"type": "str", "required": True, "choices": list(planning.FLOWS)},
    settings={"type": "dict"},
    version={"type": "raw"},
    config={"type": "json", "no_log": True},
    approved={"type": "dict"},
    application={"type": "str"},
    directory={"type": "path"},
    by={"type": "str"},
    job={"type": "str"},
)
DURATIONS = ("api_timeout",)
KEEPS_LOCK = False
FIRST_CONTACT = True
TAKES_LOCK = True
RETURNS: Object = {
    "application": None,
    "directory": None,
    "lock_id": None,
    "waited": False,
    "color": None,
    "version": None,
    "good_color": None,
    "resumes": None,
    "needed": None,
    "steps": [],
    "rescue": [{"name": "end", "file": "end.yml"}, {"name": "fail", "file": "fail.yml"}],
    "stages": {},
    "active_color": None,
    "idle_color": None,
    "pending_color": None,
    "colors": {},
    "selectors": {},
    "history": [],
    "prepared": None,
    "unfinished": None,
    "rollback_to": None,
    "contracted": None,
    "is_live": None,
    "reconfigured": [],
    "wanted_image": None,
    "retirement": None,
    "followers": [],
    "workers": [],
}


def secrets(params: Params) -> set[str]:
    """What no output may show of the checks and of the configuration, wherever they are."""
    settings = params.get("settings") or {}
    prometheus = from_text(settings.get("bluegreen_prometheus"), dict)
    checks = []
    for name in ("bluegreen_checks", "bluegreen_bake_checks"):
        value = from_text(settings.get(name), list)  # what is none is shown in the mistake, so that it counts as well
        checks += value if isinstance(value, list) else [value]
    checks += [check for item in workers.parse(settings.get("bluegreen_workers") or [])[0] for check in item.checks]
    configs = _configs_by_color(params["config"]) if params.get("config") else {}
    return hidden(params, *configs.values()) | _checks.secrets(
        {
            "checks": [check for check in checks if isinstance(check, dict)],
            "prometheus": prometheus if isinstance(prometheus, dict) else None,
            "chdir": params.get("directory"),
        }
    )


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    began = micro_time()
    known = {"application": params["application"], "directory": params["directory"]}
    try:
        settings = judge(params["settings"] or {}, params["directory"])
        settings["version"] = _version(params, settings)
        app, now, found = _look(cluster, params, settings)
        if params["flow"] in RELEASES:
            followers.refuse_mistakes(found)
        beside = changed_beside(app) if settings["config"] and params["flow"] in RELEASES else []
        for text in app.warnings + hazards(app) + found.warnings + found.mistakes + beside:
            cluster.warn(text)  # before anything is written
        plan = planning.make(params["flow"], now, settings, params["directory"])
        if plan.locks:
            try:
                followers.refuse_forbidden(app, found)
            except BlueGreenError as error:
                if params["flow"] in RELEASES or error.reason != "forbidden":
                    raise
                cluster.warn(f"{error.what} All of them stay as they are.")  # nothing stands in the way of the way back
                settings = dict(settings, follow=[], cronjobs=[])
                app, now, found = _look(cluster, params, settings)
                plan = planning.make(params["flow"], now, settings, params["directory"])
        if params["flow"] in RELEASES and plan.locks and plan.color == app.idle:
            app.refuse_nothing()
            if params["flow"] != "promote" and not settings["manifest"] and not settings["deploy_tasks"]:
                app.refuse_paused()
            refuse_full(app.services)
            followers.refuse_too_few(app, found)
            _refuse_unreferred(app, params, settings)
            create = settings["create_missing"] or bool(settings["deploy_tasks"])
            workers.refuse_missing(app, settings["workers"], params["containers"], create)
            for text in look_beside(app, settings["preview_service"]) + without_room(app):
                cluster.warn(text)
    except BlueGreenError as error:
        error.result = dict(known, **error.result)
        raise
    result = dict(now, **known, **_shown(plan))
    result["stages"] = {"detect": dict(now, started_at=began, ended_at=micro_time())}
    progress(plan.why)
    if not plan.locks or cluster.dry_run:
        return result
    return _locked(cluster, params, settings, app, result, progress)


def _version(params: Params, settings: planning.Settings) -> Any:
    """The version that is asked for; that it is text is judged where it is used."""
    asked = settings["version"] if settings["version"] not in (None, "") else params["version"]
    return unquoted(asked) if isinstance(asked, str) else asked


def _look(
    cluster: Cluster, params: Params, settings: planning.Settings
) -> tuple[Application, planning.Reading, followers.Found]:
    """A fresh reading, and what the flow has to know beyond it."""
    flow = params["flow"]
    app, found = followers.look(cluster, params, settings["follow"], settings["cronjobs"], settings["idle_replicas"])
    if settings["preview_service"] and flow in RELEASES:
        check_preview(app, settings["preview_service"], cluster.get("Service", settings["preview_service"]))
    kept = read_kept_of_idle(app)
    now = reading(app, kept, params["containers"])
    now["followers"] = followers.summaries(app, found, settings["idle_replicas"])
    now["reconfigured"] = in_words(_reconfigured(app, params)) if settings["config"] else []
    found.warnings += workers.scaled_by_others(app, settings["workers"], found.there)
    now["workers"] = workers.summaries(app, settings["workers"], params["containers"])
    if flow in RELEASES:
        judge_version(
            app,
            now,
            kept,
            params["containers"],
            "" if settings["version"] is None else settings["version"],
            settings["image"],
            create_missing=settings["create_missing"] or bool(settings["deploy_tasks"]),
            approved=(params["approved"] or {}) if flow == "promote" else None,
            force=settings["force"],
            reconfigured=bool(now["reconfigured"]),
        )
    if flow == "retire":
        after = seconds(settings["retire_after"], "bluegreen_retire_after")
        running = followers.running(app, found)
        now["retirement"] = verdict(app, after, settings["retire_mode"], params["containers"], running)
    return app, now, found


def _wanted_configs(params: Params, color: str) -> dict[str, str]:
    """The names of the objects that this version has on a color, for which its files may say something else."""
    files = _configs_by_color(params["config"]).get(color)
    return names_of(parse(files, params["services"][0]))


def _configs_by_color(text: str | None) -> dict[str, Any]:
    """As the action has rendered them: for each color, texts by file."""
    found: dict[str, Any] = json.loads(text or "{}")
    return found


def _reconfigured(app: Application, params: Params) -> list[str]:
    """The configs of which the live color has another content than this version, or what is promoted."""
    if app.live.deployment is None:
        return []
    template = app.live.deployment["spec"]["template"]
    if params["flow"] != "promote":
        return other_configs(template, _wanted_configs(params, app.active))
    ready, idle = prepared(app.state["history"]), app.colors[app.idle]
    if not ready or (ready["color"], ready["template_hash"]) != (idle.name, idle.template_hash):
        return []
    return other_configs(template, versioned(idle.deployment["spec"]["template"]))


def _refuse_unreferred(app: Application, params: Params, settings: planning.Settings) -> None:
    """What the deploy would refuse, where it is known now: it makes the template after this color's.

    :raises BlueGreenError: no pod would get one of the configs.
    """
    source = app.colors[app.idle if template_from(settings) == "idle" else app.active].deployment
    if source is not None and params["flow"] != "promote" and not (settings["manifest"] or settings["deploy_tasks"]):
        wanted = _wanted_configs(params, app.idle)
        spared = workers.configs_of_workers(app, [item.name for item in settings["workers"]], wanted)
        refuse_unreferred(source, {config: name for config, name in wanted.items() if config not in spared})


def _shown(plan: planning.Plan) -> Object:
    names = ("color", "version", "good_color", "resumes", "steps", "rescue")
    return dict({name: getattr(plan, name) for name in names}, needed=plan.locks, msg=plan.why)


def _locked(
    cluster: Cluster,
    params: Params,
    settings: planning.Settings,
    app: Application,
    planned: Object,
    progress: Progress,
) -> Object:
    """Get the lock and plan again: another run may have worked on the application since it was looked at."""
    began, flow = micro_time(), params["flow"]
    asking = {
        "lock_id": None,
        "lease_duration": 30,
        "timeout": 0 if flow == "retire" else settings["lock_timeout"],  # a schedule comes again
        "preempt": flow == "rollback",
        "record": flow != "retire",
        "follow": settings["follow"],
        "workers": [item.name for item in settings["workers"]],
        "cronjobs": settings["cronjobs"],
        "version": (settings["version"] or planned["wanted_image"]) if flow in RELEASES else None,
    }
    # As long as it is not ours, nothing of what another run does is ours to go on with, or to put right.
    held = {"resumes": None, "rescue": RETURNS["rescue"]}
    try:
        lease = lock.hold(app, dict(params, **asking), cluster, progress)
        stages = dict(planned["stages"], lock=dict(lease, started_at=began, ended_at=micro_time()))
        held = {"lock_id": lease["lock_id"], "waited": lease["waited"], "stages": stages}
        with Keeper(cluster, lease_name(params["services"]), lease["lock_id"]):
            app, now, _found = _look(cluster, params, settings)
            left = lease["waited"] or bool(now["pending_color"])
            undone = bool(now["pending_color"]) and not goes_back(app.state)
            if now["pending_color"] and not (flow == "rollback" and goes_back(app.state)):
                _settle(cluster, params, app, lease["lock_id"], settings["wait_timeout"], progress)
                app, now, _found = _look(cluster, params, settings)
        if undone and flow == "rollback":
            now["rollback_to"] = {"color": app.active, "version": app.live.version, "image": app.live.image}
        plan = planning.make(flow, now, settings, params["directory"], lease["lock_id"], waited=left, undone=undone)
    except Exception as failure:
        error = explained(failure)  # whatever it is, the lock is held
        error.result = dict(planned, **dict(error.result, **held))
        raise error from failure
    if plan.why != planned["msg"]:
        progress(plan.why)
    return dict(planned, **dict(now, **_shown(plan)), **held, changed=True)


def _settle(
    cluster: Cluster, params: Params, app: Application, lock_id: str, timeout: float, progress: Progress
) -> None:
    """A switch was interrupted between two Services: a way back is finished, as that of its own run; any other is undone."""
    if not goes_back(app.state):
        switch.put_on(app.active, params, cluster, progress, force=True, lock_id=lock_id)
        return
    intent = app.state["intent"]
    about = {"run": intent["run"], "reverts": intent.get("reverts"), "outcome": "rolled_back"}
    switch.put_on(
        app.idle, params, cluster, progress, wait_timeout=timeout, lock_id=lock_id, way_back=True, finishes=about
    )
