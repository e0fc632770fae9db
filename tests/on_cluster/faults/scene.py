# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault test works with: an application of its own under traffic, runs that can be held, killed and paused, the
audit log as judge, and a timeline of it all."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from cluster.toolchain import Failure
from gateway import Gate, Gateway, Match, Seen
from harness import ANNOTATION, QUICK, Application, Audit, Request, Run
from traffic import Report, Traffic

LEASE_SECONDS = 30  # how long a dead run's lock stands
SLACK = 4  # seconds that a rerun may need beside that
RATE = 60  # requests a second: enough to notice a gap of some ten milliseconds, and many tests run at the same time
MARK = "BLUEGREEN_FAULT_RUN"  # in the environment of every process of a run


class FaultRun(Run):
    """A playbook run that goes through the gateway; all its processes are known by their environment."""

    def __init__(self, scene: Scene, tag: str, arguments: list[str], variables: dict[str, Any], config: Path) -> None:
        self.scene, self.tag = scene, tag
        super().__init__(arguments, variables, env={"KUBECONFIG": str(config), MARK: tag})

    def processes(self) -> list[int]:
        """The ids of its living processes, workers included, which are sessions of their own."""
        found = []
        wanted = f"{MARK}={self.tag}".encode()
        for entry in os.scandir("/proc"):
            # A process that ends meanwhile, or has ended and is not yet buried, has no environment.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def signal_all(self, number: int) -> None:
        """Send a signal to every process of it."""
        self.scene.note(f"{self.tag}: {signal.Signals(number).name} to all its processes")
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.scene.note(f"{self.tag}: {signal.Signals(number).name} to its process group")
        super().kill(number)

    def finish(self, seconds: float = 180) -> FaultRun:
        super().finish(seconds)
        return self

    @property
    def requests(self) -> list[Seen]:
        """What it has asked of the API server, answered or not, the oldest first."""
        return self.scene.gateway.requests(self.tag)

    @property
    def writes(self) -> list[Request]:
        """What it has tried to write, by the audit log, the oldest first."""
        return [
            request for request in self.scene.audited() if request.writes and request.agent.endswith(f" {self.tag}")
        ]

    @property
    def written(self) -> list[Request]:
        """What it has written."""
        return [request for request in self.writes if request.status < 300]

    def locked(self) -> float:
        """When it got the lock. Raises Failure when it did not."""
        leases = [request.answered for request in self.written if request.resource == "leases"]
        if not leases:
            raise Failure(f"{self.tag} never got the lock; it said:\n{self.output[-3000:]}")
        return leases[0]

    def switched(self) -> float:
        """When it patched the selector. Raises Failure when it did not."""
        patches = [request for request in self.written if switches(request)]
        if not patches:
            raise Failure(f"{self.tag} never switched; it said:\n{self.output[-3000:]}")
        return patches[0].answered


def switches(request: Request) -> bool:
    """Whether a request replaces a Service's selector."""
    return (
        request.resource == "services"
        and isinstance(request.body, list)
        and any((change["op"], change["path"]) == ("replace", "/spec/selector") for change in request.body)
    )


