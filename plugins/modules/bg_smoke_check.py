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
  - "Checks are HTTP requests, commands, TCP connections, queries to Prometheus and Kubernetes Jobs. The pods are reached through the API
    server, so whoever may use the API can check pods that no Service selects yet, from a laptop as well as from an
    automation controller."
  - The pods must be ready, see P(bluegreen.kubernetes.bg_wait#module).
options:
  color:
    description: Color to check. The idle one if not given.
    type: str
  template_hash:
    description:
      - RV(bluegreen.kubernetes.bg_deploy#module:template_hash) of what was deployed. If the color's Deployment has another pod
        template by now, the module fails with RV(reason=not_prepared).
    type: str
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
  - "Beside the general ones (below), RV(reason) can be V(checks_failed), V(not_ready) (the color has no pods, or
    pods that are not ready), or V(not_prepared) (O(template_hash) is not what is there)."
requirements:
  - requests (Python library)
  - jmespath (Python library)
  - grpcio-health-checking (Python library), for C(grpc) checks only
seealso:
  - module: bluegreen.kubernetes.bg_wait
  - module: bluegreen.kubernetes.bg_bake
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

- name: Run a script, look at a port, and ask whether the database is not overloaded
  bluegreen.kubernetes.bg_smoke_check:
    services: [myapp]
    prometheus:
      service: prometheus
      namespace: monitoring
    checks:
      - name: our script
        command: ./smoke-tests.sh --quick
        env:
          SMOKE_TOKEN: "{{ smoke_token }}"
        timeout: 2m
      - name: gRPC port
        tcp: 9000
      - name: browser suite
        job: suite-job.yml
      - name: database load
        prometheus: pg_stat_activity_count
        expect:
          max: 80

- name: An endpoint that needs a token, over TLS with the application's own CA
  bluegreen.kubernetes.bg_smoke_check:
    services: [myapp]
    checks:
      - name: orders
        http: /api/orders
        scheme: https
        port: 8443
        host: shop.example.com
        ca_cert: files/shop-ca.pem
        headers:
          Authorization: "Bearer {{ shop_token }}"

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
  sample: 4 checks passed on green (12 executions in 0.05 s).
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: checks_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check


def main() -> None:
    run_module(smoke_check)


if __name__ == "__main__":
    main()
