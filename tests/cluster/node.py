# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node of the embedded cluster: the first process in its namespaces, started by cluster.py.

    unshare --net --mount --pid ... python3 node.py STATE BLOCK BUILD

It mounts, configures, starts the components and then does what it is asked through STATE/control.sock: one JSON object
{"do": "status" | "stop" | "start", "component": NAME} a connection, answered by one. Nothing is restarted by itself:
a component that has ended is reported as such. When this process ends, the kernel ends everything in the node.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from layout import Net
from toolchain import Failure

# Inside the node. Fixed and short: a socket's path may have 107 characters, a checkout's path has what it has.
STATE = Path("/run/cluster")
BUILD = Path("/run/build")
CONTAINERD = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "localhost/pause:1"
START_SECONDS = 180  # what a component may take until it answers: a busy machine is slow
STOP_SECONDS = 30  # as much as a kubelet would give it

# Kernel settings that the kubelet insists on and would change for the whole machine: it is shown what it wants to see.
SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


class Component:
    """One process of the node: how it is started, where it answers once it works, what became of it."""

    def __init__(self, name: str, arguments: list[str], ready: str):
        self.name, self.arguments, self.ready = name, arguments, ready
        self.process: subprocess.Popen | None = None
        self.stopped = False

    def start(self) -> None:
        with open(STATE / "log" / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.name, *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def state(self) -> str:
        if self.running:
            return "running"
        return "stopped" if self.stopped else f"died (exit status {self.process.returncode})"

    def wait(self) -> None:
        """Until it answers. Raises Failure with the end of its log when it ends, or does not answer in time."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.running:
                problem = f"{self.name} ended with exit status {self.process.returncode}"
                break
            if self.answers():
                return
            if time.monotonic() > deadline:
                problem = f"{self.name} did not answer at {self.ready} within {START_SECONDS} s"
                break
            time.sleep(0.05)
        lines = (STATE / "log" / f"{self.name}.log").read_text(errors="replace").splitlines()[-15:]
        raise Failure(problem + "; the end of its log:\n" + "\n".join("  " + line[:300] for line in lines))

    def answers(self) -> bool:
        try:
            if self.ready.startswith("/"):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self.ready)
            else:
                # Only "is it up" is asked; the kube-controller-manager and the scheduler sign their own certificates.
                with urllib.request.urlopen(self.ready, timeout=2, context=ssl._create_unverified_context()):
                    pass
        except OSError:
            return False
        return True


def components(net: Net) -> dict[str, Component]:
    """All components of the node, in the order in which they are started."""
    pki = STATE / "pki"

    def kubeconfig(name: str) -> str:
        return f"--kubeconfig={pki}/{name}.kubeconfig"

    def delegated(name: str) -> list[str]:
        return [
            kubeconfig(name),
            f"--authentication-kubeconfig={pki}/{name}.kubeconfig",
            f"--authorization-kubeconfig={pki}/{name}.kubeconfig",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]

    return {
        component.name: component
        for component in (
            Component(
                "etcd",
                [
                    f"--data-dir={STATE}/etcd",
                    "--listen-client-urls=http://127.0.0.1:2379",
                    "--advertise-client-urls=http://127.0.0.1:2379",
                    "--listen-peer-urls=http://127.0.0.1:2380",
                    "--unsafe-no-fsync",  # the data does not outlive the node anyway
                ],
                "http://127.0.0.1:2379/health",
            ),
            Component("containerd", [f"--config={STATE}/containerd.toml"], CONTAINERD),
            Component(
                "kube-apiserver",
                [
                    "--etcd-servers=http://127.0.0.1:2379",
                    f"--advertise-address={net.node}",
                    "--bind-address=0.0.0.0",
                    "--secure-port=6443",
                    f"--service-cluster-ip-range={net.services}",
                    f"--tls-cert-file={pki}/apiserver.crt",
                    f"--tls-private-key-file={pki}/apiserver.key",
                    f"--client-ca-file={pki}/ca.crt",
                    # No extension API server is there; without these the other components complain once a minute.
                    f"--requestheader-client-ca-file={pki}/ca.crt",
                    "--requestheader-allowed-names=front-proxy-client",
                    "--requestheader-username-headers=X-Remote-User",
                    f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
                    f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
                    "--kubelet-preferred-address-types=InternalIP",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={pki}/sa.pub",
                    f"--service-account-signing-key-file={pki}/sa.key",
                    "--authorization-mode=Node,RBAC",
                    "--enable-admission-plugins=NodeRestriction",
                    "--allow-privileged=true",
                    "--shutdown-watch-termination-grace-period=2s",  # else SIGTERM waits a minute for the watches to end
                    f"--audit-policy-file={STATE}/audit-policy.json",
                    f"--audit-log-path={STATE}/audit.log",
                    "--audit-log-mode=blocking",  # on disk before the client has its answer
                    "--audit-log-maxsize=2000",  # megabytes; rotated, it would vanish under the tests that read it
                ],
                "https://127.0.0.1:6443/readyz",
            ),
            Component(
                "kube-controller-manager",
                [
                    *delegated("kube-controller-manager"),
                    "--use-service-account-credentials",
                    f"--service-account-private-key-file={pki}/sa.key",
                    f"--root-ca-file={pki}/ca.crt",
                    f"--cluster-signing-cert-file={pki}/ca.crt",
                    f"--cluster-signing-key-file={pki}/ca.key",
                ],
                "https://127.0.0.1:10257/healthz",
            ),
            Component("kube-scheduler", delegated("kube-scheduler"), "https://127.0.0.1:10259/healthz"),
            Component(
                "kubelet",
                [
                    kubeconfig("kubelet"),
                    f"--config={STATE}/kubelet.json",
                    f"--root-dir={STATE}/kubelet",
                    "--hostname-override=node",
                    f"--node-ip={net.node}",
                ],
                "http://127.0.0.1:10248/healthz",
            ),
            Component(
                "kube-proxy",
                [
                    kubeconfig("kube-proxy"),
                    "--hostname-override=node",
                    "--proxy-mode=iptables",
                    f"--cluster-cidr={net.pods}",
                    # These settings belong to the whole machine, and are read-only here.
                    "--conntrack-max-per-core=0",
                    "--conntrack-min=0",
                ],
                "http://127.0.0.1:10256/healthz",
            ),
            Component("coredns", [f"{STATE}/Corefile"], "http://127.0.0.1:8181/ready"),
        )
    }


def write_configuration(net: Net, cni: str) -> None:
    write = {}
    write["containerd.toml"] = f"""\
version = 2
root = "{STATE}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]  # it makes /opt/containerd
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true  # else runc dies where CAP_SYS_RESOURCE is missing
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true  # it would leave a profile in the machine's kernel
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{STATE}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""
    # ptp and not bridge: every packet from pod to pod is routed, so that Services work without the module br_netfilter.
    write["cni/pods.conflist"] = json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": str(net.pods)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                        "dataDir": f"{STATE}/ipam",
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )
    write["kubelet.json"] = json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{STATE}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{net.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [str(net.node)],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,  # an image removed could not be pulled again
            "maxPods": 250,
            "podLogsDir": f"{STATE}/podlogs",
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "registryPullQPS": 0,
        }
    )
    write["Corefile"] = f"""\
.:53 {{
    bind {net.node}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {STATE}/pki/embedded-cluster.kubeconfig
    }}
}}
"""
    # The audit log is what the tests judge by: everything that somebody who is not part of the system asks for.
    write["audit-policy.json"] = json.dumps(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "omitManagedFields": True,
            "rules": [
                {
                    "level": "None",
                    "users": [
                        "system:apiserver",
                        "system:kube-controller-manager",
                        "system:kube-scheduler",
                        "system:kube-proxy",
                        "apiserver-kubelet-client",
                        "embedded-cluster",
                    ],
                },
                {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
                {"level": "None", "users": ["system:anonymous"], "nonResourceURLs": ["/readyz"]},
                {"level": "Metadata", "verbs": ["get", "list", "watch"]},
                {
                    "level": "Metadata",
                    "resources": [
                        {"group": "", "resources": ["secrets", "serviceaccounts/token"]},
                        {"group": "authentication.k8s.io"},
                    ],
                },
                {"level": "RequestResponse"},
            ],
        }
    )
    for name, text in write.items():
        (STATE / name).parent.mkdir(exist_ok=True)
        (STATE / name).write_text(text)


