# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    operation = current_color

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Object:
        result = super().run(tmp, task_vars)
        if self._task.args.get("retire_after") and result.get("summary") and not self._task.no_log:
            self._show(result, task_vars or {})
        return result

    def _show(self, result: Object, task_vars: dict[str, Any]) -> None:
        """A status as people read it; by a result Ansible would show a list of quoted lines."""
        hosts = task_vars.get("ansible_play_hosts_all") or []
        if len(hosts) > 1:
            width = max(map(len, hosts))
            self._display.display(f"{task_vars['inventory_hostname']:{width}}  {current_color.in_one_line(result)}")
        else:
            self._display.display("\n".join(["", *result["summary"]]))