class Scene:
    """One application, what is done to it, and what becomes of it."""

    def __init__(self, gateway: Gateway, app: Application) -> None:
        self.gateway, self.app = gateway, app
        self.audit = Audit()
        self.began = time.time()
        self.mark = self.audit.mark()
        self.notes: list[tuple[float, str]] = []
        self.runs: list[FaultRun] = []
        self.traffics: dict[str, Traffic] = {}
        self._prepared: set[str] = set()
        self._stopped: set[str] = set()
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Scene:
        try:
            self._cleanup.enter_context(self.app)
            self.flow()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._cleanup:
            for run in self.runs:
                if run.code is None:
                    run.signal_all(signal.SIGKILL)
                    run.process.wait()
            print(self.timeline(), flush=True)

    def note(self, text: str) -> None:
        """Put something on the timeline."""
        self.notes.append((time.time(), text))

    # --- traffic

    def flow(self, name: str = "users", path: str = "/api/status", address: str = "", **options: Any) -> Traffic:
        """Begin traffic, which goes on until stop() or the end of the scene. address: of another Service than myapp."""
        url = f"http://{address}{path}" if address else self.app.url(path)
        traffic = Traffic(url, **{"rate": RATE, "timeout": 8, **options})
        self._cleanup.enter_context(traffic)
        self.traffics[name] = traffic
        return traffic

    def stop(self) -> dict[str, Report]:
        """End all traffic, once the last requests have been answered; the reports. Can be called again."""
        for name, traffic in self.traffics.items():
            if name not in self._stopped and not traffic.flowing():
                raise Failure(f"the traffic {name!r} ended before the test did")
            self._stopped.add(name)
            traffic.stop()
        return {name: traffic.report for name, traffic in self.traffics.items()}

    def nothing_lost(self, since: float = 0, but: tuple[str, ...] = (), share: float = 0) -> None:
        """End the traffic; no request may have failed (of those sent since a time), but this share of them in these ways."""
        for name, report in self.stop().items():
            sent = [(kind, ended) for kind, ended, took in report.rows() if ended - took >= since]
            known = sum(kind.failure in but for kind, _ended in sent) <= share * len(sent)
            lost = [
                f"{kind} at {clock(ended)}"
                for kind, ended in sent
                if kind.failure and not (known and kind.failure in but)
            ]
            assert sent, f"{name}: no request since {clock(since)}"
            assert not lost, f"{name}: {len(lost)} of {len(sent)} requests lost: {', '.join(lost[:20])}"

    # --- runs

    @functools.cached_property
    def token(self) -> str:
        """Of the account that has the shipped Role for releases, and nothing else."""
        return self.app.token()

    def prepare(self, playbook: str) -> str:
        """The tag of the next run of a playbook, to put gates and faults in its way before it starts."""
        number = len(self.runs) + len(self._prepared)
        tag = f"{playbook.partition('.')[0]}-{number}-{self.app.namespace.rpartition('-')[2]}"
        self._prepared.add(tag)
        return tag

    def start(self, playbook: str, tag: str = "", token: str = "", direct: bool = False, **variables: Any) -> FaultRun:
        """Start a playbook of examples/myapp, with `self.token` or another one.

        tag: from prepare(). direct: see Gateway.kubeconfig.
        """
        tag = tag or self.prepare(playbook)
        self._prepared.discard(tag)
        self.note(f"{tag}: {playbook} {' '.join(f'{key}={value}' for key, value in variables.items())}")
        run = FaultRun(
            self,
            tag,
            [playbook],
            self.app.variables(**{**QUICK, **variables}),
            self.gateway.kubeconfig(tag, token or self.token, direct),
        )
        self.runs.append(run)
        return run

    def play(self, playbook: str, tag: str = "", **options: Any) -> FaultRun:
        """Run a playbook of examples/myapp to its end; options as for start()."""
        return self.start(playbook, tag, **options).finish()

    def start_held(self, playbook: str, match: Match, after: bool = False, **variables: Any) -> tuple[FaultRun, Gate]:
        """Start a playbook and return when a request of it is held (see Gateway.hold)."""
        tag = self.prepare(playbook)
        gate = self.gateway.hold(tag, match, after=after)
        run = self.start(playbook, tag, **variables)
        self.reach(run, gate)
        return run, gate

    def reach(self, run: FaultRun, gate: Gate) -> None:
        """Wait until a run is held at a gate. Raises Failure when it ends before that."""
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(Failure):
                self.note(f"{run.tag}: held at {gate.reached(0.1)}")
                return
            if run.process.poll() is not None or time.monotonic() > deadline:
                run.finish(5)
                raise Failure(f"{run.tag} did not come to {gate.match}; it said:\n{run.output[-3000:]}")

    # --- what the cluster says

    def audited(self) -> list[Request]:
        """What has been asked of the API server about this application, by whoever."""
        return self.audit.since(self.mark, namespace=self.app.namespace)

    @property
    def service(self) -> dict[str, Any]:
        return self.app.get("service", "myapp")

    @property
    def lock(self) -> str:
        """Who holds the Lease: the id of a run, "" for nobody."""
        leases = self.app.get("leases")
        return leases[0]["spec"].get("holderIdentity", "") if leases else ""

    @property
    def last(self) -> dict[str, Any]:
        """The newest entry of the release history; empty when there is none."""
        return next(iter(self.app.state.get("history", [])), {})

    def live_and_whole(self, color: str, version: str, replicas: int = 3) -> None:
        """A colour is live, runs a version, and has all its pods."""
        assert self.app.color == color
        deployment = self.app.deployment(color)
        assert deployment["spec"]["replicas"] == replicas
        assert deployment["status"].get("readyReplicas") == replicas
        images = {container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]}
        assert images == {f"myapp:{version}"}

    def tidy(self, idle: int = 1) -> None:
        """No lock, no unfinished switch, no run on record as running; the idle colour is as small as it shall be."""
        service = self.service
        assert f"{ANNOTATION}lock-id" not in service["metadata"].get("annotations", {}), "the Service is still locked"
        assert self.lock == "", "the Lease is still held"
        assert not self.app.state.get("intent"), "the record speaks of an unfinished switch"
        unfinished = [entry for entry in self.app.state.get("history", []) if entry["outcome"] == "running"]
        assert not unfinished, "the record speaks of a run that still runs"
        color = {"blue": "green", "green": "blue"}[service["spec"]["selector"]["version"]]
        assert self.app.deployment(color)["spec"]["replicas"] == idle

    # --- what people see when a test fails

    def timeline(self) -> str:
        """Everything that happened, in order."""
        events = list(self.notes)
        for run in self.runs:
            events += [
                (at, f"{run.tag}: {text}") for at, text in run.lines if text.startswith(("myapp | ", "TASK ", "fatal"))
            ]
            if run.ended:
                events.append((run.ended, f"{run.tag}: ended with exit code {run.code}, {run.outcome or 'no result'}"))
        events += [
            (
                request.answered,
                f"API: {request.verb} {request.resource} {request.name} → {request.status} "
                f"{request.agent.rpartition('/')[2][:60]} {shown(request)}",
            )
            for request in self.audited()
            if request.writes
        ]
        for name, traffic in self.traffics.items():
            before = None
            for second in traffic.report.timeline():
                results = ", ".join(f"{kind} {count}" for kind, count in sorted(second["results"].items()))
                kinds = sorted(second["results"])
                if kinds != before:  # a line for each change
                    events.append((second["at"], f"traffic {name}: {results}, slowest {second['slowest']:.2f} s"))
                before = kinds
        lines = [f"{at - self.began:8.3f} s  {text}" for at, text in sorted(events)]
        lines += [f"traffic {name}: {traffic.report.line()}" for name, traffic in self.traffics.items()]
        return "\n".join([f"timeline of {self.app.namespace}, from {clock(self.began)}", *lines])


