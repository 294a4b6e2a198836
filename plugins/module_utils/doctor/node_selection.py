# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which nodes are selected to announce, and whether Cilium has configured them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ..cilium.legacy_policy import KIND as LEGACY
from ..cilium.selection import Config, is_system
from ..kube.labels import requirements
from .findings import RIGHTS, Finding, defect, failed, note, passed, says, unknown
from .links import Facts, configs, selecting


def selection(cluster: Facts, targets: list[str]) -> list[Finding]:
    """Stage 4: whether nodes are selected and have NodeConfigs. targets: the nodes that the user names."""
    unread = cluster["unread"]
    if unread.get("configs"):
        return [unknown(4, "ClusterConfigs", f"they can't be read: {unread['configs']}", RIGHTS)]
    if not cluster["configs"]:
        return [
            failed(
                4,
                "cluster",
                "it has no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy, so no node announces anything",
                "create a CiliumBGPClusterConfig, and run Cilium with bgpControlPlane.enabled=true",
            )
        ]
    found: list[Finding] = []
    for config in configs(cluster):
        found += _config(config, cluster)
    for kind in ("nodes", "cilium_nodes", "node_configs"):
        if unread.get(kind):
            return [*found, unknown(4, kind, f"they can't be read: {unread[kind]}", RIGHTS)]
    for node in cluster["nodes"]:
        found += _node(node, cluster, named=node["name"] in targets)
    if not any(selecting(cluster, node) for node in cluster["nodes"]):
        names = " and ".join(str(config) for config in configs(cluster))
        found.append(
            failed(4, "nodes", f"none of them is selected by {names}", "label the nodes as the nodeSelector asks")
        )
    return found


def _config(config: Config, cluster: Facts) -> Iterable[Finding]:
    """What is wrong with an object that selects nodes."""
    who = str(config)
    used = any(config in selecting(cluster, node) for node in cluster["nodes"])
    bad = failed if used else defect
    for condition in config.conditions:
        if condition.get("status") == "True":
            yield bad(4, who, says(condition), "repair what the condition names (see kubectl describe)")
    wanted = requirements(config.selector)
    system_keys = sorted({key for key, _operator, _values in wanted if is_system(key)})
    if system_keys:
        yield defect(
            4,
            who,
            f"its nodeSelector uses {', '.join(system_keys)}, which belongs to Kubernetes, so a maintenance can't "
            f"change it to take a node out of service",
            "select by a label for BGP only, such as matchLabels enable-bgp: 'true', and label the nodes with it",
        )
    elif not wanted:
        yield note(4, who, "it has no nodeSelector, so it selects every node")
    if config.kind == LEGACY:
        yield note(
            4,
            who,
            "it is of a legacy kind, which Cilium 1.19 doesn't know any more: then its nodes announce nothing",
            "create a CiliumBGPClusterConfig, a CiliumBGPPeerConfig and a CiliumBGPAdvertisement",
        )


def _node(node: Facts, cluster: Facts, *, named: bool) -> Iterable[Finding]:
    """Whether a node is selected, and whether Cilium has configured it. named: the user names it."""
    who = f"node {node['name']}"
    by = selecting(cluster, node)
    if not by:
        wanted = [config for config in configs(cluster) if config.selects(node["labels"])]
        yield from _not_selected(who, node, wanted, named)
        return
    if node["cilium_labels"] is None:
        yield failed(
            4, who, "it has no CiliumNode: Cilium's agent has never run on it", "check the agent's pod on this node"
        )
        return
    if len(by) > 1:
        yield failed(
            4,
            who,
            f"{' and '.join(map(str, by))} both select it, but Cilium uses only one of them, or none",
            "change their nodeSelectors so that they exclude each other",
        )
    if by[0].kind == LEGACY and cluster["unread"].get("policies"):
        yield unknown(4, who, f"the peers of {by[0]}, which selects it, can't be read: {cluster['unread']['policies']}")
        return
    yield from _node_config(who, node["node_config"], by[0])


def _node_config(who: str, node_config: Facts | None, by: Config) -> Iterable[Finding]:
    """Whether a node that is selected has a NodeConfig without problems."""
    if node_config is None:
        yield failed(
            4,
            who,
            f"it is selected by {by}, but has no CiliumBGPNodeConfig",
            "cilium-operator creates it: check whether it runs, and its log (subsys=bgp-cp-operator)",
        )
        return
    wrong = [each for each in node_config["conditions"] if each["status"] == "True"]
    for condition in wrong:
        said = f"its CiliumBGPNodeConfig says {condition['type']}: {condition['message'] or condition['reason']}"
        yield failed(4, who, said, "check the agent's log (subsys=bgp-control-plane)")
    if not wrong:
        yield passed(4, who, f"selected by {by}, with {len(node_config['peers'])} peers")


def _not_selected(who: str, node: Facts, wanted: list[Config], named: bool) -> Iterable[Finding]:
    if wanted:
        yield failed(
            4,
            who,
            f"{wanted[0]} selects its labels, but not those of its CiliumNode: the agent on it hasn't copied them",
            "check whether the agent runs, and whether exclude-node-label-patterns excludes the label",
        )
    elif node["held"]:
        yield note(4, who, f"not selected: it is out of service, held by {node['held']}")
    elif named:
        yield failed(
            4, who, "no ClusterConfig selects it", "label it as the nodeSelector asks, or leave it out of target"
        )
    else:
        yield note(4, who, "not selected, so it announces nothing")
    if node["node_config"]:
        yield defect(
            4, who, "nothing selects it, but it still has a CiliumBGPNodeConfig", "check whether cilium-operator runs"
        )
