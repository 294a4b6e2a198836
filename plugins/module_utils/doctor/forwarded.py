# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether the kernels of routers forward to nodes, and whether VIPs answer. Pure functions."""

from __future__ import annotations

from .announcement import Expected
from .findings import Finding, failed, passed, unknown
from .links import Facts
from .received import away


def forwarded(wanted: list[Expected], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 10: whether each router's kernel forwards each prefix to a node."""
    found = away(10, routers)
    for name, router in routers.items():
        if router["fib"] is None or router["policy"] is None:
            continue
        for prefix in dict.fromkeys(each.prefix for each in wanted if each.link.router == name):
            found.append(_forwarded(name, router, prefix))
    return found


def _forwarded(name: str, router: Facts, prefix: str) -> Finding:
    who = f"{prefix} on {name}"
    forwarding = [entry for entry in router["fib"] if entry["prefix"] == prefix]
    if forwarding:
        return passed(10, who, f"forwarded to {', '.join(sorted({_way(entry) for entry in forwarding}))}")
    unseen = [entry for entry in router["uninstalled"] if entry["prefix"] == prefix]
    if unseen:
        return unknown(
            10,
            who,
            f"zebra says that it is {unseen[0]['zebra']}, and the kernel that was asked says {unseen[0]['kernel']}",
            "it isn't the kernel that FRR uses: set router_exec to the command that runs vtysh and ip where FRR is",
        )
    return failed(
        10,
        who,
        "the kernel forwards it to no node",
        f"run 'ip route get {prefix.split('/')[0]}' on the router: it shows which route is used instead",
    )


def _way(entry: Facts) -> str:
    """The node's address, and over which gateways the kernel sends to it, if it does."""
    via = ", ".join(entry.get("via") or [])
    return f"{entry['next_hop']} over {via}" if via else str(entry["next_hop"])


def answered(answers: list[Facts]) -> list[Finding]:
    """Stage 11: whether VIPs answer the hosts that tried them. Nothing if the user didn't ask for it."""
    return [_answered(each) for each in answers]


def _answered(each: Facts) -> Finding:
    who = f"{each['address']} port {each['port']}/{each['protocol']} from {each['tried_from']}"
    if each["answers"] is None:
        return unknown(11, who, each["reason"], "without an answer by UDP, test the Service with its own client")
    if each["answers"]:
        return passed(11, who, each["reason"])
    return failed(
        11,
        who,
        each["reason"],
        "see stage 3, check network policies and loadBalancerSourceRanges of the Service, and set check_port to one of "
        "its ports",
    )
