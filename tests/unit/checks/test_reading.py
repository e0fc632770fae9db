# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading checks, and naming their mistakes."""

from __future__ import annotations

import copy
import textwrap
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from checking import mistakes, parse


def test_what_is_not_given_has_a_default() -> None:
    (parsed,) = parse({"http": "/health"})
    assert parsed["name"] == "/health"
    assert (parsed["method"], parsed["retries"], parsed["timeout"], parsed["pods"]) == ("GET", 0, 5, "all")
    assert parsed["expect"] == {}


def test_durations_are_seconds() -> None:
    (parsed,) = parse({"http": "/", "timeout": "1m", "delay": "500ms", "expect": {"latency": "20ms"}})
    assert (parsed["timeout"], parsed["delay"], parsed["expect"]["latency"]) == (60, 0.5, 0.02)


def test_the_users_checks_are_not_changed() -> None:
    given = {"http": "/", "timeout": "1m", "expect": {"status": 200, "latency": "20ms"}, "body": {"a": 1}}
    kept = copy.deepcopy(given)
    parse(given)
    assert given == kept


KNOWN = "body, ca_cert, delay, expect, headers, host, http, method, name, pods, port, retries, scheme, service, timeout, via"


def test_all_mistakes_are_named_at_once() -> None:
    """The golden text of a mistyped list of checks."""
    error = mistakes(
        {"name": "health", "htp": "/health"},
        {"name": "both", "http": "/", "url": "http://shop.example/"},
        {"name": "path", "http": "health"},
        {"name": "address", "url": "shop.example/health", "port": 80},
        {"name": "verb", "http": "/", "method": "FETCH", "retries": -1, "timeout": "soon"},
        {"name": "expects", "http": "/", "expect": {"code": 200, "json": ["version"], "regex": "(", "status": "2xx"}},
        {"name": "path", "http": "/", "pods": "some", "scheme": "ftp", "headers": ["A: b"]},
    )
    assert str(error) == textwrap.dedent(
        """\
        The checks have 17 mistakes.
          check health: needs exactly one of http, url, command, prometheus, tcp, job, grpc
          check health: unknown option 'htp'; known are KNOWN
          check both: needs exactly one of http, url, command, prometheus, tcp, job, grpc, not http and url
          check path: http is a path that starts with '/', not 'health'
          check address: port has no meaning for url; it is an option of http, command, grpc
          check address: url is no http or https address: 'shop.example/health'
          check verb: retries is a whole number of 0 or more, not -1
          check verb: timeout is not a duration: 'soon'
          check verb: method 'FETCH' is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
          check expects: unknown expectation 'code'; known are status, json, header, text, regex, latency
          check expects: expect.status is a number or a list of numbers, not '2xx'
          check expects: expect.json is a dictionary, not ['version']
          check expects: expect.regex '(': missing ), unterminated subpattern at position 0
          check path: headers is a dictionary, not ['A: b']
          check path: pods is all, any, one or a whole number of 1 or more, not 'some'
          check path: scheme is http or https, not 'ftp'
          two checks are named 'path'; give each its own name
        Next: Correct bluegreen_checks; nothing has been changed."""
    ).replace("KNOWN", KNOWN)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"http": "/", "timeout": 0}, "timeout"),
    ({"http": "/", "timeout": "0s"}, "timeout"),
    ({"http": "/", "delay": -1}, "delay is not a duration"),
    ({"http": None}, "http is a path"),
    ({"url": None}, "url is no http or https address"),
    ({"url": "ftp://shop.example/"}, "url is no http or https address"),
    ({"url": "http://"}, "url is no http or https address"),
    ({"url": "http://shop.example/", "pods": "any"}, "pods has no meaning for url"),
    ({"http": "/", "pods": 0}, "a whole number of 1 or more"),
    ({"http": "/", "retries": "many"}, "retries is a whole number"),
    ({"http": "/", "retries": 1.5}, "retries is a whole number"),
    ({"http": "/", "port": "80/tcp"}, "port is a number or a port's name"),
    ({"http": "/", "via": "proxy", "headers": {"Authorization": "Bearer x"}}, "Authorization"),
    ({"http": "/", "method": None}, "method"),
    ({"http": "/", "expect": None}, "expect is a dictionary"),
    ({"http": "/", "expect": {"json": {"a[": 1}}}, "is no JMESPath"),
    ({"http": "/", "expect": {"text": 5}}, "expect.text is text"),
    ({"http": "/", "expect": {"regex": 5}}, "expect.regex 5"),
    ({"http": "/", "expect": {"header": "X"}}, "expect.header is a dictionary"),
    ({"http": "/", "expect": {"latency": "fast"}}, "latency is not a duration"),
    ({}, "needs exactly one of http, url, "),
]


@pytest.mark.parametrize(("wrong", "said"), MISTAKES)
def test_a_mistake_is_named(wrong: dict[str, Any], said: str) -> None:
    found = mistakes({"name": "one", **wrong}).why
    assert any(said in mistake and mistake.startswith("check one: ") for mistake in found), found


def test_a_check_without_a_name_is_named_by_its_number() -> None:
    assert mistakes({"http": "/"}, {"http": "x"}).why[0].startswith("check number 2: ")


def test_pods_that_are_null_are_a_mistake() -> None:
    error = mistakes({"name": "up", "http": "/", "pods": None}, {"name": "open", "tcp": 5432, "pods": None})
    text = "pods is all, any, one or a whole number of 1 or more, not None"
    assert error.why == [f"check up: {text}", f"check open: {text}"]


KINDS = {
    "http": "/",
    "url": "http://127.0.0.1/",
    "command": "true",
    "prometheus": "up",
    "tcp": 5432,
    "job": "job.yml",
    "grpc": "",
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_an_option_is_it_is_read_or_a_mistake(kind: str) -> None:
    options = {**_checks.reading.COMMON, **_checks.KINDS[kind].OPTIONS, kind: "", "name": "", "expect": {}}
    expected = dict.fromkeys(_checks.KINDS[kind].EXPECTATIONS)
    odd = [None, True, 1, -1.5, "x", "x\n", [], [None], {}, {"a": None}, {1: 2}]
    cases = [{option: value} for option in options for value in odd]
    cases += [{"expect": {option: value}} for option in expected for value in odd]
    for case in cases:
        try:
            parse({kind: KINDS[kind], **case})
        except BlueGreenError as error:
            assert error.reason == "bad_input", case


def test_a_line_break_at_the_end_is_no_part_of_a_port() -> None:
    assert "not 'http\\n'" in mistakes({"name": "up", "http": "/", "port": "http\n"}).why[0]


@pytest.mark.parametrize("kind", ["http", "url"])
def test_a_header_that_cannot_be_sent_is_a_mistake_that_is_not_shown(kind: str) -> None:
    one = {"name": "up", kind: KINDS[kind], "headers": {"Authorization": "Bearer s3cret\n", "X y": "1", "X-Z": "€"}}
    error = mistakes({**one, "host": "shop.example\r\nX: y"})
    assert error.why == [
        "check up: headers.Authorization has a character that no request can carry, such as a line break",
        "check up: headers.X y has a character that no request can carry, such as a line break",
        "check up: headers.X-Z has a character that no request can carry, such as a line break",
        "check up: host has a character that no request can carry, such as a line break",
    ]


def test_nor_one_for_prometheus() -> None:
    server = {"url": "http://127.0.0.1/", "headers": {"Authorization": "Bearer s3cret\n"}}
    (text,) = mistakes({"name": "up", "prometheus": "up", "expect": {"min": 1}}, prometheus=server).why
    assert text.startswith("check up: prometheus.headers.Authorization has a character")
