# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Checks: read them, run all of them together on every pod, judge what comes back."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job import (
    Job,
    job_mistakes,
    job_secrets,
    with_environment,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.command import execute_command, find_program
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.http import BODY_LIMIT, ask
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.prometheus import (
    PROMETHEUS,
    judge_samples,
    query,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.tcp import talk
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import seconds

LIBRARY_IMPORT_ERROR = None
jmespath = yaml = None
try:
    import jmespath
    import requests  # noqa: F401  pylint: disable=unused-import
    import yaml
except ImportError:
    LIBRARY_IMPORT_ERROR = traceback.format_exc()

# Options of the operations that run checks, and of the one that only looks for mistakes in them.
SETTINGS = {
    "prometheus": {
        "type": "dict",
        "options": PROMETHEUS,
        "mutually_exclusive": [["url", "service"]],
        "required_one_of": [["url", "service"]],
    },
    "chdir": {"type": "path"},
}

ARGUMENTS = dict(
    SETTINGS,
    checks={"type": "list", "elements": "dict", "required": True},
    parallel={"type": "int", "default": 32},
)

# What each kind of check can be told, with its defaults. The key of the kind itself says what is asked.
COMMON = {"retries": 0, "delay": 1, "timeout": 5}

REQUEST = {"method": "GET", "headers": {}, "body": None, "host": None, "ca_cert": None}

KINDS = {
    "http": dict(COMMON, port=None, scheme="http", via="auto", service=None, pods="all", **REQUEST),
    "url": dict(COMMON, **REQUEST),
    "command": dict(COMMON, timeout=60, env={}, target=None, port=None, scheme="http", pods="all"),
    "prometheus": dict(COMMON, timeout=10, allow_empty=False),
    "tcp": dict(COMMON, send=None, pods="all"),
    "job": dict(COMMON, timeout=600, keep_failed=False),
}

ANSWER = ("status", "json", "header", "text", "regex", "latency")

EXPECTATIONS = {
    "http": ANSWER,
    "url": ANSWER,
    "command": ("text", "regex", "latency"),
    "prometheus": ("min", "max"),
    "tcp": ("text", "regex", "latency"),
    "job": ("text", "regex", "latency"),
}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

WAYS = ("auto", "proxy", "port_forward", "service_proxy")

ONLY_PORT_FORWARD = {"authorization", "proxy-authorization"}  # the API server takes these headers for itself

KEPT = 3600  # seconds that a Job which was not removed stays after its end

SHOWN = {"http": 200, "url": 200, "tcp": 200, "command": 2000, "job": 2000}  # characters of an answer in a reason


class Run:
    """What the executions of one run share."""

    def __init__(self, app, color, params):
        self.app = app
        self.cluster = app.cluster
        self.color = color
        self.lock_id = params.get("lock_id")
        self.prometheus = params["prometheus"]
        self.directory = params["chdir"] or os.getcwd()
        self.proxy_blocked = False  # a port-forward has answered where the API server's proxy did not

    def execute(self, checks, pods, parallel):
        """Execute all checks on all their targets, at most ``parallel`` at the same time.

        :returns: list of results, in the order of the checks.
        """
        executions = [
            (self, check, pod)
            for check in checks
            for pod in ((pods[:1] if check["pods"] == "one" else pods) if needs_pods(check) else [None])
        ]
        with ThreadPoolExecutor(max_workers=min(parallel, len(executions) or 1)) as pool:
            return list(pool.map(lambda execution: _execute(*execution), executions))


def verdict(check, results):
    """How one check went: ``(passed, its line for people)``."""
    own = [result for result in results if result["name"] == check["name"]]
    good = sum(result["passed"] for result in own)
    wanted = {None: 1, "all": len(own), "one": 1, "any": 1}.get(check["pods"], check["pods"])
    passed = good >= wanted and bool(own)
    line = "{0} {1}: {2} of {3} passed, slowest {4:.0f} ms".format(
        "ok    " if passed else "FAILED",
        check["name"],
        good,
        len(own),
        max((result["latency_ms"] or 0 for result in own), default=0),
    )
    if wanted > len(own):
        line += f" (wants {wanted} pods, there are {len(own)})"
    return passed, line


def reasons(results):
    """The failed ones in words, a bounded number of lines."""
    bad = [item for item in results if not item["passed"]]
    lines = [f"{item['name']} on {item['target']}: {item['reason']}" for item in bad[:10]]
    return lines + ([f"... and {len(bad) - 10} more"] if len(bad) > 10 else [])


def needs_pods(check):
    """Whether it is run for every pod, and not once."""
    return check["pods"] is not None


def staying(pods):
    """The pods that carry traffic, or will: those that have not ended and are not on their way out."""
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]


