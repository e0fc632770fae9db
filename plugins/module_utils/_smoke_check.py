# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Validate: all checks against every pod of a color, together; every result is shown; all must pass."""

from __future__ import annotations

import json
import re
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _app, _wait
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import APPLICATION, LOCK, seconds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError

LIBRARY_IMPORT_ERROR = None
jmespath = None
try:
    import jmespath
    import requests
    import urllib3
except ImportError:
    LIBRARY_IMPORT_ERROR = traceback.format_exc()

NAME = "bg_smoke_check"
ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    checks={"type": "list", "elements": "dict", "required": True},
    parallel={"type": "int", "default": 32},
    **LOCK,
)
DURATIONS = ("api_timeout",)
KEEPS_LOCK = True
RETURNS = {"passed": None, "color": None, "checks": []}

KINDS = ("http", "url")
DEFAULTS = {
    "method": "GET",
    "headers": {},
    "body": None,
    "port": None,
    "scheme": "http",
    "host": None,
    "retries": 0,
    "delay": 1,
    "timeout": 5,
    "pods": "all",
}
ONLY_HTTP = ("port", "scheme", "pods")  # a URL says these itself
EXPECTATIONS = ("status", "json", "header", "text", "regex", "latency")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODY_LIMIT = (
    1024 * 1024
)  # bytes of an answer that are read; more is not needed to judge it and must not fill the memory
BODY_SHOWN = 200  # characters of it in a reason


def run(params, cluster, progress):
    checks = parse(params["checks"])
    if params["parallel"] < 1:
        raise BlueGreenError(
            "parallel must be at least 1, not {0}.".format(params["parallel"]),
            "bad_input",
            next_step="Give a number of 1 or more.",
        )
    if LIBRARY_IMPORT_ERROR:
        raise BlueGreenError(
            "The Python packages 'requests' and 'jmespath' are needed for checks.",
            "missing_library",
            why=LIBRARY_IMPORT_ERROR.splitlines()[-1:],
            next_step="pip install requests jmespath.",
        )
    if cluster.dry_run:
        return {
            "color": params["color"],
            "msg": "Would run {0} checks: {1}.".format(len(checks), ", ".join(check["name"] for check in checks)),
        }
    app = _app.read(cluster, params)
    color = app.color(params["color"] or app.idle)
    pods = _pods(cluster, color)
    executions = [(check, pod) for check in checks for pod in (pods if check["kind"] == "http" else [None])]
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=min(params["parallel"], len(executions) or 1)) as pool:
        results = list(pool.map(lambda execution: _execute(cluster, *execution), executions))
    elapsed = time.monotonic() - started
    failures = []
    for check in checks:
        own = [result for result in results if result["name"] == check["name"]]
        passed = sum(result["passed"] for result in own)
        wanted = (
            len(own)
            if check["kind"] == "url" or check["pods"] == "all"
            else 1
            if check["pods"] == "any"
            else check["pods"]
        )
        good = passed >= wanted and bool(own)
        slowest = max((result["latency_ms"] or 0 for result in own), default=0)
        progress(
            "{0} {1}: {2} of {3} passed, slowest {4:.0f} ms".format(
                "ok    " if good else "FAILED", check["name"], passed, len(own), slowest
            )
        )
        if not good:
            failures.append(check["name"])
            if passed < wanted and wanted > len(own):
                failures[-1] += " (wants {0} pods, there are {1})".format(wanted, len(own))
    result = {"passed": not failures, "color": color.name, "checks": results}
    if failures:
        bad = [item for item in results if not item["passed"]]
        raise BlueGreenError(
            "{0} of {1} checks failed on {2}: {3}.".format(len(failures), len(checks), color.name, ", ".join(failures)),
            "checks_failed",
            why=["{0} on {1}: {2}".format(item["name"], item["target"], item["reason"]) for item in bad[:10]]
            + (["... and {0} more".format(len(bad) - 10)] if len(bad) > 10 else []),
            next_step="Mend {0} and release again.".format(color.deployment_name),
            result=result,
        )
    result["msg"] = "{0} checks passed on {1} ({2} requests in {3:.2f} s).".format(
        len(checks), color.name, len(results), elapsed
    )
    return result


