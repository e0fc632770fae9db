# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: versions, generations, deletions, and who is told of what."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from simulation.api import Refused, Store, Write
from simulation.clock import Hub
from simulation.objects import NS, deployment, pod, secret, service


@pytest.fixture
def hub() -> Hub:
    return Hub(7)


@pytest.fixture
def store(hub: Hub) -> Store:
    return Store(hub)


def set_replicas(number: int) -> Any:
    return lambda item: item["spec"].update(replicas=number)


def test_a_version_never_changes(store: Store) -> None:
    first = store.create(deployment())
    before = copy.deepcopy(first)
    second = store.update("Deployment", NS, "app-blue", set_replicas(3))
    assert first == before
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert (first["metadata"]["generation"], second["metadata"]["generation"]) == (1, 2)


def test_what_is_handed_in_stays_with_its_owner(store: Store) -> None:
    given = deployment()
    store.create(given)
    given["spec"]["replicas"] = 9
    assert store.get("Deployment", NS, "app-blue")["spec"]["replicas"] == 1


def test_nothing_is_written_when_nothing_changes(store: Store) -> None:
    made, seen = store.create(deployment()), []
    store.on_write.append(seen.append)
    assert store.update("Deployment", NS, "app-blue", set_replicas(1)) == made
    assert seen == []


def test_status_and_spec_are_written_apart(store: Store) -> None:
    store.create(deployment())

    def change(item: dict[str, Any]) -> None:
        item["spec"]["replicas"] = 5
        item["status"]["replicas"] = 4

    of_status = store.update("Deployment", NS, "app-blue", change, status=True)
    assert (of_status["spec"]["replicas"], of_status["status"], of_status["metadata"]["generation"]) == (
        1,
        {"replicas": 4},
        1,
    )
    of_spec = store.update(
        "Deployment", NS, "app-blue", lambda item: item.update(status={}, spec={**item["spec"], "replicas": 5})
    )
    assert (of_spec["spec"]["replicas"], of_spec["status"]) == (5, {"replicas": 4})


def test_a_deployments_generation_counts_its_annotations_but_not_its_labels(store: Store) -> None:
    store.create(deployment())
    of_label = store.update("Deployment", NS, "app-blue", lambda item: item["metadata"]["labels"].update(a="b"))
    of_annotation = store.update(
        "Deployment", NS, "app-blue", lambda item: item["metadata"].update(annotations={"a": "b"})
    )
    assert [item["metadata"]["generation"] for item in (of_label, of_annotation)] == [1, 2]


def test_a_pod_ends_when_its_node_says_so(store: Store, hub: Hub) -> None:
    store.create(pod())
    store.delete("Pod", NS, "app-1")
    marked = store.get("Pod", NS, "app-1")["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 30
    assert marked["deletionTimestamp"] == store.stamp(30)
    hub.run(until=5)
    store.delete("Pod", NS, "app-1")  # once more changes nothing
    assert store.get("Pod", NS, "app-1")["metadata"] == marked
    store.delete("Pod", NS, "app-1", grace=0)
    assert store.get("Pod", NS, "app-1") is None


def test_a_pod_of_no_node_ends_at_once(store: Store) -> None:
    waiting = pod()
    del waiting["spec"]["nodeName"]
    store.create(waiting)
    store.delete("Pod", NS, "app-1")
    assert store.get("Pod", NS, "app-1") is None


@pytest.mark.parametrize(("propagation", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_what_waits_for_its_dependents_goes_with_its_last_finalizer(
    store: Store, propagation: str, finalizer: str
) -> None:
    store.create(deployment())
    store.delete("Deployment", NS, "app-blue", propagation=propagation)
    assert store.get("Deployment", NS, "app-blue")["metadata"]["finalizers"] == [finalizer]
    store.update("Deployment", NS, "app-blue", lambda item: item["metadata"].pop("finalizers"))
    assert store.get("Deployment", NS, "app-blue") is None


def test_all_hear_of_changes_in_the_order_in_which_they_were_made(store: Store) -> None:
    told: list[tuple[str, str, int]] = []

    def controller(kind: str, new: dict[str, Any], old: dict[str, Any] | None) -> None:
        told.append(("controller", kind, new["spec"]["replicas"]))
        if kind == "ADDED":
            store.update("Deployment", NS, "app-blue", set_replicas(2))

    store.subscribe("Deployment", controller)
    end = store.subscribe("Deployment", lambda kind, new, old: told.append(("user", kind, new["spec"]["replicas"])))
    store.create(deployment())
    assert told == [(who, *what) for what in (("ADDED", 1), ("MODIFIED", 2)) for who in ("controller", "user")]
    end()
    store.delete("Deployment", NS, "app-blue")
    assert told[4:] == [("controller", "DELETED", 2)]


def test_judges_see_who_wrote_what_and_when(store: Store, hub: Hub) -> None:
    seen: list[Write] = []
    store.on_write.append(seen.append)
    store.create(service(), by="me")
    hub.run(until=2)
    store.delete("Service", NS, "myapp", by="you")
    assert [(one.verb, one.kind, one.name, one.by, one.at) for one in seen] == [
        ("create", "Service", "myapp", "me", 0.0),
        ("delete", "Service", "myapp", "you", 2.0),
    ]
    assert seen[0].old is None and seen[1].new is None


def test_hooks_rewrite_and_refuse(store: Store) -> None:
    def hook(verb: str, new: dict[str, Any], old: dict[str, Any] | None, by: str) -> dict[str, Any] | None:
        if by == "villain":
            raise Refused(403, "Forbidden", "not you")
        return {**new, "metadata": {**new["metadata"], "labels": {"by": by}}}

    store.admission.append(hook)
    assert store.create(secret(), by="me")["metadata"]["labels"] == {"by": "me"}
    with pytest.raises(Refused, match="not you"):
        store.create(secret("other"), by="villain")
    with pytest.raises(Refused, match="not you"):
        store.delete("Secret", NS, "kept", by="villain")
    assert [item["metadata"]["name"] for item in store.list("Secret", NS)] == ["kept"]


def test_labels_select(store: Store) -> None:
    for name, color in (("b", "blue"), ("a", "blue"), ("c", "green")):
        store.create(pod(name, color=color))
    assert [item["metadata"]["name"] for item in store.list("Pod", NS, {"color": "blue"})] == ["a", "b"]
    assert store.list("Pod", "elsewhere") == []
    assert len(store.list("Pod", None)) == 3


def test_one_seed_gives_one_store() -> None:
    def made(seed: int) -> list[dict[str, Any]]:
        store = Store(Hub(seed))
        named = secret()
        named["metadata"] = {"generateName": "kept-", "namespace": NS}
        return [store.create(named), store.create(service())]

    assert made(3) == made(3)
    assert made(3) != made(4)


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_what_is_immutable_stays_what_it_is(store: Store, kind: str) -> None:
    """As ValidateConfigMapUpdate and ValidateSecretUpdate have it in pkg/apis/core/validation/validation.go."""
    store.create({**secret(), "kind": kind, "immutable": True})
    why = "field is immutable when `immutable` is set"
    for field, value in (("data", {"a": "Yg=="}), ("immutable", False), ("immutable", None)):
        with pytest.raises(Refused, match=f"{field}: Forbidden: {why}"):
            store.update(kind, NS, "kept", lambda item, given={field: value}: item.update(given))
    store.update(kind, NS, "kept", lambda item: item["metadata"].update(annotations={"a": "b"}))
    store.delete(kind, NS, "kept")
