# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The side-by-side figures: `make bench`.

The same release of examples/myapp, with its PostgreSQL, by what people use today (peers/) and by this collection, on one
cluster, in turns:

1. seconds from the start of the command to its end, nothing else going on, and what it asks of the API server;
2. requests lost under load, in each traffic condition;
3. from the patch of the Service's selector to its endpoints, and to the last answer of the old color.

Prints a line for every measurement, in the end the tables as Markdown, also to tests/output/bench.md. Exit code 0: all
was measured, whatever the figures are. It ends within LIMIT; a part that would take longer is measured less often, and
the report says how often. `--n 1` is a quick look.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import kubernetes
import urllib3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from checkout import ROOT

sys.path.extend([str(ROOT / "tests"), str(ROOT / "tests" / "shared")])
from cluster.toolchain import Failure
from collections_of_others import collections_path
from harness import EXAMPLE, Application, Audit, Request, Unavailable, environment, kubeconfig
from traffic import Traffic

HERE = Path(__file__).resolve().parent
VERSIONS = ("1.0", "2.0", "3.0")  # in turns: always another one than the live and the idle color have
OUTPUT = ROOT / "tests" / "output" / "bench.md"
BEGAN = time.monotonic()

LIMIT = 25 * 60  # seconds for all
PARTS = {"time": 0.4, "load": 0.72, "switch": 0.98}  # the share of LIMIT at which a part must have ended
COMMAND_TIMEOUT = 180  # seconds for one release
SETTLE_TIMEOUT = 60  # seconds until the pods of the release before are gone
PAUSE = 30  # seconds of the script's sleep, as its authors write it
DRAIN = 3  # seconds that the application serves on after SIGTERM, where it drains
RATE = 150  # requests a second, on new connections and on kept ones each; twice as many are too much for slow machines
SYNC = 1.2  # seconds; kube-proxy programs a change at once when its last one is longer ago than 1 s

STOPS = ("stops at once", f"drains {DRAIN} s")  # what the application does on SIGTERM
KINDS = ("new", "kept")  # connections


def left(most: float) -> float:
    """Seconds that something may take: `most`, or what is left of LIMIT. Raises Failure when nothing is."""
    rest = BEGAN + LIMIT - time.monotonic()
    if rest <= 0:
        raise Failure(
            f"not done after {LIMIT // 60} minutes; the load average is {os.getloadavg()[1]:.1f} on {os.cpu_count()} "
            "CPUs. Run it when the machine has nothing else to do."
        )
    return min(most, rest)


def say(text: str) -> None:
    print(f"bench {time.monotonic() - BEGAN:4.0f} s: {text}", flush=True)


# --- what is compared -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tool:
    """A way to release: its row's name, and the command for an application and a version.

    ansible: it is run by ansible-playbook, whose start-up is also told apart. timed: it takes its turn when nothing else
    goes on; the others are timed under load. loaded: it takes its turn under load.
    """

    key: str
    name: str
    arguments: Callable[[Application, str], list[str]]
    ansible: bool = False
    timed: bool = True
    loaded: bool = True


def script(app: Application, version: str, pause: int = 0) -> list[str]:
    return [str(HERE / "peers" / "kubectl-release.sh"), app.namespace, version, str(pause)]


def playbook(path: Path, **variables: object) -> list[str]:
    return ["ansible-playbook", str(path), "--extra-vars", json.dumps(variables)]


def core(app: Application, version: str) -> list[str]:
    return playbook(HERE / "peers" / "kubernetes-core-release.yml", bench_namespace=app.namespace, version=version)


def ours(app: Application, version: str, **more: object) -> list[str]:
    return playbook(
        EXAMPLE / "release.yml",
        version=version,
        bluegreen_namespace=app.namespace,
        bluegreen_scale_down_delay=0,
        **more,
    )


TOOLS = [
    Tool(
        "empty", "an empty ansible-playbook run", lambda app, version: playbook(HERE / "empty.yml"), True, loaded=False
    ),
    Tool("script", "kubectl script", script),
    Tool("core", "kubernetes.core playbook", core, True),
    Tool("ours", "bluegreen.kubernetes", ours, True),
    Tool(
        "probe",
        "bluegreen.kubernetes, with probe",
        lambda app, version: ours(app, version, bluegreen_probe=app.probe),
        True,
        timed=False,
    ),
    Tool("pause", f"kubectl script + sleep {PAUSE}", lambda app, version: script(app, version, PAUSE), timed=False),
]
TOOL = {tool.key: tool for tool in TOOLS}


