# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The standard health check of gRPC."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any, Iterator

import grpc
import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from api import Api
from certificates import Authority
from checking import check, failure, mistakes, parse, pods
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from loopback import Answer, Seen, Takeover, refusal

NAME = "shop.example"


class Application:
    """A gRPC server with a health service, in every pod: on port 9000, and with TLS on port 9443."""

    def __init__(self, api: Api, authority: Authority) -> None:
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.health = HealthServicer()
        certificate, key = authority.issue(NAME)
        credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
        api.listening[9000] = self.server.add_insecure_port("127.0.0.1:0")
        api.listening[8080] = api.listening[9000]  # to which the Service leads
        api.listening[9443] = self.server.add_secure_port("127.0.0.1:0", credentials)

    def says(self, service: str, status: str) -> None:
        self.health.set(service, HealthCheckResponse.ServingStatus.Value(status))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def silent_application(api: Api, authority: Authority) -> Iterator[Application]:
    """It has no health service."""
    application = Application(api, authority)
    application.server.start()
    yield application
    application.server.stop(None).wait()


@pytest.fixture
def application(api: Api, authority: Authority) -> Iterator[Application]:
    application = Application(api, authority)
    add_HealthServicer_to_server(application.health, application.server)
    application.says("", "SERVING")
    application.server.start()
    yield application
    application.server.stop(None).wait()


def one(service: str = "shop", **options: Any) -> dict[str, Any]:
    return {"name": "health", "grpc": service, "port": 9000, **options}


def test_serving_on_every_pod(application: Application, api: Api) -> None:
    application.says("shop", "SERVING")
    result = check(api, {"grpc": "", "port": 9000}, {"grpc": "shop", "expect": {"latency": "5s"}})
    assert [(item["name"], item["target"]) for item in result["checks"]] == [
        (name, pod) for name in ("grpc", "shop") for pod in pods(api)
    ]
    assert {(item["kind"], item["via"], item["passed"]) for item in result["checks"]} == {
        ("grpc", "port_forward", True)
    }


@pytest.mark.parametrize("status", ["NOT_SERVING", "UNKNOWN"])
def test_not_serving(status: str, application: Application, api: Api) -> None:
    application.says("shop", status)
    error = failure(api, one(), one("", name="server"))
    assert "1 of 2 checks failed on green: health." in error.what
    assert f"health on {pods(api)[0]}: health of 'shop' is {status}, expected SERVING" in str(error)
    application.says("", status)
    error = failure(api, one(""))
    assert f"health on {pods(api)[0]}: health of the server is {status}, expected SERVING" in str(error)


def test_retries_until_it_serves(application: Application, api: Api) -> None:
    application.says("shop", "NOT_SERVING")
    timer = threading.Timer(0.3, application.says, ("shop", "SERVING"))
    timer.start()
    result = check(api, one(retries=100, delay="100ms", pods="one"))
    timer.join()
    assert [item["attempts"] > 1 for item in result["checks"]] == [True]


def test_a_service_that_is_not_known(application: Application, api: Api) -> None:
    error = failure(api, one())
    assert f"health on {pods(api)[0]}: health of 'shop' is not known to it (NOT_FOUND), expected SERVING" in str(error)


def test_an_application_without_a_health_service(silent_application: Application, api: Api) -> None:
    assert f"health on {pods(api)[0]}: it has no health service (grpc.health.v1.Health)" in str(failure(api, one()))


def test_a_port_on_which_nothing_listens(api: Api) -> None:
    said = "the pod's node could not connect: 127.0.0.1:9000: connect: connection refused"
    assert f"health on {pods(api)[0]}: {said}" in str(failure(api, one()))


