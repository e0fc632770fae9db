# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP of pods: what is sent, and whose answer it is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from api import Api
from checking import PROXY, check, failure, mistakes, parse, proxied
from loopback import Answer, Loopback, as_json, refusal


def test_what_is_sent(api: Api) -> None:
    one = {
        "name": "post",
        "http": "/api/users",
        "method": "post",
        "headers": {"X-Test": "yes"},
        "body": {"name": "ann"},
        "scheme": "https",
    }
    check(api, one)
    for seen in proxied(api):
        assert seen.path.startswith(PROXY + "https:app-green-")
        assert (seen.method, json.loads(seen.body)) == ("POST", {"name": "ann"})
        assert (seen.headers["X-Test"], seen.headers["Content-Type"]) == ("yes", "application/json")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "error trying to reach service: dial tcp 198.18.4.9:8080: connect: connection refused",
            "nothing accepts connections at the pod's address",
        ),
        ("error trying to reach service: EOF", "as the API server saw: error trying to reach service: EOF"),
    ],
)
def test_the_api_servers_own_503_does_not_look_like_the_applications(message: str, said: str, api: Api) -> None:
    api.application = lambda seen, pod, path: refusal(503, message, reason="ServiceUnavailable")
    error = failure(api, {"name": "health", "http": "/health"})
    assert said in str(error)
    assert "HTTP 503" not in str(error)
    assert {item["status"] for item in error.result["checks"]} == {None}


@pytest.mark.parametrize(
    "extra", [{}, {"kind": "Problem"}, {"kind": "Status"}, {"kind": "Status", "apiVersion": "shop/v1"}]
)
def test_the_applications_503_is_the_applications(extra: dict[str, str], api: Api) -> None:
    answer = {"status": "overloaded", **extra}
    api.application = lambda seen, pod, path: as_json(answer, 503)
    error = failure(api, {"name": "health", "http": "/health"})
    assert f"HTTP 503 instead of 2xx (answer: {json.dumps(answer)})" in str(error)
    assert "API server" not in str(error)
    assert {item["status"] for item in error.result["checks"]} == {503}


def test_an_expected_503_is_not_met_by_the_api_servers(api: Api) -> None:
    one = {"name": "down", "http": "/", "expect": {"status": 503}}
    api.application = lambda seen, pod, path: refusal(503, "error trying to reach service: EOF")
    assert failure(api, one).reason == "checks_failed"
    api.application = lambda seen, pod, path: as_json({}, 503)
    assert check(api, one)["passed"] is True


def test_a_missing_permission_is_named(api: Api) -> None:
    api.application = lambda seen, pod, path: refusal(403, 'User "ann" cannot get resource "pods/proxy"')
    error = failure(api, {"name": "health", "http": "/health"})
    assert 'User "ann" cannot get resource "pods/proxy"' in str(error)
    assert "pods/proxy" in str(error)


def test_a_refusal_by_an_api_server_that_is_not_ready_yet_is_no_verdict(api: Api) -> None:
    """It has just started and does not know the Roles yet."""
    starting = [True] * 4
    lock = threading.Lock()

    def ready() -> Answer:
        with lock:
            return refusal(500, "not ready") if starting and starting.pop() else as_json("ok")

    api.ready = ready
    api.application = lambda seen, pod, path: (
        refusal(403, 'User "ann" cannot get resource "pods/proxy"') if starting else as_json({"status": "ok"})
    )
    result = check(api, {"name": "health", "http": "/health"})
    assert {item["via"] for item in result["checks"]} == {"proxy"}
    assert {item["attempts"] for item in result["checks"]} == {1}


# --- through a port-forward


@pytest.fixture
def application(api: Api) -> Iterator[Loopback]:
    """Listens on the port of the pods, and says what it has got."""
    with Loopback() as server:
        server.answer = lambda seen: as_json(dict(seen.headers), Location="/here")
        api.listening[8080] = server.port
        yield server


PROXY_KEEPS = [
    {"headers": {"Authorization": "Bearer s3cret"}, "expect": {"json": {"Authorization": "Bearer s3cret"}}},
    {"expect": {"header": {"location": "/here"}}},
    {"via": "port_forward", "host": "shop.example", "expect": {"json": {"Host": "shop.example"}}},
]


