# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""HTTP at a whole address, asked once, from where the task runs."""

from __future__ import annotations

import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.exchange import REQUEST, by_url, read_request
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader, without_password
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

NAME = "url"

OPTIONS = REQUEST

EXPECTATIONS = expect.ANSWER


def read(reader: Reader, parsed: Object) -> None:
    shown = without_password(parsed["url"])
    parsed.update(where=shown, name=str(reader.check.get("name") or shown))
    reader.address(parsed, "url")
    read_request(reader, parsed)


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    answer = by_url(check)
    wrong = expect.judge(check["expect"], answer, time.monotonic() - began)
    return {"status": answer.status, "via": answer.via}, wrong
