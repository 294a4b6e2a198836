# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers of Deployments, ReplicaSets and DaemonSets, and a scheduler: enough for replacement pods.

Not modelled: rolling updates of Deployments, maxSurge, adoption of orphans, resources, revision history; of affinity
only a DaemonSet's required node affinity by name and labels.
"""

from __future__ import annotations

import copy
from typing import Any

from . import kinds
from .budgets import controller_of, scaled
from .errors import ApiError
from .store import Event, Key
from .worker import Worker

Json = dict[str, Any]

_OWNERS = {
    "ReplicaSet": "replicasets.apps",
    "DaemonSet": "daemonsets.apps",
    "Deployment": "deployments.apps",
}


def _active(pod: Json) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in ("Succeeded", "Failed")


class Workloads(Worker):
    """Keeps the children and the status of Deployments, ReplicaSets and DaemonSets."""

    def changed(self, table: str, event: Event) -> None:
        """Mark the workload itself, and the controllers of changed children."""
        if table in _OWNERS.values():
            self.mark((table, event.key))
        if table in ("pods.", "replicasets.apps"):
            entry = event.after or event.before
            owner = controller_of(entry.obj) if entry else None
            if owner and owner["kind"] in _OWNERS:
                self.mark((_OWNERS[owner["kind"]], (event.key[0], owner["name"])))
        if table == "nodes." and self._fits_changed(event):
            for key in self.store.table("daemonsets.apps").items:
                self.mark(("daemonsets.apps", key))

    def _fits_changed(self, event: Event) -> bool:
        if event.before is None or event.after is None:
            return True
        return bool(event.before.obj["metadata"].get("labels") != event.after.obj["metadata"].get("labels"))

    def reconcile(self, key: tuple[str, Key]) -> None:
        """Make one workload right."""
        table, name = key
        entry = self.store.table(table).items.get(name)
        if entry is None or "deletionTimestamp" in entry.obj["metadata"]:
            return
        match table:
            case "deployments.apps":
                self._deployment(entry.obj)
            case "replicasets.apps":
                self._replicaset(entry.obj)
            case "daemonsets.apps":
                self._daemonset(entry.obj)

    def _children(self, owner: Json, table: str) -> list[Json]:
        owned = self.store.dependents.get(owner["metadata"]["uid"], ())
        items = self.store.table(table).items
        return [items[key].obj for name, key in sorted(owned) if name == table]

    def _create_child(self, kind: str, owner: Json, plural: str, name: Json, spec: Json, template: Json) -> None:
        metadata = copy.deepcopy({key: template.get(key) for key in ("labels", "annotations") if template.get(key)})
        owner_reference = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        child = {"metadata": {**metadata, **name, "ownerReferences": [owner_reference]}, "spec": copy.deepcopy(spec)}
        resource = self.registry.builtin(plural, "apps" if plural == "replicasets" else "")
        try:
            self.registry.create(resource, owner["metadata"]["namespace"], child, self.who)
        except ApiError as error:
            # The namespace is going away: nothing to do any more.
            if error.code != 403:
                raise

    def _write_status(self, plural: str, obj: Json, status: Json) -> None:
        status["observedGeneration"] = obj["metadata"]["generation"]
        self._update(plural, "apps", obj, lambda old: {**old, "status": status}, "status")

    def _update(self, plural: str, group: str, obj: Json, change: Any, subresource: str = "") -> None:
        metadata = obj["metadata"]
        resource = self.registry.builtin(plural, group)
        self.registry.update(
            resource, metadata["namespace"], metadata["name"], change, self.who, subresource=subresource, free=True
        )

    def _replicaset(self, obj: Json) -> None:
        spec, template = obj["spec"], obj["spec"]["template"]
        pods = [pod for pod in self._children(obj, "pods.") if _active(pod)]
        for _unused in range(spec["replicas"] - len(pods)):
            name = {"generateName": f"{obj['metadata']['name']}-"}
            self._create_child("ReplicaSet", obj, "pods", name, template["spec"], template["metadata"])
        # Unready and unscheduled ones go first, as on a real server.
        surplus = sorted(pods, key=lambda pod: (kinds.pod_ready(pod), bool(pod["spec"].get("nodeName"))))
        for pod in surplus[: max(0, len(pods) - spec["replicas"])]:
            metadata = pod["metadata"]
            self.registry.delete(self.registry.builtin("pods"), metadata["namespace"], metadata["name"], {}, self.who)
        ready = sum(kinds.pod_ready(pod) for pod in pods)
        status = {"replicas": len(pods), "fullyLabeledReplicas": len(pods)}
        if ready:
            status.update(readyReplicas=ready, availableReplicas=ready)
        self._write_status("replicasets", obj, status)

    def _deployment(self, obj: Json) -> None:
        spec, metadata = obj["spec"], obj["metadata"]
        digest = kinds.template_hash(spec["template"])
        name = f"{metadata['name']}-{digest}"
        sets = self._children(obj, "replicasets.apps")
        if not any(item["metadata"]["name"] == name for item in sets):
            template = copy.deepcopy(spec["template"])
            labels = template["metadata"].setdefault("labels", {})
            labels["pod-template-hash"] = digest
            selector = copy.deepcopy(spec["selector"])
            selector.setdefault("matchLabels", {})["pod-template-hash"] = digest
            wanted = {"replicas": spec["replicas"], "selector": selector, "template": template}
            self._create_child("Deployment", obj, "replicasets", {"name": name}, wanted, template["metadata"])
        total = ready = updated = 0
        for item in sets:
            replicas = spec["replicas"] if item["metadata"]["name"] == name else 0
            if item["spec"]["replicas"] != replicas:
                self._update("replicasets", "apps", item, lambda old, n=replicas: _with_replicas(old, n))
            total += item["status"].get("replicas", 0)
            ready += item["status"].get("readyReplicas", 0)
            if item["metadata"]["name"] == name:
                updated = item["status"].get("replicas", 0)
        status: Json = {
            "replicas": total,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
        }
        if spec["replicas"] > ready:
            status["unavailableReplicas"] = spec["replicas"] - ready
        status = {key: value for key, value in status.items() if value}
        status["conditions"] = [dict(item) for item in obj["status"].get("conditions") or ()]
        value, reason = (
            ("True", "MinimumReplicasAvailable")
            if ready >= spec["replicas"]
            else (
                "False",
                "MinimumReplicasUnavailable",
            )
        )
        kinds.set_condition(
            status, "Available", value, reason, f"{ready} of {spec['replicas']} replicas are available."
        )
        self._write_status("deployments", obj, status)

    def _daemonset(self, obj: Json) -> None:
        template = obj["spec"]["template"]
        nodes = {
            key[1]
            for key, entry in self.store.table("nodes.").items.items()
            if _daemon_belongs(template["spec"], entry.obj)
        }
        pods = self._children(obj, "pods.")
        placed = {pod["spec"].get("nodeName", ""): pod for pod in pods if _active(pod)}
        # A pod that still terminates blocks its node: the new one comes when it is gone.
        taken = {pod["spec"].get("nodeName", "") for pod in pods}
        digest = kinds.template_hash(template)
        for node in sorted(nodes - taken):
            metadata = copy.deepcopy(template["metadata"])
            metadata.setdefault("labels", {})["controller-revision-hash"] = digest
            name = {"generateName": f"{obj['metadata']['name']}-"}
            spec = {**template["spec"], "nodeName": node, "tolerations": _daemon_tolerations(template["spec"])}
            spec["affinity"] = _pinned(template["spec"].get("affinity") or {}, node)
            self._create_child("DaemonSet", obj, "pods", name, spec, metadata)
        for node in set(placed) - nodes:
            metadata = placed[node]["metadata"]
            self.registry.delete(self.registry.builtin("pods"), metadata["namespace"], metadata["name"], {}, self.who)
        here = [placed[node] for node in nodes if node in placed]
        for pod in _to_replace(obj["spec"].get("updateStrategy") or {}, here, len(nodes), digest):
            metadata = pod["metadata"]
            self.registry.delete(self.registry.builtin("pods"), metadata["namespace"], metadata["name"], {}, self.who)
        ready = sum(kinds.pod_ready(pod) for pod in here)
        updated = sum(pod["metadata"].get("labels", {}).get("controller-revision-hash") == digest for pod in here)
        status = {
            "currentNumberScheduled": len(here),
            "desiredNumberScheduled": len(nodes),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": updated,
        }
        if len(nodes) > ready:
            status["numberUnavailable"] = len(nodes) - ready
        self._write_status("daemonsets", obj, status)


def _with_replicas(obj: Json, replicas: int) -> Json:
    obj["spec"]["replicas"] = replicas
    return obj


def _daemon_belongs(spec: Json, node: Json) -> bool:
    """Whether a DaemonSet's pod belongs on a node: nodeSelector, and one of the terms of the required node affinity."""
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if affinity is None:
        return True
    name = {"metadata.name": node["metadata"]["name"]}
    return any(
        all(_required(one, labels) for one in term.get("matchExpressions") or ())
        and all(_required(one, name) for one in term.get("matchFields") or ())
        for term in affinity["nodeSelectorTerms"]
    )


