# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queue workers: how they are written, how many pods each color is to have, in which order, and who may write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import workers as concept
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import (
    begin,
    current_color,
    deploy,
    lock,
    workers,
)
from recorded import Clock, RecordedCluster

RESTS = "bluegreen.kubernetes/worker-replicas"
COLORS = ("blue", "green")
Object = dict[str, Any]


def deployment(
    color: str, replicas: int, had: int | None = None, name: str = "mailer", image: str = "registry/mailer:1.0"
) -> Object:
    labels = {"app": name, "version": color}
    container = {"name": "mailer", "image": image}
    ready = {
        "replicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "updatedReplicas": replicas,
    }
    return {
        "kind": "Deployment",
        "metadata": {
            "name": f"{name}-{color}",
            "generation": 1,
            "annotations": {"team": "shop", **({RESTS: str(had)} if had is not None else {})},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {"observedGeneration": 1, **ready},
    }


def cluster_with(
    blue: Any, green: Any, live: str = "blue", dry_run: bool = False, clock: Clock | None = None
) -> RecordedCluster:
    """``blue`` and ``green``: replicas, or replicas and what is noted; ``None`` for no Deployment."""
    cluster = RecordedCluster(dry_run=dry_run, clock=clock)
    for color, found in zip(COLORS, (blue, green)):
        if found is not None:
            cluster.put(deployment(color, *(found if isinstance(found, tuple) else (found,))))
    if live != "blue":
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version=live))
    return cluster


def controlled(cluster: RecordedCluster) -> list[str]:
    """Let pods be ready, or gone, as soon as a Deployment of a worker is scaled; what was scaled to what, in order."""
    scaled: list[str] = []

    def follow() -> None:
        for item in cluster.objects("Deployment", "mailer"):
            wanted, name, status = item["spec"]["replicas"], item["metadata"]["name"], item["status"]
            if status["replicas"] != wanted:
                scaled.append(f"{name}={wanted}")
            counts = {key: wanted for key in ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")}
            status.update(counts, observedGeneration=item["metadata"]["generation"])
            for pod in cluster.objects("Pod", name):
                cluster.remove("Pod", pod["metadata"]["name"])
            for number in range(wanted):
                cluster.put(pod_of(item, number))

    follow()
    scaled.clear()
    cluster.after("patch", "Deployment", follow, None)
    return scaled


def pod_of(item: Object, number: int) -> Object:
    name = item["metadata"]["name"]
    owner = {"kind": "ReplicaSet", "name": f"{name}-abc", "controller": True, "uid": "rs"}
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-abc-{number}",
            "labels": {**item["spec"]["selector"]["matchLabels"], "pod-template-hash": "abc"},
            "ownerReferences": [owner],
        },
        "spec": item["spec"]["template"]["spec"],
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def replica_set_of(cluster: RecordedCluster, color: str) -> None:
    item = cluster.one("Deployment", f"mailer-{color}")
    template = json.loads(json.dumps(item["spec"]["template"]))
    template["metadata"]["labels"]["pod-template-hash"] = "abc"
    owner = {"kind": "Deployment", "name": f"mailer-{color}", "controller": True, "uid": item["metadata"]["uid"]}
    metadata = {
        "name": f"mailer-{color}-abc",
        "labels": template["metadata"]["labels"],
        "ownerReferences": [owner],
        "generation": 1,
    }
    cluster.put(
        {
            "kind": "ReplicaSet",
            "metadata": metadata,
            "spec": {"replicas": 0, "template": template},
            "status": {"observedGeneration": 1},
        }
    )


def run(cluster: RecordedCluster, stage: str, mode: str = "overlap", **options: Any) -> Object:
    for color in COLORS:
        if cluster.objects("Deployment", f"mailer-{color}"):
            replica_set_of(cluster, color)
    return recorded.run(workers, cluster, stage=stage, workers=[{"name": "mailer", "mode": mode}], **options)


