# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws, as judges: each looks at every write and at the end of every run, and says what was broken, when and by whom.

They know the cluster's objects and what a run has told, and nothing of how the collection comes to either. What a person, a
crash or an outage of the schedule does is not held against a run; what the run makes of it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulation.clock import Hub
from simulation.network import TOKEN
from simulation.runs import Run

STATE = "bluegreen.kubernetes/state"
COLORS = ("blue", "green")
GOOD = {"released", "unchanged", "planned", "prepared", "rolled_back", "retired", "postponed"}
# What each outcome says of the traffic, compared with when the run began: it is on what was asked for, or as it was.
MOVED, AS_IT_WAS = {"released", "rolled_back"}, {"refused", "aborted", "reverted", "planned", "prepared"}

# Seconds between a last look and the write that follows it; what happens in between nobody can know of.
AT_ONCE = 0.05
LAST_LOOK = 2.0

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
    :param excused: what the schedule itself does to users, so that lost requests are not a run's fault.
    """

    def __init__(self, hub: Hub, store: Any, network: Any, services: list[str], namespace: str) -> None:
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
        self.deployed: dict[tuple[str, str], float] = {}  # (run, Deployment) -> its last change of the template
        self.switched_by_hand = -1e9
        self.unrest = -1e9  # when a pod of the application became ready or unready last
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
        return [pod for pod in self.pods(color) if _ready(pod) and "deletionTimestamp" not in pod["metadata"]]

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

    # --- every write

    def written(self, write: Any) -> None:
        run = self.network.acting or ""
        if write.kind == "Lease":
            self._lease(run, write)
            return
        if write.kind == "Pod":
            if _ready(write.old) != _ready(write.new) or _going(write.old) != _going(write.new):
                self.unrest = self.hub.now
            return
        self.writes.append((self.hub.now, run, write))
        if write.kind == "Service" and write.name in self.services:
            self._service(run, write)
        elif write.kind == "Deployment":
            self._deployment(run, write)
        elif write.kind == "Job" and write.old is None and run:
            self._job(run, write)
        if run and _substance(write):
            self._holds_the_lock(run, write)
            self.worked.setdefault(run, self.hub.now)

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
            if who != run and lock_id and at > mine[-1] and who in self.worked and self.worked[who] >= at:
                self.violated(
                    "law 9 (fence)",
                    f"{run} wrote {write.kind} {write.name} after {who} had taken the lock and begun to work",
                )
                return

    def _service(self, run: str, write: Any) -> None:
        old, new = (((item or {}).get("spec") or {}).get("selector") or {} for item in (write.old, write.new))
        if old == new:
            return
        self.live.append((self.hub.now, self.selected()))
        source, target = old.get("version"), new.get("version")
        if not run:
            self.switched_by_hand = self.hub.now
        if not run or target not in COLORS:
            return
        state = json.loads((write.new["metadata"].get("annotations") or {}).get(STATE, "{}"))
        if write.name == self.services[0]:
            recorded = [item for item in state.get("history", []) if item.get("switched_at")]
            if state.get("intent") is None and not recorded and source != target:
                self.violated("law 2 (recorded)", f"{run} switched {write.name} to {target} and recorded nothing")
        elif len(self.services) > 1 and not self.state().get("intent"):
            self.violated("law 2 (intent)", f"{run} switched {write.name}, one of several, without a recorded intent")
        self._strength(run, source, target, write.name)
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

    def _is_going_forward(self, run: str, target: str) -> bool:
        began = self.live_between(self.runs[run].began)[0]
        return target not in began.values()

    def _strength(self, run: str, source: str | None, target: str, service: str) -> None:
        deployment, before = self.deployment_of(target), self.deployment_of(source or "")
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            if self.hub.now - self.meddled.get(f"app-{target}", -1e9) < AT_ONCE:
                return
            self.violated("law 1 (no color)", f"{run} switched {service} to {target}, which has no Deployment")
            return
        if not self._is_going_forward(run, target) or self.hub.now - self.unrest < 1.5:
            return
        ready = len(self.ready_pods(target))
        if ready == 0:
            self.violated("law 6 (predicted)", f"{run} switched {service} to {target}, which has no ready pod")
        elif before is not None and self.runs[run].flow in ("release", "promote"):
            wanted = before["spec"]["replicas"]
            changed = [at for at, _run, write in self.writes if _replicas_changed(write, before["metadata"]["name"])]
            if ready < wanted and not (changed and self.hub.now - changed[-1] < 1.5):
                self.violated("law 7 (strength)", f"{run} switched {service} to {ready} ready pods; {wanted} were live")

    def _deployment(self, run: str, write: Any) -> None:
        template = _template(write.new) if write.new else None
        if write.old is not None and (write.new is None or template != _template(write.old)):
            if run:
                self.deployed[run, write.name] = self.hub.now
            else:
                self.meddled[write.name] = self.hub.now
        if not run or write.old is None:
            return
        color = write.old["spec"]["template"]["metadata"].get("labels", {}).get("version")
        if color not in self.live_colors() or self.hub.now - self.switched_by_hand < AT_ONCE:
            return
        if write.new is None or "deletionTimestamp" in write.new["metadata"]:
            self.violated("law 1 (live)", f"{run} deleted {write.name}, which is live")
        elif template != _template(write.old):
            self.violated("law 1 (live)", f"{run} changed the template of {write.name}, which is live")
        elif write.new["spec"].get("replicas", 1) < write.old["spec"].get("replicas", 1):
            self.violated("law 1 (live)", f"{run} scaled down {write.name}, which is live")

    def _job(self, run: str, write: Any) -> None:
        """Jobs that take away what the old version needs are named contract-..., and say whose old version it is."""
        labels = write.new["metadata"].get("labels") or {}
        if labels.get("purpose") != "contract":
            return
        wanted, live = labels.get("live-version"), {self.version_of(color) for color in self.live_colors()}
        if live != {wanted}:
            self.violated("law 10 (irreversible)", f"{run} contracts for {wanted} while {live} is live")

    # --- the end of a run

    def ended(self, run: Run) -> None:
        """Hold what a run has told against what was there when it told it."""
        if run.crash:
            self.violated("law 12 (explains itself)", f"{run.name} ended with a Python error: {run.crash}")
        shown = run.text() + json.dumps(run.result, default=str)
        if TOKEN in shown:
            self.violated("law 15 (secrets)", f"{run.name} has shown its token")
        if not run.result:
            if run.failed is False:
                self.violated("law 11 (told)", f"{run.name} ended well and told nothing")
            return
        outcome = run.outcome or ""
        if run.failed != (outcome not in GOOD):
            self.violated("law 11 (told)", f"{run.name} ended {outcome} with failed={run.failed}")
        self._told(run, outcome)
        if run.failed and not run.result.get("reason"):
            self.violated("law 12 (explains itself)", f"{run.name} failed without a reason")

    def _told(self, run: Run, outcome: str) -> None:
        since = [
            request.at for request in self.network.requests if request.run == run.name and request.agent == "bg_end"
        ]
        moments = self.live_between(min(since) if since else self.hub.now)
        told = run.result.get("active_color")
        if told is not None and not any(told in what.values() for what in moments):
            self.violated("law 11 (told)", f"{run.name} says {told} is live, it was {moments}")
        whole = [set(what.values()) for what in moments if len(set(what.values())) == 1]
        if outcome in ("reverted", "released", "rolled_back") and not whole:
            self.violated("law 11 (told)", f"{run.name} says {outcome} while the Services are split: {moments}")
        version = run.result.get("version")
        deployment = self.deployment_of(told) if told else None
        if outcome == "released" and told and not self.ready_pods(told) and self.hub.now - self.unrest > LAST_LOOK:
            self.violated("law 7 (last look)", f"{run.name} says released, and no pod of {told} is ready")
        if outcome == "released" and told and version != run.variables.get("version"):
            self.violated("law 11 (told)", f"{run.name} says released, of version {version}")
        if deployment is not None and version and outcome in GOOD and version != self.version_of(told):
            if self.hub.now - self.meddled.get(deployment["metadata"]["name"], -1e9) > 5:
                self.violated("law 11 (told)", f"{run.name} says {version} is live, it is {self.version_of(told)}")


def _ready(pod: Object | None) -> bool:
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _going(pod: Object | None) -> bool:
    return bool(pod and "deletionTimestamp" in pod["metadata"])


def _template(deployment: Object) -> str:
    return json.dumps(deployment["spec"]["template"], sort_keys=True)


def _replicas_changed(write: Any, name: str) -> bool:
    if write.kind != "Deployment" or write.name != name or not write.old or not write.new:
        return False
    return bool(write.old["spec"].get("replicas") != write.new["spec"].get("replicas"))


def _substance(write: Any) -> bool:
    """Whether it changes more than annotations, such as the stamp of a lock."""
    if write.kind not in ("Deployment", "Service"):
        return write.kind in ("Job", "Secret")
    if write.old is None or write.new is None or "deletionTimestamp" in write.new["metadata"]:
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
