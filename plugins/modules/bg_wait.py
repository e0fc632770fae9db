#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_wait
short_description: Wait until a color is ready for traffic
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Watches a color's rollout until every pod of the new version can take traffic, and fails as soon as it is certain
    that it will not get there.
  - "Ready means: the newest state of the Deployment has been taken up, as many pods of its newest template as it asks
    for are available, and no pod of an older template is left."
  - A failure says why, with the state of the pods, their last events and the last lines of their logs.
  - Nothing is polled. The Deployment, its pods and their events are watched, so the answer comes when it happens.
options:
  color:
    description: Color to wait for. The idle one if not given.
    type: str
  timeout:
    description:
      - How long to wait at most.
      - Seconds, or a number with a unit such as V(30s) or V(5m). With V(0) the module looks once.
    type: raw
    default: 300
  template_hash:
    description:
      - RV(bluegreen.kubernetes.bg_deploy#module:template_hash) of what was deployed. If the color's Deployment has another pod
        template by now, the module fails with RV(reason=not_prepared).
    type: str
  way_back:
    description:
      - Whether the color is waited for in order to go back to it. Then as many ready pods of its newest template are enough
        as it had when it was live, and one less when it is certain that the last one does not come, or at the end of
        O(timeout). C(Paused) and C(ProgressDeadlineExceeded) end nothing then.
    type: bool
    default: false
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
    details: It does not wait in check mode; RV(ready) is V(false) then, because nothing was observed.
notes:
  - What will not heal by waiting ends the wait early. Each reason has a grace, in case it heals after all. It is
    counted from the moment the module first sees the reason, and begins anew when the reason has gone away in
    between.
  - "At once: C(CrashLoopBackOff) (the container has crashed again after a restart), C(ErrImageNeverPull),
    C(InvalidImageName), C(ProgressDeadlineExceeded) (the Deployment's own limit), C(Paused) (C(spec.paused) is set)."
  - "After 2 seconds: C(CreateContainerConfigError) (a ConfigMap, a Secret or a key in it is missing),
    C(CreateContainerError), C(RunContainerError) when the command is not in the image or may not be run,
    C(FailedCreate) (a quota, a LimitRange or an admission policy lets no pod of the new version be made; not counted
    while older pods are still going, which may make room)."
  - "After 15 seconds: any other C(RunContainerError). The kubelet starts the container once more at once."
  - "After 15 seconds: C(FailedMount) (a volume's ConfigMap or Secret is missing), when its last Event is so much later
    than the first one; disks may take their time."
  - "After 60 seconds: C(ErrImagePull) and C(ImagePullBackOff), when a registry is slow or overloaded. At once when the
    message says that the image is not there, that access is denied, or that the registry's name or address is wrong.
    C(CreateContainerConfigError), C(CreateContainerError) and C(RunContainerError), when the message says that the node
    or the API server was too slow; the kubelet then tries again."
  - "Not before O(timeout): C(Unschedulable), because an autoscaler may bring a node, and pods that run but do not
    become ready. The reason is shown then as well."
  - "Beside the general ones (below), RV(reason) can be V(rollout_failed) (it was certain that the color does not become
    ready), V(timeout), or V(not_prepared) (O(template_hash) is not what is there)."
  - "Permissions needed in the namespace: C(get) on services, C(list) and C(watch) on deployments, pods and events,
    C(list) on replicasets, C(get) on pods/log."
seealso:
  - module: bluegreen.kubernetes.bg_deploy
  - module: bluegreen.kubernetes.bg_smoke_check
"""

EXAMPLES = r"""
- name: Wait until the idle color is ready
  bluegreen.kubernetes.bg_wait:
    services: [myapp]
    namespace: shop
    timeout: 10m

- name: Fail now if green is not ready
  bluegreen.kubernetes.bg_wait:
    services: [myapp]
    color: green
    timeout: 0

- name: Tell a slow start from a broken one
  block:
    - name: Wait for the new version
      bluegreen.kubernetes.bg_wait:
        services: [myapp]
        timeout: 2m
      register: waited
  rescue:
    - name: Stop unless it was only slow
      ansible.builtin.fail:
        msg: "{{ waited.msg }}"
      when: waited.reason != "timeout"
"""

RETURN = r"""
ready:
  description: Whether the color is ready for traffic.
  type: bool
  returned: always
  sample: true
color:
  description: Color that was waited for.
  type: str
  returned: always
  sample: green
elapsed:
  description: How long it took, in seconds. V(null) when it was not waited for.
  type: float
  returned: always
  sample: 4.218
pods:
  description: The color's pods at the end, without those that are terminating. Empty when it was not waited for.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the pod.
      type: str
      sample: app-green-6b7c9d5f4-x2x8p
    ready:
      description: Whether it is ready.
      type: bool
      sample: true
    restarts:
      description: How often its containers were restarted, all together.
      type: int
      sample: 0
    state:
      description: State of its containers, in words.
      type: str
      sample: "app: running, ready, 0 restarts"
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
  description:
    - One sentence that says that the color is ready; on failure what is wrong, the evidence, what is live and what to
      do next.
  type: str
  returned: always
  sample: "app-green is ready: 3 pods."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: rollout_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import wait


def main() -> None:
    run_module(wait)


if __name__ == "__main__":
    main()
