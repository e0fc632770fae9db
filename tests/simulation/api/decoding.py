# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server cannot even read: fields of the wrong type, as far as a client of the collection can send them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from simulation.api.kinds import Object

MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
WORDS = {str: "string", int: "number", float: "number", bool: "bool", list: "array", dict: "object"}


def unreadable(item: Object) -> str | None:
    """Why an object cannot be read, or ``None``."""
    return next(_faults(item), None)


def _faults(item: Object) -> Iterator[str]:
    for name in ("annotations", "labels"):
        field, values = f"ObjectMeta.metadata.{name}", item["metadata"].get(name) or {}
        if values.__class__ is not dict:
            yield _wrong(field, values, "map[string]string")
        for value in values.values() if values.__class__ is dict else ():
            if value.__class__ is not str:
                yield _wrong(field, value, "string")
    kind, spec = item["kind"], item.get("spec") or {}
    if kind in ("Deployment", "ReplicaSet"):
        if spec.get("replicas", 0).__class__ is not int:
            yield _wrong(f"{kind}Spec.spec.replicas", spec["replicas"], "int32")
    if kind in ("Deployment", "ReplicaSet", "Job"):
        yield from _pod((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")
    elif kind == "Pod":
        yield from _pod(spec, "spec")
    elif kind == "Lease":
        for key in ("acquireTime", "renewTime"):
            if spec.get(key) is not None and not MICRO_TIME.fullmatch(spec[key]):
                yield _wrong_time(spec[key])
    elif kind == "Secret":
        for value in (item.get("data") or {}).values():
            yield from _base64(value)


def _pod(spec: Object, field: str) -> Iterator[str]:
    for container in spec.get("containers") or []:
        for variable in container.get("env") or []:
            if (variable.get("value") or "").__class__ is not str:
                yield _wrong(f"EnvVar.{field}.containers.env.value", variable["value"], "string")
        for port in container.get("ports") or []:
            if port.get("containerPort", 0).__class__ is not int:
                yield _wrong(f"ContainerPort.{field}.containers.ports.containerPort", port["containerPort"], "int32")


def _wrong(field: str, value: Any, wanted: str) -> str:
    return f"json: cannot unmarshal {WORDS[type(value)]} into Go struct field {field} of type {wanted}"


def _wrong_time(text: str) -> str:
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    rest, part = (text[found.end() :], ".000000") if found else (text, "2006")
    return f'parsing time "{text}" as "{LAYOUT}": cannot parse "{rest}" as "{part}"'


def _base64(value: str) -> Iterator[str]:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        at = next(
            (number for number, letter in enumerate(value) if not re.match(r"[A-Za-z0-9+/=]", letter)), len(value)
        )
        yield f"illegal base64 data at input byte {at}"
