# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run by Ansible itself, in this process and on the hub: its templates, its task logic, its strategy; only the worker
processes are not forked, because virtual time is in one process.

A tenth of the speed of `role`, whose fidelity it holds: the same schedules are run both ways and must send the same
requests and come to the same end.
"""

from __future__ import annotations

import contextlib
import queue
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible import context
from ansible._internal import _task
from ansible.executor import task_queue_manager
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins import strategy
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

ROLE = "bluegreen.kubernetes.bluegreen"


class PlayFailed(Exception):
    """ansible-playbook would have ended with an error."""


class _Results:
    """In place of the queue between workers and the strategy: a result is there as soon as the task has ended."""

    def __init__(self) -> None:
        self.strategy: Any = None
        self._end: queue.Queue[Any] = queue.Queue()  # the strategy's thread waits here, and gets nothing but its end

    def get(self) -> Any:
        return self._end.get()

    def put(self, item: Any) -> None:
        self._end.put(item)

    def close(self) -> None:
        pass

    def send_task_result(self, result: Any) -> None:
        converted = self.strategy._convert_wire_task_result_to_raw(result.as_wire_task_result())
        self.strategy._results.append(converted)

    def send_callback(self, method_name: str, task_result: Any) -> None:
        pass

    def send_display(self, method: str, *arguments: Any, **options: Any) -> None:
        pass


class _Worker:
    """In place of a worker process: runs the task at once, on copies of what a fork would have copied."""

    def __init__(self, **given: Any) -> None:
        self._given = SimpleNamespace(**given)

    def is_alive(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def start(self) -> None:
        given = self._given
        task = given.task.copy()
        result = TaskExecutor(
            given.host,
            task,
            dict(given.task_vars),
            given.play_context.copy(),
            given.loader,
            given.shared_loader_obj,
            given.final_q,
            given.variable_manager,
        )
        with _task.TaskContext(task):
            returned = result.run()
        given.final_q.send_task_result(
            _RawTaskResult(host=given.host, task=given.task, return_data=returned, task_fields=task.dump_attrs())
        )


def _trusted(value: Any) -> Any:
    """As if it had been read from an inventory: only what is trusted is taken for a template."""
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def prepare() -> None:
    """Once in a process: what ansible-playbook does before it has read a playbook."""
    if context.CLIARGS:
        return
    options = {"check": False, "diff": False, "verbosity": 0, "forks": 1, "syntax": False, "start_at_task": None}
    options.update(become=None, become_method=None, become_user=None, connection="local", extra_vars=(), tags=("all",))
    options.update(skip_tags=(), timeout=None, remote_user=None, private_key_file=None, flush_cache=False, step=False)
    context._init_global_context(ImmutableDict(options))


class Playbook:
    """One play with the role on one host: what `role.Role` does, by Ansible; what it shows is said by `in_process`."""

    Failed = PlayFailed

    def __init__(self, variables: dict[str, Any], check: bool, say: Callable[[str], None]) -> None:
        if check:
            raise NotImplementedError("check mode is a setting of the whole process in Ansible")
        prepare()
        self._loader = DataLoader()
        self._inventory = InventoryManager(loader=self._loader, sources=["localhost,"])
        self._manager = VariableManager(loader=self._loader, inventory=self._inventory)
        self._host = self._inventory.get_host("localhost")
        for name, value in variables.items():
            self._host.set_variable(name, _trusted(value))

    def run(self, tasks_from: str) -> None:
        """:raises PlayFailed:"""
        role = {"name": ROLE, "tasks_from": tasks_from}
        tasks = [{"name": "The role", "ansible.builtin.import_role": role}]
        data = {"name": "A play", "hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}
        self._loader.set_basedir(str(Path(__file__).resolve().parent))
        play = Play.load(data, variable_manager=self._manager, loader=self._loader)
        manager = task_queue_manager.TaskQueueManager(
            inventory=self._inventory,
            variable_manager=self._manager,
            loader=self._loader,
            passwords={},
            forks=1,
        )
        manager._final_q = _Results()
        code = manager.run(play)
        if code:
            raise PlayFailed(f"ansible-playbook ended with {code}")

    def fact(self, name: str) -> Any:
        return self._manager.get_vars(host=self._host).get(name)


@contextlib.contextmanager
def in_process(say: Callable[[str], None]) -> Iterator[None]:
    """Let Ansible run tasks without workers, as long as this lasts.

    :param say: called with what Ansible shows.
    """
    before, first, display = strategy.WorkerProcess, strategy.StrategyBase.__init__, Display.display
    # Ansible takes these for its workers' sake. Left with them, a process of a pool can miss the signal that ends it: Python
    # runs a handler of its own only when the process is awake, and it may fall asleep in between.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def init(self: Any, tqm: Any) -> None:
        tqm._final_q.strategy = self
        first(self, tqm)

    strategy.WorkerProcess = _Worker
    strategy.StrategyBase.__init__ = init
    Display.display = lambda self, text, *unused, **also_unused: say(text)
    try:
        yield
    finally:
        strategy.WorkerProcess, strategy.StrategyBase.__init__, Display.display = before, first, display
        for number, handler in handlers.items():
            signal.signal(number, handler)
