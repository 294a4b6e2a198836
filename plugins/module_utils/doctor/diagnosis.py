# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Judges the whole chain by what was read of the cluster, the agents and the routers. Pure functions."""

from __future__ import annotations

from typing import Any

from . import (
    advertisement,
    announcement,
    backends,
    forwarded,
    installed,
    node_selection,
    peers,
    pools,
    received,
    service,
    sessions,
)
from .findings import RIGHTS, Finding, diagnosis, note, passed, unknown
from .links import Facts, announcing, indexed, links


def strict(cluster: Facts) -> bool:
    """Whether the whole configuration is checked, instead of one Service or VIP."""
    return not (cluster["asked"]["service"] or cluster["asked"]["vip"])


def examine(read: dict[str, Any]) -> dict[str, Any]:
    """The diagnosis (see doctor/findings.py).

    read has these keys:
    cluster: the result of vip_info. None: it couldn't be read, and problem says why.
    agents: from cilium_bgp_info, by the names of nodes.
    routers: by name, each with neighbors and fib (from frr_bgp_info), policy (from frr_policy_info), and problem. What
    couldn't be read is None.
    answers: from port_info.
    targets: the names of the nodes that the user asked for.
    """
    cluster = read["cluster"]
    if cluster is None:
        return diagnosis([unknown(1, "cluster", read["problem"])], strict=False)
    return diagnosis(findings(cluster, read), strict=strict(cluster))


def findings(cluster: Facts, read: dict[str, Any]) -> list[Finding]:
    """All findings of all stages."""
    agents, whole = read["agents"], strict(cluster)
    routers = {name: indexed(router) for name, router in read["routers"].items()}
    services, found = _of_services(cluster)
    cluster = {**cluster, "services": services}
    linked = links(cluster, agents, routers)
    found += node_selection.selection(cluster, read["targets"])
    found += peers.peers(cluster, linked, routers)
    found += sessions.sessions(linked, agents)
    if not services and not whole:
        # Without a Service the later stages have nothing to check.
        return found
    found += advertisement.advertised(cluster, linked, agents, routers, strict=whole)
    wanted = announcement.expected(services, linked, cluster["advertisements"] or [])
    found += received.received(wanted, routers)
    if whole:
        found += received.pools_accepted(linked, routers, cluster["pools"])
    found += installed.installed(wanted, routers)
    found += forwarded.forwarded(wanted, routers)
    if not services:
        found += [
            passed(stage, "Services", "there is no Service whose routes could be checked") for stage in (8, 9, 10)
        ]
    return found + forwarded.answered(read["answers"])


def _of_services(cluster: Facts) -> tuple[list[Facts], list[Finding]]:
    """(the Services to follow, what is found of stages 1 to 3)."""
    services, unread, whole = cluster["services"], cluster["unread"], strict(cluster)
    if services is None:
        return [], [unknown(1, "Services", f"they can't be read: {unread['services']}", RIGHTS)]
    found: list[Finding] = []
    if whole:
        # Something else announces these, for instance L2 announcements. Users can still ask for one by name or address.
        others = [each for each in services if service.is_of_others(each)]
        services = [each for each in services if not service.is_of_others(each)]
        for each in others:
            found.append(note(1, service.title(each), f"left out: its loadBalancerClass is {each['class']}"))
    found += service.existence(services, cluster["asked"])
    if services or whole:
        found += pools.pools(services, cluster["pools"], unread.get("pools", ""))
        found += backends.backends(services, _announcing(cluster))
    return services, found


def _announcing(cluster: Facts) -> set[str] | None:
    """The names of the nodes that should announce. None: that couldn't be read."""
    if cluster["unread"].get("node_configs") or cluster["unread"].get("configs"):
        return None
    return {node["name"] for node in announcing(cluster)}
