# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Finds a node's link-local addresses, so that its sessions over them are found too.

A link-local address is the node's in two cases. Its BGP identifier is one of the node's addresses: Cilium takes the
identifier from the node's IPv4 address. Or it has the hardware address of one of the node's addresses, on one link.
"""

from __future__ import annotations

from typing import Any

from ..base.net import address, is_address
from ..base.words import excerpt
from .answers import UnknownError


def candidates(summary: dict[str, Any]) -> list[str]:
    """Names of the sessions in "show bgp summary json" that are up and may use link-local addresses."""
    names: list[str] = []
    for family in summary.values():
        peers = family.get("peers") if isinstance(family, dict) else None
        if not isinstance(peers, dict):
            raise UnknownError(f"FRR's answer to 'show bgp summary json' isn't understood: {excerpt(str(summary))}")
        for name, peer in peers.items():
            up = isinstance(peer, dict) and peer.get("state") == "Established"
            if up and name not in names and (not is_address(name) or is_link_local(name)):
                names.append(name)
    return names


def is_link_local(text: str) -> bool:
    """Whether a text is a link-local IPv6 address."""
    return is_address(text) and address(text).startswith("fe80:")


def link_local_of(document: dict[str, Any], addresses: set[str], same: set[str]) -> set[str]:
    """The link-local address of a session ("show bgp neighbors NAME json"). Empty if it isn't the node's.

    same: link-local addresses with the node's hardware address, see same_hardware().
    """
    found = [entry for entry in document.values() if isinstance(entry, dict)]
    with_address = [(entry, str(entry.get("bgpNeighborAddr") or entry.get("hostForeign"))) for entry in found]
    return {
        address(shown)
        for entry, shown in with_address
        if is_link_local(shown) and (entry.get("remoteRouterId") in addresses or address(shown) in same)
    }


def same_hardware(neighbours: list[dict[str, Any]], addresses: set[str]) -> set[str]:
    """Link-local addresses with the link and hardware address of one of the node's addresses ("ip -j neigh show")."""
    known = [entry for entry in neighbours if entry.get("lladdr") and is_address(str(entry.get("dst")))]
    own = {(entry.get("dev"), entry["lladdr"]) for entry in known if address(entry["dst"]) in addresses}
    return {
        address(entry["dst"])
        for entry in known
        if is_link_local(entry["dst"]) and (entry.get("dev"), entry["lladdr"]) in own
    }
