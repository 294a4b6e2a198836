# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Two names of the inventory for one Node, or for one router. Pure functions.

Two plays of a batch would work on the Node at once. A router that counts twice would seem to be two witnesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where FRR runs: hosts that differ in one of these are different routers, such as two network namespaces of a machine.
PLACE = ("ansible_connection", "ansible_host", "ansible_port", "router_exec", "router_vtysh")
USUAL: dict[str, Any] = {"ansible_connection": "ssh", "ansible_port": 22}


def node_problems(nodes: Mapping[str, Any]) -> list[str]:
    """Hosts that the target matches and that are one Node. nodes: host -> name of its Node."""
    by_node: dict[Any, list[str]] = {}
    for host, node in nodes.items():
        by_node.setdefault(str(node), []).append(host)
    return [
        f"{' and '.join(hosts)} are the same Node {node} (node_name): leave one of them out of target, or correct "
        f"node_name"
        for node, hosts in by_node.items()
        if len(hosts) > 1
    ]


def router_problems(routers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Routers of the group routers that are reached in the same way. routers: name -> its variables."""
    by_place: dict[tuple[str, ...], list[str]] = {}
    for name, variables in routers.items():
        by_place.setdefault(_place(name, variables), []).append(name)
    return [
        f"routers {' and '.join(names)} are the same one, at {_shown(place)}: leave one of them out of group routers, "
        f"or correct ansible_host, ansible_port or router_exec"
        for place, names in by_place.items()
        if len(names) > 1
    ]


def _place(name: str, variables: Mapping[str, Any]) -> tuple[str, ...]:
    """How a router is reached. Without ansible_host its name is its address."""
    usual = {**USUAL, "ansible_host": name}
    found = [variables.get(key) or usual.get(key) or "" for key in PLACE]
    return tuple(" ".join(map(str, each)) if isinstance(each, list) else str(each) for each in found)


def _shown(place: tuple[str, ...]) -> str:
    _connection, host, port, *more = place
    inside = next((each for each in more if each), "")
    return f"{host}, port {port}" + (f" ({inside})" if inside else "")
