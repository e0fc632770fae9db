# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""Extra variables as they were written.

AWX marks every answer of a survey !unsafe, and ansible-core 2.19 and newer make a number of what then looks like one, quoted or
not: 1.10 becomes 1.1. The text is intact where Ansible has read it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv

STRINGS = ("tag:yaml.org,2002:str", "!unsafe")


def text_of(name: str, options: Iterable[str], loader: DataLoader) -> str | None:
    """The text of an extra variable that was written as one; ``None`` for what was not, or is a template.

    :param options: what was given by ``-e``, in that order; the last that has the variable counts.
    """
    for option in reversed(tuple(options)):
        found, text = _look(name, option, loader)
        if found:
            return text
    return None


def _look(name: str, option: str, loader: DataLoader) -> tuple[bool, str | None]:
    """Whether the variable is there, and its text."""
    if not option.startswith(("@", "[", "{")):
        pairs = parse_kv(option)
        return name in pairs, _literal(pairs.get(name))
    document = _compose(_contents(option[1:], loader) if option.startswith("@") else option)
    values = [value for key, value in document if key.value == name]
    if not values:
        return False, None
    node = values[-1]
    if not isinstance(node, yaml.ScalarNode) or node.style is None or node.tag not in STRINGS:
        return True, None
    return True, str(node.value) if node.tag == "!unsafe" else _literal(node.value)


def _contents(path: str, loader: DataLoader) -> str:
    """Of a file, decrypted where it is a vault; nothing of a pipe, which has given all that it had."""
    path = os.path.abspath(os.path.expanduser(path))  # Ansible has read it before it knew of a playbook's directory
    if not os.path.isfile(path):
        return ""
    content, _plain = loader._get_file_contents(path)  # pylint: disable=protected-access
    return content.decode(errors="replace")


def _compose(text: str) -> list[tuple[Any, Any]]:
    """The pairs of nodes of a dictionary."""
    try:
        document = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return []
    return document.value if isinstance(document, yaml.MappingNode) else []


def _literal(text: Any) -> str | None:
    """A text that is no template."""
    return None if text is None or "{{" in text or "{%" in text else str(text)
