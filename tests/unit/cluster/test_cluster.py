# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to the API server: requests, retries, errors; over real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from typing import Any, Callable, Iterator

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)
from certificates import Authority
from connection import connect, failure
from loopback import CUT, Answer, Loopback, Seen, as_json, free_port, refusal
from recorded import Clock

OPERATIONS = [
    {"op": "test", "path": "/spec/replicas", "value": 1},
    {"op": "replace", "path": "/spec/replicas", "value": 2},
]
SERVICE = {"kind": "Service", "metadata": {"name": "myapp", "uid": "1", "resourceVersion": "5"}}


def answers(loopback: Loopback, *given: Answer | Callable[[Seen], Answer]) -> None:
    """Give these answers, one after the other, the last one for ever."""
    left = list(given)
    lock = threading.Lock()

    def answer(seen: Seen) -> Answer:
        with lock:
            one = left.pop(0) if len(left) > 1 else left[0]
        return one(seen) if callable(one) else one

    loopback.answer = answer


# --- requests


def test_what_is_sent(loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))
    cluster = connect(loopback.url, impersonate_user="ann")
    assert cluster.get("Service", "myapp") == SERVICE
    cluster.list("Pod", labelSelector="app=myapp,version in (blue,green)")
    cluster.patch("Deployment", "app-green", OPERATIONS)
    cluster.create("Lease", {"kind": "Lease"})
    cluster.delete("Deployment", "app-green", {"uid": "1"})
    get, listed, patch, create, delete = loopback.seen
    assert (get.method, get.path) == ("GET", "/api/v1/namespaces/store/services/myapp")
    assert (listed.path, listed.query) == (
        "/api/v1/namespaces/store/pods",
        {"labelSelector": "app=myapp,version in (blue,green)"},
    )
    assert (patch.method, patch.path) == ("PATCH", "/apis/apps/v1/namespaces/store/deployments/app-green")
    assert (patch.headers["Content-Type"], json.loads(patch.body)) == ("application/json-patch+json", OPERATIONS)
    assert (create.method, create.path) == ("POST", "/apis/coordination.k8s.io/v1/namespaces/store/leases")
    assert json.loads(delete.body)["preconditions"] == {"uid": "1"}
    for seen in loopback.seen:
        assert seen.headers["Authorization"] == "Bearer s3cret"
        assert seen.headers["User-Agent"] == "bluegreen.kubernetes/bg_test"
        assert seen.headers["Impersonate-User"] == "ann"
        assert "dryRun" not in seen.query


def test_one_connection_for_one_request_after_the_other(loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))
    cluster = connect(loopback.url)
    for _time in range(3):
        cluster.get("Service", "myapp")
    assert len({seen.client for seen in loopback.seen}) == 1


def test_in_check_mode_every_write_is_a_dry_run(loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))
    cluster = connect(loopback.url, dry_run=True)
    cluster.get("Service", "myapp")
    cluster.patch("Service", "myapp", OPERATIONS)
    cluster.create("Lease", {})
    cluster.delete("Lease", "x", {})
    assert [seen.query.get("dryRun") for seen in loopback.seen] == [None, "All", "All", "All"]


def test_nothing_is_written_once_the_run_is_not_wanted_any_more(loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))

    def stop() -> None:
        raise BlueGreenError("The parent has gone.", "stopped")

    cluster = connect(loopback.url, before_write=stop)
    cluster.get("Service", "myapp")
    for write in (
        lambda: cluster.patch("Service", "myapp", OPERATIONS),
        lambda: cluster.create("Lease", {}),
        lambda: cluster.delete("Lease", "x", {}),
    ):
        assert failure(write).reason == "stopped"
    assert [seen.method for seen in loopback.seen] == ["GET"]


