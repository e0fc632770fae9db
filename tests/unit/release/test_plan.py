# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: which steps each flow takes in each situation, in which order, and what each of them is told.

Unless a row says otherwise, blue is live with 1.0 on 3 pods, green is idle with 0.9 on 1 pod, and 2.0 is asked for.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.workers import Wanted
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import plan as planning
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release import settings as _settings

# --- situations: what differs from a first release

FIRST: dict[str, Any] = {}
LIVE = {"is_live": True}  # the version that is asked for
SMALL = {"idle_replicas": 1}
UNFINISHED = {"is_live": True, "unfinished": {"run": "r1", "color": "blue"}}
RUNNING = {"is_live": True, "history": [{"run": "r1", "outcome": "running"}]}
PENDING = {"pending_color": "green"}
LIVE_PENDING = {"is_live": True, "pending_color": "green"}
LARGE = {"is_live": True, "idle": {"replicas": 3}}
NO_IDLE = {"idle": {"deployment": None, "image": None, "version": None, "replicas": 0, "template_hash": None}}
KEPT = {"idle": {"deployment": None, "replicas": 0, "template_hash": None}}  # its manifest: version and image are known
PREPARED = {"prepared": {"run": "r1", "version": "2.0", "color": "green", "template_hash": "h-green"}}
BACK = {"rollback_to": {"color": "green", "version": "0.9", "image": "myapp:0.9"}}
STAYS = {"rollback_to": {"color": "blue", "version": "1.0", "image": "myapp:1.0"}}
OTHER_IMAGE = {"rollback_to": {"color": "green", "version": "0.8", "image": "myapp:0.8"}}
CONTRACTED = {**BACK, "contracted": {"version": "1.0", "at": "2026-01-01T00:00:00Z"}}
CONTRACTED_BEFORE = {**BACK, "contracted": {"version": "0.9", "at": "2026-01-01T00:00:00Z"}}
DUE = {"changed": True, "due": True, "retired": False, "version": "0.9", "msg": "green is due."}
NOT_DUE = {"changed": False, "due": False, "retired": False, "version": "0.9", "msg": "green stays."}
RETIRED = {"changed": False, "due": True, "retired": True, "version": "0.9", "msg": "green is retired already."}


def _worker(lags: bool = False, **green: Any) -> list[dict[str, Any]]:
    colors = {
        name: {"version": version, "template_hash": f"w-{name}"}
        for name, version in (("blue", "1.0"), ("green", "0.9"))
    }
    colors["green"].update(green)
    return [{"name": "mailer", "mode": "overlap", "lags": lags, "colors": colors}]


WORKER = {"workers": _worker()}
LAGS = {"workers": _worker(lags=True)}

# --- settings

WORKERS = {"workers": [Wanted("mailer")]}
CHECKS = {"checks": [{"name": "up", "http": "/"}]}
BAKES = {"bake_time": 60.0}
PREVIEW = {"preview_service": "myapp-preview"}
HOOKS = {"hooks": {name: f"{name}.yml" for name in _settings.HOOKS}}
OWN = {"deploy_tasks": "own.yml"}
FORCE = {"force": True}
SHARED = {"database": {"strategy": "shared", "migrate": "migrate.yml"}}
EXPAND = {"database": {"strategy": "expand_contract", "expand": "expand.yml", "contract": "contract.yml"}}
PER_COLOR = {"database": {"strategy": "per_color", "sync": "s.yml", "hand_over": "h.yml", "detach": "d.yml"}}
INSTANT = {"rollback_instant": True}
ANYWAY = {"rollback_contracted": True}
CONFIG = {"config": ["config/*.yml.j2"]}
TWO = {"containers": ["app", "worker"]}


def reading(**facts: Any) -> dict[str, Any]:
    colors = {
        name: {
            "version": version,
            "image": f"myapp:{version}",
            "replicas": replicas,
            "ready": replicas,
            "deployment": f"app-{name}",
            "template_hash": f"h-{name}",
        }
        for name, version, replicas in (("blue", "1.0", 3), ("green", "0.9", 1))
    }
    colors["green"].update(facts.pop("idle", {}))
    colors["blue"].update(facts.pop("live", {}))
    return {
        "active_color": "blue",
        "idle_color": "green",
        "pending_color": None,
        "unfinished": None,
        "rollback_to": None,
        "colors": colors,
        "history": [],
        "followers": [],
        "workers": [],
        "contracted": None,
        "prepared": None,
        "wanted_image": "myapp:2.0",
        "is_live": False,
        "msg": "blue is live, green is idle.",
        **facts,
    }


def settings(**given: Any) -> dict[str, Any]:
    return {**_settings.judge({}, "/play"), "version": "2.0", **given}


def make(flow: str, facts: dict[str, Any], given: dict[str, Any], **locked: Any) -> planning.Plan:
    return planning.make(flow, reading(**facts), settings(**given), "/play", **locked)


def written(steps: list[dict[str, Any]]) -> str:
    """The steps in one line: their names, and of some what they are told."""
    return " ".join(step["name"] + _told(step) for step in steps)


def _told(step: dict[str, Any]) -> str:
    if step["name"] == "hand_over":
        return f":{step['color']}-{step['how'].split()[0]}"
    if step["name"] == "scale_down":
        return f":{step['old_color']}" + ("-after-bake" if step["baked"] else "")
    if step["name"] == "database_change":
        return ":" + step["change"]
    if step["name"] == "preview_nothing" and step["may_fail"]:
        return ":may-fail"
    if step["name"] == "restore":
        return ":" + (step["image"] or "kept")
    if step["name"].startswith("workers_") and "way_back" in step:
        return f":{step['color']}" + ("-back" if step["way_back"] else "")
    if step["name"] in ("switch", "switch_back"):
        return ":frozen" if step["hands_over"] else ""
    if step["name"] == "revert":
        return "" if step["reverts"] else ":never"
    return ""


