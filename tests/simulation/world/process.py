# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a pod on its node: waiting, running, ended, running again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulation.clock import Timer
from simulation.world.app import Behavior
from simulation.world.needs import environment
from simulation.world.objects import Object, port_number

if TYPE_CHECKING:
    from simulation.world.node import PodOnNode

FIRST_BACKOFF, LAST_BACKOFF, FORGIVEN_AFTER = 10.0, 300.0, 600.0  # seconds, of the kubelet
RETRY = (10.0, 15.0)  # seconds between two tries to make a container


class Process:
    """``state``, ``last`` and ``ready`` are what the pod's status shows."""

    def __init__(self, home: PodOnNode, spec: Object, sidecar: bool = False) -> None:
        self.home, self.spec, self.name = home, spec, spec["name"]
        self.world, self.hub = home.world, home.world.hub
        self.sidecar = sidecar
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.last: Object = {}
        self.ready = False
        self.restarts = 0
        self.running = False
        self.done = False
        self.exit_code: int | None = None
        self.began = 0.0
        self.listens_from = math.inf
        self.listens_until = math.inf
        self.behavior = Behavior()
        self.log: list[tuple[str, str]] | None = None
        self.previous_log: list[tuple[str, str]] | None = None
        self._plain = Behavior()
        self._crashes = 0
        self._pulls = 0
        self._said_unhealthy = False
        self._timers: list[Timer] = []

    # --- starting

    def start(self) -> None:
        """Run, or wait and say why not."""
        if self.home.gone or self.home.terminating:
            return
        have = (self.home.node, self.spec["image"])
        kept = have in self.world.kubelet.images and self.spec.get("imagePullPolicy") != "Always"
        trouble = None if kept else self.world.registry.trouble(self.spec)
        if trouble:
            self._no_image(*trouble)
            return
        self.world.kubelet.images.add(have)
        env, missing = environment(self.world.store, self.home.pod, self.spec)
        if missing:
            self.state = {"waiting": {"reason": "CreateContainerConfigError", "message": missing}}
            self.home.warn("Failed", f"Error: {missing}", self)
            self._after(self.hub.random.uniform(*RETRY), self.start)
        else:
            self._run(env)
        self.home.write()

    def _no_image(self, reason: str, message: str) -> None:
        image = self.spec["image"]
        self.state = {"waiting": {"reason": reason, "message": message}}
        if reason == "ErrImagePull":
            self.home.warn("Failed", f'Failed to pull image "{image}": {message}', self)
            pause = min(FIRST_BACKOFF * 2**self._pulls, LAST_BACKOFF)
            self._pulls += 1
            self._after(self.hub.random.uniform(0.5, 0.9) * pause, self._back_off_pull, message)
        else:
            event = {"InvalidImageName": "InspectFailed"}.get(reason, reason)
            self.home.warn(event, message, self)
            pause = self.hub.random.uniform(*RETRY)
        self.home.warn("Failed", f"Error: {reason}", self)
        self._after(pause, self.start)
        self.home.write()

    def _back_off_pull(self, message: str) -> None:
        text = f'Back-off pulling image "{self.spec["image"]}": ErrImagePull: {message}'
        self.state = {"waiting": {"reason": "ImagePullBackOff", "message": text}}
        self.home.warn("Failed", "Error: ImagePullBackOff", self)
        self.home.write()

    def _run(self, env: dict[str, str]) -> None:
        world, now = self.world, self.hub.now
        self._plain = world.app(self.spec["image"], env, self.home.pod)
        self.behavior = world.faults.applied(self.spec["image"], self._plain)
        if self.behavior.start_error:
            self._not_started(self.behavior.start_error)
            return
        self.running, self.exit_code, self.began = True, None, now
        self.listens_from, self.listens_until = now + self.behavior.start_seconds, math.inf
        self.state = {"running": {"startedAt": world.stamp()}}
        self.log, self.previous_log = [], self.log
        for at, text in self.behavior.log:
            self._after(at, self.say, text)
        self._plan_end()
        self._plan_readiness()
        if self.behavior.start_seconds < math.inf:
            self._after(self.behavior.start_seconds, self.home.serving_changed)

    def _not_started(self, message: str) -> None:
        now = self.world.stamp()
        ended = {"exitCode": 128, "reason": "StartError", "message": message, "startedAt": "1970-01-01T00:00:00Z"}
        self.last = {"terminated": {**ended, "finishedAt": now}}
        self.state = {"waiting": {"reason": "RunContainerError", "message": message}}
        self.home.warn("Failed", f"Error: {message}", self)
        self.began = self.hub.now
        self._fall()

    def say(self, text: str) -> None:
        """A line in the log."""
        if self.log is not None:
            self.log.append((self.world.fine_stamp(), text))
            for told in self.world.on_log:
                told(self.home.uid, self.name)

    # --- readiness

    def listens_on(self, port: int) -> bool:
        if not self.running or not self.listens_from <= self.hub.now < self.listens_until:
            return False
        return port in self.ports()

    def ports(self) -> frozenset[int]:
        if self.behavior.ports is not None:
            return self.behavior.ports
        return frozenset(item["containerPort"] for item in self.spec.get("ports") or ())

    def answer(self, path: str) -> tuple[int, str]:
        behavior, age = self.behavior, self.hub.now - self.began
        path = path.partition("?")[0]
        if path == self._probed_path():
            if not self._says_ready(age):
                return 503, '{"status":"unhealthy"}'
        elif behavior.errors_after is not None and age >= behavior.errors_after:
            return 500, '{"status":"error"}'
        if behavior.answers is None:
            return 200, "ok"
        return behavior.answers.get(path, (404, "404 page not found\n"))

    def _probed_path(self) -> str | None:
        probe = self.spec.get("readinessProbe") or {}
        return probe["httpGet"].get("path", "/") if "httpGet" in probe else None

    def _says_ready(self, age: float) -> bool:
        late = self.behavior.unready_after
        return self.behavior.ready and (late is None or age < late)

    def _probe_fails(self) -> str:
        """Why the readiness probe fails now, if it does."""
        probe = self.spec["readinessProbe"]
        request = probe.get("httpGet") or probe.get("tcpSocket")
        if request:
            port = port_number(self.home.pod, request["port"])
            if port is None or not self.listens_on(port):
                return f"dial tcp {self.home.ip}:{port}: connect: connection refused"
        if "httpGet" in probe:
            status, _body = self.answer(request["path"] if "path" in request else "/")
            return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
        return "" if self._says_ready(self.hub.now - self.began) else "probe failed"

    def _plan_readiness(self) -> None:
        probe = self.spec.get("readinessProbe")
        if probe is None:
            self.ready = True
            return
        period = probe.get("periodSeconds", 10)
        first = self.began + probe.get("initialDelaySeconds", 0) + self.hub.random.uniform(0, min(period, 1))
        late = max(self.listens_from - first, 0.0)
        if late < math.inf:
            tick = first + math.ceil(late / period) * period + (probe.get("successThreshold", 1) - 1) * period
            self._after(tick - self.hub.now, self._probe)
        if self.behavior.unready_after is not None:
            # The first probe that fails comes up to a period later.
            threshold = probe.get("failureThreshold", 3) - self.hub.random.random()
            self._after(self.behavior.unready_after + threshold * period, self._probe)

    def _probe(self) -> None:
        why = self._probe_fails()
        if why and not self._said_unhealthy:
            self._said_unhealthy = True
            self.home.warn("Unhealthy", f"Readiness probe failed: {why}", self)
        if self.ready == bool(why):
            self.ready = not why
            self.home.write()

    def reconsider(self) -> None:
        """What runs here behaves differently from now on."""
        if not self.running:
            return
        now = self.hub.now
        self.behavior = self.world.faults.applied(self.spec["image"], self._plain, now - self.began)
        self._plan_end()
        self.home.serving_changed()
        probe = self.spec.get("readinessProbe")
        if probe and self.listens_from <= now:
            period, times = probe.get("periodSeconds", 10), probe.get("failureThreshold", 3)
            late = self.behavior.unready_after
            wait = max(self.began + late - now, 0.0) if late is not None and self.behavior.ready else 0.0
            count = times if self.ready else 1
            self._after(wait + (count - self.hub.random.random()) * period, self._probe)

    # --- ending

    def _plan_end(self) -> None:
        ends = [
            (at, code, reason)
            for at, code, reason in (
                (self.behavior.crash_after, self.behavior.exit_code, self.behavior.exit_reason),
                (self.behavior.ends_after, 0, "Completed"),
            )
            if at is not None
        ]
        if ends:
            at, code, reason = min(ends)
            self._after(max(self.began + at - self.hub.now, 0.0), self.end, code, reason)

    def end(self, code: int, reason: str) -> None:
        """The process ends; what happens then is up to the pod's restart policy."""
        if not self.running:
            return
        self.stop(code, reason)
        policy = self.home.pod["spec"].get("restartPolicy", "Always")
        if self.home.terminating or (policy != "Always" and not self.sidecar and (policy == "Never" or code == 0)):
            self.done = True
            self.home.container_done()
            return
        self._fall()
        self.home.write()

    def _fall(self) -> None:
        """It is started again: at once after the first time, then with pauses that grow."""
        if self.hub.now - self.began >= FORGIVEN_AFTER:
            self._crashes = 0
        self._crashes += 1
        if self._crashes == 1:
            self._after(self.hub.random.uniform(0.1, 0.3), self._again)
        else:
            pause = min(FIRST_BACKOFF * 2 ** (self._crashes - 2), LAST_BACKOFF)
            self._after(self.hub.random.uniform(0.5, 1.0), self._back_off, pause)
            self._after(pause, self._again)

    def stop(self, code: int, reason: str) -> None:
        """The process is gone; nothing starts it again."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self.running:
            self.running, self.ready, self.exit_code = False, False, code
            ended = {"exitCode": code, "reason": reason, "startedAt": self.state["running"]["startedAt"]}
            self.state = {"terminated": {**ended, "finishedAt": self.world.stamp()}}
            self.home.serving_changed()

    def _back_off(self, pause: float) -> None:
        pod = f"{self.home.name}_{self.home.namespace}({self.home.uid})"
        if "terminated" in self.state:
            self.last = self.state
        text = f"back-off {_seconds(pause)} restarting failed container={self.name} pod={pod}"
        self.state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        self.home.warn("BackOff", f"Back-off restarting failed container {self.name} in pod {pod}", self)
        self.home.write()

    def _again(self) -> None:
        if "terminated" in self.state:
            self.last = self.state
        self.restarts += 1
        self.start()

    def status(self) -> Object:
        found: Object = {"name": self.name, "image": self.spec["image"], "imageID": "", "ready": self.ready}
        found |= {"restartCount": self.restarts, "started": self.running, "state": self.state, "lastState": self.last}
        if self.log is not None:
            found["imageID"] = f"sha256:{self.spec['image']}"
            found["containerID"] = f"containerd://{self.home.uid}-{self.name}-{self.restarts}"
        return found

    def _after(self, delay: float, function: object, *arguments: object) -> None:
        self._timers.append(self.hub.after(delay, function, *arguments))  # type: ignore[arg-type]


def _seconds(pause: float) -> str:
    """As Go writes durations."""
    minutes, seconds = divmod(int(pause), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
