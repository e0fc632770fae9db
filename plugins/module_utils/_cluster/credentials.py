# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The credentials of a user, wherever they are kept, and the connections that are made with them.

Beside ``quantity.py`` the only importer of ``kubernetes``. Of the official client it uses what every release from 24.2 to 37 has:
the loading of credentials (kubeconfig, exec plugins, in-cluster) and the connection pool built from them.
No typed models and no discovery: they cost more than everything else in a task together.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
import traceback
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.answers import short
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.kubeconfig import (
    described,
    read,
    text_of,
    unusable,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.login import Login
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import (
    SENDABLE,
    address_secrets,
    kubeconfig_secrets,
    scrubbed,
    with_scheme,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

CLIENT_IMPORT_ERROR = None
try:
    import urllib3
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config import kube_config
except ImportError:
    CLIENT_IMPORT_ERROR = traceback.format_exc()

IN_CLUSTER_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass
class Access:
    """Which API server, as whom."""

    configuration: Any  # the client's
    source: str
    namespace: str | None = None  # of the context
    identity: list[tuple[str, str]] = field(default_factory=list)  # headers that say as whom it acts
    secrets: set[str] = field(default_factory=set)  # beside those that the configuration has


def load_configuration(options: Params) -> Access:
    """Choose the credentials: options > kubeconfig or context option > $KUBECONFIG > in-cluster > ~/.kube/config.

    :raises BlueGreenError: there are none, they cannot be used, or the library that loads them is missing.
    """
    if CLIENT_IMPORT_ERROR:
        raise BlueGreenError(
            "The Python package 'kubernetes' is missing in the Python that runs this task.",
            "missing_library",
            why=CLIENT_IMPORT_ERROR.splitlines()[-1:],
            next_step="pip install kubernetes (or use an execution environment that contains it).",
        )
    access = Access(kubernetes_client.Configuration(), "the connection options")
    configuration = access.configuration
    configuration.proxy = configuration.no_proxy = None  # the newest client looks into the environment
    explicit = options["host"] and (
        options["api_key"]
        or (options["client_cert"] and options["client_key"])
        or (options["username"] and options["password"])
    )
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ and os.path.exists(IN_CLUSTER_DIR + "/token")
    default = os.path.expanduser("~/.kube/config")
    named = options["kubeconfig"] or os.environ.get("KUBECONFIG")
    if explicit:
        pass
    elif named or options["context"] or (not in_cluster and _is_there(default)):
        _load_kubeconfig(access, named or default, options)
    elif in_cluster:
        _load_account(access)
    elif not options["host"]:
        raise BlueGreenError(
            "No Kubernetes cluster is configured.",
            "no_cluster",
            why=f"Looked at the options and K8S_AUTH_* variables, $KUBECONFIG, a pod's ServiceAccount, and {default}.",
            next_step="Set KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.",
        )
    for option, attribute in (
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("username", "username"),
        ("password", "password"),
        ("no_proxy", "no_proxy"),
    ):
        if options.get(option):
            setattr(configuration, attribute, options[option])
    if options["host"]:
        configuration.host = _address(options["host"], "host")
    access.secrets |= address_secrets(configuration.host)
    if options["proxy"]:
        _use_proxy(access, options["proxy"])
    if options["validate_certs"] is not None:
        configuration.verify_ssl = options["validate_certs"]
    if options["api_key"]:
        _give(configuration, options["api_key"])
        configuration.refresh_api_key_hook = None
    if options.get("impersonate_user"):
        access.identity = [("Impersonate-User", options["impersonate_user"])]
    return access


def _is_there(path: str) -> bool:
    """Also where nobody may look: then it cannot be read, which is another thing than none."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _address(text: str, what: str, scheme: str = "https") -> str:
    """The address of a server; one that names no scheme means https.

    :raises BlueGreenError: it is none.
    """
    address = with_scheme(text, scheme)
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return re.sub(r"^\w+", parts.scheme, address.rstrip("/"))
    raise BlueGreenError(
        f"The {what} is an address such as https://api.example.com:6443, not {scrubbed(text, address_secrets(address))!r}.",
        "bad_input",
        next_step=f"Correct the {what} (http:// or https://, a name or IP address, and a port).",
    )


def _use_proxy(access: Access, proxy: str | None) -> None:
    if not proxy:
        return
    access.configuration.proxy = _address(proxy, "proxy", "http")
    access.secrets |= address_secrets(access.configuration.proxy)
    user, _at, _host = urlsplit(access.configuration.proxy).netloc.rpartition("@")
    if user:  # urllib3 does not send what is in the address
        headers = urllib3.util.make_headers(proxy_basic_auth=unquote(user))
        access.configuration.proxy_headers = headers
        access.secrets |= {value.partition(" ")[2] for value in headers.values()}


def _give(configuration: Any, token: str) -> None:
    """A token to send; the newest client calls it otherwise, but takes it by this name as well."""
    configuration.api_key = {"authorization": "Bearer " + token.strip()}
    configuration.api_key_prefix = {}


def _load_account(access: Access) -> None:
    access.source = "the pod's ServiceAccount"
    try:
        kubernetes_config.load_incluster_config(client_configuration=access.configuration)
    except (kubernetes_config.ConfigException, OSError) as error:
        raise BlueGreenError(
            f"The pod's ServiceAccount cannot be used: {short(error)}",
            "no_cluster",
            next_step=f"Look at {IN_CLUSTER_DIR} in the pod, or give another connection.",
        ) from error
    access.namespace = (text_of(IN_CLUSTER_DIR + "/namespace", access.source) or "").strip() or None


def _load_kubeconfig(access: Access, chosen: Any, options: Params) -> None:
    """Take from a kubeconfig which server and who asks."""
    access.source = described(chosen)
    replaced = bool(options["api_key"] or (options["username"] and options["password"]))
    cluster, user, access.namespace = read(chosen, options["context"], access.source, not replaced)
    access.secrets |= kubeconfig_secrets([cluster, user])
    if replaced:
        user = {key: value for key, value in user.items() if key not in LOGINS}
    server = options["host"] or cluster.get("server")
    if not server:
        raise unusable(access.source, "its cluster names no server")
    cluster = {**cluster, "server": _address(str(server), "server of the kubeconfig")}
    access.identity = _identity(user, access.source)
    user, renew = _logged_in(user, cluster, access)
    configuration = access.configuration
    _load_by_client(configuration, cluster, user, access)
    if renew:
        configuration.refresh_api_key_hook = renew
    _use_proxy(access, cluster.get("proxy-url"))
    configuration.tls_server_name = cluster.get("tls-server-name")


# How a user of a kubeconfig may say who he is, beside certificates.
LOGINS = ("token", "tokenFile", "exec", "auth-provider", "username", "password")


def _identity(user: Object, source: str) -> list[tuple[str, str]]:
    """The headers that say as whom the user acts; each group is a header of its own.

    See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    name, groups, extra = user.get("as"), user.get("as-groups") or [], user.get("as-user-extra") or {}
    found = [("Impersonate-Uid", user["as-uid"])] if user.get("as-uid") else []
    found += [("Impersonate-Group", group) for group in groups]
    for key, values in extra.items():
        found += [("Impersonate-Extra-" + quote(str(key).lower(), safe="").lower(), value) for value in values]
    if found and not name:
        raise unusable(source, "its user has as-groups, as-uid or as-user-extra without as")
    return [(header, str(value)) for header, value in [("Impersonate-User", name), *found]] if name else []


def _logged_in(user: Object, cluster: Object, access: Access) -> tuple[Object, Any]:
    """The user with a token or a certificate where a program or a file has it, and what renews the token."""
    path, program = user.get("tokenFile"), user.get("exec")
    if path:
        return {**user, "token": _token_in(path, access.source)}, _token_reader(path, access.source)
    if not program or user.get("token") or user.get("auth-provider"):
        return user, None
    login = Login(program, cluster, access.source, access.secrets)
    status = login.run()
    found = {"token": str(status.get("token") or "").strip()}
    for key, name in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(name):
            found[key] = base64.b64encode(str(status[name]).encode()).decode()
    return {**user, **{key: value for key, value in found.items() if value}}, login.renew


def _token_in(path: str, source: str) -> str:
    token = (text_of(path, source, f"its tokenFile {path}") or "").strip()
    if not token:
        there = "is empty" if os.path.exists(path) else "does not exist"
        raise unusable(source, f"its tokenFile {path} {there}")
    return token


def _token_reader(path: str, source: str) -> Any:
    def renew(configuration: Any) -> None:
        with contextlib.suppress(BlueGreenError):  # while it is written anew, the last one counts
            _give(configuration, _token_in(path, source))

    return renew


def _load_by_client(configuration: Any, cluster: Object, user: Object, access: Access) -> None:
    """Let the official client take the rest: inline data, what is left of auth-providers, user and password."""
    provider = (user.get("auth-provider") or {}).get("name")
    content = {
        "current-context": "context",
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": {key: value for key, value in user.items() if key != "exec"}}],
    }
    failure: Any = "this release of the Python package kubernetes does not know how, or its token has no good form"
    try:
        kube_config.KubeConfigLoader(content, config_base_path="").load_and_set(configuration)
        if not provider or configuration.api_key:
            return
    except Exception as error:  # pylint: disable=broad-except
        failure = error
    text = scrubbed(short(failure), access.secrets)
    if provider:
        raise BlueGreenError(
            f"The auth-provider {provider} of the {access.source} gives no token: {text}",
            "unauthorized",
            next_step="Log in again, or give the user a login program (exec), as kubectl needs it since 1.26.",
        )
    raise unusable(access.source, text)


def authorization(configuration: Any) -> dict[str, str]:
    """The header that says who asks; none when a certificate does."""
    headers = {}
    for setting in configuration.auth_settings().values():  # renews a token when it is due
        if setting["in"] == "header" and setting["value"]:
            headers[setting["key"]] = setting["value"].strip()
    if configuration.username and "authorization" not in headers:  # the client knows it, but sends only tokens
        headers["authorization"] = _basic(configuration)
    return headers


def check_headers(headers: Any, source: str) -> None:
    """:raises BlueGreenError: a library would refuse one, and show it."""
    for name, value in headers.items():
        if not SENDABLE.fullmatch(value):
            what = "token or password" if name.lower() == "authorization" else name
            raise BlueGreenError(
                f"The {what} has a character that no request can carry, such as a line break.",
                "bad_input",
                next_step=f"Give it as one line, without spaces around it. It comes from {source}.",
            )


def held(access: Access) -> set[str]:
    """What no output may show of the credentials, wherever they came from."""
    configuration = access.configuration
    found = {configuration.password or "", *access.secrets}
    headers = [value for value in configuration.api_key.values() if isinstance(value, str)]
    if configuration.username and configuration.password:
        headers.append(_basic(configuration))
    for value in map(str.strip, headers):
        scheme, _space, known = value.partition(" ")
        found |= {value, known}
        if scheme == "Basic":  # as which the client keeps the user and password of a kubeconfig
            with contextlib.suppress(ValueError):
                found.add(base64.b64decode(known).decode("utf-8", "replace").partition(":")[2])
    return found - {""}


def _basic(configuration: Any) -> str:
    return "Basic " + base64.b64encode(f"{configuration.username}:{configuration.password}".encode()).decode()


def connection_pool(configuration: Any) -> Any:
    """The official client's connection pool (TLS, proxies), with the TLS context built once instead of per connection."""
    configuration.connection_pool_maxsize = 64
    try:
        return _with_context(configuration, kubernetes_client.ApiClient(configuration).rest_client.pool_manager)
    finally:
        # The client has written inline certificates and keys to files. The TLS context holds them now, and an action's
        # worker process ends without atexit handlers, which would leave a private key behind.
        kube_config._cleanup_temp_files()  # pylint: disable=protected-access


def _with_context(configuration: Any, pool: Any) -> Any:
    server_name = getattr(configuration, "tls_server_name", None)
    if server_name:  # the oldest client does not know it
        pool.connection_pool_kw["server_hostname"] = server_name
    if configuration.host.startswith("https"):
        context = _tls_context(configuration)
        pool.for_websockets = context
        if configuration.verify_ssl and not context.check_hostname:
            # urllib3 1.26 compares the names itself, of addresses as well; websocket-client leaves it to the context.
            pool.for_websockets = _tls_context(configuration)
            pool.for_websockets.check_hostname = True
        for key in ("cert_file", "key_file", "ca_certs", "ca_cert_data"):
            pool.connection_pool_kw.pop(key, None)
        pool.connection_pool_kw["ssl_context"] = context
        if not configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return pool


def _tls_context(configuration: Any) -> ssl.SSLContext:
    context = urllib3.util.ssl_.create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    )
    try:
        if configuration.verify_ssl:
            data = getattr(configuration, "ca_cert_data", None)
            if configuration.ssl_ca_cert or data:
                context.load_verify_locations(cafile=configuration.ssl_ca_cert, cadata=data)
            else:
                context.load_default_certs()
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise BlueGreenError(
            f"A certificate of the connection cannot be loaded: {error}",
            "no_cluster",
            why=f"ca_cert {configuration.ssl_ca_cert}, client_cert {configuration.cert_file}",
            next_step="Give readable PEM files for ca_cert, client_cert and client_key.",
        ) from error
    return context


def websocket_options(pool: Any) -> tuple[Object, Object]:
    """What websocket-client has to be told to connect as the pool does: ``(TLS, proxy)``."""
    known = pool.connection_pool_kw
    tls = {"context": getattr(pool, "for_websockets", None), "server_hostname": known.get("server_hostname")}
    proxy = getattr(pool, "proxy", None)
    if not proxy:
        return tls, {"http_no_proxy": ["*"]}  # else the library would look for proxies in the environment itself
    options = {"http_proxy_host": proxy.host, "http_proxy_port": proxy.port, "proxy_type": "http"}
    if proxy.auth:
        options["http_proxy_auth"] = tuple(map(unquote, proxy.auth.split(":", 1)))
    return tls, options
