# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that are hard to check: awkward/main.go is one that has it all."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from harness import ROOT, Application

NAME = "shop.example.com"
TOKEN = {"Authorization": "Bearer sesame"}
TLS = {"scheme": "https", "port": 8443}


@pytest.fixture
def ca() -> trustme.CA:
    """Whoever signs the application's certificate."""
    return trustme.CA()


@pytest.fixture
def awkward(new_app: Callable[..., Application], ca: trustme.CA) -> Application:
    def change(manifests: list[dict]) -> None:
        own = ca.issue_cert(NAME)
        manifests.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "tls"},
                "stringData": {
                    "tls.crt": own.cert_chain_pems[0].bytes().decode(),
                    "tls.key": own.private_key_pem.bytes().decode(),
                },
            }
        )
        for item in manifests:
            if item["kind"] == "Deployment":
                spec = item["spec"]["template"]["spec"]
                spec["volumes"] = [{"name": "tls", "secret": {"secretName": "tls"}}]
                (container,) = spec["containers"]
                container["image"] = "awkward:1.0"
                container["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]
                container["readinessProbe"]["httpGet"]["port"] = 8081

    return new_app(change=change, replicas=(2, 0))


def checked(app: Application, report: Path, *checks: dict) -> dict[str, list[dict]]:
    """A release with these checks; what the report has of each."""
    version = {"blue": "2.0", "green": "1.0"}[app.color]
    run = app.playbook(
        "release.yml",
        version=version,
        bluegreen_checks=list(checks),
        bluegreen_report=str(report),
        bluegreen_scale_down_delay=0,
    )
    found: dict[str, list[dict]] = {}
    for check in json.loads((report / "myapp.json").read_text())["checks"]:
        found.setdefault(check["name"], []).append(check)
    assert list(found) == [check["name"] for check in checks], run.output[-4000:]
    assert (run.outcome == "released") == all(check["passed"] for check in sum(found.values(), [])), run.output[-4000:]
    return found


def only(results: list[dict], key: str) -> object:
    """What all of its executions, one on each of the two pods, have in common."""
    assert len(results) == 2
    assert len({result[key] for result in results}) == 1, results
    return results[0][key]


@pytest.mark.promise("checks say of every application what it is, and why")
def test_all_kinds(awkward: Application, ca: trustme.CA, tmp_path: Path) -> None:
    own, other = tmp_path / "own.pem", tmp_path / "other.pem"
    ca.cert_pem.write_to_path(own)
    trustme.CA().cert_pem.write_to_path(other)
    good = [
        {
            "name": "own CA and token",
            "http": "/token",
            **TLS,
            "host": NAME,
            "ca_cert": str(own),
            "headers": TOKEN,
            "expect": {"json": {"tls": True}},
        },
        {"name": "TLS of whoever", "http": "/health", **TLS},
        {"name": "token", "http": "/token", "headers": TOKEN, "expect": {"json": {"tls": False}}},
        {"name": "host, by the proxy", "http": "/named", "host": NAME, "via": "proxy", "expect": {"text": "known"}},
        {"name": "host, by a port-forward", "http": "/named", "host": NAME, "via": "port_forward"},
        {
            "name": "redirect wanted",
            "http": "/moved",
            "via": "port_forward",
            "expect": {"status": 302, "header": {"Location": "/health"}},
        },
        {"name": "huge", "http": "/huge", "expect": {"text": "the start"}},
        {"name": "huge, by a port-forward", "http": "/huge", "via": "port_forward", "expect": {"text": "the start"}},
        {"name": "warms up", "http": "/warms-up", "timeout": 1, "retries": 1, "delay": 0},
        {"name": "no token", "http": "/token", "expect": {"status": 401}},
    ]
    results = checked(awkward, tmp_path, *good)
    assert {name: only(found, "via") for name, found in results.items()} == {
        "own CA and token": "port_forward",
        "TLS of whoever": "proxy",
        "token": "port_forward",
        "host, by the proxy": "proxy",
        "host, by a port-forward": "port_forward",
        "redirect wanted": "port_forward",
        "huge": "proxy",
        "huge, by a port-forward": "port_forward",
        "warms up": "proxy",
        "no token": "proxy",
    }
    assert {result["attempts"] for result in results["warms up"]} == {2}
    assert awkward.color == "green"

    bad = {
        "another CA": ({"http": "/health", **TLS, "host": NAME, "ca_cert": str(other)}, "certificate verify failed"),
        "another name": (
            {"http": "/health", **TLS, "host": "other.example.com", "ca_cert": str(own)},
            "certificate is not valid for 'other.example.com'",
        ),
        "no token": ({"http": "/token"}, "HTTP 401 instead of 2xx (answer: who are you?)"),
        "not in the list": ({"http": "/named"}, "HTTP 421 instead of 2xx (answer: no such host"),
        "redirect": ({"http": "/moved", "via": "port_forward"}, "HTTP 302 instead of 2xx, to /health"),
        "huge, no JSON": (
            {"http": "/huge", "expect": {"json": {"version": "2.0"}}},
            "the answer is no JSON (more than 1048576 bytes of it are not read)",
        ),
        "broken JSON": (
            {"http": "/broken", "expect": {"json": {"version": "2.0"}}},
            'the answer is no JSON (answer: {"version": "2.0")',
        ),
        "reset": ({"http": "/reset"}, "the application broke the connection off"),
        "reset, by a port-forward": (
            {"http": "/reset", "via": "port_forward"},
            "the application broke the connection off",
        ),
        "its own 503": ({"http": "/unavailable"}, "HTTP 503 instead of 2xx (answer: no endpoints available"),
        "nothing there": ({"http": "/health", "port": 9999}, "nothing accepts connections at the pod's address"),
        "too slow": ({"http": "/warms-up", "timeout": 1}, "no answer in 1 s"),
        "plain HTTP to TLS": ({"http": "/health", "port": 8443}, "HTTP 400 instead of 2xx"),
    }
    results = checked(awkward, tmp_path, *[{"name": name, **check} for name, (check, _reason) in bad.items()])
    for name, (_check, reason) in bad.items():
        for result in results[name]:
            assert not result["passed"] and reason in result["reason"], result
            assert len(result["reason"]) < 500, "the reason has more than the start of the answer"
    assert awkward.color == "green", "the bad release got no traffic"


@contextlib.contextmanager
def closed(port: int, *how: str) -> Iterator[None]:
    """A firewall between the node, with the API server, and this port of pods, as a NetworkPolicy makes one."""
    status = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "cluster" / "cluster.py"), "status"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    node = re.search(r"first process (\d+)", status)[1]
    rule = ["OUTPUT", "-p", "tcp", "--dport", str(port), "-j", *how]

    def iptables(change: str) -> None:
        subprocess.run(["nsenter", f"--target={node}", "--net", "iptables", "--wait", change, *rule], check=True)

    iptables("--insert")
    try:
        yield
    finally:
        iptables("--delete")


