# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server adds to an object where the request leaves it out. The objects here may be changed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulation.api.kinds import Object

Defaulting = Callable[[Object, Random], None]


def fill(item: Object, random: Random) -> None:
    """Add the defaults of its kind to a new or a changed object."""
    if item["kind"] in _BY_KIND:
        _BY_KIND[item["kind"]](item, random)


def missing(target: Object, **values: object) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


# --- pods


def pod_spec(spec: Object) -> None:
    missing(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if spec.get("serviceAccountName"):
        missing(spec, serviceAccount=spec["serviceAccountName"])
    for container in spec.get("initContainers") or []:
        _container(container)
    for container in spec.get("containers") or []:
        _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)


def _container(container: Object) -> None:
    image = container.get("image", "")
    latest = "@" not in image and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"))
    missing(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest else "IfNotPresent",
    )
    for port in container.get("ports") or []:
        missing(port, protocol="TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            _probe(container[probe])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and hook.get("httpGet"):
            missing(hook["httpGet"], path="/", scheme="HTTP")
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            missing(reference, apiVersion="v1")


def _probe(probe: Object) -> None:
    missing(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if probe.get("httpGet"):
        missing(probe["httpGet"], path="/", scheme="HTTP")
    if probe.get("grpc"):
        missing(probe["grpc"], service="")


def _volume(volume: Object) -> None:
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if volume.get(source) is not None:
            missing(volume[source], defaultMode=420)
    if len(volume) == 1:
        volume["emptyDir"] = {}


def _pod(pod: Object, random: Random) -> None:
    spec = pod["spec"]
    pod_spec(spec)
    for container in spec.get("containers") or []:
        resources = container["resources"]
        for name, amount in (resources.get("limits") or {}).items():
            missing(resources, requests={})
            missing(resources["requests"], **{name: amount})
    missing(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    missing(spec, serviceAccountName="default")
    missing(spec, serviceAccount=spec["serviceAccountName"])
    if spec.get("tolerations") is None:
        spec["tolerations"] = [
            {
                "key": f"node.kubernetes.io/{state}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for state in ("not-ready", "unreachable")
        ]


# --- workloads


def _deployment(item: Object, random: Random) -> None:
    spec = item["spec"]
    missing(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    missing(spec, strategy={})
    missing(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        missing(spec["strategy"], rollingUpdate={})
        missing(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replica_set(item: Object, random: Random) -> None:
    missing(item["spec"], replicas=1)
    _template(item["spec"])


def _job(item: Object, random: Random) -> None:
    spec = item["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    missing(spec, parallelism=1, completionMode="NonIndexed", suspend=False, backoffLimit=6, manualSelector=False)
    missing(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    template = spec.get("template") or {}
    if not spec["manualSelector"] and not spec.get("selector"):
        uid, name = item["metadata"].get("uid", ""), item["metadata"].get("name", "")
        labels = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        metadata = template.setdefault("metadata", {})
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        if not item["metadata"].get("labels"):  # a Job without labels has those of its pods
            item["metadata"]["labels"] = dict(metadata["labels"])
    _template(spec)


def _cron_job(item: Object, random: Random) -> None:
    spec = item["spec"]
    missing(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    _template(template.setdefault("spec", {}))


def _template(spec: Object) -> None:
    template = spec.get("template") or {}
    template.setdefault("metadata", {})
    if isinstance(template.get("spec"), dict):
        pod_spec(template["spec"])


# --- others


def _service(item: Object, random: Random) -> None:
    spec = item["spec"]
    missing(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        missing(spec, sessionAffinityConfig={})
        missing(spec["sessionAffinityConfig"], clientIP={})
        missing(spec["sessionAffinityConfig"]["clientIP"], timeoutSeconds=10800)
    if spec["type"] != "ExternalName":
        missing(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
        if not spec.get("clusterIP"):
            spec["clusterIP"] = f"10.96.{random.randrange(256)}.{random.randrange(1, 255)}"
        missing(spec, clusterIPs=[spec["clusterIP"]])
    if spec["type"] in ("NodePort", "LoadBalancer"):
        missing(spec, externalTrafficPolicy="Cluster")
        for port in spec.get("ports") or []:
            missing(port, nodePort=random.randrange(30000, 32768))
    if spec["type"] == "LoadBalancer":
        missing(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or []:
        missing(port, protocol="TCP")
        missing(port, targetPort=port.get("port"))


def _autoscaler(item: Object, random: Random) -> None:
    spec = item["spec"]
    missing(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _endpoint_slice(item: Object, random: Random) -> None:
    for port in item.get("ports") or []:
        missing(port, name="", protocol="TCP")


def _secret(item: Object, random: Random) -> None:
    missing(item, type="Opaque")


def _event(item: Object, random: Random) -> None:
    missing(item, source={}, reportingComponent="", reportingInstance="")
    for key in ("eventTime", "firstTimestamp", "lastTimestamp"):
        item.setdefault(key, None)


_BY_KIND: dict[str, Defaulting] = {
    "Event": _event,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "EndpointSlice": _endpoint_slice,
    "Secret": _secret,
}


def fill_status(item: Object) -> Object:
    """The status of an object, with what the server adds to it."""
    status = item.get("status") or {}
    if item["kind"] != "Pod":
        return status
    if status.get("podIP") and "podIPs" not in status:
        status = {**status, "podIPs": [{"ip": status["podIP"]}]}
    empty = {"lastProbeTime": None, "lastTransitionTime": None}
    conditions = status.get("conditions")
    if conditions and not all(empty.keys() <= condition.keys() for condition in conditions):
        status = {**status, "conditions": [{**empty, **condition} for condition in conditions]}
    return {**status, "qosClass": status.get("qosClass") or quality(item["spec"])}


def quality(spec: Object) -> str:
    """How well a pod is protected when its node runs short of something."""
    containers = (spec.get("initContainers") or []) + spec["containers"]
    given = [container.get("resources") or {} for container in containers]
    if not any(one.get("requests") or one.get("limits") for one in given):
        return "BestEffort"
    for one in given:
        limits = one.get("limits") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(
            (one.get("requests") or limits).get(key) != limits[key] for key in limits
        ):
            return "Burstable"
    return "Guaranteed"


STATUS: dict[str, Object] = {
    "Pod": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
    "ReplicaSet": {"replicas": 0},
}