def test_nothing_is_written_once_another_run_has_the_lock(loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))
    cluster = connect(loopback.url)
    cluster.lost = BlueGreenError("Another run has taken over.", "superseded")
    assert failure(lambda: cluster.patch("Service", "myapp", OPERATIONS)).reason == "superseded"
    assert failure(lambda: cluster.sleep(5)).reason == "superseded"
    assert loopback.seen == []


def test_an_object_that_is_not_there_is_none(loopback: Loopback) -> None:
    answers(loopback, refusal(404, 'services "myapp" not found', reason="NotFound"))
    assert connect(loopback.url).get("Service", "myapp") is None


def test_the_log_of_a_container(loopback: Loopback) -> None:
    answers(loopback, Answer(200, b"one\ntwo \xff\n"))
    assert connect(loopback.url).pod_log("app-green-1", "app", 10, previous=True) == "one\ntwo \ufffd\n"
    (seen,) = loopback.seen
    assert seen.path == "/api/v1/namespaces/store/pods/app-green-1/log"
    assert (seen.query["container"], seen.query["tailLines"], seen.query["previous"]) == ("app", "10", "true")


@pytest.mark.parametrize(("status", "text"), [(400, ""), (404, ""), (403, "not readable")])
def test_a_log_that_is_not_there_is_no_error(status: int, text: str, loopback: Loopback) -> None:
    answers(loopback, refusal(status, "container app is waiting to start"))
    assert text in connect(loopback.url).pod_log("app-green-1", "app", 10)


# --- retries


@pytest.mark.parametrize("trouble", [refusal(429), refusal(500), refusal(502), refusal(503), refusal(504), CUT])
@pytest.mark.parametrize("method", ["get", "patch"])
def test_a_server_in_trouble_is_asked_again(method: str, trouble: Answer, loopback: Loopback, clock: Clock) -> None:
    answers(loopback, trouble, trouble, as_json(SERVICE))
    said: list[str] = []
    cluster = connect(loopback.url, said)
    if method == "get":
        assert cluster.get("Service", "myapp") == SERVICE
    else:
        assert cluster.patch("Service", "myapp", OPERATIONS) == SERVICE
    assert len(loopback.seen) == 3
    assert len(said) == 1, "said once, not at every attempt"


def test_a_server_in_trouble_for_ever_is_given_up_in_time(loopback: Loopback, clock: Clock) -> None:
    answers(loopback, refusal(503, "apiserver is shutting down"))
    began = clock.now
    error = failure(lambda: connect(loopback.url).get("Service", "myapp"))
    assert 5 <= clock.now - began <= 10
    assert 4 <= len(loopback.seen) <= 40, "with growing pauses"
    assert isinstance(error, ApiError)
    assert error.status == 503
    assert "apiserver is shutting down" in str(error)
    assert "get /api/v1/namespaces/store/services/myapp" in str(error)


def test_retry_after_is_kept(loopback: Loopback, clock: Clock) -> None:
    moments: list[float] = []

    def busy(_seen: Seen) -> Answer:
        moments.append(clock.now)
        return as_json({"message": "too many requests"}, 429, **{"Retry-After": "4"})

    answers(loopback, busy, busy, as_json(SERVICE))
    began = clock.now
    connect(loopback.url).get("Service", "myapp")
    assert [moment - began for moment in moments] == [pytest.approx(0), pytest.approx(4)]
    assert clock.now - began == pytest.approx(8)


def test_a_retry_after_beyond_the_time_there_is_ends_the_attempts(loopback: Loopback, clock: Clock) -> None:
    answers(loopback, as_json({"message": "too many requests"}, 429, **{"Retry-After": "3600"}))
    began = clock.now
    failure(lambda: connect(loopback.url).get("Service", "myapp"))
    assert clock.now - began <= 10


@pytest.mark.parametrize("status", [400, 401, 404, 405, 409, 413, 415, 422])
def test_a_refusal_is_not_retried(status: int, loopback: Loopback, clock: Clock) -> None:
    answers(loopback, refusal(status, "no"))
    error = failure(lambda: connect(loopback.url).patch("Service", "myapp", OPERATIONS))
    assert isinstance(error, ApiError)
    assert error.status == status
    assert len(loopback.seen) == 1


