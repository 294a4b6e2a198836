# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a node announces according to Cilium, before a change and after it, if the routers can't be asked.

Pure functions over what bgp_sessions.facts() returns of a node. What a router did with it isn't in there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..base import net

Facts = dict[str, Any]


def kept(facts: Facts) -> dict[str, Any]:
    """What a claim remembers: the source, each session with its numbers of routes, and the prefixes.

    prefixes None: the source says only how many there are.
    """
    sessions = []
    for session in facts["sessions"]:
        who = {key: session[key] for key in ("instance", "peer", "address", "established")}
        sessions.append({**who, "advertised": _advertised(session)})
    prefixes = None
    if facts["routes"] and facts["routes"].get("advertised") is not None:
        prefixes = sorted({route["prefix"] for route in facts["routes"]["advertised"]})
    return {"source": facts["source"], "sessions": sessions, "prefixes": prefixes}


def _advertised(session: dict[str, Any]) -> dict[str, int]:
    """Family -> how many routes a session announces."""
    return {f"{family['afi']}/{family['safi']}": family["advertised"] or 0 for family in session["routes"]}


def problems(name: str, facts: Facts, peers: list[dict[str, Any]]) -> list[str]:
    """Why this can't be a baseline; empty if it can.

    peers: of the sessions, in their order, see per_session.estimate.
    """
    if not facts["known"]:
        return [f"what {name} announces is unknown: {facts['reason']}"]
    up = [(session, peer) for session, peer in zip(facts["sessions"], peers, strict=True) if session["established"]]
    if not up:
        names = ", ".join(f"{_name(session)} {session['state']}" for session in facts["sessions"])
        return [f"{name} has no established session by Cilium's word ({names or 'no peers'})"]
    if not any(_announces(session, peer) for session, peer in up):
        return [f"{name} announces no route by Cilium's word: there is nothing that could be withdrawn"]
    return []


def _announces(session: dict[str, Any], peer: dict[str, Any]) -> bool:
    """Whether a session has routes. With graceful restart GoBGP counts the End-of-RIB of each family as a route."""
    wanted = ((peer["peer_config"] or {}).get("gracefulRestart") or {}).get("enabled")
    applied = (peer["graceful_restart"] or {}).get("enabled")
    marks = 1 if wanted or applied or peer["peer_config"] is None else 0
    return any((family["advertised"] or 0) > marks for family in session["routes"])


def missing(before: list[dict[str, Any]], facts: Facts, local: Iterable[str] = ()) -> list[str]:
    """What is not yet as before, in words; [] means that everything is announced again.

    local: VIPs that were announced and come back only when their pods do.
    """
    if not facts["known"]:
        return [f"unknown: {facts['reason']}"]
    fewer = Counter(f"{net.family(prefix)}/unicast" for prefix in local)
    now = {_key(session): session for session in facts["sessions"]}
    lacking = []
    for session in before:
        # A session that was down before isn't waited for.
        if session["established"]:
            lacking += _lacking(session, now.get(_key(session)), fewer)
    return lacking


def _key(session: dict[str, Any]) -> tuple[Any, ...]:
    return session["instance"], session["peer"], session["address"]


def _lacking(before: dict[str, Any], now: dict[str, Any] | None, fewer: Counter[str]) -> list[str]:
    """What one session lacks. fewer: how many routes of each family may be missing."""
    if now is None or not now["established"]:
        return [f"session with {_name(before)} is {now['state'] if now else 'not there'}"]
    lacking = []
    counts = _advertised(now)
    for family, number in before["advertised"].items():
        found, wanted = counts.get(family, 0), number - fewer[family]
        if found < wanted:
            lacking.append(f"{found} of {wanted} routes of {family} are announced to {_name(before)}")
    return lacking


def left(facts: Facts) -> str | None:
    """Why a node's sessions aren't known to be closed. None if the agent itself says that it has none."""
    if not facts["known"]:
        return f"unknown: {facts['reason']}"
    open_ = [f"{_name(session)} {session['state']}" for session in facts["sessions"]]
    return f"its agent still has sessions: {', '.join(open_)}" if open_ else None


def _name(session: dict[str, Any]) -> str:
    return f"{session['peer'] or session['address']}"
