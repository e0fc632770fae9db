# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for the credentials of the tests in what they have left in tests/output, or in the files that are named.

Which these are is read from the tests, the examples and the scenarios: what stands at a key, option or name that holds
credentials, and passwords in addresses; and there are the forms of those that a cluster issues, tokens and private keys.
A hit is told by its place and first letters. Exit code 0: there are none.
"""

from __future__ import annotations

import ast
import base64
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import checkout

OUTPUT = checkout.ROOT / "tests" / "output"
SOURCES = ("tests/", "examples/", "extensions/")

HOLDS = re.compile(
    r"token|passw|passphrase|secret|api_?-?key|authorization|cookie|canar|client-key-data", re.IGNORECASE
)
ADDRESS = re.compile(r"://[^\s/:@'\"]+:([^\s/@'\"{}$]+)@")
SETTING = re.compile(r"^\s*-?\s*['\"]?([\w.-]+)['\"]?:\s+['\"]?([^\s'\"#]+)")
WORD = re.compile(r"[A-Za-z0-9_%.@+/=-]{8,}")  # a shorter one is in other words
# Names, paths, and what is filled in.
PLAIN = re.compile(r"[a-z_]+|apiVersion|stringData|[A-Z_]+|X-\w+|bluegreen-.*|.*[/{}<>$].*|[\w-]+\.(json|yml|example)")
NAMES = ("unit.xml",)  # the rows of tables are in the names of unit tests, which run no playbook
MARKED = re.compile(r"(?:s3cret|canary-|HUSH)[\w%@.-]*")  # what says of itself that it is one

ISSUED = re.compile(
    r"eyJhbGciOi[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"  # a ServiceAccount's token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|LS0tLS1CRUdJTi(BSU0EgUFJJVkFURS|BFQyBQUklWQVRF|BQUklWQVRF)"  # the same in base64
)


def credentials() -> set[str]:
    """The credentials that the project's tests use, as they are written."""
    found: set[str] = set()
    for name in checkout.files():
        if name.startswith(SOURCES):
            text = (checkout.ROOT / name).read_text(errors="replace")
            pairs = (
                in_python(text) if name.endswith(".py") else in_settings(text) if name.endswith((".yml", ".j2")) else ()
            )
            found |= set(MARKED.findall(text))
            for value in [*(value for key, value in pairs if HOLDS.search(key)), *ADDRESS.findall(text)]:
                found |= {word for word in WORD.findall(value) if not PLAIN.fullmatch(word)}
    return found


def in_python(text: str) -> Iterator[tuple[str, str]]:
    """Names and the texts that they hold: in dictionaries, calls, assignments and defaults."""
    for node in ast.walk(ast.parse(text)):
        pairs: list[tuple[Any, ast.expr | None]] = []
        if isinstance(node, ast.Dict):
            items = {getattr(key, "value", None): value for key, value in zip(node.keys, node.values)}
            pairs += [*items.items(), (items.get("name"), items.get("value"))]  # the latter of an environment
        elif isinstance(node, ast.keyword):
            pairs.append((node.arg, node.value))
        elif isinstance(node, ast.Assign):
            pairs += [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs.append((node.target, node.value))
        for key, value in pairs:
            name = key if isinstance(key, str) else getattr(key, "value", None) or getattr(key, "id", None)
            if isinstance(name, str):
                yield from ((name, item) for item in _texts(value))


def _texts(value: ast.expr | None) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, (ast.List, ast.Tuple)):
        for item in value.elts:
            yield from _texts(item)


def in_settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = SETTING.match(line)
        if match:
            yield match[1], match[2]


def looked_for(secrets: Iterable[str]) -> re.Pattern[str]:
    """Them as they are, in base64 and in addresses, and what a cluster issues."""
    forms = {
        form for secret in secrets for form in (secret, base64.b64encode(secret.encode()).decode(), quote(secret, ""))
    }
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(forms)))})|{ISSUED.pattern}")


def hits(paths: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Where they are, in files and in all files of directories."""
    pattern = looked_for(secrets)
    found = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.name not in NAMES:
                for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                    found += [f"{file}:{number}: {match[0][:4]}..." for match in pattern.finditer(line)]
    return found


def main(paths: list[str]) -> int:
    secrets = credentials()
    found = hits(map(Path, paths or [OUTPUT]), secrets)
    print("\n".join([*found, f"{len(secrets)} credentials of the tests in their output: {len(found)} hits"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
