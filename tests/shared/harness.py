# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on a cluster share: the example application in a namespace of its own, playbooks run as users run them,
and the API server's audit log.

    with Application("bluegreen-demo") as app, Traffic(app.url("/api/status")) as traffic:
        run = app.playbook("release.yml", version="2.0")      # ansible-playbook, in examples/myapp, as the ServiceAccount
                                                              # that has the Role of examples/rbac
        run.code, run.outcome, run.result["timings"], run.seconds, run.output
        app.color, app.state, app.pods("blue"), app.deployment("green")

    audit = Audit()
    mark = audit.mark()
    ...
    [request for request in audit.since(mark, namespace=app.namespace, agent="bluegreen.kubernetes/") if request.writes]

The cluster is the one of KUBECONFIG, else the embedded one. Times are seconds since the epoch. Every function raises
Failure, with the reason, when something in the cluster is not as needed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import yaml

# It is a program as well: pytest would find the others by itself.
sys.path.extend(str(Path(__file__).resolve().parents[1] / place) for place in ("", "tools"))
from checkout import ROOT
from cluster.toolchain import Failure

EXAMPLE = ROOT / "examples" / "myapp"
RBAC = ROOT / "examples" / "rbac"
STATE = ROOT / ".cluster"
LOG = logging.getLogger(__name__)  # pytest shows it with a test that failed
OURS = "bluegreen.kubernetes/test"  # label of the namespaces that tests may delete
ANNOTATION = "bluegreen.kubernetes/"
COLORS = ("blue", "green")
READY_SECONDS = 120
# Seconds that old pods stay where users are watched: longer than kube-proxy takes to know of a switch, on a busy machine too.
DELAY = 5
# Variables of a release under traffic that nobody waits for longer than needed.
QUICK = {"bluegreen_scale_down_delay": DELAY, "bluegreen_wait_timeout": 240}
# The example's checks. Several tests share the machine, which may leave a pod without CPU for seconds.
EXAMPLE_CHECKS = [
    {**check, "timeout": 30}
    for check in yaml.safe_load((EXAMPLE / "inventory" / "host_vars" / "myapp.yml").read_text())["bluegreen_checks"]
]
CHECKS = [check for check in EXAMPLE_CHECKS if check["name"] in ("health", "version")]  # they need no database


class Unavailable(Failure):
    """This cluster cannot show what a test wants to see: skip the test, and say why (the text does)."""


# --- the cluster ------------------------------------------------------------------------------------------------------


def kubeconfig() -> str:
    """KUBECONFIG, else the embedded cluster's."""
    return os.environ.get("KUBECONFIG") or str(STATE / "kubeconfig")


def embedded() -> bool:
    """Whether the tests run on this checkout's embedded cluster."""
    return os.path.realpath(kubeconfig()) == os.path.realpath(STATE / "kubeconfig")


def environment(**more: str) -> dict[str, str]:
    """What commands run with."""
    return {**os.environ, "KUBECONFIG": kubeconfig(), **more}