# --- one execution -------------------------------------------------------------------------------------------
def _execute(shared, check, pod):
    """One check on one target, with its retries. Never raises for what the application does."""
    result = {
        "name": check["name"],
        "kind": check["kind"],
        "target": pod["metadata"]["name"] if pod else check["where"],
        "via": None,
        "passed": False,
        "status": None,
        "value": None,
        "latency_ms": None,
        "attempts": 0,
        "reason": "",
    }
    pauses = None
    while True:
        shared.cluster.check()
        result["attempts"] += 1
        result.update(status=None, value=None)
        began = time.monotonic()
        try:
            found, wrong = ATTEMPTS[check["kind"]](shared, check, pod, began)
            result.update(found)
        except NoAnswer as error:
            if error.way == "api":
                # No verdict on the application: as every other request, it is tried again.
                result["attempts"] -= 1
                pauses = _pause(shared.cluster, error, pauses)
                continue
            wrong = [str(error)]
        result.update(passed=not wrong, reason="; ".join(wrong), latency_ms=round((time.monotonic() - began) * 1000, 1))
        if result["passed"] or result["attempts"] > check["retries"]:
            return result
        shared.cluster.sleep(check["delay"])


def _pause(cluster, error, pauses):
    """Wait before the API server is asked again; ``pauses`` is what the last call returned.

    :raises ApiError: it has been away for ``api_timeout`` seconds.
    """
    now = time.monotonic()
    began, pause = pauses or (now, 0.1)
    if now - began + pause >= cluster.api_timeout:
        raise ApiError(
            str(error),
            "api_unreachable",
            0,
            next_step="Check the network and whether the API server runs; then run the same command again.",
        ) from error
    cluster.sleep(pause)
    return began, min(pause * 2, 2)


def _attempt_http(shared, check, pod, began):
    answer = ask(shared, check, pod)
    wrong = judge(check["expect"], answer.status, answer.headers, answer.body, time.monotonic() - began)
    return {"status": answer.status, "via": answer.via}, wrong


def _attempt_command(shared, check, pod, began):
    ended = execute_command(shared, check, pod)
    wrong = [] if ended.status == 0 else [f"exit code {ended.status}"]
    wrong += _judge_text(check["expect"], ended.output, time.monotonic() - began)
    return {"status": ended.status, "via": ended.via}, _with_answer(wrong, ended.output, "output", SHOWN["command"])


def _attempt_tcp(shared, check, pod, began):
    def unlike(body):
        return _judge_text(check["expect"], body.decode("utf-8", "replace"), 0)

    ended = talk(shared, check, pod, lambda body: not unlike(body))
    text = ended.body.decode("utf-8", "replace")
    wrong = _judge_text(check["expect"], text, time.monotonic() - began)
    return {"via": ended.via}, _with_answer(wrong, text, "answer", SHOWN["tcp"])


def _attempt_prometheus(shared, check, pod, began):
    samples = query(shared, check)
    value = next(iter(samples.values.values())) if len(samples.values) == 1 else None
    if value is not None and not math.isfinite(value):
        value = None  # JSON has no word for it
    return {"value": value, "via": samples.via}, judge_samples(check["expect"], check["allow_empty"], samples.values)


def _attempt_job(shared, check, pod, began):
    # A name of its own: nobody else's suite is in the way, and none that an interrupted run has left.
    definition = with_environment(check["definition"], shared.app, shared.color.name, shared.color.version)
    definition["metadata"]["name"] = f"{definition['metadata']['name'][:50]}-{uuid.uuid4().hex[:6]}"
    definition["spec"].setdefault("ttlSecondsAfterFinished", KEPT)  # should this run be killed
    job = Job(shared.cluster, definition, check["timeout"], lambda text: None)
    job.lock_id, job.owner = shared.lock_id, shared.app.services[0]["metadata"]["name"]
    try:
        job.claim(adopt=True)
        job.follow()
        wrong = []
    except BlueGreenError as error:
        if error.reason not in ("job_failed", "timeout"):
            raise
        wrong = [error.what] + [line for line in error.why if not line.startswith(("last log lines", "  "))]
        wrong = ["; ".join(wrong)]
    text = "\n".join(job.shown())
    wrong += _judge_text(check["expect"], text, time.monotonic() - began)
    if not (wrong and check["keep_failed"]):
        job.remove()
    return {"via": "job"}, _with_answer(wrong, text, "output", SHOWN["job"])


