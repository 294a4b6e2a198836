# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether routers install what they receive, and how FRR is started on them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from ..base.net import family
from .announcement import Expected
from .findings import Finding, defect, failed, note, passed
from .links import Facts
from .received import away


def installed(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 9: whether each router's zebra has installed each prefix, by the next hops that BGP uses."""
    found = away(9, routers)
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
    paths = list(chain.from_iterable(router["paths"].get(prefix, {}).values()))
    if not paths:
        return failed(9, who, "the router has no path to it", "see stage 8")
    usable = [path for path in paths if path["valid"]]
    if not usable:
        return _none_valid(who, paths)
    routes = [each for each in router["policy"]["rib"] if each["prefix"] == prefix]
    if any(each["protocol"] == "bgp" and each["installed"] for each in routes):
        return passed(9, who, f"installed, with {len(usable)} valid paths")
    return _not_installed(who, prefix, len(usable), routes)


def _none_valid(who: str, paths: list[Facts]) -> Finding:
    """Paths none of which BGP can use."""
    hops: set[str] = set()
    for path in paths:
        hops.update(path["next_hops"])
    return failed(
        9,
        who,
        f"BGP has {len(paths)} paths, but none is valid: the next hop {', '.join(sorted(hops))} can't be reached from "
        f"the router",
        "check 'show bgp nexthop' and 'show ip route NEXTHOP' on the router, and whether FRR started before its "
        "interfaces",
    )


def _not_installed(who: str, prefix: str, usable: int, routes: list[Facts]) -> Finding:
    """Why zebra hasn't installed BGP's route. usable: how many paths are valid. routes: of all protocols."""
    for each in routes:
        if each["selected"] and each["protocol"] != "bgp":
            return failed(
                9,
                who,
                f"zebra uses another route to it, of protocol {each['protocol']}, so BGP's route isn't installed",
                f"remove that route, or give it a larger distance than BGP's (see 'show ip route {prefix}')",
            )
    if not any(each["protocol"] == "bgp" for each in routes):
        return failed(
            9,
            who,
            f"BGP has {usable} valid paths, but zebra doesn't know the route",
            "check 'show zebra client' and bgpd's log, and send the routes again with 'clear bgp * soft in'",
        )
    return failed(
        9,
        who,
        "zebra has the route, but didn't install it (RIB failure)",
        "check zebra's log and 'show ip route': inactive means no route to the next hop, rejected means that the "
        "kernel refused it",
    )


def _system(name: str, policy: Facts, *, broken: bool, prefixes: list[str]) -> Iterable[Finding]:
    """How FRR is started on a router."""
    who = f"router {name}"
    unit = policy.get("unit") or {"after": [], "before": []}
    after, before = "network-online.target" in unit["after"], "network.target" in unit["before"]
    remedy = (
        "run 'systemctl edit --full frr': set After=network-online.target and Wants=network-online.target, and no "
        "Before=network.target"
    )
    if after and before:
        said = (
            "frr.service has After=network-online.target and Before=network.target: they exclude each other, because "
            "network-online.target comes after network.target, so FRR may start before the network, or not at all"
        )
        yield failed(9, who, said, remedy) if broken else defect(9, who, said, remedy)
    elif before and broken:
        yield note(9, who, "frr.service starts before the network (Before=network.target), which often causes this")
    if policy.get("v6_rr_semantics") is False and any(family(prefix) == "ipv6" for prefix in prefixes):
        yield note(
            9,
            who,
            "zebra runs without --v6-rr-semantics: to change an IPv6 route, it removes and adds it, so packets are "
            "lost for a moment when a node announces or withdraws",
            "add --v6-rr-semantics to zebra_options in /etc/frr/daemons, and restart FRR in a maintenance",
        )
