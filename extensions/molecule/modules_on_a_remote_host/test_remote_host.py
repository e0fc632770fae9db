# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release from a bastion host that Ansible reaches by SSH, and that alone knows the cluster.

The bastion is an SSH server on loopback, for one key, with an environment of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest
import yaml
from harness import Application, Run, kubeconfig


@dataclass
class Host:
    """port, user and key to log in with (known_hosts has the host's own); commands: what was run there."""

    port: int = 0
    user: str = "deployer"
    key: Path = Path()
    known_hosts: Path = Path()
    commands: list[str] = field(default_factory=list)


@contextlib.contextmanager
def ssh_server(directory: Path, environment: dict[str, str]) -> Iterator[Host]:
    """The bastion, until the context ends; its commands run with `environment` alone, and its keys are in `directory`."""
    host = Host(key=directory / "key", known_hosts=directory / "known_hosts")
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _kind in ("host", "user"))
    host.key.touch(mode=0o600)
    user_key.write_private_key(host.key)
    user_key.write_public_key(directory / "authorized_keys")

    async def execute(process: asyncssh.SSHServerProcess) -> None:
        host.commands.append(process.command)
        pipe = subprocess.PIPE
        with subprocess.Popen(process.command, shell=True, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as child:
            await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
            process.exit(await asyncio.to_thread(child.wait))
            await process.wait_closed()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen("127.0.0.1", 0, server_host_keys=[host_key], process_factory=execute, encoding=None,
                                     authorized_client_keys=str(directory / "authorized_keys"), sftp_factory=True)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    try:
        host.port = server.get_port()
        host.known_hosts.write_text(f"[127.0.0.1]:{host.port} {host_key.export_public_key().decode()}")
        yield host
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("bastion")
    with ssh_server(directory, {"PATH": os.defpath, "HOME": str(directory), "KUBECONFIG": kubeconfig()}) as host:
        yield host


@pytest.fixture(scope="module")
def inventory(bastion: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application, released from the bastion."""
    file = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    login = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": bastion.port,
             "ansible_user": bastion.user, "ansible_ssh_private_key_file": str(bastion.key),
             # No shared connection: it would outlive the test.
             "ansible_ssh_args": f"-F none -o ControlMaster=no -o UserKnownHostsFile={bastion.known_hosts}",
             "ansible_python_interpreter": sys.executable, "bluegreen_services": ["myapp"]}
    file.write_text(yaml.safe_dump({"all": {"hosts": {"myapp": login}}}))
    return file


def play(app: Application, inventory: Path, playbook: str, *arguments: str, **variables: object) -> Run:
    """Run a playbook on the bastion, from a controller that knows no cluster."""
    nowhere = str(inventory.parent / "no-kubeconfig")
    return Run([playbook, "-i", str(inventory), *arguments], app.variables(bluegreen_scale_down_delay=0, **variables),
               env={"KUBECONFIG": nowhere}).finish()


def test_release_and_rollback(app: Application, bastion: Host, inventory: Path) -> None:
    run = play(app, inventory, "release.yml", version="2.0")
    assert (run.code, run.outcome, app.color) == (0, "released", "green"), run.output
    modules = [command for command in bastion.commands if "AnsiballZ_bg_" in command or sys.executable in command]
    assert len(modules) >= 7, bastion.commands

    run = play(app, inventory, "rollback.yml")
    assert (run.code, run.outcome, app.color) == (0, "rolled_back", "blue"), run.output


def test_the_plan_is_the_same(app: Application, inventory: Path) -> None:
    there = play(app, inventory, "release.yml", "--check", "--diff", version="3.0")
    here = app.playbook("release.yml", "--check", "--diff", version="3.0", bluegreen_scale_down_delay=0)
    assert there.outcome == here.outcome == "planned", there.output
    assert difference(there) == difference(here) != []


def test_a_failure_says_the_same(app: Application, inventory: Path) -> None:
    there = play(app, inventory, "release.yml", version="2.0", bluegreen_services=["shop"])
    here = app.playbook("release.yml", version="2.0", bluegreen_services=["shop"])
    assert there.errors[0] == here.errors[0]
    assert there.results == here.results and there.outcome == "refused"


def difference(run: Run) -> list[str]:
    """What --diff shows."""
    return [text for _at, text in run.lines if text.startswith(("-", "+"))]
