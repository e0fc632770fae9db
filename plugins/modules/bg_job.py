#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_job
short_description: Run a Kubernetes Job to its end, once per release
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Runs a Job, such as a migration of the database, and waits for its end. Its log lines are shown while it runs. It
    fails as soon as the Job has failed, or cannot run, for example because its image is missing.
  - "It is safe to run again. A Job that has succeeded is recorded, and is not run a second time with the same definition
    for the same version. A Job whose Ansible run was killed is followed to its end by the next one. A Job of another
    definition or version is removed first, with its pods, so that two never work on the same data."
  - "The containers get these environment variables, unless they set them themselves: C(BG_VERSION) and C(BG_COLOR), what
    is released and where; C(BG_PREVIOUS_VERSION) and C(BG_PREVIOUS_COLOR), the same of the other color;
    C(BG_NAMESPACE). C(BG_ACTIVE_COLOR) is the color that is live when the Job begins."
options:
  definition:
    description:
      - The Job, as C(kubectl create) would need it. Its name must be the same in each run.
      - "Its C(activeDeadlineSeconds) becomes O(timeout), if it has none or a longer one, so that the cluster ends it even
        if nobody follows it any more. How often it is tried again is up to its C(backoffLimit)."
    type: dict
    required: true
  color:
    description: Color that the Job is for, in C(BG_COLOR). The idle one if not given.
    type: str
  version:
    description: Version that the Job is for, in C(BG_VERSION). That of the color's Deployment if not given.
    type: raw
  timeout:
    description:
      - How long the Job may take. After that it is ended, and the module fails once its pods are gone.
      - Seconds, or a number with a unit such as V(30s) or V(5m).
    type: raw
    default: 300
  keep_failed:
    description:
      - Leave a Job that has failed in the cluster, with its pods, to be looked at. The next run removes it.
      - A Job that has succeeded is always removed.
    type: bool
    default: false
  force:
    description: Run the Job again even if it has been done.
    type: bool
    default: false
  undoes:
    description:
      - Name of a Job that this one undoes. That one is not on record as done any more when this one begins.
      - A Job that undoes something is not put on record itself.
    type: str
  failure:
    description:
      - Result of the task that failed, for which O(undoes) is to be undone. The module then fails in any case, with the same
        reason, and says what has failed and what became of the change.
      - Nothing is undone after V(superseded), V(conflict) and V(api_unreachable), or when O(undoes) or O(definition) is
        empty.
    type: dict
  contracts:
    description:
      - The Job removes from the database what versions before the live one need. Before it begins, that is recorded with
        the live version, and C(bg_current_color) returns it as RV(bluegreen.kubernetes.bg_current_color#module:contracted).
    type: bool
    default: false
  after:
    description:
      - With O(contracts), how long the live version must be live. The Job begins only if the idle color is due to be retired
        then, as M(bluegreen.kubernetes.bg_retire) decides that, and if O(version) is what is live. Otherwise the module fails
        with the reason V(not_due).
      - Seconds, or a number with a unit such as V(24h). If not given, the Job begins in any case.
    type: raw
  hands_over:
    description:
      - The Job freezes writes in the database of the other color and hands them over to that of O(color). It logs the line
        C(freezing) before writes stop, and C(handed over) when they may go on there.
      - With the second line the module returns, and lets the Job go on. So the Services can be switched at once. A call
        without O(hands_over) follows the same Job to its end, records and removes it.
      - Such a Job is always run, and an earlier one of its name is not on record as done any more when this one begins.
    type: bool
    default: false
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
    details: The Job is sent as a dry run, so that the API server judges it and keeps nothing.
  diff_mode:
    support: full
    details: Shows the Job.
  idempotent:
    support: full
    details: What the Job does is up to it, but it is done once.
notes:
  - "Beside the general ones (below), RV(reason) can be V(job_failed) (the Job has failed, or cannot run), V(timeout) (it
    was not done in time, or its pods do not end), V(conflict) (there is a Job of this name that is not of this
    application, or somebody else keeps changing it), V(not_due) (see O(after))."
  - What its containers log is shown. Values of its environment variables, passwords in addresses, and what follows
    words such as C(password=) are hidden; anything else is up to the Job.
  - "Permissions needed in the namespace: C(get) and C(patch) on services, C(list) on deployments, C(get), C(list),
    C(watch), C(create), C(patch) and C(delete) on jobs, C(list) and C(watch) on pods and events, C(get) on pods/log."
seealso:
  - module: bluegreen.kubernetes.bg_smoke_check
  - name: Jobs
    description: What Kubernetes says about them.
    link: https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

EXAMPLES = r"""
- name: Migrate the database before the new version is deployed
  bluegreen.kubernetes.bg_job:
    services: [myapp]
    namespace: shop
    version: "2.0"
    definition: "{{ lookup('ansible.builtin.template', 'migrate.yml') | from_yaml }}"
    timeout: 10m

- name: Undo it
  bluegreen.kubernetes.bg_job:
    services: [myapp]
    namespace: shop
    version: "2.0"
    undoes: migrate
    keep_failed: true
    definition:
      apiVersion: batch/v1
      kind: Job
      metadata:
        name: undo-migrate
      spec:
        backoffLimit: 0
        template:
          spec:
            restartPolicy: Never
            containers:
              - name: undo
                image: registry.example.com/shop-migrations:2.0
                args: [down]
"""

RETURN = r"""
job:
  description: Name of the Job. V(null) when its definition was refused.
  type: str
  returned: always
  sample: migrate
succeeded:
  description: Whether the Job has succeeded, now or in an earlier run. V(null) when it is not known.
  type: bool
  returned: always
  sample: true
logs:
  description: The last 100 log lines of its containers, with secrets hidden. Empty when it was not run.
  type: list
  elements: str
  returned: always
  sample:
    - ALTER TABLE
frozen_at:
  description:
    - When the Job has logged C(freezing), by the clock of the host that the module runs on.
    - V(null) without O(hands_over), or when there was nothing to freeze.
  type: str
  returned: always
  sample: "2026-01-31T12:00:01.123Z"
elapsed:
  description: Seconds until it ended, or handed over. V(0) when it had been done before.
  type: float
  returned: always
  sample: 3.218
diff:
  description: The Job that was made.
  type: dict
  returned: in diff mode
  sample:
    before_header: (absent)
    after_header: Job migrate
    before: ""
    after: {kind: Job}
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
  description: Whether the Job was run. V(false) when it had been done before.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence with the outcome; on failure why, with the last log lines, what is live and what to do next.
  type: str
  returned: always
  sample: Job migrate succeeded for 2.0 after 3.2 s.
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: job_failed
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import job


def main() -> None:
    run_module(job)


if __name__ == "__main__":
    main()
