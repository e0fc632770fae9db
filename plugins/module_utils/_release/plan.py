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

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import STAGES, place

FLOWS = ("release", "prepare", "promote", "rollback", "retire")
AFTER_PREPARE = ("switch", "bake", "scale_down")  # what prepare leaves to promote
FINISHED_BY_OTHERS = ("switch", "bake", "scale_down")  # what is left of a release that was stopped after its switch

Reading = dict[str, Any]
Settings = dict[str, Any]
Step = dict[str, Any]


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


def make(flow: str, now: Reading, settings: Settings, directory: str, waited: bool = False) -> Plan:
    """The plan for a flow.

    :param now: what ``bg_current_color`` returns.
    :param directory: where relative paths start.
    :param waited: whether another run had the lock before, so that what it left may have to be put right.
    :raises BlueGreenError: the flow is refused, as things are.
    """
    if flow == "rollback":
        return _rollback(now, settings, directory)
    if flow == "retire":
        return _retire(now, settings, directory)
    return _release(flow, now, settings, directory, waited)


# --- release, prepare, promote ---------------------------------------------------------------------------------


def _release(flow: str, now: Reading, settings: Settings, directory: str, waited: bool) -> Plan:
    needed = settings["force"] or not now["is_live"]
    resumed = now["unfinished"] if flow != "prepare" and not needed else None
    new, old = (now["idle_color"], now["active_color"]) if needed else (now["active_color"], now["idle_color"])
    version = settings["version"] or ""
    plan = Plan(
        color=new,
        version=version,
        good_color=old if resumed else now["active_color"],
        resumes=resumed["run"] if resumed else None,
        locks=needed or _is_untidy(flow, now, settings, resumed),
        why=_why(flow, now, version or now["wanted_image"], needed, resumed),
    )
    steps = _Steps(now, settings, directory, new, version, now["colors"][old]["version"])
    if plan.locks:
        if _per_color(settings) and (waited or now["pending_color"] or resumed):
            steps.hand_over(now["active_color"], "without a switch")
        if flow != "promote":
            steps.preview_nothing()
        for stage in STAGES:
            if not _takes_part(stage, flow, needed, resumed):
                continue
            made = stage == "switch" and not needed  # by the run that is finished here; only the hook after it is left
            if not made:
                steps.hook("before_" + stage)
                getattr(steps, stage)(flow, old)
            steps.hook("after_" + stage)
    plan.steps = steps.ended()
    plan.rescue = steps.rescue(reverts=settings["auto_rollback"] and flow != "prepare")
    return plan


def _is_untidy(flow: str, now: Reading, settings: Settings, resumed: Any) -> bool:
    """Whether there is something to put right though the version is live: what an interrupted run has left."""
    if now["pending_color"] or resumed:
        return True
    if flow == "prepare":
        return False
    newest = next(iter(now["history"]), {})
    return newest.get("outcome") == "running" or _is_large(now, now["idle_color"], settings)


def _is_large(now: Reading, color: str, settings: Settings) -> bool:
    return now["colors"][color]["replicas"] > settings["idle_replicas"]


def _takes_part(stage: str, flow: str, needed: bool, resumed: Any) -> bool:
    if flow == "prepare" and stage in AFTER_PREPARE:
        return False
    return needed or stage == "scale_down" or bool(resumed) and stage in FINISHED_BY_OTHERS


def _why(flow: str, now: Reading, version: Any, needed: bool, resumed: Any) -> str:
    if resumed:
        return f"{version} is live, but run {resumed['run']} did not come to its end. It is finished."
    if not needed:
        return f"{version} is live already."
    live = now["colors"][now["active_color"]]["version"]
    what = {"release": "is released to", "prepare": "is prepared on", "promote": "is promoted on"}[flow]
    return f"{version} {what} {now['idle_color']}; {now['active_color']} is live with {live}."


# --- rollback --------------------------------------------------------------------------------------------------


