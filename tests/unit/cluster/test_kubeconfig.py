# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeconfig says is done, as kubectl does it, or refused in one sentence that shows nothing out of it."""

from __future__ import annotations

import base64
import builtins
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import recorded
import yaml
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import login as programs
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from certificates import Authority
from loopback import Loopback, as_json, refusal

EMPTY = {"items": [], "metadata": {}}


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": {"token": "s3cret-token"} if user is None else user}],
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "store"}},
            {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "other"}},
        ],
    }


def written(directory: Path, config: Any, name: str = "config") -> str:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    return str(path)


class Asked:
    """One operation, which lists the Services: its result, and all that it has shown."""

    def __init__(self, **options: Any) -> None:
        shown: list[str] = []
        params = recorded.parameters(current_color, **{"services": ["shop"], "api_timeout": 1, **options})
        self.result = _operation.execute(current_color, params, False, shown.append, warn=shown.append)
        self.text, self.reason, self.shown = self.result["msg"], self.result["reason"], json.dumps([self.result, shown])


@pytest.fixture
def server(loopback: Loopback) -> Loopback:
    loopback.answer = lambda seen: as_json(EMPTY) if seen.path.endswith("s") else refusal(404)
    return loopback


def connect(config: Any, **options: Any) -> Cluster:
    return Cluster(recorded.parameters(current_color, kubeconfig=config, **options), "bg_test")


def sent(config: Any, server: Loopback, **options: Any) -> Any:
    """The headers of a request."""
    connect(config, **options).list("Service")
    return server.seen[-1].headers


# --- what is no kubeconfig


@pytest.mark.parametrize("where", ["option", "variable", "home", "directory"])
def test_one_that_may_not_be_read_is_not_none(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, kubeconfig("http://x.example"), "home/.kube/config")
    open_, stat = builtins.open, os.stat

    def denied(real: Any, nearest: str) -> Any:
        def call(file: Any, *arguments: Any, **options: Any) -> Any:
            if str(file).startswith(nearest):
                raise PermissionError(13, "Permission denied", str(file))
            return real(file, *arguments, **options)

        return call

    nearest = str(Path(path).parent) if where == "directory" else path
    monkeypatch.setattr(builtins, "open", denied(open_, nearest))
    if where == "directory":
        monkeypatch.setattr(os, "stat", denied(stat, nearest))
    if where == "variable":
        monkeypatch.setenv("KUBECONFIG", path)
    asked = Asked(**({"kubeconfig": path} if where == "option" else {}))
    assert asked.reason == "no_cluster"
    assert f"The kubeconfig {path} cannot be used: permission denied" in asked.text


NONE = [
    ("", "it is empty"),
    ("# nothing\n", "it is empty"),
    ("{", "it is no YAML"),
    ("a: b\nusers:\n- token: s3cret: x\n", "it is no YAML (line 3)"),
    ("password: *s3cret-alias\n", "it is no YAML (line 1)"),
    ("token: s3cret\0\n", "it is no YAML"),
    ("s3cret", "it is no kubeconfig"),
    ("- s3cret\n", "it is no kubeconfig"),
    ("$ANSIBLE_VAULT;1.1;AES256\n336261\n", "it is encrypted by ansible-vault"),
    ("clusters: 7\ncontexts: s3cret\n", "its contexts are no list of names"),
    ("contexts: [s3cret]\n", "its contexts are no list of names"),
]


@pytest.mark.parametrize("text, why", NONE, ids=range(len(NONE)))
@pytest.mark.parametrize("variable", [False, True])
def test_what_is_no_kubeconfig_is_told_and_not_shown(
    text: str, why: str, variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, text)
    if variable:
        monkeypatch.setenv("KUBECONFIG", path)
    asked = Asked(**({} if variable else {"kubeconfig": path}))
    assert asked.reason == "no_cluster"
    assert f"The kubeconfig {path} cannot be used: {why}" in asked.text
    assert "s3cret" not in asked.shown


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfes3cret")
    assert f"The kubeconfig {path} cannot be used: it is no YAML" in Asked(kubeconfig=str(path)).text


