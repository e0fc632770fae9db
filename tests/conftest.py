# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets tests import the collection by its name, as Ansible does."""

from __future__ import annotations

import os
import sys

# Set by `activate`: the directory where ansible_collections/bluegreen/kubernetes leads to this checkout.
for directory in reversed(os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)):
    if directory:
        sys.path.insert(0, directory)
