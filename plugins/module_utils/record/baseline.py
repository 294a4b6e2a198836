# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the routers say of a node before any change: what a claim keeps of it, and why it may not be enough.

The withdrawal of routes that were never seen can't be verified. Pure functions over the results of frr_bgp_info.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..frr.link_local import is_link_local

Routes = dict[str, dict[str, dict[str, list[str]]]]


@dataclass(frozen=True)
class Baseline:
    """Prefixes by router, VRF and table; sessions by router; and every reason why this can't be a baseline.

    next_hops: router -> all next hops of its paths from the node, link-local ones included.
    """

    routes: Routes
    sessions: dict[str, list[dict[str, Any]]]
    next_hops: dict[str, list[str]]
    problems: list[str]


def baseline(name: str, answers: dict[str, Any] | None) -> Baseline:
    """What to remember of the routers' answers (router -> result of frr_bgp_info). No answer is never good."""
    strangers = _strangers([answer for answer in (answers or {}).values() if is_answer(answer)])
    next_hops: dict[str, list[str]] = {}
    routes: Routes = {}
    sessions: dict[str, list[dict[str, Any]]] = {}
    problems = []
    for router, answer in sorted((answers or {}).items()):
        if is_answer(answer):
            routes[router] = _routes(answer)
            sessions[router] = _sessions(answer)
            problems += _unseen(router, answer)
            next_hops[router] = _next_hops(answer, strangers)
        else:
            problems.append(f"what router {router} has of the node is unknown ({reason(answer)})")
    if not answers:
        problems.append("no router was asked for its routes to the node (claim_routers is empty)")
    if routes:
        problems += _lacking(name, routes, sessions)
    return Baseline(routes, sessions, next_hops, problems)


def _routes(answer: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """VRF -> table -> the prefixes that a router has of the node."""
    found: dict[str, dict[str, set[str]]] = {}
    for table, key in (("bgp", "routes"), ("fib", "fib")):
        for entry in answer[key]:
            tables = found.setdefault(entry.get("vrf") or "default", {"bgp": set(), "fib": set()})
            # A prefix that a larger route covers has no route of its own. A return would wait for one.
            if entry.get("matched", entry["prefix"]) == entry["prefix"]:
                tables[table].add(entry["prefix"])
    routes = {}
    for vrf, tables in sorted(found.items()):
        routes[vrf] = {table: sorted(prefixes_) for table, prefixes_ in tables.items()}
    return routes


def _sessions(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The sessions that a router has with the node."""
    keys = ("vrf", "address", "established", "graceful_restart", "hold_time")
    return [{key: neighbor.get(key) for key in keys} for neighbor in answer["neighbors"]]


def _unseen(router: str, answer: dict[str, Any]) -> list[str]:
    """Why a router's kernel proves nothing: it doesn't show what zebra has installed for the node."""
    missing = answer.get("uninstalled") or []
    if not missing:
        return []
    first = missing[0]
    vrf = "" if first["vrf"] == "default" else f" in VRF {first['vrf']}"
    more = f" ({len(missing) - 1} more like it)" if len(missing) > 1 else ""
    return [
        f"router {router}: zebra says that {first['prefix']}{vrf} is {first['zebra']}, and the kernel that was asked"
        f" says {first['kernel']}{more}: it isn't the kernel that FRR uses, so it would prove nothing; set router_exec"
        " to the command that runs vtysh and ip where FRR is (such as 'ip netns exec blue' or 'docker exec frr'), or"
        " use evidence=cilium"
    ]


def _next_hops(answer: dict[str, Any], strangers: set[str]) -> list[str]:
    """The next hops of a router's paths from the node's sessions, without those where another speaker is."""
    found: set[str] = set()
    for neighbor in answer["neighbors"]:
        found.update(neighbor.get("next_hops") or [])
    return sorted(found - strangers)


def _strangers(answers: list[dict[str, Any]]) -> set[str]:
    """Global addresses of speakers that aren't the node: no router's session with the node has their identifier.

    A daemon on the node may hand on paths of others, whose next hops are these.
    """
    own: set[str | None] = {None}
    for answer in answers:
        own.update(neighbor.get(key) for neighbor in answer["neighbors"] for key in ("address", "router_id"))
    found = set()
    for answer in answers:
        for speaker in answer.get("speakers") or []:
            known = speaker["router_id"] is not None and speaker["address"] is not None
            if known and not own & {speaker["address"], speaker["router_id"]} and not is_link_local(speaker["address"]):
                found.add(speaker["address"])
    return found


def _lacking(name: str, routes: Routes, sessions: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What is missing on the routers that answered."""
    asked = ", ".join(routes)
    problems = []
    if not any(session["established"] for found in sessions.values() for session in found):
        problems.append(f"no router has an established session with {name} ({asked})")
    if not prefixes(routes):
        problems.append(f"no router has a route to {name} ({asked}): there is nothing to watch being withdrawn")
    return problems


def is_answer(answer: Any) -> bool:
    """Whether a router's answer is usable: not failed, not unreachable, not skipped, with all its lists."""
    return (
        isinstance(answer, dict)
        and not any(answer.get(bad) for bad in ("failed", "unreachable", "skipped"))
        and all(isinstance(answer.get(key), list) for key in ("neighbors", "routes", "fib"))
    )


def reason(answer: Any) -> str:
    """Why a router's answer isn't usable."""
    if not isinstance(answer, dict):
        return "no answer"
    return str(answer.get("msg") or ("unreachable" if answer.get("unreachable") else "not an answer of frr_bgp_info"))


def prefixes(routes: Routes) -> list[str]:
    """All prefixes of a baseline, each once."""
    every: set[str] = set()
    for vrfs in routes.values():
        for tables in vrfs.values():
            for found in tables.values():
                every.update(found)
    return sorted(every)
