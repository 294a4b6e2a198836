# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The last part of the chain: what routers receive, install and forward, and why they don't. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ..base.net import family
from . import route_policy
from .announcement import Expected
from .findings import Finding, defect, failed, note, passed, unknown
from .links import Facts, Link, from_node
from .pools import first_address


def received(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 8: whether each router has each prefix from each node that should announce it."""
    found = _away(8, routers)
    for each in wanted:
        router = routers.get(each.link.router or "")
        if router is None:
            found.append(unknown(8, each.prefix, f"peer {each.link.peer['name']} is no router that could be asked"))
        elif router["policy"] is not None:
            found.append(_received(each, router))
    return found + [finding for name, router in routers.items() for finding in _undefined(name, router)]


def _away(stage: int, routers: dict[str, Facts]) -> list[Finding]:
    """What isn't known because a router couldn't be asked."""
    if not routers:
        return [
            unknown(stage, "routers", "the inventory has none in its group routers", "add them, see docs/doctor.md")
        ]
    return [
        unknown(stage, f"router {name}", router["problem"], "see docs/getting-started.md for the rights on routers")
        for name, router in routers.items()
        if router["neighbors"] is None or router["policy"] is None
    ]


def _received(each: Expected, router: Facts) -> Finding:
    who = f"{each.prefix} from {each.link.node['name']} on {each.link.router}"
    direct = from_node(router, each.prefix, each.link)
    if direct:
        stale = ", stale: kept by graceful restart only" if all(path["stale"] for path in direct) else ""
        return passed(8, who, f"received and accepted{stale}")
    if each.link.established is False:
        return failed(8, who, "it has no path from that node: the session isn't up", "see stage 6")
    verdict = _verdict(router, each.link, each.prefix)
    if verdict is None:
        return failed(8, who, "it has no path from that node, and its policy isn't known", "see stages 5 and 7")
    if verdict.accepted is False:
        return failed(8, who, f"it refuses it: {verdict.why}", verdict.remedy)
    if verdict.accepted is None:
        return failed(
            8,
            who,
            f"it has no path from that node; {verdict.why}",
            "see 'show bgp ... neighbors ... received-routes' on the router (with soft-reconfiguration inbound)",
        )
    return failed(
        8,
        who,
        f"it has no path from that node, though its policy would accept it ({verdict.why})",
        "it hasn't arrived: see stages 6 and 7",
    )


def _verdict(router: Facts, link: Link, prefix: str) -> route_policy.Verdict | None:
    """What a router's configuration says of a prefix from a node, None where that isn't known."""
    config = (router["policy"] or {}).get("configuration")
    if config is None or link.neighbor is None or link.instance is None:
        return None
    return route_policy.accepts(config, link.instance, link.neighbor, prefix)


def _undefined(name: str, router: Facts) -> Iterable[Finding]:
    """What is named in a router's policy and isn't defined."""
    config = (router["policy"] or {}).get("configuration")
    for where, what in route_policy.undefined(config) if config else ():
        yield defect(
            8,
            f"router {name}",
            f"{where} names {what}, which isn't defined, and FRR takes that as 'no match'",
            f"define {what}, or correct the name",
        )


def pools_accepted(linked: list[Link], routers: dict[str, Facts], pools: list[Facts] | None) -> list[Finding]:
    """Stage 8 without a Service: whether routers would take the first address of each block of each pool."""
    found = _away(8, routers)
    for link in linked:
        router = routers.get(link.router or "")
        if router is None or router["policy"] is None:
            continue
        for pool in pools or []:
            for block in pool["blocks"]:
                prefix = str(ipaddress.ip_network(first_address(block)))
                if link.peer_config is None or not _carries(link.peer_config, prefix):
                    continue
                found.append(_would_accept(router, link, pool["name"], prefix))
    return found


def _carries(config: Facts, prefix: str) -> bool:
    return any((each["afi"], each["safi"]) == (family(prefix), "unicast") for each in config["families"])


def _would_accept(router: Facts, link: Link, pool: str, prefix: str) -> Finding:
    who = f"pool {pool} on {link.router}"
    verdict = _verdict(router, link, prefix)
    if verdict is None:
        return unknown(8, who, f"what it does with {prefix} from {link.node['name']} isn't known", "see stage 5")
    if verdict.accepted is None:
        return unknown(8, who, verdict.why, "give a Service of that pool: -e service=namespace/name")
    if verdict.accepted:
        return passed(8, who, f"{prefix} would be accepted ({verdict.why})")
    return failed(8, who, f"{prefix} would be refused: {verdict.why}", verdict.remedy)


# Installed


def installed(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 9: whether each router's zebra has installed each prefix, by the next hops that BGP uses."""
    found = _away(9, routers)
    for name, router in routers.items():
        if router["neighbors"] is None or router["policy"] is None:
            continue
        mine = [each for each in wanted if each.link.router == name]
        broken = False
        for prefix in dict.fromkeys(each.prefix for each in mine):
            result = _installed(name, router, prefix)
            broken = broken or result.level == "fail"
            found.append(result)
        found += _system(name, router["policy"], broken=broken, prefixes=[each.prefix for each in mine])
    return found


def _installed(name: str, router: Facts, prefix: str) -> Finding:
    who = f"{prefix} on {name}"
    paths = [path for sent in router["paths"].get(prefix, {}).values() for path in sent]
    if not paths:
        return failed(9, who, "there is no path that could be installed", "see stage 8")
    usable = [path for path in paths if path["valid"]]
    if not usable:
        hops = ", ".join(sorted({hop for path in paths for hop in path["next_hops"]}))
        return failed(
            9,
            who,
            f"BGP has {len(paths)} paths and none is valid: the next hop {hops} can't be reached from the router",
            "see 'show bgp nexthop' and 'show ip route NEXTHOP' on it; did frr start before its interfaces were up?",
        )
    entries = [each for each in router["policy"]["rib"] if each["prefix"] == prefix]
    of_bgp = [each for each in entries if each["protocol"] == "bgp"]
    if any(each["installed"] for each in of_bgp):
        return passed(9, who, f"{len(usable)} paths, installed")
    winner = next((each for each in entries if each["selected"] and each["protocol"] != "bgp"), None)
    if winner:
        return failed(
            9,
            who,
            f"zebra uses another route to it, of protocol {winner['protocol']}, so BGP's isn't installed",
            f"remove that route, or give it a larger distance than BGP's (see 'show ip route {prefix}')",
        )
    if not of_bgp:
        return failed(
            9,
            who,
            f"BGP has {len(usable)} valid paths, and zebra doesn't know the route",
            "see 'show zebra client' and the log of bgpd; 'clear bgp * soft in' sends the routes again",
        )
    return failed(
        9,
        who,
        "zebra has the route and didn't install it (RIB failure)",
        "see 'show ip route' (inactive: no way to the next hop; rejected: the kernel refused it) and zebra's log",
    )


def _system(name: str, policy: Facts, *, broken: bool, prefixes: list[str]) -> Iterable[Finding]:
    """How FRR is started on a router."""
    who = f"router {name}"
    unit = policy.get("unit") or {"after": [], "before": []}
    after, before = "network-online.target" in unit["after"], "network.target" in unit["before"]
    remedy = (
        "systemctl edit frr: After=network-online.target and Wants=network-online.target, and no Before=network.target"
    )
    if after and before:
        said = (
            "frr.service has After=network-online.target beside Before=network.target: network-online.target comes "
            "after network.target, so systemd breaks that circle and frr may start before the network, or not at all"
        )
        yield failed(9, who, said, remedy) if broken else defect(9, who, said, remedy)
    elif before and broken:
        yield note(9, who, "frr.service starts before the network (Before=network.target), a usual cause of this")
    if policy.get("v6_rr_semantics") is False and any(family(prefix) == "ipv6" for prefix in prefixes):
        yield note(
            9,
            who,
            "zebra runs without --v6-rr-semantics: it changes an IPv6 route by removing and adding it, so packets are "
            "lost for an instant whenever a node comes or goes",
            "add --v6-rr-semantics to zebra_options in /etc/frr/daemons, and restart FRR in a maintenance",
        )


def forwarded(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 10: whether each router's kernel forwards each prefix to a node."""
    found = _away(10, routers)
    for name, router in routers.items():
        if router["fib"] is None or router["policy"] is None:
            continue
        for prefix in dict.fromkeys(each.prefix for each in wanted if each.link.router == name):
            hops = [entry["next_hop"] for entry in router["fib"] if entry["prefix"] == prefix]
            who = f"{prefix} on {name}"
            if hops:
                found.append(passed(10, who, f"forwarded to {', '.join(sorted(set(map(str, hops))))}"))
            else:
                found.append(
                    failed(
                        10,
                        who,
                        "the kernel forwards it to no node",
                        f"see 'ip route get {prefix.split('/')[0]}' on the router: another table, rule or route wins",
                    )
                )
    return found


def answered(answers: list[dict[str, Any]]) -> list[Finding]:
    """Stage 11: whether VIPs answer where they were tried; nothing where nobody asked for it."""
    return [_answered(each) for each in answers]


def _answered(each: Facts) -> Finding:
    who = f"{each['address']} port {each['port']}/{each['protocol']} from {each['tried_from']}"
    if each["answers"] is None:
        return unknown(
            11, who, each["reason"], "a UDP service that answers nothing can't be told from one that is away"
        )
    if each["answers"]:
        return passed(11, who, each["reason"])
    return failed(
        11,
        who,
        each["reason"],
        "see stage 3 (backends), network policies, and loadBalancerSourceRanges of the Service; check_port must be one "
        "of its ports",
    )
