# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""In which order agents are restarted, and how many at once: never in two zones at the same time. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def is_restarted(row: Mapping[str, Any], *, before_change: bool) -> bool:
    """Whether an agent will be restarted; row: of agent_rollout's nodes, {} for a node without an agent.

    before_change: whether the change of the template is still to come, and concerns the agents that are planned.
    """
    if not row.get("current") or not row.get("ready"):
        return True
    return before_change and bool(row.get("planned"))


def batches(
    hosts: Sequence[str], zones: Mapping[str, str | None], size: int, *, first: str | None = None
) -> list[list[str]]:
    """The hosts in batches of at most size, each of one zone; a zone is done before the next one begins.

    first: the host that is restarted before all others, alone, since it measures. Its zone comes first, too, then the
    others as they appear among the hosts. zones: host -> zone, None where its node says none: where others do, it may
    be in any of them, and is alone; where no node says one, there are no zones.
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
    """The hosts of each zone, the zones as they appear among the hosts."""
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
    """The batches of inventory hosts (host -> name of its Node), by the agents in agent_rollout's nodes."""
    agents = _agents(hosts, rows)
    zones = {host: row.get("zone") for host, row in agents.items()}
    first = next((host for host, row in agents.items() if row.get("restart", True)), None)
    return batches(list(hosts), zones, size, first=first)


def plan(batched: Iterable[Sequence[str]], hosts: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Which agents would be restarted, and in which order, in one line."""
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
    """Host -> its agent, {} for a host whose node has none."""
    by_node = {str(row["name"]): row for row in rows}
    return {host: by_node.get(str(node), {}) for host, node in hosts.items()}
