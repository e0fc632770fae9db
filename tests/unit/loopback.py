# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on 127.0.0.1 whose answers a test decides, for what is about HTTP: retries, watches, TLS, checks."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Callable, Iterable, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict


class Seen(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: CaseInsensitiveDict
    body: bytes
    client: tuple[str, int]  # address and port of the connection


class Answer(NamedTuple):
    """``body`` may be an iterable of pieces: they are sent as they come, as chunks unless Content-Length is given."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = {}


class Takeover(NamedTuple):
    """The connection is ``serve``'s, which gets what to read from and what to write to."""

    serve: Callable[[BinaryIO, socket.socket], None]


CUT = Answer(0)  # closes the connection without an answer


def as_json(document: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


def refusal(status: int, message: str = "no", **fields: Any) -> Answer:
    """A Status object of the API server."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "code": status,
    }
    return as_json(dict(body, **fields), status)


class Loopback:
    """The server; ``answer`` is called for each request, in a thread of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Answer | Takeover] = lambda seen: refusal(404, f"nothing at {seen.path}")
        self.errors: list[BaseException | None] = []  # what went wrong in an answer; it fails the test in the end
        self.closing = threading.Event()  # set at the end; what an answer waits for must end then
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # an answer goes out at once, in one piece
            wbufsize = -1

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the client has gone
                    self.close_connection = True

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self._any
                raise AttributeError(name)

            def _any(self) -> None:
                address = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = dict(parse_qsl(address.query, keep_blank_values=True))
                seen = Seen(
                    self.command, address.path, query, CaseInsensitiveDict(self.headers), body, self.client_address
                )
                outer.seen.append(seen)
                self._send(outer.answer(seen))

            def _send(self, answer: Answer | Takeover) -> None:
                if isinstance(answer, Takeover):
                    self.close_connection = True
                    answer.serve(self.rfile, self.connection)
                    return
                if answer is CUT:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                whole = isinstance(answer.body, bytes)
                chunked = not whole and "Content-Length" not in answer.headers
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if whole and "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                if chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if self.command == "HEAD":
                    return
                if not whole:
                    self.wfile.flush()
                for piece in [answer.body] if whole else answer.body:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                    if not whole:
                        self.wfile.flush()
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                error = sys.exc_info()[1]
                if not isinstance(error, OSError):  # a client that hung up, or did not trust us
                    outer.errors.append(error)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Loopback:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        assert not self.errors, self.errors


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]
