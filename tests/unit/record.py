# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what a real API server says while colors are deployed, switched and broken, for the unit tests to replay.

    record.py [NAME...]     record the scenarios NAME..., or all of them, into tests/unit/recordings/NAME.json

Needs kubectl and a cluster (KUBECONFIG) that has the images of examples/myapp (`make images`). It works in a namespace of
its own, `store`, which must not exist yet and is deleted at the end.

A recording is {"server": version, "start": [objects], "events": [[seconds, type, object]], "logs": {pod: {container: [text
of this run, text of the run before]}}}. The events are those of watches of Deployments, ReplicaSets, pods, Jobs,
Events, EndpointSlices and Services, in the order of their resourceVersions; seconds count from the change that the scenario makes.
What no test reads and nobody wants to review is left out: managedFields, most of a pod's spec, and Events of type
Normal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Callable

import yaml

HERE = Path(__file__).resolve().parent
MANIFESTS = HERE.parents[1] / "examples" / "myapp" / "manifests"
NAMESPACE = "store"
WATCHED = ("services", "deployments", "replicasets", "pods", "events", "endpointslices", "jobs")
GIVE_UP = 90  # seconds for what a scenario waits for
IMAGE_OF_NOBODY = "registry.invalid/myapp:9.9"

Objects = list[dict[str, Any]]
Reached = Callable[[Objects], bool]


def kubectl(*arguments: str, given: str | None = None) -> str:
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    result = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result.stdout


def create(body: dict[str, Any]) -> None:
    kubectl("create", "--filename", "-", given=json.dumps(body))


