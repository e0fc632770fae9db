# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One schedule from its beginning to the verdict: the run with its faults, the same command again, and what must hold then."""

from __future__ import annotations

import contextlib
import gc
import json
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import probe
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import cluster

from simulation import faults, laws, process, role
from simulation.api import Api, Store
from simulation.clock import Hub
from simulation.members import Members
from simulation.network import Network
from simulation.runs import Run, Runs
from simulation.scenarios import SCENARIOS, Scenario
from simulation.schedules import HEALS, HURTS_USERS, MAY_BE_REFUSED, Schedule
from simulation.world import World, example

COMES_TO_AN_END = 1800.0  # seconds after which a run is said to hang
SETTLES = 120.0  # seconds for the cluster to come to rest
BACK_OFF = 330.0  # seconds until a container that has crashed is started once more, at the latest

NAMESPACE = "shop"
OTHER_FLOWS = ("release", "rollback", "retire", "prepare", "promote", "overtaken", "preempted")

# Whose writes a timeline shows, and what of them it leaves out.
SHOWN = ("Service", "Deployment", "CronJob", "Job", "Secret", "ConfigMap")
UNSHOWN = ("/metadata/resourceVersion", "/metadata/managedFields", "/metadata/generation", "/status")


@dataclass
class Verdict:
    """What came of a schedule. ``violations`` is empty when every law was kept."""

    schedule: str
    violations: list[str]
    outcomes: list[str]
    requests: int  # of the run that the faults are for
    seconds: float  # of virtual time
    timeline: list[str] = field(default_factory=list)


