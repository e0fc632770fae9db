# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks: reading them, running them on every pod, judging the answers."""

from __future__ import annotations

import copy
import json
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check as _smoke_check
from api import Api
from loopback import CUT, Answer, Loopback, Seen, as_json, free_port, refusal
from recorded import RecordedCluster

PROXY = "/api/v1/namespaces/store/pods/"


@pytest.fixture
def api(loopback: Loopback) -> Api:
    """Green is ready."""
    return Api(loopback, RecordedCluster(at="ready"))


def check(api: Api, *checks: dict[str, Any], said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    params = recorded.parameters(_smoke_check, checks=list(checks), **api.connection, **options)
    cluster = Cluster(params, "bg_smoke_check")
    return _smoke_check.run(params, cluster, (said if said is not None else []).append)


def failure(api: Api, *checks: dict[str, Any], **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        check(api, *checks, **options)
    return caught.value


def pods(api: Api) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in api.store.objects("Pod", "green"))


def proxied(api: Api) -> list[Seen]:
    return [seen for seen in api.server.seen if "/proxy/" in seen.path]


# --- on every pod


def test_every_check_runs_on_every_pod_of_the_idle_color(api: Api) -> None:
    said: list[str] = []
    result = check(
        api, {"name": "health", "http": "/health"}, {"name": "status", "http": "/api/status?full=1"}, said=said
    )
    assert result["passed"] is True
    assert result["color"] == "green"
    assert sorted((item["name"], item["target"]) for item in result["checks"]) == sorted(
        (name, pod) for name in ("health", "status") for pod in pods(api)
    )
    for item in result["checks"]:
        assert (item["passed"], item["status"], item["attempts"], item["reason"]) == (True, 200, 1, "")
        assert item["latency_ms"] > 0
    assert sorted(seen.path for seen in proxied(api) if "status" in seen.path) == [
        f"{PROXY}{pod}:8080/proxy/api/status" for pod in pods(api)
    ]
    assert {json.dumps(seen.query) for seen in proxied(api) if "status" in seen.path} == {'{"full": "1"}'}
    assert any("health" in line and "3 of 3" in line for line in said)


def test_the_live_color_can_be_checked(api: Api) -> None:
    result = check(api, {"name": "health", "http": "/health"}, color="blue")
    assert all(item["target"].startswith("app-blue-") for item in result["checks"])


def test_all_run_together(api: Api) -> None:
    """Every request waits for all the others to have arrived."""
    together = threading.Barrier(6, timeout=20)

    def application(seen: Seen, pod: str, path: str) -> Answer:
        together.wait()
        return as_json({})

    api.application = application
    assert check(api, {"name": "a", "http": "/a"}, {"name": "b", "http": "/b"})["passed"] is True


def test_parallel_is_a_limit(api: Api) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def application(seen: Seen, pod: str, path: str) -> Answer:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return as_json({})

    api.application = application
    check(api, {"name": "a", "http": "/a"}, {"name": "b", "http": "/b"}, parallel=2)
    assert most[0] == 2


def test_parallel_of_nothing_is_refused(api: Api) -> None:
    assert failure(api, {"name": "a", "http": "/a"}, parallel=0).reason == "bad_input"


@pytest.mark.parametrize(
    ("wanted", "good", "passes"),
    [
        ("all", 3, True),
        ("all", 2, False),
        ("any", 1, True),
        ("any", 0, False),
        (2, 2, True),
        (2, 1, False),
        ("2", 2, True),
    ],
)
def test_how_many_pods_must_pass(wanted: Any, good: int, passes: bool, api: Api) -> None:
    healthy = pods(api)[:good]
    api.application = lambda seen, pod, path: as_json({}, 200 if pod.split(":")[0] in healthy else 500)
    one = {"name": "health", "http": "/health", "pods": wanted}
    if passes:
        assert check(api, one)["passed"] is True
    else:
        assert failure(api, one).reason == "checks_failed"


def test_more_pods_wanted_than_there_are(api: Api) -> None:
    assert "wants 4 pods, there are 3" in str(failure(api, {"name": "health", "http": "/health", "pods": 4}))


@pytest.mark.parametrize("trouble", ["unready", "none"])
def test_pods_that_carry_no_traffic_are_not_checked(trouble: str, api: Api) -> None:
    store = api.store
    if trouble == "unready":
        pod = store.objects("Pod", "green")[1]
        next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")["status"] = "False"
        expected = "pods are not ready: " + pod["metadata"]["name"]
    else:
        for name in pods(api):
            store.remove("Pod", name)
        expected = "it has no pods"
    error = failure(api, {"name": "health", "http": "/health"})
    assert error.reason == "not_ready"
    assert expected in str(error)
    assert proxied(api) == []


def test_pods_on_their_way_out_are_left_alone(api: Api) -> None:
    store = api.store
    gone = copy.deepcopy(store.objects("Pod", "green")[0])
    gone["metadata"].update(name="app-green-gone", uid="gone", deletionTimestamp="2026-01-01T00:00:00Z")
    store.put(gone)
    assert len(check(api, {"name": "health", "http": "/health"})["checks"]) == 3


@pytest.mark.parametrize(("port", "used"), [(None, "8080"), (9090, "9090"), ("http", "8080"), ("9090", "9090")])
def test_the_port(port: Any, used: str, api: Api) -> None:
    check(api, {"name": "health", "http": "/health", "port": port})
    assert {seen.path.split(":")[1].split("/")[0] for seen in proxied(api)} == {used}


@pytest.mark.parametrize(
    ("ports", "used"),
    [
        ([{"port": 80, "targetPort": 8080}], "8080"),  # which no container has to declare
        ([{"port": 8080}], "8080"),
        ([{"port": 53, "protocol": "UDP"}, {"port": 80, "targetPort": "http"}], "8080"),
        ([], "9102"),
    ],
)
def test_the_port_is_the_one_that_users_reach(ports: Any, used: str, api: Api) -> None:
    """Not that of a container which happens to come first."""
    api.store.objects("Service")[0]["spec"]["ports"] = ports
    for pod in api.store.objects("Pod", "green"):
        sidecar = {"name": "sidecar", "ports": [{"name": "metrics", "containerPort": 9102}]}
        pod["spec"]["containers"].insert(0, sidecar)
    check(api, {"name": "health", "http": "/health"})
    assert {seen.path.rsplit(":", 1)[1].split("/")[0] for seen in proxied(api)} == {used}


def test_what_is_sent(api: Api) -> None:
    one = {
        "name": "post",
        "http": "/api/users",
        "method": "post",
        "headers": {"X-Test": "yes"},
        "body": {"name": "ann"},
        "scheme": "https",
    }
    check(api, one)
    for seen in proxied(api):
        assert seen.path.startswith(PROXY + "https:app-green-")
        assert (seen.method, json.loads(seen.body)) == ("POST", {"name": "ann"})
        assert (seen.headers["X-Test"], seen.headers["Content-Type"]) == ("yes", "application/json")


def test_check_mode_asks_nobody(api: Api) -> None:
    params = recorded.parameters(_smoke_check, checks=[{"name": "health", "http": "/health"}], **api.connection)
    result = _smoke_check.run(params, Cluster(params, "bg_smoke_check", dry_run=True), [].append)
    assert "Would run 1 checks: health" in result["msg"]
    assert result.get("passed") is None
    assert api.server.seen == []


# --- failures are shown


def test_every_result_is_shown_and_every_failure_explained(api: Api) -> None:
    broken = pods(api)[1]

    def application(seen: Seen, pod: str, path: str) -> Answer:
        if pod.startswith(broken) and path == "/api/status":
            return as_json({"version": "0.9"})
        return as_json({"version": "2.0"})

    api.application = application
    error = failure(
        api,
        {"name": "health", "http": "/health"},
        {"name": "version", "http": "/api/status", "expect": {"json": {"version": "2.0"}}},
    )
    assert error.reason == "checks_failed"
    assert "1 of 2 checks failed on green: version." in error.what
    assert f'version on {broken}: version is "0.9", expected "2.0" (answer: {{"version": "0.9"}})' in str(error)
    assert len(error.result["checks"]) == 6
    assert [item["target"] for item in error.result["checks"] if not item["passed"]] == [broken]
    assert error.result["passed"] is False


def test_many_failures_are_bounded(api: Api) -> None:
    api.application = lambda seen, pod, path: Answer(500, b"x" * 100_000)
    error = failure(api, *[{"name": f"check {number}", "http": f"/{number}"} for number in range(10)])
    assert len(str(error).splitlines()) <= 60
    assert "20 more" in str(error)
    assert len(str(error)) < 10_000
    assert all(len(item["reason"]) < 1000 for item in error.result["checks"])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "error trying to reach service: dial tcp 198.18.4.9:8080: connect: connection refused",
            "nothing accepts connections at the pod's address",
        ),
        ("error trying to reach service: EOF", "as the API server saw: error trying to reach service: EOF"),
    ],
)
def test_the_api_servers_own_503_does_not_look_like_the_applications(message: str, said: str, api: Api) -> None:
    api.application = lambda seen, pod, path: refusal(503, message, reason="ServiceUnavailable")
    error = failure(api, {"name": "health", "http": "/health"})
    assert said in str(error)
    assert "HTTP 503" not in str(error)
    assert {item["status"] for item in error.result["checks"]} == {None}


