# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running of an operation: every exception is an error that explains itself, and no credential is shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
import recorded
import yaml
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color, switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import APPLICATION
from api import Api
from loopback import Loopback
from recorded import RecordedCluster


@pytest.fixture
def api(loopback: Loopback) -> Api:
    return Api(loopback, RecordedCluster(at="ready"))


def operation(run: Callable[..., Any], **more: Any) -> Any:
    arguments = {**APPLICATION, "url": {"type": "str"}, "nested": {"type": "raw"}}
    return SimpleNamespace(
        NAME="bg_test", ARGUMENTS=arguments, DURATIONS=(), KEEPS_LOCK=False, RETURNS={}, run=run, **more
    )


def execute(run: Callable[..., Any], **options: Any) -> tuple[dict[str, Any], str]:
    """:returns: the result, and everything that was shown"""
    shown: list[str] = []
    one = operation(run)
    params = recorded.parameters(one, **options)
    result = _operation.execute(one, params, False, shown.append, warn=shown.append)
    return result, json.dumps([result, shown])


def test_every_exception_is_an_error_with_a_reason(api: Api) -> None:
    def run(params: Any, cluster: Any, progress: Any) -> Any:
        return {}["reason"]

    result, _shown = execute(run, **api.connection)
    assert (result["failed"], result["reason"]) == (True, "unexpected")
    for text in ("KeyError", "'reason'", "test_operation.py, line"):
        assert text in result["msg"]


def test_also_one_before_there_is_a_connection(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    def fail(*arguments: Any) -> None:
        raise ZeroDivisionError("of a library")

    monkeypatch.setattr(Cluster, "__init__", fail)
    assert execute(lambda *arguments: {}, **api.connection)[0]["reason"] == "unexpected"


TOKENS = ["s3cret-t0ken\nwith-a-break", "s3cret-t0ken\r\n X-Header: with-a-break", "s3cret-t0ken-€-with-a-break"]


@pytest.mark.parametrize("token", TOKENS, ids=["line", "header", "character"])
@pytest.mark.parametrize("way", ["option", "file", "dictionary"])
def test_a_token_that_is_no_header_is_not_shown(token: str, way: str, api: Api, tmp_path: Path) -> None:
    options = dict(api.connection, api_key=token)
    if way != "option":
        config = kubeconfig(api, {"token": token})
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        options = {"namespace": "store", "kubeconfig": config if way == "dictionary" else str(tmp_path / "config")}
    result, shown = execute(lambda params, cluster, progress: cluster.list("Service"), **options)
    assert result["reason"] == "bad_input"
    assert "token" in result["msg"]
    assert [part for part in ("s3cret", "with-a-break") if part in shown] == []


def kubeconfig(api: Api, user: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [{"name": "c", "cluster": {"server": api.server.url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
    }


USERS: list[dict[str, str]] = [{"token": "s3cret-of-the-file"}, {"username": "ann", "password": "s3cret-of-the-file"}]


@pytest.mark.parametrize("user", USERS, ids=["token", "password"])
@pytest.mark.parametrize("how", ["raised", "returned", "said", "warned"])
def test_what_a_kubeconfig_holds_is_shown_nowhere(user: dict[str, str], how: str, api: Api, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(api, user)))

    def run(params: Any, cluster: Any, progress: Any) -> Any:
        if how == "raised":
            raise ValueError("Invalid header value b'Bearer s3cret-of-the-file'")
        if how == "said":
            progress("with s3cret-of-the-file")
        if how == "warned":
            cluster.warn("with s3cret-of-the-file")
        return {"found": ["with s3cret-of-the-file"]} if how == "returned" else {}

    result, shown = execute(run, kubeconfig=str(tmp_path / "config"))
    assert "s3cret" not in shown
    assert ("********" in shown) is True
    assert result["changed"] is False


ADDRESS = "https://ann:s3cret%40pw@shop.example/status"


@pytest.mark.parametrize(
    "where", [{"url": ADDRESS}, {"nested": {"probe": [{"url": ADDRESS}]}}, {"nested": f"x {ADDRESS}"}]
)
def test_a_password_in_an_address_is_shown_nowhere(where: dict[str, Any], api: Api) -> None:
    def run(params: Any, cluster: Any, progress: Any) -> Any:
        raise ValueError(f"no answer of {ADDRESS}, user ann:s3cret@pw")

    result, shown = execute(run, **where, **api.connection)
    assert "shop.example" in result["msg"]
    assert "s3cret" not in shown


def test_nor_is_that_of_a_probe(api: Api) -> None:
    probe = {"url": ADDRESS.replace("shop.example", f"127.0.0.1:{api.server.port}"), "color_from": {"header": "X"}}
    params = recorded.parameters(switch, color="green", probe=probe, **api.connection)
    assert {"s3cret%40pw", "s3cret@pw"} <= _operation.secrets(switch, params)


def test_what_is_not_secret_is_shown(api: Api) -> None:
    result = _operation.execute(current_color, recorded.parameters(current_color, **api.connection), False)
    assert result["active_color"] == "blue"
    assert "********" not in json.dumps(result)


def test_what_cannot_be_hidden_is_not_begun(api: Api) -> None:
    def fail(params: Any) -> set[str]:
        raise KeyError("definition")

    one = operation(lambda *arguments: {"began": True}, secrets=fail)
    result = _operation.execute(one, recorded.parameters(one, **api.connection), False)
    assert (result["reason"], "began" in result) == ("unexpected", False)


NAMES = ["postgres://myapp:myapp@db/myapp", "postgres://myapp:blue@db/myapp", "docker-pullable://myapp@sha256:ab"]


@pytest.mark.parametrize("address", NAMES)
def test_a_password_that_is_a_name_hides_only_itself(address: str, api: Api) -> None:
    result, shown = execute(
        lambda params, cluster, progress: {"found": f"blue myapp {address}"}, url=address, **api.connection
    )
    assert result["found"].startswith("blue myapp ")
    assert (address in shown) is address.startswith("docker")
