# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The one error type: what, where, why, what is live now, what to do next."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from typing import Any


class BlueGreenError(Exception):
    """A failure that explains itself.

    ``what``       one sentence that says what went wrong and where.
    ``reason``     short code for playbooks to branch on, such as ``not_found`` or ``timeout``.
    ``why``        lines of evidence: pod states, events, log lines, answers. Bounded by the caller.
    ``live``       what answers users at this moment; ``None`` when it could not be read.
    ``next_step``  what the operator can do now.
    ``result``     return values of the module that are known in spite of the failure.
    """

    def __init__(
        self,
        what: str,
        reason: str,
        why: str | Iterable[str] = (),
        live: str | None = None,
        next_step: str | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.reason = reason
        self.why = [why] if isinstance(why, str) else list(why)
        self.live = live
        self.next_step = next_step
        self.result = result or {}

    def __str__(self) -> str:
        lines = [self.what]
        lines += ["  " + line for text in self.why for line in str(text).splitlines()]
        if self.live:
            lines.append("Live now: " + self.live)
        if self.next_step:
            lines.append("Next: " + self.next_step)
        return "\n".join(lines)


def explained(error: Exception) -> BlueGreenError:
    """Any exception as one that explains itself: what nobody has foreseen says at least where it happened."""
    if isinstance(error, BlueGreenError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    return BlueGreenError(
        f"This ended in an error that nobody has foreseen: {type(error).__name__}: {error}",
        "unexpected",
        why=[f"{os.path.basename(frame.filename)}, line {frame.lineno}, in {frame.name}" for frame in frames[-5:]],
        next_step="Run the same command again; if it ends so again, report it with these lines.",
    )


class ApiError(BlueGreenError):
    """The API server refused a request, or could not be reached (``status`` 0)."""

    def __init__(
        self, what: str, reason: str, status: int, why: str | Iterable[str] = (), next_step: str | None = None
    ) -> None:
        super().__init__(what, reason, why=why, next_step=next_step)
        self.status = status


class PatchConflict(ApiError):
    """A JSON Patch ``test`` did not hold, or the object changed meanwhile: read again, then decide."""


class NoAnswer(Exception):
    """An application did not answer a check.

    ``way``  what is known of the way to it: ``open`` (the trouble is its own), ``blocked`` (nothing has been sent to it),
             ``silent`` (nobody knows); ``api``: the API server itself is away or overloaded, which says nothing about the
             application, so it may be asked again.
    """

    def __init__(self, text: str, way: str = "open") -> None:
        super().__init__(text)
        self.way = way
