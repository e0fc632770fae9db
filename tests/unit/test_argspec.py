# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, and the frame in which every operation runs."""

from __future__ import annotations

import importlib
import json
import pkgutil
import threading
import time
from typing import Any

import pytest
import recorded
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _operation, _operations, _options, _time
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import lease as _lease
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError, PatchConflict
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import (
    current_color,
    deploy,
    scale,
    smoke_check,
    switch,
    wait,
)
from api import Api, execute
from loopback import Loopback, Seen, as_json, refusal
from recorded import RecordedCluster

OPERATIONS = [
    module
    for module in (
        importlib.import_module(f"{_operations.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(_operations.__path__)
    )
    if hasattr(module, "run") and hasattr(module, "RETURNS")
]


@pytest.fixture
def api(loopback: Loopback) -> Api:
    return Api(loopback, RecordedCluster(at="ready"))


# --- durations


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (30, 30),
        (1.5, 1.5),
        ("0", 0),
        ("30", 30),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("24h", 86400),
        ("2d", 172800),
        (" 5 m ", 300),
        ("0.5h", 1800),
    ],
)
def test_seconds(value: Any, expected: float) -> None:
    found = _time.seconds(value, "timeout")
    assert found == pytest.approx(expected)
    assert isinstance(found, float)


@pytest.mark.parametrize(
    "value", ["", "soon", "5 minutes", "-1", -1, "1e3", "nan", "inf", "5M", "m", None, True, False, [], {}, "1h30m"]
)
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(BlueGreenError) as caught:
        _time.seconds(value, "wait_timeout")
    assert caught.value.reason == "bad_input"
    assert f"wait_timeout is not a duration: {value!r}" in str(caught.value)
    assert "30s or 5m" in str(caught.value)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.NAME)
def test_a_wrong_duration_is_refused_before_anything_is_asked(operation: Any, loopback: Loopback) -> None:
    params = {**dict.fromkeys(_options.CONNECTION), "host": loopback.url, "api_key": "t", "api_timeout": "soon"}
    result = _operation.execute(operation, params, False)
    assert (result["failed"], result["reason"]) == (True, "bad_input")
    assert "api_timeout is not a duration: 'soon'" in result["msg"]
    assert loopback.seen == []


def test_every_duration_is_an_option() -> None:
    for operation in OPERATIONS:
        assert set(operation.DURATIONS) <= set(operation.ARGUMENTS) | set(_options.CONNECTION)


# --- the frame


CASES = [
    (current_color, {}, {"services": ["missing"]}),
    (deploy, {"version": "3.0", "color": "green"}, {"version": "3.0", "color": "blue"}),
    (wait, {"timeout": 0}, {"timeout": 0, "color": "red"}),
    (smoke_check, {"checks": [{"http": "/"}]}, {"checks": [{"htp": "/"}]}),
    (switch, {"color": "blue"}, {"color": "red"}),
    (scale, {"replicas": 1}, {"replicas": -1}),
]


@pytest.mark.parametrize(("operation", "good", "bad"), CASES, ids=lambda case: getattr(case, "NAME", ""))
def test_the_same_keys_on_success_and_on_failure(
    operation: Any, good: dict[str, Any], bad: dict[str, Any], api: Api
) -> None:
    succeeded = execute(operation, api, **good)
    failed = execute(operation, api, **bad)
    assert not succeeded.get("failed"), succeeded["msg"]
    assert failed["failed"] is True
    assert set(failed) - {"failed"} == set(succeeded)
    assert set(operation.RETURNS) | {"changed", "msg", "reason"} <= set(failed)
    assert succeeded["reason"] is None
    assert failed["reason"]
    assert failed["changed"] is False
    json.dumps([succeeded, failed])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.NAME)
def test_no_connection_is_a_result_like_any_other(operation: Any) -> None:
    params = {**dict.fromkeys([*_options.CONNECTION, *operation.ARGUMENTS]), "api_timeout": 1}
    result = _operation.execute(operation, params, False)
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, "no_cluster")
    assert set(operation.RETURNS) <= set(result)


def test_one_run_does_not_change_what_the_next_one_begins_with(api: Api) -> None:
    before = json.dumps(deploy.RETURNS)
    execute(deploy, api, version="3.0")
    assert json.dumps(deploy.RETURNS) == before


def test_what_is_live_is_in_every_error_that_comes_after_reading_it(api: Api) -> None:
    result = execute(deploy, api, version="3.0", color="blue")
    assert "Live now: blue (version 1.0, 3 of 3 pods ready)" in result["msg"]


def test_what_is_known_in_spite_of_a_failure_is_in_the_result(api: Api) -> None:
    api.application = lambda seen, pod, path: as_json({}, 500)
    result = execute(smoke_check, api, checks=[{"http": "/health"}])
    assert (result["failed"], result["passed"], result["color"]) == (True, False, "green")
    assert [item["status"] for item in result["checks"]] == [500] * 3


def test_warnings_are_given_and_are_no_result(api: Api) -> None:
    annotations = api.store.one("Service", "myapp")["metadata"].setdefault("annotations", {})
    annotations["bluegreen.kubernetes/state"] = "not readable"
    result = execute(current_color, api)
    assert any("not readable" in text for text in result["warned"])
    assert "warnings" not in result


def test_certificates_that_are_not_checked_are_warned_of(api: Api) -> None:
    assert any("not checked" in text for text in execute(current_color, api, validate_certs=False)["warned"])
    assert not execute(current_color, api)["warned"]


