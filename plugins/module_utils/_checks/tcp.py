# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A TCP connection as a check: it is accepted, and answers what is expected, if anything is."""

from __future__ import annotations

import socket
import time
from collections import namedtuple
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Tunnel
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

NAME = "tcp"

OPTIONS = {"send": None, "pods": "all"}

EXPECTATIONS = expect.TEXT

Talk = namedtuple("Talk", "body via")

SETTLED = 1  # seconds after which a port-forward that was not broken off stands; a refusal comes within milliseconds
BODY_LIMIT = 65536  # bytes of the answer that are read


def read(reader: Reader, parsed: Object) -> None:
    host, _colon, port = str(parsed["tcp"]).rpartition(":")
    parsed.update(address=host.strip("[]"), port=port)
    reader.port(parsed)
    if host:
        if "pods" in reader.check:
            reader.wrong("pods has no meaning for an address")
        if not port.isdigit():
            reader.wrong("tcp is a port of the pods, or host:port, not {0!r}", parsed["tcp"])
        parsed.update(pods=None)
    if parsed["send"] is not None and not isinstance(parsed["send"], str):
        reader.wrong("send is text, not {0!r}", parsed["send"])


def asked(run: Run, check: Check, pod: Object | None) -> str:
    return f"TCP :{run.port_of(pod, check['port'])}" if pod else ""


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    def unlike(body: bytes) -> list[str]:
        return expect.judge_text(check["expect"], body.decode("utf-8", "replace"), 0)

    ended = _talk(run, check, pod, lambda body: not unlike(body))
    text = ended.body.decode("utf-8", "replace")
    wrong = expect.judge_text(check["expect"], text, time.monotonic() - began)
    return {"via": ended.via}, expect.with_answer(wrong, text)


def _talk(run: Run, check: Check, pod: Object | None, enough: Callable[[bytes], bool]) -> Talk:
    """Connect, send what is to be sent, and read until ``enough(bytes)`` is true.

    :raises NoAnswer: no connection, or it ended or ``timeout`` was over before that.
    """
    deadline = time.monotonic() + check["timeout"]
    if pod:
        tunnel = Tunnel(run.cluster, pod["metadata"]["name"], run.port_of(pod, check["port"]), check["timeout"])
        connection, via = tunnel.socket, "port_forward"
    else:
        tunnel, via = None, "address"
        try:
            connection = socket.create_connection((check["address"], check["port"]), check["timeout"])
        except OSError as error:
            raise NoAnswer(f"no connection: {error}", "blocked") from error
    body = b""
    with connection:
        try:
            if check["send"]:
                connection.sendall(check["send"].encode())
            if not enough(b""):
                return Talk(_read(connection, deadline, enough), via)
            if tunnel:
                # A port-forward does not say when it is connected, only when it could not be.
                connection.settimeout(min(SETTLED, check["timeout"]))
                try:
                    body = connection.recv(BODY_LIMIT)
                except socket.timeout:
                    return Talk(b"", via)
                if not body:
                    raise NoAnswer(tunnel.explain("the connection was closed at once"))
            return Talk(body, via)
        except OSError as error:
            raise NoAnswer(f"the connection broke: {tunnel.explain(str(error)) if tunnel else error}") from error


def _read(connection: socket.socket, deadline: float, enough: Callable[[bytes], bool]) -> bytes:
    body = b""
    while not enough(body) and len(body) < BODY_LIMIT:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection.settimeout(left)
        try:
            chunk = connection.recv(BODY_LIMIT)
        except socket.timeout:
            break
        if not chunk:
            break
        body += chunk
    return body
