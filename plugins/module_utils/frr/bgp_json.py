# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Parsers of FRR's JSON (8.4 to 10.x): plain dicts out. What isn't understood is an error, never "nothing there"."""

from __future__ import annotations

import re
from typing import Any

from ..base.net import address, is_address, prefix
from ..base.words import excerpt
from .answers import UnknownError

FAMILIES = {"ipv4": "ipv4Unicast", "ipv6": "ipv6Unicast"}


def release(text: str) -> str | None:
    """The version number in the answer to "show version", such as 8.4.4; None where there is none."""
    found = re.search(r"^FRRouting (\S+)", text, re.MULTILINE)
    return found.group(1) if found else None


def instances(document: dict[str, Any]) -> dict[str, int | None]:
    """VRF -> number of neighbours (None = not said) of each BGP instance; without "router bgp" there is none.

    From "show bgp vrfs json". Neighbours that are configured, or up (dynamic ones aren't configured one by one).
    """
    vrfs = document.get("vrfs")
    if not isinstance(vrfs, dict):
        raise _strange("show bgp vrfs json", document)
    found: dict[str, int | None] = {}
    for name, entry in vrfs.items():
        counts = [entry.get(key) for key in ("numConfiguredPeers", "numEstablishedPeers")]
        known = [count for count in counts if isinstance(count, int)]
        found[name] = max(known) if known else None
    return found


def paths(document: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
    """The paths of one prefix ("show bgp FAMILY unicast PREFIX json").

    {} means that BGP doesn't know the prefix, PROVIDED that the instance exists: the caller has to know that from
    instances(), since FRR answers {} in other cases too. FRR writes most flags only when they are true.
    """
    if not document:
        return []
    found = document.get("paths")
    shown = document.get("prefix")
    if not isinstance(found, list) or not isinstance(shown, str) or prefix(shown) != wanted:
        raise _strange(f"the look-up of {wanted}", document)
    return [_path(path, wanted) for path in found]


def _path(path: Any, wanted: str) -> dict[str, Any]:
    try:
        hops = [hop["ip"] for hop in path["nexthops"]]
        peer = path.get("peer") or {}
        best = path.get("bestpath", False)
        return {
            # All addresses of the next hop: over IPv6 a global one and perhaps a link-local one.
            "next_hops": [address(hop) for hop in hops],
            "from": peer.get("peerId"),
            "internal": peer.get("type") == "internal",
            "stale": bool(path.get("stale", False)),
            "valid": bool(path.get("valid", False)),
            # In this answer an object, {"overall": true}; in tables true.
            "bestpath": bool(best.get("overall", False)) if isinstance(best, dict) else bool(best),
            "multipath": bool(path.get("multipath", False)),
        }
    except (KeyError, TypeError, AttributeError) as exc:
        raise _strange(f"a path of {wanted}", path) from exc


def neighbor(document: dict[str, Any], wanted: str) -> dict[str, Any] | None:
    """One session ("show bgp neighbors ADDRESS json"); None where the router has no such neighbour."""
    if document.get("bgpNoSuchNeighbor"):
        return None
    found = next((v for k, v in document.items() if _is_session_with(k, v, wanted)), None)
    # {} is what FRR says without a BGP instance.
    if not isinstance(found, dict) or not isinstance(found.get("bgpState"), str):
        raise _strange(f"neighbour {wanted}", document)
    established = found["bgpState"] == "Established"
    return {
        "address": wanted,
        "remote_as": as_number(found.get("remoteAs")),
        "state": found["bgpState"],
        "established": established,
        "shut": bool(found.get("adminShutDown", False)),
        "uptime_seconds": _seconds(found, "bgpTimerUp") if established else None,
        "times_established": found.get("connectionsEstablished"),
        "router_id": found.get("remoteRouterId"),
        "hold_time": _seconds(found, "bgpTimerHoldTime"),
        "graceful_restart": _graceful_restart(found, established),
        "accepted": {family: _accepted(found, key) for family, key in FAMILIES.items() if _has_family(found, key)},
    }


def _is_session_with(name: str, found: Any, wanted: str) -> bool:
    """Whether an entry is the session with an address: an unnumbered one is listed under the interface's name."""
    known = name if is_address(name) else found.get("bgpNeighborAddr") if isinstance(found, dict) else None
    return isinstance(known, str) and is_address(known) and address(known) == wanted


def as_number(value: Any) -> int | None:
    """An AS number as an integer: FRR writes a number, a text, or asdot ("1.10") when "as-notation dot" is set."""
    try:
        if isinstance(value, str) and "." in value:
            high, low = value.split(".")
            return int(high) * 65536 + int(low)
        return int(value)
    except (TypeError, ValueError):
        return None


def announced(document: dict[str, Any]) -> list[str]:
    """The prefixes that a neighbour's paths are for ("show bgp FAMILY unicast neighbors ADDRESS routes json").

    Never a proof that there is nothing: FRR 8.4 leaves out stale paths.
    """
    routes = document.get("routes")
    if not isinstance(routes, dict):
        raise _strange("a neighbour's routes", document)
    return [prefix(route) for route in routes]


def path_counts(document: dict[str, Any]) -> dict[str, int]:
    """How many BGP paths use each next hop, stale and iBGP-learned ones included ("show bgp nexthop json")."""
    counts: dict[str, int] = {}
    for hops in document.values():
        if not isinstance(hops, dict):
            raise _strange("show bgp nexthop json", document)
        for hop, entry in hops.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("pathCount"), int):
                raise _strange(f"next hop {hop} in show bgp nexthop json", entry)
            if is_address(hop):
                counts[address(hop)] = counts.get(address(hop), 0) + entry["pathCount"]
    return counts


