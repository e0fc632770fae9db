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
from collections import namedtuple
from urllib.parse import urlencode

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.http import ask
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import NoAnswer

Samples = namedtuple("Samples", "values via")  # {labels as text: number}

PROMETHEUS = {
    "url": {"type": "str"},
    "service": {"type": "str"},
    "namespace": {"type": "str"},
    "port": {"type": "str", "default": "9090"},
    "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
    "headers": {"type": "dict", "default": {}},
    "ca_cert": {"type": "path"},
}


def query(run, check):
    """Ask for the value(s) of the query at this moment.

    :raises NoAnswer: Prometheus gave none: not reached, or the query is wrong.
    """
    server = run.prometheus
    path = "/api/v1/query?" + urlencode({"query": check["prometheus"]})
    request = dict(
        check,
        method="GET",
        body=None,
        host=None,
        headers=server["headers"],
        ca_cert=server["ca_cert"],
        via="url" if server["url"] else "proxy",
        url=(server["url"] or "").rstrip("/") + path,
        http=path,
        service=server["service"],
        namespace=server["namespace"],
        port=server["port"],
        scheme=server["scheme"],
    )
    answer = ask(run, request, None)
    try:
        document = json.loads(answer.body)
        if document["status"] != "success":
            raise NoAnswer(f"Prometheus refused the query: {document.get('error')}")
        kind, result = document["data"]["resultType"], document["data"]["result"]
        if kind == "scalar":
            return Samples({"": float(result[1])}, answer.via)
        if kind == "vector":
            return Samples({_labels(sample["metric"]): float(sample["value"][1]) for sample in result}, answer.via)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        start = " ".join(answer.body.decode("utf-8", "replace").split())[:200]
        raise NoAnswer(f"HTTP {answer.status}, which is no answer of Prometheus: {start}") from error
    raise NoAnswer(f"the query gives a {kind}; it must give a number or a vector of numbers")


def judge_samples(expect, allow_empty, values):
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


def _labels(metric):
    return ", ".join(f"{name}={value}" for name, value in sorted(metric.items()))
