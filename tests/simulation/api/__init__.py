# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated API server: objects with the server's semantics, and requests as clients send them."""

from simulation.api.answers import Answer, Refused
from simulation.api.request import Api
from simulation.api.store import Store, Write
from simulation.api.watch import Stream

__all__ = ["Answer", "Api", "Refused", "Store", "Stream", "Write"]
