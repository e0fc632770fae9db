# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every ansible-test sanity test on a copy of the project and print a table: `make sanity`.

ansible-test wants to run inside ansible_collections/NAMESPACE/NAME and keeps what it needs under the home directory:
the copy is temporary, and its home is a directory of our cache, so that the virtual environments it makes are kept and
nobody's own ansible-test meets our bootstrap script.

antsibull-nox is not used because it runs ansible-test in containers alone, which need an engine and a registry.

A test can pass, fail, have nothing to look at ("not needed"), or not be able to run here ("NOT RUN", which is a
failure as well). There is no file of exceptions.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import checkout

HOME = checkout.CACHE / "ansible-test"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def call(*command: str | Path, **options: Any) -> str:
    """Run a command and return what it prints; when it fails, end the program with all it said."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        sys.exit(f"sanity: {' '.join(map(str, command))} failed:\n{(result.stdout + result.stderr).strip()}")
    return result.stdout


def prepare_home() -> None:
    """Put our bootstrap script, and the pip wheel it installs, where ansible-test looks for its own.

    Each ansible-core has its own version of pip, which only its source tells.
    """
    target = HOME / ".ansible" / "test" / "cache"
    target.mkdir(parents=True, exist_ok=True)
    package = importlib.util.find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        sys.exit(f"sanity: {sys.executable} has no ansible-test")
    source = Path(package.submodule_search_locations[0]) / "_internal" / "python_requirements.py"
    for version in set(re.findall(r"\bpip='([0-9.]+)'", source.read_text())):
        if not (target / f"pip-{version}-py3-none-any.whl").exists():
            call(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", target, f"pip=={version}")
        shutil.copy(
            Path(__file__).parent / "bootstrap" / "get_pip.py", target / f"get_pip_{version.replace('.', '_')}.py"
        )


def environment() -> dict[str, str]:
    """Our environment with the other home; pip keeps the user's settings and cache, which it seeks at home."""
    environ = dict(os.environ)
    environ.setdefault("XDG_CONFIG_HOME", str(Path.home() / ".config"))
    environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    legacy = Path.home() / ".pip" / "pip.conf"
    if legacy.exists():
        environ.setdefault("PIP_CONFIG_FILE", str(legacy))
    environ["HOME"] = str(HOME)
    return environ


def copy_project(target: Path) -> None:
    for path in checkout.files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout.ROOT / path, target / path, follow_symlinks=False)


def run_tests(target: Path, names: list[str]) -> list[str]:
    """Run the tests, naming each as it starts; return ansible-test's output line by line."""
    command = ["ansible-test", "sanity", "--local", "--python", PYTHON, "--color", "no", "--junit", "--failure-ok"]
    for name in names:
        command += ["--test", name]
    lines = []
    with subprocess.Popen(
        command,
        cwd=target,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith(("Running sanity test", "Installing requirements")):
                print(f"  {line.rstrip()}", flush=True)
    return lines


def verdict(target: Path, name: str) -> tuple[str, str]:
    """What ansible-test's report says about one test: the verdict and its details."""
    # A test that runs for each Python version has the version behind its name.
    pattern = re.compile(rf"ansible-test-sanity-{re.escape(name)}(-python-[0-9.]+)?\.xml")
    reports = [path for path in (target / "tests" / "output" / "junit").glob("*.xml") if pattern.fullmatch(path.name)]
    if not reports:
        return "NOT RUN", "ansible-test ended before it"
    # The reports are ansible-test's own, made a moment ago.
    for case in ElementTree.parse(reports[0]).iter("testcase"):
        for failure in case.iter("failure"):
            return "FAILED", failure.text or failure.get("message", "")
        for skipped in case.iter("skipped"):
            nothing = skipped.text == "No tests applicable."
            return ("not needed", "no file of its kind") if nothing else ("NOT RUN", skipped.text or "no reason given")
    return "passed", ""


def main() -> int:
    started = time.monotonic()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="bluegreen-sanity-") as directory:
        target = Path(directory) / "ansible_collections" / "bluegreen" / "kubernetes"
        copy_project(target)
        listed = call("ansible-test", "sanity", "--list-tests", cwd=target, env=environment()).split()
        lines = run_tests(target, listed)
        verdicts = {name: verdict(target, name) for name in listed}
    print()
    for name, (result, details) in verdicts.items():
        print(f"  {name:<24}{result}{': ' + details if result == 'not needed' else ''}")
    bad = {name: details for name, (result, details) in verdicts.items() if result.isupper()}
    for name, details in bad.items():
        print(f"\n{name}: {verdicts[name][0]}\n{details}")
    if any(result == "NOT RUN" for result, details in verdicts.values()):
        print("\nThe last lines of ansible-test:\n" + "\n".join(lines[-15:]))
    print(
        f"\nsanity: {len(listed) - len(bad)} of {len(listed)} tests hold, Python {PYTHON},"
        f" {time.monotonic() - started:.0f} s"
    )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
