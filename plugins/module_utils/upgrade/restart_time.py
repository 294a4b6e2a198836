# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The budget: how long routers keep a node's routes while its agent is away, and how long its restart takes.

The BGP speaker is part of the agent. It ends without a NOTIFICATION. So by graceful restart (RFC 4724) each router
keeps the routes for the restart time that it received, from the end of the TCP connection on. Unknown counts as a
problem. Pure functions over the results of frr_bgp_info and the specs of CiliumBGPPeerConfigs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Cilium's default of timers.connectRetryTimeSeconds. GoBGP waits once to twice this time between two tries to connect.
CONNECT_RETRY = 120

Neighbors = list[dict[str, Any]]
PeerConfigs = list[dict[str, Any] | None]


def budget(
    routers: Mapping[str, Neighbors | None],
    peer_configs: Iterable[dict[str, Any] | None] = (),
    measured: Iterable[float] = (),
    *,
    margin: float = 0.25,
) -> dict[str, Any]:
    """{available, needed, measured, problems, warnings, sessions}: the seconds that there are, and those it takes.

    routers: router -> neighbors as frr_bgp_info or a record has them, None if it couldn't be asked. peer_configs: specs
    of the node's CiliumBGPPeerConfigs, None if unknown. measured: seconds of the restarts so far. margin: how much
    longer than the longest of them the next one may take, as a fraction. needed is None if nothing was measured.
    problems: why the node's agent mustn't be restarted; [] if it may.
    """
    rows: list[dict[str, Any]] = []
    for router, neighbors in routers.items():
        rows += _rows(router, neighbors)
    tight = min((row for row in rows if row["seconds"] is not None), key=lambda row: int(row["seconds"]), default=None)
    longest = max(measured, default=None)
    needed = None if longest is None else round(longest * (1 + margin), 1)
    problems = _unkept(rows)
    warnings = []
    if tight:
        if needed is None:
            seconds = tight["seconds"]
            warnings.append(f"no restart was measured yet, so it isn't known whether it ends within {seconds} s")
        elif needed > tight["seconds"]:
            problems.append(
                f"its restart may take {needed:g} s ({longest:g} s measured, and {margin:.0%} more by agent_margin), "
                f"but {tight['where']} keeps its routes for only {tight['seconds']} s: raise "
                f"gracefulRestart.restartTimeSeconds in its CiliumBGPPeerConfig"
            )
        warnings += _retries(tight["seconds"], longest or 0.0, list(peer_configs))
    return {
        "available": tight["seconds"] if tight else None,
        "needed": needed,
        "measured": longest,
        "problems": problems,
        "warnings": warnings,
        "sessions": rows,
    }


def node_budget(
    record: Mapping[str, Any],
    routers: Iterable[str],
    peer_configs: Iterable[dict[str, Any] | None],
    measured: Iterable[float],
    *,
    margin: float,
    without_gr: str,
) -> dict[str, Any]:
    """The budget of a claimed node, and the way of its restart.

    way: restart, drain (take the node out of BGP for the restart), or refuse. record: the record of the claim, with the
    sessions that each router had with the node.
    """
    sessions = record["before"].get("sessions") or {}
    found = budget({router: sessions.get(router) for router in routers}, peer_configs, measured, margin=margin)
    otherwise = "drain" if without_gr == "drain" else "refuse"
    return {**found, "way": otherwise if found["problems"] else "restart"}


def _unkept(rows: list[dict[str, Any]]) -> list[str]:
    """Why routers would not keep the routes, each reason once."""
    if not rows:
        return ["no router has a session with it, so it isn't known whether its routes would be kept"]
    return list(dict.fromkeys(row["problem"] for row in rows if row["problem"]))


def _rows(router: str, neighbors: Neighbors | None) -> list[dict[str, Any]]:
    """For each family of each session with the node: how long the router keeps the routes, None with a problem."""
    if neighbors is None:
        problem = "it wasn't asked, so it isn't known whether it would keep the routes"
        return [_row(router, f"router {router}", problem=problem)]
    found = []
    for neighbor in neighbors:
        # A session that the router's configuration shuts down carries no routes.
        if neighbor.get("shut"):
            continue
        restart = neighbor.get("graceful_restart") or {}
        for family in neighbor.get("accepted") or restart.get("families") or [None]:
            found.append(_family(router, neighbor, restart, family))
    return found


def _family(router: str, neighbor: dict[str, Any], restart: dict[str, Any], family: str | None) -> dict[str, Any]:
    problem = _family_problem(neighbor, restart, family)
    return _row(
        router,
        _where(router, neighbor, family),
        session=neighbor["address"],
        family=family,
        seconds=None if problem else restart["restart_time"],
        hold_time=neighbor.get("hold_time"),
        problem=problem,
    )


def _where(router: str, neighbor: dict[str, Any], family: str | None) -> str:
    vrf = neighbor.get("vrf") or "default"
    words = f"router {router}, session {neighbor['address']}"
    if vrf != "default":
        words += f" in VRF {vrf}"
    return f"{words}, {family}" if family else words


def _family_problem(neighbor: dict[str, Any], restart: dict[str, Any], family: str | None) -> str | None:
    """Why the router would not keep the routes of this session and family, None if it would."""
    kept = restart.get("families")
    if not neighbor.get("established"):
        return "it isn't up now"
    if restart.get("negotiated") is None:
        return "the router doesn't say whether graceful restart was negotiated"
    if not restart["negotiated"]:
        return "graceful restart was not negotiated, so the routes are dropped as soon as the agent stops"
    if kept is not None and family is not None and family not in kept:
        return "graceful restart was not negotiated for this family"
    if not restart.get("restart_time"):
        return "the router doesn't say how long it keeps the routes"
    return None


def _row(
    router: str,
    where: str,
    *,
    session: str | None = None,
    family: str | None = None,
    seconds: int | None = None,
    hold_time: int | None = None,
    problem: str | None,
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


def _retries(available: int, longest: float, peer_configs: PeerConfigs) -> list[str]:
    """A warning if the budget doesn't allow a second try to connect, with the setting to change."""
    times = []
    for spec in peer_configs:
        if spec is None:
            return ["its CiliumBGPPeerConfigs couldn't be read, so it isn't known how soon it connects again"]
        times.append((spec.get("timers") or {}).get("connectRetryTimeSeconds", CONNECT_RETRY))
    retry = max(times, default=0)
    left = available - longest
    if not retry or 2 * retry <= left:
        return []
    advice = max(1, int(left // 2))
    return [
        f"if its first try to connect fails, the next one comes after {retry} to {2 * retry} s, which may be too late "
        f"for the {available} s: set timers.connectRetryTimeSeconds in its CiliumBGPPeerConfig to {advice} or less "
        f"(it is {retry})"
    ]