@pytest.mark.parametrize(
    "extra", [{}, {"kind": "Problem"}, {"kind": "Status"}, {"kind": "Status", "apiVersion": "shop/v1"}]
)
def test_the_applications_503_is_the_applications(extra: dict[str, str], api: Api) -> None:
    answer = {"status": "overloaded", **extra}
    api.application = lambda seen, pod, path: as_json(answer, 503)
    error = failure(api, {"name": "health", "http": "/health"})
    assert f"HTTP 503 instead of 2xx (answer: {json.dumps(answer)})" in str(error)
    assert "API server" not in str(error)
    assert {item["status"] for item in error.result["checks"]} == {503}


def test_an_expected_503_is_not_met_by_the_api_servers(api: Api) -> None:
    one = {"name": "down", "http": "/", "expect": {"status": 503}}
    api.application = lambda seen, pod, path: refusal(503, "error trying to reach service: EOF")
    assert failure(api, one).reason == "checks_failed"
    api.application = lambda seen, pod, path: as_json({}, 503)
    assert check(api, one)["passed"] is True


def test_a_missing_permission_is_named(api: Api) -> None:
    api.application = lambda seen, pod, path: refusal(403, 'User "ann" cannot get resource "pods/proxy"')
    error = failure(api, {"name": "health", "http": "/health"})
    assert 'User "ann" cannot get resource "pods/proxy"' in str(error)
    assert "pods/proxy" in str(error)


