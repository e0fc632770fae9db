# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds what the embedded cluster runs, once for all checkouts: bin/kube with a link for each name, and pause.tar."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import queue
import re
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import toolchain
from node import PAUSE_IMAGE
from toolchain import Failure

SOURCES = Path(__file__).resolve().parent / "kube"
NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "coredns",
    "kubectl",
)
REPORT_SECONDS = 10


def location(go: dict) -> Path:
    """Where these sources, built with this Go, belong."""
    digest = hashlib.sha256(f"{go['version']} {os.uname().machine} {PAUSE_IMAGE}".encode())
    for file in (Path(__file__).resolve(), *sorted(path for path in SOURCES.rglob("*") if path.is_file())):
        digest.update(file.read_bytes())
    return toolchain.cache() / f"cluster-{digest.hexdigest()[:12]}"


def build() -> Path:
    """The directory of the built cluster; builds it when these sources were not built with this Go before."""
    go = toolchain.go()
    result = location(go)
    if result.exists():
        return result
    with open(f"{result}.lock", "w") as lock:  # two checkouts may build at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            work = Path(f"{result}.unfinished")
            if work.exists():  # a build was killed
                shutil.rmtree(work)
            work.mkdir()
            _build(go, work)
            work.rename(result)
    return result


def _build(go: dict, work: Path) -> None:
    version = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", (SOURCES / "go.mod").read_text())
    names = {
        "component-base/version.gitVersion": version.group(1),
        "component-base/version.gitMajor": version.group(2),
        "component-base/version.gitMinor": version.group(3),
        "client-go/pkg/version.gitVersion": version.group(1),
    }
    flags = ["-s", "-w", *(f"-X k8s.io/{name}={value}" for name, value in names.items())]
    print(
        f"Building Kubernetes {version.group(1)} with Go {go['version']}. The first build takes 5 to 10 minutes and "
        "4 GB of disk; later ones seconds.",
        flush=True,
    )
    started = time.monotonic()

    def run(*arguments: str, what: str, total: int | None = None) -> list[str]:
        return _run([str(go["path"]), *arguments], go["env"], started, what, total)

    packages = run("list", "-deps", ".", "./pause", what="loading the sources")
    (work / "bin").mkdir()
    run(
        "build", "-v", "-ldflags", " ".join(flags), "-o", f"{work}/bin/kube", ".", what="compiling", total=len(packages)
    )
    for name in NAMES:
        (work / "bin" / name).symlink_to("kube")
    run("build", "-ldflags", "-s -w", "-o", f"{work}/pause", "./pause", what="compiling pause")
    image(work / "pause", work / "pause.tar", PAUSE_IMAGE)
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)


def _run(command: list[str], env: dict, started: float, what: str, total: int | None) -> list[str]:
    """The lines a go command printed; says at least every REPORT_SECONDS how far it is. Raises Failure when it fails."""
    lines: queue.Queue[str | None] = queue.Queue()
    process = subprocess.Popen(
        command,
        cwd=SOURCES,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def read() -> None:
        for line in process.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    seen: list[str] = []
    downloads, report = 0, time.monotonic() + REPORT_SECONDS
    try:
        while True:
            try:
                line = lines.get(timeout=max(report - time.monotonic(), 0))
                if line is None:
                    break
                if line.startswith("go: downloading"):
                    downloads += 1
                else:
                    seen.append(line)
            except queue.Empty:
                progress = f"{downloads} modules downloaded" if not seen else f"{len(seen)} packages"
                if seen and total:
                    # What is cached is not compiled, so this is an upper bound.
                    progress += f" of at most {total}"
                print(f"{time.monotonic() - started:6.0f} s  {what}: {progress}", flush=True)
                report = time.monotonic() + REPORT_SECONDS
    except BaseException:
        process.kill()
        raise
    if process.wait():
        raise Failure(
            f"`{' '.join(command)}` in {SOURCES} failed:\n"
            + "\n".join(seen[-15:])
            + "\nIt needs the Go module proxy (see `go env GOPROXY`), 6 GB of free disk and 3 GB of memory."
        )
    return seen


def image(binary: Path, archive: Path, tag: str) -> None:
    """Write a docker-archive of one static binary."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, binary.name, binary.read_bytes(), 0o755)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = json.dumps(
        {
            "architecture": machine,
            "os": "linux",
            "config": {"Entrypoint": [f"/{binary.name}"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(archive, "w") as tar:
        _add(tar, f"{digest}/layer.tar", layer.getvalue())
        _add(tar, name, config)
        _add(
            tar,
            "manifest.json",
            json.dumps([{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]).encode(),
        )


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))