def command(name: str) -> str:
    """The path of a command of the tools."""
    return shutil.which(name) or _missing(name)


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """What kubectl prints. Raises Failure with its own words when it fails (unless check is False)."""
    run = subprocess.run(
        [command("kubectl"), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        check=False,
    )
    if check and run.returncode:
        raise Failure(f"kubectl {shlex.join(arguments)}: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout


def moment(text: str) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it: 2026-01-31T12:00:00.123456Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _missing(name: str) -> str:
    raise Failure(f"the command {name} is not on the PATH; in the work tree's root: make env, then . ./activate")


# --- the application --------------------------------------------------------------------------------------------------


class Application:
    """examples/myapp in a fresh namespace; as a context manager it is there, ready, and deleted in the end.

    namespace: an old one of that name is deleted first, if a test made it. postgres: with its database (some seconds
    more); without it, the checks that need one are left out. replicas: of blue and green. env: added to the container of
    both colours, such as {"DRAIN": "3"}. change: called with the list of manifests, which it may change. keep: leave the
    namespace in the end.

    Playbooks run as a ServiceAccount that has the Role of examples/rbac/release.yml and nothing else, status.yml as one that
    has the Role of examples/rbac/status.yml.
    """

    def __init__(
        self,
        namespace: str,
        *,
        postgres: bool = False,
        replicas: tuple[int, int] = (3, 1),
        env: dict[str, str] | None = None,
        change: Callable[[list[dict]], None] | None = None,
        keep: bool = False,
    ) -> None:
        self.namespace, self.postgres, self.replicas, self.keep = namespace, postgres, replicas, keep
        self.env, self.change = env or {}, change
        self.address = ""
        self._kubeconfigs: Path | None = None

    def __enter__(self) -> Application:
        try:
            return self.create()
        except BaseException:
            self.delete()
            raise

    def __exit__(self, *_exc: object) -> None:
        if not self.keep:
            self.delete()

    def create(self) -> Application:
        """Deploy; return when every pod is ready and users get an answer."""
        self.delete(wait=True)
        self.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": {OURS: "true"}}}
        )
        self.apply(*self.accounts(), *self.manifests())
        for account in ("release", "status"):  # now, so that it is not among what a test sees in the audit log
            self.kubeconfig(account)
        self.wait("app-blue", "app-green", *["myapp-postgres"][: self.postgres])
        if embedded():  # kube-proxy is a moment behind; from outside of another cluster nothing would be seen
            self._answers("/api/db-check" if self.postgres else "/health")
        return self

    def _answers(self, path: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if requests.get(self.url(path), timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            if time.monotonic() > deadline:
                raise Failure(f"{self.url(path)} has no good answer after {READY_SECONDS} s, though all pods are ready")
            time.sleep(0.1)

    def delete(self, wait: bool = False) -> None:
        """Delete the namespace, if a test made it."""
        if self._kubeconfigs:
            shutil.rmtree(self._kubeconfigs)
            self._kubeconfigs = None
        labels = kubectl(
            "get", "namespace", self.namespace, "--ignore-not-found", "--output=jsonpath={.metadata.labels}"
        )
        if not labels:
            return
        if OURS not in json.loads(labels):
            raise Failure(
                f"the namespace {self.namespace} exists and was not made by a test (it lacks the label {OURS}); "
                "it is left alone. Delete it yourself if it is not needed."
            )
        # Nothing in it needs to end gracefully, and that would take half a minute.
        kubectl("--namespace", self.namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
        kubectl(
            "delete", "namespace", self.namespace, "--ignore-not-found", f"--wait={str(wait).lower()}", "--timeout=90s"
        )

    def accounts(self) -> list[dict]:
        """The ServiceAccounts that playbooks run as, with the shipped Roles."""
        names = ("release", "status")
        found = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}} for name in names]
        return found + [item for name in names for item in self.role(name, name)]

    def role(self, name: str, account: str) -> list[dict]:
        """A Role of examples/rbac, given to an account."""
        role = yaml.safe_load((RBAC / f"{name}.yml").read_text())
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]}
        return [
            role,
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": reference["name"]},
                "roleRef": reference,
                "subjects": [{"kind": "ServiceAccount", "name": account}],
            },
        ]

    def grant(self, name: str) -> None:
        """Give the account for releases another Role of examples/rbac as well."""
        self.apply(*self.role(name, "release"))

    def token(self, account: str = "release") -> str:
        """A token of one of the accounts."""
        return self.kubectl("create", "token", account, "--duration=2h").strip()

    def kubeconfig(self, account: str = "release") -> Path:
        """A kubeconfig with one of the accounts' credentials."""
        if not self._kubeconfigs:
            self._kubeconfigs = Path(tempfile.mkdtemp(prefix="bluegreen-accounts-"))
        path = self._kubeconfigs / account
        if not path.exists():
            self.write_kubeconfig(path, account)
        return path

    def write_kubeconfig(self, path: Path, account: str = "release") -> None:
        config = json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json"))
        config["users"] = [{"name": account, "user": {"token": self.token(account)}}]
        config["contexts"][0]["context"].update(user=account, namespace=self.namespace)
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))

    @property
    def credentials(self) -> dict[str, str]:
        """The environment of a playbook that runs as the account for releases."""
        return {"KUBECONFIG": str(self.kubeconfig())}

    def manifests(self) -> list[dict]:
        """The example's manifests as this test wants them."""
        found = [yaml.safe_load(path.read_text()) for path in sorted((EXAMPLE / "manifests").glob("*.yml"))]
        if not self.postgres:
            found = [item for item in found if item["kind"] == "Secret" or item["metadata"]["name"] != "myapp-postgres"]
        for item in found:
            name = item["metadata"]["name"]
            if item["kind"] == "Deployment" and name.startswith("app-"):
                item["spec"]["replicas"] = self.replicas[COLORS.index(name.removeprefix("app-"))]
                container = item["spec"]["template"]["spec"]["containers"][0]
                container["env"] += [{"name": key, "value": value} for key, value in self.env.items()]
        if self.change:
            self.change(found)
        return found

    def apply(self, *manifests: dict) -> None:
        """kubectl apply."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(items))

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """kubectl in this namespace; see the function of the same name."""
        return kubectl("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def wait(self, *deployments: str) -> None:
        """Return when these Deployments are rolled out."""
        for name in deployments:
            try:
                self.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={READY_SECONDS}s")
            except Failure as failure:
                events = self.kubectl("get", "events", "--field-selector=type=Warning", check=False)
                raise Failure(
                    f"{failure}\n{self.kubectl('get', 'pods', check=False)}{events}Are the images there? make images"
                ) from failure

    def get(self, kind: str, name: str = "", *options: str) -> Any:
        """An object as a dictionary, or, without a name, the list of all."""
        found = json.loads(self.kubectl("get", kind, *[name][: bool(name)], *options, "--output=json"))
        return found if name else found["items"]

    def url(self, path: str = "/") -> str:
        """The address of a path at the Service, as users in the cluster see it."""
        if not self.address:
            self.address = self.get("service", "myapp")["spec"]["clusterIP"]
        return f"http://{self.address}{path}"

    @property
    def probe(self) -> dict[str, Any]:
        """A value for bluegreen_probe."""
        return {"url": self.url("/api/status"), "color_from": {"json": "color"}}

    @property
    def color(self) -> str:
        """The live colour."""
        return self.get("service", "myapp")["spec"]["selector"]["version"]

    @property
    def state(self) -> dict[str, Any]:
        """What the collection keeps on the Service: {"history": [newest first ...], ...}, empty before the first release."""
        annotations = self.get("service", "myapp")["metadata"].get("annotations") or {}
        return json.loads(annotations.get(f"{ANNOTATION}state", "{}"))

    def deployment(self, color: str) -> dict[str, Any]:
        return self.get("deployment", f"app-{color}")

    def pods(self, color: str) -> list[dict[str, Any]]:
        """A colour's pods, without those that are going."""
        pods = self.get("pods", "", f"--selector=app=myapp,version={color}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def uids(self, color: str) -> set[str]:
        """The identities of a colour's pods: the same set means the same, untouched pods."""
        return {pod["metadata"]["uid"] for pod in self.pods(color)}

    def variables(self, **more: Any) -> dict[str, Any]:
        """The extra variables of a playbook for this application."""
        checks = EXAMPLE_CHECKS if self.postgres else CHECKS
        return {"bluegreen_namespace": self.namespace, "bluegreen_checks": checks, **more}

    def playbook(self, name: str, *arguments: str, live: bool = False, **variables: Any) -> Run:
        """Run a playbook of examples/myapp to its end; variables keep their types (version="2.0")."""
        return self.start(name, *arguments, live=live, **variables).finish()

    def start(self, name: str, *arguments: str, live: bool = False, **variables: Any) -> Run:
        """Start one."""
        account = "status" if name == "status.yml" else "release"
        return Run(
            [name, *arguments],
            self.variables(**variables),
            live=live,
            env={"KUBECONFIG": str(self.kubeconfig(account))},
        )


# --- playbooks --------------------------------------------------------------------------------------------------------


class Run:
    """An ansible-playbook process, started at once, with a time for each line it prints.

    arguments: of ansible-playbook, without variables. variables: given with -e, as JSON. cwd: by default
    examples/myapp. env: added to the environment, such as Application.credentials. live: show the output while it comes.

    lines: (time, text); code: None while it runs; began, ended; group: its process group, a session of its own.
    """

    def __init__(
        self,
        arguments: list[str],
        variables: dict[str, Any] | None = None,
        *,
        cwd: Path = EXAMPLE,
        env: dict[str, str] | None = None,
        live: bool = False,
    ) -> None:
        self.arguments = [*arguments, *(["-e", json.dumps(variables)] if variables else [])]
        self.lines: list[tuple[float, str]] = []
        self.code: int | None = None
        self.ended: float | None = None
        self.live = live
        self.began = time.time()
        # Of the settings of whoever runs the tests (molecule, for one) only the way to the collection is kept.
        kept = {
            name: value
            for name, value in environment().items()
            if not name.startswith("ANSIBLE_") or name == "ANSIBLE_COLLECTIONS_PATH"
        }
        settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [command("ansible-playbook"), *self.arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**kept, **settings, **(env or {})},
            start_new_session=True,
        )
        self.group = self.process.pid
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.lines.append((time.time(), line.rstrip("\n")))
                self._changed.notify_all()
            # The last lines are for programs: `result` reads them.
            if self.live and not self._in_stats():
                print(f"  {line}" if line.strip() else line, end="", flush=True)
        with self._changed:
            self.ended = time.time()
            self._changed.notify_all()
        if os.environ.get("BLUEGREEN_RUNS"):  # see tests/tools/run.py
            (Path(os.environ["BLUEGREEN_RUNS"]) / f"{self.began:.6f}-{self.group}.log").write_text(self.output)
        LOG.info(
            "ansible-playbook %s ended after %.1f s; it said:\n%s",
            shlex.join(self.arguments),
            self.seconds,
            "\n".join(text[:300] for _at, text in self.lines if text),
        )

    def _in_stats(self) -> bool:
        return any(text.startswith("CUSTOM STATS:") for _at, text in self.lines[-4:])

    def finish(self, seconds: float = 600) -> Run:
        """Wait for its end. Raises Failure, and kills it, when that takes longer."""
        try:
            self.code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(
                f"ansible-playbook did not end within {seconds:.0f} s; it said:\n{self.output[-3000:]}"
            ) from None
        except BaseException:
            self.kill()
            raise
        self._reader.join(10)
        return self

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to its process group, as AWX does when a job is cancelled, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, number)
        self.code = self.process.wait()

    def wait_for(self, text: str, seconds: float = 120) -> float:
        """Wait until a line that contains `text` has come; the time at which it came."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self._changed:
            while True:
                for at, line in self.lines[seen:]:
                    if text in line:
                        return at
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    end = "ended" if self.ended else f"did not do so within {seconds:.0f} s"
                    raise Failure(f"ansible-playbook {end} without saying {text!r}; it said:\n{self.output[-3000:]}")
                self._changed.wait(left)

    def time_of(self, text: str) -> float | None:
        """When the first line that contains `text` came, None if none did."""
        return next((at for at, line in self.lines if text in line), None)

    @property
    def output(self) -> str:
        return "\n".join(text for _at, text in self.lines)

    @property
    def errors(self) -> list[str]:
        """The whole text of each failed task, as the terminal shows it (by ansible-core 2.19 or newer)."""
        return re.findall(
            r"^\[ERROR\]: Task failed: (?:Action|Module) failed: (.*?)\nOrigin: ", self.output, re.DOTALL | re.MULTILINE
        )

    @property
    def seconds(self) -> float:
        return (self.ended or time.time()) - self.began

    @property
    def results(self) -> dict[str, Any]:
        """bluegreen_result: by application. Empty when the run ended before it had one."""
        for at in range(len(self.lines) - 1, -1, -1):
            text = self.lines[at][1].strip()
            if text.startswith("RUN: {"):
                return json.loads(text.removeprefix("RUN: ")).get("bluegreen_result", {})
        return {}

    @property
    def result(self) -> dict[str, Any]:
        """The bluegreen_result of the one application."""
        return next(iter(self.results.values()), {})

    @property
    def outcome(self) -> str | None:
        return self.result.get("outcome")


def until(condition: Callable[[], Any], what: str, seconds: float = 60, pause: float = 0.2) -> Any:
    """Wait until a condition is true; what it gave then. Raises Failure, with `what` was waited for, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"not seen in {seconds:g} s: {what}")
        time.sleep(pause)
    return found


