# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""One HTTP exchange: through the API server, through a port-forward, or by an address; each on a connection of its own.

``check`` says what is asked (REQUEST), where, and within which ``timeout``. NoAnswer is raised when there was no answer, or
it was not complete in that time. What is asked, and how an answer is read, is the same by every way.
"""

from __future__ import annotations

import codecs
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any, NamedTuple
from urllib.parse import unquote

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Tunnel
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

try:
    import requests
    import urllib3
except ImportError:
    pass  # the checks say that they are missing


# Bytes of an answer that are read; more is not needed to judge it and must not fill the memory.
BODY_LIMIT = 1024 * 1024

CHUNK = 65536

# They say what a text is, whatever its charset says (https://encoding.spec.whatwg.org/#bom-sniff).
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# Options of all that is asked by HTTP.
REQUEST: Object = {"method": "GET", "headers": {}, "body": None, "host": None, "ca_cert": None}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Answer(NamedTuple):
    """What came; the body without its Content-Encoding, and up to BODY_LIMIT bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    via: str

    @property
    def text(self) -> str:
        """The body in the charset that it has."""
        for mark, charset in MARKS:
            if self.body.startswith(mark):
                return self.body.decode(charset, "replace")
        about = Message()
        about["Content-Type"] = self.headers.get("Content-Type", "")
        try:
            return self.body.decode(about.get_content_charset("utf-8"), "replace")
        except (LookupError, ValueError):  # it names none
            return self.body.decode("utf-8", "replace")

    @property
    def still_encoded(self) -> str:
        """The Content-Encoding that could not be undone here; empty as a rule."""
        names = self.headers.get("Content-Encoding", "").lower().split(",")
        known = ("", "identity", "x-gzip", *urllib3.HTTPResponse.CONTENT_DECODERS)
        return ",".join(name.strip() for name in names if name.strip() not in known)


def read_request(reader: Any, parsed: Object) -> None:
    parsed["method"] = str(parsed["method"]).upper()
    if parsed["method"] not in METHODS:
        reader.wrong("method {0!r} is none of {1}", reader.check["method"], ", ".join(METHODS))
    if isinstance(parsed["body"], (dict, list)):
        parsed["body"] = json.dumps(parsed["body"])
        parsed["headers"] = dict({"Content-Type": "application/json"}, **parsed["headers"])
    elif parsed["body"] is not None and not isinstance(parsed["body"], str):
        reader.wrong("body is text, a dictionary or a list, not {0!r}", parsed["body"])


def joined_by_the_proxy(path: str) -> bool:
    """Whether the API server's proxy hands on another path: it decodes it, and joins its parts anew.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/rest/subresources.go (ProxyREST)
    """
    sent = _target(path).partition("?")[0]
    parts = unquote(sent).split("/")[1:]
    return len(parts) != sent.count("/") or "" in parts[:-1] or bool({".", ".."} & set(parts))


# --- through the API server ------------------------------------------------------------------------------------
def through_proxy(run: Run, check: Check, pod: Object | None) -> Answer:
    """Ask the pod, or the Service that the check names; works from wherever the API can be reached.

    https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
    """
    began, timeout = time.monotonic(), check["timeout"]
    if pod:
        kind, name, port = "pods", pod["metadata"]["name"], run.port_of(pod, check["port"])
    else:
        kind, name, port = "services", check["service"], check["port"]
    namespace = check.get("namespace") or run.cluster.namespace
    scheme = "https:" if check["scheme"] == "https" else ""
    path = f"/api/v1/namespaces/{namespace}/{kind}/{scheme}{name}:{port}/proxy/{_target(check['http']).lstrip('/')}"
    safe = check["method"] in ("GET", "HEAD")
    try:
        response = run.cluster.through_proxy(check["method"], path, _headers(check), check["body"], timeout)
        try:
            answer = _read(response, "proxy" if pod else "service_proxy", began, timeout)
        finally:
            response.close()
    except ApiError as error:
        raise NoAnswer(error.what, "api" if safe or not error.result["sent"] else "open") from error
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(error, timeout, time.monotonic() - began) from error
    refusal = _proxy_refusal(answer.status, answer.body, kind)
    if refusal:
        if answer.status == 403 and not run.cluster.refusal_stands(began):
            refusal.way = "api"  # no verdict; and it has not reached the application
        elif refusal.way == "api" and not safe and answer.status != 429:
            refusal.way = "open"
        raise refusal
    return answer


def _proxy_refusal(status: int, body: bytes, kind: str = "pods") -> NoAnswer | None:
    """What the API server itself says when it has no answer of the application, as a NoAnswer; ``None`` for an answer.

    The proxy answers with a Status object of its own; an application's 503 comes through as it is.
    """
    if status == 429 and body.startswith(b"Too many requests, please try again later."):
        return NoAnswer("the API server is overloaded (HTTP 429)", "api")
    if status not in (401, 403, 404, 429, 500, 502, 503, 504) or b'"kind"' not in body[:2000]:
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("kind") != "Status" or answer.get("apiVersion") != "v1":
        return None
    message = str(answer.get("message", ""))
    if status in (401, 403):
        return NoAnswer(
            f"the API server does not let this user reach the {kind[:-1]} (HTTP {status}): {message}; grant 'get' and 'create' on {kind}/proxy",
            "blocked",
        )
    if "no endpoints available" in message or "no service port" in message or status == 404:
        return NoAnswer(f"the API server could not reach the {kind[:-1]}: {message}", "blocked")
    if "connection refused" in message:
        # A port-forward might still come through, to the loopback address inside the pod. Users would not.
        return NoAnswer(
            f"nothing accepts connections at the pod's address, or a NetworkPolicy refuses the API server: {message}"
        )
    if "dial tcp" in message:
        return NoAnswer(
            f"the API server could not reach the {kind[:-1]} (a NetworkPolicy or firewall?): {message}",
            "blocked",
        )
    if not message.startswith("error trying to reach service"):
        return NoAnswer(f"the API server is in trouble (HTTP {status}): {message}", "api")
    return NoAnswer(f"the application broke the connection off, as the API server saw: {message}")


