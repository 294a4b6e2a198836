# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Measured and estimated times of the playbook probe, as lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measured_lines(
    summary: Mapping[str, Any], by_routers: Mapping[str, Any], by_cilium: Mapping[str, Any]
) -> list[str]:
    """The seconds of each router and family, and the two estimates.

    by_routers, by_cilium: two estimates {seconds, unbounded, reason}. The first is from what the routers had
    negotiated, the second from what Cilium alone knows.
    """
    lines = [f"{summary['node']}: from the change of the label until a router had no path to it any more"]
    for router in summary["routers"]:
        if router["withdrawn"]:
            lines.append(f"  router {router['router']}: {_families(router['withdrawn'])}")
    for source, estimate in (("the routers' capabilities", by_routers), ("Cilium alone", by_cilium)):
        seconds = "without a bound" if estimate["unbounded"] else f"{estimate['seconds']} s"
        lines.append(f"  estimated from {source}: {seconds} ({estimate['reason']})")
    return lines


def _families(withdrawn: Mapping[str, Any]) -> str:
    families = withdrawn.get("families") or {"all families": withdrawn["seconds"]}
    return ", ".join(f"{family} {seconds} s" for family, seconds in families.items())
