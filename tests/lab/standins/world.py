# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all stand-ins share: settings, knobs (faults that tests switch), the lab's machines as they run, the watches."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from emulator.client import ApiError, AsyncApi, Object
from emulator.images import Registry
from emulator.informer import Informer

from lab.settings import LabError

log = logging.getLogger("standins")
CILIUM = "/apis/cilium.io"


class Machine(Protocol):
    """What the stand-ins need of a lab machine."""

    @property
    def name(self) -> str: ...

    def boot_id(self) -> str | None: ...

    def service(self, action: str, name: str) -> None: ...

    def router_on(self, interface: str) -> str | None: ...

    def set_vips(self, answered: Collection[str], others: Collection[str]) -> None: ...


class Speaker(Protocol):
    """The BGP speaker of the nodes (lab.speaker)."""

    def apply(self, machine: Any, config: Any) -> None: ...

    def stop(self, machine: Any, keep_peers: Any = ()) -> None: ...

    def kill(self, machine: Any) -> None: ...

    def neighbors(self, machine: Any) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Settings:
    """Times in seconds. Shorter than the real ones where a test would only wait; --help has the real ones."""

    heartbeat: float = 2.0
    grace: float = 6.0
    start: float = 0.5
    status: float = 5.0
    tick: float = 0.25
    # Node lifecycle, workloads, scheduler, endpoint slices: auto = only where the cluster has none of its own.
    control_plane: str = "auto"


@dataclass
class Host:
    """A machine as it was seen at the last tick."""

    machine: Machine
    boot_id: str | None = None  # None: it does not run

    @property
    def name(self) -> str:
        """Machine name = Node name."""
        return self.machine.name

    @property
    def running(self) -> bool:
        """Whether it ran at the last tick."""
        return self.boot_id is not None


class Knobs:
    """The knobs file, read again whenever it changed. No file: no faults."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = {}
        self._seen: tuple[int, int] | None = None

    def refresh(self) -> bool:
        """Whether the knobs are others than before. A half-written file changes nothing."""
        try:
            stat = self.path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return False
            data = json.loads(self.path.read_text(encoding="utf-8") or "{}")
        except FileNotFoundError:
            data, seen = {}, None
        except (OSError, json.JSONDecodeError) as error:
            log.warning("knobs %s: %s", self.path, error)
            return False
        self._seen = seen
        if data == self.data:
            return False
        log.info("knobs: %s", json.dumps(data))
        self.data = data
        return True

    def _of(self, group: str, name: str) -> dict[str, Any]:
        """Knobs of one node; those under "*" are for all."""
        groups = self.data.get(group) or {}
        return {**(groups.get("*") or {}), **(groups.get(name) or {})}

    def operator_dead(self) -> bool:
        """The operator does nothing."""
        return bool((self.data.get("operator") or {}).get("dead"))

    def kubelet_dead(self, node: str) -> bool:
        """The kubelet sends no heartbeat and does nothing for pods; what runs, runs on."""
        return bool(self._of("kubelets", node).get("dead"))

    def agent_dead(self, node: str) -> bool:
        """The agent does not run; its BGP speaker dies with it, without NOTIFICATION."""
        return bool(self._of("agents", node).get("dead"))

    def status_reporting(self, node: str) -> bool:
        """Whether the agent writes NodeConfig.status."""
        return bool(self._of("agents", node).get("status_reporting", True))

    def keep_peers(self, node: str) -> tuple[str, ...]:
        """Peers whose sessions the agent wrongly leaves up when the node is deselected."""
        return tuple(self._of("agents", node).get("keep_peers") or ())

    def cli(self, node: str) -> str:
        """How the agent's command is called: cilium-dbg, shell (newer: cilium-dbg shell -- bgp/...), cilium (older)."""
        return str(self._of("agents", node).get("cli", "cilium-dbg"))

    def restart_seconds(self, node: str) -> float | None:
        """How long a new agent pod takes to start."""
        value = self._of("agents", node).get("restart_seconds")
        return None if value is None else float(value)

    def datapath_in_agent(self, node: str) -> bool:
        """The node's VIPs answer only while its agent runs, as where their traffic passes a proxy inside of it."""
        return bool(self._of("agents", node).get("datapath_in_agent"))

    def registry(self, node: str) -> Registry:
        """How pulls of images go on this node: pull_seconds, fail (why), away (the registry does not answer)."""
        knobs = self._of("images", node)
        away = "dial tcp: i/o timeout" if knobs.get("away") else None
        return Registry(float(knobs.get("pull_seconds", 0)), knobs.get("fail") or away)

    def removed_images(self, node: str) -> list[str]:
        """Parts of names of images that are removed from the node, once, when the list changes."""
        return [str(part) for part in self._of("images", node).get("removed") or ()]

    def crowded(self, node: str) -> bool:
        """The node has so many images that its status does not name them all."""
        return bool(self._of("images", node).get("crowded"))

    def exclude_labels(self, node: str) -> frozenset[str]:
        """Node labels that the agent does not copy to the CiliumNode."""
        return frozenset(self._of("agents", node).get("exclude_labels") or ())

    def termination_seconds(self, pod: Object) -> float:
        """How long a pod takes to end after its deletion was asked for."""
        own = (pod["metadata"].get("annotations") or {}).get("lab.hitless.nodes/termination-seconds")
        return float(own if own is not None else (self.data.get("pods") or {}).get("termination_seconds", 1.0))


