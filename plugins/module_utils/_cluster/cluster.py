# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The connection to one Kubernetes API server: JSON in and out, sent again until there is an answer."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.answers import (
    RETRIED_STATUS,
    api_error,
    decoded,
    unreachable,
    upgrade_error,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.credentials import (
    authorization,
    check_headers,
    connection_pool,
    held,
    load_configuration,
    websocket_options,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.watch import Collection, Observation, lines
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import ApiError, BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Look, Object, Params, Patch, Progress

try:
    import urllib3
    from urllib3._collections import HTTPHeaderDict  # which urllib3 itself does not export before 2.0
except ImportError:
    pass  # credentials.py says so

RESOURCES = {
    "Service": "/api/v1/namespaces/{namespace}/services",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "ScaledObject": "/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
}

JSON_PATCH = "application/json-patch+json"

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")  # of an object or a namespace, roughly; never a path

CONNECT_TIMEOUT = 5  # seconds; a server that accepts no connection in this time is tried again
READ_TIMEOUT = 30  # seconds, for everything but watches
AT_ONCE = 2  # seconds; what was read before an answer that took longer may be true no more
FIRST_CONTACT = 10  # seconds, for a server that has not answered yet when nothing has begun: more likely, it is none
STARTING_SECONDS = 15  # for how long a refusal may be that of a server which has just started
WATCH_SECONDS = 30  # then a watch is opened again; a connection that has silently died is noticed as late as that


class Cluster:
    """Requests to the API server, as one user, in one default namespace.

    :param options: the connection options of the module (see ``CONNECTION``) and ``namespace``.
    :param agent: what the audit log shall show as user agent, such as ``bg_switch``.
    :param dry_run: check mode. Every write is sent with ``dryRun=All``, so nothing can be changed.
    :param progress: called with a line of text when the user should know that something takes longer.
    :param warn: called with a text that the user must not miss.
    :param first_contact: nothing has begun yet. Until the server has answered once, it is waited for no longer than
        ``FIRST_CONTACT``.
    :param before_write: called before every write; it raises or ends the process when this run must not write any more.
    """

    def __init__(
        self,
        options: Params,
        agent: str,
        dry_run: bool = False,
        progress: Progress | None = None,
        before_write: Callable[[], None] | None = None,
        warn: Callable[[str], None] | None = None,
        first_contact: bool = False,
    ) -> None:
        self.dry_run = dry_run
        self.progress = progress or (lambda text: None)
        self.warn = warn or (lambda text: None)
        self.before_write = before_write or (lambda: None)
        self.lost: BlueGreenError | None = None  # the error that ends this run once another one holds its lock
        self.wrote = False  # whether anything was written, but for what says that this run lives
        self.live: str | None = None  # what is live, in words, as last read; for error messages
        self.api_timeout = options["api_timeout"]
        self._access = load_configuration(options)
        self.source = self._access.source
        self.namespace = options.get("namespace") or self._access.namespace or "default"
        self.host = self._access.configuration.host.rstrip("/")
        own = [("User-Agent", "bluegreen.kubernetes/" + agent), ("Accept", "application/json")]
        self._headers = [*own, *self._access.identity]
        self._pool = connection_pool(self._access.configuration)
        self._is_unknown = first_contact  # it has never answered
        self._delayed = False  # an answer has come late since somebody has looked
        self._paths = dict(RESOURCES)
        self._resources: dict[str, list[Object]] = {}  # what the server says that it has, by where it is
        self._ready_at: float | None = None  # monotonic times; see refusal_stands()
        self._doubted_at: float | None = None

    # --- objects ---------------------------------------------------------------------------------------------

    def kind(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """What the methods below call a kind of a manifest, and whether its objects are in namespaces.

        :returns: ``None`` when the server has no such kind.
        """
        root = ("/apis/" if "/" in api_version else "/api/") + api_version
        if root not in self._resources:
            try:
                self._resources[root] = self._json("GET", root)["resources"]
            except ApiError as error:
                if error.status == 404:
                    return None
                raise
        for item in self._resources[root]:
            if item["kind"] == kind and "/" not in item["name"]:  # which are subresources
                path = f"{root}/namespaces/{{namespace}}/{item['name']}"
                name = kind if RESOURCES.get(kind) == path else f"{api_version}/{kind}"
                self._paths[name] = path
                return name, item["namespaced"]
        return None

    def get(self, kind: str, name: str) -> Object | None:
        """The object as a dictionary, or ``None`` when there is none of that name."""
        try:
            return self._json("GET", self._path(kind, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, **selectors: str) -> Object:
        """A list object (``items``, ``metadata.resourceVersion``). Selectors: labelSelector, fieldSelector."""
        found = self._json("GET", self._path(kind), query=selectors)
        return dict(found, items=found.get("items") or [])

    def patch(self, kind: str, name: str, operations: Patch, part: str = "", look: Look | None = None) -> Object:
        """Send a JSON Patch and return the new object.

        :param part: the subresource that is written, such as ``status``; empty for the object itself.
        :param look: called before it is sent, and before it is sent again, if it may have been decided on a while ago, because
            something did not get its answer at once; never in a plan.
        :raises PatchConflict: a ``test`` operation failed (422) or the object was changed meanwhile (409).
        """
        return self._write("PATCH", kind, self._path(kind, name, part), operations, JSON_PATCH, look=look)

    def try_patch(self, kind: str, name: str, operations: Patch, part: str = "") -> Object:
        """The same as a dry run, also where this is no plan: whether it would be allowed, and what would come of it."""
        return self._write("PATCH", kind, self._path(kind, name, part), operations, JSON_PATCH, dry_run=True)

    def create(self, kind: str, definition: Object) -> Object:
        """:raises PatchConflict: an object of that name exists already (409)."""
        return self._write("POST", kind, self._path(kind), definition, "application/json")

    def delete(
        self,
        kind: str,
        name: str,
        preconditions: Object,
        propagation: str = "Background",
        look: Look | None = None,
    ) -> Object:
        """Delete the object if ``preconditions`` (``uid``, ``resourceVersion``) still hold; ``look`` as for a patch."""
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": preconditions,
            "propagationPolicy": propagation,
        }
        if self.dry_run:
            body["dryRun"] = ["All"]  # with a body, the API server does not look at the query
        return self._write("DELETE", kind, self._path(kind, name), body, "application/json", look=look)

    def pod_log(self, pod: str, container: str, lines: int, previous: bool = False) -> str:
        """The last lines a container wrote, or ``""`` when there are none to be had."""
        query = {"container": container, "tailLines": lines, "limitBytes": 16384, "previous": str(previous).lower()}
        try:
            return self._send("GET", self._path("Pod", pod) + "/log", query=query).data.decode("utf-8", "replace")
        except ApiError as error:
            if error.status in (400, 404):  # the container never started, or its log is gone
                return ""
            return f"(log not readable: {error.what})"

    def follow_log(self, pod: str, container: str, since: str | None = None) -> Iterator[tuple[str, str]]:
        """Lines of a container's log as they are written, until it ends: ``(RFC 3339 time, text)``.

        :param since: time of the last line that is known already.
        :raises ApiError: the container has no log (any more), or it may not be read.
        :raises urllib3.exceptions.HTTPError: the connection was cut, or nothing was written for a while.
        """
        query = {"container": container, "follow": "true", "timestamps": "true"}
        if since:
            query["sinceTime"] = since
        response = self._send("GET", self._path("Pod", pod) + "/log", query=query, stream=True)
        try:
            for line in lines(response):
                stamp, _space, text = line.decode("utf-8", "replace").partition(" ")
                yield stamp, text
        except urllib3.exceptions.HTTPError:
            self.doubt_refusals()
            raise
        finally:
            response.close()

    def through_proxy(
        self, method: str, path: str, headers: Mapping[str, str], body: str | None, timeout: float
    ) -> urllib3.HTTPResponse:
        """One request through the API server's proxy, without retries: the answer belongs to the application.

        :param timeout: seconds for the whole exchange.
        :returns: a ``urllib3.HTTPResponse`` whose body has not been read.
        :raises ApiError: the API server itself was not reached, or broke the connection off (``sent`` in its result then).
        :raises urllib3.exceptions.HTTPError: no answer.
        """
        try:
            limit = urllib3.Timeout(total=timeout)
            return self._ask(method, path, limit, headers, body=body, preload_content=False)
        except urllib3.exceptions.ReadTimeoutError:
            raise
        except urllib3.exceptions.HTTPError as failure:
            error = self._unreachable(failure)
            error.result["sent"] = isinstance(failure, urllib3.exceptions.ProtocolError)
            raise error from failure

    def port_forward(self, pod: str, port: int | str, timeout: float) -> Any:
        """A connection to a port of a pod, as a WebSocket (see ``port_forward.py``).

        :param timeout: seconds until it must be there.
        :raises ApiError: refused, or no API server.
        """
        import websocket  # websocket-client, which the package kubernetes requires; loaded only where it is used

        tls, proxy = websocket_options(self._pool)
        connection = websocket.WebSocket(sslopt=tls)
        path = f"{self._path('Pod', pod)}/portforward?ports={port}"
        headers = [f"{name}: {value}" for name, value in self._authenticated().items() if name != "Accept"]
        try:
            connection.connect(
                "ws" + self.host[len("http") :] + path,
                subprotocols=["v4.channel.k8s.io"],
                header=headers,
                timeout=timeout,
                **proxy,
            )
        except websocket.WebSocketBadStatusException as error:
            raise upgrade_error(error) from error
        except (OSError, websocket.WebSocketException) as error:
            raise self._unreachable(error) from error
        return connection

    def observe(self, **collections: Collection) -> Observation:
        """Keep local copies of collections up to date by watches: ``observe(pods=("Pod", {"labelSelector": ...}))``.

        :returns: an :class:`Observation`, to be used as a context manager.
        """
        return Observation(self, collections)

    def open_watch(self, kind: str, selectors: Mapping[str, str], version: str) -> urllib3.HTTPResponse:
        """A watch on a collection, from a version of it on: opened once, without retries.

        :returns: a ``urllib3.HTTPResponse`` that the caller reads and closes: 200, 410, ``RETRIED_STATUS``, or a 403 that is
            not to be believed yet.
        :raises ApiError: any other answer.
        """
        query = dict(
            selectors, watch="true", resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=WATCH_SECONDS
        )
        path, sent = self._path(kind), time.monotonic()
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=WATCH_SECONDS + 10)
        response = self._ask("GET", path + "?" + urlencode(query), timeout, preload_content=False)
        doubted = response.status == 403 and not self.refusal_stands(sent)
        if doubted or response.status in (200, 410, *RETRIED_STATUS):
            return response
        with response:
            raise api_error(response, "WATCH", path)

    def lose(self, error: BlueGreenError) -> None:
        """Write nothing from now on: another run has the lock. ``error`` is raised at the next request or wait."""
        self.lost = error

    def check(self) -> None:
        """:raises BlueGreenError: another run has taken over."""
        if self.lost:
            raise self.lost

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than this run is wanted."""
        end = time.monotonic() + seconds
        while True:
            self.check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.5))

    # --- transport -------------------------------------------------------------------------------------------

    def _path(self, kind: str, name: str | None = None, part: str = "") -> str:
        for what, text in (("Namespace", self.namespace), (kind, name)):
            if text is not None and not NAME.fullmatch(text):  # it would lead to another resource
                raise BlueGreenError(
                    f"{text!r} cannot be the name of a {what}.",
                    "bad_input",
                    next_step="Names have lower case letters, digits, '-' and '.'.",
                )
        path = self._paths[kind].format(namespace=self.namespace)
        return "/".join([path, *filter(None, (name, part))])

    def secrets(self) -> set[str]:
        """What no output may show of the credentials as they are now."""
        return held(self._access)

    def _authenticated(self) -> HTTPHeaderDict:
        """The headers of every request; a name may be there several times."""
        headers = HTTPHeaderDict(self._headers)
        headers.update(authorization(self._access.configuration))
        check_headers(headers, self.source)
        return headers

    def _json(self, method: str, path: str, query: Object | None = None) -> Any:
        return decoded(self._send(method, path, query=query), method, path, self.host, self.source)

    def _write(
        self,
        method: str,
        kind: str,
        path: str,
        body: Any,
        content_type: str,
        dry_run: bool = False,
        look: Look | None = None,
    ) -> Any:
        query = {"dryRun": "All"} if self.dry_run or dry_run else {}
        look = None if query else look  # a plan writes nothing, and what it has planned before has not happened
        response = self._send(method, path, query=query, body=json.dumps(body), content_type=content_type, look=look)
        self.wrote = self.wrote or not query and kind != "Lease"
        return decoded(response, method, path, self.host, self.source)

    def _ask(
        self,
        method: str,
        target: str,
        timeout: urllib3.Timeout,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> urllib3.HTTPResponse:
        """One request, sent once."""
        whole = self._authenticated()
        whole.update(headers or {})
        return self._pool.request(
            method, self.host + target, headers=whole, timeout=timeout, retries=False, redirect=False, **kwargs
        )

    def _send(
        self,
        method: str,
        path: str,
        query: Object | None = None,
        body: str | None = None,
        content_type: str | None = None,
        stream: bool = False,
        look: Look | None = None,
    ) -> urllib3.HTTPResponse:
        """Send until there is an answer, for ``api_timeout`` seconds (see ``first_contact``); then raise an :class:`ApiError`.

        :param stream: leave the body to the caller, who closes the response.
        :param look: see :meth:`patch`.
        """
        target = path + ("?" + urlencode(query) if query else "")
        headers = {"Content-Type": content_type} if content_type else {}
        began, attempt = time.monotonic(), 0
        while True:
            if look and (attempt or self._delayed):
                self._look(look)
            if method != "GET":
                self.before_write()
                self.check()
            retry_after, sent = None, time.monotonic()
            give_up = began + (min(FIRST_CONTACT, self.api_timeout) if self._is_unknown else self.api_timeout)
            try:
                response = self._ask(method, target, _timeout(give_up), headers, body=body, preload_content=not stream)
                self._is_unknown, give_up = False, began + self.api_timeout
                if response.status < 300:
                    self._delayed = self._delayed or time.monotonic() - began > AT_ONCE
                    return response
                error = api_error(response, method, path)
                if response.status == 403 and not self.refusal_stands(sent):
                    time.sleep(0.1)
                    continue
                if response.status not in RETRIED_STATUS:
                    raise error
                self.doubt_refusals()
                retry_after = response.headers.get("Retry-After")
            except urllib3.exceptions.HTTPError as failure:
                error = self._unreachable(failure)
            attempt += 1
            pause = (
                float(retry_after)
                if retry_after and retry_after.isdigit()
                else min(0.1 * 2**attempt, 2.0) * random.uniform(0.7, 1.3)
            )
            left = give_up - time.monotonic()
            if left <= pause:
                raise error
            if attempt == 1 and not self._is_unknown:
                self.progress(f"{error.what}. Trying for {left:.0f} s more.")
            time.sleep(pause)

    def _look(self, look: Look) -> None:
        """What is read once more may have to wait as well; where every answer is late, none is newer than the third."""
        for _look in range(3):
            self._delayed = False
            look()
            if not self._delayed:
                return

    def doubt_refusals(self) -> None:
        """The server has failed: what it refuses next, it may refuse because it is only being started."""
        self._ready_at = self._doubted_at = None

    def refusal_stands(self, sent: float) -> bool:
        """Whether the HTTP 403 to a request is to be believed; if not, the request is to be sent again.

        A server that has just started answers before it has read all Roles and RoleBindings, and refuses what they allow
        until its /readyz says ok (https://kubernetes.io/docs/reference/using-api/health-checks/). So a refusal counts when
        the request was sent after the server had said that. Where nobody may read /readyz, it counts after
        ``STARTING_SECONDS``.

        :param sent: monotonic time when the request was sent, or a little before.
        """
        ready_at, doubted_at, now = self._ready_at, self._doubted_at, time.monotonic()  # other threads may reset them
        if ready_at is not None and sent >= ready_at:
            return True
        if doubted_at is None:
            self._doubted_at = doubted_at = now
        give_up = doubted_at + min(STARTING_SECONDS, self.api_timeout)
        if now >= give_up:
            return True
        try:
            if self._ask("GET", "/readyz", _timeout(give_up)).status == 200:
                self._ready_at = time.monotonic()
        except urllib3.exceptions.HTTPError:
            pass  # it is being started: not ready
        return False

    def _unreachable(self, failure: Exception) -> ApiError:
        self.doubt_refusals()
        return unreachable(failure, self.host, self.source)


def _timeout(give_up: float) -> urllib3.Timeout:
    """Time limits for one request, within what is left of ``api_timeout``."""
    left = max(give_up - time.monotonic(), 0.1)
    return urllib3.Timeout(connect=min(CONNECT_TIMEOUT, left), read=min(READ_TIMEOUT, left))
