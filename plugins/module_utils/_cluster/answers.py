# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The API server's answers: objects, its ``Status`` as an error, and no answer at all as one."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, PatchConflict

try:
    import urllib3
except ImportError:
    pass  # credentials.py says so

# Of a loaded or restarting API server. A patch is safe to send again: it carries tests.
RETRIED_STATUS = (429, 500, 502, 503, 504)

VERBS = {"GET": "get", "PATCH": "patch", "POST": "create", "DELETE": "delete"}


def api_error(response: urllib3.HTTPResponse, method: str, path: str) -> ApiError:
    """The server's ``Status`` answer as an error that names verb, resource and namespace.

    See https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    body = response.data or b""
    try:
        status = json.loads(body)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    message = status.get("message") or body.decode("utf-8", "replace") or "no explanation"
    code = response.status
    where = f"{VERBS.get(method, method.lower())} {path}"
    what = f"The API server refused '{where}' (HTTP {code}): {short(message)}"
    if code == 401:
        return ApiError(
            f"The API server does not accept the credentials (HTTP 401 for '{where}').",
            "unauthorized",
            code,
            next_step="Renew the token or certificate, then run the same command again.",
        )
    if code == 403:
        return ApiError(
            what,
            "forbidden",
            code,
            next_step="Grant this verb on this resource to the user named above (see the Role in the documentation).",
        )
    # 422 is also sent for invalid objects; only a failed JSON Patch "test" has no list of causes.
    if code == 409 or (code == 422 and method == "PATCH" and not (status.get("details") or {}).get("causes")):
        return PatchConflict(what, "conflict", code)
    return ApiError(what, "not_found" if code == 404 else "api_error", code)


def upgrade_error(error: Any) -> ApiError:
    """The same of a request to become a WebSocket, as websocket-client says that it was refused."""
    try:
        message = json.loads(getattr(error, "resp_body", None) or b"")["message"]
    except (ValueError, KeyError, TypeError):
        message = "no explanation"
    return ApiError(f"HTTP {error.status_code}: {short(message)}", "api_error", error.status_code)


def decoded(response: urllib3.HTTPResponse, method: str, path: str, host: str, source: str) -> Any:
    """The object in an answer.

    :raises ApiError: there is none.
    """
    try:
        return json.loads(response.data)
    except ValueError as error:
        text = short(response.data.decode("utf-8", "replace"), 200)
        raise ApiError(
            f"{host} answered '{VERBS[method]} {path}' with something that is no JSON: {text}",
            "api_error",
            response.status,
            next_step=f"Something else answers at this address (a login page? a proxy?). It comes from {source}.",
        ) from error


def short(text: object, limit: int = 600) -> str:
    """Text on one line, and no longer than so many characters."""
    text = " ".join(str(text).split())
    return text if len(text) <= limit else text[:limit] + " ..."


def unreachable(failure: Exception, host: str, source: str) -> ApiError:
    """The error for a request without an answer; raised at once when waiting would not heal it."""
    reason = getattr(failure, "reason", None)
    cause = reason if isinstance(reason, Exception) else failure  # an ssl.SSLError's reason is text
    # Without urllib3's inside: "HTTPSConnection(host='...', port=...): Failed to establish a new connection: ..."
    text = re.sub(r"^\w+\(host=.*?\): (Failed to establish a new connection: )?(\[Errno -?\d+\] )?", "", str(cause))
    next_step = f"Check the address (it comes from {source}), the network and whether the API server runs; then run the same command again."
    error = ApiError(
        f"The API server {host} does not answer: {short(text)}",
        "api_unreachable",
        0,
        next_step=next_step,
    )
    # A handshake that the other side breaks off is no verdict on certificates: so does a load balancer that has no API
    # server behind it just now.
    broken_off = any(isinstance(item, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for item in (cause, *failure.args))
    if (
        isinstance(failure, urllib3.exceptions.SSLError)
        or isinstance(cause, ssl.SSLError)
        or "CERTIFICATE_VERIFY_FAILED" in text
    ) and not broken_off:
        error.what = f"The certificate of the API server {host} is not trusted: {short(text)}"
        error.next_step = f"Give the right ca_cert (K8S_AUTH_SSL_CA_CERT), or check that the address is right: it comes from {source}."
        raise error  # waiting does not heal it
    # A name that does not exist is a mistake; that no name server answers is an outage like others.
    looked_up = cause.__cause__ or cause.__context__
    no_such_name = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
    if isinstance(looked_up, socket.gaierror) and looked_up.errno in no_such_name:
        raise error
    return error
