#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_current_color
short_description: Show which color of an application is live, and what the other one is
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Says which of the two colors carries the traffic, which versions they run, and where a rollback would lead. A
    release begins with it.
  - Live is what the Services select, nothing else. The module fails when a Service is missing, when it selects neither
    color, or when the Services disagree. It never assumes a color.
  - It warns of what endangers a release. That is a Service whose selector Helm or GitOps would put back, that is
    headless, or that has session affinity or a local traffic policy; an autoscaler on one of the Deployments; a
    disruption budget that covers the pods of both colors.
  - Given the version that shall be released, it also says whether that is live already.
options:
  version:
    description:
      - Version that shall be released. It becomes the image tag, see O(image).
      - It must be a string. A number is refused, because YAML reads C(1.10) as V(1.1).
      - If neither this nor O(image) is given, nothing is said about a release. An empty version without O(image) is an
        error, so that a release whose version was forgotten ends here.
    type: raw
  image:
    description:
      - Image that shall be released, for example V(registry.example.com/shop:2.0), where it is not the live color's
        repository with the tag O(version).
      - Without tag and digest it gets O(version) as its tag.
    type: str
  create_missing:
    description:
      - Whether the idle color's Deployment may be missing, because M(bluegreen.kubernetes.bg_deploy) shall make it.
      - Otherwise it is an error when O(version) or O(image) is given.
    type: bool
    default: false
  preview_service:
    description: Service that P(bluegreen.kubernetes.bg_preview#module) will be given. If it cannot be a preview, the
      module fails. Nothing is done with it.
    type: str
  retire_after:
    description:
      - How long after the switch M(bluegreen.kubernetes.bg_retire) may end the idle color, for RV(retires_at) and
        RV(rollback_seconds).
      - Seconds, or a number with a unit such as V(30m) or V(24h).
    type: raw
  prepared:
    description:
      - Makes it an error when what stands on the idle color is not what was prepared last (RV(prepared)); other pods than
        the recorded ones, another image, or traffic that was moved since. With V({}) that is all.
      - With RV(prepared) of an earlier run it is also an error when another run has prepared something since, so that
        what goes live is what was approved.
      - Only looked at when O(version) or O(image) is given and not live.
    type: dict
  checks:
    description:
      - Checks that M(bluegreen.kubernetes.bg_smoke_check) shall run later. They are only looked at for mistakes, and all
        mistakes are named at once.
    type: list
    elements: dict
    default: []
  deploy_tasks:
    description: Task file of a release that shall be looked for, relative to O(chdir). The module fails when there is none.
    type: str
  hooks:
    description:
      - Task files of a release that shall be looked for, by the names of the hooks. The module fails when there is no such
        hook or no such file, relative to O(chdir).
    type: dict
    default: {}
  database:
    description: The database settings of a release, in which mistakes shall be looked for in the same way.
    type: dict
    default: {}
  durations:
    description: Durations that later tasks will use, by their names; one that is none is refused now.
    type: dict
    default: {}
  counts:
    description: Numbers that later tasks will use, by their names; one that is no number of 0 or more is refused now.
    type: dict
    default: {}
  follow:
    description: Which of what belongs to the application goes with the live color; about others there is a warning.
    type: list
    elements: str
    choices: [autoscalers, budgets]
    default: [autoscalers, budgets]
  cronjobs:
    description: Names of CronJobs that do as well, see M(bluegreen.kubernetes.bg_follow).
    type: list
    elements: str
    default: []
  idle_replicas:
    description: How many pods the idle color keeps, to say which of O(follow) an interrupted run has left undone.
    type: int
    default: 1
  workers:
    description:
      - The application's queue workers, as M(bluegreen.kubernetes.bg_workers) takes them; they are shown.
    type: raw
    default: []
extends_documentation_fragment:
  - bluegreen.kubernetes._connection
  - bluegreen.kubernetes._application
  - bluegreen.kubernetes._checks.settings
  - bluegreen.kubernetes._attributes
  - bluegreen.kubernetes._attributes.operation
  - bluegreen.kubernetes._attributes.read_only
attributes:
  check_mode:
    support: full
    details: This module does not modify state.
notes:
  - "Permissions needed in the namespace: C(get) on services, C(list) on deployments. With C(list) on services the error
    about a missing one names those that are there. With C(list) on horizontalpodautoscalers (C(autoscaling)) and
    poddisruptionbudgets (C(policy)) it can warn of them; without, it warns that it cannot."
seealso:
  - module: bluegreen.kubernetes.bg_deploy
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: See what is live
  bluegreen.kubernetes.bg_current_color:
    services: [myapp]
    namespace: shop
  register: detected

- name: Name it
  ansible.builtin.debug:
    msg: "{{ detected.active_color }} is live with version {{ detected.colors[detected.active_color].version }}"

- name: Find out whether there is anything to release
  bluegreen.kubernetes.bg_current_color:
    services: [myapp]
    version: "2.0"
  register: detected

- name: Look at an application with its own names, on the cluster of another context
  bluegreen.kubernetes.bg_current_color:
    services: [shop-web, shop-api]
    colors: [a, b]
    color_label: slot
    deployments:
      a: shop-first
      b: shop-second
    kubeconfig: ~/.kube/production
    context: production
"""

RETURN = r"""
followers:
  description: What goes with the live color, see M(bluegreen.kubernetes.bg_follow).
  type: list
  elements: dict
  returned: success
  contains:
    kind: {description: Its kind., type: str}
    name: {description: Its name., type: str}
    color: {description: Color that it is about now., type: str}
    apart: {description: Whether each color has one of its own., type: bool}
    about: {description: What it does now., type: str}
    stages: {description: Stages of a release in which something may become of it., type: list, elements: str}
    lags: {description: Whether it is not where the live color is., type: bool}
    unsettled:
      description: Whether it is not as it is to be when no release goes on, such as after an interrupted one.
      type: bool
workers:
  description: The application's queue workers, see M(bluegreen.kubernetes.bg_workers).
  type: list
  elements: dict
  returned: success
  contains:
    name: {description: Its name., type: str}
    mode: {description: How its colors take turns., type: str}
    lags: {description: "Whether it is not as it is to be when no release goes on, such as after an interrupted one.", type: bool}
    colors: {description: "Version, image, pods and C(template_hash) of each color's Deployment.", type: dict}
active_color:
  description: Color that the Services select, so that users see it. V(null) when it could not be read.
  type: str
  returned: always
  sample: blue
idle_color:
  description: The other color.
  type: str
  returned: always
  sample: green
pending_color:
  description:
    - Color that a part of the Services select already, because a run was interrupted between two of them. The next
      switch, to either color, puts that right.
    - V(null) when the Services agree, which they always do when there is only one.
  type: str
  returned: always
  sample: green
previous_color:
  description:
    - Color that was live before the last recorded switch.
    - V(null) when no switch is recorded, or when somebody has changed the Services since.
  type: str
  returned: always
  sample: green
unfinished:
  description:
    - The release that is live, but whose run was stopped or has failed after its switch, or still goes on; an entry of
      RV(history). Releasing its version again finishes it.
    - V(null) when there is none, when another version was begun since, or when there is no way back to what was live
      before that switch any more.
  type: dict
  returned: always
  sample: {run: 5b4c0f6a8f7e4d0f9a51f2d0c3e1b7aa, kind: release, outcome: interrupted, version: "1.0", color: blue,
    from_color: green, previous_version: "0.9", previous_image: "myapp:0.9"}
rollback_to:
  description:
    - What a rollback has to make live. After a release that is what was live before it. After a release that was
      interrupted before its switch it is what is live now.
    - V(null) when there is nothing to go back to, because no release is recorded, because the last switch was a way
      back itself, or because somebody has changed the Services since.
  type: dict
  returned: always
  contains:
    color:
      description: Name of the color.
      type: str
      sample: green
    template_hash:
      description: Of the pod template that was live there. Left out where the switch was recorded without it.
      type: str
      sample: 1f0e5cd9a3b27c46
    version:
      description: Version that it had.
      type: str
      sample: "0.9"
    image:
      description: Image that it had.
      type: str
      sample: myapp:0.9
rollback_seconds:
  description:
    - About how long a rollback would wait for pods before it switches, in seconds, measured at the pods that are there.
      V(0) when the color has as many ready pods as it had when it was live.
    - V(null) without O(retire_after), when there is nothing to go back to, or when no pod shows it.
  type: int
  returned: always
  sample: 6
colors:
  description:
    - What each color is, by its name. Empty when it could not be read.
    - C(version) is the version it was released under, or the tag of its image; C(image) the whole image; C(replicas)
      the number of pods it shall have and C(ready) how many are ready; C(deployment) the name of its Deployment.
      Where there is no Deployment the numbers are V(0) and all else is V(null).
  type: dict
  returned: always
  sample:
    blue: {version: "1.0", image: "myapp:1.0", replicas: 3, ready: 3, deployment: app-blue,
      template_hash: 3f0c1b7a52de9a44}
    green: {version: "0.9", image: "myapp:0.9", replicas: 1, ready: 1, deployment: app-green,
      template_hash: 91d2ab0c44f7e310}
selectors:
  description:
    - Selector of each Service, by its name. O(bluegreen.kubernetes.bg_switch#module:selectors) takes it, to make sure
      that nobody has changed it in between.
  type: dict
  returned: always
  sample: {myapp: {app: myapp, version: blue}}
switched_at:
  description: Time of the last recorded switch (UTC). V(null) when none is recorded.
  type: str
  returned: always
  sample: "2026-05-04T09:30:12.345Z"
history:
  description:
    - The last runs, at most 10, newest first.
    - A run that did not get to the switch has no colors, images and replicas.
  type: list
  elements: dict
  returned: always
  contains:
    run:
      description: Id of the run, which is that of its lock.
      type: str
      sample: 5b4c0f6a8f7e4d0f9a51f2d0c3e1b7aa
    kind:
      description: V(release) or V(rollback). Missing when the run held no lock.
      type: str
      sample: release
    outcome:
      description:
        - How it ended, such as V(released), V(rolled_back), V(reverted) or V(aborted). V(running) until it has ended,
          V(interrupted) when another run found that it had died, V(switched) when it held no lock.
      type: str
      sample: released
    version:
      description: Version that it was to make live; its image where no version was given.
      type: str
      sample: "1.0"
    by:
      description: Who ran it.
      type: str
      sample: anna@laptop
    job:
      description: Job of the automation controller that ran it. V(null) or empty when there was none.
      type: str
      sample: "4711"
    started_at:
      description: Time at which it took the lock (UTC).
      type: str
      sample: "2026-05-04T09:30:01.120Z"
    switched_at:
      description: Time at which it switched (UTC). V(null) when it did not.
      type: str
      sample: "2026-05-04T09:30:12.345Z"
    reverted_at:
      description: Time at which it switched back (UTC). Missing when it did not.
      type: str
      sample: "2026-05-04T09:30:20.001Z"
    ended_at:
      description: Time at which it gave the lock back (UTC).
      type: str
      sample: "2026-05-04T09:30:44.016Z"
    color:
      description: Color that became live.
      type: str
      sample: blue
    from_color:
      description: Color that was live before.
      type: str
      sample: green
    image:
      description: Image that became live.
      type: str
      sample: myapp:1.0
    previous_version:
      description: Version that was live before. V(null) when its Deployment did not exist.
      type: str
      sample: "0.9"
    previous_image:
      description: Image of that version.
      type: str
      sample: myapp:0.9
    replicas:
      description: Number of pods that the new color was given.
      type: int
      sample: 3
    previous_replicas:
      description: Number of pods that the color before had, which is what the way back needs. Older versions have not
        recorded it.
      type: int
      sample: 3
    previous_replica_set:
      description: ReplicaSet of the pods that were live before. V(null) when they were of several, or it had none.
      type: str
      sample: app-green-6f7995d488
    restarts:
      description: How often the new color's pods had restarted by then, all together. Older versions have not recorded it.
      type: int
      sample: 0
contracted:
  description:
    - What P(bluegreen.kubernetes.bg_job#module) has recorded before it removed from the database what older versions
      need. While C(version) is live, there is no safe way back to the version before it.
    - V(null) when nothing is recorded.
  type: dict
  returned: always
  contains:
    version:
      description: Version that was live then.
      type: str
      sample: "2.0"
    at:
      description: Time at which the Job was about to begin (UTC).
      type: str
      sample: "2026-05-05T09:30:12.345Z"
retires_at:
  description: From when on M(bluegreen.kubernetes.bg_retire) may end the idle color (UTC). V(null) without
    O(retire_after), without a recorded switch, or when it has no pods any more.
  type: str
  returned: always
  sample: "2026-05-05T09:30:14Z"
summary:
  description: The same for people, line by line. The two colors, what a rollback would do, and the last runs. With
    O(retire_after) it is shown as well; in a play of several hosts the most important of it, in a line each.
  type: list
  elements: str
  returned: always
  sample:
    - "      color  version  pods       Deployment  image"
    - "live  blue   1.0      3/3 ready  app-blue    myapp:1.0"
    - "idle  green  0.9      1/1 ready  app-green   myapp:0.9"
    - "rollback: to green (version 0.9), after 2 more of its pods are ready, about 6 s"
    - "when                      what     version  outcome   by           job"
    - "2026-05-04T09:30:01.120Z  release  1.0      released  anna@laptop  4711"
wanted_image:
  description:
    - Image that a release of O(version) or O(image) would put on the idle color; the first one where several containers
      carry the version.
    - V(null) when neither was given.
  type: str
  returned: always
  sample: myapp:2.0
is_live:
  description: Whether the live color already runs what O(version) and O(image) ask for. V(null) when neither was given.
  type: bool
  returned: always
  sample: false
prepared:
  description: The release that was prepared last and waits to be promoted. V(null) when there is none, or the traffic was
    moved since.
  type: dict
  returned: always
  sample: {run: 5b4c0f6a8f7e4d0f9a51f2d0c3e1b7aa, version: "2.0", color: green, template_hash: 91d2ab0c44f7e310}
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
  description: One sentence that says what is live and what is idle; on failure what is wrong, why, and what to do next.
  type: str
  returned: always
  sample: blue (version 1.0, 3 of 3 pods ready) is live, green (version 0.9, 1 of 1 pods ready) is idle.
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: no_color
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color


def main() -> None:
    run_module(current_color)


if __name__ == "__main__":
    main()
