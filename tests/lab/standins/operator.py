# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for cilium-operator's BGP part: CiliumNode labels and ClusterConfig selectors -> NodeConfigs, conditions."""

from __future__ import annotations

import logging
import time
from typing import Any

from emulator.client import ApiError, Object, patch_existing
from emulator.informer import Controller
from emulator.objects import condition, timestamp

from lab.standins.selectors import matches
from lab.standins.world import CILIUM, World

log = logging.getLogger("standins.operator")
LEASE = "cilium-operator-resource-lock"


def owner_of(node_config: Object) -> str | None:
    """Name of the ClusterConfig that a NodeConfig belongs to."""
    owners = node_config["metadata"].get("ownerReferences") or []
    return next((o["name"] for o in owners if o["kind"] == "CiliumBGPClusterConfig"), None)


def selected(config: Object, cilium_nodes: dict[str, Object]) -> set[str]:
    """Names of the nodes that a ClusterConfig selects; without a selector: all."""
    selector = config["spec"].get("nodeSelector") or {}
    return {n for n, node in cilium_nodes.items() if matches(selector, node["metadata"].get("labels") or {})}


def node_config_spec(config: Object, override: Object | None) -> Object:
    """Spec of the NodeConfig: the ClusterConfig's instances with the node's overrides."""
    own = {i["name"]: i for i in ((override or {}).get("spec") or {}).get("bgpInstances") or []}
    instances = []
    for instance in config["spec"]["bgpInstances"]:
        mine: dict[str, Any] = own.get(instance["name"]) or {}
        addresses = {p["name"]: p["localAddress"] for p in mine.get("peers") or [] if p.get("localAddress")}
        peers = [
            {**peer, **({"localAddress": addresses[peer["name"]]} if peer["name"] in addresses else {})}
            for peer in instance.get("peers") or []
        ]
        overrides = {k: mine[k] for k in ("routerID", "localPort", "localASN") if k in mine}
        instances.append({**instance, **overrides, **({"peers": peers} if peers else {})})
    return {"bgpInstances": instances}


