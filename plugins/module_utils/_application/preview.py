# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Which Service can show the new version to those who look before users do."""

from __future__ import annotations

import json

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

# A label's value that no pod has. A Service without any selector would keep the endpoints that it had.
NOTHING = "none"


def check_preview(app: Application, name: str, service: Object | None) -> Object:
    """Whether this Service can be the preview of the application.

    :raises BlueGreenError: it is live, missing, or selects in another way than the application's Services.
    """
    wrong = None
    if name in app.selectors():
        wrong = "it is one of the Services that carry the users' traffic"
    elif service is None:
        wrong = f"it does not exist in namespace {app.cluster.namespace!r}"
    else:
        selector = service["spec"].get("selector") or {}
        if app.label not in selector:
            wrong = f"its selector {json.dumps(selector, sort_keys=True)} has no label {app.label!r}"
        else:
            foreign = [
                color.name
                for color in app.colors.values()
                if color.deployment and not app.would_select(service, color.name, color.deployment)
            ]
            if foreign:
                wrong = f"with {app.label}={foreign[0]} its selector would not select the pods of {app.colors[foreign[0]].deployment_name}"
    if wrong or service is None:
        raise BlueGreenError(
            f"Service {name!r} cannot be the preview: {wrong}.",
            "bad_input",
            next_step=f"Name another one, or give it the selector {app.selector_for(NOTHING)}.",
        )
    if NOTHING in app.names:
        raise BlueGreenError(
            f"No color may be called {NOTHING!r}: it is what a preview that shows nothing selects.",
            "bad_input",
            next_step="Choose another name for the color, or do without a preview.",
        )
    return service
