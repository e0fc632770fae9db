# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a status says of a rollback."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from recorded import RecordedCluster, switched


def with_pods(ready: dict[str, int], took: dict[str, list[int | None]]) -> RecordedCluster:
    """Green is live, blue was before. ready: pods that the Deployments count; took: seconds until each pod was ready."""
    cluster = switched(previous_version="1.0", previous_image="myapp:1.0", previous_replicas=3)
    for color, number in ready.items():
        cluster.touch(
            "Deployment", f"app-{color}", lambda item, number=number: item["status"].update(readyReplicas=number)
        )
    for pod in cluster.list("Pod")["items"]:
        color = pod["metadata"]["labels"].get("version")
        times = took.get(color)

        def change(item: dict[str, Any], times: list[int | None] | None = times) -> None:
            condition = next(found for found in item["status"]["conditions"] if found["type"] == "Ready")
            seconds = times.pop() if times else None
            condition["status"] = "False" if seconds is None else "True"
            created = _time.moment(item["metadata"]["creationTimestamp"])
            condition["lastTransitionTime"] = (created + timedelta(seconds=seconds or 0)).strftime("%Y-%m-%dT%H:%M:%SZ")

        cluster.touch("Pod", pod["metadata"]["name"], change)
    return cluster


def status(cluster: RecordedCluster, **options: Any) -> dict[str, Any]:
    return recorded.run(current_color, cluster, **{"retire_after": "24h", **options})


def rollback_line(result: dict[str, Any]) -> str:
    return next(line for line in result["summary"] if line.startswith("rollback: "))


@pytest.mark.parametrize(
    ("ready", "took", "seconds"),
    [
        pytest.param({"green": 3, "blue": 3}, {"blue": [5]}, 0, id="at-full-strength"),
        pytest.param({"green": 3, "blue": 1}, {"blue": [40, 7, 5], "green": [90]}, 7, id="as-its-own-pods-took"),
        pytest.param({"green": 3, "blue": 0}, {"green": [11]}, 11, id="as-the-live-ones-took"),
        pytest.param({"green": 3, "blue": 0}, {}, None, id="nobody-knows"),
    ],
)
def test_how_long_a_rollback_takes(ready: dict, took: dict, seconds: int | None) -> None:
    result = status(with_pods(ready, took))
    assert result["rollback_seconds"] == seconds
    line = rollback_line(result)
    assert line.startswith("rollback: to blue (version 1.0), " + ("at once" if seconds == 0 else "after "))
    assert (f"about {seconds} s" in line) == bool(seconds)
    assert datetime.fromisoformat(result["retires_at"].replace("Z", "+00:00"))


def test_what_counts_is_what_the_old_color_had_when_it_was_live() -> None:
    cluster = with_pods({"green": 10, "blue": 3}, {"blue": [5]})
    cluster.touch("Deployment", "app-green", lambda item: item["spec"].update(replicas=10))
    result = status(cluster)
    assert result["rollback_seconds"] == 0
    assert rollback_line(result).endswith(", at once")


def test_a_release_does_not_ask_for_it() -> None:
    cluster = with_pods({"green": 3, "blue": 1}, {"blue": [5]})
    assert status(cluster, retire_after=None)["rollback_seconds"] is None


@pytest.mark.parametrize(
    ("holder", "renewed", "shown"),
    [
        pytest.param("r1", 1, "running", id="it renews the lock"),
        pytest.param("r1", 600, "no sign of life since ", id="it was killed"),
        pytest.param("", 600, "interrupted", id="the lock is free"),
        pytest.param("r2", 1, "interrupted", id="another run has the lock"),
        pytest.param(None, 0, "interrupted", id="there is no lock"),
    ],
)
def test_a_run_without_an_end_is_called_what_its_lock_shows(holder: str | None, renewed: int, shown: str) -> None:
    cluster = switched(
        outcome="running", version="2.0", image="myapp:2.0", previous_version="1.0", previous_image="myapp:1.0"
    )
    if holder is not None:
        at = datetime.now(timezone.utc) - timedelta(seconds=renewed)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        cluster.put({"kind": "Lease", "metadata": {"name": "bluegreen-myapp"}, "spec": spec})
    row = next(line for line in status(cluster)["summary"] if "anna" in line and "release " in line)
    assert f"  {shown}" in row


def test_who_may_not_read_leases_is_shown_what_is_recorded() -> None:
    cluster = switched(
        outcome="running", version="2.0", image="myapp:2.0", previous_version="1.0", previous_image="myapp:1.0"
    )

    def refuse() -> None:
        raise ApiError("forbidden", "forbidden", 403)

    cluster.before("get", "Lease", refuse)
    assert any("  running  " in line for line in status(cluster)["summary"])


def test_a_release_does_not_read_the_lock_for_it() -> None:
    cluster = switched(
        outcome="running", version="2.0", image="myapp:2.0", previous_version="1.0", previous_image="myapp:1.0"
    )
    status(cluster, retire_after=None)
    assert "Lease" not in {request.kind for request in cluster.requests}
