# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bad release after the other, while users use the application all the time."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cases import one_of
from harness import Application, Run, command, environment, moment
from traffic import Traffic

pytestmark = pytest.mark.alone  # it measures time

PATIENCE = 5  # seconds from what decides to the end of the release


class Observer:
    """Another one who watches the idle color's pods: when did the API server first show that a container waits, and why?

    The events' own times would do on an idle machine; on a busy one the kubelet tells of its pods seconds later.
    """

    def __init__(self, app: Application) -> None:
        reasons = 'jsonpath={.status.containerStatuses[*].state.waiting.reason}{"\\n"}'
        self.process = subprocess.Popen(
            [
                command("kubectl"),
                "--namespace",
                app.namespace,
                "get",
                "pods",
                "--selector=app=myapp,version=green",
                "--watch",
                f"--output={reasons}",
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seen: dict[str, float] = {}
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.seen.setdefault(line.strip(), time.time())

    def __enter__(self) -> Observer:
        self.thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.terminate()
        self.thread.join(10)
        self.process.wait(10)


@dataclass
class Bad:
    """A release that cannot work.

    shown: regular expressions; each must be found in the text that the user gets.
    decided: since when it was certain that the release cannot work.
    prepare: called before the release. variables: of the release.
    """

    version: str
    shown: list[str]
    decided: Callable[[Application, Run, Observer], float]
    prepare: Callable[[Application], None] = lambda app: None
    variables: dict[str, Any] = field(default_factory=dict)


def waiting(*reasons: str) -> Callable[[Application, Run, Observer], float]:
    """The time at which a container was first seen to wait for one of these reasons."""
    return lambda _app, _run, observer: min(at for reason, at in observer.seen.items() if reason in reasons)


def condition(kind: str) -> Callable[[Application, Run, Observer], float]:
    """The time since which a condition of the idle Deployment is true."""

    def since(app: Application, _run: Run, _observer: Observer) -> float:
        conditions = {item["type"]: item for item in app.deployment("green")["status"]["conditions"]}
        assert conditions[kind]["status"] == "True"
        return moment(conditions[kind]["lastTransitionTime"])

    return since


def line(text: str, after: float = 0) -> Callable[[Application, Run, Observer], float]:
    """The time at which the run has printed a line, and `after` seconds."""

    def printed(_app: Application, run: Run, _observer: Observer) -> float:
        at = run.time_of(text)
        assert at is not None, run.output
        return at + after

    return printed


def registry(app: Application) -> None:
    """A registry at the node's port 8080 that has no image: the example application, which answers 404."""
    [blue] = [item for item in app.manifests() if item["metadata"]["name"] == "app-blue"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "registry"},
        "spec": {**blue["spec"]["template"]["spec"], "hostNetwork": True},
    }
    pod["spec"]["containers"][0]["env"] = []
    app.apply(pod)
    app.kubectl("wait", "--for=condition=Ready", "pod/registry", "--timeout=60s")


def quota(app: Application) -> None:
    """Room for the four pods that are there, and for no other."""
    app.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "4"}}}
    )
    app.kubectl("wait", "--for=jsonpath={.status.used.pods}=4", "resourcequota/full", "--timeout=60s")


def missing_key(app: Application) -> None:
    """The idle color's pods need a key that their ConfigMap does not have."""
    app.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"other": "value"}})
    needed = {"name": "SETTING", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "setting"}}}
    path = "/spec/template/spec/containers/0/env/-"
    app.kubectl("scale", "deployment/app-green", "--replicas=0")
    app.kubectl(
        "patch",
        "deployment",
        "app-green",
        "--type=json",
        f"--patch={json.dumps([{'op': 'add', 'path': path, 'value': needed}])}",
    )


