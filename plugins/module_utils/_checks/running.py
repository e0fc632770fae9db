# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Run checks: all of them on all their targets, with their retries; how each of them went."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import container_ports
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, NoAnswer
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params

ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b|\[[0-9a-f:]+\]")
Check = dict[str, Any]
Result = dict[str, Any]


class Run:
    """What the executions of one run share."""

    def __init__(self, app: Application, color: Color, params: Params) -> None:
        self.app = app
        self.cluster = app.cluster
        self.color = color
        self.params = params
        self.directory = params["chdir"] or os.getcwd()
        self.learned: set[str] = set()  # what a kind has found out, for its executions that come later

    def execute(self, checks: list[Check], pods: list[Object], parallel: int) -> list[Result]:
        """Execute all checks on all their targets, at most ``parallel`` at the same time.

        :returns: list of results, in the order of the checks.
        """
        executions = [
            (self, check, pod)
            for check in checks
            for pod in ((pods[:1] if check["pods"] == "one" else pods) if needs_pods(check) else [None])
        ]
        with ThreadPoolExecutor(max_workers=min(parallel, len(executions) or 1)) as pool:
            return list(pool.map(lambda execution: _execute(*execution), executions))

    def port_of(self, pod: Object, wanted: int | str | None) -> int:
        """The number of the port: the one given, the one of that name, or the one that the Service leads to (its first).

        :raises NoAnswer: the pod has none of that name.
        """
        ports, about = container_ports(pod, "TCP"), ""
        if wanted is None:
            service = self.app.services[0]
            served = [port for port in service["spec"].get("ports", []) if port.get("protocol", "TCP") == "TCP"]
            if not served:  # a headless Service may have none
                return int(ports[0]["containerPort"]) if ports else 80
            wanted = served[0].get("targetPort") or served[0]["port"]
            about = f", to which Service {service['metadata']['name']} leads"
        if str(wanted).isdigit():  # it need not be declared
            return int(wanted)
        found: list[int] = [port["containerPort"] for port in ports if port.get("name") == wanted]
        if not found:
            raise NoAnswer(f"the pod has no port named {wanted}{about}, it has {_shown(ports)}", "blocked")
        return found[0]


def _shown(ports: list[Object]) -> str:
    return ", ".join(" ".join(filter(None, [str(port["containerPort"]), port.get("name")])) for port in ports) or "none"


def _with_ports(text: str, check: Check, pod: Object | None) -> str:
    """A failure to reach a port, and which ones there are if that is none of them."""
    ports = container_ports(pod, "TCP") if pod else []
    names = {str(port.get(key)) for port in ports for key in ("name", "containerPort")}
    if not ports or check.get("port") is None or str(check["port"]) in names:
        return text
    return f"{text}; the pod has no port {check['port']}, it has {_shown(ports)}"


def verdict(check: Check, results: list[Result]) -> tuple[bool, str]:
    """How one check went: ``(passed, its line for people)``."""
    own = [result for result in results if result["name"] == check["name"]]
    good = sum(result["passed"] for result in own)
    wanted: Any = {None: 1, "all": len(own), "one": 1, "any": 1}.get(check["pods"], check["pods"])
    passed = good >= wanted and bool(own)
    slowest = max((result["latency_ms"] or 0 for result in own), default=0)
    sign = "ok    " if passed else "FAILED"
    line = f"{sign} {check['name']}: {good} of {len(own)} passed, slowest {slowest:.0f} ms"
    if wanted > len(own):
        line += f" (wants {wanted} pods, there are {len(own)})"
    return passed, line


def reasons(results: list[Result]) -> list[str]:
    """The failed ones in words, a bounded number of lines."""
    same: dict[tuple[str, str], list[Result]] = {}  # but for a pod's own address
    for item in results:
        if not item["passed"]:
            same.setdefault((item["name"], ADDRESS.sub("", item["reason"])), []).append(item)
    lines = [
        f"{name} on {items[0]['target']}: {items[0]['reason']}{_besides(items)}"
        for (name, _reason), items in same.items()
    ]
    return lines[:10] + ([f"... and {len(lines) - 10} more"] if len(lines) > 10 else [])


def _besides(items: list[Result]) -> str:
    """What was asked, and of how many others with the same answer."""
    asked = f"asked {items[0]['asked']}" if items[0]["asked"] else ""
    others = f"the same on {len(items) - 1} more" if len(items) > 1 else ""
    said = "; ".join(filter(None, [asked, others]))
    return f" ({said})" if said else ""


def needs_pods(check: Check) -> bool:
    """Whether it is run for every pod, and not once."""
    return check["pods"] is not None


def staying(pods: list[Object]) -> list[Object]:
    """The pods that carry traffic, or will: those that have not ended and are not on their way out."""
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


def _execute(run: Run, check: Check, pod: Object | None) -> Result:
    """One check on one target, with its retries. Never raises for what the application does."""
    result = {
        "name": check["name"],
        "kind": check["kind"].NAME,
        "target": pod["metadata"]["name"] if pod else check["where"],
        "asked": "",
        "via": None,
        "passed": False,
        "status": None,
        "value": None,
        "latency_ms": None,
        "attempts": 0,
        "reason": "",
    }
    try:
        if pod and "port" in check:
            run.port_of(pod, check["port"])
        result["asked"] = check["kind"].asked(run, check, pod) if hasattr(check["kind"], "asked") else ""
    except NoAnswer as error:  # a port that is none, which no retry makes one
        return dict(result, reason=str(error))
    pauses = None
    while True:
        run.cluster.check()
        result["attempts"] += 1
        result.update(status=None, value=None)
        began = time.monotonic()
        try:
            found, wrong = check["kind"].attempt(run, check, pod, began)
            result.update(found)
        except NoAnswer as error:
            if error.way == "api":
                # No verdict on the application: as every other request, it is tried again.
                result["attempts"] -= 1
                pauses = _pause(run.cluster, error, pauses)
                continue
            wrong = [_with_ports(str(error), check, pod)]
        result.update(passed=not wrong, reason="; ".join(wrong), latency_ms=round((time.monotonic() - began) * 1000, 1))
        if result["passed"] or result["attempts"] > check["retries"]:
            return result
        run.cluster.sleep(check["delay"])


def _pause(cluster: Any, error: NoAnswer, pauses: tuple[float, float] | None) -> tuple[float, float]:
    """Wait before the API server is asked again; ``pauses`` is what the last call returned.

    :raises ApiError: it has been away for ``api_timeout`` seconds.
    """
    now = time.monotonic()
    began, pause = pauses or (now, 0.1)
    if now - began + pause >= cluster.api_timeout:
        raise ApiError(
            str(error),
            "api_unreachable",
            0,
            next_step="Check the network and whether the API server runs; then run the same command again.",
        ) from error
    cluster.sleep(pause)
    return began, min(pause * 2, 2)
