# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server says no: a ``Status`` with code, reason, message and details, in its own words."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from simulation.api.kinds import Kind, Object


class Refused(Exception):
    """The server does not do it."""

    def __init__(self, status: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message, self.details = status, reason, message, details

    def body(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({} if self.details is None else {"details": self.details}),
            "code": self.status,
        }


class Answer(NamedTuple):
    """``stream`` is there instead of a body where the answer goes on."""

    status: int
    headers: dict[str, str]
    body: bytes
    stream: Any = None


class Cause(NamedTuple):
    """One thing that is wrong with an object."""

    reason: str
    message: str
    field: str


def as_json(status: int, value: Any) -> Answer:
    return Answer(status, JSON, json.dumps(value, separators=(",", ":")).encode() + b"\n")


def text(status: int, value: str) -> Answer:
    return Answer(status, {"Content-Type": "text/plain; charset=utf-8"}, value.encode())


JSON = {"Content-Type": "application/json"}


# --- refusals


def details(kind: Kind, name: str = "", **more: Any) -> Object:
    """As most refusals have it: with the resource where a kind is meant."""
    found: Object = {"name": name} if name else {}
    if kind.group:
        found["group"] = kind.group
    return {**found, "kind": kind.plural, **more}


def not_found(kind: Kind, name: str) -> Refused:
    return Refused(404, "NotFound", f'{kind.qualified} "{name}" not found', details(kind, name))


def unknown_path() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> Refused:
    return Refused(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> Refused:
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return Refused(409, "Conflict", message, details(kind, name))


def precondition(kind: Kind, name: str, field: str, wanted: str, found: str) -> Refused:
    """Of a deletion."""
    what = f"{kind.name}.{kind.group}" if kind.group else kind.name
    might = "deleted and then recreated" if field == "UID" else "modified"
    message = (
        f'Operation cannot be fulfilled on {what} "{name}": the {field} in the precondition ({wanted}) does not match'
        f" the {field} in record ({found}). The object might have been {might}"
    )
    return Refused(409, "Conflict", message, {**details(kind, name), "kind": kind.name})


def modified(kind: Kind, name: str) -> Refused:
    return conflict(
        kind, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def forbidden(kind: Kind, name: str, why: str) -> Refused:
    return Refused(403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', details(kind, name))


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def not_applicable() -> Refused:
    """A JSON Patch of which an operation failed, such as a test."""
    return Refused(422, "Invalid", "the server rejected our request due to an error in our request", {})


def invalid(kind: Kind, name: str, causes: list[Cause]) -> Refused:
    """An object that breaks rules of its kind; here the details name the kind itself."""
    what = f"{kind.name}.{kind.group}" if kind.group else kind.name
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    found = {**details(kind, name), "kind": kind.name, "causes": [cause._asdict() for cause in causes]}
    return Refused(422, "Invalid", f'{what} "{name}" is invalid: {said}', found)


def invalid_options(options: str, cause: Cause) -> Refused:
    """Of options in the query or in the body of a deletion."""
    found = {"group": "meta.k8s.io", "kind": options, "causes": [cause._asdict()]}
    return Refused(422, "Invalid", f'{options}.meta.k8s.io "" is invalid: {cause.field}: {cause.message}', found)


def unreadable_patch(item: Object, why: str) -> Refused:
    """A patch that leaves something that is no object of its kind."""
    text = json.dumps(json.dumps(item, separators=(",", ":")))
    cause = Cause("FieldValueInvalid", f"Invalid value: {text}: {why}", "patch")
    return Refused(422, "Invalid", f' "" is invalid: patch: {cause.message}', {"causes": [cause._asdict()]})


def unreadable_body(kind: Kind, why: str) -> Refused:
    return bad_request(f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {why}')


def must_have_version(kind: Kind, name: str) -> Refused:
    cause = Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion")
    message = f'{kind.qualified} "{name}" is invalid: {cause.field}: {cause.message}'
    return Refused(422, "Invalid", message, details(kind, name, causes=[cause._asdict()]))


def expired(asked: int, oldest: int) -> Refused:
    return Refused(410, "Expired", f"too old resource version: {asked} ({oldest})")
