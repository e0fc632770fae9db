#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_revert
short_description: Put traffic back after a run that failed
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Switches the Services back to the color that was live before this run, if the history says that this run has moved them
    and nobody has moved them since. What somebody else has switched stays.
  - It can be called whatever has failed, in a C(rescue), and changes nothing where nothing is to be put back.
  - The way back asks only whether that color can carry the traffic, never how the broken one is, see
    P(bluegreen.kubernetes.bg_switch#module).
options:
  switches:
    description: Whether to switch. If V(false), it only says what is live.
    type: bool
    default: true
  resumes:
    description: Run whose release this one has gone on with, RV(bluegreen.kubernetes.bg_begin#module:resumes). Its switch is taken back.
    type: str
  failure:
    description: Result of the task that failed. After V(superseded) nothing is switched, because another run goes on.
    type: dict
    default: {}
  wait_timeout:
    description:
      - If that color has fewer pods than it had when it was live, it is scaled up; how long to wait for them at most. One
        that is not ready stops nothing, see O(bluegreen.kubernetes.bg_switch#module:way_back).
      - Seconds, or a number with a unit such as V(30s) or V(5m).
    type: raw
    default: 0
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._lock
  - bluegreen.kubernetes._lock.writes
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
attributes:
  check_mode:
    support: full
    details: The writes are sent as a dry run.
  diff_mode:
    support: full
    details: Shows the Services' selectors before and after.
  idempotent:
    support: full
notes:
  - "RV(reason) is as P(bluegreen.kubernetes.bg_switch#module) says. The permissions needed are the same."
seealso:
  - module: bluegreen.kubernetes.bg_begin
  - module: bluegreen.kubernetes.bg_end
"""

EXAMPLES = r"""
- name: Release with tasks of your own
  block:
    - name: Lock out other releases
      bluegreen.kubernetes.bg_lock:
        services: [myapp]
        version: "2.0"
      register: lock
    - name: Whatever it is that you do
      ansible.builtin.include_tasks: my_release.yml
  rescue:
    - name: Put traffic back, if it was moved
      bluegreen.kubernetes.bg_revert:
        services: [myapp]
        lock_id: "{{ lock.lock_id }}"
        failure: "{{ ansible_failed_result }}"
        wait_timeout: 5m
"""

RETURN = r"""
from_color:
  description: Color that was left. V(null) when nothing was switched.
  type: str
  returned: always
  sample: green
to_color:
  description: Color that traffic was put on. V(null) when nothing was switched.
  type: str
  returned: always
  sample: blue
active_color:
  description: Color that is live now. V(null) when that could not be read, or the Services select both.
  type: str
  returned: always
  sample: blue
endpoints_ms:
  description: Milliseconds until the EndpointSlices had followed. V(null) when that was not observed.
  type: int
  returned: always
  sample: 23
diff:
  description: Selector of each Service before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Service myapp
    after_header: Service myapp
    before: {myapp: {selector: {app: myapp, version: green}}}
    after: {myapp: {selector: {app: myapp, version: blue}}}
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
  description: Whether the Services were switched.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what is live; on failure what is wrong, why, what is live and what to do next.
  type: str
  returned: always
  sample: "blue is live: endpoints after 23 ms."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on. V(null) on success.
  type: str
  returned: always
  sample: not_ready
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import revert


def main() -> None:
    run_module(revert)


if __name__ == "__main__":
    main()
