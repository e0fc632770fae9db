#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_report
short_description: End a run with its outcome
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Says in one sentence how a release or a rollback has ended, leaves the same as C(bluegreen_result) for the rest of
    the play and for the next job of a workflow, and fails if the outcome is not a good one.
  - P(bluegreen.kubernetes.bluegreen#role) ends with it, on success and on failure. It is there for release playbooks
    that are put together from the modules in another way.
  - It is an action that is always executed on the controller and reaches no cluster.
options:
  application:
    description: Name of the application, which is its key in C(bluegreen_result).
    type: str
    required: true
  outcome:
    description:
      - "Good ones: V(released) (the version is live), V(unchanged) (it was live already, and nothing was to be done),
        V(planned) (check mode), V(prepared) (ready to be promoted), V(rolled_back) (the previous version is live
        again, as was asked for), V(retired) (the old color uses nothing any more), V(postponed) (it stays for now)."
      - "With these the task fails: V(refused) (before anything was changed), V(aborted) (before the switch),
        V(reverted) (switched back automatically), V(superseded) (another run took over), V(failed) (the run could not
        put things right)."
    type: str
    required: true
    choices:
      - released
      - unchanged
      - planned
      - prepared
      - rolled_back
      - retired
      - postponed
      - refused
      - aborted
      - reverted
      - superseded
      - failed
  active_color:
    description: Color that is live now. Not given when that could not be read.
    type: str
  version:
    description: Version that is live now.
    type: str
  previous_version:
    description: Version on the other color.
    type: str
  failure:
    description: Result of the task that failed. C(msg) and C(reason) of it are used.
    type: dict
  timings:
    description: How long the stages took, by name.
    type: dict
    default: {}
  prepared:
    description: What was prepared, for the run that promotes it. Handed on in C(bluegreen_result).
    type: dict
  directory:
    description:
      - Directory for the report, which is made if it is not there. Three files are written and replaced, named by the
        application, one for people (V(.html), which needs nothing beside it), V(.json), and JUnit V(.xml).
      - If not given, and in check mode, none is written. That they cannot be written is only warned of.
    type: path
  stages:
    description: "Results of the collection's modules for the report, by the name of the stage, in the order of the run. Known
      names are V(detect), V(lock), V(deploy), V(wait), V(validate), V(switch), V(bake), V(scale down) and V(switch back).
      Empty ones, and those of tasks that were skipped, are left out."
    type: dict
    default: {}
  namespace:
    description: Namespace of the application, for the report.
    type: str
  by:
    description: Who started the run, for the report. If not given, the one who had the lock.
    type: str
  job:
    description: Job that the run belongs to, for the report.
    type: str
extends_documentation_fragment:
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.read_only
attributes:
  action:
    description: Has a corresponding action plugin, so that it can be executed on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  check_mode:
    support: full
    details: This module does not modify state.
  facts:
    description: Returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
  platform:
    description: Target operating systems it can be executed on.
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: Report that the release has ended well
  bluegreen.kubernetes.bg_report:
    application: shop
    outcome: released
    active_color: "{{ switched.to_color }}"
    version: "2.0"
    previous_version: "1.0"
    timings:
      wait: "{{ waited.elapsed }}"
      endpoints_ms: "{{ switched.endpoints_ms }}"

- name: The same with a report
  bluegreen.kubernetes.bg_report:
    application: shop
    outcome: released
    active_color: "{{ switched.to_color }}"
    version: "2.0"
    directory: reports
    stages:
      wait: "{{ waited }}"
      validate: "{{ checked }}"
      switch: "{{ switched }}"

- name: Fail at the end of a rescue, with what has failed
  bluegreen.kubernetes.bg_report:
    application: shop
    outcome: aborted
    active_color: "{{ detected.active_color }}"
    version: "{{ detected.colors[detected.active_color].version }}"
    failure: "{{ ansible_failed_result }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts for the rest of the play.
  type: dict
  returned: always
  contains:
    bluegreen_result:
      description:
        - Results by application. What is returned here is set as a stat as well, so that an automation controller
          hands it to the next job of a workflow, merged with the results of other applications.
        - "The result of an application has these keys: C(outcome), C(msg) (one sentence), C(active_color), C(version)
          (live now), C(previous_version) (live before it), C(reason) (short code of the cause of a failure,
          V(task_failed) when it has none of its own), C(next_step) (what to do after a failure) and C(timings). What
          is not known, or does not apply, is V(null)."
      type: dict
      returned: always
      sample:
        shop:
          outcome: released
          msg: green (version 2.0) is live.
          active_color: green
          version: "2.0"
          previous_version: "1.0"
          reason: null
          next_step: null
          timings: {wait: 4.218, endpoints_ms: 23}
files:
  description: Paths of the report's files.
  type: dict
  returned: success
  sample: {html: reports/shop.html, json: reports/shop.json, junit: reports/shop.xml}
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import report


def main() -> None:
    module = AnsibleModule(argument_spec=report.ARGUMENTS, supports_check_mode=True)
    module.fail_json(
        msg="bg_report only runs as an action, on the controller. Name it bluegreen.kubernetes.bg_report in a task."
    )


if __name__ == "__main__":
    main()
