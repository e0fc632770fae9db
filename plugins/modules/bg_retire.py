#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_retire
short_description: End the idle color's life some time after the switch
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Gives back what the old color still uses, once it is clear that nobody will want to go back to it. Its manifest stays,
    so that the next release or rollback has it up again within seconds.
  - It is made to be run by a schedule, as often as you like. Before O(after) is over, while a release is under way or was
    interrupted, and when there is nothing to retire, it changes nothing and says so.
  - It changes nothing either when the live color has had an issue since the switch. That is when its Deployment is not
    available, or became so again since; when one of its pods has restarted; or when a pod is not ready. RV(issues) names
    them.
options:
  after:
    description:
      - How long after the last switch, forward or back, the idle color is kept as it is.
      - Seconds, or a number with a unit such as V(30m) or V(24h). V(0) means now.
    type: raw
    default: 24h
  mode:
    description:
      - With V(zero) the idle color gets 0 replicas. Its Deployment is the manifest that is kept.
      - With V(delete) its Deployment is deleted. The manifest goes into a Secret first, because it may hold environment
        values that are secret; M(bluegreen.kubernetes.bg_deploy) makes the Deployment from it again.
    type: str
    choices: [zero, delete]
    default: zero
  follow:
    description: Which of what belongs to the application is made to fit first, see M(bluegreen.kubernetes.bg_follow).
    type: list
    elements: str
    choices: [autoscalers, budgets]
    default: []
  cronjobs:
    description: Names of CronJobs whose Jobs are waited for, and that go on with the live color, see M(bluegreen.kubernetes.bg_follow).
    type: list
    elements: str
    default: []
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
    details: The writes are sent as dry runs, so that the API server judges them and keeps nothing.
  diff_mode:
    support: full
    details: Shows the number of replicas before and after.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(conflict) (somebody else keeps changing the Deployment) or
    V(kept_unreadable) (the Secret holds something else)."
  - The time since the switch is that between the clock of the machine which switched and of the one that retires.
  - "Permissions needed in the namespace: C(get) on services, C(list) on deployments and pods, C(patch) on deployments.
    With O(mode=delete) C(delete) and, to bring a color back, C(create) on deployments, and C(get), C(create) and
    C(patch) on secrets."
seealso:
  - module: bluegreen.kubernetes.bg_scale
  - module: bluegreen.kubernetes.bg_deploy
"""

EXAMPLES = r"""
- name: Retire the old color a day after the switch
  bluegreen.kubernetes.bg_retire:
    services: [myapp]
    namespace: shop

- name: Delete it after a week, and keep its manifest in a Secret
  bluegreen.kubernetes.bg_retire:
    services: [myapp]
    namespace: shop
    after: 7d
    mode: delete
"""

RETURN = r"""
color:
  description: Color that is idle.
  type: str
  returned: always
  sample: blue
version:
  description: Version that it has. V(null) when there is no Deployment and no kept manifest.
  type: str
  returned: always
  sample: "1.0"
retired:
  description: Whether it is retired now, by this run or an earlier one.
  type: bool
  returned: always
  sample: true
due:
  description: Whether O(after) is over, and the live color has had no issue since the switch.
  type: bool
  returned: always
  sample: true
due_at:
  description: From when on it may be retired (UTC). V(null) when no switch is recorded.
  type: str
  returned: always
  sample: "2026-05-05T09:30:14Z"
kept:
  description: Name of the Secret that keeps its manifest. V(null) when its Deployment does.
  type: str
  returned: always
  sample: bluegreen-myapp-blue
issues:
  description: What the live color has had since the switch, when that is why the idle one stays.
  type: list
  elements: str
  returned: always
  sample: ["pod app-green-5d4c8b7f9c-x2x7k has restarted (app: running, ready, 1 restarts)"]
diff:
  description: Number of replicas before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Deployment app-blue
    after_header: Deployment app-blue
    before: {replicas: 1}
    after: {replicas: 0}
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
  description: Whether the Deployment was changed.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what was done, or why nothing was; on failure what is wrong, why and what to do
    next.
  type: str
  returned: always
  sample: "app-blue has 0 replicas (before: 1)."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: conflict
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import retire


def main() -> None:
    run_module(retire)


if __name__ == "__main__":
    main()
