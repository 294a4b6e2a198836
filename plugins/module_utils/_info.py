# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the cluster, Cilium and the record say of a node, read once and put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils import _cilium, _node, _record
from ansible_collections.hitless.nodes.plugins.module_utils._baseline import prefixes
from ansible_collections.hitless.nodes.plugins.module_utils._client import Client
from ansible_collections.hitless.nodes.plugins.module_utils._selection import Selection, judge


@dataclass(frozen=True)
class Picture:
    """A node as it was just now. addresses are those of Node and CiliumNode."""

    node: dict[str, Any]
    record: dict[str, Any] | None
    addresses: list[str]
    selection: Selection
    api_version: str | None
    node_config: dict[str, Any] | None
    problems: list[str]

    @property
    def facts(self) -> dict[str, Any]:
        """RV(node) of the modules."""
        return _node.facts(self.node) | {"addresses": self.addresses}

    @property
    def bgp(self) -> dict[str, Any]:
        """RV(bgp) of node_info."""
        flip = self.selection.flip
        labels = _cilium.labels(self.node) or {}
        label = flip and {
            "key": flip.key,
            "value": labels.get(flip.key),
            "selected_value": flip.selected_value,
            "deselect_value": flip.deselect_value,
        }
        return {
            "api_version": self.api_version,
            "cluster_configs": [config.name for config in self.selection.configs],
            "label": label,
            "selected": self.selection.selected,
            "node_config": self.node_config is not None,
            "peers": _cilium.peers(self.node_config),
            "conditions": _cilium.conditions(self.node_config),
            "problems": self.problems,
        }


def _node_config_problems(selection: Selection, node_config: dict[str, Any] | None) -> list[str]:
    """What the NodeConfig says is wrong: its conditions (True is a problem), or that it and the selection disagree."""
    found = [
        f"CiliumBGPNodeConfig says {condition['type']}: {condition['message'] or condition['reason']}"
        for condition in _cilium.conditions(node_config)
        if condition["status"] == "True"
    ]
    by_config = any(config.kind == "CiliumBGPClusterConfig" for config in selection.configs)
    if by_config and node_config is None:
        found.append("it is selected but has no CiliumBGPNodeConfig: cilium-operator, which makes it, seems to be down")
    if not selection.selected and node_config is not None:
        found.append("nothing selects it but it still has a CiliumBGPNodeConfig: cilium-operator seems to be down")
    return found


def look(client: Client, name: str, *, label: str | None = None) -> Picture:
    """A node as it is now: one GET per object. label is the key to flip, where the caller names it."""
    node = _node.read(client, name)
    record = _record.parse(node)
    configs = _cilium.configs(client)
    cilium_node = client.find(_cilium.node_path(name))
    node_config = _cilium.node_config(client, configs.api_version, name)
    if label is None and record is not None:
        label = record["before"]["label"]["key"]
    selection = judge(_cilium.labels(node) or {}, _cilium.labels(cilium_node), configs.items, label=label)
    return Picture(
        node=node,
        record=record,
        addresses=_cilium.addresses(node, cilium_node),
        selection=selection,
        api_version=f"cilium.io/{configs.api_version}" if configs.api_version else None,
        node_config=node_config,
        problems=[*selection.problems, *_node_config_problems(selection, node_config)],
    )


def node_info(client: Client, name: str, *, label: str | None = None) -> dict[str, Any]:
    """The result of node_info."""
    picture = look(client, name, label=label)
    return {
        "changed": False,
        "node": picture.facts,
        "bgp": picture.bgp,
        "record": picture.record,
        "prefixes": prefixes(picture.record["before"].get("routes") or {}) if picture.record else [],
    }


def cilium_bgp_info(client: Client, names: list[str]) -> dict[str, Any]:
    """The result of cilium_bgp_info."""
    configs = _cilium.configs(client)
    nodes = []
    for name in names:
        node_config = _cilium.node_config(client, configs.api_version, name)
        if node_config is None:
            # A name that nobody has would otherwise look like a node without sessions.
            _node.read(client, name)
        nodes.append(
            {
                "name": name,
                "node_config": node_config is not None,
                "sessions": _cilium.sessions(node_config),
                "conditions": _cilium.conditions(node_config),
            }
        )
    return {"changed": False, "nodes": nodes}
