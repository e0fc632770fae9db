# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases against a simulated cluster in virtual time, judged by the laws of the design: `make simulate`."""

import sys

from ansible.plugins.loader import init_plugin_loader

# Ansible's own way to import collections, so that it can run their roles in this process; it has to come first.
if "ansible_collections" not in sys.modules:
    init_plugin_loader()
