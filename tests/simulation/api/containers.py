# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in pods, seen through the server: logs, and the proxies to pods and Services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

from simulation.api.answers import Answer, Refused, bad_request, text
from simulation.api.kinds import KINDS, Object
from simulation.api.store import Change, Store
from simulation.api.watch import Stream

Query = dict[str, str]


class World(Protocol):
    """Who knows what containers do."""

    def answer(self, pod: Object, port: int, method: str, path: str) -> tuple[int, dict[str, str], bytes] | None:
        """To one request, or ``None`` where nothing listens."""


Logs = Callable[[Object, str, bool], "list[tuple[str, str]] | None"]


def no_logs(pod: Object, container: str, previous: bool) -> list[tuple[str, str]] | None:
    return []


class Containers:
    """``logs`` gives of a pod's container its lines, ``(RFC 3339 time, text)``, or ``None`` where it never ran."""

    def __init__(self, store: Store, world: World | None) -> None:
        self.store, self.world = store, world
        self.logs: Logs = getattr(world, "logs", no_logs)

    # --- proxies

    def proxy(self, method: str, kind: str, ns: str, name: str, path: str, query: Query) -> Answer:
        parts = name.split(":")
        scheme = parts[0] if len(parts) == 3 else ""
        name, port = (parts[1], parts[2]) if scheme else (parts[0], parts[1] if len(parts) == 2 else "")
        target = "/" + path + ("?" + urlencode(query) if query else "")
        pod, number = self._pod(ns, name, port) if kind == "Pod" else self._endpoint(ns, name, port)
        answer = self.world.answer(pod, number, method, target) if self.world else None
        if answer is None:
            address = (pod.get("status") or {}).get("podIP", "")
            why = f"error trying to reach service: dial tcp {address}:{number}: connect: connection refused"
            raise Refused(503, "ServiceUnavailable", why)
        return Answer(*answer)

    def _pod(self, ns: str, name: str, port: str) -> tuple[Object, int]:
        pod = self.store.version("Pod", ns, name).object
        if not (pod.get("status") or {}).get("podIP"):
            raise bad_request("address not allowed")
        if port:
            return pod, int(port)
        ports = [one["containerPort"] for box in pod["spec"]["containers"] for one in box.get("ports") or []]
        return pod, ports[0] if ports else 80

    def _endpoint(self, ns: str, name: str, port: str) -> tuple[Object, int]:
        service = self.store.version("Service", ns, name).object
        ports = service["spec"].get("ports") or []
        chosen = [one for one in ports if port in ("", one.get("name"), str(one["port"]))]
        if port and not chosen:
            raise Refused(503, "ServiceUnavailable", f'no service port {port} found for service "{name}"')
        found = []
        for piece in self.store.list("EndpointSlice", ns, {"kubernetes.io/service-name": name}):
            for one in piece.get("ports") or []:
                if chosen and one.get("name", "") == chosen[0].get("name", ""):
                    found += [
                        (end, one["port"]) for end in piece.get("endpoints") or [] if end["conditions"].get("ready")
                    ]
        if not found:
            raise Refused(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
        end, number = self.store.hub.random.choice(found)
        return self.store.version("Pod", ns, end["targetRef"]["name"]).object, number

    # --- logs

    def log(self, ns: str, name: str, query: Query) -> Answer:
        pod = self.store.version("Pod", ns, name).object
        boxes = [box["name"] for box in pod["spec"]["containers"] + (pod["spec"].get("initContainers") or [])]
        container = query.get("container") or boxes[0]
        if container not in boxes:
            raise bad_request(f"container {container} is not valid for pod {name}")
        previous = query.get("previous") == "true"
        found = self.logs(pod, container, previous)
        if not pod["spec"].get("nodeName"):
            return Answer(204, {}, b"")
        if found is None:
            kept = "previous terminated " if previous else ""
            if previous:
                raise bad_request(f'{kept}container "{container}" in pod "{name}" not found')
            raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
        lines = [line for line in found if line[0] >= query.get("sinceTime", "")]
        if "tailLines" in query:
            lines = lines[len(lines) - min(int(query["tailLines"]), len(lines)) :]
        stamped = query.get("timestamps") == "true"
        if query.get("follow") != "true":
            said = "".join(_line(line, stamped) for line in lines)
            limit = query.get("limitBytes")
            return text(200, said[: int(limit)] if limit else said)
        return Answer(200, {"Content-Type": "text/plain"}, b"", self._followed(pod, container, lines, stamped))

    def _followed(self, pod: Object, container: str, lines: list[tuple[str, str]], stamped: bool) -> Stream:
        """The log until the container has ended; its further lines are looked for whenever its pod changes."""
        stream = Stream(self.store.hub)
        told = len(self.logs(pod, container, False) or [])
        for line in lines:
            stream.write(_line(line, stamped).encode())

        def look(item: Object, gone: bool) -> None:
            nonlocal told
            every = self.logs(item, container, False) or []
            for line in every[told:]:
                stream.write(_line(line, stamped).encode())
            told = max(told, len(every))
            if gone or _ended(item, container):
                stream.end()

        def changed(change: Change) -> None:
            if change.new.object["metadata"]["uid"] == pod["metadata"]["uid"]:
                look(change.new.object, change.type == "DELETED")

        stream.at_end.append(self.store.follow("Pod", changed))
        look(pod, False)
        return stream

    def port_forward(self, ns: str, name: str) -> Answer:
        self.store.version("Pod", ns, name)
        kind = KINDS["Pod"]
        message = (
            f'{kind.plural} "{name}" is forbidden: User "system" cannot get resource "pods/portforward" in API group ""'
        )
        raise Refused(403, "Forbidden", message + f' in the namespace "{ns}"', {"name": name, "kind": kind.plural})


def _line(line: tuple[str, str], stamped: bool) -> str:
    return f"{line[0]} {line[1]}\n" if stamped else f"{line[1]}\n"


def _ended(pod: Object, container: str) -> bool:
    status: Any = pod.get("status") or {}
    every = (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or [])
    return any(one["name"] == container and "terminated" in (one.get("state") or {}) for one in every)
