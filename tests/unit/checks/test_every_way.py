# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same application, asked by every way in: the same request, and the same answer."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any, Callable, Iterator

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from api import Api
from checking import check, failure, mistakes, proxied
from loopback import Answer, Loopback, Seen, as_json, refusal

WAYS = ["proxy", "port_forward", "service_proxy", "url"]
FOUND = {"json": {"version": "2.0"}}
DOCUMENT = b'{"version": "2.0"}'


@pytest.fixture
def application(api: Api) -> Iterator[Loopback]:
    """Is behind the pods' port, the API server's proxy, and an address."""
    with Loopback() as server:
        server.answer = lambda seen: as_json({"version": "2.0"})
        api.listening[8080] = server.port
        api.application = lambda seen, pod, path: server.answer(seen._replace(path=path))
        yield server


def asked_by(way: str, server: Loopback, path: str = "/", **options: Any) -> dict[str, Any]:
    if way == "url":
        return {"name": "one", "url": server.url + path, **options}
    service = {"service": "myapp"} if way == "service_proxy" else {}
    return {"name": "one", "http": path, "via": way, **service, **options}


def answered(content_type: str, body: bytes, **headers: str) -> Callable[[Seen], Answer]:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda seen: Answer(200, body, {"Content-Type": content_type, **headers})


BODIES = {
    "BOM": (answered("application/json; charset=utf-8", b"\xef\xbb\xbf" + DOCUMENT), FOUND),
    "UTF-16 with BOM": (answered("application/json", DOCUMENT.decode().encode("utf-16")), FOUND),
    "charset": (answered("text/plain; charset=iso-8859-1", b"Pr\xfcfung ok"), {"text": "Prüfung ok"}),
    "charset in quotes": (answered('text/plain; charset="ISO-8859-1"', b"Pr\xfcfung ok"), {"regex": "^Prüfung ok$"}),
    "charset of JSON": (answered("application/json; charset=latin1", b'{"a": "\xfc"}'), {"json": {"a": "ü"}}),
    "charset that is none": (answered("text/plain; charset=none", "Prüfung".encode()), {"text": "Prüfung"}),
    "charset that is no text": (answered("text/plain; charset=hex", "Prüfung".encode()), {"text": "Prüfung"}),
    "no type": (lambda seen: Answer(200, "Prüfung".encode()), {"text": "Prüfung"}),
    "gzip": (answered("application/json", gzip.compress(DOCUMENT), Content_Encoding="gzip"), FOUND),
    "deflate": (answered("application/json", zlib.compress(DOCUMENT), Content_Encoding="deflate"), FOUND),
    "gzip in pieces": (
        lambda seen: Answer(200, (bytes([byte]) for byte in gzip.compress(DOCUMENT)), {"Content-Encoding": "gzip"}),
        FOUND,
    ),
    "a header twice": (
        lambda seen: Answer(200, b"", {"X-Color": "green", "x-color": "dark"}),
        {"header": {"X-Color": "green, dark"}},
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", BODIES)
def test_an_answer_is_read(body: str, way: str, application: Loopback, api: Api) -> None:
    application.answer, expect = BODIES[body]
    assert check(api, asked_by(way, application, expect=expect))["passed"] is True


@pytest.mark.parametrize("way", WAYS)
def test_an_encoding_that_is_not_known_is_said(way: str, application: Loopback, api: Api) -> None:
    application.answer = answered("application/json", b"\x8f\x02\x80ab", Content_Encoding="x-snappy")
    assert check(api, asked_by(way, application))["passed"] is True, "its status is as expected"
    error = failure(api, asked_by(way, application, expect=FOUND))
    assert "the answer is no JSON (its Content-Encoding x-snappy is not known here)" in str(error)


@pytest.mark.parametrize("way", WAYS)
def test_an_encoding_that_it_has_not_is_said(way: str, application: Loopback, api: Api) -> None:
    application.answer = answered("application/json", DOCUMENT, Content_Encoding="gzip")
    assert "the answer is not what its Content-Encoding says" in str(failure(api, asked_by(way, application)))


@pytest.mark.parametrize("way", WAYS)
def test_the_same_kind_of_answer_is_asked_for(way: str, application: Loopback, api: Api) -> None:
    """Many applications look at Accept."""

    def answer(seen: Seen) -> Answer:
        wants = seen.headers.get("Accept", "nothing")
        return as_json({"version": "2.0"}) if wants.startswith("application/json") else Answer(200, wants.encode())

    application.answer = answer
    assert check(api, asked_by(way, application, expect=FOUND))["passed"] is True
    assert check(api, asked_by(way, application, expect={"regex": r"^\*/\*$"}))["passed"] is True
    own = {"headers": {"accept": "text/csv"}, "expect": {"text": "text/csv"}}
    assert check(api, asked_by(way, application, **own))["passed"] is True


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        ("/a b", "/a%20b"),
        ("/Prüfung?q=ü", "/Pr%C3%BCfung"),
        ("/a/../b", "/b"),
        ("/a#part", "/a"),
        ("/100%25", "/100%25"),
    ],
)
def test_a_path_arrives(path: str, arrives: str, way: str, application: Loopback, api: Api) -> None:
    application.answer = lambda seen: as_json({"path": seen.path, "q": seen.query.get("q")})
    expect = {"json": {"path": arrives, "q": "ü" if "?" in path else None}}
    assert check(api, asked_by(way, application, path, expect=expect))["passed"] is True


