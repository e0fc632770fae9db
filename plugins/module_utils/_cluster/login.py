# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The login program that a kubeconfig names for its user (``exec``), by which most managed clusters are reached.

See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. The official
client runs one too, but goes on without credentials when it fails, and tells it less, by release.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.answers import short
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import scrubbed
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import moment
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

SECONDS = 60  # it has no terminal, so one that takes longer waits for somebody who does not see it
LINES = 10  # of what it said
AUTHORITY = "certificate-authority"


class Login:
    """A login program, and whether what it gave is still good.

    :param program: ``exec`` of the user, with the ``directory`` of its kubeconfig.
    :param cluster: the cluster of the context.
    :param secrets: what its words may hold and nobody may see.
    """

    def __init__(self, program: Object, cluster: Object, source: str, secrets: set[str]) -> None:
        self._program, self._cluster, self._source, self._secrets = program, cluster, source, secrets
        self._renewing = threading.Lock()
        self._due: float | None = None  # monotonic time

    def run(self) -> Object:
        """What it gives: ``token``, or ``clientCertificateData`` and ``clientKeyData``.

        :raises BlueGreenError: nothing, and why not, in its own words.
        """
        if self._program.get("interactiveMode") == "Always":
            raise self._failed("needs a terminal, which a run of Ansible has not (interactiveMode is Always)")
        output, said, code = self._run()
        if code:
            raise self._failed(f"failed ({code}){said and ': ' + said[-1]}", said[:-1])
        try:
            answer = json.loads(output)
            status = answer["status"] or {}
            if (answer["kind"], answer["apiVersion"]) != ("ExecCredential", self._program.get("apiVersion")):
                raise ValueError("another kind")
            if status.get("expirationTimestamp"):
                left = moment(re.sub(r"\.\d+", "", status["expirationTimestamp"])) - datetime.now(timezone.utc)
                self._due = time.monotonic() + 0.9 * left.total_seconds()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._failed(
                f"did not answer with an ExecCredential of {self._program.get('apiVersion')}", said
            ) from error
        if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
            raise self._failed("gave neither a token nor a certificate with its key", said)
        return dict(status)

    def renew(self, configuration: Any) -> None:
        """Give the client a new token when the old one is nearly due."""
        with self._renewing:
            if self._due is not None and time.monotonic() >= self._due:
                token = self.run().get("token")
                if token:
                    configuration.api_key = {"authorization": "Bearer " + str(token).strip()}

    def _run(self) -> tuple[str, list[str], int]:
        """:returns: its output, its last words, its exit code"""
        given = {str(item["name"]): str(item["value"]) for item in self._program.get("env") or []}
        try:
            process = subprocess.Popen(  # pylint: disable=consider-using-with,ansible-bad-function
                [self._path(), *map(str, self._program.get("args") or [])],
                env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(self._told())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # so that what it has started can be ended with it
            )
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "what it is given is no text").lower()
            raise self._failed(f"cannot be started: {reason}") from error
        late = False
        try:
            output, said = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            late = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output, said = process.communicate()
        words = [line for line in map(short, said.splitlines()) if line][-LINES:]
        if late:
            raise self._failed(f"has not ended within {SECONDS:g} s", words)
        return output, words, process.returncode

    def _path(self) -> str:
        command = str(self._program.get("command") or "")
        return os.path.join(self._program["directory"], command) if "/" in command else command

    def _told(self) -> Object:
        spec: Object = {"interactive": False}
        if self._program.get("provideClusterInfo"):
            cluster = {key: value for key, value in self._cluster.items() if key not in ("extensions", AUTHORITY)}
            if self._cluster.get(AUTHORITY):
                with open(self._cluster[AUTHORITY], "rb") as file:
                    cluster.setdefault(AUTHORITY + "-data", base64.b64encode(file.read()).decode())
            for extension in self._cluster.get("extensions") or []:
                if extension.get("name") == "client.authentication.k8s.io/exec":
                    cluster["config"] = extension.get("extension")
            spec["cluster"] = cluster
        return {"apiVersion": self._program.get("apiVersion"), "kind": "ExecCredential", "spec": spec}

    def _failed(self, how: str, said: list[str] | None = None) -> BlueGreenError:
        command = self._program.get("command")
        hint = self._program.get("installHint") if "cannot be started" in how else None
        return BlueGreenError(
            str(scrubbed(f"The login program {command} {how}", self._secrets)),
            "unauthorized",
            why=[str(scrubbed(line, self._secrets)) for line in said or []],
            next_step=str(hint or "").strip()
            or "Log in so that kubectl works where the task runs, then run the same command again. "
            f"It comes from the {self._source}.",
        )
