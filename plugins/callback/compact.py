# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: compact
type: stdout
short_description: A release in a few lines
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Shows a line for each stage of a release, with its time and its outcome, in place of Ansible's tasks.
  - In a terminal the progress of what is under way is shown below these lines, and replaced as it goes on. Without one,
    such as in a pipeline, there are plain lines only.
  - The last thing shown is what is live now or, when something has failed, the whole message of that, once. Several
    applications end with a table.
  - Tasks of your own are a line each. What was skipped is not shown. C(-v) shows all progress, and C(--diff) the changes.
requirements:
  - Set as stdout callback, by C(ANSIBLE_STDOUT_CALLBACK=bluegreen.kubernetes.compact) in the environment, or
    C(stdout_callback = bluegreen.kubernetes.compact) in the section C([defaults]) of C(ansible.cfg).
"""

import os
import shutil
import sys
import threading
import time
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD

STAGES = {
    "bg_begin": "begin",
    "bg_current_color": "look",
    "bg_deploy": "deploy",
    "bg_job": "database",
    "bg_preview": "preview",
    "bg_follow": "follow",
    "bg_workers": "workers",
    "bg_revert": "switch back",
    "bg_scale": "scale down",
    "bg_smoke_check": "validate",
}  # others are called as their module is, without bg_
ENDS = ("bg_end", "bg_report")
# What says nothing when it is well.
SILENT = (
    "assert",
    "gather_facts",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "meta",
    "set_fact",
    "set_stats",
    "setup",
    "validate_argument_spec",
)
WIDTH = 11  # of the column of stages
STAYS = ("warning: ", "report: ")  # progress that is not replaced by what comes after it


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bluegreen.kubernetes.compact"

    def __init__(self) -> None:
        super().__init__()
        self._screen = Screen(self._display)
        self._play = ""
        self._began: dict[str, float] = {}  # host → when its first task began
        self._running: dict[str, Running] = {}
        self._ends: dict[str, dict[str, Any]] = {}  # host → its bluegreen_result
        self._failures: dict[str, str] = {}  # host → the whole message of its last failure
        # Progress comes from the workers, and Ansible gives it to the screen without asking a callback.
        self._shows = self._display.display
        self._screen.shows = self._shows
        self._process = os.getpid()
        self._display.__dict__["display"] = self._said

    def _said(self, msg: str, *arguments: Any, **options: Any) -> None:
        """What Ansible, or an operation at work, wants to be shown."""
        if os.getpid() != self._process:  # a worker's goes to its parent first
            self._shows(msg, *arguments, **options)
            return
        host, divided, text = msg.partition(" | ")
        running = self._running.get(host) if divided else None
        with self._screen.lock:
            if running is None:
                self._screen.above(lambda: self._shows(msg, *arguments, **options))
            else:
                self._progress(host, running, text)

    def _progress(self, host: str, running: Running, text: str) -> None:
        if text.startswith(STAYS):
            color = C.COLOR_WARN if text.startswith("warning: ") else None
            self._line(host, "", None, text, color)
        elif running.stage not in ("end", "report"):  # their last word is the line of the end
            if running.said and (not self._screen.terminal or self._display.verbosity):
                self._line(host, running.stage, None, running.said[-1])
            running.said.append(text)
            self._show_running()

    # --- what is under way

    def v2_playbook_on_play_start(self, play: Any) -> None:
        checks = context.CLIARGS.get("check")
        self._play = play.get_name().strip() + (" (check mode: nothing is changed)" if checks else "")

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        now = time.monotonic()
        with self._screen.lock:
            self._began.setdefault(host.get_name(), now)
            self._running[host.get_name()] = Running(stage_of(task), now)
            self._show_running()

    def v2_runner_retry(self, result: Any) -> None:
        host, _task, answer = parts(result)
        tries = f"{answer.get('attempts')} of {answer.get('retries')} tries failed"
        with self._screen.lock:
            if host in self._running:
                self._progress(host, self._running[host], tries)

    def _show_running(self) -> None:
        now = time.monotonic()
        self._screen.below(
            [
                row(host, running.stage, now - running.began, running.last_word or "...", self._indent)
                for host, running in sorted(self._running.items())
                if running.stage
            ]
        )

    # --- what has ended

    def v2_runner_on_ok(self, result: Any) -> None:
        host, task, answer = parts(result)
        with self._screen.lock:
            running = self._end(host, task)
            for text in answer.get("warnings") or []:
                self._line(host, "", None, f"warning: {text}", C.COLOR_WARN)
            facts = answer.get("ansible_facts") or {}
            if action_of(task) in ENDS and facts.get("bluegreen_result"):
                self._ends[host] = next(iter(facts["bluegreen_result"].values()))
                self._show_end(host)
            elif action_of(task) == "debug":
                self._show_debug(host, answer)
            elif is_stage(task):
                text = str(answer.get("msg") or "").partition("\n")[0] or running.last_word
                if not (
                    action_of(task) == "bg_current_color" and task.args.get("retire_after")
                ):  # a status: it has been shown
                    self._line(host, running.stage, running.seconds(), text, C.COLOR_OK)
            elif action_of(task) not in SILENT:
                how, color = ("changed", C.COLOR_CHANGED) if answer.get("changed") else ("ok", C.COLOR_OK)
                self._line(host, how, running.seconds(), task.get_name(), color)

    def v2_runner_on_skipped(self, result: Any) -> None:
        host, task, _answer = parts(result)
        with self._screen.lock:
            self._end(host, task)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        host, _task, answer = parts(result)
        with self._screen.lock:
            if host in self._running:
                label = answer.get("_ansible_item_label", answer.get(answer.get("ansible_loop_var", "item"), ""))
                self._running[host].items.append(f"{label}: {failure_of(answer)}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        host, task, answer = parts(result)
        with self._screen.lock:
            running = self._end(host, task)
            text = "\n".join(running.items) or failure_of(answer)
            stage = running.stage if is_stage(task) else "failed"
            if running.said and not self._screen.terminal:
                self._line(host, running.stage, None, running.last_word)
            said_all = is_stage(task) or host in self._ends or action_of(task) == "validate_argument_spec"
            whole = text if said_all else f"{task.get_name()}: {text}"
            first = whole.partition("\n")[0]
            if ignore_errors:
                self._line(host, stage, running.seconds(), f"{first} (ignored)", C.COLOR_WARN)
                return
            if not (action_of(task) == "fail" and host in self._ends):  # of the role, after its end
                self._line(host, stage, running.seconds(), first, C.COLOR_ERROR)
            self._failures[host] = whole

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._screen.above(lambda: self._shows("No host of the inventory is meant: nothing was done.", C.COLOR_ERROR))

    def v2_on_file_diff(self, result: Any) -> None:
        _host, _task, answer = parts(result)
        found = answer.get("diff") or []
        for diff in found if isinstance(found, list) else [found]:
            text = self._get_diff(diff)
            if text:
                self._screen.above(lambda text=text: self._shows(text))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        with self._screen.lock:
            self._running.clear()
            self._screen.below([])
            hosts = sorted(stats.processed)
            if len(hosts) > 1:
                self._shows("")
                for line in table([self._summary(host, stats.summarize(host)) for host in hosts]):
                    self._shows(line)
            messages: dict[str, list[str]] = {}
            for host in hosts:
                totals = stats.summarize(host)
                if totals["failures"] or totals["unreachable"]:
                    text = self._failures.get(host) or "A task failed; Ansible says above why."
                    messages.setdefault(text, []).append(host)
            for text, failed in messages.items():
                self._shows("")
                self._shows(f"{', '.join(failed)}: {text}", C.COLOR_ERROR)
        self._screen.flush()

    # --- lines

    @property
    def _indent(self) -> int:
        return max(map(len, self._began), default=0)

    def _end(self, host: str, task: Any) -> Running:
        running = self._running.pop(host, None) or Running(stage_of(task), time.monotonic())
        self._show_running()
        return running

    def _line(self, host: str, stage: str, seconds: float | None, text: str, color: str | None = None) -> None:
        play, self._play = self._play, ""

        def show() -> None:
            if play:
                self._shows(play)
            self._shows(row(host, stage, seconds, text, self._indent), color)

        self._screen.above(show)

    def _show_end(self, host: str) -> None:
        ended = self._ends[host]
        word, text = ended["outcome"].upper().replace("_", " "), ended["msg"].partition("\n")[0]
        bad = ended["outcome"] in BAD
        seconds = time.monotonic() - self._began[host]
        self._line(host, word, seconds, "" if bad else text, C.COLOR_ERROR if bad else C.COLOR_OK)

    def _show_debug(self, host: str, answer: dict[str, Any]) -> None:
        given = answer.get("msg")
        if given is None:
            shown = {key: value for key, value in answer.items() if not key.startswith("_") and key != "changed"}
            given = [f"{key}: {value}" for key, value in shown.items()]
        for text in given if isinstance(given, list) else str(given).split("\n"):
            self._line(host, "", None, str(text))

    def _summary(self, host: str, totals: dict[str, int]) -> tuple[str, ...]:
        ended = self._ends.get(host, {})
        failed = totals["failures"] or totals["unreachable"]
        outcome = ended.get("outcome") or ("failed" if failed else "ok")
        live = f"{ended['active_color']} ({ended['version']})" if ended.get("active_color") else "-"
        return host, outcome.replace("_", " "), live


class Running:
    """A task under way on a host."""

    def __init__(self, stage: str, began: float) -> None:
        self.stage = stage
        self.began = began
        self.said: list[str] = []
        self.items: list[str] = []  # of a loop, what failed of them

    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def last_word(self) -> str:
        return self.said[-1] if self.said else ""


class Screen:
    """Lines that stay and, in a terminal, lines below them that are drawn anew."""

    def __init__(self, display: Any) -> None:
        self.lock = threading.RLock()
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.shows = display.display
        self._drawn: list[str] = []

    def above(self, show: Any) -> None:
        """Let something be shown that stays."""
        with self.lock:
            drawn = self._drawn
            self.below([])
            show()
            self.below(drawn)

    def below(self, lines: list[str]) -> None:
        if not self.terminal or lines == self._drawn:
            return
        size = shutil.get_terminal_size()
        text = f"\033[{len(self._drawn)}A\r\033[J" if self._drawn else ""
        self._drawn = lines[: size.lines - 1]
        text += "".join(line[: size.columns - 1] + "\n" for line in self._drawn)
        self.shows(text, screen_only=True, newline=False)
        self.flush()

    def flush(self) -> None:
        """Ansible leaves that to the end."""
        sys.stdout.flush()


def parts(result: Any) -> tuple[str, Any, dict[str, Any]]:
    """Host, task and answer of a result, as ansible-core calls them from 2.19 on, and as it did before."""
    new = hasattr(result, "result")
    host, task, answer = (getattr(result, name if new else f"_{name}") for name in ("host", "task", "result"))
    return host.get_name(), task, answer


def action_of(task: Any) -> str:
    return str(task.action).rpartition(".")[2]


def is_stage(task: Any) -> bool:
    return action_of(task).startswith("bg_")


def stage_of(task: Any) -> str:
    """What is shown of a task under way; nothing of those that only lead to others."""
    action = action_of(task)
    if action in SILENT or action == "fail":
        return ""
    return STAGES.get(action, action[3:]) if is_stage(task) else task.get_name()


def failure_of(answer: dict[str, Any]) -> str:
    """The whole message of what failed, with what a command of the user's has written."""
    said = str(answer.get("msg") or answer.get("censored") or "a task failed").strip()
    outputs = (str(answer.get(name) or "").strip() for name in ("stderr", "stdout", "module_stderr"))
    return "\n".join([said, *(text for text in outputs if text and text not in said)])


def row(host: str, stage: str, seconds: float | None, text: str, indent: int) -> str:
    took = f"{seconds:7.1f} s" if seconds is not None else " " * 9
    return f"{host:{indent}}  {stage:{WIDTH}.{WIDTH}} {took}  {text}".rstrip()


def table(rows: list[tuple[str, ...]]) -> list[str]:
    rows = [("application", "outcome", "live now"), *rows]
    widths = [max(len(cells[number]) for cells in rows) for number in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
