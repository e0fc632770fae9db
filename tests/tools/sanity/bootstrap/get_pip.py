# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test runs to put pip, in the version of this file's name, into an empty virtual environment.

ansible-test would download such a script; this one takes pip from the wheel beside it, which run.py fetched from the
Python package index that pip is set up for. Arguments: pip's, to be handed on.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

here = Path(__file__)
version = here.stem.removeprefix("get_pip_").replace("_", ".")
wheel = here.with_name(f"pip-{version}-py3-none-any.whl")
# The two options belong to the original script; a new virtual environment gets neither package here anyway.
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]

sys.path.insert(0, str(wheel))
sys.argv = ["pip", "install", str(wheel), *arguments]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
