# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The options that modules share, and what of their values no output may show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.common.parameters import remove_values


def _env(*names: str) -> tuple[Any, list[str]]:
    return (env_fallback, list(names))


# Names, aliases and variables are kubernetes.core's, so that existing credentials and habits work.
CONNECTION: dict[str, Any] = {
    "host": {"type": "str", "fallback": _env("K8S_AUTH_HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_API_KEY")},
    "kubeconfig": {"type": "raw", "fallback": _env("K8S_AUTH_KUBECONFIG")},
    "context": {"type": "str", "fallback": _env("K8S_AUTH_CONTEXT")},
    "username": {"type": "str", "fallback": _env("K8S_AUTH_USERNAME")},
    "password": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_PASSWORD")},
    "client_cert": {
        "type": "path",
        "aliases": ["cert_file"],
        "fallback": _env("K8S_AUTH_CERT_FILE", "K8S_AUTH_CLIENT_CERT"),
    },
    "client_key": {
        "type": "path",
        "aliases": ["key_file"],
        "no_log": False,
        "fallback": _env("K8S_AUTH_KEY_FILE", "K8S_AUTH_CLIENT_KEY"),
    },
    "ca_cert": {
        "type": "path",
        "aliases": ["ssl_ca_cert"],
        "fallback": _env("K8S_AUTH_SSL_CA_CERT", "K8S_AUTH_CA_CERT"),
    },
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": _env("K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS"),
    },
    "proxy": {"type": "str", "fallback": _env("K8S_AUTH_PROXY")},
    "no_proxy": {"type": "str", "fallback": _env("K8S_AUTH_NO_PROXY")},
    "impersonate_user": {"type": "str", "fallback": _env("K8S_AUTH_IMPERSONATE_USER")},
    "api_timeout": {"type": "raw", "default": 60},
}

# What the application is: its Services, and how its two colors are told apart.
APPLICATION: dict[str, Any] = {
    "services": {"type": "list", "elements": "str", "required": True},
    "namespace": {"type": "str"},
    "colors": {"type": "list", "elements": "str", "default": ["blue", "green"]},
    "color_label": {"type": "str", "default": "version"},
    "deployments": {"type": "dict", "default": {}},
    "containers": {"type": "list", "elements": "str", "default": []},
}

# https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo
SECRET_KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "client-secret", "access-token")

LOCK = {"lock_id": {"type": "str"}}

# Which of what belongs to the application goes with the live color.
FOLLOW: dict[str, Any] = {"type": "list", "elements": "str", "choices": ["autoscalers", "budgets"]}
CRONJOBS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}

SENDABLE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # what http.client sends as the value of a header

# Headers and variables whose values are no secrets, beside short ones.
_PLAIN = re.compile(
    r"^(accept.*|cache-control|connection|content-type|host|origin|referer|user-agent|pghost|pguser|pgdatabase)$",
    re.IGNORECASE,
)

_SECRET = re.compile(r"auth|cookie|credential|key|pass|secret|session|sign|token", re.IGNORECASE)


def secret_values(values: Mapping[Any, Any]) -> set[str]:
    """What no output may show of named values (headers, environment variables), unless they are plainly no secrets."""
    found = set()
    for name, value in values.items():
        text = str(value)
        if _PLAIN.match(str(name)) or len(text) < (4 if _SECRET.search(str(name)) else 8):
            continue  # hiding "true" or "2.0" wherever it stands would only make the output unreadable
        found.add(text)
        found.update(word for word in text.split() if len(word) >= 8)  # of "Bearer TOKEN"
    return found


def unless_shown(values: Iterable[str], shown: Iterable[Any]) -> set[str]:
    """Those values that are in nothing of what a result is about; hiding the others would make it unreadable."""
    texts = [str(text) for text in shown]
    return {value for value in values if not any(value in text for text in texts)}


_USERINFO = re.compile(r"(\w+)://([^\s/?#]+)@")


def address_secrets(text: str) -> set[str]:
    """User and password of each address in a text, as they are written there and as they are meant."""
    found: set[str] = set()
    for scheme, userinfo in _USERINFO.findall(text):
        user, _colon, password = userinfo.partition(":")
        if password or scheme in ("http", "https"):  # in others it may be an image and its digest
            found.add(userinfo)
        if len(password) >= 8 and password != user:  # a shorter one may be a name that the output needs
            found.add(password)
    return found | {unquote(item) for item in found}


def with_scheme(address: str, scheme: str = "https") -> str:
    """An address that names no scheme, with one."""
    address = address.strip()
    return address if "://" in address else f"{scheme}://{address}"


def as_shown(secrets: Iterable[str]) -> set[str]:
    """Secrets as errors of libraries, JSON and our own indented lines write them; what is shorter is in every word."""
    found = set()
    for secret in secrets:
        found |= {secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1]}
        found |= {quote(secret, safe=""), quote(secret)}
        # A shorter line, of a whole configuration say, may be a color or a version that the output needs.
        found |= {line for line in map(str.strip, secret.splitlines()) if len(line) >= 8}
    return {text for text in found if len(text) >= 4}


def scrubbed(value: Any, secrets: Iterable[str]) -> Any:
    """The value with asterisks in place of secrets."""
    return remove_values(value, as_shown(secrets))


def kubeconfig_secrets(value: Any, name: str = "") -> set[str]:
    """What no output may show of a kubeconfig, or of a part of it whose key is ``name``.

    Of a login program's environment and arguments only what is called like a secret: the rest is profiles and regions, which
    stand in names that the output needs.
    """
    found: set[str] = set()
    if isinstance(value, dict):
        if _SECRET.search(str(value.get("name"))) and "value" in value:
            found |= secret_values({value["name"]: value["value"]})
        return found.union(*(kubeconfig_secrets(inner, key) for key, inner in value.items()))
    if isinstance(value, list):
        for before, item in zip(["", *value], value):
            option, is_set, setting = str(item).partition("=")
            if not is_set:
                option, setting = ("" if "=" in str(before) else str(before)), str(item)
            if name == "args" and _SECRET.search(option):
                found |= secret_values({option: setting})
            found |= kubeconfig_secrets(item, name)
        return found
    if isinstance(value, str) and value:
        return {value} if name in SECRET_KEYS else address_secrets(value)
    return found


def from_text(value: Any, kind: type) -> Any:
    """A list or dictionary that was given as text, by INI files, -e and surveys; everything else as it is.

    Text is JSON where it begins like it; else a list is what commas separate, and a dictionary is not to be had from it.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("[" if kind is list else "{"):
        try:
            return json.loads(text)
        except ValueError:
            return value
    if not text:
        return kind()
    return [item.strip() for item in text.split(",")] if kind is list else value
