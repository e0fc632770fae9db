# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The manifest of a color as a user writes it: its documents, the Deployment among them, and what of it is secret."""

from __future__ import annotations

import base64
import binascii
import copy
import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import escape, unchanged
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import from_text, secret_values
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Patch

NAMED_BY_COLOR = (
    "Put the color into its name, in the manifest's template: name: settings-{{ bluegreen_color }}. What both colors share does "
    "not belong in the manifest."
)


def documents(definition: Any) -> list[Object]:
    """The documents of a manifest, those of Lists too; empty ones and fields that are null are left out.

    :param definition: a dictionary, or a list of them.
    :raises BlueGreenError: something in it is no object of Kubernetes.
    """
    definition = from_text(definition, dict) if definition else []
    found = []
    for number, item in enumerate(definition if isinstance(definition, list) else [definition], 1):
        if not item:
            continue
        if not isinstance(item, dict):
            raise _mistake(f"Document {number} of the manifest is no object", f"it is of type {type(item).__name__}")
        if str(item.get("kind", "")).endswith("List") and isinstance(item.get("items"), list):
            found += documents(item["items"])
        else:
            found.append(_tidy(item))
    return found


def is_deployment(document: Object) -> bool:
    return bool(document.get("kind") == "Deployment")


def split(definition: Any) -> tuple[Object, list[Object]]:
    """The Deployment of a manifest, and everything else in it, in the order given.

    :raises BlueGreenError: it has none, or several, or another document is unfit.
    """
    found = documents(definition)
    deployments = [item for item in found if is_deployment(item)]
    if len(found) == 1:
        return found[0], []
    if len(deployments) != 1:
        raise _mistake(
            f"The manifest has {len(deployments) or 'no'} Deployments among its {len(found)} documents; it must have one, that of the "
            "idle color",
            [f"{item.get('kind')} {_name(item)}" for item in found],
        )
    others = [_filled(item) for item in found if not is_deployment(item)]
    named = [identity(item) for item in others]
    twice = sorted({one for one in named if named.count(one) > 1})
    if twice:
        raise _mistake(f"The manifest has {in_words(twice[0])} more than once", ())
    return deployments[0], others


def identity(document: Object) -> tuple[str, str, str]:
    """What tells an object of the namespace apart: apiVersion, kind and name."""
    return document["apiVersion"], document["kind"], document["metadata"]["name"]


def in_words(named: tuple[str, str, str]) -> str:
    return f"{named[1]} {named[2]}"


def document_secrets(definition: Any) -> set[str]:
    """Values of Secrets, and of variables of whatever makes pods, that no output may show."""
    found: set[str] = set()
    for item in _dictionaries(definition):
        if item.get("kind") == "Secret":
            for value in _values(item.get("stringData")):
                found |= {value, base64.b64encode(value.encode()).decode()}
            for value in _values(item.get("data")):
                found |= {value, *_decoded(value)}
        variables = item.get("env")
        for variable in variables if isinstance(variables, list) else []:
            if isinstance(variable, dict) and variable.get("value") is not None:
                found |= secret_values({variable.get("name"): variable["value"]})
    return found


def fitted(app: Application, color: str, name: str, given: Object, replicas: int) -> Object:
    """The user's Deployment, made to fit: this color's, with this many replicas.

    :param name: of the color's Deployment.
    :raises BlueGreenError: it is no Deployment, or not the idle color's.
    """
    new = copy.deepcopy(given)
    found = f"{new.get('kind')} {_name(new)}"
    if found != "Deployment " + name:
        raise BlueGreenError(
            f"The manifest is a {found}, but the idle color {color} is Deployment {name}.",
            "bad_input",
            next_step="Use the variable of the idle color in the manifest's template: name: app-{{ bluegreen_color }}.",
        )
    template = (new.get("spec") or {}).get("template") or {}
    if not (template.get("metadata") or {}).get("labels") or not (template.get("spec") or {}).get("containers"):
        raise BlueGreenError(
            f"The manifest of Deployment {name} has no pod template with labels and containers.",
            "bad_input",
            next_step="Give the whole Deployment, as kubectl apply would need it.",
        )
    wrong = [service["metadata"]["name"] for service in app.services if not app.would_select(service, color, new)]
    if wrong:
        raise BlueGreenError(
            f"The manifest's pods would not be selected by {', '.join(wrong)} when {color} is live.",
            "bad_input",
            why=f"Needed pod labels: {app.selector_for(color)}; the manifest has {json.dumps(pod_labels(new), sort_keys=True)}.",
            next_step="Correct spec.template.metadata.labels.",
        )
    new["spec"]["replicas"] = replicas
    new["metadata"].setdefault("namespace", app.cluster.namespace)
    return new


