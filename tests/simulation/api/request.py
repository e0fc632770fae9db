# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as clients send them over HTTP, and the answers that the server gives."""

from __future__ import annotations

import functools
import json
import re
from typing import Any, NamedTuple

from simulation.api import patch, selectors
from simulation.api.answers import (
    JSON,
    Answer,
    Cause,
    Refused,
    as_json,
    bad_request,
    invalid_options,
    not_found,
    text,
    unknown_path,
)
from simulation.api.containers import Containers, World
from simulation.api.kinds import BY_PATH, KINDS, Kind, Object, copied
from simulation.api.store import Store, Version
from simulation.api.validation import unsupported
from simulation.api.watch import Watch

Query = dict[str, str]

PLAIN = {
    "/readyz": "ok",
    "/livez": "ok",
    "/healthz": "ok",
}
SERVER = {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}
CREATED_BY_PUT = {"Service", "Lease", "Event"}


def _described(kind: Kind) -> Object:
    """A kind as the server's list of them has it, in part."""
    return {"name": kind.plural, "singularName": kind.name.lower(), "namespaced": kind.namespaced, "kind": kind.name}


def _listed(root: str) -> Object:
    found = [kind for kind in KINDS.values() if kind.root == root]
    described = [_described(kind) for kind in found]
    described += [{**_described(kind), "name": f"{kind.plural}/status"} for kind in found if kind.status]
    version = {} if root == "/api/v1" else {"apiVersion": "v1"}
    return {"kind": "APIResourceList", **version, "groupVersion": found[0].api_version, "resources": described}


ROOT = re.compile(r"/api/v\d\w*|/apis/[^/]+/v\d\w*")
KINDS_BY_ROOT = {root: _listed(root) for root in {kind.root for kind in KINDS.values()}}


class Target(NamedTuple):
    """What a path leads to."""

    kind: Kind
    ns: str | None
    name: str
    rest: str  # a subresource, and what follows it


class Client(NamedTuple):
    """What else of a request matters to a write."""

    by: str
    query: Query
    dry_run: bool


