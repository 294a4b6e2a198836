# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Rules about one look at a router: are a node's routes withdrawn, are they present? Judged by next hop.

A look ("view") is a dict of lists, made by frr/router_look.py, and holds only what concerns the node:
  neighbors  {vrf, address, remote_as, state, established, shut, uptime_seconds, hold_time, graceful_restart, accepted}
  routes     {vrf, family, prefix, next_hop, from, stale, valid, bestpath, multipath}: BGP paths over the node
  fib        {vrf, family, prefix, matched, next_hop}: what the kernel forwards to the node
  counts     {vrf, next_hop, paths}: BGP paths over the node, of any prefix
  others     {vrf, prefix, next_hops}: prefixes with fresh and valid paths over somebody else, and over whom
"""

from __future__ import annotations

from typing import Any

from ..base.net import family
from ..base.words import some

# Stands for prefixes outside of those looked up: a counter says that there are paths, not of which prefixes.
OTHERS = "*"


def over_node(vrf: str, wanted: str, paths: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """The paths of a prefix whose next hop is one of the addresses, whoever sent them, fresh or stale."""
    return [
        {
            "vrf": vrf,
            "family": family(wanted),
            "prefix": wanted,
            "next_hop": next(hop for hop in path["next_hops"] if hop in addresses),
            "from": path["from"],
            "stale": path["stale"],
            "valid": path["valid"],
            "bestpath": path["bestpath"],
            "multipath": path["multipath"],
        }
        for path in paths
        if addresses.intersection(path["next_hops"])
    ]


def link_locals(paths: list[dict[str, Any]], addresses: set[str]) -> set[str]:
    """Link-local addresses of the node, told by its own paths.

    An IPv6 next hop can be a pair, and the kernel is given the link-local half. Only the node's own paths tell: another
    router may put its own link-local address beside the node's global one.
    """
    return {
        hop
        for path in paths
        if path["from"] in addresses and addresses.intersection(path["next_hops"])
        for hop in path["next_hops"]
        if hop.startswith("fe80:")
    }


def decided(kernel: list[dict[str, Any]], zebra: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The routes that count as the forwarding table: the kernel's, or zebra's where the kernel didn't name the prefix.

    Asked for one IPv6 address, Linux can answer with another route that shares a next hop object with the right one
    (seen with 6.18; FRR installs all its routes by such objects). An answer for exactly the prefix is right.
    """
    exact = {(entry["vrf"], entry["prefix"]) for entry in kernel if entry["matched"] == entry["prefix"]}
    return kernel + [entry for entry in zebra if (entry["vrf"], entry["prefix"]) not in exact]


