# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of a playbook on the hub: each is a process with a name, as ansible-playbook is, and a second one renews its Lease."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import lease
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster

from simulation import role
from simulation.clock import Group, Hub, Killed, Task

TASKS = {"release": "main"}  # the role's file of tasks where it is not named after the flow


@dataclass
class Run:
    """One run and how it has ended.

    ``said``    every line that it has shown, with its time
    ``failed``  whether ansible-playbook would end with an error; ``None`` as long as it runs, or when it was killed
    ``result``  ``bluegreen_result`` of the application
    ``crash``   a Python error that no operation has made an error of its own of
    """

    name: str
    flow: str
    variables: dict[str, Any]
    check: bool
    process: Group
    began: float
    ended: float | None = None
    said: list[tuple[float, str]] = field(default_factory=list)
    failed: bool | None = None
    result: dict[str, Any] = field(default_factory=dict)
    crash: str | None = None
    task: Task | None = None
    at_end: Callable[[Run], None] = lambda run: None

    @property
    def killed(self) -> bool:
        return self.process.dead and self.failed is None

    @property
    def outcome(self) -> str | None:
        return self.result.get("outcome")

    def text(self) -> str:
        return "\n".join(f"{at:9.3f} {text}" for at, text in self.said)


class Runs:
    """Starts runs."""

    def __init__(self, hub: Hub, play: Any = role.Role) -> None:
        self.hub = hub
        self.play = play  # `role.Role`, or `playbook.Playbook`
        self.all: list[Run] = []

    def say(self, text: str) -> None:
        """Take down what the run that is at work shows."""
        task = self.hub.current
        for run in self.all:
            if task and run.process is task.group:
                run.said.append((self.hub.now, str(text)))

    def start(
        self, flow: str, variables: dict[str, Any], check: bool = False, skew: float = 0.0, name: str | None = None
    ) -> Run:
        name = name or f"{flow}-{len(self.all) + 1}"
        run = Run(name, flow, variables, check, Group(name, skew), self.hub.now)
        self.all.append(run)
        run.task = self.hub.spawn(self._play, run, group=run.process)
        return run

    def finish(self, run: Run, within: float) -> None:
        """Let time go on until a run has ended, or was killed.

        :param within: seconds after which it is said to hang.
        """
        end = self.hub.now + within
        self.hub.run(lambda: run.ended is not None or run.process.dead or self.hub.now > end)

    def kill(self, run: Run) -> None:
        self.hub.kill(run.process)

    def _play(self, run: Run) -> None:
        play = self.play(run.variables, run.check, self.say)
        try:
            play.run(TASKS.get(run.flow, run.flow))
            run.failed = False
        except self.play.Failed as failed:
            run.failed = True
            self.say(f"fatal: {failed}")
        except Killed:
            raise
        except Exception as error:
            run.failed, run.crash = True, f"{type(error).__name__}: {error}"
        results = play.fact("bluegreen_result") or {}
        run.result = next(iter(results.values()), {})
        run.ended = self.hub.now
        run.at_end(run)
        self.hub.after(0, self.hub.kill, run.process)  # its threads end with it

    def _at_work(self) -> Run:
        task = self.hub.current
        assert task is not None
        return next(run for run in self.all if run.process is task.group)

    @contextlib.contextmanager
    def keeper(self, params: dict[str, Any], _playbook: int) -> Iterator[Callable[[str], None]]:
        """The process that renews the Lease between operations, as plugin_utils/_keeper.py starts it."""
        run = self._at_work()

        def keep(lock_id: str) -> None:
            self.hub.spawn(self._keep, run, dict(params), lock_id, group=run.process)

        yield keep

    def _keep(self, run: Run, params: dict[str, Any], lock_id: str) -> None:
        self.hub.sleep(lease.RENEWAL)
        cluster = Cluster(dict(params, api_timeout=2 * lease.RENEWAL), "keeper")
        lease.Keeper(cluster, lease.lease_name(params["services"]), lock_id).run()
