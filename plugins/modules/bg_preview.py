#!/usr/bin/python
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_preview
short_description: Show the idle color through a Service of its own, or nothing
version_added: 0.1.0
author:
  - The bluegreen.kubernetes authors (@bluegreen-kubernetes)
description:
  - Points a Service at the idle color, so that somebody can look at a version before users do, or at nothing.
  - It never shows the live color. Asked to, the module refuses with RV(reason=live).
  - To show nothing, the color label in its selector gets the value V(none), which no pod has.
options:
  service:
    description:
      - Name of the Service. It must exist, must not be one of O(services), and its selector must be like theirs but for
        the color.
    type: str
    required: true
  color:
    description: Color that it shall show. It must not be live. Nothing is shown if not given.
    type: str
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
    details: The write is sent as a dry run, so that the API server judges it and keeps nothing.
  diff_mode:
    support: full
    details: Shows the selector before and after.
  idempotent:
    support: full
notes:
  - "Beside the general ones (below), RV(reason) can be V(live) (the color is live), V(conflict) (somebody else keeps
    changing the Service)."
  - "Permissions needed in the namespace: C(get) and C(patch) on services, C(list) on deployments."
seealso:
  - module: bluegreen.kubernetes.bg_switch
"""

EXAMPLES = r"""
- name: Show green to those who approve
  bluegreen.kubernetes.bg_preview:
    services: [myapp]
    namespace: shop
    service: myapp-preview
    color: green

- name: Show nothing any more
  bluegreen.kubernetes.bg_preview:
    services: [myapp]
    namespace: shop
    service: myapp-preview
"""

RETURN = r"""
color:
  description: Color that the Service shows now; V(null) if it shows nothing.
  type: str
  returned: always
  sample: green
service:
  description: Name of the Service.
  type: str
  returned: always
  sample: myapp-preview
previous_color:
  description: Color that it showed before; V(null) if it showed nothing.
  type: str
  returned: always
  sample: null
diff:
  description: The selector before and after.
  type: dict
  returned: in diff mode
  sample:
    before_header: Service myapp-preview
    after_header: Service myapp-preview
    before: {selector: {app: myapp, version: none}}
    after: {selector: {app: myapp, version: green}}
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
  description: Whether the Service's selector was changed.
  type: bool
  returned: always
  sample: true
msg:
  description: One sentence that says what the Service shows now; on failure what is wrong, why and what to do next.
  type: str
  returned: always
  sample: "myapp-preview selects green (version 2.0, 3 of 3 pods ready)."
reason:
  description: Short code of the cause of a failure, for playbooks to branch on (see the notes). V(null) on success.
  type: str
  returned: always
  sample: live
"""

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import run_module
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import preview


def main() -> None:
    run_module(preview)


if __name__ == "__main__":
    main()
