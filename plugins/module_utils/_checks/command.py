# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A command as a check: it gets the address to check as its last argument, and passes when it exits with 0."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections import namedtuple
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader, without_password
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Listener
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

NAME = "command"

OPTIONS = {"timeout": 60, "env": {}, "target": None, "port": None, "scheme": "http", "pods": "all"}

EXPECTATIONS = expect.TEXT

Ended = namedtuple("Ended", "status output via")

OUTPUT_KEPT = 4096  # bytes of what it printed last
CHUNK = 65536


def read(reader: Reader, parsed: Object) -> None:
    words = parsed["command"]
    try:
        words = shlex.split(words) if isinstance(words, str) else [str(word) for word in words]
    except (ValueError, TypeError):
        words = []
    parsed["command"] = words
    directory = reader.params["chdir"] or os.getcwd()
    if not words:
        reader.wrong("command is a program with its arguments, as text or a list, not {0!r}", reader.check["command"])
    elif not _find_program(words, directory):
        there = os.path.exists(os.path.join(directory, words[0]))
        reason = "is not executable (chmod +x)" if there else f"does not exist (looked from {directory})"
        reader.wrong("the program {0} {1}", words[0], reason)
    if parsed["target"]:
        reader.address(parsed, "target")
        if without_password(parsed["target"]) != parsed["target"]:
            reader.wrong("target becomes an argument, which everybody sees: give user and password by env")
        if "pods" in reader.check:
            reader.wrong("pods has no meaning with target, which is one address")
        parsed.update(pods=None, where=parsed["target"])


def _find_program(words: list[str], directory: str) -> str | None:
    """The path of the program, as a shell in ``directory`` would find it; ``None`` when there is none to be run."""
    path = os.path.join(directory, words[0]) if "/" in words[0] else words[0]
    return shutil.which(path)


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    ended = _execute(run, check, pod)
    wrong = [] if ended.status == 0 else [f"exit code {ended.status}"]
    wrong += expect.judge_text(check["expect"], ended.output, time.monotonic() - began)
    return {"status": ended.status, "via": ended.via}, expect.with_output(wrong, ended.output)


def _execute(run: Run, check: Check, pod: Any) -> Ended:
    """Run the command once, for one pod or for ``target``.

    :raises NoAnswer: it could not be started, or has not ended within ``timeout``.
    """
    if check["target"]:
        return _run(run, check, check["target"], "url")
    with Listener(run.cluster, pod["metadata"]["name"], run.port_of(pod, check["port"]), check["timeout"]) as listener:
        address = f"{check['scheme']}://127.0.0.1:{listener.port}"
        ended = _run(run, check, address, "port_forward")
        if ended.status and listener.error:
            text = f"{listener.error}; the command ended with {ended.status}: {ended.output}"
            raise NoAnswer(text, listener.error.way)
        return ended


def _run(run: Run, check: Check, address: str, via: str) -> Ended:
    environment = {
        "BG_VERSION": run.color.version or "",
        "BG_COLOR": run.color.name,
        "BG_NAMESPACE": run.cluster.namespace,
    }
    environment.update({name: str(value) for name, value in check["env"].items()})
    deadline = time.monotonic() + check["timeout"]
    try:
        # Not AnsibleModule.run_command: that has no time limit, and does not end what the command has started.
        process = subprocess.Popen(  # pylint: disable=consider-using-with,ansible-bad-function
            [_find_program(check["command"], run.directory) or check["command"][0]] + check["command"][1:] + [address],
            cwd=run.directory,
            env=dict(os.environ, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it has started can be ended with it
        )
    except OSError as error:
        raise NoAnswer(f"cannot be started: {error}") from error
    pipe: Any = process.stdout  # it has one
    try:
        output, ended = _follow(process, pipe.fileno(), deadline)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        pipe.close()
        process.wait()
    text = output.decode("utf-8", "replace").strip()
    if not ended:
        raise NoAnswer(f"not ended after {check['timeout']:g} s{'; it said: ' + text if text else ''}")
    return Ended(process.returncode, text, via)


def _follow(process: subprocess.Popen[bytes], pipe: int, deadline: float) -> tuple[bytes, bool]:
    """The last output, and whether the process has ended by itself (what it left in the background is not waited for)."""
    output = b""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    open_ = True
    while True:
        ended = process.poll() is not None
        if open_ and poll.poll(0 if ended else 20):
            chunk = os.read(pipe, CHUNK)
            open_ = bool(chunk)
            output = (output + chunk)[-OUTPUT_KEPT:]
        elif ended or time.monotonic() > deadline:
            return output, ended
        elif not open_:
            time.sleep(0.02)
        if time.monotonic() > deadline and not ended:
            return output, False
