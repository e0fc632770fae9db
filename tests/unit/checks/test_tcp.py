# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP connections: to pods through a port-forward, and to an address."""

from __future__ import annotations

import socket
import threading
from typing import Iterator

import pytest
from api import Api
from checking import check, failure, pods
from loopback import free_port


@pytest.fixture
def redis(api: Api) -> Iterator[int]:
    """Listens on port 6379 of every pod, and answers PING; the port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                while connection.recv(100) == b"PING\r\n":
                    connection.sendall(b"+PONG\r\n")

        def accept() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        api.listening[6379] = server.getsockname()[1]
        yield api.listening[6379]
        server.shutdown(socket.SHUT_RDWR)


PING = {"send": "PING\r\n", "expect": {"text": "PONG"}}


def test_a_port_of_every_pod(redis: int, api: Api) -> None:
    result = check(api, {"tcp": 6379}, {"name": "ping", "tcp": 6379, **PING})
    assert [item["target"] for item in result["checks"]] == pods(api) * 2
    assert {(item["kind"], item["via"], item["status"]) for item in result["checks"]} == {("tcp", "port_forward", None)}


def test_another_answer_is_shown(redis: int, api: Api) -> None:
    error = failure(api, {"name": "ping", "tcp": 6379, "timeout": "300ms", **PING, "expect": {"text": "pong"}})
    assert f"ping on {pods(api)[0]}: the text 'pong' is not in the answer (answer: +PONG)" in str(error)


def test_a_port_on_which_nothing_listens(api: Api) -> None:
    error = failure(api, {"name": "ping", "tcp": 6379})
    said = "the pod's node could not connect: 127.0.0.1:6379: connect: connection refused"
    assert f"ping on {pods(api)[0]}: {said}" in str(error)


def test_an_address_is_asked_once(redis: int, api: Api) -> None:
    (item,) = check(api, {"tcp": f"127.0.0.1:{redis}", **PING})["checks"]
    assert (item["target"], item["via"]) == (f"127.0.0.1:{redis}", "address")
    error = failure(api, {"name": "ping", "tcp": f"127.0.0.1:{free_port()}"})
    assert "no connection: " in str(error)
