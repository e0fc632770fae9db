# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests whose answers `fidelity` compares: by name, functions that send them and take what they need from the answers.

Nothing here starts a pod: what controllers and nodes do is not the server's part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = Any
Case = Callable[[Any], None]
CASES: dict[str, Case] = {}

CORE = "/api/v1/namespaces/{ns}"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{ns}/deployments"
REPLICASETS = "/apis/apps/v1/namespaces/{ns}/replicasets"
CRONJOBS = "/apis/batch/v1/namespaces/{ns}/cronjobs"
JOBS = "/apis/batch/v1/namespaces/{ns}/jobs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers"
BUDGETS = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets"
SERVICES, PODS, SECRETS, EVENTS, QUOTAS, CONFIGMAPS = (
    f"{CORE}/{plural}" for plural in ("services", "pods", "secrets", "events", "resourcequotas", "configmaps")
)
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


def case(function: Case) -> Case:
    CASES[function.__name__.replace("_", "-")] = function
    return function


def apart(function: Case) -> Case:
    """In a namespace of its own."""
    function.apart = True  # type: ignore[attr-defined]
    return function


# --- objects


def pod_spec(**more: Json) -> Json:
    container = {
        "name": "app",
        "image": "myapp:1.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}},
        "env": [{"name": "COLOR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['version']"}}}],
    }
    return {"automountServiceAccountToken": False, "containers": [container], **more}


def deployment(name: str, **spec: Json) -> Json:
    labels = {"app": name, "version": "blue"}
    template = {"metadata": {"labels": labels}, "spec": pod_spec()}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def service(name: str, **spec: Json) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    selector = {"app": name, "version": "blue"}
    metadata = {"name": name, "labels": {"app": name}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": ports, "selector": selector, **spec},
    }


def pod(name: str, **spec: Json) -> Json:
    """One that no scheduler looks at."""
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(schedulerName="nobody", **spec)}


def job(name: str, **spec: Json) -> Json:
    container = {"name": "migrate", "image": "myapp:1.0", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "template": template, **spec},
    }


def cron_job(name: str, **spec: Json) -> Json:
    """One that never runs by itself."""
    template = job("")["spec"]["template"]
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template}}, **spec},
    }


def lease(name: str, **spec: Json) -> Json:
    given = {"holderIdentity": "run-1", "leaseDurationSeconds": 30, "renewTime": "2026-01-01T00:00:00.000000Z"}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {**given, **spec},
    }


def secret(name: str, **more: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "YQ=="}, **more}


def operation(op: str, path: str, *value: Json) -> Json:
    return {"op": op, "path": path, **({"value": value[0]} if value else {})}


# --- reading


@case
def absent(send: Any) -> None:
    for path in (DEPLOYMENTS, SERVICES, PODS, JOBS, LEASES, SECRETS, REPLICASETS, SLICES, AUTOSCALERS, BUDGETS, QUOTAS):
        send("GET", f"{path}/nothing")
    send("GET", "/api/v1/namespaces/{ns}/nonsense")
    send("GET", "/apis/apps/v1/namespaces/{ns}/deployments/nothing/nonsense")


@case
def empty_lists(send: Any) -> None:
    for path in (DEPLOYMENTS, SERVICES, PODS, JOBS, LEASES, REPLICASETS, SLICES, AUTOSCALERS, BUDGETS):
        send("GET", path, labelSelector="app=no-such-app")


@case
def selectors(send: Any) -> None:
    for name, color in (("sel-a", "blue"), ("sel-b", "green")):
        send("POST", SERVICES, {**service(name), "metadata": {"name": name, "labels": {"app": "sel", "color": color}}})
    send("GET", SERVICES, labelSelector="app=sel")
    for selector in (
        "app=sel,color=blue",
        "app=sel,color!=blue",
        "app=sel,color in (blue,green)",
        "app=sel,color notin (blue)",
        "app=sel,!color",
        "app=sel,color",
        "app==sel,color=green",
    ):
        send("GET", SERVICES, labelSelector=selector)
    send("GET", SERVICES, labelSelector="app=(")
    send("GET", SERVICES, fieldSelector="metadata.name=sel-b")
    send("GET", SERVICES, labelSelector="app=sel", fieldSelector="metadata.name!=sel-b")
    send("GET", SERVICES, fieldSelector="spec.nonsense=1")
    send("GET", EVENTS, fieldSelector="type=Warning,involvedObject.kind=Nothing")


