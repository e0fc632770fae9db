#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_follow
short_description: Let autoscalers, disruption budgets and CronJobs go with the live color
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Finds the HorizontalPodAutoscalers, KEDA's ScaledObjects and PodDisruptionBudgets of an application, and makes them,
    and the CronJobs that are named, what they are to be at a stage of its release.
  - "An autoscaler that is the only one scales the live color: its target is changed after the Services' switch, and
    back with them. One of a color's own has its lower bound raised to the live color's number of pods while that color
    is being released; the idle color's is lowered to O(idle_replicas), and a ScaledObject is paused. What it was before
    is noted on it, and comes back."
  - The only budget that selects a color's pods by O(color_label) selects those of the live one.
  - "A CronJob that is the only one of its name has the live color's images in those of its containers that have an image
    of the application's. Of two, C(NAME-blue) and C(NAME-green), the live one works: the old one is suspended, its
    C(lastScheduleTime) is handed over, then the new one is let work. One that somebody has suspended while its color was
    live stays so."
  - It does what is still to be done, whoever was interrupted in the middle; asked again, it changes nothing.
options:
  stage:
    description:
      - V(deploy) before O(color) is released.
      - V(switch) after the Services were switched.
      - V(scale_down) when no release goes on any more.
    type: str
    required: true
    choices: [deploy, switch, scale_down]
  color:
    description: Color that is to be released (V(deploy)) or is live. If not given, the one that is.
    type: str
  idle_replicas:
    description: How many pods the idle color keeps.
    type: int
    default: 1
  follow:
    description: Which of them go with the live color.
    type: list
    elements: str
    choices: [autoscalers, budgets]
    default: [autoscalers, budgets]
  cronjobs:
    description: Names of CronJobs that do as well. Where there is none of a name, there is a warning.
    type: list
    elements: str
    default: []
  version:
    description: Version that O(color) would have, where its deployment was only planned. Only used in check mode.
    type: raw
  image:
    description: Its whole image, where the version is not the tag of the live one's. Only used in check mode.
    type: str
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
    details: Shows each field before and after.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(live) (the color to be released is live), V(changed_selector)
    (the color that is to be live is not), V(bad_input) (an autoscaler does not let a color have enough pods),
    V(conflict) (somebody else keeps changing them)."
  - "Permissions needed in the namespace: C(get) on services, C(list) on deployments, C(list) and C(patch) on
    horizontalpodautoscalers and poddisruptionbudgets, and on scaledobjects where KEDA is at work; with O(cronjobs)
    C(list) on jobs, C(list) and C(patch) on cronjobs, and C(patch) on cronjobs/status."
seealso:
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: After the switch, let autoscaler and budget go where the users are
  bluegreen.kubernetes.bg_follow:
    services: [myapp]
    namespace: shop
    stage: switch
    cronjobs: [nightly]
"""

RETURN = r"""
color:
  description: Color that was made ready to be released, or that they follow.
  type: str
  returned: always
  sample: green
followers:
  description: What was found, as it was.
  type: list
  elements: dict
  returned: always
  sample:
    - kind: HorizontalPodAutoscaler
      name: myapp
      color: blue
      apart: false
      stages: [switch]
      about: scales app-blue (2 to 10 pods)
diff:
  description: The fields before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: followers
    after_header: followers
    before: {HorizontalPodAutoscaler myapp: {spec.scaleTargetRef.name: app-blue}}
    after: {HorizontalPodAutoscaler myapp: {spec.scaleTargetRef.name: app-green}}
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
  description: Whether one of them was changed.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what was changed; on failure what is wrong, why and what to do next.
  type: str
  returned: always
  sample: "changed: HorizontalPodAutoscaler myapp: name app-blue -> app-green"
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: changed_selector
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import follow


def main() -> None:
    run_module(follow)


if __name__ == "__main__":
    main()
