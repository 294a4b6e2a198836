# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How long routers may send to a node after an event. This is an upper bound, for routers that can't be asked.

It comes from what each session negotiated (frr_bgp_info) and what the node asks for (CiliumBGPPeerConfig). For what is
unknown the worst case counts. RFC 4271 (hold time), 4724 (graceful restart), 8538 (N bit, Hard Reset), 9494
(long-lived).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError

# What happens to the node, and how its routers notice:
#   prefix_withdrawn  the session stays, an UPDATE withdraws the prefixes
#   deselected        the agent closes the sessions with a NOTIFICATION (Cease)
#   agent_stops       the TCP connections end without a NOTIFICATION: restart, crash, shutdown of the operating system
#   silent_loss       they get nothing at all: loss of power, or of a link that isn't the router's own
EVENTS = ("prefix_withdrawn", "deselected", "agent_stops", "silent_loss")
# From a timer's end or a message to the kernel's table on the last router. bgpd collects changes for 50 ms, and another
# router passes the withdrawal on by iBGP. Measured: 0.2 s; up to 1.0 s on a busy machine, with the command.
PROCESSING = 2
# The field has 12 bits (RFC 4724, section 3).
LONGEST_RESTART = 4095
# Cilium's default for gracefulRestart.restartTimeSeconds.
DEFAULT_RESTART = 120


@dataclass(frozen=True)
class Session:
    """What is known of one session and family; None = unknown. where, restart_from, hold_from: words for people."""

    where: str
    row: dict[str, Any]
    established: bool | None
    negotiated: bool | None
    notification: bool | None
    restart_time: int
    restart_from: str
    hold_time: int | None
    hold_from: str
    long_lived: bool | None
    long_lived_time: int | None


@dataclass(frozen=True)
class Offer:
    """What the node asks its routers for; None = unknown."""

    graceful_restart: bool | None = None
    restart_time: int | None = None
    hold_time: int | None = None
    long_lived: bool | None = None


