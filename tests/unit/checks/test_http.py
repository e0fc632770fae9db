# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP of pods: what is sent, and whose answer it is."""

from __future__ import annotations

import json
import threading

import pytest
from api import Api
from checking import PROXY, check, failure, proxied
from loopback import Answer, as_json, refusal


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
