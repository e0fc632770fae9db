# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Scale: set the number of pods of a color that is not live; in a release, only if the live one is well."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import followers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
    read_unless_live,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.endpoints import (
    is_deserted,
    pods_of_both,
    ready_pods,
    restarts,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import entry_of, last_switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import set_replicas
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import again
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, evidence
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CRONJOBS, FOLLOW, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Look, Object, Params, Progress

NAME = "bg_scale"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    replicas={"type": "int", "required": True},
    delay={"type": "raw", "default": 0},
    elapsed={"type": "float", "default": 0},
    assume_active={"type": "str"},
    follow=dict(FOLLOW, default=[]),
    cronjobs=CRONJOBS,
    **LOCK,
)

DURATIONS = ("api_timeout", "delay")

KEEPS_LOCK = True

RETURNS: Object = {"color": None, "replicas": None, "previous_replicas": None, "diff": {}}

SCALING = "scaling it"  # what a color that is live is spared

HEARTBEAT = 10  # seconds between progress lines

# Seconds in which a live color that is not at strength may come back to it, such as after the drain of a node.
RECOVERS = 10


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    if params["replicas"] < 0:
        raise BlueGreenError(
            f"replicas must be 0 or more, not {params['replicas']}.", "bad_input", next_step="Give 0 or more."
        )
    app = read_application(cluster, params)
    name = _target(app, params)
    had = app.color(name).replicas
    looks = params["replicas"] < had and _is_release(app, params["lock_id"])
    look: Look = functools.partial(read_unless_live, cluster, params, name, SCALING)
    if looks:
        look = functools.partial(_refuse_unwell, cluster, params, name)
    if params["replicas"] != had and not cluster.dry_run:
        end = time.monotonic() + params["delay"] - params["elapsed"]
        if looks and params["delay"] > params["elapsed"] and _breaks(app, end, name, progress):
            look()
        _wait(end, name, had, progress, cluster.sleep)
        if looks:
            look()
    return again(
        lambda: _scale(cluster, params, look),
        f"Somebody else keeps changing Deployment {app.color(name).deployment_name}.",
        "Stop the other writer (an HPA? GitOps?), then run again.",
    )


def _scale(cluster: Cluster, params: Params, look: Look) -> Object:
    # After the delay: another run may have switched back meanwhile.
    app, found = followers.read(cluster, params, params["follow"], params["cronjobs"])
    name = _target(app, params)
    # First, because an autoscaler would soon scale it up again.
    aim = followers.Aim("scale_down", app.other(name), params["replicas"])
    changes = followers.converge(app, found, aim, params["lock_id"])
    scaled = set_replicas(app, app.color(name), params["replicas"], params["lock_id"], look)
    if changes:
        also = followers.told(cluster, changes)
        both = {side: {**scaled["diff"][side], **also["diff"][side]} for side in ("before", "after")}
        scaled.update(changed=True, msg=f"{scaled['msg']} {also['msg']}.", diff={**scaled["diff"], **both})
    return scaled


def _target(app: Application, params: Params) -> str:
    """The color to scale, which must not be live."""
    active = app.active
    if app.cluster.dry_run and params["assume_active"]:
        active = params["assume_active"]  # a switch that was only planned has not happened
    name = params["color"] or app.other(active)
    if name == active or (name == app.active and not app.cluster.dry_run):
        app.refuse_live(app.active, SCALING)
    return name


def _breaks(app: Application, end: float, name: str, progress: Progress) -> bool:
    """Wait until the end of the delay, or until the live color breaks, which is a reason not to wait any longer."""
    with app.cluster.observe(pods=("Pod", {"labelSelector": pods_of_both(app)})) as view:

        def is_broken() -> bool:
            pods = view["pods"]
            restarted = _restarted(app, app.live.own(pods))
            return bool(restarted) or is_deserted(app, app.active, pods)

        return _wait(end, name, app.color(name).replicas, progress, view.wait, is_broken)


def _wait(
    end: float,
    name: str,
    replicas: int,
    progress: Progress,
    wait: Callable[[float], None],
    is_over: Callable[[], bool] = lambda: False,
) -> bool:
    """
    :returns: whether it was over before the end.
    """
    said_at = None
    while not is_over():
        now = time.monotonic()
        if now >= end:
            return False
        if said_at is None or now - said_at >= HEARTBEAT:
            progress(f"{name} keeps its {replicas} pods for {end - now:.0f} s more")
            said_at = now
        wait(min(end, said_at + HEARTBEAT) - now)
    return True


def _refuse_unwell(cluster: Cluster, params: Params, name: str) -> None:
    """A release takes the old color's pods away only if the live one is well, because they are its way back.

    This is judged on a fresh reading.

    :raises BlueGreenError: the live color is not at strength, or its pods have restarted since this release has switched.
    """
    end = time.monotonic() + RECOVERS
    while True:
        app = read_unless_live(cluster, params, name, SCALING)
        pods = cluster.list("Pod", labelSelector=pods_of_both(app))["items"]
        live = app.live.own(pods)
        restarted, missing = _restarted(app, live), _missing(app, live)
        if not restarted and not missing:
            return
        if restarted or time.monotonic() >= end:
            worst_first = sorted(map(Pod, live), key=lambda pod: (pod.ready, -pod.restarts))
            raise BlueGreenError(
                f"{app.active} is live, but {restarted or missing}: {name} keeps its {app.color(name).replicas} pods.",
                "not_ready",
                why=evidence(cluster, worst_first),
                next_step=f"Find out what is wrong with {app.active}, and release again when it is mended.",
            )
        cluster.sleep(1)


def _is_release(app: Application, lock_id: str | None) -> bool:
    """Whether this is a part of a release; a rollback has nowhere else to go."""
    return entry_of(app.state["history"], lock_id).get("kind") == "release"


def _restarted(app: Application, live: list[Object]) -> str:
    """In words, whether the live color's pods have restarted since the switch of a release that is not over yet."""
    last = last_switch(app.state["history"]) or {}
    over = last.get("outcome") not in ("running", "interrupted", "failed") or last.get("color") != app.active
    if over or last.get("restarts") is None:  # which older versions have not recorded
        return ""
    count = restarts(live) - last["restarts"]
    return f"its pods have restarted since the switch ({count} time{'' if count == 1 else 's'})" if count > 0 else ""


def _missing(app: Application, live: list[Object]) -> str:
    """In words, whether it has fewer ready pods than it had at its switch, or is asked to have by now."""
    needed = max(app.strength(), 1)
    last = last_switch(app.state["history"]) or {}
    if last.get("color") == app.active and last.get("replicas"):
        needed = min(needed, last["replicas"])
    ready = len(ready_pods(live, {}))
    return f"{ready} of the {needed} pods that it needs are ready" if ready < needed else ""