def estimate(
    event: str,
    routers: dict[str, list[dict[str, Any]] | None],
    peers: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """{event, seconds, unbounded, reason, sessions}: the bound over all sessions, and each one's (seconds None: none).

    routers: router -> neighbors as frr_bgp_info returns them, read BEFORE the event; None = it couldn't be asked.
    peers: {name, peer_config (spec of the CiliumBGPPeerConfig, None = unknown), hold_time (as the agent reports it is
    applied, None = unknown), graceful_restart (as the agent has it, None = unknown)} of each peer that Cilium has for
    the node.
    """
    if event not in EVENTS:
        raise HitlessError(f"no estimate for event {event!r}: one of {', '.join(EVENTS)}")
    rows = []
    for session in _sessions(routers, peers or []):
        seconds, reason = _bound(event, session)
        rows.append({**session.row, "seconds": seconds, "unbounded": seconds is None, "reason": reason})
    worst = max(rows, key=lambda row: float("inf") if row["unbounded"] else row["seconds"])
    return {"event": event, **{key: worst[key] for key in ("seconds", "unbounded", "reason")}, "sessions": rows}


def with_measured(bound: dict[str, Any], measured: dict[str, Any] | None, *, unchanged: bool) -> dict[str, Any]:
    """A bound, combined with what was once measured on the routers for the same event. It is never shorter than that.

    measured: {event, seconds, at, router, family}. unchanged: what decides the time is as it was at the measurement.
    Then the measured time (and the routers' own) counts instead of the worst case.
    """
    if measured is None or measured["event"] != bound["event"]:
        return bound
    seconds = math.ceil(measured["seconds"]) + PROCESSING
    where = f"{measured['seconds']} s on router {measured['router']}, {measured['family']}, at {measured['at']}"
    if unchanged:
        return {
            **bound,
            "seconds": seconds,
            "unbounded": False,
            "reason": f"measured {where}, with the same Cilium and settings, {PROCESSING} s for the routers to act",
        }
    if bound["unbounded"] or seconds <= bound["seconds"]:
        return bound
    return {**bound, "seconds": seconds, "reason": f"{bound['reason']}; but measured {where}, with other settings"}


def _sessions(routers: dict[str, list[dict[str, Any]] | None], peers: list[dict[str, Any]]) -> Iterator[Session]:
    """Every session and family that may hold routes to the node; at least one."""
    if all(neighbors is not None and not neighbors for neighbors in routers.values()):
        yield from _of_peers(peers)
        return
    offer = _offer(peers)
    for router, neighbors in routers.items():
        if neighbors is None:
            yield _filled(f"router {router}, which wasn't asked", _row(router, None, None, None), {}, offer)
            continue
        for neighbor in neighbors:
            yield from _of_neighbor(router, neighbor, offer)


def _of_peers(peers: list[dict[str, Any]]) -> Iterator[Session]:
    """If no router is known to have a session: those that Cilium has, or one with everything unknown."""
    for peer in peers or [{"name": None}]:
        named = f"peer {peer['name']}" if peer["name"] else "a session that nothing is known of"
        yield _filled(named, _row(None, None, peer["name"], None), {}, _offer([peer]))


def _of_neighbor(router: str, neighbor: dict[str, Any], offer: Offer) -> Iterator[Session]:
    """A session that a router has, for each family in which it has routes."""
    vrf = neighbor.get("vrf") or "default"
    where = f"router {router}, session {neighbor['address']}"
    if vrf != "default":
        where += f" in VRF {vrf}"
    for family in neighbor.get("accepted") or [None]:
        named = f"{where}, {family}" if family else where
        yield _filled(named, _row(router, vrf, neighbor["address"], family), neighbor, offer)


def _row(router: str | None, vrf: str | None, address: str | None, family: str | None) -> dict[str, Any]:
    return {"router": router, "vrf": vrf, "session": address, "family": family}


def _offer(peers: list[dict[str, Any]]) -> Offer:
    """The worst case of what the node asks its peers for. It isn't known which peer belongs to which session."""
    if not peers:
        return Offer()
    hold = _longest_hold([peer.get("hold_time") for peer in peers])
    if any(peer.get("peer_config") is None for peer in peers):
        return Offer(hold_time=hold)
    times: list[int] = []
    for peer in peers:
        times += _restart_times(peer)
    return Offer(
        graceful_restart=bool(times),
        restart_time=max(times, default=0),
        hold_time=hold,
        # Cilium has no such setting.
        long_lived=False,
    )


def _longest_hold(seconds: list[int | None]) -> int | None:
    """The longest of some hold times, None if one isn't known.

    They are those that the agent applies. The PeerConfig's may differ: a router that is configured with 0 makes it 0.
    """
    known = [hold for hold in seconds if hold is not None]
    if len(known) < len(seconds):
        return None
    # A hold time of 0 switches the timer off: it is the longest.
    return 0 if 0 in known else max(known)


def _restart_times(peer: dict[str, Any]) -> list[int]:
    """The restart times that the node may have asked a peer for; none without graceful restart."""
    times: list[int] = []
    wanted = peer["peer_config"].get("gracefulRestart") or {}
    if wanted.get("enabled"):
        times.append(wanted.get("restartTimeSeconds", DEFAULT_RESTART))
    # A session that is up was opened with the PeerConfig of that time. The agent still has it.
    applied = peer.get("graceful_restart") or {}
    if applied.get("enabled"):
        times.append(applied.get("restart_time") or LONGEST_RESTART)
    return times


def _filled(where: str, row: dict[str, Any], neighbor: dict[str, Any], offer: Offer) -> Session:
    """A session as its router knows it. What the router doesn't say is as the node asks for it."""
    established = neighbor.get("established")
    restart = neighbor.get("graceful_restart") or {}
    # For a session that is down FRR shows the values of the last one, or the configured ones.
    read = restart if established else {}
    negotiated = _negotiated(read, row["family"], offer)
    time, source = _restart_time(read, offer)
    # While this timer runs, the session's paths are stale.
    remaining = restart.get("remaining") or 0
    if remaining:
        # This holds whatever the node asks for in the meantime.
        negotiated = None
    if remaining > time:
        time, source = remaining, "that the router still keeps stale paths"
    hold = neighbor.get("hold_time") if established else None
    return Session(
        where=where,
        row=row,
        established=established,
        negotiated=negotiated,
        notification=read.get("notification"),
        restart_time=time,
        restart_from=source,
        hold_time=_either(hold, offer.hold_time),
        hold_from="of the router" if hold is not None else "that the agent reports",
        long_lived=_either(read.get("long_lived"), offer.long_lived),
        long_lived_time=read.get("long_lived_stale_time"),
    )


def _negotiated(read: dict[str, Any], family: str | None, offer: Offer) -> bool | None:
    """Whether graceful restart is in force for a family, None if that isn't known."""
    families = read.get("families")
    if families is not None and family is not None and family not in families:
        return False
    if read.get("negotiated") is not None:
        return bool(read["negotiated"])
    return False if offer.graceful_restart is False else None


def _restart_time(read: dict[str, Any], offer: Offer) -> tuple[int, str]:
    """For how many seconds stale paths are kept, and where that comes from."""
    if read.get("restart_time") is not None:
        return read["restart_time"], "received by the router"
    if offer.restart_time is not None:
        return offer.restart_time, "of the CiliumBGPPeerConfig"
    return LONGEST_RESTART, "unknown, the longest there is"


def _either(first: Any, second: Any) -> Any:
    return second if first is None else first


def _bound(event: str, session: Session) -> tuple[int | None, str]:
    """Seconds (None = unbounded) until one session's paths are gone, and why."""
    parts = []
    noticed: int | None = 0
    if event == "prefix_withdrawn" and session.established:
        kept: int | None = 0
        parts.append("withdrawn by an UPDATE")
    else:
        if event == "silent_loss":
            noticed, why = _noticed(session)
            parts.append(why)
        kept, why = _stale(event, session)
        parts.append(why)
    if noticed is None or kept is None:
        return None, f"{session.where}: {', '.join(parts)}"
    return noticed + kept + PROCESSING, f"{session.where}: {', '.join(parts)}, {PROCESSING} s for the routers to act"


def _noticed(session: Session) -> tuple[int | None, str]:
    """After how many seconds (None = unbounded) the router notices the silence, and why."""
    if session.hold_time is None:
        return None, "perhaps never noticed (the hold time isn't known, and could be 0)"
    if session.hold_time == 0:
        return None, "never noticed (the hold time is 0)"
    return session.hold_time, f"noticed after the hold time of {session.hold_time} s ({session.hold_from})"


def _stale(event: str, session: Session) -> tuple[int | None, str]:
    """For how many seconds (None = unbounded) the router keeps the paths after the session ended, and why."""
    if session.negotiated is False:
        return 0, "removed at once (no graceful restart)"
    # At a silent loss the router sends a NOTIFICATION (Hold Timer Expired).
    notified = event in ("deselected", "silent_loss")
    if notified and session.notification is False:
        return 0, "removed at once (the node didn't send the N bit: a NOTIFICATION ends graceful restart)"
    sure = session.negotiated and (session.notification or not notified)
    perhaps = "" if sure else "perhaps "
    words = f"{perhaps}kept as stale for the restart time of {session.restart_time} s ({session.restart_from})"
    if session.long_lived is False:
        return session.restart_time, words
    if session.long_lived is None:
        return None, f"{words}, and long-lived graceful restart may be negotiated"
    if session.long_lived_time is None:
        return None, f"{words}, and long-lived graceful restart is negotiated, for a time that isn't known"
    return session.restart_time + session.long_lived_time, f"{words} and {session.long_lived_time} s (long-lived)"