def authorizer(loopback: Loopback, readyz: list[Answer], allowed: Callable[[], bool]) -> None:
    """A server that answers these to /readyz, the last one for ever, and refuses everything until it is allowed."""

    def answer(seen: Seen) -> Answer:
        if seen.path == "/readyz":
            return readyz.pop(0) if len(readyz) > 1 else readyz[0]
        return as_json(SERVICE) if allowed() else refusal(403, "services is forbidden", reason="Forbidden")

    loopback.answer = answer


@pytest.mark.parametrize("starting", [403, 500])
def test_a_refusal_by_a_server_that_is_not_ready_yet_is_retried(
    starting: int, loopback: Loopback, clock: Clock
) -> None:
    """It has not read the Roles yet: what it refuses now it allows in a moment."""
    readyz = [refusal(starting, "no"), refusal(starting, "no"), as_json({})]
    authorizer(loopback, readyz, lambda: len(readyz) == 1)
    assert connect(loopback.url).patch("Service", "myapp", OPERATIONS) == SERVICE
    assert len(readyz) == 1


def test_a_refusal_by_a_server_that_is_ready_counts_when_it_is_repeated(loopback: Loopback, clock: Clock) -> None:
    """It may have become ready between the two answers. The next refusal of this operation counts at once."""
    authorizer(loopback, [as_json({})], lambda: False)
    cluster = connect(loopback.url)
    assert failure(lambda: cluster.patch("Service", "myapp", OPERATIONS)).reason == "forbidden"
    assert [seen.path for seen in loopback.seen].count("/readyz") == 1
    assert len(loopback.seen) == 3
    failure(lambda: cluster.get("Service", "myapp"))
    assert len(loopback.seen) == 4


def test_a_refusal_after_a_failure_is_doubted_again(loopback: Loopback, clock: Clock) -> None:
    authorizer(loopback, [as_json({})], lambda: False)
    cluster = connect(loopback.url)
    failure(lambda: cluster.get("Service", "myapp"))
    refuse, failing = loopback.answer, [refusal(503)]
    loopback.answer = lambda seen: failing.pop() if failing else refuse(seen)
    before = len(loopback.seen)
    failure(lambda: cluster.get("Service", "myapp"))
    assert [seen.path for seen in loopback.seen[before:]].count("/readyz") == 1


def test_a_refusal_counts_in_the_end_where_nobody_may_read_readyz(loopback: Loopback, clock: Clock) -> None:
    authorizer(loopback, [refusal(403, "no")], lambda: False)
    began = clock.now
    assert failure(lambda: connect(loopback.url).get("Service", "myapp")).reason == "forbidden"
    assert 5 <= clock.now - began <= 16


def test_a_refusal_after_a_failed_port_forward_is_doubted_again(loopback: Loopback, clock: Clock) -> None:
    authorizer(loopback, [as_json({})], lambda: False)
    cluster = connect(loopback.url)
    failure(lambda: cluster.get("Service", "myapp"))
    refuse = loopback.answer
    loopback.answer = lambda _seen: CUT
    assert failure(lambda: cluster.port_forward("app-green-1", 8080, 5)).reason == "api_unreachable"
    loopback.answer = refuse
    before = len(loopback.seen)
    failure(lambda: cluster.get("Service", "myapp"))
    assert [seen.path for seen in loopback.seen[before:]].count("/readyz") == 1


