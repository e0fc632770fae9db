# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Read checks, and name every mistake in them."""

from __future__ import annotations

import os
import re
import traceback
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import SENDABLE, secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import seconds

LIBRARY_IMPORT_ERROR = None
try:
    import jmespath  # noqa: F401  pylint: disable=unused-import
    import requests  # noqa: F401  pylint: disable=unused-import
    import yaml  # noqa: F401  pylint: disable=unused-import
except ImportError:
    LIBRARY_IMPORT_ERROR = traceback.format_exc()

# What every check can be told, with its defaults.
COMMON = {"retries": 0, "delay": 1, "timeout": 5}

NAMED_VALUES = ("headers", "env")  # dictionaries whose values may be secrets


def parse(params: dict[str, Any], kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks in ``checks``, with every option filled in; the same check twice is one.

    :returns: list of dictionaries: ``kind`` (its module), ``name``, ``where`` (the target of what is asked once), all
        options of the kind, ``pods`` (``None`` for what is asked once), ``expect``; durations in seconds.
    :raises BlueGreenError: names every mistake in every check at once; or a library is missing.
    """
    if LIBRARY_IMPORT_ERROR:
        raise BlueGreenError(
            "The Python packages 'requests' and 'jmespath' are needed for checks.",
            "missing_library",
            why=LIBRARY_IMPORT_ERROR.splitlines()[-1:],
            next_step="pip install requests jmespath.",
        )
    if params.get("parallel", 1) < 1:
        raise BlueGreenError(
            f"parallel must be at least 1, not {params['parallel']}.",
            "bad_input",
            next_step="Give a number of 1 or more.",
        )
    checks = [check for number, check in enumerate(params["checks"]) if check not in params["checks"][:number]]
    mistakes: list[str] = []
    parsed = [Reader(check, number, params, kinds, mistakes).read() for number, check in enumerate(checks, 1)]
    names = [check["name"] for check in parsed]
    for name in sorted({name for name in names if names.count(name) > 1}):
        mistakes.append(f"two checks are named {name!r}; give each its own name")
    if mistakes:
        raise BlueGreenError(
            f"The checks have {len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}.",
            "bad_input",
            why=mistakes,
            next_step="Correct bluegreen_checks; nothing has been changed.",
        )
    return parsed


def secrets(params: dict[str, Any]) -> set[str]:
    """Values of headers and variables in the checks, unless they are plainly no secrets."""
    found = set()
    for check in params.get("checks") or []:
        for option in NAMED_VALUES:
            if isinstance(check.get(option), dict):
                found |= secret_values(check[option])
    return found


def without_password(address: Any) -> str:
    return re.sub(r"(?<=://)[^/?#]*@", "", str(address))


class Reader:
    """Reads one check and notes its mistakes."""

    def __init__(
        self, check: dict[str, Any], number: int, params: dict[str, Any], kinds: dict[str, Any], mistakes: list[str]
    ) -> None:
        self.check = check  # as it was given
        self.params = params
        self.kinds = kinds
        self.mistakes = mistakes
        self.title = f"check {check.get('name') or f'number {number}'}"

    def wrong(self, text: str, *values: Any) -> None:
        self.mistakes.append(f"{self.title}: {text.format(*values)}")

    def read(self) -> dict[str, Any]:
        asked = [kind for name, kind in self.kinds.items() if name in self.check]
        kind = asked[0] if asked else next(iter(self.kinds.values()))
        self._known(kind, [kind.NAME for kind in asked])
        parsed = {"pods": None, "where": str(self.check.get(kind.NAME)), **COMMON, **kind.OPTIONS, **self.check}
        parsed.update(kind=kind, name=str(self.check.get("name") or self.check.get(kind.NAME) or self.title))
        self._shared(parsed)
        if asked:
            kind.read(self, parsed)
        parsed["expect"] = expect.read(self, self.check.get("expect", {}), kind.EXPECTATIONS)
        return parsed

    def _known(self, kind: Any, asked: list[str]) -> None:
        """Whether it is of one kind, and has no option but those of its kind."""
        if len(asked) != 1:
            self.wrong(
                "needs exactly one of {0}{1}", ", ".join(self.kinds), ", not " + " and ".join(asked) if asked else ""
            )
        options = {name: {*COMMON, *other.OPTIONS} for name, other in self.kinds.items()}
        known = {"name", "expect"} | options[kind.NAME]
        for option in sorted(set(self.check) - known - set(self.kinds)):
            others = [name for name in options if name != kind.NAME and option in options[name]]
            if others and asked:
                self.wrong("{0} has no meaning for {1}; it is an option of {2}", option, kind.NAME, ", ".join(others))
            else:
                self.wrong("unknown option {0!r}; known are {1}", option, ", ".join(sorted(known | {kind.NAME})))

    def _shared(self, parsed: dict[str, Any]) -> None:
        """Options that mean the same in all kinds that have them."""
        self.whole(parsed, "retries", 0)
        self.duration(parsed, "delay")
        self.duration(parsed, "timeout")
        if parsed["timeout"] == 0:
            self.wrong("timeout is more than 0")
        for option in NAMED_VALUES:
            if option in parsed and not isinstance(parsed[option], dict):
                self.wrong("{0} is a dictionary, not {1!r}", option, parsed[option])
                parsed[option] = {}
            for name, value in parsed.get(option, {}).items():
                if value is None or isinstance(value, (dict, list)):
                    self.wrong("{0}.{1} is text or a number, not {2!r}", option, name, value)
        self.headers(parsed.get("headers", {}), "headers")
        if parsed.get("host"):
            self.headers({"Host": parsed["host"]}, "host")
        if parsed["pods"] not in ("all", "any", "one") and "pods" in self.check:
            self.whole(parsed, "pods", 1)
        if parsed.get("scheme", "http") not in ("http", "https"):
            self.wrong("scheme is http or https, not {0!r}", parsed["scheme"])
        if parsed.get("port") is not None:
            self.port(parsed)
        if parsed.get("ca_cert"):
            # Relative to the directory of the playbook.
            parsed["ca_cert"] = os.path.join(self.params["chdir"] or "", os.path.expanduser(str(parsed["ca_cert"])))
            if not os.path.isfile(parsed["ca_cert"]):
                self.wrong("ca_cert: there is no file {0}", parsed["ca_cert"])

    # --- by type, for all kinds ------------------------------------------------------------------------------

    def flag(self, options: dict[str, Any], name: str) -> None:
        if not isinstance(options[name], bool):
            self.wrong("{0} is true or false, not {1!r}", name, options[name])

    def address(self, options: dict[str, Any], name: str) -> None:
        try:
            address = urlsplit(str(options[name]))
            good = address.scheme in ("http", "https") and address.hostname and address.port != 0
        except ValueError:
            good = False
        if not good:
            self.wrong("{0} is no http or https address: {1!r}", name, without_password(options[name]))

    def headers(self, headers: dict[Any, Any], where: str) -> None:
        """What a library would refuse when it is sent, and show."""
        for name, value in headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name)) or not SENDABLE.fullmatch(str(value)):
                option = where if where == "host" else f"{where}.{name}"
                self.wrong("{0} has a character that no request can carry, such as a line break", option)

    def port(self, options: dict[str, Any]) -> None:
        port = str(options["port"])
        if port.isdigit():
            options["port"] = int(port)
        if not re.fullmatch(r"(?=.*[a-z])[a-z0-9-]{1,15}", port) and not (port.isdigit() and 0 < int(port) < 65536):
            self.wrong("port is a number or a port's name, not {0!r}", options["port"])

    def label(self, options: dict[str, Any], name: str, what: str) -> None:
        """A name that becomes a part of a path."""
        if not isinstance(options[name], str) or not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", options[name]):
            self.wrong("{0}, not {1!r}", what, options[name])

    def duration(self, options: dict[str, Any], name: str) -> None:
        if name in options:
            try:
                options[name] = seconds(options[name], name)
            except BlueGreenError as error:
                self.wrong("{0}", error.what)

    def whole(self, options: dict[str, Any], name: str, least: int) -> None:
        """Turn an option into a whole number of at least ``least``; anything else is a mistake."""
        try:
            number = int(str(options[name]))
            if number >= least:
                options[name] = number
                return
        except ValueError:
            pass
        words = "all, any, one or " if name == "pods" else ""
        self.wrong("{0} is {1}a whole number of {2} or more, not {3!r}", name, words, least, options[name])