# --- the applications -------------------------------------------------------------------------------------------------


class Bench:
    """An application, the user who releases it, and its releases.

    The user is a ServiceAccount, so that the audit log tells its requests from all others.
    """

    def __init__(self, app: Application, collections: Path) -> None:
        self.app = app
        for color in ("blue", "green"):
            app.apply(idle_service(color))
        app.kubectl("create", "serviceaccount", "bench")
        app.kubectl("create", "rolebinding", "bench", "--clusterrole=admin", f"--serviceaccount={app.namespace}:bench")
        self.user = f"system:serviceaccount:{app.namespace}:bench"
        self.environment = {name: value for name, value in environment().items() if not name.startswith("K8S_AUTH_")}
        self.environment["ANSIBLE_COLLECTIONS_PATH"] += f":{collections}"
        self.work = tempfile.TemporaryDirectory(prefix="bluegreen-bench-")
        self.environment["KUBECONFIG"] = self._kubeconfig(
            app.kubectl("create", "token", "bench", "--duration=2h").strip()
        )
        self.color, self.turn = "blue", 1  # both colors have VERSIONS[0]

    def _kubeconfig(self, token: str) -> str:
        config = json.loads(self.app.kubectl("config", "view", "--minify", "--raw", "--flatten", "--output=json"))
        config["users"][0]["user"] = {"token": token}
        path = Path(self.work.name) / "kubeconfig"
        path.touch(0o600)
        path.write_text(json.dumps(config))
        return str(path)

    def run(self, arguments: list[str], **more: str) -> float:
        """Run a command, with what `more` adds to the environment; seconds from its start to its end."""
        began = time.monotonic()
        try:
            # In examples/myapp, so that every playbook runs with the same ansible.cfg.
            run = subprocess.run(
                arguments,
                cwd=EXAMPLE,
                env={**self.environment, **more},
                stdin=subprocess.DEVNULL,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=left(COMMAND_TIMEOUT),
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            left(COMMAND_TIMEOUT)
            raise Failure(f"{' '.join(arguments)} did not end within {late.timeout:.0f} s") from late
        took = time.monotonic() - began
        if run.returncode:
            raise Failure(
                f"{' '.join(arguments)} ended with exit code {run.returncode}; it said:\n{run.stdout[-3000:]}"
            )
        return took

    def release(self, tool: Tool, **more: str) -> float:
        """One release of another version, checked, from a settled start; seconds it took."""
        version = VERSIONS[self.turn % len(VERSIONS)]
        took = self.run(tool.arguments(self.app, version), **more)
        if tool.key != "empty":
            self.turn += 1
            self.color = {"blue": "green", "green": "blue"}[self.color]
            pods = self.app.pods(self.color)
            images = {pod["spec"]["containers"][0]["image"] for pod in pods}
            if self.app.color != self.color or images != {f"myapp:{version}"} or len(pods) != 3:
                raise Failure(
                    f"{tool.name} released {version} without an error, but {self.app.color} is live, and "
                    f"{self.color} has {len(pods)} pods of {', '.join(images)}"
                )
        return took

    def settle(self) -> None:
        """Wait until the cluster has come to rest: three live pods, one idle pod, and none that is going."""
        deadline = time.monotonic() + left(SETTLE_TIMEOUT)
        while True:
            pods = self.app.get("pods", "", "--selector=app=myapp")
            found = Counter(pod["metadata"]["labels"]["version"] for pod in pods if ready(pod))
            if len(pods) == 4 and found[self.color] == 3 and sum(found.values()) == 4:
                break
            if time.monotonic() > deadline:
                raise Failure(
                    f"{len(pods)} pods of {self.app.namespace}, ready {dict(found)}, after {SETTLE_TIMEOUT} s; "
                    f"expected are 3 of {self.color} and 1 of the other color"
                )
            time.sleep(0.2)
        time.sleep(SYNC)


def ready(pod: dict) -> bool:
    conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def idle_service(color: str) -> dict:
    """The Service through which the peers test a color. (The collection asks the pods and needs none.)"""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"app-{color}", "labels": {"app": "myapp"}},
        "spec": {"selector": {"app": "myapp", "version": color}, "ports": [{"port": 80, "targetPort": "http"}]},
    }


