# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The BGP sessions of nodes, from the status of their NodeConfigs or from their agents, and what is unknown of them.

What isn't known has a reason, and never counts as up or down. Examples are an agent that writes no status, one that
died and left its last status behind, one that can't be asked, and a peer that is missing from an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ..base import net
from ..kube import node_objects
from ..kube.api_errors import Forbidden
from ..kube.client import Client
from ..kube.pods import moment
from . import objects
from .agent_cli import Row
from .agent_pod import agent_missing, agent_started
from .agents import UNANSWERED, Agents, NoAgent, in_parallel, pod_to_ask

BACKENDS = ("auto", "status", "agent")
GATHER = ("peers", "routes", "policies")
# Times of the API are whole seconds.
TICK = timedelta(seconds=2)


@dataclass(frozen=True)
class Answer:
    """What a source says of a node's sessions. reason: why not everything is known, None if it is.

    lasting: asking again won't help, because there is no agent to ask, or no right to ask it.
    """

    source: str | None
    sessions: list[Row]
    reason: str | None
    lasting: bool = False

    @property
    def known(self) -> bool:
        """Whether all sessions are known, those that the node should have and any others."""
        return self.reason is None


@dataclass
class Node:
    """What the API has of a node. agents None: the right to see them is missing (agents_reason)."""

    name: str
    ready: bool | None
    node_config: dict[str, Any] | None
    agents: list[dict[str, Any]] | None
    agents_reason: str = ""

    def agent_pod(self) -> str:
        """The name of the agent's pod to ask; raises NoAgent if there is none."""
        return pod_to_ask(self.agents, self.agents_reason)


# Rules


def unknown(sessions: Iterable[Row]) -> list[Row]:
    """The sessions, with nothing concluded from what the source said."""
    nothing: Row = {"state": "unknown", "established": None, "established_time": None, "uptime": None, "routes": []}
    return [{**session, **nothing} for session in sessions]


def _names(sessions: Iterable[Row]) -> str:
    return ", ".join(f"{row['peer'] or row['address']}" for row in sessions)


def stale(node: Node) -> str | None:
    """Why the status of a node's NodeConfig can't be trusted, None if its agent is alive and can have written it."""
    if node.agents is None:
        return f"whether its agent lives isn't known ({node.agents_reason})"
    if node.ready is not True:
        return "the node isn't Ready, so its agent may be dead"
    return agent_missing(node.agents, None)


def from_status(node: Node) -> Answer:
    """The sessions as the agent last wrote them into the NodeConfig."""
    if node.node_config is None:
        return Answer(
            "status",
            [],
            "it has no CiliumBGPNodeConfig, so it should have no sessions, but whether its agent has closed them only "
            "the agent or the routers can tell",
        )
    found = objects.sessions(node.node_config)
    reason = stale(node)
    if reason:
        up = [row for row in found if row["established"]]
        left = f"; its status still says established for {_names(up)}" if up else ""
        return Answer("status", unknown(found), f"its status may be stale: {reason}{left}")
    old = _from_before(found, node.agents or [])
    if old:
        believed = [unknown([row])[0] if row in old else row for row in found]
        return Answer("status", believed, f"its status is stale: {_names(old)} is from before the agent was started")
    if not _has_reported(node.node_config):
        return Answer(
            "status",
            found,
            "its agent has reported nothing: status reporting is off (bgpControlPlane.statusReport.enabled=false), or "
            "the agent has only just seen the CiliumBGPNodeConfig",
        )
    silent = [row for row in found if row["established"] is None]
    return Answer("status", found, f"its status says nothing of {_names(silent)}" if silent else None)


def _from_before(sessions_: list[Row], agents: list[dict[str, Any]]) -> list[Row]:
    """The sessions that came up before the agent started, so an earlier agent reported them."""
    starts = [start for start in map(agent_started, agents) if start is not None]
    if not starts:
        return []
    old = []
    for row in sessions_:
        up_since = moment(row["established_time"])
        if up_since is not None and up_since + TICK < max(starts):
            old.append(row)
    return old


