# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""The end of a run for those who are told of it: a line for people, a dictionary for automation, the files of a report."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.report import document
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _report_files
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import MESSAGES_ARE_SHOWN
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._showing import show, warn


def end(action: Any, result: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Show the result, write the report, and return what the action adds to its own result.

    :param action: the action plugin.
    :param result: of ``outcome.compose``.
    :param about: application, namespace, by, job, failure, directory of the report (empty for none), stages; account of a
        failure with which the play ends.
    """
    name = about["application"]
    text = f"{result['outcome'].upper()}: {result['msg']}"
    bad = result["outcome"] in BAD
    if not (bad and about.get("account") and MESSAGES_ARE_SHOWN):  # else the play ends with all of it
        show(action, f"{name} | {about.get('account') or text}", color="red" if bad else "green")
    files = {}
    if about["directory"] and not action._task.check_mode:  # pylint: disable=protected-access
        try:
            files = _report_files.write(about["directory"], document(about, result))
            show(action, f"{name} | report: {files['html']}")
        except OSError as error:
            # The release is what it is; that nobody can read about it must not look like its failure.
            warn(action, f"The report could not be written: {error}")
    data = {"bluegreen_result": {name: result}}
    return {
        "msg": text,
        "files": files,
        # Facts for the rest of the play, of which the role makes a variable; stats for AWX, where they are what the next
        # job of a workflow receives.
        "ansible_facts": data,
        "ansible_stats": {"data": data, "per_host": False, "aggregate": True},
    }