def plan(
    configs: dict[str, Object], cilium_nodes: dict[str, Object], existing: dict[str, Object]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Node -> ClusterConfig it belongs to, and ClusterConfig -> those it loses nodes to.

    The one that has the node keeps it while it selects it; among new ones the first by name gets it.
    """
    wanted: dict[str, str] = {}
    conflicts: dict[str, set[str]] = {name: set() for name in configs}
    selections = {name: selected(config, cilium_nodes) for name, config in configs.items()}
    for node, node_config in existing.items():
        owner = owner_of(node_config)
        if owner in selections and node in selections[owner]:
            wanted[node] = owner
    for name in sorted(configs):
        for node in sorted(selections[name]):
            owner = wanted.setdefault(node, name)
            if owner != name:
                conflicts[name].add(owner)
    return wanted, conflicts


class Operator(Controller):
    """Third hop of the label: CiliumNode -> NodeConfig."""

    name = "stand-in operator"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.path = f"{CILIUM}/{world.cilium}"
        self.next_renewal = 0.0
        kinds = ("cilium_nodes", "cluster_configs", "peer_configs", "overrides", "node_configs", "secrets")
        self.watches(*(world[kind] for kind in kinds))
        world.wakes.append(self.wake)

    async def step(self) -> float | None:
        """Delete, create and update NodeConfigs; write the conditions."""
        world = self.world
        if world.knobs.operator_dead():
            return None
        await self._lead()
        configs, nodes = world["cluster_configs"].items, world["cilium_nodes"].items
        existing = world["node_configs"].items
        wanted, conflicts = plan(configs, nodes, existing)
        collection = f"{self.path}/ciliumbgpnodeconfigs"
        for name, node_config in list(existing.items()):
            if node_config["metadata"].get("deletionTimestamp"):
                continue
            if wanted.get(name) != owner_of(node_config):
                log.info("%s: no longer selected by %s, NodeConfig deleted", name, owner_of(node_config))
                uid = node_config["metadata"]["uid"]
                await world.api.delete(f"{collection}/{name}", {"preconditions": {"uid": uid}})
        for name, owner in wanted.items():
            spec = node_config_spec(configs[owner], world["overrides"].items.get(name))
            found = existing.get(name)
            if found is None:
                log.info("%s: selected by %s, NodeConfig created", name, owner)
                await self._write("POST", collection, self._node_config(name, configs[owner], spec))
            elif owner_of(found) == owner and found["spec"] != spec:
                await self._write("PUT", f"{collection}/{name}", {**found, "spec": spec})
        for name, config in configs.items():
            await self._conditions(config, selected(config, nodes), conflicts[name])
        for config in world["peer_configs"].values():
            await self._peer_config_conditions(config)
        return None

    async def _lead(self) -> None:
        """Renew the lease by which cilium-operator shows that it runs."""
        now = time.monotonic()
        if now < self.next_renewal:
            return
        self.next_renewal = now + self.idle
        spec = {"holderIdentity": "stand-in", "leaseDurationSeconds": 15, "renewTime": timestamp(micro=True)}
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.world.namespace}/leases"
        if await patch_existing(self.world.api, f"{path}/{LEASE}", {"spec": spec}) is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec}
            await self._write("POST", path, body)

    async def _write(self, method: str, path: str, body: Object) -> None:
        """Write; a conflict means that our copy lags, and the watch will bring the news."""
        try:
            await self.world.api.request(method, path, body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _node_config(self, name: str, config: Object, spec: Object) -> Object:
        owner = {
            "apiVersion": f"cilium.io/{self.world.cilium}",
            "kind": "CiliumBGPClusterConfig",
            "name": config["metadata"]["name"],
            "uid": config["metadata"]["uid"],
            "controller": True,
        }
        return {
            "apiVersion": f"cilium.io/{self.world.cilium}",
            "kind": "CiliumBGPNodeConfig",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": spec,
        }

    async def _conditions(self, config: Object, nodes: set[str], conflicts: set[str]) -> None:
        peers = [p for i in config["spec"]["bgpInstances"] for p in i.get("peers") or []]
        referenced = {p["peerConfigRef"]["name"] for p in peers if p.get("peerConfigRef")}
        missing = referenced - set(self.world["peer_configs"].items)
        await self._report(
            config,
            "ciliumbgpclusterconfigs",
            [
                ("NoMatchingNode", not nodes, "No node matches spec.nodeSelector"),
                (
                    "MissingPeerConfigs",
                    bool(missing),
                    f"Referenced PeerConfigs do not exist: {', '.join(sorted(missing))}",
                ),
                ("ConflictingClusterConfig", bool(conflicts), f"Nodes belong to: {', '.join(sorted(conflicts))}"),
            ],
        )

    async def _peer_config_conditions(self, config: Object) -> None:
        secret = config["spec"].get("authSecretRef")
        missing = bool(secret) and f"{self.world.namespace}/{secret}" not in self.world["secrets"].items
        await self._report(
            config, "ciliumbgppeerconfigs", [("MissingAuthSecret", missing, f"Secret {secret} does not exist")]
        )

    async def _report(self, obj: Object, plural: str, problems: list[tuple[str, bool, str]]) -> None:
        """Write the conditions where they differ from what is there (True means a problem)."""
        before = (obj.get("status") or {}).get("conditions") or []
        generation = obj["metadata"].get("generation", 0)
        after = [
            condition(
                f"cilium.io/{kind}",
                "True" if bad else "False",
                kind,
                message if bad else "",
                before,
                observedGeneration=generation,
            )
            for kind, bad, message in problems
        ]
        if before != after:
            path = f"{self.path}/{plural}/{obj['metadata']['name']}/status"
            await patch_existing(self.world.api, path, {"status": {"conditions": after}})