@pytest.mark.parametrize("trouble", [refusal(403, "pods/log is forbidden", reason="Forbidden"), refusal(503), CUT])
def test_the_log_of_a_container_is_followed_when_the_server_is_back(
    trouble: Answer, loopback: Loopback, clock: Clock
) -> None:
    log = Answer(200, b"2026-01-01T00:00:00.5Z frozen for good\n2026-01-01T00:00:01Z done\n")
    left = [trouble, log]
    loopback.answer = lambda seen: as_json({}) if seen.path == "/readyz" else left.pop(0)
    lines = list(connect(loopback.url).follow_log("migrate-1", "job", "2025-12-31T23:59:59Z"))
    assert lines == [("2026-01-01T00:00:00.5Z", "frozen for good"), ("2026-01-01T00:00:01Z", "done")]
    assert loopback.seen[-1].query["sinceTime"] == "2025-12-31T23:59:59Z"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_log_that_cannot_be_followed(status: int, loopback: Loopback, clock: Clock) -> None:
    loopback.answer = lambda seen: as_json({}) if seen.path == "/readyz" else refusal(status, "no log")
    error = failure(lambda: list(connect(loopback.url).follow_log("migrate-1", "job")))
    assert isinstance(error, ApiError)
    assert error.status == status


def test_nothing_listens(clock: Clock) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    began, said = clock.now, []
    error = failure(lambda: connect(url, said).get("Service", "myapp"))
    assert error.reason == "api_unreachable"
    assert f"The API server {url} does not answer" in str(error)
    assert "refused" in str(error)
    assert "the connection options" in str(error), "where the address comes from"
    assert 5 <= clock.now - began <= 10
    assert len(said) == 1


def _no_address(monkeypatch: pytest.MonkeyPatch, code: int, times: int) -> None:
    """The next lookups of a name fail so."""
    real, left = socket.getaddrinfo, [code] * times

    def lookup(*given: Any, **options: Any) -> Any:
        if left:
            raise socket.gaierror(left.pop(), "by intention")
        return real(*given, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def test_a_name_that_does_not_exist_is_said_at_once(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    _no_address(monkeypatch, socket.EAI_NONAME, 1)
    began = clock.now
    error = failure(lambda: connect("http://typo.invalid:6443").get("Service", "myapp"))
    assert error.reason == "api_unreachable"
    assert "The API server http://typo.invalid:6443 does not answer" in str(error)
    assert "by intention" in str(error)
    assert clock.now == began


def test_a_name_server_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch, loopback: Loopback) -> None:
    answers(loopback, as_json(SERVICE))
    _no_address(monkeypatch, socket.EAI_AGAIN, 2)
    assert connect(f"http://localhost:{loopback.port}").get("Service", "myapp") == SERVICE


def test_a_server_that_comes_back_is_found(loopback: Loopback) -> None:
    """In real time: an API server that restarts."""
    port = free_port()
    answers(loopback, as_json(SERVICE))
    threading.Timer(0.3, _serve_on, (port, loopback)).start()
    assert connect(f"http://127.0.0.1:{port}").get("Service", "myapp") == SERVICE


def _serve_on(port: int, loopback: Loopback) -> None:
    """A second way to the loopback server: forwards one connection."""
    import socket

    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(20)
        client, _address = server.accept()
        with client, socket.create_connection(("127.0.0.1", loopback.port)) as inner:
            inner.sendall(client.recv(65536))
            time.sleep(0.2)
            client.sendall(inner.recv(65536))


def test_a_server_that_accepts_and_never_answers(loopback: Loopback) -> None:
    def silent(_seen: Seen) -> Answer:
        loopback.closing.wait(30)
        return CUT

    answers(loopback, silent)
    began = time.monotonic()
    error = failure(lambda: connect(loopback.url, api_timeout=0.5).get("Service", "myapp"))
    assert error.reason == "api_unreachable"
    assert time.monotonic() - began < 5


def test_a_write_that_was_cut_and_had_arrived_ends_as_a_conflict(loopback: Loopback, clock: Clock) -> None:
    """So whoever wrote looks again, and finds the own write."""
    answers(loopback, CUT, refusal(422, "the server rejected our request due to an error in our request", details={}))
    with pytest.raises(PatchConflict):
        connect(loopback.url).patch("Service", "myapp", OPERATIONS)
    assert len(loopback.seen) == 2


# --- errors that explain themselves


def test_unknown_credentials(loopback: Loopback) -> None:
    answers(loopback, refusal(401, "Unauthorized", reason="Unauthorized"))
    error = failure(lambda: connect(loopback.url).get("Service", "myapp"))
    assert error.reason == "unauthorized"
    assert "does not accept the credentials (HTTP 401" in str(error)
    assert "Renew the token" in str(error)


def test_a_missing_permission_names_verb_resource_and_namespace(loopback: Loopback) -> None:
    message = 'deployments.apps is forbidden: User "ann" cannot list resource "deployments" in API group "apps" in the namespace "store"'
    answers(loopback, refusal(403, message, reason="Forbidden"))
    error = failure(lambda: connect(loopback.url).list("Deployment"))
    assert error.reason == "forbidden"
    assert 'User "ann" cannot list resource "deployments"' in str(error)
    assert 'namespace "store"' in str(error)
    assert "Grant this verb" in str(error)


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("get", lambda cluster: cluster.get("Deployment", "app-green")),
        ("patch", lambda cluster: cluster.patch("Deployment", "app-green", [])),
        ("delete", lambda cluster: cluster.delete("Deployment", "app-green", {})),
    ],
)
def test_a_refusal_names_verb_and_object(verb: str, call: Callable[[Cluster], Any], loopback: Loopback) -> None:
    answers(loopback, refusal(400, "it is wrong"))
    error = failure(lambda: call(connect(loopback.url)))
    assert f"'{verb} /apis/apps/v1/namespaces/store/deployments/app-green' (HTTP 400): it is wrong" in str(error)