# --- 1. time, and requests to the API server --------------------------------------------------------------------------


@dataclass
class Timing:
    seconds: list[float]
    requests: list[list[Request]]  # of each run


def measure_times(bench: Bench, n: int, deadline: float, audit: Audit | None) -> dict[str, Timing]:
    """n runs of each tool, in turns, after one that is not counted (it fills the caches of Python and kubectl)."""
    tools = [tool for tool in TOOLS if tool.timed]
    result = {tool.key: Timing([], []) for tool in tools}
    for turn in range(n + 1):
        if turn > 1 and time.monotonic() > deadline:
            say(f"time is up: {turn - 1} of {n} turns")
            break
        for tool in tools:
            bench.settle()
            mark = audit.mark() if audit else 0
            took = bench.release(tool)
            if turn:
                result[tool.key].seconds.append(took)
                if audit:
                    result[tool.key].requests.append([item for item in audit.since(mark) if item.user == bench.user])
        if turn:
            figures = "  ".join(f"{tool.key} {result[tool.key].seconds[-1]:.2f}" for tool in tools)
            say(f"time {turn}/{n}: {figures} s")
    return result


def measure_tasks(bench: Bench, tool: Tool) -> dict[str, float]:
    """Seconds of each task of a release, by name, in one more run."""
    bench.settle()
    result: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as work:
        bench.release(
            tool,
            ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.junit",
            JUNIT_OUTPUT_DIR=work,
            JUNIT_HIDE_TASK_ARGUMENTS="true",
        )
        for case in ElementTree.parse(next(Path(work).glob("*.xml"))).iter("testcase"):
            result[re.split(" ?: ", case.attrib["name"], maxsplit=2)[-1]] += float(case.attrib["time"])
    return result


# --- 2. requests lost under load --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """A release under load: seconds; kind of connections → (failed, sent)."""

    seconds: float
    lost: dict[str, tuple[int, int]]


def measure_losses(benches: dict[str, Bench], n: int, deadline: float) -> dict[tuple[str, str], list[Loaded]]:
    """(tool, way the application stops) → n releases each, with both kinds of connections under load at once.

    While the tools take their turns on one application, the script that sleeps does so on the other one.
    """
    result: dict[tuple[str, str], list[Loaded]] = defaultdict(list)
    tools = [tool for tool in TOOLS if tool.loaded and tool.key != "pause"]

    def measured(tool: Tool, stop: str, turn: int) -> None:
        found = under_load(benches[stop], tool)
        result[tool.key, stop].append(found[0])
        say(f"load {turn + 1}/{n}: {tool.key}, the application {stop}: {found[1]}")

    for turn in range(n):
        if turn and time.monotonic() > deadline:
            say(f"time is up: {turn} of {n} turns")
            break
        for stop, other in (STOPS, STOPS[::-1]):
            with ThreadPoolExecutor() as aside:
                asleep = aside.submit(measured, TOOL["pause"], other, turn)
                for tool in tools:
                    measured(tool, stop, turn)
                asleep.result()
    return result


def under_load(bench: Bench, tool: Tool) -> tuple[Loaded, str]:
    """One release by a tool, and the same in words."""
    bench.settle()
    url = bench.app.url("/api/status")
    with ExitStack() as stack:
        traffic = {
            kind: stack.enter_context(Traffic(url, rate=RATE, keepalive=kind == "kept", seconds=LIMIT))
            for kind in KINDS
        }
        time.sleep(1)
        seconds = bench.release(tool)
        bench.settle()  # what the release has left to end ends under load
        if not all(item.flowing() for item in traffic.values()):
            raise Failure("the traffic ended before the release did")
    reports = {kind: item.report for kind, item in traffic.items()}
    words = ", ".join(
        f"{report.failed} of {report.sent} on {kind} connections" + (f" {report.failures}" if report.failed else "")
        for kind, report in reports.items()
    )
    return Loaded(seconds, {kind: (report.failed, report.sent) for kind, report in reports.items()}), f"lost {words}"


# --- 3. the switch alone ----------------------------------------------------------------------------------------------


