# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mistake each, and the whole text that the user gets for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import one_of
from harness import OURS, Application, Audit, Run, kubectl


@pytest.fixture(scope="module")
def app(namespace: str) -> Iterator[Application]:
    """Services and Deployments that have never to run: for each mistake an application of its own."""
    application = Application(namespace)
    application.delete(wait=True)
    application.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {OURS: "true"}}}
    )
    application.apply(
        *application.accounts(),
        service("myapp", "blue"),
        deployment("app-blue", "myapp", "blue"),
        deployment("app-green", "myapp", "green"),
        service("colorless", "purple"),
        service("single", "blue"),
        deployment("single-blue", "single", "blue"),
        service("twofold", "blue"),
        *[deployment(f"twofold-{color}", "twofold", color, ["web", "worker"]) for color in ("blue", "green")],
    )
    # Who may list the Services is told which there are. No release needs that, so the shipped Role does not have it.
    application.kubectl("create", "role", "lists", "--verb=list", "--resource=services")
    application.kubectl("create", "rolebinding", "lists", "--role=lists", f"--serviceaccount={namespace}:release")
    application.kubeconfig()
    yield application
    application.delete()


def service(name: str, color: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": name, "version": color}},
    }


def deployment(name: str, app: str, color: str, containers: list[str] | None = None) -> dict[str, Any]:
    labels = {"app": app, "version": color}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": container, "image": "myapp:1.0"} for container in containers or ["app"]]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


# mistake: (the variables that contain it, the text)
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no version": (
        {},
        """\
No version was given.
Live now: blue (version 1.0, 0 of 0 pods ready)
Next: Add -e version=X (it becomes the image tag), or set bluegreen_image to a whole image name.""",
    ),
    "a number as version": (
        {"version": 1.1},
        """\
The version must be a string, not the number 1.1.
  YAML and JSON read 1.10 as the number 1.1, so another version than the one meant could be released.
Live now: blue (version 1.0, 0 of 0 pods ready)
Next: Quote it where it is written, as in version: '1.10' (on the command line -e version=1.10 is a string, and so is an answer to a survey of AWX).""",
    ),
    "an unknown Service": (
        {"version": "2.0", "bluegreen_services": ["shop"]},
        """\
There is no Service 'shop' in namespace '{namespace}' of {host}.
  Services there: colorless, myapp, single, twofold.
Next: Correct bluegreen_services or bluegreen_namespace (the connection comes from kubeconfig {kubeconfig}).""",
    ),
    "a Service with neither color": (
        {"version": "2.0", "bluegreen_services": ["colorless"]},
        """\
Service 'colorless' in namespace '{namespace}' selects neither color.
  Its selector is {{"app": "colorless", "version": "purple"}}; expected 'version' to be one of blue and green.
Next: Put the color that shall be live into the selector, or set bluegreen_color_label and bluegreen_colors to what the Service uses.""",
    ),
    "no Deployment for a color": (
        {"version": "2.0", "bluegreen_services": ["single"]},
        """\
There is no Deployment for the color green in namespace '{namespace}'.
  Looked for pod labels {{"app": "single", "version": "green"}}.
  Deployments there: app-blue, app-green, single-blue, twofold-blue, twofold-green.
Live now: blue (version 1.0, 0 of 0 pods ready)
Next: Create it (bluegreen_create_missing makes it from the live one), or give these labels to the pods of the Deployment that shall be it.""",
    ),
    "an ambiguous container": (
        {"version": "2.0", "bluegreen_services": ["twofold"]},
        """\
It is not clear which container of Deployment 'twofold-blue' carries the version.
  Its containers: web, worker; none is named 'app'.
Next: Set bluegreen_containers: [NAME].""",
    ),
    "mistyped checks": (
        {
            "version": "2.0",
            "bluegreen_checks": [
                {"name": "health", "htpp": "/health"},
                {"name": "version", "http": "api/status", "timeout": "soon", "expect": {"stats": 200}},
                {"name": "version", "http": "/api/status", "method": "FETCH", "retries": -1},
            ],
        },
        """\
The checks have 8 mistakes.
  check health: needs exactly one of http, url, command, prometheus, tcp, job, grpc
  check health: unknown option 'htpp'; known are body, ca_cert, delay, expect, headers, host, http, method, name, pods, \
port, retries, scheme, service, timeout, via
  check version: timeout is not a duration: 'soon'
  check version: http is a path that starts with '/', not 'api/status'
  check version: unknown expectation 'stats'; known are status, json, header, text, regex, latency
  check version: retries is a whole number of 0 or more, not -1
  check version: method 'FETCH' is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
  two checks are named 'version'; give each its own name
Next: Correct bluegreen_checks; nothing has been changed.""",
    ),
}


@pytest.mark.parametrize(
    "mistake", one_of(MISTAKES, "mistyped checks", "a mistake is refused before anything is changed")
)
def test_mistake_is_named(app: Application, audit: Audit, mistake: str) -> None:
    variables, text = MISTAKES[mistake]
    mark = audit.mark()
    run = app.playbook("release.yml", "-vvv", **variables)
    refused(run, text.format(namespace=app.namespace, host=host(), kubeconfig=app.kubeconfig()))
    assert not [str(request) for request in audit.since(mark, namespace=app.namespace) if request.writes]


@pytest.mark.parametrize("playbook", ["release.yml", "rollback.yml"])
def test_unreachable_api_server(app: Application, tmp_path: Path, playbook: str) -> None:
    def nowhere(config: dict[str, Any]) -> None:
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"  # nothing listens there

    file = changed_kubeconfig(tmp_path, nowhere)
    run = app.playbook(playbook, "-vvv", version="2.0", bluegreen_kubeconfig=str(file), bluegreen_api_timeout="2s")
    refused(
        run,
        f"""\
The API server https://127.0.0.1:9 does not answer: Connection refused
Next: Check the address (it comes from kubeconfig {file}), the network and whether the API server runs; \
then run the same command again.""",
    )


@pytest.mark.parametrize("playbook", ["release.yml", "rollback.yml"])
def test_wrong_token(app: Application, audit: Audit, tmp_path: Path, playbook: str) -> None:
    def forged(config: dict[str, Any]) -> None:
        config["users"][0]["user"] = {"token": "an-expired-or-forged-token"}

    mark = audit.mark()
    file = changed_kubeconfig(tmp_path, forged)
    run = app.playbook(playbook, "-vvv", version="2.0", bluegreen_kubeconfig=str(file))
    refused(
        run,
        f"""\
The API server does not accept the credentials (HTTP 401 for \
'get /apis/autoscaling/v2/namespaces/{app.namespace}/horizontalpodautoscalers').
Next: Renew the token or certificate, then run the same command again.""",
    )
    assert "forged-token" not in run.output
    assert not [str(request) for request in audit.since(mark, namespace=app.namespace) if request.writes]


def refused(run: Run, text: str) -> None:
    """The run has ended with this text, and says that nothing was changed."""
    assert run.code == 2, run.output
    assert run.errors[0] == text
    assert run.outcome == "refused"
    assert run.result["next_step"] == text.rpartition("Next: ")[2]
    assert "Traceback" not in run.output and "changed=0 " in run.output


def host() -> str:
    """The address of the API server."""
    config = json.loads(kubectl("config", "view", "--minify", "--output=json"))
    return config["clusters"][0]["cluster"]["server"]


def changed_kubeconfig(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the kubeconfig with one mistake in it."""
    config = json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json"))
    change(config)
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file
