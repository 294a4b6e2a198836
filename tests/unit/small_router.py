# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router with a few sessions and one VIP, by answers in the form of FRR 10.3, and the modules that look at it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ansible_collections.hitless.nodes.plugins.modules import frr_bgp_info, frr_bgp_wait
from ansible_collections.hitless.nodes.tests.unit.router_bench import NO_ROUTE, Bench, zebra

VIP = "198.51.100.10/32"


def info(bench: Bench, **params: Any) -> dict[str, Any]:
    """What the module returns."""
    defaults = {name: spec.get("default") for name, spec in frr_bgp_info.ARGUMENTS.items()}
    asked = {**defaults, "vtysh": str(bench.vtysh.path), **params}
    return frr_bgp_info.work(SimpleNamespace(params=asked, check_mode=False))  # type: ignore[arg-type]


def left(bench: Bench, **params: Any) -> list[dict[str, Any]]:
    """What a look for state withdrawn finds left of the node."""
    spec = {**frr_bgp_wait.ARGUMENTS, **frr_bgp_wait.NAMES, "_state": {}, "_slice": {}}
    defaults = {name: option.get("default") for name, option in spec.items()}
    asked = {**defaults, "vtysh": str(bench.vtysh.path), "state": "withdrawn", **params}
    found = frr_bgp_wait.work(SimpleNamespace(params=asked, check_mode=True))  # type: ignore[arg-type]
    return found["remaining"]


def answer(document: dict[str, Any]) -> tuple[int, str, str]:
    return (0, json.dumps(document), "")


def neighbor(router_id: str, local: str, *, state: str = "Established", accepted: int = 1) -> dict[str, Any]:
    """A session as "show bgp neighbors json" has it."""
    return {
        "remoteAs": 65432,
        "bgpState": state,
        "remoteRouterId": router_id,
        "hostLocal": local,
        "nbrExternalLink": True,
        "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": accepted}},
    }


def path(sender: str, *hops: str, **changes: Any) -> dict[str, Any]:
    """A path as the look-up of a prefix has it."""
    peer = {"peerId": sender, "type": "external"}
    return {"valid": True, "nexthops": [{"ip": hop} for hop in hops], "peer": peer} | changes


def small_router(
    bench: Bench,
    neighbors: dict[str, Any],
    paths: dict[str, list[dict[str, Any]]],
    via: dict[str, dict[str, Any]],
    *,
    absent: Iterable[str] = (),
    counts: dict[str, int] | None = None,
) -> None:
    """A router with these sessions, paths of host routes, and kernel routes of some of them.

    absent: addresses that are no neighbours. counts: how many paths each next hop has.
    """
    counted = {hop: {"pathCount": number} for hop, number in (counts or {}).items()}
    table = {
        "show version": (0, "FRRouting 10.3 (tor-2)", ""),
        "show bgp vrfs json": answer({"vrfs": {"default": {"numConfiguredPeers": 4}}}),
        "show bgp neighbors json": answer(neighbors),
        "show bgp nexthop json": answer({"ipv4": counted}),
    }
    kernel = {}
    for prefix, found in paths.items():
        own = prefix.partition("/")[0]
        table[f"show bgp ipv4 unicast {prefix} json"] = answer({"prefix": prefix, "paths": found} if found else {})
        route = json.dumps([{"dst": own, **via[prefix]}]) if prefix in via else None
        hop = (via.get(prefix) or {}).get("gateway") or ((via.get(prefix) or {}).get("via") or {}).get("host")
        table[f"show ip route vrf default {prefix} json"] = zebra(prefix, [hop]) if hop else answer({})
        kernel[f"route get fibmatch {own}"] = (0, route, "") if route else NO_ROUTE
    for own, entry in neighbors.items():
        sent = {prefix: [] for prefix, found in paths.items() if any(each["peer"]["peerId"] == own for each in found)}
        table[f"show bgp neighbors {own} json"] = answer({own: entry})
        table[f"show bgp ipv4 unicast neighbors {own} routes json"] = answer({"routes": sent})
    table |= {f"show bgp neighbors {own} json": answer({"bgpNoSuchNeighbor": True}) for own in absent}
    bench.vtysh.answers(table)
    bench.ip.answers(kernel)
