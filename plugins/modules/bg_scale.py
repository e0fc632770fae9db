#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_scale
short_description: Scale the color that is not live
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Sets how many pods the idle color has, for example to give back its resources some time after the switch.
  - The live color is never scaled. Asked to, the module refuses with RV(reason=live). That is decided again after
    O(delay), because another run may have switched back meanwhile.
  - In a release that has the lock (O(lock_id)), the live color is looked at once more before pods are taken away, because
    they are the way back. If it is not at strength for 10 seconds, or its pods have restarted since the switch, the module
    fails with RV(reason=not_ready) and scales nothing. It does not wait for the end of O(delay) when the live color's pods
    restart, or none of them is ready any more.
  - It does not wait for pods to come or go.
options:
  color:
    description: Color to scale. It must not be live. The idle one if not given.
    type: str
  replicas:
    description: Number of pods. V(0) is allowed.
    type: int
    required: true
  delay:
    description:
      - How long the color keeps the pods that it has, counted from the start of the task. After a switch, connections
        that clients had opened before go on to be served for this time.
      - Seconds, or a number with a unit such as V(30s) or V(5m). V(0) means at once. If the number of pods is right
        already, nothing is waited for.
    type: raw
    default: 0
  elapsed:
    description: How many seconds of O(delay) are over already.
    type: float
    default: 0
  assume_active:
    description:
      - Color that would be live by now if what check mode only plans were done. With it a play can plan the switch and
        the scaling that follows.
      - Only used in check mode.
    type: str
  follow:
    description: Which of what belongs to the application is made to fit first, see M(bluegreen.kubernetes.bg_follow); an
      autoscaler would scale the color up again.
    type: list
    elements: str
    choices: [autoscalers, budgets]
    default: []
  cronjobs:
    description: Names of CronJobs that are as well, see M(bluegreen.kubernetes.bg_follow).
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
    details: The write is sent as a dry run, so that the API server judges it and keeps nothing. O(delay) is not
      waited for.
  diff_mode:
    support: full
    details: Shows the number of replicas before and after.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(live) (the color is live), V(conflict) (somebody else keeps
    changing the Deployment), V(not_ready) (in a release, the live color is not well)."
  - "Permissions needed in the namespace: C(get) on services, C(list) and C(patch) on deployments; in a release also C(list)
    and C(watch) on pods, C(list) on events, C(get) on pods/log."
seealso:
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: Leave one pod of the old color, half a minute after the switch
  bluegreen.kubernetes.bg_scale:
    services: [myapp]
    namespace: shop
    replicas: 1
    delay: 30s

- name: Stop all pods of the idle color now
  bluegreen.kubernetes.bg_scale:
    services: [myapp]
    namespace: shop
    replicas: 0

- name: Scale green, which fails if it is live
  bluegreen.kubernetes.bg_scale:
    services: [myapp]
    color: green
    replicas: 3
"""

RETURN = r"""
color:
  description: Color that was scaled.
  type: str
  returned: always
  sample: blue
replicas:
  description: Number of pods it shall have now.
  type: int
  returned: always
  sample: 1
previous_replicas:
  description: Number of pods it should have before.
  type: int
  returned: always
  sample: 3
diff:
  description: Number of replicas before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Deployment app-blue
    after_header: Deployment app-blue
    before: {replicas: 3}
    after: {replicas: 1}
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
  description: One sentence that says how many pods the color has now; on failure what is wrong, why and what to do
    next.
  type: str
  returned: always
  sample: "app-blue has 1 replicas (before: 3)."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: live
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import scale


def main() -> None:
    run_module(scale)


if __name__ == "__main__":
    main()
