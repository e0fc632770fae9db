# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Cluster that asks an address, for tests of the connection itself."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError

NOTHING: dict[str, Any] = dict.fromkeys(
    [
        "host",
        "api_key",
        "kubeconfig",
        "context",
        "username",
        "password",
        "client_cert",
        "client_key",
        "ca_cert",
        "validate_certs",
        "proxy",
        "no_proxy",
        "impersonate_user",
        "namespace",
    ]
)


def connect(
    url: str, said: list[str] | None = None, dry_run: bool = False, before_write: Any = None, **options: Any
) -> Cluster:
    options = {**NOTHING, "host": url, "api_key": "s3cret", "namespace": "store", "api_timeout": 10, **options}
    return Cluster(options, "bg_test", dry_run, (said if said is not None else []).append, before_write)


def failure(call: Callable[[], Any]) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        call()
    assert "s3cret" not in str(caught.value)
    return caught.value
