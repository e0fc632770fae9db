# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Sphinx for the site that `make docs` builds."""

from __future__ import annotations

project = "bluegreen.kubernetes"
copyright = "2026, the bluegreen.kubernetes authors"
extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinx_copybutton"]
myst_heading_anchors = 4
highlight_language = "yaml"
pygments_style = "ansible"
antsibull_ext_color_scheme = "none"  # site.css has the theme's
# References into Ansible's own documentation stay plain text: to resolve them would need the network.
suppress_warnings = ["ref.ref"]

html_theme = "furo"
html_title = "bluegreen.kubernetes"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d4ed8",
        "color-brand-content": "#1d4ed8",
        "site-good": "#14703f",
        "site-bad": "#b3261e",
        "site-warn": "#8a5300",
    },
    "dark_css_variables": {
        "color-brand-primary": "#93c5fd",
        "color-brand-content": "#93c5fd",
        "site-good": "#63cf93",
        "site-bad": "#ff8a80",
        "site-warn": "#f0b429",
    },
}
