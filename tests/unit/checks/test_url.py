# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP by a whole address."""

from __future__ import annotations

import json

from api import Api
from checking import check, failure
from loopback import Answer, as_json, free_port


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
