# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A query to Prometheus as a check.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

import json
import math
import re
from collections import namedtuple
from urllib.parse import urlencode

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.exchange import by_url, through_proxy
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

NAME = "prometheus"

OPTIONS = {"timeout": 10, "allow_empty": False}

EXPECTATIONS = ("min", "max")

SETTINGS = {
    "prometheus": {
        "type": "dict",
        "options": {
            "url": {"type": "str"},
            "service": {"type": "str"},
            "namespace": {"type": "str"},
            "port": {"type": "str", "default": "9090"},
            "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
            "headers": {"type": "dict", "default": {}},
            "ca_cert": {"type": "path"},
        },
        "mutually_exclusive": [["url", "service"]],
        "required_one_of": [["url", "service"]],
    },
}

Samples = namedtuple("Samples", "values via")  # {labels as text: number}


def secrets(params: Params) -> set[str]:
    headers = (params.get("prometheus") or {}).get("headers")
    return secret_values(headers) if isinstance(headers, dict) else set()


def read(reader: Reader, parsed: Object) -> None:
    if not isinstance(parsed["prometheus"], str) or not parsed["prometheus"].strip():
        reader.wrong("prometheus is a query, not {0!r}", parsed["prometheus"])
    reader.flag(parsed, "allow_empty")
    if not reader.params["prometheus"]:
        reader.wrong("where Prometheus is has not been said (bluegreen_prometheus: url, or service and namespace)")
    else:
        _read_server(reader, reader.params["prometheus"])
    expect = reader.check.get("expect")
    if not isinstance(expect, dict) or not set(EXPECTATIONS) & set(expect):
        reader.wrong("a prometheus check needs expect.min or expect.max")
    parsed["where"] = "Prometheus"


def _read_server(reader: Reader, server: Object) -> None:
    reader.headers(server.get("headers") or {}, "prometheus.headers")
    if not server.get("service"):
        return
    for name in ("service", "namespace"):
        if server.get(name) is not None:
            reader.label(server, name, f"prometheus.{name} is a name")
    if not re.fullmatch(r"[a-z0-9-]{1,15}", str(server.get("port", "http"))):
        reader.wrong("prometheus.port is a number or a port's name, not {0!r}", server["port"])


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    samples = _query(run, check)
    value = next(iter(samples.values.values())) if len(samples.values) == 1 else None
    if value is not None and not math.isfinite(value):
        value = None  # JSON has no word for it
    return {"value": value, "via": samples.via}, _judge(check["expect"], check["allow_empty"], samples.values)


def _query(run: Run, check: Check) -> Samples:
    """Ask for the value(s) of the query at this moment.

    :raises NoAnswer: Prometheus gave none: not reached, or the query is wrong.
    """
    server = run.params["prometheus"]
    path = "/api/v1/query?" + urlencode({"query": check["prometheus"]})
    request = dict(
        check,
        method="GET",
        body=None,
        host=None,
        headers=server["headers"],
        ca_cert=server["ca_cert"],
        url=(server["url"] or "").rstrip("/") + path,
        http=path,
        service=server["service"],
        namespace=server["namespace"],
        port=server["port"],
        scheme=server["scheme"],
    )
    answer = by_url(request) if server["url"] else through_proxy(run, request, None)
    try:
        document = json.loads(answer.text)
        if document["status"] != "success":
            raise NoAnswer(f"Prometheus refused the query: {document.get('error')}")
        kind, result = document["data"]["resultType"], document["data"]["result"]
        if kind == "scalar":
            return Samples({"": float(result[1])}, answer.via)
        if kind == "vector":
            return Samples({_labels(sample["metric"]): float(sample["value"][1]) for sample in result}, answer.via)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        start = " ".join(answer.text.split())[:200]
        raise NoAnswer(f"HTTP {answer.status}, which is no answer of Prometheus: {start}") from error
    raise NoAnswer(f"the query gives a {kind}; it must give a number or a vector of numbers")


def _judge(expect: Object, allow_empty: bool, values: dict[str, float]) -> list[str]:
    """What is wrong with the values, as a list of reasons; each of them must be within the limits."""
    numbers = {labels: value for labels, value in values.items() if not math.isnan(value)}
    if not numbers:
        return [] if allow_empty else ["the query has no result (yet); allow_empty would pass this"]
    reasons = []
    for labels, value in sorted(numbers.items()):
        text = f"{value:g}{' for ' + labels if labels else ''}"
        if "min" in expect and value < expect["min"]:
            reasons.append(f"{text}, at least {expect['min']:g} expected")
        if "max" in expect and value > expect["max"]:
            reasons.append(f"{text}, at most {expect['max']:g} expected")
    return reasons[:5] + ([f"... and {len(reasons) - 5} more"] if len(reasons) > 5 else [])


def _labels(metric: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(metric.items()))