def command(*arguments: str) -> None:
    """Run a command to its end. Raises Failure with what it said when it fails."""
    run = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if run.returncode:
        raise Failure(f"{' '.join(arguments)}: {run.stdout.strip()}")


def mount(state: str, build: str) -> None:
    """Hide from the node what it would otherwise write to on the machine."""
    command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for source, place in ((state, STATE), (build, BUILD)):
        place.mkdir()
        command("mount", "--bind", source, str(place))
    for hidden in ("/var/lib", "/var/log"):
        command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    for number, (name, value) in enumerate(SYSCTLS.items()):
        fake = Path(f"/run/sysctl-{number}")
        fake.write_text(f"{value}\n")
        command("mount", "--bind", str(fake), f"/proc/sys/{name}")


def connect(net: Net) -> None:
    """Configure the node's network, once cluster.py has moved eth0 in."""
    deadline = time.monotonic() + 60
    while "eth0" not in [name for _number, name in socket.if_nameindex()]:
        if time.monotonic() > deadline:
            raise Failure("nobody moved eth0 into the node; was `cluster.py up` killed?")
        time.sleep(0.02)
    for line in (
        "link set lo up",
        f"addr add {net.node}/{net.link.prefixlen} dev eth0",
        "link set eth0 up",
        # A route is looked up before kube-proxy's rules rewrite the address: Services need one, leading nowhere.
        f"route add {net.services} dev lo src {net.node}",
        # Nothing leaves the machine, and who tries learns it at once.
        "route add unreachable default",
    ):
        command("ip", *line.split())
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/proc/sys/net/ipv4/conf/lo/forwarding").write_text("0")  # else a packet to no Service would go in circles


