# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The report of a run as one document, of which the files for people and programs are made."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD


def document(about: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The report of the run, as the JSON file has it and docs/report.schema.json describes it.

    :param about: application, namespace, by, job, failure, and ``stages``: results by the name of their stage, in the order
        of the run.
    :param result: of ``outcome.compose``.
    """
    ran = {name: stage for name, stage in about["stages"].items() if stage and "started_at" in stage}
    validate, bake = ran.get("validate", {}), ran.get("bake", {})
    switch, back = ran.get("switch", {}), ran.get("switch back", {})
    before = ran.get("detect", {})
    return {
        "schema": 1,
        "application": about["application"],
        "namespace": about["namespace"],
        "by": ran.get("lock", {}).get("holder") or about["by"],
        "job": about["job"] or None,
        "succeeded": result["outcome"] not in BAD,
        **{key: result[key] for key in ("outcome", "msg", "reason", "next_step", "active_color", "version")},
        "previous_version": result["previous_version"],
        "started_at": min((stage["started_at"] for stage in ran.values()), default=None),
        "ended_at": max((stage["ended_at"] for stage in ran.values()), default=None),
        "before": {"active_color": before.get("active_color"), "colors": before.get("colors") or {}},
        "failure": (about["failure"] or {}).get("msg") or None,
        "stages": [
            {
                "name": name,
                "started_at": stage["started_at"],
                "ended_at": stage["ended_at"],
                "passed": not stage.get("failed", False),
                "changed": bool(stage.get("changed", False)),
                "msg": str(stage.get("msg", "")),
            }
            for name, stage in ran.items()
        ],
        "switches": [
            {key: item.get(key) for key in ("from_color", "to_color", "endpoints_ms", "last_old_ms", "frozen_ms")}
            for item in (switch, back)
            if item.get("changed")
        ],
        "checks": validate.get("checks") or [],
        "bake": {
            "passed": bake["passed"],
            "color": bake["color"],
            "seconds": bake["elapsed"],
            "rounds": bake["rounds"],
            "checks": bake["checks"],
        }
        if bake.get("elapsed") is not None
        else None,
    }
