# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The state of nodes and their sessions with routers, as data and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base.task_results import failure_reason
from ..record.reach import reach
from ..record.router_answers import is_bad
from .words import kept, table

HEAD = ("node", "router", "session", "state", "up", "graceful restart", "accepted", "installed", "stale", "by others")
UNKNOWN = "unknown"
SESSION_KEYS = ("vrf", "address", "state", "established", "uptime_seconds", "hold_time")


def bgp_status(reads: Iterable[Mapping[str, Any]], at: str) -> dict[str, Any]:
    """All that was read, as plain data: {version, at, nodes: [{node, problems, routers: [{router, sessions}]}]}.

    reads: {host, info, cilium, routes} of each node. host is its inventory name. The others are the registered results
    of node_info, cilium_bgp_info and on_routers with frr_bgp_info. A missing result is {}. at: the time of
    the reading (RFC 3339). What couldn't be read is a problem of its node.
    """
    return {"version": 1, "at": at, "nodes": [_node(read) for read in reads]}


def _node(read: Mapping[str, Any]) -> dict[str, Any]:
    info = read["info"] or {"msg": f"{read['host']}: it was not read"}
    cilium = read["cilium"]
    if "node" not in info:
        return {"node": read["host"], "known": False, "problems": [failure_reason(info)], "routers": []}
    node, bgp, record = info["node"], info["bgp"], info["record"]
    answers = read["routes"].get("answers") or {}
    routers = [_router(name, answer) for name, answer in answers.items()]
    return {
        "node": node["name"],
        "known": True,
        "ready": node["ready"],
        "unschedulable": node["unschedulable"],
        "selected": bgp["selected"],
        "label": bgp["label"],
        "record": kept(record, ("holder", "phase", "since")) if record else None,
        "cilium": _cilium(cilium),
        "routers": routers,
        "problems": [
            *(f"{node['name']}: {problem}" for problem in bgp["problems"]),
            *_unknown(node["name"], cilium),
            *_router_problems(routers),
            *_unseen_peers(node["name"], bgp, answers),
        ],
    }


def _router_problems(routers: Iterable[Mapping[str, Any]]) -> list[str]:
    return [f"router {router['router']}: {router['problem']}" for router in routers if router["problem"]]


def _unseen_peers(name: str, bgp: Mapping[str, Any], answers: Mapping[str, Any]) -> list[str]:
    """The peers of a node in service that no router has: a claim would be refused. A router needs no session here."""
    if not bgp["selected"] or any(is_bad(answer) for answer in answers.values()):
        return []
    return reach(name, bgp.get("peers") or [], dict(answers), transit_routers=answers).problems


def _unknown(name: str, cilium: Mapping[str, Any]) -> list[str]:
    """Why Cilium doesn't tell the sessions of a node. Empty if it tells them, or needn't."""
    if "nodes" not in cilium:
        return [failure_reason(cilium)]
    # Without a CiliumBGPNodeConfig there should be no sessions, so a missing answer is no problem.
    return [f"{name}: {read['reason']}" for read in cilium["nodes"] if read["reason"] and read["node_config"]]


def _cilium(read: Mapping[str, Any]) -> dict[str, Any] | None:
    """Cilium's totals {sessions, established, announced}. None if they can't be read."""
    if "nodes" not in read:
        return None
    sessions = read["nodes"][0]["sessions"]
    counts = [count["advertised"] for session in sessions for count in session["routes"]]
    return {
        "sessions": len(sessions),
        "established": sum(session["established"] is True for session in sessions),
        # Unknown if an agent doesn't report. 0 would say that it announces nothing.
        "announced": sum(counts) if counts and None not in counts else None,
    }


