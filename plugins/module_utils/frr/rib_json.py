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


def installed(document: dict[str, Any], wanted: str) -> list[str]:
    """The next hops of installed routes to exactly that prefix ("show ipv6 route PREFIX json"). [] if there are none.

    Routes that aren't installed carry no traffic: another protocol was preferred, or the kernel refused the route.
    """
    hops: list[str] = []
    for entry in _entries(document, wanted):
        listed = entry.get("nexthops", [])
        if not isinstance(listed, list):
            raise strange(f"the route to {wanted}", entry)
        if not entry.get("installed"):
            continue
        for hop in listed:
            # BGP named the recursive next hop. FRR lists beside it the next hops to which it resolves.
            if (hop.get("fib") or hop.get("recursive")) and "ip" in hop:
                hops.append(address(hop["ip"]))
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