@dataclass
class World:
    """Everything a stand-in looks at."""

    api: AsyncApi
    namespace: str
    settings: Settings
    knobs: Knobs
    hosts: dict[str, Host]
    speaker: Speaker
    cilium: str  # version of Cilium's BGP kinds that this cluster serves
    informers: dict[str, Informer] = field(default_factory=dict)
    wakes: list[asyncio.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        space, bgp = f"/api/v1/namespaces/{self.namespace}", f"{CILIUM}/{self.cilium}"
        for name, path in {
            "nodes": "/api/v1/nodes",
            "pods": "/api/v1/pods",
            "services": "/api/v1/services",
            "slices": "/apis/discovery.k8s.io/v1/endpointslices",
            "leases": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
            "secrets": f"{space}/secrets",
            "cilium_nodes": f"{CILIUM}/v2/ciliumnodes",
            "cluster_configs": f"{bgp}/ciliumbgpclusterconfigs",
            "peer_configs": f"{bgp}/ciliumbgppeerconfigs",
            "advertisements": f"{bgp}/ciliumbgpadvertisements",
            "overrides": f"{bgp}/ciliumbgpnodeconfigoverrides",
            "node_configs": f"{bgp}/ciliumbgpnodeconfigs",
        }.items():
            self.informers[name] = Informer(self.api, path)

    def __getitem__(self, name: str) -> Informer:
        return self.informers[name]

    def pods_on(self, node: str) -> Iterator[Object]:
        """Pods bound to a node, in every namespace."""
        return (p for p in self["pods"].items.values() if p["spec"].get("nodeName") == node)

    async def look(self) -> None:
        """Watch machines and knobs for ever; wake everybody when one changed."""
        while True:
            try:
                seen = await asyncio.to_thread(self._boot_ids)
            except (LabError, OSError) as error:  # a machine in the middle of being changed
                log.warning("machines: %s", error)
                seen = {}
            changed = self.knobs.refresh()
            for name, boot_id in seen.items():
                host = self.hosts[name]
                if host.boot_id != boot_id:
                    log.info("%s: %s", name, "runs" if boot_id else "does not run")
                    host.boot_id = boot_id
                    changed = True
            if changed:
                for event in self.wakes:
                    event.set()
            await asyncio.sleep(self.settings.tick)

    def _boot_ids(self) -> dict[str, str | None]:
        return {name: host.machine.boot_id() for name, host in self.hosts.items()}


async def served_version(api: AsyncApi, seconds: float = 30) -> str:
    """The version of Cilium's BGP kinds to use: v2 where it is served, as the collection prefers it."""
    deadline = time.monotonic() + seconds
    while True:
        for version in ("v2", "v2alpha1"):
            try:
                found = await api.get(f"{CILIUM}/{version}")
            except ApiError as error:
                if error.status != 404:
                    raise
                continue
            if any(r["name"] == "ciliumbgpnodeconfigs" for r in found["resources"]):
                return version
        # Right after their creation a real server needs a moment until it serves the kinds.
        if time.monotonic() > deadline:
            raise ApiError(404, "the server has no ciliumbgpnodeconfigs.cilium.io: run the lab's seed first")
        await asyncio.sleep(0.3)
