# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to the API server on which requests can be held, lost, answered wrongly or cut, exactly where a test wants.

    with Gateway(harness.kubeconfig(), directory) as gateway:
        config = gateway.kubeconfig("run-1", token)       # KUBECONFIG of one run; its User-Agent in the audit log ends
                                                          # with " run-1"
        gate = gateway.hold("run-1", Match("bg_switch", "PATCH", "/services/"))
        ...                                               # start the run
        gate.reached()                                    # it has decided to switch, and nothing has been written
        ...                                               # now something happens
        gate.open()                                       # the request goes on; gate.status is what became of it

The way from the run to the gateway is plain HTTP on the loopback interface; from there on it is the cluster's own.
A request goes on with the token that it carries.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from cluster.toolchain import Failure

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade"}
UPSTREAM_SECONDS = 400  # longer than any watch


@dataclass
class Seen:
    """A request of a run. `status` is 0 as long as there is no answer, and when there was none."""

    at: float
    run: str
    module: str  # bg_switch, ...
    method: str
    path: str
    body: str
    status: int = 0

    def __str__(self) -> str:
        return f"{self.module} {self.method} {self.path.partition('?')[0]} {self.status or 'no answer'}"


@dataclass(frozen=True)
class Match:
    """Which requests are meant: module, method, and regular expressions found in path (with query) and body."""

    module: str = ""
    method: str = ""
    path: str = ""
    body: str = ""

    def __call__(self, seen: Seen) -> bool:
        return (
            self.module in ("", seen.module)
            and self.method in ("", seen.method)
            and re.search(self.path, seen.path) is not None
            and re.search(self.body, seen.body) is not None
        )


WATCH = Match(method="GET", path=r"[?&]watch=true")


class Gate:
    """Holds one request: before it reaches the API server, or (after=True) its answer. Then it also holds, until it is
    opened, whatever else matches: the same request tried again.

    `status`: what the API server answered; None until then. `seen`: the request.
    """

    def __init__(self, run: str, match: Match, nth: int, after: bool) -> None:
        self.run, self.match, self.after = run, match, after
        self.left = nth
        self.seen: Seen | None = None
        self.status: int | None = None
        self._reached, self._open, self._answered = threading.Event(), threading.Event(), threading.Event()
        self._forward = True

    def reached(self, seconds: float = 60) -> Seen:
        """Wait until the request is held. Raises Failure when it does not come."""
        if not self._reached.wait(seconds):
            raise Failure(f"{self.run} made no request like {self.match} within {seconds:.0f} s")
        assert self.seen
        return self.seen

    def open(self) -> None:
        """Let it go on."""
        self._open.set()

    def drop(self) -> None:
        """Lose it: the connection is reset."""
        self._forward = False
        self._open.set()

    def answered(self, seconds: float = 10) -> int:
        """Wait until the API server has answered; its status. Raises Failure when it has not."""
        if not self._answered.wait(seconds) or self.status is None:
            raise Failure(f"{self.match} was not answered by the API server within {seconds:.0f} s of being let go")
        return self.status

    # for the gateway

    def takes(self, seen: Seen) -> bool:
        if self._open.is_set() or seen.run != self.run or not self.match(seen):
            return False
        self.left -= 1
        if self.left == 0:
            self.seen = seen
        return self.left <= 0

    def hold(self) -> bool:
        """Wait to be opened; whether the request goes on."""
        self._reached.set()
        self._open.wait()
        return self._forward

    def book(self, seen: Seen) -> None:
        if seen is self.seen:
            self.status = seen.status or None
            self._answered.set()


@dataclass
class Fault:
    """What is done to requests instead of, or beside, passing them on. Once `times` are used up it is over.

    status, text: the answer given instead of the API server's. reset: no answer, the connection breaks.
    lose_answer: the API server gets it, the run never hears of it. cut: seconds after which a streamed answer breaks.
    """

    run: str
    match: Callable[[Seen], bool]
    times: int = 1
    status: int = 0
    text: str = "injected"
    reset: bool = False
    lose_answer: bool = False
    cut: float = 0
    used: int = 0

    def takes(self, seen: Seen) -> bool:
        if self.used < self.times and seen.run == self.run and self.match(seen):
            self.used += 1
            return True
        return False


class Gateway:
    """Serves on a port of 127.0.0.1 until the context ends. `seen` has every request, the oldest first."""

    def __init__(self, kubeconfig: str, directory: Path) -> None:
        self.directory = directory
        self.seen: list[Seen] = []
        self.tokens: dict[str, str] = {}  # run → what its requests carry instead of their own token
        self.down: set[str] = set()  # runs for which the API server is not there
        self._rules: list[Gate | Fault] = []
        self._lock = threading.Lock()
        self._host, self._ca = _upstream(kubeconfig)
        self._context = ssl.create_default_context(cadata=self._ca)
        gateway = self

        class Handler(_Handler):
            owner = gateway

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            for rule in self._rules:
                if isinstance(rule, Gate):
                    rule.drop()  # nothing waits for ever
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, run: str, token: str, direct: bool = False) -> Path:
        """The path of a kubeconfig that leads here. token: of a ServiceAccount.

        direct: it leads to the API server itself, past the gateway, as port-forwards need it.
        """
        path = self.directory / f"{run}.kubeconfig"
        ca = base64.b64encode(self._ca.encode()).decode()
        cluster = (
            {"server": self._host, "certificate-authority-data": ca} if direct else {"server": f"{self.address}/{run}"}
        )
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "gateway",
                    "clusters": [{"name": "gateway", "cluster": cluster}],
                    "users": [{"name": "gateway", "user": {"token": token}}],
                    "contexts": [{"name": "gateway", "context": {"cluster": "gateway", "user": "gateway"}}],
                }
            )
        )
        return path

    def hold(self, run: str, match: Match, nth: int = 1, after: bool = False) -> Gate:
        """Hold the nth request of a run that matches."""
        gate = Gate(run, match, nth, after)
        self._add(gate)
        return gate

    def fault(self, run: str, match: Callable[[Seen], bool], **what: object) -> Fault:
        """Do something (see Fault) to requests of a run that match."""
        fault = Fault(run, match, **what)  # type: ignore[arg-type]
        self._add(fault)
        return fault

    def requests(self, run: str) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.run == run]

    def _add(self, rule: Gate | Fault) -> None:
        with self._lock:
            self._rules.append(rule)

    def book(self, seen: Seen) -> Gate | Fault | None:
        """Remember a request; what is to be done with it."""
        with self._lock:
            self.seen.append(seen)
            return next((rule for rule in self._rules if rule.takes(seen)), None)

    def connect(self) -> http.client.HTTPSConnection:
        parts = urlsplit(self._host)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=UPSTREAM_SECONDS, context=self._context
        )


