# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server has said (recordings/*.json, made by record.py), behind the interface of `_cluster.Cluster`.

There are no controllers here: what happens after a write is what was recorded, or what a test lets happen. A test can
change objects at a moment (`Clock.at`) or between two requests (`before`, `after`), and sees every request.
"""

from __future__ import annotations

import copy
import functools
import heapq
import itertools
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

import jsonpatch
import jsonpointer
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _options, _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import STATE
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, PatchConflict

RECORDINGS = Path(__file__).resolve().parent / "recordings"
NAMESPACE = "store"
HOST = "https://198.18.0.2:6443"
WRITES = ("patch", "create", "delete")
SERVED = ("v1", "apps/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1", "batch/v1")  # apiVersions
CLUSTER_WIDE = ("Namespace", "PersistentVolume")
LATER = 10**9  # resourceVersions of what a test changes begin here, after all that was recorded

Object = dict[str, Any]
Change = Callable[[], Any]


class Request(NamedTuple):
    verb: str
    kind: str
    name: str | None
    body: Any
    dry_run: bool


class Event(NamedTuple):
    at: float  # seconds after the change that the recording shows
    type: str  # ADDED, MODIFIED or DELETED
    object: Object


class Recording(NamedTuple):
    start: list[Object]
    events: list[Event]
    logs: dict[str, dict[str, list[str]]]


@functools.cache
def recording(name: str) -> Recording:
    """The recording recordings/NAME.json; it is shared, so copy what is to be changed."""
    data = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Recording(data["start"], [Event(*event) for event in data["events"]], data["logs"])


class Clock:
    """Time that passes only when somebody waits, and the changes that come with it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Change]] = []
        self._number = itertools.count()
        self._waits = 0

    def monotonic(self) -> float:
        return self.now

    def at(self, seconds: float, change: Change) -> None:
        """Let something happen in so many seconds from now."""
        heapq.heappush(self._due, (self.now + seconds, next(self._number), change))

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self._next()
        self._to(end)

    def wait(self, seconds: float) -> None:
        """Until the next change, but no longer than so many seconds."""
        if self._due and self._due[0][0] <= self.now + seconds:
            self._next()
        else:
            self._to(self.now + max(seconds, 0.001))

    def _next(self) -> None:
        at, _number, change = heapq.heappop(self._due)
        self._to(max(at, self.now))
        change()

    def _to(self, moment: float) -> None:
        self._waits += 1
        assert self._waits < 20000, "this waits for ever"
        self.now = moment