ALL_HOOKS = (
    "before_database after_database before_deploy deploy after_deploy before_wait wait after_wait "
    "before_validate after_validate before_switch switch after_switch before_bake after_bake "
    "before_scale_down scale_down:blue after_scale_down end"
)
PREPARES_WITH_HOOKS = (
    "before_database after_database before_deploy deploy after_deploy before_wait wait after_wait "
    "before_validate after_validate end"
)
PROMOTES_WITH_HOOKS = ALL_HOOKS.replace(" deploy ", " ")
EVERYTHING = {**CHECKS, **BAKES, **PREVIEW}

# flow, situation, settings, steps
STEPS = [
    # --- a release
    ("release", FIRST, {}, "deploy wait switch scale_down:blue end"),
    ("release", NO_IDLE, {"create_missing": True}, "deploy wait switch scale_down:blue end"),
    ("release", KEPT, {}, "deploy wait switch scale_down:blue end"),
    ("release", BACK, {}, "deploy wait switch scale_down:blue end"),
    ("release", {"history": [{"run": "r1", "outcome": "reverted"}]}, {}, "deploy wait switch scale_down:blue end"),
    ("release", {"history": [{"run": "r1", "outcome": "rolled_back"}]}, {}, "deploy wait switch scale_down:blue end"),
    ("release", {"unfinished": {"run": "r1"}}, {}, "deploy wait switch scale_down:blue end"),
    ("release", FIRST, {"idle_replicas": 3}, "deploy wait switch end"),
    ("release", FIRST, {"idle_replicas": 2}, "deploy wait switch scale_down:blue end"),
    ("release", FIRST, {"idle_replicas": 0}, "deploy wait switch scale_down:blue end"),
    ("release", FIRST, CHECKS, "deploy wait validate switch scale_down:blue end"),
    ("release", FIRST, BAKES, "deploy wait switch bake scale_down:blue-after-bake end"),
    ("release", FIRST, {**BAKES, "idle_replicas": 3}, "deploy wait switch bake end"),
    (
        "release",
        FIRST,
        EVERYTHING,
        "preview_nothing deploy wait preview_new validate preview_nothing switch bake scale_down:blue-after-bake end",
    ),
    ("release", FIRST, HOOKS, ALL_HOOKS),
    ("release", FIRST, {"hooks": {"after_wait": "x.yml"}}, "deploy wait after_wait switch scale_down:blue end"),
    ("release", FIRST, OWN, "deploy_tasks deploy wait switch scale_down:blue end"),
    ("release", FIRST, SHARED, "database_change:migrate deploy wait switch scale_down:blue end"),
    ("release", FIRST, EXPAND, "database_change:expand deploy wait switch scale_down:blue end"),
    (
        "release",
        FIRST,
        PER_COLOR,
        "database_sync deploy wait hand_over:green-before switch:frozen hand_over:green-after scale_down:blue end",
    ),
    (
        "release",
        FIRST,
        {**PER_COLOR, **PREVIEW, "hooks": {"before_switch": "x.yml", "after_switch": "y.yml"}},
        "preview_nothing database_sync deploy wait preview_new before_switch preview_nothing hand_over:green-before "
        "switch:frozen hand_over:green-after after_switch scale_down:blue end",
    ),
    ("release", FIRST, CONFIG, "config deploy wait switch scale_down:blue collect end"),
    (
        "release",
        FIRST,
        {**CONFIG, **OWN, **HOOKS},
        ALL_HOOKS.replace(" deploy ", " config deploy_tasks deploy ").replace(" end", " collect end"),
    ),
    # --- queue workers
    (
        "release",
        WORKER,
        {**WORKERS, **PREVIEW, **BAKES},
        "preview_nothing deploy wait preview_new preview_nothing workers_start:green switch workers_settle:green bake "
        "scale_down:blue-after-bake end",
    ),
    (
        "release",
        WORKER,
        {**WORKERS, **PER_COLOR},
        "database_sync deploy wait workers_start:green hand_over:green-before switch:frozen hand_over:green-after "
        "workers_settle:green scale_down:blue end",
    ),
    (
        "release",
        LAGS,
        WORKERS,
        "workers_settle:blue-back deploy wait workers_start:green switch workers_settle:green scale_down:blue end",
    ),
    ("release", {**LIVE, **WORKER}, WORKERS, "end"),
    ("release", {**LIVE, **LAGS}, WORKERS, "workers_settle:blue-back end"),
    ("release", {**UNFINISHED, **LAGS}, WORKERS, "workers_settle:blue-back end"),
    ("prepare", WORKER, WORKERS, "deploy wait end"),
    ("prepare", LAGS, WORKERS, "workers_settle:blue-back deploy wait end"),
    (
        "promote",
        {**PREPARED, **WORKER},
        WORKERS,
        "wait workers_start:green switch workers_settle:green scale_down:blue end",
    ),
    (
        "rollback",
        {**BACK, **WORKER},
        WORKERS,
        "workers_start:green-back switch_back workers_settle:green scale_down:blue end",
    ),
    (
        "rollback",
        {**BACK, **WORKER},
        {**WORKERS, "rollback_instant": True},
        "switch_back workers_settle:green-back scale_down:blue end",
    ),
    (
        "rollback",
        {**BACK, "workers": _worker(version="3.0")},
        WORKERS,
        "restore:myapp:0.9 workers_start:green-back switch_back workers_settle:green scale_down:blue end",
    ),
    (
        "rollback",
        {"rollback_to": {**BACK["rollback_to"], "workers": {"mailer": {"template_hash": "w-1"}}}, **WORKER},
        WORKERS,
        "restore:myapp:0.9 workers_start:green-back switch_back workers_settle:green scale_down:blue end",
    ),
    ("rollback", {**STAYS, **LAGS}, WORKERS, "workers_settle:blue-back end"),
    ("rollback", {**STAYS, **WORKER}, WORKERS, "end"),
    # --- a release of what is live already
    ("release", LIVE, {}, "end"),
    ("release", LIVE, {**EVERYTHING, **HOOKS, **PER_COLOR, **OWN}, "end"),
    ("release", LIVE, FORCE, "deploy wait switch scale_down:blue end"),
    ("release", LARGE, {}, "scale_down:green end"),
    ("release", LARGE, {"idle_replicas": 3}, "end"),
    ("release", LARGE, {**HOOKS, **BAKES}, "before_scale_down scale_down:green after_scale_down end"),
    ("release", LARGE, PREVIEW, "preview_nothing scale_down:green end"),
    ("release", LARGE, PER_COLOR, "scale_down:green end"),
    ("release", LIVE, CONFIG, "end"),
    ("release", LARGE, CONFIG, "scale_down:green collect end"),
    ("release", RUNNING, CONFIG, "collect end"),
    ("release", RUNNING, {}, "end"),
    ("release", RUNNING, PREVIEW, "preview_nothing end"),
    ("release", RUNNING, HOOKS, "before_scale_down after_scale_down end"),
    ("release", {"is_live": True, "history": [{"run": "r1", "outcome": "interrupted"}]}, HOOKS, "end"),
    # --- the release of a run that was stopped after its switch is finished
    ("release", UNFINISHED, {}, "end"),
    ("release", UNFINISHED, {**CHECKS, **SHARED, **OWN}, "end"),
    ("release", UNFINISHED, BAKES, "bake end"),
    ("release", {**UNFINISHED, **LARGE}, BAKES, "bake scale_down:green-after-bake end"),
    ("release", UNFINISHED, HOOKS, "after_switch before_bake after_bake before_scale_down after_scale_down end"),
    ("release", UNFINISHED, PREVIEW, "preview_nothing end"),
    ("release", UNFINISHED, {**PER_COLOR, **PREVIEW}, "hand_over:blue-without preview_nothing end"),
    ("release", UNFINISHED, FORCE, "deploy wait switch scale_down:blue end"),
    # --- a switch between two Services was interrupted
    ("release", PENDING, {}, "deploy wait switch scale_down:blue end"),
    ("release", LIVE_PENDING, {}, "end"),
    ("release", LIVE_PENDING, PREVIEW, "preview_nothing end"),
    ("release", LIVE_PENDING, PER_COLOR, "hand_over:blue-without end"),
    (
        "release",
        PENDING,
        PER_COLOR,
        "hand_over:blue-without database_sync deploy wait hand_over:green-before switch:frozen hand_over:green-after "
        "scale_down:blue end",
    ),
    # --- prepare
    ("prepare", FIRST, {}, "deploy wait end"),
    ("prepare", FIRST, EVERYTHING, "preview_nothing deploy wait preview_new validate end"),
    ("prepare", FIRST, HOOKS, PREPARES_WITH_HOOKS),
    ("prepare", FIRST, OWN, "deploy_tasks deploy wait end"),
    ("prepare", FIRST, SHARED, "database_change:migrate deploy wait end"),
    ("prepare", FIRST, PER_COLOR, "database_sync deploy wait end"),
    ("prepare", PREPARED, {}, "deploy wait end"),
    ("prepare", LIVE, {**HOOKS, **EVERYTHING}, "end"),
    ("prepare", LIVE, FORCE, "deploy wait end"),
    ("prepare", LARGE, {}, "end"),
    ("prepare", RUNNING, {}, "end"),
    ("prepare", UNFINISHED, {**BAKES, **HOOKS, **PREVIEW, **PER_COLOR}, "end"),
    ("prepare", LIVE_PENDING, {**PER_COLOR, **PREVIEW, **HOOKS}, "hand_over:blue-without preview_nothing end"),
    ("prepare", FIRST, CONFIG, "config deploy wait end"),
    ("prepare", LIVE_PENDING, CONFIG, "end"),
    # --- promote
    ("promote", PREPARED, CONFIG, "wait switch scale_down:blue collect end"),
    ("promote", PREPARED, {}, "wait switch scale_down:blue end"),
    (
        "promote",
        PREPARED,
        EVERYTHING,
        "wait preview_new validate preview_nothing switch bake scale_down:blue-after-bake end",
    ),
    ("promote", {**PREPARED, "idle": {"replicas": 0}}, {}, "strengthen wait switch scale_down:blue end"),
    ("promote", PREPARED, HOOKS, PROMOTES_WITH_HOOKS),
    ("promote", PREPARED, {**SHARED, **OWN}, "wait switch scale_down:blue end"),
    (
        "promote",
        PREPARED,
        PER_COLOR,
        "wait hand_over:green-before switch:frozen hand_over:green-after scale_down:blue end",
    ),
    ("promote", LIVE, {**HOOKS, **EVERYTHING}, "end"),
    ("promote", LARGE, PREVIEW, "scale_down:green end"),
    ("promote", UNFINISHED, {**BAKES, **PREVIEW}, "bake end"),
    ("promote", LIVE_PENDING, {**PER_COLOR, **PREVIEW}, "hand_over:blue-without end"),
    # --- rollback
    ("rollback", BACK, {}, "switch_back scale_down:blue end"),
    ("rollback", BACK, {"idle_replicas": 3}, "switch_back end"),
    ("rollback", BACK, {**BAKES, **CHECKS, **OWN, **SHARED}, "switch_back scale_down:blue end"),
    ("rollback", BACK, PREVIEW, "preview_nothing:may-fail switch_back scale_down:blue end"),
    ("rollback", BACK, HOOKS, "switch_back after_switch scale_down:blue end"),
    ("rollback", BACK, FORCE, "switch_back scale_down:blue end"),
    ("rollback", OTHER_IMAGE, {}, "restore:myapp:0.8 switch_back scale_down:blue end"),
    ("rollback", OTHER_IMAGE, {"containers": ["app"]}, "restore:myapp:0.8 switch_back scale_down:blue end"),
    ("rollback", OTHER_IMAGE, TWO, "restore:kept switch_back scale_down:blue end"),
    ("rollback", {**BACK, **NO_IDLE}, {}, "restore:myapp:0.9 switch_back scale_down:blue end"),
    ("rollback", {**BACK, **KEPT}, {}, "restore:myapp:0.9 switch_back scale_down:blue end"),
    (
        "rollback",
        BACK,
        {**PER_COLOR, **PREVIEW, **HOOKS},
        "preview_nothing:may-fail restore:myapp:0.9 wait hand_over:green-before switch_back:frozen "
        "hand_over:green-after after_switch scale_down:blue end",
    ),
    (
        "rollback",
        BACK,
        {**PER_COLOR, **INSTANT},
        "switch_back hand_over:green-without scale_down:blue end",
    ),
    ("rollback", BACK, CONFIG, "switch_back scale_down:blue end"),
    ("rollback", BACK, INSTANT, "switch_back scale_down:blue end"),
    ("rollback", CONTRACTED, {**EXPAND, **ANYWAY}, "switch_back scale_down:blue end"),
    ("rollback", CONTRACTED, {**PER_COLOR, **ANYWAY}, "switch_back scale_down:blue end"),
    ("rollback", CONTRACTED_BEFORE, EXPAND, "switch_back scale_down:blue end"),
    (
        "rollback",
        CONTRACTED_BEFORE,
        PER_COLOR,
        "restore:myapp:0.9 wait hand_over:green-before switch_back:frozen hand_over:green-after scale_down:blue end",
    ),
    # The release was stopped before its switch: it is given up.
    ("rollback", STAYS, {}, "end"),
    ("rollback", {**STAYS, "idle": {"replicas": 3}}, {}, "scale_down:green end"),
    ("rollback", STAYS, HOOKS, "after_switch end"),
    ("rollback", STAYS, PREVIEW, "preview_nothing:may-fail end"),
    ("rollback", STAYS, PER_COLOR, "hand_over:blue-without end"),
    ("rollback", {**STAYS, **NO_IDLE}, {}, "end"),
    ("rollback", {**STAYS, "contracted": CONTRACTED["contracted"]}, EXPAND, "end"),
    ("rollback", {**STAYS, "contracted": CONTRACTED["contracted"]}, PER_COLOR, "hand_over:blue-without end"),
    # Nothing is recorded, but the version that is asked for is there.
    ("rollback", FIRST, {"version": "0.9"}, "switch_back scale_down:blue end"),
    ("rollback", KEPT, {"version": "0.9"}, "restore:myapp:0.9 switch_back scale_down:blue end"),
    # --- retire
    ("retire", {"retirement": DUE}, {}, "retire end"),
    ("retire", {"retirement": DUE}, CONFIG, "retire collect end"),
    ("retire", {"retirement": RETIRED}, CONFIG, "end"),
    ("retire", {"retirement": DUE}, CHECKS, "validate retire end"),
    ("retire", {"retirement": DUE}, {**CHECKS, **EXPAND}, "validate database_contract retire end"),
    ("retire", {"retirement": DUE}, PER_COLOR, "database_contract retire end"),
    ("retire", {"retirement": DUE}, SHARED, "retire end"),
    ("retire", {"retirement": DUE}, {**HOOKS, **PREVIEW, **BAKES, **OWN, **FORCE}, "retire end"),
    ("retire", {"retirement": NOT_DUE}, {**CHECKS, **EXPAND}, "end"),
    ("retire", {"retirement": RETIRED}, {}, "end"),
    ("retire", {"retirement": RETIRED}, EXPAND, "database_contract retire end"),
    ("retire", {"retirement": RETIRED, "contracted": {"version": "1.0", "at": "x"}}, EXPAND, "end"),
    (
        "retire",
        {"retirement": RETIRED, "contracted": {"version": "0.9", "at": "x"}},
        EXPAND,
        "database_contract retire end",
    ),
    (
        "retire",
        {"retirement": DUE, "contracted": {"version": "1.0", "at": "x"}},
        EXPAND,
        "database_contract retire end",
    ),
]


