# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab is made of: its settings, names, addresses and autonomous systems."""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import compress
from pathlib import Path

from lab.topologies import DEFAULT, TOPOLOGIES, UPLINKS, Topology

BASE = Path("/run/hitless-lab")
CACHE = Path(os.environ.get("LAB_CACHE", "/var/cache/hitless-lab"))

FORMS = ("nspawn", "plain")
SCENARIOS = ("off", "hard-reset", "stale")
FRR_SUITES = {"8.4": "bookworm", "10": "trixie"}
# The speaker's behaviour comes from GoBGP's version, and that from the Debian release of the node:
# 3.36 (trixie) closes a session with Hard Reset (RFC 8538), 3.10 (bookworm) leaves stale routes behind.
NODE_SUITES = {"off": "bookworm", "hard-reset": "trixie", "stale": "bookworm"}

ROUTERS = ("tor-1", "tor-2")
NODES = ("worker-1", "worker-2", "worker-3")
CLIENT = "client"
ROLES = (*ROUTERS, *NODES, CLIENT)

ROUTER_ASN = TOPOLOGIES[DEFAULT].asns[0]
NODE_ASN = 65432
PASSWORD = "hitless-lab"  # of TCP MD5, inside the lab's own namespaces

FABRIC4, FABRIC6 = ip_network("10.62.0.0/24"), ip_network("fd62:0:0::/64")
ACCESS4, ACCESS6 = ip_network("10.62.1.0/24"), ip_network("fd62:0:1::/64")
SECOND4, SECOND6 = ip_network("10.62.2.0/24"), ip_network("fd62:0:2::/64")
MANAGE4, MANAGE6 = ip_network("10.62.3.0/24"), ip_network("fd62:0:3::/64")
VIPS4 = ("198.51.100.10/32", "198.51.100.20/32")
VIPS6 = ("2001:db8:100::10/128", "2001:db8:100::20/128")
VIPS = (*VIPS4, *VIPS6)
# Service with traffic policy Local -> the nodes that have a pod of it while they take pods, one each.
LOCAL_SERVICES = {"local": NODES, "local-elsewhere": NODES[1:]}
LOCAL_VIPS4 = ("198.51.100.30/32", "198.51.100.40/32")
LOCAL_VIPS6 = ("2001:db8:100::30/128", "2001:db8:100::40/128")
LOCAL_VIPS = (*LOCAL_VIPS4, *LOCAL_VIPS6)
ECHO_PORT = 7

# Every long-lived process of a lab carries this variable, so that `down` finds it also after a crash.
MARKER = "HITLESS_LAB_PROCESS"


class LabError(Exception):
    """What is wrong and what to do, in one line."""


@dataclass(frozen=True)
class LabSettings:
    """Settings of one lab; times in seconds."""

    name: str = "hn"
    form: str = "nspawn"
    scenario: str = "stale"
    frr: str = "8.4"
    restart_time: int = 20
    hold_time: int = 9
    keepalive: int = 3
    connect_retry: int = 5
    topology: str = DEFAULT

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,5}", self.name):
            raise LabError(f"lab name {self.name!r}: 1 to 6 of a-z and 0-9, a letter first")
        for what, value, allowed in (
            ("form", self.form, FORMS),
            ("scenario", self.scenario, SCENARIOS),
            ("frr", self.frr, tuple(FRR_SUITES)),
            ("topology", self.topology, tuple(TOPOLOGIES)),
        ):
            if value not in allowed:
                raise LabError(f"{what} {value!r}: one of {', '.join(allowed)}")
        if self.scenario == "hard-reset" and any(router.network == UPLINKS for router in self.network.routers):
            # GoBGP 3.36 announces :: as next hop over link-local sessions, and FRR drops such a route.
            raise LabError(f"topology {self.topology} has no scenario hard-reset: one of off, stale")

    @property
    def directory(self) -> Path:
        """Where everything of this lab lives; `down` removes it."""
        return BASE / self.name

    @property
    def network(self) -> Topology:
        """The network of this lab."""
        return TOPOLOGIES[self.topology]

    @property
    def node_suite(self) -> str:
        """Debian suite of the nodes."""
        return NODE_SUITES[self.scenario]

    @property
    def router_suite(self) -> str:
        """Debian suite of the routers."""
        return FRR_SUITES[self.frr]

    @property
    def graceful_restart(self) -> int | None:
        """Restart time that the speakers announce, in seconds; None = no graceful restart."""
        return None if self.scenario == "off" else self.restart_time

    def suite(self, role: str) -> str:
        """Debian suite of a machine."""
        return self.router_suite if role in ROUTERS else self.node_suite

    def machine(self, role: str) -> str:
        """The one name of machine, network namespace, Kubernetes Node and inventory host."""
        return f"{self.name}-{role}"

    @property
    def switch(self) -> str:
        """Network namespace that holds the bridges."""
        return f"{self.name}-switch"

    def uuid(self, role: str) -> uuid.UUID:
        """System UUID of a machine: the same in the Node's status and in Redfish."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.machine(role)}.lab.invalid")


def _fabric(host4: int, host6: int) -> tuple[str, str]:
    return str(FABRIC4[host4]), str(FABRIC6[host6])


def node_addresses(i: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of worker-i (i from 1): those of its Node."""
    return _fabric(10 + i, 0x10 + i)


def router_addresses(i: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of tor-i on the fabric (i from 1)."""
    return _fabric(i, i)


def access_addresses(role: str) -> tuple[str, str] | None:
    """IPv4 and IPv6 address on the access network; None for nodes."""
    if role == CLIENT:
        return str(ACCESS4[10]), str(ACCESS6[0x10])
    if role in ROUTERS:
        i = ROUTERS.index(role) + 1
        return str(ACCESS4[i]), str(ACCESS6[i])
    return None


def fabric_addresses(role: str) -> tuple[str, str] | None:
    """IPv4 and IPv6 address on the fabric; None for the client."""
    if role in ROUTERS:
        return router_addresses(ROUTERS.index(role) + 1)
    if role in NODES:
        return node_addresses(NODES.index(role) + 1)
    return None


def addresses(role: str) -> tuple[str, str]:
    """IPv4 and IPv6 address by which a machine is known in the simplest topology."""
    found = fabric_addresses(role) or access_addresses(role)
    assert found
    return found


def pod_cidrs(i: int) -> tuple[str, str]:
    """IPv4 and IPv6 PodCIDR of worker-i (i from 1)."""
    return f"10.62.10{i}.0/24", f"fd62:0:10{i}::/64"


def pod_gateways(i: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of worker-i in its PodCIDRs: reached by the way that leads to its pods."""
    cidr4, cidr6 = pod_cidrs(i)
    return cidr4.replace(".0/24", ".1/32"), cidr6.replace("::/64", "::1/128")


def prefixes(i: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What worker-i announces whatever pods it has: IPv4 and IPv6 prefixes."""
    cidr4, cidr6 = pod_cidrs(i)
    return (*VIPS4, cidr4), (*VIPS6, cidr6)


def local_vips(i: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What worker-i announces besides while its pods of the Services with traffic policy Local are ready."""
    here = [NODES[i - 1] in nodes for nodes in LOCAL_SERVICES.values()]
    return tuple(compress(LOCAL_VIPS4, here)), tuple(compress(LOCAL_VIPS6, here))


def family(address: str) -> int:
    """4 or 6, of an address (also one with %interface) or a prefix."""
    return ip_address(address.split("/")[0].split("%")[0]).version
