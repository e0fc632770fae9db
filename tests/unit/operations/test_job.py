# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a Job once, to its end."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterable

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation, _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import application, state
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import job as _jobs
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster import patch as _patch
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import job as _job
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import lock as _lock
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import smoke_check as _smoke_check
from recorded import Clock, Event, RecordedCluster

DEFINITION = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate"},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {"name": "migrate", "image": "shop:1", "env": [{"name": "DATABASE_PASSWORD", "value": "canary-1"}]}
                ],
            }
        },
    },
}


class Jobs(RecordedCluster):
    """A cluster in which a Job that may begin goes the way of the recording."""

    def __init__(self, name: str, clock: Clock, **options: Any) -> None:
        self.begun: list[dict[str, Any]] = []
        self.deleted: set[str] = set()
        self.made = 0
        super().__init__(name, clock=clock, **options)

    def create(self, kind: str, definition: Any) -> Any:
        made = super().create(kind, definition)
        if kind == "Job" and not self.dry_run:
            self.made += 1
            made["metadata"]["uid"] = f"uid-{self.made}"
            self.one(kind, made["metadata"]["name"])["metadata"]["uid"] = made["metadata"]["uid"]
        return made

    def take(self, event: Event) -> None:
        if not any(uid in json.dumps(event.object) for uid in self.deleted):
            super().take(event)

    def _store(self, verb: str, kind: str, old: Any, new: Any) -> Any:
        answer = super()._store(verb, kind, old, new)
        if kind == "Job" and old["spec"].get("suspend") and not new["spec"].get("suspend") and not self.dry_run:
            self.begun.append(copy.deepcopy(new))
            self.replay(self._way(new))
        return answer

    def delete(
        self, kind: str, name: str, preconditions: Any, propagation: str = "Background", look: Any = None
    ) -> Any:
        old = super().delete(kind, name, preconditions, propagation)
        self.deleted.add(old["metadata"]["uid"])
        for pod in self.objects("Pod", name):
            self.remove("Pod", pod["metadata"]["name"])
        return old

    def _way(self, job: dict[str, Any]) -> list[Event]:
        """The recorded events, as if they were of this Job."""
        events = [event for event in self.recording.events if event.object["kind"] in ("Job", "Pod", "Event")]
        uid = next(event.object["metadata"]["uid"] for event in events if event.object["kind"] == "Job")
        found = []
        for event in events:
            item = json.loads(json.dumps(event.object).replace(uid, job["metadata"]["uid"]))
            if item["kind"] == "Job":
                item["metadata"].update(name=job["metadata"]["name"], annotations=job["metadata"]["annotations"])
            elif "job-name" in item["metadata"].get("labels", {}):
                item["metadata"]["labels"]["job-name"] = job["metadata"]["name"]
            found.append(Event(event.at, event.type, item))
        return found

    @property
    def recorded_jobs(self) -> dict[str, Any]:
        return state.read_state(self.one("Service", "myapp")).get("jobs", {})