def manifest(name: str) -> dict[str, Any]:
    """One manifest of the example, without its database, which plays no part here."""
    document = yaml.safe_load((MANIFESTS / f"{name}.yml").read_text())
    if document["kind"] == "Deployment":
        container = document["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [item for item in container["env"] if item["name"] != "DATABASE_URL"]
    return document


def essence(item: dict[str, Any]) -> dict[str, Any]:
    item["metadata"].pop("managedFields", None)
    (item["metadata"].get("annotations") or {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    if item["kind"] == "Pod":
        kept = ("name", "image", "ports")
        containers = [{key: entry[key] for key in kept if key in entry} for entry in item["spec"]["containers"]]
        item["spec"] = {"containers": containers, "nodeName": item["spec"].get("nodeName")}
        for entry in item.get("status", {}).get("containerStatuses", []):
            for key in ("resources", "allocatedResources", "user", "volumeMounts"):
                entry.pop(key, None)
    return item


class Watch:
    """All that the watches say, with the time when they said it."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str, dict[str, Any]]] = []
        command = ["kubectl", "--namespace", NAMESPACE, "get", "--watch", "--output-watch-events", "--output", "json"]
        self.processes = [subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True) for kind in WATCHED]
        for process in self.processes:
            threading.Thread(target=self._follow, args=(process,), daemon=True).start()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            event = json.loads(line)
            if event["object"].get("type") == "Normal":
                continue  # an Event that tells of no trouble
            self.seen.append((time.monotonic(), event["type"], essence(event["object"])))

    def objects(self) -> Objects:
        """What exists now, as far as the watches have told."""
        return standing([(0.0, kind, item) for _at, kind, item in self.ordered()])

    def ordered(self) -> list[tuple[float, str, dict[str, Any]]]:
        return sorted(self.seen, key=lambda event: int(event[2]["metadata"]["resourceVersion"]))

    def until(self, what: str, reached: Reached) -> None:
        end = time.monotonic() + GIVE_UP
        while not reached(self.objects()):
            if time.monotonic() > end:
                sys.exit(f"{what} was not seen within {GIVE_UP} s")
            time.sleep(0.05)

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()


def standing(events: list[tuple[float, str, dict[str, Any]]]) -> Objects:
    found: dict[str, dict[str, Any]] = {}
    for _at, kind, item in events:
        found.pop(item["metadata"]["uid"], None)
        if kind != "DELETED":
            found[item["metadata"]["uid"]] = item
    return list(found.values())


# --- what scenarios wait for


def of(objects: Objects, kind: str, color: str = "") -> Objects:
    return [item for item in objects if item["kind"] == kind and color in item["metadata"]["name"]]


def settled(color: str) -> Reached:
    """Every pod of the newest template is available, and no other one is left."""

    def reached(objects: Objects) -> bool:
        deployments, pods = of(objects, "Deployment", color), of(objects, "Pod", color)
        if not deployments:
            return False
        wanted, status = deployments[0]["spec"]["replicas"], deployments[0].get("status", {})
        taken_up = status.get("observedGeneration") == deployments[0]["metadata"]["generation"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        return taken_up and counts == [wanted] * 3 and len(pods) == wanted

    return reached


def waits(*reasons: str, color: str = "green") -> Reached:
    """A container of a green pod waits for one of these reasons."""

    def reached(objects: Objects) -> bool:
        for pod in of(objects, "Pod", color):
            for container in pod.get("status", {}).get("containerStatuses", []):
                if container["state"].get("waiting", {}).get("reason") in reasons:
                    return True
        return False

    return reached


def says(text: str) -> Reached:
    """A condition of the green Deployment or of one of its pods, or an Event about it, names this reason."""

    def reached(objects: Objects) -> bool:
        about = of(objects, "Deployment", "green") + of(objects, "Pod", "green")
        conditions = [entry for item in about for entry in item.get("status", {}).get("conditions", [])]
        reasons = [entry.get("reason") for entry in conditions]
        return text in reasons + [item["reason"] for item in of(objects, "Event", "green")]

    return reached


def fails_to_mount(seconds: float) -> Reached:
    """Events about a green pod's volume span so much time."""

    def reached(objects: Objects) -> bool:
        events = [item for item in of(objects, "Event", "green") if item["reason"] == "FailedMount"]
        times = [datetime.fromisoformat(item[key]) for item in events for key in ("firstTimestamp", "lastTimestamp")]
        return bool(times) and (max(times) - min(times)).total_seconds() >= seconds

    return reached


def ends_hold(color: str) -> Reached:
    """The Service's EndpointSlices hold the color's pods and nothing else."""

    def reached(objects: Objects) -> bool:
        slices = of(objects, "EndpointSlice", "myapp")
        names = {end["targetRef"]["name"] for piece in slices for end in piece.get("endpoints") or []}
        return bool(names) and names == {pod["metadata"]["name"] for pod in of(objects, "Pod", color)}

    return reached


def job_has(kind: str) -> Reached:
    """A condition of the Job holds."""

    def reached(objects: Objects) -> bool:
        conditions = [entry for item in of(objects, "Job") for entry in item.get("status", {}).get("conditions", [])]
        return any((entry["type"], entry["status"]) == (kind, "True") for entry in conditions)

    return reached


def later(seconds: float) -> Reached:
    """So much time has gone."""
    end: list[float] = []

    def reached(objects: Objects) -> bool:
        end.append(time.monotonic() + seconds)
        return time.monotonic() >= end[0]

    return reached


# --- scenarios


def container(**fields: Any) -> Callable[[], None]:
    """A change of the green Deployment's container; three pods are wanted."""
    return pods(containers=[{"name": "app", **fields}])


def pods(**fields: Any) -> Callable[[], None]:
    """A change of the green Deployment's pods; three are wanted."""
    return deployment(template={"spec": fields})


def deployment(**fields: Any) -> Callable[[], None]:
    def change() -> None:
        kubectl("patch", "deployment", "app-green", "--patch", json.dumps({"spec": {"replicas": 3, **fields}}))

    return change


def job(script: str, image: str = "myapp-postgres:15") -> Callable[[], None]:
    """A Job that runs a shell script."""
    container = {"name": "migrate", "image": image, "command": ["sh", "-c", script]}
    spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": spec}
    return lambda: create(body)


def quota() -> None:
    limit = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "5"}},
    }
    create(limit)
    container(image="myapp:2.0")()


def refused() -> None:
    """No pod of the template that the green Deployment gets can be made."""
    body = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "128Mi"}}]},
    }
    create(body)
    container(resources={"limits": {"memory": "256Mi"}})()


def switch() -> None:
    kubectl("patch", "service", "myapp", "--patch", json.dumps({"spec": {"selector": {"version": "green"}}}))


