# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection in what an execution environment has: ansible-core, the packages that the collection names, the artifact.

An image cannot be built without a container engine and the network; what ansible-builder makes of the definition is looked
at by `make lint` (tests/tools/artifact.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import artifact
import pytest
from checkout import ROOT
from harness import Application, kubeconfig


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A new virtual environment and the collection, and nothing else of this machine's Python and Ansible."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run(
        [
            venv / "bin" / "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "ansible-core",
            "-r",
            ROOT / "meta" / "ee-requirements.txt",
        ],
        check=True,
    )
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "K8S_AUTH_", "PYTHON"))
    }
    environ |= {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "KUBECONFIG": kubeconfig(),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
    }
    subprocess.run(
        ["ansible-galaxy", "collection", "install", artifact.build(tmp_path), "-p", tmp_path / "collections"],
        env=environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return environ


def test_smoke(environment: dict[str, str], tmp_path: Path) -> None:
    with Application(f"ee-{uuid.uuid4().hex[:6]}") as app:
        run = subprocess.run(
            [
                "ansible-playbook",
                "-i",
                "localhost,",
                ROOT / "tests" / "on_cluster" / "quickstart" / "smoke.yml",
                "-c",
                "local",
                "-e",
                f"app_namespace={app.namespace}",
            ],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout
    assert "failed=0" in run.stdout and "ok=6" in run.stdout
