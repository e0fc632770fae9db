# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, as whom: options, then kubeconfig, then $KUBECONFIG, then the pod's account, then ~/.kube/config."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest
import recorded
import yaml
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import credentials
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operation import secrets
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from certificates import Authority
from kubernetes.config import incluster_config
from loopback import Loopback, as_json


def kubeconfig(server: str, token: str = "t-file", namespace: str | None = "from-file", **user: Any) -> dict[str, Any]:
    """A kubeconfig with the contexts `main` (current) and `other`."""
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "clusters": [
            {"name": "c", "cluster": {"server": server}},
            {"name": "other", "cluster": {"server": "http://other.example"}},
        ],
        "users": [{"name": "u", "user": {"token": token, **user}}],
        "contexts": [
            {"name": "main", "context": context},
            {"name": "other", "context": {"cluster": "other", "user": "u", "namespace": "from-other"}},
        ],
    }


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Any]:
    """Writes a kubeconfig and returns its path."""

    def write(name: str = "config", **fields: Any) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(kubeconfig(**{"server": f"http://{Path(name).name}.example", **fields})))
        return str(path)

    return write


def connect(**options: Any) -> Cluster:
    return Cluster(recorded.parameters(current_color, **options), "bg_test")


def token(cluster: Cluster, loopback: Loopback) -> str | None:
    """What the API server gets to see."""
    loopback.answer = lambda seen: as_json({"items": [], "metadata": {}})
    cluster.list("Service")
    return loopback.seen[-1].headers.get("Authorization")


def in_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str = "10.0.0.1", port: str = "443") -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text("t-pod")
    (account / "namespace").write_text("from-pod\n")
    certificate = Authority(tmp_path).certificate
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(credentials, "IN_CLUSTER_DIR", str(account))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(account / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificate))


# --- precedence


def test_the_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Any) -> None:
    """Each source in turn is taken away, and the next one takes its place."""
    home, variable, option = file("home/.kube/config"), file("variable"), file("option")
    in_cluster(monkeypatch, tmp_path)
    monkeypatch.setenv("KUBECONFIG", variable)
    sources = [
        connect(host="http://host.example", api_key="t", kubeconfig=option),
        connect(kubeconfig=option),
        connect(),
    ]
    monkeypatch.delenv("KUBECONFIG")
    sources.append(connect())
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    sources.append(connect())
    assert [cluster.host for cluster in sources] == [
        "http://host.example",
        "http://option.example",
        "http://variable.example",
        "https://10.0.0.1:443",
        "http://config.example",
    ]
    assert sources[0].source == "the connection options"
    assert option in sources[1].source
    assert variable in sources[2].source
    assert "ServiceAccount" in sources[3].source
    assert home in sources[4].source
    Path(home).unlink()
    with pytest.raises(BlueGreenError) as caught:
        connect()
    assert caught.value.reason == "no_cluster"


def test_no_cluster_at_all_says_where_was_looked() -> None:
    with pytest.raises(BlueGreenError) as caught:
        connect()
    assert caught.value.reason == "no_cluster"
    for place in ("K8S_AUTH_", "$KUBECONFIG", "ServiceAccount", "/home/.kube/config"):
        assert place in str(caught.value)
    assert "Set KUBECONFIG" in str(caught.value)


def test_a_kubeconfig_option_hides_the_pods_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Any) -> None:
    in_cluster(monkeypatch, tmp_path)
    assert connect(kubeconfig=file("option")).host == "http://option.example"


@pytest.mark.parametrize("option", [False, True])
def test_a_context(option: bool, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named beside a kubeconfig, or beside $KUBECONFIG."""
    if option:
        cluster = connect(kubeconfig=file("option"), context="other")
    else:
        monkeypatch.setenv("KUBECONFIG", file("variable"))
        cluster = connect(context="other")
    assert (cluster.host, cluster.namespace) == ("http://other.example", "from-other")


def test_a_context_of_a_kubeconfig_that_has_chosen_none(tmp_path: Path) -> None:
    config = kubeconfig("http://x.example")
    del config["current-context"]
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    assert connect(kubeconfig=str(path), context="other").namespace == "from-other"
    assert connect(kubeconfig=config, context="other").namespace == "from-other"


def test_options_complete_a_kubeconfig(file: Any, loopback: Loopback) -> None:
    """A host of one's own, a token of one's own: the rest is the file's."""
    assert connect(kubeconfig=file("option"), host="http://tunnel.example").host == "http://tunnel.example"
    cluster = connect(kubeconfig=file("option", server=loopback.url), api_key="t-option")
    assert token(cluster, loopback) == "Bearer t-option"
    assert token(connect(kubeconfig=file("option", server=loopback.url)), loopback) == "Bearer t-file"


def test_the_pods_token_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path_for(tmp_path, "pki"))
    certificate, key = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(context) as server:
        in_cluster(monkeypatch, tmp_path, "127.0.0.1", str(server.port))
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.certificate))
        cluster = connect()
        assert token(cluster, server) in ("Bearer t-pod", "bearer t-pod")
        assert cluster.namespace == "from-pod"


