# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judged by the audit log and by the users' requests."""

from __future__ import annotations

import pytest
from harness import DELAY, Application, Audit, Request, Run, within
from traffic import Report, Traffic

pytestmark = pytest.mark.alone  # they measure time


def back(app: Application, audit: Audit) -> tuple[Run, list[Request], Report]:
    """Roll back under traffic: the run, its requests to the API server, the users' requests."""
    mark = audit.mark()
    with Traffic(app.url("/api/status")) as traffic:
        run = app.playbook("rollback.yml", bluegreen_scale_down_delay=DELAY)
        assert traffic.flowing()
    return run, audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/"), traffic.report


def release(app: Application, version: str, idle_replicas: int) -> None:
    run = app.playbook(
        "release.yml", version=version, bluegreen_scale_down_delay=0, bluegreen_idle_replicas=idle_replicas
    )
    assert run.outcome == "released", run.output


@pytest.mark.promise("a rollback to a color at full strength is at once, and loses no request")
def test_within_a_second_at_full_strength(app: Application, audit: Audit) -> None:
    release(app, "2.0", idle_replicas=3)
    pods = app.uids("blue")

    run, requests, users = back(app, audit)

    assert (run.outcome, run.result["version"], app.color) == ("rolled_back", "1.0", "blue"), run.output
    [switch] = [request for request in requests if request.replaces("services", "myapp", "/spec/selector")]
    # From the first request to the API server to the switch.
    assert within(switch.received - requests[0].received, seconds=1), "\n".join(map(str, requests))
    assert app.uids("blue") == pods
    assert users.failures == {} and users.answers.keys() == {"blue", "green"}, users.line()


def test_pods_that_are_not_there_are_started_first(app: Application, audit: Audit) -> None:
    release(app, "3.0", idle_replicas=0)
    assert app.pods("blue") == []

    run, requests, users = back(app, audit)

    assert (run.outcome, run.result["version"], app.color) == ("rolled_back", "1.0", "blue"), run.output
    writes = [
        (request.resource, request.name)
        for request in requests
        if request.replaces("deployments", "app-blue", "/spec/replicas")
        or request.replaces("services", "myapp", "/spec/selector")
    ]
    assert writes == [("deployments", "app-blue"), ("services", "myapp")]
    assert len(app.pods("blue")) == 3
    assert users.failures == {} and users.answers.keys() == {"blue", "green"}, users.line()


def test_a_rollback_is_not_undone_by_another(app: Application, audit: Audit) -> None:
    mark = audit.mark()
    run = app.playbook("rollback.yml")
    assert (run.code, run.outcome, app.color) == (2, "refused", "blue"), run.output
    assert run.errors[0].startswith("There is nothing to roll back: ")
    assert not [str(request) for request in audit.since(mark, namespace=app.namespace) if request.writes]
