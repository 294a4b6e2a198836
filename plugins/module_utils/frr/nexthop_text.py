# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Counts the BGP paths of each next hop, from the text of FRR 8.4 to 9.x. FRR 10.x has JSON for it."""

from __future__ import annotations

import re

from ..base.net import address, is_address
from ..base.words import excerpt
from .answers import UnknownError

HEAD = "Current BGP nexthop cache:"
# The line of a next hop begins with one space. Its details begin with two.
NEXT_HOP = re.compile(r" (\S+) (?:valid|invalid)\b.*?#paths (\d+)\b")


def split(text: str, count: int) -> list[str]:
    """Splits the text of count answers into the answers."""
    before, *parts = text.split(HEAD)
    if before.strip() or len(parts) != count:
        raise UnknownError(f"{len(parts)} answers to {count} times 'show bgp nexthop': {excerpt(text)}; try it by hand")
    return [HEAD + part for part in parts]


def path_counts(text: str) -> dict[str, int]:
    """Next hop -> number of BGP paths ("show bgp nexthop"). Stale and iBGP-learned paths count too."""
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
        # FRR can list a link-local next hop twice: once for the session, once for the paths.
        hop = address(found.group(1))
        counts[hop] = counts.get(hop, 0) + int(found.group(2))
    return counts