@pytest.mark.parametrize("what", ["mute", "another protocol"])
def test_a_server_that_does_not_speak_grpc(what: str, api: Api) -> None:
    """It accepts connections, and says nothing or something else."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        api.listening[9000] = server.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connections.append(server.accept()[0])
                except OSError:
                    return
                if what != "mute":
                    connections[-1].sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        error = failure(api, one(timeout="500ms"))
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()
    assert f"health on {pods(api)[0]}: no answer" in str(error)
    if what == "mute":
        assert "no answer in 0.5 s" in str(error)


def test_what_stands_in_the_way_is_said(application: Application, api: Api) -> None:
    refused = []

    def answer(seen: Seen) -> Answer | Takeover:
        if seen.path.endswith("/portforward") and len(refused) < 3:
            refused.append(seen)
            return refusal(404, "no such thing")
        return api.answer(seen)

    api.server.answer = answer
    error = failure(api, one("", pods="all"), parallel=1)
    assert f"health on {pods(api)[0]}: no port-forward to the pod: HTTP 404: no such thing" in str(error)
    assert check(api, one(""))["passed"] is True


def test_an_overloaded_api_server_is_no_verdict(application: Application, api: Api) -> None:
    refused = []

    def answer(seen: Seen) -> Answer | Takeover:
        if seen.path.endswith("/portforward") and len(refused) < 2:
            refused.append(seen)
            return refusal(429, "too many")
        return api.answer(seen)

    api.server.answer = answer
    result = check(api, one(""))
    assert {item["attempts"] for item in result["checks"]} == {1}
    assert len(refused) == 2


def test_proxies_of_the_environment_are_not_for_the_port_forward(
    application: Application, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9/")
    assert check(api, one(""))["passed"] is True


# --- TLS


TLS = {"port": 9443, "scheme": "https", "host": NAME}


def test_a_certificate_is_verified(application: Application, authority: Authority, api: Api) -> None:
    assert check(api, one("", ca_cert=str(authority.certificate), **TLS))["passed"] is True
    error = failure(api, one("", ca_cert=str(authority.certificate), **{**TLS, "host": "other.example"}))
    assert "Hostname Verification Check failed" in str(error)
    error = failure(api, one("", **TLS))
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)


def test_plain_text_to_a_port_with_tls(application: Application, api: Api) -> None:
    assert f"health on {pods(api)[0]}: no answer" in str(failure(api, one("", port=9443, timeout=1)))


# --- reading


def test_nothing_given_is_the_server_as_a_whole() -> None:
    (parsed,) = parse({"grpc": None})
    assert (parsed["grpc"], parsed["name"], parsed["port"], parsed["timeout"]) == ("", "grpc", None, 5)


def test_mistakes(authority: Authority) -> None:
    error = mistakes(
        {"name": "a", "grpc": ["shop"]},
        {"name": "b", "grpc": "shop", "scheme": "https"},
        {"name": "c", "grpc": "shop", "ca_cert": str(authority.certificate)},
        {"name": "d", "grpc": "shop", "expect": {"code": "SERVING"}, "via": "proxy"},
    )
    assert error.why == [
        "check a: grpc is the name of a service, or '' for the server as a whole, not ['shop']",
        "check b: scheme: https needs host, the name in the application's certificate, which gRPC always verifies",
        "check c: ca_cert is for scheme: https",
        "check d: via has no meaning for grpc; it is an option of http",
        "check d: unknown expectation 'code'; known are latency",
    ]


@pytest.mark.parametrize("missing", ["grpc", "grpc_health"])
def test_a_missing_library(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(BlueGreenError) as caught:
        parse({"grpc": "shop"})
    assert caught.value.reason == "missing_library"
    assert caught.value.next_step == "pip install grpcio-health-checking."
    assert parse({"http": "/"})


# In a process of its own: what is loaded when, and what is written to the terminal.
LOADED = """
import os, sys
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
params = {"checks": [], "chdir": None, "prometheus": None}
_checks.parse(dict(params, checks=[{"http": "/"}]))
assert not {"grpc", "google.protobuf"} & set(sys.modules)
_checks.parse(dict(params, checks=[{"grpc": ""}]))
assert "grpc" in sys.modules
assert "GRPC_VERBOSITY" not in os.environ
"""


def test_the_library_is_loaded_when_it_is_needed() -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", LOADED], env=environ, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
