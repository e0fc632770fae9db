# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The plan of a run: from what is asked for, what is there and the settings to the steps that the role takes, in order.

Nothing here reads a cluster or changes anything. The same plan is made twice: before the lock, to see whether there is
anything to do, and under it, on a fresh reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import check_version
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import STAGES
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.steps import (
    Reading,
    Settings,
    Step,
    Steps,
    are_behind,
    is_large,
    is_per_color,
    is_unsettled,
)

FLOWS = ("release", "prepare", "promote", "rollback", "retire")
BY_PREPARE = ("database", "deploy")  # what promote need not do any more
# What prepare leaves to promote, and what a run that was stopped after its switch leaves to the next one.
AFTER_PREPARE = ("switch", "bake", "scale_down")


@dataclass
class Plan:
    """What a run is about to do.

    ``steps``       what the role includes one after the other, each a dictionary: ``name``, ``file`` (of the role's tasks,
                    or of the user's), ``color`` and ``version`` (what it is about), ``active_color`` (what is live at
                    that moment), ``previous_version``, and what this step alone has to know
    ``rescue``      the same for what is done when one of them fails
    ``locks``       whether anything is to be written, so that others must be locked out
    ``color``       the color that is released, or gone back to
    ``version``     its version
    ``good_color``  what traffic is put on when the run fails
    ``resumes``     the run whose release is finished here, ``None`` for a release of one's own
    ``why``         one sentence that says what will be done, and why
    """

    color: str
    version: str | None
    good_color: str
    why: str
    locks: bool = True
    resumes: str | None = None
    steps: list[Step] = field(default_factory=list)
    rescue: list[Step] = field(default_factory=list)


def make(
    flow: str,
    now: Reading,
    settings: Settings,
    directory: str,
    run: str | None = None,
    waited: bool = False,
    undone: bool = False,
) -> Plan:
    """The plan for a flow.

    :param now: what ``bg_current_color`` returns.
    :param directory: where relative paths start.
    :param run: the run that holds the lock for this, whose own entry in the history says nothing; ``None`` before it does.
    :param waited: whether another run had the lock before, so that what it left may have to be put right.
    :param undone: whether a switch that had stopped between two Services was undone by this run.
    :raises BlueGreenError: the flow is refused, as things are.
    """
    now = dict(now, history=[entry for entry in now["history"] if entry["run"] != run])
    if flow == "rollback":
        return _rollback(now, settings, directory, undone)
    if flow == "retire":
        return _retire(now, settings, directory)
    return _release(flow, now, settings, directory, run is not None, waited)


# --- release, prepare, promote ---------------------------------------------------------------------------------


def _release(flow: str, now: Reading, settings: Settings, directory: str, locked: bool, waited: bool) -> Plan:
    needed = settings["force"] or not now["is_live"]
    resumed = now["unfinished"] if flow != "prepare" and not needed else None
    new, old = (now["idle_color"], now["active_color"]) if needed else (now["active_color"], now["idle_color"])
    version = settings["version"] or ""
    plan = Plan(
        color=new,
        version=version,
        good_color=old if resumed else now["active_color"],
        resumes=resumed["run"] if resumed else None,
        locks=locked or needed or _is_untidy(flow, now, settings, resumed),
        why=_why(flow, now, version or now["wanted_image"], needed, resumed),
    )
    steps = Steps(now, settings, directory, new, version, now["colors"][old]["version"])
    if flow == "promote" and now["prepared"]:
        steps.template["template_hash"] = now["prepared"]["template_hash"]
    if plan.locks:
        if is_per_color(settings) and (waited or now["pending_color"] or resumed):
            steps.hand_over(now["active_color"], "without a switch")
        if flow != "promote":
            steps.preview_nothing()
        if are_behind(now):
            steps.settle_workers(whole=True)
        for stage in STAGES:
            if _takes_part(stage, flow, needed, resumed):
                made = stage == "switch" and not needed  # by the run that is finished here
                _stage(steps, stage, flow, made)
        if flow != "prepare":
            steps.collect()
    plan.steps = steps.ended()
    plan.rescue = steps.rescue(reverts=settings["auto_rollback"])
    return plan


def _stage(steps: Steps, stage: str, flow: str, made: bool) -> None:
    """A stage between its hooks; only the one after it is left of a stage that is made already."""
    if not made:
        steps.hook("before_" + stage)
        if flow != "promote" or stage not in BY_PREPARE:
            getattr(steps, stage)()
        elif stage == "deploy":
            steps.strengthen()
    if stage == "switch":
        steps.follow("switch")
        if not made:
            steps.settle_workers()
    steps.hook("after_" + stage)