def installed(document: dict[str, Any], wanted: str) -> list[str]:
    """The next hops by which zebra has installed that very prefix ("show ipv6 route PREFIX json"); [] where it hasn't.

    Selected and installed routes only: one that lost against another protocol, or that the kernel refused, isn't used.
    """
    hops: list[str] = []
    for shown, entries in document.items():
        if not isinstance(entries, list) or prefix(shown) != wanted:
            raise _strange(f"the route to {wanted}", document)
        for entry in entries:
            if not isinstance(entry, dict) or not isinstance(entry.get("nexthops", []), list):
                raise _strange(f"the route to {wanted}", entry)
            if entry.get("installed"):
                # A recursive next hop is the one that BGP named; what it resolves to is listed beside it.
                used = [hop for hop in entry.get("nexthops", []) if hop.get("fib") or hop.get("recursive")]
                hops += [address(hop["ip"]) for hop in used if "ip" in hop]
    return hops


def rib(document: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
    """Zebra's routes of all protocols to that very prefix ("show ip route PREFIX json"); [] where it has none.

    Each is {prefix, protocol, selected, installed, next_hops}.
    """
    routes: list[dict[str, Any]] = []
    for shown, entries in document.items():
        if not isinstance(entries, list) or prefix(shown) != wanted:
            raise _strange(f"the route to {wanted}", document)
        for entry in entries:
            if not isinstance(entry, dict) or not isinstance(entry.get("protocol"), str):
                raise _strange(f"the route to {wanted}", entry)
            hops = [address(hop["ip"]) for hop in entry.get("nexthops", []) if "ip" in hop]
            # FRR writes flags only when they are true.
            flags = {flag: bool(entry.get(flag, False)) for flag in ("selected", "installed")}
            routes.append({"prefix": wanted, "protocol": entry["protocol"], **flags, "next_hops": hops})
    return routes


def _strange(what: str, document: Any) -> UnknownError:
    return UnknownError(
        f"FRR's answer about {what} isn't understood: {excerpt(str(document))}; report it together with 'show version'"
    )


def _seconds(document: dict[str, Any], name: str) -> int | None:
    """A timer in whole seconds, None where it isn't shown. The unit varies (...Msecs to 10.4, ...Sec from 10.5)."""
    for suffix, factor in (("Msecs", 1000), ("Msec", 1000), ("Secs", 1), ("Sec", 1)):
        value = document.get(name + suffix)
        if isinstance(value, (int, float)):
            return int(value / factor)
    return None


def _graceful_restart(found: dict[str, Any], established: bool) -> dict[str, Any]:
    """What is known of graceful restart; None = unknown, as the bits are once a session is down (they read false)."""
    info = found.get("gracefulRestartInfo") or {}
    capabilities = found.get("neighborCapabilities") or {}
    timers = info.get("timers") or {}
    per_family = [info[key].get("timers") or {} for key in FAMILIES.values() if isinstance(info.get(key), dict)]
    stale = [entry["llgrStaleTime"] for entry in per_family if isinstance(entry.get("llgrStaleTime"), int)]
    local, remote = info.get("localGrMode"), info.get("remoteGrMode")
    # FRR marks what is inherited from the instance with an asterisk.
    local = local.rstrip("*") if isinstance(local, str) else None
    remote = remote.rstrip("*") if isinstance(remote, str) else None
    return {
        "local_mode": local,
        "remote_mode": remote if established else None,
        "negotiated": _restart_negotiated(capabilities, local, remote) if established else None,
        "families": _restart_families(capabilities) if established else None,
        # What the node sent; whether the router sent it, too, isn't in FRR's JSON.
        "notification": info.get("nBit") if established else None,
        "restarted": info.get("rBit") if established else None,
        "restart_time": timers.get("receivedRestartTimer"),
        "remaining": timers.get("restartTimerRemaining"),
        "long_lived": _both(capabilities.get("longLivedGracefulRestart")) if established else None,
        "long_lived_stale_time": max(stale) if established and stale else None,
    }


def _both(capability: Any) -> bool | None:
    """Whether both sides sent a capability; None where FRR says nothing of it."""
    if capability not in ("advertised", "received", "advertisedAndReceived"):
        return None
    return bool(capability == "advertisedAndReceived")


def _restart_negotiated(capabilities: dict[str, Any], local: str | None, remote: str | None) -> bool | None:
    """Whether graceful restart is in force in an established session; None where that isn't known.

    The capabilities are those of the session; the modes are configuration, which FRR 8.4 applies with the next session.
    """
    # FRR 8.4 writes the second one where only one side sent the capability.
    shown = capabilities.get("gracefulRestart", capabilities.get("gracefulRestartCapability"))
    if shown is None and (local, remote) == ("Disable", "NotApplicable"):
        return False  # neither side sent it
    return _both(shown)


def _restart_families(capabilities: dict[str, Any]) -> list[str] | None:
    """The families for which the node asks that its paths be kept; None = unknown."""
    listed = capabilities.get("addressFamiliesByPeer")
    if listed == "none":
        return []
    return [family for family, key in FAMILIES.items() if key in listed] if isinstance(listed, dict) else None


def _has_family(found: dict[str, Any], key: str) -> bool:
    return isinstance((found.get("addressFamilyInfo") or {}).get(key), dict)


def _accepted(found: dict[str, Any], key: str) -> int | None:
    """How many prefixes of that family are accepted from the neighbour, stale ones included; None = unknown."""
    count = found["addressFamilyInfo"][key].get("acceptedPrefixCounter")
    return count if isinstance(count, int) else None
