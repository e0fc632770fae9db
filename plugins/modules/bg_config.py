#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_config
short_description: Write the ConfigMaps and Secrets of a version, and remove those that nothing refers to any more
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Writes ConfigMaps and Secrets as objects that cannot change, each named C(NAME-HASH) after what it holds. What
    P(bluegreen.kubernetes.bg_deploy#module) is given as O(bluegreen.kubernetes.bg_deploy#module:config) then refers to
    them, and to no others, for as long as the color has that pod template. So going back brings the old configuration with
    the old code.
  - With O(state=collected) those that nothing refers to any more are removed.
options:
  state:
    description:
      - With V(present) the objects of O(manifests) are there afterwards. What is there already, and holds the same, is
        left as it is.
      - With V(collected) those of this application are removed that no Deployment, ReplicaSet, Job, CronJob or pod of the
        namespace refers to, nor a manifest that M(bluegreen.kubernetes.bg_retire) has kept. That is decided on a reading
        of its own. Where it cannot be known or done they stay, and a warning says why.
    type: str
    choices: [present, collected]
    default: present
  manifests:
    description:
      - "A dictionary of files and their texts, as JSON: YAML with one or more ConfigMaps and Secrets. C(data), C(binaryData),
        C(stringData), C(type), labels and annotations are taken."
      - The hash is that of the application, the kind and what the object holds; two applications may have the same.
      - Nothing shows a value of a Secret.
    type: json
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
    details: Shows what is new beside what the live color has in its place. Of Secrets only how long each value is, and which
      have changed.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(bad_input) (a file has mistakes, each of which is named), V(conflict)
    (an object of that name is somebody else's, is being deleted, or keeps changing)."
  - "Permissions needed in the namespace: C(get), C(list), C(create), C(patch) and C(delete) on configmaps and secrets, C(get)
    on services, C(list) on deployments; for O(state=collected) also C(list) on replicasets, jobs, cronjobs and pods."
seealso:
  - module: bluegreen.kubernetes.bg_deploy
"""

EXAMPLES = r"""
- name: Write the configuration of the new version
  bluegreen.kubernetes.bg_config:
    services: [myapp]
    namespace: shop
    manifests: "{{ {'settings.yml': lookup('ansible.builtin.template', 'settings.yml.j2')} | to_json }}"
  register: written

- name: Let the idle color have it, and version 2.0
  bluegreen.kubernetes.bg_deploy:
    services: [myapp]
    namespace: shop
    version: "2.0"
    config: "{{ written.config }}"

- name: Remove what nothing refers to any more, after the release
  bluegreen.kubernetes.bg_config:
    services: [myapp]
    namespace: shop
    state: collected
"""

RETURN = r"""
config:
  description: The name of each object, by its kind and the name that it was given.
  type: dict
  returned: always
  sample: {ConfigMap/settings: settings-3f786850e3, Secret/credentials: credentials-89e6c98d92}
created:
  description: The objects that were not there before.
  type: list
  elements: str
  returned: always
  sample: [ConfigMap settings-3f786850e3]
deleted:
  description: The objects that were removed.
  type: list
  elements: str
  returned: always
  sample: []
diff:
  description: What is new, and what the live color has in its place; or what is removed. No value of a Secret is in it.
  type: dict
  returned: in diff mode
  sample:
    before_header: Configuration
    after_header: Configuration
    before: {ConfigMap settings-0beec7b5ea: {LEVEL: info}, Secret credentials-62cdb7020f: {PASSWORD: (16 bytes)}}
    after: {ConfigMap settings-3f786850e3: {LEVEL: debug}, Secret credentials-89e6c98d92: {PASSWORD: "(16 bytes, changed)"}}
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
  description: Whether an object was created or removed.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what was created or removed; on failure what is wrong, why and what to do next.
  type: str
  returned: always
  sample: "Configuration created: ConfigMap settings-3f786850e3."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: bad_input
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import config


def main() -> None:
    run_module(config)


if __name__ == "__main__":
    main()
