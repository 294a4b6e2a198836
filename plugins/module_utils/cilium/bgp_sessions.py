# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The BGP sessions of nodes, from the status of their NodeConfigs or from their agents, and how far either is known.

What isn't known has a reason, and is never read as up or down: an agent that writes no status, one that died and left
its last status behind, one that can't be asked, and a peer that is missing from an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ..base import net
from ..kube import node_objects, pod_exec
from ..kube.api import TRANSIENT, Client, Forbidden, NotFound, segment
from ..kube.pods import moment, pod_ready
from . import agent_cli, objects
from .agent_cli import Row
from .agent_pod import AGENT_CONTAINER, AGENT_SELECTOR, agent_missing, agent_started

BACKENDS = ("auto", "status", "agent")
GATHER = ("peers", "routes", "policies")
# Nodes that are asked at the same time: a module's connections.
AT_ONCE = 8
# Times of the API are whole seconds.
TICK = timedelta(seconds=2)


@dataclass(frozen=True)
class Answer:
    """What a source says of a node's sessions. reason: why not all of it is known, None if it is.

    lasting: asking again won't help, since there is nobody to ask or no right to.
    """

    source: str | None
    sessions: list[Row]
    reason: str | None
    lasting: bool = False

    @property
    def known(self) -> bool:
        """Whether every session that the node should have, and every other one, is known."""
        return self.reason is None


@dataclass
class Node:
    """What the API has of a node. agents None: the right to see them is missing (agents_reason)."""

    name: str
    ready: bool | None
    node_config: dict[str, Any] | None
    agents: list[dict[str, Any]] | None
    agents_reason: str = ""


# Rules


def unknown(sessions: Iterable[Row]) -> list[Row]:
    """The sessions with nothing concluded from what was said of them."""
    nothing = {"state": "unknown", "established": None, "established_time": None, "uptime": None, "routes": []}
    return [{**session, **nothing} for session in sessions]


def _names(sessions: Iterable[Row]) -> str:
    return ", ".join(f"{row['peer'] or row['address']}" for row in sessions)


def stale(node: Node) -> str | None:
    """Why the status of a node's NodeConfig mustn't be believed, None if its agent lives and can have written it."""
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
    # One that came up before the agent did was reported by the agent before.
    starts = [start for start in map(agent_started, node.agents or []) if start is not None]
    since = max(starts, default=None)
    old = [
        row
        for row in found
        if row["established_time"] and since and (moment(row["established_time"]) or since) + TICK < since
    ]
    if old:
        found = [unknown([row])[0] if row in old else row for row in found]
        return Answer("status", found, f"its status is stale: {_names(old)} is from before the agent was started")
    if not ((node.node_config.get("status") or {}).get("bgpInstances")):
        return Answer(
            "status",
            found,
            "its agent has reported nothing: status reporting is off (bgpControlPlane.statusReport.enabled=false), or "
            "the agent has only just seen the CiliumBGPNodeConfig",
        )
    silent = [row for row in found if row["established"] is None]
    return Answer("status", found, f"its status says nothing of {_names(silent)}" if silent else None)


def _is_peer(row: Row, wanted: Row) -> bool:
    """Whether a session of an agent's answer is that of a peer in a NodeConfig."""
    if row["instance"] is not None and row["instance"] != wanted["instance"]:
        return False
    if wanted["address"]:
        return net.same_address(row["address"], wanted["address"])
    # A peer that Cilium discovers has no address in the NodeConfig; old agents don't say its name either.
    return row["peer"] is not None and row["peer"] == wanted["peer"]


def from_agent(node_config: dict[str, Any] | None, answer: list[Row]) -> Answer:
    """The sessions in an agent's answer: every peer that the node should have, then what else there is."""
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


