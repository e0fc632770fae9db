# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to an application beside its Deployments: made for a scenario, and held against the law that they go with the
live color (docs/whole-application.md)."""

from __future__ import annotations

from typing import Any, NamedTuple

from simulation import laws
from simulation.world import example
from simulation.world.objects import Object

LEAST, MOST = 2, 10
LOAD = 3  # pods that the users keep busy; a color without users needs one
OURS = "bluegreen.kubernetes/least"
WORKERS = 2  # pods of the live color's
WORKER = "mailer"


class Slot(NamedTuple):
    """One slot of the schedule that was run: by which CronJob, with which version."""

    at: float
    name: str
    version: str


class Members:
    """Those of one trial.

    ``cron``        ``one`` CronJob, one of each color (``two``), or two that somebody has suspended (``off``); else none
    ``autoscaled``  ``one`` for the application, ``apart`` for one of each color; else none
    ``workers``     ``overlap`` or ``gap``, how they change; else there are none
    """

    def __init__(self, trial: Any, namespace: str) -> None:
        self.trial, self.namespace = trial, namespace
        self.autoscaled: str = trial.scenario.autoscaled
        self.budget: bool = trial.scenario.budget
        self.workers: str = trial.scenario.workers
        self.cron: str = trial.scenario.cron
        self.slots: list[Slot] = []
        self.idle_since: list[tuple[float, bool]] = []  # when whether no CronJob worked became another one
        self.versions: list[tuple[float, str]] = []  # what was live, since when
        self.settled = 0.0  # when a run had ended well last, and all was looked at

    def make(self) -> None:
        store = self.trial.store
        if self.autoscaled == "one":
            store.create(self._autoscaler("myapp", "app-blue"), by="kubectl")
        if self.autoscaled == "apart":
            for color in ("blue", "green"):
                store.create(self._autoscaler(f"app-{color}", f"app-{color}"), by="kubectl")
        if self.budget:
            spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "myapp", "version": "blue"}}}
            store.create(self._object("policy/v1", "PodDisruptionBudget", "myapp", spec), by="kubectl")
        if self.workers:
            for color, replicas in (("blue", WORKERS), ("green", 0)):
                store.create(_worker(color, replicas), by="kubectl")
            self.trial.settle()
        if self.cron:
            self._make_cron()
        if self.autoscaled:
            store.subscribe("Service", lambda *_event: self.load())
            self.load()

    def _make_cron(self) -> None:
        self.made = self.trial.hub.now
        self.trial.store.on_write.append(self._cron_written)
        for name in ["nightly"] if self.cron == "one" else ["nightly-blue", "nightly-green"]:
            container = {"name": "app", "image": "registry/app:1.0"}
            pod = {"restartPolicy": "Never", "containers": [container, {"name": "log", "image": "registry/log:1.0"}]}
            spec = {
                "schedule": "* * * * *",
                "suspend": self.cron == "off" or name == "nightly-green",
                "jobTemplate": {"spec": {"template": {"spec": pod}}},
            }
            self.trial.store.create(self._object("batch/v1", "CronJob", name, spec), by="kubectl")
        self._live_version()

    def before_a_slot(self) -> None:
        """Wait until one comes about when a run that begins now moves the traffic."""
        if self.cron:
            hub = self.trial.hub
            hub.run(until=hub.now + 60 - hub.now % 60 + hub.random.uniform(51, 59))

    def _live_version(self) -> None:
        service = self._get("Service", self.trial.scenario.services[0])
        color = ((service or {}).get("spec", {}).get("selector") or {}).get("version")
        found = self._get("Deployment", f"app-{color}")
        version = found["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2] if found else ""
        if not self.versions or self.versions[-1][1] != version:
            self.versions.append((self.trial.hub.now, version))

    def _cron_written(self, write: Any) -> None:
        if write.kind in ("Service", "Deployment"):
            self._live_version()
        if write.kind == "CronJob":
            idle = all(item["spec"]["suspend"] for item in self.trial.store.list("CronJob", self.namespace))
            if not self.idle_since or self.idle_since[-1][1] != idle:
                self.idle_since.append((self.trial.hub.now, idle))
        if write.kind == "Job" and write.old is None and "ownerReferences" in write.new["metadata"]:
            self._slot_begins(write.new)

    def _slot_begins(self, job: Object) -> None:
        hub, judge = self.trial.hub, self.trial.judge
        name, _dash, minute = job["metadata"]["name"].rpartition("-")
        at = int(minute) * 60.0 - hub.epoch
        version = job["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        twice = [slot for slot in self.slots if slot.at == at]
        self.slots.append(Slot(at, name, version))
        if judge is None:
            return
        if twice:
            judge.violated(
                "one switch (slot twice)", f"{name} runs the slot of {at:.0f} s, which {twice[0].name} has run"
            )
        # As long as the run that has moved the traffic is not finished by the next one, the CronJob is where it was.
        since = min(self.settled, at)
        live = {found for (_began, found), end in zip(self.versions, self._ends()) if end > since}
        if version not in live:
            judge.violated(
                "one switch (slot)", f"{name} runs the slot of {at:.0f} s with {version}, live was {sorted(live)}"
            )

    def _ends(self) -> list[float]:
        return [began for began, _version in self.versions[1:]] + [float("inf")]

    def over(self) -> None:
        """Each slot was run, but those of a time in which no CronJob worked: of them, the newest was made up for."""
        if not self.cron or self.cron == "off":
            if self.slots:
                self.trial.judge.violated(
                    "one switch (slot)", f"somebody had suspended {self.slots[0].name}, and it ran"
                )
            return
        ran = {slot.at for slot in self.slots}
        gaps = [(since, until) for (since, idle), until in zip(self.idle_since, self._changes()) if idle]
        at, end = self.made - self.made % 60 + 60, self.trial.hub.now - 5
        while at < end:
            # The controller may have been about to run it when its CronJob was suspended.
            let_go = any(since - 1 <= at and at + 60 <= until for since, until in gaps)
            open_end = any(since - 1 <= at and until == float("inf") for since, until in gaps)
            if at not in ran and not let_go and not open_end:
                self.trial.judge.violated("one switch (slot lost)", f"nothing has run the slot of {at:.0f} s")
            at += 60

    def _changes(self) -> list[float]:
        return [since for since, _idle in self.idle_since[1:]] + [float("inf")]

    def _cron_converged(self, outcome: str, color: str) -> None:
        judge = self.trial.judge
        live = self._get("Deployment", f"app-{color}")
        image = live["spec"]["template"]["spec"]["containers"][0]["image"] if live else ""
        items = {item["metadata"]["name"]: item for item in self.trial.store.list("CronJob", self.namespace)}
        name = "nightly" if self.cron == "one" else f"nightly-{color}"
        spec = items[name]["spec"]
        found = [item["image"] for item in spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]]
        if live and found != [image, "registry/log:1.0"]:
            judge.violated("one switch (follows)", f"after {outcome} {image} is live, and CronJob {name} has {found}")
        for other, item in items.items():
            works = other == name and self.cron != "off"
            if item["spec"]["suspend"] is works:
                judge.violated(
                    "one switch (turns)", f"after {outcome} {color} is live, and {other} is {item['spec']['suspend']}"
                )
        self.settled = self.trial.hub.now

    def _object(self, version: str, kind: str, name: str, spec: Object) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}

    def _autoscaler(self, name: str, target: str) -> Object:
        found = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        spec = {"scaleTargetRef": found, "minReplicas": LEAST, "maxReplicas": MOST}
        return self._object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec)

    def load(self) -> None:
        """Users are where the Services send them; what scales by their load sees that."""
        found = self._get("Service", self.trial.scenario.services[0])
        live = ((found or {}).get("spec", {}).get("selector") or {}).get("version")
        scaler = self.trial.world.autoscaler
        if self.autoscaled == "one":
            scaler.set_load(self.namespace, "myapp", LOAD)
        else:
            for color in ("blue", "green"):
                scaler.set_load(self.namespace, f"app-{color}", LOAD if color == live else 1)

    def _get(self, kind: str, name: str) -> Object | None:
        found: Object | None = self.trial.store.get(kind, self.namespace, name)
        return found

    # --- the law

    def written(self, run: str, write: Any) -> None:
        self._worker_written(run, write)
        self._followed(run, write)

    def _followed(self, run: str, write: Any) -> None:
        """Nothing follows before users do: no run moves a follower to a color that no Service selects."""
        if not run or write.old is None or write.new is None:
            return
        color = _follows(write.new)
        judge = self.trial.judge
        if color and color != _follows(write.old) and color not in judge.live_colors():
            judge.violated(
                "one switch (follows)", f"{run} moved {write.kind} {write.name} to {color}, which is not live"
            )

    def _worker_written(self, run: str, write: Any) -> None:
        """With ``gap`` two versions never work at the same time; else the live color's are never put at rest."""
        judge = self.trial.judge
        if self.workers == "gap" and write.kind == "Pod" and write.old is None:
            found = self.trial.store.list("Pod", self.namespace, {"app": WORKER})
            versions = {
                _version(pod) for pod in found if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
            }
            if len(versions) > 1:
                judge.violated("one switch (gap)", f"pods of {' and '.join(sorted(versions))} work at the same time")
        if self.workers and run and write.kind == "Deployment" and write.old and write.name.startswith(WORKER):
            color = write.name.removeprefix(f"{WORKER}-")
            less = (write.new or {"spec": {"replicas": 0}})["spec"]["replicas"] < write.old["spec"]["replicas"]
            at_once = judge.hub.now - judge.by_hand < laws.AT_ONCE
            if less and self.workers == "overlap" and judge.live_colors() == {color} and not at_once:
                judge.violated("law 1 (live)", f"{run} put {write.name} at rest, which is live")

    def _workers_converged(self, outcome: str, color: str) -> None:
        """After a run that ended well, those of the live color work at their strength, and of its version; no others do."""
        judge = self.trial.judge
        for name in ("blue", "green"):
            item = self._get("Deployment", f"{WORKER}-{name}")
            if item is None:
                continue
            wanted, status = WORKERS if name == color else 0, item.get("status", {})
            if item["spec"]["replicas"] != wanted or status.get("readyReplicas", 0) != wanted:
                judge.violated(
                    "one switch (workers)",
                    f"after {outcome} {color} is live, and {item['metadata']['name']} has {status.get('readyReplicas', 0)} of "
                    f"{item['spec']['replicas']} pods ready",
                )
            by_hand = self.trial.kinds & {"select-blue", "select-green"}  # who may make live what is not whole yet
            if name == color and not by_hand and _version(item["spec"]["template"]) != judge.version_of(color):
                judge.violated(
                    "law 4 (workers)",
                    f"after {outcome} the workers of {color} are {_version(item['spec']['template'])}",
                )

    def converged(self, outcome: str, color: str) -> None:
        """After a run that ended well, all is where the live color is, and nobody scales the idle one."""
        judge = self.trial.judge
        if self.workers:
            self._workers_converged(outcome, color)
        if self.cron:
            self._cron_converged(outcome, color)
        if judge.deployment_of(color) is None:
            return  # there is nothing to follow
        for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
            item = self._get(kind, "myapp")
            if item and _follows(item) != color:
                judge.violated(
                    "one switch (follows)", f"after {outcome} {color} is live, and {kind} follows {_follows(item)}"
                )
        if self.autoscaled != "apart" or outcome == "prepared":
            return
        live = self._get("HorizontalPodAutoscaler", f"app-{color}")
        if live and (live["spec"]["minReplicas"] != LEAST or OURS in (live["metadata"].get("annotations") or {})):
            judge.violated("one switch (bounds)", f"after {outcome} the autoscaler of {color}, live, is {live['spec']}")
        for item in self.trial.store.list("HorizontalPodAutoscaler", self.namespace):
            name = item["spec"]["scaleTargetRef"]["name"]
            idle = self._get("Deployment", name) if name != f"app-{color}" else None
            if (
                outcome in ("released", "unchanged", "rolled_back")
                and idle
                and 0 < idle["spec"]["replicas"] < item["spec"]["minReplicas"]
            ):
                judge.violated("one switch (idle)", f"after {outcome} {name} is scaled up again: {item['spec']}")


def _worker(color: str, replicas: int) -> Object:
    """The Deployment of a color: as the application's, but that nobody asks it anything."""
    made = example.deployment(color, replicas, env={"DRAIN": "5"})
    labels = {"app": WORKER, "version": color}
    made["metadata"].update(name=f"{WORKER}-{color}", labels=labels)
    made["spec"]["selector"] = {"matchLabels": dict(labels)}
    made["spec"]["template"]["metadata"]["labels"] = dict(labels)
    del made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    return made


def _version(owner: Object) -> str:
    """Of a pod, or of a template of pods."""
    return str(owner["spec"]["containers"][0]["image"].rpartition(":")[2])


def _follows(item: Object) -> str:
    """The color that the only one of its kind is about."""
    spec = item.get("spec") or {}
    if item["metadata"]["name"] != "myapp":
        return ""
    if item["kind"] == "PodDisruptionBudget":
        return str(spec["selector"]["matchLabels"].get("version", ""))
    if item["kind"] == "HorizontalPodAutoscaler":
        return str(spec["scaleTargetRef"]["name"]).removeprefix("app-")
    return ""
