#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_bake
short_description: Watch a color for some time after the switch
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Repeats checks on every pod of a color for some time, and watches its pods beside them. It fails as soon as more
    rounds were bad than are tolerated, so that traffic can be put back.
  - "A round is bad when a check fails, when a container has restarted, or when a pod that was ready is not ready any
    more. Trouble with a pod is not waited for until the next round."
  - "Pods that come and go are no trouble in themselves: autoscalers and drained nodes do that. New ones are checked as soon
    as they are ready."
options:
  color:
    description: Color to watch. The live one if not given.
    type: str
  time:
    description:
      - How long to watch.
      - Seconds, or a number with a unit such as V(30s) or V(5m). With V(0) there is one round.
    type: raw
    required: true
  interval:
    description:
      - How long after its begin a round is followed by the next one.
      - Seconds, or a number with a unit such as V(30s) or V(5m).
    type: raw
    default: 5
  tolerance:
    description: How many bad rounds are accepted.
    type: int
    default: 0
  jobs:
    description: Whether checks of the kind C(job) are repeated like the others, or left out.
    type: bool
    default: true
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._checks
  - bluegreen.kubernetes._checks.settings
  - bluegreen.kubernetes._lock
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
  - bluegreen.kubernetes._attributes.read_only
attributes:
  check_mode:
    support: full
    details: In check mode O(checks) is looked through for mistakes, and no request is sent. RV(passed) is V(null) then.
  diff_mode:
    details: This module changes nothing. What its requests do to the application is up to the checks.
  idempotent:
    details: This module changes nothing. What its requests do to the application is up to the checks.
notes:
  - "Beside the general ones (below), RV(reason) can be V(bake_failed)."
  - "C(watch) on pods is needed as well."
requirements:
  - requests (Python library)
  - jmespath (Python library)
  - grpcio-health-checking (Python library), for C(grpc) checks only
seealso:
  - module: bluegreen.kubernetes.bg_smoke_check
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: Watch the new version for five minutes
  bluegreen.kubernetes.bg_bake:
    services: [myapp]
    namespace: shop
    time: 5m
    interval: 10s
    tolerance: 1
    prometheus:
      url: https://prometheus.example.com
    checks:
      - name: health
        http: /health
      - name: error rate
        prometheus: >-
          sum(rate(http_requests_total{namespace="shop",color="green",code=~"5.."}[1m]))
          / sum(rate(http_requests_total{namespace="shop",color="green"}[1m]))
        allow_empty: true
        expect:
          max: 0.01
"""

RETURN = r"""
passed:
  description: Whether no more rounds than tolerated were bad. V(null) when there was none.
  type: bool
  returned: always
  sample: true
color:
  description: Color that was watched. V(null) in check mode if O(color) was not given.
  type: str
  returned: always
  sample: green
elapsed:
  description: How long it was watched, in seconds.
  type: float
  returned: always
  sample: 300.412
rounds:
  description: How each round went, the newest 1000 of them.
  type: list
  elements: dict
  returned: always
  contains:
    at:
      description: When it began, in seconds since the begin.
      type: float
      sample: 20.013
    passed:
      description: Whether it was good.
      type: bool
      sample: true
    troubles:
      description: What was not good, as texts.
      type: list
      elements: str
      sample: []
    failed:
      description: Names of the checks that failed.
      type: list
      elements: str
      sample: []
    latency_ms:
      description: Longest time of each check, by its name, in milliseconds.
      type: dict
      sample: {"health": 8.1, "error rate": 4.3}
    numbers:
      description: Number that each C(prometheus) check gave, by its name.
      type: dict
      sample: {"error rate": 0.0}
checks:
  description: Result of every check on every target in the last round.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the check.
      type: str
      sample: version
    kind:
      description: What kind of check it is.
      type: str
      sample: http
    target:
      description: The pod, or the address of what is asked once.
      type: str
      sample: app-green-6b7c9d5f4-x2x8p
    asked:
      description: What was asked of it, where the name does not say it; otherwise empty.
      type: str
      sample: "GET :8080/health"
    via:
      description: "Way to the target: V(proxy), V(port_forward), V(service_proxy), V(url), V(address) or V(job). V(null) when
        nothing answered."
      type: str
      sample: proxy
    passed:
      description: Whether the answer was as expected.
      type: bool
      sample: false
    status:
      description: HTTP status of the last answer, or exit code of a command. V(null) when there was none.
      type: int
      sample: 200
    value:
      description: Number that a C(prometheus) check gave. V(null) when it gave none or several.
      type: float
      sample: null
    latency_ms:
      description: How long the last attempt took, in milliseconds, until the whole answer was there or it was given up.
      type: float
      sample: 12.4
    attempts:
      description: How often was asked.
      type: int
      sample: 1
    reason:
      description: What was not as expected. Empty when the check passed.
      type: str
      sample: 'version is "1.0", expected "2.0" (answer: {"version": "1.0"})'
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
  description: One sentence with the outcome; on failure which checks failed where and why, what is live and what to
    do next.
  type: str
  returned: always
  sample: 'green was watched for 300 s: 31 of 31 rounds of 2 checks were good.'
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: bake_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import bake


def main() -> None:
    run_module(bake)


if __name__ == "__main__":
    main()
