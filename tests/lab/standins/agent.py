# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for a node's cilium-agent, BGP only: Node labels -> CiliumNode, NodeConfig -> BGP speaker, status, exec."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
import subprocess
import time
from collections.abc import Collection, Mapping
from typing import Any

from emulator.client import ApiError, Object, patch_existing
from emulator.informer import Controller
from emulator.objects import timestamp

from lab.settings import LabError
from lab.speaker import Peer, SpeakerConfig
from lab.standins import agent_cli
from lab.standins.kubelets import NodeKubelet
from lab.standins.selectors import matches
from lab.standins.world import CILIUM, Host, World

log = logging.getLogger("standins.agent")


def internal_addresses(node: Object) -> list[str]:
    """The node's InternalIPs in the Node's order."""
    return [a["address"] for a in (node.get("status") or {}).get("addresses") or [] if a["type"] == "InternalIP"]


def ingress_ips(service: Object) -> set[str]:
    """The addresses of the Service's load balancer."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return {entry["ip"] for entry in ingress if entry.get("ip")}


def has_endpoint(service: Object, slices: list[Object], node: str, condition: str, ended: Collection[str] = ()) -> bool:
    """Whether the Service has an endpoint on this node that is ready, or serving (also one that is terminating).

    ended: UIDs of pods whose containers have ended. Nothing answers there, whatever the endpoint still says.
    """
    meta = service["metadata"]
    return any(
        e.get("nodeName") == node
        and (e.get("conditions") or {}).get(condition, True)
        and (e.get("targetRef") or {}).get("uid") not in ended
        for s in slices
        if s["metadata"]["namespace"] == meta["namespace"]
        and (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == meta["name"]
        for e in s.get("endpoints") or []
    )


def is_local(service: Object) -> bool:
    """Whether only the nodes that have a pod of this Service take its traffic."""
    return service["spec"].get("externalTrafficPolicy") == "Local"


def local_vips(services: list[Object], slices: list[Object], node: str, ended: Collection[str] = ()) -> dict[str, bool]:
    """VIP of a Service with traffic policy Local -> whether this node answers: has a pod that serves."""
    return {
        ip: has_endpoint(service, slices, node, "serving", ended)
        for service in services
        if is_local(service)
        for ip in ingress_ips(service)
    }


def service_prefixes(service: Object, kinds: list[str], slices: list[Object], node: str) -> set[str]:
    """Host prefixes that an advertisement of this Service means on this node."""
    spec = service["spec"]
    found: set[str] = set()
    if "LoadBalancerIP" in kinds:
        found |= ingress_ips(service)
    if "ExternalIP" in kinds:
        found |= set(spec.get("externalIPs") or [])
    if "ClusterIP" in kinds:
        found |= {ip for ip in spec.get("clusterIPs") or [] if ip != "None"}
    # With policy Local only the nodes that have a ready endpoint announce; with Cluster all do.
    if is_local(service) and not has_endpoint(service, slices, node, "ready"):
        return set()
    return {str(ipaddress.ip_network(ip)) for ip in found}


def service_labels(service: Object) -> dict[str, str]:
    """What a Service selector sees: the labels, and the two that Cilium adds."""
    meta = service["metadata"]
    added = {"io.kubernetes.service.namespace": meta["namespace"], "io.kubernetes.service.name": meta["name"]}
    return {**(meta.get("labels") or {}), **added}


def advertised(
    family: Object, advertisements: list[Object], node: Object, services: list[Object], slices: list[Object]
) -> set[str]:
    """Prefixes that one family of a PeerConfig announces on this node."""
    version = {"ipv4": 4, "ipv6": 6}.get(family["afi"])
    if family["safi"] != "unicast" or family.get("advertisements") is None:
        return set()
    found: set[str] = set()
    for obj in advertisements:
        if not matches(family["advertisements"], obj["metadata"].get("labels") or {}):
            continue
        for entry in obj["spec"]["advertisements"]:
            if entry["advertisementType"] == "PodCIDR":
                found |= set(node["spec"].get("podCIDRs") or [])
            elif entry["advertisementType"] == "Service" and entry.get("selector") is not None:
                kinds = (entry.get("service") or {}).get("addresses") or []
                for service in services:
                    if matches(entry["selector"], service_labels(service)):
                        found |= service_prefixes(service, kinds, slices, node["metadata"]["name"])
    return {p for p in found if ipaddress.ip_network(p).version == version}


def unnumbered_interface(peer: Object) -> str:
    """The interface of a peer that has no address in its NodeConfig; "" for others."""
    discovery = peer.get("autoDiscovery") or {}
    return (
        str((discovery.get("unnumbered") or {}).get("interface", "")) if discovery.get("mode") == "Unnumbered" else ""
    )


def peer_address(peer: Object, discovered: Mapping[str, str]) -> str:
    """The peer's address: its own, or the one found on its interface, with that; "" where none is known."""
    interface = unnumbered_interface(peer)
    if not interface:
        return str(peer.get("peerAddress") or "")
    return f"{discovered[interface]}%{interface}" if interface in discovered else ""