JOINED_BY_THE_PROXY = ["/q/a%2Fb", "/q/a%2fb", "/q//b", "/q/%2e/b"]


@pytest.mark.parametrize("path", JOINED_BY_THE_PROXY)
def test_what_the_proxy_would_join_goes_through_a_port_forward(path: str, application: Loopback, api: Api) -> None:
    application.answer = lambda seen: as_json({"path": seen.path.lower()})  # the case of %2F means nothing
    one = {"http": path, "expect": {"json": {"path": path.lower()}}}
    result = check(api, one)
    assert [item["via"] for item in result["checks"]] == ["port_forward"] * 3
    assert proxied(api) == []


@pytest.mark.parametrize("path", JOINED_BY_THE_PROXY)
@pytest.mark.parametrize("way", [{"via": "proxy"}, {"via": "service_proxy", "service": "myapp"}])
def test_or_is_refused(way: dict[str, str], path: str) -> None:
    (text,) = mistakes({"name": "up", "http": path, **way}).why
    assert text == (
        f"check up: the API server's proxy decodes the path and joins its parts anew, so {path!r} arrives as another one; "
        "use port_forward or auto"
    )


def test_one_that_it_does_not_is_sent_by_the_proxy(application: Loopback, api: Api) -> None:
    for path in ("/", "/a/", "/a%20b/", "/?next=a%2Fb//c"):
        assert {item["via"] for item in check(api, {"http": path})["checks"]} == {"proxy"}


# --- ports that are none

KINDS: list[dict[str, Any]] = [
    {"http": "/"},
    {"http": "/", "via": "port_forward"},
    {"command": ["true"]},
    {"grpc": "", "timeout": 1},
]


@pytest.mark.parametrize("one", KINDS, ids=["proxy", "port_forward", "command", "grpc"])
def test_a_port_name_that_the_pods_have_not(one: dict[str, Any], application: Loopback, api: Api) -> None:
    """It is a failed check, at once; the others are asked all the same."""
    asked = {"retries": 3, "delay": "1h", **one, "name": "wrong", "port": "web"}
    error = failure(api, asked, {"name": "right", "http": "/"})
    assert error.reason == "checks_failed"
    assert "the pod has no port named web, it has 8080 http" in str(error)
    assert "API server" not in str(error)
    assert {item["passed"] for item in error.result["checks"] if item["name"] == "right"} == {True}
    assert not [seen for seen in api.server.seen if "web" in seen.path + str(seen.query)]


def test_a_port_name_of_the_service_that_the_pods_have_not(application: Loopback, api: Api) -> None:
    api.store.objects("Service")[0]["spec"]["ports"] = [{"port": 80, "targetPort": "web"}]
    error = failure(api, {"name": "wrong", "http": "/"}, {"name": "right", "http": "/", "port": "http"})
    assert "the pod has no port named web, to which Service myapp leads, it has 8080 http" in str(error)
    assert {item["passed"] for item in error.result["checks"] if item["name"] == "right"} == {True}


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (81, 'no service port 81 found for service "myapp"'),
        ("web", 'no endpoints available for service "myapp"'),
    ],
)
def test_a_port_that_the_service_has_not(port: Any, said: str, application: Loopback, api: Api) -> None:
    api.application = lambda seen, service, path: refusal(503, said, reason="ServiceUnavailable")
    api.ready = lambda: as_json("ok")
    service = {"http": "/", "via": "service_proxy", "service": "myapp"}
    error = failure(api, {"name": "wrong", **service, "port": port}, api_timeout=0)
    assert error.reason == "checks_failed"
    assert f"Service myapp has no port {port}, it has 80 http" in str(error)


def test_a_port_of_prometheus_that_there_is_not(application: Loopback, api: Api) -> None:
    said = 'no service port 9090 found for service "prometheus"'
    api.application = lambda seen, service, path: refusal(503, said, reason="ServiceUnavailable")
    one = {"name": "rate", "prometheus": "up", "expect": {"min": 1}}
    error: BlueGreenError = failure(api, one, prometheus={"service": "prometheus"}, api_timeout=0)
    assert (error.reason, said in str(error)) == ("checks_failed", True), json.dumps(str(error))
