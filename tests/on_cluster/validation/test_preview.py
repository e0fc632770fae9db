# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview Service shows the idle colour while a release is prepared, and never what is live."""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Callable

import pytest
from harness import Application, Audit, Request, until

PREVIEW = "myapp-preview"
CHECK = {
    "name": "preview",
    "http": "/api/status",
    "via": "service_proxy",
    "service": PREVIEW,
    "retries": 5,
    "expect": {"json": {"version": "{{ bluegreen_expected_version }}"}},
}


def with_preview(manifests: list[dict]) -> None:
    service = copy.deepcopy(
        next(item for item in manifests if item["kind"] == "Service" and item["metadata"]["name"] == "myapp")
    )
    service["metadata"]["name"] = PREVIEW
    service["spec"]["selector"]["version"] = "none"
    service["spec"].pop("type", None)
    for port in service["spec"]["ports"]:
        port.pop("nodePort", None)
    manifests.append(service)


def shown(app: Application) -> str:
    return app.get("service", PREVIEW)["spec"]["selector"]["version"]


def endpoints(app: Application) -> set[str]:
    """The names of the pods that it leads to; pods that still finish what they have, and get nothing new, are not ready."""
    slices = app.get("endpointslices", "", f"--selector=kubernetes.io/service-name={PREVIEW}")
    return {
        endpoint["targetRef"]["name"]
        for piece in slices
        for endpoint in piece.get("endpoints") or []
        if endpoint["conditions"]["ready"]
    }


def never_live(requests: list[Request]) -> list[tuple[str, str]]:
    """What the preview was made to show, in order; at no time it was what the Service showed at that time."""
    live, preview, seen = "blue", "none", []
    for request in requests:
        for operation in (
            request.body if isinstance(request.body, list) and request.status == 200 and request.writes else []
        ):
            if operation["path"] != "/spec/selector" or operation["op"] != "replace":
                continue
            shows = operation["value"]["version"]
            if request.name == PREVIEW:
                # What is shown already may be written again, with the id of the run that wants it.
                seen += [shows] * (shows != preview)
                preview = shows
            elif request.name == "myapp":
                live = shows
            assert live != preview, f"{request} makes the preview show what is live"
    return seen


@pytest.mark.promise("the preview Service shows the new version before it is live")
def test_preview(new_app: Callable[..., Application]) -> None:
    app = new_app(change=with_preview)
    app.grant("service-checks")
    audit = Audit()
    mark = audit.mark()
    prepared = app.playbook(
        "../../playbooks/prepare.yml",
        "--inventory=inventory",
        version="2.0",
        bluegreen_hosts="myapp",
        bluegreen_preview_service=PREVIEW,
        bluegreen_checks=[*app.variables()["bluegreen_checks"], CHECK],
    )
    assert prepared.outcome == "prepared", prepared.output[-4000:]
    assert (app.color, shown(app)) == ("blue", "green")
    green = {pod["metadata"]["name"] for pod in app.pods("green")}
    until(lambda: endpoints(app) == green, "the preview Service leads to green's pods", 10)
    address = app.get("service", PREVIEW)["spec"]["clusterIP"]
    with urllib.request.urlopen(f"http://{address}/api/status", timeout=10) as answer:
        assert json.load(answer)["version"] == "2.0"
    promoted = app.playbook(
        "../../playbooks/promote.yml",
        "--inventory=inventory",
        version="2.0",
        bluegreen_hosts="myapp",
        bluegreen_preview_service=PREVIEW,
        bluegreen_scale_down_delay=0,
    )
    assert promoted.outcome == "released", promoted.output[-4000:]
    assert (app.color, shown(app)) == ("green", "none")
    until(lambda: not endpoints(app), "the preview Service leads nowhere", 10)

    failed = app.playbook("release.yml", version="wrong-version", bluegreen_preview_service=PREVIEW)
    assert failed.outcome == "aborted", failed.output[-4000:]
    assert (app.color, shown(app)) == ("green", "none")

    run = app.start(
        "release.yml",
        version="slow-start",
        bluegreen_preview_service=PREVIEW,
        bluegreen_checks=[{"name": "long", "command": "sh -c 'sleep 300'", "timeout": 300, "pods": "one"}],
    )
    try:
        run.wait_for("run all checks on blue")  # the headline of the task after it
        assert shown(app) == "blue"
    finally:
        run.kill()
    back = app.playbook("rollback.yml", bluegreen_preview_service=PREVIEW, bluegreen_scale_down_delay=0)
    assert back.outcome == "rolled_back", back.output[-4000:]
    assert shown(app) == "none"
    assert never_live(audit.since(mark, namespace=app.namespace)) == ["green", "none", "blue", "none", "blue", "none"]


def test_a_mistake_is_refused_before_anything(new_app: Callable[..., Application]) -> None:
    app = new_app(change=with_preview)
    app.grant("service-checks")
    audit = Audit()
    mark = audit.mark()
    for name, text in (("myapp", "carry the users' traffic"), ("nobody", "does not exist")):
        run = app.playbook("release.yml", version="2.0", bluegreen_preview_service=name)
        assert run.outcome == "refused" and text in run.output, run.output[-3000:]
    ours = [
        request
        for request in audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
        if request.writes
    ]
    assert not ours
