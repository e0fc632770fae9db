# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The standard health check of gRPC of every pod, through a port-forward.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md

gRPC and fork() do not go together once a channel is open, and Ansible's workers are forks. So the library is loaded only
by the worker that reads such a check, and each channel is made and closed within one attempt there; what command checks
start beside it are programs of their own, which take nothing of it along.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks import expect
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.reading import Reader
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.running import Check, Result, Run
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.port_forward import Listener
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

NAME = "grpc"

OPTIONS = {"port": None, "scheme": "http", "host": None, "ca_cert": None, "pods": "all"}

EXPECTATIONS = ("latency",)

DETAILS_SHOWN = 200  # characters of what a server adds to its refusal


def read(reader: Reader, parsed: Object) -> None:
    _load()
    parsed["grpc"] = "" if parsed["grpc"] is None else parsed["grpc"]
    if not isinstance(parsed["grpc"], str):
        reader.wrong("grpc is the name of a service, or '' for the server as a whole, not {0!r}", parsed["grpc"])
    parsed["name"] = str(reader.check.get("name") or parsed["grpc"] or NAME)
    if parsed["scheme"] == "https" and not parsed["host"]:
        reader.wrong("scheme: https needs host, the name in the application's certificate, which gRPC always verifies")
    if parsed["ca_cert"] and parsed["scheme"] != "https":
        reader.wrong("ca_cert is for scheme: https")


def _load() -> None:
    """Load the library, which is large, and writes to the terminal what the reason of a failure says anyway.

    :raises BlueGreenError: it is missing.
    """
    verbosity = os.environ.get("GRPC_VERBOSITY")  # looked at only while it is loaded
    os.environ["GRPC_VERBOSITY"] = verbosity or "NONE"
    try:
        import grpc  # noqa: F401  pylint: disable=unused-import
        import grpc_health.v1.health_pb2_grpc  # noqa: F401  pylint: disable=unused-import
    except ImportError as error:
        raise BlueGreenError(
            "The Python package 'grpcio-health-checking' is needed for checks by grpc.",
            "missing_library",
            why=str(error),
            next_step="pip install grpcio-health-checking.",
        ) from error
    finally:
        if verbosity is None:
            del os.environ["GRPC_VERBOSITY"]


def asked(run: Run, check: Check, pod: Any) -> str:
    return f"gRPC :{run.port_of(pod, check['port'])}"


def attempt(run: Run, check: Check, pod: Any, began: float) -> tuple[Result, list[str]]:
    from grpc_health.v1.health_pb2 import HealthCheckResponse

    port = run.port_of(pod, check["port"])
    with Listener(run.cluster, pod["metadata"]["name"], port, check["timeout"]) as listener:
        status = _status(check, listener)
    what = f"health of {repr(check['grpc']) if check['grpc'] else 'the server'}"
    wrong = []
    if status is None:
        wrong.append(f"{what} is not known to it (NOT_FOUND), expected SERVING")
    elif status != HealthCheckResponse.SERVING:
        names = {number: name for name, number in HealthCheckResponse.ServingStatus.items()}
        wrong.append(f"{what} is {names.get(status, status)}, expected SERVING")
    return {"via": "port_forward"}, wrong + expect.judge_text(check["expect"], "", time.monotonic() - began)


def _status(check: Check, listener: Listener) -> int | None:
    """What the health service says; ``None`` when it does not know the service that is asked for.

    :raises NoAnswer: it said nothing, or something else.
    """
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest
    from grpc_health.v1.health_pb2_grpc import HealthStub

    try:
        with _channel(check, listener.port) as channel:
            request = HealthCheckRequest(service=check["grpc"])
            return HealthStub(channel).Check(request, timeout=check["timeout"]).status
    except grpc.RpcError as error:
        code, details = error.code(), " ".join((error.details() or "").split())
        details = details.rpartition(f"127.0.0.1:{listener.port}: ")[2][:DETAILS_SHOWN]
        if listener.error:
            raise NoAnswer(str(listener.error), listener.error.way) from error
        if code == grpc.StatusCode.NOT_FOUND:
            return None
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise NoAnswer(f"no answer in {check['timeout']:g} s", "silent") from error
        if code == grpc.StatusCode.UNAVAILABLE:
            raise NoAnswer(listener.explain(f"no answer: {details}")) from error
        if code == grpc.StatusCode.UNIMPLEMENTED:
            raise NoAnswer(f"it has no health service (grpc.health.v1.Health): {details}") from error
        raise NoAnswer(f"its health service answered {code.name}: {details}") from error


def _channel(check: Check, port: int) -> Any:
    import grpc

    options: list[tuple[str, Any]] = [
        ("grpc.enable_http_proxy", 0),  # the port-forward is on this machine, whatever the environment says of proxies
        ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ]
    if check["host"]:
        options.append(("grpc.default_authority", str(check["host"])))
    address = f"ipv4:127.0.0.1:{port}"
    if check["scheme"] != "https":
        return grpc.insecure_channel(address, options)
    authority = None  # the public ones
    if check["ca_cert"]:
        with open(check["ca_cert"], "rb") as file:
            authority = file.read()
    options.append(("grpc.ssl_target_name_override", str(check["host"])))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options)
