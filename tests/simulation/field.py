# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Situations as people meet them: the example application, changed by hand, and whole runs on it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from simulation.runs import Run
from simulation.schedules import Schedule
from simulation.trial import COMES_TO_AN_END, NAMESPACE, Trial
from simulation.world import example
from simulation.world.objects import Object


class Field(Trial):
    """``with Field() as field``: blue is live with three pods of 1.0, green idle with one.

    :param idle: whether green has a Deployment.
    :param given: variables of every run.
    """

    def __init__(self, idle: bool = True, live: int = 3, env: dict[str, str] | None = None, **given: Any) -> None:
        super().__init__(Schedule("release", 1))
        self.given = {"bluegreen_checks": [], **given}
        self._idle, self._live, self._env = idle, live, env

    def __enter__(self) -> Field:
        self._stack = self._installed()
        self._stack.__enter__()
        example.shop(self.world, live=self._live, env=self._env)
        if not self._idle:
            self.store.delete("Deployment", NAMESPACE, "app-green", by="kubectl")
        self.settle()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def play(self, flow: str, version: str = "", check: bool = False, **variables: Any) -> Run:
        """A whole run, and the time for all to come to rest."""
        given = {**self.scenario.settings(flow, version or None), **self.given, **variables}
        run = self.runs.start(flow, given, check=check)
        self.runs.finish(run, COMES_TO_AN_END)
        assert run.crash is None, run.crash
        self.settle()
        return run

    def admit(self, change: Callable[[Object], Any]) -> None:
        """Have every Deployment changed when it is written, as an admission webhook does."""
        store = self.store
        replaced, created = store.replaced, store.created

        def admitted(item: Object) -> Object:
            item = copy.deepcopy(item)
            if item["kind"] == "Deployment":
                change(item)
            return item

        store.replaced = lambda old, new, *more, **options: replaced(old, admitted(new), *more, **options)  # type: ignore[method-assign]
        store.created = lambda item, *more, **options: created(admitted(item), *more, **options)  # type: ignore[method-assign]

    def change(self, kind: str, name: str, change: Callable[[Object], Any]) -> None:
        self.store.update(kind, NAMESPACE, name, change, by="kubectl")
        self.settle()

    def put(self, item: Object) -> None:
        item["metadata"]["namespace"] = NAMESPACE
        self.store.create(item, by="kubectl")
        self.settle()

    def deployment(self, name: str) -> Object:
        found = self.store.get("Deployment", NAMESPACE, name)
        assert found is not None
        return found

    def container(self, name: str) -> Object:
        found: Object = self.deployment(name)["spec"]["template"]["spec"]["containers"][0]
        return found

    def env(self, name: str) -> dict[str, str]:
        return {item["name"]: item.get("value", "") for item in self.container(name)["env"]}

    def live(self) -> str:
        found = self.store.get("Service", NAMESPACE, "myapp")
        assert found is not None
        return str(found["spec"]["selector"]["version"])

    def written(self) -> list[Object]:
        """The specs of what a run may write."""
        return [item["spec"] for kind in ("Deployment", "Service") for item in self.store.list(kind, NAMESPACE)]


def container(item: Object) -> Object:
    """The one of a Deployment."""
    found: Object = item["spec"]["template"]["spec"]["containers"][0]
    return found
