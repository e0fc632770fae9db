# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX without AWX: jobs that ansible-runner runs, from the same files that AWX gives it.

What AWX does is done here as its source says: the inventory is a script that prints what the inventory source had; survey
answers, the results of earlier jobs of the workflow and AWX's own variables are extra variables, every text of them marked
!unsafe; the credential is four environment variables; a job is cancelled by SIGTERM to ansible-runner, which kills the
process group of ansible-playbook.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from checkout import ROOT
from cluster.toolchain import Failure
from harness import QUICK, Application, command, environment

PROJECT = ROOT / "examples" / "awx"
MARK = "JOB_ID"  # AWX sets it; here every process of a job is known by it
IDS = itertools.count(41)
USER = "ada"


class Unsafe(yaml.SafeDumper):
    """Marks every text, as AWX does with what comes from users and from other jobs."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


class Job:
    """A job of a template of examples/awx, started at once in a directory of its own.

    extra: survey answers and results of earlier jobs. host: the API server's address, else the cluster's own. workflow:
    it is a node of a workflow. settings: variables of the host myapp in the inventory, beside the example's.
    """

    def __init__(
        self,
        app: Application,
        directory: Path,
        template: str,
        extra: dict[str, Any] | None = None,
        *,
        host: str = "",
        workflow: bool = False,
        arguments: str = "",
        **settings: Any,
    ) -> None:
        self.app, self.template, self.id = app, template, f"{os.getpid()}{next(IDS)}"
        self.directory = directory / f"awx_{self.id}_{template}"
        self.artifacts = self.directory / "artifacts" / self.id
        shutil.copytree(PROJECT, self.directory / "project")
        for name in ("inventory", "env", "home"):
            (self.directory / name).mkdir()
        self._write_inventory({"bluegreen_namespace": app.namespace, **settings})
        self._write_environment(host, {**(extra or {}), **self._meta(workflow)}, arguments)
        self.began = time.time()
        path = os.pathsep.join([str(Path(command("ansible-runner")).parent), os.defpath])
        self.process = subprocess.Popen(
            [
                command("ansible-runner"),
                "run",
                str(self.directory),
                "--playbook",
                f"{template}.yml",
                "--ident",
                self.id,
                "--quiet",
            ],
            env={
                "PATH": path,
                "HOME": str(self.directory / "home"),
                "LANG": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": environment()["ANSIBLE_COLLECTIONS_PATH"],
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _write_inventory(self, settings: dict[str, Any]) -> None:
        listed = subprocess.run(
            [
                command("ansible-inventory"),
                "--inventory",
                str(self.directory / "project" / "inventory"),
                "--list",
                "--export",
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        inventory = json.loads(listed.stdout)
        inventory["_meta"]["hostvars"]["myapp"].update(settings)
        script = self.directory / "inventory" / "hosts"
        script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(inventory)!r})\n")
        script.chmod(0o700)

    def _write_environment(self, host: str, extra: dict[str, Any], arguments: str) -> None:
        config = json.loads(self.app.kubeconfig().read_text())
        cluster = config["clusters"][0]["cluster"]
        ca = self.directory / "env" / "ca.pem"
        ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        files = {
            "envvars": {
                "K8S_AUTH_HOST": host or cluster["server"],
                "K8S_AUTH_API_KEY": config["users"][0]["user"]["token"],
                "K8S_AUTH_VERIFY_SSL": "True",
                "K8S_AUTH_SSL_CA_CERT": str(ca),
                MARK: self.id,
            },
            # How often ansible-runner looks whether the job was cancelled: its default is 5 s.
            "settings": {"pexpect_timeout": 1, "suppress_ansible_output": True},
        }
        for name, content in files.items():
            (self.directory / "env" / name).write_text(json.dumps(content))
        (self.directory / "env" / "extravars").write_text(yaml.dump(extra, Dumper=Unsafe))
        (self.directory / "env" / "cmdline").write_text(f"-u root {arguments}".strip())

    def _meta(self, workflow: bool) -> dict[str, Any]:
        """AWX's own variables."""
        found: dict[str, Any] = {}
        for prefix in ("awx", "tower"):
            found |= {
                f"{prefix}_job_id": int(self.id),
                f"{prefix}_job_launch_type": "workflow" if workflow else "manual",
                f"{prefix}_job_template_id": 7,
                f"{prefix}_job_template_name": self.template,
                f"{prefix}_user_id": 2,
                f"{prefix}_user_name": USER,
                f"{prefix}_user_email": "ada@example.com",
                f"{prefix}_user_first_name": "Ada",
                f"{prefix}_user_last_name": "L",
                f"{prefix}_inventory_id": 3,
                f"{prefix}_inventory_name": "Applications",
                f"{prefix}_project_revision": "0123456789abcdef",
                f"{prefix}_execution_node": "awx_1",
            }
            if workflow:
                found |= {
                    f"{prefix}_workflow_job_id": 40,
                    f"{prefix}_workflow_job_name": "Release with approval",
                    f"{prefix}_workflow_job_launch_type": "manual",
                }
        return found

    def events(self) -> list[dict[str, Any]]:
        """What AWX has received so far, in order, each with the time at which it came."""
        found = []
        for path in (self.artifacts / "job_events").glob("*.json"):
            if not path.stem.endswith("-partial"):
                with contextlib.suppress(FileNotFoundError):
                    found.append({**json.loads(path.read_text()), "came": path.stat().st_mtime})
        return sorted(found, key=lambda event: event["counter"])

    def came(self, text: str) -> float | None:
        """When the first event whose output has this text came."""
        return next((event["came"] for event in self.events() if text in event.get("stdout", "")), None)

    def wait_for(self, text: str, seconds: float = 90) -> float:
        """Wait until an event has brought this text; the job must still run."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(
                    f"job {self.template} ended without saying {text!r} in time; it said:\n{self.output[-3000:]}"
                )
            if came := self.came(text):
                return came
            time.sleep(0.05)
        raise Failure(
            f"job {self.template} did not say {text!r} within {seconds:.0f} s; it said:\n{self.output[-3000:]}"
        )

    def finish(self, seconds: float = 180) -> Job:
        try:
            self.said = self.process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self.end()
            raise Failure(
                f"job {self.template} did not end within {seconds:.0f} s; it said:\n{self.output[-3000:]}"
            ) from None
        return self

    def cancel(self) -> float:
        """Cancel it, as AWX does; the time at which it had ended."""
        self.process.send_signal(signal.SIGTERM)
        self.finish(30)
        return time.time()

    def processes(self) -> list[int]:
        """The ids of its living processes, workers included, which are sessions of their own."""
        wanted = f"{MARK}={self.id}".encode()
        found = []
        for entry in os.scandir("/proc"):
            # A process that ends meanwhile, or has ended and is not yet buried, has no environment.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    @property
    def output(self) -> str:
        return "\n".join(event["stdout"] for event in self.events() if event.get("stdout"))

    @property
    def status(self) -> str:
        """successful, failed, canceled."""
        return (self.artifacts / "status").read_text()

    @property
    def stats(self) -> dict[str, Any]:
        """What the job hands on (set_stats): AWX calls it its artifacts."""
        found = [
            event["event_data"].get("artifact_data", {})
            for event in self.events()
            if event["event"] == "playbook_on_stats"
        ]
        return found[0] if found else {}

    @property
    def result(self) -> dict[str, Any]:
        """The bluegreen_result of the application."""
        return self.stats.get("bluegreen_result", {}).get("myapp", {})


class Controller:
    """Launches jobs of one application, and ends them in the end."""

    def __init__(self, app: Application, directory: Path) -> None:
        self.app, self.directory = app, directory
        self.jobs: list[Job] = []

    def launch(self, template: str, extra: dict[str, Any] | None = None, **options: Any) -> Job:
        job = Job(self.app, self.directory, template, extra, **{**QUICK, **options})
        self.jobs.append(job)
        return job

    def workflow(self, version: str) -> Iterator[Job]:
        """prepare, and, once it is asked for another job, promote, and rollback if that failed, as the workflow joins them."""
        handed_on: dict[str, Any] = {}
        for template in ("prepare", "promote", "rollback"):
            # A job gets what the jobs before it have handed on, and the answers to the workflow's survey above all.
            job = self.launch(template, {**handed_on, "version": version}, workflow=True)
            yield job.finish()
            handed_on |= job.stats
            if (job.status == "successful") != (template == "prepare"):
                return
