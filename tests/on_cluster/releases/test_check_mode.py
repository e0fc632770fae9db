# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judged by the audit log and by the objects themselves."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Application, Audit


def versions(app: Application) -> dict[str, Any]:
    """What every change of the application's objects would change as well."""
    objects = [*app.get("services"), *app.get("deployments"), *app.get("leases")]
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["generation"]
        if item["kind"] == "Deployment"
        else item["metadata"]["resourceVersion"]
        for item in objects
    }


def diff(output: str, sign: str) -> set[str]:
    """The lines that --diff shows as removed or added, as YAML would have them."""
    return {
        line[1:].strip().rstrip(",").replace('"', "")
        for line in output.splitlines()
        if line.startswith(sign) and not line.startswith(sign * 3)
    }


PLANNED = pytest.param(
    "release.yml", marks=pytest.mark.promise("--check --diff shows the whole release and writes nothing")
)


@pytest.fixture(scope="module", params=[PLANNED, "rollback.yml"])
def planned(request: pytest.FixtureRequest, app: Application, audit: Audit):
    """(playbook, its run in check mode, the requests it made), for a release, and then for the way back from it."""
    release = {"version": "2.0"} if request.param == "release.yml" else {}
    if not release:
        app.playbook("release.yml", version="2.0", bluegreen_scale_down_delay=0)
    before, mark = versions(app), audit.mark()
    run = app.playbook(request.param, "--check", "--diff", **release)
    assert versions(app) == before
    return request.param, run, audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")


def test_nothing_is_written_and_nobody_is_waited_for(planned) -> None:
    _playbook, run, requests = planned
    assert run.outcome == "planned", run.output
    assert not [str(request) for request in requests if request.writes]
    assert not [str(request) for request in requests if request.verb == "watch" or request.resource == "pods/proxy"]


def test_every_change_is_tried_on_the_api_server_and_shown(planned) -> None:
    playbook, run, requests = planned
    tried = [(request.resource, request.name) for request in requests if request.dry_run]
    removed, added = diff(run.output, "-"), diff(run.output, "+")
    assert ("services", "myapp") in tried
    if playbook == "release.yml":
        assert tried.count(("deployments", "app-green")) == 1 and ("deployments", "app-blue") in tried
        assert "app: myapp:1.0" in removed and "app: myapp:2.0" in added
        assert {"replicas: 1", "replicas: 3"} <= removed and {"replicas: 3", "replicas: 1"} <= added
        assert "version: blue" in removed and "version: green" in added
    else:
        assert "version: green" in removed and "version: blue" in added