def test_a_refusal_by_an_api_server_that_is_not_ready_yet_is_no_verdict(api: Api) -> None:
    """It has just started and does not know the Roles yet."""
    starting = [True] * 4
    lock = threading.Lock()

    def ready() -> Answer:
        with lock:
            return refusal(500, "not ready") if starting and starting.pop() else as_json("ok")

    api.ready = ready
    api.application = lambda seen, pod, path: (
        refusal(403, 'User "ann" cannot get resource "pods/proxy"') if starting else as_json({"status": "ok"})
    )
    result = check(api, {"name": "health", "http": "/health"})
    assert {item["via"] for item in result["checks"]} == {"proxy"}
    assert {item["attempts"] for item in result["checks"]} == {1}


# --- time, retries, big answers


def test_retries_until_it_passes(api: Api) -> None:
    seen_by: dict[str, int] = {}

    def application(seen: Seen, pod: str, path: str) -> Answer:
        seen_by[pod] = seen_by.get(pod, 0) + 1
        return as_json({}, 200 if seen_by[pod] >= 3 else 500)

    api.application = application
    result = check(api, {"name": "health", "http": "/health", "retries": 3, "delay": "10ms"})
    assert {item["attempts"] for item in result["checks"]} == {3}


def test_retries_are_counted_and_delayed(api: Api) -> None:
    api.application = lambda seen, pod, path: as_json({}, 500)
    began = time.monotonic()
    error = failure(api, {"name": "health", "http": "/health", "retries": 2, "delay": "100ms"})
    assert {item["attempts"] for item in error.result["checks"]} == {3}
    assert time.monotonic() - began >= 0.2


