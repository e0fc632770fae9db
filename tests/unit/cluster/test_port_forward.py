# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address on the loopback interface that leads to a pod."""

from __future__ import annotations

import socket

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Listener
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color as _current_color
from api import Api
from loopback import Answer, Loopback, Seen, Takeover, refusal
from recorded import RecordedCluster


@pytest.fixture
def cluster(loopback: Loopback) -> Cluster:
    """Nothing listens in its pods."""
    return Cluster(recorded.parameters(_current_color, **Api(loopback, RecordedCluster()).connection), "test")


def connect(listener: Listener) -> bytes:
    with socket.create_connection(("127.0.0.1", listener.port), 5) as connection:
        return connection.recv(1)


def test_a_listener_says_what_the_node_said(cluster: Cluster) -> None:
    with Listener(cluster, "app-green-1", 9000, 5) as listener:
        assert listener.explain("not connected yet") == "not connected yet"
        assert connect(listener) == b""
        said = "the pod's node could not connect: 127.0.0.1:9000: connect: connection refused"
        assert listener.explain("closed") == said
        assert listener.error is None, "there was a port-forward"


@pytest.mark.parametrize(("status", "way"), [(404, "blocked"), (429, "api")])
def test_a_listener_knows_what_stood_in_the_way(status: int, way: str, cluster: Cluster, loopback: Loopback) -> None:
    before = loopback.answer

    def answer(seen: Seen) -> Answer | Takeover:
        return refusal(status, "no") if seen.path.endswith("/portforward") else before(seen)

    loopback.answer = answer
    with Listener(cluster, "app-green-1", 9000, 5) as listener:
        assert connect(listener) == b""
        assert listener.error is not None
        assert listener.error.way == way
