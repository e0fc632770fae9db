# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks say of good and of bad releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import CHECKS, EXAMPLE, Application, Run, kubectl

RBAC = EXAMPLE.parent / "rbac" / "release.yml"


def test_the_four_checks_and_the_script_with_api_access_only(
    new_app: Callable[..., Application], tmp_path: Path
) -> None:
    """The example's own checks and its smoke-tests.sh; the playbook runs where there is no way to the pods but the API."""
    app = new_app(postgres=True)
    script = {"name": "script", "command": "./smoke-tests.sh"}
    run = app.playbook("release.yml", version="2.0", bluegreen_report=str(tmp_path), bluegreen_scale_down_delay=0)
    assert run.outcome == "released", run.output[-4000:]
    run = app.playbook(
        "release.yml",
        version="3.0",
        bluegreen_report=str(tmp_path),
        bluegreen_scale_down_delay=0,
        bluegreen_checks=[script],
    )
    assert run.outcome == "released", run.output[-4000:]
    checks = json.loads((tmp_path / "myapp.json").read_text())["checks"]
    assert {(check["name"], check["via"], check["passed"]) for check in checks} == {("script", "port_forward", True)}
    assert {check["target"] for check in checks} == {pod["metadata"]["name"] for pod in app.pods(app.color)}

    run = app.playbook("release.yml", version="broken-db", bluegreen_checks=[script])
    assert run.outcome == "aborted"
    assert "FAILED  database" in run.output and "ok      health" in run.output, run.output[-4000:]
    assert app.deployment(app.color)["spec"]["template"]["spec"]["containers"][0]["image"] == "myapp:3.0"


@pytest.mark.promise("one bad pod of three is found, before the switch and after it")
def test_one_bad_pod_of_three(app: Application, tmp_path: Path) -> None:
    """Healthy, ready, and of another version: it is named, and the release is refused."""
    prepare = app.start(
        "release.yml",
        version="2.0",
        bluegreen_report=str(tmp_path),
        bluegreen_checks=[{"name": "pause", "command": "sh -c 'sleep 3'", "pods": "one"}],
        bluegreen_bake_time=60,
        bluegreen_bake_interval=1,
        bluegreen_bake_checks=CHECKS,
    )
    prepare.wait_for("bake: 1 of 1")
    bad = app.pods("green")[1]["metadata"]["name"]
    app.kubectl(
        "patch",
        "pod",
        bad,
        "--type=json",
        '--patch=[{"op": "replace", "path": "/spec/containers/0/image", "value": "myapp:wrong-version"}]',
    )
    prepare.finish()
    assert prepare.outcome == "reverted", prepare.output[-4000:]
    assert bad in prepare.output

    # The pod stays as it is, in a colour that is ready as a whole. Now the checks before the switch see it.
    app.kubectl("wait", "--for=condition=Ready", f"pod/{bad}", "--timeout=60s")
    again = app.playbook("release.yml", version="2.0", bluegreen_report=str(tmp_path))
    assert again.outcome == "aborted", again.output[-4000:]
    report = json.loads((tmp_path / "myapp.json").read_text())
    failed = [(check["name"], check["target"]) for check in report["checks"] if not check["passed"]]
    assert failed == [("version", bad)], failed
    assert len(report["checks"]) == 6
    assert bad in report["failure"] and "0.9" in report["failure"]
    assert app.color == "blue"


def test_no_false_refusals(new_app: Callable[..., Application], figure: Callable[[str], None]) -> None:
    """Good releases, one after the other, without retries, while old pods drain slowly: each is released."""
    app = new_app(env={"DRAIN": "10"})
    releases = 14
    for number in range(releases):
        run = app.playbook(
            "release.yml", version=f"{2 + number % 2}.0", bluegreen_scale_down_delay=0, bluegreen_idle_replicas=0
        )
        assert run.outcome == "released", f"release {number + 1} of {releases}: {run.output[-4000:]}"
    figure(f"{releases} good releases, old pods draining for 10 s: 0 refused. Argo Rollouts: 11 of 14")


