# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's artifact, install it, and check that it is whole and holds nothing else.

- It holds exactly the project's files below SHIPPED: nothing of the test cluster, no cache, no generated file.
- Once installed, alone, Ansible documents every module and the role, and reads every playbook by its name.
- ansible-builder finds in it what an execution environment needs, and takes the example of one.
- Galaxy's own importer takes it.

antsibull-nox's build-import-check is not used because it does the first half of the last point only: it looks neither at what
is in the artifact nor at what Ansible makes of it once it is installed, and lets pass what the importer warns of.

Everything happens in a temporary directory. Exit code 0: all of it holds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import checkout

NAME = "bluegreen.kubernetes"
SHIPPED = (
    "changelogs",
    "docs",
    "examples",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "LICENSES",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "COPYING",
    "README.md",
    "REUSE.toml",
)
# What ansible-galaxy adds, and what it leaves out because MANIFEST.json holds its content.
ADDED = {"FILES.json", "MANIFEST.json"}
NOT_SHIPPED = ("changelogs/fragments/",)


class Failure(Exception):
    """The artifact is not as it should be; the text says how."""


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """Run a command and return what it prints on standard output; Failure with all its output if it fails."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def build(directory: Path) -> Path:
    """Build the artifact into a directory."""
    run("ansible-galaxy", "collection", "build", "--output-path", directory, cwd=checkout.ROOT)
    return next(directory.glob("*.tar.gz"))


def check_content(artifact: Path) -> None:
    """Compare what the artifact holds with what it should hold."""
    with tarfile.open(artifact) as archive:
        found = {member.name for member in archive if not member.isdir()} - ADDED
    wanted = {path for path in checkout.files() if path.split("/")[0] in SHIPPED and not path.startswith(NOT_SHIPPED)}
    lines = [f"{path} is in it, and should not be: see build_ignore in galaxy.yml" for path in sorted(found - wanted)]
    lines += [f"{path} is missing from it: see build_ignore in galaxy.yml" for path in sorted(wanted - found)]
    if lines:
        raise Failure(f"{artifact.name}:\n  " + "\n  ".join(lines))


def check_installed(artifact: Path, directory: Path) -> None:
    """Install the artifact where no other collection is, and have Ansible's programs read what it offers."""
    environ = {"ANSIBLE_COLLECTIONS_PATH": str(directory)}
    run("ansible-galaxy", "collection", "install", artifact, "-p", directory, cwd=directory, **environ)
    for kind, pattern in (("module", "plugins/modules/*.py"), ("role", "roles/*/")):
        names = [f"{NAME}.{path.stem}" for path in sorted(checkout.ROOT.glob(pattern))]
        if names:
            run("ansible-doc", "-t", kind, "--json", *names, cwd=directory, **environ)
    for playbook in sorted(checkout.ROOT.glob("playbooks/*.yml")):
        command = ("ansible-playbook", "-i", "localhost,", "--syntax-check", f"{NAME}.{playbook.stem}")
        run(*command, cwd=directory, **environ)
    found = run("ansible-builder", "introspect", directory, cwd=directory)
    needed = (checkout.ROOT / "meta" / "ee-requirements.txt").read_text().splitlines()
    missing = [line for line in needed if line and not line.startswith("#") and line not in found]
    if missing:
        raise Failure(f"ansible-builder does not see that {', '.join(missing)} is needed; it found:\n{found}")
    example = directory / "ansible_collections" / "bluegreen" / "kubernetes" / "examples" / "execution-environment"
    run(
        "ansible-builder",
        "create",
        "--file",
        example / "execution-environment.yml",
        "--context",
        directory / "context",
        cwd=directory,
    )


def check_import(artifact: Path, directory: Path) -> None:
    """Run Galaxy's importer. It lints as `make lint` does, so that part is left out."""
    environ = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false", "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true"}
    output = run(sys.executable, "-m", "galaxy_importer.main", artifact, cwd=directory, **environ)
    # Its exit code does not say everything.
    if re.search("ERROR|WARNING", output) or not (directory / "importer_result.json").exists():
        raise Failure(f"galaxy-importer finds fault with the artifact:\n{output}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bluegreen-artifact-") as name:
        directory = Path(name)
        try:
            artifact = build(directory)
            check_content(artifact)
            check_installed(artifact, directory)
            check_import(artifact, directory)
        except Failure as failure:
            print(failure)
            return 1
    print(f"{artifact.name} is whole, installs and imports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
