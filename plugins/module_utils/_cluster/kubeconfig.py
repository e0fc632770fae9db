# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A kubeconfig as kubectl reads it: its files, how they are merged, and the context that is chosen.

The official client reads it too, but each release of it differently, and its errors quote the user with all secrets.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

try:
    import yaml
except ImportError:
    pass  # credentials.py says so

# https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
TEXTS = ("token", "username", "password")


class Kubeconfig(NamedTuple):
    """What one context names; paths in it start where this process is."""

    cluster: Object
    user: Object
    namespace: str | None


def described(chosen: Any) -> str:
    """What errors call it.

    :raises BlueGreenError: it is the text of one, which nobody may see.
    """
    if isinstance(chosen, dict):
        return "kubeconfig given as a dictionary"
    if is_content(chosen):
        raise BlueGreenError(
            "Where the path of a kubeconfig is expected there is the text of a kubeconfig.",
            "no_cluster",
            why="Looked at the option kubeconfig, K8S_AUTH_KUBECONFIG and KUBECONFIG, in this order.",
            next_step="Write it to a file and give the path of that (in a CI system: a variable of type file), or give a dictionary.",
        )
    return f"kubeconfig {chosen}"


def is_content(chosen: Any) -> bool:
    """Whether it is the text of a kubeconfig, also in base64, where a path is expected."""
    text = str(chosen).strip()
    decoded = b""
    with contextlib.suppress(ValueError):
        decoded = base64.b64decode(text, validate=True)
    return "\n" in text or text[:1] in ("{", "[") or b"clusters" in decoded


def read(chosen: Any, context: str | None, source: str, needs_user: bool) -> Kubeconfig:
    """What ``context``, else the current one, names in a kubeconfig: a dictionary, or paths that colons separate.

    :param needs_user: whether somebody has to be found in it; else the options say who asks.
    :raises BlueGreenError: it cannot be read, or what is named is not there. Nothing that it holds is shown but names.
    """
    current = None
    found: dict[str, dict[str, Object]] = {"contexts": {}, "clusters": {}, "users": {}}
    for content, directory in [(chosen, "")] if isinstance(chosen, dict) else _files(str(chosen), source):
        current = current or content.get("current-context")
        for kind, entries in found.items():
            for name, entry in _named(content, kind, source):
                entries.setdefault(name, _located(entry, directory))  # the first file that has it wins
    wanted = context or current
    names = f"it has {', '.join(found['contexts']) or 'none'}"
    if wanted not in found["contexts"]:
        raise unusable(
            source,
            f"it has no context {wanted!r}; {names}" if wanted else f"none of its contexts is the current one; {names}",
            "Name one of them: context (bluegreen_context, K8S_AUTH_CONTEXT), or kubectl config use-context NAME.",
        )
    chosen_context = found["contexts"][wanted]
    parts = {}
    for kind in ("cluster", "user"):
        named = chosen_context.get(kind)
        if named not in found[kind + "s"] and (kind == "cluster" or (named and needs_user)):
            raise unusable(source, f"it has no {kind} {named!r}, which context {wanted!r} names")
        parts[kind] = found[kind + "s"].get(named or "", {})
    user = {key: value for key, value in parts["user"].items() if value is not None}
    for key in TEXTS:
        if not isinstance(user.get(key, ""), str):
            why = f"the {key} of its user {chosen_context.get('user')!r} is no text"
            raise unusable(source, why, "Quote it: YAML reads a number, a date or a truth, and 0123 as 83.")
    return Kubeconfig(parts["cluster"], user, chosen_context.get("namespace"))


def unusable(source: str, why: str, next_step: str | None = None) -> BlueGreenError:
    return BlueGreenError(
        f"The {source} cannot be used: {why}.",
        "no_cluster",
        next_step=next_step
        or "Give a whole one that this user may read (option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG).",
    )


def text_of(path: str, source: str, what: str = "") -> str | None:
    """The text of a file; ``None`` when there is none.

    :raises BlueGreenError: it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        raise unusable(source, f"{what or 'it'} is a directory") from error
    except OSError as error:
        raise unusable(source, f"{what + ': ' if what else ''}{(error.strerror or 'unreadable').lower()}") from error
    except ValueError as error:
        raise unusable(source, f"{what or 'it'} is no {'text' if what else 'YAML'}") from error


def _files(paths: str, source: str) -> Iterator[tuple[Object, str]]:
    """The content of each file that is there and not empty, and its directory."""
    named = [os.path.expanduser(path) for path in paths.split(os.pathsep) if path]
    missing = 0
    nothing = True
    for path in named:
        which = f"{path}: " if len(named) > 1 else ""
        text = text_of(path, source, path if which else "")
        missing += text is None
        content = _parsed(text or "", source, which)
        if content is not None:
            nothing = False
            yield content, os.path.dirname(os.path.abspath(path))
    if nothing:
        raise unusable(source, "there is no such file" if missing == len(named) else "it is empty")


def _parsed(text: str, source: str, which: str) -> Object | None:
    if text.startswith("$ANSIBLE_VAULT"):
        raise unusable(
            source,
            f"{which}it is encrypted by ansible-vault",
            "Let Ansible decrypt it: kubeconfig: \"{{ lookup('ansible.builtin.unvault', PATH) | from_yaml }}\".",
        )
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # which quote what they do not understand
        mark = getattr(error, "problem_mark", None)
        raise unusable(source, f"{which}it is no YAML{f' (line {mark.line + 1})' if mark else ''}") from error
    if content is not None and not isinstance(content, dict):
        raise unusable(source, f"{which}it is no kubeconfig")
    return content


def _named(content: Object, kind: str, source: str) -> Iterator[tuple[str, Object]]:
    """Names and what they stand for, of the list ``clusters``, ``users`` or ``contexts``."""
    items = content.get(kind) or []
    for item in items if isinstance(items, list) else [None]:
        name, entry = (item.get("name"), item.get(kind[:-1]) or {}) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(entry, dict):
            raise unusable(source, f"its {kind} are no list of names and what they stand for")
        yield name, entry


def _located(entry: Object, directory: str) -> Object:
    """An entry whose paths start in the directory of its file."""
    found: Object = {key: os.path.join(directory, str(entry[key])) for key in PATHS if entry.get(key)}
    if isinstance(entry.get("exec"), dict):
        found["exec"] = {**entry["exec"], "directory": directory}
    return {**entry, **found}
