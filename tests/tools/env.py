# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the tools of this work tree ready: `make env`.

Outside the work tree, under ${XDG_CACHE_HOME:-~/.cache}/bluegreen-kubernetes:

- venv-HASH: a virtual environment with what tests/requirements.txt names, for all checkouts that ask for the same;
- checkouts/HASH/ansible_collections/bluegreen/kubernetes: a link to this checkout, so that Ansible and Python find the
  collection under its name.

In the work tree: `activate`, which puts both to use in a shell (`. ./activate`).

Says nothing when all is there. Needs nothing but Python's standard library. Safe to interrupt, and to run
twice at the same time.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from checkout import CACHE, ROOT

sys.path.append(str(ROOT / "tests"))
from cluster.toolchain import Failure, install_packages

# What the pinned ansible-core is tested with, newest first.
PYTHONS = ((3, 13), (3, 12), (3, 11))
REQUIREMENTS = [ROOT / "tests" / "requirements.txt", ROOT / "tests" / "constraints.txt"]


def say(text: str) -> None:
    print(f"env: {text}", flush=True)


def find_python(major: int, minor: int) -> str | None:
    """A Python of this version: on the PATH, or one that pyenv has installed."""
    name = f"python{major}.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"versions/*/bin/{name}")))]
    for candidate in candidates:
        # A version manager's shim can be on the PATH for a version it does not have.
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def use_supported_python() -> None:
    """Go on in another Python when this one is too old or too new; Failure if there is none."""
    if sys.version_info[:2] in PYTHONS:
        return
    for version in PYTHONS:
        other = find_python(*version)
        if other:
            os.execv(other, [other, *sys.argv])
    wanted = " or ".join(f"{major}.{minor}" for major, minor in reversed(PYTHONS))
    raise Failure(
        f"this is Python {sys.version.split()[0]}, the pinned ansible-core needs {wanted}, and none is on the PATH.\n"
        "Install one of them, with its venv module (Debian, Ubuntu: apt-get install python3-venv), and run this again."
    )


def require_venv_module() -> None:
    """Debian and Ubuntu ship Python without ensurepip: install it as root, else raise Failure."""

    def there() -> object:
        importlib.invalidate_caches()
        return importlib.util.find_spec("ensurepip")

    if not there():
        install_packages(
            f"{sys.executable} cannot make virtual environments: it lacks ensurepip.",
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv",
            there=there,
        )


def venv_path() -> Path:
    """The virtual environment's place: its name changes with the requirements and with the Python it is made from."""
    key = hashlib.sha256(f"{sys.version} {os.path.realpath(sys.executable)}".encode())
    for file in REQUIREMENTS:
        key.update(file.read_bytes())
    return CACHE / f"venv-{key.hexdigest()[:16]}"


def make_venv(venv: Path) -> None:
    """Create the virtual environment and install the requirements. The stamp, written last, says that it is whole."""
    stamp = venv / ".complete"
    if stamp.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(f"{venv}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists():
            return
        require_venv_module()
        started = time.monotonic()
        say(f"installing the tools of tests/requirements.txt into {venv} (about a minute)")
        shutil.rmtree(venv, ignore_errors=True)
        result = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failure(f"python -m venv failed:\n{(result.stdout + result.stderr).strip()}")
        pip_install(venv)
        stamp.touch()
        say(f"installed in {time.monotonic() - started:.0f} s")


def pip_install(venv: Path) -> None:
    """Install the requirements, saying every ten seconds what pip is doing."""
    command = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "-r",
        REQUIREMENTS[0],
    ]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(pip.stdout), daemon=True)  # type: ignore[arg-type]
        reader.start()
        while reader.is_alive():
            reader.join(10)
            if reader.is_alive() and lines:
                say(f"  ... {lines[-1].strip()[:100]}")
    if pip.returncode != 0:
        raise Failure(
            "pip could not install tests/requirements.txt; it said:\n"
            + "".join(lines[-15:]).rstrip()
            + "\nCheck that this machine reaches its Python package index, and run this again."
        )


def make_tree() -> Path:
    """Link this checkout as ansible_collections/bluegreen/kubernetes and return the directory to search in."""
    tree = CACHE / "checkouts" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    link = tree / "ansible_collections" / "bluegreen" / "kubernetes"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.symlink_to(ROOT)
        except FileExistsError:  # another run was faster, and the name of the directory says that it made the same link
            pass
    return tree


def write_activate(venv: Path, tree: Path) -> None:
    """Write the file that a shell sources (sh, bash, zsh; from any directory; more than once)."""
    text = f"""# Made by tests/tools/env.py. Use it with: . ./activate
_bluegreen_prepend() {{  # prints the list $2 with the directory $1 in front
    case "$2:" in "$1:"*) printf '%s' "$2" ;; *) printf '%s' "$1${{2:+:$2}}" ;; esac
}}
PATH=$(_bluegreen_prepend {shlex.quote(str(CACHE / "bin"))} "$PATH")
PATH=$(_bluegreen_prepend {shlex.quote(str(ROOT / ".cluster" / "bin"))} "$PATH")
PATH=$(_bluegreen_prepend {shlex.quote(str(venv / "bin"))} "$PATH")
ANSIBLE_COLLECTIONS_PATH=$(_bluegreen_prepend {shlex.quote(str(tree))} "${{ANSIBLE_COLLECTIONS_PATH:-}}")
KUBECONFIG=${{KUBECONFIG:-{shlex.quote(str(ROOT / ".cluster" / "kubeconfig"))}}}
export PATH ANSIBLE_COLLECTIONS_PATH KUBECONFIG
unset -f _bluegreen_prepend
hash -r 2>/dev/null || true
"""
    path = ROOT / "activate"
    if path.exists() and path.read_text() == text:
        return
    new = ROOT / f"activate.{os.getpid()}.new"
    new.write_text(text)
    new.replace(path)


def main() -> int:
    try:
        use_supported_python()
        venv = venv_path()
        make_venv(venv)
        write_activate(venv, make_tree())
    except Failure as failure:
        print(f"env: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"env: {error}\nThe tools live in {CACHE}; XDG_CACHE_HOME puts them elsewhere.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("env: interrupted; run it again, it starts anew where it must", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
