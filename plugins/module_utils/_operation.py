# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The running of one operation, in whichever process: the contract between an operation, its module and its action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import Keeper, lease_name
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.kubeconfig import is_content
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, explained
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import (
    CONNECTION,
    address_secrets,
    as_shown,
    kubeconfig_secrets,
    scrubbed,
    with_scheme,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import micro_time, seconds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress


class Operation(Protocol):
    """What each module of ``_operations`` has. One that knows of secrets beside the connection's has ``secrets(params)``."""

    @property
    def NAME(self) -> str: ...

    @property
    def ARGUMENTS(self) -> dict[str, Any]:
        """The options beside those of the connection."""

    @property
    def DURATIONS(self) -> Sequence[str]:
        """The options that ``run`` gets in seconds."""

    @property
    def KEEPS_LOCK(self) -> bool:
        """Whether the Lease is renewed while it works."""

    # An operation may have TAKES_LOCK = True: then the ``lock_id`` in its result is renewed from then on, until it is given back
    # or ansible-playbook ends, wherever the operation runs in a process of ansible-playbook.

    # One with FIRST_CONTACT = True is the first of a run: an API server that does not answer it is not waited for long.

    @property
    def RETURNS(self) -> Object:
        """Every key of the result, with its value when nothing is known."""

    def run(self, params: Params, cluster: Cluster, progress: Progress) -> Object: ...


def execute(
    operation: Operation,
    params: Params,
    dry_run: bool,
    progress: Progress | None = None,
    before_write: Callable[[], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Object:
    """Run one operation and return its result dictionary; the same keys on success and on failure.

    Nothing that it returns or says shows a credential, wherever that came from.
    """
    result = dict(operation.RETURNS, changed=False, msg="", reason=None, started_at=micro_time())
    hidden: set[str] = set()
    cluster: Cluster | None = None

    def shown(value: Any) -> Any:
        return scrubbed(value, hidden | (cluster.secrets() if cluster else set()))

    def say(text: str) -> None:
        if progress:
            progress(shown(text))

    def caution(text: str) -> None:
        if warn:
            warn(shown(text))

    # What endangers a run is said before its first write, and not with the result, where that can be.
    said_at_once = (lambda text: say(f"warning: {text}")) if progress else caution
    try:
        hidden |= secrets(operation, params)
        for name in operation.DURATIONS:
            if params.get(name) is not None:
                params[name] = seconds(params[name], name)
        if params.get("services") == []:
            raise BlueGreenError(
                "bluegreen_services is empty, so it is not known what the application is.",
                "bad_input",
                next_step="Set it for the application's host in the inventory, and give that: -i inventory.yml. Where Ansible could "
                "not read the inventory, it says so above; then it goes on without, on localhost.",
            )
        if "lock_id" in params:
            params["lock_id"] = params["lock_id"] or None  # templates make "" of nothing
        first = getattr(operation, "FIRST_CONTACT", False)
        cluster = Cluster(params, operation.NAME, dry_run, say, before_write, said_at_once, first)
        if params["validate_certs"] is False:
            caution(
                "The API server's certificate is not checked (validate_certs is false). Give its certificate authority: ca_cert, or "
                "in AWX the field of the credential, without which AWX turns the check off."
            )
        if params.get("lock_id") and operation.KEEPS_LOCK and not dry_run:
            with Keeper(cluster, lease_name(params["services"]), params["lock_id"]):
                result.update(operation.run(params, cluster, say))
        else:
            result.update(operation.run(params, cluster, say))
    except Exception as failure:  # pylint: disable=broad-except
        error = explained(failure)
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
        caution(text)
    return shown(result)


def secrets(operation: Operation, params: Params) -> set[str]:
    """What to keep out of all output: options that are secret, the secret values in a kubeconfig that was given as a
    dictionary, the passwords in addresses, and what the operation knows of (its ``secrets(params)``)."""
    found = set(operation.secrets(params)) if hasattr(operation, "secrets") else set()
    options = dict(CONNECTION, **operation.ARGUMENTS).items()
    found |= {str(params[name]) for name, option in options if option.get("no_log") and params.get(name)}

    kubeconfig = params.get("kubeconfig")
    found |= {kubeconfig} if isinstance(kubeconfig, str) and is_content(kubeconfig) else kubeconfig_secrets(kubeconfig)
    for name in ("host", "proxy"):
        if params.get(name):
            found |= address_secrets(with_scheme(params[name]))

    def look(value: Any) -> None:
        if isinstance(value, (dict, list)):
            for inner in value.values() if isinstance(value, dict) else value:
                look(inner)
        elif isinstance(value, str):
            found.update(address_secrets(value))

    look(params)
    return found


def run_module(operation: Operation) -> None:
    """``main()`` of every module: the ordinary way, in a process of its own, on whatever host the task runs."""
    module = AnsibleModule(argument_spec=dict(CONNECTION, **operation.ARGUMENTS), supports_check_mode=True)
    module.no_log_values.update(as_shown(secrets(operation, module.params)))
    result = execute(operation, module.params, module.check_mode, warn=module.warn)
    if not module._diff:  # pylint: disable=protected-access
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
