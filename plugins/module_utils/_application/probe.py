# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The users' own way in, asked on new connections which color answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Params, Progress

try:
    import jmespath
    import requests

    HAS_LIBRARIES = True
except ImportError:
    HAS_LIBRARIES = False  # only the probe needs them, and says so

# Seconds without an answer of the old color that end the probing: more than kube-proxy's longest pause (1 s).
PROBE_QUIET = 2
PROBE_PAUSE = 0.01  # seconds between two probes


# The option of bg_switch, and the variable of the role.
PROBE = {
    "type": "dict",
    "options": {
        "url": {"type": "str", "required": True},
        "color_from": {
            "type": "dict",
            "required": True,
            "options": {"json": {"type": "str"}, "header": {"type": "str"}},
            "required_one_of": [["json", "header"]],
            "mutually_exclusive": [["json", "header"]],
        },
    },
}


class Probe(threading.Thread):
    """Asks through the users' own way in, on a new connection each time, which color answers."""

    def __init__(self, options: Params, target: str, colors: list[str]) -> None:
        super().__init__(daemon=True)
        if not HAS_LIBRARIES:
            raise BlueGreenError(
                "The Python packages 'requests' and 'jmespath' are needed for the probe.",
                "missing_library",
                next_step="pip install requests jmespath.",
            )
        if not options["url"].startswith(("http://", "https://")):
            raise BlueGreenError(
                f"probe.url is no http or https address: {options['url']!r}",
                "bad_input",
                next_step="Give the address that users use, such as http://shop.example/api/status.",
            )
        if options["color_from"].get("json"):
            try:
                jmespath.compile(options["color_from"]["json"])
            except jmespath.exceptions.JMESPathError as error:
                raise BlueGreenError(
                    f"probe.color_from.json is no JMESPath: {error}",
                    "bad_input",
                    next_step="Name the field of the answer, such as color.",
                ) from error
        self.url = options["url"]
        self.color_from = options["color_from"]
        self.target = target
        self.colors = colors
        self.old_at: float | None = None  # monotonic time of the last answer of the other color
        self.new_at: float | None = None  # and of the last answer of the target
        self.trouble = "no answer yet"
        self.answered = threading.Event()  # the color that the Services are switched from has
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.is_set():
            try:
                # No session: every request has a connection of its own, as a new user's has.
                response = requests.get(self.url, timeout=2, allow_redirects=False)
                color = (
                    response.headers.get(self.color_from["header"])
                    if self.color_from["header"]
                    else jmespath.search(self.color_from["json"], response.json())
                )
                if color == self.target:
                    self.new_at = time.monotonic()
                elif color in self.colors:
                    self.old_at = time.monotonic()
                    self.answered.set()
                else:
                    self.trouble = f"the answer names no color, but {color!r}"
            except (requests.RequestException, ValueError) as error:
                self.trouble = str(error)
            self._end.wait(PROBE_PAUSE)

    def stop(self) -> None:
        self._end.set()

    def refuse_silence(self, live: str, timeout: float, check: Callable[[], None]) -> None:
        """Wait until the color that is live has answered once: who never hears from it cannot see it go.

        :param check: called while waiting.
        :raises BlueGreenError: it did not answer within ``timeout`` seconds.
        """
        end = time.monotonic() + timeout
        while not self.answered.wait(0.1):
            check()
            if time.monotonic() >= end:
                cause = f"only {self.target} answers there, though {live} is live" if self.new_at else self.trouble
                raise BlueGreenError(
                    f"The probe of {self.url} got no answer of {live}, which is live, within {timeout:g} s: {cause}.",
                    "probe",
                    next_step="Correct the probe (bluegreen_probe): its address must be the one that users use, and each "
                    "answer must name the color. If the live version cannot answer, release without it: -e "
                    "'{bluegreen_probe: {}}'.",
                )

    def last_old(self, switched: float, timeout: float, check: Callable[[], None], progress: Progress) -> int | None:
        """Milliseconds from the switch to the last answer of the old color; ``None`` when nothing could be observed.

        :param check: called while waiting.
        """
        said = False
        while time.monotonic() - switched < timeout:
            now = time.monotonic()
            if self.new_at and now - max(switched, self.old_at or 0) > PROBE_QUIET and self.new_at > (self.old_at or 0):
                return max(round((self.old_at - switched) * 1000), 0) if self.old_at else None
            if not said and now - switched > 2 * PROBE_QUIET:
                said = True
                progress(
                    f"the old color still answers at {self.url}"
                    if self.old_at
                    else f"no probe of {self.url} succeeds: {self.trouble}"
                )
            check()
            time.sleep(0.05)
        old_answers = self.old_at and time.monotonic() - self.old_at <= PROBE_QUIET
        cause = "the old color still answers" if old_answers else self.trouble
        raise BlueGreenError(
            f"The probe of {self.url} did not see the switch within {timeout} s: {cause}.",
            "probe",
            next_step="Check what stands between the users and the Service (proxy, kube-proxy, cache), and the probe's address.",
        )
