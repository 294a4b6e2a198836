# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers for what follows from a deletion or a silence: owners, namespaces, definitions, nodes.

Not modelled: collecting objects whose owner never existed, NoExecute evictions.
"""

from __future__ import annotations

import asyncio
from typing import Any

from . import crd, kinds
from .registry import Registry
from .resources import Resource
from .store import Event, Key
from .worker import Worker

Json = dict[str, Any]

_CORDON_TAINT = "node.kubernetes.io/unschedulable"
_PROPAGATION = frozenset(("foregroundDeletion", "orphan"))
_LEASES = "leases.coordination.k8s.io"
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


class Collector(Worker):
    """Deletes what an owner leaves behind: background, foreground and orphan."""

    def changed(self, _table: str, event: Event) -> None:
        """Owners that are gone or going, and owners that wait for a child."""
        if event.after is None:
            assert event.before is not None
            metadata = event.before.obj["metadata"]
            if metadata["uid"] in self.store.dependents:
                self.mark(metadata["uid"])
            for owner in metadata.get("ownerReferences") or ():
                self.mark(owner["uid"])
            return
        metadata = event.after.obj["metadata"]
        if "deletionTimestamp" in metadata and _PROPAGATION & set(metadata.get("finalizers") or ()):
            self.mark(metadata["uid"])

    def reconcile(self, key: str) -> None:
        """Look at one owner by its uid."""
        where = self.store.by_uid.get(key)
        if where is None:
            for table, child in list(self.store.dependents.get(key, ())):
                self._release(table, child, key, delete=True)
            return
        owner = self.store.table(where[0]).items[where[1]].obj
        finalizers = set(owner["metadata"].get("finalizers") or ())
        if "deletionTimestamp" not in owner["metadata"]:
            return
        for finalizer in finalizers & _PROPAGATION:
            for table, child in list(self.store.dependents.get(key, ())):
                self._release(table, child, key, delete=finalizer == "foregroundDeletion")
            if key not in self.store.dependents:
                self._update(where[0], where[1], lambda obj, name=finalizer: _without_finalizer(obj, name))
                return

    def _release(self, table: str, child: Key, uid: str, *, delete: bool) -> None:
        obj = self.store.table(table).items[child].obj
        owners = obj["metadata"]["ownerReferences"]
        others = [ref for ref in owners if ref["uid"] != uid]
        alive = any(ref["uid"] in self.store.by_uid for ref in others)
        if delete and not alive:
            if "deletionTimestamp" not in obj["metadata"]:
                self.registry.delete(self._resource(table), *child, {"propagationPolicy": "Background"}, self.who)
            return

        def disown(new: Json) -> Json:
            new["metadata"]["ownerReferences"] = others
            return new

        self._update(table, child, disown)

    def _resource(self, table: str) -> Resource:
        return self.registry.catalogue.tables()[table]

    def _update(self, table: str, key: Key, change: Any) -> None:
        self.registry.update(self._resource(table), *key, change, self.who, free=True)


def _without_finalizer(obj: Json, name: str) -> Json:
    obj["metadata"]["finalizers"] = [item for item in obj["metadata"].get("finalizers") or () if item != name]
    return obj


class Namespaces(Worker):
    """Gives a new namespace its service account; empties one that is being deleted; the same for definitions."""

    def changed(self, table: str, event: Event) -> None:
        """Namespaces and definitions themselves, and the ones that something has just left."""
        if event.after is not None:
            if table in ("namespaces.", _DEFINITIONS):
                self.mark((table, event.key))
        else:
            if event.key[0]:
                self.mark(("namespaces.", ("", event.key[0])))
            if ("", table) in self.store.table(_DEFINITIONS).items:
                self.mark((_DEFINITIONS, ("", table)))

    def reconcile(self, key: tuple[str, Key]) -> None:
        """Look at one namespace or definition."""
        table, name = key
        entry = self.store.table(table).items.get(name)
        if entry is None:
            return
        going = "deletionTimestamp" in entry.obj["metadata"]
        if table == _DEFINITIONS:
            if going and crd.CLEANUP in (entry.obj["metadata"].get("finalizers") or ()):
                self._empty_definition(entry.obj)
        elif going:
            self._empty_namespace(name[1])
        else:
            self._furnish(name[1])

    def _furnish(self, namespace: str) -> None:
        for plural, obj in (
            ("serviceaccounts", {"metadata": {"name": "default"}}),
            ("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self.ca}}),
        ):
            if (namespace, obj["metadata"]["name"]) not in self.store.table(f"{plural}.").items:
                self.registry.create(self.registry.builtin(plural), namespace, obj, self.who)

    # The authority's certificate (PEM); the server sets it.
    ca = ""

    def _empty_namespace(self, namespace: str) -> None:
        left = 0
        for table, resource in self.registry.catalogue.tables().items():
            if not resource.namespaced:
                continue
            for key in list(self.store.table(table).span(namespace, None)):
                obj = self.store.table(table).items[key].obj
                gone = False
                if "deletionTimestamp" not in obj["metadata"]:
                    gone = self.registry.delete(resource, *key, {}, self.who)[1]
                left += not gone
        if not left:
            spec: Json = {"finalizers": []}
            resource = self.registry.builtin("namespaces")
            self.registry.update(
                resource, "", namespace, lambda obj: {**obj, "spec": spec}, self.who, subresource="finalize", free=True
            )

    def _empty_definition(self, definition: Json) -> None:
        table = definition["metadata"]["name"]
        resource = self.registry.catalogue.tables().get(table)
        left = 0
        for key in list(self.store.table(table).items):
            obj = self.store.table(table).items[key].obj
            gone = False
            if resource and "deletionTimestamp" not in obj["metadata"]:
                gone = self.registry.delete(resource, *key, {}, self.who)[1]
            left += not gone
        if not left:
            self.registry.update(
                self.registry.builtin("customresourcedefinitions", "apiextensions.k8s.io"),
                "",
                table,
                lambda obj: _without_finalizer(obj, crd.CLEANUP),
                self.who,
                free=True,
            )
            self.store.drop(table)


class Nodes(Worker):
    """The taint of cordoned nodes, nodes whose kubelet is silent, pods of nodes that are gone."""

    def __init__(self, registry: Registry, *, grace: float, period: float = 1.0) -> None:
        super().__init__(registry)
        # Seconds after which a node whose Lease is not renewed becomes Ready=Unknown (40 by default in Kubernetes).
        self.grace = grace
        self._period = period

    def changed(self, table: str, event: Event) -> None:
        """Nodes themselves."""
        if table == "nodes.":
            self.mark(event.key)

    def reconcile(self, key: Key) -> None:
        """Look at one node."""
        entry = self.store.table("nodes.").items.get(key)
        if entry is None:
            self._remove_pods(key[1])
            return
        spec = entry.obj["spec"]
        tainted = any(taint["key"] == _CORDON_TAINT for taint in spec.get("taints") or ())
        if tainted is bool(spec.get("unschedulable")):
            return

        def taint(node: Json) -> Json:
            taints = [item for item in node["spec"].get("taints") or () if item["key"] != _CORDON_TAINT]
            if not tainted:
                taints.append({"key": _CORDON_TAINT, "effect": "NoSchedule", "timeAdded": kinds.now()})
            node["spec"]["taints"] = taints
            if not taints:
                del node["spec"]["taints"]
            return node

        self.registry.update(self.registry.builtin("nodes"), *key, taint, self.who, free=True)

    def _pods_of(self, node: str) -> list[Key]:
        pods = self.store.table("pods.").items
        return [key for key, entry in pods.items() if entry.obj["spec"].get("nodeName") == node]

    def _remove_pods(self, node: str) -> None:
        for key in self._pods_of(node):
            self.registry.delete(self.registry.builtin("pods"), *key, {"gracePeriodSeconds": 0}, self.who)

    async def watch_leases(self) -> None:
        """Look for silent kubelets, for ever; only nodes that have a Lease in kube-node-lease are judged."""
        while True:
            await asyncio.sleep(self._period)
            leases = self.store.table(_LEASES).items
            for key, entry in list(self.store.table("nodes.").items.items()):
                lease = leases.get(("kube-node-lease", key[1]))
                renewed = (lease.obj.get("spec") or {}).get("renewTime") if lease else None
                ready = next((c for c in entry.obj["status"].get("conditions") or () if c["type"] == "Ready"), None)
                if not renewed or ready is None or ready["status"] == "Unknown":
                    continue
                if kinds.seconds_since(renewed) > self.grace:
                    self._silent(key)

    def _silent(self, key: Key) -> None:
        def unknown(node: Json) -> Json:
            for condition in node["status"].get("conditions") or ():
                kinds.set_condition(
                    node["status"],
                    condition["type"],
                    "Unknown",
                    "NodeStatusUnknown",
                    "Kubelet stopped posting node status.",
                )
            return node

        def not_ready(pod: Json) -> Json:
            if kinds.pod_ready(pod):
                kinds.set_condition(pod["status"], "Ready", "False", "NodeNotReady", "")
            return pod

        nodes, pods = self.registry.builtin("nodes"), self.registry.builtin("pods")
        self.registry.update(nodes, *key, unknown, self.who, subresource="status", free=True)
        for pod in self._pods_of(key[1]):
            self.registry.update(pods, *pod, not_ready, self.who, subresource="status", free=True)
