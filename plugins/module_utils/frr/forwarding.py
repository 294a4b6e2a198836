# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a router forwards to a node, by the word of its kernel and of zebra, and where the two don't agree.

The kernel has the next hop of a packet, which is a gateway if the node isn't on a link of the router. Zebra has the
next hop that BGP named, and what it resolved it to. If the kernel doesn't show what zebra has installed, the kernel
that was asked isn't the one that FRR uses, and its word proves nothing. Pure functions.
"""

from __future__ import annotations

from typing import Any, Dict, List

from ..base.net import family
from .questions import pairs

Entries = List[Dict[str, Any]]
# Zebra can give the kernel this one in place of a link-local IPv6 next hop of an IPv4 prefix.
STAND_IN = "169.254.0.1"


def forwarded(entries: Entries, addresses: set[str]) -> Entries:
    """Of the routes found in the kernel those that forward to one of the addresses, one entry for each next hop."""
    return [
        {**{key: entry[key] for key in ("vrf", "family", "prefix", "matched")}, "next_hop": hop, "via": []}
        for entry in entries
        for hop in entry["next_hops"]
        if hop in addresses
    ]


def judged(wanted: dict[str, list[str]], kernel: Entries, zebra: Entries, own: set[str]) -> dict[str, Entries]:
    """{fib, uninstalled, differences} of a view, see route_rules. kernel: of Fib.routes(). zebra: of questions."""
    found: dict[str, Entries] = {"fib": [], "uninstalled": [], "differences": []}
    by_zebra = {(entry["vrf"], entry["prefix"]): entry for entry in zebra}
    for pair in pairs(wanted):
        routes = [entry for entry in kernel if (entry["vrf"], entry["prefix"]) == pair]
        one = _Prefix(pair, routes, by_zebra.get(pair), own)
        found["fib"] += one.fib()
        found["uninstalled"] += one.uninstalled()
        found["differences"] += one.differences()
    return found


class _Prefix:
    """What is known of one prefix in one VRF."""

    def __init__(self, pair: tuple[str, str], routes: Entries, zebra: dict[str, Any] | None, own: set[str]) -> None:
        self.head = {"vrf": pair[0], "family": family(pair[1]), "prefix": pair[1]}
        self.routes = routes
        self.exact = [entry for entry in routes if entry["matched"] == pair[1]]
        self.table = zebra["table"] if zebra else None
        # Of each next hop that zebra has installed: its address, and what it is to the kernel.
        self.hops: Entries = zebra["hops"] if zebra else []
        self.own = own

    def _of_node(self) -> Entries:
        return [hop for hop in self.hops if hop["next_hop"] in self.own]

    def fib(self) -> Entries:
        """What is forwarded to the node. via: the kernel's next hops, if these aren't the node."""
        found = forwarded(self.routes, self.own)
        direct = {entry["next_hop"] for entry in found if entry["matched"] == self.head["prefix"]}
        for hop in self._of_node():
            if hop["next_hop"] not in direct and self._shown(hop):
                more = {"matched": self.head["prefix"], "next_hop": hop["next_hop"], "via": self._real(hop)}
                found.append({**self.head, **more})
        return found

    def uninstalled(self) -> Entries:
        """What zebra has installed over the node, and the kernel doesn't show."""
        return [
            {**self.head, "next_hop": hop["next_hop"], "zebra": _by_zebra(hop), "kernel": self._by_kernel()}
            for hop in self._of_node()
            if not self._shown(hop)
        ]

    def differences(self) -> Entries:
        """Each point in which kernel and zebra don't agree on the prefix. where: who has that next hop."""
        found = [{**entry, "where": "zebra"} for entry in self.uninstalled()]
        missing = [hop for hop in self.hops if hop["kernel"] and not self._shown(hop)]
        if not found and missing and not self.exact:
            hop = missing[0]
            words = {"next_hop": hop["next_hop"], "zebra": _by_zebra(hop), "kernel": self._by_kernel()}
            found.append({**self.head, **words, "where": "zebra"})
        for address in self._unexplained():
            words = {"next_hop": address, "zebra": self._by_zebra(), "kernel": self._by_kernel()}
            found.append({**self.head, **words, "where": "kernel"})
        return found

    def _unexplained(self) -> list[str]:
        """The next hops of the kernel's own route to the prefix that aren't the node's, and that zebra doesn't have."""
        known: set[str] = set()
        for hop in self.hops:
            known.update(hop["kernel"])
        if self.head["family"] == "ipv4" and any(family(hop) == "ipv6" for hop in known):
            known.add(STAND_IN)
        every = [hop for entry in self.exact for hop in entry["next_hops"] if hop not in known | self.own]
        return list(dict.fromkeys(every))

    def _real(self, hop: dict[str, Any]) -> list[str]:
        """What the kernel has for a next hop. Where zebra doesn't say it of a recursive one, all that it installed."""
        if hop["kernel"] or not hop["recursive"]:
            return list(hop["kernel"])
        return [real for each in self.hops for real in each["kernel"]]

    def _shown(self, hop: dict[str, Any]) -> bool:
        """Whether the kernel has a route to the prefix over what that next hop is to it."""
        return any(self._in_its_table(entry) and self._has(entry, hop) for entry in self.exact)

    def _in_its_table(self, entry: dict[str, Any]) -> bool:
        """Whether a route of the kernel can be in the table that zebra installs in. An unknown table says nothing."""
        return None in (entry.get("table"), self.table) or entry["table"] == self.table

    def _has(self, entry: dict[str, Any], hop: dict[str, Any]) -> bool:
        shown = set(entry["next_hops"])
        stands_in = self.head["family"] == "ipv4" and STAND_IN in shown
        return all(real in shown or (stands_in and family(real) == "ipv6") for real in self._real(hop))

    def _by_zebra(self) -> str:
        return "; ".join(_by_zebra(hop) for hop in self.hops) or "no installed route"

    def _by_kernel(self) -> str:
        said = []
        for entry in self.routes:
            over = f" over {', '.join(entry['next_hops'])}" if entry["next_hops"] else ""
            table = entry.get("table")
            where = f" in table {table}" if table not in (None, self.table) else ""
            said.append(f"{entry['matched']}{over}{where}")
        return "; ".join(dict.fromkeys(said)) or "no route"


def _by_zebra(hop: dict[str, Any]) -> str:
    resolved = f", resolved to {', '.join(hop['kernel'])}" if hop["recursive"] and hop["kernel"] else ""
    return f"installed over {hop['next_hop']}{resolved}"