def counts(cluster: RecordedCluster) -> dict[str, tuple[int, str | None]]:
    """Replicas, and what is noted, by color."""
    found = ((color, cluster.one("Deployment", f"mailer-{color}")) for color in COLORS)
    return {color: (item["spec"]["replicas"], item["metadata"]["annotations"].get(RESTS)) for color, item in found}


# --- how they are written


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ([], []),
        (["mailer"], [("mailer", "overlap", [])]),
        ("mailer, importer", [("mailer", "overlap", []), ("importer", "overlap", [])]),
        ('["mailer", {"name": "importer", "mode": "gap"}]', [("mailer", "overlap", []), ("importer", "gap", [])]),
        ([{"name": "mailer", "checks": [{"command": "true"}]}], [("mailer", "overlap", [{"command": "true"}])]),
    ],
)
def test_they_are_names_or_dictionaries(written: Any, read: list[Any]) -> None:
    wanted, mistakes = concept.parse(written)
    assert [(item.name, item.mode, item.checks) for item in wanted] == read
    assert mistakes == []


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ({"mailer": 1}, "it is a list of workers"),
        ([1], "a worker is a name"),
        (["Mailer"], "a worker is a name"),
        ([{"mode": "gap"}], "a worker is a name, or a dictionary with one"),
        ([{"name": "mailer", "replicas": 3}], "mailer knows no 'replicas'"),
        ([{"name": "mailer", "mode": "blink"}], "the mode of mailer is overlap or gap, not 'blink'"),
        ([{"name": "mailer", "checks": ["x"]}], "the checks of mailer are a list of dictionaries"),
        ([{"name": "mailer", "checks": [{"http": "/"}]}], "a check of mailer is one by command, job, prometheus"),
        (["mailer", {"name": "mailer"}], "mailer is named twice"),
    ],
)
def test_a_mistake_in_them_is_named(written: Any, mistake: str) -> None:
    assert mistake in "; ".join(concept.parse(written)[1])


# --- before the switch


@pytest.mark.parametrize(
    ("mode", "blue", "green", "order"),
    [
        ("overlap", 3, 0, ["mailer-green=3"]),
        ("overlap", 3, (0, 7), ["mailer-green=3"]),  # what it had once says nothing about what the live one has now
        ("overlap", 0, 0, ["mailer-green=1"]),  # so that it is seen to start
        ("overlap", 3, 3, []),
        ("gap", 3, 0, ["mailer-blue=0", "mailer-green=3"]),
        ("gap", (0, 3), 0, ["mailer-green=3"]),  # a run was killed in between
        ("gap", (0, 3), 3, []),
        ("gap", 0, 0, ["mailer-green=1"]),
    ],
)
def test_the_new_ones_are_up_before_the_switch(mode: str, blue: Any, green: Any, order: list[str]) -> None:
    cluster = cluster_with(blue, green)
    scaled = controlled(cluster)
    result = run(cluster, "start", mode, color="green")
    assert scaled == order
    assert result["changed"] is bool(order)
    assert not run(cluster, "start", mode, color="green")["changed"]


def test_what_is_put_at_rest_has_a_note_of_what_it_had() -> None:
    cluster = cluster_with(3, (0, 7))
    controlled(cluster)
    run(cluster, "start", "gap", color="green")
    assert counts(cluster) == {"blue": (0, "3"), "green": (3, None)}


def test_what_becomes_live_before_it_has_begun_works_all_the_same() -> None:
    """Somebody switches the Services by hand while none works: it has to work what never did."""
    cluster = cluster_with(3, 0)
    scaled = controlled(cluster)

    def switch() -> None:
        cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))

    cluster.after("patch", "Deployment", switch, 2)
    with pytest.raises(BlueGreenError, match="green is live"):
        run(cluster, "start", "gap", color="green")
    run(cluster, "settle", "gap")
    assert scaled == ["mailer-blue=0", "mailer-green=3"]
    assert counts(cluster) == {"blue": (0, "3"), "green": (3, None)}


