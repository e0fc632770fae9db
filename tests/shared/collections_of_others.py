# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections of others that a test, or the bench, runs this one beside, taken from PyPI's ansible once and kept in the cache."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from checkout import CACHE
from cluster.toolchain import Failure

ANSIBLE = "12.3.0"  # the package whose collections go with the ansible-core of tests/requirements.txt
NAMES = ("awx.awx", "kubernetes.core")


def collections_path() -> Path:
    """A directory for ANSIBLE_COLLECTIONS_PATH that has them."""
    home = CACHE / f"collections-ansible-{ANSIBLE}"
    if home.exists():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"fetching {' and '.join(NAMES)} (in PyPI's ansible {ANSIBLE}, 54 MB) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--quiet",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            work,
            f"ansible=={ANSIBLE}",
        ]
        got = subprocess.run(pip, capture_output=True, text=True, check=False)
        if got.returncode:
            raise Failure(
                f"pip cannot download ansible {ANSIBLE}: {got.stderr.strip()[-1000:]}\n"
                "Check that this machine reaches its Python package index, and run this again."
            )
        wanted = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in NAMES)
        with zipfile.ZipFile(next(Path(work).glob("ansible-*.whl"))) as wheel:
            wheel.extractall(Path(work) / "tree", [name for name in wheel.namelist() if name.startswith(wanted)])
        try:
            (Path(work) / "tree").rename(home)
        except OSError:
            if not home.exists():  # else another run was faster
                raise
    return home
