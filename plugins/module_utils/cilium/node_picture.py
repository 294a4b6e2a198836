# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the cluster, Cilium and the record say of a node, read once and combined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..kube import node_objects
from ..kube.api_errors import Forbidden
from ..kube.client import Client
from ..record import questions, records, runs
from ..record.baseline import prefixes
from . import bgp_sessions, identity, legacy_policy, objects, operator_lease
from .agents import Agents, in_parallel
from .selection import Selection, judge


@dataclass(frozen=True)
class Picture:
    """A node as it was just read. addresses: those of Node and CiliumNode.

    peers, router_ids: who it is for the routers, see identity.py.
    """

    node: dict[str, Any]
    record: dict[str, Any] | None
    addresses: list[str]
    selection: Selection
    api_version: str | None
    node_config: dict[str, Any] | None
    conditions: list[dict[str, Any]]
    problems: list[str]
    warnings: list[str]
    peers: list[dict[str, Any]]
    router_ids: list[str]
    pod_cidrs: list[str]

    @property
    def local_addresses(self) -> list[str]:
        """The addresses that only its peers know it by."""
        return [each for each in identity.local_addresses(self.peers) if each not in self.addresses]

    @property
    def facts(self) -> dict[str, Any]:
        """RV(node) of the modules."""
        return node_objects.facts(self.node) | {"addresses": [*self.addresses, *self.local_addresses]}

    @property
    def bgp(self) -> dict[str, Any]:
        """RV(bgp) of node_info."""
        flip = self.selection.flip
        labels = objects.labels(self.node) or {}
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
            "peers": self.peers,
            "router_ids": self.router_ids,
            "conditions": self.conditions,
            "problems": self.problems,
        }


def _said(kind: str, condition: dict[str, Any]) -> str:
    """A condition that is True. For all of Cilium's BGP conditions this means a problem."""
    return f"{kind} says {condition['type']}: {condition['message'] or condition['reason']}"


def _node_config_problems(selection: Selection, node_config: dict[str, Any] | None) -> list[str]:
    """What is wrong with the NodeConfig: its conditions, or that it doesn't agree with the selection."""
    found = [
        _said("CiliumBGPNodeConfig", condition)
        for condition in objects.conditions(node_config)
        if condition["status"] == "True"
    ]
    by_config = any(config.kind == "CiliumBGPClusterConfig" for config in selection.configs)
    if by_config and node_config is None:
        found.append("it is selected but has no CiliumBGPNodeConfig: cilium-operator, which makes it, seems to be down")
    if not selection.selected and node_config is not None:
        found.append("nothing selects it but it still has a CiliumBGPNodeConfig: cilium-operator seems to be down")
    return found


def peer_config_verdict(
    name: str, conditions: list[dict[str, Any]], established: list[bool | None]
) -> tuple[list[str], list[str]]:
    """The problems and the warnings in the conditions of a PeerConfig. established: of the node's sessions that use it.

    MissingAuthSecret is wrong in some releases (https://github.com/cilium/cilium/issues/38073). A session that is up
    proves that its secret is there.
    """
    problems, warnings = [], []
    for condition in conditions:
        if condition["status"] != "True":
            continue
        said = _said(f"CiliumBGPPeerConfig {name}", condition)
        if condition["type"] != "cilium.io/MissingAuthSecret":
            problems.append(said)
        elif established and all(established):
            warnings.append(f"{said}; but its sessions are established, so the secret is there")
        else:
            problems.append(
                f"{said} (some releases of Cilium say so wrongly; here no established session proves the opposite)"
            )
    return problems, warnings


@dataclass
class _Said:
    """What a node's PeerConfigs say: their conditions as modules return them, the problems in these, and warnings."""

    conditions: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _peer_configs(
    client: Client, agents: Agents, name: str, api_version: str | None, node_config: dict[str, Any] | None
) -> _Said:
    """What the PeerConfigs of a node's peers say. Its sessions are only read if one of them reports a problem."""
    said = _Said()
    peers = objects.peers(node_config)
    read: dict[str, list[dict[str, Any]]] = {}
    for config in _names_of_peer_configs(peers):
        try:
            read[config] = objects.conditions(objects.peer_config(client, api_version, config))
        except Forbidden as exc:
            said.warnings.append(f"the conditions of CiliumBGPPeerConfigs weren't checked: {exc.msg}")
            break
    established: dict[tuple[Any, Any], bool | None] = {}
    if any(_says_problem(conditions) for conditions in read.values()):
        established = _established(client, agents, name, api_version)
    for config, conditions in read.items():
        said.conditions += _named("CiliumBGPPeerConfig", config, conditions)
        users = [peer for peer in peers if peer["peer_config"] == config]
        up = [established.get((peer["instance"], peer["name"])) for peer in users]
        problems, warnings = peer_config_verdict(config, conditions, up)
        said.problems += problems
        said.warnings += warnings
    return said


