# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of the FRR routers."""

from __future__ import annotations

from lab import settings as s
from lab.settings import LabSettings


def files(settings: LabSettings, role: str) -> dict[str, str]:
    """Path -> content of what makes a machine a router."""
    return {"/etc/frr/frr.conf": configuration(settings, role), "/etc/frr/daemons": _DAEMONS}


def configuration(settings: LabSettings, role: str) -> str:
    """frr.conf: one IPv4 session for IPv4 routes and one IPv6 session for IPv6 routes per node, iBGP likewise.

    iBGP keeps the node as next hop (no next-hop-self): a route that one router has lost comes back through the other.
    FRR (>= 7.4, RFC 8212) takes nothing from eBGP peers without a policy, hence the route-maps.
    """
    i = s.ROUTERS.index(role)
    peer = s.router_addresses(2 - i)
    nodes = [s.node_addresses(k + 1) for k in range(len(s.NODES))]
    lines = [
        "frr defaults traditional",
        f"hostname {settings.machine(role)}",
        "log syslog informational",
        "service integrated-vtysh-config",
        "!",
        "ip prefix-list from-nodes seq 5 permit 198.51.100.0/24 ge 32",
        "ip prefix-list from-nodes seq 10 permit 10.62.96.0/19 ge 24",
        "ipv6 prefix-list from-nodes seq 5 permit 2001:db8:100::/64 ge 128",
        "ipv6 prefix-list from-nodes seq 10 permit fd62:0:100::/40 ge 64",
        "route-map from-nodes-ipv4 permit 10",
        " match ip address prefix-list from-nodes",
        "route-map from-nodes-ipv6 permit 10",
        " match ipv6 address prefix-list from-nodes",
        "route-map to-nodes deny 10",
        "!",
        f"router bgp {s.ROUTER_ASN}",
        f" bgp router-id {s.addresses(role)[0]}",
        " bgp log-neighbor-changes",
        " no bgp default ipv4-unicast",
        " bgp bestpath as-path multipath-relax",
        f" timers bgp {settings.keepalive} {settings.hold_time}",
    ]
    for v in (0, 1):
        for node in nodes:
            lines += _neighbor(node[v], s.NODE_ASN)
        lines += _neighbor(peer[v], s.ROUTER_ASN)
    for v, family in ((0, "ipv4"), (1, "ipv6")):
        lines.append(f" address-family {family} unicast")
        for node in nodes:
            lines += [
                f"  neighbor {node[v]} activate",
                f"  neighbor {node[v]} route-map from-nodes-{family} in",
                f"  neighbor {node[v]} route-map to-nodes out",
            ]
        lines += [f"  neighbor {peer[v]} activate", "  maximum-paths 8", " exit-address-family"]
    return "\n".join([*lines, "exit", ""])


def _neighbor(address: str, asn: int) -> list[str]:
    return [
        f" neighbor {address} remote-as {asn}",
        f" neighbor {address} password {s.PASSWORD}",
        # A second, so that a lab's sessions are back soon; FRR's own default is 120 s.
        f" neighbor {address} timers connect 1",
    ]


# --v6-rr-semantics: without it zebra changes an IPv6 route by deleting and adding it (FRR 8.4.4 and 10.3, seen with
# `ip -6 monitor route`): whenever a node comes or goes, there is no route for 0.2 ms.
_DAEMONS = """\
bgpd=yes
vtysh_enable=yes
zebra_options="  -A 127.0.0.1 -s 90000000 --v6-rr-semantics"
mgmtd_options="  -A 127.0.0.1"
bgpd_options="   -A 127.0.0.1"
staticd_options="-A 127.0.0.1"
"""
