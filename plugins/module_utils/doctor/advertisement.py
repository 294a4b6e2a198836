# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether each VIP is announced, by configuration and in the agents' own tables. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.net import family, same_address
from .announcement import (
    UNSELECTED,
    Expected,
    Match,
    expected,
    families,
    in_words,
    local_nodes,
    match,
    selected,
    selector_in_words,
)
from .findings import RIGHTS, Finding, defect, failed, note, passed, unknown
from .links import Facts, Link, from_node
from .service import title, vips


def advertised(
    cluster: Facts, linked: list[Link], agents: dict[str, Facts], routers: dict[str, Facts], *, strict: bool
) -> list[Finding]:
    """Stage 7: whether each VIP is announced, by configuration and in the agents' own tables.

    strict: what is wrong in the configuration of other Services and families is found too.
    """
    services, advertisements = cluster["services"], cluster["advertisements"]
    for kind in ("advertisements", "peer_configs"):
        if cluster["unread"].get(kind):
            return [unknown(7, kind, f"they can't be read: {cluster['unread'][kind]}", RIGHTS)]
    found: list[Finding] = []
    if strict:
        found += _configured(linked, advertisements)
    for service in services:
        for vip in vips(service):
            found += _vip(service, vip, linked, advertisements)
    for each in expected(services, linked, advertisements):
        found.append(_agent(each, agents, routers))
    if not services and not found:
        found.append(
            passed(7, "PeerConfigs", "each family selects an Advertisement, and each Advertisement has a selector")
        )
    return found


def _configured(linked: list[Link], advertisements: list[Facts]) -> Iterable[Finding]:
    """What is wrong for every Service: families and Advertisements that select nothing."""
    configs = {link.peer_config["name"]: link.peer_config for link in linked if link.peer_config}
    for config in configs.values():
        if not config["families"]:
            said = "it has no families, so it announces nothing"
            yield defect(7, config["title"], said, "set spec.families")
        for of_family in config["families"]:
            yield from _family(config["title"], of_family, advertisements)
    for each in advertisements:
        if any(entry["type"] == "Service" and entry["selector"] is None for entry in each["advertisements"]):
            yield defect(
                7,
                f"CiliumBGPAdvertisement {each['name']}",
                "its Service entry has no selector, so it announces no Service",
                "add a selector",
            )


def _family(who: str, of_family: Facts, advertisements: list[Facts]) -> Iterable[Finding]:
    """A family of a PeerConfig that selects nothing."""
    name, selector = f"family {of_family['afi']}/{of_family['safi']}", of_family["selector"]
    if selector is None:
        yield defect(
            7,
            who,
            f"{name} selects no advertisements",
            "set its advertisements.matchLabels to the labels of a CiliumBGPAdvertisement",
        )
    elif not selected(advertisements, [selector]):
        yield defect(
            7,
            who,
            f"{name} selects advertisements by {selector_in_words(selector)}, but no CiliumBGPAdvertisement "
            f"has such labels; there are: {in_words(advertisements)}",
            UNSELECTED,
        )


def _vip(service: Facts, vip: Facts, linked: list[Link], advertisements: list[Facts]) -> Iterable[Finding]:
    """Whether the configuration announces a VIP to at least one peer of each node, and why not to the others."""
    who = f"{title(service)}, {vip['address']}"
    judged = _judged(service, vip, linked, advertisements)
    if not judged:
        yield unknown(
            7, who, "no node that should announce it has a peer whose PeerConfig is known", "see stages 4 and 5"
        )
    prefixes, nodes = set(), set()
    for link, each in judged:
        if each.prefix:
            prefixes.add(each.prefix)
            nodes.add(link.node["name"])
    if prefixes:
        yield passed(7, who, f"by configuration, {len(nodes)} nodes announce {', '.join(sorted(prefixes))}")
    # Each reason once, in order.
    bad: dict[Match, None] = {}
    harmless: dict[Match, None] = {}
    for link, each in judged:
        if not each.prefix:
            mistaken = each.dangling or link.node["name"] not in nodes
            (bad if mistaken else harmless)[each] = None
    for each in bad:
        yield failed(7, who, each.reason, each.remedy)
    for each in harmless:
        if each not in bad:
            yield note(7, who, each.reason)


def _judged(service: Facts, vip: Facts, linked: list[Link], advertisements: list[Facts]) -> list[tuple[Link, Match]]:
    """Whether a VIP is announced over each session that should carry it, as far as its PeerConfig is known."""
    nodes = local_nodes(service)
    own = [link for link in linked if nodes is None or link.node["name"] in nodes]
    return [
        (link, match(service, vip, link.peer_config, advertisements))
        for link in _carrying(own, family(vip["address"]))
        if link.peer_config is not None
    ]


def _carrying(linked: list[Link], kind: str) -> list[Link]:
    """The sessions that carry a family. Of a node on which none does, all its sessions.

    A node may announce IPv4 over one session and IPv6 over another.
    """
    able = {link for link in linked if link.peer_config is None or families(link.peer_config, kind)}
    nodes = {link.node["name"] for link in able if link.peer_config}
    return [link for link in linked if link in able or link.node["name"] not in nodes]


def _agent(each: Expected, agents: dict[str, Facts], routers: dict[str, Facts]) -> Finding:
    """Whether the agent has a prefix, and says that it announces it to the peer."""
    node = each.link.node["name"]
    who = f"{each.prefix} from {node} to {each.link.router or each.link.peer['name']}"
    agent = agents.get(node) or {}
    routes: dict[str, list[Facts]] | None = agent.get("routes")
    if routes is None:
        return _without_routes(who, each, agent, routers)
    if not any(route["prefix"] == each.prefix for route in routes["available"]):
        return failed(
            7,
            who,
            "the agent doesn't have the route in its own table",
            "check the agent's log (subsys=bgp-control-plane) and the conditions of the CiliumBGPNodeConfig",
        )
    if not any(route["prefix"] == each.prefix and _to(route, each.link) for route in routes["advertised"]):
        return failed(
            7,
            who,
            "the agent has the route, but doesn't announce it to this peer",
            "see stage 6 for the session, and check the agent's route policies (module cilium_bgp_info)",
        )
    return passed(7, who, "the agent announces it")


def _without_routes(who: str, each: Expected, agent: Facts, routers: dict[str, Facts]) -> Finding:
    """What is known of a prefix if the agent couldn't be asked: the router may have it."""
    router = routers.get(each.link.router or "")
    if router and from_node(router, each.prefix, each.link):
        return passed(7, who, "the router has it, so it is announced")
    reason = agent.get("reason") or "it wasn't asked"
    return unknown(
        7,
        who,
        f"it isn't known whether the agent announces it: {reason}",
        "allow pods/exec in Cilium's namespace (see docs/doctor.md, Rights)",
    )


def _to(route: Facts, link: Link) -> bool:
    """Whether an advertised route goes to a peer. Newer agents give the peer's name, older ones its address."""
    return route["peer"] == link.peer["name"] or same_address(route["peer"], link.address)
