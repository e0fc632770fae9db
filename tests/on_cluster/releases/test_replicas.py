# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judged by the audit log, which has the order and the times of what was written, and by the pods' conditions."""

from __future__ import annotations

import pytest
from harness import DELAY, Application, Audit, moment


@pytest.mark.promise(
    "the new color has the live one's number of pods before the switch, and the old one keeps its own for the delay"
)
def test_five_pods_before_the_switch_and_the_delay_after_it(app: Application, audit: Audit) -> None:
    app.kubectl("scale", "deployment/app-blue", "--replicas=5")
    app.wait("app-blue")

    mark = audit.mark()
    run = app.playbook("release.yml", version="2.0", bluegreen_scale_down_delay=f"{DELAY}s")
    assert run.outcome == "released", run.output

    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    [switch] = [request for request in requests if request.replaces("services", "myapp", "/spec/selector")]
    green = app.pods("green")
    ready = [
        moment(condition["lastTransitionTime"])
        for pod in green
        for condition in pod["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    assert len(ready) == len(green) == 5
    assert max(ready) <= switch.received

    [scaled] = [request for request in requests if request.replaces("deployments", "app-blue", "/spec/replicas")]
    assert scaled.received - switch.answered >= DELAY
    assert app.deployment("blue")["spec"]["replicas"] == 1


@pytest.mark.alone  # it measures time
def test_no_pod_is_left_where_none_is_wanted_and_no_delay_is_kept_where_it_is_zero(
    app: Application, audit: Audit
) -> None:
    mark = audit.mark()
    run = app.playbook("release.yml", version="3.0", bluegreen_scale_down_delay=0, bluegreen_idle_replicas=0)
    assert run.outcome == "released", run.output

    requests = audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
    [switch] = [request for request in requests if request.replaces("services", "myapp", "/spec/selector")]
    [scaled] = [request for request in requests if request.replaces("deployments", "app-green", "/spec/replicas")]
    assert 0 < scaled.received - switch.answered < DELAY
    assert app.deployment("green")["spec"]["replicas"] == 0
    assert app.deployment("blue")["spec"]["replicas"] == len(app.pods("blue")) == 5
