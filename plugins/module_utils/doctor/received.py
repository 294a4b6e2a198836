# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether routers receive and accept what is announced. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ..base import net
from . import route_policy
from .announcement import Expected, families
from .findings import Finding, defect, failed, passed, unknown
from .links import Facts, Link, from_node
from .pools import first_address


def received(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 8: whether each router has each prefix from each node that should announce it."""
    found = away(8, routers)
    for each in wanted:
        router = routers.get(each.link.router or "")
        if router is None:
            found.append(
                unknown(8, each.prefix, f"no router that answered is the peer {each.link.peer['name']}", "see stage 5")
            )
        elif router["policy"] is not None:
            found.append(_received(each, router))
    for name, router in routers.items():
        found += _undefined(name, router)
    return found


def away(stage: int, routers: dict[str, Facts]) -> list[Finding]:
    """The findings for routers that couldn't be asked."""
    if not routers:
        return [
            unknown(
                stage,
                "routers",
                "the inventory has none in its group routers",
                "add the routers to this group (see docs/getting-started.md)",
            )
        ]
    return [
        unknown(
            stage,
            f"router {name}",
            router["problem"],
            "check SSH and the rights on the router (see docs/getting-started.md)",
        )
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
        return failed(8, who, "the router has no path from the node: the session isn't up", "see stage 6")
    verdict = _verdict(router, each.link, each.prefix)
    if verdict is None:
        return failed(8, who, "the router has no path from the node, and its policy isn't known", "see stages 5 and 7")
    if verdict.accepted is False:
        return failed(8, who, f"the router refuses it: {verdict.why}", verdict.remedy)
    if verdict.accepted is None:
        return failed(
            8,
            who,
            f"the router has no path from the node; {verdict.why}",
            "check 'show bgp ... neighbors ... received-routes' on the router (needs soft-reconfiguration inbound)",
        )
    return failed(
        8,
        who,
        f"the router has no path from the node, though its policy would accept it ({verdict.why})",
        "it hasn't arrived: see stages 6 and 7",
    )


def _verdict(router: Facts, link: Link, prefix: str) -> route_policy.Verdict | None:
    """What a router's configuration says of a prefix from a node. None: it isn't known."""
    config = (router["policy"] or {}).get("configuration")
    if config is None or link.neighbor is None or link.instance is None:
        return None
    return route_policy.accepts(config, link.instance, link.neighbor, prefix)


def _undefined(name: str, router: Facts) -> Iterable[Finding]:
    """What a router's policy names but doesn't define."""
    config = (router["policy"] or {}).get("configuration")
    for where, what in route_policy.undefined(config) if config else ():
        yield defect(
            8,
            f"router {name}",
            f"{where} names {what}, which isn't defined, and FRR takes that as 'no match'",
            f"define {what}, or correct the name",
        )


def pools_accepted(linked: list[Link], routers: dict[str, Facts], pools: list[Facts] | None) -> list[Finding]:
    """Stage 8 without a Service: whether routers would accept the first address of each block of each pool."""
    found = away(8, routers)
    for link in linked:
        router = routers.get(link.router or "")
        if router is None or router["policy"] is None:
            continue
        for pool in pools or []:
            for block in pool["blocks"]:
                prefix = net.prefix(first_address(block))
                if link.peer_config is not None and families(link.peer_config, net.family(prefix)):
                    found.append(_would_accept(router, link, pool["name"], prefix))
    return found


def _would_accept(router: Facts, link: Link, pool: str, prefix: str) -> Finding:
    who = f"pool {pool} on {link.router}"
    verdict = _verdict(router, link, prefix)
    if verdict is None:
        return unknown(
            8, who, f"it isn't known what the router does with {prefix} from {link.node['name']}", "see stage 5"
        )
    if verdict.accepted is None:
        return unknown(8, who, verdict.why, "name a Service of that pool with -e service=namespace/name")
    if verdict.accepted:
        return passed(8, who, f"{prefix} would be accepted ({verdict.why})")
    return failed(8, who, f"{prefix} would be refused: {verdict.why}", verdict.remedy)
