# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own files of tasks, run one task after the other as ansible-playbook does, with the collection's own actions.

Ansible takes 20 ms for a task that has nothing to do; this takes one. What it knows of Ansible is what the role uses:
blocks with rescue, includes with a loop and variables, when, register, ignore_errors, module_defaults.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import yaml
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _action

from simulation.templates import OMIT, Results, Scope

ROLE = Path(__file__).resolve().parents[2] / "roles" / "bluegreen"
OURS = "bluegreen.kubernetes."

Task = dict[str, Any]
Variables = dict[str, Any]


class TaskFailed(Exception):
    """A task has failed and nothing has rescued it."""

    def __init__(self, task: Task, result: Variables) -> None:
        super().__init__(result.get("msg"))
        self.task, self.result = task, result


class Role:
    """One play: the role on one host.

    :param variables: the host's, as somebody has written them.
    :param say: called with every line that the run shows.
    """

    Failed = TaskFailed

    def __init__(self, variables: Variables, check: bool, say: Callable[[str], None], files: Path = ROLE) -> None:
        self._facts = Results()
        magic = {"inventory_hostname": "localhost", "playbook_dir": str(files), "ansible_check_mode": check}
        self._scope = Scope(self._facts, variables, _yaml(ROLE / "vars" / "main.yml"), _defaults(), magic)
        self._check = check
        self._say = say

    def run(self, tasks_from: str) -> None:
        """:raises TaskFailed: the play failed."""
        path = ROLE / "tasks" / f"{tasks_from}.yml"
        self._tasks(_yaml(path), self._scope, {}, path.parent)

    def fact(self, name: str) -> Any:
        return self._facts.get(name)

    def _tasks(self, tasks: list[Task], scope: Scope, defaults: Variables, directory: Path) -> None:
        for task in tasks:
            self._task(task, scope, defaults, directory)

    def _task(self, task: Task, scope: Scope, defaults: Variables, directory: Path) -> None:
        if "vars" in task:
            scope = scope.within(task["vars"])
        defaults = {**defaults, **task.get("module_defaults", {})}
        if "block" in task:
            self._block(task, scope, defaults, directory)
            return
        action = next(key for key in task if "." in key)
        if "loop" in task:
            name = task["loop_control"]["loop_var"]
            for item in scope.value(task["loop"]):
                # What a loop binds counts more than the variables of the task.
                self._one(task, action, scope.within(Results({name: item})), defaults, directory)
        else:
            self._one(task, action, scope, defaults, directory)

    def _block(self, task: Task, scope: Scope, defaults: Variables, directory: Path) -> None:
        if "when" in task and not scope.holds(task["when"]):
            return
        try:
            self._tasks(task["block"], scope, defaults, directory)
        except TaskFailed as failed:
            if "rescue" not in task:
                raise
            self._facts.update(ansible_failed_result=failed.result, ansible_failed_task=failed.task)
            self._tasks(task["rescue"], scope, defaults, directory)

    def _one(self, task: Task, action: str, scope: Scope, defaults: Variables, directory: Path) -> None:
        if "when" in task and not scope.holds(task["when"]):
            if "register" in task:
                self._facts[task["register"]] = {"skipped": True, "changed": False}
            return
        if action.endswith(("include_tasks", "import_tasks")):
            file = task[action]["file"] if isinstance(task[action], dict) else task[action]
            path = _beside(directory, scope.value(file))
            # The variables of an include count more than those of the tasks in it.
            self._tasks(_yaml(path), scope, defaults, path.parent)
            return
        try:
            result = self._act(action, task, scope, defaults)
        except (jinja2.UndefinedError, jinja2.TemplateError, OSError, yaml.YAMLError) as error:
            result = {"failed": True, "msg": f"{type(error).__name__}: {error}"}
        if "register" in task:
            self._facts[task["register"]] = result
        self._facts.update(result.get("ansible_facts", {}))
        if result.get("failed") and not scope.holds(scope.value(task.get("ignore_errors", False))):
            self._say(f"failed: {task.get('name', action)}: {result.get('msg')}")
            raise TaskFailed(task, result)

    def _act(self, action: str, task: Task, scope: Scope, defaults: Variables) -> Variables:
        if action == "ansible.builtin.set_stats":
            return {}
        given = {**scope.value(defaults.get(action, {})), **scope.value(task[action] or {})}
        given = {key: value for key, value in given.items() if value is not OMIT}
        if action == "ansible.builtin.fail":
            return {"failed": True, "msg": given["msg"]}
        if action == "ansible.builtin.debug":
            for line in [given["msg"]] if isinstance(given["msg"], str) else given["msg"]:
                self._say(line)
            return {}
        if action == "ansible.builtin.set_fact":
            return {"ansible_facts": given}
        return self._ours(action.removeprefix(OURS), given, scope)

    def _ours(self, name: str, given: Variables, scope: Scope) -> Variables:
        own = SimpleNamespace(
            args=given,
            check_mode=self._check,
            diff=self._check,
            async_val=0,
            environment=[],
            action=name,
            no_log=False,
            any_errors_fatal=False,
        )
        connection = SimpleNamespace(transport="local", become=None, _shell=SimpleNamespace(tmpdir=None))
        templar = _templar(scope)
        action = _action_class(name)(own, connection, SimpleNamespace(), None, templar, None)
        action._display = _Display(self._say)
        result = dict(action.run(None, scope.flat()))
        for text in result.get("warnings") or []:
            self._say(f"[WARNING]: {text}")
        return result


def _templar(scope: Scope) -> SimpleNamespace:
    """Of what Ansible's is asked: variables may be given in place of the scope's."""

    def within(available_variables: Variables) -> SimpleNamespace:
        mine = scope.flat()
        return _templar(
            scope.within({key: value for key, value in available_variables.items() if mine.get(key) is not value})
        )

    return SimpleNamespace(template=scope.value, is_template=lambda value: "{{" in value, copy_with_new_env=within)


class _Display:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def display(self, text: str, color: str | None = None, stderr: bool = False) -> None:
        self._say(text)

    def warning(self, text: str) -> None:
        self._say(f"[WARNING]: {text}")


@functools.lru_cache(maxsize=None)
def _beside(directory: Path, file: str) -> Path:
    return (directory / file).resolve()


@functools.lru_cache(maxsize=None)
def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=None)
def _defaults() -> Variables:
    return dict(_yaml(ROLE / "defaults" / "main.yml"))


@functools.lru_cache(maxsize=None)
def _action_class(name: str) -> Any:
    module = importlib.import_module(f"ansible_collections.bluegreen.kubernetes.plugins.action.{name}")

    class Action(module.ActionModule):  # type: ignore[misc, name-defined]
        def _compute_environment_string(self, raw_environment_out: Any = None) -> str:
            return ""

    return Action


def load() -> None:
    """Import all actions, so that what they use is there to be put on a hub."""
    for path in (ROLE.parents[1] / "plugins" / "action").glob("bg_*.py"):
        _action_class(path.stem)


@contextlib.contextmanager
def without_processes(keeper: Callable[..., Any]) -> Iterator[None]:
    """No worker has a parent that could end, and what renews the Lease is a process of the simulation."""
    before = _action._die_with_parent, _action.lease_keeper, _action._playbook
    _action._die_with_parent = lambda: lambda: None  # type: ignore[assignment]
    _action.lease_keeper = keeper
    _action._playbook = lambda: 1
    try:
        yield
    finally:
        _action._die_with_parent, _action.lease_keeper, _action._playbook = before