# --- creating


@case
def creating(send: Any) -> None:
    for path, item in (
        (DEPLOYMENTS, deployment("new")),
        (SERVICES, service("new")),
        (PODS, pod("new")),
        (JOBS, job("new")),
        (LEASES, lease("new")),
        (SECRETS, secret("new")),
    ):
        send("POST", path, item)
        send("POST", path, item)
        send("GET", f"{path}/new")
    labels = {"app": "new-rs"}
    template = {"metadata": {"labels": labels}, "spec": pod_spec()}
    send(
        "POST",
        REPLICASETS,
        {
            "metadata": {"name": "new"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        },
    )
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"}
    send("POST", AUTOSCALERS, {"metadata": {"name": "new"}, "spec": {"maxReplicas": 3, "scaleTargetRef": reference}})
    send(
        "POST", BUDGETS, {"metadata": {"name": "new"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}}}
    )
    send("POST", CONFIGMAPS, {"metadata": {"name": "new"}, "data": {"a": "b"}})
    endpoint = {"addresses": ["192.0.2.1"], "conditions": {"ready": True}}
    send(
        "POST",
        SLICES,
        {"metadata": {"name": "new"}, "addressType": "IPv4", "endpoints": [endpoint], "ports": [{"port": 80}]},
    )
    involved = {"kind": "Pod", "name": "new", "namespace": send.ns}
    send(
        "POST", EVENTS, {"metadata": {"name": "new"}, "involvedObject": involved, "reason": "Tested", "type": "Normal"}
    )


@case
def creating_dry(send: Any) -> None:
    send("POST", DEPLOYMENTS, deployment("dry"), dryRun="All")
    send("POST", JOBS, job("dry"), dryRun="All")
    send("POST", LEASES, lease("dry"), dryRun="All")
    send("GET", f"{DEPLOYMENTS}/dry")
    send("POST", SERVICES, service("dry"), dryRun="Some")


@case
def creating_oddly(send: Any) -> None:
    send("POST", SERVICES, {**service("odd"), "metadata": {"name": "odd", "resourceVersion": "5"}})
    send("POST", SERVICES, {**service("odd"), "metadata": {"name": "odd", "namespace": "elsewhere"}})
    send("POST", LEASES, {**lease("odd"), "metadata": {}})
    send("POST", SERVICES, deployment("odd"))
    send("POST", SERVICES, b"{")
    send("POST", SECRETS, {**secret(""), "metadata": {"generateName": "odd-"}})
    send("POST", SECRETS, {**secret("odd-empty"), "metadata": {"name": "odd-empty", "labels": {}, "annotations": None}})
    send("PUT", f"{SECRETS}/odd-other", secret("odd-one"))
    send("PUT", f"{SERVICES}/odd-none", service("odd-none"))


@case
def pod_defaults(send: Any) -> None:
    init = {"name": "prepare", "image": "tools"}
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "empty"},
        {"name": "keys", "secret": {"secretName": "k"}},
    ]
    container = {
        "name": "app",
        "image": "registry.example.com:5000/myapp@sha256:" + "0" * 64,
        "resources": {"limits": {"memory": "96Mi"}, "requests": {"cpu": "10m"}},
        "livenessProbe": {"tcpSocket": {"port": 8080}, "timeoutSeconds": 5},
        "startupProbe": {"exec": {"command": ["true"]}},
        "lifecycle": {"preStop": {"httpGet": {"port": 8080}}},
        "volumeMounts": [{"name": "settings", "mountPath": "/settings"}],
    }
    spec = {
        "containers": [container, {"name": "second", "image": "busybox:latest"}],
        "initContainers": [init],
        "volumes": volumes,
    }
    send("POST", PODS, pod("full", **spec))
    send("POST", DEPLOYMENTS, deployment("full", strategy={"type": "Recreate"}, template={
        "metadata": {"labels": {"app": "full", "version": "blue"}}, "spec": pod_spec(**spec)
    }))  # fmt: skip
    send("POST", DEPLOYMENTS, deployment("surge", strategy={"rollingUpdate": {"maxSurge": 1}}, minReadySeconds=2))


@case
def service_defaults(send: Any) -> None:
    send("POST", SERVICES, service("headless", clusterIP="None"))
    send("POST", SERVICES, service("node", type="NodePort"))
    send("POST", SERVICES, service("balanced", type="LoadBalancer"))
    send(
        "POST",
        SERVICES,
        {"metadata": {"name": "outside"}, "spec": {"type": "ExternalName", "externalName": "example.com"}},
    )
    send("POST", SERVICES, service("sticky", sessionAffinity="ClientIP", ports=[{"port": 80}]))


