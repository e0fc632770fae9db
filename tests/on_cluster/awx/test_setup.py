# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""controller/setup.yml, run with the real modules of awx.awx against a stand-in for AWX's API that keeps what it is given.

It shows that the playbook's tasks are such as the modules take, find each other's objects, and join the workflow as meant.
What AWX itself makes of it is not shown: it cannot be had here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from collections_of_others import collections_path
from controller import PROJECT
from harness import Run, environment

ROOT = "/api/v2/"
UNIFIED = ("job_templates", "workflow_approval_templates")  # what unified_job_templates lists


class Store:
    """The objects of a controller, by endpoint and id. links: (object's URL, kind of link, id of the other)."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, dict[str, Any]]] = {}
        self.links: list[tuple[str, str, int]] = []
        self.address = ""
        self.add("organizations", {"name": "Default"})
        self.add("credential_types", {"name": "OpenShift or Kubernetes API Bearer Token"})

    def add(self, endpoint: str, values: dict[str, Any]) -> dict[str, Any]:
        number = sum(map(len, self.objects.values())) + 1
        url = f"{ROOT}{endpoint}/{number}/"
        kind = endpoint.removesuffix("s")
        related = {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"}
        values = {"scm_revision": "0123abc", "status": "successful", **values}
        item = {"id": number, "url": url, "type": kind, "related": related, "summary_fields": {}, **values}
        self.objects.setdefault(endpoint, {})[number] = item
        return item

    def find(self, endpoint: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        endpoints = UNIFIED if endpoint == "unified_job_templates" else (endpoint,)
        items = [item for name in endpoints for item in self.objects.get(name, {}).values()]
        for key, value in wanted.items():
            key = key.removeprefix("or__").removesuffix("__exact")
            if key == "type":
                value = {"workflow_approval": "workflow_approval_template"}.get(value, value)
            if key not in ("page_size", "id"):
                items = [item for item in items if str(item.get(key)) == value]
        return items

    def named(self, endpoint: str, name: str) -> dict[str, Any]:
        [item] = [item for item in self.objects[endpoint].values() if item.get("name", item.get("identifier")) == name]
        return item

    def linked(self, item: dict[str, Any], kind: str) -> list[int]:
        return [number for url, link, number in self.links if (url, link) == (item["url"], kind)]


class Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        endpoint, number, sub = self.parts(parts.path)
        if not number:
            self.answer_list(self.store.find(endpoint, dict(parse_qsl(parts.query))))
        elif sub == "survey_spec":
            self.answer(200, self.store.objects[endpoint][number].get("survey_spec", {}))
        elif sub:
            url = f"{ROOT}{endpoint}/{number}/"
            self.answer_list([{"id": other} for owner, kind, other in self.store.links if (owner, kind) == (url, sub)])
        else:
            self.answer(200, self.store.objects[endpoint][number])

    def do_POST(self) -> None:
        values = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        endpoint, number, sub = self.parts(self.path)
        if not number:
            self.answer(201, self.store.add(endpoint, values))
            return
        item = self.store.objects[endpoint][number]
        if sub == "survey_spec":
            item["survey_spec"] = values
            self.answer(200, {})
        elif sub == "update":
            self.answer(
                202,
                self.store.add("project_updates", {"status": "successful", "finished": "2026-01-01", "failed": False}),
            )
        elif sub == "create_approval_template":
            approval = self.store.add("workflow_approval_templates", values)
            item["unified_job_template"] = approval["id"]
            item["related"]["unified_job_template"] = approval["url"]
            self.answer(201, approval)
        else:
            self.store.links.append((item["url"], sub, values["id"]))
            self.answer(204, None)

    def do_PATCH(self) -> None:
        endpoint, number, _sub = self.parts(self.path)
        item = self.store.objects[endpoint][number]
        item.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(200, item)

    def parts(self, path: str) -> tuple[str, int, str]:
        assert self.headers["Authorization"] == "Bearer token-of-awx", "not logged in"
        endpoint, number, sub, *_rest = [*path.removeprefix(ROOT).strip("/").split("/"), "", ""]
        return endpoint, int(number or 0), sub

    def answer_list(self, items: list[dict[str, Any]]) -> None:
        self.answer(200, {"count": len(items), "next": None, "previous": None, "results": items})

    def answer(self, status: int, content: Any) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("X-API-Product-Name", "AWX"),
            ("X-API-Product-Version", "24.6.1"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the store has it."""


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    handler = type("Answers", (Handler,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store.address = f"http://127.0.0.1:{server.server_port}"
        yield store
        server.shutdown()


def set_up(store: Store, directory: Path, **variables: Any) -> Run:
    ca = directory / "ca.pem"
    ca.write_text("a certificate authority")
    values = {
        "project_url": "https://git.example.com/releases.git",
        "environment_image": "bluegreen-ee:1",
        "k8s_host": "https://api.example.com:6443",
        "k8s_ca_file": str(ca),
        **variables,
    }
    path = f"{environment()['ANSIBLE_COLLECTIONS_PATH']}:{collections_path()}"
    run = Run(
        ["setup.yml"],
        values,
        cwd=PROJECT / "controller",
        env={
            "ANSIBLE_COLLECTIONS_PATH": path,
            "CONTROLLER_HOST": store.address,
            "K8S_TOKEN": "token-of-kubernetes",
            "CONTROLLER_OAUTH_TOKEN": "token-of-awx",
        },
    ).finish()
    assert run.code == 0, run.output
    return run


def test_what_is_set_up(store: Store, tmp_path: Path) -> None:
    run = set_up(store, tmp_path, webhook_url="https://chat.example.com/hook")
    assert "token-of-kubernetes" not in run.output

    playbooks = {path.name for path in PROJECT.glob("*.yml")}
    templates = {item["name"]: item for item in store.objects["job_templates"].values()}
    assert {item["playbook"] for item in templates.values()} == playbooks
    credential = store.named("credentials", "Cluster")
    assert credential["inputs"] == {
        "host": "https://api.example.com:6443",
        "bearer_token": "token-of-kubernetes",
        "verify_ssl": True,
        "ssl_ca_cert": "a certificate authority",
    }
    notification = store.named("notification_templates", "Releases")
    for item in templates.values():
        assert item["ask_job_type_on_launch"] and item["ask_diff_mode_on_launch"] and item["ask_limit_on_launch"]
        assert store.linked(item, "credentials") == [credential["id"]]
        assert store.linked(item, "notification_templates_error") == [notification["id"]]
        asks = item["name"] in ("release", "prepare", "promote")
        assert item["survey_enabled"] is asks
        if asks:
            assert [question["variable"] for question in item["survey_spec"]["spec"]] == ["version"]
    assert {name for name, item in templates.items() if item["allow_simultaneous"]} == {"rollback", "status"}
    schedule = store.named("schedules", "Retire old colors")
    assert schedule["unified_job_template"] == templates["retire"]["id"] and "FREQ=HOURLY" in schedule["rrule"]

    workflow = store.named("workflow_job_templates", "Release with approval")
    assert workflow["survey_enabled"] and workflow["survey_spec"]["spec"][0]["variable"] == "version"
    assert store.linked(workflow, "notification_templates_approvals") == [notification["id"]]
    nodes = {item["identifier"]: item for item in store.objects["workflow_job_template_nodes"].values()}
    ways = {
        (name, kind): store.linked(node, kind)
        for name, node in nodes.items()
        for kind in ("success_nodes", "failure_nodes", "always_nodes")
    }
    assert {way: found for way, found in ways.items() if found} == {
        ("prepare", "success_nodes"): [nodes["approve"]["id"]],
        ("approve", "success_nodes"): [nodes["promote"]["id"]],
        ("promote", "failure_nodes"): [nodes["rollback"]["id"]],
    }
    for name in ("prepare", "promote", "rollback"):
        assert nodes[name]["unified_job_template"] == templates[name]["id"]
    approval = store.objects["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert approval["timeout"] == 3600


def test_again_it_makes_nothing_twice(store: Store, tmp_path: Path) -> None:
    set_up(store, tmp_path)
    before = {endpoint: len(items) for endpoint, items in store.objects.items() if endpoint != "project_updates"}
    set_up(store, tmp_path, approval_timeout=60)
    after = {endpoint: len(items) for endpoint, items in store.objects.items() if endpoint != "project_updates"}
    assert after == before
    [approval] = store.objects["workflow_approval_templates"].values()
    assert approval["timeout"] == 60
