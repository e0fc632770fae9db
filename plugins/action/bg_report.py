# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run that was put together from the modules in another way than the role's."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import report
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _ending


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(report.ARGUMENTS).validate(self._task.args)
        if checked.error_messages:
            return {"failed": True, "msg": "; ".join(checked.error_messages)}
        params = checked.validated_parameters
        return {"changed": False, **_ending.end(self, report.result_of(params), params)}
