# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The credentials of a user, wherever they are kept, and the connections that are made with them.

The only importer of ``kubernetes``. Of the official client it uses what every release from 24.2 to 37 has:
the loading of credentials (kubeconfig, exec plugins, in-cluster) and the connection pool built from them.
No typed models and no discovery: they cost more than everything else in a task together.
"""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import traceback
from typing import Any
from urllib.parse import unquote

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.answers import short
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import SENDABLE, address_secrets
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

CLIENT_IMPORT_ERROR = None
try:
    import urllib3
    import yaml
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config import kube_config
except ImportError:
    CLIENT_IMPORT_ERROR = traceback.format_exc()

IN_CLUSTER_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"


def load_configuration(options: Params) -> tuple[Any, str, str | None]:
    """Choose the credentials: options > kubeconfig or context option > $KUBECONFIG > in-cluster > ~/.kube/config.

    :returns: (client configuration, where it came from, the context's namespace or ``None``)
    :raises BlueGreenError: there are none, they cannot be used, or the library that loads them is missing.
    """
    if CLIENT_IMPORT_ERROR:
        raise BlueGreenError(
            "The Python package 'kubernetes' is missing in the Python that runs this task.",
            "missing_library",
            why=CLIENT_IMPORT_ERROR.splitlines()[-1:],
            next_step="pip install kubernetes (or use an execution environment that contains it).",
        )
    configuration = kubernetes_client.Configuration()
    namespace = None
    explicit = options["host"] and (
        options["api_key"]
        or (options["client_cert"] and options["client_key"])
        or (options["username"] and options["password"])
    )
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ and os.path.exists(IN_CLUSTER_DIR + "/token")
    default = os.path.expanduser("~/.kube/config")
    if explicit:
        source = "the connection options"
    elif (
        options["kubeconfig"]
        or options["context"]
        or os.environ.get("KUBECONFIG")
        or (not in_cluster and os.path.exists(default))
    ):
        chosen = options["kubeconfig"] or os.environ.get("KUBECONFIG") or default
        source = "a kubeconfig given as a dictionary" if isinstance(chosen, dict) else f"kubeconfig {chosen}"
        namespace = _load_kubeconfig(configuration, chosen, options["context"], source)
    elif in_cluster:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        source = "the pod's ServiceAccount"
        with open(IN_CLUSTER_DIR + "/namespace", encoding="utf-8") as file:
            namespace = file.read().strip()
    elif options["host"]:
        source = "the connection options"
    else:
        raise BlueGreenError(
            "No Kubernetes cluster is configured.",
            "no_cluster",
            why=f"Looked at the options and K8S_AUTH_* variables, $KUBECONFIG, a pod's ServiceAccount, and {default}.",
            next_step="Set KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.",
        )
    for option, attribute in (
        ("host", "host"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("username", "username"),
        ("password", "password"),
        ("proxy", "proxy"),
        ("no_proxy", "no_proxy"),
    ):
        if options.get(option):
            setattr(configuration, attribute, options[option])
    if options["validate_certs"] is not None:
        configuration.verify_ssl = options["validate_certs"]
    if options["api_key"]:
        configuration.api_key = {"authorization": "Bearer " + options["api_key"]}
        configuration.api_key_prefix = {}
        configuration.refresh_api_key_hook = None
    return configuration, source, namespace


def _load_kubeconfig(configuration: Any, chosen: Any, context: str | None, source: str) -> str | None:
    """Fill ``configuration`` from a kubeconfig and return the namespace of the context."""
    try:
        content = chosen if isinstance(chosen, dict) else kube_config.KubeConfigMerger(str(chosen)).config
        # Not by load_kube_config, which does not tell the context: the file would be parsed once more to learn it.
        loader = kube_config.KubeConfigLoader(content, active_context=context, config_base_path=None)
        loader.load_and_set(configuration)
    except (kubernetes_config.ConfigException, OSError, yaml.YAMLError, TypeError) as error:
        raise BlueGreenError(
            f"The {source} cannot be used: {short(error)}",
            "no_cluster",
            next_step="Give an existing file with the context wanted (option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG).",
        ) from error
    return loader.current_context["context"].get("namespace")


def authorization(configuration: Any) -> dict[str, str]:
    """The header that says who asks; none when a certificate does."""
    headers = {}
    for setting in configuration.auth_settings().values():  # renews an exec plugin's token when it is due
        if setting["in"] == "header" and setting["value"]:
            headers[setting["key"]] = setting["value"]
    if configuration.username and "authorization" not in headers:  # the client knows it, but sends only tokens
        headers["authorization"] = _basic(configuration)
    return headers


def check_headers(headers: dict[str, str], source: str) -> None:
    """:raises BlueGreenError: a library would refuse one, and show it."""
    for name, value in headers.items():
        if not SENDABLE.fullmatch(value):
            what = "token or password" if name.lower() == "authorization" else name
            raise BlueGreenError(
                f"The {what} has a character that no request can carry, such as a line break.",
                "no_cluster",
                next_step=f"Give it as one line, without spaces around it. It comes from {source}.",
            )


def held(configuration: Any) -> set[str]:
    """What no output may show of the credentials, wherever they came from."""
    found = {configuration.password or "", *address_secrets(configuration.proxy or "")}
    headers = [value for value in configuration.api_key.values() if isinstance(value, str)]
    if configuration.username and configuration.password:
        headers.append(_basic(configuration))
    for value in headers:
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