# --- what is refused


@case
def refused_deployments(send: Any) -> None:
    labels = {"app": "bad", "version": "blue"}

    def template(**container: Json) -> Json:
        return {
            "metadata": {"labels": labels},
            "spec": pod_spec(containers=[{"name": "app", "image": "a:1", **container}]),
        }

    for spec in (
        {"replicas": -1},
        {"selector": {"matchLabels": {"app": "other"}}},
        {"selector": None},
        {"selector": {}},
        {"template": template(image="")},
        {"template": template(ports=[{"containerPort": 70000}])},
        {"template": template(ports=[{"containerPort": 80, "name": "Web_Port"}])},
        {"template": template(ports=[{"containerPort": 80, "name": "a-name-that-is-too-long"}])},
        {"template": template(volumeMounts=[{"name": "none", "mountPath": "/x"}])},
        {"template": template(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})},
        {"template": {"metadata": {"labels": labels}, "spec": {"containers": []}}},
        {"template": {"metadata": {"labels": labels}, "spec": pod_spec(restartPolicy="Never")}},
        {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        {"strategy": {"type": "Sometimes"}},
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
    ):
        send("POST", DEPLOYMENTS, deployment("bad", **spec))
    send("POST", DEPLOYMENTS, deployment("Bad_Name"))
    send("POST", DEPLOYMENTS, {**deployment("bad"), "metadata": {"name": "bad", "labels": {"a": "not a label"}}})


@case
def refused_others(send: Any) -> None:
    send("POST", SERVICES, service("bad", ports=[]))
    send("POST", SERVICES, service("bad", ports=[{"port": 0}]))
    send("POST", SERVICES, service("bad", ports=[{"port": 80}, {"port": 81}]))
    send("POST", SERVICES, service("bad", ports=[{"port": 80, "targetPort": 70000}]))
    send("POST", SERVICES, service("bad", type="Nonsense"))
    send("POST", SERVICES, service("Bad"))
    send("POST", LEASES, lease("bad", leaseDurationSeconds=0))
    send("POST", LEASES, lease("bad", renewTime="2026-01-01T00:00:11Z"))
    send("POST", SECRETS, secret("bad", data={"a": "not base64!"}))
    send("POST", DEPLOYMENTS, deployment("bad", replicas="three"))
    number = pod_spec(containers=[{"name": "app", "image": "a:1", "env": [{"name": "A", "value": 5}]}])
    send("POST", DEPLOYMENTS, deployment("bad", template={"metadata": {"labels": {"app": "bad"}}, "spec": number}))
    send("POST", LEASES, lease("bad", leaseTransitions=-1))
    send("POST", JOBS, job("bad", backoffLimit=-1))
    always = {"spec": {"restartPolicy": "Always", "containers": [{"name": "a", "image": "a:1"}]}}
    send("POST", JOBS, job("bad", template=always))
    send("POST", PODS, pod("bad", containers=[]))
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"}
    send("POST", AUTOSCALERS, {"metadata": {"name": "bad"}, "spec": {"maxReplicas": 0, "scaleTargetRef": reference}})
    big = {"name": "bad", "annotations": {"big": "x" * 262145}}
    send("POST", SECRETS, {**secret("bad"), "metadata": big})


# --- JSON Patch


