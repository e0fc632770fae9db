# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden texts: what people read after a mistake. Each comes from a whole run over a real connection."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._operations import current_color, deploy, smoke_check
from api import Api, execute
from loopback import Loopback, free_port, refusal
from recorded import Clock, RecordedCluster


@pytest.fixture
def api(loopback: Loopback) -> Api:
    return Api(loopback, RecordedCluster())


def refused(operation: Any, api: Api, reason: str, **options: Any) -> str:
    """The text, with SERVER for the address; nothing was written, and nothing but the text is shown."""
    result = execute(operation, api, **options)
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, reason)
    assert "exception" not in result
    assert {seen.method for seen in api.server.seen} <= {"GET"}
    assert result["warned"] == []
    return result["msg"].replace(options.get("host", api.server.url), "SERVER") + "\n"


def text(golden: str) -> str:
    return textwrap.dedent(golden)


def test_no_version(api: Api) -> None:
    assert refused(current_color, api, "bad_input", version="") == text(
        """\
        No version was given.
        Live now: blue (version 1.0, 3 of 3 pods ready)
        Next: Add -e version=X (it becomes the image tag), or set bluegreen_image to a whole image name.
        """
    )


def test_a_number_as_version(api: Api) -> None:
    assert refused(current_color, api, "bad_input", version=1.1) == text(
        """\
        The version must be a string, not the number 1.1.
          YAML and JSON read 1.10 as the number 1.1, so another version than the one meant could be released.
        Live now: blue (version 1.0, 3 of 3 pods ready)
        Next: Quote it where it is written, as in version: '1.10' (on the command line -e version=1.10 is a string, and so is an answer to a survey of AWX).
        """
    )


def test_an_unknown_service(api: Api) -> None:
    assert refused(current_color, api, "not_found", services=["shop"]) == text(
        """\
        There is no Service 'shop' in namespace 'store' of SERVER.
          Services there: myapp.
        Next: Correct bluegreen_services or bluegreen_namespace (the connection comes from the connection options).
        """
    )


def test_a_service_that_selects_neither_color(api: Api) -> None:
    api.store.touch("Service", "myapp", lambda item: item["spec"]["selector"].pop("version"))
    assert refused(current_color, api, "no_color") == text(
        """\
        Service 'myapp' in namespace 'store' selects neither color.
          Its selector is {"app": "myapp"}; expected 'version' to be one of blue and green.
        Next: Put the color that shall be live into the selector, or set bluegreen_color_label and bluegreen_colors to what the Service uses.
        """
    )


def test_no_deployment_for_a_color(api: Api) -> None:
    api.store.remove("Deployment", "app-green")
    assert refused(deploy, api, "not_found", version="2.0") == text(
        """\
        There is no Deployment for the color green in namespace 'store'.
          Looked for pod labels {"app": "myapp", "version": "green"}.
          Deployments there: app-blue.
        Live now: blue (version 1.0, 3 of 3 pods ready)
        Next: Create it (bluegreen_create_missing makes it from the live one), or give these labels to the pods of the Deployment that shall be it.
        """
    )


def test_an_ambiguous_container(api: Api) -> None:
    for name in ("app-blue", "app-green"):
        pod = api.store.one("Deployment", name)["spec"]["template"]["spec"]
        pod["containers"] = [{"name": "web", "image": "web:1.0"}, {"name": "proxy", "image": "proxy:1.0"}]
    assert refused(current_color, api, "ambiguous", version="2.0") == text(
        """\
        It is not clear which container of Deployment 'app-blue' carries the version.
          Its containers: web, proxy; none is named 'app'.
        Next: Set bluegreen_containers: [NAME].
        """
    )


def test_an_unreachable_api_server(api: Api, clock: Clock) -> None:
    port = free_port()
    found = refused(current_color, api, "api_unreachable", host=f"http://127.0.0.1:{port}")
    first, *rest = found.splitlines(keepends=True)
    assert first.startswith("The API server SERVER does not answer: ")
    assert "Connection refused" in first
    assert "".join(rest) == text(
        """\
        Next: Check the address (it comes from the connection options), the network and whether the API server runs; then run the same command again.
        """
    )


def test_a_wrong_token(api: Api) -> None:
    api.server.answer = lambda seen: refusal(401, "Unauthorized", reason="Unauthorized")
    assert refused(current_color, api, "unauthorized") == text(
        """\
        The API server does not accept the credentials (HTTP 401 for 'get /apis/autoscaling/v2/namespaces/store/horizontalpodautoscalers').
        Next: Renew the token or certificate, then run the same command again.
        """
    )


KNOWN = "body, ca_cert, delay, expect, headers, host, http, method, name, pods, port, retries, scheme, service, timeout, via"


def test_a_mistyped_check_all_its_mistakes_at_once(api: Api) -> None:
    mistyped = {"name": "health", "http": "health", "expct": {"status": 200}, "retries": "three", "timeout": "soon"}
    assert refused(smoke_check, api, "bad_input", checks=[mistyped]) == text(
        """\
        The checks have 4 mistakes.
          check health: unknown option 'expct'; known are KNOWN
          check health: retries is a whole number of 0 or more, not 'three'
          check health: timeout is not a duration: 'soon'
          check health: http is a path that starts with '/', not 'health'
        Next: Correct bluegreen_checks; nothing has been changed.
        """
    ).replace("KNOWN", KNOWN)
    assert api.server.seen == [], "before anything is asked"