class Watch:
    """When the selector of Service myapp, and its endpoints, became what they are: seconds since the epoch."""

    def __init__(self, namespace: str) -> None:
        self.selector: tuple[str, float] = ("", 0)  # color, since when
        self.endpoints: tuple[str, float] = ("", 0)  # the color that all three ready endpoints have
        kubernetes.config.load_kube_config(kubeconfig())
        self.streams = []
        core_api, discovery = kubernetes.client.CoreV1Api(), kubernetes.client.DiscoveryV1Api()
        for call, selector, event in (
            (core_api.list_namespaced_service, {"field_selector": "metadata.name=myapp"}, self._service),
            (
                discovery.list_namespaced_endpoint_slice,
                {"label_selector": "kubernetes.io/service-name=myapp"},
                self._slice,
            ),
        ):
            stream = kubernetes.watch.Watch()
            self.streams.append(stream)
            threading.Thread(target=self._follow, args=(stream, event, call, namespace, selector), daemon=True).start()

    @staticmethod
    def _follow(
        stream: kubernetes.watch.Watch, event: Callable, call: Callable, namespace: str, selector: dict
    ) -> None:
        with suppress(urllib3.exceptions.HTTPError):  # stop() cuts the stream; if anything else does, until() will tell
            for item in stream.stream(call, namespace, **selector):
                event(item["raw_object"], time.time())

    def _service(self, service: dict, now: float) -> None:
        color = service["spec"]["selector"]["version"]
        if color != self.selector[0]:
            self.selector = (color, now)

    def _slice(self, piece: dict, now: float) -> None:
        names = [item["targetRef"]["name"] for item in piece.get("endpoints") or () if item["conditions"].get("ready")]
        colors = {name.split("-")[1] for name in names}
        color = colors.pop() if len(names) == 3 and len(colors) == 1 else ""
        if color != self.endpoints[0]:
            self.endpoints = (color, now)

    def until(self, color: str) -> None:
        """Wait until selector and endpoints are those of a color."""
        deadline = time.monotonic() + 15
        while (self.selector[0], self.endpoints[0]) != (color, color):
            if time.monotonic() > deadline:
                raise Failure(
                    f"15 s after the switch to {color} the selector is {self.selector[0]!r}, the endpoints are those "
                    f"of {self.endpoints[0]!r}"
                )
            time.sleep(0.01)

    def stop(self) -> None:
        for stream in self.streams:
            stream.stop()


@dataclass
class Switches:
    """Milliseconds, one figure for each switch: from the patch to ..."""

    endpoints: list[float]
    last_old: list[float]


def measure_switches(bench: Bench, n: int, deadline: float, audit: Audit | None) -> dict[str, Switches]:
    """n switches by bg_switch alone and n by kubectl patch, in turns, between two colors at full strength, under load.

    They are timed from when the API server received the patch; without an audit log, from when a watch saw it.
    """
    app, other = bench.app, {"blue": "green", "green": "blue"}
    bench.app.kubectl("scale", "deployment/app-blue", "deployment/app-green", "--replicas=3")
    app.wait("app-blue", "app-green")
    result = {"ours": Switches([], []), "patch": Switches([], [])}
    watch = Watch(app.namespace)
    try:
        with Traffic(app.url("/api/status"), rate=RATE, seconds=LIMIT) as traffic:
            watch.until(bench.color)
            for turn in range(n):
                if turn and time.monotonic() > deadline:
                    say(f"time is up: {turn} of {n} switches each")
                    break
                # In turns as well: which of them switches to which color.
                for way in list(result)[:: -1 if turn % 2 else 1]:
                    time.sleep(SYNC + random.uniform(0, 0.2))
                    old, bench.color = bench.color, other[bench.color]
                    mark = audit.mark() if audit else 0
                    bench.run(switch(way, app, bench.color))
                    watch.until(bench.color)
                    time.sleep(SYNC)
                    patched = received(audit, mark, bench.user) if audit else watch.selector[1]
                    last = traffic.report.between(patched - 5).last(old)
                    result[way].endpoints.append((watch.endpoints[1] - patched) * 1000)
                    result[way].last_old.append(max((last or patched) - patched, 0) * 1000)
                if (turn + 1) % 5 == 0 or turn + 1 == n:
                    figures = "  ".join(
                        f"{way} {median(item.endpoints):.0f} / {median(item.last_old):.0f}"
                        for way, item in result.items()
                    )
                    say(f"switch {turn + 1}/{n}: patch → endpoints / last old answer, medians: {figures} ms")
    finally:
        watch.stop()
    return result


