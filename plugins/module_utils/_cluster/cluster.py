# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The connection to one Kubernetes API server: JSON in and out, and watches.

The only importer of ``kubernetes``. Of the official client it uses what every release from 24.2 to 37 has:
the loading of credentials (kubeconfig, exec plugins, in-cluster) and the connection pool built from them.
No typed models and no discovery: they cost more than everything else in a task together.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import ssl
import threading
import time
import traceback
from urllib.parse import unquote, urlencode

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import (
    ApiError,
    BlueGreenError,
    PatchConflict,
)

CLIENT_IMPORT_ERROR = None
try:
    import urllib3
    import yaml
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config import kube_config
except ImportError:
    CLIENT_IMPORT_ERROR = traceback.format_exc()

RESOURCES = {
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
}

IN_CLUSTER_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
CONNECT_TIMEOUT = 5  # seconds; a server that accepts no connection in this time is tried again
READ_TIMEOUT = 30  # seconds, for everything but watches
STARTING_SECONDS = 15  # for how long a refusal may be that of a server which has just started
WATCH_SECONDS = 30  # then a watch is opened again; a connection that has silently died is noticed as late as that

RETRIED_STATUS = (
    429,
    500,
    502,
    503,
    504,
)  # a loaded or restarting API server; a patch is safe to send again, it carries tests

VERBS = {"GET": "get", "PATCH": "patch", "POST": "create", "DELETE": "delete"}