def test_a_directory(tmp_path: Path) -> None:
    assert f"The kubeconfig {tmp_path} cannot be used: it is a directory" in Asked(kubeconfig=str(tmp_path)).text


def test_of_several_files_those_that_are_there_count(tmp_path: Path, server: Loopback) -> None:
    """The first that says something wins, with every version of the client; one that is empty says nothing."""
    first, second = kubeconfig(server.url), kubeconfig("http://127.0.0.1:1", {"token": "of-second"})
    del first["current-context"]
    second["current-context"] = "other"
    third = {**kubeconfig("http://127.0.0.1:1"), "current-context": "main"}
    paths = [written(tmp_path, config, f"{name}/config") for name, config in zip("abc", (first, second, third))]
    merged = ":".join([str(tmp_path / "missing"), written(tmp_path, "", "empty"), *paths])
    cluster = connect(merged)
    assert (cluster.host, cluster.namespace) == (server.url, "other")
    assert sent(merged, server)["Authorization"] == "Bearer s3cret-token"


def test_several_files_none_of_which_is_there() -> None:
    assert "cannot be used: there is no such file" in Asked(kubeconfig="/missing/a:/missing/b").text


TEXT = yaml.safe_dump(kubeconfig("http://127.0.0.1:1"))
TEXTS = {
    "yaml": TEXT,
    "json": json.dumps(kubeconfig("http://127.0.0.1:1")),
    "line": json.dumps(kubeconfig("http://127.0.0.1:1")) + "\n",
    "base64": base64.b64encode(TEXT.encode()).decode(),
    "base64 in lines": base64.encodebytes(TEXT.encode()).decode(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("where", ["option", "K8S_AUTH_KUBECONFIG", "KUBECONFIG"])
def test_its_text_where_a_path_is_expected(text: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of a CI system that is not of type file."""
    if where != "option":
        monkeypatch.setenv(where, text)
    asked = Asked(**({"kubeconfig": text} if where == "option" else {}))
    assert asked.reason == "no_cluster"
    assert "the text of a kubeconfig" in asked.text
    for part in ("s3cret-token", "127.0.0.1:1", text[:40], text.splitlines()[0][:30]):
        assert part not in asked.shown


# --- contexts, clusters, users


@pytest.mark.parametrize("current", [None, "", "gone"])
def test_without_a_current_context_the_choices_are_named(current: str | None, tmp_path: Path) -> None:
    config = {**kubeconfig("http://x.example"), "current-context": current}
    asked = Asked(kubeconfig=written(tmp_path, config))
    assert asked.reason == "no_cluster"
    assert "main, other" in asked.text and "context" in asked.text


def test_the_choices_are_named_also_when_the_one_that_is_wanted_is_not_there(tmp_path: Path) -> None:
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig("http://x.example")), context="shop")
    assert "it has no context 'shop'; it has main, other" in asked.text


@pytest.mark.parametrize("kind", ["cluster", "user"])
def test_what_a_context_names_has_to_be_there(kind: str, server: Loopback, tmp_path: Path) -> None:
    config = kubeconfig(server.url)
    config[kind + "s"] = []
    asked = Asked(kubeconfig=written(tmp_path, config))
    assert asked.reason == "no_cluster"
    assert f"it has no {kind} '{kind[0]}', which context 'main' names" in asked.text
    assert server.seen == [], "nobody asks as nobody"


def test_a_number_that_should_be_text(server: Loopback, tmp_path: Path) -> None:
    """YAML reads 0123 as 83."""
    for name in ("token", "password"):
        asked = Asked(kubeconfig=kubeconfig(server.url, {"username": "ann", name: 8312345}))
        assert (asked.reason, "8312345" in asked.shown) == ("no_cluster", False)
        assert f"the {name} of its user 'u' is no text" in asked.text
    assert server.seen == []


def test_an_error_of_the_library_shows_nothing_of_the_file(server: Loopback, tmp_path: Path) -> None:
    secrets = {"client-secret": "s3cret-client", "refresh-token": "s3cret-refresh"}
    user = {"auth-provider": {"name": "oidc", "config": {**secrets, "idp-issuer-url": "https://idp.example"}}}
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, user)))
    assert asked.reason == "unauthorized" and "auth-provider oidc" in asked.text
    assert "s3cret" not in asked.shown
    assert server.seen == []


@pytest.mark.parametrize("provider", ["azure", "unknown"])
def test_a_way_to_log_in_that_nobody_knows(provider: str, server: Loopback) -> None:
    """With every version of the client: some knew azure."""
    user = {"auth-provider": {"name": provider, "config": {"client-secret": "s3cret-client"}}}
    asked = Asked(kubeconfig=kubeconfig(server.url, user))
    assert asked.reason == "unauthorized" and f"auth-provider {provider}" in asked.text
    assert server.seen == []


def test_inline_data_that_is_none(server: Loopback) -> None:
    config = kubeconfig("https://127.0.0.1:1", {"client-certificate-data": "s3cret", "client-key-data": "s3cret-key"})
    asked = Asked(kubeconfig=config)
    assert asked.reason == "no_cluster" and "s3cret" not in asked.shown


# --- tokens


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", ""])
def test_white_space_around_a_token_is_dropped(end: str, server: Loopback, tmp_path: Path) -> None:
    """As kubectl does it with a tokenFile."""
    (tmp_path / "token").write_text("s3cret-file" + end)
    config = written(tmp_path, kubeconfig(server.url, {"tokenFile": "token"}))
    assert sent(config, server)["Authorization"] == "Bearer s3cret-file"
    config = written(tmp_path, kubeconfig(server.url, {"token": "s3cret-inline" + end}))
    assert sent(config, server)["Authorization"] == "Bearer s3cret-inline"
    assert sent(config, server, api_key="s3cret-option" + end)["Authorization"] == "Bearer s3cret-option"
    assert "s3cret" not in Asked(kubeconfig=config, api_key="s3cret-option" + end).shown


def test_a_token_file_counts_more_than_a_token_and_is_read_again(server: Loopback, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-one\n")
    cluster = connect(written(tmp_path, kubeconfig(server.url, {"tokenFile": "token", "token": "other"})))
    for token in ("s3cret-one", "s3cret-two"):
        (tmp_path / "token").write_text(token + "\n")
        cluster.list("Service")
        assert server.seen[-1].headers["Authorization"] == "Bearer " + token
        assert token in cluster.secrets()


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_without_a_token(content: str | None, server: Loopback, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, {"tokenFile": "token"})))
    assert str(tmp_path / "token") in asked.text and asked.reason == "no_cluster"
    assert server.seen == []


def test_options_replace_the_user(server: Loopback, tmp_path: Path) -> None:
    """His login program is not even run."""
    user = {"exec": {"apiVersion": V1, "command": "/missing/login"}}
    config = kubeconfig(server.url, user)
    assert sent(config, server, api_key="s3cret-mine")["Authorization"] == "Bearer s3cret-mine"
    config = kubeconfig(server.url)
    mine = sent(config, server, username="ann", password="s3cret-pw")["Authorization"]
    assert mine == "Basic " + base64.b64encode(b"ann:s3cret-pw").decode()


# --- as


def test_as_whom_it_asks(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each group is a header of its own: one may have a comma in its name."""
    headers: list[tuple[str, str]] = []
    put = http.client.HTTPConnection.putheader

    def noted(self: Any, name: Any, *values: Any) -> None:
        headers.append((str(name), str(values[0])))
        put(self, name, *values)

    monkeypatch.setattr(http.client.HTTPConnection, "putheader", noted)
    extra = {"acme.com/Project": ["one", "two"]}
    user = {
        "token": "s3cret-token",
        "as": "ann",
        "as-uid": "7",
        "as-groups": ["dev", "ops, all"],
        "as-user-extra": extra,
    }
    connect(kubeconfig(server.url, user)).list("Service")
    assert [header for header in headers if header[0].startswith("Impersonate")] == [
        ("Impersonate-User", "ann"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops, all"),
        ("Impersonate-Extra-acme.com%2fproject", "one"),
        ("Impersonate-Extra-acme.com%2fproject", "two"),
    ]


def test_a_port_forward_is_asked_for_as_the_same_user(server: Loopback) -> None:
    with pytest.raises(BlueGreenError):
        connect(kubeconfig(server.url, {"as": "ann"})).port_forward("app-green-1", 8080, 5)
    assert server.seen[-1].headers["Impersonate-User"] == "ann"


def test_the_option_replaces_whom_a_kubeconfig_names(server: Loopback) -> None:
    headers = sent(kubeconfig(server.url, {"as": "ann", "as-groups": ["dev"]}), server, impersonate_user="bob")
    assert (headers["Impersonate-User"], headers.get("Impersonate-Group")) == ("bob", None)


@pytest.mark.parametrize("user", [{"as-groups": ["dev"]}, {"as-uid": "7"}, {"as-user-extra": {"a": ["b"]}}])
def test_groups_of_nobody_are_refused(user: dict[str, Any], server: Loopback) -> None:
    """As kubectl does: the API server would."""
    asked = Asked(kubeconfig=kubeconfig(server.url, {"token": "s3cret-token", **user}))
    assert asked.reason == "no_cluster" and "without as" in asked.text
    assert server.seen == []


# --- addresses


HOSTS = [
    ("api.example:6443", "https://api.example:6443"),
    ("10.0.0.1", "https://10.0.0.1"),
    ("localhost:8080/", "https://localhost:8080"),
    (" https://api.example/k8s/clusters/c-1 \n", "https://api.example/k8s/clusters/c-1"),
    ("HTTPS://api.example", "https://api.example"),
    ("http://api.example", "http://api.example"),
]


@pytest.mark.parametrize("given, used", HOSTS)
@pytest.mark.parametrize("way", ["option", "file"])
def test_a_host_without_a_scheme_is_https(given: str, used: str, way: str) -> None:
    """A token never goes over a connection that nobody has asked to be open."""
    if way == "option":
        cluster = Cluster(recorded.parameters(current_color, host=given, api_key="t"), "bg_test")
    else:
        cluster = connect(kubeconfig(given))
    assert cluster.host == used


@pytest.mark.parametrize(
    "given", ["ftp://api.example", "unix:///run/x", "https://", "https:api.example", "tcp://1.2.3.4:5"]
)
@pytest.mark.parametrize("way", ["option", "file"])
def test_what_is_no_address_is_refused(given: str, way: str) -> None:
    options = {"host": given, "api_key": "s3cret-key"} if way == "option" else {"kubeconfig": kubeconfig(given)}
    asked = Asked(**options)
    assert asked.reason == "bad_input" and given in asked.text
    assert "https://" in asked.text


def test_a_kubeconfig_without_a_server(tmp_path: Path) -> None:
    config = kubeconfig("")
    del config["clusters"][0]["cluster"]["server"]
    assert "names no server" in Asked(kubeconfig=written(tmp_path, config)).text


def test_user_and_password_in_the_address_of_a_kubeconfig_are_not_shown(tmp_path: Path) -> None:
    config = written(tmp_path, kubeconfig("http://ann:s3cret-pw@127.0.0.1:1"))
    assert "s3cret" not in Asked(kubeconfig=config).shown


# --- TLS


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Loopback, Authority]]:
    """Its certificate is for 127.0.0.9."""
    (tmp_path / "pki").mkdir()
    authority = Authority(tmp_path / "pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.9"))
    with Loopback(context) as server:
        server.answer = lambda seen: as_json(EMPTY)
        yield server, authority


@pytest.mark.parametrize("name, trusted", [("127.0.0.9", True), ("127.0.0.8", False), (None, False)])
def test_the_name_that_the_certificate_has_to_have(
    name: str | None, trusted: bool, secure: tuple[Loopback, Authority], tmp_path: Path
) -> None:
    server, authority = secure
    more = {"tls-server-name": name} if name else {}
    config = kubeconfig(server.url, **{"certificate-authority": "pki/ca.pem", **more})
    asked = Asked(kubeconfig=written(tmp_path, config))
    assert ("is not trusted" in asked.text) is not trusted
    assert bool(server.seen) is trusted
    server.seen.clear()
    with pytest.raises(BlueGreenError):
        connect(written(tmp_path, config)).port_forward("app-green-1", 8080, 5)
    assert bool(server.seen) is trusted


# --- proxies


@pytest.fixture
def proxy() -> Iterator[Loopback]:
    """It connects to nothing."""
    with Loopback() as server:
        server.answer = lambda seen: refusal(407, "Proxy Authentication Required")
        yield server


PASSWORD = "s3cret%40proxy"


@pytest.mark.parametrize("way", ["proxy-url", "option", "without a scheme"])
def test_a_proxy_is_used_and_told_who_asks(way: str, proxy: Loopback) -> None:
    address = proxy.url.replace("://", f"://ann:{PASSWORD}@")
    if way == "without a scheme":
        address = address.removeprefix("http://")
    config = kubeconfig("https://api.example:6443", **({"proxy-url": address} if way == "proxy-url" else {}))
    asked = Asked(kubeconfig=config, **({} if way == "proxy-url" else {"proxy": address}))
    assert {seen.method for seen in proxy.seen} == {"CONNECT"}
    expected = "Basic " + base64.b64encode(b"ann:s3cret@proxy").decode()
    assert {seen.headers.get("Proxy-Authorization") for seen in proxy.seen} == {expected}
    assert {seen.headers.get("Authorization") for seen in proxy.seen} == {None}
    assert "s3cret" not in asked.shown
    assert expected.split()[1] not in asked.shown


@pytest.mark.parametrize("way", ["proxy-url", "option"])
@pytest.mark.parametrize("scheme", ["socks5", "ftp"])
def test_a_proxy_of_another_kind_is_refused(way: str, scheme: str) -> None:
    address = f"{scheme}://ann:{PASSWORD}@proxy.example:1080"
    config = kubeconfig("https://api.example:6443", **({"proxy-url": address} if way == "proxy-url" else {}))
    asked = Asked(kubeconfig=config, **({} if way == "proxy-url" else {"proxy": address}))
    assert asked.reason == "bad_input" and f"{scheme}://" in asked.text and "proxy.example" in asked.text
    assert "s3cret" not in asked.shown


def test_proxies_of_the_environment_are_not_used(
    server: Loopback, proxy: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every version of the client, as is documented."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    sent(kubeconfig(server.url), server)
    Cluster(recorded.parameters(current_color, host=server.url, api_key="t"), "bg_test").list("Service")
    assert (len(server.seen), proxy.seen) == (2, [])


# --- login programs

V1 = "client.authentication.k8s.io/v1"
STATUS = {"token": "s3cret-program"}


def login(directory: Path, script: str, **fields: Any) -> dict[str, Any]:
    """A user who has a login program: a script that is beside the kubeconfig."""
    path = directory / "login.sh"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": "./login.sh", "interactiveMode": "Never", **fields}}


def says(status: Any, version: str = V1) -> str:
    return f"cat <<'EOF'\n{json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status})}\nEOF\n"


def test_a_program_beside_the_kubeconfig(server: Loopback, tmp_path: Path) -> None:
    config = written(tmp_path, kubeconfig(server.url, login(tmp_path, says(STATUS))))
    assert sent(config, server)["Authorization"] == "Bearer s3cret-program"
    assert "s3cret" not in Asked(kubeconfig=config).shown


@pytest.mark.parametrize("told", [False, True])
def test_what_a_program_is_told(told: bool, server: Loopback, tmp_path: Path) -> None:
    """With every version of the client."""
    script = 'printf %s "$KUBERNETES_EXEC_INFO" > "$WHERE"\n' + says(STATUS)
    environment = [{"name": "WHERE", "value": str(tmp_path / "told")}]
    user = login(tmp_path, script, provideClusterInfo=told, env=environment)
    config = kubeconfig(server.url, user)
    config["clusters"][0]["cluster"]["extensions"] = [
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}},
        {"name": "other", "extension": {}},
    ]
    sent(written(tmp_path, config), server)
    info = json.loads((tmp_path / "told").read_text())
    expected: dict[str, Any] = {"interactive": False}
    if told:
        expected["cluster"] = {"server": server.url, "config": {"audience": "x"}}
    assert info == {"apiVersion": V1, "kind": "ExecCredential", "spec": expected}


