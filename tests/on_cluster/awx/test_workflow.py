# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prepare, approval, promote, on failure rollback: what is approved goes live, or nothing does."""

from __future__ import annotations

import pytest
from cases import one_of
from controller import Controller
from harness import Application
from traffic import Traffic


@pytest.mark.promise("in a workflow of AWX, what was approved goes live")
def test_what_was_approved_goes_live(app: Application, controller: Controller, traffic: Traffic) -> None:
    workflow = controller.workflow("2.0")
    prepared = next(workflow)
    assert prepared.result["outcome"] == "prepared", prepared.output
    assert app.color == "blue" and len(app.pods("green")) == 3
    promoted = next(workflow)
    assert promoted.result["outcome"] == "released", promoted.output
    assert app.color == "green" and not list(workflow)
    entry = next(entry for entry in app.state["history"] if entry.get("switched_at"))
    assert entry["job"] == f"{promoted.id} promote"


@pytest.mark.parametrize(
    "change", one_of(["template", "run"], "template", "in a workflow of AWX, what was not approved does not go live")
)
def test_what_was_not_approved_does_not(
    app: Application, controller: Controller, traffic: Traffic, change: str
) -> None:
    """And the rollback, which follows a promote that failed, leaves alone what was live before."""
    assert controller.launch("release", {"version": "2.0"}).finish().result["outcome"] == "released"
    workflow = controller.workflow("3.0")
    prepared = next(workflow)
    assert prepared.result["outcome"] == "prepared", prepared.output
    if change == "template":
        app.kubectl("set", "env", "deployment/app-blue", "BY_HAND=1")
        said = "The pod template of app-blue was changed since it was prepared."
    else:
        assert controller.launch("prepare", {"version": "3.0"}).finish().result["outcome"] == "prepared"
        said = "Another release was prepared since this one was approved."
    refused = next(workflow)
    assert refused.status == "failed" and refused.result["reason"] == "not_prepared", refused.output
    assert said in refused.result["msg"]
    back = next(workflow)
    assert back.status == "successful" and back.result["outcome"] == "unchanged", back.output
    assert app.color == "green", "the release before was rolled back in place of the one that was refused"
    assert app.deployment("green")["spec"]["template"]["spec"]["containers"][0]["image"] == "myapp:2.0"


def test_a_promote_that_was_killed_is_rolled_back(app: Application, controller: Controller, traffic: Traffic) -> None:
    """What failed and could not put things right itself."""
    handed_on = controller.launch("prepare", {"version": "2.0"}, workflow=True).finish().stats
    extra = {**handed_on, "version": "2.0"}
    promote = controller.launch("promote", extra, workflow=True, bluegreen_scale_down_delay=60)
    promote.wait_for("blue keeps its 3 pods")
    promote.cancel()
    assert app.color == "green" and promote.stats == {}
    back = controller.launch("rollback", extra, workflow=True).finish()
    assert back.result["outcome"] == "rolled_back", back.output
    assert app.color == "blue"


def test_a_promote_that_switched_back_stays_so(app: Application, controller: Controller, traffic: Traffic) -> None:
    """The workflow's version, which the rollback gets as well, is the one that failed, not one to go to."""
    failing = {"bluegreen_bake_time": 5, "bluegreen_bake_checks": [{"name": "never", "http": "/nothing-there"}]}
    handed_on = controller.launch("prepare", {"version": "2.0"}, workflow=True).finish().stats
    promote = controller.launch("promote", {**handed_on, "version": "2.0"}, workflow=True, **failing).finish()
    assert promote.result["outcome"] == "reverted", promote.output
    back = controller.launch("rollback", {**handed_on, **promote.stats, "version": "2.0"}, workflow=True).finish()
    assert back.result["outcome"] == "unchanged" and app.color == "blue", back.output