# What is prepared stays prepared: flow, situation, settings, steps
KEEPS_PREPARED = [
    ("release", {**LARGE, **PREPARED}, {}, "end"),
    ("release", {**LARGE, **PREPARED}, HOOKS, "end"),
    ("release", {**UNFINISHED, **LARGE, **PREPARED}, BAKES, "bake end"),
    ("promote", {**LARGE, **PREPARED}, PREVIEW, "end"),
    ("rollback", {**STAYS, **LARGE, **PREPARED}, {}, "end"),
]
# It is something else by now.
CHANGED_SINCE = {"prepared": {**PREPARED["prepared"], "template_hash": "h-before"}}


@pytest.mark.parametrize("flow, facts, given, steps", KEEPS_PREPARED)
def test_what_is_prepared_stays_prepared(flow: str, facts: dict[str, Any], given: dict[str, Any], steps: str) -> None:
    assert written(make(flow, facts, given).steps) == steps


@pytest.mark.parametrize("flow, facts", [("release", LARGE), ("rollback", {**STAYS, **LARGE})])
def test_what_is_not_that_any_more_is_scaled_down(flow: str, facts: dict[str, Any]) -> None:
    assert written(make(flow, {**facts, **CHANGED_SINCE}, {}).steps) == "scale_down:green end"


