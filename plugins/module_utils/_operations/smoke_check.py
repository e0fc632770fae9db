# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Validate: all checks against every pod of a color, together; every result is shown; all must pass."""

from __future__ import annotations

import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    refuse_another_template,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, evidence
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_smoke_check"

ARGUMENTS = dict(APPLICATION, color={"type": "str"}, template_hash={"type": "str"}, **_checks.ARGUMENTS, **LOCK)

DURATIONS = ("api_timeout",)

KEEPS_LOCK = True

RETURNS: Object = {"passed": None, "color": None, "checks": []}

secrets = _checks.secrets


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    checks = _checks.parse(params)
    if cluster.dry_run:
        return {
            "color": params["color"],
            "msg": f"Would run {len(checks)} checks: {', '.join((check['name'] for check in checks))}.",
        }
    app = read_application(cluster, params)
    color = app.color(params["color"] or app.idle)
    refuse_another_template(color.deployment, params["template_hash"])
    return execute(app, color, checks, params, progress)


def execute(app: Application, color: Color, checks: list[Object], params: Params, progress: Progress) -> Object:
    """Run the checks on the pods of a color.

    :raises BlueGreenError: one has failed.
    """
    pods = _ready_pods(app.cluster, color) if any(_checks.needs_pods(check) for check in checks) else []
    started = time.monotonic()
    results = _checks.Run(app, color, params).execute(checks, pods, params["parallel"])
    elapsed = time.monotonic() - started
    failures = []
    for check in checks:
        passed, line = _checks.verdict(check, results)
        progress(line)
        if not passed:
            failures.append(check["name"] + line.partition(" ms")[2])
    result = {"passed": not failures, "color": color.name, "checks": results}
    if failures:
        raise BlueGreenError(
            f"{len(failures)} of {len(checks)} checks failed on {color.name}: {', '.join(failures)}.",
            "checks_failed",
            why=_checks.reasons(results) + _evidence(app, pods, results),
            next_step=f"Mend {color.deployment_name}, or the check if that is wrong, and release again.",
            result=result,
        )
    result["msg"] = f"{len(checks)} checks passed on {color.name} ({len(results)} executions in {elapsed:.2f} s)."
    return result


def _ready_pods(cluster: Cluster, color: Color) -> list[Object]:
    """The pods that will carry traffic.

    :raises BlueGreenError: there is none, or one has no readiness at this moment.
    """
    pods = _checks.staying(color.own(cluster.list("Pod", labelSelector=color.pod_selector)["items"]))
    unready = [pod["metadata"]["name"] for pod in pods if not Pod(pod).ready]
    if not pods or unready:
        why = "pods are not ready: " + ", ".join(unready) if pods else "it has no pods"
        raise BlueGreenError(
            f"{color.name} cannot be checked: {why}.",
            "not_ready",
            next_step="Wait for the rollout first (bg_wait).",
            result={"color": color.name, "passed": False},
        )
    return pods


def _evidence(app: Application, pods: list[Object], results: list[Object]) -> list[str]:
    """What the pods on which something failed say themselves."""
    failed = {result["target"] for result in results if not result["passed"]}
    return evidence(app.cluster, [pod for pod in map(Pod, pods) if pod.name in failed])
