# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import exchange
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect as expectations

HEADERS = {"X-Color": "green"}


@pytest.mark.parametrize(
    ("expect", "status", "body", "reasons"),
    [
        ({}, 200, b"", []),
        ({}, 204, b"", []),
        ({}, 302, b"", ["HTTP 302 instead of 2xx (empty answer)"]),
        ({}, 500, b"oh no", ["HTTP 500 instead of 2xx (answer: oh no)"]),
        ({"status": [200, 201]}, 201, b"", []),
        ({"status": [404]}, 404, b"", []),
        ({"status": [200, 201]}, 204, b"", ["HTTP 204 instead of 200 or 201 (empty answer)"]),
        ({"json": {"version": "2.0"}}, 200, b'{"version": "2.0"}', []),
        ({"json": {"a.b[0].c": 1}}, 200, b'{"a": {"b": [{"c": 1}]}}', []),
        ({"json": {"n": "1"}}, 200, b'{"n": 1}', []),
        ({"json": {"n": 1}}, 200, b'{"n": "1"}', []),
        ({"json": {"ok": True}}, 200, b'{"ok": true}', []),
        ({"json": {"ok": True}}, 200, b'{"ok": "True"}', ['ok is "True", expected true (answer: {"ok": "True"})']),
        ({"json": {"ok": 1}}, 200, b'{"ok": true}', ['ok is true, expected 1 (answer: {"ok": true})']),
        ({"json": {"none": None}}, 200, b"{}", []),
        ({"json": {"n": [1, 2]}}, 200, b'{"n": [1, 2]}', []),
        ({"json": {"gone": "x"}}, 200, b"{}", ['gone is null, expected "x" (answer: {})']),
        ({"json": {"a": 1}}, 200, b"<html>", ["the answer is no JSON (answer: <html>)"]),
        ({"header": {"x-color": "green"}}, 200, b"", []),
        ({"header": {"X-Color": "blue"}}, 200, b"", ["header X-Color is 'green', expected 'blue' (empty answer)"]),
        ({"header": {"X-None": "blue"}}, 200, b"", ["header X-None is None, expected 'blue' (empty answer)"]),
        ({"text": "welcome"}, 200, b"you are welcome", []),
        ({"text": "welcome"}, 200, b"bye", ["the text 'welcome' is not in the answer (answer: bye)"]),
        ({"regex": "^v[0-9]+$"}, 200, b"v12", []),
        ({"regex": "^v[0-9]+$"}, 200, b"w12", ["the answer does not match '^v[0-9]+$' (answer: w12)"]),
        ({"latency": 0.5}, 200, b"", []),
        ({"latency": 0.1}, 200, b"", ["took 250 ms, at most 100 ms expected (empty answer)"]),
        ({"text": "a", "regex": "b"}, 500, b"\xff", [
            "HTTP 500 instead of 2xx",
            "the text 'a' is not in the answer",
            "the answer does not match 'b' (answer: \ufffd)",
        ]),
    ],
)  # fmt: skip
def test_judge(expect: dict[str, Any], status: int, body: bytes, reasons: list[str]) -> None:
    from requests.structures import CaseInsensitiveDict

    assert (
        expectations.judge(expect, exchange.Answer(status, CaseInsensitiveDict(HEADERS), body, "url"), 0.25) == reasons
    )


def test_a_reason_holds_the_start_of_the_answer_only() -> None:
    (reason,) = expectations.judge({}, exchange.Answer(500, {}, b"a b\n" * 100_000, "url"), 0.1)
    assert len(reason) < 400
    assert "\n" not in reason
