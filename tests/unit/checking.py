# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run and read checks, for their tests."""

from __future__ import annotations

from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check as _smoke_check
from api import Api
from loopback import Seen
from recorded import RecordedCluster

PROXY = "/api/v1/namespaces/store/pods/"


def check(api: Api, *checks: dict[str, Any], said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    params = recorded.parameters(_smoke_check, checks=list(checks), **api.connection, **options)
    cluster = Cluster(params, "bg_smoke_check")
    return _smoke_check.run(params, cluster, (said if said is not None else []).append)


def failure(api: Api, *checks: dict[str, Any], **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        check(api, *checks, **options)
    return caught.value


def pods(api: Api) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in api.store.objects("Pod", "green"))


def proxied(api: Api) -> list[Seen]:
    return [seen for seen in api.server.seen if "/proxy/" in seen.path]


def parse(*checks: dict[str, Any]) -> list[dict[str, Any]]:
    return _checks.parse(recorded.parameters(_smoke_check, checks=list(checks)))


def mistakes(*checks: dict[str, Any], **options: Any) -> BlueGreenError:
    """Found in check mode too, and before anything is asked."""
    cluster = RecordedCluster(dry_run=True)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(_smoke_check, cluster, checks=list(checks), **options)
    assert caught.value.reason == "bad_input"
    assert cluster.requests == []
    return caught.value