def _is_untidy(flow: str, now: Reading, settings: Settings, resumed: Any) -> bool:
    """Whether there is something to put right though the version is live: what an interrupted run has left."""
    if now["pending_color"] or resumed or are_behind(now):
        return True
    if flow == "prepare":
        return False
    newest: dict[str, Any] = next(iter(now["history"]), {})
    idle = now["idle_color"]
    return newest.get("outcome") == "running" or is_large(now, idle, settings) or is_unsettled(now, idle)


def _takes_part(stage: str, flow: str, needed: bool, resumed: Any) -> bool:
    if flow == "prepare" and stage in AFTER_PREPARE:
        return False
    return needed or stage == "scale_down" or bool(resumed) and stage in AFTER_PREPARE


def _why(flow: str, now: Reading, version: Any, needed: bool, resumed: Any) -> str:
    if resumed:
        return f"{version} is live, but run {resumed['run']} did not come to its end. It is finished."
    if not needed:
        return f"{version} is live already."
    live = now["colors"][now["active_color"]]["version"]
    what = {"release": "is released to", "prepare": "is prepared on", "promote": "is promoted on"}[flow]
    changed = f" The configuration differs: {', '.join(now['reconfigured'])}." if now.get("reconfigured") else ""
    return f"{version} {what} {now['idle_color']}; {now['active_color']} is live with {live}.{changed}"


# --- rollback --------------------------------------------------------------------------------------------------


def _rollback(now: Reading, settings: Settings, directory: str, undone: bool) -> Plan:
    active = now["active_color"]
    live = now["colors"][active]
    if not undone and not now["pending_color"] and _is_spared(now, settings):
        why = f"{settings['rollback_from']} is neither live nor on its way: nothing is rolled back."
        plan = Plan(color=active, version=live["version"], good_color=active, why=why, locks=False)
        steps = Steps(now, settings, directory, active, live["version"], live["version"])
        plan.steps, plan.rescue = steps.ended(), steps.only_end()
        return plan
    target = _target(now, settings)
    moves = target["color"] != active
    if not moves and not now["pending_color"] and live["deployment"] is None:
        raise _nothing_live(now, target)
    contracted = moves and now["contracted"] and now["contracted"]["version"] == live["version"]
    if contracted and not settings["rollback_contracted"]:
        raise _contracted(now, settings, target)
    plan = Plan(
        color=target["color"],
        version=target["version"],
        good_color=target["color"],
        why=f"{target['color']} (version {target['version']}) {'becomes' if moves else 'stays'} live.",
    )
    steps = Steps(now, settings, directory, target["color"], target["version"], live["version"])
    # Before writes are frozen, all pods must be up. In an emergency they are not waited for, and writes come later.
    freezes = is_per_color(settings) and moves and not contracted and not settings["rollback_instant"]
    steps.preview_nothing(may_fail=True)
    if moves:
        steps.follow("deploy")
        found = now["colors"][target["color"]]
        wanted = target.get("template_hash") or ""
        other = found["template_hash"] != wanted if wanted else found["image"] != target["image"]
        steps.template["template_hash"] = wanted
        workers = _workers_before(now, target)
        if found["deployment"] is None or other or freezes or any(is_other for is_other, _hash in workers.values()):
            steps.template["deployed"] = True  # what is put back is what is switched to
            image = "" if len(settings["containers"]) > 1 else target["image"]
            templates = {name: template for name, (_is_other, template) in workers.items()}
            steps.add("restore", image=image, template_hash=wanted, workers=templates)
        if freezes:
            steps.add("wait", **steps.template, way_back=True)
        if not settings["rollback_instant"]:
            steps.start_workers(way_back=True)
        if freezes:
            steps.hand_over(target["color"], "before the switch")
        steps.add("switch_back", **steps.template, hands_over=freezes, workers=steps.workers)
        steps.live = target["color"]
    steps.follow("switch")
    if moves or are_behind(now):
        steps.settle_workers(whole=settings["rollback_instant"] or not moves)
    if is_per_color(settings) and not contracted:
        steps.hand_over(target["color"], "after the switch" if freezes else "without a switch")
    steps.hook("after_switch")
    steps.scale_down()
    plan.steps, plan.rescue = steps.ended(), steps.rescue(reverts=False)
    return plan