def forwarded(entries: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """Of the routes found in the kernel those that forward to one of the addresses, one entry for each next hop."""
    return [
        {**{key: entry[key] for key in ("vrf", "family", "prefix", "matched")}, "next_hop": hop}
        for entry in entries
        for hop in entry["next_hops"]
        if hop in addresses
    ]


def _entry(source: dict[str, Any], where: str, **more: Any) -> dict[str, Any]:
    entry = {key: source.get(key) for key in ("vrf", "family", "prefix", "next_hop")}
    return {**entry, "where": where, "stale": bool(source.get("stale", False)), **more}


def not_withdrawn(view: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What is still there of the node: [] means withdrawn.

    A path counts whether fresh or stale (graceful restart keeps it in use), from the node or from another router (which
    hands on the node's next hop), best or not. A VIP that is left through other nodes doesn't count.
    """
    left = [_entry(route, "bgp", **{"from": route["from"]}) for route in view["routes"]]
    left += [_entry(route, "fib") for route in view["fib"]]
    seen = {(entry["vrf"], entry["family"]) for entry in left}
    for neighbor in view["neighbors"]:
        for kind, count in neighbor["accepted"].items():
            # Counts stale paths too, also on FRR 8.4, whose "neighbors X routes" leaves them out.
            if count and (neighbor["vrf"], kind) not in seen:
                left.append(_others(neighbor["vrf"], kind, neighbor["address"], count))
                seen.add((neighbor["vrf"], kind))
    for count in view["counts"]:
        # A next hop's family isn't always its prefixes' (RFC 8950), so any named path of the VRF explains the number.
        if count["paths"] and not any(entry["vrf"] == count["vrf"] for entry in left):
            left.append(_others(count["vrf"], family(count["next_hop"]), count["next_hop"], count["paths"]))
    return left


def _others(vrf: str, kind: str, hop: str, count: int) -> dict[str, Any]:
    source = {"vrf": vrf, "family": kind, "prefix": OTHERS, "next_hop": hop}
    return _entry(source, "bgp", paths=count)


def over_others(vrf: str, wanted: str, paths: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """The prefix, if traffic to it has another way than the node, with the next hops of the other ways."""
    usable = [
        path
        for path in paths
        if path["valid"] and not path["stale"] and path["next_hops"] and not addresses & set(path["next_hops"])
    ]
    # Of a pair, the first is the global one, by which a path from another router names the same node. A router that
    # puts itself there (next-hop-self) is another way, but behind it may be this very node.
    hops = {path["next_hops"][0] for path in usable if not (path["internal"] and path["from"] in path["next_hops"])}
    return [{"vrf": vrf, "prefix": wanted, "next_hops": sorted(hops)}] if usable else []


def not_unused(view: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What the kernel still forwards to the node although there is another way: [] means that traffic has moved."""
    movable = {(each["vrf"], each["prefix"]) for each in view["others"]}
    return [_entry(route, "fib") for route in view["fib"] if (route["vrf"], route["prefix"]) in movable]


def not_present(
    view: dict[str, list[dict[str, Any]]],
    wanted: dict[str, list[str]],
    *,
    forwarded: dict[str, list[str]] | None = None,
    sessions: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """What is missing of the node: [] means that every prefix is back.

    Back is a prefix with a fresh, valid path over the node, that the kernel forwards to the node by a route for exactly
    this prefix. And every session with the node that carries one of the wanted families is up: a path learned from
    another router would hide that it isn't. forwarded: only for these the kernel has to (None: for all). sessions:
    {vrf, address} of those that have to be up, also if the router doesn't list them now (None: all that it lists).
    """
    must = {
        (vrf, prefix) for vrf, prefixes in (wanted if forwarded is None else forwarded).items() for prefix in prefixes
    }
    fresh = {(r["vrf"], r["prefix"]) for r in view["routes"] if r["valid"] and not r["stale"]}
    known = {(r["vrf"], r["prefix"]): r for r in view["routes"]}
    installed = {(r["vrf"], r["prefix"]) for r in view["fib"] if r["matched"] == r["prefix"]}
    missing: list[dict[str, Any]] = []
    for vrf, prefixes in wanted.items():
        for prefix in prefixes:
            route = known.get((vrf, prefix)) or {"vrf": vrf, "family": family(prefix), "prefix": prefix}
            if (vrf, prefix) not in fresh:
                missing.append(_entry(route, "bgp"))
            elif (vrf, prefix) in must - installed:
                missing.append(_entry(route, "fib"))
        if sessions is not None:
            continue
        families = {family(prefix) for prefix in prefixes}
        for neighbor in view["neighbors"]:
            carries = families.intersection(neighbor["accepted"])
            if neighbor["vrf"] == vrf and carries and not neighbor["established"] and not neighbor["shut"]:
                source = {"vrf": vrf, "family": min(carries), "prefix": OTHERS, "next_hop": neighbor["address"]}
                missing.append(_entry(source, "session", state=neighbor["state"]))
    listed = {(neighbor["vrf"], neighbor["address"]): neighbor for neighbor in view["neighbors"]}
    for session in sessions or []:
        found = listed.get((session["vrf"], session["address"]))
        if found is None or not found["established"]:
            own = session["address"]
            source = {"vrf": session["vrf"], "family": family(own), "prefix": OTHERS, "next_hop": own}
            # A dynamic neighbour isn't listed while it is down.
            missing.append(_entry(source, "session", state=found["state"] if found else "not there"))
    return missing


def not_kept(
    view: dict[str, list[dict[str, Any]]],
    wanted: dict[str, list[str]],
    *,
    forwarded: dict[str, list[str]] | None = None,
) -> list[dict[str, Any]]:
    """What a router doesn't keep of the node while its sessions are down: [] means that nothing is lost.

    Kept is a prefix with a valid path over the node, stale or fresh, that the kernel forwards to the node by a route
    for exactly this prefix. forwarded: only for these the kernel has to (None: for all).
    """
    must = {
        (vrf, prefix) for vrf, prefixes in (wanted if forwarded is None else forwarded).items() for prefix in prefixes
    }
    usable = {(r["vrf"], r["prefix"]) for r in view["routes"] if r["valid"]}
    installed = {(r["vrf"], r["prefix"]) for r in view["fib"] if r["matched"] == r["prefix"]}
    lost = []
    for vrf, prefixes in wanted.items():
        for prefix in prefixes:
            route = {"vrf": vrf, "family": family(prefix), "prefix": prefix}
            if (vrf, prefix) not in usable:
                lost.append(_entry(route, "bgp"))
            elif (vrf, prefix) in must - installed:
                lost.append(_entry(route, "fib"))
    return lost


def with_installed(view: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The routes of a view, each with installed: whether the kernel forwards exactly this prefix to that node."""
    installed = {(r["vrf"], r["prefix"]) for r in view["fib"] if r["matched"] == r["prefix"]}
    return [{**route, "installed": (route["vrf"], route["prefix"]) in installed} for route in view["routes"]]


def prefixes_of(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The (vrf, prefix) pairs that entries are about, each once, in order, without OTHERS."""
    return list(dict.fromkeys((e["vrf"], e["prefix"]) for e in entries if e["prefix"] != OTHERS))


def described(entries: list[dict[str, Any]], *, limit: int = 5) -> str:
    """Entries as text: "10.1.3.0/24 (ipv4, stale in BGP, FIB), 3 other paths (ipv6)"."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        own = entry["next_hop"] if entry["prefix"] == OTHERS else ""
        groups.setdefault((entry["vrf"], entry["prefix"], own), []).append(entry)
    return some([_described(group) for group in groups.values()], limit)


def _described(group: list[dict[str, Any]]) -> str:
    first = group[0]
    vrf = "" if first["vrf"] == "default" else f", VRF {first['vrf']}"
    if first["where"] == "session":
        return f"session with {first['next_hop']} is {first['state']} ({first['family']}{vrf})"
    if first["prefix"] == OTHERS:
        return f"{first['paths']} other paths over {first['next_hop']} ({first['family']}{vrf})"
    if first["where"] == "unknown":
        return f"{first['prefix']} ({first['family']}{vrf})"
    sources = {"bgp": "BGP", "fib": "FIB"}
    where = list(dict.fromkeys(("stale in " if e["stale"] else "") + sources[e["where"]] for e in group))
    return f"{first['prefix']} ({first['family']}{vrf}, {', '.join(where)})"
