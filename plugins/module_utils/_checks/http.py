# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""HTTP of every pod, or of one Service: through the API server's proxy, or through a port-forward."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.exchange import (
    REQUEST,
    Answer,
    joined_by_the_proxy,
    read_request,
    through_port_forward,
    through_proxy,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

NAME = "http"

OPTIONS = {"port": None, "scheme": "http", "via": "auto", "service": None, "pods": "all", **REQUEST}

EXPECTATIONS = expect.ANSWER

WAYS = ("auto", "proxy", "port_forward", "service_proxy")

ONLY_PORT_FORWARD = {"authorization", "proxy-authorization"}  # the API server takes these headers for itself

OTHER_WAY_TIMEOUT = 2  # seconds in which a port-forward, and then the proxy, may show that only the proxy is blocked

PROXY_BLOCKED = "proxy blocked"  # a port-forward has answered where the API server's proxy did not


def read(reader: Reader, parsed: Object) -> None:
    if not str(parsed["http"] or "").startswith("/"):
        reader.wrong("http is a path that starts with '/', not {0!r}", parsed["http"])
    elif _leads_out(parsed["http"]):
        reader.wrong("http leads out of the application: {0!r}", parsed["http"])
    read_request(reader, parsed)
    if parsed["via"] not in WAYS:
        reader.wrong(
            "via {0!r} is none of {1}; a whole address is asked by url: instead of http:",
            parsed["via"],
            ", ".join(WAYS),
        )
    _read_proxied(reader, parsed)
    if parsed["ca_cert"]:
        if parsed["scheme"] != "https":
            reader.wrong("ca_cert is for scheme: https")
        if not parsed["host"]:
            reader.wrong("ca_cert needs host, the name in the application's certificate")
    if parsed["via"] == "service_proxy":
        if not parsed["service"]:
            reader.wrong("via service_proxy needs service, the name of a Service that selects the color")
        else:
            reader.label(parsed, "service", "service is the name of a Service")
        if "pods" in reader.check:
            reader.wrong("pods has no meaning for service_proxy, which asks any one of them")
        parsed.update(pods=None, where=f"Service {parsed['service']}")
        parsed["port"] = parsed["port"] or (443 if parsed["scheme"] == "https" else 80)
    elif parsed["service"]:
        reader.wrong("service is for via: service_proxy")


def _leads_out(path: str) -> bool:
    """Whether the path, behind that of the API server's proxy, may lead to something else of the API server.

    It is looked at as it is and decoded, as often as somebody on the way may decode it.
    """
    path, before = re.split(r"[?#]", str(path))[0], None
    while path != before:
        depth = 0
        for part in re.split(r"[/\\]", path):
            depth += -1 if part == ".." else 1 if part not in ("", ".") else 0
            if depth < 0:
                return True
        path, before = unquote(path), path
    return False


def _read_proxied(reader: Reader, parsed: Object) -> None:
    """What cannot be had by the API server's proxy."""
    if parsed["via"] not in ("proxy", "service_proxy"):
        return
    kept = _kept_headers(parsed)
    if kept:
        reader.wrong(
            "the API server keeps {0} for itself, so it does not reach the pod via {1}; use port_forward or auto",
            kept[0],
            parsed["via"],
        )
    path = str(parsed["http"])
    if path.startswith("/") and joined_by_the_proxy(path):
        reader.wrong(
            "the API server's proxy decodes the path and joins its parts anew, so {0!r} arrives as another one; use "
            "port_forward or auto",
            path,
        )
    if parsed["ca_cert"]:
        reader.wrong("the API server's proxy does not look at certificates; use ca_cert with port_forward or auto")


def _kept_headers(check: Check) -> list[str]:
    return sorted(name for name in check["headers"] if str(name).lower() in ONLY_PORT_FORWARD)


def _needs_port_forward(check: Check) -> bool:
    # The proxy rewrites Location.
    expected = {str(name).lower() for name in check["expect"].get("header", {})}
    return bool(
        _kept_headers(check) or check["ca_cert"] or "location" in expected or joined_by_the_proxy(check["http"])
    )


def asked(run: Run, check: Check, pod: Object | None) -> str:
    return f"{check['method']} :{run.port_of(pod, check['port']) if pod else check['port']}{check['http']}"


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    answer = _ask(run, check, pod)
    wrong = expect.judge(check["expect"], answer, time.monotonic() - began)
    return {"status": answer.status, "via": answer.via}, wrong


def _ask(run: Run, check: Check, pod: Object | None) -> Answer:
    via = check["via"]
    if via == "port_forward" or (via == "auto" and (_needs_port_forward(check) or PROXY_BLOCKED in run.learned)):
        return through_port_forward(run, check, pod, check["timeout"])
    try:
        return through_proxy(run, check, pod)
    except NoAnswer as error:
        if not pod:
            raise NoAnswer(f"{error}{_without_port(run, check)}", error.way) from error
        again = error.way == "blocked" or (error.way == "silent" and check["method"] in ("GET", "HEAD"))
        if via != "auto" or not again:
            raise
        # Between the API server and the pods may be what is not between users and the pods: a missing permission, or a
        # NetworkPolicy, of which nothing is seen but silence.
        try:
            answer = through_port_forward(run, check, pod, min(check["timeout"], OTHER_WAY_TIMEOUT))
        except NoAnswer as second:
            if second.way == "api":
                raise
            raise NoAnswer(f"{error}; {second}" if second.way == "blocked" else str(error)) from error
        if error.way == "silent" and _proxy_answers(run, check, pod):
            raise  # the application was slow, and is not any more: that is for the check's retries
        run.learned.add(PROXY_BLOCKED)
        return answer


def _without_port(run: Run, check: Check) -> str:
    """The ports that the Service has, if the one that is asked is none of them."""
    try:
        service = run.cluster.get("Service", check["service"])
    except ApiError:
        return ""
    ports = service["spec"].get("ports") or [] if service else []
    if not service or str(check["port"]) in {str(port.get(key)) for port in ports for key in ("name", "port")}:
        return ""
    shown = [" ".join(filter(None, [str(port["port"]), port.get("name")])) for port in ports]
    return f"; Service {check['service']} has no port {check['port']}, it has {', '.join(shown) or 'none'}"


def _proxy_answers(run: Run, check: Check, pod: Object | None) -> bool:
    try:
        through_proxy(run, dict(check, timeout=min(check["timeout"], OTHER_WAY_TIMEOUT)), pod)
    except NoAnswer:
        return False
    return True