def test_no_false_passes(new_app: Callable[..., Application], figure: Callable[[str], None]) -> None:
    """A release whose API is broken from the start comes right after a good one: it is refused every time."""
    app = new_app(env={"DRAIN": "10"})
    checks = [{"name": "health", "http": "/health"}, {"name": "api", "http": "/api/status"}]
    for number in range(6):
        good = app.playbook(
            "release.yml", version=f"{2 + number % 2}.0", bluegreen_scale_down_delay=0, bluegreen_checks=checks
        )
        assert good.outcome == "released", good.output[-4000:]
        idle = {"blue": "green", "green": "blue"}[app.color]
        app.kubectl("set", "env", f"deployment/app-{idle}", "FAIL_AFTER=0.001")
        bad = app.playbook("release.yml", version="1.0", bluegreen_template="idle", bluegreen_checks=checks)
        assert bad.outcome == "aborted", bad.output[-4000:]
        assert bad.result["reason"] == "checks_failed"
        app.kubectl("set", "env", f"deployment/app-{idle}", "FAIL_AFTER-")
    figure("6 broken releases right after good ones: 0 released. Argo Rollouts: 4 of 6")


@pytest.mark.promise("no secret is shown anywhere")
def test_secrets_are_nowhere(app: Application, tmp_path: Path) -> None:
    """Canaries in headers, in the environment of a command and in the kubeconfig."""
    canaries = {name: f"canary-{name}-4711" for name in ("header", "environment", "kubeconfig")}
    app.kubectl("create", "serviceaccount", "releaser")
    app.kubectl("apply", f"--filename={RBAC}")
    app.kubectl(
        "create", "rolebinding", "releaser", "--role=bluegreen-release", f"--serviceaccount={app.namespace}:releaser"
    )
    token = app.kubectl("create", "token", "releaser", "--duration=1h").strip()
    cluster = json.loads(kubectl("config", "view", "--raw", "--minify", "--output=json"))["clusters"][0]["cluster"]
    canaries["kubeconfig"] = token
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": app.namespace}}],
    }
    variables = tmp_path / "variables.json"  # not -e JSON: what is in an argument list is in the arguments of the test
    checks = [
        {"name": "with header", "http": "/nothing", "headers": {"X-Api-Key": canaries["header"]}},
        {
            "name": "with environment",
            "command": "sh -c 'echo I know $SECRET; exit 1'",
            "pods": "one",
            "env": {"SECRET": canaries["environment"]},
        },
    ]
    variables.write_text(
        json.dumps(
            app.variables(
                version="2.0",
                bluegreen_kubeconfig=config,
                bluegreen_report=str(tmp_path / "report"),
                bluegreen_checks=checks,
            )
        )
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    run = Run(
        [str(EXAMPLE / "release.yml"), f"--inventory={EXAMPLE / 'inventory'}", f"-e@{variables}", "-vvvv"],
        cwd=tmp_path,
        env={"TMPDIR": str(temporary), "ANSIBLE_LOCAL_TEMP": str(temporary)},
    )
    seen = set()
    while run.process.poll() is None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                seen.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    run.finish()
    assert run.outcome == "aborted", run.output[-4000:]
    assert "I know" in run.output
    places = {
        "output": run.output,
        "result": json.dumps(run.results),
        "state": json.dumps(app.get("service", "myapp")),
        "process arguments": "\n".join(seen),
    }
    for path in [*(tmp_path / "report").rglob("*"), *temporary.rglob("*")]:
        if path.is_file():
            places[str(path)] = path.read_text(errors="replace")
    assert {path.suffix for path in (tmp_path / "report").iterdir() if path.is_file()} == {".html", ".json", ".xml"}
    found = [
        f"{name} in {place}" for name, canary in canaries.items() for place, text in places.items() if canary in text
    ]
    assert not found