@dataclass
class Agents:
    """Asks agents for what they know, and remembers in which dialect they answer."""

    client: Client
    namespace: str
    seconds: float
    dialects: list[str] = field(default_factory=lambda: list(agent_cli.DIALECTS))

    def pods(self, names: list[str]) -> dict[str, list[dict[str, Any]]]:
        """The agents' pods on each of these nodes."""
        query = {"labelSelector": AGENT_SELECTOR}
        if len(names) == 1:
            query["fieldSelector"] = f"spec.nodeName={names[0]}"
        items, _version = self.client.list(f"/api/v1/namespaces/{segment(self.namespace)}/pods", **query)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for pod in items:
            found.get(pod["spec"].get("nodeName", ""), []).append(pod)
        return found

    def ask(self, pod: str, command: Callable[[str], tuple[str, ...]], read: Callable[[str, str], Any]) -> Any:
        """What read(stdout, dialect) makes of a command's output, in the first dialect that the agent knows.

        Raises NotUnderstood when it answers otherwise than expected, and what _exec.run raises.
        """
        tried = []
        for dialect in list(self.dialects):
            argv = command(dialect)
            try:
                output = pod_exec.run(self.client, self.namespace, pod, AGENT_CONTAINER, argv, seconds=self.seconds)
            except pod_exec.NoProgram as exc:
                tried.append(exc.msg)
                continue
            if agent_cli.lacks_command(output.rc, output.stdout, output.stderr):
                tried.append(f"{' '.join(argv)}: {_first_line(output.stderr or output.stdout)}")
                continue
            if output.rc:
                said = _first_line(output.stderr or output.stdout)
                raise agent_cli.NotUnderstood(f"{' '.join(argv)} in {pod} ended with {output.rc}: {said}")
            result = read(output.stdout, dialect)
            # The next one is asked this way first; they may differ while an upgrade is under way.
            self.dialects = [dialect, *(other for other in self.dialects if other != dialect)]
            return result
        raise agent_cli.NotUnderstood(f"{pod} knows no command for that: {'; '.join(tried)}")

    def peers(self, pod: str) -> list[Row]:
        """The sessions of an agent."""
        found: list[Row] = self.ask(pod, agent_cli.peers_command, lambda text, _dialect: agent_cli.sessions(text))
        return found

    def routes(self, pod: str) -> dict[str, list[Row]]:
        """The routes of an agent, by table: available (its own), advertised (to each peer)."""
        return {
            table: [
                row
                for family in agent_cli.FAMILIES
                for row in self.ask(
                    pod,
                    lambda dialect, table=table, family=family: agent_cli.routes_command(dialect, table, family),
                    lambda text, dialect, family=family: agent_cli.routes(text, dialect, family),
                )
            ]
            for table in agent_cli.RIBS
        }

    def policies(self, pod: str) -> list[Row]:
        """The route policies of an agent."""
        found: list[Row] = self.ask(pod, agent_cli.policies_command, agent_cli.policies)
        return found


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:200] if lines else "it said nothing"


class NoAgent(agent_cli.NotUnderstood):
    """There is nobody to ask."""


# Answers that mean "unknown": an agent that is away, a container that doesn't run, a missing right, an answer in no
# known form. A wrong token isn't among them: with it, nothing else would be answered either.
UNANSWERED = (agent_cli.NotUnderstood, pod_exec.ExecError, Forbidden, NotFound, *TRANSIENT)


def agent_pod(node: Node) -> str:
    """The name of the agent's pod to ask; raises NoAgent if there is none."""
    if node.agents is None:
        raise NoAgent(node.agents_reason)
    if not node.agents:
        raise NoAgent("there is no agent pod on the node")
    # While a DaemonSet is updated, the one on its way out is still there.
    name: str = max(node.agents, key=pod_ready)["metadata"]["name"]
    return name


def ask_agent(agents: Agents, node: Node) -> Answer:
    """What a node's agent says of its sessions, or why it didn't."""
    try:
        return from_agent(node.node_config, agents.peers(agent_pod(node)))
    except UNANSWERED as exc:
        return Answer(
            "agent",
            unknown(objects.sessions(node.node_config)),
            f"its agent can't be asked: {exc.msg}",
            lasting=isinstance(exc, (NoAgent, Forbidden)),
        )


def sessions(agents: Agents, node: Node, backend: str) -> Answer:
    """A node's sessions from the source that the backend names; auto: the status, and the agent where that won't do."""
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
    """What the API has of each node; raises UnknownNode for a name that nobody has."""
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

    return each(one, names)


def each(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """work(item) of each item, several at a time, in the order of the items."""
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(items) or 1)) as pool:
        return list(pool.map(work, items))


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
            more[what] = ask(agent_pod(node))
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
