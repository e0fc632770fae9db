# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws, as judges: each looks at every write and at the end of every run, and says what was broken, when and by whom.

They know the cluster's objects and what a run has told, and nothing of how the collection comes to either. What a person, a
crash or an outage of the schedule does is not held against a run; what the run makes of it is.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulation.clock import Hub
from simulation.network import TOKEN
from simulation.runs import Run

STATE = "bluegreen.kubernetes/state"
APPLICATION = "bluegreen.kubernetes/application"
CONFIGS = ("ConfigMap", "Secret")
KEPT = "deployment.json"
COLORS = ("blue", "green")
GOOD = {"released", "unchanged", "planned", "prepared", "rolled_back", "retired", "postponed"}
# After these the traffic is on what was asked for.
MOVED = {"released", "rolled_back"}

RELEASES = ("release", "promote")
IDLE_REPLICAS = 1  # what every flow but retire leaves of a color, as the settings of all scenarios have it
RETIRE_AFTER = 24 * 3600.0

SERVES = ("Deployment", "Service")  # users

# What a manifest may have beside the Deployment.
OF_A_COLOR = ("ConfigMap", "Secret", "PodDisruptionBudget")

# Seconds between a last look and the write that follows it; what happens in between nobody can know of.
AT_ONCE = 0.05
LAST_LOOK = 2.0

UNFORESEEN = "an error that nobody has foreseen"  # how an operation tells a Python error

Object = dict[str, Any]


@dataclass(frozen=True)
class Violation:
    law: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.law} at {self.at:.3f} s: {self.text}"


