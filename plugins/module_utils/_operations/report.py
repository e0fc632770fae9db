# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What a run ended with."""

from __future__ import annotations

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD, GOOD, compose
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

ARGUMENTS = {
    "application": {"type": "str", "required": True},
    "outcome": {"type": "str", "required": True, "choices": list(GOOD + BAD)},
    "active_color": {"type": "str"},
    "version": {"type": "str"},
    "previous_version": {"type": "str"},
    "failure": {"type": "dict"},
    "timings": {"type": "dict", "default": {}},
    "prepared": {"type": "dict"},
    "directory": {"type": "path"},
    "stages": {"type": "dict", "default": {}},
    "namespace": {"type": "str"},
    "by": {"type": "str"},
    "job": {"type": "str"},
}


def failed(params: Params) -> bool:
    """Whether the run shall end with an error."""
    return params["outcome"] in BAD


def result_of(params: Params) -> Object:
    """See :func:`outcome.compose`."""
    names = ("outcome", "active_color", "version", "previous_version", "failure", "timings", "prepared")
    return compose(**{name: params[name] for name in names})
