# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and kubeconfigs of the embedded cluster, made anew at each start."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from layout import Net
from toolchain import Failure

# Who talks to the API server. The system's own parts have names of their own, so that the audit log can leave them out.
IDENTITIES = {
    "admin": "/O=system:masters/CN=admin",
    "embedded-cluster": "/O=system:masters/CN=embedded-cluster",
    "apiserver-kubelet-client": "/O=system:masters/CN=apiserver-kubelet-client",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": "/O=system:nodes/CN=system:node:node",
}


def make(pki: Path, net: Net) -> None:
    """Write the CA, the API server's certificate, and for each identity NAME.crt, NAME.key and NAME.kubeconfig."""
    pki.mkdir(mode=0o700)
    # Without a configuration of our own, openssl would add the extensions of the machine's.
    (pki / "openssl.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    _certificate(
        pki,
        "ca",
        "/CN=embedded-cluster-ca",
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=critical,keyCertSign,cRLSign",
    )
    service = net.services[1]
    _certificate(
        pki,
        "apiserver",
        "/CN=kube-apiserver",
        "extendedKeyUsage=serverAuth",
        f"subjectAltName=IP:127.0.0.1,IP:{net.node},IP:{service},DNS:localhost,DNS:kubernetes,"
        "DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local",
    )
    for name, subject in IDENTITIES.items():
        _certificate(pki, name, subject, "extendedKeyUsage=clientAuth")
        (pki / f"{name}.kubeconfig").write_text(_kubeconfig(pki, name, net))
    _openssl(pki, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "sa.key")
    _openssl(pki, "pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub")


def _certificate(pki: Path, name: str, subject: str, *extensions: str) -> None:
    # Elliptic curves: ten RSA keys would take seconds. The key identifiers are what strict clients ask for
    # (Python 3.13 is one by default).
    signer = [] if name == "ca" else ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "authorityKeyIdentifier=keyid"]
    options = [item for extension in extensions for item in ("-addext", extension)]
    _openssl(
        pki,
        "req",
        "-config",
        "openssl.cnf",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.crt",
        "-subj",
        subject,
        "-addext",
        "subjectKeyIdentifier=hash",
        *options,
        *signer,
    )


def _openssl(pki: Path, *arguments: str) -> None:
    run = subprocess.run(
        ["openssl", *arguments], cwd=pki, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if run.returncode:
        raise Failure(f"openssl {' '.join(arguments)} failed: {run.stdout.strip()}\nOpenSSL 3 or newer is needed.")


def _kubeconfig(pki: Path, name: str, net: Net) -> str:
    def data(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: bluegreen
  cluster:
    server: {net.api}
    certificate-authority-data: {data("ca.crt")}
users:
- name: {name}
  user:
    client-certificate-data: {data(f"{name}.crt")}
    client-key-data: {data(f"{name}.key")}
contexts:
- name: bluegreen
  context:
    cluster: bluegreen
    user: {name}
    namespace: default
current-context: bluegreen
"""