def shown(request: Request) -> str:
    """What a patch changes, in short."""
    if not isinstance(request.body, list):
        return ""
    parts = []
    for operation in request.body:
        value = json.dumps(operation.get("value"))
        if operation["op"] != "test":
            parts.append(f"{operation['path'].rpartition('/')[2]}={value[:60]}")
    return " ".join(parts)


def clock(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


# --- the sub-cases of a test ------------------------------------------------------------------------------------------


def cases(values: Mapping[str, Any], promise: Mapping[str, str] | None = None) -> list[Any]:
    """The parameters of a test, from their ids to their values (a tuple for several).

    promise: from the ids of some of them to the promises that they hold.
    """
    promise = promise or {}
    assert set(promise) <= set(values), f"no such cases: {sorted(set(promise) - set(values))}"
    return [
        pytest.param(
            *value if isinstance(value, tuple) else [value],
            id=name,
            marks=[pytest.mark.promise(promise[name])] if name in promise else [],
        )
        for name, value in values.items()
    ]


# --- the cluster's components -----------------------------------------------------------------------------------------


def component(verb: str, name: str) -> None:
    """`stop` or `start` a component of the embedded cluster; it answers again when this returns."""
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "cluster" / "cluster.py"), verb, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise Failure(run.stdout.strip())


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """A component is stopped until the context ends."""
    component("stop", name)
    try:
        yield
    finally:
        component("start", name)
