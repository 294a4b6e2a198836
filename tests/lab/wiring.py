# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a lab's topology: links, addresses, routes and BGP sessions of each machine. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from lab import settings as s
from lab.settings import LabSettings
from lab.topologies import ACCESS, FABRIC, MANAGE, SECOND, UPLINKS, Attachment

Networks = tuple[IPv4Network | IPv6Network, IPv4Network | IPv6Network]
NETWORKS: dict[str, Networks] = {
    FABRIC: (s.FABRIC4, s.FABRIC6),
    ACCESS: (s.ACCESS4, s.ACCESS6),
    SECOND: (s.SECOND4, s.SECOND6),
    MANAGE: (s.MANAGE4, s.MANAGE6),
}
HOPS = 4  # that a session over a gateway may have (ebgpMultihop)


@dataclass(frozen=True)
class Link:
    """One link of a machine: the switch's bridge, the interface in the machine, its addresses with their lengths."""

    bridge: str
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One BGP session between a node and a router, as the node's side is configured.

    families: 4, 6 or both. peer: the router's address, "" = found on the interface. local: the node's address where it
    has to be said.
    """

    name: str
    router: str
    asn: int
    families: tuple[int, ...]
    peer: str = ""
    local: str = ""
    interface: str = ""
    hops: int = 1


@dataclass(frozen=True)
class Route:
    """A static route; via: the gateway, in the family of the destination unless it is link-local."""

    to: str
    via: str
    interface: str


def attachment(settings: LabSettings, router: str) -> Attachment:
    """How a router has the nodes."""
    return settings.network.routers[s.ROUTERS.index(router)]


def asn(settings: LabSettings, router: str) -> int:
    """A router's AS number."""
    return settings.network.asns[s.ROUTERS.index(router)]


# -- links


def node_networks(settings: LabSettings) -> list[str]:
    """Networks that every node is on, links of its own aside: the one of its Node first."""
    second = any(router.network == SECOND for router in settings.network.routers)
    return [FABRIC, SECOND] if second else [FABRIC]


def router_networks(settings: LabSettings, router: str) -> list[str]:
    """Networks that a router forwards between, links of its own aside."""
    wanted = {ACCESS, attachment(settings, router).network, settings.network.peering}
    return [network for network in (FABRIC, SECOND, ACCESS) if network in wanted]


def links(settings: LabSettings, role: str) -> list[Link]:
    """The links by which a machine sends and forwards; see login_links for others."""
    if role == s.CLIENT:
        return [_link(ACCESS, role)]
    if role in s.NODES:
        own = [_uplink(router, role, node_side=True) for router in s.ROUTERS if _has_uplinks(settings, router)]
        return [*(_link(network, role) for network in node_networks(settings)), *own]
    own = [_uplink(role, node, node_side=False) for node in s.NODES if _has_uplinks(settings, role)]
    return [*(_link(network, role) for network in router_networks(settings, role)), *own]


def login_links(settings: LabSettings, role: str) -> list[Link]:
    """The links of the network namespace of the login, where that is not the one that forwards."""
    return [_link(MANAGE, role)] if space(settings, role) else []


def bridges(settings: LabSettings) -> list[str]:
    """All bridges of the switch."""
    found = [link for role in s.ROLES for link in (*links(settings, role), *login_links(settings, role))]
    return sorted({link.bridge for link in found})


def space(settings: LabSettings, role: str) -> str:
    """Name, inside of the machine, of the network namespace that forwards; "" = that of the login."""
    return attachment(settings, role).space if role in s.ROUTERS else ""


def switch_addresses(bridge: str) -> tuple[str, ...]:
    """The switch's own addresses on a bridge: from there the host reaches the machines."""
    return _with_lengths(bridge, 254, 0x254) if bridge in NETWORKS else ()


def _has_uplinks(settings: LabSettings, router: str) -> bool:
    return attachment(settings, router).network == UPLINKS


def _link(network: str, role: str) -> Link:
    return Link(network, network, _with_lengths(network, *_hosts(role)))


def _uplink(router: str, node: str, *, node_side: bool) -> Link:
    r, n = s.ROUTERS.index(router) + 1, s.NODES.index(node) + 1
    name = uplink(router) if node_side else downlink(node)
    return Link(f"link{r}{n}", name, (f"{link_local(router, node, node_side=node_side)}/64",))


def unnumbered(settings: LabSettings) -> list[str]:
    """Interfaces of every node over which sessions are unnumbered."""
    return [uplink(router) for router in s.ROUTERS if _has_uplinks(settings, router)]


def uplink(router: str) -> str:
    """The interface of every node towards a router."""
    return f"up{s.ROUTERS.index(router) + 1}"


def downlink(node: str) -> str:
    """The interface of every router towards a node."""
    return f"down{s.NODES.index(node) + 1}"


def link_local(router: str, node: str, *, node_side: bool) -> str:
    """The address of one end of a link between a router and a node."""
    return f"fe80::{2 if node_side else 1}:{s.ROUTERS.index(router) + 1}:{s.NODES.index(node) + 1}"


