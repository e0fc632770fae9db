# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of every run: one sentence for people, one dictionary for automation."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import report
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _report_files


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(report.ARGUMENTS).validate(self._task.args)
        if checked.error_messages:
            return {"failed": True, "msg": "; ".join(checked.error_messages)}
        params = checked.validated_parameters
        result = report.compose(params)
        data = {"bluegreen_result": {params["application"]: result}}
        text = f"{result['outcome'].upper()}: {result['msg']}"
        self._display.display(f"{params['application']} | {text}", color="red" if report.failed(params) else "green")
        files = {}
        if params["directory"] and not self._task.check_mode:
            try:
                files = _report_files.write(params["directory"], report.document(params, result))
                self._display.display(f"{params['application']} | report: {files['html']}")
            except OSError as error:
                # The release is what it is; that nobody can read about it must not look like its failure.
                self._display.warning(f"The report could not be written: {error}")
        return {
            "changed": False,
            "msg": text,
            "files": files,
            # Facts for the rest of the play; stats for AWX, where they are what the next job of a workflow receives.
            "ansible_facts": data,
            "ansible_stats": {"data": data, "per_host": False, "aggregate": True},
        }
