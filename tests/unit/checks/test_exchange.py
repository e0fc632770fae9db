# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP by all ways: time, and big answers."""

from __future__ import annotations

import time
from typing import Iterator

import pytest
from api import Api
from checking import check, failure
from loopback import CUT, Answer, Seen, as_json


def test_no_answer_in_time(api: Api) -> None:
    def application(seen: Seen, pod: str, path: str) -> Answer:
        api.server.closing.wait(10)
        return as_json({})

    api.application = application
    began = time.monotonic()
    error = failure(api, {"name": "health", "http": "/health", "timeout": "300ms"})
    assert "no answer in 0.3 s" in str(error)
    assert 0.3 <= time.monotonic() - began < 5


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "60"}], ids=["chunked", "with a length"])
@pytest.mark.parametrize("way", ["pod", "url"])
def test_an_answer_that_trickles_does_not_outlast_the_timeout(way: str, headers: dict[str, str], api: Api) -> None:
    def trickle() -> Iterator[bytes]:
        for _number in range(60):
            yield b"x"
            if api.server.closing.wait(0.05):
                return

    api.application = lambda seen, pod, path: Answer(200, trickle(), headers)
    api.server.answer = lambda seen: Answer(200, trickle(), headers) if seen.path == "/slow" else api.answer(seen)
    one = {"pod": {"http": "/slow"}, "url": {"url": api.server.url + "/slow"}}[way]
    began = time.monotonic()
    error = failure(api, {"name": "slow", "timeout": "500ms", **one})
    assert "0.5 s" in str(error)
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("way", ["pod", "url"])
def test_an_answer_without_end_is_read_up_to_a_limit(way: str, api: Api) -> None:
    sent = [0]

    def endless() -> Iterator[bytes]:
        for _number in range(10_000):
            sent[0] += 65536
            yield b"x" * 65536

    api.application = lambda seen, pod, path: Answer(200, endless())
    api.server.answer = lambda seen: Answer(200, endless()) if seen.path == "/big" else api.answer(seen)
    one = {"pod": {"http": "/big", "pods": "any"}, "url": {"url": api.server.url + "/big"}}[way]
    result = check(api, {"name": "big", "timeout": 20, "expect": {"regex": "^x+$"}, **one})
    assert result["passed"] is True
    assert sent[0] < 100 * 1024 * 1024


def test_a_connection_that_is_cut_is_no_answer(api: Api) -> None:
    api.server.answer = lambda seen: CUT if seen.path == "/cut" else api.answer(seen)
    error = failure(api, {"name": "cut", "url": api.server.url + "/cut"})
    assert "no answer: " in str(error)
    assert "0x" not in str(error), "no addresses of Python objects"