class RecordedCluster:
    """The objects of a recording, with the methods and attributes of `_cluster.Cluster` that operations use.

    :param at: ``start`` (before the recorded change), ``end``, or ``ready`` (of the release: before its switch).
    """

    def __init__(self, name: str = "release", at: str = "start", clock: Clock | None = None, dry_run: bool = False):
        self.recording = recording(name)
        self.clock = clock or Clock()
        self.namespace, self.host, self.source, self.dry_run = NAMESPACE, HOST, "kubeconfig recorded", dry_run
        self.api_timeout = 60
        self.live: str | None = None
        self.lost: Exception | None = None
        self.warned: list[str] = []
        self.wrote = False
        self.requests: list[Request] = []
        self._objects: dict[tuple[str, str], Object] = {}
        self._version = itertools.count(LATER)
        self._before: list[tuple[str, str, itertools.count[int], int | None, Change]] = []
        self._after: list[tuple[str, str, itertools.count[int], int | None, Change]] = []
        for item in copy.deepcopy(self.recording.start):
            self._objects[item["kind"], item["metadata"]["name"]] = item
        for event in self.events(at):
            self.take(event)

    # --- for tests: what is there, what happens

    def events(self, until: str = "end") -> list[Event]:
        """The recorded events up to a stage."""
        if until == "start":
            return []
        switch = (number for number, event in enumerate(self.recording.events) if event.object["kind"] == "Service")
        return self.recording.events[: next(switch)] if until == "ready" else self.recording.events

    def take(self, event: Event) -> None:
        """Let one recorded event happen."""
        key = event.object["kind"], event.object["metadata"]["name"]
        if event.type == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = copy.deepcopy(event.object)

    def replay(self, events: Iterable[Event], since: float = 0.0) -> None:
        """Let recorded events happen from now on, at the pace in which they were recorded."""
        for event in events:
            self.clock.at(event.at - since, functools.partial(self.take, event))

    def objects(self, kind: str, color: str = "") -> list[Object]:
        """The objects themselves, to look at or to change with `touch`."""
        return [item for (found, name), item in self._objects.items() if found == kind and color in name]

    def one(self, kind: str, name: str) -> Object:
        return self._objects[kind, name]

    def touch(self, kind: str, name: str, change: Callable[[Object], Any]) -> None:
        """Somebody else changes an object."""
        item = self._objects[kind, name]
        before = copy.deepcopy(item)
        change(item)
        self._written(before, item)

    def put(self, item: Object) -> Object:
        """Somebody else creates an object, or replaces it whole."""
        item = copy.deepcopy(item)
        item["metadata"].setdefault("uid", f"uid-of-{item['metadata']['name']}")
        item["metadata"]["resourceVersion"] = str(next(self._version))
        self._objects[item["kind"], item["metadata"]["name"]] = item
        return item

    def remove(self, kind: str, name: str) -> Object:
        return self._objects.pop((kind, name))

    def before(self, verb: str, kind: str, change: Change, nth: int | None = 1) -> None:
        """Let something happen just before the nth such request is answered (``None``: before each)."""
        self._before.append((verb, kind, itertools.count(1), nth, change))

    def after(self, verb: str, kind: str, change: Change, nth: int | None = 1) -> None:
        """Let something happen when the nth such request has been carried out, and before it is answered."""
        self._after.append((verb, kind, itertools.count(1), nth, change))

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.verb in WRITES and request.dry_run == self.dry_run]

    # --- the interface of Cluster

    def kind(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        self.asked("kind", kind, api_version)
        return (kind, kind not in CLUSTER_WIDE) if api_version in SERVED else None

    def get(self, kind: str, name: str) -> Object | None:
        self.asked("get", kind, name)
        found = copy.deepcopy(self._objects.get((kind, name)))
        self._answered("get", kind)
        return found

    def list(self, kind: str, **selectors: str) -> Object:
        self.asked("list", kind, None, selectors)
        found = {"items": copy.deepcopy(self._select(kind, selectors)), "metadata": {"resourceVersion": "1"}}
        self._answered("list", kind)
        return found

    def patch(self, kind: str, name: str, operations: list[Object], part: str = "", look: object = None) -> Object:
        """A JSON Patch as the API server applies it: all of it or, when a ``test`` fails, nothing. No answer is ever late."""
        self.asked("patch", f"{kind}/{part}" if part else kind, name, operations)
        old = self._existing("patch", kind, name)
        try:
            new = jsonpatch.JsonPatch(json.loads(json.dumps(operations))).apply(old)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise PatchConflict(
                f"The API server refused 'patch {kind} {name}' (HTTP 422): {error}", "conflict", 422
            ) from error
        if "status" in old:
            new = dict(old if part else new, metadata=new["metadata"], status=(new if part else old)["status"])
        return self._store("patch", kind, old, new)

    def try_patch(self, kind: str, name: str, operations: list[Object], part: str = "") -> Object:
        """A dry run, also where this is none."""
        before, self.dry_run = self.dry_run, True
        try:
            return self.patch(kind, name, operations, part)
        finally:
            self.dry_run = before

    def create(self, kind: str, definition: Object) -> Object:
        name = definition["metadata"]["name"]
        self.asked("create", kind, name, definition)
        if (kind, name) in self._objects:
            raise PatchConflict(f"The API server refused 'create {kind} {name}' (HTTP 409)", "conflict", 409)
        new = copy.deepcopy(definition)
        new["metadata"].update(uid=f"uid-of-{name}", resourceVersion=str(next(self._version)), generation=1)
        if not self.dry_run:
            self._objects[kind, name] = new
        self._answered("create", kind)
        return copy.deepcopy(new)

    def delete(
        self, kind: str, name: str, preconditions: Object, propagation: str = "Background", look: object = None
    ) -> Object:
        self.asked("delete", kind, name, preconditions)
        old = self._existing("delete", kind, name)
        if any(old["metadata"][key] != value for key, value in preconditions.items()):
            raise PatchConflict(f"The API server refused 'delete {kind} {name}' (HTTP 409)", "conflict", 409)
        if not self.dry_run:
            del self._objects[kind, name]
        self._answered("delete", kind)
        return old

    def pod_log(self, pod: str, container: str, lines: int, previous: bool = False) -> str:
        self.asked("log", "Pod", pod)
        text = self.recording.logs.get(pod, {}).get(container, ["", ""])[int(previous)]
        return "\n".join(text.splitlines()[-lines:])

    def follow_log(self, pod: str, container: str, since: str | None = None) -> Iterable[tuple[str, str]]:
        self.asked("log", "Pod", pod)
        lines = self.recording.logs.get(pod, {}).get(container, ["", ""])[0].splitlines()
        return [(f"2026-01-01T00:00:{number:02d}Z", line) for number, line in enumerate(lines)]

    def observe(self, **collections: tuple[str, Object]) -> RecordedObservation:
        for kind, selectors in collections.values():
            self.asked("watch", kind, None, selectors)
        return RecordedObservation(self, collections)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def lose(self, error: Exception) -> None:
        self.lost = error

    def check(self) -> None:
        if self.lost:
            raise self.lost  # pylint: disable=raising-bad-type

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.check()

    # --- inside

    def select(self, kind: str, selectors: Object) -> list[Object]:
        return copy.deepcopy(self._select(kind, selectors))

    def _select(self, kind: str, selectors: Object) -> list[Object]:
        unknown = set(selectors) - {"labelSelector", "fieldSelector"}
        assert not unknown, f"no such selectors: {unknown}"
        return [item for item in self.objects(kind) if _selected(item, **selectors)]

    def asked(self, verb: str, kind: str, name: str | None, body: Any = None) -> None:
        self.requests.append(Request(verb, kind, name, copy.deepcopy(body), self.dry_run))
        self._hooks(self._before, verb, kind)

    def _answered(self, verb: str, kind: str) -> None:
        self.wrote = self.wrote or verb in WRITES and not self.dry_run and kind != "Lease"
        self._hooks(self._after, verb, kind)

    def _hooks(self, hooks: list[Any], verb: str, kind: str) -> None:
        for wanted_verb, wanted_kind, count, nth, change in hooks:
            if (wanted_verb, wanted_kind) == (verb, kind) and nth in (None, next(count)):
                change()

    def _existing(self, verb: str, kind: str, name: str) -> Object:
        if (kind, name) not in self._objects:
            raise ApiError(f"The API server refused '{verb} {kind} {name}' (HTTP 404): not found", "not_found", 404)
        return copy.deepcopy(self._objects[kind, name])

    def _store(self, verb: str, kind: str, old: Object, new: Object) -> Object:
        self._written(old, new)
        if not self.dry_run:
            self._objects[kind, new["metadata"]["name"]] = new
        self._answered(verb, kind)
        return copy.deepcopy(new)

    def _written(self, old: Object, new: Object) -> None:
        """What the API server does with the metadata of whatever is written."""
        if new == old:
            return
        new["metadata"]["resourceVersion"] = str(next(self._version))
        if "generation" in new["metadata"] and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1


class RecordedObservation:
    """Local copies of collections that are always up to date; waiting lets the clock go on."""

    def __init__(self, cluster: RecordedCluster, collections: dict[str, tuple[str, Object]]) -> None:
        self._cluster = cluster
        self._collections = collections

    def __enter__(self) -> RecordedObservation:
        return self

    def __exit__(self, *unused: object) -> None:
        pass

    def add(self, name: str, kind: str, selectors: Object) -> None:
        self._cluster.asked("watch", kind, None, selectors)
        self._collections[name] = (kind, selectors)

    def __getitem__(self, name: str) -> list[Object]:
        kind, selectors = self._collections[name]
        return self._cluster.select(kind, selectors)

    def wake(self) -> None:
        pass  # the clock goes on only when somebody waits

    def wait(self, seconds: float) -> None:
        self._cluster.check()
        self._cluster.clock.wait(min(max(seconds, 0), 1))


def rollout(name: str, clock: Clock, instead: Callable[[str], str] = str) -> RecordedCluster:
    """The cluster at the moment when the recorded change of green has been written; the clock brings what came then.

    :param instead: changes the JSON text of every later event: what another cluster would have said.
    """
    cluster = RecordedCluster(name, clock=clock)
    events = cluster.events("ready" if name == "release" else "end")
    written = next(number for number, event in enumerate(events) if event.object["kind"] == "Deployment")
    for event in events[: written + 1]:
        cluster.take(event)
    cluster.replay(
        [Event(event.at, event.type, json.loads(instead(json.dumps(event.object)))) for event in events[written + 1 :]],
        since=events[written].at,
    )
    return cluster


def switched(
    ago: timedelta = timedelta(days=2), outcome: str = "released", dry_run: bool = False, **entry: Any
) -> RecordedCluster:
    """Green is live since so long ago; blue is idle with its three pods."""
    cluster = RecordedCluster(at="end", dry_run=dry_run)
    moved = datetime.now(timezone.utc) - ago
    entry = {
        "run": "r1",
        "kind": "release",
        "outcome": outcome,
        "color": "green",
        "from_color": "blue",
        "by": "anna",
        "started_at": moved.isoformat(),
        "switched_at": moved.isoformat(),
        **entry,
    }
    state = json.dumps({"schema": 1, "history": [entry], "intent": None})
    cluster.touch(
        "Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update({STATE: state})
    )

    def available(item: Object) -> None:
        condition = next(found for found in item["status"]["conditions"] if found["type"] == "Available")
        condition.update(
            status="True", lastTransitionTime=(moved - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        )

    cluster.touch("Deployment", "app-green", available)
    return cluster


def _selected(item: Object, labelSelector: str = "", fieldSelector: str = "") -> bool:
    labels = item["metadata"].get("labels") or {}
    for term in re.split(r",(?![^(]*\))", labelSelector) if labelSelector else []:
        among = re.fullmatch(r"(\S+) (in|notin) \((.*)\)", term)
        if among:
            key, operator, values = among.groups()
            holds = (labels.get(key) in values.split(",")) == (operator == "in")
        elif "=" in term:
            key, _equals, value = term.partition("=")
            holds = labels.get(key) == value
        else:
            holds = (term.lstrip("!") in labels) != term.startswith("!")
        if not holds:
            return False
    for term in fieldSelector.split(",") if fieldSelector else []:
        path, _equals, value = term.partition("=")
        if functools.reduce(lambda part, key: part[key], path.split("."), item) != value:
            return False
    return True


# --- running an operation


def parameters(operation: Any, **options: Any) -> Object:
    """The options as the module would get them: checked, with defaults, durations in seconds.

    :raises AssertionError: the options are not what the argument spec allows.
    """
    options.setdefault("services", ["myapp"])
    checked = ArgumentSpecValidator(dict(_options.CONNECTION, **operation.ARGUMENTS)).validate(options)
    assert not checked.error_messages, checked.error_messages
    params = checked.validated_parameters
    for name in operation.DURATIONS:
        if params.get(name) is not None:
            params[name] = _time.seconds(params[name], name)
    return params


def run(operation: Any, cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> Object:
    """Run an operation with the options of its module; what it says on the way goes to ``said``."""
    return operation.run(parameters(operation, **options), cluster, (said if said is not None else []).append)
