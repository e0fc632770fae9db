# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts of CPU, memory and objects, as Kubernetes writes them."""

from __future__ import annotations

import re
from typing import Any

QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
FACTORS = {
    "": 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


def quantity(text: Any) -> float:
    found = QUANTITY.fullmatch(str(text))
    return float(found[1]) * FACTORS[found[2]] if found else 0.0


def written(name: str, amount: float) -> str:
    """As the server writes quantities: of memory with the largest unit that leaves no rest, of others in thousandths if need be."""
    if "memory" in name or "storage" in name:
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if amount and amount % FACTORS[unit] == 0:
                return f"{amount / FACTORS[unit]:.0f}{unit}"
    return f"{amount:.0f}" if abs(amount - round(amount)) < 1e-9 else f"{amount * 1000:.0f}m"
