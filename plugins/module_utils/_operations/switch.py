# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Switch: point the Services at the other color, in one fenced write each, and observe that it has happened."""

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    SERVICE_NAME,
    Application,
    read_application,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.endpoints import (
    Following,
    Ports,
    is_deserted,
    pods_of_both,
    ready_pods,
    refuse_unreachable,
    restarts,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import entry_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import user
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.others import refuse_strangers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.probe import PROBE, Probe
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import (
    rolled_out,
    set_replicas,
    wait_ready,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import (
    bounded,
    read_state,
    state_operations,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    refuse_another_template,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import TRIES, diff
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import Pod, evidence
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.watch import Observation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION, CONNECTION, LOCK
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment, now
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Look, Object, Params, Progress

NAME = "bg_switch"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str", "required": True},
    selectors={"type": "dict"},
    template_hash={"type": "str"},
    reverts={"type": "str"},
    way_back={"type": "bool", "default": False},
    wait_timeout={"type": "raw", "default": 0},
    force={"type": "bool", "default": False},
    by={"type": "str"},
    job={"type": "str"},
    frozen_at={"type": "str"},
    probe=PROBE,
    workers={"type": "list", "elements": "str", "default": []},
    **LOCK,
)

DURATIONS = ("api_timeout", "wait_timeout")

KEEPS_LOCK = True

RETURNS: Object = {
    "from_color": None,
    "to_color": None,
    "endpoints_ms": None,
    "last_old_ms": None,
    "frozen_ms": None,
    "diff": {},
}

# Seconds for the EndpointSlices, and for what the probe sees, to follow the switch. They usually take some ten
# milliseconds. But the API server may be away for a minute right then, and after that the controllers and kube-proxy pause
# for up to a minute before they ask again, and once more when the server that has just started refuses them
# (https://github.com/kubernetes/client-go/blob/v0.37.2/tools/cache/reflector.go#L58-L68).
FOLLOW_TIMEOUT = 180

# Seconds in which the color that is live must have answered the probe before it is left.
PROBE_TIMEOUT = 10

# Seconds without any ready pod of the new color, after which it is not waited for any longer.
LOST = 5

# Seconds after which EndpointSlices that were right before the switch already, and have not changed since, are taken as they
# are: the controller may still be at an earlier switch, which it follows first.
SETTLED = 2

# Seconds in which nodes usually follow the EndpointSlices; nothing but a probe tells when they have. Whatever Ansible does
# earlier, be it to print a line, takes CPU time from a kube-proxy on the same machine (measured in docs/bench.md).
NODES_PAUSE = 0.1


def put_on(color: str, params: Params, cluster: Cluster, progress: Progress, **options: Any) -> Object:
    """The switch as a part of another operation, which gives its own options; all others have their defaults.

    ``finishes`` among them is about the run whose interrupted switch is finished: ``{"run", "reverts", "outcome"}``.
    """
    nothing = {name: option.get("default") for name, option in ARGUMENTS.items()}
    given = {name: value for name, value in params.items() if name in ARGUMENTS or name in CONNECTION}
    return run({**nothing, **given, "color": color, **options}, cluster, progress)


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    frozen_at = _moment(params["frozen_at"])
    app = _read(cluster, params)
    target, source = params["color"], app.other(params["color"])
    color = app.planned(target)
    _refuse_changed_selectors(app, params["selectors"])
    result = {"from_color": source, "to_color": target, "warnings": app.warnings, "diff": _diff(app, target)}
    if app.active == target and not app.pending:
        return dict(result, changed=False, msg=f"{app.describe(target)} is live already.")
    if cluster.dry_run:
        for service in app.services:
            _patch(app, service, target, None, None)
        return dict(
            result,
            changed=True,
            msg=f"{', '.join(params['services'])} would be switched to {app.describe(target)}.",
        )
    moves = app.active != target
    if moves:
        refuse_another_template(color.deployment, params["template_hash"])
        app, color = _capacity(app, params, progress)
    slices = f"{SERVICE_NAME} in ({','.join(params['services'])})"
    probe = Probe(params["probe"], target, app.names) if params["probe"] else None
    # Both are known before the switch, so that nothing is asked right after it.
    watched = {
        "slices": ("EndpointSlice", {"labelSelector": slices}),
        "pods": ("Pod", {"labelSelector": pods_of_both(app)}),
    }
    with cluster.observe(**watched) as view:
        if probe:
            probe.start()
        try:
            if moves:
                # A broken color may answer nobody; that is no reason to stay with it.
                heard = ready_pods(view["pods"], {app.label: source}) and not params["force"] and not params["way_back"]
                if probe and heard:
                    probe.refuse_silence(source, PROBE_TIMEOUT, cluster.check)
                app, color = _last_look(app, params, view)
            # In an emergency the pods may be on their way still, and there is nowhere to go back to.
            leaves = moves and not params["force"] and not params["way_back"]
            check = _lost(app, target, view) if leaves else cluster.check
            following = Following(app, target)
            was_so = following.done(view["pods"], view["slices"])
            look = functools.partial(_look_again, cluster, params) if moves else None
            _switch_all(app, target, _entry(app, color, view["pods"], params), params, look)
            switched = time.monotonic()
            result["changed"] = True
            cluster.live = f"{target} (version {color.version})"
            result["endpoints_ms"] = _observe_endpoints(following, view, switched, was_so, check, progress)
            if frozen_at and result["endpoints_ms"] is not None:
                result["frozen_ms"] = round((time.time() - frozen_at) * 1000)
            cluster.sleep(NODES_PAUSE)
            progress(f"{', '.join(params['services'])}: switched from {source} to {target} ({color.version})")
            if probe:
                result["last_old_ms"] = probe.last_old(switched, FOLLOW_TIMEOUT, check, progress)
                if result.get("frozen_ms") is not None and result["last_old_ms"] is not None:
                    result["frozen_ms"] += max(result["last_old_ms"] - result["endpoints_ms"], 0)
        except BlueGreenError as error:
            error.result = dict(result, **error.result)
            raise
        finally:
            if probe:
                probe.stop()
    result["msg"] = _told(result)
    progress(result["msg"])
    return result


def _told(result: Object) -> str:
    """What was observed of the switch, in one sentence."""
    seen, frozen, followed = (result.get(name) for name in ("last_old_ms", "frozen_ms", "endpoints_ms"))
    ends = "its endpoints were there before the switch" if followed is None else f"endpoints after {followed} ms"
    last = "" if seen is None else f", last answer of {result['from_color']} after {seen} ms"
    writes = "" if frozen is None else f"; writes were frozen for {frozen} ms"
    return f"{result['to_color']} is live: {ends}{last}{writes}."


def _entry(app: Application, color: Color, pods: list[Object], params: Params) -> Object:
    """What the history shall say about this switch."""
    source, finishes = app.colors[app.other(color.name)], params.get("finishes") or {}
    left = workers.recorded(app, params["workers"], source.name, params["containers"])
    # Who holds the lock says at its end how it went.
    outcome = finishes.get("outcome") or ("running" if params["lock_id"] else "switched")
    return {
        "run": finishes.get("run") or params["lock_id"] or uuid.uuid4().hex,
        "color": color.name,
        "from_color": source.name,
        "version": color.version,
        "image": color.image,
        "previous_version": source.version,
        "previous_image": source.image,
        "template_hash": color.template_hash,
        "previous_template_hash": source.template_hash,
        "previous_replica_set": _replica_set(source, source.own(pods)),
        "replicas": color.replicas,
        "previous_replicas": source.replicas,
        "restarts": restarts(color.own(pods)),
        "switched_at": now(),
        "by": params["by"] or user(),
        "job": params["job"],
        "outcome": outcome,
        **({"workers": left} if left else {}),
    }


def _replica_set(color: Color, pods: list[Object]) -> str | None:
    """The ReplicaSet of the template that is recorded; its name outlasts an upgrade of the API server, the hash may not."""
    names = {owner["name"] for pod in pods for owner in pod["metadata"].get("ownerReferences") or []}
    settled = color.deployment is not None and rolled_out(color.deployment)
    return names.pop() if settled and len(names) == 1 else None


# --- before ----------------------------------------------------------------------------------------------------
def _read(cluster: Cluster, params: Params) -> Application:
    """As ``read_application``; where no color can be read off the selectors any more, the error shows what they were."""
    try:
        return read_application(cluster, params)
    except BlueGreenError as error:
        if error.reason in ("no_color", "contradiction"):
            for name, selector in (params["selectors"] or {}).items():
                error.why.append(f"the selector of {name} was {json.dumps(selector, sort_keys=True)}")
        raise


def _moment(text: str | None) -> float | None:
    """``frozen_at`` as seconds since the epoch; ``None`` when it is not given."""
    try:
        return moment(text).timestamp() if text else None
    except ValueError as error:
        raise BlueGreenError(
            f"frozen_at is no time: {text!r}",
            "bad_input",
            next_step="Give what bg_job has returned as frozen_at.",
        ) from error


def _refuse_changed_selectors(app: Application, expected: Object | None) -> None:
    """The decision to switch was made on these selectors; on others it may be wrong."""
    for name, selector in (expected or {}).items():
        found = app.selectors().get(name)
        if found is not None and found != selector:
            raise BlueGreenError(
                f"The selector of Service {name} was changed by somebody else since this release looked at it.",
                "changed_selector",
                why=[
                    f"it was {json.dumps(selector, sort_keys=True)}",
                    f"it is  {json.dumps(found, sort_keys=True)}",
                ],
                next_step="Make sure that the selector is as you want it, then run again.",
            )


def _capacity(app: Application, params: Params, progress: Progress) -> tuple[Application, Color]:
    """Make sure that the target can carry the traffic: as many ready pods as the color that carries it now has replicas.

    With ``wait_timeout`` 0 this only looks; otherwise the target is scaled up (never down) and waited for; with ``force``
    it is scaled up and not waited for. Never asks whether the color that is left is healthy, nor on the way back how large
    it is.

    :returns: a fresh reading of the application, and the target color in it.
    :raises BlueGreenError: the target is not able to; nothing has been switched.
    """
    target, deadline, conflicts = params["color"], time.monotonic() + params["wait_timeout"], 0
    while True:
        color, needed = app.color(target), _needed(app, params)
        # Ready pods of an older template, which a rollout is about to replace, are not the version that shall be live.
        complete = rolled_out(color.deployment)
        enough = _least(needed, params) if params["way_back"] else color.replicas
        if color.replicas >= needed and color.ready >= enough and complete:
            return app, color
        if not params["wait_timeout"] and not params["force"]:
            raise _too_few(color, color.ready, needed, "" if complete else ", and its rollout is not complete")
        if color.replicas < needed:
            progress(f"{target} is scaled from {color.replicas} to {needed} pods before the switch")
            try:
                set_replicas(app, color, needed, params["lock_id"])
            except PatchConflict:
                conflicts += 1
                if conflicts == TRIES:
                    raise
                app = read_application(app.cluster, params)
                continue  # what was not scaled must not be waited for
            app = read_application(app.cluster, params)
        if params["force"]:
            return app, app.color(target)
        left = max(deadline - time.monotonic(), 0)
        wait_ready(app, app.color(target), left, progress, needed if params["way_back"] else 0, params["template_hash"])
        app = read_application(app.cluster, params)  # the live color may have been scaled meanwhile
        _refuse_changed_selectors(app, params["selectors"])
        if params["way_back"]:
            return app, app.color(target)


def _needed(app: Application, params: Params) -> int:
    """How many pods the target needs: on the way back what it had when it was live, else what the live one has now."""
    return max(app.strength_before(params["color"]) if params["way_back"] else app.strength(), 1)


def _least(needed: int, params: Params) -> int:
    """How many of them must be ready. On the way back one may not be: a pod that is lost stops nobody's application."""
    return max(needed - 1, 1) if params["way_back"] else needed


def _last_look(app: Application, params: Params, view: Observation) -> tuple[Application, Color]:
    """Right before the write, everything is read and judged once more, and the endpoints that will be are predicted.

    :raises BlueGreenError: they would be none, too few, or without a port of their Service; nothing has been switched.
    """
    app = read_application(app.cluster, params)
    _refuse_changed_selectors(app, params["selectors"])
    return app, _fit(app, params, view["pods"])


def _look_again(cluster: Cluster, params: Params) -> None:
    """The same where an answer has come late, or none has: that may be a minute later, and a watch may be later still.

    :raises BlueGreenError: as the last look; what was switched meanwhile, of several Services, is to be undone.
    """
    app = read_application(cluster, params)
    if app.active != params["color"]:  # else the write has arrived
        _fit(app, params, cluster.list("Pod", labelSelector=pods_of_both(app))["items"])


def _fit(app: Application, params: Params, pods: list[Object]) -> Color:
    """The color that is switched to, if these pods of it can carry the traffic."""
    target = params["color"]
    color, needed = app.color(target), _needed(app, params)
    refuse_another_template(color.deployment, params["template_hash"])
    ready, least = len(ready_pods(color.own(pods), {})), _least(needed, params)
    if ready < least and not params["force"]:
        raise _too_few(color, ready, needed)
    hurries = params["force"] or params["way_back"]
    refuse_unreachable(app, target, pods, least, any_port=hurries)
    if not hurries:
        refuse_strangers(app, target, pods)
    return color


def _too_few(color: Color, ready: int, needed: int, more: str = "") -> BlueGreenError:
    return BlueGreenError(
        f"{color.name} cannot carry the traffic: {ready} pods ready, {needed} needed{more}.",
        "not_ready",
        next_step=f"Scale {color.deployment_name} up and wait for it, or give wait_timeout; force switches all the same and risks lost requests.",
    )


# --- the switch ------------------------------------------------------------------------------------------------
def _switch_all(app: Application, target: str, entry: Object, params: Params, look: Look | None) -> None:
    """Point every Service at ``target``, all or none.

    With one Service, one write does it. With several, the intent is recorded first, so that whoever comes after a run that
    was killed in between knows what it meant; the first Service, which keeps the state, is switched last and closes it.
    """
    first, others, lock_id = app.services[0], app.services[1:], params["lock_id"]
    source, reverts = app.other(target), params["reverts"] or (params.get("finishes") or {}).get("reverts")
    undoing = (
        app.pending is not None and target == app.active
    )  # back to where an interrupted switch began: its intent stands until that is done
    if others and not undoing:
        intent = {"from": source, "to": target, "run": entry["run"], **({"reverts": reverts} if reverts else {})}
        first = _patch(app, first, None, lambda state: dict(state, intent=intent), lock_id, look)
    done: list[Object] = []

    def closed(state: Object) -> Object:
        return dict(state, intent=None) if undoing else _recorded(state, entry, reverts or entry["run"])

    try:
        for service in others:
            done.append(service)
            _patch(app, service, target, None, lock_id, look)
        _patch(app, first, target, closed, lock_id, look)
    except BlueGreenError as error:
        if (
            not others
            or undoing
            or error.reason == "superseded"
            or not _undo(app, done, target, closed, lock_id, error)
        ):
            raise


def _undo(
    app: Application,
    done: list[Object],
    target: str,
    closed: Callable[[Object], Object],
    lock_id: str | None,
    error: BlueGreenError,
) -> bool:
    """Put back the Services that were switched already; what cannot be put back is added to the error.

    :returns: whether there is nothing to undo, because the last Service selects the target: its write had arrived and only
        the answer was lost, or somebody else has switched it, which is recorded as ours.
    """
    source = app.other(target)
    try:
        first = app.reread(app.services[0])
        if _selects(app, first, target):
            if read_state(first)["intent"]:
                _patch(app, first, None, closed, lock_id)
            return True
        for service in done:
            fresh = app.reread(service)
            if not _selects(app, fresh, source):
                _patch(app, fresh, source, None, lock_id)
        _patch(app, first, None, lambda state: dict(state, intent=None), lock_id)
        error.why.append(f"All Services select {source} again.")
    except BlueGreenError as second:
        error.why.append(f"Undoing the half-done switch failed too: {second.what}")
        error.next_step = "Run rollback.yml as soon as the API server lets it: it puts all Services back to one color."
    return False


def _selects(app: Application, service: Object, color: str) -> bool:
    return (service["spec"].get("selector") or {}).get(app.label) == color


def _recorded(state: Object, entry: Object, reverts: str) -> Object:
    """The state after the switch: no intent any more, and a record of it in the history.

    :param reverts: the run whose switch this is the way back of, if it has switched: the one that switches now, unless that
        goes on with what another one had begun.
    """
    history = state["history"]
    if any(item["run"] == reverts and item.get("switched_at") for item in history):
        at = entry["switched_at"]
        history = [dict(item, reverted_at=at) if item["run"] == reverts else item for item in history]
    else:
        own = entry_of(history, entry["run"])
        if own:
            entry = dict(own, **{key: value for key, value in entry.items() if key not in ("by", "job")})
            history = [entry if item is own else item for item in history]
        else:
            history = [entry, *history]
    return dict(state, history=history, intent=None)


def _patch(
    app: Application,
    service: Object,
    target: str | None,
    change_state: Callable[[Object], Object] | None,
    lock_id: str | None,
    look: Look | None = None,
) -> Object:
    """THE switch: one JSON Patch that replaces the whole selector, only if it and the lock are still what was read.

    The state goes into the same patch, so that traffic and record can never disagree. ``target`` ``None`` leaves the
    selector, ``change_state`` ``None`` the state. ``look`` is for :meth:`Cluster.patch`.

    :returns: the Service as written.
    """
    name, old = service["metadata"]["name"], service["spec"]["selector"]
    new = dict(old, **{app.label: target}) if target else old
    for _attempt in range(TRIES):
        operations = app.fence(service, lock_id) + [{"op": "test", "path": "/spec/selector", "value": old}]
        if target:
            operations.append({"op": "replace", "path": "/spec/selector", "value": new})
        if change_state:
            state = bounded(change_state(read_state(service)))
            if "annotations" not in service["metadata"]:
                operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
            operations += state_operations(state)
        try:
            return app.cluster.patch("Service", name, operations, look=look)
        except PatchConflict:
            service = app.reread(service)
        found = service["spec"].get("selector")
        if found == new and (not change_state or read_state(service) == state):
            return service  # our own write had arrived, only its answer was lost
        if found != old:
            raise BlueGreenError(
                f"The switch of Service {name} was refused: somebody else has changed its selector.",
                "changed_selector",
                why=[
                    f"expected {json.dumps(old, sort_keys=True)}",
                    f"found    {json.dumps(found, sort_keys=True)}",
                ],
                next_step="Make sure that the selector is as you want it, then run again.",
            )
    raise BlueGreenError(
        f"Service {name} changes faster than it can be switched ({TRIES} attempts).",
        "conflict",
        next_step="Stop the other writer, then run again.",
    )


# --- after -----------------------------------------------------------------------------------------------------
def _lost(app: Application, target: str, view: Observation) -> Callable[[], None]:
    """What is to be called while the switch is observed: it raises as soon as nothing is left that could be."""
    since: float | None = None

    def check() -> None:
        nonlocal since
        app.cluster.check()
        since = (since or time.monotonic()) if is_deserted(app, target, view["pods"]) else None
        if since and time.monotonic() - since >= LOST:
            pods = [Pod(pod) for pod in app.colors[target].own(view["pods"])]
            raise BlueGreenError(
                f"{target} was switched to, and has had no ready pod for {LOST} s since.",
                "not_ready",
                why=evidence(app.cluster, [pod for pod in pods if not pod.terminating]),
                next_step=f"Mend the cause and release again. Where {app.other(target)} is not live again, rollback.yml makes it so.",
            )

    return check


def _observe_endpoints(
    following: Following,
    view: Observation,
    switched: float,
    was_so: bool,
    check: Callable[[], None],
    progress: Progress,
) -> int | None:
    """Wait until the EndpointSlices have followed.

    :param was_so: whether they were right before the switch already.
    :param check: called while waiting.
    :returns: milliseconds from the switch to the moment when that was seen; ``None`` if no change was.
    """
    said = False
    while True:
        done = following.done(view["pods"], view["slices"])
        now = time.monotonic()
        if done and not was_so:
            return round((now - switched) * 1000)
        if done and now - switched >= SETTLED:
            return None
        was_so = was_so and done
        check()
        if now - switched > FOLLOW_TIMEOUT:
            raise BlueGreenError(
                f"The selector was switched, but the EndpointSlices did not follow within {FOLLOW_TIMEOUT} s.",
                "endpoints",
                why=[f"{name} holds {_in_words(held)}" for name, held in following.held.items()]
                + [f"ready pods: {', '.join(sorted(following.ready)) or 'none'}"],
                next_step="Check the kube-controller-manager and the new pods' readiness; switch back if users are hurt.",
            )
        if not said and now - switched > 5:
            said = True
            progress(f"switched, but the EndpointSlices have not followed yet; waiting for up to {FOLLOW_TIMEOUT} s")
        view.wait(1)


def _in_words(held: dict[str, Ports]) -> str:
    """The pods in an EndpointSlice, with their ports."""
    pods = [f"{pod} ({', '.join(str(port[1]) for port in sorted(ports)) or 'no port'})" for pod, ports in held.items()]
    return ", ".join(sorted(pods)) or "nothing"


# --- words -----------------------------------------------------------------------------------------------------
def _diff(app: Application, target: str) -> Object:
    before = {name: {"selector": selector} for name, selector in app.selectors().items()}
    after = {name: {"selector": dict(selector, **{app.label: target})} for name, selector in app.selectors().items()}
    return diff("Service " + ", ".join(before), before, after)