@pytest.mark.parametrize("flow, facts, given, steps", STEPS)
def test_the_steps(flow: str, facts: dict[str, Any], given: dict[str, Any], steps: str) -> None:
    assert written(make(flow, facts, given).steps) == steps


# What another run that was waited for has left: flow, situation, settings, steps
WAITED = [
    ("release", FIRST, PER_COLOR, "hand_over:blue-without database_sync deploy wait hand_over:green-before switch:frozen "
     "hand_over:green-after scale_down:blue end"),
    ("release", FIRST, SHARED, "database_change:migrate deploy wait switch scale_down:blue end"),
    ("release", LIVE, PER_COLOR, "hand_over:blue-without end"),
    ("release", LIVE, PREVIEW, "preview_nothing end"),
    ("prepare", LIVE, {**PER_COLOR, **PREVIEW, **HOOKS}, "hand_over:blue-without preview_nothing end"),
    ("promote", LIVE, {**PER_COLOR, **PREVIEW}, "hand_over:blue-without end"),
    ("rollback", BACK, {**PER_COLOR, **INSTANT}, "switch_back hand_over:green-without scale_down:blue end"),
    ("retire", {"retirement": DUE}, PER_COLOR, "database_contract retire end"),
]  # fmt: skip


@pytest.mark.parametrize("flow, facts, given, steps", WAITED)
def test_the_steps_after_another_run(flow: str, facts: dict[str, Any], given: dict[str, Any], steps: str) -> None:
    assert written(make(flow, facts, given, run="own", waited=True).steps) == steps