def _pods(cluster, color):
    """The pods that will carry traffic: ready, and not on their way out.

    :raises BlueGreenError: there is none, or one has no readiness at this moment.
    """
    every = cluster.list("Pod", labelSelector=color.pod_selector)["items"]
    staying = [
        pod
        for pod in every
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    unready = [pod["metadata"]["name"] for pod in staying if not _wait.Pod(pod).ready]
    if not staying or unready:
        raise BlueGreenError(
            "{0} cannot be checked: {1}.".format(
                color.name, "pods are not ready: " + ", ".join(unready) if staying else "it has no pods"
            ),
            "not_ready",
            next_step="Wait for the rollout first (bg_wait).",
            result={"color": color.name, "passed": False},
        )
    return staying


# --- one execution -------------------------------------------------------------------------------------------


def _execute(cluster, check, pod):
    """One check on one target, with its retries. Never raises for what the application does."""
    target = pod["metadata"]["name"] if pod else check["url"]
    result = {
        "name": check["name"],
        "target": target,
        "passed": False,
        "status": None,
        "latency_ms": None,
        "attempts": 0,
        "reason": "",
    }
    while True:
        result["attempts"] += 1
        began = time.monotonic()
        try:
            status, headers, body = _through_proxy(cluster, check, pod, began) if pod else _by_url(check, began)
            latency = time.monotonic() - began
            reasons = judge(check["expect"], status, headers, body, latency)
            result.update(status=status, latency_ms=round(latency * 1000, 1))
        except _NoAnswer as error:
            result.update(status=None, latency_ms=round((time.monotonic() - began) * 1000, 1))
            reasons = [str(error)]
        result.update(passed=not reasons, reason="; ".join(reasons))
        if result["passed"] or result["attempts"] > check["retries"]:
            return result
        time.sleep(check["delay"])


class _NoAnswer(Exception):
    """The application did not answer, or was not reached."""


def _through_proxy(cluster, check, pod, began):
    """Ask one pod through the API server: works from wherever the API can be reached.

    https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
    """
    port = _port(pod, check["port"])
    scheme = "https:" if check["scheme"] == "https" else ""
    path = "/api/v1/namespaces/{0}/pods/{1}{2}:{3}/proxy/{4}".format(
        cluster.namespace, scheme, pod["metadata"]["name"], port, check["http"].lstrip("/")
    )
    headers = dict(check["headers"])
    if check["host"]:
        headers["Host"] = check["host"]
    try:
        response = cluster.through_proxy(check["method"], path, headers, check["body"], check["timeout"])
        try:
            body = _limited(response.stream(65536), began, check["timeout"])
        finally:
            response.close()
    except urllib3.exceptions.HTTPError as error:
        raise _NoAnswer(_no_answer(error, check["timeout"], time.monotonic() - began)) from error
    refusal = _proxy_refusal(response.status, body)
    if refusal:
        raise _NoAnswer(refusal)
    return response.status, response.headers, body


def _proxy_refusal(status, body):
    """What the API server itself says when it reached no application; ``None`` for an answer of the application.

    The proxy answers with a Status object of its own; an application's 503 comes through as it is.
    """
    if status not in (401, 403, 404, 500, 502, 503, 504) or b'"kind"' not in body[:2000]:
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("kind") != "Status" or answer.get("apiVersion") != "v1":
        return None
    message = str(answer.get("message", ""))
    if status in (401, 403):
        return "the API server does not let this user reach the pod (HTTP {0}): {1}; grant 'get' and 'create' on pods/proxy".format(
            status, message
        )
    return "the API server could not reach the pod: {0}".format(message)


def _by_url(check, began):
    headers = dict(check["headers"])
    if check["host"]:
        headers["Host"] = check["host"]
    try:
        # A connection of its own for every attempt: a kept one would go on to the pod it once reached.
        with requests.Session() as session:
            response = session.request(
                check["method"],
                check["url"],
                headers=headers,
                data=check["body"],
                timeout=check["timeout"],
                stream=True,
                allow_redirects=False,
            )
            body = _limited(response.iter_content(65536), began, check["timeout"])
            return response.status_code, response.headers, body
    except requests.RequestException as error:
        raise _NoAnswer(_no_answer(error, check["timeout"], time.monotonic() - began)) from error


def _limited(chunks, began, timeout):
    """The body up to BODY_LIMIT; an application that trickles it out must not outlast the timeout either."""
    body = b""
    for chunk in chunks:
        body += chunk
        if time.monotonic() - began > timeout:
            raise _NoAnswer("no complete answer in {0:g} s".format(timeout))
        if len(body) > BODY_LIMIT:
            return body[:BODY_LIMIT]
    return body


def _no_answer(error, timeout, elapsed):
    cause = error
    while getattr(cause, "reason", None) and isinstance(cause.reason, Exception):
        cause = cause.reason
    if "timed out" in str(cause).lower() or elapsed >= timeout:
        return "no answer in {0:g} s".format(timeout)
    text = re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", str(cause))
    return "no answer: {0}".format(" ".join(text.split())[:300])


def _port(pod, wanted):
    """The number of the port: the one given, the one of that name, or the pod's first; the proxy knows no names."""
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    ports = [port for port in ports if port.get("protocol", "TCP") == "TCP"]
    if wanted is None:
        return ports[0]["containerPort"] if ports else 80
    return next((port["containerPort"] for port in ports if port.get("name") == wanted), wanted)


# --- judging an answer ---------------------------------------------------------------------------------------


def judge(expect, status, headers, body, latency):
    """What is wrong with an answer, as a list of reasons; empty when it is as expected.

    :param latency: seconds until the whole answer was there.
    """
    reasons = []
    text = body.decode("utf-8", "replace")
    wanted = expect.get("status")
    if (status not in wanted) if wanted else not 200 <= status < 300:
        reasons.append("HTTP {0} instead of {1}".format(status, " or ".join(map(str, wanted)) if wanted else "2xx"))
    if "json" in expect:
        try:
            document = json.loads(text)
        except ValueError:
            reasons.append("the answer is no JSON")
        else:
            for path, value in expect["json"].items():
                found = jmespath.search(path, document)
                if not _same(found, value):
                    reasons.append("{0} is {1}, expected {2}".format(path, json.dumps(found), json.dumps(value)))
    for name, value in expect.get("header", {}).items():
        if headers.get(name) != str(value):
            reasons.append("header {0} is {1!r}, expected {2!r}".format(name, headers.get(name), value))
    if "text" in expect and expect["text"] not in text:
        reasons.append("the text {0!r} is not in the answer".format(expect["text"]))
    if "regex" in expect and not re.search(expect["regex"], text):
        reasons.append("the answer does not match {0!r}".format(expect["regex"]))
    if "latency" in expect and latency > expect["latency"]:
        reasons.append("took {0:.0f} ms, at most {1:.0f} ms expected".format(latency * 1000, expect["latency"] * 1000))
    if reasons:
        start = " ".join(text.split())[:BODY_SHOWN]
        reasons[-1] += " (answer: {0})".format(start) if start else " (empty answer)"
    return reasons


def _same(found, value):
    if isinstance(found, bool) or isinstance(value, bool) or found is None or value is None:
        return found is value
    # Jinja turns numbers into text and back, so 1 and "1" are the same here.
    return found == value or (
        not isinstance(found, (dict, list)) and not isinstance(value, (dict, list)) and str(found) == str(value)
    )


# --- reading the checks --------------------------------------------------------------------------------------


def parse(checks):
    """The checks with every option filled in.

    :returns: list of dictionaries: ``kind``, ``name``, all of DEFAULTS, ``expect``; durations in seconds.
    :raises BlueGreenError: names every mistake in every check at once.
    """
    mistakes = []
    parsed = [_parse_one(check, number, mistakes) for number, check in enumerate(checks, 1)]
    names = [check["name"] for check in parsed]
    for name in sorted({name for name in names if names.count(name) > 1}):
        mistakes.append("two checks are named {0!r}; give each its own name".format(name))
    if mistakes:
        raise BlueGreenError(
            "The checks have {0} mistake{1}.".format(len(mistakes), "" if len(mistakes) == 1 else "s"),
            "bad_input",
            why=mistakes,
            next_step="Correct bluegreen_checks; nothing has been changed.",
        )
    return parsed


def _parse_one(check, number, mistakes):
    label = "check {0}".format(check.get("name") or "number {0}".format(number))

    def wrong(text):
        mistakes.append("{0}: {1}".format(label, text))

    def duration(options, name):
        if name in options:
            try:
                options[name] = seconds(options[name], name)
            except BlueGreenError as error:
                wrong(error.what)

    kinds = [kind for kind in KINDS if kind in check]
    kind = kinds[0] if kinds else "http"
    if len(kinds) != 1:
        wrong("needs exactly one of {0}".format(", ".join(KINDS)) + (", not " + " and ".join(kinds) if kinds else ""))
    parsed = dict(DEFAULTS, **check)
    parsed.update(kind=kind, name=str(check.get("name") or check.get(kind) or label))
    for option in sorted(set(check) - set(DEFAULTS) - set(KINDS) - {"name", "expect"}):
        wrong(
            "unknown option {0!r}; known are {1}".format(
                option, ", ".join(sorted({"name", "expect"} | set(KINDS) | set(DEFAULTS)))
            )
        )
    if kind == "http" and kinds and not str(check["http"] or "").startswith("/"):
        wrong("http is a path that starts with '/', not {0!r}".format(check["http"]))
    if kind == "url":
        address = urlsplit(str(check["url"]))
        if address.scheme not in ("http", "https") or not address.netloc:
            wrong("url is no http or https address: {0!r}".format(check["url"]))
        for option in ONLY_HTTP:
            if option in check:
                wrong("{0} has no meaning for a url".format(option))
    parsed["method"] = str(parsed["method"]).upper()
    if parsed["method"] not in METHODS:
        wrong("method {0!r} is none of {1}".format(check["method"], ", ".join(METHODS)))
    if not isinstance(parsed["headers"], dict):
        wrong("headers is a dictionary, not {0!r}".format(parsed["headers"]))
    elif kind == "http" and any(str(name).lower() == "authorization" for name in parsed["headers"]):
        wrong("the API server keeps Authorization for itself; use a url check for an endpoint that needs it")
    if parsed["scheme"] not in ("http", "https"):
        wrong("scheme is http or https, not {0!r}".format(parsed["scheme"]))
    if isinstance(parsed["body"], (dict, list)):
        parsed["body"] = json.dumps(parsed["body"])
        if isinstance(parsed["headers"], dict):
            parsed["headers"] = dict({"Content-Type": "application/json"}, **parsed["headers"])
    if parsed["pods"] not in ("all", "any"):
        _whole(parsed, "pods", 1, wrong)
    _whole(parsed, "retries", 0, wrong)
    if parsed["port"] is not None and not re.match(r"^[a-z0-9-]+$", str(parsed["port"])):
        wrong("port is a number or a port's name, not {0!r}".format(parsed["port"]))
    duration(parsed, "delay")
    duration(parsed, "timeout")
    parsed["expect"] = _parse_expect(check.get("expect", {}), wrong, duration)
    return parsed


def _whole(options, name, least, wrong):
    """Turn an option into a whole number of at least ``least``; anything else is a mistake."""
    try:
        number = int(str(options[name]))
        if number >= least:
            options[name] = number
            return
    except ValueError:
        pass
    wrong(
        "{0} is {1}a whole number of {2} or more, not {3!r}".format(
            name, "all, any or " if name == "pods" else "", least, options[name]
        )
    )


def _parse_expect(expect, wrong, duration):
    if not isinstance(expect, dict):
        wrong("expect is a dictionary, not {0!r}".format(expect))
        return {}
    expect = dict(expect)
    for option in sorted(set(expect) - set(EXPECTATIONS)):
        wrong("unknown expectation {0!r}; known are {1}".format(option, ", ".join(EXPECTATIONS)))
    if "status" in expect:
        statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
        try:
            expect["status"] = [int(str(status)) for status in statuses]
        except ValueError:
            wrong("expect.status is a number or a list of numbers, not {0!r}".format(expect["status"]))
    for option in ("json", "header"):
        if option in expect and not isinstance(expect[option], dict):
            wrong("expect.{0} is a dictionary, not {1!r}".format(option, expect[option]))
            expect[option] = {}
    if jmespath is not None:
        for path in expect.get("json", {}):
            try:
                jmespath.compile(path)
            except jmespath.exceptions.JMESPathError as error:
                wrong("expect.json: {0!r} is no JMESPath: {1}".format(path, str(error).splitlines()[0]))
    if "regex" in expect:
        try:
            re.compile(expect["regex"])
        except (re.error, TypeError) as error:
            wrong("expect.regex {0!r}: {1}".format(expect["regex"], error))
    if "text" in expect and not isinstance(expect["text"], str):
        wrong("expect.text is text, not {0!r}".format(expect["text"]))
    duration(expect, "latency")
    return expect
