# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Rules about one look at a router: whether a node's routes are withdrawn or present. The next hop decides.

A look ("view") is a dict of lists. frr/router_look.py makes it. It holds only what concerns the node:
  neighbors  {vrf, address, remote_as, state, established, shut, uptime_seconds, hold_time, graceful_restart, accepted}
  routes     {vrf, family, prefix, next_hop, from, stale, valid, bestpath, multipath}: BGP paths over the node
  fib        {vrf, family, prefix, matched, next_hop, via}: what the kernel forwards to the node, perhaps via gateways
  uninstalled  {vrf, family, prefix, next_hop, zebra, kernel}: what zebra has installed and the kernel doesn't show
  differences  the same, of any next hop, with where: which of the two (zebra, kernel) has the next hop
  counts     {vrf, next_hop, paths}: BGP paths over the node, of any prefix
  others     {vrf, prefix, paths}: prefixes with usable paths over other next hops, each {next_hops, from, internal}
  staying    {vrf, family, from, next_hops}: a path of a prefix that may stay
  carried    {vrf, from, next_hops}: a path from the node's session with that address, and its next hops
"""

from __future__ import annotations

from typing import Any, Dict, List

from ..base.net import family
from ..base.words import some
from .questions import pairs

# Stands for prefixes that were not looked up. A counter doesn't say of which prefixes its paths are.
OTHERS = "*"
# No next hop: a router's own paths have them.
UNSPECIFIED = {"0.0.0.0", "::"}  # noqa: S104 - nothing is bound to it
Entries = List[Dict[str, Any]]
View = Dict[str, Entries]


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    """VRF and prefix of an entry."""
    return entry["vrf"], entry["prefix"]


def _installed(view: View) -> set[tuple[str, str]]:
    """(VRF, prefix) of each prefix that the kernel forwards to the node by a route for exactly this prefix."""
    return {_key(route) for route in view["fib"] if route["matched"] == route["prefix"]}


def over_node(vrf: str, wanted: str, paths: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """The paths of a prefix whose next hop is one of the addresses. They may be stale, and come from any peer."""
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
    """Link-local addresses of the node, as its own paths name them.

    An IPv6 next hop can be a global and a link-local address. FRR then gives the kernel the link-local one. Only paths
    from the node count: another router may put its own link-local address beside the node's global one.
    """
    return {
        hop
        for path in paths
        if path["from"] in addresses and addresses.intersection(path["next_hops"])
        for hop in path["next_hops"]
        if hop.startswith("fe80:")
    }


def sent_next_hops(paths: list[dict[str, Any]], senders: set[str]) -> set[str]:
    """All next hops of the paths that these neighbours sent."""
    return {hop for path in paths if path["from"] in senders for hop in path["next_hops"]} - UNSPECIFIED


def carried(vrf: str, paths: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """Which of the node's addresses the paths from each of its sessions have as next hops."""
    return [
        {"vrf": vrf, "from": path["from"], "next_hops": [hop for hop in path["next_hops"] if hop in addresses]}
        for path in paths
        if path["from"] in addresses
    ]


