# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Parsers of zebra's JSON (FRR 8.4 to 10.x) about routes.

An answer that isn't understood is an error. It never counts as "no route".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base.net import address, prefix
from .answers import strange


def installed(document: dict[str, Any], wanted: str) -> tuple[list[dict[str, Any]], int | None]:
    """(the next hops by which zebra has installed that very prefix, the kernel's table); [] if it hasn't.

    A next hop is {next_hop, recursive, kernel}: the address that BGP or another protocol named (None for an interface),
    and the addresses that the kernel was given for it. Only selected and installed routes count: one that lost against
    another protocol, or that the kernel refused, isn't used. From "show ip route PREFIX json".
    """
    hops: list[dict[str, Any]] = []
    table: int | None = None
    for entry in _entries(document, wanted):
        listed = entry.get("nexthops", [])
        if not isinstance(listed, list) or not all(isinstance(hop, dict) for hop in listed):
            raise strange(f"the route to {wanted}", entry)
        if entry.get("installed"):
            hops += _installed_hops(listed)
            table = entry["table"] if isinstance(entry.get("table"), int) else table
    return hops, table


def _installed_hops(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next hops of an installed route. What a recursive one resolves to is listed after it."""
    hops: list[dict[str, Any]] = []
    for hop in listed:
        own = address(hop["ip"]) if "ip" in hop else None
        real = [own] if own and not hop.get("recursive") else []
        # The kernel is given a gateway once. If two next hops resolve to it, it is a duplicate at the second one.
        given = bool(hop.get("fib") or hop.get("duplicate"))
        if hop.get("resolver") and hops:
            hops[-1]["kernel"] += real if given else []
        elif given or hop.get("recursive"):
            hops.append({"next_hop": own, "recursive": bool(hop.get("recursive", False)), "kernel": real})
    return hops


def rib(document: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
    """Zebra's routes of all protocols to exactly that prefix ("show ip route PREFIX json"). [] if it has none.

    Each is {prefix, protocol, selected, installed, next_hops}.
    """
    routes = []
    for entry in _entries(document, wanted):
        if not isinstance(entry.get("protocol"), str):
            raise strange(f"the route to {wanted}", entry)
        hops = [address(hop["ip"]) for hop in entry.get("nexthops", []) if "ip" in hop]
        # FRR writes flags only when they are true.
        flags = {flag: bool(entry.get(flag, False)) for flag in ("selected", "installed")}
        routes.append({"prefix": wanted, "protocol": entry["protocol"], **flags, "next_hops": hops})
    return routes


def _entries(document: dict[str, Any], wanted: str) -> Iterator[dict[str, Any]]:
    """The routes in an answer about one prefix."""
    for shown, entries in document.items():
        if not isinstance(entries, list) or prefix(shown) != wanted:
            raise strange(f"the route to {wanted}", document)
        for entry in entries:
            if not isinstance(entry, dict):
                raise strange(f"the route to {wanted}", entry)
            yield entry