# What is planned under the lock, nobody having been waited for: flow, situation, settings, steps
LOCKED = [
    ("release", FIRST, PER_COLOR, "database_sync deploy wait hand_over:green-before switch:frozen hand_over:green-after "
     "scale_down:blue end"),
    ("release", LIVE, {}, "end"),
    ("release", LIVE, {**PREVIEW, **PER_COLOR}, "preview_nothing end"),
    ("release", LIVE, HOOKS, "before_scale_down after_scale_down end"),
    ("prepare", LIVE, {**PREVIEW, **PER_COLOR, **HOOKS}, "preview_nothing end"),
    ("promote", LIVE, {**PREVIEW, **PER_COLOR}, "end"),
    ("rollback", BACK, {}, "switch_back scale_down:blue end"),
]  # fmt: skip


@pytest.mark.parametrize("flow, facts, given, steps", LOCKED)
def test_the_steps_under_the_lock(flow: str, facts: dict[str, Any], given: dict[str, Any], steps: str) -> None:
    assert written(make(flow, facts, given, run="own").steps) == steps


# flow, situation, settings, steps when one has failed
RESCUES = [
    ("release", FIRST, {}, "revert end fail"),
    ("release", FIRST, {"auto_rollback": False}, "revert:never end fail"),
    ("release", FIRST, PREVIEW, "revert preview_nothing:may-fail end fail"),
    ("release", FIRST, {**PER_COLOR, **PREVIEW}, "revert hand_back preview_nothing:may-fail end fail"),
    ("release", UNFINISHED, {}, "revert end fail"),
    ("release", LIVE, {}, "revert end fail"),
    ("release", FIRST, SHARED, "revert end fail"),
    ("prepare", FIRST, PREVIEW, "revert preview_nothing:may-fail end fail"),  # of a switch that could not be undone
    ("prepare", FIRST, {"auto_rollback": False}, "revert:never end fail"),
    ("promote", PREPARED, PER_COLOR, "revert hand_back end fail"),
    ("rollback", BACK, {}, "revert:never end fail"),
    ("rollback", BACK, {**PER_COLOR, **PREVIEW}, "revert:never hand_back preview_nothing:may-fail end fail"),
    ("rollback", STAYS, {}, "revert:never end fail"),
    ("release", WORKER, {**WORKERS, **PREVIEW}, "revert workers_back preview_nothing:may-fail end fail"),
    ("rollback", {**BACK, **WORKER}, WORKERS, "revert:never workers_back end fail"),
    ("retire", {"retirement": DUE, **WORKER}, WORKERS, "end fail"),
    ("rollback", BACK, {"rollback_from": "2.0", **PER_COLOR, **PREVIEW}, "end fail"),  # nothing was begun
    # What is prepared, and shown, is none of a retirement's business.
    ("retire", {"retirement": DUE}, {**PER_COLOR, **PREVIEW}, "end fail"),
    ("retire", {"retirement": NOT_DUE}, {}, "end fail"),
]


@pytest.mark.parametrize("flow, facts, given, steps", RESCUES)
def test_the_rescue(flow: str, facts: dict[str, Any], given: dict[str, Any], steps: str) -> None:
    assert written(make(flow, facts, given).rescue) == steps