def _router(name: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    if "neighbors" not in answer:
        away = "unreachable by SSH, so its routes are unknown: " if answer.get("unreachable") else ""
        return {"router": name, "problem": away + failure_reason(answer), "sessions": [], "by_others": None}
    own = {(neighbor["vrf"], neighbor["address"]) for neighbor in answer["neighbors"]}
    others = [route for route in answer["routes"] if (route["vrf"], route["from"]) not in own]
    return {
        "router": name,
        "problem": "",
        "sessions": [_session(neighbor, answer["routes"]) for neighbor in answer["neighbors"]],
        # Paths over the node that another router passes on.
        "by_others": len(others),
    }


def _session(neighbor: Mapping[str, Any], routes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    own = [route for route in routes if (route["vrf"], route["from"]) == (neighbor["vrf"], neighbor["address"])]
    return {
        **kept(neighbor, SESSION_KEYS),
        "graceful_restart": dict(neighbor["graceful_restart"]),
        "accepted": dict(neighbor["accepted"]),
        "installed": sum(bool(route["installed"]) for route in own),
        "stale": sum(bool(route["stale"]) for route in own),
    }


def status_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """The cells of the table. The first row is HEAD, then comes a row for each session."""
    rows = [list(HEAD)]
    for node in summary["nodes"]:
        for router in node["routers"]:
            rows += [[node["node"], *cells] for cells in _router_rows(router)]
        if not node["routers"]:
            rows.append([node["node"], "-", "-", UNKNOWN, "", "", "", "", "", UNKNOWN])
    return rows


def _router_rows(router: Mapping[str, Any]) -> list[list[str]]:
    """A row for each session of a node with this router, without the node. One row with the reason if there is none."""
    others = UNKNOWN if router["by_others"] is None else str(router["by_others"])
    if not router["sessions"]:
        state = UNKNOWN if router["problem"] else "no session"
        return [[router["router"], "-", state, "", "", "", "", "", others]]
    return [[router["router"], *_session_cells(session), others] for session in router["sessions"]]


def _session_cells(session: Mapping[str, Any]) -> list[str]:
    vrf = "" if session["vrf"] == "default" else f" ({session['vrf']})"
    return [
        session["address"] + vrf,
        session["state"],
        _age(session["uptime_seconds"]),
        _graceful_restart(session["graceful_restart"]),
        str(sum(session["accepted"].values())),
        str(session["installed"]),
        str(session["stale"]),
    ]


def status_problems(summary: Mapping[str, Any]) -> list[str]:
    """All problems, each once: an unreachable router is a problem of every node."""
    found: dict[str, None] = {}
    for node in summary["nodes"]:
        found |= dict.fromkeys(node["problems"])
    return list(found)


def status_page(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the HTML page."""
    return {
        "at": summary["at"],
        "problems": status_problems(summary),
        "nodes": [_node_line(node) for node in summary["nodes"]],
        "rows": status_rows(summary),
    }


def status_lines(summary: Mapping[str, Any], files: Iterable[str] = ()) -> list[str]:
    """The lines for the terminal: one for each node, the table, the problems, and the files that were written."""
    nodes = [_node_line(node) for node in summary["nodes"]]
    problems = [f"problem: {problem}" for problem in status_problems(summary)]
    return [*nodes, "", *table(status_rows(summary)), "", *(problems or ["no problem found"]), *files]


def _node_line(node: Mapping[str, Any]) -> str:
    if not node["known"]:
        return f"{node['node']}: {UNKNOWN}"
    ready = {True: "Ready", False: "not Ready", None: "Ready unknown"}[node["ready"]]
    words = [f"{ready}{', cordoned' if node['unschedulable'] else ''}"]
    label = node["label"]
    by = f" by {label['key']}={label['value']}" if label and label["value"] is not None else ""
    words.append(f"selected for BGP{by}" if node["selected"] else "not selected for BGP")
    cilium = node["cilium"]
    if cilium:
        announced = UNKNOWN if cilium["announced"] is None else cilium["announced"]
        sessions = f"{cilium['established']} of {cilium['sessions']} sessions established"
        words.append(f"Cilium says: {sessions}, routes announced: {announced}")
    if node["record"]:
        words.append("held by {holder} since {since}, phase {phase}".format(**node["record"]))
    return f"{node['node']}: {'; '.join(words)}"


def _graceful_restart(known: Mapping[str, Any]) -> str:
    """Graceful restart of a session as short text: "off", "120 s, N". N: stale paths survive a NOTIFICATION."""
    if known["negotiated"] is None:
        return UNKNOWN
    if not known["negotiated"]:
        return "off"
    time = UNKNOWN if known["restart_time"] is None else f"{known['restart_time']} s"
    return f"{time}, N" if known["notification"] else time


def _age(seconds: float | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return ""
    for name, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= length:
            return f"{seconds // length:.0f} {name} {seconds % length // part:.0f} {smaller}"
    return f"{seconds:.0f} s"
