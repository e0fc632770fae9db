# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example application: two Deployments, one live behind its Services, as in examples/myapp/manifests."""

from __future__ import annotations

from typing import Any

from simulation.world import World
from simulation.world.objects import Object, is_ready

NAMESPACE = "shop"
IMAGE = "registry/app"
MANIFESTS = "kubectl"  # who has applied them


def deployment(
    color: str,
    replicas: int,
    image: str = f"{IMAGE}:1.0",
    env: dict[str, str] | None = None,
    configured: bool = False,
    **spec: Any,
) -> Object:
    """``configured``: with what a ConfigMap and a Secret hold; ``spec``: further fields of the Deployment's spec."""
    labels = {"app": "myapp", "version": color}
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "COLOR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['version']"}}},
            *({"name": name, "value": value} for name, value in (env or {}).items()),
        ],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "96Mi"}},
    }
    if configured:
        container["envFrom"] = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "credentials"}}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{color}", "namespace": NAMESPACE, "labels": dict(labels)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str, color: str = "blue", target: int | str = "http") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "myapp"}},
        "spec": {
            "selector": {"app": "myapp", "version": color},
            "ports": [{"name": "http", "port": 80, "targetPort": target}],
        },
    }


def shop(
    world: World,
    services: tuple[str, ...] = ("myapp",),
    live: int = 3,
    idle: int = 1,
    env: dict[str, str] | None = None,
    configured: bool = False,
    **spec: Any,
) -> None:
    """Blue is live, green idle; on return all is at rest."""
    store = world.store
    if "Namespace" in store.history and store.get("Namespace", "", NAMESPACE) is None:
        store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, by=MANIFESTS)
    if configured:
        for kind, name in (("ConfigMap", "settings"), ("Secret", "credentials")):
            metadata = {"name": name, "namespace": NAMESPACE}
            store.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {}}, by=MANIFESTS)
    store.create(deployment("blue", live, env=env, configured=configured, **spec), by=MANIFESTS)
    store.create(deployment("green", idle, env=env, configured=configured, **spec), by=MANIFESTS)
    for name in services:
        store.create(service(name), by=MANIFESTS)
    world.settle(
        lambda: at_rest(world, "app-blue") and at_rest(world, "app-green") and _programmed(world, services, live)
    )


def at_rest(world: World, name: str) -> bool:
    """Whether every pod of a Deployment is available and of its newest template, and no other one is left."""
    item = world.store.get("Deployment", NAMESPACE, name)
    if item is None:
        return False
    wanted, status = item["spec"]["replicas"], item["status"]
    counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration") == item["metadata"]["generation"]
    return seen and counts == [wanted] * 3 and not status.get("terminatingReplicas")


def pods_of(world: World, color: str) -> list[Object]:
    return world.store.list("Pod", NAMESPACE, {"app": "myapp", "version": color})


def ready_pods(world: World, color: str) -> list[Object]:
    return [pod for pod in pods_of(world, color) if is_ready(pod)]


def switch(world: World, name: str, color: str, by: str = "test") -> None:
    """The Service's selector, at once."""
    world.store.update("Service", NAMESPACE, name, lambda copy: copy["spec"]["selector"].update(version=color), by=by)


def _programmed(world: World, services: tuple[str, ...], live: int) -> bool:
    """Whether every node sends users to all live pods."""
    found = {port.service: nodes for port, nodes in world.proxy.programmed.items()}
    return all(
        name in found and [len(ends) for ends in found[name].values()] == [live] * len(world.nodes) for name in services
    )
