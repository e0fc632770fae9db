#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_end
short_description: End a run with its outcome
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Judges how a run has ended, from what happened and from what the cluster says after the last write. Records that, lets
    the next run in, says it in one sentence, and leaves it as C(bluegreen_result) for the rest of the play and for the next
    job of a workflow.
  - What it tells is what it has read, never what was asked for. Where nothing can be read any more, it says what is known.
  - With O(failure) it does not fail, whatever the outcome, because the results of a failed task are handed on to nobody.
    RV(bad) says whether the play should. Without, it fails when it turns out that another run has taken over, or that the
    Deployment is gone that it would tell of, so that the C(rescue) does what can be done and says it.
  - P(bluegreen.kubernetes.bluegreen#role) ends with it, on success and on failure. In a playbook that is put together from
    the modules it belongs at the end of the C(block), and into the C(rescue).
  - The report is written, and the result handed on, only when it runs as an action.
options:
  flow:
    description: What was asked for.
    type: str
    required: true
    choices: [release, prepare, promote, rollback, retire]
  application:
    description:
      - Name of the application, which is its key in C(bluegreen_result).
      - If not given, the host's, or that of the first Service on C(localhost).
    type: str
  begun:
    description: What P(bluegreen.kubernetes.bg_begin#module) has returned.
    type: dict
    default: {}
  stages:
    description:
      - "Results of the collection's modules, by the name of the stage: V(database), V(undo), V(config), V(deploy), V(wait), V(validate),
        V(switch), V(follow), V(hand over), V(bake), V(scale down), V(retire), V(collect), V(switch back), V(follow back), V(hand back)."
      - Empty ones are left out, and those from before O(begun).
    type: dict
    default: {}
  failure:
    description: Result of the task that failed; not given for a run that came to its end.
    type: dict
  directory:
    description:
      - Directory for the report, see O(bluegreen.kubernetes.bg_report#module:directory). Relative to the playbook.
      - If not given, none is written.
    type: path
  by:
    description: Who started the run, for the report. If not given, the user of the automation controller.
    type: str
  job:
    description: Job that the run belongs to, for the report. If not given, that of the automation controller.
    type: str
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._lock
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
attributes:
  check_mode:
    support: full
    details: Nothing is recorded, and no report is written.
  diff_mode:
    support: none
  idempotent:
    support: full
  facts:
    description: Returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
notes:
  - "Permissions needed in the namespace: C(get) and C(patch) on services, C(list) on deployments, C(patch) on leases."
seealso:
  - module: bluegreen.kubernetes.bg_begin
  - module: bluegreen.kubernetes.bg_revert
  - module: bluegreen.kubernetes.bg_report
"""

EXAMPLES = r"""
- name: Release with tasks of your own
  block:
    - name: Begin
      bluegreen.kubernetes.bg_begin:
        services: [myapp]
        flow: release
        version: "2.0"
      register: begun
    - name: Whatever it is that you do
      ansible.builtin.include_tasks: my_release.yml
    - name: End
      bluegreen.kubernetes.bg_end:
        services: [myapp]
        flow: release
        begun: "{{ begun }}"
        stages:
          switch: "{{ switched }}"
  rescue:
    - name: Put traffic back, if it was moved
      bluegreen.kubernetes.bg_revert:
        services: [myapp]
        lock_id: "{{ begun.lock_id }}"
        failure: "{{ ansible_failed_result }}"
      register: reverted
      ignore_errors: true
    - name: End
      bluegreen.kubernetes.bg_end:
        services: [myapp]
        flow: release
        begun: "{{ begun }}"
        stages:
          switch: "{{ switched | default({}) }}"
          switch back: "{{ reverted }}"
        failure: "{{ ansible_failed_result }}"
      register: ended
    - name: Fail with what failed
      ansible.builtin.fail:
        msg: "{{ ended.msg }}"
      when: ended.bad
"""

RETURN = r"""
outcome:
  description: "One of those that O(bluegreen.kubernetes.bg_report#module:outcome) lists."
  type: str
  returned: always
  sample: released
bad:
  description: Whether the outcome is one with which the play should end in an error.
  type: bool
  returned: always
  sample: false
result:
  description: The application's result, as RV(ansible_facts) has it.
  type: dict
  returned: always
  sample: {outcome: released, msg: green (version 2.0) is live., active_color: green, version: "2.0"}
active_color:
  description: Color that is live. V(null) when that could not be read, or the Services select both.
  type: str
  returned: always
  sample: green
version:
  description: Version that is live.
  type: str
  returned: always
  sample: "2.0"
stages:
  description: Results of the stages that are of this run.
  type: dict
  returned: when it runs as a module
  sample: {}
ansible_facts:
  description: Facts for the rest of the play.
  type: dict
  returned: when it runs as an action
  contains:
    bluegreen_result:
      description: Results by application, see RV(bluegreen.kubernetes.bg_report#module:ansible_facts.bluegreen_result).
      type: dict
      returned: always
      sample: {myapp: {outcome: released}}
files:
  description: Paths of the report's files.
  type: dict
  returned: when it runs as an action
  sample: {html: reports/shop.html, json: reports/shop.json, junit: reports/shop.xml}
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
  description: Always V(false).
  type: bool
  returned: always
  sample: false
msg:
  description: The outcome and one sentence that says what is live and what has failed.
  type: str
  returned: always
  sample: "RELEASED: green (version 2.0) is live."
account:
  description: All there is to say of a run that has failed, in lines, as the role ends with it.
  type: str
  returned: always
  sample: |-
    Release of 2.0 ABORTED: stopped before the switch; blue (version 1.0) is live. app-green cannot become ready: ErrImagePull.
      pod app-green-5f8c9bd55d-275m8: app: waiting, ErrImagePull, 0 restarts
    Next: Mend the cause and release again: kubectl -n shop describe deployment app-green shows more.
reason:
  description: V(null), or the short code of what kept the module from working.
  type: str
  returned: always
  sample: null
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import end


def main() -> None:
    run_module(end)


if __name__ == "__main__":
    main()