def tmp_path_for(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


# --- namespace


def test_the_namespace(file: Any) -> None:
    assert connect(kubeconfig=file("option"), namespace="given").namespace == "given"
    assert connect(kubeconfig=file("option")).namespace == "from-file"
    assert connect(kubeconfig=file("option", namespace=None)).namespace == "default"
    assert connect(kubeconfig=kubeconfig("http://dict.example")).namespace == "from-file"
    assert connect(kubeconfig=kubeconfig("http://dict.example"), context="other").namespace == "from-other"
    assert connect(host="http://host.example", api_key="t").namespace == "default"


def test_an_empty_namespace_is_none(file: Any) -> None:
    """Templates make an empty text of nothing."""
    assert connect(kubeconfig=file("option"), namespace="").namespace == "from-file"


# --- variables


def test_variables_stand_for_options(monkeypatch: pytest.MonkeyPatch, loopback: Loopback) -> None:
    monkeypatch.setenv("K8S_AUTH_HOST", loopback.url)
    monkeypatch.setenv("K8S_AUTH_API_KEY", "t-variable")
    assert token(connect(), loopback) == "Bearer t-variable"
    assert token(connect(api_key="t-option"), loopback) == "Bearer t-option"


def test_variables_for_kubeconfig_and_context(monkeypatch: pytest.MonkeyPatch, file: Any) -> None:
    monkeypatch.setenv("KUBECONFIG", file("variable"))
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", file("option"))
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "main")
    assert connect().host == "http://option.example"
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "other")
    assert connect().host == "http://other.example"


def test_user_and_password(loopback: Loopback) -> None:
    cluster = connect(host=loopback.url, username="ann", password="s3cret")
    assert token(cluster, loopback) == "Basic " + base64.b64encode(b"ann:s3cret").decode()


def test_a_host_with_user_and_password_hides_a_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, file: Any, loopback: Loopback
) -> None:
    monkeypatch.setenv("KUBECONFIG", file("variable"))
    cluster = connect(host=loopback.url, username="ann", password="s3cret")
    assert (cluster.host, cluster.source, cluster.namespace) == (loopback.url, "the connection options", "default")