SPARES = {"rollback_from": "2.0"}
# flow, situation, settings -> locks, color, version, the color for a failure, the run that is finished
WHOLE = [
    ("release", FIRST, {}, (True, "green", "2.0", "blue", None)),
    ("release", FIRST, {"version": None}, (True, "green", "", "blue", None)),  # by its image alone
    ("release", LIVE, {}, (False, "blue", "2.0", "blue", None)),
    ("release", LIVE, FORCE, (True, "green", "2.0", "blue", None)),
    ("release", LARGE, {}, (True, "blue", "2.0", "blue", None)),
    ("release", LARGE, {"idle_replicas": 3}, (False, "blue", "2.0", "blue", None)),
    ("release", RUNNING, {}, (True, "blue", "2.0", "blue", None)),
    ("release", UNFINISHED, {}, (True, "blue", "2.0", "green", "r1")),
    ("release", UNFINISHED, FORCE, (True, "green", "2.0", "blue", None)),
    ("release", {"unfinished": {"run": "r1"}}, {}, (True, "green", "2.0", "blue", None)),
    ("release", LIVE_PENDING, {}, (True, "blue", "2.0", "blue", None)),
    ("release", PENDING, {}, (True, "green", "2.0", "blue", None)),
    ("prepare", FIRST, {}, (True, "green", "2.0", "blue", None)),
    ("prepare", LIVE, {}, (False, "blue", "2.0", "blue", None)),
    ("prepare", LARGE, {}, (False, "blue", "2.0", "blue", None)),
    ("prepare", RUNNING, {}, (False, "blue", "2.0", "blue", None)),
    ("prepare", UNFINISHED, {}, (False, "blue", "2.0", "blue", None)),
    ("prepare", LIVE_PENDING, {}, (True, "blue", "2.0", "blue", None)),
    ("promote", PREPARED, {}, (True, "green", "2.0", "blue", None)),
    ("promote", LIVE, {}, (False, "blue", "2.0", "blue", None)),
    ("promote", LARGE, {}, (True, "blue", "2.0", "blue", None)),
    ("promote", RUNNING, {}, (True, "blue", "2.0", "blue", None)),
    ("promote", UNFINISHED, {}, (True, "blue", "2.0", "green", "r1")),
    ("rollback", BACK, {}, (True, "green", "0.9", "green", None)),
    ("rollback", OTHER_IMAGE, {}, (True, "green", "0.8", "green", None)),
    ("rollback", STAYS, {}, (True, "blue", "1.0", "blue", None)),
    ("rollback", {**BACK, **UNFINISHED}, {}, (True, "green", "0.9", "green", None)),
    ("rollback", BACK, SPARES, (False, "blue", "1.0", "blue", None)),
    ("rollback", FIRST, {"version": "0.9"}, (True, "green", "0.9", "green", None)),
    ("retire", {"retirement": DUE}, {}, (True, "blue", "1.0", "blue", None)),
    ("retire", {"retirement": NOT_DUE}, EXPAND, (False, "blue", "1.0", "blue", None)),
    ("retire", {"retirement": RETIRED}, EXPAND, (True, "blue", "1.0", "blue", None)),
    ("retire", {"retirement": RETIRED}, {}, (False, "blue", "1.0", "blue", None)),
]


@pytest.mark.parametrize("flow, facts, given, whole", WHOLE)
def test_the_whole(flow: str, facts: dict[str, Any], given: dict[str, Any], whole: tuple[Any, ...]) -> None:
    plan = make(flow, facts, given)
    assert (plan.locks, plan.color, plan.version, plan.good_color, plan.resumes) == whole


@pytest.mark.parametrize("flow", ["release", "prepare", "promote"])
def test_whoever_holds_the_lock_has_something_to_do(flow: str) -> None:
    assert make(flow, LIVE, {}, run="own").locks is True


# flow, situation, settings, a part of the sentence
WHY = [
    ("release", FIRST, {}, "2.0 is released to green; blue is live with 1.0."),
    ("release", FIRST, {"version": None}, "myapp:2.0 is released to green; blue is live with 1.0."),
    (
        "release",
        {"reconfigured": ["ConfigMap a", "Secret b"]},
        {},
        "2.0 is released to green; blue is live with 1.0. The configuration differs: ConfigMap a, Secret b.",
    ),
    ("prepare", FIRST, {}, "2.0 is prepared on green; blue is live with 1.0."),
    ("promote", PREPARED, {}, "2.0 is promoted on green; blue is live with 1.0."),
    ("release", LIVE, {}, "2.0 is live already."),
    ("release", UNFINISHED, {}, "2.0 is live, but run r1 did not come to its end. It is finished."),
    ("prepare", UNFINISHED, {}, "2.0 is live already."),
    ("rollback", BACK, {}, "green (version 0.9) becomes live."),
    ("rollback", STAYS, {}, "blue (version 1.0) stays live."),
    ("rollback", BACK, SPARES, "2.0 is neither live nor on its way: nothing is rolled back."),
    ("retire", {"retirement": NOT_DUE}, {}, "green stays."),
]


@pytest.mark.parametrize("flow, facts, given, why", WHY)
def test_the_plan_says_why(flow: str, facts: dict[str, Any], given: dict[str, Any], why: str) -> None:
    assert make(flow, facts, given).why == why


# --- a rollback that shall undo one version, and no other

ENTRY = {"run": "r1", "version": "2.0", "color": "blue", "switched_at": "x"}
# what differs, and whether there is anything to undo of 2.0
SPARED = [
    ({}, True),
    ({"live": {"version": "2.0"}}, False),
    ({"history": [{**ENTRY, "switched_at": None, "outcome": "running"}]}, False),
    ({"history": [{**ENTRY, "switched_at": None, "outcome": "interrupted"}]}, False),
    ({"history": [{**ENTRY, "switched_at": None, "outcome": "aborted"}]}, True),
    ({"history": [{**ENTRY, "version": "3.0", "switched_at": None, "outcome": "running"}]}, True),
    ({"history": [{**ENTRY, "outcome": "reverted", "color": "green"}]}, True),
    # It was on its way, but another run came after it.
    (
        {
            "history": [
                {**ENTRY, "run": "r2", "version": "3.0", "switched_at": None, "outcome": "running"},
                {**ENTRY, "switched_at": None, "outcome": "interrupted"},
            ]
        },
        True,
    ),
    # Of a Deployment that was deleted, the history knows what it was: the newest that moved the traffic to it.
    ({"live": {"version": None}, "history": [{**ENTRY, "outcome": "released"}]}, False),
    ({"live": {"version": None}, "history": [{**ENTRY, "outcome": "released", "color": "green"}]}, True),
    ({"live": {"version": None}, "history": [{**ENTRY, "outcome": "aborted", "switched_at": None}]}, True),
    ({"live": {"version": None}, "history": [{"run": "r1", "outcome": "aborted", "version": "2.0", "color": "blue"}]}, True),
    (
        {"live": {"version": None}, "history": [{**ENTRY, "outcome": "x", "version": "3.0"}, {**ENTRY, "outcome": "x"}]},
        True,
    ),
    ({"live": {"version": None}}, True),
]  # fmt: skip


