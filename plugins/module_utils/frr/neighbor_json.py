# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The parser of bgpd's JSON (FRR 8.4 to 10.x) about one session.

An answer that isn't understood is an error. It never counts as "no session".
"""

from __future__ import annotations

from typing import Any

from ..base.net import address, is_address
from .answers import strange

FAMILIES = {"ipv4": "ipv4Unicast", "ipv6": "ipv6Unicast"}
# Facts about graceful restart that are known only while the session is up.
_OF_SESSION = (
    "remote_mode",
    "negotiated",
    "families",
    "notification",
    "restarted",
    "long_lived",
    "long_lived_stale_time",
)


def neighbor(document: dict[str, Any], wanted: str) -> dict[str, Any] | None:
    """One session ("show bgp neighbors ADDRESS json"). None if the router has no such neighbour."""
    if document.get("bgpNoSuchNeighbor"):
        return None
    found = next((v for k, v in document.items() if _is_session_with(k, v, wanted)), None)
    # Without a BGP instance FRR answers {}.
    if not isinstance(found, dict) or not isinstance(found.get("bgpState"), str):
        raise strange(f"neighbour {wanted}", document)
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


def listed(document: dict[str, Any], wanted: str) -> dict[str, Any] | None:
    """One of all sessions ("show bgp neighbors json"). None if the router has no such neighbour."""
    own = {name: entry for name, entry in document.items() if _is_session_with(name, entry, wanted)}
    return neighbor(own, wanted) if own else None


def _is_session_with(name: str, found: Any, wanted: str) -> bool:
    """Whether an entry is the session with an address. FRR lists an unnumbered session under its interface's name."""
    known = name if is_address(name) else found.get("bgpNeighborAddr") if isinstance(found, dict) else None
    return isinstance(known, str) and is_address(known) and address(known) == wanted


def as_number(value: Any) -> int | None:
    """An AS number as an integer. FRR writes a number or a text. With "as-notation dot" the text is like "1.10"."""
    try:
        if isinstance(value, str) and "." in value:
            high, low = value.split(".")
            return int(high) * 65536 + int(low)
        return int(value)
    except (TypeError, ValueError):
        return None


def _seconds(document: dict[str, Any], name: str) -> int | None:
    """A timer in whole seconds. None if it isn't shown. The key ends in Msecs up to FRR 10.4, in Sec from 10.5."""
    for suffix, factor in (("Msecs", 1000), ("Msec", 1000), ("Secs", 1), ("Sec", 1)):
        value = document.get(name + suffix)
        if isinstance(value, (int, float)):
            return int(value / factor)
    return None


def _graceful_restart(found: dict[str, Any], established: bool) -> dict[str, Any]:
    """The facts about graceful restart. None means unknown."""
    info = found.get("gracefulRestartInfo") or {}
    timers = info.get("timers") or {}
    local = _mode(info, "localGrMode")
    # After a session went down, FRR shows as not agreed what was agreed in it.
    of_session = _restart_of_session(found, info, local) if established else dict.fromkeys(_OF_SESSION)
    return {
        "local_mode": local,
        **of_session,
        "restart_time": timers.get("receivedRestartTimer"),
        "remaining": timers.get("restartTimerRemaining"),
    }


def _restart_of_session(found: dict[str, Any], info: dict[str, Any], local: str | None) -> dict[str, Any]:
    """What the two sides of an established session have agreed (the keys of _OF_SESSION)."""
    capabilities = found.get("neighborCapabilities") or {}
    remote = _mode(info, "remoteGrMode")
    return {
        "remote_mode": remote,
        "negotiated": _restart_negotiated(capabilities, local, remote),
        "families": _restart_families(capabilities),
        # What the node sent. FRR's JSON doesn't tell whether the router sent it too.
        "notification": info.get("nBit"),
        "restarted": info.get("rBit"),
        "long_lived": _both(capabilities.get("longLivedGracefulRestart")),
        "long_lived_stale_time": _long_lived_stale_time(info),
    }


def _mode(info: dict[str, Any], key: str) -> str | None:
    """A mode of graceful restart, without the asterisk that FRR adds if the mode is inherited from the instance."""
    mode = info.get(key)
    return mode.rstrip("*") if isinstance(mode, str) else None


def _long_lived_stale_time(info: dict[str, Any]) -> int | None:
    """The longest stale time of all families. None if none is shown."""
    times = []
    for key in FAMILIES.values():
        of_family = info[key].get("timers") if isinstance(info.get(key), dict) else None
        time = (of_family or {}).get("llgrStaleTime")
        if isinstance(time, int):
            times.append(time)
    return max(times) if times else None


def _both(capability: Any) -> bool | None:
    """Whether both sides sent a capability. None if FRR doesn't say."""
    if capability not in ("advertised", "received", "advertisedAndReceived"):
        return None
    return bool(capability == "advertisedAndReceived")


def _restart_negotiated(capabilities: dict[str, Any], local: str | None, remote: str | None) -> bool | None:
    """Whether graceful restart applies to an established session. None means unknown.

    The capabilities are those of the session. The modes are configured, and FRR 8.4 applies them to the next session.
    """
    # FRR 8.4 uses the second key if only one side sent the capability.
    shown = capabilities.get("gracefulRestart", capabilities.get("gracefulRestartCapability"))
    if shown is None and (local, remote) == ("Disable", "NotApplicable"):
        return False  # neither side sent it
    return _both(shown)


def _restart_families(capabilities: dict[str, Any]) -> list[str] | None:
    """The families whose paths the node wants to be kept. None means unknown."""
    listed = capabilities.get("addressFamiliesByPeer")
    if listed == "none":
        return []
    return [family for family, key in FAMILIES.items() if key in listed] if isinstance(listed, dict) else None


def _has_family(found: dict[str, Any], key: str) -> bool:
    return isinstance((found.get("addressFamilyInfo") or {}).get(key), dict)


def _accepted(found: dict[str, Any], key: str) -> int | None:
    """How many prefixes of a family are accepted from the neighbour, fresh and stale. None means unknown."""
    count = found["addressFamilyInfo"][key].get("acceptedPrefixCounter")
    return count if isinstance(count, int) else None
