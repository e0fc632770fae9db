# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The configuration of a version: ConfigMaps and Secrets that never change, named after what they hold.

A config is called ``ConfigMap/NAME`` here; its object is ``NAME-HASH``, and a pod template refers to that. So a color has the
configuration of its version for as long as it has that template, and going back brings both.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.yaml import yaml_load_all
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import (
    Reference,
    pod_spec,
    references,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import fingerprint
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import NAME
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX, annotation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import secret_values, unless_shown
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

KINDS = ("ConfigMap", "Secret")
APPLICATION = PREFIX + "application"  # label on what is ours: of which application, by its first Service
CONFIG_OF = PREFIX + "config"  # annotation beside it: the name before the hash

HASH = re.compile(r"-[0-9a-f]{10}$")
KNOWN = ("apiVersion", "kind", "metadata", "data", "binaryData", "stringData", "type", "immutable")


# --- what somebody has written


def parse(files: Any, application: str) -> list[Object]:
    """The objects that files hold, each immutable and under its whole name.

    :param files: a dictionary of their names and texts, as JSON.
    :param application: its name, for which equal objects of two applications are two.
    :raises BlueGreenError: names every mistake; no value is shown.
    """
    found: list[tuple[str, Any]] = []
    mistakes: list[str] = []
    for file, text in _texts(files).items():
        try:
            documents = list(yaml_load_all(text))
        except Exception as error:  # pylint: disable=broad-except
            mistakes.append(f"{file}: {_without_values(error)}")
            continue
        found += [(file, item) for item in documents if item is not None]
    for file, item in found:
        mistakes += [f"{file}: {text}" for text in _mistaken(item)]
    whole = [] if mistakes else [_whole(item, application) for _file, item in found]
    configs = [config_of(item) for item in whole]
    mistakes += [f"{config} is there twice" for config in sorted({one for one in configs if configs.count(one) > 1})]
    if mistakes:
        raise BlueGreenError(
            "The configuration of this version (bluegreen_config) cannot be used.",
            "bad_input",
            why=mistakes,
            next_step="Correct it; nothing has been changed.",
        )
    return whole


def _texts(files: Any) -> dict[str, str]:
    if not files:
        return {}
    try:
        texts = json.loads(files) if isinstance(files, str) else files
        return {str(name): text or "" for name, text in texts.items()}
    except (AttributeError, ValueError) as error:
        raise BlueGreenError(
            "The option manifests is no dictionary of files and their texts.",
            "bad_input",
            next_step="Give it as manifests: \"{{ {'app.yml': lookup('ansible.builtin.template', 'app.yml.j2')} | to_json }}\".",
        ) from error


def _without_values(error: Exception) -> str:
    """What is wrong with YAML, and where; the error itself quotes the line, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}" if mark else ""
    return f"it is no YAML{where} ({type(error).__name__})"


def _mistaken(item: Any) -> Iterator[str]:
    if not isinstance(item, dict) or item.get("kind") not in KINDS:
        kind = item.get("kind") if isinstance(item, dict) else type(item).__name__
        yield f"it holds ConfigMaps and Secrets, not {kind!r}"
        return
    metadata: Any = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield f"a {item['kind']} has no name (metadata.name), or none that Kubernetes takes: {name!r}"
        return
    what = f"{item['kind']} {name}"
    if item.get("apiVersion") != "v1":
        yield f"{what}: apiVersion is v1, not {item.get('apiVersion')!r}"
    if len(name) > 242:
        yield f"{what}: its name is too long to get a hash"
    if metadata.get("namespace"):
        yield f"{what}: metadata.namespace is the application's, leave it out"
    for field in sorted(set(item) - set(KNOWN)):
        yield f"{what}: it has no field {field!r}"
    for field in ("data", "binaryData", "stringData"):
        values = item.get(field) or {}
        if not isinstance(values, dict):
            yield f"{what}: {field} is a dictionary"
            continue
        for key, value in values.items():
            if not isinstance(key, str) or not isinstance(value, str):
                yield f"{what}: {field}.{key} is text, so quote it and its name"
            elif (field == "binaryData" or (field, item["kind"]) == ("data", "Secret")) and not _is_base64(value):
                yield f"{what}: {field}.{key} is not base64" + (
                    "; stringData takes plain text" if field == "data" else ""
                )


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _whole(item: Object, application: str) -> Object:
    metadata, name = item["metadata"], item["metadata"]["name"]
    made = {"apiVersion": "v1", "kind": item["kind"], "immutable": True, **_content(item)}
    made["metadata"] = {
        "name": f"{name}-{digest(made, application)}",
        "labels": {**(metadata.get("labels") or {}), APPLICATION: application},
        "annotations": {**(metadata.get("annotations") or {}), CONFIG_OF: name},
    }
    return made


def _content(item: Object) -> Object:
    """What an object holds, as the server keeps it."""
    if item["kind"] == "ConfigMap":
        content = {"data": dict(item.get("data") or {}), "binaryData": _recoded(item.get("binaryData") or {})}
        return {field: values for field, values in content.items() if values}
    data = _recoded(item.get("data") or {})
    plain = item.get("stringData") or {}
    data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
    return {"type": item.get("type") or "Opaque", **({"data": data} if data else {})}


def _recoded(values: dict[str, str]) -> dict[str, str]:
    """Base64 without what may be written in more than one way."""
    return {key: base64.b64encode(base64.b64decode(value)).decode() for key, value in values.items()}


def digest(item: Object, application: str) -> str:
    """Of an object's kind and content: the same digest means the same object, and may be in its name."""
    return fingerprint([application, item["kind"], _content(item)])[:10]


def config_of(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['annotations'][CONFIG_OF]}"


def names_of(items: Iterable[Object]) -> dict[str, str]:
    """The name of each config's object."""
    return {config_of(item): item["metadata"]["name"] for item in items}


def is_ours(item: Object, application: str) -> bool:
    """Whether an object is one that a release has written, and still what it was."""
    metadata = item["metadata"]
    base = annotation(item, CONFIG_OF)
    labelled = (metadata.get("labels") or {}).get(APPLICATION) == application
    whole = f"{base}-{digest(item, application)}" == metadata["name"]
    return bool(labelled and whole and item.get("immutable"))


# --- who refers to what


def called(item: Reference) -> str:
    """The config that a pod spec refers to there, by whichever hash."""
    return f"{item.kind}/{HASH.sub('', item.name)}"


def referred_configs(owners: Iterable[Object]) -> set[str]:
    """All that could be configs to which the pods of these objects refer, with and without what looks like a hash."""
    found = [item for owner in owners for item in references(pod_spec(owner))]
    return {f"{item.kind}/{item.name}" for item in found} | {called(item) for item in found}


def configured(template: Object, names: Mapping[str, str]) -> Object:
    """The pod template, referring to the objects of these configs wherever it refers to one of them by whatever hash.

    :param names: see :func:`names_of`.
    """
    template = copy.deepcopy(template)
    for item in references(pod_spec(template)):
        item.owner[item.key] = names.get(f"{item.kind}/{item.name}") or names.get(called(item)) or item.name
    return template


def other_configs(template: Object, names: Mapping[str, str]) -> list[str]:
    """The configs of which a pod template does not have these objects."""
    found = {f"{item.kind}/{item.name}" for item in references(pod_spec(template))}
    return [config for config, name in names.items() if f"{config.partition('/')[0]}/{name}" not in found]


def versioned(template: Object) -> dict[str, str]:
    """The objects with a hash in their names that a pod template refers to, by config."""
    return {called(item): item.name for item in references(pod_spec(template)) if HASH.search(item.name)}


def refuse_unreferred(deployment: Object, names: Mapping[str, str]) -> None:
    """:raises BlueGreenError: a config that no pod would get."""
    unused = sorted(set(names) - referred_configs([deployment]))
    if unused:
        there = {called(item) for item in references(pod_spec(deployment))}
        raise BlueGreenError(
            f"Nothing in {deployment['metadata']['name']} refers to {', '.join(in_words(unused))} of bluegreen_config.",
            "bad_input",
            why=f"Its pod template refers to {', '.join(in_words(there)) or 'no ConfigMap and no Secret'}.",
            next_step="Refer to it by its name without a hash (envFrom, valueFrom, a volume, imagePullSecrets), or take it out of "
            "bluegreen_config.",
        )


def in_words(configs: Iterable[str]) -> list[str]:
    return [config.replace("/", " ") for config in sorted(configs)]


# --- what may be shown


def config_secrets(files: Any) -> set[str]:
    """What no output may show of the Secrets in these files, which may have mistakes."""
    found: set[str] = set()
    try:
        texts = _texts(files)
    except BlueGreenError:
        return found
    for text in texts.values():
        try:
            documents = list(yaml_load_all(text))
        except Exception:  # pylint: disable=broad-except
            continue  # nothing of it is used, or shown
        for item in documents:
            if isinstance(item, dict) and item.get("kind") == "Secret":
                for field in ("data", "stringData"):
                    found |= _secrets_in(item.get(field))
    return found


def hidden(params: Params, *several: Any) -> set[str]:
    """The same of several sets of files, unless it is a name that the result is about."""
    names = [params.get("namespace"), *(params.get("services") or []), *(params.get("colors") or [])]
    return unless_shown(set().union(*map(config_secrets, several)), names)


def _secrets_in(values: Any) -> set[str]:
    if not isinstance(values, dict):
        return set()
    texts = {str(key): value for key, value in values.items() if isinstance(value, str)}
    plain = {key: _decoded(value) for key, value in texts.items()}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
    return secret_values(texts) | secret_values(plain) | secret_values(coded)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        return ""


def shown(item: Object, old: Object | None = None) -> Object:
    """An object for ``--diff``: of a Secret only how long its values are, and which have changed since ``old``."""
    content = _content(item)
    if item["kind"] == "ConfigMap":
        sizes = {key: f"({len(value)} bytes in base64)" for key, value in content.get("binaryData", {}).items()}
        return {**content.get("data", {}), **sizes}
    before = _content(old).get("data", {}) if old else {}
    return {key: _size(value, before.get(key)) for key, value in content.get("data", {}).items()}


def _size(value: str, before: str | None) -> str:
    size = len(base64.b64decode(value))
    return f"({size} bytes{', changed' if before not in (None, value) else ''})"