VERIFIED = [
    ("true", True),
    ("True", True),
    ("yes", True),
    ("1", True),
    ("on", True),
    ("false", False),
    ("False", False),
    ("no", False),
    ("0", False),
    ("off", False),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[Loopback]:
    certificate, key = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(context) as server:
        yield server


@pytest.mark.parametrize("name", ["K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS"])
@pytest.mark.parametrize(("text", "verified"), VERIFIED)
def test_whether_certificates_are_verified(
    name: str, text: str, verified: bool, monkeypatch: pytest.MonkeyPatch, secure: Loopback
) -> None:
    """A text `no` is not true."""
    monkeypatch.setenv(name, text)
    cluster = connect(host=secure.url, api_key="t")
    if verified:
        with pytest.raises(BlueGreenError, match="is not trusted"):
            cluster.list("Service")
        assert secure.seen == []
    else:
        assert token(cluster, secure) == "Bearer t"


@pytest.mark.parametrize("option", ["ca_cert", "ssl_ca_cert"])
def test_the_authority_by_option_or_alias(option: str, secure: Loopback, authority: Authority) -> None:
    cluster = connect(host=secure.url, api_key="t", **{option: str(authority.certificate)})
    assert token(cluster, secure) == "Bearer t"


# --- inline data


def inline(authority: Authority, server: str, key: bytes | None = None) -> dict[str, Any]:
    certificate, private = authority.issue("ann")

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    config = kubeconfig(server)
    config["clusters"][0]["cluster"]["certificate-authority-data"] = encoded(authority.certificate.read_bytes())
    config["users"][0]["user"] = {
        "client-certificate-data": encoded(certificate.read_bytes()),
        "client-key-data": encoded(private.read_bytes() if key is None else key),
    }
    return config


@pytest.mark.parametrize("form", ["file", "dictionary", "variable"])
def test_inline_certificates_work_and_leave_no_file(
    form: str, authority: Authority, secure: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_for(tmp_path, "tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    config = inline(authority, secure.url)
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    if form == "variable":
        monkeypatch.setenv("KUBECONFIG", str(path))
        cluster = connect()
    else:
        cluster = connect(kubeconfig=config if form == "dictionary" else str(path))
    assert list(temporary.iterdir()) == []
    assert token(cluster, secure) is None
    assert len(secure.seen) == 1
    assert list(temporary.iterdir()) == []


def test_an_inline_key_that_cannot_be_loaded_leaves_no_file_either(
    authority: Authority, secure: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_for(tmp_path, "tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises(BlueGreenError) as caught:
        connect(kubeconfig=inline(authority, secure.url, b"no key"))
    assert "cannot be loaded" in str(caught.value)
    assert list(temporary.iterdir()) == []


# --- a login program


def test_a_login_program(tmp_path: Path, loopback: Loopback) -> None:
    """kubectl's exec plugins: most managed clusters are reached through one."""
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "t-program"},
    }
    script = tmp_path / "login.py"
    script.write_text(f"print({json.dumps(json.dumps(credential))})")
    config = kubeconfig(loopback.url)
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }
    assert token(connect(kubeconfig=config), loopback) == "Bearer t-program"


# --- what is wrong


def test_a_kubeconfig_that_is_not_there() -> None:
    with pytest.raises(BlueGreenError) as caught:
        connect(kubeconfig="/missing/config")
    assert caught.value.reason == "no_cluster"
    assert "kubeconfig /missing/config cannot be used" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "text", "", "clusters: 7", "\x00"])
def test_a_kubeconfig_that_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BlueGreenError) as caught:
        connect(kubeconfig=str(path))
    assert caught.value.reason == "no_cluster"
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["file", "dictionary"])
def test_a_context_that_is_not_there(form: str, file: Any) -> None:
    with pytest.raises(BlueGreenError) as caught:
        connect(kubeconfig=file("option") if form == "file" else kubeconfig("http://x.example"), context="missing")
    assert caught.value.reason == "no_cluster"
    assert "missing" in str(caught.value)


def test_a_dictionary_that_is_no_kubeconfig() -> None:
    with pytest.raises(BlueGreenError) as caught:
        connect(kubeconfig={"server": "http://x.example"})
    assert caught.value.reason == "no_cluster"


def test_the_secrets_of_a_kubeconfig_are_known() -> None:
    """They are kept out of all output."""
    user = {
        "password": "s-password",
        "client-key-data": "s-key",
        "auth-provider": {"config": {"id-token": "s-id", "refresh-token": "s-refresh", "client-secret": "s-client"}},
    }
    found = secrets(current_color, {"kubeconfig": kubeconfig("http://x.example", "s-token", **user)})
    assert found == {"s-token", "s-password", "s-key", "s-id", "s-refresh", "s-client"}
    assert secrets(current_color, {"kubeconfig": "/a/path"}) == set()
    assert secrets(current_color, {"kubeconfig": None}) == set()


# --- the host's name


@pytest.mark.parametrize("issued_for, trusted", [("127.0.0.2", False), ("127.0.0.1", True)])
def test_a_port_forward_goes_only_to_the_host_that_the_certificate_names(
    issued_for: str, trusted: bool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With urllib3 1.26 as well, which looks at the name itself and lets the context be."""
    create = credentials.urllib3.util.ssl_.create_urllib3_context

    def create_as_1_26(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.check_hostname = False
        return context

    monkeypatch.setattr(credentials.urllib3.util.ssl_, "create_urllib3_context", create_as_1_26)
    certificate, key = authority.issue(issued_for)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(context) as server:
        cluster = connect(host=server.url, api_key="t", ca_cert=str(authority.certificate))
        with pytest.raises(BlueGreenError) as caught:
            cluster.port_forward("app-green-1", 8080, 5)
        assert ("is not trusted" in str(caught.value)) is not trusted
        assert len(server.seen) == trusted