def test_no_answer_in_time(api: Api) -> None:
    def application(seen: Seen, pod: str, path: str) -> Answer:
        api.server.closing.wait(10)
        return as_json({})

    api.application = application
    began = time.monotonic()
    error = failure(api, {"name": "health", "http": "/health", "timeout": "300ms"})
    assert "no answer in 0.3 s" in str(error)
    assert 0.3 <= time.monotonic() - began < 5


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "60"}], ids=["chunked", "with a length"])
@pytest.mark.parametrize("way", ["pod", "url"])
def test_an_answer_that_trickles_does_not_outlast_the_timeout(way: str, headers: dict[str, str], api: Api) -> None:
    def trickle() -> Iterator[bytes]:
        for _number in range(60):
            yield b"x"
            if api.server.closing.wait(0.05):
                return

    api.application = lambda seen, pod, path: Answer(200, trickle(), headers)
    api.server.answer = lambda seen: Answer(200, trickle(), headers) if seen.path == "/slow" else api.answer(seen)
    one = {"pod": {"http": "/slow"}, "url": {"url": api.server.url + "/slow"}}[way]
    began = time.monotonic()
    error = failure(api, {"name": "slow", "timeout": "500ms", **one})
    assert "0.5 s" in str(error)
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("way", ["pod", "url"])
def test_an_answer_without_end_is_read_up_to_a_limit(way: str, api: Api) -> None:
    sent = [0]

    def endless() -> Iterator[bytes]:
        for _number in range(10_000):
            sent[0] += 65536
            yield b"x" * 65536

    api.application = lambda seen, pod, path: Answer(200, endless())
    api.server.answer = lambda seen: Answer(200, endless()) if seen.path == "/big" else api.answer(seen)
    one = {"pod": {"http": "/big", "pods": "any"}, "url": {"url": api.server.url + "/big"}}[way]
    result = check(api, {"name": "big", "timeout": 20, "expect": {"regex": "^x+$"}, **one})
    assert result["passed"] is True
    assert sent[0] < 100 * 1024 * 1024


def test_a_connection_that_is_cut_is_no_answer(api: Api) -> None:
    api.server.answer = lambda seen: CUT if seen.path == "/cut" else api.answer(seen)
    error = failure(api, {"name": "cut", "url": api.server.url + "/cut"})
    assert "no answer: " in str(error)
    assert "0x" not in str(error), "no addresses of Python objects"


# --- by URL


def test_a_url_is_asked_once_whatever_the_pods(api: Api) -> None:
    api.server.answer = lambda seen: as_json({"version": "2.0"}) if seen.path == "/status" else api.answer(seen)
    result = check(api, {"name": "public", "url": api.server.url + "/status", "expect": {"json": {"version": "2.0"}}})
    (item,) = result["checks"]
    assert (item["target"], item["passed"], item["status"]) == (api.server.url + "/status", True, 200)