def speaker_config(
    node_config: Object,
    node: Object,
    *,
    peer_configs: dict[str, Object],
    passwords: dict[str, str],
    advertisements: list[Object],
    services: list[Object],
    slices: list[Object],
    discovered: Mapping[str, str] | None = None,
) -> SpeakerConfig:
    """The speaker's configuration for a NodeConfig. Only its first instance: the lab's speaker has one.

    discovered: interface -> link-local address of the router there.
    """
    instance = node_config["spec"]["bgpInstances"][0]
    peers, prefixes = [], set()
    for peer in instance.get("peers") or []:
        reference = (peer.get("peerConfigRef") or {}).get("name")
        address = peer_address(peer, discovered or {})
        if not address or (reference and reference not in peer_configs):
            continue  # Cilium leaves such a peer out, too
        spec = peer_configs[reference]["spec"] if reference else {}
        timers, restart = spec.get("timers") or {}, spec.get("gracefulRestart") or {}
        peers.append(
            Peer(
                address=address,
                asn=peer.get("peerASN", 0),
                password=passwords.get(spec.get("authSecretRef", "")),
                hold_time=timers.get("holdTimeSeconds", 90),
                keepalive=timers.get("keepAliveTimeSeconds", 30),
                connect_retry=timers.get("connectRetryTimeSeconds", 120),
                gr_restart_time=restart.get("restartTimeSeconds", 120) if restart.get("enabled") else None,
                families=tuple({"ipv4": 4, "ipv6": 6}[f["afi"]] for f in spec.get("families") or []),
                local_address=peer.get("localAddress"),
                hops=spec.get("ebgpMultihop", 1),
            )
        )
        for family in spec.get("families") or []:
            prefixes |= advertised(family, advertisements, node, services, slices)
    addresses = internal_addresses(node)
    router_id = instance.get("routerID") or next((a for a in addresses if "." in a), "0.0.0.0")
    return SpeakerConfig(
        asn=instance["localASN"],
        router_id=router_id,
        peers=tuple(peers),
        prefixes4=tuple(sorted(p for p in prefixes if "." in p)),
        prefixes6=tuple(sorted(p for p in prefixes if ":" in p)),
    )


def peer_status(peer: Object, session: dict[str, Any] | None, since: str | None) -> Object:
    """One peer in NodeConfig.status, from the speaker's session (None: the speaker does not know the peer)."""
    found: Object = {
        "name": peer["name"],
        "peerAddress": session["address"] if session else peer.get("peerAddress", ""),
        "peerASN": peer.get("peerASN", 0),
        "peeringState": session["state"] if session else "idle",
    }
    if session is None or session["state"] != "established":
        return found
    found["establishedTime"] = since
    found["timers"] = {
        "appliedHoldTimeSeconds": session["hold_time"],
        "appliedKeepaliveSeconds": session["keepalive"],
    }
    found["routeCount"] = [
        {"afi": f["afi"], "safi": f["safi"], "advertised": f["advertised"], "received": f["received"]}
        for f in session["families"]
    ]
    return found