FAILED = [
    ("echo 'session expired, run: cloud login' >&2; exit 255", "failed (255): session expired, run: cloud login"),
    ("exit 3", "failed (3)"),
    ("kill -9 $$", "failed (-9)"),
    ("echo 'Traceback' >&2; echo 'Error: no session' >&2; exit 1", "failed (1): Error: no session"),
    ("echo s3cret-output", "did not answer with an ExecCredential"),
    ("echo '[]'", "did not answer with an ExecCredential"),
    ("echo '{}'", "did not answer with an ExecCredential"),
    (says({"token": "s3cret-out"}, "client.authentication.k8s.io/v1beta1"), "did not answer with an ExecCredential"),
    (says({}), "gave neither a token nor a certificate"),
    (says(None), "gave neither a token nor a certificate"),
    (says({"clientCertificateData": "x"}), "gave neither a token nor a certificate"),
    (says({"token": "s3cret-out", "expirationTimestamp": "s3cret-soon"}), "did not answer with an ExecCredential"),
]


@pytest.mark.parametrize("script, why", FAILED, ids=range(len(FAILED)))
def test_a_program_that_fails_says_why_itself(script: str, why: str, server: Loopback, tmp_path: Path) -> None:
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, login(tmp_path, script))))
    assert asked.reason == "unauthorized"
    assert f"The login program ./login.sh {why}" in asked.text
    assert "s3cret" not in asked.shown
    assert server.seen == [], "nobody asks as nobody"


