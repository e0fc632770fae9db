# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.vars import load_extra_vars
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Params
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _variables
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    operation = begin

    def arguments(self, task_vars: dict[str, Any]) -> Params:
        given = super().arguments(task_vars)
        name = given.get("application") or _variables.application(task_vars, given.get("services"))
        found = {
            "application": name,
            "directory": _variables.directory(task_vars),
            # Not by a template: before ansible-core 2.19 that makes text of a number, which could not be refused any more.
            "version": self._templar.template(task_vars["version"]) if "version" in task_vars else None,
            "settings": _variables.settings(task_vars, self._templar.template) if "settings" not in given else None,
            "approved": _variables.approved(task_vars, load_extra_vars(self._loader), name),
            **_variables.who(task_vars),
        }
        return {**found, **{key: value for key, value in given.items() if value not in (None, "")}}