class Agent(Controller):
    """One node's agent. It runs while its machine runs, its pod's container runs and it is not dead by knob."""

    def __init__(self, world: World, host: Host) -> None:
        super().__init__()
        self.world = world
        self.host = host
        self.name = f"stand-in agent of {host.name}"
        self.alive = False
        self.process: tuple[str, str] | None = None
        self.kubelet: NodeKubelet | None = None
        self.applied: tuple[SpeakerConfig | None, tuple[str, ...]] | None = None  # None: not known, apply again
        self.next_status = 0.0
        self.status_written: Object | None = None
        self.established: dict[str, float] = {}  # peer address -> epoch seconds
        self.discovered: dict[str, str] = {}  # interface -> the router's link-local address there
        self.local_vips: dict[str, bool] | None = None  # as the datapath has them; None: not known
        self.datapath_ended = False  # the VIPs' echo was ended with the agent, and is to be started with it
        kinds = (
            "nodes",
            "cilium_nodes",
            "node_configs",
            "peer_configs",
            "advertisements",
            "services",
            "slices",
            "secrets",
        )
        self.watches(*(world[kind] for kind in kinds))
        world.wakes.append(self.wake)

    def ready(self) -> bool:
        """What the pod's readiness probe would say."""
        return self.alive

    async def step(self) -> float | None:
        """Live or die; then labels, speaker, status."""
        process = None if self.world.knobs.agent_dead(self.host.name) else self._process()
        if process != self.process:
            # Another boot or another container, even when it came so fast that we did not see it gone.
            if self.alive:
                await self._live(False)
            self.process = process
            if process:
                await self._live(True)
        if not self.alive:
            return None
        node = self.world["nodes"].items.get(self.host.name)
        if node is None:
            return None
        await self._cilium_node(node)
        try:
            await self._local_vips()
            await self._speaker(node)
            return await self._status()
        except (LabError, subprocess.SubprocessError) as error:  # the machine goes down, or its speaker does not answer
            log.warning("%s: %s", self.name, error)
            self.applied = None
            return 0.5

    def _process(self) -> tuple[str, str] | None:
        """Boot and container that the agent runs in; None when there is none."""
        pod = self.kubelet.agent_pod if self.kubelet else None
        if pod is None or self.host.boot_id is None:
            return None
        return self.host.boot_id, pod["status"]["containerStatuses"][0]["containerID"]

    async def _live(self, lives: bool) -> None:
        log.info("%s: %s", self.name, "started" if lives else "stopped")
        self.alive = lives
        self.applied = self.status_written = self.local_vips = None
        self.next_status = 0.0
        self.established.clear()
        try:
            if not lives and self.host.running:
                # An agent that stops sends no NOTIFICATION: graceful restart relies on it.
                await asyncio.to_thread(self.world.speaker.kill, self.host.machine)
            await self._datapath(lives)
        except (LabError, subprocess.SubprocessError) as error:
            log.warning("%s: %s", self.name, error)
        if self.kubelet is not None:
            self.kubelet.wake.set()

    async def _datapath(self, lives: bool) -> None:
        """The VIPs of this node stop answering with the agent, and answer again with it, where a knob says so."""
        # A machine that was off has started its echo itself.
        ends = not lives and self.host.running and self.world.knobs.datapath_in_agent(self.host.name)
        if ends or (lives and self.datapath_ended):
            await asyncio.to_thread(self.host.machine.service, "kill" if ends else "start", "hitless-echo")
        self.datapath_ended = ends

    async def _local_vips(self) -> None:
        """This node answers the VIPs of Services with traffic policy Local while one of its own pods serves."""
        found = self._serving()
        if found == self.local_vips:
            return
        answered = {vip for vip, serves in found.items() if serves}
        await asyncio.to_thread(self.host.machine.set_vips, answered, found.keys() - answered)
        self.local_vips = found

    def _serving(self) -> dict[str, bool]:
        ended = self.kubelet.ended if self.kubelet else ()
        return local_vips(self.world["services"].values(), self.world["slices"].values(), self.host.name, ended)

    async def pod_ended(self) -> None:
        """A VIP whose last pod here has ended answers no more at once, before any agent has heard of it."""
        silent = {vip for vip, serves in self._serving().items() if not serves}
        await asyncio.to_thread(self.host.machine.set_vips, (), silent)
        self.wake.set()

    # -- second hop of the label

    async def _cilium_node(self, node: Object) -> None:
        """Copy the Node's labels (without the excluded ones), addresses and PodCIDRs to the CiliumNode."""
        meta = node["metadata"]
        excluded = self.world.knobs.exclude_labels(self.host.name)
        found = self.world["cilium_nodes"].items.get(self.host.name)
        before = (found or {}).get("metadata", {}).get("labels") or {}
        labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in excluded}
        # A label that is excluded stays on the CiliumNode as it was: nobody writes it any more.
        labels |= {k: v for k, v in before.items() if k in excluded}
        spec = {
            "addresses": [{"type": "InternalIP", "ip": a} for a in internal_addresses(node)],
            "ipam": {"podCIDRs": node["spec"].get("podCIDRs") or []},
            "bootid": self.host.boot_id,
        }
        path = f"{CILIUM}/v2/ciliumnodes"
        if found is None:
            owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
            body = {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNode",
                "metadata": {"name": meta["name"], "labels": labels, "ownerReferences": [owner]},
                "spec": spec,
            }
            try:
                await self.world.api.create(path, body)
            except ApiError as error:
                if error.status != 409:
                    raise
        elif before != labels or any(found["spec"].get(k) != v for k, v in spec.items()):
            gone = {k: None for k in before if k not in labels}
            body = {"metadata": {"labels": {**labels, **gone}}, "spec": spec}
            await patch_existing(self.world.api, f"{path}/{self.host.name}", body)

    # -- fifth hop: sessions

    def _node_config(self) -> Object | None:
        found = self.world["node_configs"].items.get(self.host.name)
        return None if found is None or found["metadata"].get("deletionTimestamp") else found

    async def _speaker(self, node: Object) -> None:
        """Start, change or stop the speaker so that it is as the NodeConfig wants it."""
        world = self.world
        if not world["node_configs"].synced.is_set():
            return
        node_config = self._node_config()
        keep = world.knobs.keep_peers(self.host.name)
        config = None
        if node_config is not None:
            prefix = f"{world.namespace}/"
            secrets = {k.removeprefix(prefix): s for k, s in world["secrets"].items.items() if k.startswith(prefix)}
            config = speaker_config(
                node_config,
                node,
                peer_configs=world["peer_configs"].items,
                passwords={name: _password(secret) for name, secret in secrets.items()},
                advertisements=world["advertisements"].values(),
                services=world["services"].values(),
                slices=world["slices"].values(),
                discovered=await self._discovered(node_config),
            )
            keep = ()
        if self.applied == (config, keep):
            return
        machine = self.host.machine
        if config is not None:
            log.info("%s: speaker with %d peers, %s", self.name, len(config.peers), sorted(config.prefixes))
            await asyncio.to_thread(world.speaker.apply, machine, config)
        else:
            log.info("%s: deselected, sessions closed%s", self.name, f" but {', '.join(keep)}" if keep else "")
            await asyncio.to_thread(world.speaker.stop, machine, keep)
        self.applied = (config, keep)

    async def _discovered(self, node_config: Object) -> dict[str, str]:
        """Where the NodeConfig's unnumbered peers are. One that was found stays: the kernel forgets neighbours."""
        peers = [peer for instance in node_config["spec"]["bgpInstances"] for peer in instance.get("peers") or []]
        for interface in {unnumbered_interface(peer) for peer in peers} - {"", *self.discovered}:
            if found := await asyncio.to_thread(self.host.machine.router_on, interface):
                self.discovered[interface] = found
        return self.discovered

    # -- what it reports

    async def _status(self) -> float | None:
        """Write NodeConfig.status when due; returns when it is due again."""
        node_config = self._node_config()
        if node_config is None:
            self.status_written = None
            return None
        now = time.monotonic()
        if now < self.next_status:
            return self.next_status - now
        self.next_status = now + self.world.settings.status
        path = f"{CILIUM}/{self.world.cilium}/ciliumbgpnodeconfigs/{self.host.name}/status"
        if not self.world.knobs.status_reporting(self.host.name):
            if node_config.get("status"):
                await patch_existing(self.world.api, path, {"status": dict.fromkeys(node_config["status"])})
            self.status_written = None
            return self.world.settings.status
        sessions = await self._sessions()
        instances = []
        for instance in node_config["spec"]["bgpInstances"]:
            peers = []
            for peer in instance.get("peers") or []:
                session = sessions.get(peer_address(peer, self.discovered))
                peers.append(peer_status(peer, session, self._since(session)))
            instances.append({"name": instance["name"], "localASN": instance["localASN"], "peers": peers})
        status = {"bgpInstances": instances}
        if (node_config.get("status") or {}).get("bgpInstances") != instances:
            await patch_existing(self.world.api, path, {"status": status})
        return self.world.settings.status

    async def _sessions(self) -> dict[str, dict[str, Any]]:
        """The speaker's sessions by peer address."""
        found = await asyncio.to_thread(self.world.speaker.neighbors, self.host.machine)
        return {session["address"]: session for session in found}

    def _since(self, session: dict[str, Any] | None) -> str | None:
        """When the session came up; uptimes are whole seconds, so the first reckoning is kept while it fits."""
        if session is None or session["state"] != "established":
            if session is not None:
                self.established.pop(session["address"], None)
            return None
        since = time.time() - (session["uptime"] or 0)
        known = self.established.get(session["address"])
        if known is None or abs(known - since) > 2:
            known = self.established[session["address"]] = since
        return timestamp(known)

    async def command(self, argv: list[str]) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command in the agent's container."""
        if not self.alive:
            return 1, "", "stand-in agent: the container does not run\n"
        node = self.world["nodes"].items.get(self.host.name) or {}
        node_config = self._node_config()
        told = agent_cli.Told(
            config=self.applied[0] if self.applied else None,
            instance=node_config["spec"]["bgpInstances"][0]["name"] if node_config else "none",
            addresses=internal_addresses(node),
            sessions=list((await self._sessions()).values()),
        )
        return agent_cli.command(self.world.knobs.cli(self.host.name), told, argv)


def _password(secret: Object) -> str:
    return base64.b64decode((secret.get("data") or {}).get("password", "")).decode()