def test_network_policy(awkward: Application, tmp_path: Path) -> None:
    """What keeps the API server's proxy from the pods is told apart from an application that fails."""
    check = {"http": "/health", "timeout": 2}
    with closed(8080, "DROP"):
        results = checked(
            awkward,
            tmp_path,
            {"name": "auto", **check},
            {"name": "its own failure", **check, "http": "/unavailable"},
            {"name": "proxy", **check, "via": "proxy"},
        )
    assert {result["passed"] for result in results["auto"]} == {True} and only(results["auto"], "via") == "port_forward"
    assert "HTTP 503 instead of 2xx" in only(results["its own failure"], "reason")
    assert "no answer in 2 s" in only(results["proxy"], "reason")
    with closed(8080, "REJECT", "--reject-with", "tcp-reset"):
        results = checked(awkward, tmp_path, {"name": "refused", **check})
    assert all("or a NetworkPolicy refuses the API server" in result["reason"] for result in results["refused"])
    with closed(8080, "REJECT", "--reject-with", "icmp-admin-prohibited"):
        results = checked(
            awkward, tmp_path, {"name": "prohibited", **check}, {"name": "proxy", **check, "via": "proxy"}
        )
    assert only(results["prohibited"], "via") == "port_forward"
    assert all("(a NetworkPolicy or firewall?)" in result["reason"] for result in results["proxy"])