def test_every_attempt_at_a_url_has_a_connection_of_its_own(api: Api) -> None:
    api.server.answer = lambda seen: as_json({}, 500) if seen.path == "/status" else api.answer(seen)
    failure(api, {"name": "public", "url": api.server.url + "/status", "retries": 3, "delay": 0})
    ports = [seen.client[1] for seen in api.server.seen if seen.path == "/status"]
    assert len(ports) == len(set(ports)) == 4


def test_a_redirect_is_an_answer(api: Api) -> None:
    api.server.answer = lambda seen: (
        Answer(302, b"", {"Location": "/elsewhere"}) if seen.path == "/" else api.answer(seen)
    )
    assert "HTTP 302 instead of 2xx" in str(failure(api, {"name": "public", "url": api.server.url + "/"}))
    assert check(api, {"name": "public", "url": api.server.url + "/", "expect": {"status": 302}})["passed"] is True


def test_a_url_on_which_nothing_listens(api: Api) -> None:
    error = failure(api, {"name": "public", "url": f"http://127.0.0.1:{free_port()}/"})
    assert "no answer: " in str(error)
    assert "refused" in str(error)
    assert "0x" not in str(error)


def test_the_host_header(api: Api) -> None:
    api.server.answer = lambda seen: as_json({"host": seen.headers["Host"]}) if seen.path == "/" else api.answer(seen)
    one = {
        "name": "public",
        "url": api.server.url + "/",
        "host": "shop.example",
        "expect": {"json": {"host": "shop.example"}},
    }
    assert check(api, one)["passed"] is True


def test_a_password_in_a_url_is_shown_nowhere(api: Api) -> None:
    api.server.answer = lambda seen: as_json({}, 500) if seen.path == "/" else api.answer(seen)
    said: list[str] = []
    url = api.server.url.replace("http://", "http://ann:s3cret@") + "/"
    error = failure(api, {"name": "public", "url": url}, {"url": url}, said=said)
    assert "s3cret" not in str(error) + json.dumps(error.result) + "".join(said)


# --- judging


HEADERS = {"X-Color": "green"}


@pytest.mark.parametrize(
    ("expect", "status", "body", "reasons"),
    [
        ({}, 200, b"", []),
        ({}, 204, b"", []),
        ({}, 302, b"", ["HTTP 302 instead of 2xx (empty answer)"]),
        ({}, 500, b"oh no", ["HTTP 500 instead of 2xx (answer: oh no)"]),
        ({"status": [200, 201]}, 201, b"", []),
        ({"status": [404]}, 404, b"", []),
        ({"status": [200, 201]}, 204, b"", ["HTTP 204 instead of 200 or 201 (empty answer)"]),
        ({"json": {"version": "2.0"}}, 200, b'{"version": "2.0"}', []),
        ({"json": {"a.b[0].c": 1}}, 200, b'{"a": {"b": [{"c": 1}]}}', []),
        ({"json": {"n": "1"}}, 200, b'{"n": 1}', []),
        ({"json": {"n": 1}}, 200, b'{"n": "1"}', []),
        ({"json": {"ok": True}}, 200, b'{"ok": true}', []),
        ({"json": {"ok": True}}, 200, b'{"ok": "True"}', ['ok is "True", expected true (answer: {"ok": "True"})']),
        ({"json": {"ok": 1}}, 200, b'{"ok": true}', ['ok is true, expected 1 (answer: {"ok": true})']),
        ({"json": {"none": None}}, 200, b"{}", []),
        ({"json": {"n": [1, 2]}}, 200, b'{"n": [1, 2]}', []),
        ({"json": {"gone": "x"}}, 200, b"{}", ['gone is null, expected "x" (answer: {})']),
        ({"json": {"a": 1}}, 200, b"<html>", ["the answer is no JSON (answer: <html>)"]),
        ({"header": {"x-color": "green"}}, 200, b"", []),
        ({"header": {"X-Color": "blue"}}, 200, b"", ["header X-Color is 'green', expected 'blue' (empty answer)"]),
        ({"header": {"X-None": "blue"}}, 200, b"", ["header X-None is None, expected 'blue' (empty answer)"]),
        ({"text": "welcome"}, 200, b"you are welcome", []),
        ({"text": "welcome"}, 200, b"bye", ["the text 'welcome' is not in the answer (answer: bye)"]),
        ({"regex": "^v[0-9]+$"}, 200, b"v12", []),
        ({"regex": "^v[0-9]+$"}, 200, b"w12", ["the answer does not match '^v[0-9]+$' (answer: w12)"]),
        ({"latency": 0.5}, 200, b"", []),
        ({"latency": 0.1}, 200, b"", ["took 250 ms, at most 100 ms expected (empty answer)"]),
        ({"text": "a", "regex": "b"}, 500, b"\xff", [
            "HTTP 500 instead of 2xx",
            "the text 'a' is not in the answer",
            "the answer does not match 'b' (answer: \ufffd)",
        ]),
    ],
)  # fmt: skip
def test_judge(expect: dict[str, Any], status: int, body: bytes, reasons: list[str]) -> None:
    from requests.structures import CaseInsensitiveDict

    assert _checks.judge(expect, status, CaseInsensitiveDict(HEADERS), body, 0.25) == reasons