CASES = {
    "an image that does not exist": Bad(
        "9.9",
        [
            r"localhost:8080/myapp:9\.9: not found",
            r"event Failed: Failed to pull image",
            r"pod app-green-\S+: app: (ErrImagePull|ImagePullBackOff), not ready",
        ],
        waiting("ErrImagePull", "ImagePullBackOff"),
        registry,
        {"bluegreen_image": "localhost:8080/myapp"},
    ),
    "a container that crashes at its start": Bad(
        "crash",
        [
            r"CrashLoopBackOff, exited with 1 before, not ready",
            r"event BackOff: Back-off restarting failed container",
            r"last log lines of app-green-\S+/app:\n(.*\n)?.*CRASH=start: this image gives up at its start",
        ],
        waiting("CrashLoopBackOff"),
    ),
    "a pod that never becomes ready": Bad(
        "never-ready",
        [
            r"is not ready after 8 s",
            r"app: running, not ready",
            r"event Unhealthy: Readiness probe failed",
            r"last log lines of app-green-\S+/app:\n(.*\n)+.*NEVER_READY is set",
        ],
        line("Wait until every pod", after=8),
        variables={"bluegreen_wait_timeout": "8s"},
    ),
    "a wrong version that answers": Bad(
        "wrong-version",
        [r'version on app-green-\S+: version is "0\.9", expected "wrong-version" \(answer: \{.*"version":"0\.9"'],
        line("run all checks on green"),
    ),
    "a quota that is too small": Bad(
        "2.0",
        [r"FailedCreate: .*exceeded quota: full, requested: pods=1, used: pods=4, limited: pods=4"],
        condition("ReplicaFailure"),
        quota,
    ),
    "a key that is not in the ConfigMap": Bad(
        "2.0",
        [
            r"CreateContainerConfigError: couldn't find key setting in ConfigMap",
            r"event Failed: Error: couldn't find key",
            r"pod app-green-\S+: app: CreateContainerConfigError, not ready",
        ],
        waiting("CreateContainerConfigError"),
        missing_key,
        {"bluegreen_template": "idle"},
    ),
}


@pytest.fixture(scope="module")
def traffic(app: Application) -> Iterator[Traffic]:
    with Traffic(app.url("/api/status"), rate=100) as running:
        yield running


@pytest.fixture
def bad(app: Application, request: pytest.FixtureRequest) -> Iterator[Bad]:
    """A case with its preparations; afterwards the idle color is as it was in the beginning."""
    try:
        CASES[request.param].prepare(app)
        yield CASES[request.param]
    finally:
        app.kubectl("delete", "resourcequota/full", "pod/registry", "--ignore-not-found", "--grace-period=1")
        [green] = [item for item in app.manifests() if item["metadata"]["name"] == "app-green"]
        app.kubectl("replace", "--filename=-", stdin=json.dumps(green))
        app.wait("app-green")


@pytest.mark.parametrize(
    "bad",
    one_of(
        CASES,
        "a container that crashes at its start",
        "a release that cannot work ends by itself, explains itself and changes nothing for users",
    ),
    indirect=True,
)
def test_bad_release(app: Application, traffic: Traffic, bad: Bad) -> None:
    pods, selector = app.uids("blue"), app.get("service", "myapp")["spec"]["selector"]

    with Observer(app) as observer:
        run = app.playbook("release.yml", version=bad.version, **bad.variables)

    assert (run.code, run.outcome) == (2, "aborted"), run.output
    assert run.result["active_color"] == "blue" and run.result["version"] == "1.0"
    # It ends in time, ...
    failed = run.time_of("[ERROR]: ")
    assert failed is not None and failed - bad.decided(app, run, observer) <= PATIENCE, run.output
    # ... explains itself, ...
    text = run.errors[0]
    assert [pattern for pattern in bad.shown if not re.search(pattern, text)] == [], text
    assert "Live now: blue (version 1.0, 3 of 3 pods ready)" in text and "\nNext: " in text
    # ... and users notice nothing.
    assert app.uids("blue") == pods
    assert [status["restartCount"] for pod in app.pods("blue") for status in pod["status"]["containerStatuses"]] == [
        0,
        0,
        0,
    ]
    assert app.get("service", "myapp")["spec"]["selector"] == selector
    assert traffic.flowing()
    part = traffic.report.between(run.began, time.time())
    assert part.failures == {} and set(part.answers) == {"blue"}, part.line()
