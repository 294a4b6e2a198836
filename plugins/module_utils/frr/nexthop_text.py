# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How many BGP paths use each next hop, from the text that FRR 8.4 to 9.x have for it (10.x has JSON)."""

from __future__ import annotations

import re

from ..base.net import address, is_address
from ..base.words import excerpt
from .answers import UnknownError

HEAD = "Current BGP nexthop cache:"
# One space, then the next hop; what belongs to it is indented by two.
NEXT_HOP = re.compile(r" (\S+) (?:valid|invalid)\b.*?#paths (\d+)\b")


def split(text: str, count: int) -> list[str]:
    """The answers to that many commands, which follow each other in a text."""
    before, *parts = text.split(HEAD)
    if before.strip() or len(parts) != count:
        raise UnknownError(f"{len(parts)} answers to {count} times 'show bgp nexthop': {excerpt(text)}; try it by hand")
    return [HEAD + part for part in parts]


def path_counts(text: str) -> dict[str, int]:
    """Next hop -> number of paths ("show bgp nexthop"), stale and iBGP-learned ones included."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith(HEAD):
        raise UnknownError(f"FRR's answer to 'show bgp nexthop' isn't understood: {excerpt(text)}")
    counts: dict[str, int] = {}
    for line in lines[1:]:
        if line.startswith("  "):
            continue
        found = NEXT_HOP.match(line)
        if not found or not is_address(found.group(1)):
            raise UnknownError(f"a line of 'show bgp nexthop' isn't understood: {excerpt(line)}")
        # A link-local one can be listed once for the session and once for the paths.
        hop = address(found.group(1))
        counts[hop] = counts.get(hop, 0) + int(found.group(2))
    return counts