class Cluster:
    """Requests to the API server, as one user, in one default namespace.

    :param options: the connection options of the module (see ``CONNECTION``) and ``namespace``.
    :param agent: what the audit log shall show as user agent, such as ``bg_switch``.
    :param dry_run: check mode. Every write is sent with ``dryRun=All``, so nothing can be changed.
    :param progress: called with a line of text when the user should know that something takes longer.
    :param warn: called with a text that the user must not miss.
    :param before_write: called before every write; it raises or ends the process when this run must not write any more.
    """

    def __init__(self, options, agent, dry_run=False, progress=None, before_write=None, warn=None):
        if CLIENT_IMPORT_ERROR:
            raise BlueGreenError(
                "The Python package 'kubernetes' is missing in the Python that runs this task.",
                "missing_library",
                why=CLIENT_IMPORT_ERROR.splitlines()[-1:],
                next_step="pip install kubernetes (or use an execution environment that contains it).",
            )
        self.dry_run = dry_run
        self.progress = progress or (lambda text: None)
        self.warn = warn or (lambda text: None)
        self.before_write = before_write or (lambda: None)
        self.lost = None  # the error that ends this run once another one holds its lock
        self.live = None  # what is live, in words, as last read; for error messages
        self.api_timeout = options["api_timeout"]
        self._configuration, self.source, context_namespace = _load_configuration(options)
        self.namespace = options.get("namespace") or context_namespace or "default"
        self.host = self._configuration.host.rstrip("/")
        self._headers = {"User-Agent": "bluegreen.kubernetes/" + agent, "Accept": "application/json"}
        if options.get("impersonate_user"):
            self._headers["Impersonate-User"] = options["impersonate_user"]
        self._pool = _connection_pool(self._configuration)
        self._ready_at = self._doubted_at = None  # monotonic times; see refusal_stands()

    # --- objects ---------------------------------------------------------------------------------------------

    def get(self, kind, name):
        """The object as a dictionary, or ``None`` when there is none of that name."""
        try:
            return self._json("GET", self._path(kind, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind, **selectors):
        """A list object (``items``, ``metadata.resourceVersion``). Selectors: labelSelector, fieldSelector."""
        return self._json("GET", self._path(kind), query=selectors)

    def patch(self, kind, name, operations):
        """Send a JSON Patch and return the new object.

        :raises PatchConflict: a ``test`` operation failed (422) or the object was changed meanwhile (409).
        """
        return self._write("PATCH", self._path(kind, name), operations, "application/json-patch+json")

    def apply(self, kind, name, definition):
        """Server-side apply: take over the fields of ``definition``, leave all others as they are."""
        query = {"fieldManager": "bluegreen.kubernetes", "force": "true"}
        return self._write("PATCH", self._path(kind, name), definition, "application/apply-patch+yaml", query)

    def create(self, kind, definition):
        """:raises PatchConflict: an object of that name exists already (409)."""
        return self._write("POST", self._path(kind), definition, "application/json")

    def delete(self, kind, name, preconditions, propagation="Background"):
        """Delete the object if ``preconditions`` (``uid``, ``resourceVersion``) still hold."""
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": preconditions,
            "propagationPolicy": propagation,
        }
        if self.dry_run:
            body["dryRun"] = ["All"]  # with a body, the API server does not look at the query
        return self._write("DELETE", self._path(kind, name), body, "application/json")

    def pod_log(self, pod, container, lines, previous=False):
        """The last lines a container wrote, or ``""`` when there are none to be had."""
        query = {"container": container, "tailLines": lines, "limitBytes": 16384, "previous": str(previous).lower()}
        try:
            return self._send("GET", self._path("Pod", pod) + "/log", query=query).data.decode("utf-8", "replace")
        except ApiError as error:
            if error.status in (400, 404):  # the container never started, or its log is gone
                return ""
            return f"(log not readable: {error.what})"

    def follow_log(self, pod, container, since=None):
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
            for line in _lines(response):
                stamp, _space, text = line.decode("utf-8", "replace").partition(" ")
                yield stamp, text
        except urllib3.exceptions.HTTPError:
            self.doubt_refusals()
            raise
        finally:
            response.close()

    def through_proxy(self, method, path, headers, body, timeout):
        """One request through the API server's proxy, without retries: the answer belongs to the application.

        :param timeout: seconds for the whole exchange.
        :returns: a ``urllib3.HTTPResponse`` whose body has not been read.
        :raises ApiError: the API server itself was not reached, or broke the connection off (``sent`` in its result then).
        :raises urllib3.exceptions.HTTPError: no answer.
        """
        try:
            return self._pool.request(
                method,
                self.host + path,
                headers=dict(self._authenticated(), **headers),
                body=body,
                timeout=urllib3.Timeout(total=timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except urllib3.exceptions.ReadTimeoutError:
            raise
        except urllib3.exceptions.HTTPError as failure:
            error = self._unreachable(failure, method, path)
            error.result["sent"] = isinstance(failure, urllib3.exceptions.ProtocolError)
            raise error from failure

    def port_forward(self, pod, port, timeout):
        """A connection to a port of a pod, as a WebSocket (see ``_port_forward``).

        :param timeout: seconds until it must be there.
        :raises ApiError: refused, or no API server.
        """
        import websocket  # websocket-client, which the package kubernetes requires; loaded only where it is used

        kind = self._pool.connection_pool_kw
        connection = websocket.WebSocket(
            sslopt={"context": kind.get("ssl_context"), "server_hostname": kind.get("server_hostname")}
        )
        options = {"http_no_proxy": ["*"]}  # else the library would look for proxies in the environment itself
        proxy = getattr(self._pool, "proxy", None)
        if proxy:
            options = {"http_proxy_host": proxy.host, "http_proxy_port": proxy.port, "proxy_type": "http"}
            if proxy.auth:
                options["http_proxy_auth"] = tuple(map(unquote, proxy.auth.split(":", 1)))
        path = f"{self._path('Pod', pod)}/portforward?ports={port}"
        headers = [f"{name}: {value}" for name, value in self._authenticated().items() if name != "Accept"]
        try:
            connection.connect(
                "ws" + self.host[len("http") :] + path,
                subprotocols=["v4.channel.k8s.io"],
                header=headers,
                timeout=timeout,
                **options,
            )
        except websocket.WebSocketBadStatusException as error:
            try:
                message = json.loads(getattr(error, "resp_body", None) or b"")["message"]
            except (ValueError, KeyError, TypeError):
                message = "no explanation"
            raise ApiError(f"HTTP {error.status_code}: {_short(message)}", "api_error", error.status_code) from error
        except (OSError, websocket.WebSocketException) as error:
            raise self._unreachable(error, "GET", path) from error
        return connection

    def observe(self, **collections):
        """Keep local copies of collections up to date by watches: ``observe(pods=("Pod", {"labelSelector": ...}))``.

        :returns: an :class:`Observation`, to be used as a context manager.
        """
        return Observation(self, collections)

    def lose(self, error):
        """Write nothing from now on: another run has the lock. ``error`` is raised at the next request or wait."""
        self.lost = error

    def check(self):
        """:raises BlueGreenError: another run has taken over."""
        if self.lost:
            raise self.lost

    def sleep(self, seconds):
        """Sleep, but no longer than this run is wanted."""
        end = time.monotonic() + seconds
        while True:
            self.check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.5))

    # --- transport -------------------------------------------------------------------------------------------

    def _path(self, kind, name=None):
        path = RESOURCES[kind].format(namespace=self.namespace)
        return path + "/" + name if name else path

    def _authenticated(self):
        headers = dict(self._headers)
        for setting in self._configuration.auth_settings().values():  # renews an exec plugin's token when it is due
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        if (
            self._configuration.username and "authorization" not in headers
        ):  # the client knows it, but sends only tokens
            login = f"{self._configuration.username}:{self._configuration.password}"
            headers.update(urllib3.make_headers(basic_auth=login))
        return headers

    def _json(self, method, path, query=None):
        return self._decoded(self._send(method, path, query=query), method, path)

    def _write(self, method, path, body, content_type, query=None):
        query = dict(query or {})
        if self.dry_run:
            query["dryRun"] = "All"
        response = self._send(method, path, query=query, body=json.dumps(body), content_type=content_type)
        return self._decoded(response, method, path)

    def _decoded(self, response, method, path):
        try:
            return json.loads(response.data)
        except ValueError as error:
            raise ApiError(
                f"{self.host} answered '{VERBS[method]} {path}' with something that is no JSON: {_short(response.data.decode('utf-8', 'replace'), 200)}",
                "api_error",
                response.status,
                next_step=f"Something else answers at this address (a login page? a proxy?). It comes from {self.source}.",
            ) from error

    def _send(self, method, path, query=None, body=None, content_type=None, stream=False):
        """Send until there is an answer, for ``api_timeout`` seconds; then raise an :class:`ApiError`.

        :param stream: leave the body to the caller, who closes the response.
        """
        url = self.host + path + ("?" + urlencode(query) if query else "")
        give_up = time.monotonic() + self.api_timeout
        attempt = 0
        while True:
            if method != "GET":
                self.before_write()
                self.check()
            headers = self._authenticated()
            if content_type:
                headers["Content-Type"] = content_type
            retry_after, sent = None, time.monotonic()
            try:
                response = self._pool.request(
                    method,
                    url,
                    headers=headers,
                    body=body,
                    retries=False,
                    redirect=False,
                    preload_content=not stream,
                    timeout=_timeout(give_up),
                )
                if response.status < 300:
                    return response
                error = _api_error(response, method, path)
                if response.status == 403 and not self.refusal_stands(sent):
                    time.sleep(0.1)
                    continue
                if response.status not in RETRIED_STATUS:
                    raise error
                self.doubt_refusals()
                retry_after = response.headers.get("Retry-After")
            except urllib3.exceptions.HTTPError as failure:
                error = self._unreachable(failure, method, path)
            attempt += 1
            pause = (
                float(retry_after)
                if retry_after and retry_after.isdigit()
                else min(0.1 * 2**attempt, 2.0) * random.uniform(0.7, 1.3)
            )
            left = give_up - time.monotonic()
            if left <= pause:
                raise error
            if attempt == 1:
                self.progress(f"{error.what}. Trying for {left:.0f} s more.")
            time.sleep(pause)

    def doubt_refusals(self):
        """The server has failed: what it refuses next, it may refuse because it is only being started."""
        self._ready_at = self._doubted_at = None

    def refusal_stands(self, sent):
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
            ready = self._pool.request(
                "GET",
                self.host + "/readyz",
                headers=self._authenticated(),
                retries=False,
                redirect=False,
                timeout=_timeout(give_up),
            )
            if ready.status == 200:
                self._ready_at = time.monotonic()
        except urllib3.exceptions.HTTPError:
            pass  # it is being started: not ready
        return False

    def _unreachable(self, failure, method, path):
        """The error for a request without an answer; raised at once when waiting would not heal it."""
        self.doubt_refusals()
        reason = getattr(failure, "reason", None)
        cause = reason if isinstance(reason, Exception) else failure  # an ssl.SSLError's reason is text
        # Without urllib3's inside: "HTTPSConnection(host='...', port=...): Failed to establish a new connection: ..."
        text = re.sub(r"^\w+\(host=.*?\): (Failed to establish a new connection: )?(\[Errno -?\d+\] )?", "", str(cause))
        next_step = f"Check the address (it comes from {self.source}), the network and whether the API server runs; then run the same command again."
        error = ApiError(
            f"The API server {self.host} does not answer: {_short(text)}",
            "api_unreachable",
            0,
            next_step=next_step,
        )
        # A handshake that the other side breaks off is no verdict on certificates: so does a load balancer that has no API
        # server behind it just now.
        broken_off = any(isinstance(item, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for item in (cause, *failure.args))
        if (
            isinstance(failure, urllib3.exceptions.SSLError)
            or isinstance(cause, ssl.SSLError)
            or "CERTIFICATE_VERIFY_FAILED" in text
        ) and not broken_off:
            error.what = f"The certificate of the API server {self.host} is not trusted: {_short(text)}"
            error.next_step = f"Give the right ca_cert (K8S_AUTH_SSL_CA_CERT), or check that the address is right: it comes from {self.source}."
            raise error  # waiting does not heal it
        # A name that does not exist is a mistake; that no name server answers is an outage like others.
        looked_up = cause.__cause__ or cause.__context__
        no_such_name = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        if isinstance(looked_up, socket.gaierror) and looked_up.errno in no_such_name:
            raise error
        return error


def _pause(failures):
    """Seconds to wait before a watch is opened again."""
    return min(0.05 * 2 ** min(failures, 5), 1.0)


def _timeout(give_up):
    """Time limits for one request, within what is left of ``api_timeout``."""
    left = max(give_up - time.monotonic(), 0.1)
    return urllib3.Timeout(connect=min(CONNECT_TIMEOUT, left), read=min(READ_TIMEOUT, left))


class Observation:
    """Local copies of a few collections, each listed once and then kept current by a watch in its own thread.

    A cut or expired watch is opened again (after a new list, when the server has forgotten our version), so callers
    see states, never gaps. Reading: ``observation["pods"]`` gives the current objects.
    """

    def __init__(self, cluster, collections):
        self._cluster = cluster
        self._objects = {}
        self._dirty = False  # something has changed since the last wait()
        self._changed = threading.Condition()
        self._closed = False
        self._error = None
        self._streams = {}
        self._versions = {}
        self._collections = collections
        for name, (kind, selectors) in collections.items():
            self._versions[name] = self._list(name, kind, selectors)

    def __enter__(self):
        self._dirty = False  # the caller looks at the first lists before it waits
        for name in self._collections:
            self._start(name)
        return self

    def add(self, name, kind, selectors):
        """Observe one more collection from now on."""
        self._collections[name] = (kind, selectors)
        self._versions[name] = self._list(name, kind, selectors)
        self._start(name)

    def _start(self, name):
        arguments = (name, *self._collections[name], self._versions[name])
        threading.Thread(target=self._follow, args=arguments, daemon=True).start()

    def __exit__(self, *unused):
        self._closed = True
        for response in list(self._streams.values()):
            _abandon(response)

    def __getitem__(self, name):
        with self._changed:
            return list(self._objects[name].values())

    def wait(self, seconds):
        """Return when something has changed since the last call, or after ``seconds``, at the latest after one second.

        :raises ApiError: a watch could not be kept up (no permission, or no API server for ``api_timeout`` seconds).
        :raises BlueGreenError: another run has taken over.
        """
        self._cluster.check()
        with self._changed:
            if not self._dirty and not self._error:
                self._changed.wait(min(max(seconds, 0), 1))
            self._dirty = False
            if self._error:
                raise self._error

    def wake(self):
        """Let wait() return now."""
        with self._changed:
            self._notify()

    def _notify(self, error=None):
        self._dirty = True
        self._error = self._error or error
        self._changed.notify_all()

    def _list(self, name, kind, selectors):
        listed = self._cluster.list(kind, **selectors)
        with self._changed:
            self._objects[name] = {item["metadata"]["uid"]: item for item in listed["items"]}
            self._notify()
        return listed["metadata"]["resourceVersion"]

    def _follow(self, name, kind, selectors, version):
        failures = 0
        while not self._closed:
            try:
                version, events = self._stream(name, kind, selectors, version)
                failures = 0 if events else failures + 1
                if not events and not self._closed:
                    time.sleep(_pause(failures))  # a server in trouble ends watches as soon as they are opened
            except BlueGreenError as error:
                if not self._closed:
                    with self._changed:
                        self._notify(error)
                return
            except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
                # The connection was cut, by the network or by our own closing. Listing waits for the API server to be back.
                failures += 1
                if not self._closed:
                    self._cluster.doubt_refusals()
                    time.sleep(_pause(failures))
                    version = None

    def _stream(self, name, kind, selectors, version):
        """Follow one watch to its end.

        :returns: the version to go on from (``None``: list again), and how many events there were.
        """
        events = 0
        if version is None:
            version = self._list(name, kind, selectors)
        query = dict(
            selectors, watch="true", resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=WATCH_SECONDS
        )
        path, sent = self._cluster._path(kind), time.monotonic()  # pylint: disable=protected-access
        response = self._cluster._pool.request(  # pylint: disable=protected-access
            "GET",
            self._cluster.host + path + "?" + urlencode(query),
            headers=self._cluster._authenticated(),  # pylint: disable=protected-access
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=WATCH_SECONDS + 10),
            retries=False,
            preload_content=False,
        )
        self._streams[name] = response
        try:
            if self._closed:  # ended while this was being opened
                return version, events
            if response.status in RETRIED_STATUS:
                raise OSError(f"HTTP {response.status}")
            if response.status == 410:
                return None, events
            if response.status == 403 and not self._cluster.refusal_stands(sent):
                return version, events
            if response.status != 200:
                raise _api_error(response, "WATCH", path)
            for line in _lines(response):
                event = json.loads(line)
                item = event["object"]
                if event["type"] == "ERROR":  # 410 Gone: the server no longer has our version
                    return None, events
                events += 1
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                with self._changed:
                    if event["type"] == "DELETED":
                        self._objects[name].pop(item["metadata"]["uid"], None)
                    else:
                        self._objects[name][item["metadata"]["uid"]] = item
                    self._notify()
            return version, events
        finally:
            response.close()


