# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""In which order, and how many at once, agents are restarted: zone by zone, never in two zones at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def batches(
    hosts: Sequence[str], zones: Mapping[str, str | None], size: int, *, first: str | None = None
) -> list[list[str]]:
    """The hosts in batches of at most size, each of one zone; a zone is done before the next one begins.

    first: the host that is restarted before all others, alone, since it measures; its zone comes first, too, then the
    others as they appear among the hosts. zones: host -> zone, None where its node says none: where others do, it may
    be in any of them, and is alone; where nobody does, there are no zones.
    """
    order = [*([first] if first is not None else []), *(host for host in hosts if host != first)]
    zoned = any(zones.get(host) is not None for host in hosts)
    groups: dict[tuple[str, str], list[str]] = {}
    for host in order:
        zone = zones.get(host)
        key = ("zone", zone) if zone is not None else ("host", host) if zoned else ("zone", "")
        groups.setdefault(key, []).append(host)
    found = []
    for group in groups.values():
        if group[0] == first:
            found.append([group.pop(0)])
        found += [group[start : start + size] for start in range(0, len(group), size)]
    return found
