# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Parsers of bgpd's JSON (FRR 8.4 to 10.x) about instances, paths and next hops. They return plain dicts.

An answer that isn't understood is an error. It never counts as "nothing there".
"""

from __future__ import annotations

import re
from typing import Any

from ..base.net import address, is_address, prefix
from .answers import strange


def release(text: str) -> str | None:
    """The version number in the answer to "show version", such as 8.4.4. None if it names none."""
    found = re.search(r"^FRRouting (\S+)", text, re.MULTILINE)
    return found.group(1) if found else None


def instances(document: dict[str, Any]) -> dict[str, int | None]:
    """VRF -> number of neighbours of each BGP instance ("show bgp vrfs json"). None if FRR doesn't say the number.

    The larger number counts: the configured neighbours, or those that are up. Dynamic neighbours aren't configured
    one by one. A VRF without "router bgp" isn't in the result.
    """
    vrfs = document.get("vrfs")
    if not isinstance(vrfs, dict):
        raise strange("show bgp vrfs json", document)
    found: dict[str, int | None] = {}
    for name, entry in vrfs.items():
        counts = [entry.get(key) for key in ("numConfiguredPeers", "numEstablishedPeers")]
        known = [count for count in counts if isinstance(count, int)]
        found[name] = max(known) if known else None
    return found


def paths(document: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
    """The paths of one prefix ("show bgp FAMILY unicast PREFIX json").

    {} means that BGP doesn't know the prefix, but only if the instance exists. FRR answers {} in other cases too, so
    the caller has to check instances() first. FRR writes most flags only when they are true.
    """
    return [_path(path, wanted) for path in _listed(document, wanted) if not _is_history(path)]


def history(document: dict[str, Any], wanted: str) -> list[list[str]]:
    """The next hops of each history entry of the same answer. FRR keeps them to remember how often a path flapped.

    With "bgp dampening" a withdrawn path becomes such an entry. Nothing is forwarded by it.
    """
    return [_path(path, wanted)["next_hops"] for path in _listed(document, wanted) if _is_history(path)]


def _listed(document: dict[str, Any], wanted: str) -> list[Any]:
    if not document:
        return []
    found = document.get("paths")
    shown = document.get("prefix")
    if not isinstance(found, list) or not isinstance(shown, str) or prefix(shown) != wanted:
        raise strange(f"the look-up of {wanted}", document)
    return found


def _is_history(path: Any) -> bool:
    """Whether dampening only remembers a path. The first key is that of a look-up, the second one that of a table."""
    return isinstance(path, dict) and bool(path.get("dampeningHistoryEntry") or path.get("history"))


def _is_suppressed(path: dict[str, Any]) -> bool:
    """Whether dampening keeps a path that is there from being used."""
    return bool(path.get("dampeningSuppressed") or path.get("damped"))


def _path(path: Any, wanted: str) -> dict[str, Any]:
    try:
        hops = [hop["ip"] for hop in path["nexthops"]]
        peer = path.get("peer") or {}
        best = path.get("bestpath", False)
        return {
            # All addresses of the next hop. An IPv6 next hop has a global one, and may have a link-local one.
            "next_hops": [address(hop) for hop in hops],
            # Each half of a next hop has a flag of its own.
            "reachable": not any(hop.get("accessible") is False for hop in path["nexthops"]),
            "from": peer.get("peerId"),
            "internal": peer.get("type") == "internal",
            "stale": bool(path.get("stale", False)),
            "valid": bool(path.get("valid", False)) and not _is_suppressed(path),
            # This answer has an object, {"overall": true}. Tables have true.
            "bestpath": bool(best.get("overall", False)) if isinstance(best, dict) else bool(best),
            "multipath": bool(path.get("multipath", False)),
        }
    except (KeyError, TypeError, AttributeError) as exc:
        raise strange(f"a path of {wanted}", path) from exc


def announced(document: dict[str, Any]) -> list[str]:
    """The prefixes of a neighbour's paths ("show bgp FAMILY unicast neighbors ADDRESS routes json").

    An empty list doesn't prove that there are no paths, because FRR 8.4 leaves out stale ones.
    """
    routes = document.get("routes")
    if not isinstance(routes, dict):
        raise strange("a neighbour's routes", document)
    return [prefix(route) for route, found in routes.items() if not _all_history(found)]


def _all_history(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(_is_history(path) for path in found)


def path_counts(document: dict[str, Any]) -> dict[str, int]:
    """Next hop -> number of BGP paths ("show bgp nexthop json"). Stale and iBGP-learned paths count too."""
    counts: dict[str, int] = {}
    for hops in document.values():
        if not isinstance(hops, dict):
            raise strange("show bgp nexthop json", document)
        for hop, entry in hops.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("pathCount"), int):
                raise strange(f"next hop {hop} in show bgp nexthop json", entry)
            if is_address(hop):
                counts[address(hop)] = counts.get(address(hop), 0) + entry["pathCount"]
    return counts
