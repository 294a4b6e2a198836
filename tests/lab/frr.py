# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of the FRR routers."""

from __future__ import annotations

from lab import settings as s
from lab import wiring
from lab.settings import LabSettings
from lab.topologies import ACCESS, UPLINKS

_FAMILIES = ("ipv4", "ipv6")


def files(settings: LabSettings, role: str) -> dict[str, str]:
    """Path -> content of what makes a machine a router."""
    space = wiring.space(settings, role)
    folder = f"/etc/frr/{space}" if space else "/etc/frr"
    # The option has watchfrr start all daemons in the network namespace of the path space's name.
    daemons = f'{_DAEMONS}watchfrr_options="--netns"\n' if space else _DAEMONS
    return {f"{folder}/frr.conf": configuration(settings, role), f"{folder}/daemons": daemons} | (
        {f"{folder}/vtysh.conf": "service integrated-vtysh-config\n"} if space else {}
    )


def configuration(settings: LabSettings, role: str) -> str:
    """frr.conf: one IPv4 session for IPv4 routes and one IPv6 session for IPv6 routes per node, iBGP likewise.

    Unnumbered sessions carry both. iBGP keeps the node as next hop (no next-hop-self): a route that one router has lost
    comes back through the other. FRR (>= 7.4, RFC 8212) takes nothing from eBGP peers without a policy, hence the
    route-maps.
    """
    lines = [
        "frr defaults traditional",
        f"hostname {settings.machine(role)}",
        "log syslog informational",
        "service integrated-vtysh-config",
        "!",
        *(f"{'ipv6' if ':' in to else 'ip'} route {to} {via}" for to, via in wiring.static_routes(settings, role)),
        "ip prefix-list from-nodes seq 5 permit 198.51.100.0/24 ge 32",
        "ip prefix-list from-nodes seq 10 permit 10.62.96.0/19 ge 24",
        "ipv6 prefix-list from-nodes seq 5 permit 2001:db8:100::/64 ge 128",
        "ipv6 prefix-list from-nodes seq 10 permit fd62:0:100::/40 ge 64",
        "route-map from-nodes-ipv4 permit 10",
        " match ip address prefix-list from-nodes",
        "route-map from-nodes-ipv6 permit 10",
        " match ipv6 address prefix-list from-nodes",
        "route-map to-nodes deny 10",
        *(["route-map to-routers permit 10"] if _ebgp(settings) else []),
        "!",
        f"router bgp {wiring.asn(settings, role)}",
        f" bgp router-id {wiring.addresses(settings, role)[0]}",
        " bgp log-neighbor-changes",
        " no bgp default ipv4-unicast",
        " bgp bestpath as-path multipath-relax",
        f" timers bgp {settings.keepalive} {settings.hold_time}",
    ]
    nodes, peers = _nodes(settings, role), _peers(settings, role)
    for commands in (*nodes.values(), *peers.values()):
        lines += commands
    for v, family in enumerate(_FAMILIES):
        lines.append(f" address-family {family} unicast")
        for name, carried in nodes:
            if v in carried:
                lines += _policies(name, f"from-nodes-{family}", "to-nodes")
        for name, carried in peers:
            if v in carried and _ebgp(settings):
                lines += _policies(name, f"from-nodes-{family}", "to-routers")
            elif v in carried:
                lines.append(f"  neighbor {name} activate")
        lines += ["  maximum-paths 8", " exit-address-family"]
    return "\n".join([*lines, "exit", ""])


def _ebgp(settings: LabSettings) -> bool:
    """Whether the routers' session with each other is one of eBGP."""
    return bool(settings.network.peering) and len(set(settings.network.asns)) > 1


# Name of a neighbour or peer-group, and the families (0: IPv4, 1: IPv6) that it carries -> its commands.
_Neighbors = dict[tuple[str, tuple[int, ...]], list[str]]


def _nodes(settings: LabSettings, role: str) -> _Neighbors:
    """The neighbours that are nodes."""
    own = wiring.attachment(settings, role)
    if own.network == UPLINKS:
        links = [wiring.downlink(node) for node in s.NODES]
        return {(link, (0, 1)): _commands(link, "interface remote-as", s.NODE_ASN, password=False) for link in links}
    if own.listen:
        found: _Neighbors = {}
        for v, network in enumerate(wiring.nodes_networks(settings, role)):
            group = f"nodes-{_FAMILIES[v]}"
            found[group, (v,)] = [f" neighbor {group} peer-group", *_commands(group, "remote-as", s.NODE_ASN)]
            found[group, (v,)] += [f" bgp listen range {network} peer-group {group}"]
        return found
    found = {}
    for v in (0, 1):
        for node in s.NODES:
            address = wiring.node_peer(settings, role, node)[v]
            found[address, (v,)] = _commands(address, "remote-as", s.NODE_ASN)
            if own.network == ACCESS:
                found[address, (v,)] += [f" neighbor {address} ebgp-multihop {wiring.HOPS}"]
    return found


def _peers(settings: LabSettings, role: str) -> _Neighbors:
    """The neighbour that is the other router."""
    other = s.ROUTERS[1 - s.ROUTERS.index(role)]
    asn = wiring.asn(settings, other)
    pair = wiring.peering(settings, role) or ()
    return {(address, (v,)): _commands(address, "remote-as", asn) for v, address in enumerate(pair)}


def _commands(name: str, remote_as: str, asn: int, *, password: bool = True) -> list[str]:
    return [
        f" neighbor {name} {remote_as} {asn}",
        *([f" neighbor {name} password {s.PASSWORD}"] if password else []),
        # A second, so that a lab's sessions are back soon; FRR's own default is 120 s.
        f" neighbor {name} timers connect 1",
    ]


def _policies(name: str, inwards: str, outwards: str) -> list[str]:
    return [
        f"  neighbor {name} activate",
        f"  neighbor {name} route-map {inwards} in",
        f"  neighbor {name} route-map {outwards} out",
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
