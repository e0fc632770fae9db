# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick start, and the way from a kubectl script, followed to the letter: from the built artifact, in an empty directory.

The application is storefront.yml: its names, labels and containers are not the defaults. Only the namespace, the place that
the collection is installed from and the delay before the scale-down are others than the page says. What the page shows after
an ansible-playbook command must be seen, but for numbers. The way from one Deployment is gone while users are watched.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import artifact
import harness
import pytest
import yaml
from blocks import Block, blocks
from checkout import ROOT
from traffic import Traffic

PAGE = "docs/quickstart.md"
STOREFRONT = yaml.safe_load((ROOT / "tests" / "on_cluster" / "quickstart" / "storefront.yml").read_text())


@pytest.fixture
def namespace() -> Iterator[str]:
    """Where the application runs."""
    name = f"quickstart-{uuid.uuid4().hex[:6]}"
    harness.kubectl("create", "namespace", name)
    harness.kubectl("label", "namespace", name, f"{harness.OURS}=true")
    yield name
    harness.kubectl("delete", "namespace", name, "--wait=false")


def deploy(namespace: str, application: dict[str, Any]) -> None:
    harness.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(application))
    harness.kubectl("-n", namespace, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s")


class Reader:
    """Types what the page says, in one shell that goes on, at a home of its own."""

    def __init__(self, home: Path, package: Path, namespace: str) -> None:
        self.home, self.package, self.namespace = home, package, namespace
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANSIBLE_", "K8S_AUTH_", "VIRTUAL_ENV"))
        }
        # The cache of pip stays where it is, and Python is the one that the tools have been made from.
        tools = os.pathsep.join(
            [str(Path(harness.command("kubectl")).parent), str(Path(sys.base_prefix) / "bin"), "/usr/bin", "/bin"]
        )
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        self.environ = {
            **kept,
            "HOME": str(home),
            "PATH": tools,
            "KUBECONFIG": harness.kubeconfig(),
            "XDG_CACHE_HOME": cache,
            "XDG_CONFIG_HOME": config,
            "ANSIBLE_NOCOLOR": "1",
            "PIP_NO_COMPILE": "1",
        }
        self.directory = home / "work"
        self.directory.mkdir()
        self.typed: list[str] = []

    def own(self, text: str) -> str:
        """What the page says, with what is the reader's own."""
        text = text.replace("collection install bluegreen.kubernetes", f"collection install {self.package}")
        text = text.replace("-n web ", f"-n {self.namespace} ").replace(
            "bluegreen_namespace: web", f"bluegreen_namespace: {self.namespace}"
        )
        delay = rf"\1\2\n\1bluegreen_scale_down_delay: {harness.DELAY}"
        return re.sub(r"^( *)(bluegreen_services:.*)$", delay, text, flags=re.MULTILINE)

    def save(self, block: Block) -> None:
        assert block.file, f"{block} does not say which file it is"
        (self.directory / block.file).write_text(self.own(block.text))

    def type(self, block: Block) -> str:
        """Run the commands of a block, after what the shell has been told before; what they print."""
        lasting = [line for line in self.typed if line.startswith((". ", "export "))]
        script = "\n".join(["set -e", *lasting, self.own(block.text)])
        self.typed += self.own(block.text).splitlines()
        result = subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert result.returncode == 0, f"{block}\n{block.text}\n{result.stdout}"
        return result.stdout


def shapes(text: str) -> list[str]:
    """Lines, with numbers and spaces of any length the same, and the page's registry taken away."""
    text = text.replace("registry.example.com/storefront", "myapp")
    return [" ".join(re.sub(r"\d+(\.\d+)*", "#", line).strip(' ",').split()) for line in text.splitlines()]


@pytest.mark.promise("the quick start does what the page says")
def test_quick_start(namespace: str, tmp_path: Path) -> None:
    deploy(namespace, STOREFRONT)
    reader = Reader(tmp_path, artifact.build(tmp_path), namespace)
    typed, output, compared = "", "", 0
    for block in blocks(PAGE):
        if block.kind in ("yaml", "ini"):
            reader.save(block)
        elif block.kind == "shell":
            typed, output = block.text, reader.type(block)
        elif block.kind == "text" and "ansible-playbook" in typed:
            seen = shapes(output)
            missing = [line for line in shapes(block.text) if line not in ("", "...") and line not in seen]
            assert missing == [], f"{block} shows what was not to be seen: {missing}\n{output}"
            compared += 1
    assert compared == 3
    service = harness.kubectl("-n", namespace, "get", "service", "storefront", "--output=jsonpath={.spec.selector}")
    assert service == '{"app":"storefront","track":"b"}'
    image = "jsonpath={.spec.template.spec.containers[*].image}"
    assert (
        harness.kubectl("-n", namespace, "get", "deployment", "storefront-b", f"--output={image}")
        == "myapp:3.0 myapp-postgres:15"
    )


def one_deployment() -> dict[str, Any]:
    """The storefront before it had colors: a Service that selects by its name, and one Deployment."""
    service, deployment, _other = copy.deepcopy(STOREFRONT["items"])
    deployment["metadata"]["name"] = "storefront"
    for labels in (
        service["spec"]["selector"],
        deployment["spec"]["selector"]["matchLabels"],
        deployment["spec"]["template"]["metadata"]["labels"],
    ):
        del labels["track"]
    return {"apiVersion": "v1", "kind": "List", "items": [service, deployment]}


def edited(text: str) -> str:
    """storefront-a.yml as the page says that it is to be edited."""
    deployment = yaml.safe_load(text)
    deployment["metadata"]["name"] = "storefront-a"
    for labels in (deployment["spec"]["selector"]["matchLabels"], deployment["spec"]["template"]["metadata"]["labels"]):
        labels["track"] = "a"
    del deployment["status"]
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del deployment["metadata"][field]
    return yaml.safe_dump(deployment)


def test_from_one_deployment(namespace: str, tmp_path: Path) -> None:
    deploy(namespace, one_deployment())
    reader = Reader(tmp_path, artifact.build(tmp_path), namespace)
    reader.type(next(block for block in blocks(PAGE) if block.kind == "shell"))  # installs the collection
    page = blocks("docs/from-kubectl.md")
    reader.save(next(block for block in page if block.file == "inventory.yml"))
    address = harness.kubectl("-n", namespace, "get", "service", "storefront", "--output=jsonpath={.spec.clusterIP}")
    with Traffic(f"http://{address}/api/status", rate=60, timeout=8) as traffic:
        save, *then = (block for block in page if block.kind == "shell")
        reader.type(save)
        file = reader.directory / "storefront-a.yml"
        file.write_text(edited(file.read_text()))
        for block in then:
            reader.type(block)
        assert traffic.flowing()
    assert not traffic.report.failed, traffic.report.line()
    assert "2.0" in {version for versions in traffic.report.answers.values() for version in versions}, (
        traffic.report.line()
    )
    deployments = harness.kubectl("-n", namespace, "get", "deployments", "--output=name").split()
    assert deployments == ["deployment.apps/storefront-a", "deployment.apps/storefront-b"]
