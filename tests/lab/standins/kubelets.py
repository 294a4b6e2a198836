# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in kubelets: they live while their machine runs; lease, node status, pods that start, become ready and end."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from emulator.client import ApiError, Object, patch_existing
from emulator.images import ImageStore, Waiting
from emulator.kubelet import Kubelet, Running, pod_path, ready_conditions, running_container
from emulator.objects import condition, is_true, timestamp

from lab.standins.world import Host, World

log = logging.getLogger("standins.kubelets")
START = "lab.hitless.nodes/start-seconds"  # pod annotation: how long this pod takes to become ready


class AgentProcess(Protocol):
    """The agent that runs in this node's agent pod."""

    wake: asyncio.Event
    kubelet: NodeKubelet | None

    def ready(self) -> bool: ...

    async def pod_ended(self) -> None: ...


def is_agent(pod: Object, namespace: str) -> bool:
    """Whether this is a Cilium agent's pod of the lab."""
    meta = pod["metadata"]
    return meta["namespace"] == namespace and (meta.get("labels") or {}).get("k8s-app") == "cilium"


class NodeKubelet(Kubelet):
    """One node's kubelet. The agent's pod is ready when the agent says so; the agent runs while its pod does."""

    starts = ("Pending", "Running")  # after a boot no container runs, whatever the pod's status says

    def __init__(self, world: World, host: Host, agent: AgentProcess) -> None:
        super().__init__(
            world.api,
            world["pods"],
            lambda node: node == host.name,
            start=0.0,
            end=world.knobs.termination_seconds,
        )
        self.world = world
        self.host = host
        self.name = f"stand-in kubelet of {host.name}"
        self.agent = agent
        agent.kubelet = self
        self.agent_pod: Object | None = None  # the agent's pod whose container runs here
        self.ended: set[str] = set()  # UIDs of pods whose containers have ended, and whose objects may still be there
        self.boot_id: str | None = None  # boot for which this kubelet has registered
        self.addresses: dict[str, list[str]] = {}  # pod uid -> addresses given to it
        self.images = ImageStore()
        self.removed: list[str] = []  # what the knob said last
        self.crowded = False
        self.next_heartbeat = 0.0
        self.watches(world["nodes"])
        world.wakes.append(self.wake)

    async def step(self) -> float | None:
        """Heartbeat when due, pods when something about them is due."""
        node = self.world["nodes"].items.get(self.host.name)
        if not self.host.running:
            self.boot_id = None
            self.containers.clear()
            self._set_agent_pod(None)
            return None
        if node is None or self.world.knobs.kubelet_dead(self.host.name):
            return None
        now = time.monotonic()
        if self.boot_id != self.host.boot_id:
            await self._register(node)
        if now >= self.next_heartbeat:
            await self._heartbeat(node)
            self.next_heartbeat = now + self.world.settings.heartbeat
        self._lose_images()
        self._forget_pods()
        due = await self.bring_forward()
        if self.images.changed:
            await self._list_images()
        return max(0.0, min([self.next_heartbeat, *due]) - time.monotonic())

    # -- the node

    async def _register(self, node: Object) -> None:
        """After a boot: all containers are gone; NotReady with the new boot id until the first heartbeat."""
        name, boot_id = self.host.name, self.host.boot_id
        self._set_agent_pod(None)
        same_boot = ((node.get("status") or {}).get("nodeInfo") or {}).get("bootID") == boot_id
        self.containers.clear()
        for pod in self.pods():
            phase = (pod.get("status") or {}).get("phase")
            if phase == "Running" and same_boot:  # only the stand-in was restarted: what runs, runs on
                self.containers[pod["metadata"]["uid"]] = Running("running")
                if is_agent(pod, self.world.namespace):
                    self._set_agent_pod(pod)
            elif phase == "Running":
                body = {"status": {"conditions": ready_conditions(pod, ready=False)}}
                await patch_existing(self.world.api, pod_path(pod, "/status"), body)
        self.next_heartbeat = 0.0
        for image in (node.get("status") or {}).get("images") or []:
            for image_name in image["names"]:
                self.images.add(image_name)
        if not same_boot:
            log.info("%s: booted, boot id %s", name, boot_id)
            await self._renew(node)
            await self._node_status(node, ready=False, bootID=boot_id)
            self.next_heartbeat = time.monotonic() + self.world.settings.start
        self.boot_id = boot_id

    async def _heartbeat(self, node: Object) -> None:
        """Renew the lease; write the node's status only when it changes (real kubelets also every 5 min)."""
        await self._renew(node)
        if not is_true(node, "Ready"):
            await self._node_status(node, ready=True)

    async def _renew(self, node: Object) -> None:
        name = self.host.name
        lease = {"spec": {"holderIdentity": name, "renewTime": timestamp(micro=True)}}
        collection = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        try:
            await self.world.api.patch(f"{collection}/{name}", lease)
        except ApiError as error:
            if error.status != 404:
                raise
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
            meta = {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]}
            full = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": timestamp(micro=True)}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": full}
            await self.world.api.create(collection, body)

    async def _node_status(self, node: Object, *, ready: bool, **info: Any) -> None:
        before = (node.get("status") or {}).get("conditions") or []
        beat = {"lastHeartbeatTime": timestamp()}
        conditions = [
            condition(kind, "False", f"KubeletHasNo{kind}", "", before, **beat)
            for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
        ]
        if ready:
            conditions.append(condition("Ready", "True", "KubeletReady", "stand-in kubelet is ready", before, **beat))
        else:
            conditions.append(condition("Ready", "False", "KubeletNotReady", "stand-in kubelet starts", before, **beat))
        status: Object = {"conditions": conditions}
        if info:
            status["nodeInfo"] = info
        written = await self.world.api.patch(f"/api/v1/nodes/{self.host.name}/status", {"status": status})
        # The next step must judge by this even if the watch has not brought it yet.
        node["status"] = written["status"]

    # -- its images

    def _lose_images(self) -> None:
        """Remove images, or hide them in the node's status, where a knob says so."""
        knobs = self.world.knobs
        if (removed := knobs.removed_images(self.host.name)) != self.removed:
            self.removed = removed
            for part in removed:
                self.images.remove(part)
        if (crowded := knobs.crowded(self.host.name)) != self.crowded:
            self.crowded = crowded
            self.images.changed = True

    async def _list_images(self) -> None:
        self.images.changed = False
        listed = self.images.listed(crowded=self.crowded)
        await patch_existing(self.world.api, f"/api/v1/nodes/{self.host.name}/status", {"status": {"images": listed}})

    def _waiting(self, pod: Object, now: float) -> dict[str, Waiting]:
        """Container -> what it waits for until its image is there; {}: all are there."""
        registry = self.world.knobs.registry(self.host.name)
        containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        found = {
            c["name"]: self.images.want(
                pod["metadata"]["uid"], c["image"], now, registry, always=c.get("imagePullPolicy") == "Always"
            )
            for c in containers
        }
        return {name: waiting for name, waiting in found.items() if waiting}

    # -- its pods

    def _forget_pods(self) -> None:
        """What is gone leaves nothing behind."""
        alive = {p["metadata"]["uid"] for p in self.pods()}
        self.images.forget(alive)
        self.ended &= alive
        self.addresses = {uid: given for uid, given in self.addresses.items() if uid in alive}
        if self.agent_pod is not None and self.agent_pod["metadata"]["uid"] not in alive:
            self._set_agent_pod(None)

    def ending(self, pod: Object) -> None:
        """The agent ends with its pod."""
        if self.agent_pod is not None and self.agent_pod["metadata"]["uid"] == pod["metadata"]["uid"]:
            self._set_agent_pod(None)

    async def _end(self, pod: Object) -> None:
        """What ran in the pod answers no more, and then its object goes."""
        uid = pod["metadata"]["uid"]
        if uid not in self.ended:
            self.ended.add(uid)
            await self.agent.pod_ended()
        await super()._end(pod)

    def change(self, pod: Object) -> Coroutine[Any, Any, None] | None:
        """Readiness, where it is not as written."""
        return None if is_true(pod, "Ready") == self._healthy(pod) else self._ready(pod)

    def _start_seconds(self, pod: Object) -> float:
        if is_agent(pod, self.world.namespace):
            restart = self.world.knobs.restart_seconds(self.host.name)
            if restart is not None:
                return restart
        own = (pod["metadata"].get("annotations") or {}).get(START)
        return self.world.settings.start if own is None else float(own)

    def _healthy(self, pod: Object) -> bool:
        return self.agent.ready() if is_agent(pod, self.world.namespace) else True

    async def start(self, pod: Object, own: Running) -> None:
        """First the images, then the time that the start takes, then the containers run."""
        now = time.monotonic()
        if not own.pulled:
            waiting = self._waiting(pod, now)
            if waiting:
                own.due = min(one.due for one in waiting.values())
                await self._wait(pod, own, waiting)
                return
            own.pulled = True
            own.due = now + self._start_seconds(pod)
        if now >= own.due:
            await self._run(pod, own)

    async def _wait(self, pod: Object, own: Running, waiting: dict[str, Waiting]) -> None:
        """Say what the containers wait for; those that have their image run."""
        shown = {name: one.reason for name, one in waiting.items()}
        if shown == own.shown:
            return
        own.shown = shown
        first = next(iter(waiting))
        blocked = any(c["name"] == first for c in pod["spec"].get("initContainers") or [])
        initializing = {"waiting": {"reason": "PodInitializing"}}
        statuses = []
        for c in pod["spec"]["containers"]:
            if c["name"] in waiting or blocked:
                state = waiting[c["name"]].state if c["name"] in waiting else initializing
                statuses.append(_not_running(c, state))
            else:
                statuses.append(running_container(pod, c))
        inits = [
            _not_running(c, waiting[c["name"]].state)
            for c in pod["spec"].get("initContainers") or []
            if c["name"] in waiting
        ]
        status = {"phase": "Pending", "conditions": ready_conditions(pod, ready=False), "containerStatuses": statuses}
        status |= {"initContainerStatuses": inits} if inits else {}
        await patch_existing(self.world.api, pod_path(pod, "/status"), {"status": status})

    async def _run(self, pod: Object, own: Running) -> None:
        """The containers run."""
        before = pod.get("status") or {}
        agent = is_agent(pod, self.world.namespace)
        ready = not agent  # the agent has to start first, and says itself when it is ready
        ran = [c for c in before.get("containerStatuses") or [] if c.get("containerID")]
        # Some of them may run while others wait for their images: that is no restart.
        counts = {c["name"]: c.get("restartCount", 0) + (0 if own.shown else 1) for c in ran}
        now = timestamp()
        containers = [
            running_container(pod, c, ready=ready, restarts=counts.get(c["name"], 0)) for c in pod["spec"]["containers"]
        ]
        ips = before.get("podIPs") or [{"ip": ip} for ip in self._addresses(pod)]
        status: Object = {
            "conditions": ready_conditions(pod, ready),
            "containerStatuses": containers,
            "initContainerStatuses": None,
            "startTime": before.get("startTime") or now,
        }
        if ips:
            status |= {"podIP": ips[0]["ip"], "podIPs": ips}
        if addresses := self._node_addresses():
            status |= {"hostIP": addresses[0], "hostIPs": [{"ip": a} for a in addresses]}
        if await self.runs(pod, own, status) and agent:
            self._set_agent_pod(pod)

    async def _ready(self, pod: Object) -> None:
        """Readiness follows what runs inside (a node controller may also have set it to false)."""
        ready = self._healthy(pod)
        containers = [{**c, "ready": ready} for c in (pod.get("status") or {}).get("containerStatuses") or []]
        status = {"conditions": ready_conditions(pod, ready), "containerStatuses": containers}
        written = await patch_existing(self.world.api, pod_path(pod, "/status"), {"status": status})
        if written is not None:
            pod["status"] = written["status"]

    def _set_agent_pod(self, pod: Object | None) -> None:
        self.agent_pod = pod
        self.agent.wake.set()

    def _node_addresses(self) -> list[str]:
        node = self.world["nodes"].items.get(self.host.name) or {}
        return [a["address"] for a in (node.get("status") or {}).get("addresses") or [] if a["type"] == "InternalIP"]

    def _addresses(self, pod: Object) -> list[str]:
        """Free addresses of the node's PodCIDRs; the node's own ones for hostNetwork pods."""
        if pod["spec"].get("hostNetwork"):
            return self._node_addresses()
        node = self.world["nodes"].items.get(self.host.name) or {}
        used = {ip for given in self.addresses.values() for ip in given}
        used |= {a["ip"] for p in self.pods() for a in (p.get("status") or {}).get("podIPs") or []}
        found = []
        for cidr in (node.get("spec") or {}).get("podCIDRs") or []:
            network = ipaddress.ip_network(cidr)
            found.append(next(str(network[i]) for i in range(2, network.num_addresses) if str(network[i]) not in used))
        self.addresses[pod["metadata"]["uid"]] = found
        return found


def _not_running(container: Object, state: Object) -> Object:
    """Status of a container that has not started."""
    status = {"name": container["name"], "image": container["image"], "imageID": "", "ready": False}
    return {**status, "started": False, "restartCount": 0, "state": state}
