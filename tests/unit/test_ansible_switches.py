# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role under Ansible's own switches: no_log, callbacks, facts, loops, any_errors_fatal, tags, --start-at-task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api import Api
from loopback import Loopback
from playing import Player
from recorded import RecordedCluster

# A callback that prints one JSON document, as ansible.posix.json does.
MACHINE = """\
import json
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "machine"
    def v2_playbook_on_stats(self, stats):
        print(json.dumps({"hosts": sorted(stats.processed)}))
"""


@pytest.fixture
def api(loopback: Loopback) -> Api:
    """2.0 is ready on green, blue is live with 1.0."""
    return Api(loopback, RecordedCluster(at="ready"))


@pytest.fixture
def player(api: Api, tmp_path: Path) -> Player:
    return Player(tmp_path, api.server)


def test_lists_and_dictionaries_given_as_text_mean_what_they_write(player: Player) -> None:
    player.hosts["blog"] = {"bluegreen_services": "myapp", "bluegreen_colors": "blue,green"}
    (player.directory / "gate.yml").write_text('[{"ansible.builtin.fail": {"msg": "not approved"}}]')
    hooks = 'bluegreen_hooks={"before_switch":"gate.yml"}'
    ended = player.play("-e", "version=2.0", "-e", hooks, "--check")
    assert ended.code == 2 and "Release of 2.0 ABORTED: stopped before the switch" in ended.all
    assert "not approved" in ended.out


@pytest.mark.parametrize("where", ["play", "task"])
def test_no_log_hides_progress(player: Player, where: str) -> None:
    if where == "play":
        ended = player.play("-e", "version=2.0", "--check", no_log=True)
    else:
        options = {"flow": "release", "services": ["myapp"], "namespace": "store", "version": "2.0"}
        look = {"bluegreen.kubernetes.bg_begin": options}
        ended = player.play("--check", tasks=[{**look, "no_log": True}])
    assert ": ok=" in ended.out
    assert "blog | " not in ended.all and "1.0" not in ended.all


def test_a_callback_for_machines_has_standard_output_to_itself(player: Player) -> None:
    (player.directory / "callback_plugins").mkdir()
    (player.directory / "callback_plugins" / "machine.py").write_text(MACHINE)
    player.environment["ANSIBLE_STDOUT_CALLBACK"] = "machine"
    ended = player.play("-e", "version=2.0", "--check")
    assert json.loads(ended.out) == {"hosts": ["blog"]}
    assert "blog | PLANNED: " in ended.error


def test_the_result_is_a_variable_without_injected_facts(player: Player) -> None:
    player.environment["ANSIBLE_INJECT_FACT_VARS"] = "False"
    assert player.play("-e", "version=2.0", "--check").results["blog"]["outcome"] == "planned"


def test_a_fact_cache_approves_of_nothing(player: Player) -> None:
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(player.directory / "facts")}
    prepare, promote = [player.role("prepare")], [player.role("promote")]
    player.environment = dict(cache)
    assert player.play("-e", "version=2.0", tasks=prepare).results["blog"]["outcome"] == "prepared"
    player.environment = {}
    assert player.play("-e", "version=2.0", tasks=prepare).results["blog"]["outcome"] == "prepared"
    player.environment = dict(cache)
    assert player.play("-e", "version=2.0", "--check", tasks=promote).results["blog"]["outcome"] == "planned"


def test_what_an_extra_variable_approves_of_counts_also_with_a_fact_cache(player: Player) -> None:
    """As in a workflow of AWX whose inventory stores facts."""
    player.environment = {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(player.directory / "facts"),
    }
    approved = player.play("-e", "version=2.0", tasks=[player.role("prepare")]).results
    player.environment = {}
    player.play("-e", "version=2.0", tasks=[player.role("prepare")])
    player.environment = {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(player.directory / "facts"),
    }
    extra = json.dumps({"version": "2.0", "bluegreen_result": approved})
    ended = player.play("-e", extra, "--check", tasks=[player.role("promote")])
    assert ended.code == 2 and "Another release was prepared since this one was approved." in ended.out


def test_a_loop_over_applications_keeps_all_results(player: Player) -> None:
    player.hosts = {"localhost": {}}
    several = player.role(
        vars={"bluegreen_services": ["{{ item }}"], "bluegreen_image": "{{ 'myapp:2.0' }}"}, loop=["other", "myapp"]
    )
    block = {"block": [several], "rescue": [{"ansible.builtin.meta": "clear_host_errors"}]}
    ended = player.play("--check", tasks=[block, player.role(vars={"bluegreen_image": "myapp:1.0"})])
    assert {name: result["outcome"] for name, result in ended.results.items()} == {
        "other": "refused",
        "myapp": "planned",
    }


def test_any_errors_fatal_says_which_host_has_failed_and_why(player: Player) -> None:
    player.hosts = {"blog": {}, "shop": {"bluegreen_services": ["gone"]}}
    ended = player.play("-e", "version=2.0", "--check", any_errors_fatal=True)
    assert ended.code == 2 and "There is no Service 'gone'" in ended.all
    # Whether the other host comes to its rescue before the play ends is Ansible's, by its version and by whose result comes first.
    assert "could not be included" not in ended.all
    if "blog | ABORTED" in ended.all or "REFUSED: nothing was changed; blue" in ended.all:
        assert "shop failed, and any_errors_fatal ends the other hosts: There is no Service 'gone'" in ended.all


def test_a_tag_on_the_task_that_includes_the_role_selects_all_of_it(player: Player) -> None:
    ended = player.play("-e", "version=2.0", "--check", "--tags", "ship", tasks=[player.role(tags="ship")])
    assert ended.results["blog"]["outcome"] == "planned"
    assert "blog | app-green has myapp:2.0" in ended.out


def test_other_tags_leave_a_role_alone_that_is_there_statically(player: Player, api: Api) -> None:
    role = {"ansible.builtin.import_role": {"name": "bluegreen.kubernetes.bluegreen"}, "tags": "ship"}
    other = {"ansible.builtin.debug": {"msg": "something else"}, "tags": "other"}
    (player.directory / "play.yml").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [role, other]}])
    )
    ended = player.run("play.yml", "-e", "version=2.0", "--tags", "other")
    assert ended.code == 0 and "something else" in ended.out
    assert not api.server.seen, "a release was begun that nobody has asked for"
    ended = player.run("play.yml", "-e", "version=2.0", "--check", "--tags", "ship")
    assert "blog | PLANNED: " in ended.out


def test_a_run_cannot_be_started_in_its_middle(player: Player) -> None:
    role = {"ansible.builtin.import_role": {"name": "bluegreen.kubernetes.bluegreen"}}
    (player.directory / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [role]}]))
    ended = player.run("play.yml", "-e", "version=2.0", "--check", "--start-at-task", "Steps")
    assert ended.code == 2
    assert "REFUSED: " in ended.all and "--start-at-task cannot begin inside the role" in ended.all