# How each kind is asked once: (what is known of the answer, what is wrong with it).
ATTEMPTS = {
    "http": _attempt_http,
    "url": _attempt_http,
    "command": _attempt_command,
    "tcp": _attempt_tcp,
    "prometheus": _attempt_prometheus,
    "job": _attempt_job,
}


# --- judging an answer ---------------------------------------------------------------------------------------
def judge(expect, status, headers, body, latency):
    """What is wrong with an answer, as a list of reasons; empty when it is as expected.

    :param latency: seconds until the whole answer was there.
    """
    wrong = []
    text = body.decode("utf-8", "replace")
    wanted = expect.get("status")
    if (status not in wanted) if wanted else not 200 <= status < 300:
        wrong.append(f"HTTP {status} instead of {' or '.join(map(str, wanted)) if wanted else '2xx'}")
        if headers.get("Location"):
            wrong[-1] += f", to {headers['Location']}"
    if "json" in expect:
        try:
            document = json.loads(text)
        except ValueError:
            cut = f" (more than {BODY_LIMIT} bytes of it are not read)"
            wrong.append("the answer is no JSON" + (cut if len(body) >= BODY_LIMIT else ""))
        else:
            for path, value in expect["json"].items():
                found = jmespath.search(path, document)
                if not _same(found, value):
                    wrong.append(f"{path} is {json.dumps(found)}, expected {json.dumps(value)}")
    for name, value in expect.get("header", {}).items():
        if headers.get(name) != str(value):
            wrong.append(f"header {name} is {headers.get(name)!r}, expected {value!r}")
    wrong += _judge_text(expect, text, latency)
    return _with_answer(wrong, text, "answer", SHOWN["http"])


def _judge_text(expect, text, latency):
    wrong = []
    if "text" in expect and expect["text"] not in text:
        wrong.append(f"the text {expect['text']!r} is not in the answer")
    if "regex" in expect and not re.search(expect["regex"], text):
        wrong.append(f"the answer does not match {expect['regex']!r}")
    if "latency" in expect and latency > expect["latency"]:
        wrong.append(f"took {latency * 1000:.0f} ms, at most {expect['latency'] * 1000:.0f} ms expected")
    return wrong


def _with_answer(wrong, text, what, limit):
    """The reasons, the last of them with what came instead: the start of an answer, the end of a command's output."""
    if wrong:
        if what == "output":
            text = "\n".join(text.strip().splitlines()[-20:])[-limit:]
            wrong[-1] += "; it said:\n" + text if text else "; it said nothing"
        else:
            text = " ".join(text.split())[:limit]
            wrong[-1] += f" ({what}: {text})" if text else f" (empty {what})"
    return wrong


def _same(found, value):
    if isinstance(found, bool) or isinstance(value, bool) or found is None or value is None:
        return found is value
    # Jinja turns numbers into text and back, so 1 and "1" are the same here.
    return found == value or (
        not isinstance(found, (dict, list)) and not isinstance(value, (dict, list)) and str(found) == str(value)
    )


# --- reading the checks --------------------------------------------------------------------------------------
def secrets(params):
    """Values in the checks that no output may show: of headers and variables, unless they are plainly none."""
    found = set()
    prometheus = (params.get("prometheus") or {}).get("headers")
    for check in list(params.get("checks") or []) + [{"headers": prometheus}]:
        for option in ("headers", "env"):
            if isinstance(check.get(option), dict):
                found |= secret_values(check[option])
        if check.get("job"):
            found |= job_secrets({"definition": _definition(check["job"], params.get("chdir"))[0]})
    return found