def within(took: float, seconds: float) -> bool:
    """Whether it took as long as it may on a machine that has little else to do.

    On a busy one everything takes longer: it may be six times what ten tasks that do nothing take now, if that is more.
    """
    if took <= seconds:
        return True
    tasks = [{"name": f"task {number}", "ansible.builtin.debug": {"msg": ""}} for number in range(10)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], file)
        file.flush()
        run = Run([file.name]).finish()
    first, last = run.time_of("TASK [task 0]"), run.time_of("TASK [task 9]")
    if first is None or last is None:
        raise Failure(f"a playbook of ten tasks failed:\n{run.output[-2000:]}")
    return took <= 6 * (last - first)


# --- the audit log ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One request that the API server has answered."""

    verb: str  # get, list, watch, create, update, patch, delete, ...
    resource: str  # pods, services, ...; pods/proxy for a subresource
    name: str
    namespace: str
    agent: str  # the client's User-Agent
    user: str
    status: int
    dry_run: bool
    received: float
    answered: float
    event: dict = field(
        repr=False, compare=False
    )  # all that the log has: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/

    @property
    def writes(self) -> bool:
        """Whether it changes something (or would, but for an error)."""
        return self.verb not in ("get", "list", "watch") and not self.dry_run

    @property
    def body(self) -> Any:
        """What was sent, such as a patch; None for reads."""
        return self.event.get("requestObject")

    def replaces(self, resource: str, name: str, path: str) -> bool:
        """Whether it has replaced a field (a JSON Pointer) of an object."""
        return (
            self.writes
            and self.status == 200
            and (self.resource, self.name) == (resource, name)
            and isinstance(self.body, list)
            and any((operation["op"], operation["path"]) == ("replace", path) for operation in self.body)
        )

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.received).strftime("%H:%M:%S.%f")[:-3]
        return f"{at} {self.verb} {self.resource} {self.name} {self.status} {self.agent}{' (dry run)' * self.dry_run}"


