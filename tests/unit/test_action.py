# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process in which an operation runs: what it is forked with, and that it ends with its run."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.plugin_utils import _action


def _worker(parent_lives: bool, says: int) -> None:
    parent = multiprocessing.parent_process()
    while not parent_lives and os.getppid() == parent.pid:
        time.sleep(0.01)
    _action._die_with_parent()
    os.write(says, b"working")


@pytest.mark.parametrize("parent_lives", [True, False], ids=["a parent that lives", "a parent that has ended already"])
def test_a_worker_works_only_for_a_parent_that_lives(parent_lives: bool) -> None:
    hears, says = os.pipe()
    run = os.fork()
    if run == 0:  # ansible-playbook, which may be killed as soon as it has started a worker
        worker = multiprocessing.get_context("fork").Process(target=_worker, args=(parent_lives, says))
        worker.start()
        if parent_lives:
            worker.join()
        os._exit(0)
    os.close(says)
    os.waitpid(run, 0)
    assert os.read(hears, 100) == (b"working" if parent_lives else b"")  # nothing: it has ended
    os.close(hears)


def test_what_is_loaded_is_left_alone_by_the_collections_of_workers() -> None:
    assert not any(item is _action.execute for item in gc.get_objects())
