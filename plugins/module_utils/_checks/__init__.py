# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Checks: read them, run all of them together on every pod, judge what comes back.

A kind of check is one module of this package, and one entry in the list of KINDS. It has

``NAME``           the key that says what is asked
``OPTIONS``        what it can be told beside ``reading.COMMON``, with its defaults; ``pods`` is one of them when it is asked
                   of every pod, else it is asked once
``EXPECTATIONS``   what its ``expect`` can hold, see ``expect``
``read(reader, parsed)``
                   names its mistakes by ``reader.wrong`` and puts into ``parsed`` what ``attempt`` wants to find there;
                   options that several kinds share have been read by then (``reading.Reader``)
``attempt(run, check, pod, began)``
                   asks once, ``pod`` being ``None`` for what is asked once, and returns what is known of the answer (``via``,
                   ``status``, ``value``) and a list of what is wrong with it; raises NoAnswer when there was none

and may have

``SETTINGS``       options of the modules that are for this kind only
``secrets(params)``
                   values that no output may show, beside those that every kind has (``reading.secrets``)
"""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import (
    command,
    grpc,
    http,
    job,
    prometheus,
    reading,
    tcp,
    url,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import (
    Run,
    needs_pods,
    reasons,
    staying,
    verdict,
)

__all__ = ["ARGUMENTS", "KINDS", "SETTINGS", "Run", "needs_pods", "parse", "reasons", "secrets", "staying", "verdict"]

KINDS = {kind.NAME: kind for kind in (http, url, command, prometheus, tcp, job, grpc)}

# Options of the operations that run checks, and of the one that only looks for mistakes in them.
SETTINGS: dict[str, Any] = {"chdir": {"type": "path"}}
for _kind in KINDS.values():
    SETTINGS.update(getattr(_kind, "SETTINGS", {}))

ARGUMENTS = dict(
    SETTINGS,
    checks={"type": "list", "elements": "dict", "required": True},
    parallel={"type": "int", "default": 32},
)


def parse(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks in ``checks`` as ``reading.parse`` gives them."""
    return reading.parse(params, KINDS)


def secrets(params: dict[str, Any]) -> set[str]:
    """Values in the checks that no output may show."""
    found = reading.secrets(params)
    for kind in KINDS.values():
        if hasattr(kind, "secrets"):
            found |= kind.secrets(params)
    return found
