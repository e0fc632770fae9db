# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world says of a trouble what a real cluster said of it when it was recorded for the unit tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulation import shops
from simulation.world import Behavior, World
from simulation.world.example import IMAGE, NAMESPACE, ready_pods, switch
from simulation.world.objects import Object, condition

RECORDINGS = Path(__file__).resolve().parents[1] / "unit" / "recordings"
KINDS = ("Deployment", "ReplicaSet", "Pod", "Job", "Event")
NOWHERE = {"readinessProbe": {"httpGet": {"path": "/nowhere", "port": "http"}, "periodSeconds": 1}}
KEY = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "missing", "key": "level"}}}


def words(items: Iterable[Object], about: str) -> Iterator[tuple[str, ...]]:
    """All that objects say by reasons."""
    for item in items:
        involved = item.get("involvedObject")
        if about not in (involved or item["metadata"])["name"]:
            continue
        kind = item["kind"]
        if involved:
            # Whether a probe finds an application that still starts is chance.
            if item["reason"] != "Unhealthy" or "statuscode" in item["message"]:
                yield "Event", involved["kind"], item["reason"], item["type"], item["reportingComponent"]
            continue
        status = item.get("status") or {}
        for found in status.get("conditions") or ():
            if found["type"] not in ("PodReadyToStartContainers", "Initialized"):
                yield kind, found["type"], found["status"], found.get("reason", "")
        for found in status.get("containerStatuses") or ():
            for field in ("state", "lastState"):
                for state, detail in found[field].items():
                    yield kind, field, state, detail.get("reason", "")
        yield kind, "phase", status.get("phase", "")


def recorded(name: str, about: str) -> set[tuple[str, ...]]:
    given = json.loads((RECORDINGS / f"{name}.json").read_text())
    return set(words((item for _at, _type, item in given["events"]), about))


ALL = set().union(*(recorded(path.stem, "") for path in sorted(RECORDINGS.glob("*.json"))))


def container(**fields: Any) -> Callable[[World], None]:
    return lambda world: shops.change(world, "app-green", fields, replicas=3)


def broken(what: str) -> Callable[[World], None]:
    def begin(world: World) -> None:
        world.break_version("2.0", what)
        shops.release(world, "2.0")

    return begin


def crashing(world: World) -> None:
    world.break_version("2.0", "crash", after=0.1)
    world.break_version("2.0", "slow", after=1.0)
    shops.release(world, "2.0")


def mounting(world: World) -> None:
    def write(copy: Object) -> None:
        copy["spec"]["replicas"] = 3
        copy["spec"]["template"]["spec"]["volumes"] = [{"name": "settings", "configMap": {"name": "missing"}}]

    world.store.update("Deployment", NAMESPACE, "app-green", write)


def selecting(world: World) -> None:
    def write(copy: Object) -> None:
        copy["spec"]["replicas"] = 3
        copy["spec"]["template"]["spec"]["nodeSelector"] = {"no": "node"}

    world.store.update("Deployment", NAMESPACE, "app-green", write)


def limiting(world: World) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": NAMESPACE}}
    world.store.create({**quota, "spec": {"hard": {"pods": "5"}}})
    shops.release(world, "2.0")


def late(world: World) -> None:
    shops.change(world, "app-green", NOWHERE, replicas=3, progressDeadlineSeconds=2)


def job(image: str, code: int = 0) -> Callable[[World], None]:
    def begin(world: World) -> None:
        program = Behavior(start_seconds=0.0, ends_after=1.0)
        if code:
            program = Behavior(start_seconds=0.0, crash_after=1.0, exit_code=code)
        world.app = lambda image, env, pod: program
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": NAMESPACE}}
        world.store.create({**body, "spec": {"backoffLimit": 0, "template": template}})

    return begin


def nobodys(begin: Callable[[World], None]) -> Callable[[World], None]:
    def missing(world: World) -> None:
        world.registry.remove("registry.invalid/myapp:9.9")
        begin(world)

    return missing


def waits(*reasons: str, about: str = "green") -> Callable[[World], bool]:
    def reached(world: World) -> bool:
        statuses = [
            item
            for pod in world.store.list("Pod", NAMESPACE)
            if about in pod["metadata"]["name"]
            for item in pod["status"].get("containerStatuses") or ()
        ]
        return any(item["state"].get("waiting", {}).get("reason") in reasons for item in statuses)

    return reached


def says(text: str) -> Callable[[World], bool]:
    def reached(world: World) -> bool:
        about = [shops.deployment(world), *world.store.list("Pod", NAMESPACE)]
        found = [entry.get("reason") for item in about for entry in item["status"].get("conditions") or ()]
        return text in found + [item["reason"] for item in shops.warnings(world)]

    return reached


