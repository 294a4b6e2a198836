# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The order in which agents are restarted, and how many at once. Never in two zones at a time. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def is_restarted(row: Mapping[str, Any], *, before_change: bool) -> bool:
    """Whether an agent will be restarted. row: one of agent_rollout's nodes, {} for a node without an agent.

    before_change: whether the template is still to be changed. Then the agents that are planned are restarted, too.
    """
    if not row.get("current") or not row.get("ready"):
        return True
    return before_change and bool(row.get("planned"))


def batches(
    hosts: Sequence[str], zones: Mapping[str, str | None], size: int, *, first: str | None = None
) -> list[list[str]]:
    """The hosts in batches of at most size, each of one zone. One zone is done before the next one begins.

    first: the host that is restarted alone before all others, to measure the time. Its zone comes first. The other
    zones come in the order of the hosts. zones: host -> zone, None if its node names none. Such a host may be in any
    zone, so it is alone. If no node names a zone, there are no zones.
    """
    others = [host for host in hosts if host != first]
    found = []
    for group in _by_zone(others if first is None else [first, *others], zones):
        if group[0] == first:
            found.append([group.pop(0)])
        for start in range(0, len(group), size):
            found.append(group[start : start + size])
    return found


def _by_zone(hosts: Sequence[str], zones: Mapping[str, str | None]) -> list[list[str]]:
    """The hosts of each zone. The zones come in the order of the hosts."""
    zoned = any(zones.get(host) is not None for host in hosts)
    groups: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        zone = zones.get(host)
        if zoned and zone is None:
            groups["host", host] = [host]
        else:
            groups.setdefault(("zone", zone or ""), []).append(host)
    return list(groups.values())


def batches_of(hosts: Mapping[str, str], rows: Iterable[Mapping[str, Any]], size: int) -> list[list[str]]:
    """The batches of hosts. hosts: host -> name of its Node. rows: agent_rollout's nodes."""
    agents = _agents(hosts, rows)
    zones = {host: row.get("zone") for host, row in agents.items()}
    first = next((host for host, row in agents.items() if row.get("restart", True)), None)
    return batches(list(hosts), zones, size, first=first)


def plan(batched: Iterable[Sequence[str]], hosts: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> str:
    """One line: which agents would be restarted, and in which order."""
    agents = _agents(hosts, rows)
    steps = []
    count = 0
    for batch in batched:
        restarted = [host for host in batch if agents[host].get("restart", True)]
        count += len(restarted)
        if restarted:
            steps.append(", ".join(restarted))
    order = f", in this order: {'; '.join(steps)}" if steps else ""
    return f"{count} of {len(agents)} agents would be restarted{order}"


def _agents(hosts: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Host -> its agent, {} if its node has none."""
    by_node = {str(row["name"]): row for row in rows}
    return {host: by_node.get(str(node), {}) for host, node in hosts.items()}
