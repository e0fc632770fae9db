# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same requests to a real API server and to the simulated one, and where their answers differ.

Used as ``python -m simulation.fidelity [CASE ...]`` with KUBECONFIG set; ``--record`` keeps the real answers, which
test_api_answers.py compares without a cluster. What is random (uids, versions, times, addresses) and what
the real cluster's controllers write is not compared; all else is: the code, the content's type, and every field.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from simulation.api import Api, Store
from simulation.api.kinds import BY_PATH
from simulation.clock import Hub
from simulation.fidelity_cases import CASES

Json = Any
RECORDED = Path(__file__).with_name("answers.json")
NS = "sim-fidelity"
METHODS = {"GET": "get", "POST": "create", "PUT": "replace", "DELETE": "delete"}
PATCHES = {
    "application/json-patch+json": "json patch",
    "application/merge-patch+json": "merge patch",
    "application/apply-patch+yaml": "apply",
}


class Seen(NamedTuple):
    """One answer, as it is compared."""

    request: str  # in words, such as ``json patch Deployment``
    status: int
    content_type: str
    body: Json


class Difference(NamedTuple):
    case: str
    number: int
    request: str
    field: str
    real: Json
    simulated: Json


class Client:
    """What a case sends its requests with; keeps the answers."""

    def __init__(self, ns: str) -> None:
        self.ns = ns
        self.seen: list[Seen] = []

    def __call__(
        self, method: str, path: str, body: Json = None, content_type: str = "application/json", **query: str
    ) -> Json:
        """The answer's JSON, of a watch the list of its events, or text."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        path = path.replace("{ns}", self.ns)
        status, kind_of, raw = self.send(method, path, query, {"Content-Type": content_type}, data)
        parsed: Json = raw.decode()
        if "json" in kind_of:
            watched = query.get("watch") and status == 200
            parsed = [json.loads(line) for line in raw.splitlines()] if watched else json.loads(raw)
        self.seen.append(Seen(_words(method, path, content_type, query), status, kind_of, parsed))
        return parsed

    def until(self, path: str, reached: Callable[[Json], bool]) -> None:
        """Wait for what the cluster's controllers do; not compared."""
        end = time.monotonic() + 20
        path = path.replace("{ns}", self.ns)
        while not reached(json.loads(self.send("GET", path, {}, {}, None)[2])):
            if time.monotonic() > end:
                raise TimeoutError(path)
            self.pause()

    def pause(self) -> None:
        raise NotImplementedError

    def send(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes | None
    ) -> tuple[int, str, bytes]:
        raise NotImplementedError


class Real(Client):
    """The cluster that KUBECONFIG names; the namespaces are deleted at the end."""

    def __init__(self, ns: str) -> None:
        import kubernetes

        super().__init__(ns)
        client = kubernetes.config.new_client_from_config()
        self._pool, self._host = client.rest_client.pool_manager, client.configuration.host

    def send(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes | None
    ) -> tuple[int, str, bytes]:
        target = self._host + path + ("?" + urlencode(query) if query else "")
        answer = self._pool.request(method, target, headers=headers, body=body, retries=False, timeout=30)
        return answer.status, answer.headers.get("Content-Type", ""), answer.data

    def pause(self) -> None:
        time.sleep(0.1)

    def open(self, ns: str) -> None:
        self.send("POST", "/api/v1/namespaces", {}, {}, json.dumps({"metadata": {"name": ns}}).encode())
        self.until(f"/api/v1/namespaces/{ns}/serviceaccounts/default", lambda found: "metadata" in found)

    def close(self, ns: str) -> None:
        self.send("DELETE", f"/api/v1/namespaces/{ns}", {}, {}, None)


class Simulated(Client):
    def __init__(self, ns: str) -> None:
        super().__init__(ns)
        self.hub = Hub(1)
        self.api = Api(Store(self.hub))

    def send(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes | None
    ) -> tuple[int, str, bytes]:
        try:
            answer = self.api.request(method, path, query, headers, body)
        except Exception as error:  # a fault of the simulation, to be seen among the differences
            return 0, "application/json", json.dumps(repr(error)).encode()
        raw = answer.body
        if answer.stream:
            self.hub.run(until=self.hub.now + float(query.get("timeoutSeconds", 1)) + 1)
            raw = b"".join(answer.stream.lines)
        self.hub.run(until=self.hub.now + 0.01)
        return answer.status, answer.headers.get("Content-Type", ""), raw

    def pause(self) -> None:
        self.hub.run(until=self.hub.now + 1)