class Trial:
    """A cluster, its users, and runs, all on one hub."""

    def __init__(self, schedule: Schedule, by_ansible: bool = False) -> None:
        self.schedule = schedule
        self.scenario: Scenario = SCENARIOS[schedule.scenario]
        self.kinds = {fault.kind for fault in schedule.faults}  # of what goes wrong
        self.hub = Hub(schedule.seed)
        self.store = Store(self.hub)
        self.world = World(self.hub, self.store)
        self.api = Api(self.store, self.world)
        self.network = Network(self.hub, self.api)
        self.by_ansible = by_ansible
        self.runs = Runs(self.hub, _playbook().Playbook if by_ansible else role.Role)
        self.judge: laws.Judge | None = None
        self.main: list[Run] = []  # the runs since the faults began, in the order of their start
        self.members = Members(self, NAMESPACE)
        self.broken: set[str] = set()  # versions that the schedule has broken
        self.left: dict[str, str] = {}  # color -> its pod template when it was live last
        # A wider Service sends users to the workers as well.
        wide = {"widen-selector"} if self.scenario.workers else set()
        self.hurting, self.refusable = HURTS_USERS | wide, MAY_BE_REFUSED | wide

    # --- the steps

    def whole(self) -> Verdict:
        """Everything: :class:`Verdict`."""
        with self._installed():
            self._begin()
            self._judged()
            self._with_faults()
            quiet = not self.kinds & (self.hurting | self.refusable)
            if len(self.main) == 1 and self.main[0].outcome in laws.GOOD and quiet:
                self._converged(self.main[0])
            self._first()
            if self.schedule.faults or self.scenario.planned:
                self._again()
            else:
                self._twice()
            self._stays_prepared()
            self._nothing_is_left()
            self._rolled_back()
        return self._verdict()

    def _installed(self) -> Any:
        role.load()
        stack = contextlib.ExitStack()
        stack.enter_context(process.install(self.hub))
        stack.enter_context(role.without_processes(self.runs.keeper))
        for name in ("load_configuration", "connection_pool", "authorization"):
            before = getattr(cluster, name)
            setattr(cluster, name, getattr(self.network, name))
            stack.callback(setattr, cluster, name, before)
        if self.by_ansible:
            stack.enter_context(_playbook().in_process(self.runs.say))
        before = probe.requests
        probe.requests = faults.Users(self)
        stack.callback(setattr, probe, "requests", before)
        return stack

    def _begin(self) -> None:
        scenario = self.scenario
        # Without old ReplicaSets, so that configuration is out of use as soon as its color has another one.
        spec: dict[str, Any] = {"configured": True, "revisionHistoryLimit": 0} if scenario.configured else {}
        example.shop(self.world, scenario.services, env={"DRAIN": "5"}, **spec)
        if scenario.preview:
            self.store.create(example.service("myapp-preview", "none"), by=example.MANIFESTS)
        if scenario.missing:
            self.store.delete("Deployment", NAMESPACE, "app-green", by="kubectl")
        self.settle()
        self.members.make()
        self.store.subscribe("Service", self._moved)
        for version in scenario.unready:
            self.world.break_version(version, "unready")
        self.since = 0.0
        for step in scenario.before:
            if isinstance(step, float):
                self.hub.run(until=self.hub.now + step)
                continue
            flow, version, *fails = step
            run = self.start(flow, version)
            self.runs.finish(run, COMES_TO_AN_END)
            if run.failed is not bool(fails):
                raise RuntimeError(f"{self.schedule}: {step} before the faults ended {run.outcome}:\n{run.text()}")
            if run.outcome in laws.MOVED:
                self.since = self.hub.now
            self.settle()

    def _moved(self, _type: str, new: dict[str, Any], old: dict[str, Any] | None) -> None:
        """Keep what each color was when it was live last."""
        color = ((old or {}).get("spec", {}).get("selector") or {}).get("version")
        if color and color != (new["spec"].get("selector") or {}).get("version"):
            self.left[color] = self.template(color)

    def _judged(self) -> None:
        self.members.before_a_slot()
        services = list(self.scenario.services)
        self.judge = laws.Judge(self.hub, self.store, self.network, services, NAMESPACE, self.since)
        self.store.on_write.append(lambda write: self.members.written(self.network.acting or "", write))
        self.judge.runs = {run.name: run for run in self.runs.all}
        self.began = self.hub.now
        self.live_before = next(iter(self.judge.live_colors()))
        self.version_before = self.judge.version_of(self.live_before)
        self.idle_color = next(color for color in laws.COLORS if color != self.live_before)
        self.idle_before = self._spec(self.idle_color)

    def _with_faults(self) -> None:
        meddler = faults.Meddler(self)
        self.network.meddle = meddler.meddle
        wrong = [float(fault.size) for fault in self.schedule.faults if fault.kind == "skew"]
        self.before = self._specs()
        first = self.start(self.scenario.flow, self.scenario.version or "", *wrong, check=self.scenario.planned)
        self.main.append(first)
        meddler.plan()
        end = self.hub.now + COMES_TO_AN_END
        self.hub.run(lambda: self.hub.now > end or all(self._over(run) for run in self.main) and meddler.over())
        for run in self.main:
            if not self._over(run):
                self.violated("law 12 (comes to an end)", f"{run.name} has not ended after {COMES_TO_AN_END:.0f} s")
                self.runs.kill(run)
        meddler.heal()
        self.broken = set(meddler.broken)
        if meddler.broken:
            self.hub.run(until=self.hub.now + BACK_OFF)
        self.settle()

    @staticmethod
    def _over(run: Run) -> bool:
        return run.ended is not None or run.process.dead

    def _first(self) -> None:
        """What the run with the faults has come to, where only one thing that is not its own doing went wrong."""
        first, kinds = self.main[0], self.kinds
        if len(self.main) > 1 or len(kinds) > 1 or first.killed:
            return
        if self.scenario.nothing and not kinds - HEALS:
            changed = laws.differences(iter(self.before), iter(self._specs()))
            if changed:
                self.violated("law 8 (twice)", f"there was nothing to be done, and {first.name} changed {changed}")
        if not kinds - HEALS and first.outcome not in laws.GOOD:
            self.violated("law 12 (what heals)", f"{first.name} ended {first.outcome}: {first.result.get('msg')}")
        back = self.judge.version_of(self.idle_color) if self.judge else None  # which the schedule may break as well
        broken = bool(kinds & {"crash-live", "unready-live"}) and back not in self.broken
        if self.scenario.flow == "rollback" and broken and first.failed:
            self.violated("law 3 (broken color)", f"{first.name} ended {first.outcome}: {first.result.get('msg')}")
        # To a rollback the idle color is the good one; and what breaks a version breaks both colors that have it.
        going = self.scenario.flow != "rollback" and self.scenario.version != self.version_before
        if going and kinds & {"crash-idle", "unready-idle", "errors-new"} and first.outcome == "failed":
            self.violated("law 3 (broken color)", f"{first.name} ended {first.outcome}: {first.result.get('msg')}")

    def _again(self) -> None:
        """The same command finishes the run, or says why it must not; a third time changes nothing."""
        again = self.finish(self.scenario.flow, self.scenario.version or "")
        kinds = self.kinds
        others = bool(self.kinds & set(OTHER_FLOWS))
        good = again.outcome in laws.GOOD
        if again.outcome == "reverted" and kinds & {"crash-live", "crash-idle", "unready-live", "unready-idle"}:
            others = True  # it finishes the release of before, whose pods have restarted since its switch
        if not good and not others and not kinds & self.refusable and not self._is_done(again):
            self.violated(
                "law 8 (run again)", f"the same command again ended {again.outcome}: {again.result.get('msg')}"
            )
        if again.flow == "rollback" and self.main[0].outcome == "rolled_back" and not others:
            if not kinds & {"select-blue", "select-green"} and len(set(map(str, self._live_since(again)))) > 1:
                self.violated(
                    "law 8 (twice)", f"a rollback after a rollback ended {again.outcome} and moved the traffic"
                )
        if good:
            self._converged(again)
            self._twice()

    def _live_since(self, run: Run) -> list[dict[str, str | None]]:
        assert self.judge is not None
        return self.judge.live_between(run.began)

    def _is_done(self, run: Run) -> bool:
        """Whether there was nothing left to do, which a rollback and a promotion refuse."""
        first = self.main[0]
        if run.flow == "promote" and first.outcome == "reverted":
            return True  # what was live and was taken back is not what was prepared any more
        moved = self.judge is not None and self.live_before not in self.judge.live_colors()
        return run.flow in ("rollback", "promote") and (first.outcome in laws.GOOD or moved)

    def _twice(self) -> None:
        kinds = self.kinds
        if self.scenario.flow in ("rollback", "promote"):
            return
        if kinds & {"select-blue", "select-green"} and ("prepare", "3.0") in self.scenario.before:
            return  # what was prepared has been live, and is scaled down like every old color
        before = self._specs()
        again = self.finish(self.scenario.flow, self.scenario.version or "")
        changed = laws.differences(iter(before), iter(self._specs()))
        if again.outcome not in ("unchanged", "prepared", "postponed") or changed:
            self.violated("law 8 (twice)", f"once more ended {again.outcome} and changed {changed or 'nothing'}")

    def _converged(self, run: Run) -> None:
        judge = self.judge
        assert judge is not None
        live = set(judge.selected().values())
        if len(live) != 1:
            self.violated("law 2 (whole)", f"after {run.outcome} the Services are split: {judge.selected()}")
            return
        if judge.state().get("intent"):
            self.violated("law 2 (intent)", f"after {run.outcome} an intent is left")
        color = live.pop() or ""
        self.members.converged(run.outcome or "", color)
        version = self.scenario.version
        if run.outcome == "rolled_back":
            self._is_whole(color)
        if run.outcome in ("released", "unchanged") and run.flow in ("release", "promote"):
            if judge.version_of(color) != version:
                self.violated("law 8 (run again)", f"{run.outcome}, and {color} has {judge.version_of(color)}")
            if self.scenario.configured and judge.settings_of(color) != f"of {version}":
                self.violated("law 4 (configuration)", f"{version} has the settings {judge.settings_of(color)!r}")
        deployment = judge.deployment_of(color)
        ready = len(judge.ready_pods(color))
        by_hand = {"select-blue", "select-green", "scale-idle:0"}
        if run.outcome not in laws.MOVED:
            by_hand.add("delete-live")  # nobody else is told that it is well
        if judge.raced or by_hand & {fault.what for fault in self.schedule.faults}:
            return  # somebody has made a color live without a look at its pods, or taken them away afterwards
        if deployment is None or ready < deployment["spec"]["replicas"] or ready == 0:
            self.violated("law 7 (strength)", f"after {run.outcome}, {color} is live with {ready} ready pods")

    def _rolled_back(self) -> None:
        """After a release there is a way back, to exactly what was live."""
        judge = self.judge
        assert judge is not None
        hurt = self.kinds & (self.hurting | self.refusable | {"scale-live"})
        others = len(self.main) > 1 and any(run is not self.main[0] and run.flow != "release" for run in self.main[:-2])
        if self.scenario.flow != "release" or hurt or others or not self._moved_once():
            return
        back = self.finish("rollback", "")
        if back.outcome != "rolled_back":
            self.violated("law 3 (way back)", f"the rollback ended {back.outcome}: {back.result.get('msg')}")
        elif judge.live_colors() != {self.live_before}:
            self.violated("law 3 (way back)", f"after the rollback {judge.live_colors()} is live")
        else:
            self._is_whole(self.live_before)

    def _is_whole(self, color: str) -> None:
        """A color that is live again is what it was, in every field."""
        meddled = self.kinds & self.refusable
        if color in self.left and self.template(color) != self.left[color] and not meddled:
            self.violated("law 4 (whole template)", f"{color} is live again with another template")

    def _stays_prepared(self) -> None:
        """What waits to be promoted is neither scaled down nor retired, by whatever run is no promotion."""
        flows = {step[0] for step in self.scenario.before if not isinstance(step, float)}
        others = self.kinds & (self.hurting | self.refusable | {*OTHER_FLOWS, "scale-live"})
        if "prepare" not in flows or self.scenario.flow in ("promote", "rollback") or others:
            return
        if self._spec(self.idle_color) != self.idle_before:
            self.violated("law 8 (prepared)", f"{self.idle_color} was prepared, and is not what it was any more")

    def _spec(self, color: str) -> Any:
        found = self.judge.deployment_of(color) if self.judge else None
        return found and found["spec"]

    def _moved_once(self) -> bool:
        judge = self.judge
        assert judge is not None
        if {run.variables.get("version") for run in self.main if run.flow != "rollback"} != {self.scenario.version}:
            return False
        return judge.live_colors() == {self.idle_color}

    def _nothing_is_left(self) -> None:
        """Of configuration that nothing refers to, once a release or a retirement has come to its end."""
        judge = self.judge
        assert judge is not None
        if self.scenario.flow == "rollback" or self.kinds - {"kill"} or self.scenario.planned:
            return
        for item in judge.configs():
            if (item["kind"], item["metadata"]["name"]) not in judge.needed():
                self.violated("law 8 (left over)", f"nothing needs {item['kind']} {item['metadata']['name']}")

    # --- what others use

    def start(self, flow: str, version: str, skew: float = 0.0, check: bool = False) -> Run:
        run = self.runs.start(flow, self.scenario.settings(flow, version or None), check=check, skew=skew)
        if self.judge:
            self.judge.runs[run.name] = run
            run.at_end = self.judge.ended
        return run

    def finish(self, flow: str, version: str) -> Run:
        run = self.start(flow, version)
        self.main.append(run)
        self.runs.finish(run, COMES_TO_AN_END)
        if run.ended is None:
            self.violated("law 12 (comes to an end)", f"{run.name} has not ended after {COMES_TO_AN_END:.0f} s")
            self.runs.kill(run)
        self.settle()
        return run

    def settle(self) -> None:
        """Let the cluster come to rest."""
        self.hub.run(until=self.hub.now + SETTLES)

    def violated(self, law: str, text: str) -> None:
        assert self.judge is not None
        self.judge.violated(law, text)

    def template(self, color: str) -> str:
        return _template(self.store.get("Deployment", NAMESPACE, f"app-{color}"))

    def _specs(self) -> list[dict[str, Any]]:
        """Of what runs write; the Jobs of CronJobs come and go by themselves."""
        items = [item for kind in ("Deployment", "Service", "Job") for item in self.store.list(kind, NAMESPACE)]
        return [item for item in items if item["kind"] != "Job" or "ownerReferences" not in item["metadata"]]

    # --- the end

    def _verdict(self) -> Verdict:
        judge = self.judge
        assert judge is not None
        kinds = self.kinds
        self.members.over()
        if not kinds & self.hurting:
            for lost in faults.lost_requests(self):
                self.violated("law 7 (users)", lost)
        name = self.main[0].name
        requests = max((request.number for request in self.network.requests if request.run == name), default=0)
        outcomes = [f"{run.flow}:{run.outcome or ('killed' if run.process.dead else '-')}" for run in self.main]
        broken = list(map(str, judge.violations))
        return Verdict(str(self.schedule), broken, outcomes, requests, self.hub.now, self.timeline() if broken else [])

    def timeline(self) -> list[str]:
        """What happened, in order: what runs have said, and every write of an object that matters."""
        judge = self.judge
        assert judge is not None
        lines: list[tuple[float, str]] = []
        for run in self.main:
            lines += [(at, f"{run.name}: {text}") for at, text in run.said]
            lines.append((run.began, f"--- {run.name} begins"))
        for request in self.network.requests:
            if request.said:
                lines.append((request.at, f"!!! {request}"))
        for at, who, write in judge.writes:
            changes = _changes(write)
            if changes and write.kind in SHOWN:
                lines.append((at, f"    {who or write.by} {write.verb} {write.kind} {write.name} {changes}"))
        return [f"{at:10.3f} {text}" for at, text in sorted(lines, key=lambda line: line[0]) if at >= self.began]


def _template(deployment: dict[str, Any] | None) -> str:
    if deployment is None:
        return ""
    template = deployment["spec"]["template"]
    return json.dumps([template["spec"], template["metadata"].get("labels")], sort_keys=True)


def _changes(write: Any) -> str:
    """The fields of an object that differ, in short."""
    found: list[str] = []

    def compare(path: str, old: Any, new: Any) -> None:
        if old == new or path in UNSHOWN:
            return
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                compare(f"{path}/{key}", old.get(key), new.get(key))
        else:
            found.append(f"{path}: {str(old)[:60]} -> {str(new)[:60]}")

    if not write.old or not write.new:
        return "(new)" if write.new else "(gone)"
    compare("", write.old, write.new)
    return "; ".join(found[:6])


def _playbook() -> Any:
    from simulation import playbook  # loads all of Ansible, which only these trials need

    return playbook


def run(schedule: Schedule, by_ansible: bool = False) -> Verdict:
    gc.disable()  # garbage collections would look at a trial again and again; most of it goes with its end
    try:
        return Trial(schedule, by_ansible).whole()
    finally:
        gc.enable()
