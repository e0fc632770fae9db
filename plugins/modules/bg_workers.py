#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_workers
short_description: Let queue workers of an application go with the switch
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - "A worker is two Deployments, C(NAME-COLOR), which have the application's colors and version, and no Service. Those of
    the live color work; those of the idle one have 0 pods."
  - V(start) lets those of the idle color begin, with as many pods as the live one's have, one at least, waits until they
    are up, and runs their checks. With C(mode) V(gap) the live one's have gone before, to the last pod.
  - V(settle) lets those of the live color work, and those of the other one rest, whoever was interrupted in the middle;
    asked again, it changes nothing. It also waits until the pods that rest are gone. How many pods a worker had is noted on
    what is put at rest. One that has no pods and no such note was scaled by somebody else, such as KEDA, and is left alone.
options:
  workers:
    description:
      - List of names, or of dictionaries with C(name), C(mode) (V(overlap) or V(gap)) and C(checks).
      - "V(overlap) (default): the new ones work before the switch and the old ones rest after it, so that both work for
        some seconds, and at any time one does. V(gap): never two versions at a time."
      - "C(checks), of the kinds C(command), C(job) and C(prometheus) of M(bluegreen.kubernetes.bg_smoke_check), are run on
        the new ones by V(start)."
    type: raw
    required: true
  stage:
    description:
      - V(start) before the switch.
      - V(settle) after it, after a way back, or after a run that was interrupted.
    type: str
    required: true
    choices: [start, settle]
  color:
    description: Color whose workers are to work. If not given, the idle one for V(start), the live one for V(settle).
    type: str
  deployed:
    description: C(workers) of what M(bluegreen.kubernetes.bg_deploy) has returned. What was changed since is not let begin.
    type: dict
    default: {}
  timeout:
    description: How long to wait until the pods are up, in seconds or with a unit.
    type: raw
    default: 300
  way_back:
    description:
      - For V(start), whether a version that was live before becomes so again. It gets what it had, is not checked, and one
        that does not come up is a warning.
      - For a plan of V(settle), whether nothing is begun before it.
    type: bool
    default: false
  parallel:
    description: How many checks run at the same time.
    type: int
    default: 32
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._checks.settings
  - bluegreen.kubernetes._lock
  - bluegreen.kubernetes._lock.writes
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
attributes:
  check_mode:
    support: full
    details: The writes are sent as dry runs, so that the API server judges them and keeps nothing. Nothing is waited for.
  diff_mode:
    support: full
    details: Shows the replicas before and after.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(rollout_failed) or V(timeout) (a worker does not come up, or the
    pods of one that rests do not end), V(checks_failed), V(not_prepared) (it was changed since it was deployed),
    V(not_found) (it has no Deployment), V(live) (the color that is to begin is live), V(changed_selector) (the one that is
    to be live is not), V(contradiction) (the Services select both), V(conflict) (somebody else keeps changing them),
    V(bad_input)."
  - "Permissions needed in the namespace: C(get) on services, C(list), C(watch) and C(patch) on deployments, C(list) on
    replicasets, C(list) and C(watch) on pods and events, C(get) on pods/log, and what the checks need."
seealso:
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: After the switch, let the workers of what is live work, and no others
  bluegreen.kubernetes.bg_workers:
    services: [myapp]
    namespace: shop
    workers: [mailer]
    stage: settle
"""

RETURN = r"""
color:
  description: Color whose workers are to work.
  type: str
  returned: always
  sample: green
workers:
  description: Number of pods of each Deployment that was scaled.
  type: dict
  returned: always
  sample: {mailer-blue: 0, mailer-green: 3}
checks:
  description: Results of the workers' checks, as M(bluegreen.kubernetes.bg_smoke_check) returns them.
  type: list
  elements: dict
  returned: always
  sample: []
diff:
  description: The replicas before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: workers
    after_header: workers
    before: {Deployment mailer-blue: {replicas: 3}}
    after: {Deployment mailer-blue: {replicas: 0}}
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
  description: Whether one of them was scaled.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what was scaled; on failure what is wrong, why and what to do next.
  type: str
  returned: always
  sample: "mailer-blue has 0 pods (before: 3)."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: rollout_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import workers


def main() -> None:
    run_module(workers)


if __name__ == "__main__":
    main()
