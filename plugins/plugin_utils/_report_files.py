# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""The report of a run as files: HTML for people, JSON and JUnit XML for programs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from datetime import datetime
from typing import Any, Optional
from xml.etree import ElementTree

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object
from jinja2 import Environment, FileSystemLoader

CHART_WIDTH, CHART_HEIGHT = 640, 160  # of the drawing; the page scales it
RUNS = "runs"  # directory of the runs that are kept
KEPT = 50  # of each application
COLORS = 6  # lines of a chart that are told apart
Line = list[tuple[float, float]]  # when, and what was measured then
Case = tuple[str, float, Optional[str]]  # its name, seconds, and what has failed
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(directory: str, report: Object) -> dict[str, str]:
    """Write the three files, each at once and whole; keep them as those of this run, and list all runs in index.html.

    :param report: the dictionary of ``report.document``.
    :returns: their paths: ``{"html", "json", "junit"}``.
    :raises OSError: the directory cannot be made, or written to.
    """
    runs = os.path.join(directory, RUNS)
    os.makedirs(runs, exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", report["application"])
    texts = {
        "html": (".html", html(report)),
        "json": (".json", json.dumps(report, indent=2) + "\n"),
        "junit": (".xml", junit(report)),
    }
    paths = {}
    for kind, (ending, text) in texts.items():
        paths[kind] = os.path.join(directory, name + ending)
        _put(paths[kind], text)
    when = re.sub(r"\D", "", report["ended_at"] or report["started_at"] or "")
    if when and name != "index":
        _put(os.path.join(runs, f"{name}-{when}.html"), texts["html"][1])
        _put(os.path.join(runs, f"{name}-{when}.json"), texts["json"][1])
        _forget(runs, name)
        _put(os.path.join(directory, "index.html"), index(_read(runs)))
    return paths


def _put(path: str, text: str) -> None:
    handle, unfinished = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".report-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def _forget(runs: str, name: str) -> None:
    """Only the newest runs of an application are kept."""
    own = sorted(found for found in os.listdir(runs) if re.fullmatch(re.escape(name) + r"-\d+\.(html|json)", found))
    for found in own[: -2 * KEPT]:
        with contextlib.suppress(FileNotFoundError):  # another run is at it as well
            os.unlink(os.path.join(runs, found))


def _read(runs: str) -> list[Object]:
    """The reports that are kept, newest first; what is none is left out."""
    found = []
    for name in os.listdir(runs):
        if name.endswith(".json") and not name.startswith("."):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                with open(os.path.join(runs, name), encoding="utf-8") as file:
                    report = json.load(file)
                found.append(dict(report, page=f"{RUNS}/{name[: -len('.json')]}.html", at=report["ended_at"] or ""))
    return sorted(found, key=lambda report: report["at"], reverse=True)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


# --- HTML ------------------------------------------------------------------------------------------------------


def html(report: Object) -> str:
    """One page that needs nothing else: no script, no font, no picture from elsewhere."""
    began = _moment(report["started_at"]) if report["started_at"] else 0
    whole = max(_moment(report["ended_at"]) - began, 0.001) if report["ended_at"] else 1
    stages = [
        dict(
            stage,
            seconds=_moment(stage["ended_at"]) - _moment(stage["started_at"]),
            left=100 * (_moment(stage["started_at"]) - began) / whole,
            width=100 * (_moment(stage["ended_at"]) - _moment(stage["started_at"])) / whole,
        )
        for stage in report["stages"]
    ]
    return _template("report.html.j2").render(
        report=report,
        versions=versions(report),
        seconds=whole if report["started_at"] else None,
        stages=stages,
        checks=_by_check(report["checks"]),
        baked=_by_check((report["bake"] or {}).get("checks") or []),
        charts=_charts(report["bake"]) if report["bake"] else [],
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
    )


def index(reports: list[Object]) -> str:
    """All runs, newest first, as a page beside those of the applications."""
    rows = [dict(report, versions=versions(report), seconds=_whole(report)) for report in reports]
    return _template("index.html.j2").render(reports=rows)


def versions(report: Object) -> str:
    """Which version was to follow which, or is live where it was not about another one."""
    before = (report["before"]["colors"].get(report["before"]["active_color"]) or {}).get("version")
    after = report.get("wanted_version") or report["version"]
    if before and after and before != after:
        return f"{before} → {after}"
    return after or before or ""


def _whole(report: Object) -> float | None:
    if not report["started_at"] or not report["ended_at"]:
        return None
    return max(_moment(report["ended_at"]) - _moment(report["started_at"]), 0.001)


def _template(name: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(os.path.dirname(__file__)), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = _duration
    return environment.get_template(name)


def _by_check(results: list[Object]) -> list[tuple[str, bool, list[Object]]]:
    """``[(name, passed, results)]``"""
    names = list(dict.fromkeys(result["name"] for result in results))
    groups = [(name, [result for result in results if result["name"] == name]) for name in names]
    return [(name, all(result["passed"] for result in group), group) for name, group in groups]


def _charts(bake: Object) -> list[Object]:
    """The rounds as lines: how long each check took, and the numbers that queries gave, each of those on its own scale."""
    rounds = bake["rounds"]
    series: dict[str, Line] = {}
    for item in rounds:
        for name, value in item["latency_ms"].items():
            series.setdefault(name, []).append((item["at"], value))
    charts = [_chart("Slowest answer of each check", "ms", series, rounds)] if series else []
    for name in dict.fromkeys(name for item in rounds for name in item["numbers"]):
        values = [(item["at"], item["numbers"][name]) for item in rounds if name in item["numbers"]]
        charts.append(_chart(name, "", {name: values}, rounds))
    return charts


def _chart(title: str, unit: str, series: dict[str, Line], rounds: list[Object]) -> Object:
    points = [point for line in series.values() for point in line]
    end = max([item["at"] for item in rounds] + [0.001])
    top = max([value for _at, value in points] + [0]) * 1.1 or 1
    low = min([value for _at, value in points] + [0])

    def place(at: float, value: float) -> str:
        return f"{at / end * CHART_WIDTH:.1f},{CHART_HEIGHT * (1 - (value - low) / (top - low)):.1f}"

    return {
        "title": title,
        "lines": [
            {
                "name": name,
                "color": number % COLORS,
                "points": " ".join(place(*point) for point in line),
                "last": line[-1][1],
            }
            for number, (name, line) in enumerate(series.items())
        ],
        "bad": [f"{item['at'] / end * CHART_WIDTH:.1f}" for item in rounds if not item["passed"]],
        "top": f"{top:.4g} {unit}".strip(),
        "low": f"{low:.4g}",
        "end": _duration(end),
    }


# --- JUnit -----------------------------------------------------------------------------------------------------


def junit(report: Object) -> str:
    """The stages and the checks as test cases, in the form that CI servers read.

    https://github.com/testmoapp/junitxml
    """
    root = ElementTree.Element("testsuites", name=_clean(report["application"]))
    stages = [
        (
            stage["name"],
            _moment(stage["ended_at"]) - _moment(stage["started_at"]),
            None if stage["passed"] else stage["msg"],
        )
        for stage in report["stages"]
    ]
    _suite(root, report, "stages", stages)
    _suite(root, report, "checks", _cases(report["checks"]))
    if report["bake"]:
        bake = report["bake"]
        troubles = [text for item in bake["rounds"] for text in item["troubles"]]
        whole = ("watched", bake["seconds"], None if bake["passed"] else "\n".join(troubles) or "failed")
        _suite(root, report, "bake", [whole] + _cases(bake["checks"]))
    for total in ("tests", "failures"):
        root.set(total, str(sum(int(suite.get(total, 0)) for suite in root)))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(results: list[Object]) -> list[Case]:
    return [
        (
            f"{item['name']} on {item['target']}",
            (item["latency_ms"] or 0) / 1000,
            None if item["passed"] else item["reason"],
        )
        for item in results
    ]


def _suite(root: ElementTree.Element, report: Object, name: str, cases: list[Case]) -> None:
    if not cases:
        return
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(sum(failure is not None for _name, _seconds, failure in cases)),
        errors="0",
        skipped="0",
        time=f"{sum(seconds for _name, seconds, _failure in cases):.3f}",
        timestamp=(report["started_at"] or "")[:19],
    )
    for case, seconds, failure in cases:
        element = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{_clean(report['application'])}.{name}",
            name=_clean(case),
            time=f"{seconds:.3f}",
        )
        if failure is not None:
            text = _clean(failure)
            ElementTree.SubElement(element, "failure", message=(text.splitlines() or [""])[0][:300]).text = text


def _clean(text: Any) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", str(text))
