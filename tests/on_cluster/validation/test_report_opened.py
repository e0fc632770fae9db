# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a success, of a failed check and of an automatic way back: opened in a browser, parsed, validated.

Screenshots are left in tests/output/report.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from cases import one_of
from checkout import ROOT
from colors import green
from harness import CHECKS, Application, Failure

SCREENSHOTS = ROOT / "tests" / "output" / "report"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
# Of its own accord it asks its maker for updates and more.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


def browser(*arguments: str, profile: Path) -> str:
    """What headless Chromium says on its standard error, console messages included."""
    command = shutil.which("chromium")
    if not command:
        pytest.skip("CHROMIUM IS NOT INSTALLED: the report was NOT opened in a browser")
    sandbox = ["--no-sandbox"] * (os.geteuid() == 0)
    run = subprocess.run(
        [
            command,
            "--headless",
            *sandbox,
            *QUIET,
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if run.returncode:
        raise Failure(f"chromium ended with {run.returncode}: {run.stderr[-2000:]}")
    return run.stderr


def look(page: Path, profile: Path) -> None:
    """Take screenshots of a page as a desktop and a phone show it, light and dark; nothing may go to the console."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    phone = profile.parent / f"{page.stem}-phone.html"  # Chromium's own window is never as narrow as a phone's
    phone.write_text(
        f'<body style="margin:0"><iframe src="{page.name}" style="width:390px;height:3000px;border:0"></iframe>'
    )
    shutil.copy(page, phone.parent / page.name)
    for kind, source, size in (("desktop", page, "1100,1400"), ("phone", phone, "500,3000")):
        for theme, scheme in (("light", "1"), ("dark", "0")):
            picture = SCREENSHOTS / f"{page.stem}-{kind}-{theme}.png"
            said = browser(
                f"--screenshot={picture}",
                f"--window-size={size}",
                f"--blink-settings=preferredColorScheme={scheme}",
                source.as_uri(),
                profile=profile,
            )
            assert picture.stat().st_size > 10000
            assert "CONSOLE" not in said, said


def test_the_browser_would_show_an_error(tmp_path: Path) -> None:
    """A page that is wrong is told apart; otherwise the others prove nothing."""
    page = tmp_path / "wrong.html"
    page.write_text("<script>console.error('wrong')</script>")
    assert "CONSOLE" in browser("--dump-dom", page.as_uri(), profile=tmp_path / "profile")


RUNS = {
    "success": ({}, "released", {"version": "2.0", "bluegreen_bake_time": 6, "bluegreen_bake_interval": 1}),
    "failed-check": ({}, "aborted", {"version": "wrong-version"}),
    "way-back": (
        {"FAIL_AFTER": "15"},
        "reverted",
        {"version": "2.0", "bluegreen_bake_time": 60, "bluegreen_bake_interval": 1},
    ),
}


@pytest.mark.parametrize(
    "name", one_of(RUNS, "failed-check", "the report says what failed, to people, to programs and to CI")
)
def test_report(new_app: Callable[..., Application], tmp_path: Path, name: str) -> None:
    env, outcome, settings = RUNS[name]
    app = new_app(replicas=(3, 0), change=green(**env))
    run = app.playbook(
        "release.yml",
        bluegreen_template="idle",  # which breaks by its environment
        bluegreen_report=str(tmp_path),
        bluegreen_scale_down_delay=1,
        bluegreen_checks=CHECKS,
        **settings,
    )
    assert run.outcome == outcome, run.output[-4000:]

    document = json.loads((tmp_path / "myapp.json").read_text())
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    assert document["outcome"] == outcome and document["active_color"] == app.color
    assert bool(document["next_step"]) == (outcome != "released")

    suites = ElementTree.parse(tmp_path / "myapp.xml").getroot()
    cases = list(suites.iter("testcase"))
    bad = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert cases and bool(bad) == (outcome != "released"), bad
    for suite in suites.iter("testsuite"):
        assert int(suite.get("tests")) == len(suite.findall("testcase"))

    html = (tmp_path / "myapp.html").read_text()
    assert not re.findall(r"""(?:src=|<link[^>]* href=)(?!["']?(?:#|data:))""", html), (
        "something beside the page is needed"
    )
    page = tmp_path / f"{name}.html"
    shutil.move(tmp_path / "myapp.html", page)
    profile = tmp_path / "work" / "profile"
    profile.parent.mkdir()
    look(page, profile)
