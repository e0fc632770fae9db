# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Quantities of resources, such as ``500m`` or ``1Gi``."""

from __future__ import annotations

from decimal import Decimal


def quantity(text: str | int | float) -> Decimal:
    """:raises ValueError: it is none."""
    from kubernetes.utils.quantity import parse_quantity  # loaded only where it is used

    found: Decimal = parse_quantity(text)
    return found
