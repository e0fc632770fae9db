# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus in the cluster scrapes the application; its numbers decide about the bake."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from colors import green
from harness import DELAY, Application, Audit
from traffic import Traffic

RATE = """sum(rate(http_requests_total{color="{{ bluegreen_color }}", code=~"5.."}[8s]))
/ sum(rate(http_requests_total{color="{{ bluegreen_color }}"}[8s]))"""
BAKE = [{"name": "error rate", "prometheus": RATE, "allow_empty": True, "expect": {"max": 0.05}}]


def scrape(app: Application) -> None:
    """Prometheus, which asks every pod of the application every second."""
    # Debian's Prometheus is built without discovery by the Kubernetes API; a headless Service has every pod's address.
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {
                "job_name": "myapp",
                "dns_sd_configs": [
                    {
                        "names": [f"myapp-pods.{app.namespace}.svc.cluster.local"],
                        "type": "A",
                        "port": 8080,
                        "refresh_interval": "1s",
                    }
                ],
            }
        ],
    }
    labels = {"app": "prometheus"}
    app.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "myapp-pods"},
            "spec": {"clusterIP": "None", "selector": {"app": "myapp"}, "ports": [{"port": 8080}]},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "prometheus"},
            "data": {"prometheus.yml": json.dumps(config)},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "prometheus"},
            "spec": {"selector": labels, "ports": [{"port": 9090}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "prometheus"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [
                            {
                                "name": "prometheus",
                                "image": "prometheus:debian",
                                "imagePullPolicy": "Never",
                                "args": ["--config.file=/etc/scrape/prometheus.yml", "--storage.tsdb.path=/data"],
                                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
                                "volumeMounts": [
                                    {"name": "config", "mountPath": "/etc/scrape"},
                                    {"name": "data", "mountPath": "/data"},
                                ],
                            }
                        ],
                        "volumes": [
                            {"name": "config", "configMap": {"name": "prometheus"}},
                            {"name": "data", "emptyDir": {}},
                        ],
                    },
                },
            },
        },
    )
    app.wait("prometheus")


@pytest.mark.parametrize("bad", [True, False], ids=["error-rate-rises", "good"])
def test_error_rate(new_app: Callable[..., Application], figure: Callable[[str], None], bad: bool) -> None:
    app = new_app(replicas=(3, 0), change=green(**({"FAIL_AFTER": "25"} if bad else {})))
    app.grant("service-checks")
    scrape(app)
    audit = Audit()
    mark = audit.mark()
    with Traffic(app.url("/api/status"), rate=30, timeout=4) as traffic:
        run = app.playbook(
            "release.yml",
            version="2.0",
            bluegreen_template="idle",  # which breaks by its environment
            bluegreen_bake_time=60 if bad else 20,
            bluegreen_bake_interval=1,
            bluegreen_bake_checks=BAKE,
            bluegreen_prometheus={"service": "prometheus"},
            bluegreen_scale_down_delay=DELAY,
        )
    assert run.outcome == ("reverted" if bad else "released"), run.output[-4000:]
    assert app.color == ("blue" if bad else "green")
    report = traffic.report
    if bad:
        assert "error rate on " in run.output and "at most 0.05 expected" in run.output
        there, back = [
            request.answered
            for request in audit.since(mark, namespace=app.namespace)
            if request.replaces("services", "myapp", "/spec/selector")
        ]
        assert set(report.failures) >= {"HTTP 500"}
        assert not report.between(back + 4).failed
        figure(
            f"error rate rises: switched back {back - there:.1f} s after the switch; of {report.sent} requests "
            f"{report.failed} lost {report.failures}"
        )
    else:
        assert not report.failed, report.failures
        figure(f"good metrics: released; of {report.sent} requests {report.failed} lost")