class Api:
    """The API server of a store.

    :param world: what runs in pods, for logs and proxies; see `containers.World`.
    """

    def __init__(self, store: Store, world: World | None = None) -> None:
        self.store = store
        self.containers = Containers(store, world)

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        headers: Query | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request; a refusal is an answer as well."""
        query = query or {}
        try:
            if path in PLAIN:
                return text(200, PLAIN[path])
            if path == "/version":
                return as_json(200, SERVER)
            if not path.startswith("/api"):
                return text(404, "404 page not found\n")
            if ROOT.fullmatch(path):
                return _root(path)
            target = _target(path)
            given = {name.lower(): value for name, value in (headers or {}).items()}
            if target.rest and not target.rest.startswith("status"):
                return self._below(method, target, query)
            client = Client(
                given.get("user-agent", ""), query, _dry_run(query.get("dryRun"), OPTIONS.get(method, "DeleteOptions"))
            )
            return self._answer(method, target, client, given.get("content-type", "application/json"), body)
        except Refused as error:
            headers = {**JSON, "Retry-After": "1"} if error.status == 429 else JSON
            return Answer(error.status, headers, json.dumps(error.body(), separators=(",", ":")).encode() + b"\n")

    def _answer(self, method: str, target: Target, client: Client, content_type: str, body: bytes | None) -> Answer:
        if method == "GET":
            return self._get(target, client.query)
        if method == "POST" and not target.name:
            return self._create(target, client, body)
        if method == "PATCH" and target.name:
            return self._patch(target, client, content_type.partition(";")[0].strip(), body)
        if method == "PUT" and target.name:
            return self._replace(target, client, body)
        if method == "DELETE" and target.name:
            return self._delete(target, client, body)
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})

    # --- reading

    def _get(self, target: Target, query: Query) -> Answer:
        if target.name:
            return _one(200, self.store.version(target.kind.name, target.ns or "", target.name))
        return self._list(target, query)

    def _list(self, target: Target, query: Query) -> Answer:
        selects = selectors.both(target.kind.name, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        kind = target.kind
        if query.get("watch") in ("true", "1"):
            return Answer(200, JSON, b"", Watch(self.store, kind, target.ns, selects, query).stream)
        found = self.store.versions(kind.name, target.ns)
        if selects:
            found = [version for version in found if selects(version.object)]
        head = (
            f'{{"kind":"{kind.name}List","apiVersion":"{kind.api_version}",'
            f'"metadata":{{"resourceVersion":"{self.store.number}"}},"items":['
        )
        return Answer(200, JSON, head.encode() + b",".join(b"{" + item.tail for item in found) + b"]}\n")

    # --- writing

    def _create(self, target: Target, client: Client, body: bytes | None) -> Answer:
        item = _object(body, target.kind)
        metadata = item.setdefault("metadata", {})
        if metadata.get("namespace", target.ns) != target.ns:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if target.ns is not None:
            metadata["namespace"] = target.ns
        return _one(201, self.store.created(item, client.by, client.dry_run))

    def _replace(self, target: Target, client: Client, body: bytes | None) -> Answer:
        new = _object(body, target.kind)
        kind, ns = target.kind.name, target.ns or ""
        _same_name(new, target)
        if kind in CREATED_BY_PUT and self.store.get(kind, ns, target.name) is None:
            new["metadata"]["namespace"] = target.ns
            return _one(201, self.store.created(new, client.by, client.dry_run))
        return _one(200, self._write(target, client, self.store.version(kind, ns, target.name), new, "update"))

    def _patch(self, target: Target, client: Client, content_type: str, body: bytes | None) -> Answer:
        if content_type == APPLY_PATCH:
            return self._apply(target, client, body)
        if content_type not in (JSON_PATCH, MERGE_PATCH):
            raise Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        old = self.store.version(target.kind.name, target.ns or "", target.name)
        given = _parsed(body, "invalid JSON patch")
        if content_type == JSON_PATCH:
            new = patch.json_patched(old.object, given)
        else:
            new = patch.merged(old.object, given)
        if new is old.object:
            return _one(200, old)
        return _one(200, self._write(target, client, old, _pruned(new) if b"null" in (body or b"") else new, "patch"))

    def _apply(self, target: Target, client: Client, body: bytes | None) -> Answer:
        manager = client.query.get("fieldManager")
        if not manager:
            cause = Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
            raise invalid_options("PatchOptions", cause)
        given = _object(body, target.kind, strict=True)
        given.setdefault("metadata", {}).setdefault("name", target.name)
        _same_name(given, target)
        if self.store.get(target.kind.name, target.ns or "", target.name) is None:
            return self._applied_first(target, client, given, manager)
        old = self.store.version(target.kind.name, target.ns or "", target.name)
        new = self.store.merged(old, given, manager, client.dry_run)
        return _one(200, self._write(target, client, old, new, "apply"))

    def _applied_first(self, target: Target, client: Client, given: Object, manager: str) -> Answer:
        metadata = given["metadata"]
        if metadata.pop("resourceVersion", None):
            raise not_found(target.kind, target.name)
        if target.ns is not None:
            metadata["namespace"] = target.ns
        made = self.store.created(copied(given), client.by, client.dry_run, "apply")
        if not client.dry_run:
            self.store.own(made, given, manager)
        return _one(201, made)

    def _write(self, target: Target, client: Client, old: Version, new: Any, verb: str) -> Version:
        if not isinstance(new, dict):
            raise bad_request("the patch leaves no object")
        status = target.rest == "status"
        return self.store.replaced(old, new, client.by, status, client.dry_run, verb, by_request=True)

    def _delete(self, target: Target, client: Client, body: bytes | None) -> Answer:
        options = _parsed(body, "invalid options") if body else {}
        query = client.query
        grace = options.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        dry_run = _dry_run(options.get("dryRun"), "DeleteOptions") if body else client.dry_run
        propagation = options.get("propagationPolicy", query.get("propagationPolicy"))
        if propagation not in (None, "Foreground", "Background", "Orphan"):
            cause = unsupported("propagationPolicy", propagation, "Foreground", "Background", "Orphan", "nil")
            raise invalid_options("DeleteOptions", cause)
        left, gone = self.store.delete(
            target.kind.name,
            target.ns or "",
            target.name,
            client.by,
            int(grace) if grace is not None else None,
            propagation,
            options.get("preconditions"),
            dry_run,
        )
        if not gone or target.kind.name in RETURNED:
            return _one(200, left)
        details = {"name": target.name, "kind": target.kind.plural, "uid": left.object["metadata"]["uid"]}
        if target.kind.group:
            details["group"] = target.kind.group
        body_of = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return as_json(200, body_of)

    # --- below objects

    def _below(self, method: str, target: Target, query: Query) -> Answer:
        what, _slash, path = target.rest.partition("/")
        kind, ns = target.kind.name, target.ns or ""
        if what == "proxy" and kind in ("Pod", "Service"):
            return self.containers.proxy(method, kind, ns, target.name, path, query)
        if what == "log" and kind == "Pod" and method == "GET":
            return self.containers.log(ns, target.name, query)
        if what == "portforward" and kind == "Pod":
            return self.containers.port_forward(ns, target.name)
        raise unknown_path()


RETURNED = {"Pod", "Service", "ResourceQuota"}  # kinds of which the deleted object is answered


@functools.lru_cache(maxsize=4096)
def _target(path: str) -> Target:
    parts = path.strip("/").split("/")
    root, rest = ("/" + "/".join(parts[:2]), parts[2:]) if parts[0] == "api" else ("/" + "/".join(parts[:3]), parts[3:])
    ns = None
    if len(rest) > 2 and rest[0] == "namespaces" and (root, rest[2]) in BY_PATH:
        ns, rest = rest[1], rest[2:]
    kind = BY_PATH.get((root, rest[0])) if rest else None
    if kind is None:
        raise unknown_path()
    return Target(kind, ns, rest[1] if len(rest) > 1 else "", "/".join(rest[2:]))


def _one(status: int, version: Version) -> Answer:
    return Answer(status, JSON, version.text + b"\n")


def _dry_run(value: Any, options: str) -> bool:
    values = [value] if isinstance(value, str) else value or []
    for one in values:
        if one != "All":
            raise invalid_options(options, unsupported("dryRun", values, "All"))
    return bool(values)


def _parsed(body: bytes | None, fault: str) -> Any:
    try:
        return json.loads(body or b"")
    except ValueError as error:
        raise bad_request(fault) from error


def _same_name(item: Object, target: Target) -> None:
    name = item.setdefault("metadata", {}).get("name")
    if name != target.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")


def _object(body: bytes | None, kind: Kind, strict: bool = False) -> Object:
    text = (body or b"").decode("utf-8", "replace")
    fault = f"the object provided is unrecognized (must be of type {kind.name}): couldn't get version/kind; json parse error:"
    given = _pruned(_parsed(body, f"{fault} unexpected end of JSON input ({text})"))
    if not isinstance(given, dict):
        raise bad_request(f"{fault} it is no object ({text})")
    if strict and not {"kind", "apiVersion"} <= given.keys():
        raise bad_request(f"invalid object type: /, Kind={given.get('kind', '')}")
    found = (given.get("apiVersion", kind.api_version), given.get("kind", kind.name))
    if found != (kind.api_version, kind.name):
        raise bad_request(
            f'{found[1]} in version "{found[0].rpartition("/")[2]}" cannot be handled as a {kind.name}:'
            f" converting ({found[0].rpartition('/')[2]}.{found[1]}) to ({kind.group.partition('.')[0] or 'core'}.{kind.name}): unknown conversion"
        )
    return {**given, "apiVersion": kind.api_version, "kind": kind.name}


def _pruned(value: Any) -> Any:
    """Without what is null, which means the same as not given; what has none is the same object."""
    if value.__class__ is dict:
        result = value
        for key, item in value.items():
            if item is None and key not in NULLABLE:
                if result is value:
                    result = dict(value)
                del result[key]
            elif (item.__class__ is dict and key not in STRINGS) or item.__class__ is list:
                pruned = _pruned(item)
                if pruned is not item:
                    if result is value:
                        result = dict(value)
                    result[key] = pruned
        return result
    if value.__class__ is list:
        items = [_pruned(item) for item in value]
        return items if any(one is not other for one, other in zip(items, value, strict=True)) else value
    return value


STRINGS = {"annotations", "labels"}  # null is an empty text there
NULLABLE = {"eventTime", "lastProbeTime"}


def _root(path: str) -> Answer:
    """What kinds there are in a version of a group."""
    found = KINDS_BY_ROOT.get(path)
    if found:
        return as_json(200, found)
    if not any(root.rpartition("/")[0] == path.rpartition("/")[0] for root in KINDS_BY_ROOT):
        return text(404, "404 page not found\n")
    words = {"message": "the server could not find the requested resource", "reason": "NotFound", "details": {}}
    return as_json(
        404, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", **words, "code": 404}
    )
