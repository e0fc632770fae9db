# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""A Kubernetes Job as a check: it runs in the namespace of the application, and passes when it succeeds."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job import Job
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job_definition import (
    job_mistakes,
    job_secrets,
    with_environment,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

try:
    import yaml
except ImportError:
    pass  # the reader of the checks says that it is missing

NAME = "job"

OPTIONS = {"timeout": 600, "keep_failed": False}

EXPECTATIONS = expect.TEXT

KEPT = 3600  # seconds that a Job which was not removed stays after its end


def secrets(params: Params) -> set[str]:
    checks = [check for check in params.get("checks") or [] if check.get("job")]
    return {value for check in checks for value in job_secrets(_definition(check["job"], params.get("chdir"))[0])}


def read(reader: Reader, parsed: Object) -> None:
    parsed["definition"], mistakes = _definition(parsed["job"], reader.params["chdir"])
    for text in mistakes:
        reader.wrong("{0}", text)
    reader.flag(parsed, "keep_failed")
    parsed["where"] = f"Job {parsed['job']}"


def _definition(path: Any, directory: str | None) -> tuple[Any, list[str]]:
    """``(the Job in a file or None, what is wrong with it)``"""
    path = os.path.join(directory or os.getcwd(), os.path.expanduser(str(path)))
    try:
        with open(path, encoding="utf-8") as file:
            definition = yaml.safe_load(file)
    except OSError as error:
        return None, [f"{path}: {error.strerror}"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, [f"{path} is no YAML: {' '.join(str(error).split())}"]
    return definition, [f"{path}: {text}" for text in job_mistakes(definition)]


def attempt(run: Run, check: Check, pod: Object | None, began: float) -> tuple[Result, list[str]]:
    # A name of its own: nobody else's suite is in the way, and none that an interrupted run has left.
    definition = with_environment(check["definition"], run.app, run.color.name, run.color.version)
    definition["metadata"]["name"] = f"{definition['metadata']['name'][:50]}-{uuid.uuid4().hex[:6]}"
    definition["spec"].setdefault("ttlSecondsAfterFinished", KEPT)  # should this run be killed
    job = Job(run.cluster, definition, check["timeout"], lambda text: None)
    job.lock_id, job.owner = run.params.get("lock_id"), run.app.services[0]["metadata"]["name"]
    try:
        job.claim(adopt=True)
        job.follow()
        wrong = []
    except BlueGreenError as error:
        if error.reason not in ("job_failed", "timeout"):
            raise
        wrong = [error.what] + [line for line in error.why if not line.startswith(("last log lines", "  "))]
        wrong = ["; ".join(wrong)]
    text = "\n".join(job.log.lines)
    wrong += expect.judge_text(check["expect"], text, time.monotonic() - began)
    if not (wrong and check["keep_failed"]):
        job.remove()
    return {"via": "job"}, expect.with_output(wrong, text)
