# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code blocks of the project's Markdown files, and the commands in them.

A block says its kind: ```shell (commands), ```bash (a script), ```yaml, ```json, ```ini, ```text (what people see).
A block whose first line is a comment that begins with a file's name is that file: `# release.yml`, `# release.yml: why`.
Blocks without a kind, indented ones too, are a Problem: nothing could tell whether they still hold.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import checkout
from markdown_it import MarkdownIt

FILE_NAME = re.compile(r"^# ([\w./-]+\.(?:yml|yaml|cfg|ini|json|sh|txt))(?=$|[:, \n])")


class Problem(Exception):
    """Something in the documentation does not hold; the text says what."""


@dataclass(frozen=True)
class Block:
    document: str  # its path in the project
    line: int
    kind: str  # empty: it does not say; "inline": a command in a sentence
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, if it says so."""
        found = FILE_NAME.match(self.text)
        return found[1] if found else None


def documents() -> list[str]:
    """The project's Markdown files."""
    return [path for path in checkout.files() if path.endswith(".md") and path != "CODE_OF_CONDUCT.md"]


def blocks(document: str, text: str | None = None) -> list[Block]:
    """A document's code blocks, and the commands of its sentences that start with `make` or `ansible-playbook`."""
    found = []
    for token in MarkdownIt().enable("table").parse(text or (checkout.ROOT / document).read_text()):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            found.append(Block(document, line, token.info.strip(), token.content))
        for child in token.children or ():
            if child.type == "code_inline" and re.match(r"(make|ansible-playbook) [\w.]", child.content):
                found.append(Block(document, line, "inline", child.content))
    return found


def commands(script: str) -> list[list[str]]:
    """The simple commands of a shell script, each as its words; comments and the bodies of here-documents are left out."""
    script = re.sub(r"<<-?\s*'?(\w+)'?([^\n]*)\n.*?\n\s*\1(?=\n|$)", r"\2", script, flags=re.DOTALL)
    found: list[list[str]] = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "@%+,{}=:$!"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in (";", "&&", "||", "|", "&", "(", ")"):
                while words and re.match(r"[A-Z_][A-Z0-9_]*=", words[0]):
                    words.pop(0)
                if words:
                    found.append(words)
                words = []
            else:
                words.append(word)
    return found


def files_of(document: str) -> dict[str, str]:
    """The files that a document shows whole, and those that its commands write."""
    own = [block for block in blocks(document) if block.kind in ("yaml", "ini", "json", "shell")]
    written = {
        name: ""
        for block in own
        if block.kind == "shell"
        for name in re.findall(r" > ([\w./-]+)$", block.text, re.MULTILINE)
    }
    return written | {block.file: block.text for block in own if block.kind != "shell" and block.file}
