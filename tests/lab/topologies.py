# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that a lab can have, as data: what `--topology` names. What follows from them is in wiring.py."""

from __future__ import annotations

from dataclasses import dataclass

# Networks that routers and nodes can be on; UPLINKS stands for a link of its own between each router and each node.
FABRIC, ACCESS, SECOND, MANAGE, UPLINKS = "fabric", "access", "second", "manage", "uplinks"


@dataclass(frozen=True)
class Attachment:
    """How one router has the nodes."""

    # Where its sessions with nodes are: FABRIC, SECOND, UPLINKS (unnumbered), or ACCESS (several hops away).
    network: str = FABRIC
    # It has no configured neighbours, and takes whoever comes from the nodes' network.
    listen: bool = False
    # Network namespace (and path space) in which FRR runs, inside of the machine; "": that of the login.
    space: str = ""


@dataclass(frozen=True)
class Topology:
    """One network: what is different from the simplest one."""

    about: str
    # Of tor-1 and tor-2.
    routers: tuple[Attachment, Attachment] = (Attachment(), Attachment())
    asns: tuple[int, int] = (62112, 62112)
    # The network over which the routers have a session with each other; "": they have none.
    peering: str = FABRIC
    # The nodes' BGP identifiers are no address of theirs.
    own_router_ids: bool = False


TOPOLOGIES = {
    "ibgp": Topology("one fabric, iBGP between the routers"),
    "ebgp": Topology(
        "eBGP between the routers: each announces the other one's routes with itself as next hop",
        asns=(62112, 62113),
        # On the fabric, which both share with the nodes, FRR would leave the node as next hop.
        peering=ACCESS,
    ),
    "second-nic": Topology(
        "tor-2 is reached from a second address of each node, which its Node doesn't name",
        routers=(Attachment(), Attachment(SECOND)),
        peering=ACCESS,
    ),
    "unnumbered": Topology(
        "sessions over link-local addresses, router ids that are nobody's address",
        routers=(Attachment(UPLINKS), Attachment(UPLINKS)),
        peering="",
        own_router_ids=True,
    ),
    "netns": Topology(
        "FRR of tor-2 in a network namespace and path space of its own",
        routers=(Attachment(), Attachment(space="blue")),
    ),
    "multihop": Topology(
        "tor-2 has its sessions over tor-1, and resolves next hops over it",
        routers=(Attachment(), Attachment(ACCESS)),
        peering=ACCESS,
    ),
    "listen": Topology(
        "routers with bgp listen range only, and no other neighbour",
        routers=(Attachment(listen=True), Attachment(listen=True)),
        peering="",
    ),
}
DEFAULT = "ibgp"
