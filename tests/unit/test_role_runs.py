# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role itself, played by ansible-playbook against an API server that does not answer."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from api import Api
from loopback import Loopback
from recorded import switched

PLAY = """\
- hosts: all
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}", bluegreen_services: [shop], bluegreen_api_timeout: 0.1}
  module_defaults:
    group/bluegreen.kubernetes.bg: {host: "{{ server | default('http://127.0.0.1:9') }}", api_key: none}
  tasks:
    - ansible.builtin.include_role: {name: bluegreen.kubernetes.bluegreen, tasks_from: "{{ flow | default('main') }}"}
"""


@pytest.fixture
def play(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "play.yml").write_text(PLAY)
    return tmp_path


def run(play: Path, *words: str, hosts: str = "shop", **variables: Any) -> subprocess.CompletedProcess[str]:
    """ansible-playbook, from another directory than the playbook's."""
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        f"{hosts},",
        str(play / "play.yml"),
        *words,
    ]
    return subprocess.run(
        [*command, "-e", json.dumps(variables)],
        cwd=play / "elsewhere",
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_that_cannot_begin_is_reported_beside_its_playbook(play: Path) -> None:
    """Also where a variable mentions what only a step binds."""
    ended = run(play, version="2.0", bluegreen_report="reports/{{ bluegreen_expected_version }}-{{ bluegreen_color }}")
    assert ended.returncode == 2
    assert "REFUSED: nothing was changed. The API server" in ended.stdout
    assert "The API server http://127.0.0.1:9 does not answer" in ended.stdout.rpartition("Fail with what failed")[2]
    assert (play / "reports" / "2.0-" / "shop.html").is_file()


def test_a_typing_error_in_a_variable_is_refused(play: Path) -> None:
    ended = run(play, version="2.0", bluegreen_check=[])
    assert ended.returncode == 2
    assert "There is no variable bluegreen_check; did you mean bluegreen_checks?" in ended.stdout


def test_no_application_says_where_it_would_be_named(play: Path) -> None:
    ended = run(play, version="2.0", bluegreen_services=[])
    assert ended.returncode == 2
    assert "Release of 2.0 REFUSED: nothing was changed. bluegreen_services is empty" in ended.stdout
    assert "-i inventory.yml" in ended.stdout
    assert "argument_spec" not in ended.stdout


def test_the_last_words_are_the_whole_message_once(play: Path) -> None:
    ended = run(play, version="2.0")
    last = ended.stdout.rpartition("Fail with what failed")[2]
    assert "Release of 2.0 REFUSED: nothing was changed. The API server http://127.0.0.1:9 does not answer" in last
    assert "Next: Check the address" in last


def test_a_refusal_is_short(play: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "bluegreen.kubernetes.compact")
    for variables in ({}, {"bluegreen_services": []}, {"bluegreen_check": [], "bluegreen_wait_timeout": "5 minuten"}):
        ended = run(play, version="2.0", **variables)
        assert ended.returncode == 2
        assert len(ended.stdout.splitlines()) <= 25, ended.stdout
        assert ended.stdout.count("Next: ") == 1


@pytest.fixture
def server(loopback: Loopback) -> dict[str, Any]:
    """What leads to an application whose green is live."""
    api = Api(loopback, switched(previous_version="1.0", previous_image="myapp:1.0"))
    options = api.connection
    return {"server": options["host"], "bluegreen_namespace": options["namespace"], "bluegreen_services": ["myapp"]}


def test_a_status_is_a_table(play: Path, server: dict[str, Any]) -> None:
    ended = run(play, flow="status", **server)
    assert ended.returncode == 0, ended.stdout
    lines = ended.stdout.splitlines()
    assert "      color  version  pods       Deployment  image" in lines
    assert "idle  blue   1.0      3/3 ready  app-blue    myapp:1.0" in lines
    assert ended.stdout.count("rollback: to blue") == 1


def test_a_status_of_several_is_a_line_each(play: Path, server: dict[str, Any]) -> None:
    ended = run(play, hosts="shop,storefront", flow="status", **server)
    assert ended.returncode == 0, ended.stdout
    lines = [line.split("  ", 1) for line in ended.stdout.splitlines() if "rollback: to blue (version 1.0)" in line]
    assert sorted(host.strip() for host, _text in lines) == ["shop", "storefront"]
    assert all("green (version 2.0) is live, 3/3 ready; blue (version 1.0) is idle" in text for _host, text in lines)
    assert "Deployment" not in ended.stdout


CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {LEVEL: "{{ level }}", OF: "{{ bluegreen_expected_version }} on {{ bluegreen_color }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {PASSWORD: "{{ password }}"}
"""


def test_a_plan_shows_the_configuration_and_no_secret(play: Path, loopback: Loopback) -> None:
    """Filled in before the run is planned, and again when it is written: the version is live, and this differs."""
    (play / "config").mkdir()
    (play / "config" / "app.yml.j2").write_text(CONFIG)
    api = Api(loopback, switched(dry_run=True, previous_version="1.0", previous_image="myapp:1.0"))
    for color in ("blue", "green"):
        pod = api.store.one("Deployment", f"app-{color}")["spec"]["template"]["spec"]
        sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "credentials"}}]
        pod["containers"][0]["envFrom"] = sources
    variables = {"server": api.connection["host"], "bluegreen_namespace": api.connection["namespace"]}
    variables |= {"bluegreen_services": ["myapp"], "bluegreen_config": "config/*.yml.j2", "bluegreen_api_timeout": 5}
    variables |= {"version": "2.0", "level": "debug", "password": "correct-horse"}
    ended = run(play, "--check", "--diff", "-vvv", **variables)
    assert (
        "2.0 is released to blue; green is live with 2.0. The configuration differs: ConfigMap settings" in ended.stdout
    )
    assert '"LEVEL": "debug"' in ended.stdout and '"OF": "2.0 on blue"' in ended.stdout
    assert '"PASSWORD": "(13 bytes)"' in ended.stdout
    writes = [(seen.method, seen.query.get("dryRun")) for seen in loopback.seen if seen.method != "GET"]
    assert writes[:3] == [("POST", "All"), ("POST", "All"), ("PATCH", "All")]
    # What -e shows with -vvv is Ansible's own; of ours there is nothing.
    assert "correct-horse" not in ended.stdout.replace('"password": "correct-horse"', "")
    assert base64.b64encode(b"correct-horse").decode() not in ended.stdout