class Judge:
    """Sees every write, keeps what was live when, and holds the runs against the laws.

    :param services: the names of the application's Services, the first of which keeps the state.
    :param moved: when the traffic was moved last; 0 for never.
    """

    def __init__(
        self, hub: Hub, store: Any, network: Any, services: list[str], namespace: str, moved: float = 0.0
    ) -> None:
        self.hub, self.store, self.network = hub, store, network
        self.services, self.namespace = services, namespace
        self.violations: list[Violation] = []
        self.runs: dict[str, Run] = {}
        self.writes: list[tuple[float, str, Any]] = []  # (time, run or "", write)
        self.live: list[tuple[float, dict[str, str | None]]] = [(hub.now, self.selected())]
        self.holder: list[tuple[float, str, str | None]] = []  # (time, run that wrote it, lock id), of each taking
        self.locks: dict[str, str] = {}  # lock id -> run
        self.worked: dict[str, float] = {}  # run -> its first write of substance since it has the lock
        self.meddled: dict[str, float] = {}  # Deployment -> when somebody else changed its template last
        self.deployed: dict[tuple[str, str], float] = {}  # (run, Deployment) -> its last write
        self.moved = moved  # when the traffic was moved last, by whomever
        self.touched: dict[str, list[tuple[float, str]]] = {}  # object -> each write: when, and the run
        self.raced = False  # whether somebody has made a color live in the very moment in which a run wrote it
        self.forgotten = False  # whether somebody has taken the state away
        self.by_hand = -1e9  # when somebody else has changed a selector last
        self.left: dict[str, float] = {}  # color -> when a run has moved the traffic away from it
        self.sick: dict[str, float] = {}  # version -> since when it answers nothing but errors
        self.contracted: set[str] = set()  # versions that alone can use the database any more
        self.done: set[tuple[str, str]] = set()  # (purpose, version) of the Jobs that have changed the database
        self.unrest = -1e9  # when a pod of the application ceased to take traffic
        self.templates: dict[str, str] = {}  # color -> template that was live last on it
        store.on_write.append(self.written)

    def violated(self, law: str, text: str) -> None:
        if len(self.violations) < 20:
            self.violations.append(Violation(law, self.hub.now, text))

    # --- what is there

    def selected(self) -> dict[str, str | None]:
        """The color that each Service selects now."""
        found = {}
        for name in self.services:
            service = self.store.get("Service", self.namespace, name)
            found[name] = ((service or {}).get("spec", {}).get("selector") or {}).get("version")
        return found

    def live_colors(self) -> set[str]:
        return {color for color in self.selected().values() if color}

    def deployment_of(self, color: str) -> Object | None:
        for item in self.store.list("Deployment", self.namespace):
            labels = item["spec"]["template"]["metadata"].get("labels", {})
            if labels.get("app") == "myapp" and labels.get("version") == color:
                return item  # type: ignore[no-any-return]
        return None

    def ready_pods(self, color: str) -> list[Object]:
        return [pod for pod in self.pods(color) if _carries(pod)]

    def pods(self, color: str) -> list[Object]:
        return self.store.list("Pod", self.namespace, {"app": "myapp", "version": color})  # type: ignore[no-any-return]

    def version_of(self, color: str) -> str | None:
        found = self.deployment_of(color)
        return found["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2] if found else None

    def state(self) -> Object:
        service = self.store.get("Service", self.namespace, self.services[0]) or {"metadata": {}}
        text = (service["metadata"].get("annotations") or {}).get(STATE)
        try:
            return json.loads(text) if text else {"history": []}
        except ValueError:
            return {"history": []}

    def live_between(self, since: float) -> list[dict[str, str | None]]:
        """What was live at any moment from then on."""
        before = [what for at, what in self.live if at <= since][-1:]
        return before + [what for at, what in self.live if at > since]

    def configs(self) -> list[Object]:
        """The ConfigMaps and Secrets that belong to a version."""
        found = [item for kind in CONFIGS for item in self.store.list(kind, self.namespace)]
        return [item for item in found if APPLICATION in (item["metadata"].get("labels") or {})]

    def settings_of(self, color: str) -> str:
        """What a color's ConfigMap holds."""
        deployment = self.deployment_of(color)
        for kind, name in _referred(deployment["spec"]["template"]) if deployment else ():
            if kind == "ConfigMap":
                found = self.store.get(kind, self.namespace, name) or {}
                return str((found.get("data") or {}).get("SETTINGS", ""))
        return ""

    def needed(self) -> set[tuple[str, str]]:
        """The ConfigMaps and Secrets of all that runs or can be had again."""
        kinds = ("Deployment", "ReplicaSet", "Job")
        found = [item["spec"]["template"] for kind in kinds for item in self.store.list(kind, self.namespace)]
        for secret in self.store.list("Secret", self.namespace):
            if KEPT in secret["data"]:
                found.append(json.loads(base64.b64decode(secret["data"][KEPT]))["spec"]["template"])
        return {one for template in found for one in _referred(template)}

    # --- every write

    def written(self, write: Any) -> None:
        run = self.network.acting or ""
        if write.kind == "Lease":
            self._lease(run, write)
            return
        if write.kind == "Pod":
            if _carries(write.old) and not _carries(write.new) and self._is_newest(write.old):
                self.unrest = self.hub.now
            return
        self.writes.append((self.hub.now, run, write))
        touched = self.touched.setdefault(write.name, [])
        if write.kind == "Service" and write.name in self.services:
            if not run and not self.state()["history"]:
                self.done.clear()  # somebody has taken the record away
                self.forgotten = True
            self._service(run, write)
        elif write.kind == "Deployment":
            self._deployment(run, write)
        elif write.kind == "Job" and write.new is not None:
            self._job(run, write)
        elif write.kind in CONFIGS and write.new is None and (write.kind, write.name) in self.needed():
            self.violated("law 10 (irreversible)", f"{run} removed {write.kind} {write.name}, which is needed")
        elif write.kind in OF_A_COLOR:
            self._object(run, write)
        if run and self.runs[run].check:
            self.violated("law 13 (plan)", f"{run}, which was to plan, wrote {write.kind} {write.name}")
        if run and _substance(write):
            self._holds_the_lock(run, write)
            self.worked.setdefault(run, self.hub.now)
        touched.append((self.hub.now, run))

    def _is_newest(self, pod: Object) -> bool:
        """Whether a pod is of its color's present version; that one of an older version goes is no unrest."""
        color = (pod["metadata"].get("labels") or {}).get("version", "")
        return bool(pod["spec"]["containers"][0]["image"].rpartition(":")[2] == self.version_of(color))

    def _lease(self, run: str, write: Any) -> None:
        old = (write.old or {}).get("spec", {}).get("holderIdentity")
        new = (write.new or {}).get("spec", {}).get("holderIdentity")
        if old == new:
            return
        if new and run:
            self.locks[new] = run
            self.worked.pop(run, None)
            self._was_dead(old, run)
            tokens = [(write.old or {}).get("spec", {}).get("leaseTransitions", 0) or 0]
            if (write.new["spec"].get("leaseTransitions") or 0) < tokens[0]:
                self.violated("law 9 (lock)", f"{run} took the Lease with a token that does not grow")
        self.holder.append((self.hub.now, run, new))

    def _was_dead(self, lock_id: str | None, taker: str) -> None:
        """A run that lives and answers is not pushed aside, but by a rollback."""
        holder = self.runs.get(self.locks.get(lock_id or "", ""))
        if holder is None or holder.name == taker or self.runs[taker].flow == "rollback":
            return
        alive = not holder.process.dead and holder.ended is None and holder.process.paused_until <= self.hub.now
        woken = self.hub.now - holder.process.paused_until < 40
        if alive and not woken and not self.network.troubled(40):
            self.violated("law 9 (lock)", f"{taker} took the Lease of {holder.name}, which was alive")

    def _holds_the_lock(self, run: str, write: Any) -> None:
        mine = [at for at, who, lock_id in self.holder if who == run and lock_id]
        if not mine:
            self.violated("law 9 (lock)", f"{run} wrote {write.kind} {write.name} and never had the lock")
            return
        for at, who, lock_id in self.holder:
            if who == run or not lock_id or at <= mine[-1]:
                continue
            if _deletes_job(write) and _stamp(write.old) != lock_id:
                continue  # a Job that is wanted is stamped first, which its deletion tests; nobody misses any other
            if write.kind in CONFIGS and write.new is None:
                continue  # what is referred to is judged by itself; who wants it again stamps it, which its deletion tests
            stamped = max((when for when, name in self.touched.get(write.name, []) if name == who), default=-1.0)
            if self.worked.get(who, -1.0) >= at or stamped >= at or self._has_begun(who, at):
                self.violated(
                    "law 9 (fence)",
                    f"{run} wrote {write.kind} {write.name} after {who} had taken the lock and begun to work",
                )
                return

    def _has_begun(self, run: str, since: float) -> bool:
        """Whether a run has got beyond its beginning since then, in which it shuts out the one that it takes over from."""
        return any(
            one.run == run and one.at >= since and one.agent not in ("bg_begin", "keeper")
            for one in self.network.requests
        )

    def _service(self, run: str, write: Any) -> None:
        old, new = (((item or {}).get("spec") or {}).get("selector") or {} for item in (write.old, write.new))
        if old == new:
            return
        self.live.append((self.hub.now, self.selected()))
        source, target = old.get("version"), new.get("version")
        if source != target:
            self.moved = self.hub.now
        if not run:
            self.by_hand = self.hub.now
        if not run or target not in COLORS:
            return
        if dict(old, version=target) != new:
            self.violated("law 2 (atomic)", f"{run} made the selector of {write.name} {new}, it was {old}")
        if source:
            self.left[source] = self.hub.now
        if self.runs[run].flow == "rollback" and self.contracted - {self.version_of(target)}:
            self.violated(
                "law 10 (irreversible)",
                f"{run} went back to {target}; the database was contracted for {self.contracted}",
            )
        state = json.loads((write.new["metadata"].get("annotations") or {}).get(STATE, "{}"))
        if write.name == self.services[0]:
            recorded = [item for item in state.get("history", []) if item.get("switched_at")]
            if state.get("intent") is None and not recorded and source != target:
                self.violated("law 2 (recorded)", f"{run} switched {write.name} to {target} and recorded nothing")
        elif len(self.services) > 1 and not self.state().get("intent"):
            self.violated("law 2 (intent)", f"{run} switched {write.name}, one of several, without a recorded intent")
        self._strength(run, source, target, write.name)
        self._has_its_objects(run, target)
        flow = self.runs[run].flow
        deployment = self.deployment_of(target)
        if flow in ("release", "promote") and deployment is not None:
            name = deployment["metadata"]["name"]
            meddled, mine = self.meddled.get(name, -1.0), self.deployed.get((run, name), -1.0)
            going = self._is_going_forward(run, target)
            if going and meddled > max(mine, self.runs[run].began) and self.hub.now - meddled > AT_ONCE:
                self.violated(
                    "law 5 (what was checked)", f"{run} switched to {name}, whose template somebody had changed"
                )
            if going and self._was_sick(run, "bg_smoke_check", self.version_of(target), 0.0):
                self.violated("law 5 (what was checked)", f"{run} switched to {name}, which answers with errors")

    def _was_sick(self, run: str, agent: str, version: str | None, seconds: float) -> bool:
        """Whether an operation of a run could see that a version answers with errors.

        :param seconds: how long before its last request at least.
        """
        asked = [one.at for one in self.network.requests if one.run == run and one.agent == agent]
        since = self.sick.get(version or "")
        return (
            since is not None and bool(asked) and (since < min(asked) if not seconds else since < max(asked) - seconds)
        )

    def _is_going_forward(self, run: str, target: str) -> bool:
        """Whether it was not live yet since the run began: what another run has made live meanwhile is gone back to."""
        before = self.live_between(self.runs[run].began)[:-1] or self.live_between(self.runs[run].began)
        return target not in before[0].values() and all(set(what.values()) != {target} for what in before)

    def _strength(self, run: str, source: str | None, target: str, service: str) -> None:
        deployment, before = self.deployment_of(target), self.deployment_of(source or "")
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            if self.hub.now - self.meddled.get(f"app-{target}", -1e9) < AT_ONCE:
                return
            self.violated("law 1 (no color)", f"{run} switched {service} to {target}, which has no Deployment")
            return
        if not self._is_going_forward(run, target) or self.hub.now - self.unrest < 1.5:
            return
        if self.runs[run].variables.get("bluegreen_rollback_instant"):
            return  # pods are not waited for
        ready = len(self.ready_pods(target))
        if ready == 0:
            self.violated("law 6 (predicted)", f"{run} switched {service} to {target}, which has no ready pod")
        elif before is not None and self.runs[run].flow in ("release", "promote"):
            wanted = before["spec"]["replicas"]
            if ready < wanted and self._since_scaled(before["metadata"]["name"]) >= 1.5:
                self.violated("law 7 (strength)", f"{run} switched {service} to {ready} ready pods; {wanted} were live")

    def _deployment(self, run: str, write: Any) -> None:
        template = _template(write.new) if write.new else None
        if write.old is not None and not run and _is_another(write.old, write.new):
            self.meddled[write.name] = self.hub.now
        if run:
            self.deployed[run, write.name] = self.hub.now  # with whatever template it has found
        for kind, name in _referred(write.new["spec"]["template"]) if run and write.new else ():
            if self.store.get(kind, self.namespace, name) is None:
                self.violated(
                    "law 4 (configuration)", f"{run} lets {write.name} refer to {kind} {name}, which is not there"
                )
        if not run or write.old is None or write.name not in ("app-blue", "app-green"):
            return  # those of workers are held against the laws by themselves
        color = write.old["spec"]["template"]["metadata"].get("labels", {}).get("version")
        if color not in self.live_colors():
            self._idle(run, write, color)
            return
        if self.hub.now - self.by_hand < AT_ONCE:
            self.raced = True
            return
        if write.new is None or "deletionTimestamp" in write.new["metadata"]:
            self.violated("law 1 (live)", f"{run} deleted {write.name}, which is live")
        elif template != _template(write.old):
            self.violated("law 1 (live)", f"{run} changed the template of {write.name}, which is live")
        elif write.new["spec"].get("replicas", 1) < write.old["spec"].get("replicas", 1):
            self.violated("law 1 (live)", f"{run} scaled down {write.name}, which is live")

    def _since_scaled(self, name: str) -> float:
        """Seconds since somebody has changed the replicas of a Deployment last."""
        changed = [at for at, _run, write in self.writes if _replicas_changed(write, name)]
        return self.hub.now - changed[-1] if changed else math.inf

    def _idle(self, run: str, write: Any, color: str) -> None:
        """An idle color is the way back: it keeps its pods for a while, and ends only by a retirement that is due."""
        before = write.old["spec"].get("replicas", 1)
        after = 0 if write.new is None or _is_deleted(write.new) else write.new["spec"].get("replicas", 1)
        if after >= before or _is_deleted(write.old):
            return
        flow, name = self.runs[run].flow, write.name
        if after < IDLE_REPLICAS and flow != "retire":
            self.violated("law 10 (irreversible)", f"{run} left {after} pods of {name}")
        since = self.hub.now - self.moved
        if flow == "retire" and since < RETIRE_AFTER and since > AT_ONCE:
            self.violated("law 10 (irreversible)", f"{run} retired {name} {since:.0f} s after the traffic was moved")
        kept = self.hub.now - self.left.get(color, -1e9)
        scaled_only = write.new is not None and _template(write.new) == _template(write.old)
        if scaled_only and kept < self.runs[run].variables.get("bluegreen_scale_down_delay", 0):
            self.violated("law 7 (delay)", f"{run} scaled down {name} {kept:.1f} s after it was live")
        live = next(iter(self.live_colors()), "")
        deployment = self.deployment_of(live)
        if flow in RELEASES and scaled_only and deployment is not None and self.hub.now - self.unrest > 1.5:
            ready, wanted = len(self.ready_pods(live)), min(before, deployment["spec"]["replicas"])
            if ready < wanted and self._since_scaled(deployment["metadata"]["name"]) >= AT_ONCE:
                self.violated("law 7 (looked at once more)", f"{run} scaled down {name}: {live} has {ready} ready pods")

    def _object(self, run: str, write: Any) -> None:
        """What the live color uses is changed by nobody; a switch is to what has its own."""
        if not run or write.old is None or not _differ(write):
            return
        for color in self.live_colors():
            deployment = self.deployment_of(color)
            if deployment is not None and self.hub.now - self.by_hand >= AT_ONCE and _uses(deployment, write):
                self.violated(
                    "law 1 (live)", f"{run} wrote {write.kind} {write.name}, which {color} uses, and that is live"
                )

    def _has_its_objects(self, run: str, target: str) -> None:
        """The settings that the scenarios with objects give a color say of which version they are."""
        settings = self.store.get("ConfigMap", self.namespace, f"settings-{target}")
        deployment = self.deployment_of(target)
        if settings is None or deployment is None or "envFrom" not in _container(deployment):
            return
        version = self.version_of(target)
        own = [item["metadata"]["name"] for item in self.store.list("ConfigMap", self.namespace)]
        own = [name for name in own if name.startswith("only-") and name.endswith(f"-{target}")]
        if settings["data"]["SETTINGS"] != f"of {version}" or own != [f"only-{version}-{target}".replace(".", "-")]:
            self.violated(
                "law 4 (its objects)",
                f"{run} made {target} live with version {version}, settings {settings['data']} and {own}",
            )

    def _job(self, run: str, write: Any) -> None:
        """What Jobs do to the database is their label ``purpose``, and for which version ``live-version``."""
        labels = write.new["metadata"].get("labels") or {}
        purpose, version = labels.get("purpose"), labels.get("live-version")
        begins = not write.new["spec"].get("suspend") and (write.old is None or write.old["spec"].get("suspend"))
        if begins and run and purpose == "contract":
            live = {self.version_of(color) for color in self.live_colors()}
            by_hand = self.hub.now - self.by_hand < AT_ONCE
            if live != {version} and not by_hand and not self._just_gone():
                self.violated("law 10 (irreversible)", f"{run} contracts for {version} while {live} is live")
            self.contracted = {version}
        if begins and purpose == "undo":
            self.done.clear()
        if begins and run and (purpose, version) in self.done:
            self.violated("law 8 (once)", f"{run} begins Job {write.name} for {version} again, which was done")
        if purpose in ("migrate", "expand") and _holds(write.new, "Complete"):
            self.done = {(purpose, version)}

    def _just_gone(self) -> bool:
        """Whether somebody has deleted what is live in this very moment."""
        since = [self.meddled.get(f"app-{color}", -1e9) for color in self.live_colors()]
        return any(self.hub.now - at < AT_ONCE for at in since)

    # --- the end of a run

    def ended(self, run: Run) -> None:
        """Hold what a run has told against what was there when it told it."""
        if run.crash:
            self.violated("law 12 (explains itself)", f"{run.name} ended with a Python error: {run.crash}")
        shown = run.text() + json.dumps(run.result, default=str)
        if UNFORESEEN in shown:
            self.violated("law 12 (explains itself)", f"{run.name} has met a Python error")
        if TOKEN in shown:
            self.violated("law 15 (secrets)", f"{run.name} has shown its token")
        if "s3cret-of-" in shown or base64.b64encode(b"s3cret-of-").decode()[:12] in shown:
            self.violated("law 15 (secrets)", f"{run.name} has shown a value of a Secret")
        if not run.result:
            if run.failed is False:
                self.violated("law 11 (told)", f"{run.name} ended well and told nothing")
            return
        outcome = run.outcome or ""
        if run.failed != (outcome not in GOOD):
            self.violated("law 11 (told)", f"{run.name} ended {outcome} with failed={run.failed}")
        self._told(run, outcome)
        self._observed(run)
        self._recorded(run, outcome)
        if outcome == "refused":
            wrote = {
                f"{write.kind} {write.name}" for _at, who, write in self.writes if who == run.name and _substance(write)
            }
            if wrote:
                self.violated("law 11 (told)", f"{run.name} says that nothing was changed, and has written {wrote}")
        version = str(run.variables.get("version"))
        if (
            outcome == "released"
            and run.variables.get("bluegreen_bake_time")
            and self._was_sick(run.name, "bg_bake", version, 6.0)
        ):
            self.violated("law 5 (what was baked)", f"{run.name} says {outcome}, and {version} answers with errors")
        if run.failed and not run.result.get("reason"):
            self.violated("law 12 (explains itself)", f"{run.name} failed without a reason")

    def _observed(self, run: Run) -> None:
        """What is told of the endpoints was seen after they had changed."""
        told = (run.result.get("timings") or {}).get("endpoints_ms")
        switched = [
            at for at, who, write in self.writes if who == run.name and write.kind == "Service" and _moves(write)
        ]
        if told is None or not switched or self.network.trouble_at >= switched[-1]:
            return  # or it counts from an answer that came late
        if len(self.services) > 1 or self.by_hand > run.began:
            return  # what was switched back at once may never have been followed
        changed = [at for at, _who, write in self.writes if write.kind == "EndpointSlice" and at > switched[-1]]
        if not changed or switched[-1] + told / 1000 < changed[0] - AT_ONCE / 10:
            self.violated("law 6 (observed)", f"{run.name} says that the endpoints had followed after {told} ms")

    def _recorded(self, run: Run, outcome: str) -> None:
        """The history says the same as the run, unless that has said that it could not write there."""
        own = {lock_id for lock_id, name in self.locks.items() if name == run.name}
        entry = next((entry for entry in self.state()["history"] if entry.get("run") in own), None)
        if outcome == "superseded" or "could not be given back" in run.text():
            return
        if entry is None:
            if run.flow != "retire" and run.name in self.worked and not self.forgotten:
                self.violated("law 11 (recorded)", f"{run.name} says {outcome}, the history nothing of it")
            return
        if entry.get("outcome") != outcome:
            self.violated("law 11 (recorded)", f"{run.name} says {outcome}, the history {entry.get('outcome')}")

    def _told(self, run: Run, outcome: str) -> None:
        since = [
            request.at for request in self.network.requests if request.run == run.name and request.agent == "bg_end"
        ]
        moments = self.live_between(min(since) if since else self.hub.now)
        intent = self.state().get("intent") or {}
        if outcome in MOVED and self.locks.get(intent.get("run")) == run.name:
            self.violated("law 2 (intent)", f"{run.name} says {outcome} and has left its intent")
        told = run.result.get("active_color")
        if told is not None and not any(told in what.values() for what in moments):
            self.violated("law 11 (told)", f"{run.name} says {told} is live, it was {moments}")
        if told is not None and all(len(set(what.values())) > 1 for what in moments):
            self.violated("law 11 (told)", f"{run.name} says {told} is live while the Services are split: {moments}")
        whole = [set(what.values()) for what in moments if len(set(what.values())) == 1]
        if outcome in ("reverted", "released", "rolled_back") and not whole:
            self.violated("law 11 (told)", f"{run.name} says {outcome} while the Services are split: {moments}")
        version = run.result.get("version")
        deployment = self.deployment_of(told) if told else None
        # It looks before it takes the old color's strength; to record that, and to give the lock back, may take its time.
        own = [(at, write) for at, who, write in self.writes if who == run.name and write.kind in SERVES]
        looked = max((at for at, write in own if _substance(write)), default=self.hub.now)
        meddled = self.meddled.get(f"app-{told}", -1e9)
        quiet = looked - max(self.unrest, meddled) > LAST_LOOK
        if outcome == "released" and told and not self.ready_pods(told) and quiet:
            self.violated("law 7 (last look)", f"{run.name} says released, and no pod of {told} is ready")
        gone = outcome in MOVED and told and deployment is None
        # What is told was read before it was recorded, and the record may get its answer late.
        if gone and min(since, default=self.hub.now) - meddled > LAST_LOOK:
            self.violated("law 11 (told)", f"{run.name} says {outcome}, and {told} has no Deployment")
        if outcome == "released" and told and version != run.variables.get("version"):
            self.violated("law 11 (told)", f"{run.name} says released, of version {version}")
        if deployment is not None and version and outcome in GOOD and version != self.version_of(told):
            paused = since and run.process.paused_until > min(since)  # in the middle of its last look
            if self.hub.now - self.meddled.get(deployment["metadata"]["name"], -1e9) > 5 and not paused:
                self.violated("law 11 (told)", f"{run.name} says {version} is live, it is {self.version_of(told)}")


def _referred(template: Object) -> Iterator[tuple[str, str]]:
    """The ConfigMaps and Secrets that the example application has in its environment."""
    for container in template["spec"]["containers"]:
        for source in container.get("envFrom") or []:
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"]


def _holds(item: Object | None, kind: str) -> bool:
    conditions = ((item or {}).get("status") or {}).get("conditions") or []
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)