def test_a_failed_test_of_a_json_patch_is_a_conflict(loopback: Loopback) -> None:
    answers(
        loopback,
        refusal(422, "the server rejected our request due to an error in our request", reason="Invalid", details={}),
    )
    with pytest.raises(PatchConflict) as caught:
        connect(loopback.url).patch("Service", "myapp", OPERATIONS)
    assert caught.value.status == 422


def test_an_invalid_object_is_no_conflict(loopback: Loopback) -> None:
    causes = {"causes": [{"reason": "FieldValueInvalid", "message": "must be a DNS label", "field": "spec.selector"}]}
    answers(loopback, refusal(422, 'Service "myapp" is invalid: spec.selector: must be a DNS label', details=causes))
    error = failure(lambda: connect(loopback.url).patch("Service", "myapp", OPERATIONS))
    assert not isinstance(error, PatchConflict)
    assert "must be a DNS label" in str(error)


@pytest.mark.parametrize("write", ["patch", "create", "delete"])
def test_a_conflict(write: str, loopback: Loopback) -> None:
    answers(loopback, refusal(409, "the object has been modified", reason="Conflict"))
    cluster = connect(loopback.url)
    arguments = {
        "patch": ("Service", "myapp", OPERATIONS),
        "create": ("Lease", {}),
        "delete": ("Lease", "x", {}),
    }
    with pytest.raises(PatchConflict):
        getattr(cluster, write)(*arguments[write])


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[1]", b'"text"', b"x" * 100_000])
def test_an_answer_that_is_no_status_object(body: bytes, loopback: Loopback) -> None:
    """A proxy in between answers in its own words."""
    answers(loopback, Answer(400, body))
    error = failure(lambda: connect(loopback.url).get("Service", "myapp"))
    assert "(HTTP 400)" in str(error)
    assert len(str(error)) < 2000


def test_a_success_that_is_no_json(loopback: Loopback) -> None:
    """A login page of a proxy, with status 200."""
    answers(loopback, Answer(200, b"<html>Please log in</html>"))
    error = failure(lambda: connect(loopback.url).get("Service", "myapp"))
    assert loopback.url in str(error)


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[Loopback]:
    """A server with a certificate, which asks clients for theirs."""
    certificate, key = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    with Loopback(context) as server:
        answers(server, as_json(SERVICE))
        yield server


