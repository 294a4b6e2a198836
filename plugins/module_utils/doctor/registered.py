# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Puts together what tasks registered of the cluster, Cilium and the routers, and judges it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base.task_results import failure_reason
from .diagnosis import examine, strict

# The loop variable of the task that loops over the hosts that try addresses.
ROUTER = "__router"


def bgp_diagnosis(read: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The diagnosis as plain data: {version, at, asked, nodes, verdict, stage, reason, remedy, stages, logs, ...}.

    read has the registered results: cluster (of vip_info), cilium (of cilium_bgp_info), routes and policies (of
    on_routers with frr_bgp_info and frr_policy_info), and answers (of a loop of port_info). It also has asked
    ({service, vip}) and targets (the names of the nodes that the user asked for). at: when it was read, RFC 3339.
    """
    cluster = read["cluster"] if "asked" in read["cluster"] else None
    found = examine(
        {
            "cluster": cluster,
            "problem": "" if cluster else failure_reason(read["cluster"]),
            "agents": _agents(read["cilium"], cluster["nodes"] if cluster else []),
            "routers": _routers(read["routes"], read["policies"]),
            "answers": _answers(read["answers"]),
            "targets": list(read["targets"]),
        }
    )
    known = cluster or {"asked": dict(read["asked"]), "nodes": [], "logs": [], "logs_missing": []}
    return {
        "version": 1,
        "at": at,
        "asked": known["asked"],
        "strict": strict(cluster) if cluster else False,
        "nodes": [node["name"] for node in known["nodes"]],
        **found,
        "logs": known["logs"],
        "logs_missing": known["logs_missing"],
    }


def _agents(read: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What each agent says, by the name of its node, or why it couldn't be asked."""
    if "nodes" in read:
        return {node["name"]: node for node in read["nodes"]}
    nothing: dict[str, Any] = {
        "sessions": [],
        "routes": None,
        "reason": "" if read.get("skipped") else failure_reason(read),
    }
    return {node["name"]: nothing for node in nodes}


def _routers(routes: Mapping[str, Any], policies: Mapping[str, Any]) -> dict[str, Any]:
    """What each router knows, and its configuration, by its name."""
    configured = policies.get("answers") or {}
    nothing = {"msg": "its configuration wasn't read"}
    known = routes.get("answers") or {}
    return {name: _router(answer, configured.get(name, nothing)) for name, answer in known.items()}


def _router(answer: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    known, configured = "neighbors" in answer, "configuration" in policy
    wrong = []
    if not known:
        wrong.append(answer)
    if not configured:
        wrong.append(policy)
    away = "unreachable by SSH: " if any(each.get("unreachable") for each in wrong) else ""
    return {
        "neighbors": answer["neighbors"] if known else None,
        "fib": answer["fib"] if known else None,
        "uninstalled": answer.get("uninstalled") or [],
        "policy": policy if configured else None,
        "problem": away + "; ".join(dict.fromkeys(failure_reason(each) for each in wrong)),
    }


def _answers(read: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What answered, and which host tried. If a host couldn't try, the answer is unknown."""
    found = []
    for answer in read.get("results", []):
        tried_from = answer.get(ROUTER)
        if "answers" in answer:
            found += [{**each, "tried_from": tried_from} for each in answer["answers"]]
        elif not answer.get("skipped"):
            reason = failure_reason(answer)
            nothing = {"address": "VIPs", "port": "?", "protocol": "?", "answers": None, "reason": reason}
            found.append({**nothing, "tried_from": tried_from})
    return found