def _definition(path, directory):
    """``(the Job in a file or None, the file's absolute path, what is wrong with it)``"""
    path = os.path.join(directory or os.getcwd(), os.path.expanduser(str(path)))
    try:
        with open(path, encoding="utf-8") as file:
            definition = yaml.safe_load(file)
    except OSError as error:
        return None, path, [f"{path}: {error.strerror}"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, path, [f"{path} is no YAML: {' '.join(str(error).split())}"]
    return definition, path, [f"{path}: {text}" for text in job_mistakes(definition)]


def parse(params):
    """The checks in ``checks``, with every option filled in; the same check twice is one.

    :returns: list of dictionaries: ``kind``, ``name``, ``where`` (the target of what is asked once), all options of the
        kind, ``pods`` (``None`` for what is asked once), ``expect``; durations in seconds.
    :raises BlueGreenError: names every mistake in every check at once; or a library is missing.
    """
    if LIBRARY_IMPORT_ERROR:
        raise BlueGreenError(
            "The Python packages 'requests' and 'jmespath' are needed for checks.",
            "missing_library",
            why=LIBRARY_IMPORT_ERROR.splitlines()[-1:],
            next_step="pip install requests jmespath.",
        )
    if params.get("parallel", 1) < 1:
        raise BlueGreenError(
            f"parallel must be at least 1, not {params['parallel']}.",
            "bad_input",
            next_step="Give a number of 1 or more.",
        )
    checks = [check for number, check in enumerate(params["checks"]) if check not in params["checks"][:number]]
    mistakes = []
    parsed = [_Reader(check, number, params, mistakes).read() for number, check in enumerate(checks, 1)]
    names = [check["name"] for check in parsed]
    for name in sorted({name for name in names if names.count(name) > 1}):
        mistakes.append(f"two checks are named {name!r}; give each its own name")
    if mistakes:
        raise BlueGreenError(
            f"The checks have {len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}.",
            "bad_input",
            why=mistakes,
            next_step="Correct bluegreen_checks; nothing has been changed.",
        )
    return parsed


def _without_password(address):
    return re.sub(r"(?<=://)[^/?#]*@", "", str(address))


class _Reader:
    """Reads one check and notes its mistakes."""

    def __init__(self, check, number, params, mistakes):
        self.check = check
        self.params = params
        self.mistakes = mistakes
        self.label = f"check {check.get('name') or f'number {number}'}"

    def wrong(self, text, *values):
        self.mistakes.append(f"{self.label}: {text.format(*values)}")

    def read(self):
        check = self.check
        kinds = [kind for kind in KINDS if kind in check]
        kind = kinds[0] if kinds else "http"
        if len(kinds) != 1:
            self.wrong("needs exactly one of {0}{1}", ", ".join(KINDS), ", not " + " and ".join(kinds) if kinds else "")
        known = {"name", "expect"} | set(KINDS[kind])
        for option in sorted(set(check) - known - set(KINDS)):
            others = [other for other in KINDS if other != kind and option in KINDS[other]]
            if others and kinds:
                self.wrong("{0} has no meaning for {1}; it is an option of {2}", option, kind, ", ".join(others))
            else:
                self.wrong("unknown option {0!r}; known are {1}", option, ", ".join(sorted(known | {kind})))
        parsed = {"pods": None, "via": "url", "body": None, "where": str(check.get(kind))}
        parsed.update(KINDS[kind])
        parsed.update(check)
        parsed.update(kind=kind, name=str(check.get("name") or check.get(kind) or self.label))
        self._whole(parsed, "retries", 0)
        self._duration(parsed, "delay")
        self._duration(parsed, "timeout")
        if parsed["timeout"] == 0:
            self.wrong("timeout is more than 0")
        for option in ("headers", "env"):
            if option in parsed and not isinstance(parsed[option], dict):
                self.wrong("{0} is a dictionary, not {1!r}", option, parsed[option])
                parsed[option] = {}
            for name, value in parsed.get(option, {}).items():
                if value is None or isinstance(value, (dict, list)):
                    self.wrong("{0}.{1} is text or a number, not {2!r}", option, name, value)
        if parsed["pods"] not in (None, "all", "any", "one"):
            self._whole(parsed, "pods", 1)
        if parsed.get("scheme", "http") not in ("http", "https"):
            self.wrong("scheme is http or https, not {0!r}", parsed["scheme"])
        if parsed.get("port") is not None:
            self._port(parsed)
        if parsed.get("ca_cert") and not os.path.isfile(self._path(parsed, "ca_cert")):
            self.wrong("ca_cert: there is no file {0}", parsed["ca_cert"])
        if kinds:
            getattr(self, "_read_" + kind)(parsed)
        parsed["expect"] = self._expect(check.get("expect", {}), EXPECTATIONS[kind])
        if kind == "http" and any(name.lower() == "location" for name in parsed["expect"].get("header", {})):
            parsed["needs_port_forward"] = True  # the API server's proxy rewrites it
        return parsed

    # --- by kind ---------------------------------------------------------------------------------------------

    def _read_http(self, parsed):
        if not str(parsed["http"] or "").startswith("/"):
            self.wrong("http is a path that starts with '/', not {0!r}", parsed["http"])
        self._request(parsed)
        if parsed["via"] not in WAYS:
            self.wrong(
                "via {0!r} is none of {1}; a whole address is asked by url: instead of http:",
                parsed["via"],
                ", ".join(WAYS),
            )
        kept = sorted(name for name in parsed["headers"] if str(name).lower() in ONLY_PORT_FORWARD)
        parsed["needs_port_forward"] = bool(kept or parsed["ca_cert"])
        if kept and parsed["via"] in ("proxy", "service_proxy"):
            self.wrong(
                "the API server keeps {0} for itself, so it does not reach the pod via {1}; use port_forward or auto",
                kept[0],
                parsed["via"],
            )
        if parsed["ca_cert"]:
            if parsed["via"] in ("proxy", "service_proxy"):
                self.wrong(
                    "the API server's proxy does not look at certificates; use ca_cert with port_forward or auto"
                )
            if parsed["scheme"] != "https":
                self.wrong("ca_cert is for scheme: https")
            if not parsed["host"]:
                self.wrong("ca_cert needs host, the name in the application's certificate")
        if parsed["via"] == "service_proxy":
            if not parsed["service"]:
                self.wrong("via service_proxy needs service, the name of a Service that selects the color")
            if "pods" in self.check:
                self.wrong("pods has no meaning for service_proxy, which asks any one of them")
            parsed.update(pods=None, where=f"Service {parsed['service']}")
            parsed["port"] = parsed["port"] or (443 if parsed["scheme"] == "https" else 80)
        elif parsed["service"]:
            self.wrong("service is for via: service_proxy")

    def _read_url(self, parsed):
        shown = _without_password(parsed["url"])
        parsed.update(where=shown, name=str(self.check.get("name") or shown))
        self._address(parsed, "url")
        self._request(parsed)

    def _request(self, parsed):
        parsed["method"] = str(parsed["method"]).upper()
        if parsed["method"] not in METHODS:
            self.wrong("method {0!r} is none of {1}", self.check["method"], ", ".join(METHODS))
        if isinstance(parsed["body"], (dict, list)):
            parsed["body"] = json.dumps(parsed["body"])
            parsed["headers"] = dict({"Content-Type": "application/json"}, **parsed["headers"])
        elif parsed["body"] is not None and not isinstance(parsed["body"], str):
            self.wrong("body is text, a dictionary or a list, not {0!r}", parsed["body"])

    def _read_command(self, parsed):
        words = parsed["command"]
        try:
            words = shlex.split(words) if isinstance(words, str) else [str(word) for word in words]
        except (ValueError, TypeError):
            words = []
        parsed["command"] = words
        directory = self.params["chdir"] or os.getcwd()
        if not words:
            self.wrong("command is a program with its arguments, as text or a list, not {0!r}", self.check["command"])
        elif not find_program(words, directory):
            there = os.path.exists(os.path.join(directory, words[0]))
            reason = "is not executable (chmod +x)" if there else f"does not exist (looked from {directory})"
            self.wrong("the program {0} {1}", words[0], reason)
        if parsed["target"]:
            self._address(parsed, "target")
            if _without_password(parsed["target"]) != parsed["target"]:
                self.wrong("target becomes an argument, which everybody sees: give user and password by env")
            if "pods" in self.check:
                self.wrong("pods has no meaning with target, which is one address")
            parsed.update(pods=None, where=parsed["target"])

    def _read_tcp(self, parsed):
        host, _colon, port = str(parsed["tcp"]).rpartition(":")
        parsed.update(address=host.strip("[]"), port=port)
        self._port(parsed)
        if host:
            if "pods" in self.check:
                self.wrong("pods has no meaning for an address")
            if not port.isdigit():
                self.wrong("tcp is a port of the pods, or host:port, not {0!r}", parsed["tcp"])
            parsed.update(pods=None)
        if parsed["send"] is not None and not isinstance(parsed["send"], str):
            self.wrong("send is text, not {0!r}", parsed["send"])

    def _read_job(self, parsed):
        parsed["definition"], _path, wrong = _definition(parsed["job"], self.params["chdir"])
        for text in wrong:
            self.wrong("{0}", text)
        if not isinstance(parsed["keep_failed"], bool):
            self.wrong("keep_failed is true or false, not {0!r}", parsed["keep_failed"])
        parsed["where"] = f"Job {parsed['job']}"

    def _read_prometheus(self, parsed):
        if not isinstance(parsed["prometheus"], str) or not parsed["prometheus"].strip():
            self.wrong("prometheus is a query, not {0!r}", parsed["prometheus"])
        if not isinstance(parsed["allow_empty"], bool):
            self.wrong("allow_empty is true or false, not {0!r}", parsed["allow_empty"])
        if not self.params["prometheus"]:
            self.wrong("where Prometheus is has not been said (bluegreen_prometheus: url, or service and namespace)")
        expect = self.check.get("expect")
        if not isinstance(expect, dict) or not {"min", "max"} & set(expect):
            self.wrong("a prometheus check needs expect.min or expect.max")
        parsed["where"] = "Prometheus"

    # --- by type ---------------------------------------------------------------------------------------------

    def _path(self, parsed, option):
        """Make a path relative to the directory of the playbook absolute."""
        parsed[option] = os.path.join(self.params["chdir"] or "", os.path.expanduser(str(parsed[option])))
        return parsed[option]

    def _address(self, parsed, option):
        try:
            address = urlsplit(str(parsed[option]))
            good = address.scheme in ("http", "https") and address.hostname and address.port != 0
        except ValueError:
            good = False
        if not good:
            self.wrong("{0} is no http or https address: {1!r}", option, _without_password(parsed[option]))

    def _port(self, parsed):
        port = str(parsed["port"])
        if port.isdigit():
            parsed["port"] = int(port)
        if not re.match(r"^(?=.*[a-z])[a-z0-9-]{1,15}$", port) and not (port.isdigit() and 0 < int(port) < 65536):
            self.wrong("port is a number or a port's name, not {0!r}", parsed["port"])

    def _duration(self, options, name):
        if name in options:
            try:
                options[name] = seconds(options[name], name)
            except BlueGreenError as error:
                self.wrong("{0}", error.what)

    def _whole(self, options, name, least):
        """Turn an option into a whole number of at least ``least``; anything else is a mistake."""
        try:
            number = int(str(options[name]))
            if number >= least:
                options[name] = number
                return
        except ValueError:
            pass
        words = "all, any, one or " if name == "pods" else ""
        self.wrong("{0} is {1}a whole number of {2} or more, not {3!r}", name, words, least, options[name])

    def _expect(self, expect, known):
        if not isinstance(expect, dict):
            self.wrong("expect is a dictionary, not {0!r}", expect)
            return {}
        expect = dict(expect)
        for option in sorted(set(expect) - set(known)):
            self.wrong("unknown expectation {0!r}; known are {1}", option, ", ".join(known))
        if "status" in expect:
            statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
            try:
                expect["status"] = [int(str(status)) for status in statuses]
            except ValueError:
                self.wrong("expect.status is a number or a list of numbers, not {0!r}", expect["status"])
        for option in ("json", "header"):
            if option in expect and not isinstance(expect[option], dict):
                self.wrong("expect.{0} is a dictionary, not {1!r}", option, expect[option])
                expect[option] = {}
        for path in expect.get("json", {}):
            try:
                jmespath.compile(path)
            except jmespath.exceptions.JMESPathError as error:
                self.wrong("expect.json: {0!r} is no JMESPath: {1}", path, str(error).splitlines()[0])
        if "regex" in expect:
            try:
                re.compile(expect["regex"])
            except (re.error, TypeError) as error:
                self.wrong("expect.regex {0!r}: {1}", expect["regex"], error)
        if "text" in expect and not isinstance(expect["text"], str):
            self.wrong("expect.text is text, not {0!r}", expect["text"])
        for option in ("min", "max"):
            if option in expect and option in known:
                try:
                    expect[option] = float(str(expect[option]))
                except ValueError:
                    self.wrong("expect.{0} is a number, not {1!r}", option, expect[option])
        self._duration(expect, "latency")
        return expect