def test_check_mode_sends_no_write_but_dry_runs(api: Api) -> None:
    assert execute(deploy, api, dry_run=True, version="3.0")["changed"] is True
    assert execute(switch, api, dry_run=True, color="green")["changed"] is True
    assert execute(scale, api, dry_run=True, replicas=7)["changed"] is True
    writes = [seen for seen in api.server.seen if seen.method != "GET"]
    assert len(writes) == 3
    assert all(seen.query.get("dryRun") == "All" for seen in writes)


def test_the_second_run_makes_no_request_but_reads(api: Api) -> None:
    assert execute(deploy, api, version="3.0")["changed"] is True
    asked = len(api.server.seen)
    assert execute(deploy, api, version="3.0")["changed"] is False
    assert {seen.method for seen in api.server.seen[asked:]} == {"GET"}


@pytest.mark.parametrize(("operation", "good", "bad"), CASES, ids=lambda case: getattr(case, "NAME", ""))
def test_no_secret_is_in_a_result(operation: Any, good: dict[str, Any], bad: dict[str, Any], api: Api) -> None:
    for options in (good, bad):
        assert "s3cret" not in json.dumps(execute(operation, api, **options))
    api.server.answer = lambda seen: refusal(401, "Unauthorized")
    assert "s3cret" not in json.dumps(execute(operation, api, **good))


# --- the lock while an operation works


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time, but less of it."""
    assert _lease.FIRST_RENEWAL < 10 and _lease.RENEWAL < 10, "well below a lease's duration"
    monkeypatch.setattr(_lease, "FIRST_RENEWAL", 0.2)


def _held(api: Api, run: str) -> dict[str, Any]:
    lease = {"holderIdentity": run, "leaseDurationSeconds": 30, "renewTime": "2026-01-01T00:00:00.000000Z"}
    return api.store.put({"kind": "Lease", "metadata": {"name": "bluegreen-myapp"}, "spec": lease})


def test_a_long_operation_renews_the_lease(api: Api) -> None:
    """A check that takes its time; it answers once the Lease has been renewed."""
    lease = _held(api, "ours")
    pods = [pod["metadata"]["name"] for pod in api.store.objects("Pod", "green")]
    asked = threading.Event()

    def slow(seen: Seen, pod: str, path: str) -> Any:
        end = time.monotonic() + 10
        while lease["spec"]["renewTime"].startswith("2026-01-01T00:00:00") and time.monotonic() < end:
            time.sleep(0.05)
            lease.update(api.store.one("Lease", "bluegreen-myapp"))
        asked.set()
        return as_json({})

    api.application = slow
    execute(smoke_check, api, checks=[{"http": "/", "timeout": 20}], lock_id="ours")
    assert asked.is_set()
    assert len(pods) == 3
    assert api.store.one("Lease", "bluegreen-myapp")["spec"]["renewTime"] > "2026-01-01T00:00:01"
    assert api.store.one("Lease", "bluegreen-myapp")["spec"]["holderIdentity"] == "ours"


def test_the_renewal_ends_with_the_operation(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lease, "RENEWAL", 0.05)
    _held(api, "ours")
    green = api.store.one("Deployment", "app-green")
    green["status"]["updatedReplicas"] = 2
    execute(wait, api, timeout=1, lock_id="ours")
    assert len([seen for seen in api.server.seen if seen.method == "PATCH"]) >= 3
    time.sleep(0.2)  # what is on its way may arrive
    renewed = len(api.server.seen)
    time.sleep(0.3)
    assert len(api.server.seen) == renewed


def test_a_lease_that_is_gone_ends_the_operation(api: Api) -> None:
    green = api.store.one("Deployment", "app-green")
    green["status"]["updatedReplicas"] = 2
    assert execute(wait, api, timeout=60, lock_id="ours")["reason"] == "superseded"


def test_a_change_of_the_lease_by_others_is_no_takeover(api: Api) -> None:
    """The renewal meets it, and is tried again."""
    _held(api, "ours")
    green = api.store.one("Deployment", "app-green")
    green["status"]["updatedReplicas"] = 2

    def conflict() -> None:
        raise PatchConflict("The API server refused 'patch Lease' (HTTP 409)", "conflict", 409)

    api.store.before("patch", "Lease", conflict)
    assert execute(wait, api, timeout=1, lock_id="ours")["reason"] == "timeout"


def test_an_operation_that_was_overtaken_ends_as_superseded(api: Api) -> None:
    """The Lease is another run's: the first renewal finds that out, long before the wait would be over."""
    _held(api, "theirs")
    green = api.store.one("Deployment", "app-green")
    green["status"]["updatedReplicas"] = 2
    began = time.monotonic()
    result = execute(wait, api, timeout=60, lock_id="ours")
    assert result["reason"] == "superseded"
    assert "theirs" in result["msg"]
    assert time.monotonic() - began < 20


def test_check_mode_renews_nothing(api: Api) -> None:
    _held(api, "ours")
    execute(wait, api, dry_run=True, lock_id="ours")
    assert all(seen.method == "GET" for seen in api.server.seen)


def test_an_empty_lock_id_is_none(api: Api) -> None:
    """Templates make an empty text of nothing."""
    assert execute(deploy, api, version="3.0", lock_id="")["changed"] is True


def test_parameters_are_those_of_the_modules() -> None:
    """The tests' own way of making options goes through the argument spec."""
    with pytest.raises(AssertionError):
        recorded.parameters(scale)
