# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection. Do not use it from outside.

from __future__ import annotations


class ModuleDocFragment:
    # Which API server, and as whom.
    DOCUMENTATION = r"""
options:
  host:
    description:
      - URL of the API server, such as V(https://api.example.com:6443). Without a scheme it is V(https).
      - If not specified, E(K8S_AUTH_HOST) is used.
    type: str
  api_key:
    description:
      - Bearer token to authenticate with.
      - If not specified, E(K8S_AUTH_API_KEY) is used.
    type: str
  kubeconfig:
    description:
      - Path of a kubeconfig file, several paths separated by colons, or the content of one as a dictionary.
      - It means what it means to C(kubectl), also its C(as), C(as-groups), C(proxy-url), C(tls-server-name) and C(exec).
      - If not specified, E(K8S_AUTH_KUBECONFIG) is used.
    type: raw
  context:
    description:
      - Name of the context of the kubeconfig. The current context if not given.
      - If not specified, E(K8S_AUTH_CONTEXT) is used.
    type: str
  username:
    description:
      - Name for HTTP basic authentication.
      - If not specified, E(K8S_AUTH_USERNAME) is used.
    type: str
  password:
    description:
      - Password for HTTP basic authentication.
      - If not specified, E(K8S_AUTH_PASSWORD) is used.
    type: str
  client_cert:
    description:
      - Path of a client certificate (PEM) to authenticate with.
      - If not specified, E(K8S_AUTH_CERT_FILE) or E(K8S_AUTH_CLIENT_CERT) is used.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key (PEM) of O(client_cert).
      - If not specified, E(K8S_AUTH_KEY_FILE) or E(K8S_AUTH_CLIENT_KEY) is used.
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - Path of the certificates (PEM) of the authorities that the API server's certificate is checked with.
      - If not specified, E(K8S_AUTH_SSL_CA_CERT) or E(K8S_AUTH_CA_CERT) is used.
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether to check the API server's certificate. Checked if not given, except where the kubeconfig says otherwise.
      - V(false) is followed by a warning.
      - If not specified, E(K8S_AUTH_VERIFY_SSL) or E(K8S_AUTH_VALIDATE_CERTS) is used.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy between here and the API server, such as V(http://proxy.example.com:3128).
      - E(HTTP_PROXY) and E(HTTPS_PROXY) are not used.
      - If not specified, E(K8S_AUTH_PROXY) is used.
    type: str
  no_proxy:
    description:
      - Comma-separated list of host names, domains, IP addresses or networks that are reached without O(proxy).
      - If not specified, E(K8S_AUTH_NO_PROXY) is used.
    type: str
  impersonate_user:
    description:
      - Name of the user to act as, instead of the one that the kubeconfig names. The authenticated user needs the right to impersonate it.
      - If not specified, E(K8S_AUTH_IMPERSONATE_USER) is used.
    type: str
  api_timeout:
    description:
      - How long to try again when the API server does not answer, or answers that it is overloaded.
      - Seconds, or a number with a unit such as V(30s) or V(5m). With V(0) the first failure is final.
      - P(bluegreen.kubernetes.bg_begin#module) and P(bluegreen.kubernetes.bg_current_color#module), which come before
        anything has begun, wait no longer than 10 seconds for a server that has not answered at all.
    type: raw
    default: 60
notes:
  - "Which cluster is used: O(host) with credentials; else O(kubeconfig) or O(context); else the file named in
    E(KUBECONFIG); else the ServiceAccount of the pod that Ansible runs in; else C(~/.kube/config). Other options and
    their environment variables then replace what was found there."
  - "Names, aliases and environment variables are those of C(kubernetes.core), so that what is set up for it,
    and AWX's credential for the Kubernetes API, works as it is."
requirements:
  - kubernetes >= 24.2.0 (Python library)
"""
