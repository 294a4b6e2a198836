# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Every session that a node should have, and what both sides know of it. Pure functions."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from ..base.net import family, same_address, spelled
from ..cilium.legacy_policy import KIND as LEGACY
from ..cilium.legacy_policy import agreed
from ..cilium.selection import Config

Facts = dict[str, Any]


@dataclass(frozen=True)
class OtherSide:
    """What a router has of a node: its instance and neighbour in the configuration, and its session."""

    instance: Facts | None = None
    neighbor: Facts | None = None
    live: Facts | None = None


@dataclass(frozen=True, eq=False)
class Link:
    """A peer of a node. None: there is none, or it isn't known.

    session: what Cilium says of the session. router: the name of the router that has the peer's address. instance,
    neighbor: the node in that router's configuration. live: what the router says of the session.
    """

    node: Facts
    peer: Facts
    peer_config: Facts | None
    session: Facts | None
    router: str | None
    instance: Facts | None
    neighbor: Facts | None
    live: Facts | None

    @property
    def title(self) -> str:
        """Its name in findings."""
        return f"{self.node['name']} and {self.router or self.peer['name']} ({self.address or 'address unknown'})"

    @property
    def address(self) -> str | None:
        """The peer's address. If Cilium discovers it, the address that Cilium found."""
        return self.peer["address"] or (self.session or {}).get("address")

    @property
    def config_kind(self) -> str:
        """The kind of object that has its AS numbers and addresses."""
        return LEGACY if (self.peer_config or {}).get("legacy") else "ClusterConfig"

    @property
    def peer_config_kind(self) -> str:
        """The kind of object that has its port, password and families."""
        return LEGACY if (self.peer_config or {}).get("legacy") else "PeerConfig"

    @property
    def established(self) -> bool | None:
        """Whether the session is up: True if a side says so and none says no. None if neither knows."""
        words = {(self.session or {}).get("established"), (self.live or {}).get("established")}
        return None if words == {None} else False not in words


def configs(cluster: Facts) -> list[Config]:
    """The objects that select nodes."""
    return [
        Config(each["kind"], each["name"], each["selector"], tuple(each["conditions"])) for each in cluster["configs"]
    ]


def selecting(cluster: Facts, node: Facts) -> list[Config]:
    """The objects that select a node. The operator goes by the labels of its CiliumNode."""
    seen = node["labels"] if node["cilium_labels"] is None else node["cilium_labels"]
    return [config for config in configs(cluster) if config.selects(seen)]


def announcing(cluster: Facts) -> list[Facts]:
    """The nodes that should announce: selected, with a NodeConfig."""
    return [node for node in cluster["nodes"] if node["node_config"] and selecting(cluster, node)]


def links(cluster: Facts, agents: dict[str, Facts], routers: dict[str, Facts]) -> list[Link]:
    """Every session that the selected nodes should have."""
    known = {each["name"]: each for each in cluster["peer_configs"] or []}
    found = []
    for node in announcing(cluster):
        sessions = (agents.get(node["name"]) or {}).get("sessions") or []
        for peer in node["node_config"]["peers"]:
            session = _session_of(peer, sessions)
            address = peer["address"] or (session or {}).get("address")
            router = router_of(routers, address)
            other = _other_side(routers.get(router or ""), node, address)
            config = agreed(known.get(peer["peer_config"] or ""), other.neighbor, address)
            found.append(Link(node, peer, config, session, router, other.instance, other.neighbor, other.live))
    return found


def _session_of(peer: Facts, sessions: list[Facts]) -> Facts | None:
    """The session with a peer among those that Cilium knows. None: there is none."""
    return next((each for each in sessions if _is_with(peer, each)), None)


def _is_with(peer: Facts, session: Facts) -> bool:
    """Whether a session is with a peer: by its names, or by its address if the agent doesn't know the names."""
    if session["peer"] is not None and session["instance"] is not None:
        return (session["instance"], session["peer"]) == (peer["instance"], peer["name"])
    return same_address(session["address"], peer["address"])


def router_of(routers: dict[str, Facts], address: str | None) -> str | None:
    """The name of the router that has an address. None: no router that was asked has it."""
    for name, router in routers.items():
        own = (router["policy"] or {}).get("addresses") or []
        if any(same_address(each["address"], address) for each in own):
            return name
    return None


def _other_side(router: Facts | None, node: Facts, address: str | None) -> OtherSide:
    """What a router has of a node. address: the router's address in their session."""
    if router is None or address is None:
        return OtherSide()
    kind = family(address)
    own = [each for each in node["addresses"] if family(each) == kind]
    instance, neighbor = _configured(router, own)
    live = _live(router, own)
    if live is None and kind == "ipv6":
        live = _by_identifier(router, node)
    return OtherSide(instance, neighbor, live)


def _is_one_of(address: str | None, own: list[str]) -> bool:
    return any(same_address(address, each) for each in own)


def _live(router: Facts, own: list[str]) -> Facts | None:
    """The session that a router has with one of these addresses."""
    return next((each for each in router["neighbors"] or [] if _is_one_of(each["address"], own)), None)


def _by_identifier(router: Facts, node: Facts) -> Facts | None:
    """The session of a node by its BGP identifier. An unnumbered session has only a link-local address."""
    return next((each for each in router["neighbors"] or [] if each.get("router_id") in node["addresses"]), None)


def _configured(router: Facts, own: list[str]) -> tuple[Facts | None, Facts | None]:
    """(instance, neighbour or listen range) of a router's configuration for one of these addresses."""
    instances = ((router["policy"] or {}).get("configuration") or {}).get("instances") or []
    for instance in instances:
        for neighbor in instance["neighbors"]:
            if _is_one_of(neighbor["address"], own):
                return instance, neighbor
    for instance in instances:
        for dynamic in instance["ranges"]:
            network = ipaddress.ip_network(dynamic["prefix"], strict=False)
            if any(ipaddress.ip_address(each) in network for each in own):
                return instance, dynamic
    return None, None


def indexed(router: Facts) -> Facts:
    """A router with its paths by prefix and sender. They are looked up for every Service and node."""
    paths: dict[str, dict[str, list[Facts]]] = {}
    for path in (router["policy"] or {}).get("paths") or []:
        paths.setdefault(path["prefix"], {}).setdefault(spelled(str(path["from"])), []).append(path)
    return {**router, "paths": paths}


def from_node(router: Facts, prefix: str, link: Link) -> list[Facts]:
    """A router's paths to a prefix that came over this session, with any next hop."""
    senders = router["paths"].get(prefix, {})
    own = [*link.node["addresses"], *([link.live["address"]] if link.live else [])]
    return [path for sender in dict.fromkeys(map(spelled, own)) for path in senders.get(sender, [])]


def unasked(routers: dict[str, Facts]) -> list[str]:
    """The routers whose addresses aren't known."""
    return [name for name, router in routers.items() if router["policy"] is None]
