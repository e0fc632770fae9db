# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stdout callback: a release in a few lines."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from ansible.utils.display import Display
from ansible_collections.bluegreen.kubernetes.plugins.callback import compact

ROLE = "bluegreen.kubernetes."
RELEASED = {"outcome": "released", "msg": "b (version 2.0) is live.", "active_color": "b", "version": "2.0"}
ABORTED = {"outcome": "aborted", "msg": "stopped before the switch; a (version 1.0) is live. It cannot become ready."}
ABORTED.update(active_color="a", version="1.0")

# What Ansible called in a release that was recorded: the task began, what it said, how it ended.
RECORDED = [
    ("ansible.builtin.include_role", [], {"include": "x"}),
    ("ansible.builtin.validate_argument_spec", [], {"msg": "The arg spec validation passed"}),
    ("bg_begin", ["warning: nobody watches", "2.0 is released to b; a is live with 1.0."], {"changed": True}),
    ("ansible.builtin.include_tasks", [], {"include": "x"}),
    ("bg_deploy", ["web-b gets web:2.0 with 2 replicas."], {"msg": "web-b gets web:2.0 with 2 replicas."}),
    ("bg_wait", ["web-b: 0 of 2 pods ready, 0 s of 300 s", "web-b: 2 of 2 pods ready after 1.3 s"], {"msg": ""}),
    ("bg_smoke_check", ["ok     health: 2 of 2 passed"], {"msg": "1 check passed on b."}),
    ("bg_switch", ["web: switched from a to b (2.0)", "b is live: endpoints after 8 ms."], {"msg": "b is live."}),
    ("bg_end", ["RELEASED: b (version 2.0) is live.", "report: /r/web.html"], {"bluegreen": RELEASED}),
]


class Player:
    """Calls the callback as Ansible does, from 2.19 on or as before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, new: bool = True, terminal: bool = False) -> None:
        self.new = new
        self.written = ""
        display = Display()
        monkeypatch.setitem(display.__dict__, "display", self._write)
        monkeypatch.setattr(compact.context, "CLIARGS", {})
        monkeypatch.setattr(compact.C, "ANSIBLE_NOCOLOR", True)
        monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        self.callback = compact.CallbackModule()
        self.say = display.display
        self.totals: dict[str, dict[str, int]] = {}

    def _write(self, msg: str, color: str | None = None, newline: bool = True, screen_only: bool = False) -> None:
        self.written += msg + ("\n" if newline else "")

    @property
    def lines(self) -> list[str]:
        """What was shown, without the times."""
        return [
            re.sub(r"^(\S+ [\w ]+?) \d+\.\d s", r"\1 T s", re.sub(" +", " ", line))
            for line in self.written.splitlines()
        ]

    def play(self, host: str, action: str, said: list[str], answer: dict[str, Any], **options: Any) -> None:
        name = options.pop("name", f"task {action}")
        action = ROLE + action if action.startswith("bg_") else action
        task = SimpleNamespace(action=action, args={}, get_name=lambda: name)
        named = SimpleNamespace(get_name=lambda: host)
        self.totals.setdefault(host, {"failures": 0, "unreachable": 0})
        if "bluegreen" in answer:
            answer = {"ansible_facts": {"bluegreen_result": {host: answer["bluegreen"]}}}
        self.callback.v2_runner_on_start(named, task)
        for text in said:
            self.say(f"{host} | {text}")
        prefix = "" if self.new else "_"
        result = SimpleNamespace(**{f"{prefix}host": named, f"{prefix}task": task, f"{prefix}result": answer})
        if answer.get("failed"):
            self.callback.v2_runner_on_failed(result, **options)
        elif answer.get("skipped"):
            self.callback.v2_runner_on_skipped(result)
        else:
            self.callback.v2_runner_on_ok(result)

    def end(self, **failures: int) -> None:
        for host, number in failures.items():
            self.totals[host]["failures"] = number
        stats = SimpleNamespace(processed=self.totals, summarize=self.totals.__getitem__)
        self.callback.v2_playbook_on_stats(stats)


@pytest.fixture(params=[True, False], ids=["core-2.19", "core-2.16"])
def player(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Player:
    return Player(monkeypatch, new=request.param)


def test_a_line_for_each_stage(player: Player) -> None:
    player.callback.v2_playbook_on_play_start(SimpleNamespace(get_name=lambda: "Release"))
    for action, said, answer in RECORDED:
        player.play("web", action, said, answer)
    player.end()
    assert player.lines == [
        "Release",
        "web warning: nobody watches",
        "web begin T s 2.0 is released to b; a is live with 1.0.",
        "web deploy T s web-b gets web:2.0 with 2 replicas.",
        "web wait web-b: 0 of 2 pods ready, 0 s of 300 s",
        "web wait T s web-b: 2 of 2 pods ready after 1.3 s",
        "web validate T s 1 check passed on b.",
        "web switch web: switched from a to b (2.0)",
        "web switch T s b is live.",
        "web report: /r/web.html",
        "web RELEASED T s b (version 2.0) is live.",
    ]


def test_in_a_terminal_progress_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, terminal = Player(monkeypatch), Player(monkeypatch, terminal=True)
    for action, said, answer in RECORDED:
        for one in (plain, terminal):
            one.play("web", action, said, answer)
    assert "web-b: 0 of 2 pods ready" in terminal.written
    terminal.written = screen_of(terminal.written)
    assert terminal.lines == [line for line in plain.lines if line not in IN_BETWEEN]


IN_BETWEEN = ["web wait web-b: 0 of 2 pods ready, 0 s of 300 s", "web switch web: switched from a to b (2.0)"]


def test_a_failure_is_the_last_thing_and_whole(player: Player) -> None:
    whole = "ABORTED: web-b cannot become ready.\n  why\nNext: mend it"
    player.play("web", "bg_wait", [], {"failed": True, "msg": "web-b cannot become ready.\n  why\nNext: mend it"})
    player.play("web", "bg_revert", [], {"msg": "The traffic stays."})
    player.play("web", "bg_end", ["ABORTED: it"], {"bluegreen": ABORTED})
    player.play("web", "ansible.builtin.fail", [], {"failed": True, "msg": whole})
    player.end(web=1)
    assert player.lines == [
        "web wait T s web-b cannot become ready.",
        "web switch back T s The traffic stays.",
        "web ABORTED T s",
        "",
        "web: ABORTED: web-b cannot become ready.",
        " why",
        "Next: mend it",
    ]


def test_several_applications_end_with_a_table(player: Player) -> None:
    for host in ("web", "api", "old"):
        player.play(host, "bg_end", [], {"bluegreen": RELEASED if host == "web" else ABORTED})
    for host in ("api", "old"):
        player.play(host, "ansible.builtin.fail", [], {"failed": True, "msg": "the same trouble"})
    player.end(api=1, old=1)
    assert player.lines[3:] == [
        "",
        "application outcome live now",
        "api aborted a (1.0)",
        "old aborted a (1.0)",
        "web released b (2.0)",
        "",
        "api, old: the same trouble",
    ]


def test_tasks_of_users_are_a_line_each(player: Player) -> None:
    player.play("web", "ansible.builtin.command", [], {"changed": True}, name="Warm the cache")
    player.play("web", "ansible.builtin.uri", [], {}, name="Ask")
    player.play("web", "ansible.builtin.command", [], {"skipped": True}, name="Never")
    player.play("web", "ansible.builtin.debug", [], {"msg": ["one", "two"]})
    player.play("web", "ansible.builtin.command", [], {"failed": True, "msg": "no"}, name="May", ignore_errors=True)
    broken = {"failed": True, "msg": "non-zero return code", "stderr": "no such file"}
    player.play("web", "ansible.builtin.command", [], broken, name="Must")
    player.end(web=1)
    assert player.lines == [
        "web changed T s Warm the cache",
        "web ok T s Ask",
        "web one",
        "web two",
        "web failed T s May: no (ignored)",
        "web failed T s Must: non-zero return code",
        "",
        "web: Must: non-zero return code",
        "no such file",
    ]


def test_what_no_log_hides_stays_hidden(player: Player) -> None:
    player.play("web", "ansible.builtin.command", [], {"failed": True, "censored": "hidden"}, name="Log in")
    player.end(web=1)
    assert player.lines[-1] == "web: Log in: hidden"


def test_a_worker_hands_on_what_it_is_told_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the lock as it was when it was forked: held, perhaps, by a thread that is not there."""
    player = Player(monkeypatch)
    monkeypatch.setattr(compact.os, "getpid", lambda: -1)
    monkeypatch.setattr(player.callback, "_screen", None)
    player.say("web | text")
    assert player.written == "web | text\n"