def _names_of_peer_configs(peers: list[dict[str, Any]]) -> list[str]:
    """The PeerConfigs that peers name, each once."""
    return list(dict.fromkeys(peer["peer_config"] for peer in peers if peer["peer_config"]))


def _says_problem(conditions: list[dict[str, Any]]) -> bool:
    return any(condition["status"] == "True" for condition in conditions)


def _established(
    client: Client, agents: Agents, name: str, api_version: str | None
) -> dict[tuple[Any, Any], bool | None]:
    """(instance, peer) -> whether the node's session with it is up, None if that is unknown."""
    (node,) = bgp_sessions.read(client, agents, [name], api_version=api_version)
    rows = bgp_sessions.sessions(agents, node, "auto").sessions
    return {(row["instance"], row["peer"]): row["established"] for row in rows}


def _named(kind: str, name: str, conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conditions, each with the object that has it."""
    return [{"kind": kind, "name": name, **condition} for condition in conditions]


def look(client: Client, name: str, *, label: str | None = None, cilium_namespace: str = "kube-system") -> Picture:
    """A node as it is now, with one GET per object. label: the key to flip, if the caller names it."""
    node = node_objects.read(client, name)
    record = records.parse(node)
    configs = objects.configs(client)
    cilium_node = client.find(objects.node_path(name))
    node_config = objects.node_config(client, configs.api_version, name)
    if label is None and record is not None:
        label = record["before"]["label"]["key"]
    selection = judge(objects.labels(node) or {}, objects.labels(cilium_node), configs.items, label=label)
    operator = operator_lease.look(client, cilium_namespace) if configs.api_version else operator_lease.Verdict()
    agents = Agents(client, cilium_namespace, client.timeout)
    peer_configs = _peer_configs(client, agents, name, configs.api_version, node_config)
    conditions = []
    for config in selection.configs:
        of_config = objects.conditions({"status": {"conditions": config.conditions}})
        conditions += _named(config.kind, config.name, of_config)
    conditions += peer_configs.conditions
    conditions += _named("CiliumBGPNodeConfig", name, objects.conditions(node_config))
    override, unread = _override(client, configs.api_version, name)
    # Where both select a node, the policy wins.
    annotations = node["metadata"].get("annotations") or {}
    known = objects.labels(cilium_node)
    legacy = legacy_policy.node_config(
        list(configs.policies), (objects.labels(node) or {}) if known is None else known, annotations
    )
    addresses = objects.addresses(node, cilium_node)
    return Picture(
        node=node,
        record=record,
        addresses=addresses,
        selection=selection,
        api_version=f"cilium.io/{configs.api_version}" if configs.api_version else None,
        node_config=node_config,
        conditions=conditions,
        problems=[
            *([operator.problem] if operator.problem else []),
            *selection.problems,
            *_node_config_problems(selection, node_config),
            *peer_configs.problems,
        ],
        warnings=[*([operator.warning] if operator.warning else []), *peer_configs.warnings, *unread],
        peers=identity.of_policy(legacy) if legacy else identity.peers(node_config, override),
        router_ids=identity.router_ids(node_config, override, legacy, addresses),
        pod_cidrs=objects.pod_cidrs(node, cilium_node),
    )


def _override(client: Client, api_version: str | None, name: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The node's override, and a warning if it may not be read. The NodeConfig has what the operator took from it."""
    try:
        return objects.override(client, api_version, name), []
    except Forbidden as exc:
        return None, [f"the CiliumBGPNodeConfigOverride of {name} wasn't read: {exc.msg}"]


def node_info(
    client: Client,
    name: str,
    run: dict[str, Any] | None = None,
    *,
    label: str | None = None,
    cilium_namespace: str = "kube-system",
) -> dict[str, Any]:
    """The result of node_info. run: the run that asks, to tell whether the record belongs to it."""
    picture = look(client, name, label=label, cilium_namespace=cilium_namespace)
    record = picture.record
    ours = bool(record and run and runs.same(record["run"], run))
    return {
        "changed": False,
        "node": picture.facts,
        "bgp": picture.bgp,
        "record": record,
        "ours": ours,
        "way": questions.way(picture.facts, record),
        "after_failure": questions.after_failure(picture.facts, record, ours=ours),
        "routers_before": questions.routers_before(record) if record else [],
        "prefixes": prefixes(record["before"].get("routes") or {}) if record else [],
        "warnings": picture.warnings,
    }


def cilium_bgp_info(
    client: Client,
    names: list[str],
    *,
    backend: str = "auto",
    gather: Iterable[str] = ("peers",),
    cilium_namespace: str = "kube-system",
) -> dict[str, Any]:
    """The result of cilium_bgp_info."""
    configs = objects.configs(client)
    agents = Agents(client, cilium_namespace, client.timeout)
    nodes = bgp_sessions.read(client, agents, names, api_version=configs.api_version)
    facts = in_parallel(lambda node: bgp_sessions.facts(agents, node, backend=backend, gather=gather), nodes)
    return {"changed": False, "nodes": facts, "unknown": [entry["name"] for entry in facts if not entry["known"]]}
