# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's side of a port-forward: a WebSocket that leads to a port of this machine.

https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from typing import BinaryIO

from loopback import Seen, Takeover
from websocket import ABNF

DATA, ERROR = b"\0", b"\1"  # channels
ACCEPTED = """HTTP/1.1 101 Switching Protocols\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Protocol: v4.channel.k8s.io\r
Sec-WebSocket-Accept: {0}\r
\r
"""
# What a kubelet says of a port on which nothing listens.
REFUSED = (
    "error forwarding port {0} to pod 0a1b, uid : failed to execute portforward in network namespace "
    '"/var/run/netns/cni-1": failed to connect to localhost:{0} inside namespace "0a1b", IPv4: dial tcp4 '
    "127.0.0.1:{0}: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found "
)


def port_forward(seen: Seen, port: int, to: int | None) -> Takeover:
    """The answer to a request for a port-forward to ``port``, behind which is ``to``; ``None`` for nothing."""

    def serve(reading: BinaryIO, far: socket.socket) -> None:
        key = seen.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        far.sendall(ACCEPTED.format(base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()).encode())
        for channel in (DATA, ERROR):
            _send(far, channel + struct.pack("<H", port))
        if to is None:
            _send(far, ERROR + REFUSED.format(port).encode())
            return
        with socket.create_connection(("127.0.0.1", to)) as near:
            threading.Thread(target=_answers, args=(near, far), daemon=True).start()
            with contextlib.suppress(OSError, struct.error):  # one of them has gone
                for data in iter(lambda: _frame(reading), b""):
                    near.sendall(data[1:])
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)

    return Takeover(serve)


def _answers(near: socket.socket, far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for data in iter(lambda: near.recv(65536), b""):
            _send(far, DATA + data)
        far.shutdown(socket.SHUT_RDWR)


def _send(far: socket.socket, data: bytes) -> None:
    far.sendall(ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, data).format())  # a server does not mask


def _frame(reading: BinaryIO) -> bytes:
    """The content of the next frame; empty when the client closes."""
    first, second = struct.unpack("!BB", reading.read(2))
    length = second & 0x7F
    if length > 125:
        length = struct.unpack(*(("!H", reading.read(2)) if length == 126 else ("!Q", reading.read(8))))[0]
    mask = reading.read(4)
    return b"" if first & 0x0F == ABNF.OPCODE_CLOSE else ABNF.mask(mask, reading.read(length))
