# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the documentation of the modules and the role as HTML to docs/build: `make docs`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import checkout

TARGET = checkout.ROOT / "docs" / "build"
# What the pages need beside what antsibull-docs writes; a configuration file would say no more. References into
# Ansible's own documentation stay plain text: resolving them would need the network. `make lint` checks all others.
SETTINGS = ["-C", "-D", "project=bluegreen.kubernetes", "-D", "extensions=sphinx_antsibull_ext",
            "-D", "html_theme=alabaster", "-D", "html_show_sphinx=0", "-D", "suppress_warnings=ref.ref"]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bluegreen-docs-") as name:
        source = Path(name) / "source"
        source.mkdir()
        for command in (
            ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
             "--dest-dir", source, "bluegreen.kubernetes"],
            ["sphinx-build", "-q", "-W", "--keep-going", *SETTINGS, source, TARGET],
        ):
            result = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, check=False)
            if result.returncode != 0:
                print(f"docs: {command[0]} failed (exit code {result.returncode}):\n{result.stdout}", file=sys.stderr)
                return 1
    print(f"docs: {TARGET / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
