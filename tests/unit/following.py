# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded cluster whose EndpointSlices follow the Services, for operations that switch; and what runs leave in it."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

from recorded import Clock, RecordedCluster

STATE, STAMP = "bluegreen.kubernetes/state", "bluegreen.kubernetes/lock-id"
LEASE = "bluegreen-myapp"
BOTH = ["myapp", "myapp-internal"]


def following(clock: Clock, at: str = "ready", second: bool = False) -> RecordedCluster:
    """Blue is live with 1.0, green is ready with 2.0 (``ready``), or has 1.0 too (``start``); EndpointSlices follow in 50 ms.

    :param second: whether there is another Service, ``myapp-internal``.
    """
    cluster = RecordedCluster(at=at, clock=clock)
    if second:
        for item in (cluster.one("Service", "myapp"), *cluster.objects("EndpointSlice")):
            item = copy.deepcopy(item)
            item["metadata"].update(name="myapp-internal", uid=item["kind"])
            if item["kind"] == "EndpointSlice":
                item["metadata"]["labels"]["kubernetes.io/service-name"] = "myapp-internal"
            cluster.put(item)
    cluster.after("patch", "Service", lambda: clock.at(0.05, functools.partial(_follow, cluster)), nth=None)
    return cluster


def _follow(cluster: RecordedCluster) -> None:
    for piece in cluster.objects("EndpointSlice"):
        color = live(cluster, piece["metadata"]["labels"]["kubernetes.io/service-name"])
        piece["endpoints"] = [
            {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]}}
            for pod in cluster.objects("Pod", color)
        ]


def live(cluster: RecordedCluster, service: str = "myapp") -> str:
    return cluster.one("Service", service)["spec"]["selector"]["version"]


def annotations(cluster: RecordedCluster) -> dict[str, str]:
    return cluster.one("Service", "myapp")["metadata"].get("annotations") or {}


def state(cluster: RecordedCluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(annotations(cluster).get(STATE, '{"history": []}'))
    return found


def history(cluster: RecordedCluster) -> list[dict[str, Any]]:
    return state(cluster)["history"]


def leave(cluster: RecordedCluster, *entries: dict[str, Any], **state: Any) -> None:
    """What earlier runs have left in the state annotation."""
    text = json.dumps({"schema": 1, "history": list(entries), "intent": None, **state})
    cluster.touch("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({STATE: text}))


def half_way(cluster: RecordedCluster, *entries: dict[str, Any], to: str = "green", **intent: Any) -> None:
    """A switch to a color has died after the second Service, of two."""
    cluster.touch("Service", "myapp-internal", lambda item: item["spec"]["selector"].update(version=to))
    leave(cluster, *entries, intent={"from": live(cluster), "to": to, "run": "r1", **intent})


def held(cluster: RecordedCluster, by: str = "r1", alive: bool = False) -> None:
    """Another run has the Lease and has stamped the Service; it lives if its Lease is renewed."""
    body = {"holderIdentity": by, "leaseDurationSeconds": 30, "renewTime": "0"}
    cluster.put({"kind": "Lease", "metadata": {"name": LEASE}, "spec": body})
    for service in cluster.objects("Service"):
        service["metadata"].setdefault("annotations", {})[STAMP] = by
    for number in range(1, 100) if alive else ():
        cluster.clock.at(5 * number, functools.partial(_renew, cluster, number))


def _renew(cluster: RecordedCluster, number: int) -> None:
    cluster.touch("Lease", LEASE, lambda item: item["spec"].update(renewTime=f"{number}"))


def entry(run: str, **known: Any) -> dict[str, Any]:
    """An entry of the history: of a release to green that has moved the traffic and come to its end."""
    return {
        "run": run,
        "kind": "release",
        "color": "green",
        "from_color": "blue",
        "version": "2.0",
        "image": "myapp:2.0",
        "previous_version": "1.0",
        "previous_image": "myapp:1.0",
        "replicas": 3,
        "started_at": "2026-01-01T00:00:00.000Z",
        "switched_at": "2026-01-01T00:01:00.000Z",
        "outcome": "released",
        **known,
    }