def job_has(kind: str) -> Callable[[World], bool]:
    def reached(world: World) -> bool:
        found = world.store.get("Job", NAMESPACE, "migrate")
        return found is not None and (condition(found, kind) or {}).get("status") == "True"

    return reached


def complete(world: World) -> bool:
    shops.settled(world)
    return True


def complete_but_old(world: World) -> bool:
    return len(ready_pods(world, "green")) == 3


def pausing(world: World) -> None:
    shops.change(world, "app-green", {"image": f"{IMAGE}:2.0"}, replicas=3, paused=True)


NOBODYS = {"image": "registry.invalid/myapp:9.9"}
SCENARIOS = {
    "release": (container(image=f"{IMAGE}:2.0"), complete),
    "image-missing": (nobodys(container(**NOBODYS)), waits("ImagePullBackOff")),
    "image-never-pulled": (nobodys(container(**NOBODYS, imagePullPolicy="Never")), waits("ErrImageNeverPull")),
    "image-invalid": (container(image="myapp:9.9:9"), waits("InvalidImageName")),
    "config-key-missing": (container(env=[KEY]), waits("CreateContainerConfigError")),
    "command-missing": (broken("command"), waits("RunContainerError")),
    "crash": (crashing, waits("CrashLoopBackOff")),
    "quota": (limiting, says("FailedCreate")),
    "volume-missing": (mounting, says("FailedMount")),
    "never-ready": (container(**NOWHERE), says("Unhealthy")),
    "deadline": (late, says("ProgressDeadlineExceeded")),
    "paused": (pausing, complete_but_old),
    "unschedulable": (selecting, says("Unschedulable")),
    "job": (job(f"{IMAGE}:1.0"), job_has("Complete")),
    "job-failed": (job(f"{IMAGE}:1.0", code=3), job_has("Failed")),
    "job-image-missing": (nobodys(job(NOBODYS["image"])), waits("ImagePullBackOff", about="migrate")),
}


def played(name: str) -> list[Object]:
    """All versions of objects that a scenario brings forth."""
    begin, reached = SCENARIOS[name]
    world = shops.world(seed=3)
    seen: list[Object] = []
    for kind in (*KINDS, "EndpointSlice"):
        world.store.subscribe(kind, lambda type_, new, old: seen.append(new))
    begin(world)
    world.settle(lambda: reached(world))
    shops.later(world, 3)
    if name == "release":
        switch(world, "myapp", "green")
        shops.later(world, 1)
    return seen


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_world_gives_the_reasons_that_were_recorded(name: str) -> None:
    about = "migrate" if name.startswith("job") else "green"
    said = set(words((item for item in played(name) if item["kind"] in KINDS), about))
    assert said >= recorded(name, about)
    # What goes on after the recording's end is found in another one.
    assert not said - ALL, said - ALL


def fields(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from fields(item, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for item in value:
            yield from fields(item, path + "[]")
    else:
        yield path


def reported(items: Iterable[Object]) -> set[str]:
    """The fields that the cluster itself has filled in, by kind."""
    found: set[str] = set()
    for item in items:
        kind = item["kind"]
        parts = (
            item if kind in ("Event", "EndpointSlice") else {"status": item.get("status"), "metadata": item["metadata"]}
        )
        found.update(fields(parts, kind))
    return found


# What a real cluster reports and neither the collection nor another part of this world reads.
NOT_REPORTED = {
    "Pod.metadata.finalizers[]",
    "Pod.status.allocatedResources.cpu",
    "Pod.status.allocatedResources.memory",
    "Pod.status.conditions[].observedGeneration",
    "Pod.status.containerStatuses[].lastState.terminated.containerID",
    "Pod.status.containerStatuses[].state.terminated.containerID",
    "Pod.status.hostIPs[].ip",
    "Pod.status.observedGeneration",
    "Pod.status.resources",
    "Pod.status.resources.limits.memory",
    "Pod.status.resources.requests.cpu",
    "Pod.status.resources.requests.memory",
    "Job.status.uncountedTerminatedPods.failed[]",
    "Job.status.uncountedTerminatedPods.succeeded[]",
}


def test_the_world_reports_the_fields_that_were_recorded() -> None:
    real: list[Object] = []
    for path in sorted(RECORDINGS.glob("*.json")):
        given = json.loads(path.read_text())
        real += [item for _at, _type, item in given["events"] if item["kind"] in (*KINDS, "EndpointSlice")]
    mine = [item for name in SCENARIOS for item in played(name)]
    assert reported(real) - reported(mine) == NOT_REPORTED
    assert not reported(mine) - reported(real)