@case
def patching_deployments(send: Any) -> None:
    send("POST", DEPLOYMENTS, deployment("patched"))
    path = f"{DEPLOYMENTS}/patched"

    def patch(*operations: Json, **query: str) -> Json:
        return send("PATCH", path, list(operations), JSON_PATCH, **query)

    patch(operation("add", "/metadata/annotations", {"example.com/a": "1"}))
    patch(
        operation("test", "/metadata/annotations/example.com~1a", "1"),
        operation("replace", "/metadata/annotations/example.com~1a", "2"),
    )
    patch(operation("test", "/metadata/annotations/example.com~1a", "1"), operation("replace", "/spec/replicas", 5))
    patch(operation("test", "/metadata/annotations/example.com~1none", "1"))
    patch(operation("test", "/metadata/annotations/example.com~1none", None))
    patch(operation("test", "/metadata/nothing/at/all", "1"))
    patch(operation("remove", "/metadata/annotations/example.com~1none"))
    patch(operation("replace", "/metadata/annotations/example.com~1none", "1"))
    patch(operation("add", "/metadata/nothing/there", "1"))
    patch(operation("replace", "/spec/template/spec/containers/0/image", "myapp:2.0"))
    patch(operation("add", "/spec/template/spec/containers/0/env/-", {"name": "B", "value": "2"}))
    patch(operation("add", "/spec/template/spec/containers/5/image", "x"))
    patch(operation("replace", "/spec/template/spec/containers/0/image", "myapp:3.0"), dryRun="All")
    patch(operation("replace", "/spec/replicas", -3))
    patch(operation("replace", "/spec/replicas", "three"))
    patch(operation("replace", "/spec/selector/matchLabels/version", "green"))
    patch(
        operation("replace", "/spec/selector/matchLabels/version", "green"),
        operation("replace", "/spec/template/metadata/labels/version", "green"),
    )
    patch(operation("add", "/metadata/annotations/example.com~1empty", None))
    patch(operation("add", "/metadata/annotations/example.com~1number", 5))
    patch(operation("replace", "/metadata/annotations", "text"))
    patch(operation("replace", "/metadata/deletionTimestamp", "2026-01-01T00:00:00Z"))
    patch(operation("replace", "/metadata/generation", 99))
    patch(operation("add", "/spec/paused", True))
    patch(operation("remove", "/spec/paused"))
    patch(operation("replace", "/metadata/name", "other"))
    patch(operation("replace", "/metadata/uid", "other"))
    patch(operation("replace", "/metadata/resourceVersion", "1"))
    patch(operation("nonsense", "/spec/replicas", 1))
    patch(operation("copy", "/metadata/annotations/b"))
    patch()
    send("PATCH", path, {"op": "test"}, JSON_PATCH)
    send("PATCH", path, b"[", JSON_PATCH)
    send("PATCH", path, [], "application/nonsense")
    send("PATCH", f"{DEPLOYMENTS}/nothing", [operation("test", "/a", 1)], JSON_PATCH)
    send("GET", path)


@case
def patching_services(send: Any) -> None:
    made = send("POST", SERVICES, service("switched"))
    path = f"{SERVICES}/switched"
    version = made["metadata"]["resourceVersion"]
    tested = operation("test", "/metadata/resourceVersion", version)
    green = [
        operation("test", "/spec/selector/version", "blue"),
        operation("replace", "/spec/selector/version", "green"),
    ]
    send("PATCH", path, [tested, *green], JSON_PATCH, dryRun="All")
    send("PATCH", path, [tested, *green], JSON_PATCH)
    send("PATCH", path, [tested, *green], JSON_PATCH)
    send("PATCH", path, green, JSON_PATCH)
    send("PATCH", path, [operation("add", "/metadata/annotations", {})], JSON_PATCH)
    send("PATCH", path, [operation("test", "/spec/selector", {"version": "green", "app": "switched"})], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/ports/0/port", 8081)], JSON_PATCH)
    send("PATCH", path, [operation("remove", "/spec/ports/0")], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/clusterIP", "198.18.8.9")], JSON_PATCH)
    send("PATCH", path, {"metadata": {"labels": {"a": "b", "app": None}}}, MERGE_PATCH)
    send("PATCH", path, {"metadata": {"resourceVersion": "1"}}, MERGE_PATCH)
    current = send("GET", path)
    send("PUT", path, {**current, "metadata": {**current["metadata"], "uid": "00000000-0000-4000-8000-000000000000"}})
    send("PUT", path, {**current, "metadata": {**current["metadata"], "resourceVersion": "1"}})
    send("PUT", path, {**current, "metadata": {"name": "switched"}})
    send("PATCH", path, [operation("remove", "/metadata/labels")], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/metadata/labels/app", "x")], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/metadata/labels", {"app": "x"})], JSON_PATCH)


