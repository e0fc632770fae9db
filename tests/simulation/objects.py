# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects and requests for tests of the simulated server."""

from __future__ import annotations

import json
from typing import Any

from simulation.api import Answer, Api

NS = "store"
PATHS = {
    "Deployment": f"/apis/apps/v1/namespaces/{NS}/deployments",
    "Service": f"/api/v1/namespaces/{NS}/services",
    "Pod": f"/api/v1/namespaces/{NS}/pods",
    "Secret": f"/api/v1/namespaces/{NS}/secrets",
    "Job": f"/apis/batch/v1/namespaces/{NS}/jobs",
}


def deployment(name: str = "app-blue", **spec: Any) -> dict[str, Any]:
    labels = {"app": "myapp", "version": "blue"}
    container = {"name": "app", "image": "myapp:1.0"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def pod(name: str = "app-1", **labels: str) -> dict[str, Any]:
    spec = {
        "containers": [{"name": "app", "image": "myapp:1.0", "ports": [{"containerPort": 8080}]}],
        "nodeName": "node",
    }
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NS, "labels": labels or {"app": "myapp"}},
        "spec": spec,
    }


def secret(name: str = "kept", **metadata: Any) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, "namespace": NS, **metadata}, "data": {"a": "YQ=="}}


def service(name: str = "myapp") -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"ports": ports, "selector": {"app": "myapp"}},
    }


class Requests:
    """Requests to a simulated server, with their answers read."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def __call__(
        self, method: str, path: str, body: Any = None, content_type: str = "", **query: str
    ) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        answer = self.raw(method, path, data, content_type, **query)
        return answer.status, json.loads(answer.body)

    def raw(self, method: str, path: str, body: bytes | None = None, content_type: str = "", **query: str) -> Answer:
        headers = {"Content-Type": content_type or "application/json", "User-Agent": "tests"}
        return self.api.request(method, path, query, headers, body)

    def patch(self, path: str, *operations: dict[str, Any], **query: str) -> tuple[int, Any]:
        return self("PATCH", path, list(operations), "application/json-patch+json", **query)

    def watch(self, path: str, **query: str) -> Any:
        return self.raw("GET", path, watch="true", **query).stream
