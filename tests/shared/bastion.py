# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bastion host: an SSH server on loopback, for one key, with an environment of its own. Ansible's ssh reaches it."""

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
from typing import Any

import asyncssh
from harness import Application


@dataclass
class Host:
    """port, user and key to log in with (known_hosts has the host's own); commands: what was run there."""

    port: int = 0
    user: str = "deployer"
    key: Path = Path()
    known_hosts: Path = Path()
    commands: list[str] = field(default_factory=list)

    @property
    def login(self) -> dict[str, Any]:
        """The inventory's variables of this host."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key),
            # No shared connection: it would outlive the test.
            "ansible_ssh_args": f"-F none -o ControlMaster=no -o UserKnownHostsFile={self.known_hosts}",
            "ansible_python_interpreter": sys.executable,
        }


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
        with subprocess.Popen(
            process.command, shell=True, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        ) as child:
            await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
            process.exit(await asyncio.to_thread(child.wait))
            await process.wait_closed()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            process_factory=execute,
            encoding=None,
            authorized_client_keys=str(directory / "authorized_keys"),
            sftp_factory=True,
        )

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


@contextlib.contextmanager
def bastion_of(app: Application, directory: Path) -> Iterator[Host]:
    """One that alone has the credentials for the cluster."""
    with ssh_server(directory, {"PATH": os.defpath, "HOME": str(directory), **app.credentials}) as host:
        yield host
