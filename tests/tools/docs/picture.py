# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The captured output of a release as a picture of a terminal: docs/images/release.svg.

    script -qc 'stty cols 110; ansible-playbook bluegreen.kubernetes.release -e version=2.0 --limit storefront' typescript
    python tests/tools/docs/picture.py typescript

With the ansible.cfg of the quick start. What was replaced in the terminal is left out.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 110
COMMAND = "$ ansible-playbook bluegreen.kubernetes.release -e version=2.0 --limit storefront"


def main(capture: Path) -> int:
    text = "\n".join(
        line for line in capture.read_bytes().decode().replace("\r", "").split("\n") if not line.startswith("Script ")
    )
    text = re.sub(r"[^\n]*\n\033\[1A\033\[J", "", text)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"{COMMAND}\n", style="bold"))
    for line in text.strip().split("\n"):
        shown = Text.from_ansi(line)
        shown.truncate(WIDTH)
        console.print(shown)
    picture = console.export_svg(title="a release")
    # The picture needs nothing beside it: any monospaced font will do.
    picture = re.sub(r"\s*@font-face \{.*?\n    \}\n", "\n", picture, flags=re.DOTALL).replace(
        "Fira Code, monospace", "monospace"
    )
    (Path(__file__).parents[3] / "docs" / "images" / "release.svg").write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
