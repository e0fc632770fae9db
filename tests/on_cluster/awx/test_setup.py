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
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = "/api/v2/"
# What unified_job_templates lists.
UNIFIED = ("job_templates", "workflow_approval_templates", "projects", "inventory_sources")


class Store:
    """The objects of a controller, by endpoint and id. links: (object's URL, kind of link, id of the other)."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, dict[str, Any]]] = {}
        self.links: list[tuple[str, str, int]] = []
        self.address = ""
        self.update_status = "successful"
        self.add("organizations", {"name": "Default"})
        self.add("credential_types", {"name": "OpenShift or Kubernetes API Bearer Token"})

    def add(self, endpoint: str, values: dict[str, Any]) -> dict[str, Any]:
        number = sum(map(len, self.objects.values())) + 1
        url = f"{ROOT}{endpoint}/{number}/"
        kind = endpoint.removesuffix("s")
        related = {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"}
        if endpoint == "inventory_sources":
            values = {"organization": self.objects["inventories"][values["inventory"]]["organization"], **values}
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
            if key not in ("page_size", "id", "order_by"):
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
        elif sub == "stdout":
            self.answer(200, {"content": "fatal: could not read from git.example.com"})
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
            status = self.store.update_status
            ended = {"status": status, "finished": "2026-01-01", "failed": status != "successful", "name": item["name"]}
            updates = {"projects": "project_updates", "inventory_sources": "inventory_updates"}[endpoint]
            self.answer(202, self.store.add(updates, ended))
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


def set_up(store: Store, directory: Path, code: int = 0, **variables: Any) -> Run:
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
    assert run.code == code, run.output
    return run


def changed_tasks(run: Run) -> set[str]:
    tasks = run.output.split("TASK [")[1:]
    return {task.partition("]")[0] for task in tasks if "changed: [localhost]" in task}


def messages(context: dict[str, Any], kind: str, state: str = "") -> tuple[str, dict[str, Any]]:
    """A notification as AWX renders it: with a sandboxed Jinja of its own, and nothing of Ansible's."""
    found = json.loads((PROJECT / "controller" / "messages.json").read_text())[kind]
    templates = found[state] if state else found
    render = ImmutableSandboxedEnvironment().from_string
    return render(templates["message"]).render(**context), json.loads(render(templates["body"]).render(**context))


def test_a_notification_says_what_happened() -> None:
    result = {"myapp": {"outcome": "reverted", "msg": 'switched back; blue (version 1.0) is live. "health" failed'}}
    job = {"id": 7, "name": "promote", "job_type": "run", "status": "failed", "artifacts": {"bluegreen_result": result}}
    text, body = messages({"job": job, "url": "https://awx.example.com/7"}, "error")
    assert "promote #7 (run) failed. myapp: REVERTED, switched back; blue (version 1.0) is live." in text
    assert body["results"] == result and body["job_type"] == "run"
    text, body = messages({"job": {"id": 8, "name": "Release with approval", "status": "failed"}, "url": "u"}, "error")
    assert text == "Release with approval #8 (workflow) failed. u" and body["results"] == {}
    data = {"id": 9, "name": "Promote", "created_by": "ada", "extra_vars": json.dumps({"version": "2.0"})}
    asked = {"job_metadata": json.dumps(data, indent=4), "approval_status": "running", "workflow_url": "w"}
    text, body = messages(asked, "workflow_approval", "running")
    assert '\\"version\\": \\"2.0\\"' in text and body["workflow"] == data


