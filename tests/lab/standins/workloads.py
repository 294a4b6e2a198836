# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for kube-controller-manager's workload controllers, for a kube-apiserver that has none beside it.

Deployments (no rolling update), ReplicaSets, DaemonSets, the status of PodDisruptionBudgets, default service accounts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from datetime import UTC, datetime
from typing import Any

from emulator.client import ApiError, Object, patch_existing
from emulator.informer import Controller, Informer
from emulator.objects import is_true

from lab.standins.kubelets import pod_path
from lab.standins.selectors import matches
from lab.standins.world import World

log = logging.getLogger("standins.workloads")
DISRUPTION_SECONDS = 120  # an eviction that led to no deletion counts for so long
LAG_SECONDS = 10  # how long a pod that we made may take to show up in the watch


def active(pod: Object) -> bool:
    """Whether a pod counts for its controller."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed")


def owner_uid(obj: Object) -> str | None:
    """UID of the object's controller."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((o["uid"] for o in owners if o.get("controller")), None)


def template_hash(template: Object) -> str:
    """A short name for a pod template."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def share(value: int | str, total: int) -> int:
    """A number or a percentage of the total, rounded up."""
    return math.ceil(int(value.rstrip("%")) * total / 100) if isinstance(value, str) else value


def budget_status(budget: Object, pods: list[Object], expected: int, now: datetime) -> Object:
    """Status of a PodDisruptionBudget over its pods; expected: pods that their controllers want."""
    spec, before = budget["spec"], budget.get("status") or {}
    by_name = {p["metadata"]["name"]: p for p in pods}
    disrupted = {}
    for name, since in (before.get("disruptedPods") or {}).items():
        age = (now - datetime.fromisoformat(since.replace("Z", "+00:00"))).total_seconds()
        if name in by_name and active(by_name[name]) and age < DISRUPTION_SECONDS:
            disrupted[name] = since
    healthy = sum(active(p) and is_true(p, "Ready") and n not in disrupted for n, p in by_name.items())
    if "maxUnavailable" in spec:
        wanted = max(0, expected - share(spec["maxUnavailable"], expected))
    else:
        wanted = share(spec.get("minAvailable", 1), expected)
    allowed = max(0, healthy - wanted) if expected else 0
    return {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "expectedPods": expected,
        "desiredHealthy": wanted,
        "currentHealthy": healthy,
        "disruptionsAllowed": allowed,
        "disruptedPods": disrupted,
    }


def belongs(template: Object, node: Object) -> bool:
    """Whether a DaemonSet's pod belongs on a node: nodeSelector, and one of the terms of the required node affinity."""
    meta = node["metadata"]
    labels = meta.get("labels") or {}
    required = ((template.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = required["nodeSelectorTerms"] if required else [{}]
    return matches({"matchLabels": template.get("nodeSelector") or {}}, labels) and any(
        matches({"matchExpressions": term.get("matchExpressions") or []}, labels)
        and matches({"matchExpressions": term.get("matchFields") or []}, {"metadata.name": meta["name"]})
        for term in terms
    )


class Workloads(Controller):
    """All of them in one loop: the lab is small."""

    name = "stand-in workload controllers"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        for name, path in {
            "deployments": "/apis/apps/v1/deployments",
            "replicasets": "/apis/apps/v1/replicasets",
            "daemonsets": "/apis/apps/v1/daemonsets",
            "budgets": "/apis/policy/v1/poddisruptionbudgets",
            "namespaces": "/api/v1/namespaces",
            "accounts": "/api/v1/serviceaccounts",
        }.items():
            world.informers[name] = Informer(world.api, path)
        self.made: dict[str, tuple[Object, float]] = {}  # uid -> pod that the watch has not shown yet, and when
        kinds = ("deployments", "replicasets", "daemonsets", "budgets", "namespaces", "pods", "nodes")
        self.watches(*(world[kind] for kind in kinds))

    async def step(self) -> float | None:
        """Bring everything one step nearer to what is wanted."""
        world = self.world
        for namespace in world["namespaces"].values():
            await self._account(namespace)
        seen = {p["metadata"]["uid"] for p in world["pods"].items.values()}
        limit = time.monotonic() - LAG_SECONDS
        self.made = {uid: entry for uid, entry in self.made.items() if uid not in seen and entry[1] > limit}
        for deployment in world["deployments"].values():
            await self._deployment(deployment)
        for replicaset in world["replicasets"].values():
            await self._replicaset(replicaset)
        for daemonset in world["daemonsets"].values():
            await self._daemonset(daemonset)
        for budget in world["budgets"].values():
            await self._budget(budget)
        return 0.5 if self.made else None

    async def _create(self, path: str, body: Object) -> Object | None:
        try:
            return await self.world.api.create(path, body)
        except ApiError as error:
            if error.status not in (403, 404, 409):  # made already; namespace going, or no service account yet
                raise
            return None

    async def _account(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        if f"{name}/default" not in self.world["accounts"].items and not namespace["metadata"].get("deletionTimestamp"):
            await self._create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})

    def _children(self, obj: Object, kind: str = "pods") -> list[Object]:
        uid = obj["metadata"]["uid"]
        children = [c for c in self.world[kind].items.values() if owner_uid(c) == uid]
        if kind == "pods":
            children += [p for p, _unused in self.made.values() if owner_uid(p) == uid]
        return children

    @staticmethod
    def _owned(obj: Object, kind: str, **meta: Any) -> Object:
        owner = {"apiVersion": "apps/v1", "kind": kind, "controller": True, "blockOwnerDeletion": True}
        owner |= {key: obj["metadata"][key] for key in ("name", "uid")}
        return {**meta, "ownerReferences": [owner]}

    async def _pod(self, obj: Object, kind: str, **spec: Any) -> None:
        meta, template = obj["metadata"], obj["spec"]["template"]
        labels = {k: v for k, v in (template.get("metadata") or {}).items() if k in ("labels", "annotations")}
        body = {
            "metadata": self._owned(obj, kind, generateName=f"{meta['name']}-", **labels),
            "spec": {**template["spec"], **spec},
        }
        pod = await self._create(f"/api/v1/namespaces/{meta['namespace']}/pods", body)
        if pod is not None:
            self.made[pod["metadata"]["uid"]] = (pod, time.monotonic())

    async def _status(self, obj: Object, plural: str, status: Object) -> None:
        status = {"observedGeneration": obj["metadata"].get("generation", 0), **status}
        before = obj.get("status") or {}
        if any(before.get(key, 0) != value for key, value in status.items()):
            meta = obj["metadata"]
            path = f"/apis/apps/v1/namespaces/{meta['namespace']}/{plural}/{meta['name']}/status"
            await patch_existing(self.world.api, path, {"status": status})

    async def _deployment(self, obj: Object) -> None:
        if obj["metadata"].get("deletionTimestamp"):
            return
        spec, namespace = obj["spec"], obj["metadata"]["namespace"]
        digest = template_hash(spec["template"])
        name = f"{obj['metadata']['name']}-{digest}"
        replicas = spec.get("replicas", 1)
        collection = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        sets = self._children(obj, "replicasets")
        if not any(s["metadata"]["name"] == name for s in sets):
            labels = {**(spec["template"]["metadata"].get("labels") or {}), "pod-template-hash": digest}
            selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {})}}
            selector["matchLabels"]["pod-template-hash"] = digest
            template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
            body = {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": self._owned(obj, "Deployment", name=name, labels=labels),
                "spec": {"replicas": replicas, "selector": selector, "template": template},
            }
            await self._create(collection, body)
        for one in sets:
            wanted = replicas if one["metadata"]["name"] == name else 0
            if one["spec"].get("replicas") != wanted:
                path = f"{collection}/{one['metadata']['name']}"
                await patch_existing(self.world.api, path, {"spec": {"replicas": wanted}})
        counts = {k: sum((s.get("status") or {}).get(k, 0) for s in sets) for k in ("replicas", "readyReplicas")}
        await self._status(obj, "deployments", {**counts, "availableReplicas": counts["readyReplicas"]})

    async def _replicaset(self, obj: Object) -> None:
        if obj["metadata"].get("deletionTimestamp"):
            return
        pods = [p for p in self._children(obj) if active(p)]
        wanted = obj["spec"].get("replicas", 1)
        for _unused in range(wanted - len(pods)):
            await self._pod(obj, "ReplicaSet")
        surplus = sorted(pods, key=lambda p: (is_true(p, "Ready"), bool(p["spec"].get("nodeName"))))
        for pod in surplus[: max(0, len(pods) - wanted)]:
            await self.world.api.delete(pod_path(pod))
        ready = sum(is_true(p, "Ready") for p in pods)
        status = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        await self._status(obj, "replicasets", status)

    async def _daemonset(self, obj: Object) -> None:
        if obj["metadata"].get("deletionTimestamp"):
            return
        template = obj["spec"]["template"]["spec"]
        nodes = [name for name, node in self.world["nodes"].items.items() if belongs(template, node)]
        pods = self._children(obj)
        taken = {p["spec"].get("nodeName") for p in pods}  # also by one that still terminates
        everywhere = [{"operator": "Exists", "key": f"node.kubernetes.io/{k}"} for k in ("unschedulable", "not-ready")]
        for node in sorted(set(nodes) - taken):
            await self._pod(
                obj, "DaemonSet", nodeName=node, tolerations=[*(template.get("tolerations") or []), *everywhere]
            )
        ready = sum(active(p) and is_true(p, "Ready") for p in pods)
        status = {
            "currentNumberScheduled": len([p for p in pods if active(p)]),
            "desiredNumberScheduled": len(nodes),
            "numberMisscheduled": 0,
            "numberReady": ready,
        }
        await self._status(obj, "daemonsets", status)

    async def _budget(self, obj: Object) -> None:
        meta, selector = obj["metadata"], obj["spec"].get("selector")
        if selector is None:
            return
        pods = [
            p
            for p in self.world["pods"].items.values()
            if p["metadata"]["namespace"] == meta["namespace"] and matches(selector, p["metadata"].get("labels") or {})
        ]
        uids = {owner_uid(p) for p in pods}
        owners = [s for s in self.world["replicasets"].items.values() if s["metadata"]["uid"] in uids]
        expected = sum(s["spec"].get("replicas", 1) for s in owners) or len(pods)
        status = budget_status(obj, pods, expected, datetime.now(UTC))
        before = obj.get("status") or {}
        gone = {k: None for k in before.get("disruptedPods") or {} if k not in status["disruptedPods"]}
        if gone or any((before.get(k) or 0) != (v or 0) for k, v in status.items()):
            path = f"/apis/policy/v1/namespaces/{meta['namespace']}/poddisruptionbudgets/{meta['name']}/status"
            # With the version that was judged: an eviction in between counts a disruption that must not be lost.
            body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
            status["disruptedPods"] = {**status["disruptedPods"], **gone}
            await patch_existing(self.world.api, path, body)