def test_what_it_says_shows_no_secret(server: Loopback, tmp_path: Path) -> None:
    """Of its environment, its arguments, and the rest of the kubeconfig."""
    environment = [{"name": "PASSWORD", "value": "s3cret-env"}, {"name": "AWS_PROFILE", "value": "production"}]
    arguments = ["--cluster=shop", "--client-secret=s3cret-argument", "--client-key", "s3cret-next"]
    script = 'echo "cannot log in to $AWS_PROFILE: $PASSWORD $* " >&2; exit 1'
    user = login(tmp_path, script, env=environment, args=arguments)
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, user)))
    assert "cannot log in to production: " in asked.text and "--cluster=shop" in asked.text
    assert "s3cret" not in asked.shown


@pytest.mark.parametrize("command", ["/missing/login", "no-such-login-program", "./missing.sh"])
def test_a_program_that_is_not_there(command: str, server: Loopback, tmp_path: Path) -> None:
    user = login(tmp_path, "", command=command, installHint="Get it from cloud.example.")
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, user)))
    assert asked.reason == "unauthorized"
    assert f"The login program {command} cannot be started: " in asked.text
    assert "Get it from cloud.example." in asked.text
    assert server.seen == []


def test_a_program_that_needs_a_terminal(server: Loopback, tmp_path: Path) -> None:
    user = login(tmp_path, says(STATUS), interactiveMode="Always")
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, user)))
    assert asked.reason == "unauthorized" and "needs a terminal" in asked.text


