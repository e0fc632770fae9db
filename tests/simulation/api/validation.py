# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server refuses to store, as far as a client of the collection can get it wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from simulation.api.answers import Cause, invalid
from simulation.api.kinds import KINDS, Object
from simulation.api.quantities import quantity

Checking = Callable[[Object, "Object | None"], Iterator[Cause]]

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")

NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NO_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an"
    " alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NO_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"
POD_IS_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)
ANNOTATION_BYTES = 262144


def check(item: Object, old: Object | None) -> None:
    """:raises Refused: the object breaks rules of its kind; all that is wrong is named."""
    causes = list(_metadata(item))
    if item["kind"] in _BY_KIND:
        causes += _BY_KIND[item["kind"]](item, old)
    if causes:
        raise invalid(KINDS[item["kind"]], item["metadata"].get("name", ""), causes)


def check_metadata(item: Object) -> None:
    """The same where nothing else has changed."""
    causes = list(_metadata(item))
    if causes:
        raise invalid(KINDS[item["kind"]], item["metadata"].get("name", ""), causes)


def wrong(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value, separators=(',', ':'))}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", "Required value" + (f": {why}" if why else ""), field)


def unsupported(field: str, value: Any, *supported: str) -> Cause:
    listed = ", ".join(f'"{one}"' for one in supported)
    return Cause(
        "FieldValueNotSupported",
        f"Unsupported value: {json.dumps(value, separators=(',', ':'))}: supported values: {listed}",
        field,
    )


def immutable(field: str, value: Any) -> Cause:
    return wrong(field, value, "field is immutable")


def _metadata(item: Object) -> Iterator[Cause]:
    metadata = item["metadata"]
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
        return
    if item["kind"] == "Service":
        if not LABEL.fullmatch(name) or len(name) > 63:
            yield wrong("metadata.name", name, NO_LABEL)
    elif not SUBDOMAIN.fullmatch(name) or len(name) > 253:
        yield wrong("metadata.name", name, NO_SUBDOMAIN)
    yield from _labels("metadata.labels", metadata.get("labels"))
    annotations = metadata.get("annotations")
    if annotations and sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATION_BYTES:
        yield Cause(
            "FieldValueTooLong", f"Too long: may not be more than {ANNOTATION_BYTES} bytes", "metadata.annotations"
        )


def _labels(field: str, labels: dict[str, str] | None) -> Iterator[Cause]:
    for value in (labels or {}).values():
        if len(value) > 63:
            yield wrong(field, value, "must be no more than 63 bytes")
        if not LABEL_VALUE.fullmatch(value):
            yield wrong(field, value, NO_LABEL_VALUE)


# --- workloads


