# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""What the actions show beside their results."""

from __future__ import annotations

import functools

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.callback.minimal import CallbackModule as Minimal
from ansible.plugins.callback.oneline import CallbackModule as Oneline
from ansible.plugins.loader import callback_loader

OURS = "ansible_collections.bluegreen.kubernetes."


def show(action: ActionBase, text: str, color: str | None = None) -> None:
    """A line, unless no_log hides what the task does."""
    if not action._task.no_log:  # pylint: disable=protected-access
        action._display.display(text, color=color, stderr=not _is_for_people())  # pylint: disable=protected-access


def warn(action: ActionBase, text: str) -> None:
    if not action._task.no_log:  # pylint: disable=protected-access
        action._display.warning(text)  # pylint: disable=protected-access


@functools.cache
def _is_for_people() -> bool:
    """Whether lines of ours may stand among those of the stdout callback. A machine reads what any other one writes."""
    callback = callback_loader.get(constants.DEFAULT_STDOUT_CALLBACK, class_only=True)
    return issubclass(callback, (Default, Minimal, Oneline)) or callback.__module__.startswith(OURS)
