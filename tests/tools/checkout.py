# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tools of this work tree know about it: its place, its files, the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bluegreen-kubernetes"


def files() -> list[str]:
    """The paths of the project's files, relative to ROOT: tracked or new, not ignored, not deleted.

    Ends the program with git's own words when git cannot tell.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"This needs a git clone of the project, and in {ROOT} git says:\n{result.stderr.strip()}")
    return sorted(path for path in set(result.stdout.split("\0")) if path and os.path.lexists(ROOT / path))