def run(cluster: RecordedCluster, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return recorded.run(_job, cluster, said, **{"definition": DEFINITION, "version": "2.0", **options})


def failure(cluster: RecordedCluster, **options: Any) -> BlueGreenError:
    with pytest.raises(BlueGreenError) as caught:
        run(cluster, **options)
    return caught.value


def lock(cluster: RecordedCluster, lock_id: str) -> None:
    note = {_patch.LOCK_ID: lock_id}
    cluster.touch("Service", "myapp", lambda item: item["metadata"].setdefault("annotations", {}).update(note))


def left_behind(cluster: Jobs, **spec: Any) -> None:
    """A run with the lock `dead` has made the Job, and was killed."""
    params = recorded.parameters(_job, definition=DEFINITION, version="2.0")
    job = _jobs.Job(cluster, DEFINITION, 300, lambda text: None)
    job.digest, job.lock_id, job.owner = _job._digest(params["definition"], "2.0"), "dead", "myapp"
    made = cluster.create("Job", job._stamped())
    cluster.touch("Job", "migrate", lambda item: item["spec"].update(spec))
    cluster.requests.clear()
    if not spec.get("suspend", True):
        cluster.replay(cluster._way(made))


def test_a_job_runs_to_its_end_with_its_log_and_is_removed(clock: Clock) -> None:
    cluster, said = Jobs("job", clock), []
    result = run(cluster, said)
    assert (result["changed"], result["succeeded"], result["job"]) == (True, True, "migrate")
    assert result["logs"] == ["one", "password=********", "two"]
    assert "migrate: one" in said
    assert 1 < result["elapsed"] < 10
    assert cluster.objects("Job") == []
    assert cluster.recorded_jobs["migrate"]["version"] == "2.0"


def test_a_job_is_a_check_that_judges_its_log(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "suite.yml").write_text(json.dumps(DEFINITION))
    cluster = Jobs("job", clock)
    checks = [{"name": "suite", "job": "suite.yml", "expect": {"text": "password=********"}}]
    result = recorded.run(_smoke_check, cluster, checks=checks, chdir=str(tmp_path))
    assert result["passed"] is True
    assert cluster.objects("Job") == []


def test_its_containers_know_what_is_released_where(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    run(cluster)
    env = cluster.begun[0]["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {item["name"]: item["value"] for item in env}
    assert values == {
        "BG_VERSION": "2.0",
        "BG_COLOR": "green",
        "BG_PREVIOUS_COLOR": "blue",
        "BG_PREVIOUS_VERSION": "1.0",
        "BG_ACTIVE_COLOR": "blue",
        "BG_NAMESPACE": "store",
        "DATABASE_PASSWORD": "canary-1",
    }
    assert _operation.secrets(_job, {"definition": DEFINITION}) == {"canary-1"}


def test_the_cluster_ends_it_when_nobody_follows_it_any_more(clock: Clock) -> None:
    for own, wanted in ((None, 300), (20, 20), (4000, 300)):
        cluster, definition = Jobs("job", clock), copy.deepcopy(DEFINITION)
        if own:
            definition["spec"]["activeDeadlineSeconds"] = own
        run(cluster, definition=definition, timeout="5m")
        assert cluster.begun[0]["spec"]["activeDeadlineSeconds"] == wanted


def test_what_has_been_done_is_not_done_twice(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    run(cluster)
    cluster.requests.clear()
    again = run(cluster)
    assert (again["changed"], again["succeeded"], again["elapsed"]) == (False, True, 0)
    assert cluster.writes == []
    assert run(cluster, version="2.1")["changed"], "another version"
    assert run(cluster, version="2.1", force=True)["changed"]


def test_a_failed_one_says_why_is_removed_and_not_on_record(clock: Clock) -> None:
    cluster = Jobs("job-failed", clock)
    error = failure(cluster)
    assert error.reason == "job_failed"
    assert "Job migrate failed." in str(error)
    assert "ERROR: it is broken" in str(error)
    assert "exit code 3" in str(error)
    assert error.result["succeeded"] is False
    assert cluster.objects("Job") == [] and cluster.recorded_jobs == {}


def test_a_failed_one_is_kept_if_asked_and_the_next_run_begins_anew(clock: Clock) -> None:
    cluster = Jobs("job-failed", clock)
    failure(cluster, keep_failed=True)
    (kept,) = cluster.objects("Job")
    failure(cluster, keep_failed=True)
    (fresh,) = cluster.objects("Job")
    assert len(cluster.begun) == 2
    assert fresh is not kept


def test_what_cannot_heal_fails_at_once(clock: Clock) -> None:
    cluster = Jobs("job-image-missing", clock)
    error = failure(cluster, timeout="10m")
    assert error.reason == "job_failed"
    assert "Pull" in str(error)
    assert error.result["elapsed"] < 120
    assert cluster.objects("Job") == []


def test_one_that_hangs_is_ended_with_its_pods(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    error = failure(cluster, timeout=1)
    assert error.reason == "timeout"
    assert cluster.objects("Job") == []
    (deleted,) = [request for request in cluster.requests if request.verb == "delete"]
    assert deleted.body["uid"]


def test_the_job_of_a_killed_run_is_followed(clock: Clock) -> None:
    for suspended in (True, False):
        cluster, said = Jobs("job", clock), []
        left_behind(cluster, suspend=suspended)
        lock(cluster, "ours")
        result = run(cluster, said, lock_id="ours")
        assert result["succeeded"] and any("begun by an earlier run" in line for line in said)
        assert [request for request in cluster.writes if request.verb == "create"] == []
        patch = next(request for request in cluster.writes if request.kind == "Job")
        tested = {operation["path"]: operation["value"] for operation in patch.body if operation["op"] == "test"}
        assert "dead" in tested.values(), "an adopted Job must still be the dead run's"


def test_a_job_of_another_version_is_removed_first(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    left_behind(cluster)
    assert run(cluster, version="3.0")["succeeded"]
    verbs = [request.verb for request in cluster.writes if request.kind == "Job"]
    assert verbs == ["delete", "create", "patch", "delete"]


def test_a_job_that_is_not_ours_is_left_alone(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    cluster.put(copy.deepcopy(DEFINITION))
    error = failure(cluster)
    assert error.reason == "conflict"
    assert "not of this application" in str(error)
    assert cluster.writes == []


def test_another_runs_lock_is_respected(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    lock(cluster, "theirs")
    assert failure(cluster).reason == "locked"
    assert failure(cluster, lock_id="ours").reason == "superseded"
    assert cluster.writes == []


def test_a_run_that_is_overtaken_while_it_creates_the_job_starts_nothing(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    lock(cluster, "ours")
    cluster.after("create", "Job", lambda: lock(cluster, "theirs"))
    assert failure(cluster, lock_id="ours").reason == "superseded"
    assert cluster.begun == []


def test_a_job_that_another_run_has_adopted_meanwhile_is_not_deleted(clock: Clock) -> None:
    """The overtaken run was about to remove what a killed one had left; the one that took over wants just that."""
    cluster = Jobs("job", clock)
    left_behind(cluster)
    lock(cluster, "ours")

    def adopted() -> None:
        lock(cluster, "theirs")
        cluster.touch("Job", "migrate", lambda item: item["metadata"]["annotations"].update({_patch.LOCK_ID: "theirs"}))

    cluster.before("delete", "Job", adopted)
    assert failure(cluster, lock_id="ours", version="3.0").reason == "superseded"
    assert _patch.stamp(cluster.one("Job", "migrate")) == "theirs"


def test_a_takeover_keeps_a_suspended_job_from_starting_late(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    left_behind(cluster)
    lock(cluster, "dead")
    app = application.read_application(cluster, recorded.parameters(_job, definition=DEFINITION))
    cluster.put({"kind": "Lease", "metadata": {"name": "bluegreen-myapp"}, "spec": {"holderIdentity": "ours"}})
    _lock._stamp_jobs(app, "ours")
    with pytest.raises(ApiError):
        cluster.patch(
            "Job",
            "migrate",
            [
                {"op": "test", "path": "/metadata/annotations/" + _patch.escape(_patch.LOCK_ID), "value": "dead"},
                {"op": "replace", "path": "/spec/suspend", "value": False},
            ],
        )
    assert cluster.begun == []


def test_what_is_undone_is_no_longer_on_record(clock: Clock) -> None:
    cluster, undo = Jobs("job", clock), copy.deepcopy(DEFINITION)
    run(cluster)
    undo["metadata"]["name"] = "undo"
    undone: list[Any] = []
    cluster.before("create", "Job", lambda: undone.append(cluster.recorded_jobs))
    with pytest.raises(BlueGreenError):  # the recorded way is that of another name
        run(cluster, definition=undo, undoes="migrate", timeout=1)
    assert undone == [{}], "it must be off the record before the Job that undoes it begins"


def test_a_contraction_is_on_record_before_it_begins(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    seen: list[Any] = []
    cluster.before(
        "create", "Job", lambda: seen.append(state.read_state(cluster.one("Service", "myapp"))["contracted"])
    )
    run(cluster, contracts=True)
    assert [entry["version"] for entry in seen] == ["1.0"]


def live_since(cluster: Jobs, ago: timedelta, **entry: Any) -> None:
    """1.0 is live on blue since then, and has had no issue."""
    moved = datetime.now(timezone.utc) - ago
    known = {"run": "r1", "kind": "release", "outcome": "released", "color": "blue", "from_color": "green"}
    history = [{**known, "version": "1.0", "switched_at": moved.isoformat(), **entry}]
    text = json.dumps({"schema": 1, "history": history, "intent": None})
    cluster.touch("Service", "myapp", lambda item: item["metadata"]["annotations"].update({state.STATE: text}))

    def available(item: dict[str, Any]) -> None:
        (found,) = [found for found in item["status"]["conditions"] if found["type"] == "Available"]
        found["lastTransitionTime"] = (moved - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")

    cluster.touch("Deployment", "app-blue", available)


CONTRACTS: dict[str, Any] = {"contracts": True, "color": "blue", "version": "1.0", "after": "24h"}


def restart(cluster: Jobs) -> None:
    pod = cluster.objects("Pod", "blue")[0]["metadata"]["name"]
    cluster.touch("Pod", pod, lambda item: item["status"]["containerStatuses"][0].update(restartCount=1))


def by_hand(cluster: Jobs) -> None:
    cluster.touch("Service", "myapp", lambda item: item["spec"]["selector"].update(version="green"))


def rolled_back(cluster: Jobs) -> None:
    """And its run has ended: nothing is locked any more."""
    by_hand(cluster)
    live_since(cluster, timedelta(0), run="r2", kind="rollback", color="green", from_color="blue")


def under_way(cluster: Jobs) -> None:
    live_since(cluster, timedelta(days=2), outcome="running")


def replaced(cluster: Jobs) -> None:
    """Another version lives there now."""
    change = {"image": "myapp:1.1"}
    cluster.touch(
        "Deployment", "app-blue", lambda item: item["spec"]["template"]["spec"]["containers"][0].update(change)
    )


def test_a_contraction_that_is_due_begins(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    live_since(cluster, timedelta(days=2))
    assert run(cluster, **CONTRACTS)["succeeded"]
    assert state.read_state(cluster.one("Service", "myapp"))["contracted"]["version"] == "1.0"


@pytest.mark.parametrize("meanwhile", [restart, by_hand, rolled_back, under_way, replaced])
@pytest.mark.parametrize("when", ["before", "at its record", "before it starts"])
def test_a_contraction_is_decided_again_where_it_is_done(when: str, meanwhile: Any, clock: Clock) -> None:
    cluster = Jobs("job", clock)
    live_since(cluster, timedelta(days=2))
    moments = {"at its record": ("patch", "Service"), "before it starts": ("create", "Job")}
    if when == "before":
        meanwhile(cluster)
    else:
        getattr(cluster, "after" if when == "before it starts" else "before")(
            *moments[when], lambda: meanwhile(cluster)
        )
    error = failure(cluster, **CONTRACTS)
    assert error.reason == "not_due"
    assert cluster.begun == []
    assert "1.0" in error.what and "is not begun" in error.what and error.why


def test_a_contraction_before_its_time(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    live_since(cluster, timedelta(hours=23))
    assert failure(cluster, **CONTRACTS).reason == "not_due"
    assert cluster.writes == []


class HandsOver(Jobs):
    """The Job logs what one that hands over logs."""

    lines = [("2026-01-01T00:00:01.5Z", "it follows closely"), ("2026-01-01T00:00:04.25Z", "freezing"),
             ("2026-01-01T00:00:04.875123456Z", "handed over")]  # fmt: skip

    def follow_log(self, pod: str, container: str, since: str | None = None) -> Iterable[tuple[str, str]]:
        return [(stamp, text) for stamp, text in self.lines if since is None or stamp > since]


def test_a_hand_over_returns_at_once_and_is_followed_to_its_end_later(clock: Clock) -> None:
    cluster = HandsOver("job", clock)
    before = datetime.now(timezone.utc)
    result = run(cluster, hands_over=True)
    assert (result["changed"], result["succeeded"]) == (True, True)
    # All lines came within a moment of the last one: by our clock the freeze began 0.625 s before that.
    frozen = before - _time.moment(result["frozen_at"])
    assert 0.5 < frozen.total_seconds() + (datetime.now(timezone.utc) - before).total_seconds() < 10
    assert len(cluster.objects("Job")) == 1 and cluster.recorded_jobs == {}
    made = cluster.made
    assert run(cluster)["succeeded"]
    assert cluster.made == made and cluster.objects("Job") == []
    assert cluster.recorded_jobs["migrate"]["version"] == "2.0"


def test_a_hand_over_is_always_run_and_what_was_before_is_off_the_record_first(clock: Clock) -> None:
    cluster = HandsOver("job", clock)
    run(cluster)
    seen: list[Any] = []
    cluster.before("create", "Job", lambda: seen.append(cluster.recorded_jobs), nth=2)
    run(cluster, hands_over=True)
    run(cluster, hands_over=True)  # the Job of the first one is not taken for the second one's
    assert seen == [{}] and cluster.made == 3


def test_nothing_is_frozen_when_nothing_says_so(clock: Clock) -> None:
    assert run(Jobs("job", clock), hands_over=True)["frozen_at"] is None


def test_check_mode_lets_the_api_server_judge_and_keeps_nothing(clock: Clock) -> None:
    cluster = Jobs("job", clock, dry_run=True)
    result = run(cluster)
    assert (result["changed"], "Would run" in result["msg"]) == (True, True)
    assert [(write.verb, write.dry_run) for write in cluster.writes] == [("create", True)]
    assert result["diff"]["after"]["metadata"]["name"] == "migrate"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "Pod"}, "no Job but 'Pod'"),
        ({"apiVersion": "v1"}, "apiVersion is batch/v1"),
        ({"metadata": {}}, "metadata.name is missing"),
        ({"spec": {}}, "containers is missing"),
    ],
)
def test_what_is_no_job_is_refused(clock: Clock, change: dict[str, Any], text: str) -> None:
    cluster = Jobs("job", clock)
    error = failure(cluster, definition={**DEFINITION, **change})
    assert error.reason == "bad_input" and text in str(error)
    assert cluster.requests == []


def test_an_event_without_its_parts_is_none_of_them(clock: Clock) -> None:
    cluster = Jobs("job", clock)
    for number, event in enumerate([{}, {"reason": "FailedCreate"}, {"involvedObject": {"kind": "Job"}}]):
        cluster.put({"kind": "Event", "metadata": {"name": f"event-{number}"}, "type": "Warning", **event})
    assert run(cluster)["succeeded"]
    job = _jobs.Job(cluster, DEFINITION, 300, lambda text: None)
    job.uid = "uid"
    assert job._troubles([], cluster.objects("Event")) == {}
