#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_lock
short_description: Let only one release of an application run at a time
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Takes the lock of an application before a release, and gives it back after it. The id that it returns goes into
    O(bluegreen.kubernetes.bg_switch#module:lock_id), and into the same option of the other modules.
  - The lock is a Lease in the cluster, so it holds against runs on other machines as well. Its id is also put on the
    Services, where every write tests it. So a run that has lost the lock can change nothing any more, even if it has
    not noticed yet.
  - A run that has died does not block the next one. The lock is renewed until it is given back or C(ansible-playbook)
    ends; when that has not happened for its whole duration, the next run takes it over. Only whether it is renewed is
    looked at, so clocks need not agree.
  - Where this module runs on another host than the controller, or with C(become), the lock is renewed only while modules
    work that are given it.
options:
  state:
    description:
      - V(held) takes the lock.
      - V(released) gives it back, and records how the run has ended. What another run has taken over is left alone. That
        it cannot be given back is a warning, because the run is what it is; the next one takes the lock over.
    type: str
    choices: [held, released]
    default: held
  lock_id:
    description:
      - Id of the lock. Needed to give it back.
      - If not given when it is taken, a new one is made.
    type: str
  lease_duration:
    description:
      - After how long without a renewal the lock counts as dead, at least one second.
      - Seconds, or a number with a unit such as V(30s) or V(5m).
    type: raw
    default: 30
  timeout:
    description:
      - How long to wait at most for a run that holds the lock and is alive. A dead one is waited for until that is
        certain, in any case.
      - Seconds, or a number with a unit such as V(30s) or V(5m). V(0) refuses as soon as the other run is known to
        live.
    type: raw
    default: 0
  preempt:
    description:
      - Whether to take the lock over at once, whoever holds it. The other run stops before its next write.
      - This is for rollbacks, and the history calls the run one.
    type: bool
    default: false
  record:
    description: Whether the run gets an entry in the history. Not for a run that leaves the traffic where it is.
    type: bool
    default: true
  version:
    description:
      - Version that the run is about, for the history.
      - It must be a string, as for M(bluegreen.kubernetes.bg_deploy).
    type: raw
  by:
    description: Who runs it, for the history. If not given, or empty, the user and the host that the task runs as.
    type: str
  job:
    description: Job of the automation controller that runs it, for the history.
    type: str
  outcome:
    description: How the run has ended, for the history. Only used with O(state=released).
    type: str
  prepared:
    description: What the run has prepared, for the history, as C(color) and C(template_hash). Only used with
      O(state=released). M(bluegreen.kubernetes.bg_current_color) compares it.
    type: dict
  follow:
    description: Which of what belongs to the application is locked as well, see M(bluegreen.kubernetes.bg_follow).
    type: list
    elements: str
    choices: [autoscalers, budgets]
    default: []
  workers:
    description:
      - Names of the application's queue workers. Whoever takes over marks their Deployments too, so that no write of the
        run before arrives any more.
    type: list
    elements: str
    default: []
  cronjobs:
    description: Names of CronJobs that are as well, see M(bluegreen.kubernetes.bg_follow).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
attributes:
  check_mode:
    support: partial
    details: In check mode nothing is locked or looked at, and RV(lock_id) is V(null). The other modules need no lock
      then.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: To take the lock is a change every time. To give back what is not held any more is none.
notes:
  - "Beside the general ones (below), RV(reason) can be V(locked) (another run holds the lock and is alive) or
    V(conflict) (somebody else keeps changing a Service)."
  - "Permissions needed in the namespace: C(get) and C(patch) on services, C(list) and C(patch) on deployments, C(get),
    C(list), C(watch), C(create) and C(patch) on leases (C(coordination.k8s.io))."
seealso:
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: Release under a lock
  block:
    - name: Take the lock, and wait up to ten minutes for another release to end
      bluegreen.kubernetes.bg_lock:
        services: [myapp]
        namespace: shop
        version: "2.0"
        timeout: 10m
      register: lock

    - name: Put the version on the idle color
      bluegreen.kubernetes.bg_deploy:
        services: [myapp]
        namespace: shop
        version: "2.0"
        lock_id: "{{ lock.lock_id }}"
  always:
    - name: Give the lock back
      bluegreen.kubernetes.bg_lock:
        services: [myapp]
        namespace: shop
        state: released
        lock_id: "{{ lock.lock_id }}"
        outcome: prepared
      when: lock.lock_id is not none

- name: Take over from whatever is running
  bluegreen.kubernetes.bg_lock:
    services: [myapp]
    preempt: true
  register: lock
"""

RETURN = r"""
lock_id:
  description: Id of the lock. V(null) when it was not taken.
  type: str
  returned: always
  sample: 5b4c0f6a8f7e4d0f9a51f2d0c3e1b7aa
holder:
  description: Who holds it now. V(null) when it was not taken.
  type: str
  returned: always
  sample: anna@laptop
acquired_at:
  description: Time at which it was taken (UTC). V(null) when it was not taken.
  type: str
  returned: always
  sample: "2026-05-04T09:30:01.120Z"
waited:
  description: Whether another run held it, or had left it behind.
  type: bool
  returned: always
  sample: false
started_at:
  description: When the module began, by the clock of the host it runs on, in UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.123456Z"
ended_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-01-31T12:00:01.654321Z"
changed:
  description: Whether anything was written.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says who holds the lock; on failure who else does, since when, and what to do next.
  type: str
  returned: always
  sample: Run 5b4c0f6a8f7e4d0f9a51f2d0c3e1b7aa holds the lock (bluegreen-myapp).
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: locked
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock


def main() -> None:
    run_module(lock)


if __name__ == "__main__":
    main()