def _words(method: str, path: str, content_type: str, query: dict[str, str]) -> str:
    parts = path.strip("/").split("/")
    kinds = [kind.name for (root, plural), kind in BY_PATH.items() if path.startswith(root + "/") and plural in parts]
    kind = next((one for one in kinds if one != "Namespace"), kinds[0] if kinds else path)
    verb = PATCHES.get(content_type, content_type) if method == "PATCH" else METHODS[method]
    if method == "GET" and path.rstrip("/").rsplit("/", 1)[-1] in {plural for _root, plural in BY_PATH}:
        verb = "watch" if query.get("watch") else "list"
    below = next((f" {one}" for one in ("log", "proxy", "status", "scale", "eviction") if one in parts[-3:]), "")
    return f"{verb} {kind}{below}" + (", dry run" if query.get("dryRun") else "")


# --- comparing

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
VERSION = re.compile(r"(ersion: |in object meta: |ResourceVersion in precondition: |\()\d+")
CONTROLLED = {"Deployment", "ReplicaSet", "Job", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Namespace"}
RANDOM = {"resourceVersion", "clusterIP", "clusterIPs", "nodePort", "creationTimestamp"}


def normalized(value: Json, key: str = "") -> Json:
    """Without what is random or written by controllers."""
    if isinstance(value, dict) and value.get("kind") == "APIResourceList":
        return {**value, "resources": _known(value["resources"])}
    if isinstance(value, dict):
        kept = {
            name: normalized(item, name)
            for name, item in value.items()
            if name != "managedFields" and not name.startswith("deployment.kubernetes.io/")
        }
        if kept.get("kind") in CONTROLLED:
            kept.pop("status", None)
        if "generateName" in kept and str(kept.get("name", "")).startswith(kept["generateName"]):
            kept["name"] = kept["generateName"] + "random"
        if "annotations" in kept and not kept["annotations"]:
            del kept["annotations"]
        return kept
    if isinstance(value, list):
        if value and all(isinstance(item, dict) and "type" in item and "object" in item for item in value):
            return [normalized(item, key) for item in value if item["type"] != "BOOKMARK"]
        return [normalized(item, key) for item in value] if key not in RANDOM else "random"
    if key in RANDOM and value not in ("", "None", "0"):
        return "random"
    if isinstance(value, str):
        # Of a patch that leaves no object the server shows all there is; of a pod that may not be changed, a difference.
        value = re.sub(r'(patch: |^)Invalid value: "\{.*\}": ', r"\1OBJECT: ", value, flags=re.DOTALL)
        value = re.sub(r"(pod updates may not change fields other than).*", r"\1", value, flags=re.DOTALL)
        return VERSION.sub(r"\1N", TIME.sub("TIME", UID.sub("UID", value)))
    return value


def _known(resources: list[Json]) -> list[Json]:
    """Of what a server says that it has, the kinds that the simulation knows, and what the collection reads of them."""
    plurals = {plural for _root, plural in BY_PATH}
    found = [item for item in resources if item["name"] in plurals]
    return sorted(
        ({key: item[key] for key in ("name", "kind", "namespaced")} for item in found), key=lambda item: item["name"]
    )


def differing(real: Json, simulated: Json, path: str = "") -> Iterator[tuple[str, Json, Json]]:
    if isinstance(real, dict) and isinstance(simulated, dict):
        for key in sorted(real.keys() | simulated.keys()):
            yield from differing(real.get(key, "-"), simulated.get(key, "-"), f"{path}.{key}" if path else key)
    elif isinstance(real, list) and isinstance(simulated, list) and len(real) == len(simulated):
        for number, (one, other) in enumerate(zip(real, simulated, strict=True)):
            yield from differing(one, other, f"{path}[{number}]")
    elif real != simulated:
        yield path, real, simulated


def _summary(body: Json) -> str:
    text = body["message"] if isinstance(body, dict) and "message" in body else json.dumps(normalized(body))
    return text if len(text) < 300 else text[:300] + " ..."


def compared(case: str, real: list[Seen], simulated: list[Seen]) -> list[Difference]:
    found = []
    if len(real) != len(simulated):
        found.append(Difference(case, 0, "all", "requests", len(real), len(simulated)))
    for number, (one, other) in enumerate(zip(real, simulated, strict=False), 1):
        if one.status != other.status:
            texts = [f"{each.status} {_summary(each.body)}" for each in (one, other)]
            found.append(Difference(case, number, one.request, "answer", *texts))
            continue
        if one.content_type.split(";")[0] != other.content_type.split(";")[0]:
            found.append(Difference(case, number, one.request, "content type", one.content_type, other.content_type))
        for difference in differing(normalized(one.body), normalized(other.body)):
            found.append(Difference(case, number, one.request, *difference))
    return found


def _recorded(answer: Seen, ns: str) -> Seen:
    return answer._replace(body=json.loads(json.dumps(normalized(answer.body)).replace(ns, NS)))


def simulated_as_recorded(name: str) -> list[Difference]:
    """Differences of a case to what a real server answered when it was recorded."""
    case = CASES[name]
    simulated = Simulated(f"{NS}-{name}" if getattr(case, "apart", False) else NS)
    case(simulated)
    recorded = json.loads(RECORDED.read_text())["cases"][name]
    return compared(name, [Seen(*answer) for answer in recorded], simulated.seen)


def record(result: Comparison) -> None:
    lines = ",\n".join(f"{json.dumps(name)}: {_lines(answers)}" for name, answers in result.recorded.items())
    RECORDED.write_text(f'{{"cases": {{\n{lines}\n}}}}\n')


def _lines(answers: list[Seen]) -> str:
    return "[\n" + ",\n".join(json.dumps(answer, sort_keys=True, separators=(",", ":")) for answer in answers) + "\n]"


class Comparison(NamedTuple):
    asked: dict[str, int]  # how many requests, by their words
    differences: list[Difference]
    recorded: dict[str, list[Seen]]  # the real answers, by their cases

    def table(self) -> str:
        width = max(map(len, self.asked))
        lines = [f"{'request':{width}}  sent  differ"]
        for request in sorted(self.asked):
            wrong = {(one.case, one.number) for one in self.differences if one.request == request}
            lines.append(f"{request:{width}}  {self.asked[request]:4}  {len(wrong) or '':>6}")
        every = len({(one.case, one.number) for one in self.differences})
        lines.append(f"{'all':{width}}  {sum(self.asked.values()):4}  {every or '':>6}")
        return "\n".join(lines)


def compare(names: list[str]) -> Comparison:
    """Run cases against both."""
    ns = f"{NS}-{uuid.uuid4().hex[:6]}"
    asked: dict[str, int] = {}
    recorded: dict[str, list[Seen]] = {}
    found: list[Difference] = []
    opened: dict[str, Real] = {}
    try:
        for name in names or CASES:
            case = CASES[name]
            # What a quota limits would be limited for all cases.
            where = f"{ns}-{name}" if getattr(case, "apart", False) else ns
            if where not in opened:
                opened[where] = Real(where)
                opened[where].open(where)
            real, simulated = opened[where], Simulated(where)
            real.seen = []
            case(real)
            case(simulated)
            for answer in real.seen:
                asked[answer.request] = asked.get(answer.request, 0) + 1
            found += compared(name, real.seen, simulated.seen)
            recorded[name] = [_recorded(answer, ns) for answer in real.seen]
    finally:
        for where, real in opened.items():
            real.close(where)
    return Comparison(asked, found, recorded)


def main(names: list[str]) -> int:
    keep = "--record" in names
    result = compare([name for name in names if name != "--record"])
    if keep:
        record(result)
    print(result.table())
    for one in result.differences:
        where = f"{one.case} {one.number}, {one.request}: {one.field}"
        print(f"\n{where}\n  real      {json.dumps(one.real)}\n  simulated {json.dumps(one.simulated)}")
    return bool(result.differences)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
