# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The steps of a run as the role takes them: which tasks, about which color, told what."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import (
    config_files,
    place,
    template_file,
)

Reading = dict[str, Any]
Settings = dict[str, Any]
Step = dict[str, Any]


def is_per_color(settings: Settings) -> bool:
    return settings["database"].get("strategy") == "per_color"


def template_from(settings: Settings) -> str:
    """After which color's pod template the new version's is made: ``live`` or ``idle``.

    What tasks of the user's deploy is theirs, and a color with a database of its own has its address in the template.
    """
    own = settings["deploy_tasks"] or is_per_color(settings)
    return str(settings["template"] or ("idle" if own else "live"))


def is_large(now: Reading, color: str, settings: Settings) -> bool:
    """Whether the color is to be scaled down once it is idle; what waits to be promoted is not."""
    return now["colors"][color]["replicas"] > settings["idle_replicas"] and not waits(now, color)


def waits(now: Reading, color: str) -> bool:
    """Whether what the color has is prepared, and waits to be promoted."""
    found, ready = now["colors"][color], now["prepared"] or {}
    return ready.get("color") == color and ready["template_hash"] == found["template_hash"]


def is_unsettled(now: Reading, idle: str) -> bool:
    """Whether something that goes with the live color is not as it is to be when no release goes on."""
    return any(item["unsettled"] for item in now["followers"]) and not waits(now, idle)


def are_behind(now: Reading) -> bool:
    """Whether a worker is not as it is to be when no release goes on."""
    return any(item["lags"] for item in now["workers"])


