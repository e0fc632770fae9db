# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. Do not use it from outside.

from __future__ import annotations


class ModuleDocFragment:
    # What the attributes mean. Every module says itself how far it supports the first three.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without changing anything.
  diff_mode:
    description: Shows what has changed, or in check mode what would change, when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that nobody else has changed the application in the cluster meanwhile.
"""

    # Together with the standard fragment, for modules that only read.
    READ_ONLY = r"""
options: {}
attributes:
  diff_mode:
    support: N/A
    details: This module does not modify state.
  idempotent:
    support: full
    details: This module does not modify state.
"""

    # Everything that works on the cluster: as an action in the controller's process, or as a module elsewhere.
    OPERATION = r"""
options: {}
attributes:
  action:
    description: Has a corresponding action plugin, so that it can be executed on the controller.
    support: full
    details:
      - With connection C(local), and without C(become) and C(async), it runs inside the process of Ansible itself. That
        saves about half a second a task and shows its progress while it works.
      - Otherwise the same code runs as an ordinary module on the target, for example on a bastion host. Its Python
        needs the libraries named under the requirements, and nothing is shown before it ends.
  action_group:
    description: Use C(group/bluegreen.kubernetes.bg) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - bluegreen.kubernetes.bg
  async:
    description: Supports being used with the C(async) keyword.
    support: full
  platform:
    description: Target operating systems it can be executed on.
    support: full
    platforms: posix
"""
