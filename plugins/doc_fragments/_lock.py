# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. Do not use it from outside.

from __future__ import annotations


class ModuleDocFragment:
    # For every module that works, or waits, while a lock is held.
    DOCUMENTATION = r"""
options:
  lock_id:
    description:
      - Id of the lock that this run holds on the application, as P(bluegreen.kubernetes.bg_lock#module) gave it. While
        the module works, it renews the lock.
      - When another run has taken over, the module ends with RV(reason=superseded).
    type: str
notes:
  - "With O(lock_id) also C(patch) and C(get) on leases (C(coordination.k8s.io)) are needed."
"""

    # Together with the standard fragment, for modules that write.
    WRITES = r"""
options: {}
notes:
  - "Every decision is made on a fresh reading of the cluster, and every write carries tests of what it was decided on,
    the lock included. A write that comes too late fails and changes nothing."
  - "Without O(lock_id) nothing is written while another run holds the lock: RV(reason) is V(locked) then. With it,
    nothing is written after another run has taken over: V(superseded)."
"""
