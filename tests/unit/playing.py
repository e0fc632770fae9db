# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, run on a directory of its own and against recorded objects behind HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from loopback import Loopback

SETTINGS = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "bluegreen_services": ["myapp"],
    "bluegreen_namespace": "store",
    "bluegreen_wait_timeout": 5,
}


class Played:
    """How a run has ended. ``results`` is what the play's last task had in ``bluegreen_result``."""

    def __init__(self, ended: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.error = ended.returncode, ended.stdout, ended.stderr
        self.results: dict[str, Any] = {}
        found = re.search(r'^ +"msg": "RESULTS (.*)"$', self.out, re.MULTILINE)
        if found:
            self.results = json.loads(json.loads(f'"{found[1]}"'))

    @property
    def all(self) -> str:
        return self.out + self.error


class Player:
    """Runs playbooks in ``directory``; its hosts are ``hosts``, by name with their variables beside SETTINGS."""

    def __init__(self, directory: Path, server: Loopback) -> None:
        self.directory, self.server = directory, server
        self.hosts: dict[str, dict[str, Any]] = {"blog": {}}
        self.environment: dict[str, str] = {}

    def role(self, tasks_from: str = "main", **keywords: Any) -> dict[str, Any]:
        """A task that includes the role."""
        role = {"name": "bluegreen.kubernetes.bluegreen", "tasks_from": tasks_from}
        return {"name": "Release", "ansible.builtin.include_role": role, **keywords}

    def play(self, *words: str, tasks: list[Any] | None = None, cwd: Path | None = None, **keywords: Any) -> Played:
        """Play the tasks, else the role; then the results are shown."""
        shown = {"ansible.builtin.debug": {"msg": "RESULTS {{ bluegreen_result | to_json }}"}, "tags": "always"}
        play = {"hosts": "all", "gather_facts": False, "tasks": [*(tasks or [self.role()]), shown], **keywords}
        (self.directory / "play.yml").write_text(json.dumps([play]))
        return self.run("play.yml", *words, cwd=cwd)

    def run(self, playbook: str, *words: str, cwd: Path | None = None) -> Played:
        hosts = {name: {**SETTINGS, **variables} for name, variables in self.hosts.items()}
        (self.directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        if "/" in playbook or playbook.endswith(".yml"):
            playbook = str(self.directory / playbook)
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.directory / "hosts.yml")]
        ended = subprocess.run(
            [*command, playbook, *words],
            cwd=cwd or self.directory,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "K8S_AUTH_HOST": self.server.url,
                "K8S_AUTH_API_KEY": "s3cret-token",
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Played(ended)
