# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for what a real cluster's control plane does: node lifecycle, scheduler, endpoint slices.

Only for servers without these controllers; see `missing`.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from emulator.client import ApiError, AsyncApi, Object, patch_existing
from emulator.informer import Controller
from emulator.objects import condition, is_true

from lab.standins.world import World

log = logging.getLogger("standins.control_plane")
NOT_READY = "node.kubernetes.io/not-ready"
STARTING_SECONDS = 10


async def missing(api: AsyncApi, setting: str) -> set[str]:
    """What has to be stood in for: nodes, workloads, slices, scheduler. `auto` looks at the server."""
    if setting != "auto":
        return {"nodes", "workloads", "slices", "scheduler"} if setting == "on" else set()
    if (await api.get("/version")).get("gitVersion", "").endswith("-emulated"):
        return {"slices"}  # the emulator has the others itself
    found = set() if await _alive(api, "kube-controller-manager") else {"nodes", "workloads", "slices"}
    return found if await _alive(api, "kube-scheduler") else found | {"scheduler"}


async def _alive(api: AsyncApi, component: str) -> bool:
    """Whether this component of a real cluster holds its leader lease."""
    lease = await api.find(f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{component}")
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    if not renewed:
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(renewed.replace("Z", "+00:00"))
    return age.total_seconds() < 60


class NodeLifecycle(Controller):
    """A node whose lease is not renewed for the grace period becomes Ready=Unknown, its pods Ready=False."""

    name = "stand-in node lifecycle"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.seen: dict[str, tuple[str, float]] = {}  # node -> renewTime, and when we saw it first

    async def step(self) -> float | None:
        """Judge by our own clock when a lease last changed, as the real controller does."""
        now = time.monotonic()
        leases = self.world["leases"]
        if not leases.connected:
            self.seen.clear()  # nobody could renew, or we could not see it: start anew
            return 0.5
        for name in self.world.hosts:
            node = self.world["nodes"].items.get(name)
            if node is None:
                continue
            await self._taints(name, node)
            lease = leases.items.get(f"kube-node-lease/{name}")
            renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
            if name not in self.seen or self.seen[name][0] != renewed:
                self.seen[name] = (renewed, now)
            elif now - self.seen[name][1] > self.world.settings.grace:
                await self._lost(name, node)
        return 0.5

    async def _taints(self, name: str, node: Object) -> None:
        """The taints that follow from a node's state; kube-apiserver itself taints new nodes as not-ready."""
        wanted = {"not-ready": not is_true(node, "Ready"), "unschedulable": bool(node["spec"].get("unschedulable"))}
        before = node["spec"].get("taints") or []
        after = [t for t in before if t["key"] not in {f"node.kubernetes.io/{k}" for k in wanted}]
        after += [{"key": f"node.kubernetes.io/{k}", "effect": "NoSchedule"} for k, bad in wanted.items() if bad]
        if {t["key"] for t in before} != {t["key"] for t in after}:
            version = node["metadata"]["resourceVersion"]  # taints are one list: never overwrite another's
            body = {"metadata": {"resourceVersion": version}, "spec": {"taints": after or None}}
            await patch_existing(self.world.api, f"/api/v1/nodes/{name}", body)

    async def _lost(self, name: str, node: Object) -> None:
        conditions = (node.get("status") or {}).get("conditions") or []
        if not any(c["type"] == "Ready" and c["status"] == "Unknown" for c in conditions):
            log.info("%s: Ready=Unknown", name)
            unknown = condition(
                "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", conditions
            )
            rest = [c for c in conditions if c["type"] != "Ready"]
            await patch_existing(
                self.world.api, f"/api/v1/nodes/{name}/status", {"status": {"conditions": [*rest, unknown]}}
            )
        for pod in list(self.world.pods_on(name)):
            before = (pod.get("status") or {}).get("conditions") or []
            if is_true(pod, "Ready"):
                after = [
                    condition("Ready", "False", "NodeNotReady", "node is not ready", before)
                    if c["type"] == "Ready"
                    else c
                    for c in before
                ]
                meta = pod["metadata"]
                path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
                await patch_existing(self.world.api, path, {"status": {"conditions": after}})


def tolerates(pod: Object, taint: dict[str, Any]) -> bool:
    """Whether one of the pod's tolerations covers the taint."""
    return any(
        t.get("effect") in (None, "", taint["effect"])
        and (t.get("key") or taint["key"]) == taint["key"]
        and (t.get("operator") == "Exists" or t.get("value", "") == taint.get("value", ""))
        for t in pod["spec"].get("tolerations") or []
    )


def pinned_to(pod: Object) -> str | None:
    """The node that a DaemonSet's pod is for: its node affinity names it in a field selector."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    names = [f["values"][0] for t in terms for f in t.get("matchFields") or [] if f["key"] == "metadata.name"]
    return names[0] if names else None


def feasible(pod: Object, node: Object) -> bool:
    """Whether the pod may go to this node: ready, schedulable, selected, taints tolerated."""
    spec = node["spec"]
    pin = pinned_to(pod)
    if pin is not None and pin != node["metadata"]["name"]:
        return False
    if pin is None and (spec.get("unschedulable") or not is_true(node, "Ready")):
        return False  # DaemonSet pods tolerate both
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(k) != v for k, v in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    hard = [t for t in spec.get("taints") or [] if t["effect"] in ("NoSchedule", "NoExecute")]
    return all(tolerates(pod, t) for t in hard)


class Scheduler(Controller):
    """Binds pods without a node; spreads the pods of one owner over the nodes."""

    name = "stand-in scheduler"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.bound: dict[str, str] = {}  # pod uid -> node, until the watch shows it
        self.started = time.monotonic()
        self.watches(world["pods"], world["nodes"])

    async def step(self) -> float | None:
        """Bind what can be bound; the rest waits for a change."""
        pods, nodes = self.world["pods"].items.values(), self.world["nodes"].values()
        pending = [
            p
            for p in pods
            if not p["spec"].get("nodeName")
            and not p["metadata"].get("deletionTimestamp")
            and (p.get("status") or {}).get("phase", "Pending") == "Pending"
            and p["spec"].get("schedulerName", "default-scheduler") == "default-scheduler"
        ]
        uids = {p["metadata"]["uid"] for p in pending}
        self.bound = {uid: node for uid, node in self.bound.items() if uid in uids}
        todo = [p for p in pending if p["metadata"]["uid"] not in self.bound]
        if not todo:
            return None
        if self._starting():
            return 0.2
        counts = Counter((_owner(p), p["spec"]["nodeName"]) for p in pods if p["spec"].get("nodeName"))
        total = Counter(p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName"))
        for pod in sorted(todo, key=lambda p: (p["metadata"]["namespace"], p["metadata"]["name"])):
            names = [n["metadata"]["name"] for n in nodes if feasible(pod, n)]
            if not names:
                continue
            owner = _owner(pod)
            node = min(names, key=lambda n: (counts[owner, n], total[n], n))
            if await self._bind(pod, node):
                counts[owner, node] += 1
                total[node] += 1
                self.bound[pod["metadata"]["uid"]] = node
        return None

    def _starting(self) -> bool:
        """Whether the lab's nodes are still coming up: the first one to be ready must not get all pods."""
        if time.monotonic() - self.started > STARTING_SECONDS:
            return False
        nodes = [self.world["nodes"].items[name] for name in self.world.hosts if name in self.world["nodes"].items]
        return any(
            NOT_READY in {t["key"] for t in n["spec"].get("taints") or []} or not is_true(n, "Ready") for n in nodes
        )

    async def _bind(self, pod: Object, node: str) -> bool:
        meta = pod["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self.world.api.create(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", body)
        except ApiError as error:
            if error.status in (404, 409):  # gone, or bound already
                return False
            raise
        return True


def _owner(pod: Object) -> str:
    owners = pod["metadata"].get("ownerReferences") or []
    return str(owners[0]["uid"]) if owners else str(pod["metadata"]["uid"])


def endpoints(service: Object, pods: list[Object], version: int) -> list[Object]:
    """Endpoints of a Service in one address family, by pod name."""
    selector = service["spec"]["selector"]
    found = []
    for pod in sorted(pods, key=lambda p: str(p["metadata"]["name"])):
        labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
        if any(labels.get(k) != v for k, v in selector.items()) or status.get("phase") != "Running":
            continue
        addresses = [a["ip"] for a in status.get("podIPs") or [] if ipaddress.ip_address(a["ip"]).version == version]
        if not addresses:
            continue
        terminating = bool(pod["metadata"].get("deletionTimestamp"))
        ready = is_true(pod, "Ready")
        found.append(
            {
                "addresses": addresses[:1],
                "conditions": {"ready": ready and not terminating, "serving": ready, "terminating": terminating},
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": {
                    "kind": "Pod",
                    "namespace": pod["metadata"]["namespace"],
                    "name": pod["metadata"]["name"],
                    "uid": pod["metadata"]["uid"],
                },
            }
        )
    return found


