# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of one color of the example application."""

from __future__ import annotations

from collections.abc import Callable


def green(**env: str) -> Callable[[list[dict]], None]:
    """A change of the manifests: settings that only the green colour's container gets."""

    def change(manifests: list[dict]) -> None:
        for item in manifests:
            if item["kind"] == "Deployment" and item["metadata"]["name"] == "app-green":
                container = item["spec"]["template"]["spec"]["containers"][0]
                container["env"] += [{"name": key, "value": value} for key, value in env.items()]

    return change
