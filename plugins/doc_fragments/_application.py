# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. Do not use it from outside.

from __future__ import annotations


class ModuleDocFragment:
    # The Services, and how the two colors behind them are told apart.
    DOCUMENTATION = r"""
options:
  services:
    description:
      - Names of the Services that carry the application's traffic. The color they select is live; they must all select
        the same one.
      - The first one keeps the release history, in its annotation C(bluegreen.kubernetes/state).
    type: list
    elements: str
    required: true
  namespace:
    description:
      - Namespace of the application.
      - If not given, or empty, the namespace of the kubeconfig's context, or of the pod that Ansible runs in, or
        V(default).
    type: str
  colors:
    description: The two values of O(color_label) between which the Services are switched.
    type: list
    elements: str
    default: [blue, green]
  color_label:
    description: Label in the Services' selectors, and on the pods, whose value is the color.
    type: str
    default: version
  deployments:
    description:
      - "Name of the Deployment of each color, such as V({blue: shop-a, green: shop-b})."
      - For a color that is not named here it is the Deployment whose pods the Services would select when switched to
        this color. One that is named must be selected as well; to name it chooses among several.
    type: dict
    default: {}
  containers:
    description:
      - Names of the containers whose image carries the version; init containers and sidecars may be named as well.
      - If empty, it is the only container of the pod, else the one named V(app).
    type: list
    elements: str
    default: []
notes:
  - "RV(reason) can be one of these in every module: V(bad_input) (an option is wrong), V(not_found) (a Service,
    Deployment or container is missing), V(no_color) (a Service selects neither color), V(contradiction) (the Services
    select different colors, and no interrupted switch explains it), V(ambiguous) (several Deployments or containers
    are possible), V(newer_state) (the history was written by a newer version of this collection), V(no_cluster) (no
    usable connection is configured), V(api_unreachable), V(unauthorized), V(forbidden), V(api_error) (what the API
    server said, or that it said nothing), V(missing_library), and V(unexpected) (an error that nobody
    has foreseen)."
"""
