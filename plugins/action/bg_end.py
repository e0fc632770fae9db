# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of every run: what the operation has judged is shown, written down and handed on."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import end
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import place
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _ending, _variables
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    operation = end

    def arguments(self, task_vars: dict[str, Any]) -> Params:
        given = super().arguments(task_vars)
        name = _variables.application(task_vars, given.get("services"))
        found = {"application": name, **_variables.who(task_vars)}
        given = {**found, **{key: value for key, value in given.items() if value not in (None, "")}}
        if given.get("failure") and (why := self._why_all_hosts_end(task_vars)):
            given["failure"] = {**given["failure"], "msg": why}
        return given

    def _why_all_hosts_end(self, task_vars: dict[str, Any]) -> str | None:
        """What failed on another host, where any_errors_fatal has sent this one, which has no failure of its own, into its
        rescue."""
        if not self._task.any_errors_fatal or "ansible_failed_result" in task_vars:
            return None
        for host in task_vars["ansible_play_hosts_all"]:
            failed = task_vars["hostvars"][host].get("ansible_failed_result") or {}
            if failed.get("msg"):
                return f"{host} failed, and any_errors_fatal ends the other hosts: {failed['msg']}"
        return None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Object:
        result = super().run(tmp, task_vars)
        given = self.arguments(task_vars or {})
        if not result.get("result"):  # no connection, for whatever reason: what is known is said all the same
            nothing = {name: option.get("default") for name, option in end.ARGUMENTS.items()}
            result = {**result, **end.blind({**nothing, **given}, self._task.check_mode), "failed": False}
        if result["bad"] and given.get("failure") is None:
            # It had come to its end, and then it turned out that another run has the lock, or that what it has made live is
            # gone. Whoever calls this in the rescue says it, as of every failure.
            return {**result, "failed": True, "reason": result["result"]["reason"]}
        report = {key: given.get(key) for key in ("application", "namespace", "by", "job", "failure")}
        report["directory"] = (
            place(given["directory"], _variables.directory(task_vars or {})) if given.get("directory") else None
        )
        report.update(stages=result.pop("stages"), account=result["account"] if result["bad"] else None)
        report.update(wanted=(given.get("begun") or {}).get("version"), job_url=_variables.job_url())
        return {**result, **_ending.end(self, result["result"], report)}
