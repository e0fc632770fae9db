# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A TCP connection to a port of a pod, carried by the API server: TLS and Authorization stay between us and the pod.

The protocol is the API server's own, one WebSocket for each connection, and its library is websocket-client, as in the
official client. That one's PortForward drops what it has received but not yet handed over when the connection ends, keeps
without limit what nobody reads, and prints tracebacks from its thread when the reader has had enough.
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError, NoAnswer

DATA, ERROR = 0, 1  # channels of the first port of a port-forward

CHUNK = 65536  # bytes


class Tunnel:
    """A connection to ``port`` of ``pod``. ``socket`` is its near end; closing it ends everything.

    :param timeout: seconds until the API server must have agreed, and for each read and write on ``socket``.
    :param near: the near end, when it is there already.
    :param told: called with what the node said when it could not connect, before the near end is closed.
    :raises NoAnswer: the API server does not let us through.
    """

    def __init__(
        self,
        cluster: Cluster,
        pod: str,
        port: int | str,
        timeout: float,
        near: socket.socket | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._told = told
        self.error: str | None = None  # what the node said when it could not connect
        sent = time.monotonic()
        try:
            self._far = cluster.port_forward(pod, port, timeout)
        except ApiError as error:
            if (
                error.status in (0, 429)
                or (error.status >= 500 and "dial" not in error.what)
                or (error.status == 403 and not cluster.refusal_stands(sent))
            ):
                raise NoAnswer(error.what, "api") from error
            denied = "; grant 'get' and 'create' on pods/portforward" if error.status in (401, 403) else ""
            raise NoAnswer(f"no port-forward to the pod: {error.what}{denied}", "blocked") from error
        if near:
            self._near = near
        else:
            self.socket, self._near = socket.socketpair()
            self.socket.settimeout(timeout)
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.socket.close()

    def explain(self, text: str) -> str:
        """Why the connection broke: what the node said, else ``text``."""
        self._thread.join(0.2)  # the reason comes right before the end
        return _short(self.error) if self.error else text

    def _carry(self) -> None:
        """Carry bytes both ways until one side ends. Nothing is kept: who does not read is not sent more."""
        import websocket  # loaded only where it is used

        far, near = self._far, self._near
        poll = select.poll()
        for end in (far.sock, near):
            poll.register(end, select.POLLIN)
        greeted = set()
        try:
            while True:
                # TLS may have decrypted more than was asked for; the socket itself shows nothing of it.
                pending = isinstance(far.sock, ssl.SSLSocket) and far.sock.pending()
                ready = {descriptor for descriptor, _event in poll.poll(0 if pending else None)}
                if pending or far.sock.fileno() in ready:
                    opcode, frame = far.recv_data_frame(True)
                    if opcode == websocket.ABNF.OPCODE_CLOSE:
                        return
                    if opcode == websocket.ABNF.OPCODE_BINARY and frame.data:
                        channel, data = frame.data[0], frame.data[1:]
                        if channel not in greeted:
                            greeted.add(channel)  # the first frame of each channel repeats the port's number
                        elif channel == DATA:
                            near.sendall(data)
                        elif channel == ERROR:
                            self.error = (self.error or "") + data.decode("utf-8", "replace")
                if near.fileno() in ready:
                    data = near.recv(CHUNK)
                    if not data:
                        return
                    far.send_binary(bytes([DATA]) + data)
        except (OSError, websocket.WebSocketException):
            pass  # one of the two sides is gone, which the other one is told by closing it
        finally:
            if self.error and self._told:
                self._told(self.error)
            near.close()
            far.shutdown()


class Listener:
    """An address on the loopback interface, each of whose connections leads to ``port`` of ``pod``. A context manager."""

    def __init__(self, cluster: Cluster, pod: str, port: int | str, timeout: float) -> None:
        self._to = (cluster, pod, port, timeout)
        self.error: NoAnswer | None = None  # why the last connection could not be made
        self._said: str | None = None  # what the node said last
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._server.close()

    def explain(self, text: str) -> str:
        """Why the last connection broke: what the node said, else ``text``."""
        return _short(self._said) if self._said else text

    def _accept(self) -> None:
        while True:
            try:
                near = self._server.accept()[0]
            except OSError:
                return  # closed
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            Tunnel(*self._to, near=near, told=self._note)
        except (BlueGreenError, NoAnswer) as error:
            self.error = error if isinstance(error, NoAnswer) else NoAnswer(error.what)
            near.close()

    def _note(self, error: str) -> None:
        self._said = error


def _short(text: str) -> str:
    """The node's message without its names of namespaces and sandboxes."""
    text = " ".join(text.split())
    head, _colon, reason = text.rpartition("dial tcp4 ")
    if head:
        return f"the pod's node could not connect: {reason.split(' IPv6 ')[0]}"[:300]
    head, _colon, reason = text.rpartition("read tcp")
    if head:
        return f"the application broke the connection off, as its node saw: {reason.rpartition(': ')[2]}"[:300]
    return f"the pod's node could not connect: {text}"[:300]