def received(audit: Audit, mark: int, user: str) -> float:
    """When the API server received the user's patch of a Service."""
    return next(
        item.received
        for item in audit.since(mark)
        if (item.user, item.verb, item.resource) == (user, "patch", "services")
    )


def switch(way: str, app: Application, color: str) -> list[str]:
    if way == "ours":
        options = {"services": ["myapp"], "namespace": app.namespace, "color": color}
        return ["ansible", "all", "--module-name", "bluegreen.kubernetes.bg_switch", "--args", json.dumps(options)]
    return [
        "kubectl",
        "--namespace",
        app.namespace,
        "patch",
        "service",
        "myapp",
        "--patch",
        json.dumps({"spec": {"selector": {"version": color}}}),
    ]


# --- the report -------------------------------------------------------------------------------------------------------

median = statistics.median


def spread(values: list[float], digits: int = 2) -> str:
    """median [min–max]"""
    if not values:
        return "–"
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def table(headings: list[str], rows: list[list[str]]) -> list[str]:
    line = "| {} |".format
    return [
        line(" | ".join(headings)),
        line(" | ".join(["---"] + ["---:"] * (len(headings) - 1))),
        *(line(" | ".join(row)) for row in rows),
        "",
    ]


def release_table(times: dict[str, Timing], losses: dict[tuple[str, str], list[Loaded]]) -> list[str]:
    base = {key: median(times[key].seconds) for key in times}
    rows = []
    for tool in TOOLS:
        under = [loaded for stop in STOPS for loaded in losses.get((tool.key, stop), ())]
        row = [tool.name]
        if tool.timed:
            seconds, runs = times[tool.key].seconds, times[tool.key].requests
            net = [item - base["empty"] for item in seconds] if tool.ansible and tool.loaded else []
            row += [spread(seconds), spread(net)]
            row += [f"{base[tool.key] / base[other]:.2f}" if tool.loaded else "–" for other in ("script", "core")]
            row.append(spread([len(run) for run in runs], 0) if tool.loaded else "–")
        else:
            row += [spread([loaded.seconds for loaded in under]) + ", under load", "–", "–", "–", "–"]
        for stop in STOPS:
            for kind in KINDS:
                row.append(", ".join(str(loaded.lost[kind][0]) for loaded in losses.get((tool.key, stop), ())) or "–")
        rows.append(row)
    headings = ["release by", "seconds", "net of an empty run", "× script", "× kubernetes.core", "API requests"]
    return table(headings + [f"lost: {stop}, {kind}" for stop in STOPS for kind in KINDS], rows)


def targets(times: dict[str, Timing], switches: dict[str, Switches]) -> list[str]:
    base = {key: median(times[key].seconds) for key in times}
    rows = []
    for what, figure, limit in (
        ("release, raw, of kubernetes.core", base["ours"] / base["core"], 0.4),
        ("release, raw, of the script", base["ours"] / base["script"], 1.5),
        ("release, net of an empty run, of the script", (base["ours"] - base["empty"]) / base["script"], 1.0),
        ("patch → endpoints, of kubectl patch", ratio(switches, "endpoints"), 1.1),
        ("patch → last old answer, of kubectl patch", ratio(switches, "last_old"), 1.1),
    ):
        verdict = "–" if figure is None else "met" if figure <= limit else "missed"
        rows.append([what, f"≤ {limit} ×", "–" if figure is None else f"{figure:.2f} ×", verdict])
    return table(["bluegreen.kubernetes", "target", "measured", ""], rows)


def ratio(switches: dict[str, Switches], what: str) -> float | None:
    own, patch = (getattr(switches[way], what) for way in ("ours", "patch"))
    return median(own) / median(patch) if own and median(patch) else None


def switch_table(switches: dict[str, Switches]) -> list[str]:
    rows = [
        [name, str(len(switches[way].endpoints)), spread(switches[way].endpoints, 0), spread(switches[way].last_old, 0)]
        for way, name in (("patch", "kubectl patch"), ("ours", "bg_switch"))
    ]
    return table(["switch by", "n", "patch → endpoints, ms", "patch → last old answer, ms"], rows)