@case
def leases_and_secrets(send: Any) -> None:
    made = send("POST", LEASES, lease("lock"))
    path = f"{LEASES}/lock"
    tested = operation("test", "/metadata/resourceVersion", made["metadata"]["resourceVersion"])
    renewed = operation("replace", "/spec/renewTime", "2026-01-01T00:00:10.500000Z")
    send("PATCH", path, [tested, renewed], JSON_PATCH)
    send("PATCH", path, [tested, renewed], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/renewTime", "2026-01-01T00:00:11Z")], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/renewTime", "yesterday")], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/holderIdentity", "")], JSON_PATCH)
    send(
        "PATCH",
        path,
        [operation("remove", "/spec/holderIdentity"), operation("add", "/spec/leaseTransitions", 3)],
        JSON_PATCH,
    )
    send("PUT", path, lease("lock"))
    current = send("GET", path)
    send("PUT", path, {**current, "spec": {**current["spec"], "holderIdentity": "run-2"}})
    send("PUT", path, {**current, "spec": {**current["spec"], "holderIdentity": "run-3"}})
    send("POST", SECRETS, secret("kept"))
    send("PATCH", f"{SECRETS}/kept", [operation("add", "/data/b", "Yg==")], JSON_PATCH)
    send("PATCH", f"{SECRETS}/kept", [operation("replace", "/type", "other")], JSON_PATCH)
    send("PATCH", f"{SECRETS}/kept", [operation("add", "/data/c", "not base64!")], JSON_PATCH)
    send("GET", LEASES, fieldSelector="metadata.name=lock")