def _lines(response):
    """The lines of a streamed answer as they arrive (``HTTPResponse.readline`` waits for whole blocks)."""
    rest = b""
    for chunk in response.stream(amt=None, decode_content=True):  # a watch comes in chunks
        rest += chunk
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            yield line


def _abandon(response):
    """End a stream that another thread is reading: only shutting the socket down wakes that thread."""
    connection = getattr(response, "_connection", None) or getattr(response, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        try:
            sock.shutdown(2)
        except OSError:
            pass  # it had ended already


def _api_error(response, method, path):
    """The server's ``Status`` answer as an error that names verb, resource and namespace.

    See https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    body = response.data or b""
    try:
        status = json.loads(body)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    message = status.get("message") or body.decode("utf-8", "replace") or "no explanation"
    code = response.status
    where = f"{VERBS.get(method, method.lower())} {path}"
    what = f"The API server refused '{where}' (HTTP {code}): {_short(message)}"
    if code == 401:
        return ApiError(
            f"The API server does not accept the credentials (HTTP 401 for '{where}').",
            "unauthorized",
            code,
            next_step="Renew the token or certificate, then run the same command again.",
        )
    if code == 403:
        return ApiError(
            what,
            "forbidden",
            code,
            next_step="Grant this verb on this resource to the user named above (see the Role in the documentation).",
        )
    # 422 is also sent for invalid objects; only a failed JSON Patch "test" has no list of causes.
    if code == 409 or (code == 422 and method == "PATCH" and not (status.get("details") or {}).get("causes")):
        return PatchConflict(what, "conflict", code)
    return ApiError(what, "not_found" if code == 404 else "api_error", code)


def _short(text, limit=600):
    text = " ".join(str(text).split())
    return text if len(text) <= limit else text[:limit] + " ..."


# --- credentials ---------------------------------------------------------------------------------------------
def _load_configuration(options):
    """Choose the credentials: options > kubeconfig or context option > $KUBECONFIG > in-cluster > ~/.kube/config.

    :returns: (client configuration, where it came from, the context's namespace or ``None``)
    """
    configuration = kubernetes_client.Configuration()
    namespace = None
    explicit = options["host"] and (
        options["api_key"]
        or (options["client_cert"] and options["client_key"])
        or (options["username"] and options["password"])
    )
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ and os.path.exists(IN_CLUSTER_DIR + "/token")
    default = os.path.expanduser("~/.kube/config")
    if explicit:
        source = "the connection options"
    elif (
        options["kubeconfig"]
        or options["context"]
        or os.environ.get("KUBECONFIG")
        or (not in_cluster and os.path.exists(default))
    ):
        chosen = options["kubeconfig"] or os.environ.get("KUBECONFIG") or default
        source = "a kubeconfig given as a dictionary" if isinstance(chosen, dict) else f"kubeconfig {chosen}"
        namespace = _load_kubeconfig(configuration, chosen, options["context"], source)
    elif in_cluster:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        source = "the pod's ServiceAccount"
        with open(IN_CLUSTER_DIR + "/namespace", encoding="utf-8") as file:
            namespace = file.read().strip()
    elif options["host"]:
        source = "the connection options"
    else:
        raise BlueGreenError(
            "No Kubernetes cluster is configured.",
            "no_cluster",
            why=f"Looked at the options and K8S_AUTH_* variables, $KUBECONFIG, a pod's ServiceAccount, and {default}.",
            next_step="Set KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.",
        )
    for option, attribute in (
        ("host", "host"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("username", "username"),
        ("password", "password"),
        ("proxy", "proxy"),
        ("no_proxy", "no_proxy"),
    ):
        if options.get(option):
            setattr(configuration, attribute, options[option])
    if options["validate_certs"] is not None:
        configuration.verify_ssl = options["validate_certs"]
    if options["api_key"]:
        configuration.api_key = {"authorization": "Bearer " + options["api_key"]}
        configuration.api_key_prefix = {}
        configuration.refresh_api_key_hook = None
    return configuration, source, namespace


def _load_kubeconfig(configuration, chosen, context, source):
    """Fill ``configuration`` from a kubeconfig and return the namespace of the context."""
    kwargs = {"context": context, "client_configuration": configuration, "persist_config": False}
    try:
        if isinstance(chosen, dict):
            kubernetes_config.load_kube_config_from_dict(config_dict=chosen, **kwargs)
            contexts = chosen
        else:
            kubernetes_config.load_kube_config(config_file=os.path.expanduser(str(chosen)), **kwargs)
            contexts = None
    except (kubernetes_config.ConfigException, OSError, yaml.YAMLError, TypeError) as error:
        raise BlueGreenError(
            f"The {source} cannot be used: {_short(error)}",
            "no_cluster",
            next_step="Give an existing file with the context wanted (option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG).",
        ) from error
    if contexts:
        active = context or contexts.get("current-context")
        found = [item for item in contexts.get("contexts", []) if item["name"] == active]
        return found[0]["context"].get("namespace") if found else None
    every, active = kubernetes_config.list_kube_config_contexts(config_file=os.path.expanduser(str(chosen)))
    if context:
        active = next(item for item in every if item["name"] == context)
    return active["context"].get("namespace")


def _connection_pool(configuration):
    """The official client's connection pool (TLS, proxies), with the TLS context built once instead of per connection."""
    configuration.connection_pool_maxsize = 64
    try:
        return _with_context(configuration, kubernetes_client.ApiClient(configuration).rest_client.pool_manager)
    finally:
        # The client has written inline certificates and keys to files. The TLS context holds them now, and an action's
        # worker process ends without atexit handlers, which would leave a private key behind.
        kube_config._cleanup_temp_files()  # pylint: disable=protected-access


def _with_context(configuration, pool):
    if configuration.host.startswith("https"):
        context = urllib3.util.ssl_.create_urllib3_context(
            cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
        )
        try:
            if configuration.verify_ssl:
                data = getattr(configuration, "ca_cert_data", None)
                if configuration.ssl_ca_cert or data:
                    context.load_verify_locations(cafile=configuration.ssl_ca_cert, cadata=data)
                else:
                    context.load_default_certs()
            if configuration.cert_file:
                context.load_cert_chain(configuration.cert_file, configuration.key_file)
        except (OSError, ssl.SSLError) as error:
            raise BlueGreenError(
                f"A certificate of the connection cannot be loaded: {error}",
                "no_cluster",
                why=f"ca_cert {configuration.ssl_ca_cert}, client_cert {configuration.cert_file}",
                next_step="Give readable PEM files for ca_cert, client_cert and client_key.",
            ) from error
        for key in ("cert_file", "key_file", "ca_certs", "ca_cert_data"):
            pool.connection_pool_kw.pop(key, None)
        pool.connection_pool_kw["ssl_context"] = context
        if not configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return pool
