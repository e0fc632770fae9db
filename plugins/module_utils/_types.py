# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Names for the types that many functions take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]  # what JSON can say: an object of Kubernetes, a part of one, a result
Patch = list[Object]  # the operations of a JSON Patch
Params = dict[str, Any]  # the options of a module, validated
Progress = Callable[[str], None]  # shows a line while the operation works
Look = Callable[[], object]  # reads once more what a write was decided on; raises if it is not to be sent any more