def test_a_trusted_certificate(secure: Loopback, authority: Authority) -> None:
    assert connect(secure.url, ca_cert=str(authority.certificate)).get("Service", "myapp") == SERVICE


def test_a_certificate_that_is_not_trusted_is_said_at_once(secure: Loopback, clock: Clock) -> None:
    began = clock.now
    error = failure(lambda: connect(secure.url).get("Service", "myapp"))
    assert error.reason == "api_unreachable"
    assert f"The certificate of the API server {secure.url} is not trusted" in str(error)
    assert "ca_cert" in str(error)
    assert "the connection options" in str(error)
    assert clock.now == began, "waiting does not heal it"
    assert secure.seen == []


def test_a_certificate_of_another_server_is_not_trusted(authority: Authority) -> None:
    certificate, key = authority.issue("127.0.0.2")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(context) as server:
        answers(server, as_json(SERVICE))
        error = failure(lambda: connect(server.url, ca_cert=str(authority.certificate)).get("Service", "myapp"))
        assert "is not trusted" in str(error)
        assert server.seen == []


def test_the_certificate_of_a_port_forward_is_looked_at_too(secure: Loopback) -> None:
    error = failure(lambda: connect(secure.url).port_forward("app-green-1", 8080, 5))
    assert f"The certificate of the API server {secure.url} is not trusted" in str(error)


def test_a_port_forward_to_a_server_that_breaks_the_handshake_off(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        cluster = connect(url, ca_cert=str(authority.certificate))
        error = failure(lambda: cluster.port_forward("app-green-1", 8080, 5))
    assert f"The API server {url} does not answer" in str(error)


def test_validate_certs_off(secure: Loopback) -> None:
    assert connect(secure.url, validate_certs=False).get("Service", "myapp") == SERVICE


def test_a_handshake_that_is_broken_off_says_nothing_about_certificates(secure: Loopback, authority: Authority) -> None:
    """As by a load balancer that has no API server behind it for a moment."""
    server, handshakes = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            handshakes.append(connection.recv(5000))
            if len(handshakes) < 3:
                connection.close()
                continue
            with socket.create_connection(("127.0.0.1", int(secure.url.rpartition(":")[2]))) as behind:
                behind.sendall(handshakes[-1])
                threading.Thread(target=_pour, args=(connection, behind), daemon=True).start()
                _pour(behind, connection)

    threading.Thread(target=serve, daemon=True).start()
    with server:
        cluster = connect(f"https://127.0.0.1:{server.getsockname()[1]}", ca_cert=str(authority.certificate))
        assert cluster.get("Service", "myapp") == SERVICE
        assert len(handshakes) == 3
        server.shutdown(socket.SHUT_RDWR)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


def test_a_client_certificate(secure: Loopback, authority: Authority) -> None:
    """The server sees it; a wrong file is an error that names it."""
    certificate, key = authority.issue("ann")
    options = {
        "ca_cert": str(authority.certificate),
        "client_cert": str(certificate),
        "client_key": str(key),
        "api_key": None,
    }
    assert connect(secure.url, **options).get("Service", "myapp") == SERVICE
    assert "Authorization" not in secure.seen[0].headers
    for option in ("ca_cert", "client_cert"):
        error = failure(lambda option=option: connect(secure.url, **dict(options, **{option: "/missing/file.pem"})))
        assert "/missing/file.pem" in str(error)


@pytest.mark.parametrize("name", ["../secrets/token", "..", "a/b", "a?b", "a%2fb", "a\n", ""])
def test_a_name_that_is_none_is_not_asked_for(name: str, loopback: Loopback) -> None:
    for ask in (
        lambda: connect(loopback.url).get("Service", name),
        lambda: connect(loopback.url).patch("Service", name, []),
        lambda: connect(loopback.url, namespace=name or "..").list("Service"),
    ):
        assert failure(ask).reason == "bad_input"
    assert loopback.seen == []