class _Handler(BaseHTTPRequestHandler):
    """One connection of a run."""

    owner: Gateway
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        _empty, run, path = self.path.split("/", 2)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        module = self.headers.get("User-Agent", "").partition("bluegreen.kubernetes/")[2]
        seen = Seen(time.time(), run, module, self.command, f"/{path}", body.decode(errors="replace"))
        rule = self.owner.book(seen)
        gate = rule if isinstance(rule, Gate) else None
        fault = rule if isinstance(rule, Fault) else None
        if gate and not (gate.after and seen is gate.seen) and not gate.hold():
            gate.book(seen)
            self._reset()
        elif run in self.owner.down or fault and fault.reset:
            self._reset()
        elif fault and fault.status:
            self._answer(fault, seen)
        else:
            try:
                self._forward(seen, body, gate, fault)
            except (OSError, http.client.HTTPException):
                # What the API server does to a connection, refused or broken, is done to the run's.
                if gate:
                    gate.book(seen)
                self._reset()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def _forward(self, seen: Seen, body: bytes, gate: Gate | None, fault: Fault | None) -> None:
        headers = {key.title(): value for key, value in self.headers.items() if key.lower() not in HOP_BY_HOP}
        headers["User-Agent"] = f"{headers.get('User-Agent', '')} {seen.run}"
        if seen.run in self.owner.tokens:
            headers["Authorization"] = f"Bearer {self.owner.tokens[seen.run]}"
        upstream = self.owner.connect()
        with contextlib.closing(upstream):
            upstream.request(self.command, seen.path, body or None, headers)
            answer = upstream.getresponse()
            seen.status = answer.status
            if gate:
                gate.book(seen)
                if gate.after and seen is gate.seen and not gate.hold():
                    self._reset()
                    return
            if fault and fault.lose_answer:
                self._reset()
                return
            length = answer.getheader("Content-Length")
            self.send_response_only(answer.status, answer.reason)
            for key, value in answer.getheaders():
                if key.lower() not in HOP_BY_HOP:
                    self.send_header(key, value)
            if length is not None:
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(answer.read())
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._stream(seen, answer, upstream, fault.cut if fault else 0)

    def _stream(
        self, seen: Seen, answer: http.client.HTTPResponse, upstream: http.client.HTTPSConnection, cut: float
    ) -> None:
        # http.client hands the socket over to an answer that ends with its connection, but never for chunked ones.
        sock = upstream.sock
        assert sock is not None
        over = threading.Event()

        def guard() -> None:
            """End the API server's side when the run's side has ended, or when it is time to cut."""
            end = time.monotonic() + cut if cut else float("inf")
            while not over.is_set():
                if time.monotonic() > end or seen.run in self.owner.down or self._gone():
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                    return
                over.wait(0.05)

        threading.Thread(target=guard, daemon=True).start()
        try:
            while chunk := answer.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        finally:
            over.set()

    def _gone(self) -> bool:
        try:
            readable = select.select([self.connection], [], [], 0)[0]
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _answer(self, fault: Fault, seen: Seen) -> None:
        seen.status = fault.status
        if fault.status == 429:  # as the API server's priority and fairness does it
            data, kind = fault.text.encode(), {"Content-Type": "text/plain; charset=utf-8", "Retry-After": "1"}
        else:
            answer = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": fault.text,
                "code": fault.status,
            }
            data, kind = json.dumps(answer).encode(), {"Content-Type": "application/json"}
        self.send_response_only(fault.status)
        for key, value in {**kind, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        """End the connection as a crash does: with a reset."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the run has gone away, or was sent away
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: `seen` has it."""


def _upstream(kubeconfig: str) -> tuple[str, str]:
    """The address of a kubeconfig's API server, and its CA. Raises Failure when it names no CA."""
    config = yaml.safe_load(Path(kubeconfig).read_text())

    def named(kind: str, name: str) -> dict:
        return next(item[kind] for item in config[f"{kind}s"] if item["name"] == name)

    cluster = named("cluster", named("context", config["current-context"])["cluster"])
    if "certificate-authority-data" in cluster:
        return cluster["server"], base64.b64decode(cluster["certificate-authority-data"]).decode()
    if "certificate-authority" in cluster:
        return cluster["server"], Path(kubeconfig).parent.joinpath(cluster["certificate-authority"]).read_text()
    raise Failure(f"{kubeconfig}: the fault suite needs certificate-authority or certificate-authority-data in it")
