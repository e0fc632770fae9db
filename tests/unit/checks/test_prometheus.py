# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries to Prometheus as checks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check
from api import Api
from checking import check, failure, mistakes
from loopback import Answer, Seen, as_json
from recorded import parameters


def server(**options: Any) -> dict[str, Any]:
    return {"prometheus": options}


def answers(api: Api, *samples: tuple[dict[str, str], str]) -> None:
    vector = [{"metric": metric, "value": [1, value]} for metric, value in samples]
    found = as_json({"status": "success", "data": {"resultType": "vector", "result": vector}})
    api.server.answer = lambda seen: found if seen.path.endswith("/api/v1/query") else api.answer(seen)


LOAD = {"name": "load", "prometheus": "sum(load)", "expect": {"max": 80}}


@pytest.mark.parametrize("way", ["url", "service"])
def test_a_number_within_its_limits(way: str, api: Api) -> None:
    answers(api, ({}, "79.5"))
    options = server(url=api.server.url) if way == "url" else server(service="prometheus", namespace="monitoring")
    (item,) = check(api, LOAD, **options)["checks"]
    assert (item["value"], item["target"], item["passed"]) == (79.5, "Prometheus", True)
    assert item["via"] == {"url": "url", "service": "service_proxy"}[way]
    asked = [seen for seen in api.server.seen if seen.path.endswith("/api/v1/query")]
    path = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy" if way == "service" else ""
    assert [(seen.path, seen.query) for seen in asked] == [(path + "/api/v1/query", {"query": "sum(load)"})]


def test_a_number_beyond_its_limits(api: Api) -> None:
    answers(api, ({"pod": "a"}, "10"), ({"pod": "b"}, "81"))
    assert "81 for pod=b, at most 80 expected" in str(failure(api, LOAD, **server(url=api.server.url)))


def test_no_number_at_all(api: Api) -> None:
    answers(api, ({}, "NaN"))
    assert "the query has no result (yet)" in str(failure(api, LOAD, **server(url=api.server.url)))
    assert check(api, {**LOAD, "allow_empty": True}, **server(url=api.server.url))["passed"] is True


def test_what_is_no_answer_of_prometheus(api: Api) -> None:
    def answer(seen: Seen) -> Any:
        return Answer(200, b"<html>") if seen.path == "/api/v1/query" else api.answer(seen)

    api.server.answer = answer
    error = failure(api, LOAD, **server(url=api.server.url))
    assert "HTTP 200, which is no answer of Prometheus: <html>" in str(error)


def test_mistakes() -> None:
    assert mistakes({"name": "load", "prometheus": " ", "allow_empty": 1, "expect": {"least": 1}}).why == [
        "check load: prometheus is a query, not ' '",
        "check load: allow_empty is true or false, not 1",
        "check load: where Prometheus is has not been said (bluegreen_prometheus: url, or service and namespace)",
        "check load: a prometheus check needs expect.min or expect.max",
        "check load: unknown expectation 'least'; known are min, max",
    ]


def test_its_headers_are_secrets() -> None:
    params = parameters(
        smoke_check,
        checks=[],
        **server(url="http://prometheus.example", headers={"Authorization": "Bearer s3cret-token"}),
    )
    assert _checks.secrets(params) == {"Bearer s3cret-token", "s3cret-token"}
