# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import workers
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    operation = workers
