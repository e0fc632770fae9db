# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the recipes are about."""

from __future__ import annotations

from checkout import ROOT

RECIPES = ROOT / "examples" / "recipes"
HELM = "helm.sh/helm/v3/cmd/helm@v3.19.5"
