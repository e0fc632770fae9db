# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""The base of the actions: the module's operation in the controller's own process.

An ordinary module costs half a second before its first request and can show nothing while it works. Run in-process, the
same operation costs some milliseconds and shows its progress live. The imports stand at the top of the files because
Ansible loads the class in the parent process, once, before it forks the workers.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import multiprocessing
import os
import signal
import ssl
from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.release import __version__
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import Operation, execute
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import CONNECTION, from_text
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._keeper import lease_keeper
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._showing import show, warn

PR_SET_PDEATHSIG = 1  # prctl(2)
# Before 2.19, ansible-core shows a failure only as one line of JSON, in which nobody reads a pod's last log lines.
MESSAGES_ARE_SHOWN = (
    tuple(map(int, __version__.split(".")[:2])) >= (2, 19)
    or constants.DEFAULT_STDOUT_CALLBACK == "bluegreen.kubernetes.compact"
)

# OpenSSL is set up here once, and not by every worker.
ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# What is loaded by now stays until the end: the garbage collections of the workers that are forked from here need not copy it
# to look at it, nor does the end of ansible-playbook, which would cost it a tenth of a second.
gc.freeze()


class OperationAction(ActionBase):
    """Runs ``operation`` (a ``module_utils/_<operation>.py``) here, or as a module when the task is for another host."""

    operation: Operation
    _supports_async = True
    _supports_check_mode = True

    def arguments(self, task_vars: dict[str, Any]) -> Params:
        """The module's arguments; actions that know more than the task says add it."""
        return dict(self._task.args)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Object:
        super().run(tmp, task_vars)
        spec = dict(CONNECTION, **self.operation.ARGUMENTS)
        arguments = as_given(self.arguments(task_vars or {}), spec)
        if self._connection.transport != "local" or self._connection.become or self._task.async_val:
            return self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
        restore = self._enter_environment()
        try:
            checked = ArgumentSpecValidator(spec).validate(arguments)
            if checked.error_messages:
                nothing = dict(self.operation.RETURNS, changed=False, reason="bad_input")
                return dict(nothing, failed=True, msg="; ".join(checked.error_messages))
            params = checked.validated_parameters
            host = (task_vars or {})["inventory_hostname"]

            def progress(text: str) -> None:
                show(self, f"{host} | {text}")

            still_wanted = _die_with_parent()
            with self._lease_keeper(params) as keep:
                warning = functools.partial(warn, self)
                result = execute(self.operation, params, self._task.check_mode, progress, still_wanted, warning)
                if result.get("lock_id"):  # also of one that failed afterwards: what puts that right needs it
                    keep(result["lock_id"])
            if result.get("failed") and not MESSAGES_ARE_SHOWN:
                show(self, result["msg"], color="red")
            if not self._task.diff:
                result.pop("diff", None)
            return result
        finally:
            restore()

    def _lease_keeper(self, params: Params) -> contextlib.AbstractContextManager[Callable[[str], None]]:
        """What renews the Lease from the end of this operation on, if this one takes it."""
        takes_lock = getattr(self.operation, "TAKES_LOCK", False) and params.get("state") != "released"
        if takes_lock and not self._task.check_mode:
            return lease_keeper(params, _playbook())
        return contextlib.nullcontext(lambda lock_id: None)

    def _enter_environment(self) -> Callable[[], None]:
        """Apply the ``environment:`` keyword to this process; returns what undoes it (items of a loop share the process)."""
        wanted: dict[str, Any] = {}
        self._compute_environment_string(wanted)
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update({name: str(value) for name, value in wanted.items()})

        def restore() -> None:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

        return restore


def as_given(arguments: Params, spec: Params) -> Params:
    """Arguments as they mean the same by every way in: empty text is not given, text is the list or dictionary it writes.

    INI files, -e and surveys know only text, and a template of a variable that is not set is empty text.
    """
    aliases = {alias: name for name, option in spec.items() for alias in option.get("aliases", ())}
    kinds = {"list": list, "dict": dict}
    given = {}
    for name, value in arguments.items():
        name_of_option = aliases.get(name, name)
        option = spec.get(name_of_option, {})
        kind = option.get("type", "str")
        has_other = kind not in ("str", "raw") or option.get("default") is not None or name_of_option in CONNECTION
        if value == "" and has_other:
            continue
        value = from_text(value, kinds[kind]) if kind in kinds else value
        if value != {} or "options" not in option:
            given[name] = value
    return given


def _playbook() -> int:
    """The process id of ansible-playbook."""
    parent = multiprocessing.parent_process()
    return parent.pid or os.getppid() if parent else os.getppid()


def _die_with_parent() -> Callable[[], None]:
    """Let the kernel kill this worker when ansible-playbook ends, and return a check to be made before every write.

    Workers are sessions of their own: a kill of the parent's process group, which is how AWX cancels a job, does not
    reach them, and they would go on writing for a run that no longer exists.
    """
    expected = _playbook()
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux; elsewhere the check alone has to do
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def still_wanted() -> None:
        if os.getppid() != expected:
            os._exit(1)

    still_wanted()  # a parent that ended before the kernel was told has no signal for us
    return still_wanted