@pytest.mark.parametrize("facts, spared", SPARED)
def test_a_rollback_undoes_only_the_version_that_it_is_told(facts: dict[str, Any], spared: bool) -> None:
    plan = make("rollback", {**BACK, **facts}, {**SPARES, **PREVIEW, **PER_COLOR, **HOOKS})
    assert plan.locks is not spared
    assert (written(plan.steps) == "end") is spared


@pytest.mark.parametrize("facts, spared", SPARED)
def test_the_same_is_decided_under_the_lock(facts: dict[str, Any], spared: bool) -> None:
    """The run's own entry is the newest then."""
    own = {"run": "own", "kind": "rollback", "version": None, "switched_at": None, "outcome": "running"}
    history = [own] + facts.get("history", [])
    plan = make("rollback", {**BACK, **facts, "history": history}, SPARES, run="own")
    assert plan.locks is not spared


def test_a_rollback_does_not_stay_with_a_color_that_is_gone() -> None:
    """It would take pods from the only color that has any."""
    gone = {"deployment": None, "image": None, "version": None, "replicas": 0, "template_hash": None}
    with pytest.raises(BlueGreenError) as caught:
        make("rollback", {**STAYS, "live": gone}, {})
    assert caught.value.reason == "not_found" and "release.yml -e version=0.9" in str(caught.value)
    # Services that select both colors are put on one first; then it is planned again.
    assert make("rollback", {**STAYS, "live": gone, "pending_color": "green"}, {}).color == "blue"


@pytest.mark.parametrize(
    "facts, given",
    [
        (FIRST, {}),
        (FIRST, {"version": None}),
        (FIRST, {"version": "0.9", "rollback_from": "1.0"}),  # that is no way to say where to
        (NO_IDLE, {"version": None}),
    ],
)
def test_nothing_to_roll_back(facts: dict[str, Any], given: dict[str, Any]) -> None:
    with pytest.raises(BlueGreenError) as caught:
        make("rollback", facts, given)
    assert caught.value.reason == "nothing_to_roll_back"
    assert caught.value.what == "There is nothing to roll back: blue is live, green is idle."
    assert caught.value.next_step == (
        "release.yml -e version=X releases any version; rollback.yml -e version=X goes to X if the idle color has it."
    )


def test_a_number_is_no_version_to_go_back_to() -> None:
    with pytest.raises(BlueGreenError) as caught:
        make("rollback", FIRST, {"version": 0.9})
    assert caught.value.reason == "bad_input"
    assert make("rollback", BACK, {"version": 3}).version == "0.9"  # where it is not needed, it is in nobody's way


CONTRACTED_TEXT = """\
A rollback to 0.9 is refused: the database was contracted at 2026-01-01T00:00:00Z, when 1.0 was live. What versions before \
it need is no longer there.
Live now: blue is live, green is idle.
Next: release a version that is mended: release.yml -e version=X. Or bring the old schema back, then rollback.yml -e \
bluegreen_rollback_contracted=true. Without that it makes a version live whose requests to the database fail."""
DETACHED_TEXT = """\
A rollback to 0.9 is refused: the database was detached at 2026-01-01T00:00:00Z, when 1.0 was live. That of green lacks all \
rows since.
Live now: blue is live, green is idle.
Next: release a version that is mended: release.yml -e version=X. Or bring those rows there, and let it take writes, then \
rollback.yml -e bluegreen_rollback_contracted=true. Without that it makes a version live which has lost them."""


@pytest.mark.parametrize("given, text", [(EXPAND, CONTRACTED_TEXT), (PER_COLOR, DETACHED_TEXT), ({}, CONTRACTED_TEXT)])
def test_a_rollback_to_what_cannot_use_the_database_any_more_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(BlueGreenError) as caught:
        make("rollback", CONTRACTED, given)
    assert (caught.value.reason, str(caught.value)) == ("contracted", text)


# --- what every step is told

TOLD = ("color", "version", "previous_version")


@pytest.mark.parametrize(
    "flow, facts, told",
    [
        ("release", FIRST, ("green", "2.0", "1.0")),
        ("release", LARGE, ("blue", "2.0", "0.9")),
        ("release", UNFINISHED, ("blue", "2.0", "0.9")),
        ("prepare", FIRST, ("green", "2.0", "1.0")),
        ("promote", PREPARED, ("green", "2.0", "1.0")),
        ("rollback", BACK, ("green", "0.9", "1.0")),
        ("rollback", STAYS, ("blue", "1.0", "1.0")),
        ("retire", {"retirement": {**DUE, "version": "0.7"}}, ("blue", "1.0", "0.7")),
    ],
)
def test_every_step_knows_its_color_and_versions(flow: str, facts: dict[str, Any], told: tuple[str, ...]) -> None:
    plan = make(flow, facts, {**EVERYTHING, **HOOKS, **EXPAND})
    assert {tuple(step[key] for key in TOLD) for step in plan.steps + plan.rescue} == {told}


def test_a_rollback_that_is_spared_is_about_what_is_live() -> None:
    plan = make("rollback", BACK, SPARES)
    assert {tuple(step[key] for key in TOLD) for step in plan.steps + plan.rescue} == {("blue", "1.0", "1.0")}


