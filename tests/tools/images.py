# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of examples/myapp, built without Docker and without a registry: `make images`.

    images.py           build what has changed and load it into the embedded cluster
    images.py build     build only; print the archives
    images.py validation    what only tests/on_cluster/validation needs: Prometheus, an application that is hard to check,
                            and Chromium, in which it opens reports

The archives are docker-archives, which `docker load`, `ctr images import`, `kind load image-archive`, podman and skopeo
read. They are kept in ${XDG_CACHE_HOME:-~/.cache}/bluegreen-kubernetes/images/HASH; HASH stands for their content.
When KUBECONFIG names a cluster other than the embedded one, nothing is loaded: the text printed says how to do it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Callable

from checkout import ROOT

sys.path.append(str(ROOT / "tests"))
from cluster import toolchain

SOURCES = ROOT / "examples" / "myapp"
AWKWARD = ROOT / "tests" / "on_cluster" / "validation" / "awkward"
LOADER = ROOT / "tests" / "cluster" / "cluster.py"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# Tags of myapp, and what each has in its environment beside VERSION=<tag>. All share one layer.
# The second group misbehaves: examples/myapp/app/settings.go says how.
TAGS: dict[str, dict[str, str]] = {
    "1.0": {},
    "2.0": {},
    "3.0": {},
    "crash": {"CRASH": "start"},
    "never-ready": {"NEVER_READY": "true"},
    "slow-start": {"START_DELAY": "10"},
    "unhealthy-after-10s": {"UNHEALTHY_AFTER": "10"},
    "wrong-version": {"REPORT_VERSION": "0.9"},
    "broken-db": {"BREAK_DB": "true"},
    "new-schema": {"ENTRY_COLUMN": "message"},
}

# Of both root file systems from Debian packages, what only fills the image is left out.
WITHOUT_TEXTS = [
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]
# Prometheus, for the tests of checks that ask it.
PROMETHEUS_ROOTFS = ["--variant=minbase", "--include=prometheus", *WITHOUT_TEXTS, "bookworm"]

# PostgreSQL's root file system, made from Debian packages. What is left out only fills the image: documentation,
# translations, and the just-in-time compiler (PostgreSQL runs without it when its files are not there).
POSTGRES_ROOTFS = [
    "--variant=minbase",
    "--include=postgresql-15",
    *WITHOUT_TEXTS,
    "--dpkgopt=path-exclude=/usr/lib/*/libLLVM*",
    "--dpkgopt=path-exclude=/usr/lib/*/libz3*",
    "--dpkgopt=path-exclude=/usr/lib/postgresql/*/lib/llvmjit*",
    "--dpkgopt=path-exclude=/usr/lib/postgresql/*/lib/bitcode/*",
    '--customize-hook=rm -rf "$1"/var/lib/postgresql/15 "$1"/var/log/*',
    "bookworm",
]


def say(text: str) -> None:
    print(f"images: {text}", flush=True)


def architecture() -> str:
    """This machine's architecture as images name it."""
    try:
        return ARCHITECTURES[platform.machine()]
    except KeyError:
        raise toolchain.Failure(
            f"no images for {platform.machine()}: only {' and '.join(ARCHITECTURES)} are supported"
        ) from None


def run(command: list[str], failure: str, hint: str = "", **options) -> str:
    """The standard output of a command. A Failure that ends with the command's last lines when it fails."""
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, **options
    )
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()[-20:]
        said = "\n  ".join([f"{failure}: {' '.join(command[:2])} says", *lines])
        raise toolchain.Failure(f"{said}\n{hint}".rstrip())
    return result.stdout


# --- docker-archives