def _ready(pod: Object | None) -> bool:
    return _holds(pod, "Ready")


def _moves(write: Any) -> bool:
    """Whether a write of a Service changes its selector."""
    old, new = ((item or {}).get("spec", {}).get("selector") for item in (write.old, write.new))
    return bool(old != new)


def _carries(pod: Object | None) -> bool:
    return pod is not None and _ready(pod) and not _is_deleted(pod)


def _is_deleted(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def _is_another(old: Object, new: Object | None) -> bool:
    """Whether a Deployment is on its way out, or makes other pods."""
    return new is None or _is_deleted(new) and not _is_deleted(old) or _template(new) != _template(old)


def _deletes_job(write: Any) -> bool:
    return bool(write.kind == "Job" and write.old is not None and (write.new is None or _is_deleted(write.new)))


def _stamp(item: Object) -> str | None:
    return (item["metadata"].get("annotations") or {}).get("bluegreen.kubernetes/lock-id")


def _template(deployment: Object) -> str:
    return json.dumps(deployment["spec"]["template"], sort_keys=True)


def _replicas_changed(write: Any, name: str) -> bool:
    if write.kind != "Deployment" or write.name != name or not write.old or not write.new:
        return False
    return bool(write.old["spec"].get("replicas") != write.new["spec"].get("replicas"))


def _is_kept(write: Any) -> bool:
    """Whether a Secret is a record of our own: it says nothing as long as nothing is made of it."""
    return str((write.new or write.old).get("type", "")).startswith("bluegreen.kubernetes/")


def _container(deployment: Object) -> Object:
    found: Object = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def _differ(write: Any) -> bool:
    """Whether more of an object is another than its annotations, such as the stamp of a lock."""
    return not write.old or not write.new or any(write.old.get(key) != write.new.get(key) for key in ("data", "spec"))


def _uses(deployment: Object, write: Any) -> bool:
    used = {name for source in _container(deployment).get("envFrom") or [] for name in map(str, source.values())}
    return any(f"'{write.name}'" in name for name in used)


def _substance(write: Any) -> bool:
    """Whether it changes more than annotations, such as the stamp of a lock."""
    if write.kind in OF_A_COLOR:
        # No server lets a creation be tested for anything but the name: what is made late is nobody's until a Deployment is written.
        return write.old is not None and not _is_kept(write) and _differ(write)
    if write.kind == "Job" and write.new is not None and write.new["spec"].get("suspend"):
        return False  # it does nothing until somebody who has the lock lets it
    if write.kind not in ("Deployment", "Service"):
        return bool(write.kind == "Job")  # a kept manifest says nothing as long as its Deployment is there
    if write.old is None and write.kind == "Deployment" and write.new["spec"].get("replicas") == 0:
        return (
            False  # nothing fences a creation; without pods it does nothing until somebody who has the lock scales it
        )
    if write.old is None or write.new is None or _is_deleted(write.new) and not _is_deleted(write.old):
        return True
    return bool(write.old.get("spec") != write.new.get("spec"))


def differences(before: Iterator[Any], after: Iterator[Any]) -> list[str]:
    """For the law that the same release twice changes nothing: the names of what differs."""
    first = {(item["kind"], item["metadata"]["name"]): json.dumps(item["spec"], sort_keys=True) for item in before}
    second = {(item["kind"], item["metadata"]["name"]): json.dumps(item["spec"], sort_keys=True) for item in after}
    return sorted(
        f"{kind} {name}"
        for kind, name in first.keys() | second.keys()
        if first.get((kind, name)) != second.get((kind, name))
    )
