# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Service that shows the idle color before users see it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import preview as _preview
from recorded import RecordedCluster

KEY = "bluegreen.kubernetes/lock-id"


def cluster_with(selector: dict[str, str] | None = None, lock: str = "", **options: Any) -> RecordedCluster:
    cluster = RecordedCluster(**options)
    preview = copy.deepcopy(cluster.one("Service", "myapp"))
    preview["metadata"] = {"name": "myapp-preview", "namespace": recorded.NAMESPACE, "resourceVersion": "7", "uid": "p"}
    preview["spec"]["selector"] = {"app": "myapp", "version": "none"} if selector is None else selector
    cluster.put(preview)
    if lock:
        stamp(cluster, "myapp", lock)
    return cluster


def stamp(cluster: RecordedCluster, name: str, lock: str) -> None:
    cluster.touch("Service", name, lambda item: item["metadata"].setdefault("annotations", {}).update({KEY: lock}))


def preview(cluster: RecordedCluster, color: str | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_preview, cluster, color=color, **{"service": "myapp-preview", **options})


def selected(cluster: RecordedCluster) -> str:
    return cluster.one("Service", "myapp-preview")["spec"]["selector"]["version"]


def test_shows_the_idle_color_and_then_nothing() -> None:
    cluster = cluster_with(lock="ours")
    shown = preview(cluster, "green", lock_id="ours")
    assert (shown["changed"], shown["color"], shown["previous_color"], selected(cluster)) == (
        True,
        "green",
        None,
        "green",
    )
    hidden = preview(cluster, lock_id="ours")
    assert (hidden["changed"], hidden["color"], hidden["previous_color"]) == (True, None, "green")
    assert cluster.one("Service", "myapp-preview")["spec"]["selector"] == {"app": "myapp", "version": "none"}
    assert {write.name for write in cluster.writes} == {"myapp-preview"}


def test_what_is_right_already_is_left() -> None:
    cluster = cluster_with()
    assert preview(cluster)["changed"] is False
    assert cluster.writes == []


def test_the_live_color_is_never_shown() -> None:
    cluster = cluster_with()
    with pytest.raises(BlueGreenError) as caught:
        preview(cluster, "blue")
    assert caught.value.reason == "live"
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("selector", "name", "text"),
    [
        (None, "myapp", "it is one of the Services that carry the users' traffic"),
        (None, "myapp-previw", "it does not exist in namespace 'store'"),
        ({}, "myapp-preview", "its selector {} has no label 'version'"),
        ({"app": "myapp"}, "myapp-preview", "has no label 'version'"),
        ({"app": "shop", "version": "green"}, "myapp-preview", "would not select the pods of app-blue"),
    ],
)
def test_a_mistake_is_refused_before_anything(selector: dict[str, str] | None, name: str, text: str) -> None:
    for run in (
        lambda cluster: preview(cluster, "green", service=name),
        lambda cluster: recorded.run(current_color, cluster, preview_service=name),
    ):
        cluster = cluster_with(selector)
        with pytest.raises(BlueGreenError) as caught:
            run(cluster)
        assert caught.value.reason == "bad_input"
        assert text in str(caught.value)
        assert '{"app": "myapp", "version": "none"}' in str(caught.value)
        assert cluster.writes == []


def test_an_edit_meanwhile_is_read_again() -> None:
    cluster = cluster_with(lock="ours")

    def edit() -> None:
        cluster.touch("Service", "myapp-preview", lambda item: item["spec"]["selector"].update(version="blue"))

    cluster.before("patch", "Service", edit)
    assert preview(cluster, "green", lock_id="ours")["previous_color"] == "blue"
    assert selected(cluster) == "green"


def test_a_run_that_was_overtaken_shows_nothing_any_more() -> None:
    """Its write arrives after the next run has found that there is nothing to hide."""
    cluster = cluster_with(lock="old")

    def overtake() -> None:
        stamp(cluster, "myapp", "new")
        assert preview(cluster, lock_id="new")["changed"] is False

    cluster.before("patch", "Service", overtake)
    with pytest.raises(BlueGreenError) as caught:
        preview(cluster, "green", lock_id="old")
    assert caught.value.reason == "superseded"
    assert selected(cluster) == "none"


def test_another_runs_lock_is_respected() -> None:
    cluster = cluster_with(lock="theirs")
    for options, reason in (({}, "locked"), ({"lock_id": "ours"}, "superseded")):
        with pytest.raises(BlueGreenError) as caught:
            preview(cluster, "green", **options)
        assert caught.value.reason == reason
    assert cluster.writes == []


def test_check_mode_sends_a_dry_run() -> None:
    cluster = cluster_with(dry_run=True)
    assert preview(cluster, "green")["changed"] is True
    assert [write.dry_run for write in cluster.writes] == [True]
    assert selected(cluster) == "none"