NOWHERE = {"httpGet": {"path": "/nowhere", "port": "http"}, "periodSeconds": 1}
MISSING_KEY = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "missing", "key": "level"}}}
MISSING_VOLUME = {
    "volumes": [{"name": "settings", "configMap": {"name": "missing"}}],
    "containers": [{"name": "app", "volumeMounts": [{"name": "settings", "mountPath": "/settings"}]}],
}
SCENARIOS: dict[str, tuple[Callable[[], None], Reached]] = {
    "release": (container(image="myapp:2.0"), settled("green")),
    "image-missing": (container(image=IMAGE_OF_NOBODY), waits("ImagePullBackOff")),
    "image-never-pulled": (container(image=IMAGE_OF_NOBODY, imagePullPolicy="Never"), waits("ErrImageNeverPull")),
    "image-invalid": (container(image="myapp:9.9:9"), waits("InvalidImageName")),
    "config-key-missing": (container(env=[MISSING_KEY]), waits("CreateContainerConfigError")),
    "command-missing": (container(command=["/missing"]), waits("RunContainerError", "CrashLoopBackOff")),
    "crash": (container(image="myapp:crash"), waits("CrashLoopBackOff")),
    "quota": (quota, says("FailedCreate")),
    "volume-missing": (pods(**MISSING_VOLUME), fails_to_mount(15)),
    "never-ready": (container(readinessProbe=NOWHERE), later(4)),
    "deadline": (
        deployment(
            progressDeadlineSeconds=2, template={"spec": {"containers": [{"name": "app", "readinessProbe": NOWHERE}]}}
        ),
        says("ProgressDeadlineExceeded"),
    ),
    "paused": (deployment(paused=True, template={"metadata": {"labels": {"new": "yes"}}}), later(1)),
    "job": (job("echo one; sleep 1; echo password=hunter2hunter2; echo two"), job_has("Complete")),
    "job-failed": (job("echo one; echo ERROR: it is broken >&2; exit 3"), job_has("Failed")),
    "job-image-missing": (job("true", image=IMAGE_OF_NOBODY), waits("ImagePullBackOff", color="migrate")),
    "unschedulable": (pods(nodeSelector={"no": "node"}), says("Unschedulable")),
    "over-crash": (container(image="myapp:2.0"), settled("green")),
    "over-refused": (container(image="myapp:2.0", resources={"limits": {"memory": "96Mi"}}), settled("green")),
}
EARLIER = {  # what has happened before the recording starts
    "over-crash": (
        deployment(replicas=5, template={"spec": {"containers": [{"name": "app", "image": "myapp:crash"}]}}),
        waits("CrashLoopBackOff"),
    ),
    "over-refused": (refused, says("FailedCreate")),
}


def record(name: str, version: str) -> None:
    change, reached = SCENARIOS[name]
    kubectl("delete", "resourcequota,limitrange,job,deployment,service,event", "--all", "--wait")
    kubectl("wait", "--for=delete", "pod", "--all", "--timeout=60s")
    for each in ("app-blue", "app-green", "service"):
        kubectl("apply", "--filename", "-", given=json.dumps(manifest(each)))
    watch = Watch()
    try:
        for color in ("blue", "green"):
            watch.until(f"{name}: a ready {color}", settled(color))
        watch.until(f"{name}: the endpoints", ends_hold("blue"))
        if name in EARLIER:
            earlier, seen = EARLIER[name]
            earlier()
            watch.until(f"{name}: what happened earlier", seen)
        time.sleep(0.5)  # the controllers' last words
        before, began = len(watch.seen), time.monotonic()
        start = watch.objects()
        change()
        watch.until(name, reached)
        if name == "release":
            time.sleep(0.5)
            switch()
            watch.until("release: the new endpoints", ends_hold("green"))
        time.sleep(0.3)
    finally:
        watch.close()
    moved = {item["metadata"]["resourceVersion"] for _at, _type, item in watch.seen[before:]}
    at, events = 0.0, []
    for seen, kind, item in watch.ordered():
        about_traffic = item["kind"] in ("Service", "EndpointSlice")
        if item["metadata"]["resourceVersion"] in moved and (name == "release" or not about_traffic):
            at = max(at, round(seen - began, 3))
            events.append((at, kind, item))
    logs = {
        pod["metadata"]["name"]: {
            entry["name"]: [
                subprocess.run(
                    ["kubectl", "-n", NAMESPACE, "logs", pod["metadata"]["name"], "-c", entry["name"], *extra],
                    capture_output=True,
                    text=True,
                    check=False,  # a container that never ran has no log
                ).stdout
                for extra in ([], ["--previous"])
            ]
            for entry in pod.get("status", {}).get("containerStatuses", [])
        }
        for pod in of(watch.objects(), "Pod", "migrate" if name.startswith("job") else "green")
    }
    lines = ",\n".join(json.dumps(event, sort_keys=True, separators=(",", ":")) for event in events)
    starts = ",\n".join(json.dumps(item, sort_keys=True, separators=(",", ":")) for item in start)
    path = HERE / "recordings" / f"{name}.json"
    path.write_text(
        f'{{"server": {json.dumps(version)},\n"logs": {json.dumps(logs, sort_keys=True)},\n'
        f'"start": [\n{starts}\n],\n"events": [\n{lines}\n]}}\n'
    )
    print(f"{name}: {len(start)} objects, {len(events)} events in {at:.1f} s, {path.stat().st_size // 1024} KiB")


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - set(SCENARIOS))
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    version = json.loads(kubectl("version", "--output", "json"))["serverVersion"]["gitVersion"]
    kubectl("create", "namespace", NAMESPACE)
    try:
        for name in names or SCENARIOS:
            record(name, version)
    finally:
        kubectl("delete", "namespace", NAMESPACE)


if __name__ == "__main__":
    main(sys.argv[1:])
