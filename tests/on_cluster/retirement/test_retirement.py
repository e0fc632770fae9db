# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the old color's life, and its way back: `make retirement`.

Nothing waits for a day: what is due is made so by bluegreen_retire_after, or by an older switch in the recorded state.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import uuid
from collections.abc import Callable, Iterator

import pytest
from harness import ANNOTATION, QUICK, Application, Run, until
from traffic import Traffic

KEY, SECRET = "deployment.json", "bluegreen-myapp-blue"  # where a deleted blue is kept


@pytest.fixture
def app() -> Iterator[Application]:
    """The example application: green (2.0) was released, blue (1.0) is idle with one pod."""
    with Application(f"retirement-{uuid.uuid4().hex[:6]}") as app:
        assert app.playbook("release.yml", version="2.0", **QUICK).outcome == "released"
        yield app


def retire(app: Application, *arguments: str, **variables: object) -> Run:
    run = app.playbook("retire.yml", *arguments, **{"bluegreen_retire_after": 0, **variables})
    assert run.code == 0, run.output
    return run


def writes_nothing(app: Application, act: Callable[[], Run]) -> Run:
    """What an act returns; it must not have changed the Service or a Deployment."""

    def seen() -> list[tuple]:
        return [
            (
                item["metadata"]["name"],
                item["metadata"]["generation"] if item["kind"] == "Deployment" else 0,
                item["metadata"].get("annotations"),
            )
            for item in app.get("deployments,services")
        ]

    before = seen()
    run = act()
    assert seen() == before
    return run


def test_what_is_not_due_stays_and_says_until_when(app: Application) -> None:
    run = writes_nothing(app, lambda: retire(app, bluegreen_retire_after="24h"))
    assert run.outcome == "postponed"
    assert "blue (version 1.0, 1 of 1 pods ready) stays until 20" in run.output
    status = app.playbook("status.yml")
    assert "retires: blue is due at 20" in status.output and "green is live since 20" in status.output
    assert re.search(
        r"rollback: to blue \(version 1.0\), after 2 more of its pods are ready, about \d+ s", status.output
    )
    data = json.loads(next(line for line in status.output.splitlines() if "RUN: " in line).partition("RUN: ")[2])
    shown = data["bluegreen_status"]["myapp"]
    assert (shown["active_color"], shown["rollback_to"]["version"]) == ("green", "1.0")
    assert 0 < shown["rollback_seconds"] < 120 and shown["retires_at"].startswith("20")


@pytest.mark.promise("retired to zero: nothing is used, and a rollback has it up again")
def test_at_zero_it_uses_nothing_and_a_rollback_has_it_up_again(
    app: Application, record_property: Callable[[str, object], None]
) -> None:
    planned = writes_nothing(app, lambda: retire(app, "--check", "--diff"))
    assert planned.outcome == "planned" and "app-blue would have 0 replicas" in planned.output
    assert retire(app).outcome == "retired"
    assert app.deployment("blue")["spec"]["replicas"] == 0
    assert app.state["history"][0]["outcome"] == "released", "a retirement leaves no entry in the history"
    again = writes_nothing(app, lambda: retire(app))
    assert again.outcome == "unchanged"
    with Traffic(app.url("/api/status"), rate=60) as traffic:
        back = app.playbook("rollback.yml", **QUICK)
    assert back.outcome == "rolled_back", back.output
    record_property("figure", f"from 0 replicas back under traffic: {back.seconds:.1f} s for the whole rollback")
    assert traffic.report.failed == 0 and app.color == "blue"


@pytest.mark.promise("retired by deletion: the manifest is kept, and a rollback brings it back as it was")
def test_deleted_its_manifest_is_kept_and_comes_back_as_it_was(
    app: Application, record_property: Callable[[str, object], None]
) -> None:
    before = app.deployment("blue")
    # A run that was killed after it had kept an older manifest, and before it deleted anything.
    stale = {KEY: base64.b64encode(b"{}").decode()}
    kept = {"apiVersion": "v1", "kind": "Secret", "type": "bluegreen.kubernetes/deployment"}
    app.apply({**kept, "metadata": {"name": SECRET}, "data": stale})
    app.grant("retire-delete")
    assert retire(app, bluegreen_retire_mode="delete").outcome == "retired"
    assert [item["metadata"]["name"] for item in app.get("deployments") if item["metadata"]["name"] == "app-blue"] == []
    assert app.get("secret", SECRET)["data"] != stale
    again = retire(app, bluegreen_retire_mode="delete")
    assert again.outcome == "unchanged" and f"Secret {SECRET} keeps its manifest" in again.output
    status = Run(["status.yml"], app.variables(), env=app.credentials).finish()
    assert f"retired: blue; Secret {SECRET} keeps its manifest" in status.output
    with Traffic(app.url("/api/status"), rate=60) as traffic:
        back = app.playbook("rollback.yml", **QUICK)
    assert back.outcome == "rolled_back", back.output
    record_property("figure", f"from the kept manifest back under traffic: {back.seconds:.1f} s for the whole rollback")
    assert traffic.report.failed == 0 and app.color == "blue"
    after = app.deployment("blue")
    for item in (before, after):
        item["spec"].pop("replicas")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


@pytest.mark.promise("the old color is not retired when the new version has issues")
def test_a_live_version_with_issues_keeps_the_old_one(app: Application) -> None:
    broken = [{"name": "gone", "http": "/no-such-page"}]
    run = writes_nothing(app, lambda: retire(app, bluegreen_checks=broken))
    assert run.outcome == "postponed" and "checks failed on green" in run.output
    # The live Deployment has become Available after the traffic was moved to it.
    state = copy.deepcopy(app.state)
    state["history"][0]["switched_at"] = "2026-01-01T00:00:00.000Z"
    app.kubectl("annotate", "--overwrite", "service", "myapp", f"{ANNOTATION}state={json.dumps(state)}")
    run = writes_nothing(app, lambda: retire(app))
    assert run.outcome == "postponed" and "app-green became Available again" in run.output


def test_a_live_version_that_turns_unready_keeps_the_old_one() -> None:
    with Application(f"retirement-{uuid.uuid4().hex[:6]}") as app:
        release = app.playbook("release.yml", version="unhealthy-after-10s", **QUICK)
        assert release.outcome == "released", release.output
        until(lambda: not app.deployment("green")["status"].get("readyReplicas"), "green without a ready pod")
        run = writes_nothing(app, lambda: retire(app))
        assert run.outcome == "postponed" and "Deployment app-green is not Available" in run.output
