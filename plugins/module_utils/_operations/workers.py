# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Workers: let those of the new color begin before the switch, and those of what is not live rest after it."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import wait_gone, wait_ready
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.workers import (
    Scaling,
    Wanted,
    Worker,
    parse,
    refuse_split,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import again, diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, evidence
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_workers"

ARGUMENTS = dict(
    APPLICATION,
    workers={"type": "raw", "required": True},
    stage={"type": "str", "required": True, "choices": ["start", "settle"]},
    color={"type": "str"},
    deployed={"type": "dict", "default": {}},
    timeout={"type": "raw", "default": 300},
    way_back={"type": "bool", "default": False},
    parallel={"type": "int", "default": 32},
    **_checks.SETTINGS,
    **LOCK,
)

DURATIONS = ("api_timeout", "timeout")

KEEPS_LOCK = True

RETURNS: Object = {"color": None, "workers": {}, "checks": [], "diff": {}}

STEADY = 5  # seconds in which a program that cannot work usually ends

Decide = Callable[[Worker], list[Scaling]]


def secrets(params: Params) -> set[str]:
    found = [check for item in parse(params.get("workers") or [])[0] for check in item.checks]
    return _checks.secrets(dict(params, checks=found))


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    wanted, mistakes = parse(params["workers"])
    if mistakes:
        raise BlueGreenError(
            "The workers cannot be understood.",
            "bad_input",
            why=mistakes,
            next_step="Correct bluegreen_workers; nothing has been changed.",
        )
    turn = _Turn(cluster, params, wanted, progress)
    try:
        (turn.start if params["stage"] == "start" else turn.settle)()
    except BlueGreenError as error:
        error.result = dict(turn.result(), **error.result)
        raise
    return turn.result()


class _Turn:
    """The workers of an application, all together, from one color to the other.

    ``color``  the one that is to work
    """

    def __init__(self, cluster: Cluster, params: Params, wanted: list[Wanted], progress: Progress) -> None:
        self.cluster, self.params, self.progress = cluster, params, progress
        self.wanted = wanted
        self.apart = [item for item in wanted if item.mode == "gap"]
        self.together = [item for item in wanted if item.mode == "overlap"]
        self.starts = params["stage"] == "start"
        self.changes: list[tuple[Scaling, str]] = []
        self.warnings: list[str] = []
        self.checks: list[Object] = []
        app = read_application(cluster, params)
        self.color = params["color"] or (app.idle if self.starts else app.active)
        self.planned = (
            cluster.dry_run and self.color != app.active
        )  # what is to be live, and is not because this is a plan

    # --- the two stages

    def start(self) -> None:
        """Before the switch: the new ones are up; where two versions must not meet, the old ones are gone before."""
        back = self.params["way_back"]
        checks = {} if back else {item.name: _checks.parse(self._checking(item)) for item in self.wanted if item.checks}
        try:
            self._scale(self.apart, lambda worker: worker.reserved(self.color, back))
            self._rest(self.apart)
            self._wait_gone([item for item in self.apart if self._worker(item).begun(self.color, back)])
            self._scale(self.wanted, lambda worker: worker.begun(self.color, back))
            for item in self.wanted:
                self._wait_up(item, self._worker(item).needed(self.color, back) if back else 0)
            if not back:
                self._refuse_unsteady()
            for item in self.wanted:
                if item.name in checks:
                    self._check(item, checks[item.name])
        except BlueGreenError as error:
            # Users are not kept on a broken version for the sake of workers, which are settled after the switch.
            if (
                not back
                or isinstance(error, ApiError)
                or error.reason not in ("rollout_failed", "timeout", "not_found")
            ):
                raise
            self.warnings.append(f"The switch does not wait for the workers: {error.what}")

    def settle(self) -> None:
        """Whatever is live works, and the other color rests: in the order in which two versions do not meet, or no gap is."""
        if self.planned and not self.params["way_back"]:  # the start has shown the rest of the plan
            self._rest(self.together)
            return
        self._scale(self.apart, lambda worker: worker.inherited(self.color))
        rested = self._rest(self.apart)
        waits = [item for item in self.apart if item.name in rested or self._worker(item).resumed(self.color)]
        self._wait_gone(waits)
        raised = self._scale(self.wanted, lambda worker: worker.resumed(self.color))
        for item in self.wanted:
            if item.name in raised or item in self.together and self._to_rest(item):
                self._wait_up(item, 1)
        rested = self._rest(self.together)
        try:
            self._wait_gone([item for item in self.together if item.name in rested])
        except BlueGreenError as error:
            if error.reason != "timeout":
                raise
            self.warnings.append(error.what)  # both could work all the time, and the users' version is good

    # --- the parts of them

    def _read(self) -> Application:
        """
        :raises BlueGreenError: the color that is to work is not the one that is released, or not the live one.
        """
        app = read_application(self.cluster, self.params)
        refuse_split(app)
        if self.color not in app.names:
            app.color(self.color)
        if self.cluster.dry_run or self.color == (app.idle if self.starts else app.active):
            return app
        raise BlueGreenError(
            f"{self.color} is {'live' if self.starts else 'not live'}, so its workers are not started.",
            "live" if self.starts else "changed_selector",
            why=[f"Service {name} selects {selector[app.label]}" for name, selector in app.selectors().items()],
            next_step="Make sure that the Services select what they shall, then run again.",
        )

    def _worker(self, item: Wanted, app: Application | None = None) -> Worker:
        return Worker(app or self._read(), item, self.params["containers"])

    def _scale(self, items: list[Wanted], decide: Decide) -> list[str]:
        """Write what is decided of each on one fresh reading; the names of those that were scaled."""
        scaled: list[str] = []

        def attempt() -> None:
            app = self._read()
            for item in items:
                worker = self._worker(item, app)
                for change in decide(worker):
                    name = worker.app.name_for(change.color.name)
                    if change.color.deployment is not None:  # else it was only planned
                        operations = app.fence(change.color.deployment, self.params["lock_id"]) + change.operations()
                        self.cluster.patch("Deployment", name, operations)
                    if change.replicas == change.color.replicas:
                        continue  # only a note
                    self.changes.append((change, name))
                    scaled.append(item.name)
                    self.progress(f"{name}: {change.color.replicas} -> {change.replicas} pods")

        if items:
            again(
                attempt,
                f"Somebody else keeps changing the workers in namespace {self.cluster.namespace!r}.",
                "Stop the other writer (an autoscaler? GitOps?), then run again.",
            )
        return scaled

    def _rest(self, items: list[Wanted]) -> list[str]:
        return self._scale(items, lambda worker: worker.rested(worker.app.other(self.color)))

    def _to_rest(self, item: Wanted) -> bool:
        worker = self._worker(item)
        return bool(worker.rested(worker.app.other(self.color)))

    def _wait_gone(self, items: list[Wanted]) -> None:
        """:raises BlueGreenError: ``timeout``: pods of the color that rests do not end."""
        for item in [] if self.cluster.dry_run else items:
            worker = self._worker(item)
            color = worker.app.colors[worker.app.other(self.color)]
            left = wait_gone(worker.app, color, self.progress)
            if left:
                raise BlueGreenError(
                    f"The pods of {color.deployment_name} do not end, so {worker.app.name_for(self.color)} is not to work beside them.",
                    "timeout",
                    why=left,
                    next_step="Find out what keeps them (a node that is away?), then run again.",
                )

    def _wait_up(self, item: Wanted, least: int) -> None:
        """:param least: how many ready pods are enough; 0 for all."""
        if not self.cluster.dry_run:
            worker = self._worker(item)
            wanted = (self.params["deployed"].get(item.name) or {}).get("template_hash")
            wait_ready(worker.app, worker.color(self.color), self.params["timeout"], self.progress, least, wanted)

    def _refuse_unsteady(self) -> None:
        """Without a readiness probe a pod is ready as soon as its program runs, also one that is about to crash.

        :raises BlueGreenError: one has crashed within some seconds.
        """
        unproven = [] if self.cluster.dry_run else [item for item in self.wanted if self._is_unproven(item)]
        if unproven:
            self.cluster.sleep(STEADY)
        for item in unproven:
            color = self._worker(item).color(self.color)
            pods = map(Pod, color.own(self.cluster.list("Pod", labelSelector=color.pod_selector)["items"]))
            restarted = [pod for pod in pods if pod.restarts and not pod.is_over]
            if restarted:
                raise BlueGreenError(
                    f"{color.deployment_name} cannot become ready: its program ends, and is started again.",
                    "rollout_failed",
                    why=evidence(self.cluster, restarted),
                    next_step=f"Mend the cause and release again: kubectl -n {self.cluster.namespace} describe deployment "
                    f"{color.deployment_name} shows more.",
                )

    def _is_unproven(self, item: Wanted) -> bool:
        spec = self._worker(item).color(self.color).deployment["spec"]
        containers = spec["template"]["spec"]["containers"]
        return not spec.get("minReadySeconds") and not all("readinessProbe" in container for container in containers)

    def _checking(self, item: Wanted) -> Params:
        return dict(self.params, checks=item.checks)

    def _check(self, item: Wanted, checks: list[Object]) -> None:
        if not self.cluster.dry_run:
            worker = self._worker(item)
            done = smoke_check.execute(
                worker.app, worker.color(self.color), checks, self._checking(item), self.progress
            )
            self.checks += done["checks"]

    # --- what is told

    def result(self) -> Object:
        before = {f"Deployment {name}": {"replicas": change.color.replicas} for change, name in reversed(self.changes)}
        after = {f"Deployment {name}": {"replicas": change.replicas} for change, name in self.changes}
        verb = "would have" if self.cluster.dry_run else "has"
        told = [
            f"{name} {verb} {change.replicas} pods (before: {change.color.replicas})" for change, name in self.changes
        ]
        return {
            "changed": bool(self.changes),
            "color": self.color,
            "workers": {name: change.replicas for change, name in self.changes},
            "checks": self.checks,
            "warnings": self.warnings,
            "diff": diff("workers", before, after) if self.changes else {},
            "msg": f"{'; '.join(told)}." if told else "The workers are as they are to be.",
        }
