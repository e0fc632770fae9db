# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that renews the Lease between the operations of a run, for as long as the run lives and holds it."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import lease as _lease
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _keeper
from api import Api
from loopback import Answer, Loopback, Seen
from recorded import RecordedCluster

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

BEFORE = "2026-01-01T00:00:00.000000Z"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time, but less of it."""
    monkeypatch.setattr(_lease, "FIRST_RENEWAL", 0.1)
    monkeypatch.setattr(_lease, "RENEWAL", 0.3)


@pytest.fixture
def api(loopback: Loopback) -> Api:
    api = Api(loopback, RecordedCluster(at="ready"))
    hold(api, "ours")
    return api


class Playbook:
    """Stands for ansible-playbook: its workers take the lock, and then it does something else until it is killed."""

    def __init__(self, api: Api, workers: int = 1, watched: int | None = None, stdout: int | None = None) -> None:
        params = recorded.parameters(_lock, **api.connection)
        self.pid = os.fork()
        if self.pid == 0:
            if stdout is not None:
                os.dup2(stdout, 1)
                os.close(stdout)
            for _number in range(workers):
                arguments = (params, watched or os.getpid())
                worker = multiprocessing.get_context("fork").Process(target=_take, args=arguments)
                worker.start()
                worker.join()
            signal.pause() if watched is None else os._exit(0)
        self.watched = watched or self.pid

    @property
    def is_kept(self) -> bool:
        """Whether there is a keeper, by the name that it has."""
        return f"@bluegreen.kubernetes/{self.watched}/ours\n" in Path("/proc/net/unix").read_text()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> None:
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0


def _take(params: dict[str, Any], playbook: int) -> None:
    with _keeper.lease_keeper(params, playbook) as keep:
        keep("ours")


@pytest.fixture
def start(api: Api) -> Iterator[Callable[..., Playbook]]:
    started: list[Playbook] = []

    def start(**options: Any) -> Playbook:
        playbook = Playbook(api, **options)
        started.append(playbook)
        until(lambda: playbook.is_kept, "a keeper")
        return playbook

    yield start
    hold(api, "nobody")
    for playbook in started:
        if playbook.pid:
            playbook.kill()
            playbook.bury()
        until(lambda playbook=playbook: not playbook.is_kept, "the end of the keeper")


def hold(api: Api, run: str) -> None:
    spec = {"holderIdentity": run, "leaseDurationSeconds": 30, "renewTime": BEFORE}
    api.store.put({"kind": "Lease", "metadata": {"name": "bluegreen-myapp"}, "spec": spec})


def until(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.01)


def renewals(api: Api) -> list[Seen]:
    return [seen for seen in api.server.seen if seen.method == "PATCH"]


def test_renews_while_nothing_else_runs(api: Api, start: Callable[..., Playbook]) -> None:
    start()
    until(lambda: len(renewals(api)) >= 3, "three renewals")
    spec = api.store.one("Lease", "bluegreen-myapp")["spec"]
    assert (spec["holderIdentity"], spec["renewTime"] > BEFORE) == ("ours", True)
    assert {seen.headers["User-Agent"] for seen in api.server.seen} == {"bluegreen.kubernetes/keeper"}


@pytest.mark.parametrize("holder", ["", "theirs"], ids=["released", "taken over"])
def test_ends_when_the_lock_is_no_longer_ours(api: Api, start: Callable[..., Playbook], holder: str) -> None:
    playbook = start()
    until(lambda: renewals(api), "a renewal")
    hold(api, holder)
    until(lambda: not playbook.is_kept, "the end of the keeper")
    assert api.store.one("Lease", "bluegreen-myapp")["spec"]["renewTime"] == BEFORE
    asked = len(api.server.seen)
    time.sleep(1)
    assert len(api.server.seen) == asked


@pytest.mark.parametrize("has_pidfd", [True, False], ids=["pidfd", "without pidfd"])
def test_ends_with_ansible_playbook(
    api: Api, start: Callable[..., Playbook], monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    """Also while nobody has yet asked how it ended."""
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    playbook = start()
    until(lambda: renewals(api), "a renewal")
    playbook.kill()
    until(lambda: not playbook.is_kept, "the end of the keeper", 5)


def test_a_request_without_an_answer_does_not_keep_it_from_ending(api: Api, start: Callable[..., Playbook]) -> None:
    def never(seen: Seen) -> Answer:
        api.server.closing.wait(60)
        return Answer(503)

    api.server.answer = never
    playbook = start()
    until(lambda: len(renewals(api)) >= 2, "a second try")
    playbook.kill()
    until(lambda: not playbook.is_kept, "the end of the keeper", 5)


def test_a_renewal_that_hangs_is_given_up_while_an_operation_works(api: Api) -> None:
    """Well within the lease's duration, and made again."""

    def never(seen: Seen) -> Answer:
        if len(renewals(api)) > 1:
            return api.answer(seen)
        api.server.closing.wait(60)
        return Answer(503)

    api.server.answer = never
    cluster = Cluster(recorded.parameters(_lock, **api.connection), "test")
    with _lease.Keeper(cluster, "bluegreen-myapp", "ours"):
        until(lambda: api.store.one("Lease", "bluegreen-myapp")["spec"]["renewTime"] > BEFORE, "a renewal", 10)


def test_renewals_outlive_what_nobody_has_foreseen(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(recorded.parameters(_lock, **api.connection), "test")
    send, tries = cluster._send, []

    def fail_once(*arguments: Any, **options: Any) -> Any:
        tries.append("")
        if len(tries) == 1:
            raise ValueError("of a library")
        return send(*arguments, **options)

    monkeypatch.setattr(Cluster, "_send", lambda self, *arguments, **options: fail_once(*arguments, **options))
    with _lease.Keeper(cluster, "bluegreen-myapp", "ours"):
        until(lambda: len(tries) > 1, "a second try", 10)


def test_goes_on_when_the_api_server_is_back(api: Api, start: Callable[..., Playbook]) -> None:
    api.server.answer = lambda seen: Answer(503)
    start()
    until(lambda: len(renewals(api)) >= 5, "five tries")
    api.server.answer = api.answer
    until(lambda: api.store.one("Lease", "bluegreen-myapp")["spec"]["renewTime"] > BEFORE, "a renewal")


def test_keeps_nothing_open(api: Api, start: Callable[..., Playbook]) -> None:
    """Who reads what ansible-playbook says gets the end of it, even while a keeper lives."""
    hears, says = os.pipe()
    playbook = start(watched=os.getpid(), stdout=says)
    os.close(says)
    until(lambda: select.select([hears], [], [], 0)[0], "the end of what is read")
    assert os.read(hears, 1) == b""
    os.close(hears)
    playbook.bury()
    assert playbook.is_kept
    until(lambda: renewals(api), "a renewal")


def test_a_lock_that_is_taken_again_has_one_keeper(api: Api, start: Callable[..., Playbook]) -> None:
    start(workers=3)
    until(lambda: len(renewals(api)) >= 6, "renewals")
    assert len({seen.client for seen in renewals(api)}) == 1


def test_without_a_lock_there_is_nothing_to_keep(api: Api) -> None:
    params = recorded.parameters(_lock, **api.connection)
    worker = os.fork()
    if worker == 0:
        with _keeper.lease_keeper(params, os.getppid()):
            pass  # the lock is another run's
        os.wait()
        os._exit(0)
    os.waitpid(worker, 0)
    assert api.server.seen == []
