# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else changes while a release is under way is noticed, respected, or kept."""

from __future__ import annotations

import json

import pytest
from gateway import Match
from scene import Scene, cases
from stages import FIRST, SERVICES

OLD = {"app": "myapp", "version": "blue"}
# The edit comes before the switch looks at the Services, or between its last look and its write.
LAST_LOOK, WRITE = Match("bg_switch", "GET", FIRST), Match("bg_switch", "PATCH", SERVICES)
EDITS = {
    "selector-edited-before-the-write": (WRITE, {"app": None}),
    "color-label-removed": (LAST_LOOK, {"version": None}),
}
AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "app-blue"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app-blue"},
        "minReplicas": 5,
        "maxReplicas": 6,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ],
    },
}


@pytest.mark.parametrize(
    ("match", "edit"),
    cases(
        EDITS,
        promise={"selector-edited-before-the-write": "what somebody else changed meanwhile is not overwritten"},
    ),
)
def test_selector(scene: Scene, match: Match, edit: dict) -> None:
    run, gate = scene.start_held("release.yml", match, version="2.0", bluegreen_auto_rollback=False)
    new = {key: value for key, value in {**OLD, **edit}.items() if value is not None}
    scene.note(f"somebody makes the selector {new}")
    scene.app.kubectl("patch", "service", "myapp", f"--patch={json.dumps({'spec': {'selector': edit}})}")
    gate.open()
    run.finish()
    assert run.code != 0, run.output
    text = run.output.replace('\\"', '"')
    assert json.dumps(OLD, sort_keys=True) in text, "the selector that the release had seen is not shown"
    assert json.dumps(new, sort_keys=True) in text, "the selector that is there now is not shown"
    assert scene.service["spec"]["selector"] == new, "an edit was overwritten"
    assert not [request for request in run.written if request.resource == "deployments" and request.name == "app-blue"]
    assert scene.lock == "", "the lock is kept, although this run has ended"
    scene.nothing_lost()


def test_another_field(scene: Scene) -> None:
    run, gate = scene.start_held("release.yml", Match("bg_switch", "PATCH", SERVICES), version="2.0")
    edit = {
        "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "ours"}},
        "spec": {"ports": [{"port": 80, "name": "http", "targetPort": "http", "appProtocol": "http"}]},
    }
    scene.note("somebody changes the Service's label, annotation and port")
    scene.app.kubectl("patch", "service", "myapp", f"--patch={json.dumps(edit)}")
    gate.open()
    run.finish()
    assert run.outcome == "released", run.output
    service = scene.service
    assert service["metadata"]["labels"]["team"] == "shop" and service["metadata"]["annotations"]["note"] == "ours"
    assert service["spec"]["ports"][0]["appProtocol"] == "http"
    scene.live_and_whole("green", "2.0")
    scene.tidy()
    scene.nothing_lost()


def test_live_colour_scaled_before_the_switch(scene: Scene) -> None:
    tag = scene.prepare("release.yml")
    look = scene.gateway.hold(tag, Match("bg_switch", "GET", FIRST))
    write = scene.gateway.hold(tag, Match("bg_switch", "PATCH", SERVICES))
    run = scene.start("release.yml", tag, version="2.0", bluegreen_idle_replicas=5)
    scene.reach(run, look)
    scene.note("blue is scaled to 5 by an autoscaler")
    scene.app.apply(AUTOSCALER)
    scene.app.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=5", "deployment/app-blue", "--timeout=50s")
    look.open()
    scene.reach(run, write)
    assert scene.app.deployment("green")["status"]["readyReplicas"] == 5, "it is about to switch to fewer pods than 5"
    write.open()
    run.finish()
    assert run.outcome == "released", run.output
    scene.live_and_whole("green", "2.0", replicas=5)
    scene.nothing_lost()
