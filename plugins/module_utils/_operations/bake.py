# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Bake: for some time after the switch, repeat the checks and watch the pods, under the users' own traffic."""

from __future__ import annotations

import time

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, evidence
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.watch import Observation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_bake"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    time={"type": "raw", "required": True},
    interval={"type": "raw", "default": 5},
    tolerance={"type": "int", "default": 0},
    jobs={"type": "bool", "default": True},
    **_checks.ARGUMENTS,
    **LOCK,
)

DURATIONS = ("api_timeout", "time", "interval")

KEEPS_LOCK = True

RETURNS: Object = {"passed": None, "color": None, "elapsed": None, "rounds": [], "checks": []}

HEARTBEAT = 10  # seconds between progress lines when nothing happens
ROUNDS_KEPT = 1000  # in the result; the newest

secrets = _checks.secrets


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    checks = [check for check in _checks.parse(params) if params["jobs"] or check["kind"].NAME != "job"]
    for option, least in (("interval", 0.1), ("tolerance", 0)):
        if params[option] < least:
            raise BlueGreenError(
                f"{option} must be at least {least:g}, not {params[option]:g}.",
                "bad_input",
                next_step=f"Correct {option}.",
            )
    if cluster.dry_run:
        return {
            "color": params["color"],
            "msg": f"Would repeat {len(checks)} checks for {params['time']:.0f} s.",
        }
    app = read_application(cluster, params)
    color = app.color(params["color"] or app.active)
    with cluster.observe(pods=("Pod", {"labelSelector": color.pod_selector})) as view:
        return _Bake(app, color, checks, params, view, progress).run()


class _Bake:
    def __init__(
        self,
        app: Application,
        color: Color,
        checks: list[Object],
        params: Params,
        view: Observation,
        progress: Progress,
    ) -> None:
        self.app = app
        self.color = color
        self.checks = checks
        self.params = params
        self.view = view
        self.progress = progress
        self.shared = _checks.Run(app, color, params)
        self.restarts = {pod.name: pod.restarts for pod in self._pods()}  # name -> restarts that are known
        self.were_ready: set[str] = set()  # names: only a pod that was ready can become unready; a new one starts up
        self.rounds: list[Object] = []
        self.results: list[Object] = []
        self.bad = 0  # rounds that were not good
        self.started = time.monotonic()

    def run(self) -> Object:
        said_at = self.started
        end = self.started + self.params["time"]
        while True:
            begun = time.monotonic()
            troubles = self._round()
            now = time.monotonic()
            left = max(end - now, 0)
            if troubles:
                self.bad += 1
                self.progress(
                    f"bake: FAILED {'; '.join(troubles)[:300]}; {self.bad} bad rounds, {self.params['tolerance']} are tolerated, {left:.0f} s left"
                )
                if self.bad > self.params["tolerance"]:
                    raise self._failure(troubles)
            if now >= end:
                break
            if len(self.rounds) == 1 or now - said_at >= HEARTBEAT:
                said_at = now
                self.progress(
                    f"bake: {len(self.rounds) - self.bad} of {len(self.rounds)} rounds good, {left:.0f} s left"
                )
            self._wait(min(begun + self.params["interval"], end))
        message = (
            f"{self.color.name} was watched for {now - self.started:.0f} s: {len(self.rounds) - self.bad} of "
            f"{len(self.rounds)} rounds of {len(self.checks)} checks were good."
        )
        self.progress(message)
        return dict(self._result(True), msg=message)

    def _pods(self) -> list[Pod]:
        return [Pod(pod) for pod in self._staying()]

    def _staying(self) -> list[Object]:
        return _checks.staying(self.color.own(self.view["pods"]))

    def _round(self) -> list[str]:
        """Look at the pods, run all checks on those that are ready, note how it went; returns what was not good."""
        at = time.monotonic() - self.started
        troubles = self._pod_troubles(note=True)
        ready = [pod for pod in self._staying() if Pod(pod).ready]
        if not ready:
            troubles.append("no pod is ready")
        results = self.shared.execute(self.checks, ready, self.params["parallel"]) if ready else []
        # A pod that was taken away meanwhile, by an autoscaler or a node's drain, failed nobody.
        there = {pod["metadata"]["name"] for pod in self._staying()}
        asked = {pod["metadata"]["name"] for pod in ready}
        results = [
            result for result in results if result["passed"] or result["target"] in there | {result["target"]} - asked
        ]
        verdicts = {}
        for check in self.checks if results else []:
            if _checks.needs_pods(check) and not any(result["name"] == check["name"] for result in results):
                continue
            passed, line = _checks.verdict(check, results)
            verdicts[check["name"]] = passed
            if not passed:
                troubles.append(line.split(None, 1)[1])
        if not troubles:
            troubles = self._pod_troubles(note=True)  # while the checks ran
        self.results = results
        own = {check["name"]: [item for item in results if item["name"] == check["name"]] for check in self.checks}
        self.rounds = self.rounds[-ROUNDS_KEPT + 1 :] + [
            {
                "at": round(at, 3),
                "passed": not troubles,
                "troubles": troubles,
                "latency_ms": {name: max(item["latency_ms"] for item in items) for name, items in own.items() if items},
                "numbers": {
                    name: items[0]["value"] for name, items in own.items() if items and items[0]["value"] is not None
                },
                "failed": sorted(name for name, passed in verdicts.items() if not passed),
            }
        ]
        return troubles

    def _pod_troubles(self, note: bool) -> list[str]:
        """What has become worse with the pods since it was last noted."""
        troubles = []
        restarts, ready = dict(self.restarts), set()
        for pod in self._pods():
            before = restarts.get(pod.name, 0)
            if pod.restarts > before:
                troubles.append(f"pod {pod.name} has restarted ({pod.state()})")
            restarts[pod.name] = pod.restarts
            if pod.ready:
                ready.add(pod.name)
            elif pod.name in self.were_ready:
                troubles.append(f"pod {pod.name} is not ready any more")
        if note:
            self.restarts = restarts
            self.were_ready |= ready
        return troubles

    def _wait(self, until: float) -> None:
        """Wait for the next round; trouble with a pod is not waited for."""
        while time.monotonic() < until and not self._pod_troubles(note=False):
            self.view.wait(until - time.monotonic())

    def _result(self, passed: bool) -> Object:
        return {
            "passed": passed,
            "color": self.color.name,
            "elapsed": round(time.monotonic() - self.started, 3),
            "rounds": self.rounds,
            "checks": self.results,
        }

    def _failure(self, troubles: list[str]) -> BlueGreenError:
        failed = {result["target"] for result in self.results if not result["passed"]}
        pods = [
            pod
            for pod in self._pods()
            if pod.name in failed or not pod.ready or any(pod.name in text for text in troubles)
        ]
        return BlueGreenError(
            f"{self.color.name} failed in the bake, {self.rounds[-1]['at']:.1f} s after its begin: {'; '.join(troubles[:5])}.",
            "bake_failed",
            why=_checks.reasons(self.results) + evidence(self.app.cluster, sorted(pods, key=lambda pod: pod.ready)),
            next_step=f"Mend {self.color.deployment_name} and release again.",
            result=self._result(False),
        )