def _has_reported(node_config: dict[str, Any]) -> bool:
    """Whether an agent has ever written a status."""
    return bool((node_config.get("status") or {}).get("bgpInstances"))


def _is_peer(row: Row, wanted: Row) -> bool:
    """Whether a session of an agent's answer belongs to a peer in a NodeConfig."""
    if row["instance"] is not None and row["instance"] != wanted["instance"]:
        return False
    if wanted["address"]:
        return net.same_address(row["address"], wanted["address"])
    # A peer that Cilium discovers has no address in the NodeConfig. Old agents don't name it either.
    return row["peer"] is not None and row["peer"] == wanted["peer"]


def from_agent(node_config: dict[str, Any] | None, answer: list[Row]) -> Answer:
    """The sessions in an agent's answer: first every peer that the node should have, then all others."""
    rest = list(answer)
    found = []
    for wanted in unknown(objects.sessions(node_config)):
        row = next((row for row in rest if _is_peer(row, wanted)), None)
        if row is None:
            found.append(wanted)
            continue
        rest.remove(row)
        found.append({**row, **{key: wanted[key] for key in ("instance", "peer", "peer_config")}})
    found += rest
    missing = [row for row in found if row["established"] is None]
    return Answer("agent", found, f"its agent's answer says nothing of {_names(missing)}" if missing else None)


# Asking


def ask_agent(agents: Agents, node: Node) -> Answer:
    """What a node's agent says of its sessions, or why it didn't."""
    try:
        return from_agent(node.node_config, agents.peers(node.agent_pod()))
    except UNANSWERED as exc:
        return Answer(
            "agent",
            unknown(objects.sessions(node.node_config)),
            f"its agent can't be asked: {exc.msg}",
            lasting=isinstance(exc, (NoAgent, Forbidden)),
        )


def sessions(agents: Agents, node: Node, backend: str) -> Answer:
    """A node's sessions from the source that the backend names. auto: the status, or the agent if it isn't enough."""
    if backend == "agent":
        return ask_agent(agents, node)
    answer = from_status(node)
    if answer.known or backend == "status":
        return answer
    asked = ask_agent(agents, node)
    if asked.known:
        return asked
    return replace(asked, source=None, reason=f"{answer.reason}; {asked.reason}")


def read(client: Client, agents: Agents, names: list[str], *, api_version: str | None) -> list[Node]:
    """What the API has of each node; raises UnknownNode for a name that no Node has."""
    pods: dict[str, list[dict[str, Any]]] | None = None
    reason = ""
    try:
        pods = agents.pods(names)
    except Forbidden as exc:
        reason = exc.msg

    def one(name: str) -> Node:
        ready = node_objects.is_ready(node_objects.read(client, name))
        node_config = objects.node_config(client, api_version, name)
        return Node(name, ready, node_config, None if pods is None else pods[name], reason)

    return in_parallel(one, names)


def facts(agents: Agents, node: Node, *, backend: str, gather: Iterable[str]) -> dict[str, Any]:
    """What cilium_bgp_info returns of a node."""
    gather = set(gather)
    answer = sessions(agents, node, backend) if "peers" in gather else Answer(None, [], None)
    reasons = [] if answer.reason is None else [answer.reason]
    more: dict[str, Any] = {"routes": None, "policies": None}
    for what, ask in (("routes", agents.routes), ("policies", agents.policies)):
        if what not in gather:
            continue
        try:
            more[what] = ask(node.agent_pod())
        except UNANSWERED as exc:
            reasons.append(f"its {what} are unknown: {exc.msg}")
    return {
        "name": node.name,
        "node_config": node.node_config is not None,
        "conditions": objects.conditions(node.node_config),
        "source": answer.source,
        "known": not reasons,
        "reason": "; ".join(reasons) or None,
        "sessions": answer.sessions,
        **more,
    }
