# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Asking Cilium's agents what they know of BGP, in any dialect that they understand."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..kube import pod_exec
from ..kube.api_errors import TRANSIENT, Forbidden, NotFound
from ..kube.client import Client, segment
from ..kube.pods import pod_ready
from . import agent_cli
from .agent_cli import Row
from .agent_pod import AGENT_CONTAINER, AGENT_SELECTOR

# How many nodes are asked at the same time. These are the connections of a module.
AT_ONCE = 8


class NoAgent(agent_cli.NotUnderstood):
    """There is no agent to ask."""


# Errors that mean "unknown": an agent that is away, a container that doesn't run, a missing right, an answer in no
# known form. A wrong token isn't among them, because with it every other request would fail, too.
UNANSWERED = (agent_cli.NotUnderstood, pod_exec.ExecError, Forbidden, NotFound, *TRANSIENT)


def pod_to_ask(pods: list[dict[str, Any]] | None, reason: str = "") -> str:
    """The name of the agent's pod to ask; raises NoAgent. pods None: they can't be seen, for that reason."""
    if pods is None:
        raise NoAgent(reason)
    if not pods:
        raise NoAgent("there is no agent pod on the node")
    # While a DaemonSet is updated, the terminating pod is still there.
    name: str = max(pods, key=pod_ready)["metadata"]["name"]
    return name


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
        items, _version = self.client.list_all(f"/api/v1/namespaces/{segment(self.namespace)}/pods", **query)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for pod in items:
            found.get(pod["spec"].get("nodeName", ""), []).append(pod)
        return found

    def ask(self, pod: str, command: Callable[[str], tuple[str, ...]], read: Callable[[str, str], Any]) -> Any:
        """The result of read(stdout, dialect) for a command's output, in the first dialect that the agent knows.

        Raises NotUnderstood for an unexpected answer, and what pod_exec.run raises.
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
            # The next agent is asked in this dialect first. Agents may differ during an upgrade.
            self.dialects = [dialect, *(other for other in self.dialects if other != dialect)]
            return result
        raise agent_cli.NotUnderstood(f"{pod} knows no command for that: {'; '.join(tried)}")

    def peers(self, pod: str) -> list[Row]:
        """The sessions of an agent."""
        found: list[Row] = self.ask(pod, agent_cli.peers_command, lambda text, _dialect: agent_cli.sessions(text))
        return found

    def routes(self, pod: str) -> dict[str, list[Row]]:
        """The routes of an agent, by table: available (its own), advertised (to each peer)."""
        found: dict[str, list[Row]] = {}
        for table in agent_cli.RIBS:
            found[table] = []
            for family in agent_cli.FAMILIES:
                found[table] += self._routes(pod, table, family)
        return found

    def _routes(self, pod: str, table: str, family: str) -> list[Row]:
        """The routes in one table of one address family."""
        found: list[Row] = self.ask(
            pod,
            lambda dialect: agent_cli.routes_command(dialect, table, family),
            lambda text, dialect: agent_cli.routes(text, dialect, family),
        )
        return found

    def policies(self, pod: str) -> list[Row]:
        """The route policies of an agent."""
        found: list[Row] = self.ask(pod, agent_cli.policies_command, agent_cli.policies)
        return found


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:200] if lines else "it said nothing"


def in_parallel(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """work(item) of each item, several at a time, in the order of the items."""
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(items) or 1)) as pool:
        return list(pool.map(work, items))