@pytest.mark.parametrize("one", PROXY_KEEPS, ids=["authorization", "location", "host"])
def test_what_the_proxy_would_change_goes_through_a_port_forward(
    one: dict[str, Any], application: Loopback, api: Api
) -> None:
    result = check(api, {"http": "/health", **one})
    assert [item["via"] for item in result["checks"]] == ["port_forward"] * 3
    assert [seen.path for seen in application.seen] == ["/health"] * 3
    assert proxied(api) == []


def test_a_port_forward_when_the_proxy_is_blocked(application: Loopback, api: Api) -> None:
    """It is found out once, and remembered for the rest of the run."""
    message = "error trying to reach service: dial tcp 198.18.4.9:8080: i/o timeout"
    api.application = lambda seen, pod, path: refusal(503, message, reason="ServiceUnavailable")
    result = check(api, {"name": "a", "http": "/a"}, {"name": "b", "http": "/b"}, parallel=1)
    assert [item["via"] for item in result["checks"]] == ["port_forward"] * 6
    assert len(proxied(api)) == 1
    error = failure(api, {"name": "a", "http": "/a", "via": "proxy"})
    assert "the API server could not reach the pod (a NetworkPolicy or firewall?)" in str(error)


def test_a_port_forward_to_a_port_on_which_nothing_listens(api: Api) -> None:
    error = failure(api, {"name": "health", "http": "/health", "via": "port_forward"})
    assert "the pod's node could not connect: 127.0.0.1:8080: connect: connection refused" in str(error)


def test_ways_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    error = mistakes(
        {"name": "a", "http": "/", "via": "tunnel"},
        {"name": "b", "http": "/", "via": "proxy", "ca_cert": "ca.pem", "headers": {"Authorization": "x"}},
        {"name": "c", "http": "/", "via": "service_proxy", "pods": "any"},
        {"name": "d", "http": "/", "service": "myapp"},
        {"name": "e", "http": "/", "ca_cert": "absent.pem", "scheme": "https", "host": "shop.example"},
        chdir=str(tmp_path),
    )
    assert error.why == [
        "check a: via 'tunnel' is none of auto, proxy, port_forward, service_proxy; a whole address is asked by url: "
        "instead of http:",
        "check b: the API server keeps Authorization for itself, so it does not reach the pod via proxy; use "
        "port_forward or auto",
        "check b: the API server's proxy does not look at certificates; use ca_cert with port_forward or auto",
        "check b: ca_cert is for scheme: https",
        "check b: ca_cert needs host, the name in the application's certificate",
        "check c: via service_proxy needs service, the name of a Service that selects the color",
        "check c: pods has no meaning for service_proxy, which asks any one of them",
        "check d: service is for via: service_proxy",
        f"check e: ca_cert: there is no file {tmp_path}/absent.pem",
    ]


def test_a_service_is_asked_once(api: Api) -> None:
    api.application = lambda seen, service, path: as_json({"service": service})
    one = {"http": "/", "via": "service_proxy", "service": "preview", "expect": {"json": {"service": "preview:80"}}}
    (item,) = check(api, one)["checks"]
    assert (item["target"], item["via"]) == ("Service preview", "service_proxy")


OUTSIDE = [
    "/../../../secrets",
    "/..",
    "/a/../../secrets",
    "/%2e%2e/x",
    "/%2E./x",
    "/.%252e/x",
    "/..%2fx",
    "/a%2f..%2f..%2fx",
    "/..\\x",
    "/..%5cx",
    "//../x",
    "/..?a=b",
    "/..#a",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leads_out_of_the_pod_is_refused(path: str) -> None:
    (text,) = mistakes({"name": "up", "http": path}).why
    assert text.startswith(f"check up: http leads out of the application: {path!r}")


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/...", "/a..b", "/?next=../..", "/a#../.."])
def test_one_that_stays_inside_is_not(path: str) -> None:
    assert parse({"name": "up", "http": path})[0]["http"] == path


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "a?b", "a%2f..", "A", "a\n", "..", 1.5])
def test_a_service_that_leads_elsewhere_is_refused(name: Any) -> None:
    (text,) = mistakes({"name": "up", "http": "/", "via": "service_proxy", "service": name}).why
    assert text == f"check up: service is the name of a Service, not {name!r}"
    for option in ("service", "namespace", "port"):
        server = {"service": "prometheus", "namespace": "monitoring", option: str(name)}
        error = mistakes({"name": "rate", "prometheus": "up", "expect": {"min": 1}}, prometheus=server)
        if (option, name) != ("port", "A"):
            assert f"prometheus.{option}" in error.why[0]
