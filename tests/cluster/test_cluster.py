# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded cluster's life: started, started again, killed, found stale, stopped without a trace.

In a copy of the program and a block of its own, so that the checkout's cluster is left alone. Needs root and Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Iterator

import pytest

SOURCE = Path(__file__).resolve().parent
sys.path.insert(0, str(SOURCE))

import build  # noqa: E402
import cluster  # noqa: E402
import toolchain  # noqa: E402
from layout import Net  # noqa: E402
from node import SYSCTLS  # noqa: E402

BLOCK = "198.19.192.0/18"
NET = Net(BLOCK)
SERVER = """\
package main

import "net/http"

func main() {
  http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("hello\\n")) }))
}
"""
PODS = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: web, image: "localhost/web:1", readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  type: NodePort
  clusterIP: {NET.services[77]}
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080, nodePort: 30077}}]
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root on Linux")


class Copy:
    """A copy of the program, with a state directory of its own."""

    def __init__(self, root: Path, net: str = BLOCK):
        self.root, self.state = root, root / ".cluster"
        self.environment = {**os.environ, "BLUEGREEN_CLUSTER_NET": net}
        self.environment.pop("KUBECONFIG", None)
        shutil.copytree(SOURCE, root / "tests" / "cluster", ignore=shutil.ignore_patterns("__pycache__"))

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        options = {"env": self.environment, **options}
        return subprocess.Popen(
            [sys.executable, self.root / "tests" / "cluster" / "cluster.py", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *arguments: str, status: int = 0, **options) -> str:
        process = self.start(*arguments, **options)
        output = process.communicate()[0]
        assert process.returncode == status, output
        assert "Traceback" not in output
        return output

    def kubectl(self, *arguments: str, **options) -> str:
        command = [self.state / "bin" / "kubectl", f"--kubeconfig={self.state}/kubeconfig", *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Iterator[Copy]:
    one = Copy(tmp_path_factory.mktemp("checkout"))
    one.run("build")
    yield one
    one.run("down")


def traces(namespace: str = "no namespace") -> list[str]:
    """What belongs to the node on this machine. namespace: what /proc/PID/ns/pid of its processes shows."""
    found = []
    for path in cluster.cgroups(NET.name):
        if path.exists():
            found.append(str(path))
    for table in (["link"], ["-4", "address"], ["-4", "route", "show", "table", "all"]):
        lines = subprocess.run(["ip", "-o", *table], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        found += [
            line for line in lines if NET.name in line or str(NET.block).split(".0/", maxsplit=1)[0] + "." in line
        ]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns" / "pid") == namespace:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def pid_namespace(copy: Copy) -> str:
    return os.readlink(f"/proc/{cluster.running(copy.state)['pid']}/ns/pid")


def body(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()


def eventually(function, seconds: float = 10):
    """The result of a function, as soon as it does not raise an OSError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return function()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_up_and_up_again(copy):
    assert "the cluster is not running" in copy.run("status", status=cluster.NOT_RUNNING)
    assert "the cluster is up" in copy.run("up")
    pid, started = cluster.running(copy.state)["pid"], time.monotonic()
    assert "the cluster is running, since" in copy.run("up")
    assert time.monotonic() - started < 10  # an idle machine needs 0.4
    assert cluster.running(copy.state)["pid"] == pid
    status = copy.run("status")
    assert "died" not in status and "stopped" not in status
    assert f"{'node':24} Ready" in status


def test_a_pod_answers(copy, tmp_path):
    go = toolchain.go()
    (tmp_path / "main.go").write_text(SERVER)
    subprocess.run([go["path"], "build", "-o", tmp_path / "web", "main.go"], env=go["env"], cwd=tmp_path, check=True)
    build.image(tmp_path / "web", tmp_path / "web.tar", "localhost/web:1")
    assert "localhost/web:1: loaded" in copy.run("load", str(tmp_path / "web.tar"))
    assert "localhost/web:1: already loaded" in copy.run("load", str(tmp_path / "web.tar"))
    copy.kubectl("apply", "-f", "-", input=PODS)
    copy.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    assert copy.kubectl("get", "--raw", "/api/v1/namespaces/default/pods/web:8080/proxy/") == "hello\n"
    address = copy.kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    assert body(f"http://{address}:8080/") == "hello\n"
    assert eventually(lambda: body(f"http://{NET.services[77]}/")) == "hello\n"
    assert eventually(lambda: body(f"http://{NET.node}:30077/")) == "hello\n"
    with pytest.raises(urllib.error.URLError):
        body(f"http://{NET.services[78]}/")


def test_audit_log(copy):
    copy.kubectl("create", "configmap", "audited", "--from-literal=a=b")
    events = [json.loads(line) for line in (copy.state / "audit.log").read_text().splitlines()]
    written = [event for event in events if event["verb"] == "create" and event["objectRef"]["name"] == "audited"]
    assert [event["user"]["username"] for event in written] == ["admin"]
    assert written[0]["requestObject"]["data"] == {"a": "b"}
    assert written[0]["userAgent"].startswith("kubectl/v1.")
    assert written[0]["sourceIPs"] == [str(NET.host)]
    assert {event["user"]["username"] for event in events} == {"admin"}


@pytest.mark.parametrize("component", ["kube-apiserver", "kube-proxy", "kube-controller-manager", "kubelet"])
def test_stop_and_start_a_component(copy, component):
    assert f"{component}: stopped" in copy.run("stop", component)
    status = copy.run("status")
    assert f"{component:24} stopped" in status and "died" not in status
    if component == "kube-apiserver":
        with pytest.raises(subprocess.CalledProcessError):
            copy.kubectl("get", "--raw", "/version", stderr=subprocess.DEVNULL)
    assert f"{component}: running" in copy.run("start", component)
    assert f"{component:24} running" in copy.run("status")
    copy.kubectl("get", "pod", "web")


def test_a_dead_component_is_shown_and_started_by_up(copy):
    namespace = pid_namespace(copy)
    for process in Path("/proc").glob("[0-9]*"):
        command = (process / "cmdline").read_text() if process.is_dir() else ""
        if command.startswith("kube-scheduler\0") and os.readlink(process / "ns" / "pid") == namespace:
            os.kill(int(process.name), signal.SIGKILL)
    time.sleep(0.2)
    assert f"{'kube-scheduler':24} died (exit status -9)" in copy.run("status")
    assert "kube-scheduler: died (exit status -9); started again" in copy.run("up")
    assert f"{'kube-scheduler':24} running" in copy.run("status")


def test_unknown_component(copy):
    assert "no component 'kube-dns'; there are etcd, containerd" in copy.run("stop", "kube-dns", status=1)


def test_kernel_settings_of_the_machine_are_left_alone(copy):
    before = {name: Path("/proc/sys", name).read_text() for name in SYSCTLS}
    copy.run("down")
    Path("/proc/sys/kernel/panic").write_text("17")
    try:
        copy.run("up")
        assert {name: Path("/proc/sys", name).read_text() for name in SYSCTLS} == {**before, "kernel/panic": "17\n"}
    finally:
        Path("/proc/sys/kernel/panic").write_text(before["kernel/panic"])


def test_the_block_is_taken(copy, tmp_path):
    other = Copy(tmp_path)
    message = other.run("up", status=1)
    assert f"the address block {BLOCK} is taken" in message
    assert f"make -C {copy.root} cluster-down" in message
    assert "BLUEGREEN_CLUSTER_NET=198.1" in message
    assert "the cluster is running" in copy.run("up")


def test_addresses_are_in_use(tmp_path):
    link = "bgtest0"
    subprocess.run(["ip", "link", "add", link, "type", "veth", "peer", "name", f"{link}-n"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "198.19.130.1/24", "dev", link], check=True)
        message = Copy(tmp_path, net="198.19.128.0/18").run("up", status=1)
    finally:
        subprocess.run(["ip", "link", "delete", link], check=True)
    assert f"the address block 198.19.128.0/18 is taken: interface {link} has 198.19.130.0/24" in message


def test_two_blocks_at_once(copy, tmp_path):
    other = Copy(tmp_path, net="198.19.128.0/18")
    try:
        other.run("up")
        copy.kubectl("get", "node", "node")
        other.kubectl("get", "node", "node")
    finally:
        other.run("down")
    assert "the cluster is running" in copy.run("up")
    assert f"{'node':24} Ready" in copy.run("status")


def test_stale_copy_of_a_running_directory(copy, tmp_path):
    shutil.copytree(
        copy.state,
        tmp_path / ".cluster",
        symlinks=True,
        ignore_dangling_symlinks=True,
        ignore=lambda directory, names: [
            name for name in names if name.endswith(".sock") or directory.endswith(("containerd", "kubelet"))
        ],
    )
    other = Copy(tmp_path, net="198.19.128.0/18")
    assert "not running" in other.run("status", status=cluster.NOT_RUNNING)
    try:
        assert "the cluster is up" in other.run("up")
        other.kubectl("get", "node", "node")
    finally:
        other.run("down")


def test_killed_node(copy):
    os.kill(cluster.running(copy.state)["pid"], signal.SIGKILL)
    time.sleep(0.5)
    assert "not running" in copy.run("status", status=cluster.NOT_RUNNING)
    assert "the cluster is up" in copy.run("up")


def test_two_ups_at_once(copy):
    copy.run("down")
    both = [copy.start("up"), copy.start("up")]
    outputs = sorted(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("the cluster is up" in output for output in outputs) == 1
    assert sum("the cluster is running, since" in output for output in outputs) == 1


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6, 1.5, 3])
def test_killed_up(copy, seconds):
    copy.run("down")
    process = copy.start("up")
    time.sleep(seconds)
    process.kill()
    process.wait()
    copy.run("up")
    copy.kubectl("get", "node", "node")


def test_deleted_directory(copy):
    copy.run("up")
    shutil.rmtree(copy.state)
    assert "starting anew" in copy.run("up")
    copy.kubectl("get", "node", "node")


def test_down_leaves_nothing(copy):
    copy.kubectl("run", "one", "--image=localhost/pause:1", "--image-pull-policy=Never")
    copy.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    namespace = pid_namespace(copy)
    assert len(traces(namespace)) > 10
    mounts = Path("/proc/self/mounts").read_text()
    assert "no process, mount, interface, route or cgroup is left" in copy.run("down")
    assert traces(namespace) == []
    assert Path("/proc/self/mounts").read_text() == mounts
    assert str(copy.state) not in mounts
    assert sorted(path.name for path in copy.state.iterdir()) == ["audit.log", "lock", "log"]
    assert "not running" in copy.run("down")


def test_interrupted_up_leaves_nothing(copy):
    # A shell that starts us in the background has us, and all that we start, ignore an interrupt.
    process = copy.start("up", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate()[0]
    assert process.returncode == 130
    assert traces() == []


def test_a_cluster_of_the_users_own(copy, tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    environment = {**copy.environment, "KUBECONFIG": str(kubeconfig)}
    assert f"KUBECONFIG={kubeconfig}: no such file" in copy.run("up", env=environment, status=1)
    copy.run("up")
    path = f"{copy.state}/bin:{os.environ['PATH']}"
    shutil.copy(copy.state / "kubeconfig", kubeconfig)
    environment["PATH"] = path
    assert "this cluster is used (Kubernetes v1." in copy.run("up", env=environment)
    assert "this cluster is used (Kubernetes v1." in copy.run("status", env=environment)
    assert "not stopped" in copy.run("down", env=environment)
    assert "kind load image-archive" in copy.run("load", "any.tar", env=environment, status=1)
    assert "the cluster is running" in copy.run("up", env={**environment, "KUBECONFIG": str(copy.state / "kubeconfig")})
    copy.run("stop", "kube-apiserver")
    assert "the cluster does not answer" in copy.run("up", env=environment, status=1)


def test_a_block_that_is_none(copy):
    environment = {**copy.environment, "BLUEGREEN_CLUSTER_NET": "10.0.0.0/18"}
    copy.run("down")
    assert "choose one of 198.18.0.0/18, 198.18.64.0/18" in copy.run("up", env=environment, status=1)


def test_not_root(copy, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(toolchain.Failure, match="starting the embedded cluster needs root"):
        cluster.up(argparse.Namespace())
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(toolchain.Failure, match="needs Linux, this is darwin"):
        cluster.up(argparse.Namespace())


def test_a_file_that_is_no_image(copy, tmp_path):
    (tmp_path / "broken.tar").write_text("no tar")
    assert "not a docker-archive" in copy.run("load", str(tmp_path / "broken.tar"), status=1)
    subprocess.run(["tar", "-cf", tmp_path / "other.tar", "-C", tmp_path, "broken.tar"], check=True)
    assert "'manifest.json' not found" in copy.run("load", str(tmp_path / "other.tar"), status=1)
    assert "No such file" in copy.run("load", str(tmp_path / "missing.tar"), status=1)
    build.image(Path("/bin/true"), tmp_path / "good.tar", "localhost/true:1")
    assert "the cluster is not running" in copy.run("load", str(tmp_path / "good.tar"), status=1)