def staying_paths(vrf: str, wanted: str, paths: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The paths of a prefix that may stay, as counters count them."""
    own = {"vrf": vrf, "family": family(wanted)}
    return [{**own, "from": path["from"], "next_hops": path["next_hops"]} for path in paths]


def _entry(source: dict[str, Any], where: str, **more: Any) -> dict[str, Any]:
    entry = {key: source.get(key) for key in ("vrf", "family", "prefix", "next_hop")}
    return {**entry, "where": where, "stale": bool(source.get("stale", False)), **more}


def _forwarding(route: dict[str, Any]) -> dict[str, Any]:
    """What the kernel forwards, as an entry. via: the kernel's next hops, if these aren't the node."""
    return _entry(route, "fib", **({"via": route["via"]} if route.get("via") else {}))


def not_withdrawn(view: View) -> list[dict[str, Any]]:
    """What the router still has of the node. [] means withdrawn.

    Every path over the node counts. It may be stale, because graceful restart keeps stale paths in use. It may come
    from another router, which passes on the node's next hop. It needn't be the best path. Paths over other nodes don't
    count.
    """
    left = [_entry(route, "bgp", **{"from": route["from"]}) for route in view["routes"]]
    left += [_forwarding(route) for route in view["fib"]]
    # What one of the two doesn't know isn't gone. Perhaps the wrong kernel was asked.
    left += [_entry(each, each["where"]) for each in view["differences"]]
    left += _accepted_besides(view, left)
    left += _counted_besides(view, left)
    return left


def _staying(view: View) -> Entries:
    """The paths that may stay. A look that didn't ask for any has none."""
    return view.get("staying") or []


def _accepted_besides(view: View, left: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the neighbours' counters count, in families of which left has no entry."""
    found = []
    seen = {(entry["vrf"], entry["family"]) for entry in left}
    for neighbor in view["neighbors"]:
        for kind, count in neighbor["accepted"].items():
            # The counter includes stale paths, which "neighbors X routes" of FRR 8.4 leaves out.
            own = {"vrf": neighbor["vrf"], "family": kind, "from": neighbor["address"]}
            more = (count or 0) - sum(own.items() <= path.items() for path in _staying(view))
            if more > 0 and (neighbor["vrf"], kind) not in seen:
                found.append(_others(neighbor["vrf"], kind, neighbor["address"], more))
                seen.add((neighbor["vrf"], kind))
    return found


def _counted_besides(view: View, left: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the next hops' counters count, in VRFs of which left has no entry."""
    found = []
    # A next hop can have another family than its prefixes (RFC 8950), so an entry of either family explains the count.
    seen = {entry["vrf"] for entry in left}
    for count in view["counts"]:
        vrf, hop = count["vrf"], count["next_hop"]
        more = count["paths"] - sum(path["vrf"] == vrf and hop in path["next_hops"] for path in _staying(view))
        if more > 0 and vrf not in seen:
            found.append(_others(vrf, family(hop), hop, more))
            seen.add(vrf)
    return found


def _others(vrf: str, kind: str, hop: str, count: int) -> dict[str, Any]:
    return _entry({"vrf": vrf, "family": kind, "prefix": OTHERS, "next_hop": hop}, "bgp", paths=count)


def over_others(vrf: str, wanted: str, paths: list[dict[str, Any]], addresses: set[str]) -> list[dict[str, Any]]:
    """The prefix, if traffic to it has another way than the node, with the paths that are this other way.

    Who is behind such a path isn't decided here: it may be a router, and behind that the node itself.
    """
    usable = [
        {key: path[key] for key in ("next_hops", "from", "internal")}
        for path in paths
        if path["valid"] and path["reachable"] and not path["stale"] and path["next_hops"]
    ]
    others = [path for path in usable if not addresses.intersection(path["next_hops"])]
    return [{"vrf": vrf, "prefix": wanted, "paths": others}] if others else []


def not_unused(view: View) -> list[dict[str, Any]]:
    """What the kernel still forwards to the node although other paths are usable. [] means that traffic has moved."""
    movable = {_key(each) for each in view["others"]}
    left = [_forwarding(route) for route in view["fib"] if _key(route) in movable]
    return left + [_entry(each, "zebra") for each in view["uninstalled"] if _key(each) in movable]


def not_present(
    view: View,
    wanted: dict[str, list[str]],
    *,
    forwarded: dict[str, list[str]] | None = None,
    sessions: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """What is missing of the node. [] means that every prefix is back.

    A prefix is back if it has a fresh and valid path over the node, and the kernel forwards it to the node by a route
    for exactly this prefix. Every session that carries one of the wanted families must be up too: a path that was
    learned from another router would hide that a session is down.

    forwarded: the prefixes that the kernel must forward to the node. None means all. sessions: {vrf, address} of those
    that must be up, also if the router doesn't list them now. None means all that it lists.
    """
    fresh = {_key(route) for route in view["routes"] if route["valid"] and not route["stale"]}
    uninstalled = set(pairs(wanted if forwarded is None else forwarded)) - _installed(view)
    known = {_key(route): route for route in view["routes"]}
    missing: list[dict[str, Any]] = []
    for vrf, prefixes in wanted.items():
        missing += _lacking(vrf, prefixes, fresh, uninstalled, known)
        if sessions is None:
            missing += _sessions_down(view, vrf, {family(prefix) for prefix in prefixes})
    for session in sessions or []:
        missing += _session_missing(view, session)
    return missing


def not_kept(
    view: View,
    wanted: dict[str, list[str]],
    *,
    forwarded: dict[str, list[str]] | None = None,
) -> list[dict[str, Any]]:
    """What a router has lost of the node while its sessions are down. [] means that nothing is lost.

    A prefix is kept if it has a valid path over the node, stale or fresh, and the kernel forwards it to the node by a
    route for exactly this prefix. forwarded: the prefixes that the kernel must forward to the node. None means all.
    """
    usable = {_key(route) for route in view["routes"] if route["valid"]}
    uninstalled = set(pairs(wanted if forwarded is None else forwarded)) - _installed(view)
    lost: list[dict[str, Any]] = []
    for vrf, prefixes in wanted.items():
        lost += _lacking(vrf, prefixes, usable, uninstalled, {})
    return lost


def _lacking(
    vrf: str,
    prefixes: list[str],
    usable: set[tuple[str, str]],
    uninstalled: set[tuple[str, str]],
    known: dict[tuple[str, str], dict[str, Any]],
) -> list[dict[str, Any]]:
    """The prefixes without a usable path in BGP, and those whose route the kernel lacks.

    known: routes from which the entries get their details, such as the next hop.
    """
    found = []
    for prefix in prefixes:
        key = (vrf, prefix)
        route = known.get(key) or {"vrf": vrf, "family": family(prefix), "prefix": prefix}
        if key not in usable:
            found.append(_entry(route, "bgp"))
        elif key in uninstalled:
            found.append(_entry(route, "fib"))
    return found


def _sessions_down(view: View, vrf: str, families: set[str]) -> list[dict[str, Any]]:
    """The sessions of a VRF that are down and carry one of the families. Sessions that are shut don't count."""
    found = []
    for neighbor in view["neighbors"]:
        carries = families.intersection(neighbor["accepted"])
        if neighbor["vrf"] == vrf and carries and not neighbor["established"] and not neighbor["shut"]:
            found.append(_session(vrf, min(carries), neighbor["address"], neighbor["state"]))
    return found


def _session_missing(view: View, session: dict[str, Any]) -> list[dict[str, Any]]:
    """An entry for the session {vrf, address} if it isn't up. [] if it is up."""
    vrf, own = session["vrf"], session["address"]
    listed = [each for each in view["neighbors"] if (each["vrf"], each["address"]) == (vrf, own)]
    if listed and listed[0]["established"]:
        return []
    # FRR doesn't list a dynamic neighbour while it is down.
    return [_session(vrf, family(own), own, listed[0]["state"] if listed else "not there")]


def _session(vrf: str, kind: str, own: str, state: str) -> dict[str, Any]:
    return _entry({"vrf": vrf, "family": kind, "prefix": OTHERS, "next_hop": own}, "session", state=state)


def with_installed(view: View) -> list[dict[str, Any]]:
    """The routes of a view. Each has installed: whether the kernel forwards exactly its prefix to the node."""
    installed = _installed(view)
    return [{**route, "installed": _key(route) in installed} for route in view["routes"]]


def prefixes_of(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The (VRF, prefix) pairs of entries, each once, in order. OTHERS is left out."""
    return list(dict.fromkeys(_key(entry) for entry in entries if entry["prefix"] != OTHERS))


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
    sources = {"bgp": "BGP", "fib": "FIB", "zebra": "zebra but not the kernel", "kernel": "kernel but not zebra"}
    where = list(dict.fromkeys(("stale in " if e["stale"] else "") + sources[e["where"]] for e in group))
    return f"{first['prefix']} ({first['family']}{vrf}, {', '.join(where)})"