def _pinned(affinity: Json, node: str) -> Json:
    """The affinity of a DaemonSet's pod: in the place of the template's terms, its own node."""
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {**affinity, "nodeAffinity": {**(affinity.get("nodeAffinity") or {}), **required}}


def _required(requirement: Json, values: dict[str, str]) -> bool:
    value, wanted = values.get(requirement["key"]), requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case _:
            return value is None


def _to_replace(strategy: Json, pods: list[Json], wanted: int, digest: str) -> list[Json]:
    """The pods of an older template that a rolling update deletes now; with OnDelete none."""
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return []
    old = [pod for pod in pods if pod["metadata"].get("labels", {}).get("controller-revision-hash") != digest]
    ready = [pod for pod in pods if kinds.pod_ready(pod)]
    limit = scaled((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), wanted)
    room = max(0, limit - (wanted - len(ready)))
    # Unready ones cost nothing.
    return [pod for pod in old if pod not in ready] + [pod for pod in old if pod in ready][:room]


def _daemon_tolerations(spec: Json) -> list[Json]:
    """A DaemonSet's pods stay on nodes that are cordoned, not ready or unreachable."""
    tolerations = [dict(item) for item in spec.get("tolerations") or ()]
    for name, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("unschedulable", "NoSchedule"),
    ):
        tolerations.append({"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect})
    return tolerations


def _tolerated(taint: Json, tolerations: list[Json]) -> bool:
    if taint.get("effect") == "PreferNoSchedule":
        return True
    for toleration in tolerations:
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        if toleration.get("key") and toleration["key"] != taint["key"]:
            continue
        if toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""):
            return True
    return False


class Scheduler(Worker):
    """Binds pods to Ready nodes by nodeSelector, taints and the number of pods that are there already."""

    manager = "kube-scheduler"

    def __init__(self, registry: Any) -> None:
        self._waiting: set[Key] = set()
        super().__init__(registry)

    def changed(self, table: str, event: Event) -> None:
        """New pods without a node; all waiting ones when a node changes."""
        if table == "pods.":
            pod = event.after.obj if event.after else None
            if pod and not pod["spec"].get("nodeName") and _active(pod):
                if event.before is None:
                    self._waiting.add(event.key)
                    self.mark(None)
            else:
                self._waiting.discard(event.key)
        elif table == "nodes." and self._waiting:
            self.mark(None)

    def reconcile(self, _key: None) -> None:
        """Place all waiting pods."""
        if not self._waiting:
            return
        nodes = {name: entry.obj for (_unused, name), entry in self.store.table("nodes.").items.items()}
        usable = {name: node for name, node in nodes.items() if _takes_pods(node)}
        total = dict.fromkeys(usable, 0)
        siblings: dict[tuple[str, str], int] = {}
        pods = self.store.table("pods.").items
        for entry in pods.values():
            node = entry.obj["spec"].get("nodeName", "")
            if node in total:
                total[node] += 1
                owner = controller_of(entry.obj)
                if owner:
                    siblings[(owner["uid"], node)] = siblings.get((owner["uid"], node), 0) + 1
        for place in sorted(self._waiting):
            pod = pods[place].obj
            if pod["spec"].get("schedulerName", "default-scheduler") != "default-scheduler":
                continue
            fitting = [name for name, node in usable.items() if _fits(pod, node)]
            if not fitting:
                self._refuse(place, len(nodes))
                continue
            owner = controller_of(pod)
            uid = owner["uid"] if owner else ""
            chosen = min(fitting, key=lambda name: (siblings.get((uid, name), 0), total[name], name))
            total[chosen] += 1
            siblings[(uid, chosen)] = siblings.get((uid, chosen), 0) + 1
            self._bind(place, chosen)

    def _bind(self, place: Key, node: str) -> None:
        def bind(pod: Json) -> Json:
            pod["spec"]["nodeName"] = node
            kinds.set_condition(pod["status"], "PodScheduled", "True", "", "")
            return pod

        pods = self.registry.builtin("pods")
        self.registry.update(pods, *place, bind, self.who, subresource="binding", free=True)

    def _refuse(self, place: Key, nodes: int) -> None:
        text = (
            f"0/{nodes} nodes are available: none is Ready, schedulable and meets the pod's selector and tolerations."
        )

        def refuse(pod: Json) -> Json:
            kinds.set_condition(pod["status"], "PodScheduled", "False", "Unschedulable", text)
            return pod

        pods = self.registry.builtin("pods")
        self.registry.update(pods, *place, refuse, self.who, subresource="status", free=True)


def _takes_pods(node: Json) -> bool:
    return kinds.pod_ready(node) and not node["spec"].get("unschedulable")


def _fits(pod: Json, node: Json) -> bool:
    spec = pod["spec"]
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    tolerations = spec.get("tolerations") or []
    return all(_tolerated(taint, tolerations) for taint in node["spec"].get("taints") or ())
