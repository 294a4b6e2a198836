# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which nodes are selected to announce, and what Cilium made of that. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ..cilium.legacy_policy import KIND as LEGACY
from ..cilium.selection import Config, is_system
from ..kube.labels import requirements
from .findings import Finding, defect, failed, note, passed, says, unknown
from .links import Facts, configs, selecting


def selection(cluster: Facts, targets: list[str]) -> list[Finding]:
    """Stage 4: whether nodes are selected, and Cilium has made NodeConfigs of that. targets: named by the user."""
    unread = cluster["unread"]
    if unread.get("configs"):
        return [unknown(4, "ClusterConfigs", f"they can't be read: {unread['configs']}")]
    if not cluster["configs"]:
        return [
            failed(
                4,
                "cluster",
                "it has no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy, so no node announces anything",
                "make a CiliumBGPClusterConfig (and see that Cilium runs with bgpControlPlane.enabled=true)",
            )
        ]
    found: list[Finding] = []
    for config in configs(cluster):
        found += _config(config, cluster)
    for kind in ("nodes", "cilium_nodes", "node_configs"):
        if unread.get(kind):
            return [*found, unknown(4, kind, f"they can't be read: {unread[kind]}", "see docs/doctor.md")]
    for node in cluster["nodes"]:
        found += _node(node, cluster, named=node["name"] in targets)
    if not any(selecting(cluster, node) for node in cluster["nodes"]):
        names = " and ".join(str(config) for config in configs(cluster))
        found.append(
            failed(4, "nodes", f"none of them is selected by {names}", "label the nodes as the nodeSelector asks for")
        )
    return found


def _config(config: Config, cluster: Facts) -> Iterable[Finding]:
    """What is wrong with an object that selects nodes."""
    who = str(config)
    used = any(config in selecting(cluster, node) for node in cluster["nodes"])
    bad = failed if used else defect
    for condition in config.conditions:
        if condition.get("status") == "True":
            yield bad(4, who, says(condition), "correct what its condition names (kubectl describe)")
    wanted = requirements(config.selector)
    system_keys = sorted({key for key, _operator, _values in wanted if is_system(key)})
    if system_keys:
        yield defect(
            4,
            who,
            f"its nodeSelector is on {', '.join(system_keys)}, which belongs to Kubernetes: it selects by what a node "
            f"is, not by what it is to announce, and no node can be taken out of service by it",
            "select by a label of its own, such as matchLabels enable-bgp: 'true', and label the nodes with it",
        )
    elif not wanted:
        yield note(4, who, "it has no nodeSelector, so it selects every node")
    if config.kind == LEGACY:
        yield note(
            4,
            who,
            "it is of a legacy kind, which Cilium 1.19 doesn't know any more: its nodes will announce nothing then",
            "write a CiliumBGPClusterConfig, CiliumBGPPeerConfig and CiliumBGPAdvertisement",
        )


def _node(node: Facts, cluster: Facts, *, named: bool) -> Iterable[Finding]:
    """Whether a node is selected, and has what Cilium makes of that. named: by the user."""
    who = f"node {node['name']}"
    by = selecting(cluster, node)
    if not by:
        wanted = [config for config in configs(cluster) if config.selects(node["labels"])]
        yield from _not_selected(who, node, wanted, named)
        return
    if node["cilium_labels"] is None:
        yield failed(4, who, "it has no CiliumNode: Cilium's agent has never run on it", "see the agent's pod on it")
        return
    if len(by) > 1:
        yield failed(
            4,
            who,
            f"{' and '.join(map(str, by))} both select it, and Cilium takes one of them, which isn't said, or none",
            "make their nodeSelectors exclude each other",
        )
    if by[0].kind == LEGACY and cluster["unread"].get("policies"):
        yield unknown(4, who, f"the peers of {by[0]}, which selects it, can't be read: {cluster['unread']['policies']}")
        return
    yield from _node_config(who, node["node_config"], by[0])


def _node_config(who: str, node_config: Facts | None, by: Config) -> Iterable[Finding]:
    """Whether Cilium has made a NodeConfig for a node that is selected, and has no problem with it."""
    if node_config is None:
        yield failed(
            4,
            who,
            f"it is selected by {by} and has no CiliumBGPNodeConfig",
            "cilium-operator makes it: see whether it runs, and its log (subsys=bgp-cp-operator)",
        )
        return
    wrong = [each for each in node_config["conditions"] if each["status"] == "True"]
    for condition in wrong:
        said = f"its CiliumBGPNodeConfig says {condition['type']}: {condition['message'] or condition['reason']}"
        yield failed(4, who, said, "see the log of its agent (subsys=bgp-control-plane)")
    if not wrong:
        yield passed(4, who, f"selected by {by}, with {len(node_config['peers'])} peers")


def _not_selected(who: str, node: Facts, wanted: list[Config], named: bool) -> Iterable[Finding]:
    if wanted:
        yield failed(
            4,
            who,
            f"its labels select it for {wanted[0]}, those of its CiliumNode don't: the agent on it hasn't copied them",
            "see whether the agent runs, and whether exclude-node-label-patterns leaves the label out",
        )
    elif node["held"]:
        yield note(4, who, f"not selected: it is out of service, held by {node['held']}")
    elif named:
        yield failed(4, who, "no ClusterConfig selects it", "label it as the nodeSelector asks for")
    else:
        yield note(4, who, "not selected, so it announces nothing")
    if node["node_config"]:
        yield defect(
            4, who, "nothing selects it, and it still has a CiliumBGPNodeConfig", "see whether cilium-operator runs"
        )