def test_a_reason_holds_the_start_of_the_answer_only() -> None:
    (reason,) = _checks.judge({}, 500, {}, b"a b\n" * 100_000, 0.1)
    assert len(reason) < 400
    assert "\n" not in reason


# --- reading


def parse(*checks: dict[str, Any]) -> list[dict[str, Any]]:
    return _checks.parse(recorded.parameters(_smoke_check, checks=list(checks)))


def mistakes(*checks: dict[str, Any], **options: Any) -> BlueGreenError:
    """Found in check mode too, and before anything is asked."""
    cluster = RecordedCluster(dry_run=True)
    with pytest.raises(BlueGreenError) as caught:
        recorded.run(_smoke_check, cluster, checks=list(checks), **options)
    assert caught.value.reason == "bad_input"
    assert cluster.requests == []
    return caught.value


def test_what_is_not_given_has_a_default() -> None:
    (parsed,) = parse({"http": "/health"})
    assert parsed["name"] == "/health"
    assert (parsed["method"], parsed["retries"], parsed["timeout"], parsed["pods"]) == ("GET", 0, 5, "all")
    assert parsed["expect"] == {}


def test_durations_are_seconds() -> None:
    (parsed,) = parse({"http": "/", "timeout": "1m", "delay": "500ms", "expect": {"latency": "20ms"}})
    assert (parsed["timeout"], parsed["delay"], parsed["expect"]["latency"]) == (60, 0.5, 0.02)


def test_the_users_checks_are_not_changed() -> None:
    given = {"http": "/", "timeout": "1m", "expect": {"status": 200, "latency": "20ms"}, "body": {"a": 1}}
    kept = copy.deepcopy(given)
    parse(given)
    assert given == kept


KNOWN = "body, ca_cert, delay, expect, headers, host, http, method, name, pods, port, retries, scheme, service, timeout, via"


