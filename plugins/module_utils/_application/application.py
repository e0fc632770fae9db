# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The application as it stands in the cluster: its Services, its two colors, and the state that earlier runs left."""

from __future__ import annotations

import copy
import json
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.drift import recolored
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import last_switch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.lease import superseded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.state import read_state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import pod_labels
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import stamp, stamp_test
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Patch

SERVICE_NAME = "kubernetes.io/service-name"  # on an EndpointSlice: whose endpoints these are


def read_application(cluster: Cluster, params: Params) -> Application:
    """Read the Services and Deployments afresh. Every decision is made on such a reading, never on an earlier one.

    :returns: an :class:`Application`; the answer to "what is live" is also left in ``cluster.live`` for error messages.
    :raises BlueGreenError: a Service is missing or selects no known color, or colors cannot be told apart.
    """
    app = Application(cluster, params)
    cluster.live = app.describe_live()
    return app


def read_unless_live(cluster: Cluster, params: Params, color: str, doing: str) -> Application:
    """The same for what must not happen to a color that is live by now.

    :param doing: what that is, in words.
    """
    app = read_application(cluster, params)
    app.refuse_live(color, doing)
    return app


class Application:
    """One reading of the cluster.

    ``services``  the Service objects, in the order of the option
    ``active``    the color that the Services select
    ``pending``   the color that some of them select already, when a run died between two of them; else ``None``
    ``idle``      the other one than ``active``
    ``colors``    ``{name: Color}``
    ``state``     the state annotation, see :func:`read_state`
    ``there``     all Deployments of the namespace that stay, by name
    ``worker``    of which worker the colors are, empty for the application's own
    """

    def __init__(self, cluster: Cluster, params: Params) -> None:
        self.cluster = cluster
        self.label = params["color_label"]
        self.names = params["colors"]
        self.deployments: dict[str, str] = params["deployments"]  # by color, where somebody has named them
        self.warnings: list[str] = []
        if len(self.names) != 2 or self.names[0] == self.names[1]:
            raise BlueGreenError(
                f"Two different colors are needed, not {self.names}.",
                "bad_input",
                next_step="Set bluegreen_colors to two names, such as [blue, green].",
            )
        unknown = sorted(set(params["deployments"]) - set(self.names))
        if unknown:
            raise BlueGreenError(
                f"The option deployments names colors that do not exist: {', '.join(unknown)}.",
                "bad_input",
                next_step=f"Use the colors {' and '.join(self.names)}.",
            )
        # Deployments before Services: who takes over stamps the Services first. So if the Services still carry our lock id,
        # the stamps read from the Deployments are older than any takeover, and a write that tests them is fenced.
        deployments = cluster.list("Deployment")["items"]
        self._deployments = deployments
        self._deployments_there = ", ".join(sorted(map(_named, deployments))) or "none"
        self.there = {item["metadata"]["name"]: item for item in deployments if not _is_deleted(item)}
        self.worker = ""
        self.services = [self._service(name) for name in params["services"]]
        self.state = read_state(self.services[0], self.warnings)
        self.active, self.pending = self._active()
        self.idle = self.other(self.active)
        self.colors = self._colors(params)

    # --- reading ---------------------------------------------------------------------------------------------

    def _service(self, name: str) -> Object:
        service = self.cluster.get("Service", name)
        if service is None:
            raise BlueGreenError(
                f"There is no Service {name!r} in namespace {self.cluster.namespace!r} of {self.cluster.host}.",
                "not_found",
                why=f"Services there: {self._services_there()}.",
                next_step=f"Correct bluegreen_services or bluegreen_namespace (the connection comes from {self.cluster.source}).",
            )
        selector = service["spec"].get("selector") or {}
        if selector.get(self.label) not in self.names:
            raise BlueGreenError(
                f"Service {name!r} in namespace {self.cluster.namespace!r} selects neither color.",
                "no_color",
                why=f"Its selector is {json.dumps(selector, sort_keys=True)}; expected {self.label!r} to be one of {' and '.join(self.names)}.",
                next_step="Put the color that shall be live into the selector, or set bluegreen_color_label and bluegreen_colors to what the Service uses.",
            )
        return service

    def _services_there(self) -> str:
        """Read from the EndpointSlices: a release may list those (see examples/rbac), but not Services."""
        try:
            slices = self.cluster.list("EndpointSlice")["items"]
        except ApiError as error:
            return f"not readable (HTTP {error.status})"
        labels = (item["metadata"].get("labels") or {} for item in slices)
        return ", ".join(sorted({item[SERVICE_NAME] for item in labels if SERVICE_NAME in item})) or "none"

    def selected(self, service: Object) -> str:
        """The color that a Service selects."""
        return service["spec"]["selector"][self.label]

    def selectors(self) -> dict[str, Object]:
        return {service["metadata"]["name"]: service["spec"]["selector"] for service in self.services}

    def _active(self) -> tuple[str, str | None]:
        """``(active, pending)``; the Services may differ only where a recorded switch was interrupted."""
        live = {self.selected(service) for service in self.services}
        if len(live) == 1:
            return live.pop(), None
        intent = self.state.get("intent")
        if intent and {intent["from"], intent["to"]} == live:
            return intent["from"], intent["to"]
        raise BlueGreenError(
            "The Services do not agree on the live color.",
            "contradiction",
            why=[f"{name}: {json.dumps(selector, sort_keys=True)}" for name, selector in self.selectors().items()],
            next_step="Put the same color into the selectors, then run again.",
        )

    def _colors(self, params: Params) -> dict[str, Color]:
        staying = [*self.there.values()]
        colors = {}
        for name in self.names:
            wanted = params["deployments"].get(name)
            if wanted:
                found = self._named_for(name, wanted, staying)
            else:
                found = [
                    item for item in staying if all(self.would_select(service, name, item) for service in self.services)
                ]
            if len(found) > 1:
                raise BlueGreenError(
                    f"Several Deployments in namespace {self.cluster.namespace!r} are {name}: "
                    + ", ".join(sorted(item["metadata"]["name"] for item in found))
                    + ".",
                    "ambiguous",
                    why=f"Their pod labels all match {self.selector_for(name)}.",
                    next_step=f"Say which one it is: bluegreen_deployments: {{{name}: NAME}}.",
                )
            colors[name] = Color(name, found[0] if found else None, params["containers"])
        return colors

    def _named_for(self, name: str, wanted: str, deployments: list[Object]) -> list[Object]:
        """The Deployment that the option names for a color; none where it is gone, and the way back must not need it.

        :raises BlueGreenError: it is a mistake in the name.
        """
        found = [item for item in deployments if item["metadata"]["name"] == wanted]
        # Before the first release it is a mistake in the name. Later somebody may have deleted the Deployment, or its life
        # has ended; then as well there must be a way back, and a next release.
        if not found and not self.state["history"] and name == self.active:
            raise self._not_there(name, wanted)
        if not found or not self._not_selected_by(name, found[0]):
            return found
        if name == self.active and self.state["history"]:
            return []  # its pods were selected when it became live
        raise self._unselected(name, found[0])

    def _not_selected_by(self, color: str, deployment: Object) -> list[str]:
        """The Services that would not select the pods of this Deployment when they are switched to ``color``."""
        services = [service for service in self.services if not self.would_select(service, color, deployment)]
        return [service["metadata"]["name"] for service in services]

    def _unselected(self, color: str, deployment: Object) -> BlueGreenError:
        name, strange = deployment["metadata"]["name"], self._not_selected_by(color, deployment)
        return BlueGreenError(
            f"Deployment {name!r} is not {color}: Service {', '.join(strange)} would not select its pods.",
            "bad_input",
            why=[
                f"they need the labels {self.selector_for(color, strange[0])}",
                f"they have the labels {json.dumps(pod_labels(deployment), sort_keys=True)}",
            ],
            next_step=f"Correct spec.template.metadata.labels of {name}, or bluegreen_deployments.",
        )

    def refuse_taken(self, color: str, name: str) -> None:
        """:raises BlueGreenError: the Deployment that is to be made for a color is there, and is none or is being deleted."""
        for deployment in self._deployments:
            if deployment["metadata"]["name"] != name:
                continue
            if _is_deleted(deployment):
                raise self._deleted(color, name, "conflict")
            if self._not_selected_by(color, deployment):
                raise self._unselected(color, deployment)

    def leaving(self, color: str) -> str | None:
        """The color's Deployment that somebody has deleted, and only its finalizers keep."""
        for item in self._deployments:
            name = item["metadata"]["name"]
            if (
                _is_deleted(item)
                and self.deployments.get(color, name) == name
                and not self._not_selected_by(color, item)
            ):
                return str(name)
        return None

    def _deleted(self, color: str, name: str, reason: str) -> BlueGreenError:
        return BlueGreenError(
            f"Deployment {name} is being deleted. There is no other one for the color {color}.",
            reason,
            why=f"Deployments there: {self._deployments_there}.",
            next_step="Run again when it is gone and there is another one; its metadata.finalizers say what keeps it.",
        )

    def _lacking(self, color: str) -> list[str]:
        """Why the Deployments that have the color's label are none all the same."""
        lines = []
        for item in self._deployments:
            labels, strange = pod_labels(item), self._not_selected_by(color, item)
            if labels.get(self.label) != color or not strange or _is_deleted(item):
                continue
            service = next(one for one in self.services if one["metadata"]["name"] == strange[0])
            wanted = self.switched(service, color)
            lack = [f"{key}={value}" for key, value in wanted.items() if labels.get(key) != value]
            if len(lack) == len(wanted) - 1 and item["metadata"]["name"] != self.name_for(color):
                continue  # but for its color it has nothing of this application
            lines.append(
                f"{item['metadata']['name']} is none: Service {strange[0]} would not select its pods, which lack {', '.join(lack)}."
            )
        return lines[:3]

    def _not_there(self, name: str, wanted: str) -> BlueGreenError:
        return BlueGreenError(
            f"There is no Deployment {wanted!r} in namespace {self.cluster.namespace!r} (named for the color {name}).",
            "not_found",
            why=f"Deployments there: {self._deployments_there}.",
            next_step=f"Correct {'bluegreen_workers' if self.worker else 'bluegreen_deployments'}"
            + (", or let it be made: bluegreen_create_missing." if name == self.idle else "."),
        )

    def would_select(self, service: Object, color: str, deployment: Object) -> bool:
        """Whether the Service, switched to ``color``, selects the pods of this Deployment."""
        labels = pod_labels(deployment)
        return all(labels.get(key) == value for key, value in self.switched(service, color).items())

    def switched(self, service: Object, color: str) -> Object:
        """The selector of a Service that is switched to ``color``."""
        return dict(service["spec"]["selector"], **{self.label: color})

    def selector_for(self, color: str, service: str = "") -> str:
        """The selector of a Service, of the first one if none is named, when it is switched to ``color``; for messages."""
        found = next(item for item in self.services if service in ("", item["metadata"]["name"]))
        return json.dumps(self.switched(found, color), sort_keys=True)

    def of_worker(self, worker: str, containers: list[str]) -> Application:
        """The same reading, by the Deployments of a worker in place of the application's own.

        :param containers: as of the application; of those that a worker has not, none is meant.
        :raises BlueGreenError: one of them is the application's own: what users are on is nobody's worker.
        """
        view = copy.copy(self)
        view.worker = worker
        view.deployments = {color: f"{worker}-{color}" for color in self.names}
        view.colors = {}
        for color, name in view.deployments.items():
            found = self.there.get(name)
            self._refuse_own(worker, found)
            spec = found["spec"]["template"]["spec"] if found else {}
            has = {item["name"] for item in spec.get("containers", []) + (spec.get("initContainers") or [])}
            view.colors[color] = Color(color, found, [name for name in containers if name in has])
        return view

    def _refuse_own(self, worker: str, found: Any) -> None:
        own = [color.deployment_name for color in self.colors.values()]
        served = [
            service["metadata"]["name"]
            for service in self.services
            if found and any(self.would_select(service, color, found) for color in self.names)
        ]
        if found and (served or found["metadata"]["name"] in own):
            raise BlueGreenError(
                f"Deployment {found['metadata']['name']} is no worker: it is a color of the application.",
                "bad_input",
                why=[f"Service {service} selects its pods" for service in served],
                next_step=f"Take {worker} out of bluegreen_workers, or give its pods labels that no Service selects.",
            )

    # --- answers ---------------------------------------------------------------------------------------------

    def other(self, color: str) -> str:
        return self.names[1] if color == self.names[0] else self.names[0]

    @property
    def live(self) -> Color:
        return self.colors[self.active]

    def color(self, name: str) -> Color:
        """The color, which must exist and have a Deployment.

        :raises BlueGreenError: unknown name, or no Deployment; the message names the choices.
        """
        if name not in self.names:
            raise BlueGreenError(
                f"There is no color {name!r}.",
                "bad_input",
                next_step=f"The colors are {' and '.join(self.names)}.",
            )
        color = self.colors[name]
        gone = self.leaving(name) if color.deployment is None else None
        if gone:
            raise self._deleted(name, gone, "not_found")
        if color.deployment is None and name in self.deployments:
            raise self._not_there(name, self.deployments[name])
        if color.deployment is None:
            raise BlueGreenError(
                f"There is no Deployment for the color {name} in namespace {self.cluster.namespace!r}.",
                "not_found",
                why=[
                    f"Looked for pod labels {self.selector_for(name)}.",
                    f"Deployments there: {self._deployments_there}.",
                    *self._lacking(name),
                ],
                next_step="Create it (bluegreen_create_missing makes it from the live one), or give these labels to the pods "
                "of the Deployment that shall be it.",
            )
        return color

    def name_for(self, color: str) -> str:
        """Of a color's Deployment, also where there is none: as it is named, or after the other one; empty where both are gone."""
        there = self.colors[color].deployment_name or self.deployments.get(color)
        if there:
            return str(there)
        other = self.other(color)
        known = str(self.colors[other].deployment_name or self.deployments.get(other) or "")
        after = recolored(known, other, color)
        return after if after != known or not known else f"{known}-{color}"

    def planned(self, name: str) -> Color:
        """The color; in a plan it may have no Deployment, because what makes one was only planned."""
        return self.colors[name] if self.cluster.dry_run and name in self.names else self.color(name)

    def describe(self, name: str) -> str:
        """One phrase for messages, such as ``blue (version 1.0, 3 of 3 pods ready)``."""
        color = self.colors[name]
        if color.deployment is None:
            return f"{name} (its Deployment does not exist)"
        return f"{name} (version {color.version}, {color.ready} of {color.replicas} pods ready)"

    def describe_live(self) -> str:
        """What users see: one color, or which one by which Service, where a switch was interrupted."""
        if not self.pending:
            return self.describe(self.active)
        served: dict[str, list[str]] = {self.active: [], self.pending: []}
        for service in self.services:
            served[self.selected(service)].append(service["metadata"]["name"])
        return "; ".join(f"{self.describe(color)} on {', '.join(names)}" for color, names in served.items())

    def strength(self) -> int:
        """How many pods the traffic needs: the live color's replicas; if it has none any more, those of the last switch."""
        last = last_switch(self.state["history"])
        return self.live.replicas or (last.get("replicas") or 0 if last else 0)

    def refuse_nothing(self) -> None:
        """:raises BlueGreenError: how many pods the traffic needs is not known, because the live color has none."""
        if not self.strength():
            name = self.live.deployment_name
            raise BlueGreenError(
                f"The new color would get 0 pods, because the live color has as many: {name} is scaled to 0, and no release has "
                "recorded what it had.",
                "bad_input",
                next_step=f"Give it pods first: kubectl -n {self.cluster.namespace} scale deployment {name} --replicas=N. A task of "
                "your own can give bg_deploy replicas.",
            )

    def refuse_paused(self) -> None:
        """:raises BlueGreenError: the idle color's Deployment would not roll out what is deployed to it."""
        color = self.colors[self.idle]
        if color.deployment and color.deployment["spec"].get("paused"):
            raise BlueGreenError(
                f"Deployment {color.deployment_name} is paused: {color.name} would not get the new version.",
                "not_ready",
                why="spec.paused is true",
                next_step=f"kubectl -n {self.cluster.namespace} rollout resume deployment {color.deployment_name}; then run again.",
            )

    def strength_before(self, color: str) -> int:
        """How many pods a color had when it was live last. What is live now, which may be broken, says nothing about it."""
        for entry in self.state["history"]:
            if entry.get("switched_at") and entry.get("from_color") == color:
                # Older versions have only recorded how many the next one had, which was given as many.
                return entry.get("previous_replicas") or entry.get("replicas") or 1
            if entry.get("switched_at") and entry.get("color") == color:
                return entry.get("replicas") or 1
        return self.strength()

    def refuse_live(self, name: str, deed: str) -> None:
        """Law 1: what the Services select is not changed, scaled or removed by anything but a switch.

        :raises BlueGreenError: ``name`` is live.
        """
        if any(self.selected(service) == name for service in self.services):
            raise BlueGreenError(
                f"{name} is live: {deed} is refused.",
                "live",
                why=[
                    f"Service {service}: selector {json.dumps(selector, sort_keys=True)}"
                    for service, selector in self.selectors().items()
                ],
                next_step=f"Work on {self.idle}, the idle color, and switch.",
            )

    def refuse_foreign_lock(self, lock_id: str | None) -> None:
        """A Service must carry this run's lock id, or none for a module that is used without a lock.

        :raises BlueGreenError: ``superseded`` (we had the lock) or ``locked`` (we have none and another run does).
        """
        for service in self.services:
            holder = stamp(service)
            if holder == lock_id:
                continue
            name = service["metadata"]["name"]
            if lock_id:
                raise superseded(f"Service {name} carries lock id {holder or 'none'}.")
            raise BlueGreenError(
                f"Service {name} is locked by run {holder}.",
                "locked",
                next_step="Wait for that release to end; rollback.yml takes over at once.",
            )

    def fence(self, target: Object, lock_id: str | None) -> Patch:
        """JSON Patch operations that let a write on a Service or Deployment through only while no other run has taken over.

        A Deployment may carry what an ended run has left there, but it must not change before the write arrives.

        :raises BlueGreenError: see :meth:`refuse_foreign_lock`.
        """
        if self.cluster.dry_run:
            return []
        self.refuse_foreign_lock(lock_id)
        return stamp_test(target)

    def reread(self, service: Object) -> Object:
        """The Service as it is now, put into this reading.

        :raises BlueGreenError: it has been deleted.
        """
        name = service["metadata"]["name"]
        fresh = self.cluster.get("Service", name)
        if fresh is None:
            raise BlueGreenError(
                f"Service {name} was deleted from namespace {self.cluster.namespace!r} while this run worked on it.",
                "not_found",
                why=f"Its selector was {json.dumps(service['spec'].get('selector'), sort_keys=True)}.",
                next_step="Create it again with the color that shall be live in its selector, then run again.",
            )
        self.services = [fresh if item["metadata"]["name"] == name else item for item in self.services]
        return fresh


def _is_deleted(item: Object) -> bool:
    """Whether somebody has deleted the object, and only its finalizers keep it."""
    return "deletionTimestamp" in item["metadata"]


def _named(deployment: Object) -> str:
    return deployment["metadata"]["name"] + (" (is being deleted)" if _is_deleted(deployment) else "")
