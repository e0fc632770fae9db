# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The options that modules share, and the running of an operation as an ordinary module."""

from __future__ import annotations

import re

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._lease import Keeper, micro_time, name_of


def _env(*names):
    return (env_fallback, list(names))


# Names, aliases and variables are kubernetes.core's, so that existing credentials and habits work.
CONNECTION = {
    "host": {"type": "str", "fallback": _env("K8S_AUTH_HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_API_KEY")},
    "kubeconfig": {"type": "raw", "fallback": _env("K8S_AUTH_KUBECONFIG")},
    "context": {"type": "str", "fallback": _env("K8S_AUTH_CONTEXT")},
    "username": {"type": "str", "fallback": _env("K8S_AUTH_USERNAME")},
    "password": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_PASSWORD")},
    "client_cert": {
        "type": "path",
        "aliases": ["cert_file"],
        "fallback": _env("K8S_AUTH_CERT_FILE", "K8S_AUTH_CLIENT_CERT"),
    },
    "client_key": {
        "type": "path",
        "aliases": ["key_file"],
        "no_log": False,
        "fallback": _env("K8S_AUTH_KEY_FILE", "K8S_AUTH_CLIENT_KEY"),
    },
    "ca_cert": {
        "type": "path",
        "aliases": ["ssl_ca_cert"],
        "fallback": _env("K8S_AUTH_SSL_CA_CERT", "K8S_AUTH_CA_CERT"),
    },
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": _env("K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS"),
    },
    "proxy": {"type": "str", "fallback": _env("K8S_AUTH_PROXY")},
    "no_proxy": {"type": "str", "fallback": _env("K8S_AUTH_NO_PROXY")},
    "impersonate_user": {"type": "str", "fallback": _env("K8S_AUTH_IMPERSONATE_USER")},
    "api_timeout": {"type": "raw", "default": 60},
}

# What the application is: its Services, and how its two colors are told apart.
APPLICATION = {
    "services": {"type": "list", "elements": "str", "required": True},
    "namespace": {"type": "str"},
    "colors": {"type": "list", "elements": "str", "default": ["blue", "green"]},
    "color_label": {"type": "str", "default": "version"},
    "deployments": {"type": "dict", "default": {}},
    "containers": {"type": "list", "elements": "str", "default": []},
}

# https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo
SECRET_KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "client-secret", "access-token")

LOCK = {"lock_id": {"type": "str"}}

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")
_UNITS = {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value, name):
    """A duration in seconds (float) from a number of seconds or text such as ``30s``, ``5m`` or ``24h``; 0 means now."""
    if not isinstance(value, bool):
        match = _DURATION.match(str(value))
        if match:
            return float(match.group(1)) * _UNITS[match.group(2)]
    raise BlueGreenError(
        f"{name} is not a duration: {value!r}",
        "bad_input",
        next_step="Give seconds, or a number with ms, s, m, h or d, such as 30s or 5m.",
    )


# Headers and variables whose values are no secrets, beside short ones.
_PLAIN = re.compile(
    r"^(accept.*|cache-control|connection|content-type|host|origin|referer|user-agent|pghost|pguser|pgdatabase)$",
    re.IGNORECASE,
)
_SECRET = re.compile(r"auth|cookie|credential|key|pass|secret|session|sign|token", re.IGNORECASE)


def secret_values(values):
    """What no output may show of named values (headers, environment variables), unless they are plainly no secrets."""
    found = set()
    for name, value in values.items():
        text = str(value)
        if _PLAIN.match(str(name)) or len(text) < (4 if _SECRET.search(str(name)) else 8):
            continue  # hiding "true" or "2.0" wherever it stands would only make the output unreadable
        found.add(text)
        found.update(word for word in text.split() if len(word) >= 8)  # of "Bearer TOKEN"
    return found


def execute(operation, params, dry_run, progress=None, before_write=None, warn=None):
    """Run one operation and return its result dictionary; the same keys on success and on failure.

    ``operation`` is one of the ``_<operation>`` modules: ``NAME``, ``ARGUMENTS``, ``RETURNS`` (every key with its value
    when nothing is known), ``DURATIONS`` (options in seconds), ``KEEPS_LOCK`` (renews the Lease while it works) and
    ``run(params, cluster, progress)``.
    """
    result = dict(operation.RETURNS, changed=False, msg="", reason=None, started_at=micro_time())
    progress = progress or (lambda text: None)
    cluster = None
    try:
        for name in operation.DURATIONS:
            if params.get(name) is not None:
                params[name] = seconds(params[name], name)
        if "lock_id" in params:
            params["lock_id"] = params["lock_id"] or None  # templates make "" of nothing
        cluster = Cluster(params, operation.NAME, dry_run, progress, before_write)
        if params["validate_certs"] is False and warn:
            warn("The API server's certificate is not checked (validate_certs is false).")
        if params.get("lock_id") and operation.KEEPS_LOCK and not dry_run:
            with Keeper(cluster, name_of(params["services"]), params["lock_id"]):
                result.update(operation.run(params, cluster, progress))
        else:
            result.update(operation.run(params, cluster, progress))
    except BlueGreenError as error:
        if cluster and cluster.lost and error is not cluster.lost:
            # Whoever took over may have caused this very error, by taking pods away that were being checked.
            cluster.lost.why.append("When it noticed: " + error.what)
            cluster.lost.result = error.result
            error = cluster.lost
        error.live = error.live or (cluster.live if cluster else None)
        result.update(error.result)
        result.update(failed=True, msg=str(error), reason=error.reason)
    result["ended_at"] = micro_time()
    for text in result.pop("warnings", []):
        if warn:
            warn(text)
    return result


def secrets(operation, params):
    """What to keep out of all output: the secret values in a kubeconfig that was given as a dictionary, and those that
    the operation knows of (its ``secrets(params)``)."""
    found = set(operation.secrets(params)) if hasattr(operation, "secrets") else set()

    def look(value, name):
        if isinstance(value, dict):
            for key, inner in value.items():
                look(inner, key)
        elif isinstance(value, list):
            for inner in value:
                look(inner, name)
        elif name in SECRET_KEYS and isinstance(value, str) and value:
            found.add(value)

    look(params.get("kubeconfig"), None)
    return found


def run_module(operation):
    """``main()`` of every module: the ordinary way, in a process of its own, on whatever host the task runs."""
    module = AnsibleModule(argument_spec=dict(CONNECTION, **operation.ARGUMENTS), supports_check_mode=True)
    module.no_log_values.update(secrets(operation, module.params))
    result = execute(operation, module.params, module.check_mode, warn=module.warn)
    if not module._diff:  # pylint: disable=protected-access
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
