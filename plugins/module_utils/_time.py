# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Durations and moments: text in, text out, always in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError


def now() -> str:
    """The controller's time as RFC 3339 text in UTC with milliseconds."""
    return written(datetime.now(timezone.utc))


def written(time: datetime) -> str:
    """A ``datetime`` in UTC as :func:`now` writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def to_second(time: datetime) -> str:
    """A ``datetime`` in UTC as RFC 3339 text, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The ``datetime`` of a time as :func:`now` and Kubernetes write it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")

_UNITS = {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any, name: str) -> float:
    """A duration in seconds (float) from a number of seconds or text such as ``30s``, ``5m`` or ``24h``; 0 means now."""
    if not isinstance(value, bool):
        match = _DURATION.match(str(value))
        if match:
            return float(match.group(1)) * _UNITS[match.group(2)]
    raise BlueGreenError(
        f"{name} is not a duration: {value!r}",
        "bad_input",
        next_step="Give seconds, or a number with ms, s, m, h or d, such as 30s or 5m.",
    )


def micro_time() -> str:
    """The controller's time in the form of a Lease's ``renewTime``. Only its changing matters to anyone."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