class Steps:
    """The steps of one plan, in the order in which they are added; a method for each stage of a release."""

    def __init__(
        self, now: Reading, settings: Settings, directory: str, color: str, version: Any, previous: Any
    ) -> None:
        self.now = now
        self.settings = settings
        self.directory = directory
        self.live = now["active_color"]  # at the step that is added next
        # Of the pods that are waited for, checked and switched to: where that was decided before, or what the step deploys.
        self.template: dict[str, Any] = {"template_hash": "", "deployed": False}
        self.other = next(name for name in now["colors"] if name != color)
        self.common = {"color": color, "version": version, "previous_version": previous}
        self.workers = [item.name for item in settings["workers"]]
        self.steps: list[Step] = []

    def add(self, name: str, file: str = "", **details: Any) -> None:
        """One more step: its tasks are those of the role that have its name, or a file of the user's."""
        file = file or f"stages/{name}.yml"
        self.steps.append({**self.common, "active_color": self.live, "name": name, "file": file, **details})

    def hook(self, name: str) -> None:
        if name in self.settings["hooks"]:
            self.add(name, place(self.settings["hooks"][name], self.directory))

    def job(self, name: str, key: str, **details: Any) -> None:
        """A step that runs the Job in the file that the setting ``database`` names by ``key``."""
        database = self.settings["database"]
        limits = {"timeout": database.get("timeout", 300), "keep_failed": database.get("keep_failed", False)}
        self.add(name, job=place(database[key], self.directory), **limits, **details)

    def hand_over(self, heir: str, how: str) -> None:
        """The database of ``heir`` takes the writes, with the last row of the other one, which follows it from then on.

        :param how: ``before the switch`` returns as soon as writes are handed over, because they are refused until the
            switch; ``after the switch`` follows the same Job to its end; ``without a switch`` lets the live color's
            database take the writes, whatever an interrupted run has left.
        """
        self.job("hand_over", "hand_over", color=heir, how=how)

    def preview_nothing(self, may_fail: bool = False) -> None:
        if self.settings["preview_service"]:
            self.add("preview_nothing", may_fail=may_fail)

    # --- the stages of a release

    def database(self) -> None:
        database = self.settings["database"]
        if not database:
            return
        if is_per_color(self.settings):
            self.job("database_sync", "sync")
            return
        change = "migrate" if database["strategy"] == "shared" else "expand"
        undo = place(database["undo"], self.directory) if database.get("undo") else ""
        checks = bool(self.settings["checks"]) and self.now["colors"][self.live]["deployment"] is not None
        self.job("database_change", change, change=change, undo=undo, checks=checks)

    @property
    def followers(self) -> Step:
        """What each step is told that has to do with what goes with the live color."""
        return {name: self.settings[name] for name in ("follow", "cronjobs")}

    def follow(self, stage: str) -> None:
        """What goes with the live color is made what it is to be at that stage, if there is any that can be concerned."""
        if any(stage in item["stages"] for item in self.now["followers"]):
            self.add("follow", stage=stage, **self.followers)

    def start_workers(self, way_back: bool = False) -> None:
        """Before the switch, because what is live consumes and produces as one version."""
        if self.settings["workers"]:
            prepared = (self.now["prepared"] or {}).get("workers") or {} if self.template["template_hash"] else {}
            self.add("workers_start", **self.template, prepared={} if way_back else prepared, way_back=way_back)

    def settle_workers(self, whole: bool = False) -> None:
        """Those of the live color work, and those of the other one rest.

        :param whole: whether nothing was begun before.
        """
        if self.settings["workers"]:
            self.add("workers_settle", color=self.live, way_back=whole)

    def deploy(self) -> None:
        self.follow("deploy")
        if self.settings["config"]:
            self.add("config", files=config_files(self.settings["config"], self.directory))
        live, own = self.now["colors"][self.other], self.settings["deploy_tasks"]
        if own:
            image = self.now["wanted_image"]
            self.add("deploy_tasks", place(own, self.directory), image=image, replicas=live["replicas"])
        self.template["deployed"] = True
        manifest = template_file(self.settings["manifest"], self.directory)
        source = template_from(self.settings)
        untouched = live["template_hash"] if own else ""
        details = {"live_template_hash": untouched, "template_from": source}
        self.add(
            "deploy",
            manifest=manifest,
            configured=bool(self.settings["config"]),
            workers=dict.fromkeys(self.workers, ""),
            **details,
        )

    def strengthen(self) -> None:
        """What was prepared and has no pods any more cannot be checked; from one pod on, the switch scales it up."""
        if not self.now["colors"][self.common["color"]]["replicas"]:
            self.add("strengthen", **self.template)

    def wait(self) -> None:
        self.add("wait", **self.template)
        if self.settings["preview_service"]:
            self.add("preview_new")

    def validate(self) -> None:
        if self.settings["checks"]:
            self.add("validate", **self.template)

    def switch(self) -> None:
        apart, color = is_per_color(self.settings), self.common["color"]
        self.preview_nothing()
        self.start_workers()
        if apart:
            self.hand_over(color, "before the switch")
        self.add("switch", **self.template, hands_over=apart, workers=self.workers)
        self.live = color
        if apart:
            self.hand_over(color, "after the switch")

    def bake(self) -> None:
        if self.settings["bake_time"]:
            self.add("bake", own_checks=self.settings["bake_checks"] is not None)

    def scale_down(self) -> None:
        if is_large(self.now, self.other, self.settings):
            baked = any(step["name"] == "bake" for step in self.steps)
            self.add("scale_down", old_color=self.other, baked=baked, **self.followers)
        elif is_unsettled(self.now, self.other):
            self.add("follow", stage="scale_down", **self.followers)

    def collect(self) -> None:
        """What is left of the configuration of earlier versions."""
        if self.settings["config"]:
            self.add("collect")

    # --- the ends

    def ended(self) -> list[Step]:
        self.add("end", "end.yml")
        return self.steps

    def rescue(self, reverts: bool) -> list[Step]:
        """Traffic first, then what goes with it, then the end."""
        rescue = self._anew()
        rescue.add("revert", reverts=reverts)
        if is_per_color(self.settings):
            rescue.job("hand_back", "hand_over")
        if self.workers:
            rescue.add("workers_back")
        if self.now["followers"]:
            rescue.add("follow_back", **self.followers)
        rescue.preview_nothing(may_fail=True)
        return rescue._failed()

    def only_end(self) -> list[Step]:
        """The rescue of a run that moves no traffic."""
        return self._anew()._failed()

    def _anew(self) -> Steps:
        return Steps(self.now, self.settings, self.directory, *self.common.values())

    def _failed(self) -> list[Step]:
        self.ended()
        self.add("fail", "fail.yml")
        return self.steps