def test_what_is_set_up(store: Store, tmp_path: Path) -> None:
    run = set_up(store, tmp_path, webhook_url="https://chat.example.com/hook")
    assert "token-of-kubernetes" not in run.output

    playbooks = {path.name for path in PROJECT.glob("*.yml")}
    templates = {item["name"]: item for item in store.objects["job_templates"].values()}
    assert {item["playbook"] for item in templates.values()} == playbooks
    assert [name for name, item in templates.items() if item["job_type"] == "check"] == ["plan"]
    assert [name for name, item in templates.items() if item["diff_mode"]] == ["plan"]
    credential = store.named("credentials", "Cluster")
    assert credential["inputs"] == {
        "host": "https://api.example.com:6443",
        "bearer_token": "token-of-kubernetes",
        "verify_ssl": True,
        "ssl_ca_cert": "a certificate authority",
    }
    notification = store.named("notification_templates", "Releases")
    told = {
        (name, kind)
        for name, item in templates.items()
        for kind in ("success", "error", "started")
        if store.linked(item, f"notification_templates_{kind}") == [notification["id"]]
    }
    moves = ("release", "promote", "rollback")
    assert told == {
        *((name, "success") for name in moves),
        *((name, "error") for name in (*moves, "prepare", "retire")),
    }
    for item in templates.values():
        assert item["ask_limit_on_launch"]
        assert store.linked(item, "credentials") == [credential["id"]]
        asks = item["name"] in ("release", "plan", "prepare", "promote")
        assert item["survey_enabled"] is asks
        if asks:
            assert [question["variable"] for question in item["survey_spec"]["spec"]] == ["version"]
    assert {name for name, item in templates.items() if item["allow_simultaneous"]} == {"rollback", "status"}
    schedule = store.named("schedules", "Retire old colors")
    assert schedule["unified_job_template"] == templates["retire"]["id"] and "FREQ=HOURLY" in schedule["rrule"]

    workflow = store.named("workflow_job_templates", "Release with approval")
    assert workflow["survey_enabled"] and workflow["survey_spec"]["spec"][0]["variable"] == "version"
    assert store.linked(workflow, "notification_templates_approvals") == [notification["id"]]
    assert workflow["ask_limit_on_launch"]
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
        ("rollback", "always_nodes"): [nodes["not released"]["id"]],
        ("project", "success_nodes"): [nodes["inventory"]["id"]],
    }
    for name in ("prepare", "promote", "rollback", "not released"):
        assert nodes[name]["unified_job_template"] == templates[name]["id"]
    approval = store.objects["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert approval["timeout"] == 3600


def test_no_job_depends_on_git(store: Store, tmp_path: Path) -> None:
    """What was pushed is fetched by a workflow of its own: the project first, then the inventory from its revision."""
    set_up(store, tmp_path)
    project, source = (
        store.named("projects", "Releases"),
        store.named("inventory_sources", "Applications of the project"),
    )
    assert project["scm_update_on_launch"] is False and source["update_on_launch"] is False
    assert len(store.objects["inventory_updates"]) == 1, "without an inventory nothing can be released"
    nodes = {item["identifier"]: item for item in store.objects["workflow_job_template_nodes"].values()}
    assert nodes["project"]["unified_job_template"] == project["id"]
    assert nodes["inventory"]["unified_job_template"] == source["id"]
    scheduled = {item["unified_job_template"] for item in store.objects["schedules"].values()}
    # A project whose last update has failed lets no job start.
    assert not scheduled & {project["id"], store.named("workflow_job_templates", "Fetch from Git")["id"]}


def test_what_failed_in_the_update_of_the_project_is_shown(store: Store, tmp_path: Path) -> None:
    store.update_status = "failed"
    run = set_up(store, tmp_path, code=2)
    assert "fatal: could not read from git.example.com" in run.output.rpartition("TASK [")[2]


def test_again_it_makes_nothing_twice(store: Store, tmp_path: Path) -> None:
    updates = ("project_updates", "inventory_updates")
    set_up(store, tmp_path)
    before = {endpoint: len(items) for endpoint, items in store.objects.items() if endpoint not in updates}
    again = set_up(store, tmp_path)
    # awx.awx fetches the inventory anew, and compares an approval with a field that AWX has not. A real AWX shows no secret,
    # so there the credential is a third.
    assert changed_tasks(again) == {"Inventory, for the first time", "Workflow"}
    set_up(store, tmp_path, approval_timeout=60)
    after = {endpoint: len(items) for endpoint, items in store.objects.items() if endpoint not in updates}
    assert after == before
    [approval] = store.objects["workflow_approval_templates"].values()
    assert approval["timeout"] == 60