def _rollback(now: Reading, settings: Settings, directory: str) -> Plan:
    active = now["active_color"]
    live = now["colors"][active]
    if _is_spared(now, settings):
        why = f"{settings['rollback_from']} is neither live nor on its way: nothing is rolled back."
        plan = Plan(color=active, version=live["version"], good_color=active, why=why, locks=False)
        steps = _Steps(now, settings, directory, active, live["version"], live["version"])
        plan.steps, plan.rescue = steps.ended(), steps.rescue(reverts=False)
        return plan
    target = _target(now, settings)
    moves = target["color"] != active
    contracted = moves and now["contracted"] and now["contracted"]["version"] == live["version"]
    if contracted and not settings["rollback_contracted"]:
        raise _contracted(now, settings, target)
    plan = Plan(
        color=target["color"],
        version=target["version"],
        good_color=target["color"],
        why=f"{target['color']} (version {target['version']}) {'becomes' if moves else 'stays'} live.",
    )
    steps = _Steps(now, settings, directory, target["color"], target["version"], live["version"])
    # Before writes are frozen, all pods must be up. In an emergency they are not waited for, and writes come later.
    freezes = _per_color(settings) and moves and not contracted and not settings["rollback_instant"]
    steps.preview_nothing(may_fail=True)
    if moves:
        found = now["colors"][target["color"]]
        if found["deployment"] is None or found["image"] != target["image"] or freezes:
            steps.add("restore", image="" if len(settings["containers"]) > 1 else target["image"])
        if freezes:
            steps.add("wait")
            steps.hand_over(target["color"], "before the switch")
        steps.add("switch_back", hands_over=freezes)
        steps.live = target["color"]
    if _per_color(settings) and not contracted:
        steps.hand_over(target["color"], "after the switch" if freezes else "without a switch")
    steps.hook("after_switch")
    steps.scale_down("rollback", active if moves else now["idle_color"])
    plan.steps, plan.rescue = steps.ended(), steps.rescue(reverts=False)
    return plan


def _target(now: Reading, settings: Settings) -> dict[str, Any]:
    """What the history says, or the version that was asked for by its name, if the idle color has it."""
    if now["rollback_to"]:
        return now["rollback_to"]
    idle = now["colors"][now["idle_color"]]
    if settings["version"] and idle["version"] == settings["version"] and not settings["rollback_from"]:
        return dict(idle, color=now["idle_color"])
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
    last = next(iter(now["history"]), {})
    if last.get("outcome") in ("running", "interrupted") and last.get("version") == asked:
        return False
    return _live_version(now) != asked


def _live_version(now: Reading) -> Any:
    """Of a Deployment that was deleted, the history knows what it was."""
    active = now["active_color"]
    moved = [entry for entry in now["history"] if entry.get("switched_at") and entry.get("color") == active]
    return now["colors"][active]["version"] or next((entry["version"] for entry in moved), "")


def _contracted(now: Reading, settings: Settings, target: dict[str, Any]) -> BlueGreenError:
    apart = _per_color(settings)
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
        locks=due["changed"] or contracts,
    )
    steps = _Steps(now, settings, directory, active, version, due["version"])
    if plan.locks:
        steps.validate("retire", now["idle_color"])
        if contracts:
            steps.job("database_contract", contract)
        steps.add("retire")
    plan.steps, plan.rescue = steps.ended(), steps.rescue(reverts=False)
    return plan


# --- the steps -------------------------------------------------------------------------------------------------


def _per_color(settings: Settings) -> bool:
    return settings["database"].get("strategy") == "per_color"


