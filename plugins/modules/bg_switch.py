#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_switch
short_description: Switch all traffic to a color at once
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Points the Services at a color, and returns when the cluster has followed. It is the switch of a release, and the
    way back.
  - Each Service is changed by one write that replaces its whole selector, only if that is still the one that was read.
    The release history is part of the same write, so what is live and what is recorded cannot disagree.
  - Several Services are switched one after the other, all of them or none. What a run was killed at in between is
    recorded, and the next switch puts it right.
  - "Before the switch it makes sure that the color can carry the traffic: as many ready pods as the other color's
    Deployment asks for, or with O(way_back) as it had itself when it was live. It never asks whether the color that is left
    is healthy."
  - Right before the write it reads everything once more, and works out the endpoints that each Service will have. If they
    are none, too few, or without one of the Service's ports, nothing is switched.
  - After the switch it watches until the Services' EndpointSlices hold the new color's ready pods, with the Services'
    ports, and no pod of the old color; and with O(probe) until users get no answer of the old color any more. What belongs
    to neither color does not count.
options:
  color:
    description: Color that shall be live. If it is live already, nothing is done.
    type: str
    required: true
  selectors:
    description:
      - Selectors of the Services as RV(bluegreen.kubernetes.bg_current_color#module:selectors) gave them when it was
        decided to switch.
      - If one of them is another now, the switch is refused with RV(reason=changed_selector).
    type: dict
  template_hash:
    description:
      - C(template_hash) of the color to switch to, as RV(bluegreen.kubernetes.bg_deploy#module:template_hash) or
        RV(bluegreen.kubernetes.bg_current_color#module:prepared) has it. When its Deployment has another pod template by now, nothing is switched.
    type: str
  reverts:
    description:
      - Run whose switch is taken back, such as that of RV(bluegreen.kubernetes.bg_current_color#module:unfinished). The
        history notes it there, so that no rollback leads forward again.
      - If not given, the second switch of a run is the way back of its first one.
    type: str
  way_back:
    description:
      - Whether the switch goes back to a color that was live before, because what is live now is broken.
      - Then as many pods are needed as the color had when it was live, which its history says, and it is switched to at once
        when they are there. One of them need not be ready. How many pods the broken color has, and whether it answers
        O(probe), does not matter, nor does a port that the Service has got since, beside those that lead somewhere.
    type: bool
    default: false
  wait_timeout:
    description:
      - If the color cannot carry the traffic yet, how long to wait for it at most. It is scaled up to the number of pods
        that is needed (never down) and waited for.
      - Seconds, or a number with a unit such as V(30s) or V(5m). With V(0) the switch is refused with
        RV(reason=not_ready) then.
    type: raw
    default: 0
  force:
    description:
      - Whether to switch without waiting until the color can carry the traffic. It is scaled up all the same.
      - Requests are lost as long as it cannot. This is for an emergency in which the other color is worse.
    type: bool
    default: false
  by:
    description: Who switches, for the history. If not given, or empty, the user and the host that the task runs as.
    type: str
  job:
    description: Job of the automation controller that switches, for the history.
    type: str
  frozen_at:
    description: Since when writes are frozen, as RV(bluegreen.kubernetes.bg_job#module:frozen_at) says it; see RV(frozen_ms).
    type: str
  probe:
    description:
      - Watch from outside which color answers users. From just before the switch, requests on new connections are
        sent to the address one after the other, until only the new color has answered for 2 seconds.
      - Nothing is switched, with RV(reason=probe), if the color that is live does not answer there within 10 seconds
        before the switch. It is not asked for that if it has no ready pod, or with O(force) or O(way_back).
      - The module fails with RV(reason=probe) as well if the switch is not seen within 180 seconds. The Services have been
        switched then.
    type: dict
    suboptions:
      url:
        description: Address that users reach the application at, such as V(https://shop.example.com/api/status).
        type: str
        required: true
      color_from:
        description: Where in the answer the color's name is. Give one of the two.
        type: dict
        required: true
        suboptions:
          json:
            description: JMESPath expression for it, in an answer that is JSON.
            type: str
          header:
            description: Name of the header whose value it is.
            type: str
  workers:
    description:
      - Names of the application's queue workers. What those of the color that is left were is recorded with the switch,
        so that a way back can make them that again.
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
    details:
      - The writes are sent as a dry run, so that the API server judges them and keeps nothing. The color's pods are
        not looked at, nor is anything waited for or probed.
  diff_mode:
    support: full
    details: Shows the Services' selectors before and after.
  idempotent:
    support: full
notes:
  - When it fails after the write, RV(changed) is V(true).
  - "Beside the general ones (below), RV(reason) can be V(not_ready) (the color cannot carry the traffic; or
    it was switched to, and then had no ready pod for 5 seconds while the other color has some),
    V(rollout_failed) or V(timeout) (nor can it after O(wait_timeout), see P(bluegreen.kubernetes.bg_wait#module)),
    V(changed_selector) (somebody else has changed a selector), V(not_prepared) (O(template_hash) is not what is
    there), V(conflict) (somebody else keeps changing a Service),
    V(endpoints) (a Service would have no endpoints, too few, or none for one of its ports; or it was switched, and the
    EndpointSlices did not follow within 180 seconds), V(probe) (the live color never answered; or it was switched, and the
    probe did not see it). RV(changed) tells which."
  - "Permissions needed in the namespace: C(get) and C(patch) on services, C(list) on deployments, C(list) and
    C(watch) on pods and endpointslices (C(discovery.k8s.io)). With O(wait_timeout) or O(force) also C(patch) on
    deployments and those of P(bluegreen.kubernetes.bg_wait#module)."
requirements:
  - requests (Python library), for O(probe)
  - jmespath (Python library), for O(probe)
seealso:
  - module: bluegreen.kubernetes.bg_current_color
  - module: bluegreen.kubernetes.bg_smoke_check
  - module: bluegreen.kubernetes.bg_scale
"""

EXAMPLES = r"""
- name: See what is live
  bluegreen.kubernetes.bg_current_color:
    services: [myapp]
    namespace: shop
  register: detected

- name: Switch to the idle color, if the Service is still as it was seen
  bluegreen.kubernetes.bg_switch:
    services: [myapp]
    namespace: shop
    color: "{{ detected.idle_color }}"
    selectors: "{{ detected.selectors }}"

- name: Switch two Services, and see when users get the last old answer
  bluegreen.kubernetes.bg_switch:
    services: [shop-web, shop-api]
    color: green
    probe:
      url: https://shop.example.com/api/status
      color_from:
        json: color
  register: switched

- name: Go back, and bring the old color to full strength first
  bluegreen.kubernetes.bg_switch:
    services: [myapp]
    namespace: shop
    color: "{{ detected.previous_color }}"
    way_back: true
    wait_timeout: 5m
"""

RETURN = r"""
from_color:
  description: The color that is left.
  type: str
  returned: always
  sample: blue
to_color:
  description: The color that shall be live.
  type: str
  returned: always
  sample: green
endpoints_ms:
  description:
    - Milliseconds from the answer to the last write until the EndpointSlices of all Services held the new color's ready
      pods, and none of the old one's.
    - V(null) when that was not observed, also because they were so before the write and did not change.
  type: int
  returned: always
  sample: 23
last_old_ms:
  description:
    - Milliseconds from the answer to the last write until the last answer of the old color to the probe; V(0) when
      none came after it.
    - V(null) when that was not observed, for example without O(probe), or when the old color never answered.
  type: int
  returned: always
  sample: 410
frozen_ms:
  description:
    - Milliseconds from O(frozen_at) until new connections reached the new color, which takes the writes. With O(probe) until
      the last answer of the old color.
    - V(null) without O(frozen_at), when nothing was switched, and when the endpoints were not observed to follow.
  type: int
  returned: always
  sample: 640
diff:
  description: Selector of each Service before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Service myapp
    after_header: Service myapp
    before: {myapp: {selector: {app: myapp, version: blue}}}
    after: {myapp: {selector: {app: myapp, version: green}}}
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
  sample: "green is live: endpoints after 23 ms, last answer of blue after 410 ms."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: changed_selector
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import switch


def main() -> None:
    run_module(switch)


if __name__ == "__main__":
    main()
