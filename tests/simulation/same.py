# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own templates and task logic do what the fast way to run the role does: the same requests, the same end."""

from __future__ import annotations

from simulation import schedules, trial
from simulation.scenarios import SCENARIOS

COMPARED = [
    # Check mode is a setting of the whole process in Ansible.
    *[f"{name}/2" for name, scenario in SCENARIOS.items() if not scenario.planned],
    "release/2 kill@1#20a",
    "release/2 503@1#24b",
    "release/2 crash-idle@1#30a",
    "release/2 release:3.0@1#12a",
    "release/2 rollback@1#40a",
    "release-several/2 lost@1#25a",
    "release-several/2 pause:60@1#50a release:2.0@1#51a",
    "release-baked/2 crash-idle@12s",
    "retire/2 rollback@1#9a",
    "shared/2 kill@1#40a",
]


def difference(text: str) -> str:
    """Where a schedule goes another way when Ansible runs the role; nothing when it does not."""
    requests, ends = [], []
    for by_ansible in (True, False):
        tried = trial.Trial(schedules.parse(text), by_ansible)
        ends.append(tried.whole().outcomes)
        requests.append([f"{one.run} {one.method} {one.path} {one.status}" for one in tried.network.requests])
    for number, (by_ansible, fast) in enumerate(zip(*requests), 1):
        if by_ansible != fast:
            return f"{text}: request {number} is {by_ansible!r} by Ansible, {fast!r} else"
    if ends[0] != ends[1] or len(requests[0]) != len(requests[1]):
        return f"{text}: {len(requests[0])} requests and {ends[0]} by Ansible, {len(requests[1])} and {ends[1]} else"
    return ""