def test_all_mistakes_are_named_at_once() -> None:
    """The golden text of a mistyped list of checks."""
    error = mistakes(
        {"name": "health", "htp": "/health"},
        {"name": "both", "http": "/", "url": "http://shop.example/"},
        {"name": "path", "http": "health"},
        {"name": "address", "url": "shop.example/health", "port": 80},
        {"name": "verb", "http": "/", "method": "FETCH", "retries": -1, "timeout": "soon"},
        {"name": "expects", "http": "/", "expect": {"code": 200, "json": ["version"], "regex": "(", "status": "2xx"}},
        {"name": "path", "http": "/", "pods": "some", "scheme": "ftp", "headers": ["A: b"]},
    )
    assert str(error) == textwrap.dedent(
        """\
        The checks have 17 mistakes.
          check health: needs exactly one of http, url, command, prometheus, tcp, job
          check health: unknown option 'htp'; known are KNOWN
          check both: needs exactly one of http, url, command, prometheus, tcp, job, not http and url
          check path: http is a path that starts with '/', not 'health'
          check address: port has no meaning for url; it is an option of http, command
          check address: url is no http or https address: 'shop.example/health'
          check verb: retries is a whole number of 0 or more, not -1
          check verb: timeout is not a duration: 'soon'
          check verb: method 'FETCH' is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
          check expects: unknown expectation 'code'; known are status, json, header, text, regex, latency
          check expects: expect.status is a number or a list of numbers, not '2xx'
          check expects: expect.json is a dictionary, not ['version']
          check expects: expect.regex '(': missing ), unterminated subpattern at position 0
          check path: headers is a dictionary, not ['A: b']
          check path: pods is all, any, one or a whole number of 1 or more, not 'some'
          check path: scheme is http or https, not 'ftp'
          two checks are named 'path'; give each its own name
        Next: Correct bluegreen_checks; nothing has been changed."""
    ).replace("KNOWN", KNOWN)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"http": "/", "timeout": 0}, "timeout"),
    ({"http": "/", "timeout": "0s"}, "timeout"),
    ({"http": "/", "delay": -1}, "delay is not a duration"),
    ({"http": None}, "http is a path"),
    ({"url": None}, "url is no http or https address"),
    ({"url": "ftp://shop.example/"}, "url is no http or https address"),
    ({"url": "http://"}, "url is no http or https address"),
    ({"url": "http://shop.example/", "pods": "any"}, "pods has no meaning for url"),
    ({"http": "/", "pods": 0}, "a whole number of 1 or more"),
    ({"http": "/", "retries": "many"}, "retries is a whole number"),
    ({"http": "/", "retries": 1.5}, "retries is a whole number"),
    ({"http": "/", "port": "80/tcp"}, "port is a number or a port's name"),
    ({"http": "/", "via": "proxy", "headers": {"Authorization": "Bearer x"}}, "Authorization"),
    ({"http": "/", "method": None}, "method"),
    ({"http": "/", "expect": None}, "expect is a dictionary"),
    ({"http": "/", "expect": {"json": {"a[": 1}}}, "is no JMESPath"),
    ({"http": "/", "expect": {"text": 5}}, "expect.text is text"),
    ({"http": "/", "expect": {"regex": 5}}, "expect.regex 5"),
    ({"http": "/", "expect": {"header": "X"}}, "expect.header is a dictionary"),
    ({"http": "/", "expect": {"latency": "fast"}}, "latency is not a duration"),
    ({}, "needs exactly one of http, url, "),
]


@pytest.mark.parametrize(("wrong", "said"), MISTAKES)
def test_a_mistake_is_named(wrong: dict[str, Any], said: str) -> None:
    found = mistakes({"name": "one", **wrong}).why
    assert any(said in mistake and mistake.startswith("check one: ") for mistake in found), found


def test_a_check_without_a_name_is_named_by_its_number() -> None:
    assert mistakes({"http": "/"}, {"http": "x"}).why[0].startswith("check number 2: ")


def test_mistakes_in_a_job_are_named_before_anything(tmp_path: Path) -> None:
    (tmp_path / "pod.yml").write_text("kind: Pod\n")
    (tmp_path / "broken.yml").write_text("a: [")
    error = mistakes(
        {"name": "absent", "job": "absent.yml"},
        {"name": "pod", "job": "pod.yml", "keep_failed": "perhaps"},
        {"name": "broken", "job": "broken.yml", "pods": "all"},
        chdir=str(tmp_path),
    )
    text = str(error)
    assert f"check absent: {tmp_path}/absent.yml: No such file or directory" in text
    assert f"check pod: {tmp_path}/pod.yml: it is no Job but 'Pod'" in text
    assert "check pod: keep_failed is true or false, not 'perhaps'" in text
    assert "is no YAML" in text
    assert "pods has no meaning for job" in text
