# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the parts of a cluster take to react; each time is drawn anew from its range."""

from __future__ import annotations

import random
from dataclasses import dataclass

Range = tuple[float, float]  # seconds


@dataclass
class Lag:
    """Ranges in seconds, which a test may change at any time."""

    controller: Range = (0.005, 0.05)  # from a change to the controllers' work on it
    scheduler: Range = (0.005, 0.03)
    kubelet: Range = (0.005, 0.05)  # until a node has seen a change of a pod
    sandbox: Range = (0.1, 0.4)  # until a pod's first container is started
    start: Range = (0.2, 2.0)  # until the application listens, unless it says otherwise
    shutdown: Range = (0.3, 1.0)  # from the end of a pod's containers until the pod is gone
    endpoints: Range = (0.02, 0.2)
    proxy: Range = (0.02, 1.0)
    garbage: Range = (0.01, 0.2)
    slot: Range = (0.005, 1.0)  # from a look at a CronJob to its Job, and from that to its status
    autoscaler: Range = (0.5, 15.0)


def drawn(source: random.Random, range_: Range) -> float:
    return source.uniform(*range_)