def get(net: Net, path: str) -> dict | None:
    """An object from the API server, None when it does not exist. Raises OSError when the API server does not answer."""
    pki = STATE / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "embedded-cluster.crt", pki / "embedded-cluster.key")
    try:
        with urllib.request.urlopen(net.api + path, timeout=5, context=context) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def node_state(net: Net) -> str:
    """Ready, NotReady, or what is in the way of knowing."""
    try:
        node = get(net, "/api/v1/nodes/node")
    except OSError as error:
        return f"unknown, the API server does not answer: {error}"
    conditions = node["status"].get("conditions", []) if node else []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return "Ready" if ready else "NotReady"


def bring_up(net: Net, everything: dict[str, Component]) -> None:
    """Start all components. Raises Failure when one of them does not come up."""
    order = list(everything.values())
    first, later = order[:3], order[3:]
    for component in first:
        component.start()
    everything["containerd"].wait()
    command("ctr", f"--address={CONTAINERD}", "--namespace=k8s.io", "images", "import", f"{BUILD}/pause.tar")
    for component in first:
        component.wait()
    print("API server ready", flush=True)
    for component in later:
        component.start()
    for component in later:
        component.wait()
    deadline = time.monotonic() + START_SECONDS
    # The first pod needs the service account that the controller manager makes.
    while not (node_state(net) == "Ready" and get(net, "/api/v1/namespaces/default/serviceaccounts/default")):
        if time.monotonic() > deadline:
            raise Failure(f"the node is {node_state(net)} after {START_SECONDS} s; see kubelet.log")
        time.sleep(0.1)
    print("node ready", flush=True)


def serve(net: Net, everything: dict[str, Component]) -> None:
    """Answer requests for ever."""
    os.chdir(STATE)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("control.sock")
        server.listen()
        (STATE / "ready").write_text(f"{time.time()}\n")
        while True:
            connection = server.accept()[0]
            connection.settimeout(5)
            with connection, connection.makefile("rw") as stream:
                try:
                    answer = handle(everything, json.loads(stream.readline()))
                    stream.write(json.dumps({**answer, "node": node_state(net)}) + "\n")
                    stream.flush()
                except (OSError, ValueError) as error:
                    print(f"control.sock: {error}", flush=True)


def handle(everything: dict[str, Component], request: dict) -> dict:
    component = everything.get(request.get("component"))
    error = None
    if component and request["do"] == "stop" and component.running:
        component.stop()
    elif component and request["do"] == "start" and not component.running:
        component.start()
        try:
            component.wait()
        except Failure as failure:
            error = str(failure)
    return {"error": error, "components": {name: one.state for name, one in everything.items()}}


def main(state: str, block: str, build: str) -> None:
    # The first process of a PID namespace inherits every orphan in it (containerd's shims make many). It does nothing
    # but bury them; its child does the work, and can then rely on its own children being left to it.
    worker = os.fork()
    if worker:
        while os.wait()[0] != worker:
            pass
        sys.exit(1)
    net = Net(block)
    cni = next((path for path in ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni") if os.path.exists(f"{path}/ptp")))
    os.environ["PATH"] = f"{BUILD}/bin:{os.environ['PATH']}"
    try:
        mount(state, build)
        connect(net)
        write_configuration(net, cni)
        everything = components(net)
        bring_up(net, everything)
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    serve(net, everything)


if __name__ == "__main__":
    main(*sys.argv[1:])
