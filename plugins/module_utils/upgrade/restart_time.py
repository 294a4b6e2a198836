# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How long an agent may be away before routers drop the node's routes, against how long its restart takes.

The speaker lives in the agent. It ends without a NOTIFICATION, and graceful restart (RFC 4724) has each router keep the
routes for the restart time that it received, beginning with the end of the TCP connection. What isn't known is a
problem. Pure functions over the results of frr_bgp_info and the specs of CiliumBGPPeerConfigs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Cilium's default for timers.connectRetryTimeSeconds. GoBGP waits for T to 2T between two tries to connect.
CONNECT_RETRY = 120


def budget(
    routers: dict[str, list[dict[str, Any]] | None],
    peer_configs: Iterable[dict[str, Any] | None] = (),
    measured: Iterable[float] = (),
    *,
    margin: float = 0.25,
) -> dict[str, Any]:
    """{available, needed, measured, problems, warnings, sessions}: seconds that are there, and seconds that it takes.

    routers: router -> neighbors as frr_bgp_info or a record has them, None = it couldn't be asked. peer_configs: specs
    of the node's CiliumBGPPeerConfigs, None = unknown. measured: seconds of restarts so far. margin: how much longer
    than the longest of them the next one may take, as a part. needed is None where nothing was measured. problems: why
    the node's agent mustn't be restarted as it is; [] = it may.
    """
    rows = [row for router, neighbors in routers.items() for row in _rows(router, neighbors)]
    longest = max(measured, default=None)
    needed = None if longest is None else round(longest * (1 + margin), 1)
    known = [row["seconds"] for row in rows if row["seconds"] is not None]
    available = min(known, default=None)
    problems = list(dict.fromkeys(row["problem"] for row in rows if row["problem"]))
    if not rows:
        problems.append("no router has a session with it, so whether its routes would be kept isn't known")
    warnings = []
    if available is not None and needed is not None and needed > available:
        tight = next(row for row in rows if row["seconds"] == available)
        problems.append(
            f"its restart may take {needed:g} s ({longest:g} s were measured, and {margin:.0%} for safety), and "
            f"{tight['where']} keeps its routes for {available} s only: raise gracefulRestart.restartTimeSeconds in "
            f"its CiliumBGPPeerConfig"
        )
    elif available is not None and needed is None:
        warnings.append(f"no restart was measured yet, so whether it ends within the {available} s isn't known")
    if available is not None:
        warnings += _retries(available, longest or 0.0, peer_configs)
    return {
        "available": available,
        "needed": needed,
        "measured": longest,
        "problems": problems,
        "warnings": warnings,
        "sessions": rows,
    }


def _rows(router: str, neighbors: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Each family of each session with the node: for how long the router keeps its routes (seconds None: problem)."""
    if neighbors is None:
        problem = "it wasn't asked, so whether it would keep the routes isn't known"
        return [_row(router, None, None, None, f"router {router}", problem)]
    found = []
    for neighbor in neighbors:
        # Sessions that the router's own configuration shuts down carry nothing.
        if neighbor.get("shut"):
            continue
        restart = neighbor.get("graceful_restart") or {}
        families = neighbor.get("accepted") or restart.get("families") or [None]
        found += [_family(router, neighbor, restart, family) for family in families]
    return found


def _family(router: str, neighbor: dict[str, Any], restart: dict[str, Any], family: str | None) -> dict[str, Any]:
    vrf = neighbor.get("vrf") or "default"
    where = f"router {router}, session {neighbor['address']}"
    where += (f" in VRF {vrf}" if vrf != "default" else "") + (f", {family}" if family else "")
    seconds, problem = None, None
    kept = restart.get("families")
    if not neighbor.get("established"):
        problem = "it isn't up now"
    elif restart.get("negotiated") is None:
        problem = "the router doesn't say whether graceful restart was negotiated"
    elif not restart["negotiated"]:
        problem = "without graceful restart, the routes are dropped the moment the agent stops"
    elif kept is not None and family is not None and family not in kept:
        problem = "graceful restart was not negotiated for this family"
    elif not restart.get("restart_time"):
        problem = "the router doesn't say for how long it keeps the routes"
    else:
        seconds = restart["restart_time"]
    return _row(router, neighbor["address"], family, seconds, where, problem, neighbor.get("hold_time"))


def _row(
    router: str,
    session: str | None,
    family: str | None,
    seconds: int | None,
    where: str,
    problem: str | None,
    hold_time: int | None = None,
) -> dict[str, Any]:
    return {
        "router": router,
        "session": session,
        "family": family,
        "seconds": seconds,
        "hold_time": hold_time,
        "where": where,
        "problem": f"{where}: {problem}" if problem else None,
    }


def _retries(available: int, longest: float, peer_configs: Iterable[dict[str, Any] | None]) -> list[str]:
    """What a first connection that fails would do to the budget, with the setting to change."""
    specs = list(peer_configs)
    if any(spec is None for spec in specs):
        return ["its CiliumBGPPeerConfigs couldn't be read, so how soon it connects again isn't known"]
    times = [((spec or {}).get("timers") or {}).get("connectRetryTimeSeconds", CONNECT_RETRY) for spec in specs]
    retry = max(times, default=0)
    left = available - longest
    if longest + 2 * retry <= available or not retry:
        return []
    advice = max(1, int(left // 2))
    return [
        f"if its first try to connect fails, the next one comes after {retry} to {2 * retry} s, and then the "
        f"{available} s may be over: set timers.connectRetryTimeSeconds to {advice} or less in its CiliumBGPPeerConfig "
        f"(it is {retry})"
    ]