@case
def jobs(send: Any) -> None:
    send("POST", JOBS, job("once"))
    path = f"{JOBS}/once"
    send("PATCH", path, [operation("add", "/metadata/annotations", {"a": "b"})], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/parallelism", 2)], JSON_PATCH)
    send("PATCH", path, [operation("replace", "/spec/completions", 4)], JSON_PATCH)
    send("PATCH", path, [operation("add", "/spec/ttlSecondsAfterFinished", 60)], JSON_PATCH)
    send("GET", path)


# Written from the documentation, and from pkg/apis/batch and pkg/registry/batch/cronjob of Kubernetes.


@case
def cron_jobs(send: Any) -> None:
    send("POST", CRONJOBS, cron_job("nightly"))
    path = f"{CRONJOBS}/nightly"
    image = "/spec/jobTemplate/spec/template/spec/containers/0/image"
    send("PATCH", path, [operation("add", "/metadata/annotations", {"a": "b"})], JSON_PATCH)
    send("PATCH", path, [operation("test", image, "myapp:1.0"), operation("replace", image, "myapp:2.0")], JSON_PATCH)
    send("PATCH", path, [operation("test", image, "myapp:1.0"), operation("replace", image, "myapp:3.0")], JSON_PATCH)
    send("PATCH", path, [operation("test", "/spec/suspend", True)], JSON_PATCH, dryRun="All")
    send("PATCH", path, [operation("replace", "/spec/suspend", False)], JSON_PATCH, dryRun="All")
    send("GET", path)
    send("GET", f"{CRONJOBS}/other")
    never = cron_job("never")
    never["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    send("POST", CRONJOBS, never)


@case
def the_status_of_cron_jobs(send: Any) -> None:
    send("POST", CRONJOBS, cron_job("told"))
    path = f"{CRONJOBS}/told"
    told = operation("add", "/status/lastScheduleTime", "2026-01-01T00:00:00Z")
    annotations = {"a": "b"}
    send("PATCH", path, [operation("add", "/metadata/annotations", annotations)], JSON_PATCH)
    send("PATCH", f"{path}/status", [operation("test", "/metadata/annotations", {"c": "d"}), told], JSON_PATCH)
    send("PATCH", f"{path}/status", [operation("test", "/metadata/annotations", annotations), told], JSON_PATCH)
    send("PATCH", f"{path}/status", [told], JSON_PATCH, dryRun="All")
    send("PATCH", f"{path}/status", [operation("test", "/status/lastScheduleTime", "2026-01-01T00:01:00Z")], JSON_PATCH)
    # Of the main part, the status is not taken, nor the rest of that one.
    send("PATCH", path, [operation("replace", "/status/lastScheduleTime", "2026-01-02T00:00:00Z")], JSON_PATCH)
    send("PATCH", f"{path}/status", [operation("replace", "/spec/suspend", False)], JSON_PATCH)
    send("PATCH", f"{CRONJOBS}/other/status", [told], JSON_PATCH)
    send("GET", path)


# --- server-side apply


@case
def applying(send: Any) -> None:
    path = f"{DEPLOYMENTS}/applied"
    manager = {"fieldManager": "bluegreen.kubernetes", "force": "true"}
    given = deployment("applied")
    send("PATCH", path, given, APPLY)
    send("PATCH", path, given, APPLY, **manager, dryRun="All")
    send("PATCH", path, given, APPLY, **manager)
    send("PATCH", path, given, APPLY, **manager)
    container = {"name": "app", "image": "myapp:2.0", "ports": [{"containerPort": 8080, "name": "http"}]}
    less = deployment("applied", replicas=0, minReadySeconds=1)
    less["spec"]["template"]["spec"]["containers"] = [container]
    send("PATCH", path, less, APPLY, **manager)
    send("PATCH", path, {**less, "metadata": {"name": "applied", "resourceVersion": "1"}}, APPLY, **manager)
    send("PATCH", path, {**less, "metadata": {"name": "applied", "annotations": {"a": "b"}}}, APPLY, **manager)
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    send("PATCH", path, less, APPLY, **manager)
    container["env"] = [{"name": "B", "value": "3"}]
    send("PATCH", path, less, APPLY, **manager)
    second = {"name": "side", "image": "side:1"}
    less["spec"]["template"]["spec"]["containers"] = [container, second]
    send("PATCH", path, less, APPLY, **manager)
    less["spec"]["template"]["spec"]["containers"] = [container]
    send("PATCH", path, less, APPLY, **manager)
    less["spec"]["replicas"] = -1
    send("PATCH", path, less, APPLY, **manager)
    send("PATCH", path, {"spec": {}}, APPLY, **manager)
    send("PATCH", path, {**less, "metadata": {"name": "other"}}, APPLY, **manager)


@case
def applying_over_what_was_created(send: Any) -> None:
    manager = {"fieldManager": "bluegreen.kubernetes", "force": "true"}
    made = deployment("mixed")
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    send("POST", DEPLOYMENTS, made)
    given = deployment("mixed")
    given["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
    path = f"{DEPLOYMENTS}/mixed"
    send("PATCH", path, given, APPLY, **manager)
    given["spec"]["template"]["spec"]["containers"][0]["env"] = []
    given["metadata"]["labels"] = {"new": "yes"}
    send("PATCH", path, given, APPLY, **manager)
    del given["metadata"]["labels"], given["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    send("PATCH", path, given, APPLY, **manager)
    send("PATCH", path, given, APPLY, fieldManager="somebody-else")
    port = {"name": "http", "port": 80, "targetPort": 8080}
    send("POST", SERVICES, service("mixed"))
    applied = service("mixed", ports=[port, {"name": "more", "port": 81}], selector={"app": "mixed"})
    send("PATCH", f"{SERVICES}/mixed", applied, APPLY, **manager)


# --- deleting


@case
def deleting(send: Any) -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    for path, item in (
        (DEPLOYMENTS, deployment("gone")),
        (SERVICES, service("gone")),
        (PODS, pod("gone")),
        (JOBS, job("gone")),
        (LEASES, lease("gone")),
        (SECRETS, secret("gone")),
        (CONFIGMAPS, {"metadata": {"name": "gone"}}),
    ):
        uid = send("POST", path, item)["metadata"]["uid"]
        path = f"{path}/gone"
        send("DELETE", path, {**options, "preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}})
        send("DELETE", path, {**options, "preconditions": {"uid": uid, "resourceVersion": "1"}})
        send("DELETE", path, {**options, "preconditions": {"uid": uid}, "dryRun": ["All"]})
        send("DELETE", path, {**options, "preconditions": {"uid": uid}})
        send("DELETE", path, {**options, "preconditions": {"uid": uid}})
    send("POST", SECRETS, {**secret("held"), "metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    send("DELETE", f"{SECRETS}/held", options)
    send("DELETE", f"{SECRETS}/held", options)
    send("PATCH", f"{SECRETS}/held", [operation("remove", "/metadata/finalizers")], JSON_PATCH)
    send("GET", f"{SECRETS}/held")
    send("POST", SECRETS, {**secret("plain")})
    send("DELETE", f"{SECRETS}/plain", None)
    send("DELETE", f"{SECRETS}/plain", {**options, "propagationPolicy": "Nonsense"})


@case
def deleting_in_order(send: Any) -> None:
    held = {"finalizers": ["example.com/hold"]}
    made = deployment("ordered")
    made["metadata"].update(held)
    send("POST", DEPLOYMENTS, made)
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    send("DELETE", f"{DEPLOYMENTS}/ordered", {**options, "propagationPolicy": "Background"})
    send("PATCH", f"{DEPLOYMENTS}/ordered", [operation("remove", "/metadata/finalizers")], JSON_PATCH)
    send("POST", PODS, {**pod("ordered"), "metadata": {"name": "ordered", **held}})
    send("DELETE", f"{PODS}/ordered", {**options, "gracePeriodSeconds": 0})
    send("PATCH", f"{PODS}/ordered", [operation("remove", "/metadata/finalizers")], JSON_PATCH)


@case
def deleting_what_others_depend_on(send: Any) -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    for propagation in ("Foreground", "Orphan"):
        for path, make in ((DEPLOYMENTS, deployment), (JOBS, job), (SECRETS, secret)):
            name = f"owner-{propagation.lower()}"
            send("POST", path, make(name))
            send("DELETE", f"{path}/{name}", {**options, "propagationPolicy": propagation})
    send("POST", JOBS, job("owner-default"))
    send("DELETE", f"{JOBS}/owner-default", options)
    send("POST", JOBS, job("owner-query"))
    send("DELETE", f"{JOBS}/owner-query", propagationPolicy="Background", dryRun="All")


@case
def deleting_a_pod_of_a_node(send: Any) -> None:
    path, options = f"{PODS}/placed", {"kind": "DeleteOptions", "apiVersion": "v1"}
    send("POST", PODS, pod("placed", nodeName="no-such-node", terminationGracePeriodSeconds=40))
    send("DELETE", path, {**options, "dryRun": ["All"]})
    send("DELETE", path, options)
    send("DELETE", path, options)
    send("DELETE", path, {**options, "gracePeriodSeconds": 60})
    send("DELETE", path, {**options, "gracePeriodSeconds": 20})
    send("GET", path)
    send("PATCH", path, [operation("add", "/metadata/annotations", {"a": "b"})], JSON_PATCH)
    send("DELETE", path, {**options, "gracePeriodSeconds": 0})
    send("GET", path)
    send("POST", PODS, pod("ended", nodeName="no-such-node"))
    send("PATCH", f"{PODS}/ended/status", {"status": {"phase": "Succeeded"}}, MERGE_PATCH)
    send("DELETE", f"{PODS}/ended", options)


# --- watching


@case
def watching(send: Any) -> None:
    version = send("GET", SECRETS, labelSelector="app=watched")["metadata"]["resourceVersion"]
    for name in ("seen-1", "seen-2"):
        send("POST", SECRETS, {**secret(name), "metadata": {"name": name, "labels": {"app": "watched"}}})
    send("PATCH", f"{SECRETS}/seen-1", [operation("add", "/data/b", "Yg==")], JSON_PATCH)
    send("PATCH", f"{SECRETS}/seen-1", [operation("replace", "/metadata/labels/app", "other")], JSON_PATCH)
    send("PATCH", f"{SECRETS}/seen-1", [operation("replace", "/metadata/labels/app", "watched")], JSON_PATCH)
    send("DELETE", f"{SECRETS}/seen-2")
    follow = {"watch": "true", "timeoutSeconds": "1", "labelSelector": "app=watched"}
    send("GET", SECRETS, **follow, resourceVersion=version)
    send("GET", SECRETS, **follow, resourceVersion=version, allowWatchBookmarks="true")
    send("GET", SECRETS, **follow, resourceVersion="0")
    send("GET", SECRETS, **follow)
    send("GET", SECRETS, **follow, resourceVersion="nonsense")
    send(
        "GET", SECRETS, watch="true", timeoutSeconds="1", resourceVersion=version, fieldSelector="metadata.name=seen-1"
    )
    now = send("GET", SECRETS, labelSelector="app=watched")["metadata"]["resourceVersion"]
    send("GET", SECRETS, **follow, resourceVersion=now)


# --- quotas, status, pods


@case
@apart
def quotas(send: Any) -> None:
    send("POST", QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1", "requests.memory": "96Mi"}}})
    send.until(f"{QUOTAS}/small", lambda quota: "used" in quota.get("status", {}))

    def taking(name: str, memory: str) -> Json:
        resources = {"requests": {"memory": memory}}
        return pod(name, containers=[{"name": "app", "image": "myapp:1.0", "resources": resources}])

    send("POST", PODS, pod("one"))
    send("POST", PODS, taking("one", "128Mi"))
    send("POST", PODS, taking("one", "64Mi"))
    send("POST", PODS, taking("two", "64Mi"))
    send("POST", PODS, taking("two", "16Mi"), dryRun="All")
    send("DELETE", f"{PODS}/one", {"gracePeriodSeconds": 0})
    send.until(f"{QUOTAS}/small", lambda quota: quota["status"]["used"]["pods"] == "0")
    send("POST", PODS, taking("two", "64Mi"))
    send.until(f"{QUOTAS}/small", lambda quota: quota["status"]["used"]["pods"] == "1")
    send("GET", f"{QUOTAS}/small")
    send("PATCH", f"{QUOTAS}/small", [operation("replace", "/spec/hard/pods", "3")], JSON_PATCH)
    send("POST", PODS, pod("three"))


@case
def pods(send: Any) -> None:
    send("POST", PODS, pod("still"))
    send("GET", f"{PODS}/still/log")
    send("GET", f"{PODS}/still/log", container="none")
    send("GET", f"{PODS}/none/log")
    send("GET", f"{PODS}/still:8080/proxy/health")
    send("GET", f"{PODS}/none:8080/proxy/health")
    send("POST", SERVICES, service("nobody"))
    send("GET", f"{SERVICES}/nobody:http/proxy/health")
    send("GET", f"{SERVICES}/nobody:81/proxy/health")
    send("PATCH", f"{PODS}/still", [operation("add", "/metadata/labels/more", "yes")], JSON_PATCH)
    send("PATCH", f"{PODS}/still", [operation("replace", "/spec/containers/0/image", "myapp:2.0")], JSON_PATCH)
    send("PATCH", f"{PODS}/still", [operation("replace", "/spec/containers/0/name", "other")], JSON_PATCH)
    running = {"phase": "Running", "podIP": "192.0.2.7", "conditions": [{"type": "Ready", "status": "True"}]}
    send("PATCH", f"{PODS}/still/status", {"status": running, "metadata": {"labels": {"by": "node"}}}, MERGE_PATCH)
    send("PATCH", f"{PODS}/still", {"status": {"phase": "Failed"}}, MERGE_PATCH)
    send("GET", PODS, labelSelector="app=still", fieldSelector="status.phase=Running")
    send("GET", PODS, labelSelector="app=still", fieldSelector="spec.nodeName=node")
    send("POST", DEPLOYMENTS, deployment("still"))
    send("PATCH", f"{DEPLOYMENTS}/still/status", {"spec": {"replicas": 7}}, MERGE_PATCH)


@case
def health(send: Any) -> None:
    send("GET", "/readyz")
    send("GET", "/nonsense")


# --- what a manifest may have beside the Deployment


@case
def kinds(send: Any) -> None:
    for root in ("/api/v1", "/apis/apps/v1", "/apis/policy/v1", "/apis/autoscaling/v2", "/apis/batch/v1"):
        send("GET", root)
    send("GET", "/apis/nothing.example/v1")
    send("GET", "/apis/apps/v7")


@case
def objects_of_a_color(send: Any) -> None:
    marks = {"bluegreen.kubernetes/belongs-to": "myapp/green", "bluegreen.kubernetes/applied": "0123456789abcdef"}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings-green", "annotations": marks}}
    for path, item in (
        (CONFIGMAPS, {**settings, "data": {"a": "1"}}),
        (SECRETS, secret("key-green")),
    ):
        send("POST", path, item, dryRun="All")
        send("GET", f"{path}/{item['metadata']['name']}")
        made = send("POST", path, item)
        send("POST", path, item)
        at = f"{path}/{item['metadata']['name']}"
        unchanged = operation("test", "/metadata/resourceVersion", made["metadata"]["resourceVersion"])
        change = operation("add", "/data", {"b": "Yg=="})
        send("PATCH", at, [unchanged, change], JSON_PATCH, dryRun="All")
        send("PATCH", at, [unchanged, change], JSON_PATCH)
        send("PATCH", at, [unchanged, change], JSON_PATCH)
        now = send("GET", at)
        send("PATCH", at, [change], JSON_PATCH)
        send("PATCH", at, [operation("add", "/metadata/labels", {"a": "b"})], JSON_PATCH)
        conditions = {"uid": now["metadata"]["uid"], "resourceVersion": now["metadata"]["resourceVersion"]}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        send("DELETE", at, {**options, "preconditions": conditions})
        now = send("GET", at)
        conditions["resourceVersion"] = now["metadata"]["resourceVersion"]
        send("DELETE", at, {**options, "preconditions": conditions, "dryRun": ["All"]})
        send("DELETE", at, {**options, "preconditions": conditions})
        send("GET", at)
    send("PATCH", f"{CONFIGMAPS}/nothing", [operation("add", "/data", {})], JSON_PATCH, dryRun="All")
