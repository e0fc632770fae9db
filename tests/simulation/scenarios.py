# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried: an application, what has happened to it before, and the run that the faults of a schedule are for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = Path(__file__).resolve().parent / "files"

CHECKS = [
    {"name": "health", "http": "/health"},
    {"name": "version", "http": "/api/status", "expect": {"json": {"version": "{{ bluegreen_expected_version }}"}}},
]

COMMON: dict[str, Any] = {
    "bluegreen_namespace": "shop",
    "bluegreen_checks": CHECKS,
    "bluegreen_scale_down_delay": 5,
    "bluegreen_wait_timeout": 120,
}


@dataclass(frozen=True)
class Scenario:
    """``before`` are runs before anything goes wrong: flow and version, and "fails" for one that must; or seconds to wait.

    ``unready`` are versions whose pods never become ready.
    """

    flow: str
    version: str | None = None
    services: tuple[str, ...] = ("myapp",)
    before: tuple[tuple[str, ...] | float, ...] = ()
    unready: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)
    missing: bool = False  # the idle color has no Deployment yet
    preview: bool = False  # there is a Service for the preview
    planned: bool = False  # the run with the faults is in check mode
    configured: bool = False  # both colors have a ConfigMap and a Secret that a release puts others in the place of
    nothing: bool = False  # there is nothing to be done
    autoscaled: str = ""  # by ``one`` autoscaler for the application, or by one of each color, ``apart``
    budget: bool = False  # one PodDisruptionBudget protects what is live
    workers: str = ""  # how those of the queue change: ``overlap`` or ``gap``
    cron: str = ""  # ``one`` CronJob for the application, or one of each color, ``two``; or two that are ``off``

    def settings(self, flow: str, version: str | None) -> dict[str, Any]:
        """The variables of a run."""
        given = {**COMMON, "bluegreen_services": list(self.services), **self.variables}
        if self.workers:
            given["bluegreen_workers"] = [{"name": "mailer", "mode": self.workers}]
        return {**given, "version": version} if version else given


PROBE = {"url": "http://shop.example/api/status", "color_from": {"json": "color"}}
DAY = 25 * 3600.0
TWO = ("myapp", "myapp-internal")


def _database(strategy: str, *jobs: str) -> dict[str, Any]:
    return {"bluegreen_database": {"strategy": strategy, **{job: str(FILES / f"{job}.yml.j2") for job in jobs}}}


OBJECTS = {"bluegreen_manifest": str(FILES / "several.yml.j2")}
SHARED = _database("shared", "migrate", "undo")
EXPAND = _database("expand_contract", "expand", "contract", "undo")
PER_COLOR = _database("per_color", "sync", "hand_over", "detach")

CONFIG = {"bluegreen_config": [str(FILES / "config*.yml.j2")]}
WITH_WORKERS: dict[str, dict[str, Any]] = {
    "": {"flow": "release", "version": "2.0"},
    "-rollback": {"flow": "rollback", "before": (("release", "2.0"),)},
    "-rollback-prepared": {"flow": "rollback", "before": (("release", "2.0"), ("prepare", "3.0"))},
    "-rollback-instant": {
        "flow": "rollback",
        "before": (("release", "2.0"),),
        "variables": {"bluegreen_rollback_instant": True},
    },
    "-planned": {"flow": "release", "version": "2.0", "planned": True},
    "-promote": {"flow": "promote", "version": "2.0", "before": (("prepare", "2.0"),)},
}
CRON = {"bluegreen_cronjobs": ["nightly"]}

