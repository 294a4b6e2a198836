# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery documents (the unaggregated format) and the list of what is modelled."""

from __future__ import annotations

from typing import Any

from . import VERSION
from .resources import Catalogue, Resource

Json = dict[str, Any]

FEATURES = {
    "reads": "get; list with labelSelector, fieldSelector, limit and continue (a consistent snapshot); watch with "
    "resourceVersion, selectors, timeoutSeconds, bookmarks, 410 as an ERROR event",
    "writes": "create (generateName), replace (409), merge patch, JSON patch, strategic merge patch (built-in kinds), "
    "status subresource, delete and deletecollection with preconditions, dryRun=All, managedFields (Update only)",
    "deletion": "grace periods of pods, finalizers, background, foreground and orphan propagation, namespaces, "
    "definitions",
    "eviction": "policy/v1 with PodDisruptionBudgets whose status a controller updates a moment later",
    "controllers": "PodDisruptionBudget, ReplicaSet, Deployment and DaemonSet (without rolling updates), scheduler "
    "(nodeSelector, taints, spread), garbage collector, namespaces, cordon taint, node lifecycle by Lease",
    "authentication": "client certificates, service account tokens (TokenRequest), anonymous",
    "authorization": "RBAC, SelfSubjectAccessReview, SelfSubjectReview",
    "custom resources": "CustomResourceDefinitions: several versions (conversion None), scope, status subresource, "
    "validation and defaults by openAPIV3Schema",
    "pods": "exec by websocket (v4 and v5 channel protocols) answered by registered agents; log from posted lines",
}

REFUSED = {
    "501": "server-side apply, every built-in group or kind that is not in the list, scale, portforward, attach, "
    "proxy, ephemeralcontainers, binding, follow and previous of logs, SPDY exec, impersonation",
    "not done": "schemas of built-in kinds (unknown fields are kept), pruning, CEL rules, conversion webhooks, "
    "admission webhooks and policies, priority and fairness, protobuf and YAML bodies, aggregated discovery, OpenAPI "
    "schemas (the document is empty), RBAC escalation checks, collection of objects whose owner never existed, "
    "affinity, resources, NoExecute evictions, stdin of exec",
}

# What `kubectl get all` means.
_ALL = frozenset(("pods", "services", "daemonsets", "deployments", "replicasets"))


def version() -> Json:
    """/version."""
    major, minor, _unused = VERSION.lstrip("v").split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "emulated",
    }


def _group(name: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(catalogue: Catalogue, group: str, version: str) -> Json:
    found: list[Json] = []
    for resource in catalogue.in_version(group, version):
        found.append(_resource(resource))
        below: Json = {"singularName": "", "namespaced": resource.namespaced}
        if resource.status:
            name = f"{resource.plural}/status"
            found.append({"name": name, **below, "kind": resource.kind, "verbs": ["get", "patch", "update"]})
        for sub in resource.subresources:
            entry = {"name": f"{resource.plural}/{sub.name}", **below, "kind": sub.kind, "verbs": list(sub.verbs)}
            if sub.version:
                entry.update(group=sub.group, version=sub.version)
            found.append(entry)
    full = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": full, "resources": found}


def _resource(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.plural in _ALL and not resource.custom:
        entry["categories"] = ["all"]
    return entry


def document(catalogue: Catalogue, path: str) -> Json | None:
    """The discovery document at this path, or None."""
    groups = catalogue.groups()
    match path.strip("/").split("/"):
        case ["version"]:
            return version()
        case ["openapi", "v2"]:
            return {"swagger": "2.0", "info": {"title": "emulated", "version": VERSION}, "paths": {}}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["api", "v1"]:
            return _resources(catalogue, "", "v1")
        case ["apis"]:
            listed = [_group(name, versions) for name, versions in groups.items() if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", name] if name in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, groups[name])}
        case ["apis", name, wanted] if wanted in groups.get(name, ()):
            return _resources(catalogue, name, wanted)
    return None


def models(catalogue: Catalogue) -> Json:
    """What is modelled and what is not."""
    served = []
    for group, versions in sorted(catalogue.groups().items()):
        for one in versions:
            for resource in catalogue.in_version(group, one):
                names = [sub.name for sub in resource.subresources] + (["status"] if resource.status else [])
                served.append(
                    {
                        "apiVersion": resource.api_version,
                        "kind": resource.kind,
                        "resource": resource.plural,
                        "namespaced": resource.namespaced,
                        "verbs": list(resource.verbs),
                        "subresources": sorted(names),
                        "fieldSelectors": ["metadata.name", "metadata.namespace", *resource.fields],
                        "custom": resource.custom,
                    }
                )
    return {"version": VERSION, "resources": served, "features": FEATURES, "refused": REFUSED}