def whole(old: Object, new: Object) -> Patch:
    """The JSON Patch that makes a Deployment what a manifest says, and no more: what the manifest has not is gone."""
    metadata = old["metadata"]
    operations = [unchanged(old)]
    for part in ("labels", "annotations"):
        given = new["metadata"].get(part) or {}
        if given and part not in metadata:
            operations.append({"op": "add", "path": f"/metadata/{part}", "value": {}})
        operations += [
            {"op": "add", "path": f"/metadata/{part}/{escape(key)}", "value": value} for key, value in given.items()
        ]
    spec = {"selector": old["spec"]["selector"], **new["spec"]}  # which cannot be changed
    return [*operations, {"op": "replace", "path": "/spec", "value": spec}]


def merged(applied: Object, live: Object, wanted: Object) -> Patch:
    """The JSON Patch that makes an object what is wanted: what was applied last and is not any more goes, what others have
    set stays.
    """
    operations = [*_differences("", _mergeable(applied), _mergeable(live), _mergeable(wanted))]
    return [unchanged(live), *operations] if operations else []


def _differences(path: str, applied: Any, live: Object, wanted: Object) -> Iterator[Object]:
    applied = applied if isinstance(applied, dict) else {}
    for key, value in wanted.items():
        way, there = f"{path}/{escape(key)}", live.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from _differences(way, applied.get(key), there, value)
        elif value != there:
            yield {"op": "add", "path": way, "value": value}
    for key in sorted(applied.keys() & live.keys() - wanted.keys()):
        yield {"op": "remove", "path": f"{path}/{escape(key)}"}


def _mergeable(item: Object) -> Object:
    """What of an object is a manifest's."""
    metadata = item.get("metadata") or {}
    about = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    return {**rest, **({"metadata": about} if about else {})}


def _filled(item: Object) -> Object:
    """A document that can be applied: a Secret's texts as the server keeps them.

    :raises BlueGreenError: it is not known what or which it is.
    """
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    for field, value in (("apiVersion", item.get("apiVersion")), ("kind", item.get("kind")), ("metadata.name", name)):
        if not isinstance(value, str) or not value:
            raise _mistake(f"A document of the manifest has no {field}", f"it is {item.get('kind')} {name}")
    if item["kind"] == "Secret" and "stringData" in item:
        item = dict(item, data=dict(item.get("data") or {}))
        for key, value in (item.pop("stringData") or {}).items():
            item["data"][key] = base64.b64encode(str(value).encode()).decode()
    return item


def _tidy(value: Any) -> Any:
    """A copy without fields that are null, which mean the same as none."""
    if isinstance(value, dict):
        return {str(key): _tidy(item) for key, item in value.items() if item is not None}
    return [_tidy(item) for item in value] if isinstance(value, list) else value


def _name(document: Object) -> Any:
    metadata = document.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else None


def _mistake(what: str, why: Any) -> BlueGreenError:
    return BlueGreenError(
        f"{what}.",
        "bad_input",
        why=why,
        next_step="Correct the manifest: one Deployment, that of the idle color, and whole objects beside it, divided by ---.",
    )


def _dictionaries(value: Any) -> Iterator[Object]:
    if isinstance(value, dict):
        yield value
        value = [*value.values()]
    for item in value if isinstance(value, list) else []:
        yield from _dictionaries(item)


def _values(values: Any) -> list[str]:
    return [str(value) for value in values.values() if value] if isinstance(values, dict) else []


def _decoded(value: str) -> list[str]:
    try:
        return [base64.b64decode(value).decode()]
    except (binascii.Error, UnicodeDecodeError):
        return []