class _Steps:
    """The steps of one plan; a method for each stage that is more than one file of tasks."""

    def __init__(self, now: Reading, settings: Settings, directory: str, color: str, version: Any, previous: Any):
        self.now = now
        self.settings = settings
        self.directory = directory
        self.live = now["active_color"]  # at the step that is added next
        self.common = {"color": color, "version": version, "previous_version": previous}
        self.steps: list[Step] = []

    def add(self, name: str, file: str = "", **details: Any) -> None:
        """One more step: its tasks are those of the role that have its name, or a file of the user's."""
        file = file or f"stages/{name}.yml"
        self.steps.append({**self.common, "active_color": self.live, "name": name, "file": file, **details})

    def hook(self, name: str) -> None:
        if name in self.settings["hooks"]:
            self.add(name, place(self.settings["hooks"][name], self.directory))

    def preview_nothing(self, may_fail: bool = False) -> None:
        if self.settings["preview_service"]:
            self.add("preview_nothing", may_fail=may_fail)

    def hand_over(self, heir: str, how: str) -> None:
        """The database of ``heir`` takes the writes, with the last row of the other one, which follows it from then on.

        :param how: ``before the switch`` returns as soon as writes are handed over, because they are refused until the
            switch; ``after the switch`` follows the same Job to its end; ``without a switch`` lets the live color's
            database take the writes, whatever an interrupted run has left.
        """
        self.job("hand_over", "hand_over", color=heir, how=how)

    def job(self, name: str, key: str, **details: Any) -> None:
        """A step that runs the Job in the file that the setting ``database`` names by ``key``."""
        database = self.settings["database"]
        limits = {"timeout": database.get("timeout", 300), "keep_failed": database.get("keep_failed", False)}
        self.add(name, job=place(database[key], self.directory), **limits, **details)

    def database(self, flow: str, old: str) -> None:
        database = self.settings["database"]
        if not database or flow == "promote":
            return
        if database["strategy"] == "per_color":
            self.job("database_sync", "sync")
            return
        change = "migrate" if database["strategy"] == "shared" else "expand"
        undo = place(database["undo"], self.directory) if database.get("undo") else ""
        checks = bool(self.settings["checks"])
        self.job("database_change", change, change=change, undo=undo, checks=checks)

    def deploy(self, flow: str, old: str) -> None:
        if flow == "promote":
            return
        live = self.now["colors"][old]
        if self.settings["deploy_tasks"]:
            own = place(self.settings["deploy_tasks"], self.directory)
            self.add("deploy_tasks", own, image=self.now["wanted_image"], replicas=live["replicas"])
        self.add("deploy", live_template_hash=live["template_hash"] if self.settings["deploy_tasks"] else "")

    def wait(self, flow: str, old: str) -> None:
        self.add("wait")
        if self.settings["preview_service"]:
            self.add("preview_new")

    def validate(self, flow: str, old: str) -> None:
        if self.settings["checks"]:
            self.add("validate")

    def switch(self, flow: str, old: str) -> None:
        self.preview_nothing()
        if _per_color(self.settings):
            self.hand_over(self.common["color"], "before the switch")
        prepared = self.now["prepared"]["template_hash"] if flow == "promote" and self.now["prepared"] else ""
        self.add("switch", template_hash=prepared, hands_over=_per_color(self.settings))
        self.live = self.common["color"]
        if _per_color(self.settings):
            self.hand_over(self.common["color"], "after the switch")

    def bake(self, flow: str, old: str) -> None:
        if self.settings["bake_time"]:
            self.add("bake")

    def scale_down(self, flow: str, old: str) -> None:
        if _is_large(self.now, old, self.settings):
            baked = any(step["name"] == "bake" for step in self.steps)
            self.add("scale_down", old_color=old, baked=baked)

    def ended(self) -> list[Step]:
        self.add("end", "end.yml")
        return self.steps

    def rescue(self, reverts: bool) -> list[Step]:
        """Traffic first, then what goes with it, then the end."""
        plain, self.steps = self.steps, []
        self.live = self.now["active_color"]
        self.add("revert", reverts=reverts)
        if _per_color(self.settings):
            self.job("hand_back", "hand_over")
        self.preview_nothing(may_fail=True)
        self.ended()
        self.add("fail", "fail.yml")
        rescue, self.steps = self.steps, plain
        return rescue
