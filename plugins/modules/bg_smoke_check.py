#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_smoke_check
short_description: Check every pod of a color before users meet it
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Asks every pod of a color what the checks say, all checks at the same time, and fails unless all of them pass. Every
    result is returned, and those that fail say what came instead of what was expected.
  - The pods are reached through the API server, so whoever may use the API can check pods that no Service selects
    yet, from a laptop as well as from an automation controller.
  - The pods must be ready, see P(bluegreen.kubernetes.bg_wait#module).
options:
  color:
    description: Color to check. The idle one if not given.
    type: str
  checks:
    description:
      - List of checks. The module first looks through all of them and names every mistake in every check at once,
        before a single request is sent.
      - "What is asked, exactly one of these two keys: C(http), a path such as V(/health), which is asked of every pod;
        or C(url), a whole http or https address, which is asked once, from where the task runs."
      - "C(name): what to call the check; each needs another name. The path or address if not given."
      - "C(expect): dictionary of what the answer must be, all of it. See below."
      - "C(retries): how often to ask again when the answer is not as expected (default V(0))."
      - "C(delay): how long to wait before asking again (default V(1))."
      - "C(timeout): how long one whole exchange may take (default V(5))."
      - "C(method): V(GET) (default), V(HEAD), V(POST), V(PUT), V(PATCH), V(DELETE) or V(OPTIONS)."
      - "C(headers): dictionary of request headers. C(Authorization) does not reach the pods of an C(http) check,
        because the API server takes it for itself; use C(url) for that."
      - "C(host): value of the C(Host) header, where the application goes by it."
      - "C(body): text to send; a dictionary or list is sent as JSON."
      - "C(port): for C(http), number of the pod's port. Its first TCP port if not given, else V(80)."
      - "C(scheme): for C(http), V(http) (default) or V(https)."
      - "C(pods): for C(http), on how many pods the check must pass: V(all) (default), V(any), or a number."
      - "C(expect.status): status of the answer, or a list of those that are good. If not given, V(200) to V(299).
        Redirects are not followed."
      - "C(expect.json): dictionary of JMESPath expressions and the values they must have in the answer, which must be
        JSON. V(1) and V('1') are the same."
      - "C(expect.header): dictionary of headers and their values in the answer."
      - "C(expect.text): text that the answer contains."
      - "C(expect.regex): Python regular expression that matches somewhere in the answer."
      - "C(expect.latency): how long the answer may take until all of it is there."
      - Durations are seconds, or a number with a unit such as V(500ms), V(30s) or V(5m).
    type: list
    elements: dict
    required: true
  parallel:
    description: How many requests may be under way at the same time, at least 1.
    type: int
    default: 32
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
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
  - Of an answer at most 1 MiB is read. The start of an unexpected one is shown, so checks should not ask for secrets.
  - "An answer of the API server itself, for example that it could not reach the pod, is told from the application's own
    answer with the same status."
  - Every request uses a connection of its own. For C(url) the certificates are checked, and the environment variables
    for proxies are honored.
  - "Beside the general ones (below), RV(reason) can be V(checks_failed), or V(not_ready) (the color has no pods, or
    pods that are not ready)."
  - "Permissions needed in the namespace: C(get) on services, C(list) on deployments and pods, and on pods/proxy
    C(get) (methods V(GET), V(HEAD)), C(create) (V(POST)), C(update) (V(PUT)), C(patch) or C(delete), as the checks'
    methods ask."
requirements:
  - requests (Python library)
  - jmespath (Python library)
seealso:
  - module: bluegreen.kubernetes.bg_wait
  - module: bluegreen.kubernetes.bg_switch
  - name: JMESPath
    description: The language of the expressions in C(expect.json).
    link: https://jmespath.org/specification.html
"""

EXAMPLES = r"""
- name: Check the idle color before the switch
  bluegreen.kubernetes.bg_smoke_check:
    services: [myapp]
    namespace: shop
    checks:
      - name: health
        http: /health
      - name: version
        http: /api/status
        expect:
          json:
            version: "2.0"
            "length(problems)": 0
      - name: database
        http: /api/db-check
        retries: 3
        delay: 2s
      - name: critical endpoint
        http: /api/users/test-user
        expect:
          status: 200
          latency: 500ms

- name: Send an order to any one pod, on its second port
  bluegreen.kubernetes.bg_smoke_check:
    services: [myapp]
    checks:
      - name: order
        http: /api/orders
        method: POST
        port: 8443
        scheme: https
        host: shop.example.com
        headers:
          X-Dry-Run: "true"
        body:
          item: 1
          amount: 2
        pods: any
        timeout: 10s
        expect:
          status: [200, 201]
          header:
            Content-Type: application/json
          regex: '"order": *[0-9]+'

- name: Ask the live color the way users do
  bluegreen.kubernetes.bg_smoke_check:
    services: [myapp]
    color: "{{ detected.active_color }}"
    checks:
      - name: home page
        url: https://shop.example.com/
        expect:
          text: Welcome
"""

RETURN = r"""
passed:
  description: Whether all checks passed. V(null) when they were not run.
  type: bool
  returned: always
  sample: true
color:
  description: Color that was checked. V(null) in check mode if O(color) was not given.
  type: str
  returned: always
  sample: green
checks:
  description: Result of every check on every target. Empty when they were not run.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the check.
      type: str
      sample: version
    target:
      description: The pod, or the address of a C(url) check.
      type: str
      sample: app-green-6b7c9d5f4-x2x8p
    passed:
      description: Whether the answer was as expected.
      type: bool
      sample: false
    status:
      description: HTTP status of the last answer. V(null) when there was none.
      type: int
      sample: 200
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
  sample: 4 checks passed on green (12 requests in 0.05 s).
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: checks_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _smoke_check
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._argspec import run_module


def main():
    run_module(_smoke_check)


if __name__ == "__main__":
    main()