class Audit:
    """The API server's audit log. Raises Unavailable when the cluster is not the embedded one."""

    def __init__(self) -> None:
        if not embedded():
            raise Unavailable(
                f"the cluster of {kubeconfig()} has no audit log that could be read here; "
                "this test needs the embedded one (unset KUBECONFIG)"
            )
        self.path = STATE / "audit.log"
        if not self.path.exists():
            raise Failure(f"there is no {self.path}: is the embedded cluster running? make cluster")

    def mark(self) -> int:
        """A position: what is asked of the API server from now on."""
        return self.path.stat().st_size

    def since(self, mark: int, namespace: str = "", agent: str = "") -> list[Request]:
        """The requests answered since a mark, in that order: of a namespace, and of agents whose name begins so."""
        return [
            request
            for request in self._read(mark)
            if request.namespace == (namespace or request.namespace) and request.agent.startswith(agent)
        ]

    def _read(self, mark: int) -> Iterator[Request]:
        seen = set()  # what takes long, such as a watch, is in the log with its first answer and with its end
        with self.path.open("rb") as log:
            log.seek(mark)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # being written
                event = json.loads(line)
                if event["auditID"] in seen:
                    continue
                seen.add(event["auditID"])
                about, path = event.get("objectRef", {}), event["requestURI"]
                parts = [about.get("resource", path.partition("?")[0]), about.get("subresource")]
                yield Request(
                    verb=event["verb"],
                    resource="/".join(part for part in parts if part),
                    name=about.get("name", ""),
                    namespace=about.get("namespace", ""),
                    agent=event.get("userAgent", ""),
                    user=event["user"].get("username", ""),
                    status=event.get("responseStatus", {}).get("code", 0),
                    dry_run="dryRun=All" in path,
                    received=moment(event["requestReceivedTimestamp"]),
                    answered=moment(event["stageTimestamp"]),
                    event=event,
                )


# --- from the command line and from playbooks -------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """create NAMESPACE [--postgres] | kubeconfig NAMESPACE FILE | delete NAMESPACE"""
    if len(arguments) < 2 or arguments[0] not in ("create", "kubeconfig", "delete"):
        print(f"usage: harness.py {main.__doc__}", file=sys.stderr)
        return 2
    app = Application(arguments[1], postgres="--postgres" in arguments)
    try:
        if arguments[0] == "create":
            app.create()
        elif arguments[0] == "kubeconfig":
            app.write_kubeconfig(Path(arguments[2]))
        else:
            app.delete()
    except Failure as failure:
        print(f"harness: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
