# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.playbook.role_include import IncludeRole
from ansible.utils.vars import load_extra_vars
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _variables
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import OperationAction
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._extra import text_of


class ActionModule(OperationAction):
    operation = begin

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Object:
        if not is_wanted(self._task, set(context.CLIARGS.get("tags") or ["all"])):
            return dict(begin.RETURNS, changed=False, skipped=True, msg="--tags asks for other tasks than the role's.")
        result = super().run(tmp, task_vars)
        if result.get("failed") and not result.get("version"):  # what was wanted is said, however early it ended
            given = self.arguments(task_vars or {})
            asked = (given["settings"] or {}).get("bluegreen_version") or given["version"]
            result["version"] = asked if isinstance(asked, str) else None
        return result

    def arguments(self, task_vars: dict[str, Any]) -> Params:
        given = super().arguments(task_vars)
        name = given.get("application") or _variables.application(task_vars, given.get("services"))
        task_vars = {**task_vars, **self._texts(task_vars)}
        # A new one has no native types, which before ansible-core 2.19 make a number of a text that looks like one.
        templar = self._templar.copy_with_new_env(available_variables=task_vars)

        def filled(value: Any) -> Any:
            return value if isinstance(value, str) and not templar.is_template(value) else templar.template(value)

        found = {
            "application": name,
            "directory": _variables.directory(task_vars),
            "version": filled(task_vars["version"]) if "version" in task_vars else None,
            "settings": _variables.settings(task_vars, filled) if "settings" not in given else None,
            "approved": _variables.approved(task_vars, load_extra_vars(self._loader), name),
            **_variables.who(task_vars),
        }
        if found["settings"] and given.get("flow") in ("release", "prepare"):
            version = found["settings"].get("bluegreen_version") or given.get("version") or found["version"]
            place = found["directory"]
            found["config"] = _variables.configs(task_vars, found["settings"], version, place, self._templar)
        return {**found, **{key: value for key, value in given.items() if value not in (None, "")}}

    def _texts(self, task_vars: dict[str, Any]) -> dict[str, str]:
        """The texts among the extra variables of which Ansible has made something else."""
        options, extra = context.CLIARGS.get("extra_vars") or (), load_extra_vars(self._loader)
        names = [name for name, value in extra.items() if not isinstance(value, (str, dict, list))]
        texts = {name: text_of(name, options, self._loader) for name in names if name in task_vars}
        return {name: text for name, text in texts.items() if text is not None}


def is_wanted(task: Any, tags: set[str]) -> bool:
    """Whether ``--tags`` means this task, or it is only there because the role's block is always there.

    Whoever wants the role wants all of it. One that is included was wanted, else it would not be here; what is in a playbook
    statically has the tags of everything around that block.
    """
    if "all" in tags:
        return True
    block = task._parent  # pylint: disable=protected-access
    if "always" not in block._tags:  # pylint: disable=protected-access
        return True
    around = block._parent  # pylint: disable=protected-access
    own = set(around.tags)
    while around and getattr(around, "statically_loaded", True):
        around = around._parent  # pylint: disable=protected-access
    if isinstance(around, IncludeRole):
        return True
    return bool(own & (tags | {"always"}) or (own and "tagged" in tags) or (not own and "untagged" in tags))
