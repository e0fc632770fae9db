# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded cluster: a real single-node Kubernetes in its own namespaces, for the demo and the tests."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Callable, Iterator

import build
import pki
import toolchain
from layout import BLOCKS, Net
from node import CONTAINERD
from toolchain import Failure

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
STATE = CHECKOUT / ".cluster"
KUBECONFIG = STATE / "kubeconfig"
START_SECONDS = 400  # more than a component gets; a start takes 4 on an idle machine
NOT_RUNNING = 3
LEFT = ("lock", "log", "audit.log")  # what stays in the state directory, to explain what happened

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "mount": "mount",
}
CNI = ("/usr/lib/cni/ptp", "/opt/cni/bin/ptp", "/usr/libexec/cni/ptp")


# --- Which cluster ----------------------------------------------------------------------------------------------------


def external() -> str | None:
    """KUBECONFIG, when it names another cluster than ours: then nothing here is started or stopped."""
    value = os.environ.get("KUBECONFIG")
    return value if value and os.path.realpath(value) != os.path.realpath(KUBECONFIG) else None


def external_state(kubeconfig: str) -> str:
    """One line about the cluster of KUBECONFIG. Raises Failure when it does not answer."""
    if not any(os.path.exists(file) for file in kubeconfig.split(os.pathsep)):
        raise Failure(f"KUBECONFIG={kubeconfig}: no such file. Correct it, or unset it to use the embedded cluster.")
    kubectl = shutil.which("kubectl")
    if not kubectl:
        return f"KUBECONFIG={kubeconfig}: this cluster is used (not asked whether it answers: no kubectl on the PATH)"
    run = subprocess.run(
        [kubectl, "get", "--raw", "/version", "--request-timeout=10s"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if run.returncode:
        raise Failure(
            f"KUBECONFIG={kubeconfig}: the cluster does not answer: {run.stderr.strip()}\n"
            "Repair that, or unset KUBECONFIG to use the embedded cluster."
        )
    return f"KUBECONFIG={kubeconfig}: this cluster is used (Kubernetes {json.loads(run.stdout)['gitVersion']})"


def running(state: Path) -> dict | None:
    """The node of a state directory: {"pid", "net", "build"}, or None.

    Found among the processes and not by a file, so that neither a stale nor a deleted directory deceives.
    """
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            if len(command) == 5 and command[1].endswith("/tests/cluster/node.py") and command[2] == str(state):
                status = Path(entry.path, "status").read_text()
                ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(ids) > 1 and ids[-1] == "1" and "State:\tZ" not in status:
                    return {"pid": int(entry.name), "net": Net(command[3]), "build": command[4]}
    return None


def wanted_net() -> Net:
    return Net(os.environ.get("BLUEGREEN_CLUSTER_NET") or str(BLOCKS[0]))


# --- What a node leaves on the machine --------------------------------------------------------------------------------


def owner(name: str) -> str | None:
    """The state directory that claimed a link of this name; "" when nobody says so; None without such a link."""
    try:
        return Path("/sys/class/net", name, "ifalias").read_text().strip()
    except OSError:
        return None


def cgroups(name: str) -> list[Path]:
    """The directories of a cgroup of this name, one for each mounted hierarchy."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(fields[1], name) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


def make_cgroups(name: str) -> None:
    for path in cgroups(name):
        path.mkdir(exist_ok=True)
        controllers = path.parent / "cgroup.controllers"
        if controllers.exists():
            # Version 2: a cgroup has the controllers that its parent hands down.
            needed = {"cpu", "cpuset", "memory", "pids", "io", "hugetlb"} & set(controllers.read_text().split())
            for directory in (path.parent, path):
                (directory / "cgroup.subtree_control").write_text(" ".join(f"+{item}" for item in sorted(needed)))


def remove_cgroups(name: str) -> None:
    for path in cgroups(name):
        for directory, _subdirectories, _files in os.walk(path, topdown=False):
            until(5, remove_directory, directory)


def remove_directory(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:  # a cgroup is busy for a moment after its last process
        return False
    return True


def clean(state: Path, net: Net) -> None:
    """End the node of a state directory, if there is one, and remove what the kernel does not remove with it.

    Raises Failure when something stays.
    """
    node = running(state)
    if node:
        with contextlib.suppress(ProcessLookupError):
            os.kill(node["pid"], signal.SIGKILL)
        # The first process of a PID namespace goes last: once it is gone, all of them are.
        until(30, lambda: not os.path.exists(f"/proc/{node['pid']}"))
    names = {link.name for link in Path("/sys/class/net").glob("bg-*") if owner(link.name) == str(state)}
    for name in names:
        if node:
            until(10, lambda link: owner(link) is None, name)  # it goes with the node's network namespace
        if owner(name) is not None:
            subprocess.run(["ip", "link", "delete", name], check=False)
    for name in names | {net.name}:
        if owner(name) is None:
            remove_cgroups(name)
    left = [f"process {node['pid']}"] if node and os.path.exists(f"/proc/{node['pid']}") else []
    left += [f"interface {name}" for name in names if owner(name) is not None]
    left += [str(path) for name in names | {net.name} if owner(name) is None for path in cgroups(name) if path.exists()]
    if left:
        raise Failure(f"could not remove: {', '.join(left)}.")


def wipe(state: Path, keep: tuple[str, ...]) -> None:
    for path in state.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def until(seconds: float, condition: Callable[..., object], *arguments: object) -> None:
    """Wait until a condition holds, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not condition(*arguments) and time.monotonic() < deadline:
        time.sleep(0.02)


# --- Starting ---------------------------------------------------------------------------------------------------------


def require_root(what: str) -> None:
    if not sys.platform.startswith("linux"):
        raise Failure(
            f"the embedded cluster needs Linux, this is {sys.platform}. Set KUBECONFIG to use a cluster of your own."
        )
    if os.geteuid():
        raise Failure(
            f"{what} the embedded cluster needs root (namespaces, mounts, network interfaces). "
            "Run it as root, or set KUBECONFIG to use a cluster of your own."
        )


def install() -> None:
    """Install what is missing of containerd, runc, the CNI plugins and a few tools, from Debian's packages."""

    def missing() -> dict[str, str]:
        lacking = {command: package for command, package in PACKAGES.items() if not shutil.which(command)}
        if not any(map(os.path.exists, CNI)):
            lacking["CNI plugins"] = "containernetworking-plugins"
        return lacking

    lacking = missing()
    if lacking:
        toolchain.install_packages(
            f"missing: {', '.join(lacking)}.", *sorted(set(lacking.values())), there=lambda: not missing()
        )


def ip(*arguments: str) -> list[dict]:
    return json.loads(subprocess.run(["ip", "-4", "-json", *arguments], stdout=subprocess.PIPE, check=True).stdout)


def conflict(net: Net) -> str | None:
    """Who uses addresses of this block already, other than the link of its name."""
    for link in ip("address", "show"):
        for address in link.get("addr_info", []):
            used = ipaddress.ip_network(f"{address['local']}/{address['prefixlen']}", strict=False)
            if link["ifname"] != net.name and used.overlaps(net.block):
                return f"interface {link['ifname']} has {used}"
    for route in ip("route", "show", "table", "all"):
        if route["dst"] == "default" or route.get("dev") == net.name:
            continue
        used = ipaddress.ip_network(route["dst"])
        # Routes to a large part of the world (a VPN's halves of it) say nothing about this range.
        if used.prefixlen > 8 and used.overlaps(net.block):
            return f"there is a route to {used} through {route.get('dev', route.get('type'))}"
    return None


def claim(net: Net) -> None:
    """Make the link of this block, which only one can have. Raises Failure when the block is taken."""
    problem = conflict(net)
    if not problem:
        run = subprocess.run(
            ["ip", "link", "add", net.name, "type", "veth", "peer", "name", f"{net.name}-n"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not run.returncode:
            subprocess.run(["ip", "link", "set", net.name, "alias", str(STATE)], check=True)
            return
        holder = owner(net.name)
        if holder is None:
            raise Failure(f"cannot make the interface {net.name}: {run.stdout.strip()}")
        if not holder:
            problem = f"there is an interface {net.name} that no cluster says is its own; if so, `ip link delete` it"
        else:
            problem = f"the embedded cluster of {Path(holder).parent} has it"
            node = running(Path(holder))
            if Path(holder).exists():
                problem += f"; `make -C {Path(holder).parent} cluster-down` stops that"
            elif node:
                problem += f", whose directory is gone; `kill -9 {node['pid']}` stops that"
            else:
                problem += f", whose directory is gone; `ip link delete {net.name}` frees the block"
    free = [
        str(block)
        for block in BLOCKS
        if block != net.block and not conflict(Net(str(block))) and owner(Net(str(block)).name) is None
    ]
    advice = f"\nOr take another block: BLUEGREEN_CLUSTER_NET={free[0]}" if free else ""
    raise Failure(f"the address block {net.block} is taken: {problem}.{advice}")


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One of these programs at a time works on a state directory. The kernel gives the lock back when it dies."""
    STATE.mkdir(exist_ok=True)
    with open(STATE / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another cluster.py that is at work on {STATE} ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(net: Net, built: Path) -> None:
    """Start a node in an empty state directory and follow it until it is ready."""
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)

    claim(net)
    make_cgroups(net.name)
    (STATE / "log").mkdir()
    (STATE / "bin").mkdir()
    (STATE / "bin" / "kubectl").symlink_to(built / "bin" / "kubectl")
    pki.make(STATE / "pki", net)
    shutil.copy(STATE / "pki" / "admin.kubeconfig", KUBECONFIG)
    os.chmod(KUBECONFIG, 0o600)
    log = STATE / "log" / "node.log"
    with open(log, "wb") as output:
        # A session of its own: it outlives the terminal. Nothing of the caller's environment: a proxy set there would
        # lead image pulls out of the machine.
        process = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--propagation=private",
                sys.executable,
                str(HERE / "node.py"),
                str(STATE),
                str(net.block),
                str(built),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )

    def failure(problem: str) -> Failure:
        return Failure(f"{problem}\n{log.read_text(errors='replace').strip()}\nThe logs are in {log.parent}.")

    until(60, lambda: process.poll() is not None or running(STATE))
    node = running(STATE)
    if not node:
        raise failure("the node did not start:")
    for line in (
        f"link set {net.name}-n netns {node['pid']} name eth0",
        f"address add {net.host}/{net.link.prefixlen} dev {net.name}",
        f"link set {net.name} up",
        f"route add {net.pods} via {net.node}",
        f"route add {net.services} via {net.node}",
    ):
        run = subprocess.run(
            ["ip", *line.split()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if run.returncode:
            raise failure(f"`ip {line}`: {run.stdout.strip()}")
    said = 0
    while True:
        ready = (STATE / "ready").exists()
        lines = log.read_text().splitlines()
        if any(line.startswith("FAILED") for line in lines):
            process.wait()
        else:
            for line in lines[said:]:
                say(line)
        said = len(lines)
        if ready:
            return
        if process.poll() is not None:
            raise failure("the node ended while it started:")
        if time.monotonic() - begun > START_SECONDS:
            raise failure(f"the node is not ready after {START_SECONDS} s:")
        time.sleep(0.05)


def ask(request: dict) -> dict:
    """What the node answers. Raises Failure when it does not."""
    # Through the directory's descriptor: a socket's path may have 107 characters, a checkout's path has what it has.
    directory = os.open(STATE, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(200)
            connection.connect(f"/proc/self/fd/{directory}/control.sock")
            with connection.makefile("rw") as stream:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                return json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise Failure(
            f"the node does not answer at {STATE}/control.sock: {error}\n"
            "Stop it and start it anew: `make cluster-down cluster`."
        ) from error
    finally:
        os.close(directory)


# --- Commands ---------------------------------------------------------------------------------------------------------


def up(_arguments: argparse.Namespace) -> int:
    if external():
        print(external_state(external()) + ". Nothing is built or started.")
        return 0
    require_root("starting")
    net = wanted_net()
    with locked():
        node = running(STATE)
        if node and (STATE / "ready").exists():
            resume(node)
            return 0
        install()
        built = build.build()
        try:
            if node:
                print("the last start was interrupted: starting anew", flush=True)
            clean(STATE, net)
            wipe(STATE, keep=("lock",))
            start(net, built)
        except BaseException:
            clean(STATE, net)
            wipe(STATE, keep=LEFT)
            raise
    print(f"the cluster is up. kubeconfig: {KUBECONFIG}\nnext: . ./activate   (or: export KUBECONFIG={KUBECONFIG})")
    return 0


def resume(node: dict) -> None:
    """Say that the cluster is running, and start those of its components that are not."""
    for name, state in ask({"do": "status"})["components"].items():
        if state != "running":
            error = ask({"do": "start", "component": name})["error"]
            if error:
                raise Failure(f"{name}: {state}, and it does not start: {error}")
            print(f"{name}: {state}; started again")
    until(30, lambda: ask({"do": "status"})["node"] == "Ready")
    answer = ask({"do": "status"})
    if answer["node"] != "Ready":
        raise Failure(
            f"the cluster runs, but its node is {answer['node']}.\n"
            f"Why is in {STATE}/log; `make cluster-down cluster` starts it anew."
        )
    print(f"the cluster is running, since {since()}. kubeconfig: {KUBECONFIG}")
    if os.environ.get("BLUEGREEN_CLUSTER_NET") and wanted_net().block != node["net"].block:
        print(f"note: it runs in {node['net'].block}; `make cluster-down` first to have it in {wanted_net().block}")
    if Path(node["build"]) != build.location(toolchain.go()):
        print("note: it runs what was built from older sources; `make cluster-down cluster` renews it")


def down(_arguments: argparse.Namespace) -> int:
    if external():
        print(
            f"KUBECONFIG={external()}: a cluster that was not started here, so it is not stopped."
            + (" The embedded cluster goes on as well." if running(STATE) else "")
        )
        return 0
    if not STATE.exists() and not running(STATE):
        print("the cluster is not running; nothing is left of it")
        return 0
    require_root("stopping")
    with locked():
        node = running(STATE)
        clean(STATE, node["net"] if node else wanted_net())
        wipe(STATE, keep=LEFT)
    print(
        ("the cluster is stopped" if node else "the cluster is not running")
        + f"; no process, mount, interface, route or cgroup is left. Its logs stay in {STATE}/log"
    )
    return 0


def load(arguments: argparse.Namespace) -> int:
    """Import docker-archives, each only when its tags do not name it already."""
    if external():
        raise Failure(
            f"KUBECONFIG={external()}: images get into that cluster by its own means, for example\n"
            "  kind load image-archive FILE      minikube image load FILE      k3s ctr images import FILE\n"
            "or `docker load -i FILE`, `docker tag` and `docker push` to a registry it pulls from."
        )
    require_root("loading images into")
    archives = {file: image_tags(file) for file in arguments.files}
    require_running()
    with locked():
        node = require_running()
        record = STATE / "images.json"
        known = json.loads(record.read_text()) if record.exists() else {}
        for file, tags in archives.items():
            begun = time.monotonic()
            details = os.stat(file)
            identity = [os.path.realpath(file), details.st_size, details.st_mtime_ns]
            if all(known.get(tag) == identity for tag in tags):
                print(f"{named(tags)}: already loaded")
                continue
            with open(file, "rb") as archive:
                run = subprocess.run(
                    [
                        "nsenter",
                        f"--target={node['pid']}",
                        "--mount",
                        "ctr",
                        f"--address={CONTAINERD}",
                        "--namespace=k8s.io",
                        "images",
                        "import",
                        "-",
                    ],
                    stdin=archive,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
            if run.returncode:
                raise Failure(f"{file}: containerd refuses it: {run.stdout.strip()}")
            known.update(dict.fromkeys(tags, identity))
            record.write_text(json.dumps(known))
            print(f"{named(tags)}: loaded in {time.monotonic() - begun:.1f} s", flush=True)
    return 0


def image_tags(file: str) -> list[str]:
    try:
        with tarfile.open(file) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
            tags = [tag for image in manifest for tag in image["RepoTags"] or []]
    except OSError as error:
        raise Failure(f"{file}: {error.strerror or error}") from error
    except (KeyError, ValueError, TypeError, tarfile.TarError) as error:
        raise Failure(
            f"{file}: not a docker-archive, its manifest.json cannot be read: {error}\n"
            "`docker save` and this project's `make images` write such files."
        ) from error
    if not tags:
        raise Failure(f"{file}: its manifest.json names no tag; `docker save NAME:TAG` does, an image id does not")
    return tags


def named(tags: list[str]) -> str:
    return ", ".join(tags[:3]) + (f" and {len(tags) - 3} more" if len(tags) > 3 else "")


def status(_arguments: argparse.Namespace) -> int:
    if external():
        print(external_state(external()))
        return 0
    node = running(STATE)
    if not node:
        print("the cluster is not running; `make cluster` starts it")
        return NOT_RUNNING
    if not (STATE / "ready").exists():
        print("the cluster is starting, or its start was interrupted; `make cluster` waits for it or starts it anew")
        return NOT_RUNNING
    answer, net = ask({"do": "status"}), node["net"]
    version = subprocess.run(
        [STATE / "bin" / "kubectl", "version", "--client", "-o", "json"], stdout=subprocess.PIPE, check=True
    ).stdout
    rows = [
        ("running since", f"{since()}, first process {node['pid']}"),
        ("Kubernetes", json.loads(version)["clientVersion"]["gitVersion"]),
        ("node", answer["node"]),
        *answer["components"].items(),
        ("API", net.api),
        ("addresses", f"host {net.host}, node {net.node}, pods {net.pods}, services {net.services}"),
        ("interface", f"{net.name} (more host addresses for load generators: from {net.link})"),
        ("kubeconfig", str(KUBECONFIG)),
        ("audit log", str(STATE / "audit.log")),
    ]
    for name, value in rows:
        print(f"{name:24} {value}")
    return 0


def component(arguments: argparse.Namespace) -> int:
    """Stop or start one component, for tests of what happens without it."""
    if external():
        raise Failure(f"KUBECONFIG={external()}: its components are not ours to {arguments.command}.")
    require_root("changing")
    require_running()
    begun = time.monotonic()
    states = ask({"do": "status"})["components"]
    if arguments.component not in states:
        raise Failure(f"no component {arguments.component!r}; there are {', '.join(states)}")
    answer = ask({"do": arguments.command, "component": arguments.component})
    if answer["error"]:
        raise Failure(answer["error"])
    print(f"{arguments.component}: {answer['components'][arguments.component]} ({time.monotonic() - begun:.1f} s)")
    return 0


def require_running() -> dict:
    node = running(STATE)
    if not node or not (STATE / "ready").exists():
        raise Failure("the cluster is not running; `make cluster` starts it.")
    return node


def since() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float((STATE / "ready").read_text())))


def build_only(_arguments: argparse.Namespace) -> int:
    if external():
        print(external_state(external()) + ". Nothing is built.")
        return 0
    print(f"built: {build.build()}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="cluster.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function, text in (
        ("up", up, "build it if needed and start it; when it runs, start what died in it"),
        ("down", down, "stop it and leave nothing behind"),
        ("status", status, "what runs where; exit status 3 when it does not run"),
        ("build", build_only, "only build it"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(function=function)
    parser_load = commands.add_parser("load", help="import images", description=load.__doc__)
    parser_load.add_argument("files", metavar="FILE", nargs="+", help="a docker-archive")
    parser_load.set_defaults(function=load)
    for name in ("stop", "start"):
        parser_one = commands.add_parser(name, help=f"{name} one component", description=component.__doc__)
        parser_one.add_argument("component", metavar="COMPONENT", help="kube-apiserver, kube-proxy, kubelet, ...")
        parser_one.set_defaults(function=component)
    arguments = parser.parse_args()
    try:
        result = arguments.function(arguments)
        sys.stdout.flush()
        return result
    except BrokenPipeError:  # `... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Failure as failure:
        print(f"cluster.py {arguments.command}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
