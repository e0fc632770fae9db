# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as checks."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from api import Api
from checking import check, failure, mistakes, pods
from loopback import Answer, Loopback, Seen, Takeover, as_json, refusal

# Asks the address it is given, and says what it found.
PROGRAM = """#!/usr/bin/env python3
import os, sys, urllib.request
print(os.environ["BG_COLOR"], os.environ["BG_VERSION"], os.environ.get("MORE"))
print(urllib.request.urlopen(sys.argv[-1] + "/status").read().decode())
sys.exit(len(sys.argv) - 2)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "suite.py"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return path


@pytest.fixture
def application(api: Api) -> Iterator[Loopback]:
    """Listens on the port of the pods."""
    with Loopback() as server:
        server.answer = lambda seen: as_json({"version": "2.0"})
        api.listening[8080] = server.port
        yield server


def test_a_command_gets_the_address_of_each_pod(application: Loopback, program: Path, api: Api) -> None:
    one = {"command": "./suite.py", "env": {"MORE": 7}, "expect": {"regex": 'green 2.0 7\\s.*"version": "2.0"'}}
    result = check(api, one, chdir=str(program.parent))
    assert [item["target"] for item in result["checks"]] == pods(api)
    assert {(item["via"], item["status"]) for item in result["checks"]} == {("port_forward", 0)}
    assert [seen.path for seen in application.seen] == ["/status"] * 3


def test_the_output_of_one_that_fails_is_shown(application: Loopback, program: Path, api: Api) -> None:
    error = failure(api, {"name": "suite", "command": f"{program} one two", "pods": "one"})
    assert f'suite on {pods(api)[0]}: exit code 2; it said:\n  green 2.0 None\n  {{"version": "2.0"}}' in str(error)
    assert [item["status"] for item in error.result["checks"]] == [2]


def test_one_target(application: Loopback, program: Path, api: Api) -> None:
    (item,) = check(api, {"command": [str(program)], "target": application.url})["checks"]
    assert (item["target"], item["via"]) == (application.url, "url")


def test_one_that_does_not_end(api: Api) -> None:
    error = failure(
        api, {"name": "nap", "command": "sh -c 'echo waiting; sleep 60'", "timeout": "300ms", "pods": "one"}
    )
    assert "not ended after 0.3 s; it said: waiting" in str(error)


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    error = mistakes(
        {"name": "absent", "command": "./absent.sh"},
        {"name": "text", "command": "./text"},
        {"name": "none", "command": ""},
        {"name": "target", "command": "true", "target": "http://ann:s3cret@shop.example/", "pods": "any"},
        chdir=str(tmp_path),
    )
    assert error.why == [
        f"check absent: the program ./absent.sh does not exist (looked from {tmp_path})",
        "check text: the program ./text is not executable (chmod +x)",
        "check none: command is a program with its arguments, as text or a list, not ''",
        "check target: target becomes an argument, which everybody sees: give user and password by env",
        "check target: pods has no meaning with target, which is one address",
    ]


def test_an_api_server_that_is_away_is_no_verdict(application: Loopback, program: Path, api: Api) -> None:
    """The command could not reach the pod: it is run again when the API server is back."""
    away: list[str] = []

    def answer(seen: Seen) -> Answer | Takeover:
        if seen.path.endswith("/portforward") and len(away) < 2:
            away.append(seen.path)
            return refusal(503, "starting")
        return api.answer(seen)

    api.server.answer = answer
    (item,) = check(api, {"name": "suite", "command": str(program), "pods": "one"})["checks"]
    assert (item["passed"], item["attempts"], len(away)) == (True, 1, 2)
