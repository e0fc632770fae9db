# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong, when its time has come: processes, the network, other runs, people, pods."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import requests as real_requests

from simulation.network import Request
from simulation.schedules import AT_A_REQUEST, Fault

PERSON = "kubectl"
# What takes over from a run that stands still, and for how many seconds that does: a release waits for the Lease to end.
OTHERS = {"overtaken": ("release", "3.0", 60), "preempted": ("rollback", "", 0.5)}


class Meddler:
    """Lets the faults of a schedule happen."""

    def __init__(self, trial: Any) -> None:
        self.trial = trial
        self.hub = trial.hub
        self.network = trial.network
        self.left = [fault for fault in trial.schedule.faults if fault.run]
        self.timed = [fault for fault in trial.schedule.faults if not fault.run and fault.kind != "skew"]
        self.busy_until = 0.0
        self.broken: set[str] = set()  # versions

    def plan(self) -> None:
        for fault in self.timed:
            self.hub.after(fault.time, self._happen, fault, None)

    def over(self) -> bool:
        """Whether nothing of the schedule lasts any longer; what never came to its request does not count."""
        return bool(self.hub.now >= self.busy_until)

    def meddle(self, request: Request, moment: str) -> str | None:
        """What is to become of a request: ``None`` to leave it alone, or a word that the network knows."""
        fate = None
        for fault in list(self.left):
            number = self.number_of(request.run)
            at = request.place if fault.place else request.number
            if (fault.run, fault.place or fault.number, fault.moment) == (number, at, moment[0]):
                self.left.remove(fault)
                request.said += f" {fault.what}"
                if fault.what in AT_A_REQUEST and fault.what != "preempted":
                    self.network.trouble_at = self.hub.now
                fate = self._happen(fault, request) or fate
        return fate

    def number_of(self, name: str) -> int:
        return next((number for number, run in enumerate(self.trial.main, 1) if run.name == name), 0)

    def _happen(self, fault: Fault, request: Request | None) -> str | None:
        kind, size = fault.kind, fault.size
        if kind in ("lost", "silent", "refused"):
            return kind
        if kind == "never":
            return "never arrives"
        if kind.isdigit():
            return kind
        run = self.trial.main[max(fault.run, 1) - 1]
        if kind == "kill":
            run.process.dead = True
            self.hub.after(0, self.hub.kill, run.process)
        elif kind in ("pause", "overtaken", "preempted"):
            flow, version, seconds = OTHERS.get(kind, ("", "", size))
            if flow:
                self.hub.after(0, lambda: self.trial.main.append(self.trial.start(flow, version)))
            seconds = float(seconds)
            self.hub.pause(run.process, seconds)
            self.busy_until = self.hub.now + seconds
        elif kind == "cut":
            self.network.cut_watches()
        elif kind in ("outage", "balancer"):
            self.network.outage(float(size), 503 if kind == "balancer" else None)
            self.busy_until = self.hub.now + float(size)
        elif kind in ("release", "rollback", "retire", "prepare", "promote"):
            self.hub.after(0, lambda: self.trial.main.append(self.trial.start(kind, size)))
        else:
            # As somebody else's request: not in the middle of this one.
            self.hub.after(0, getattr(self, "_" + kind.replace("-", "_")), size)
        return None

    def heal(self) -> None:
        """What was broken by the schedule and would not heal by itself is mended, so that a run can succeed again."""
        self.left.clear()
        self.network.down_until = 0.0
        self._delete("ResourceQuota", "few")
        for version in sorted(self.broken):
            self.trial.world.mend_version(version)
        self.trial.judge.sick.clear()

    # --- what somebody does

    def _edit(self, kind: str, name: str, change: Any) -> None:
        store = self.trial.store
        if store.get(kind, "shop", name):
            store.update(kind, "shop", name, change, by=PERSON)

    def _select(self, color: str) -> None:
        for name in self.trial.scenario.services:
            self._edit("Service", name, lambda item: item["spec"]["selector"].update(version=color))

    def _select_blue(self, _size: str) -> None:
        self._select("blue")

    def _select_green(self, _size: str) -> None:
        self._select("green")

    def _color(self, live: bool) -> str:
        judge = self.trial.judge
        found = judge.selected()[self.trial.scenario.services[0]]
        return str(found) if live else ("green" if found == "blue" else "blue")

    def _set_env(self, live: bool) -> None:
        def change(item: dict[str, Any]) -> None:
            container = item["spec"]["template"]["spec"]["containers"][0]
            container["env"] = [*container.get("env", []), {"name": "SOMEBODY", "value": "was here"}]

        self._edit("Deployment", f"app-{self._color(live)}", change)

    def _template_idle(self, _size: str) -> None:
        self._set_env(False)

    def _template_live(self, _size: str) -> None:
        self._set_env(True)

    def _scale_live(self, size: str) -> None:
        self._edit("Deployment", f"app-{self._color(True)}", lambda item: item["spec"].update(replicas=int(size)))

    def _scale_idle(self, size: str) -> None:
        self._edit("Deployment", f"app-{self._color(False)}", lambda item: item["spec"].update(replicas=int(size)))

    def _forget_state(self, _size: str) -> None:
        self._edit("Service", self.trial.scenario.services[0], lambda item: item["metadata"].pop("annotations", None))

    def _widen_selector(self, _size: str) -> None:
        self._edit("Service", self.trial.scenario.services[0], lambda item: item["spec"]["selector"].pop("app", None))

    def _touch(self, item: dict[str, Any]) -> None:
        item["metadata"].setdefault("annotations", {})["somebody"] = f"was here at {self.hub.now}"

    def _touch_service(self, _size: str) -> None:
        self._edit("Service", self.trial.scenario.services[0], self._touch)

    def _touch_idle(self, _size: str) -> None:
        self._edit("Deployment", f"app-{self._color(False)}", self._touch)

    def _delete(self, kind: str, name: str) -> None:
        store = self.trial.store
        if store.get(kind, "shop", name):
            store.delete(kind, "shop", name, by=PERSON)

    def _delete_idle(self, _size: str) -> None:
        self._delete("Deployment", f"app-{self._color(False)}")

    def _delete_live(self, _size: str) -> None:
        self._delete("Deployment", f"app-{self._color(True)}")

    def _going_idle(self, _size: str) -> None:
        """Deleted in the foreground: it stays, and shows it, until its pods are gone."""
        name = f"app-{self._color(False)}"
        if self.trial.store.get("Deployment", "shop", name):
            self.trial.store.delete("Deployment", "shop", name, by=PERSON, propagation="Foreground")

    def _delete_lease(self, _size: str) -> None:
        self._delete("Lease", f"bluegreen-{self.trial.scenario.services[0]}")

    def _quota(self, size: str) -> None:
        """No more pods than this in the namespace from now on; `heal` takes it away."""
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "shop"}}
        if not self.trial.store.get("ResourceQuota", "shop", "few"):
            self.trial.store.create({**quota, "spec": {"hard": {"pods": size}}}, by=PERSON)

    # --- what pods do

    def _break(self, live: bool, what: str) -> None:
        """Those that run, and those to come, of the version that the color has now."""
        version = self.trial.judge.version_of(self._color(live))
        if version:
            self.trial.world.break_version(version, what)
            self.broken.add(version)

    def _crash_idle(self, _size: str) -> None:
        self._break(False, "crash")

    def _crash_live(self, _size: str) -> None:
        self._break(True, "crash")

    def _unready_idle(self, _size: str) -> None:
        self._break(False, "unready")

    def _unready_live(self, _size: str) -> None:
        self._break(True, "unready")

    def _errors_new(self, _size: str) -> None:
        """What is to be released is ready, and answers nothing but errors, now and in pods to come."""
        version = self.trial.scenario.version
        if version and version != self.trial.judge.version_of(self.trial.live_before):
            self.trial.world.break_version(version, "errors")
            self.trial.judge.sick[version] = self.hub.now
            self.broken.add(version)

    def _drain(self, _size: str) -> None:
        world = self.trial.world
        world.drain("node-1")
        self.hub.after(30, world.uncordon, "node-1")


class Users:
    """What the probe uses of ``requests``: it is answered by one of the pods that users reach."""

    RequestException = real_requests.RequestException

    def __init__(self, trial: Any) -> None:
        self._trial = trial

    def get(self, url: str, timeout: float, allow_redirects: bool) -> Any:
        trial = self._trial
        trial.hub.sleep(0.002)
        users = trial.world.users
        found = users.at(trial.hub.now, trial.scenario.services[0], "shop")
        pods = [pod for interval in found for pod in interval.pods if not interval.lost]
        if not pods:
            raise real_requests.ConnectionError("nobody answers")
        color = users.pods[trial.hub.random.choice(pods)].labels.get("version")
        return SimpleNamespace(headers={}, json=lambda: {"color": color})


def lost_requests(trial: Any) -> list[str]:
    """When users would have got no answer, since the faults began."""
    found = trial.world.users.lost(trial.began, namespace="shop")
    return [
        f"requests to {key.service} are lost from {interval.since:.3f} to {interval.until} s: {interval.lost}"
        for key, interval in found
        if key.service in trial.scenario.services  # a preview has no users
    ]