def layer(path: Path, files: dict[str, Path], directories: dict[str, int] | None = None) -> Path:
    """Write a layer to `path`: files (name in the image: source) and empty directories (name: mode).

    The same input gives the same bytes.
    """
    with tarfile.open(path, "w") as tar:
        for name, mode in (directories or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        for name, source in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = source.stat().st_size, 0o755 if os.access(source, os.X_OK) else 0o644
            with source.open("rb") as data:
                tar.addfile(info, data)
    return path


def archive(path: Path, configs: dict[str, dict], layers: list[Path]) -> None:
    """Write a docker-archive: image name → its configuration; every image has all of `layers`."""
    digests = [digest(file) for file in layers]
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))

        for file, sha in zip(layers, digests):
            info = tarfile.TarInfo(f"{sha}/layer.tar")
            info.size, info.mode = file.stat().st_size, 0o644
            with file.open("rb") as data:
                tar.addfile(info, data)
        manifest = []
        for name, config in configs.items():
            data = json.dumps(
                {
                    "architecture": architecture(),
                    "os": "linux",
                    "created": "1970-01-01T00:00:00Z",
                    "config": config,
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha}" for sha in digests]},
                }
            ).encode()
            sha = hashlib.sha256(data).hexdigest()
            add(f"{sha}.json", data)
            manifest.append(
                {"Config": f"{sha}.json", "RepoTags": [name], "Layers": [f"{sha}/layer.tar" for sha in digests]}
            )
        add("manifest.json", json.dumps(manifest).encode())


def digest(file: Path) -> str:
    sha = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


# --- what is kept between runs


