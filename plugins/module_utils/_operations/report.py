# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What a run ended with."""

from __future__ import annotations

GOOD = ("released", "unchanged", "planned", "prepared", "rolled_back", "retired", "postponed")

BAD = ("refused", "aborted", "reverted", "superseded", "failed")

ARGUMENTS = {
    "application": {"type": "str", "required": True},
    "outcome": {"type": "str", "required": True, "choices": list(GOOD + BAD)},
    "active_color": {"type": "str"},
    "version": {"type": "str"},
    "previous_version": {"type": "str"},
    "failure": {"type": "dict"},
    "timings": {"type": "dict", "default": {}},
    "prepared": {"type": "dict"},
    "directory": {"type": "path"},
    "stages": {"type": "dict", "default": {}},
    "namespace": {"type": "str"},
    "by": {"type": "str"},
    "job": {"type": "str"},
}


def failed(params):
    """Whether the run shall end with an error."""
    return params["outcome"] in BAD


def compose(params):
    """The dictionary that automation reads: always the same keys.

    :returns: outcome, msg, active_color, version (live now), previous_version (on the other color), reason, next_step
        (both ``None`` on success), timings (stage → seconds), prepared (what promote compares; ``None`` but for a
        prepared release).
    """
    failure = params["failure"] or {}
    text = str(failure.get("msg") or "").strip()
    reason = failure.get("reason") or "task_failed"
    live = f"{params['active_color']} (version {params['version']}) is live"
    steps = [line[len("Next: ") :] for line in text.splitlines() if line.startswith("Next: ")]
    sentence = {
        "released": "{0}.",
        "unchanged": "{0} already; nothing was changed.",
        "planned": "this was a plan, nothing was changed; {0}.",
        "prepared": "ready to be promoted; {0}.",
        "rolled_back": "{0} again.",
        "retired": "the other color is retired; {0}.",
        "postponed": "the other color stays; {0}.",
        "refused": "nothing was changed; {0}.",
        "aborted": "stopped before the switch; {0}.",
        "reverted": "switched back; {0}.",
        "superseded": "another run took over and goes on; {0}.",
        "failed": "this run could not put things right; {0}.",
    }[params["outcome"]]
    # Some failures come before it could be read what is live.
    sentence = sentence.format(live) if params["active_color"] else sentence.replace("; {0}", "")
    # Our own errors say in their first line what failed; where others say it, nobody knows.
    cause = " ".join(text.split())[:1000] if reason == "task_failed" else text.partition("\n")[0]
    return {
        "outcome": params["outcome"],
        "msg": sentence + (" " + cause if cause else ""),
        "active_color": params["active_color"],
        "version": params["version"],
        "previous_version": params["previous_version"],
        "reason": reason if failed(params) else None,
        "next_step": steps[-1] if steps else None,
        "timings": params["timings"],
        "prepared": params["prepared"],
    }


def document(params, result):
    """The report of the run, as the JSON file has it and docs/report.schema.json describes it.

    :param params: of ``bg_report``; ``stages`` are registered results by the name of their stage, in the order of the run.
    :param result: what :func:`compose` made of them.
    """
    ran = {name: stage for name, stage in params["stages"].items() if stage and "started_at" in stage}
    validate, bake = ran.get("validate", {}), ran.get("bake", {})
    switch, back = ran.get("switch", {}), ran.get("switch back", {})
    before = ran.get("detect", {})
    return {
        "schema": 1,
        "application": params["application"],
        "namespace": params["namespace"],
        "by": ran.get("lock", {}).get("holder") or params["by"],
        "job": params["job"] or None,
        "succeeded": not failed(params),
        **{key: result[key] for key in ("outcome", "msg", "reason", "next_step", "active_color", "version")},
        "previous_version": params["previous_version"],
        "started_at": min((stage["started_at"] for stage in ran.values()), default=None),
        "ended_at": max((stage["ended_at"] for stage in ran.values()), default=None),
        "before": {"active_color": before.get("active_color"), "colors": before.get("colors") or {}},
        "failure": (params["failure"] or {}).get("msg") or None,
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