def screen_of(written: str) -> str:
    """What is left on a terminal."""
    lines, at = [""], 0
    for piece in re.findall(r"\033\[\d*[A-Zm]|\033\[\d+;\d+m|\r|\n|[^\033\r\n]+", written.replace("\r\n", "\n")):
        if piece.endswith("A") and piece[0] == "\033":
            at -= int(piece[2:-1])
        elif piece == "\033[J":
            lines[at:] = [""]
        elif piece == "\n":
            at += 1
            lines += [""] * (at == len(lines))
        elif piece != "\r" and piece[0] != "\033":
            lines[at] += piece
    return "\n".join(lines)


PLAY = """\
- name: A play
  hosts: all
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: Scale
      bluegreen.kubernetes.bg_scale: {services: [shop], replicas: 1, host: "http://127.0.0.1:9", api_key: none, api_timeout: 1}
"""


def run_plain(command: list[str], **options: Any) -> str:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False, **options
    ).stdout


def run_in_terminal(command: list[str], **options: Any) -> str:
    ours, its = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its, **options):
        os.close(its)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # it has closed its end
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize("run", [run_plain, run_in_terminal])
def test_by_ansible_itself(tmp_path: Path, run: Callable[..., str]) -> None:
    """Progress comes from a worker process, and the failure is the last thing, in a terminal and without one."""
    (tmp_path / "play.yml").write_text(PLAY)
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "shop,", str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "TERM": "xterm", "COLUMNS": "200"}
    environment.update(ANSIBLE_STDOUT_CALLBACK="bluegreen.kubernetes.compact")
    written = run(command, env=environment, cwd=tmp_path)
    assert "does not answer: Connection refused. Trying for 1 s more." in written
    assert ("\033" in written) == (run is run_in_terminal)
    shown = screen_of(written)
    refused = "The API server http://127.0.0.1:9 does not answer: Connection refused"
    assert re.search(rf"^shop  scale down  +\d+\.\d s  {refused}$", shown, re.MULTILINE), json.dumps(written)
    *_before, first, last = shown.strip().splitlines()
    assert first == f"shop: {refused}"
    assert last.startswith("Next: Check the address")
