#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_begin
short_description: Begin a run with a plan and the lock
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Judges the settings, reads what is live, and plans the run. If there is something to do, it locks out other runs, puts
    right what an interrupted one has left, and plans again on what is there then.
  - P(bluegreen.kubernetes.bluegreen#role) begins with it, whatever the flow, and takes the steps that it returns. What is
    released, and whether anything is to be done at all, is decided here and nowhere else.
  - Every mistake in the settings is named at once, before anything is touched; a variable that begins with C(bluegreen_) and
    is none of the role's is one.
options:
  flow:
    description: What is asked for.
    type: str
    required: true
    choices: [release, prepare, promote, rollback, retire]
  settings:
    description:
      - Variables of P(bluegreen.kubernetes.bluegreen#role), by their whole names.
      - If not given, those of the host whose names begin with C(bluegreen_), when it runs as an action.
    type: dict
  version:
    description: Version, where C(bluegreen_version) is not among the settings.
    type: raw
  approved:
    description:
      - C(prepared) of the result of the run that was approved. Promoting something else is refused.
      - If not given, that of C(bluegreen_result), when it runs as an action and that is a variable. A fact does not count,
        because a cache brings those of earlier runs.
    type: dict
  config:
    description:
      - "What the files of C(bluegreen_config) hold on each color, as JSON: C({COLOR: {FILE: TEXT}}). If not given, they are
        filled in as the role does it."
      - A version that is live already is released all the same when its configuration differs.
    type: json
  application:
    description: Name of the application. If not given, the host's, or that of the first Service on C(localhost).
    type: str
  directory:
    description: Where relative paths in the settings start. If not given, at the playbook.
    type: path
  by:
    description: Who starts the run, for the history. If not given, the user of the automation controller, else of the host.
    type: str
  job:
    description: Job that the run belongs to, for the history. If not given, that of the automation controller.
    type: str
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
attributes:
  check_mode:
    support: full
    details: It plans, and takes no lock.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Where there is nothing to do, it changes nothing. Else it takes the lock each time.
notes:
  - "Beside the general ones (below), RV(reason) can be V(bad_input) (the settings), V(nothing_to_roll_back), V(contracted)
    (the database has lost what the version to go back to needs), V(not_prepared) (what shall be promoted is not what was
    prepared), V(locked) (another run is at work) and those of P(bluegreen.kubernetes.bg_lock#module)."
  - "Permissions needed in the namespace: those of P(bluegreen.kubernetes.bg_current_color#module) and of
    P(bluegreen.kubernetes.bg_lock#module)."
requirements:
  - requests (Python library)
  - jmespath (Python library)
seealso:
  - module: bluegreen.kubernetes.bg_revert
  - module: bluegreen.kubernetes.bg_end
"""

EXAMPLES = r"""
- name: Plan a release, and lock out others if there is something to do
  bluegreen.kubernetes.bg_begin:
    services: [myapp]
    namespace: shop
    flow: release
    version: "2.0"
  register: begun

- name: Show what will be done
  ansible.builtin.debug:
    msg: "{{ begun.msg }} {{ begun.steps | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
application:
  description: Name of the application.
  type: str
  returned: always
  sample: myapp
directory:
  description: Where relative paths start.
  type: str
  returned: always
  sample: /home/me/shop
lock_id:
  description: Id of the run, which holds the lock from now on. V(null) when there is nothing to do, and in check mode.
  type: str
  returned: always
  sample: 0b6b1b9a3a6e4f0e8a9a51b1b1b7d3ad
waited:
  description: Whether another run had the lock, and was waited for or taken over.
  type: bool
  returned: always
  sample: false
color:
  description: Color that is released, or gone back to.
  type: str
  returned: always
  sample: green
version:
  description: Its version; empty when only an image was given.
  type: str
  returned: always
  sample: "2.0"
good_color:
  description: Color that the traffic is put on if the run fails.
  type: str
  returned: always
  sample: blue
resumes:
  description: Run whose release is finished by this one. V(null) for one that begins anew.
  type: str
  returned: always
  sample: null
needed:
  description: Whether there is anything to do.
  type: bool
  returned: always
  sample: true
steps:
  description:
    - What the role does, in this order. Each has a C(name), the C(file) with its tasks, C(color) and C(version) that it is
      about, C(active_color) that is live then, C(previous_version), and what it alone has to know.
  type: list
  elements: dict
  returned: always
  sample: [{name: deploy, file: stages/deploy.yml, color: green, version: "2.0", active_color: blue, previous_version: "1.0"}]
rescue:
  description: The same for what is done when one of them fails.
  type: list
  elements: dict
  returned: always
  sample: [{name: revert, file: stages/revert.yml}, {name: end, file: end.yml}]
stages:
  description: What was detected, and how the lock was got, each with its times, for the report.
  type: dict
  returned: always
  sample: {}
retirement:
  description: Whether the old color is to be retired, as P(bluegreen.kubernetes.bg_retire#module) returns it, for that flow.
  type: dict
  returned: always
  sample: null
active_color:
  description: "Color that is live. This and the following are as P(bluegreen.kubernetes.bg_current_color#module) returns them."
  type: str
  returned: always
  sample: blue
idle_color:
  description: The other one.
  type: str
  returned: always
  sample: green
pending_color:
  description: Color that some Services select already, when a switch was interrupted.
  type: str
  returned: always
  sample: null
colors:
  description: What is known of each color.
  type: dict
  returned: always
  sample: {blue: {version: "1.0", replicas: 3}, green: {version: "0.9", replicas: 1}}
selectors:
  description: Selector of each Service.
  type: dict
  returned: always
  sample: {myapp: {app: myapp, version: blue}}
history:
  description: Releases and rollbacks, the newest first.
  type: list
  elements: dict
  returned: always
  sample: []
followers:
  description: What goes with the live color.
  type: list
  elements: dict
  returned: always
  sample: []
workers:
  description: The application's queue workers, see M(bluegreen.kubernetes.bg_workers).
  type: list
  elements: dict
  returned: always
  sample: []
prepared:
  description: Release that waits to be promoted.
  type: dict
  returned: always
  sample: null
unfinished:
  description: Release that is live and whose run was stopped after its switch.
  type: dict
  returned: always
  sample: null
rollback_to:
  description: What a rollback makes live.
  type: dict
  returned: always
  sample: null
contracted:
  description: When the database was contracted or detached, and which version was live.
  type: dict
  returned: always
  sample: null
is_live:
  description: Whether the version is live already.
  type: bool
  returned: always
  sample: false
reconfigured:
  description: The ConfigMaps and Secrets of which this version has another content than what is live, as far as O(config)
    says it; then it is not live, whatever RV(wanted_image) is.
  type: list
  elements: str
  returned: always
  sample: [ConfigMap settings]
wanted_image:
  description: Image of the version.
  type: str
  returned: always
  sample: myapp:2.0
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
  description: Whether the lock was taken.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what will be done, and why; on failure what is wrong, why, what is live and what to do next.
  type: str
  returned: always
  sample: 2.0 is released to green; blue is live with 1.0.
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: bad_input
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import begin


def main() -> None:
    run_module(begin)


if __name__ == "__main__":
    main()