def _deployment(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item["spec"]
    yield from _replicas(spec)
    yield from _selected(item, old)
    strategy = spec["strategy"]
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        value = {"Type": strategy["type"], "RollingUpdate": strategy.get("rollingUpdate")}
        yield unsupported("spec.strategy", value, "Recreate", "RollingUpdate")
    elif strategy["type"] == "Recreate" and strategy.get("rollingUpdate") is not None:
        yield Cause(
            "FieldValueForbidden",
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
            "spec.strategy.rollingUpdate",
        )
    elif strategy["type"] == "RollingUpdate" and all(
        str(strategy["rollingUpdate"].get(key)) in ("0", "0%") for key in ("maxSurge", "maxUnavailable")
    ):
        yield wrong(
            "spec.strategy.rollingUpdate.maxUnavailable",
            strategy["rollingUpdate"]["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        )
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= (spec.get("minReadySeconds") or 0):
        yield wrong("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _replica_set(item: Object, old: Object | None) -> Iterator[Cause]:
    yield from _replicas(item["spec"])
    yield from _selected(item, old)


def _replicas(spec: Object) -> Iterator[Cause]:
    if spec["replicas"] < 0:
        yield wrong("spec.replicas", spec["replicas"], NOT_NEGATIVE)
    if (spec.get("minReadySeconds") or 0) < 0:
        yield wrong("spec.minReadySeconds", spec["minReadySeconds"], NOT_NEGATIVE)


def _selected(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item["spec"]
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        yield required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield wrong("spec.selector", selector, "empty selector is invalid for deployment")
    labels = (template.get("metadata") or {}).get("labels") or {}
    yield from _labels("spec.template.metadata.labels", labels)
    wanted = (selector or {}).get("matchLabels") or {}
    if selector is None or any(labels.get(key) != value for key, value in wanted.items()):
        yield wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if old is not None and selector != old["spec"].get("selector"):
        yield immutable("spec.selector", selector)
    yield from _pod_spec("spec.template.spec", template.get("spec") or {}, ("Always",))


def _job(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item["spec"]
    for key in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if (spec.get(key) or 0) < 0:
            yield wrong(f"spec.{key}", spec[key], NOT_NEGATIVE)
    yield from _pod_spec("spec.template.spec", (spec.get("template") or {}).get("spec") or {}, ("OnFailure", "Never"))
    if old is not None:
        for key in ("completions", "selector", "template", "completionMode"):
            if spec.get(key) != old["spec"].get(key):
                yield immutable(f"spec.{key}", spec.get(key))


def _cron_job(item: Object, old: Object | None) -> Iterator[Cause]:
    template = (item["spec"]["jobTemplate"].get("spec") or {}).get("template") or {}
    path = "spec.jobTemplate.spec.template.spec"
    yield from _pod_spec(path, template.get("spec") or {}, ("OnFailure", "Never"))
    if not item["spec"].get("schedule"):
        yield required("spec.schedule")


def _pod(item: Object, old: Object | None) -> Iterator[Cause]:
    yield from _pod_spec("spec", item["spec"], ("Always", "OnFailure", "Never"))
    if old is not None and _fixed(item["spec"], old["spec"]) != _fixed(old["spec"], item["spec"]):
        yield Cause("FieldValueForbidden", f"Forbidden: {POD_IS_FIXED}", "spec")


def _fixed(spec: Object, other: Object) -> Object:
    """What of a pod's spec may not change; that a node is chosen is no change."""
    changeable = {"activeDeadlineSeconds", "tolerations", "schedulingGates"}
    if not spec.get("nodeName") or not other.get("nodeName"):
        changeable.add("nodeName")
    kept = {key: value for key, value in spec.items() if key not in changeable}
    for key in ("containers", "initContainers"):
        if key in kept:
            kept[key] = [{**container, "image": ""} for container in kept[key]]
    return kept


def _pod_spec(field: str, spec: Object, restart: tuple[str, ...]) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{field}.containers")
    seen: set[str] = set()
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    for number, container in enumerate(containers):
        yield from _container(f"{field}.containers[{number}]", container, volumes)
        if container.get("name") in seen:
            yield Cause(
                "FieldValueDuplicate",
                f'Duplicate value: "{container["name"]}"',
                f"{field}.containers[{number}].name",
            )
        seen.add(container.get("name", ""))
    for number, container in enumerate(spec.get("initContainers") or []):
        yield from _container(f"{field}.initContainers[{number}]", container, volumes)
    if spec.get("restartPolicy") not in restart and len(restart) == 2:
        yield required(f"{field}.restartPolicy", "valid values: " + ", ".join(f'"{one}"' for one in restart))
    elif spec.get("restartPolicy") not in restart:
        yield unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), *restart)


def _container(field: str, container: Object, volumes: set[str]) -> Iterator[Cause]:
    if not container.get("name"):
        yield required(f"{field}.name")
    if not container.get("image"):
        yield required(f"{field}.image")
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield wrong(f"{field}.resources.requests", str(amount), why)
    names: set[str] = set()
    for number, port in enumerate(container.get("ports") or []):
        where = f"{field}.ports[{number}]"
        if port.get("name"):
            yield from _port_name(f"{where}.name", port["name"])
            if port["name"] in names:
                yield Cause("FieldValueDuplicate", f'Duplicate value: "{port["name"]}"', f"{where}.name")
            names.add(port["name"])
        yield from _port_number(f"{where}.containerPort", port.get("containerPort"))
    for number, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield required(f"{field}.env[{number}].name")
    for number, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            yield Cause(
                "FieldValueNotFound",
                f'Not found: "{mount.get("name")}"',
                f"{field}.volumeMounts[{number}].name",
            )


def _port_name(field: str, name: str) -> Iterator[Cause]:
    if len(name) > 15:
        yield wrong(field, name, "must be no more than 15 characters")
    elif not PORT_NAME.fullmatch(name):
        yield wrong(field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")


def _port_number(field: str, number: Any) -> Iterator[Cause]:
    if not number:
        yield required(field)
    elif not 1 <= number <= 65535:
        yield wrong(field, number, "must be between 1 and 65535, inclusive")


# --- others


def _service(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item["spec"]
    types = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in types:
        yield unsupported("spec.type", spec["type"], *types)
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    yield from _labels("spec.selector", spec.get("selector"))
    names: set[str] = set()
    for number, port in enumerate(ports):
        where = f"spec.ports[{number}]"
        if not port.get("name") and len(ports) > 1:
            yield required(f"{where}.name")
        elif port.get("name"):
            if port["name"] in names:
                yield Cause("FieldValueDuplicate", f'Duplicate value: "{port["name"]}"', f"{where}.name")
            names.add(port["name"])
        if not isinstance(port.get("port"), int) or not 1 <= port["port"] <= 65535:
            yield wrong(f"{where}.port", port.get("port") or 0, "must be between 1 and 65535, inclusive")
        target = port.get("targetPort")
        if isinstance(target, int):
            if not 1 <= target <= 65535:
                yield wrong(f"{where}.targetPort", target, "must be between 1 and 65535, inclusive")
        elif target:
            yield from _port_name(f"{where}.targetPort", target)
    if old is not None and old["spec"].get("clusterIP") and spec.get("clusterIP") != old["spec"]["clusterIP"]:
        if spec["type"] != "ExternalName" and old["spec"]["type"] != "ExternalName":
            yield wrong("spec.clusterIPs[0]", [spec.get("clusterIP", "")], "may not change once set")


def _lease(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item.get("spec") or {}
    for key, least in (("leaseDurationSeconds", 1), ("leaseTransitions", 0)):
        if spec.get(key) is not None and spec[key] < least:
            yield wrong(f"spec.{key}", spec[key], NOT_NEGATIVE if not least else "must be greater than 0")


def _autoscaler(item: Object, old: Object | None) -> Iterator[Cause]:
    spec = item["spec"]
    least, most = spec["minReplicas"], spec.get("maxReplicas") or 0
    if least < 1:
        yield wrong("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < least:
        yield wrong("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    if not most:
        yield required("spec.maxReplicas")


def _secret(item: Object, old: Object | None) -> Iterator[Cause]:
    if old is None:
        return
    if item.get("type") != old.get("type"):
        yield immutable("type", item.get("type"))
    yield from _content_is_fixed(item, old, "data")


def _config_map(item: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None:
        yield from _content_is_fixed(item, old, "data", "binaryData")


def _content_is_fixed(item: Object, old: Object, *fields: str) -> Iterator[Cause]:
    """Of an immutable ConfigMap or Secret, which can neither be made one that is not."""
    why = "Forbidden: field is immutable when `immutable` is set"
    if not old.get("immutable"):
        return
    if not item.get("immutable"):
        yield Cause("FieldValueForbidden", why, "immutable")
    for field in fields:
        if item.get(field) != old.get(field):
            yield Cause("FieldValueForbidden", why, field)


_BY_KIND: dict[str, Checking] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Lease": _lease,
    "HorizontalPodAutoscaler": _autoscaler,
    "Secret": _secret,
    "ConfigMap": _config_map,
}
