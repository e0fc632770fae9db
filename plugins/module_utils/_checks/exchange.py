# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""One HTTP exchange: through the API server, through a port-forward, or by an address; each on a connection of its own.

``check`` says what is asked (REQUEST), where, and within which ``timeout``. NoAnswer is raised when there was no answer, or
it was not complete in that time.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections import namedtuple
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Tunnel
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

try:
    import requests
    import urllib3
except ImportError:
    pass  # the checks say that they are missing


Answer = namedtuple("Answer", "status headers body via")  # the body up to BODY_LIMIT bytes

# Bytes of an answer that are read; more is not needed to judge it and must not fill the memory.
BODY_LIMIT = 1024 * 1024

CHUNK = 65536

# Options of all that is asked by HTTP.
REQUEST: Object = {"method": "GET", "headers": {}, "body": None, "host": None, "ca_cert": None}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def read_request(reader: Any, parsed: Object) -> None:
    parsed["method"] = str(parsed["method"]).upper()
    if parsed["method"] not in METHODS:
        reader.wrong("method {0!r} is none of {1}", reader.check["method"], ", ".join(METHODS))
    if isinstance(parsed["body"], (dict, list)):
        parsed["body"] = json.dumps(parsed["body"])
        parsed["headers"] = dict({"Content-Type": "application/json"}, **parsed["headers"])
    elif parsed["body"] is not None and not isinstance(parsed["body"], str):
        reader.wrong("body is text, a dictionary or a list, not {0!r}", parsed["body"])


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
    path = f"/api/v1/namespaces/{namespace}/{kind}/{scheme}{name}:{port}/proxy/{check['http'].lstrip('/')}"
    safe = check["method"] in ("GET", "HEAD")
    try:
        response = run.cluster.through_proxy(check["method"], path, _headers(check), check["body"], timeout)
        try:
            body = _limited(_pieces(response), began, timeout)
        finally:
            response.close()
    except ApiError as error:
        raise NoAnswer(error.what, "api" if safe or not error.result["sent"] else "open") from error
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(error, timeout, time.monotonic() - began) from error
    refusal = _proxy_refusal(response.status, body, kind)
    if refusal:
        if response.status == 403 and not run.cluster.refusal_stands(began):
            refusal.way = "api"  # no verdict; and it has not reached the application
        elif refusal.way == "api" and not safe and response.status != 429:
            refusal.way = "open"
        raise refusal
    return Answer(response.status, response.headers, body, "proxy" if pod else "service_proxy")


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
    if "no endpoints available" in message or status == 404:
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
    port: Any = run.port_of(pod, check["port"])  # for http.client a number, though it takes a name as well
    tunnel = Tunnel(run.cluster, pod["metadata"]["name"], port, timeout)
    near = tunnel.socket
    connection = http.client.HTTPConnection(check["host"] or pod["metadata"]["name"], port)
    try:
        if check["scheme"] == "https":
            near = _tls(check).wrap_socket(near, server_hostname=check["host"] or pod["metadata"]["name"])
        connection.sock = near
        headers = dict({"Connection": "close"}, **_headers(check))
        connection.request(check["method"], check["http"], body=_bytes(check["body"]), headers=headers)
        response = connection.getresponse()
        body = _limited(iter(lambda: response.read1(CHUNK), b""), began, timeout)
        return Answer(response.status, response.headers, body, "port_forward")
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        failure = _no_answer(error, timeout, time.monotonic() - began)
        raise NoAnswer(tunnel.explain(str(failure)), failure.way) from error
    finally:
        near.close()
        tunnel.close()


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
            body = _limited(_pieces(response.raw), began, check["timeout"])
            return Answer(response.status_code, response.headers, body, "url")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _no_answer(error, check["timeout"], time.monotonic() - began) from error


# --- all of them -----------------------------------------------------------------------------------------------
def _headers(check: Check) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in check["headers"].items()}
    return dict(headers, Host=check["host"]) if check["host"] else headers


def _bytes(body: Any) -> Any:
    return body.encode() if isinstance(body, str) else body


def _pieces(response: Any) -> Iterator[bytes]:
    """The body as it arrives: reading on until a chunk is full would never see the clock."""
    read = getattr(response, "read1", None)
    while True:
        piece = read(CHUNK, decode_content=True) if read else response.read(1024, decode_content=True)  # urllib3 1
        if not piece:
            return
        yield piece


def _limited(chunks: Iterable[bytes], began: float, timeout: float) -> bytes:
    """The body up to BODY_LIMIT; an application that trickles it out must not outlast the timeout either."""
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if time.monotonic() - began > timeout:
            raise NoAnswer(f"no complete answer in {timeout:g} s")
        if size > BODY_LIMIT:
            break
    return b"".join(parts)[:BODY_LIMIT]


def _no_answer(error: Exception, timeout: float, elapsed: float) -> NoAnswer:
    cause: Any = error
    while getattr(cause, "reason", None) and isinstance(cause.reason, Exception):
        cause = cause.reason
    if "timed out" in str(cause).lower() or elapsed >= timeout:
        return NoAnswer(f"no answer in {timeout:g} s", "silent")
    text = re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", str(cause)) or type(cause).__name__
    return NoAnswer(f"no answer: {' '.join(text.split())[:300]}")