def kept(name: str, made_from: list[Path | str], make: Callable[[Path], None]) -> Path:
    """The file <cache>/images/HASH/name; made by `make(path)` unless it is there. HASH stands for `made_from`."""
    sha = hashlib.sha256()
    for item in made_from:
        data = item.read_bytes() if isinstance(item, Path) else item.encode()
        sha.update(b"%d\0%s" % (len(data), data))
    home = toolchain.cache() / "images"
    home.mkdir(exist_ok=True)
    path = home / sha.hexdigest()[:16] / name
    with (home / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # A directory renamed when complete: an interrupted build leaves nothing that looks like a good one.
            with tempfile.TemporaryDirectory(dir=home) as work:
                result = Path(work) / "result"
                result.mkdir()
                make(result / name)
                os.rename(result, path.parent)
    return path


# --- the images


def myapp() -> Path:
    """The archive with all tags of docker.io/library/myapp."""
    return written_in_go("myapp", SOURCES / "app", TAGS)


def awkward() -> Path:
    """The archive with docker.io/library/awkward:1.0 and :2.0."""
    return written_in_go("awkward", AWKWARD, {"1.0": {}, "2.0": {}})


def written_in_go(name: str, directory: Path, tags: dict[str, dict[str, str]]) -> Path:
    """The archive with all tags of docker.io/library/<name>, which has nothing but the program of a directory."""
    go = toolchain.go()
    sources = sorted(file for file in directory.iterdir() if file.suffix in (".go", ".mod", ".sum"))
    configs = {
        f"docker.io/library/{name}:{tag}": {
            "Entrypoint": [f"/{name}"],
            "User": "65532:65532",
            "ExposedPorts": {"8080/tcp": {}},
            "Env": [f"{key}={value}" for key, value in {"VERSION": tag, **switches}.items()],
        }
        for tag, switches in tags.items()
    }

    def make(path: Path) -> None:
        say(f"building {name} with Go {go['version']}, the first time about half a minute ...")
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            server = Path(work) / name
            run(
                [str(go["path"]), "build", "-ldflags", "-s -w -buildid=", "-o", str(server), "."],
                f"cannot build {directory}",
                cwd=directory,
                env=go["env"],
            )
            archive(path, configs, [layer(Path(work) / "layer.tar", {name: server})])
        say(f"built {len(tags)} tags of {name} in {time.monotonic() - started:.0f} s")

    return kept(f"{name}.tar", [json.dumps(configs), f"{go['version']} {architecture()}", *sources], make)


def postgres() -> Path:
    """The archive with docker.io/library/myapp-postgres:15."""
    # Kept on its own: a change of the entry point does not ask for the packages again.
    rootfs = kept("rootfs.tar", [architecture(), *POSTGRES_ROOTFS], make_postgres_rootfs)
    with tarfile.open(rootfs) as tar:
        users = tar.extractfile("./etc/passwd").read().decode().splitlines()
    config = {
        "Entrypoint": ["/entrypoint.sh"],
        "ExposedPorts": {"5432/tcp": {}},
        # As a number: Kubernetes cannot tell from a name that a user is not root.
        "User": ":".join(next(line for line in users if line.startswith("postgres:")).split(":")[2:4]),
        "Env": ["PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin"],
        "StopSignal": "SIGINT",  # SIGTERM makes PostgreSQL wait for its clients to go
    }
    files = {name: SOURCES / "postgres" / name for name in ("entrypoint.sh", "init.sql")}

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory() as work:
            own = layer(Path(work) / "layer.tar", files, {"data": 0o1777})
            archive(path, {"docker.io/library/myapp-postgres:15": config}, [rootfs, own])
        say("built myapp-postgres:15")

    return kept("myapp-postgres.tar", [json.dumps(config), str(rootfs), *files.values()], make)


def make_postgres_rootfs(path: Path) -> None:
    make_rootfs("PostgreSQL 15", POSTGRES_ROOTFS, path)


def prometheus() -> Path:
    """The archive with docker.io/library/prometheus:debian."""
    rootfs = kept(
        "prometheus-rootfs.tar",
        [architecture(), *PROMETHEUS_ROOTFS],
        lambda path: make_rootfs("Prometheus", PROMETHEUS_ROOTFS, path),
    )
    config = {"Entrypoint": ["/usr/bin/prometheus"], "ExposedPorts": {"9090/tcp": {}}, "User": "65534:65534"}
    return kept(
        "prometheus.tar",
        [json.dumps(config), str(rootfs)],
        lambda path: archive(path, {"docker.io/library/prometheus:debian": config}, [rootfs]),
    )


def make_rootfs(what: str, options: list[str], path: Path) -> None:
    if not shutil.which("mmdebstrap"):
        toolchain.install_packages(
            "mmdebstrap, which builds root file systems, is missing.",
            "mmdebstrap",
            "debian-archive-keyring",
            there=lambda: shutil.which("mmdebstrap"),
        )
    say(f"building {what} from Debian packages (about half a minute) ...")
    started = time.monotonic()
    run(
        ["mmdebstrap", *options, str(path)],
        f"cannot build the root file system of {what}",
        "mmdebstrap needs Debian's package archive: check the network, and http_proxy if you use a proxy.",
    )
    say(f"built the root file system of {what} in {time.monotonic() - started:.0f} s")


def install_browser() -> None:
    """Chromium for tests/on_cluster/validation, which skips what opens reports in it where it cannot be had (as Ubuntu has it: by snap)."""
    if not shutil.which("chromium"):
        try:
            toolchain.install_packages(
                "Chromium, in which reports are opened, is missing.",
                "chromium",
                "fonts-dejavu-core",
                there=lambda: shutil.which("chromium"),
            )
        except toolchain.Failure as failure:
            say(str(failure))


# --- the command


def external() -> str | None:
    """The KUBECONFIG of a cluster that is not the embedded one, None if the embedded one is used."""
    value = os.environ.get("KUBECONFIG")
    return value if value and Path(value).resolve() != ROOT / ".cluster" / "kubeconfig" else None


def main() -> None:
    if sys.argv[1:] not in ([], ["build"], ["validation"]):
        sys.exit(__doc__)
    only_build, validation = sys.argv[1:] == ["build"], sys.argv[1:] == ["validation"]
    try:
        if validation:
            install_browser()
        archives = [prometheus(), awkward()] if validation else [myapp(), postgres()]
        if not only_build and not external():
            # It skips what the cluster has, and says what went wrong.
            sys.exit(subprocess.run([sys.executable, LOADER, "load", *archives], check=False).returncode)
        for file in archives:
            say(f"{file} ({file.stat().st_size / 1e6:.0f} MB)")
        if not only_build:
            say(f"KUBECONFIG={external()} is not the embedded cluster: load these archives with its own means.")
            say("  kind:       kind load image-archive FILE")
            say("  containerd: ctr -n k8s.io images import FILE     (on every node)")
            say("  a registry: docker load -i FILE, docker tag, docker push; then set the image names in the manifests")
    except toolchain.Failure as failure:
        sys.exit(f"images: {failure}")
    except KeyboardInterrupt:
        sys.exit("images: interrupted; nothing half-built is kept")


if __name__ == "__main__":
    main()