@pytest.mark.parametrize(
    "flow, facts, after",
    [
        ("release", FIRST, "switch"),
        ("promote", PREPARED, "switch"),
        ("rollback", BACK, "switch_back"),
        ("release", UNFINISHED, None),
        ("rollback", STAYS, None),
        ("prepare", FIRST, None),
    ],
)
def test_every_step_knows_what_is_live_at_its_time(flow: str, facts: dict[str, Any], after: str | None) -> None:
    plan = make(flow, facts, {**EVERYTHING, **HOOKS, **PER_COLOR})
    names = [step["name"] for step in plan.steps]
    moved = names.index(after) if after else len(names)
    assert [step["active_color"] for step in plan.steps] == [
        "blue" if number <= moved else "green" for number in range(len(names))
    ]
    assert {step["active_color"] for step in plan.rescue} == {"blue"}


def step(name: str, flow: str, facts: dict[str, Any], **given: Any) -> dict[str, Any]:
    return next(item for item in make(flow, facts, given).steps if item["name"] == name)


def test_a_hook_is_a_file_beside_the_playbook() -> None:
    hooks = {"before_deploy": "hooks/a.yml", "after_deploy": "/etc/b.yml"}
    assert step("before_deploy", "release", FIRST, hooks=hooks)["file"] == "/play/hooks/a.yml"
    assert step("after_deploy", "release", FIRST, hooks=hooks)["file"] == "/etc/b.yml"
    assert step("after_switch", "rollback", BACK, **HOOKS)["file"] == "/play/after_switch.yml"


def test_the_files_of_the_role() -> None:
    plan = make("release", FIRST, {})
    assert [item["file"] for item in plan.steps] == [
        "stages/deploy.yml",
        "stages/wait.yml",
        "stages/switch.yml",
        "stages/scale_down.yml",
        "end.yml",
    ]
    assert [item["file"] for item in plan.rescue] == ["stages/revert.yml", "end.yml", "fail.yml"]


def test_own_tasks_know_the_image_and_the_number_of_pods_and_are_watched() -> None:
    found = step("deploy_tasks", "release", FIRST, **OWN)
    assert (found["file"], found["image"], found["replicas"]) == ("/play/own.yml", "myapp:2.0", 3)
    assert step("deploy", "release", FIRST, **OWN)["live_template_hash"] == "h-blue"
    assert step("deploy", "release", FIRST)["live_template_hash"] == ""


def test_one_template_from_deploy_to_switch() -> None:
    """It is known when the color has been deployed, by tasks of the user's as well; promoted is what was prepared."""
    stages = [
        item
        for item in make("release", FIRST, {**OWN, **EVERYTHING}).steps
        if item["name"] in ("wait", "validate", "switch")
    ]
    assert [(item["deployed"], item["template_hash"]) for item in stages] == [(True, "")] * 3
    stages = [item for item in make("promote", PREPARED, EVERYTHING).steps if "template_hash" in item]
    assert [(item["name"], item["deployed"], item["template_hash"]) for item in stages] == [
        ("wait", False, "h-green"),
        ("validate", False, "h-green"),
        ("switch", False, "h-green"),
    ]


def test_what_is_live_is_checked_as_it_is() -> None:
    found = step("validate", "retire", {"retirement": DUE}, **EVERYTHING)
    assert (found["deployed"], found["template_hash"]) == (False, "")


def test_what_is_promoted_is_what_was_prepared() -> None:
    assert step("switch", "promote", PREPARED)["template_hash"] == "h-green"
    assert step("switch", "release", PREPARED)["template_hash"] == ""
    assert step("switch", "promote", PENDING)["template_hash"] == ""  # it is planned again when that is put right


@pytest.mark.parametrize(
    "database, key, details",
    [
        (
            {"strategy": "shared", "migrate": "m.yml"},
            "database_change",
            {"job": "/play/m.yml", "undo": "", "timeout": 300, "keep_failed": False, "checks": False},
        ),
        (
            {"strategy": "shared", "migrate": "/m.yml", "undo": "u.yml", "timeout": "10m", "keep_failed": True},
            "database_change",
            {"job": "/m.yml", "undo": "/play/u.yml", "timeout": "10m", "keep_failed": True},
        ),
        ({"strategy": "expand_contract", "expand": "e.yml"}, "database_change", {"job": "/play/e.yml"}),
        (PER_COLOR["database"], "database_sync", {"job": "/play/s.yml", "timeout": 300}),
        (PER_COLOR["database"], "hand_over", {"job": "/play/h.yml", "how": "before the switch"}),
    ],
)
def test_a_job_of_the_database(database: dict[str, Any], key: str, details: dict[str, Any]) -> None:
    found = step(key, "release", FIRST, database=database)
    assert {name: found[name] for name in details} == details


@pytest.mark.parametrize("checks, own", [(None, False), ([], True), (CHECKS["checks"], True)])
def test_the_bake_has_checks_of_its_own_or_those_of_before(checks: Any, own: bool) -> None:
    assert step("bake", "release", FIRST, **BAKES, bake_checks=checks)["own_checks"] is own


def test_the_live_version_is_checked_on_the_new_schema_where_there_are_checks() -> None:
    assert step("database_change", "release", FIRST, **SHARED, **CHECKS)["checks"] is True


@pytest.mark.parametrize("given, job", [(EXPAND, "/play/contract.yml"), (PER_COLOR, "/play/d.yml")])
def test_the_end_of_what_only_the_old_version_needs(given: dict[str, Any], job: str) -> None:
    assert step("database_contract", "retire", {"retirement": DUE}, **given)["job"] == job


def test_the_writes_are_handed_back_by_the_same_job() -> None:
    (found,) = [item for item in make("release", FIRST, PER_COLOR).rescue if item["name"] == "hand_back"]
    assert (found["job"], found["timeout"]) == ("/play/h.yml", 300)
