# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines and Argo CD: what stands in their files is run, and read."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from cases import one_of
from harness import DELAY, Application, Audit, environment
from recipe_files import RECIPES
from traffic import Traffic


def script(name: str) -> str:
    """What a pipeline's job runs."""
    pipeline = yaml.safe_load((RECIPES / name).read_text())
    if name.startswith("gitlab"):
        assert pipeline["release"]["artifacts"]["reports"]["junit"] == "report/*.xml"
        return "\n".join(pipeline["release"]["script"])
    assert set(pipeline["on"]) == {"push"}
    return next(step["run"] for step in pipeline["jobs"]["release"]["steps"] if "run" in step)


def pipeline(
    app: Application, directory: Path, name: str, version: str, **variables: Any
) -> subprocess.CompletedProcess[str]:
    """Run it as its runner does: its script by a shell that stops at the first failure, its variables in the environment."""
    config = json.loads(app.kubeconfig().read_text())
    directory.joinpath("extra").mkdir(exist_ok=True)
    for file in ("release.yml", "rollback.yml", "inventory"):
        if not (directory / file).exists():
            (directory / file).symlink_to(RECIPES / file)
    ca = directory / "extra" / "ca.pem"
    ca.write_bytes(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
    kept = {key: value for key, value in environment().items() if key in ("PATH", "ANSIBLE_COLLECTIONS_PATH", "LANG")}
    settings = {"team": app.namespace, "bluegreen_scale_down_delay": DELAY, **variables}
    (directory / "extra" / "vars.json").write_text(json.dumps(settings))
    run = script(name).replace("-i inventory", "-i inventory --limit myapp -e @extra/vars.json")
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", run],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        env={
            **kept,
            "HOME": str(directory),
            "CI_COMMIT_TAG": version,
            "GITHUB_REF_NAME": version,
            "K8S_AUTH_HOST": config["clusters"][0]["cluster"]["server"],
            "K8S_AUTH_API_KEY": config["users"][0]["user"]["token"],
            "K8S_AUTH_SSL_CA_CERT": str(ca) if name.startswith("gitlab") else "ca.pem",
            "K8S_CA": ca.read_text(),
        },
    )


@pytest.mark.parametrize(
    "name",
    one_of(["gitlab-ci.yml", "github-workflow.yml"], "gitlab-ci.yml", "a pipeline releases, and reports what failed"),
)
def test_pipeline(app: Application, traffic: Traffic, tmp_path: Path, name: str) -> None:
    good = pipeline(app, tmp_path, name, "2.0")
    assert good.returncode == 0 and app.color == "green", good.stdout
    [suite] = report(tmp_path)
    assert not suite.findall(".//failure") and len(suite.findall(".//testcase")) >= 2
    bad = pipeline(app, tmp_path, name, "3.0", bluegreen_checks=[{"name": "page", "http": "/nothing-there"}])
    assert bad.returncode == 2 and app.color == "green", bad.stdout
    [suite] = report(tmp_path)
    assert suite.findall(".//failure"), ElementTree.tostring(suite)


def report(directory: Path) -> list[ElementTree.Element]:
    return [ElementTree.parse(path).getroot() for path in (directory / "report").glob("*.xml")]


def test_argo_cd_leaves_alone_what_a_release_writes(app: Application) -> None:
    """Every field that a release and a rollback write is one whose difference is ignored."""
    audit = Audit()
    mark = audit.mark()
    for playbook, variables in (("release.yml", {"version": "2.0"}), ("rollback.yml", {})):
        assert app.playbook(playbook, bluegreen_scale_down_delay=0, **variables).code == 0
    rules = yaml.safe_load((RECIPES / "argocd-application.yml").read_text())["spec"]["ignoreDifferences"]
    written = {
        (request.resource, operation["path"])
        for request in audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/")
        if request.writes and isinstance(request.body, list) and request.resource in ("services", "deployments")
        for operation in request.body
        if operation["op"] != "test"
    }
    assert ("services", "/spec/selector") in written and ("deployments", "/spec/replicas") in written
    for resource, path in written:
        rule = next(rule for rule in rules if rule["kind"].lower() + "s" == resource)
        ignored = [*rule["jsonPointers"]]
        if resource == "deployments":
            assert rule["jqPathExpressions"] == [".spec.template.spec.containers[].image"]
            ignored.append("/spec/template/spec/containers/0/image")
        assert path in ignored, f"a release writes {path} of {resource}, and Argo CD would put it back"
