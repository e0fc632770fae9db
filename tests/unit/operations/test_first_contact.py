# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that does not answer: told soon when nothing has begun, waited for in the middle of a release."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import recorded
import urllib3
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin as _begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color as _current_color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import end as _end
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import wait as _wait
from certificates import Authority
from loopback import CUT, Answer, Loopback, as_json, free_port, refusal
from recorded import Clock

FIRST: list[tuple[Any, dict[str, Any]]] = [
    (_begin, {"flow": "release", "settings": {}, "version": "2.0"}),
    (_begin, {"flow": "rollback", "settings": {}}),
    (_current_color, {}),
]
IDS = ["release", "rollback", "status"]


def execute(operation: Any, url: str, **options: Any) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    params = recorded.parameters(operation, **{"host": url, "api_key": "t", "namespace": "store", **options})
    return _operation.execute(operation, params, False, said.append), said


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[float]:
    """Nobody accepts, or nobody answers: each request takes the time that it was given. Returns these times."""
    taken: list[float] = []

    def request(pool: Any, method: str, url: str, timeout: urllib3.Timeout, **more: Any) -> Any:
        blackholed = len(taken) % 2 == 0
        seconds = timeout.connect_timeout if blackholed else timeout.clone().read_timeout
        taken.append(seconds)
        clock.sleep(seconds)
        if blackholed:
            raise urllib3.exceptions.ConnectTimeoutError(None, f"Connection timed out. (connect timeout={seconds})")
        raise urllib3.exceptions.ReadTimeoutError(None, url, "Read timed out.")

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    return taken


@pytest.mark.parametrize(("operation", "options"), FIRST, ids=IDS)
def test_nothing_listens(operation: Any, options: dict[str, Any], clock: Clock) -> None:
    began, url = clock.now, f"http://127.0.0.1:{free_port()}"
    result, said = execute(operation, url, **options)
    assert result["reason"] == "api_unreachable"
    assert 5 < clock.now - began <= 10
    assert said == [], "the one sentence is the error's"
    what, following = result["msg"].splitlines()
    assert what.startswith(f"The API server {url} does not answer: ")
    assert following.startswith("Next: Check the address (it comes from the connection options)")


@pytest.mark.parametrize(("operation", "options"), FIRST, ids=IDS)
def test_nobody_answers(operation: Any, options: dict[str, Any], silence: list[float], clock: Clock) -> None:
    began = clock.now
    result, said = execute(operation, "http://198.51.100.1:6443", **options)
    assert (result["reason"], said) == ("api_unreachable", [])
    assert sum(silence) <= clock.now - began <= 10


def test_less_patience_is_less_patience(silence: list[float], clock: Clock) -> None:
    began = clock.now
    execute(_current_color, "http://198.51.100.1:6443", api_timeout="3s")
    assert clock.now - began <= 3


def test_in_the_middle_of_a_release_it_is_waited_for(silence: list[float], clock: Clock) -> None:
    began = clock.now
    result, said = execute(_wait, "http://198.51.100.1:6443", color="green", timeout=300)
    assert result["reason"] == "api_unreachable"
    assert 50 < clock.now - began <= 60
    assert len(said) == 1


@pytest.mark.parametrize("trouble", [refusal(503, "starting"), Answer(502, b"no server is available"), refusal(429)])
def test_a_server_in_trouble_is_there(trouble: Answer, loopback: Loopback, clock: Clock) -> None:
    began = clock.now
    loopback.answer = lambda seen: trouble
    execute(_current_color, loopback.url)
    assert clock.now - began > 50


def test_once_it_has_answered_it_is_waited_for(loopback: Loopback, clock: Clock) -> None:
    """A run that has begun may be one that has to put right what another one has left."""
    service = {"kind": "Service", "metadata": {"name": "myapp", "uid": "1"}, "spec": {"selector": {"version": "blue"}}}
    loopback.answer = lambda seen: as_json(service) if len(loopback.seen) == 1 else CUT
    began = clock.now
    result, _said = execute(_current_color, loopback.url)
    assert result["reason"] == "api_unreachable"
    assert 50 < clock.now - began <= 60


def test_the_end_of_a_run_that_has_reached_nobody_asks_no_more(silence: list[float]) -> None:
    begun, _said = execute(_begin, "http://198.51.100.1:6443", flow="release", settings={}, version="2.0")
    silence.clear()
    failure = {"msg": begun["msg"], "reason": begun["reason"]}
    result, said = execute(_end, "http://198.51.100.1:6443", flow="release", begun=begun, failure=failure)
    assert (result["outcome"], said, silence) == ("refused", [], [])
    assert result["account"].startswith("Release REFUSED: ")
    assert result["account"].count("does not answer") == 1


@pytest.mark.parametrize("made_for", ["another", "127.0.0.2"])
def test_a_certificate_for_another_name_is_said_at_once(made_for: str, tmp_path: Path, clock: Clock) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(made_for))
    began = clock.now
    with Loopback(context) as server:
        result, said = execute(_current_color, server.url, ca_cert=str(authority.certificate))
    assert result["msg"].startswith(f"The certificate of the API server {server.url} is not trusted: ")
    assert "127.0.0.1" in result["msg"]
    assert (clock.now, said) == (began, [])
