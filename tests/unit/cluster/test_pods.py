# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods and Events that lack what others have: what is seen of them never ends a release with an error of its own."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import (
    Pod,
    evidence,
    pod_troubles,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from recorded import RecordedCluster

CONTAINER = {
    "name": "app",
    "ready": False,
    "restartCount": 1,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
    "lastState": {"terminated": {"exitCode": 1}},
}
POD = {
    "kind": "Pod",
    "metadata": {"name": "app-green-1", "labels": {}},
    "spec": {"containers": [{"name": "app"}]},
    "status": {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}],
        "initContainerStatuses": [CONTAINER],
        "containerStatuses": [CONTAINER],
    },
}
EVENT = {
    "kind": "Event",
    "metadata": {"name": "event-1"},
    "type": "Warning",
    "reason": "FailedMount",
    "message": "no such ConfigMap",
    "involvedObject": {"kind": "Pod", "name": "app-green-1"},
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T00:01:00Z",
    "eventTime": None,
}


def without(document: Any) -> Any:
    """The document without each of its parts in turn, and with null in its place; never without its name."""
    parts = list(document.items()) if isinstance(document, dict) else list(enumerate(document))
    for key, value in parts:
        if (key, document.get("name") if isinstance(document, dict) else None) == ("name", value):
            continue
        if key == "metadata":
            continue
        less = copy.deepcopy(document)
        del less[key]
        yield less
        yield {**document, key: None} if isinstance(document, dict) else document[:key] + [None] + document[key + 1 :]
        if isinstance(value, (dict, list)):
            for part in without(value):
                more = copy.deepcopy(document)
                more[key] = part
                yield more


def look(pod: Any, event: Any) -> list[str]:
    cluster = RecordedCluster()
    cluster.put(dict(event, kind="Event"))
    one = Pod(pod)
    one.summary(), one.in_trouble(), pod_troubles([one], [event])
    return evidence(cluster, [one])


def test_whole_ones_are_evidence() -> None:
    text = "\n".join(look(POD, EVENT))
    for part in ("CrashLoopBackOff", "Unschedulable", "event FailedMount: no such ConfigMap"):
        assert part in text


def test_whatever_they_lack() -> None:
    cases = [(pod, EVENT) for pod in without(POD)] + [(POD, event) for event in without(EVENT)]
    assert len(cases) > 50
    for pod, event in itertools.chain(cases, [(POD, dict(EVENT, lastTimestamp="yesterday"))]):
        assert "app-green-1" in look(pod, event)[0]


def test_what_may_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RecordedCluster()

    def forbidden(kind: str, **selectors: str) -> Any:
        raise ApiError("events is forbidden", "forbidden", 403)

    monkeypatch.setattr(cluster, "list", forbidden)
    text = "\n".join(evidence(cluster, [Pod(POD)]))
    assert "CrashLoopBackOff" in text
    assert "events is forbidden" in text


@pytest.mark.parametrize("status", [None, "False"], ids=["not there", "false"])
def test_a_readiness_gate_that_nobody_has_set_is_named(status: str | None) -> None:
    gate = "target-health.example.com/k8s-shop"
    conditions = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]
    conditions += [{"type": gate, "status": status}] if status else []
    pod = {
        "metadata": {"name": "app-1"},
        "spec": {"readinessGates": [{"conditionType": gate}]},
        "status": {"phase": "Running", "conditions": conditions},
    }
    assert f"ready but for the readiness gate {gate}" in Pod(pod).state()
    conditions[:] = [{"type": "Ready", "status": "True"}, {"type": gate, "status": "True"}]
    assert "gate" not in Pod(pod).state()
