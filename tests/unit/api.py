# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded objects behind HTTP, for what needs a real connection: whole runs of an operation, and the pod proxy."""

from __future__ import annotations

import json
from typing import Any, Callable, Iterator

import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError
from loopback import Answer, Loopback, Seen, Takeover, as_json, refusal
from portforward import port_forward
from recorded import RecordedCluster

KINDS = {path.rsplit("/", 1)[1]: kind for kind, path in cluster.RESOURCES.items()}
IN_STORE = f"/namespaces/{recorded.NAMESPACE}/"


class Api:
    """Gives the objects of a store, and hands requests to pods to `application`.

    :param application: gets the request, ``POD:PORT`` as the path has it, and the rest of the path.
    :param listening: what listens in every pod: its port there, and its port on this machine, to which port-forwards lead.
    :param ready: what /readyz answers.
    """

    def __init__(self, server: Loopback, store: RecordedCluster) -> None:
        self.server = server
        self.store = store
        self.application: Callable[[Seen, str, str], Answer] = lambda seen, pod, path: as_json({"status": "ok"})
        self.listening: dict[int, int] = {}
        self.ready: Callable[[], Answer] = lambda: as_json("ok")
        server.answer = self.answer

    @property
    def connection(self) -> dict[str, Any]:
        """The options that lead here."""
        return {"host": self.server.url, "api_key": "s3cret-token", "namespace": recorded.NAMESPACE}

    def answer(self, seen: Seen) -> Answer | Takeover:
        if seen.path == "/readyz":
            return self.ready()
        resource, _slash, rest = seen.path.partition(IN_STORE)[2].partition("/")
        if "/proxy/" in rest:
            pod, path = rest.split("/proxy", 1)
            return self.application(seen, pod, path)
        if rest.endswith("/portforward"):
            port = int(seen.query["ports"])
            return port_forward(seen, port, self.listening.get(port))
        if "watch" in seen.query:
            return Answer(200, self._nothing())
        kind = KINDS[resource]
        self.store.dry_run = "dryRun" in seen.query
        try:
            if seen.method == "PATCH" and "apply-patch" in seen.headers["Content-Type"]:
                return as_json(self.store.apply(kind, rest, json.loads(seen.body)))
            if seen.method == "PATCH":
                return as_json(self.store.patch(kind, rest, json.loads(seen.body)))
            if seen.method == "POST":
                return as_json(self.store.create(kind, json.loads(seen.body)), 201)
            if not rest:
                return as_json(self.store.list(kind, **seen.query))
            found = self.store.get(kind, rest)
            return as_json(found) if found else refusal(404, f'{resource} "{rest}" not found', reason="NotFound")
        except ApiError as error:
            return refusal(error.status, error.what)

    def _nothing(self) -> Iterator[bytes]:
        """A watch in which nothing happens."""
        self.server.closing.wait(60)
        yield from ()


def execute(operation: Any, api: Api, dry_run: bool = False, **options: Any) -> dict[str, Any]:
    """A whole run of an operation, as the module and the action make it.

    :returns: the result, and in ``said`` and ``warned`` what was shown.
    """
    params = recorded.parameters(operation, **{**api.connection, **options})
    said: list[str] = []
    warned: list[str] = []
    result = _operation.execute(operation, params, dry_run, said.append, warn=warned.append)
    return dict(result, said=said, warned=warned)