SCENARIOS = {
    "release": Scenario("release", "2.0"),
    "release-several": Scenario("release", "2.0", TWO),
    "release-baked": Scenario("release", "2.0", variables={"bluegreen_bake_time": 20}),
    "release-waits": Scenario("release", "2.0", variables={"bluegreen_lock_timeout": "10m"}),
    "release-manifest": Scenario("release", "2.0", variables={"bluegreen_manifest": str(FILES / "deployment.yml.j2")}),
    "release-objects": Scenario("release", "2.0", variables=OBJECTS),
    "release-objects-again": Scenario(
        "release", "4.0", before=(("release", "2.0"), ("release", "3.0")), variables=OBJECTS
    ),
    "rollback-objects": Scenario(
        "rollback", before=(("release", "2.0"), ("release", "3.0"), ("prepare", "4.0")), variables=OBJECTS
    ),
    "release-missing": Scenario(
        "release",
        "2.0",
        variables={"bluegreen_create_missing": True},
        missing=True,
    ),
    "release-kept": Scenario(
        "release",
        "3.0",
        before=(("release", "2.0"), DAY, ("retire", "")),
        variables={"bluegreen_retire_mode": "delete"},
    ),
    "release-preview": Scenario(
        "release", "2.0", variables={"bluegreen_preview_service": "myapp-preview"}, preview=True
    ),
    "release-hook": Scenario(
        "release", "2.0", variables={"bluegreen_hooks": {"before_switch": str(FILES / "takes_a_minute.yml")}}
    ),
    "release-planned": Scenario("release", "2.0", planned=True),
    "prepare": Scenario("prepare", "2.0"),
    "promote": Scenario("promote", "2.0", before=(("prepare", "2.0"),)),
    "rollback": Scenario("rollback", before=(("release", "2.0"),)),
    "rollback-several": Scenario("rollback", services=TWO, before=(("release", "2.0"),)),
    "rollback-prepared": Scenario(
        "rollback",
        before=(("release", "2.0"), ("prepare", "3.0")),
        variables={"bluegreen_manifest": str(FILES / "deployment.yml.j2")},
    ),
    "rollback-again": Scenario("release", "2.0", before=(("release", "2.0"), ("rollback", ""))),
    "rollback-over-refused": Scenario(
        "rollback",
        before=(("release", "2.0"), ("release", "9.9", "fails")),
        unready=("9.9",),
        variables={"bluegreen_manifest": str(FILES / "deployment.yml.j2")},
    ),
    "again-prepared": Scenario("release", "2.0", before=(("release", "2.0"), ("prepare", "3.0")), nothing=True),
    "retire-prepared": Scenario("retire", before=(("release", "2.0"), DAY, ("prepare", "3.0")), nothing=True),
    "release-probed": Scenario("release", "2.0", variables={"bluegreen_probe": PROBE}),
    "retire": Scenario("retire", before=(("release", "2.0"), DAY)),
    "retire-delete": Scenario(
        "retire", before=(("release", "2.0"), DAY), variables={"bluegreen_retire_mode": "delete"}
    ),
    "retire-early": Scenario("retire", before=(("release", "2.0"),), nothing=True),
    "config": Scenario(
        "release", "2.0", before=(("release", "1.5"), ("release", "1.6")), variables=CONFIG, configured=True
    ),
    "config-alone": Scenario("release", "1.0", variables=CONFIG, configured=True),
    "config-promote": Scenario(
        "promote", "2.0", before=(("release", "1.5"), ("prepare", "2.0")), variables=CONFIG, configured=True
    ),
    "config-rollback": Scenario(
        "rollback", before=(("release", "1.5"), ("release", "2.0")), variables=CONFIG, configured=True
    ),
    "config-retire": Scenario(
        "retire",
        before=(("release", "1.5"), ("release", "2.0"), DAY),
        variables={**CONFIG, "bluegreen_retire_mode": "delete"},
        configured=True,
    ),
    "shared": Scenario("release", "2.0", variables=SHARED),
    "expand": Scenario("release", "2.0", variables=EXPAND),
    "contract": Scenario("retire", before=(("release", "2.0"), DAY), variables=EXPAND),
    "per-color": Scenario("release", "2.0", variables=PER_COLOR),
    "per-color-rollback": Scenario("rollback", before=(("release", "2.0"),), variables=PER_COLOR),
    "followed": Scenario("release", "2.0", autoscaled="one", budget=True),
    "followed-rollback": Scenario("rollback", before=(("release", "2.0"),), autoscaled="one", budget=True),
    "followed-apart": Scenario("release", "2.0", autoscaled="apart"),
    "followed-apart-rollback": Scenario("rollback", before=(("release", "2.0"),), autoscaled="apart"),
    **{
        f"workers-{mode}{name}": Scenario(workers=mode, **about)
        for mode in ("overlap", "gap")
        for name, about in WITH_WORKERS.items()
    },
    "cron-one": Scenario("release", "2.0", variables=CRON, cron="one"),
    "cron-one-rollback": Scenario("rollback", before=(("release", "2.0"),), variables=CRON, cron="one"),
    "cron-two": Scenario("release", "2.0", variables=CRON, cron="two"),
    "cron-two-rollback": Scenario("rollback", before=(("release", "2.0"),), variables=CRON, cron="two"),
    "cron-two-promote": Scenario("promote", "2.0", before=(("prepare", "2.0"),), variables=CRON, cron="two"),
    "cron-planned": Scenario("release", "2.0", variables=CRON, cron="two", planned=True),
    "cron-off": Scenario("release", "2.0", variables=CRON, cron="off"),
    "detach": Scenario("retire", before=(("release", "2.0"), DAY), variables=PER_COLOR),
}
