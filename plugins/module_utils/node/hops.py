# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The hops of a label on its way into BGP, and how far it has come. No I/O.

Node -> CiliumNode (written by the agent on the node) -> operator -> NodeConfig -> agent's sessions.
"""

from __future__ import annotations

from typing import Any

from ..base.errors import HitlessError
from ..cilium import bgp_sessions, objects
from ..record import records

# How many seconds to keep asking an agent that may answer. After that the routers alone have to be enough.
PATIENCE = 3.0
# hop, ok (None: unknown), found, remedy; and passed: whether it is no longer waited for.
Hop = dict[str, Any]
NOT_THERE = "not there"


class HopError(HitlessError):
    """The label didn't arrive: at which hop, the likely cause, and the remedy."""


def words(key: str, value: str | None) -> str:
    """A label as people write it."""
    return f"{key} (absent)" if value is None else f"{key}={value}"


def field_manager(node: dict[str, Any], key: str) -> str | None:
    """Who last wrote a label of a Node, as the API server recorded it; None if it didn't."""
    for entry in node["metadata"].get("managedFields") or []:
        labels = (entry.get("fieldsV1") or {}).get("f:metadata", {}).get("f:labels", {})
        if f"f:{key}" in labels:
            manager: str | None = entry.get("manager")
            return manager
    return None


def set_again(node: dict[str, Any], record: dict[str, Any]) -> str:
    """That somebody has changed the label since this maintenance set it, and who; "" if nobody has."""
    again = records.set_again(node, record)
    if again is None:
        return ""
    manager = field_manager(node, again["key"])
    by = f" (field manager {manager})" if manager else ""
    found, wanted = words(again["key"], again["found"]), words(again["key"], again["wanted"])
    return (
        f"found {found} on the Node after {wanted} had been set, so its sessions come back and what routers say "
        f"doesn't count: another writer has set the label again{by}, stop whatever manages it (GitOps?) for the time "
        f"of the maintenance"
    )


def hops(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    node_config: dict[str, Any] | None,
    *,
    key: str | None,
    value: str | None,
    config_wanted: bool | None,
) -> list[Hop]:
    """How far the label has come. Each hop says whether it is as wanted, what was found, and what to do if it isn't.

    key None: no label was flipped. config_wanted None: no NodeConfig belongs to this node either way (legacy policy).
    """
    found: list[Hop] = []
    if key is not None:
        found.append(_node_hop(node, key, value))
        found.append(_cilium_node_hop(node["metadata"]["name"], cilium_node, key, value))
    if config_wanted is not None:
        found.append(_node_config_hop(node_config, wanted=config_wanted))
    return found


def _hop(what: str, ok: bool, found: str, remedy: str) -> Hop:
    return {"hop": what, "ok": ok, "passed": ok, "found": found, "remedy": remedy}


def _node_hop(node: dict[str, Any], key: str, value: str | None) -> Hop:
    is_there = (objects.labels(node) or {}).get(key)
    manager = field_manager(node, key)
    by = f" (field manager {manager})" if manager else ""
    return _hop(
        "Node",
        is_there == value,
        words(key, is_there),
        f"another writer has set the label again{by}: stop whatever manages it (GitOps?) for the time of the "
        f"maintenance",
    )


def _cilium_node_hop(name: str, cilium_node: dict[str, Any] | None, key: str, value: str | None) -> Hop:
    carried = objects.labels(cilium_node)
    return _hop(
        "CiliumNode",
        carried is not None and carried.get(key) == value,
        "no CiliumNode" if carried is None else words(key, carried.get(key)),
        f"the agent on {name} copies labels from Node to CiliumNode: see whether it runs (kubectl get pods -A "
        f"-l k8s-app=cilium --field-selector spec.nodeName={name}) and whether exclude-node-label-patterns in "
        f"Cilium's configuration leaves this label out",
    )


def _node_config_hop(node_config: dict[str, Any] | None, *, wanted: bool) -> Hop:
    found = NOT_THERE
    if node_config is not None:
        references = (node_config.get("metadata") or {}).get("ownerReferences") or []
        owners = [f"{owner.get('kind')} {owner.get('name')}" for owner in references]
        found = f"there, of {' and '.join(owners) or 'no owner'}"
    return _hop(
        "NodeConfig",
        (node_config is not None) == wanted,
        found,
        "cilium-operator creates and deletes CiliumBGPNodeConfigs: see whether it runs, and what it logs with "
        "subsys=bgp-cp-operator",
    )


def has_node_config(hops_: list[Hop]) -> bool:
    """Whether the node has a NodeConfig, by the hops that were looked at."""
    return any(hop["hop"] == "NodeConfig" and hop["found"] != NOT_THERE for hop in hops_)


def sessions_hop(answer: bgp_sessions.Answer, *, up: bool, mode: str, seconds: float) -> Hop:
    """The last hop inside the cluster: whether the agent has opened, or closed, the node's sessions.

    mode auto: the routers have the last word, so an agent that can't be asked is passed. On the way in a session may
    take longer than the hop may, because routers and agent choose when to retry. So it is checked, but not waited for.
    seconds: for how long the agent has been asked.
    """
    ok = _sessions_ok(answer, up=up)
    # An agent that is closing its sessions may fail to list them.
    given_up = ok is None and (answer.lasting or seconds >= PATIENCE)
    return {
        "hop": "sessions",
        "ok": ok,
        "passed": bool(ok) or (mode == "auto" and (given_up or up)),
        "found": _sessions_found(answer),
        "remedy": "see what the agent logs with subsys=bgp-control-plane, and what cilium-dbg bgp peers says in its "
        "container",
    }


def _sessions_ok(answer: bgp_sessions.Answer, *, up: bool) -> bool | None:
    """Whether all sessions are up, or all are gone; None if that isn't known."""
    if not answer.known:
        return None
    if not up:
        return not answer.sessions
    return bool(answer.sessions) and all(row["established"] for row in answer.sessions)


def _sessions_found(answer: bgp_sessions.Answer) -> str:
    if not answer.known:
        return f"unknown: {answer.reason}"
    states = [f"{row['peer'] or row['address']} {row['state']}" for row in answer.sessions]
    return ", ".join(states) or "no sessions"


def reached(hops_: list[Hop]) -> int:
    """How many hops the label has passed, from the first on."""
    return next((number for number, hop in enumerate(hops_) if not hop["passed"]), len(hops_))


def progress(hops_: list[Hop]) -> str:
    """One line on the hop that the label hasn't passed."""
    number = reached(hops_)
    if number == len(hops_):
        return "every hop is as wanted"
    return f"{hops_[number]['hop']} is not yet as wanted: {hops_[number]['found']}"


def public(hops_: list[Hop]) -> list[Hop]:
    """The hops as modules return them."""
    return [{key: hop[key] for key in ("hop", "ok", "found")} for hop in hops_]