def test_a_program_that_does_not_end(server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a browser, say; and what it has started is ended with it."""
    monkeypatch.setattr(programs, "SECONDS", 0.5)
    user = login(tmp_path, "echo 'open the browser' >&2; sleep 600 & echo $! > child; wait")
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    asked = Asked(kubeconfig=written(tmp_path, kubeconfig(server.url, user)))
    assert asked.reason == "unauthorized" and "has not ended" in asked.text and "open the browser" in asked.text
    assert time.monotonic() - began < 60
    child = (tmp_path / "child").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert state.strip()[:1] in ("", "Z")


def test_a_token_is_renewed_when_it_is_due(server: Loopback, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}\nn=$(wc -l < {count})\n" + (
        f'echo "{{\\"apiVersion\\": \\"{V1}\\", \\"kind\\": \\"ExecCredential\\", \\"status\\": '
        f'{{\\"token\\": \\"s3cret-$n\\", \\"expirationTimestamp\\": \\"$EXPIRES\\"}}}}"\n'
    )
    for expires, tokens in (("2001-01-01T00:00:00Z", 2), ("2999-01-01T00:00:00.123456789+02:00", 1)):
        count.write_text("")
        user = login(tmp_path, script, env=[{"name": "EXPIRES", "value": expires}])
        cluster = connect(written(tmp_path, kubeconfig(server.url, user)))
        cluster.list("Service")
        first = server.seen[-1].headers["Authorization"]
        cluster.list("Service")
        assert len({first, server.seen[-1].headers["Authorization"]}) == tokens


def test_a_certificate_of_a_program(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    authority = Authority(tmp_path / "pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("ann")
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    with Loopback(context) as server:
        server.answer = lambda seen: as_json(EMPTY)
        config = kubeconfig(server.url, login(tmp_path, says(status)), **{"certificate-authority": "pki/ca.pem"})
        assert sent(written(tmp_path, config), server).get("Authorization") is None


# --- module mode


PLAY = [{"hosts": "all", "gather_facts": False, "tasks": [{"bluegreen.kubernetes.bg_current_color": {
    "services": ["shop"], "api_timeout": 0, "kubeconfig": "{{ config }}", "namespace": "store"}}]}]  # fmt: skip


@pytest.mark.parametrize("form", ["dictionary", "text"])
def test_at_vvv_a_module_shows_none_either(form: str, server: Loopback, tmp_path: Path) -> None:
    """A task for another host runs as a module, whose arguments Ansible then shows."""
    secrets = {"client-secret": "s3cret-client", "access-token": "s3cret-access"}
    user = {
        **login(
            tmp_path, "exit 1", env=[{"name": "AWS_SESSION", "value": "s3cret-env"}], args=["--token", "s3cret-arg"]
        ),
        "password": "s3cret-pw",
        "auth-provider": {"name": "oidc", "config": secrets},
    }
    config = kubeconfig(server.url, user, **{"proxy-url": f"http://ann:{PASSWORD}@127.0.0.1:1"})
    given = {"config": config if form == "dictionary" else TEXT}
    (tmp_path / "vars.json").write_text(json.dumps(given))
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))
    (tmp_path / "hosts").write_text(f"one ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    ended = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-vvv", "-i", "hosts", "-e", "@vars.json", "play.yml"],
        cwd=tmp_path,
        # What runs as another user is a module; this one becomes the user that he is.
        env={**os.environ, "ANSIBLE_BECOME": "1", "ANSIBLE_BECOME_EXE": written_su(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    output = ended.stdout + ended.stderr
    assert '"invocation"' in output or "module_args" in output, output
    assert "s3cret" not in output


def written_su(directory: Path) -> str:
    """A sudo that only runs what it is told."""
    path = directory / "sudo"
    path.write_text('#!/bin/sh\nfor word; do last=$word; done\nexec /bin/sh -c "$last"\n')
    path.chmod(0o755)
    return str(path)