def request_table(timing: Timing) -> list[str]:
    """What a release asks of the API server, by stage: each request, and how often (median of the runs)."""
    stages: dict[str, list[Counter]] = {}
    for run in timing.requests:
        counts: dict[str, Counter] = defaultdict(Counter)
        for item in run:
            counts[item.agent.removeprefix("bluegreen.kubernetes/")][f"{item.verb} {item.resource}"] += 1
        for stage, counter in counts.items():
            stages.setdefault(stage, []).append(counter)
    rows = []
    for stage, counters in stages.items():
        kinds = {kind: None for counter in counters for kind in counter}
        each = ", ".join(f"{median([counter[kind] for counter in counters]):g} {kind}" for kind in kinds)
        rows.append([stage, spread([sum(counter.values()) for counter in counters], 0), each])
    return table(["stage", "requests", "of them"], rows)


def task_table(tasks: dict[str, float]) -> list[str]:
    rows = [[name, f"{seconds:.2f}"] for name, seconds in tasks.items() if seconds >= 0.005]
    return table(["task", "seconds"], [*rows, ["all tasks", f"{sum(tasks.values()):.2f}"]])


def machine() -> str:
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / 2**20
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


@contextmanager
def application(stop: str, collections: Path, **env: str) -> Iterator[Bench]:
    namespace = "bluegreen-bench" + ("-drain" if env else "")
    say(f"deploying the example application in {namespace}; it {stop} on SIGTERM")
    with Application(namespace, postgres=True, env=env) as app:
        bench = Bench(app, collections)
        with bench.work:
            yield bench


def measure(n: int) -> str:
    ends = {part: BEGAN + share * LIMIT for part, share in PARTS.items()}
    loaded_n, switch_n = (1, 3) if n < 3 else (3, 30)
    for name in ("ansible-playbook", "kubectl", "curl"):
        if not shutil.which(name):
            raise Failure(
                f"{name} is not on the PATH; install curl (Debian, Ubuntu: apt-get install curl); "
                "the rest comes with: make env cluster && . ./activate"
            )
    busy = os.getloadavg()[0]
    if busy > os.cpu_count() / 2:
        say(
            f"the load average is {busy:.1f} on {os.cpu_count()} CPUs: the figures will show that more than anything else"
        )
    collections = collections_path()
    manifest = json.loads((collections / "ansible_collections/kubernetes/core/MANIFEST.json").read_text())
    notes = []
    try:
        audit = Audit()
    except Unavailable as reason:
        audit = None
        notes.append(f"API requests were not counted: {reason}")
    with application(STOPS[0], collections) as bench:
        times = measure_times(bench, n, ends["time"], audit)
        tasks = {key: measure_tasks(bench, TOOL[key]) for key in ("ours", "core")}
        with application(STOPS[1], collections, DRAIN=str(DRAIN)) as draining:
            losses = measure_losses(dict(zip(STOPS, (bench, draining))), loaded_n, ends["load"])
        bench.settle()
        switches = measure_switches(bench, switch_n, ends["switch"], audit)
    counts = {len(times[key].seconds) for key in times}
    sent = [count for found in losses.values() for loaded in found for _failed, count in loaded.lost.values()]
    lines = [
        f"Measured on {time.strftime('%Y-%m-%d')}, {machine()}; load average {busy:.1f} at the start. "
        f"kubernetes.core {manifest['collection_info']['version']}, ansible-core {ansible_core()}.",
        "",
        f"Seconds and API requests: median [min–max] of {min(counts)} runs in turns. Lost: failed requests of each run, of "
        f"{min(sent)} to {max(sent)}, {RATE} a second on new and {RATE} on kept connections; the application stops at once on "
        f"SIGTERM, or drains.",
        "",
        *release_table(times, losses),
        *targets(times, switches),
        *switch_table(switches),
    ]
    if audit:
        lines += ["What one release by bluegreen.kubernetes asks of the API server:", "", *request_table(times["ours"])]
    for key in ("ours", "core"):
        lines += [f"Where the time goes, {TOOL[key].name} (one run):", "", *task_table(tasks[key])]
    lines += [*notes, f"All of it took {time.monotonic() - BEGAN:.0f} s."]
    return "\n".join(lines) + "\n"


def ansible_core() -> str:
    from ansible.release import __version__

    return __version__


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--n", type=int, default=11, help="timed releases of each kind; less than 3 is a quick look (default: 11)"
    )
    options = parser.parse_args()
    if options.n < 1:
        parser.error("--n must be 1 or more")
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))  # end the traffic and delete the namespaces
    try:
        report = measure(options.n)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(report)
    print(f"\n{report}\nalso in {OUTPUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
