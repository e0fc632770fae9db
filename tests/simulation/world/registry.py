# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that can be had, and in which words a node says that one cannot."""

from __future__ import annotations

import re

from simulation.world.app import Faults, version_of
from simulation.world.objects import Object

REFERENCE = re.compile(r"[a-z0-9][a-z0-9.:/_-]*?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?")


class Registry:
    """Has every image but those that were taken away.

    ``missing``: what a pull of them says.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.missing: dict[str, str] = {}

    def remove(self, image: str, message: str = "") -> None:
        self.missing[image] = message or _not_found(image)

    def put_back(self, image: str) -> None:
        self.missing.pop(image, None)

    def trouble(self, container: Object) -> tuple[str, str] | None:
        """``(reason, message)`` of what keeps a node from having a container's image."""
        image = container["image"]
        colons = image.rpartition("/")[2].partition("@")[0].count(":")
        if colons > 1 or not REFERENCE.fullmatch(image):
            parse = f'couldn\'t parse image name "{image}": invalid reference format'
            return "InvalidImageName", f'Failed to apply default image tag "{image}": {parse}'
        message = self.missing.get(image)
        if message is None and self._faults.has(version_of(image), "image"):
            message = _not_found(image)
        if message is None:
            return None
        if container.get("imagePullPolicy") == "Never":
            return "ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never'
        return "ErrImagePull", message


def _not_found(image: str) -> str:
    return f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
