# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod needs of ConfigMaps and Secrets: its environment, and what keeps it from starting."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from simulation.world.objects import Object

SOURCES = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
WHOLE_SOURCES = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))


def environment(store: Any, pod: Object, container: Object) -> tuple[dict[str, str], str]:
    """``(variables, what is missing)``."""
    namespace = pod["metadata"]["namespace"]
    env: dict[str, str] = {}
    for whole in container.get("envFrom") or ():
        for field, kind in WHOLE_SOURCES:
            if field in whole:
                found = store.get(kind, namespace, whole[field]["name"])
                if found is not None:
                    prefix = whole.get("prefix", "")
                    env |= {prefix + name: value for name, value in _values(found).items()}
                elif not whole[field].get("optional"):
                    return env, f'{kind.lower()} "{whole[field]["name"]}" not found'
    for item in container.get("env") or ():
        source = item.get("valueFrom")
        if source is None:
            env[item["name"]] = item.get("value", "")
            continue
        if "fieldRef" in source:
            env[item["name"]] = _field(pod, source["fieldRef"]["fieldPath"])
        for field, kind in SOURCES:
            if field in source:
                reference = source[field]
                found = store.get(kind, namespace, reference["name"])
                values = _values(found) if found else {}
                if reference["key"] in values:
                    env[item["name"]] = values[reference["key"]]
                elif not reference.get("optional"):
                    if found is None:
                        return env, f'{kind.lower()} "{reference["name"]}" not found'
                    return env, f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}"
    return env, ""


def unmounted(store: Any, pod: Object) -> str:
    """Of a volume that cannot be mounted, what the node says."""
    for volume in pod["spec"].get("volumes") or ():
        for kind, name in _references(volume):
            if store.get(kind, pod["metadata"]["namespace"], name) is None:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind.lower()} "{name}" not found'
    return ""


def _references(volume: Object) -> Iterator[tuple[str, str]]:
    for source in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
        if "configMap" in source and not source["configMap"].get("optional"):
            yield "ConfigMap", source["configMap"]["name"]
        secret = source.get("secret")
        if secret and not secret.get("optional"):
            yield "Secret", secret.get("secretName") or secret["name"]


def _values(source: Object) -> dict[str, str]:
    data = source.get("data") or {}
    if source["kind"] == "Secret":
        data = {name: base64.b64decode(value).decode("utf-8", "replace") for name, value in data.items()}
        data |= source.get("stringData") or {}
    return data


def _field(pod: Object, path: str) -> str:
    metadata = pod["metadata"]
    for part in ("labels", "annotations"):
        if path.startswith(f"metadata.{part}['"):
            return str((metadata.get(part) or {}).get(path.partition("'")[2][:-2], ""))
    found: Any = pod
    for name in path.split("."):
        found = found.get(name, "") if isinstance(found, dict) else ""
    return str(found)