class EndpointSlices(Controller):
    """One EndpointSlice for each Service with a selector and each of its address families."""

    name = "stand-in endpoint slices"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.watches(world["pods"], world["services"], world["slices"])

    async def step(self) -> float | None:
        """Write the slices that differ; only in the lab's namespace."""
        world = self.world
        prefix = f"{world.namespace}/"
        pods = [p for key, p in world["pods"].items.items() if key.startswith(prefix)]
        services = [s for key, s in world["services"].items.items() if key.startswith(prefix)]
        wanted: dict[str, Object] = {}
        for service in services:
            if not service["spec"].get("selector"):
                continue
            for family in service["spec"].get("ipFamilies") or ["IPv4", "IPv6"]:
                wanted[f"{service['metadata']['name']}-{family.lower()}"] = self._slice(service, family, pods)
        collection = f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices"
        for name, body in wanted.items():
            found = world["slices"].items.get(prefix + name)
            try:
                if found is None:
                    await world.api.create(collection, body)
                elif found.get("endpoints", []) != body["endpoints"] or found.get("ports") != body["ports"]:
                    version = found["metadata"]["resourceVersion"]
                    changed = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
                    await world.api.replace(f"{collection}/{name}", changed)
            except ApiError as error:
                if error.status not in (404, 409):  # our copy lags: the watch will bring the news
                    raise
        return None

    def _slice(self, service: Object, family: str, pods: list[Object]) -> Object:
        meta = service["metadata"]
        owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"], "controller": True}
        ports = [
            {"name": p.get("name", ""), "port": p.get("targetPort", p["port"]), "protocol": p.get("protocol", "TCP")}
            for p in service["spec"].get("ports") or []
        ]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{meta['name']}-{family.lower()}",
                "labels": {
                    "kubernetes.io/service-name": meta["name"],
                    "endpointslice.kubernetes.io/managed-by": "lab-stand-in",
                },
                "ownerReferences": [owner],
            },
            "addressType": family,
            "endpoints": endpoints(service, pods, 4 if family == "IPv4" else 6),
            "ports": ports,
        }
