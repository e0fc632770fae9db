# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs to their end: what people see meanwhile, what the job hands on, what the cluster remembers."""

from __future__ import annotations

import json

import pytest
from controller import PROJECT, USER, Controller
from harness import Application, Audit
from traffic import Traffic


@pytest.mark.promise("a release is a job in AWX")
def test_release_as_a_job(app: Application, controller: Controller, traffic: Traffic) -> None:
    """From the survey to the live version; progress comes while it works."""
    job = controller.launch("release", {"version": "2.0"})
    steps = [
        job.wait_for(text)
        for text in (
            "app-green gets myapp:2.0",
            "app-green: 3 of 3 pods ready",
            "health: 3 of 3 passed",
            "blue keeps its 3 pods",
        )
    ]
    assert steps == sorted(steps)
    job.finish()
    ended = job.events()[-1]["came"]
    assert job.status == "successful" and app.color == "green", job.output
    # The last of these lines is said at the beginning of the delay, and must not come only when that is over.
    assert ended - steps[-1] > 2, "progress came only with the end of its task"
    assert job.result["outcome"] == "released" and job.result["version"] == "2.0"
    assert job.result["previous_version"] == "1.0"

    entry = app.state["history"][0]
    assert (entry["by"], entry["job"]) == (USER, f"{job.id} release")
    status = controller.launch("status").finish()
    assert f"{USER}  {job.id} release" in status.output


def test_the_answer_stays_text_and_is_no_template(app: Application, controller: Controller) -> None:
    for answer in ("1.10", '"1.10"'):
        job = controller.launch("release", {"version": answer}, arguments="--check --diff").finish()
        assert job.result["outcome"] == "planned" and "myapp:1.10" in job.output, job.output
    job = controller.launch("release", {"version": "{{ lookup('env', 'K8S_AUTH_API_KEY') }}"}).finish()
    assert job.status == "failed" and job.result["outcome"] == "refused"
    assert "cannot be an image tag" in job.output
    assert json.loads(app.kubeconfig().read_text())["users"][0]["user"]["token"] not in json.dumps(job.events())
    assert app.color == "blue"


def test_a_plan_writes_nothing(app: Application, controller: Controller) -> None:
    audit = Audit()
    mark = audit.mark()
    job = controller.launch("release", {"version": "2.0"}, arguments="--check --diff").finish()
    assert job.status == "successful" and job.result["outcome"] == "planned", job.output
    asked = [
        request
        for request in audit.since(mark, namespace=app.namespace)
        if request.user == f"system:serviceaccount:{app.namespace}:release"
    ]
    assert asked and not [str(request) for request in asked if request.writes]


def test_the_survey_asks_for_what_the_playbooks_need() -> None:
    survey = json.loads((PROJECT / "surveys" / "version.json").read_text())
    [question] = survey["spec"]
    assert (question["variable"], question["type"], question["required"]) == ("version", "text", True)
