# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between the runs and the API server: the connection pool that the collection gets, and what happens to requests.

A request takes time both ways. Every request of a run has a number; faults are planned by it: see `faults`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import urllib3
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.credentials import Access
from kubernetes.client import Configuration

from simulation.clock import Group, Hub, Killed

HOST = "https://kubernetes.simulated"
TOKEN = "s1mulated-t0ken-that-nobody-may-see"
CONFIGURATION = Configuration(host=HOST, api_key={"authorization": f"Bearer {TOKEN}"})

ONE_WAY = 0.002  # seconds that a request, or an answer, is under way


@dataclass
class Request:
    """One request of a process, as it was sent."""

    number: int  # of this run, from 1
    run: str
    method: str
    path: str
    query: dict[str, str]
    agent: str
    at: float
    watch: bool = False
    status: int | None = None  # of the answer; None as long as there is none
    said: str = ""  # what a fault has done to it
    place: str = ""  # the operation that sent it, such as ``switch``, and which of its requests it is: ``switch:3``

    @property
    def writes(self) -> bool:
        return self.method != "GET" and "dryRun" not in self.query

    def __str__(self) -> str:
        what = "WATCH" if self.watch else self.method
        return (
            f"{self.at:9.3f} {self.run} #{self.number} {what} {self.path} -> {self.status or '-'} {self.said}".rstrip()
        )


@dataclass
class Network:
    """All connections of all processes to the API server.

    :param api: answers requests.
    """

    hub: Hub
    api: Any
    requests: list[Request] = field(default_factory=list)
    down_until: float = 0.0  # an outage: nobody accepts connections
    down_status: int | None = None  # or a load balancer answers with this in the meantime
    numbers: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    streams: list[Any] = field(default_factory=list)
    meddle: Callable[[Request, str], str | None] = lambda request, moment: None
    acting: str | None = None  # the run whose request the server carries out at this moment
    trouble_at: float = -1e9  # when something happened last to requests

    def troubled(self, seconds: float) -> bool:
        """Whether requests have met with trouble in the last so many seconds."""
        return self.hub.now - max(self.trouble_at, self.down_until) < seconds

    def cut_watches(self) -> None:
        """Break all watches that are open."""
        streams, self.streams = self.streams, []
        for response in streams:
            response.break_off()

    def outage(self, seconds: float, status: int | None = None) -> None:
        self.down_until, self.down_status = self.hub.now + seconds, status
        self.cut_watches()

    # --- what the collection gets

    def load_configuration(self, options: Mapping[str, Any]) -> Access:
        return Access(CONFIGURATION, "kubeconfig simulated", "default")

    def connection_pool(self, configuration: Any) -> Any:
        return SimpleNamespace(request=self.request, connection_pool_kw={})

    @staticmethod
    def authorization(configuration: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {TOKEN}"}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: urllib3.Timeout,
        body: str | None = None,
        **_more: Any,
    ) -> Response:
        process = self._process()
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        run = process.name
        number = self.numbers[run] = self.numbers.get(run, 0) + 1
        watch = query.get("watch") == "true"
        agent = headers.get("User-Agent", "").rpartition("/")[2]
        request = Request(number, run, method, parts.path, query, agent, self.hub.now, watch)
        own = self.places[run, agent] = self.places.get((run, agent), 0) + 1
        request.place = f"{agent.removeprefix('bg_').replace('_', '-')}:{own}"
        self.requests.append(request)
        read = getattr(timeout, "_read", None)
        read = read if isinstance(read, (int, float)) else timeout.total or 30
        return self._carry(process, request, headers, body, read)

    def _carry(
        self,
        process: Group,
        request: Request,
        headers: Mapping[str, str],
        body: str | None,
        read: float,
    ) -> Response:
        hub = self.hub
        fate = self.meddle(request, "before")
        self._alive(process)
        if fate == "refused":
            raise urllib3.exceptions.NewConnectionError(_nobody(), "Connection refused")  # type: ignore[arg-type]
        if fate and fate.isdigit():
            hub.sleep(2 * ONE_WAY)
            request.status = int(fate)
            return Response(self, int(fate), {}, _trouble(int(fate)), None, read)
        hub.sleep(ONE_WAY)
        self._alive(process)
        if hub.now < self.down_until:
            if self.down_status:
                hub.sleep(ONE_WAY)
                return Response(self, self.down_status, {}, b"no server is available", None, read)
            raise urllib3.exceptions.NewConnectionError(_nobody(), "Connection refused")  # type: ignore[arg-type]
        if fate == "never arrives":
            hub.sleep(read)
            raise urllib3.exceptions.ReadTimeoutError(_nobody(), request.path, "Read timed out.")  # type: ignore[arg-type]
        self.acting = request.run
        try:
            answer = self.api.request(
                request.method, request.path, request.query, dict(headers), body.encode() if body is not None else None
            )
        finally:
            self.acting = None
        request.status = answer.status
        fate = self.meddle(request, "after")
        self._alive(process)
        if fate == "lost":
            hub.sleep(ONE_WAY)
            raise urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
        if fate == "silent":
            hub.sleep(read)
            raise urllib3.exceptions.ReadTimeoutError(_nobody(), request.path, "Read timed out.")  # type: ignore[arg-type]
        hub.sleep(ONE_WAY)
        self._alive(process)
        response = Response(self, answer.status, answer.headers, answer.body, answer.stream, read)
        if answer.stream is not None:
            self.streams.append(response)
        return response

    def _process(self) -> Group:
        task = self.hub.current
        if task is None:
            raise RuntimeError("a request from outside of all processes")
        self._alive(task.group)
        return task.group

    @staticmethod
    def _alive(process: Group) -> None:
        if process.dead:
            raise Killed


def _nobody() -> Any:
    return SimpleNamespace(host="kubernetes.simulated", port=443)


def _trouble(status: int) -> bytes:
    """What a proxy makes of it that writes into its answer what it was asked."""
    message = f"etcdserver: request timed out (authorization: Bearer {TOKEN})"
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
    ).encode()


class Response:
    """What the collection uses of a ``urllib3.HTTPResponse``."""

    def __init__(
        self, network: Network, status: int, headers: Mapping[str, str], body: bytes, stream: Any, read: float
    ) -> None:
        self.status = status
        self.headers = urllib3.HTTPHeaderDict(headers)
        self._network, self._body, self._stream, self._read = network, body, stream, read
        self._taken = False
        self._broken = self._closed = False
        self._connection = SimpleNamespace(sock=SimpleNamespace(shutdown=lambda how: self.break_off()))

    @property
    def data(self) -> bytes:
        return self._body

    def read1(self, amount: int | None = None, decode_content: bool | None = None) -> bytes:
        if self._taken:
            return b""
        self._taken = True
        return self._body

    read = read1

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        if self._stream is None:
            if self._body:
                yield self._body
            return
        stream = self._stream
        while True:
            while stream.lines and not self._broken:
                yield stream.lines.popleft()
            if self._broken:
                raise urllib3.exceptions.ProtocolError("Connection broken", ConnectionResetError(104, "reset by peer"))
            if stream.ended or self._closed:
                return
            if not stream.signal.wait(self._read) and not stream.lines and not self._broken and not stream.ended:
                raise urllib3.exceptions.ReadTimeoutError(_nobody(), "", "Read timed out.")  # type: ignore[arg-type]

    def break_off(self) -> None:
        self._broken = True
        self.close()
        if self._stream is not None:
            self._stream.signal.set()

    def close(self) -> None:
        self._closed = True
        if self._stream is not None:
            self._stream.close()
            if self in self._network.streams:
                self._network.streams.remove(self)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