def _hosts(role: str) -> tuple[int, int]:
    """A machine's number in an IPv4 and an IPv6 network."""
    if role == s.CLIENT:
        return 10, 0x10
    if role in s.NODES:
        i = s.NODES.index(role) + 1
        return 10 + i, 0x10 + i
    i = s.ROUTERS.index(role) + 1
    return i, i


def _pair(network: str, role: str) -> tuple[str, str]:
    four, six = NETWORKS[network]
    host4, host6 = _hosts(role)
    return str(four[host4]), str(six[host6])


def _with_lengths(network: str, host4: int, host6: int) -> tuple[str, str]:
    four, six = NETWORKS[network]
    return f"{four[host4]}/{four.prefixlen}", f"{six[host6]}/{six.prefixlen}"


# -- addresses


def addresses(settings: LabSettings, role: str) -> tuple[str, str]:
    """IPv4 and IPv6 address by which a machine is known: a node's are in its Node, sessions have a router's."""
    if role in s.NODES:
        return _pair(FABRIC, role)
    if role == s.CLIENT:
        return _pair(ACCESS, role)
    return _pair(_session_network(settings, role), role)


def access(router: str) -> tuple[str, str]:
    """A router's addresses on the network of those who use the VIPs."""
    return _pair(ACCESS, router)


def login_address(settings: LabSettings, role: str) -> str:
    """Where SSH reaches a machine."""
    return _pair(MANAGE, role)[0] if space(settings, role) else addresses(settings, role)[0]


def router_id(settings: LabSettings, node: str) -> str:
    """A node's BGP identifier."""
    if settings.network.own_router_ids:
        return f"192.0.2.{s.NODES.index(node) + 1}"
    return addresses(settings, node)[0]


def _session_network(settings: LabSettings, router: str) -> str:
    """The network of the address that a router has for its sessions, or is known by where these are unnumbered."""
    network = attachment(settings, router).network
    return ACCESS if network == UPLINKS else network


# -- routes


def default_routes(settings: LabSettings, role: str) -> list[list[Route]]:
    """The default routes of a node or the client, IPv4 and IPv6: all of their next hops."""
    found: list[list[Route]] = [[], []]
    for router in s.ROUTERS:
        network = ACCESS if role == s.CLIENT else attachment(settings, router).network
        if role in s.NODES and network == ACCESS:
            continue  # it is behind the other one
        for v, to in enumerate(("0.0.0.0/0", "::/0")):
            if network == UPLINKS:
                found[v].append(Route(to, link_local(router, role, node_side=False), uplink(router)))
            else:
                found[v].append(Route(to, _pair(network, router)[v], network))
    return found


def static_routes(settings: LabSettings, router: str) -> list[tuple[str, str]]:
    """Prefix and gateway: a router reaches the nodes' networks that it isn't on over the other router."""
    other = s.ROUTERS[1 - s.ROUTERS.index(router)]
    far = set(router_networks(settings, other)) - set(router_networks(settings, router))
    return [(str(NETWORKS[network][v]), _pair(ACCESS, other)[v]) for network in sorted(far) for v in (0, 1)]


def next_hops(settings: LabSettings, router: str, node: str, v: int) -> set[str]:
    """What a router's kernel has for a prefix of a node, IPv4 (v = 0) or IPv6 (v = 1)."""
    network = attachment(settings, router).network
    if network == UPLINKS:
        return {link_local(router, node, node_side=True)}
    if network == ACCESS:
        return {via for to, via in static_routes(settings, router) if to == str(NETWORKS[FABRIC][v])}
    return {_pair(network, node)[v]}


# -- sessions


def node_peer(settings: LabSettings, router: str, node: str) -> tuple[str, str]:
    """The node's addresses as a router's sessions have them; unnumbered ones have none."""
    return _pair(SECOND if attachment(settings, router).network == SECOND else FABRIC, node)


def nodes_networks(settings: LabSettings, router: str) -> Networks:
    """Where the nodes are for a router that listens."""
    return NETWORKS[SECOND if attachment(settings, router).network == SECOND else FABRIC]


def peering(settings: LabSettings, router: str) -> tuple[str, str] | None:
    """The other router's addresses for the session between them; None = there is none."""
    other = s.ROUTERS[1 - s.ROUTERS.index(router)]
    return _pair(settings.network.peering, other) if settings.network.peering else None


def sessions(settings: LabSettings, node: str) -> list[Session]:
    """A node's BGP sessions, as its side is configured."""
    return [session for v in (0, 1) for router in s.ROUTERS for session in _sessions(settings, router, node, v)]


def _sessions(settings: LabSettings, router: str, node: str, v: int) -> list[Session]:
    """The sessions with a router that belong to a family; an unnumbered one carries both, and belongs to the first."""
    network = attachment(settings, router).network
    own = asn(settings, router)
    if network == UPLINKS:
        return [] if v else [Session(f"{router}-unnumbered", router, own, (4, 6), interface=uplink(router))]
    return [
        Session(
            f"{router}-{('ipv4', 'ipv6')[v]}",
            router,
            own,
            ((4, 6)[v],),
            peer=addresses(settings, router)[v],
            local=node_peer(settings, router, node)[v] if network == SECOND else "",
            hops=HOPS if network == ACCESS else 1,
        )
    ]
