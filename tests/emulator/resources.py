# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of resources: the built-in ones, and those that CustomResourceDefinitions add while the emulator runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource as discovery shows it; group, version and kind only where they differ from the parent's."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short: tuple[str, ...] = ()
    status: bool = False
    generation: bool = False
    subresources: tuple[Subresource, ...] = ()
    verbs: tuple[str, ...] = VERBS
    # Field selectors besides metadata.name and metadata.namespace.
    fields: tuple[str, ...] = ()
    # Updates without resourceVersion are refused (leases, custom resources).
    needs_version: bool = False
    # DELETE of an object that is gone at once answers with the object instead of a Status.
    returns_deleted: bool = False
    custom: bool = False
    # Two groups can show the same stored objects (events): the table they share, and the conversions.
    table: str = ""
    to_view: Callable[[Json], Json] | None = None
    from_view: Callable[[Json], Json] | None = None
    # Custom resources only: openAPIV3Schema of this version.
    schema: Json | None = field(default=None, compare=False)

    @property
    def api_version(self) -> str:
        """What objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """Name of the table the objects are stored in."""
        return self.table or f"{self.plural}.{self.group}"


def _event_to_view(obj: Json) -> Json:
    """A core/v1 Event as events.k8s.io/v1 shows it."""
    renamed = {
        "involvedObject": "regarding",
        "message": "note",
        "source": "deprecatedSource",
        "firstTimestamp": "deprecatedFirstTimestamp",
        "lastTimestamp": "deprecatedLastTimestamp",
        "count": "deprecatedCount",
        "reportingComponent": "reportingController",
    }
    return {renamed.get(key, key): value for key, value in obj.items()}


def _event_from_view(obj: Json) -> Json:
    """An events.k8s.io/v1 Event as core/v1 stores it."""
    renamed = {
        "regarding": "involvedObject",
        "note": "message",
        "deprecatedSource": "source",
        "deprecatedFirstTimestamp": "firstTimestamp",
        "deprecatedLastTimestamp": "lastTimestamp",
        "deprecatedCount": "count",
        "reportingController": "reportingComponent",
    }
    return {renamed.get(key, key): value for key, value in obj.items()}


_STATUS_VERBS = ("get", "patch", "update")
_STATUS = "status"
_INVOLVED = tuple(
    f"involvedObject.{name}"
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
_REGARDING = tuple(name.replace("involvedObject", "regarding") for name in _INVOLVED)


def _pod_subresources() -> tuple[Subresource, ...]:
    return (
        # kubectl looks for exactly this group, version and kind; without them it deletes instead of evicting.
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "PodExecOptions", ("create", "get")),
        Subresource("log", "Pod", ("get",)),
    )


_RBAC = "rbac.authorization.k8s.io"
_ONLY_CREATE = ("create",)

BUILTIN: tuple[Resource, ...] = (
    Resource(
        "", "v1", "Namespace", "namespaces", False, short=("ns",), status=True, fields=("status.phase",),
        subresources=(Subresource("finalize", "Namespace", ("update",)),),
        verbs=tuple(verb for verb in VERBS if verb != "deletecollection"), returns_deleted=True,
    ),
    Resource("", "v1", "Node", "nodes", False, short=("no",), status=True, fields=("spec.unschedulable",)),
    Resource(
        "", "v1", "Pod", "pods", True, short=("po",), status=True, generation=True, returns_deleted=True,
        subresources=_pod_subresources(),
        fields=(
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ),
    ),
    Resource(
        "", "v1", "Event", "events", True, short=("ev",),
        fields=(*_INVOLVED, "reason", "reportingComponent", "source", "type"),
    ),
    Resource("", "v1", "Secret", "secrets", True, fields=("type",)),
    Resource("", "v1", "ConfigMap", "configmaps", True, short=("cm",)),
    Resource("", "v1", "Service", "services", True, short=("svc",), status=True, returns_deleted=True,
             fields=("spec.clusterIP", "spec.type")),
    Resource(
        "", "v1", "ServiceAccount", "serviceaccounts", True, short=("sa",), returns_deleted=True,
        subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    ),
    Resource("apps", "v1", "DaemonSet", "daemonsets", True, short=("ds",), status=True, generation=True),
    Resource("apps", "v1", "Deployment", "deployments", True, short=("deploy",), status=True, generation=True),
    Resource("apps", "v1", "ReplicaSet", "replicasets", True, short=("rs",), status=True, generation=True,
             fields=("status.replicas",)),
    Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", True, short=("pdb",), status=True,
             generation=True),
    Resource("coordination.k8s.io", "v1", "Lease", "leases", True, needs_version=True),
    Resource(
        "events.k8s.io", "v1", "Event", "events", True, short=("ev",), table="events.",
        fields=(*_REGARDING, "reason", "reportingController", "type"),
        to_view=_event_to_view, from_view=_event_from_view,
    ),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", True, generation=True),
    Resource(_RBAC, "v1", "ClusterRole", "clusterroles", False),
    Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Resource(_RBAC, "v1", "Role", "roles", True),
    Resource(_RBAC, "v1", "RoleBinding", "rolebindings", True),
    Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False,
             short=("crd", "crds"), status=True, generation=True, needs_version=True),
    Resource("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False,
             verbs=_ONLY_CREATE),
    Resource("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False, verbs=_ONLY_CREATE),
)  # fmt: skip


class Catalogue:
    """Which resources are served now."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        for resource in BUILTIN:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve one more kind."""
        self._served[(resource.group, resource.version, resource.plural)] = resource

    def remove(self, group: str, plural: str) -> None:
        """Stop serving all versions of a kind."""
        for key in [key for key in self._served if key[0] == group and key[2] == plural]:
            del self._served[key]

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource served under these names, or None."""
        return self._served.get((group, version, plural))

    def kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind in an apiVersion, or None."""
        for resource in self._served.values():
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None

    def tables(self) -> dict[str, Resource]:
        """One resource for each table, preferring the one that stores without conversion."""
        found: dict[str, Resource] = {}
        for resource in self._served.values():
            if resource.verbs != _ONLY_CREATE and (resource.key not in found or resource.to_view is None):
                found[resource.key] = resource
        return found

    def groups(self) -> dict[str, list[str]]:
        """Group -> versions, the preferred one first."""
        found: dict[str, list[str]] = {}
        for group, version, _unused in self._served:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return {group: sorted(versions, key=_version_rank) for group, versions in found.items()}

    def in_version(self, group: str, version: str) -> Iterator[Resource]:
        """The resources of one group and version."""
        return (res for key, res in sorted(self._served.items()) if key[:2] == (group, version))


def _version_rank(version: str) -> tuple[int, int, int]:
    """Sort key: v2 before v1, GA before beta before alpha, as Kubernetes orders CRD versions."""
    rest = version.lstrip("v")
    for rank, stage in enumerate(("beta", "alpha"), start=1):
        if stage in rest:
            major, _unused, minor = rest.partition(stage)
            return rank, -int(major or 0), -int(minor or 0)
    return 0, -int(rest) if rest.isdigit() else 0, 0
