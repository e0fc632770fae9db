# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation as a site that needs no network, in docs/build: `make docs`.

Its pages are the project's Markdown files, as they are, and what antsibull-docs writes about the modules and the role.
docs/README.md is the front page: the pages it links to, in that order and under those headings, are the menu. A link to a
file of the project that is no page leads to the repository; a link to one that does not exist, or to a heading that does
not, ends the build, as does every other warning.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import checkout
import yaml

ROOT = checkout.ROOT
TARGET = ROOT / "docs" / "build"
FRONT = "docs/README.md"
REPOSITORY = yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"] + "/blob/main/"
LINK = re.compile(r"(?<!`)(!?\[[^\]]*\])\(([^)\s]+)\)")


class Failure(Exception):
    """The documentation cannot be built; the text says why."""


def page_of(path: str) -> str:
    """Where the site has a Markdown file of the project, without its ending."""
    if path == FRONT:
        return "index"
    if path.startswith("docs/"):
        return path.removeprefix("docs/").removesuffix(".md")
    return path.removesuffix(".md").removesuffix("/README").lower().replace("/", "-")


def pages() -> dict[str, str]:
    """Page by file. The role's README is left out: it has a page of its own, from its argument specification."""
    return {
        path: page_of(path)
        for path in checkout.files()
        if path.endswith(".md") and path.startswith(("docs/", "examples/", "tests/", "CONTRIBUTING", "CODE_OF"))
    }


def relink(path: str, text: str, site: dict[str, str]) -> str:
    """A file's text with its links as the site has them."""

    def link(found: re.Match[str]) -> str:
        label, target = found.groups()
        name, _hash, anchor = target.partition("#")
        if re.match(r"[a-z]+:", name) or not name:
            return found[0]
        file = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if not (ROOT / file).exists():
            raise Failure(f"{path} links to {target}, which does not exist")
        if file == "roles/bluegreen/README.md":
            return f"{label}(reference/bluegreen_role.rst)"
        if file in site:
            return f"{label}({site[file]}.md{'#' + anchor if anchor else ''})"
        if file.startswith("docs/images/"):
            return f"{label}({file.removeprefix('docs/')})"
        return f"{label}({REPOSITORY}{file})"

    parts = re.split(r"(^[ \t]*```.*?^[ \t]*```|`[^`\n]+`(?!\]))", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else LINK.sub(link, part) for number, part in enumerate(parts))


def menu(site: dict[str, str]) -> str:
    """The front page's links as the site's menu."""
    lines = []
    for section in re.split(r"^## ", (ROOT / FRONT).read_text(), flags=re.MULTILINE)[1:]:
        names = [os.path.normpath(os.path.join("docs", target)) for _label, target in LINK.findall(section)]
        names = [site[name] for name in names if name in site]
        lines += ["```{toctree}", ":hidden:", f":caption: {section.splitlines()[0]}", "", *names, "```", ""]
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("bg_*.py"))
    lines += [
        "```{toctree}",
        ":hidden:",
        ":caption: Reference",
        "",
        "Overview <reference/index>",
        "The role and its variables <reference/bluegreen_role>",
        *[f"{name} <reference/{name}_module>" for name in modules],
        "compact, what is shown <reference/compact_callback>",
        "Environment variables <reference/environment_variables>",
        "```",
    ]
    lost = set(site.values()) - {"index"} - set("\n".join(lines).split("\n"))
    if lost - {"code_of_conduct"} - {name for name in lost if name.startswith("examples-")}:
        raise Failure(f"{FRONT} does not lead to {', '.join(sorted(lost))}")
    return "\n".join(
        [
            *lines,
            "",
            "```{toctree}",
            ":hidden:",
            ":caption: Examples",
            "",
            *sorted(name for name in lost if name.startswith("examples-")),
            "```",
            "",
        ]
    )


def write_source(source: Path) -> None:
    site = pages()
    for path, page in site.items():
        text = relink(path, (ROOT / path).read_text(), site)
        orphan = "---\norphan: true\n---\n" if page == "code_of_conduct" else ""
        (source / f"{page}.md").write_text(orphan + text + ("\n" + menu(site) if path == FRONT else ""))
    shutil.copytree(ROOT / "docs" / "images", source / "images")
    shutil.copytree(ROOT / "docs" / "docsite" / "_static", source / "_static")
    shutil.copy(ROOT / "docs" / "docsite" / "conf.py", source)


def fit_reference(directory: Path) -> None:
    """The theme has a menu and each page's contents beside the page; here both would be there twice."""
    for path in directory.glob("*.rst"):
        text = re.sub(r"^\.\. contents::\n(?:   .*\n)+", "", path.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^bluegreen\.kubernetes\.(\w+ (?:module|role)) -- ", r"\1 -- ", text, flags=re.MULTILINE)
        if path.name == "index.rst":
            text = re.sub(r"^\.\. toctree::\n(?:    ?.*\n|\n)+", "", text, flags=re.MULTILINE)
        path.write_text(text)


def run(*command: str | Path) -> None:
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if result.returncode != 0:
        raise Failure(f"{command[0]} failed (exit code {result.returncode}):\n{result.stdout}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bluegreen-docs-") as name:
        source = Path(name) / "source"
        (source / "reference").mkdir(parents=True)
        try:
            write_source(source)
            run(
                "antsibull-docs",
                "collection",
                "--use-current",
                "--squash-hierarchy",
                "--fail-on-error",
                "--dest-dir",
                source / "reference",
                "bluegreen.kubernetes",
            )
            fit_reference(source / "reference")
            shutil.rmtree(TARGET, ignore_errors=True)
            run("sphinx-build", "-q", "-W", "--keep-going", source, TARGET)
        except Failure as failure:
            print(f"docs: {failure}", file=sys.stderr)
            return 1
    print(f"docs: {TARGET / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
