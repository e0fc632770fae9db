# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The report of a run as one document, of which the files for people and programs are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.outcome import BAD

# Stages that last as long as somebody has set, and not as long as the application needs.
PLANNED = ("bake", "scale down")
HELP = "https://github.com/bluegreen-kubernetes/bluegreen.kubernetes/blob/main/docs/troubleshooting.md"
# Where that tells most about a reason; of others it has the table of all reasons.
HEADINGS = {
    "no_cluster": "no-kubernetes-cluster-is-configured",
    "api_unreachable": "the-api-server--does-not-answer",
    "unauthorized": "the-api-server-does-not-accept-the-credentials",
    "forbidden": "the-api-server-refused-",
    "locked": "another-release-of-this-application-is-running",
    "superseded": "another-run-has-taken-over-this-application",
    "missing_library": "the-python-package-kubernetes-is-missing",
    "nothing_to_roll_back": "there-is-nothing-to-roll-back",
    "rollout_failed": "-cannot-become-ready",
    "timeout": "-is-not-ready",
    "checks_failed": "-of--checks-failed-on-",
    "bake_failed": "-failed-in-the-bake",
    "changed_selector": "the-switch-of-service--was-refused",
    "endpoints": "the-selector-was-switched-but-the-endpointslices-did-not-follow",
    "newer_state": "service--was-last-switched-by-a-newer-version-of-bluegreenkubernetes",
}


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
    reason = result["reason"]
    return {
        "schema": 1,
        "application": about["application"],
        "namespace": about["namespace"],
        "by": ran.get("lock", {}).get("holder") or about["by"],
        "job": about["job"] or None,
        "succeeded": result["outcome"] not in BAD,
        **{key: result[key] for key in ("outcome", "msg", "reason", "next_step", "active_color", "version")},
        "previous_version": result["previous_version"],
        "wanted_version": about.get("wanted"),
        "way_back": _way_back(about, result),
        "help": f"{HELP}#{HEADINGS.get(reason, 'reasons-for-playbooks')}" if reason else None,
        "job_url": about.get("job_url"),
        "planned_seconds": round(sum(_seconds(ran[name]) for name in PLANNED if name in ran), 3),
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


def _way_back(about: dict[str, Any], result: dict[str, Any]) -> str | None:
    """The command that goes back to what was live before; ``None`` when this run has put nothing live."""
    if result["outcome"] not in ("released", "rolled_back"):
        return None
    if result["outcome"] == "released":
        return f"ansible-playbook bluegreen.kubernetes.rollback --limit {about['application']}"
    again = f" -e version={result['previous_version']}" if result["previous_version"] else ""
    return f"ansible-playbook bluegreen.kubernetes.release --limit {about['application']}{again}"


def _seconds(stage: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(stage[key].replace("Z", "+00:00")) for key in ("started_at", "ended_at"))
    return (ended - began).total_seconds()