def _nothing_live(now: Reading, target: dict[str, Any]) -> BlueGreenError:
    """A rollback that would leave the traffic where it is, which is where nobody answers."""
    idle = now["idle_color"]
    other = now["colors"][idle]["version"] or "X"
    return BlueGreenError(
        f"{target['color']} is live already, and its Deployment is gone: there is nothing to roll back to.",
        "not_found",
        live=now["msg"],
        next_step=f"release.yml -e version={other} puts a version on {idle} and makes it live. Or create the Deployment of "
        f"{target['color']} again, and find out who has deleted it.",
    )


def _workers_before(now: Reading, target: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """By name: whether a worker of the color has to be made again what it was, and its pod template if that is recorded."""
    found = {}
    for item in now["workers"]:
        color = item["colors"][target["color"]]
        wanted = ((target.get("workers") or {}).get(item["name"]) or {}).get("template_hash") or ""
        other = color["template_hash"] != wanted if wanted else color["version"] != target["version"]
        found[item["name"]] = other, wanted
    return found


def _target(now: Reading, settings: Settings) -> dict[str, Any]:
    """What the history says, or the version that was asked for by its name, if the idle color has it."""
    if now["rollback_to"]:
        return now["rollback_to"]
    idle = now["colors"][now["idle_color"]]
    if settings["version"] and idle["version"] == settings["version"] and not settings["rollback_from"]:
        return dict(idle, color=now["idle_color"])
    if settings["version"]:
        check_version(settings["version"])
    raise BlueGreenError(
        f"There is nothing to roll back: {now['msg']}",
        "nothing_to_roll_back",
        next_step="release.yml -e version=X releases any version; rollback.yml -e version=X goes to X if the idle color "
        "has it.",
    )


def _is_spared(now: Reading, settings: Settings) -> bool:
    """Whether what was live before the release that shall be undone must not be undone in its place."""
    asked = settings["rollback_from"]
    if not asked:
        return False
    last: dict[str, Any] = next(iter(now["history"]), {})
    if last.get("outcome") in ("running", "interrupted") and last.get("version") == asked:
        return False
    return _live_version(now) != asked


def _live_version(now: Reading) -> Any:
    """Of a Deployment that was deleted, the history knows what it was."""
    active = now["active_color"]
    moved = [entry for entry in now["history"] if entry.get("switched_at") and entry.get("color") == active]
    return now["colors"][active]["version"] or next((entry["version"] for entry in moved), "")


def _contracted(now: Reading, settings: Settings, target: dict[str, Any]) -> BlueGreenError:
    apart = is_per_color(settings)
    at, version = now["contracted"]["at"], now["contracted"]["version"]
    lost = (
        f"That of {target['color']} lacks all rows since."
        if apart
        else "What versions before it need is no longer there."
    )
    bring = "bring those rows there, and let it take writes" if apart else "bring the old schema back"
    without = "which has lost them" if apart else "whose requests to the database fail"
    return BlueGreenError(
        f"A rollback to {target['version']} is refused: the database was {'detached' if apart else 'contracted'} at {at}, "
        f"when {version} was live. {lost}",
        "contracted",
        live=now["msg"],
        next_step=f"release a version that is mended: release.yml -e version=X. Or {bring}, then rollback.yml -e "
        f"bluegreen_rollback_contracted=true. Without that it makes a version live {without}.",
    )


# --- retire ----------------------------------------------------------------------------------------------------


def _retire(now: Reading, settings: Settings, directory: str) -> Plan:
    active, due = now["active_color"], now["retirement"]
    version = now["colors"][active]["version"]
    database = settings["database"]
    contract = next((key for key in ("contract", "detach") if key in database), "")
    # It is recorded before the Job begins; as long as the old color is there, a run may have been killed in the middle.
    recorded = (now["contracted"] or {}).get("version") == version
    contracts = bool(contract) and due["due"] and (due["changed"] or not recorded)
    plan = Plan(
        color=active,
        version=version,
        good_color=active,
        why=due["msg"],
        locks=due["changed"] or contracts or bool(now["pending_color"]),
    )
    steps = Steps(now, settings, directory, active, version, due["version"])
    if plan.locks and are_behind(now):
        steps.settle_workers(whole=True)
    if due["changed"] or contracts:
        steps.validate()
        if contracts:
            steps.job("database_contract", contract)
        steps.add("retire", **steps.followers)
        steps.collect()
    plan.steps, plan.rescue = steps.ended(), steps.only_end()
    return plan