@pytest.mark.parametrize(("noted", "pods"), [(5, 5), (None, 3)])
def test_on_the_way_back_they_get_what_they_had(noted: int | None, pods: int) -> None:
    cluster = cluster_with((0, noted), 3, live="green")
    controlled(cluster)
    run(cluster, "start", color="blue", way_back=True)
    assert counts(cluster)["blue"] == (pods, None)


@pytest.mark.parametrize("mode", ["overlap", "gap"])
def test_on_the_way_back_users_do_not_wait_for_a_worker_that_is_not_there(mode: str) -> None:
    cluster = cluster_with(None, 3, live="green")
    controlled(cluster)
    warned = run(cluster, "start", mode, color="blue", way_back=True)["warnings"]
    assert "does not wait for the workers: There is no Deployment 'mailer-blue'" in warned[0]


def test_the_old_ones_must_be_gone_before_the_new_ones_begin(clock: Clock) -> None:
    cluster = cluster_with(2, 0, clock=clock)
    controlled(cluster)
    cluster.after("patch", "Deployment", lambda: cluster.put(pod_of(cluster.one("Deployment", "mailer-blue"), 9)), 2)
    with pytest.raises(BlueGreenError, match="The pods of mailer-blue do not end") as caught:
        run(cluster, "start", "gap", color="green")
    assert caught.value.reason == "timeout"
    assert counts(cluster)["green"][0] == 0


def test_those_of_the_live_color_are_never_begun_as_new_ones() -> None:
    cluster = cluster_with(3, 0)
    with pytest.raises(BlueGreenError, match="blue is live"):
        run(cluster, "start", "gap", color="blue")
    assert cluster.writes == []


@pytest.mark.parametrize("stage", ["start", "settle"])
def test_a_color_of_the_application_is_no_worker(stage: str) -> None:
    cluster = RecordedCluster()
    with pytest.raises(BlueGreenError, match="Deployment app-blue is no worker") as caught:
        recorded.run(workers, cluster, stage=stage, workers=[{"name": "app", "mode": "gap"}])
    assert caught.value.why == ["Service myapp selects its pods"]
    assert cluster.writes == []


# --- after it, and whatever was interrupted


@pytest.mark.parametrize(
    ("mode", "blue", "green", "order"),
    [
        ("overlap", (0, 3), 3, []),  # green is live
        ("overlap", 3, 3, ["mailer-blue=0"]),
        ("overlap", 3, (0, 2), ["mailer-green=2", "mailer-blue=0"]),
        ("overlap", 3, 0, ["mailer-green=3", "mailer-blue=0"]),  # whoever put it at rest: something has to work
        ("overlap", 0, 0, []),  # by KEDA, say
        ("gap", 0, 3, []),
        ("gap", 3, 3, ["mailer-blue=0"]),
        ("gap", 3, (0, 2), ["mailer-blue=0", "mailer-green=2"]),
        ("gap", (0, 3), (0, 2), ["mailer-green=2"]),
        ("gap", 0, 0, []),
    ],
)
def test_those_of_the_live_color_work_and_no_others(mode: str, blue: Any, green: Any, order: list[str]) -> None:
    cluster = cluster_with(blue, green, live="green")
    scaled = controlled(cluster)
    assert run(cluster, "settle", mode)["changed"] is bool(order)
    assert scaled == order
    assert not run(cluster, "settle", mode)["changed"]
    [shown] = recorded.run(current_color, cluster, workers=["mailer"])["workers"]
    assert not shown["lags"]


def test_pods_that_do_not_end_undo_no_release_where_both_may_work(clock: Clock) -> None:
    cluster = cluster_with(2, 2, live="green", clock=clock)
    controlled(cluster)
    cluster.after("patch", "Deployment", lambda: cluster.put(pod_of(cluster.one("Deployment", "mailer-blue"), 9)), 1)
    assert "The pods of mailer-blue do not end" in run(cluster, "settle")["warnings"][0]


# --- plans, status


