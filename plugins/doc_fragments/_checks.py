# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. Do not use it from outside.

from __future__ import annotations


class ModuleDocFragment:
    # For the modules that run checks.
    DOCUMENTATION = r"""
options:
  checks:
    description:
      - List of checks. The module first looks through all of them and names every mistake in every check at once,
        before a single request is sent.
      - "What is asked, exactly one of these keys: C(http), a path such as V(/health), which is asked of every pod;
        C(url), a whole http or https address, which is asked once, from where the task runs; C(command), a program,
        which is run for every pod; C(tcp), a port, to which a connection is made on every pod, or V(host:port), once;
        C(grpc), the name of a gRPC service, or V('') for the server as a whole, whose standard health check every pod must
        answer with C(SERVING); C(prometheus), a query, which is asked once; C(job), a file with a Kubernetes Job, which is
        run once in the namespace of the application and must succeed."
      - "C(name): what to call the check; each needs another name. What is asked if not given."
      - "C(expect): dictionary of what the answer must be, all of it. See below."
      - "C(retries): how often to ask again when the answer is not as expected (default V(0))."
      - "C(delay): how long to wait before asking again (default V(1))."
      - "C(timeout): how long one whole attempt may take (default V(5); V(60) for C(command), V(10) for
        C(prometheus); V(600) for C(job))."
      - "C(pods): for what is asked of pods, on how many of them the check must pass: V(all) (default), V(any), or a
        number. With V(one) only one of them is asked."
      - "C(method), for C(http) and C(url): V(GET) (default), V(HEAD), V(POST), V(PUT), V(PATCH), V(DELETE) or
        V(OPTIONS)."
      - "C(headers), for C(http) and C(url): dictionary of request headers. Their values are kept out of all output."
      - "C(host), for C(http), C(url) and C(grpc): value of the C(Host) header, and with TLS the name that the certificate
        must have. C(grpc) always verifies that, and needs it for C(scheme) V(https)."
      - "C(body), for C(http) and C(url): text to send; a dictionary or list is sent as JSON."
      - "C(ca_cert), for C(http), C(url) and C(grpc): file with the certificate authority that the application's
        certificate must be signed by."
      - "C(port), for C(http), C(command) and C(grpc): number or name of the pods' port. If not given, the one that the
        Service leads to, by the first of its ports. With C(service_proxy) it is the Service's port, V(80) or V(443) if not
        given."
      - "C(scheme), for C(http), C(command) and C(grpc): V(http) (default) or V(https)."
      - "C(via), for C(http), the way to the pods: V(proxy) is the API server's; V(port_forward) is a connection through
        it that reaches the pod as it is, with C(Authorization) headers, encoded slashes and TLS. V(auto) (default) takes the proxy unless
        the check needs the other one, or the proxy turns out to be blocked. V(service_proxy) is the API server's proxy
        to the Service named by C(service), which hands the request to any one of its pods."
      - "C(env), for C(command): dictionary of environment variables. Their values are kept out of all output."
      - "C(target), for C(command): address to give it, instead of that of a port-forward to a pod."
      - "C(send), for C(tcp): text to send."
      - "C(allow_empty), for C(prometheus): whether a query without a result passes (default V(false))."
      - "C(keep_failed), for C(job): whether a Job that has failed stays in the cluster, for an hour (default V(false)). The
        file is read as it is, relative to O(chdir); its Job is run under a name with a random end, with C(BG_VERSION),
        C(BG_COLOR), C(BG_PREVIOUS_VERSION), C(BG_PREVIOUS_COLOR) and C(BG_NAMESPACE) in its containers' environment. When
        it fails, its last log lines are shown."
      - "C(expect.status), for C(http) and C(url): status of the answer, or a list of those that are good. If not given,
        V(200) to V(299). Redirects are not followed."
      - "C(expect.json), for C(http) and C(url): dictionary of JMESPath expressions and the values they must have in the
        answer, which must be JSON. V(1) and V('1') are the same."
      - "C(expect.header), for C(http) and C(url): dictionary of headers and their values in the answer."
      - "C(expect.text): text that the answer, the command's output, or the Job's log, contains."
      - "C(expect.regex): Python regular expression that matches somewhere in it."
      - "C(expect.latency): how long it may take until all of it is there."
      - "C(expect.min), C(expect.max), for C(prometheus): limits for every number that the query gives; at least one of
        them is needed."
      - Durations are seconds, or a number with a unit such as V(500ms), V(30s) or V(5m).
      - "A command gets the address of a pod as its last argument, and in its environment C(BG_VERSION), C(BG_COLOR) and
        C(BG_NAMESPACE). It passes when it exits with V(0); otherwise its last output is shown."
    type: list
    elements: dict
    required: true
  parallel:
    description: How many executions (a check on one pod) may be under way at the same time, at least 1.
    type: int
    default: 32
notes:
  - Of an answer at most 1 MiB is read. The start of an unexpected one is shown, so checks should not ask for secrets.
  - "An answer of the API server itself, for example that it could not reach the pod, is told from the application's own
    answer with the same status."
  - Every attempt uses a connection of its own. For C(url) the certificates are checked, and the environment variables
    for proxies are honored.
  - While a command runs, the port-forward that it was given is open to everybody on the same host, at a port of the
    loopback interface.
  - "Permissions needed in the namespace: C(get) on services, C(list) on deployments and pods. For C(http) on pods/proxy
    C(get) (methods V(GET), V(HEAD)), C(create) (V(POST)), C(update) (V(PUT)), C(patch) or C(delete), as the checks'
    methods ask; for C(via) V(service_proxy) and O(prometheus.service) the same on services/proxy; for port-forwards,
    C(command), C(tcp) and C(grpc) C(get) and C(create) on pods/portforward."
"""

    # What the checks need to be asked, also for the modules that only take them.
    SETTINGS = r"""
options:
  prometheus:
    description: Where the C(prometheus) checks ask, either O(prometheus.url) or O(prometheus.service).
    type: dict
    suboptions:
      url:
        description: Address of Prometheus, as it is reached from where the task runs.
        type: str
      service:
        description: Name of its Service in the cluster, which is reached through the API server.
        type: str
      namespace:
        description: Namespace of O(prometheus.service). The application's if not given.
        type: str
      port:
        description: Port of O(prometheus.service), by number or name.
        type: str
        default: "9090"
      scheme:
        description: How O(prometheus.service) is spoken to.
        type: str
        choices: [http, https]
        default: http
      headers:
        description: Request headers for O(prometheus.url), for example C(Authorization). Their values are kept out of
          all output.
        type: dict
        default: {}
      ca_cert:
        description: File with the certificate authority of O(prometheus.url), if it is not a public one.
        type: path
  chdir:
    description: Directory in which commands run, and at which relative paths start. The working directory if not given.
    type: path
"""
