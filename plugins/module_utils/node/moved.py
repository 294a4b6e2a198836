# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether a node has other addresses than at its claim. Pure functions.

Routers are configured for the old ones, and they are what the way back looks for.
"""

from __future__ import annotations

from typing import Any

from ..base import net
from ..cilium import objects
from ..kube import node_objects

REMEDY = (
    "routers and what Cilium's objects say may be for the old ones: give it its old addresses, or set label and cordon "
    "right by hand and remove its record"
)


def moved(record: dict[str, Any] | None, node: dict[str, Any], cilium_node: dict[str, Any] | None) -> str:
    """What addresses it had and which ones it has now, in words; "" if it still has those of the claim."""
    before = (record or {}).get("before") or {}
    claimed = list(before.get("addresses") or [])
    own = node_objects.facts(node)["addresses"]
    lost = [address for address in before.get("node_addresses") or [] if address not in own]
    if lost:
        return _words("the Node", lost, own)
    every = objects.addresses(node, cilium_node)
    lost = [address for address in claimed if address not in every]
    if lost:
        return _words("the node", lost, every)
    theirs = objects.addresses({}, cilium_node)
    for family in ("ipv4", "ipv6"):
        old, new = _of(family, claimed), _of(family, theirs)
        if old and new and not set(old) & set(new):
            return _words("the CiliumNode", old, new)
    return ""


def _of(family: str, addresses: list[str]) -> list[str]:
    return [address for address in addresses if net.family(address) == family]


def _words(whose: str, lost: list[str], now: list[str]) -> str:
    return f"{whose} had {', '.join(lost)} at its claim, and has {', '.join(now) or 'none'} now"
