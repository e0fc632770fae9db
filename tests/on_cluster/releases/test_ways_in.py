# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same release, called in each of the ways that the documentation names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from checkout import ROOT
from harness import EXAMPLE, Application, Run, command

PLAY = [
    {
        "name": "A play of one's own",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Release", "ansible.builtin.include_role": {"name": "bluegreen.kubernetes.bluegreen"}}],
    }
]


def released(app: Application, run: Run, version: str) -> None:
    """The run has put this version live."""
    assert run.finish().code == 0, run.output
    assert (run.outcome, run.result["version"]) == ("released", version), run.output
    live = app.deployment(app.color)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == f"myapp:{version}"


def quick(app: Application, version: str) -> list[str]:
    """The options of a release that does not keep the test waiting."""
    return ["-e", f"version={version}", "-e", json.dumps(app.variables(bluegreen_scale_down_delay=0))]


@pytest.mark.promise("way in: a playbook of four lines")
def test_a_playbook_of_four_lines(app: Application) -> None:
    released(app, Run(["release.yml", *quick(app, "2.0")], cwd=EXAMPLE, env=app.credentials), "2.0")


@pytest.mark.promise("way in: the collection's playbook")
def test_the_playbook_of_the_collection(app: Application, tmp_path: Path) -> None:
    arguments = ["bluegreen.kubernetes.release", "-i", str(EXAMPLE / "inventory"), *quick(app, "3.0")]
    released(app, Run(arguments, cwd=tmp_path, env=app.credentials), "3.0")


@pytest.mark.promise("way in: the role")
def test_the_role_in_a_play_of_ones_own(app: Application, tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump(PLAY))
    arguments = [str(play), *quick(app, "1.0"), "-e", '{"bluegreen_services": ["myapp"]}']
    released(app, Run(arguments, cwd=tmp_path, env=app.credentials), "1.0")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built and installed as users get it, where there is no other."""
    directory = tmp_path_factory.mktemp("installed")
    galaxy = [command("ansible-galaxy"), "collection"]
    subprocess.run([*galaxy, "build", "--output-path", directory], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    [artifact] = directory.glob("*.tar.gz")
    subprocess.run(
        [*galaxy, "install", artifact, "-p", directory],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": str(Path(galaxy[0]).parent), "HOME": str(directory)},
    )
    return directory


def test_the_installed_artifact(app: Application, installed: Path) -> None:
    """The example that comes with it, and the collection's playbook."""
    example = installed / "ansible_collections" / "bluegreen" / "kubernetes" / "examples" / "myapp"
    elsewhere = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "HOME": str(installed), **app.credentials}
    for arguments in (
        ["release.yml", *quick(app, "2.0")],
        ["bluegreen.kubernetes.release", "-i", "inventory", *quick(app, "3.0")],
    ):
        run = Run([*arguments, "-vvv"], cwd=example, env=elsewhere)
        released(app, run, "2.0" if arguments[0] == "release.yml" else "3.0")
        assert f"statically imported: {installed}/ansible_collections/bluegreen/kubernetes/roles/" in run.output
        assert "/checkouts/" not in run.output
