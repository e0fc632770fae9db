#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_deploy
short_description: Put a version on the idle color
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Gives the idle color the version, image or manifest that shall be released, and as many pods as the live color has
    at this moment. No user sees any of it before P(bluegreen.kubernetes.bg_switch#module).
  - The live color is never changed. Asked to, the module refuses with RV(reason=live).
  - "It does not wait for the new pods: P(bluegreen.kubernetes.bg_wait#module) does."
options:
  color:
    description: Color to deploy to. It must not be live. The idle one if not given.
    type: str
  version:
    description:
      - Version to release. Each container that carries the version gets the repository of the live color's image with
        this tag.
      - It must be a string. A number is refused, because YAML reads C(1.10) as V(1.1).
      - "It has letters, digits and C(_ . - + : / @), 255 at most; where it becomes a tag, what a tag can have."
      - With O(image) or O(definition) it names the release, and is kept in the annotation
        C(bluegreen.kubernetes/release) where the image's tag does not say it.
      - One of O(version), O(image) and O(definition) is needed.
    type: raw
  image:
    description:
      - Image to release, with a tag or a digest, where it is not the live color's repository with the tag O(version).
      - Without tag and digest it gets O(version) as its tag.
      - Only one container can carry the version then.
    type: str
  definition:
    description:
      - Manifest of the idle color's Deployment, in place of a new image alone. The Deployment then is what it says; what
        it does not mention is gone, but for labels and annotations of the Deployment itself.
      - Kind and name must be those of the idle color's Deployment, and the pod labels those that the Services select.
        The number of replicas is set as if there were no manifest.
      - A list has several documents, one of which is that Deployment; those of a C(kind=List) count as well. The others
        are objects of this color alone, of any kind that is in a namespace. They are applied before the Deployment, in
        the order given, and removed when a later manifest of this color has them no more. With O(template_hash) they are
        what they were with that pod template.
      - Refused, before anything is written, is what the live color uses or what acts on it, what belongs to the other color,
        and what exists already with other content and was not made by this module.
      - An empty dictionary or list means that there is none.
    type: raw
  config:
    description:
      - What P(bluegreen.kubernetes.bg_config#module) has returned as RV(bluegreen.kubernetes.bg_config#module:config).
        Wherever the pod template refers to one of these ConfigMaps and Secrets, by its plain name or with the hash of
        another version, it then refers to these objects.
      - One that nothing refers to is a mistake, and nothing is written.
    type: dict
    default: {}
  replicas:
    description: Number of pods, at least 1. As many as the live color's Deployment asks for if not given; see O(way_back).
    type: int
  create_missing:
    description:
      - Whether to make the color's Deployment when it does not exist, from O(definition), or as a twin of the live one.
        In the name, the labels and the rules of scheduling the one color is replaced by the other.
      - With V(false) a missing Deployment is an error that names those that are there.
    type: bool
    default: false
  force:
    description:
      - Whether to start new pods even if the Deployment has this image already, for example because the tag was pushed
        again or a ConfigMap has changed.
      - It has no effect together with O(definition).
    type: bool
    default: false
  template_from:
    description:
      - Where all but the version comes from, with O(version) or O(image) alone.
      - V(live) makes the pod template what the live color's is, so that what was changed there (a variable, a probe, a
        sidecar) is in the next version too. What differs only by the colors' names stays, as do labels that selectors
        go by.
      - V(idle) leaves the color's own template as it is, but for the images.
      - RV(differences) and RV(msg) name what differs.
    type: str
    choices: [live, idle]
    default: live
  template_hash:
    description:
      - Put back the pod template with this RV(template_hash), whole and as it was, in place of O(version), O(image) and
        O(definition); O(version) then only names it. It is taken from the ReplicaSets of the color's Deployment, or from
        the manifest that M(bluegreen.kubernetes.bg_retire) has kept.
      - If it is not there any more, nothing is written and the module fails with the reason V(nothing_to_roll_back).
    type: str
  live_template_hash:
    description:
      - C(template_hash) that the live color must still have, as RV(bluegreen.kubernetes.bg_current_color#module:colors) gave
        it. If it has another one by now, nothing is deployed, with RV(reason=live).
      - This is for tasks of your own that deploy, and have to leave alone what is live.
    type: str
  way_back:
    description:
      - Whether a version is put back that was live before. If O(replicas) is not given, it then gets as many pods as the
        color had when it was live, however many the one has that is left.
    type: bool
    default: false
  workers:
    description:
      - "Queue workers of the application by their names, each with the C(template_hash) of what is to be put back, or
        empty text: V({mailer: ''}) puts the same version on the Deployment C(mailer-COLOR), after that of the live color,
        and leaves it with 0 pods until M(bluegreen.kubernetes.bg_workers) lets it begin."
      - An O(image) is for a worker that runs the application's own image; others get O(version), or the tag of the image,
        as theirs.
    type: dict
    default: {}
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
      - The write is sent as a dry run, so that the API server judges it with all its validation and admission, and
        keeps nothing. What comes with the pods, such as a quota for them, shows only in a real run.
  diff_mode:
    support: full
    details: Shows images, replicas, every other field of the pod template that changes, and the other objects of a
      manifest that do; of variables, commands and Secrets no values.
  idempotent:
    support: partial
    details: With O(force=true) every run starts new pods.
notes:
  - "Beside the general ones (below), RV(reason) can be V(live) (the color is live), V(conflict) (somebody else keeps
    changing the Deployment)."
  - "Permissions needed in the namespace: C(get) on services, C(list) and C(patch) on deployments, and C(create) on
    deployments for O(create_missing=true). For O(template_hash) also C(list) on replicasets. For an O(definition) of several
    documents C(create), and C(get) and C(patch) on the Secret C(bluegreen-SERVICE-COLOR-objects), and C(get), C(create),
    C(patch) and C(delete) on what it holds."
seealso:
  - module: bluegreen.kubernetes.bg_current_color
  - module: bluegreen.kubernetes.bg_wait
"""

EXAMPLES = r"""
- name: Put version 2.0 on the idle color
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    namespace: shop
    version: "2.0"

- name: Put an image on it that is named by its digest
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    image: registry.example.com/shop@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1
    version: "2.0"

- name: Give the version to the application and to its migration container
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    containers: [app, migrate]
    version: "2.0"

- name: Put a manifest on it, made from a template that uses the idle color
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    version: "2.0"
    definition: "{{ lookup('ansible.builtin.template', 'deployment.yml.j2') | from_yaml }}"

- name: Put a manifest of several documents on it
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    version: "2.0"
    definition: "{{ lookup('ansible.builtin.template', 'app.yml.j2') | from_yaml_all | list }}"

- name: Make the second color, the first time
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    version: "2.0"
    create_missing: true
"""

RETURN = r"""
color:
  description: Color that was deployed to.
  type: str
  returned: always
  sample: green
version:
  description: Version that it is now; the tag of its image, or what it was released under.
  type: str
  returned: always
  sample: "2.0"
image:
  description: Image it has now; the first one where several containers carry the version.
  type: str
  returned: always
  sample: myapp:2.0
previous_image:
  description: Image it had before. V(null) when its Deployment did not exist.
  type: str
  returned: always
  sample: myapp:0.9
replicas:
  description: Number of pods it shall have now.
  type: int
  returned: always
  sample: 3
previous_replicas:
  description: Number of pods it should have before. V(null) when its Deployment did not exist.
  type: int
  returned: always
  sample: 1
template_hash:
  description: Digest of the pod template as it was written, without what controllers add to it.
  type: str
  returned: always
  sample: 91d2ab0c44f7e310
workers:
  description: What each of the workers has on the color, by name.
  type: dict
  returned: success
  sample: {mailer: {image: "registry.example/mailer:2.0", version: "2.0", replicas: 0, template_hash: 6b1d0e7c1a2f3b4c}}
differences:
  description: In what the live color's pod template differs from the one that was found, by more than the version and
    the colors' names.
  type: list
  elements: str
  returned: always
  sample: ["containers[app].env[FEATURE]"]
objects:
  description: What of a manifest's other documents was made, changed or removed.
  type: list
  elements: str
  returned: always
  sample: ["ConfigMap settings-green made"]
diff:
  description: Images by container, replicas, and other fields of the pod template that change, before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Deployment app-green
    after_header: Deployment app-green
    before: {images: {app: "myapp:0.9"}, replicas: 1}
    after: {images: {app: "myapp:2.0"}, replicas: 3}
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
  description: Whether the Deployment, or another object of the manifest, was changed.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what the color has now; on failure what is wrong, why, what is live and what to
    do next.
  type: str
  returned: always
  sample: app-green gets myapp:2.0 with 3 replicas.
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: not_found
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import deploy


def main() -> None:
    run_module(deploy)


if __name__ == "__main__":
    main()