# --- through a port-forward ------------------------------------------------------------------------------------
def through_port_forward(run: Run, check: Check, pod: Any, timeout: float) -> Answer:
    began = time.monotonic()
    port = run.port_of(pod, check["port"])
    tunnel = Tunnel(run.cluster, pod["metadata"]["name"], port, timeout)
    near = tunnel.socket
    try:
        if check["scheme"] == "https":
            near = _tls(check).wrap_socket(near, server_hostname=check["host"] or pod["metadata"]["name"])
        connections: Any = urllib3.HTTPConnectionPool(pod["metadata"]["name"], port)
        connections.ConnectionCls = _over(near)
        response = connections.request(
            check["method"],
            _target(check["http"]),
            body=_bytes(check["body"]),
            headers={"Connection": "close", **_headers(check)},
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        return _read(response, "port_forward", began, timeout)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        failure = _no_answer(error, timeout, time.monotonic() - began)
        raise NoAnswer(tunnel.explain(str(failure)), failure.way) from error
    finally:
        near.close()
        tunnel.close()


def _over(near: Any) -> Any:
    """A class of connections that are there already."""

    class Connection(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            self.sock = near

    return Connection


def _tls(check: Check) -> ssl.SSLContext:
    """What a TLS connection to the application itself demands: its own CA's signature, or nothing."""
    if not check["ca_cert"]:
        # Certificates of pods name Services, are signed by anybody, and the API server's proxy does not look at them either.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=check["ca_cert"])


# --- by an address ---------------------------------------------------------------------------------------------
def by_url(check: Check) -> Answer:
    began = time.monotonic()
    try:
        # A connection of its own for every attempt: a kept one would go on to the pod it once reached.
        with requests.Session() as session:
            response = session.request(
                check["method"],
                check["url"],
                headers=_headers(check),
                data=_bytes(check["body"]),
                timeout=check["timeout"],
                verify=check["ca_cert"] or True,
                stream=True,
                allow_redirects=False,
            )
            return _read(response.raw, "url", began, check["timeout"])
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _no_answer(error, check["timeout"], time.monotonic() - began) from error


# --- all of them -----------------------------------------------------------------------------------------------
def _headers(check: Check) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in check["headers"].items()}
    if "accept" not in {name.lower() for name in headers}:
        headers["Accept"] = "application/json, */*;q=0.1" if "json" in check["expect"] else "*/*"
    return dict(headers, Host=check["host"]) if check["host"] else headers


def _target(path: str) -> str:
    """The path as it is sent: what no request can carry is encoded, dot segments are resolved, a fragment is left out."""
    target: str = urllib3.util.parse_url("http://pod" + path).request_uri
    return target


def _bytes(body: Any) -> Any:
    return body.encode() if isinstance(body, str) else body


def _read(response: Any, via: str, began: float, timeout: float) -> Answer:
    """The answer in a ``urllib3.HTTPResponse`` of which only the head has been read.

    An application that trickles it out must not outlast the timeout either.
    """
    parts, size = [], 0
    for piece in _pieces(response):
        parts.append(piece)
        size += len(piece)
        if time.monotonic() - began > timeout:
            raise NoAnswer(f"no complete answer in {timeout:g} s")
        if size > BODY_LIMIT:
            break
    return Answer(response.status, response.headers, b"".join(parts)[:BODY_LIMIT], via)


def _pieces(response: Any) -> Iterator[bytes]:
    """The body as it arrives: reading on until a chunk is full would never see the clock."""
    read = getattr(response, "read1", None)
    while True:
        piece = read(CHUNK, decode_content=True) if read else response.read(1024, decode_content=True)  # urllib3 1
        if not piece:
            return
        yield piece


def _no_answer(error: Exception, timeout: float, elapsed: float) -> NoAnswer:
    cause: Any = error
    while isinstance(getattr(cause, "reason", None), Exception):
        cause = cause.reason
    if "timed out" in str(cause).lower() or elapsed >= timeout:
        return NoAnswer(f"no answer in {timeout:g} s", "silent")
    if isinstance(cause, urllib3.exceptions.DecodeError):
        return NoAnswer(f"the answer is not what its Content-Encoding says: {cause.args[0]}")
    if isinstance(cause, (urllib3.exceptions.ProtocolError, requests.RequestException)) and isinstance(
        cause.args[-1], Exception
    ):
        cause = cause.args[-1]
    text = re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", str(cause)) or type(cause).__name__
    return NoAnswer(f"no answer: {' '.join(text.split())[:300]}")