def test_a_plan_shows_each_and_writes_nothing() -> None:
    cluster = cluster_with(3, 0, dry_run=True)
    begins = run(cluster, "start", "gap", color="green")
    assert begins["diff"]["before"] == {
        "Deployment mailer-blue": {"replicas": 3},
        "Deployment mailer-green": {"replicas": 0},
    }
    assert begins["diff"]["after"] == {
        "Deployment mailer-blue": {"replicas": 0},
        "Deployment mailer-green": {"replicas": 3},
    }
    assert run(cluster, "settle", "overlap", color="green")["diff"]["after"] == {
        "Deployment mailer-blue": {"replicas": 0}
    }
    assert counts(cluster) == {"blue": (3, None), "green": (0, None)}


@pytest.mark.parametrize(("green", "word"), [(0, "works"), (2, "lags")])
def test_a_status_shows_each(green: int, word: str) -> None:
    result = recorded.run(current_color, cluster_with(3, green), workers=["mailer"])
    assert (
        f"{word}: worker mailer blue 3/3 ready (version 1.0), green {green}/{green} ready (version 1.0)"
        in result["summary"]
    )


@pytest.mark.parametrize(("target", "warned"), [("mailer-blue", True), ("mailer-green", True), ("other-blue", False)])
def test_an_autoscaler_of_one_is_warned_about(target: str, warned: bool) -> None:
    cluster = cluster_with(3, 0)
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "minReplicas": 1, "maxReplicas": 5}
    cluster.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "queue"}, "spec": spec})
    warnings = recorded.run(current_color, cluster, workers=["mailer"])["warnings"]
    assert any(f"HorizontalPodAutoscaler queue scales {target}, a worker" in text for text in warnings) is warned


# --- what else is done with them


def test_they_get_the_version_and_rest() -> None:
    cluster = cluster_with(3, 0)
    cluster.touch("Deployment", "mailer-blue", lambda item: item["spec"]["template"]["spec"].update(hostNetwork=False))
    result = recorded.run(deploy, cluster, version="2.0", workers={"mailer": ""})
    found = cluster.one("Deployment", "mailer-green")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/mailer:2.0"
    assert found["spec"]["template"]["spec"]["hostNetwork"] is False
    assert found["spec"]["replicas"] == 0
    assert result["workers"]["mailer"]["version"] == "2.0"
    assert "Deployment mailer-green" in result["diff"]["after"]


def test_a_missing_one_is_made_at_rest() -> None:
    cluster = cluster_with(3, None)
    with pytest.raises(BlueGreenError, match="There is no Deployment 'mailer-green'") as caught:
        recorded.run(deploy, cluster, version="2.0", workers={"mailer": ""})
    assert caught.value.result["changed"], "app-green was deployed"
    recorded.run(deploy, cluster, version="2.0", workers={"mailer": ""}, create_missing=True)
    found = cluster.one("Deployment", "mailer-green")
    assert found["spec"]["replicas"] == 0
    assert found["spec"]["selector"] == {"matchLabels": {"app": "mailer", "version": "green"}}
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/mailer:2.0"


@pytest.mark.parametrize("missing", COLORS)
def test_a_missing_one_is_found_before_anything_is_touched(missing: str) -> None:
    there = {color: 3 for color in COLORS if color != missing}
    cluster = cluster_with(there.get("blue"), there.get("green"))
    settings = {"bluegreen_workers": ["mailer"]}
    with pytest.raises(BlueGreenError, match=f"There is no Deployment 'mailer-{missing}'"):
        recorded.run(begin, cluster, flow="release", version="2.0", settings=settings)
    assert cluster.writes == []


def test_whoever_takes_over_stamps_them() -> None:
    cluster = cluster_with(3, 0)
    recorded.run(lock, cluster, lock_id="first", workers=["mailer"])
    recorded.run(lock, cluster, lock_id="second", preempt=True, workers=["mailer"])
    for color in COLORS:
        notes = cluster.one("Deployment", f"mailer-{color}")["metadata"]["annotations"]
        assert notes["bluegreen.kubernetes/lock-id"] == "second"
    with pytest.raises(BlueGreenError) as caught:
        run(cluster, "start", "gap", color="green", lock_id="first")
    assert caught.value.reason == "superseded"
