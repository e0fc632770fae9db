# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The definition of a Job: its mistakes, its secrets, and what its containers are told.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object


def job_secrets(definition: Any) -> set[str]:
    """Values in the Job's environment that no output may show."""
    found = set()
    for container in job_containers(definition):
        for item in container.get("env") or []:
            if isinstance(item, dict) and item.get("value") is not None:
                found |= secret_values({item.get("name"): item["value"]})
    return found


def check_definition(definition: Any, what: str) -> None:
    """:raises BlueGreenError: names everything that keeps ``definition`` from being a Job that can be run and followed."""
    wrong = job_mistakes(definition)
    if wrong:
        raise BlueGreenError(f"{what} cannot be used.", "bad_input", why=wrong, next_step="Correct it.")


def job_mistakes(definition: Any) -> list[str]:
    """What keeps ``definition`` from being a Job that can be run and followed, as a list of texts."""
    if not isinstance(definition, dict) or definition.get("kind") != "Job":
        kind = definition.get("kind") if isinstance(definition, dict) else type(definition).__name__
        return [f"it is no Job but {kind!r}"]
    wrong = []
    if definition.get("apiVersion") != "batch/v1":
        wrong.append(f"apiVersion is batch/v1, not {definition.get('apiVersion')!r}")
    metadata, spec = definition.get("metadata"), definition.get("spec")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        wrong.append("metadata.name is missing")
    if not job_containers(definition):
        wrong.append("spec.template.spec.containers is missing")
    elif isinstance(spec, dict) and spec.get("suspend"):
        wrong.append("spec.suspend is true, so it would never begin")
    return wrong


def job_containers(definition: Any) -> list[Object]:
    """The containers of a definition that may be no Job at all."""
    part = definition
    for key in ("spec", "template", "spec"):
        part = part.get(key) if isinstance(part, dict) else None
    found = []
    for key in ("initContainers", "containers"):
        items = part.get(key) if isinstance(part, dict) else None
        found += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return found


def with_environment(definition: Object, app: Application, color: str, version: str | None) -> Object:
    """A copy of the definition whose containers know what is released where; what they set themselves stays."""
    other = app.colors[app.other(color)]
    values = {
        "BG_VERSION": version or "",
        "BG_COLOR": color,
        "BG_PREVIOUS_COLOR": other.name,
        "BG_PREVIOUS_VERSION": other.version or "",
        "BG_ACTIVE_COLOR": app.active,
        "BG_NAMESPACE": app.cluster.namespace,
    }
    definition = copy.deepcopy(definition)
    definition["metadata"].setdefault("namespace", app.cluster.namespace)
    for container in job_containers(definition):
        own = container.get("env") or []
        names = {item.get("name") for item in own}
        # First, so that the container's own variables may refer to them.
        container["env"] = [{"name": key, "value": value} for key, value in values.items() if key not in names] + own
    return definition
