# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md knows the messages and reasons that the code has, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "troubleshooting.md").read_text()
SOURCES = [ast.parse(path.read_text()) for path in sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))]
ERRORS = {"BlueGreenError", "ApiError", "PatchConflict"}


def texts() -> str:
    """All text that the code and the role's tasks have, with what is filled in left out."""
    found = [
        node.value
        for tree in SOURCES
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    found += [" ".join(path.read_text().split()) for path in (ROOT / "roles" / "bluegreen" / "tasks").glob("*.yml")]
    return "\n".join(found)


def reasons() -> set[str]:
    """The codes that errors are made with: an error's second argument, or what the helper that makes it is given."""
    calls = [node for tree in SOURCES for node in ast.walk(tree) if isinstance(node, ast.Call)]
    codes = [code for call in calls if getattr(call.func, "id", "") in ERRORS for code in ast.walk(call.args[1])]
    codes += [
        argument
        for call in calls
        if "fail" in (getattr(call.func, "id", "") or getattr(call.func, "attr", ""))
        for argument in call.args
    ]
    return {
        code.value
        for code in codes
        if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(code.value))
    }


def test_every_message_is_one_of_the_code() -> None:
    headings = re.findall(r"^### (.+)$", DOCUMENT, re.MULTILINE)
    assert headings
    known = texts()
    unknown = [
        (heading, part)
        for heading in headings
        for part in heading.split("…")
        if part.strip(" ()0123456789") and part.strip() not in known
    ]
    assert unknown == []


def test_every_reason_is_in_the_document_and_no_other() -> None:
    table = DOCUMENT.split("## Reasons, for playbooks")[1]
    rows = "\n".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    assert set(re.findall(r"`([a-z_]+)`", rows)) == reasons()
