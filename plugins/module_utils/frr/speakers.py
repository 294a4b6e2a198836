# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Every session of a router, as "show bgp neighbors json" (FRR 8.4 to 10.x) lists them: who speaks to whom."""

from __future__ import annotations

from typing import Any

from ..base.net import address, is_address
from . import neighbor_json
from .answers import strange

# What FRR shows of a session that is down.
NO_ID = "0.0.0.0"  # noqa: S104 - nothing is bound to it


def speakers(document: dict[str, Any], vrf: str) -> list[dict[str, Any]]:
    """The sessions in one VRF. {} is none, PROVIDED that the instance exists: FRR answers {} without one, too."""
    return [_speaker(vrf, name, entry) for name, entry in document.items() if isinstance(entry, dict)]


def _speaker(vrf: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(entry.get("bgpState"), str):
        raise strange(f"neighbour {name}", entry)
    router_id = _known(entry.get("remoteRouterId"))
    return {
        "vrf": vrf,
        # FRR's name for the session: the address, or the interface of an unnumbered one.
        "name": name,
        "address": _known(name) or _known(entry.get("bgpNeighborAddr")) or _known(entry.get("hostForeign")),
        "local_address": _known(entry.get("hostLocal")),
        "router_id": None if router_id == NO_ID else router_id,
        "remote_as": neighbor_json.as_number(entry.get("remoteAs")),
        "internal": bool(entry.get("nbrInternalLink", False)),
        "established": entry["bgpState"] == "Established",
    }


def _known(shown: Any) -> str | None:
    """An address in its one spelling; None for what FRR writes where there is none, such as "Unknown" or "none"."""
    return address(shown) if isinstance(shown, str) and is_address(shown) else None
