# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the embedded cluster lives: its addresses and the names derived from them."""

from __future__ import annotations

import ipaddress

from toolchain import Failure

# The range for benchmarks (RFC 2544): on nobody's LAN or VPN. One cluster takes one /18 of it.
RANGE = ipaddress.ip_network("198.18.0.0/15")
BLOCKS = list(RANGE.subnets(new_prefix=18))


class Net:
    """The addresses of one cluster, all inside one block.

    name: the host's end of the veth pair, and the cgroup of the pods.
    host, node: the two ends of the link; the rest of `link` may be given to the host's end (load generators).
    """

    def __init__(self, block: str):
        try:
            self.block = ipaddress.ip_network(block)
        except ValueError:
            self.block = None
        if self.block not in BLOCKS:
            raise Failure(
                f"BLUEGREEN_CLUSTER_NET={block}: not an address block for a cluster; "
                f"choose one of {', '.join(map(str, BLOCKS))}."
            )
        self.name = "bg-" + str(self.block.network_address).rpartition(".")[0].replace(".", "-")
        self.host, self.node = self.block[1], self.block[2]
        parts = list(self.block.subnets(new_prefix=22))
        self.link, self.pods, self.services = parts[:3]
        self.api = f"https://{self.node}:6443"
