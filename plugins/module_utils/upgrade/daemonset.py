# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A DaemonSet and its pods: their paths in the API, and which pods belong to it."""

from __future__ import annotations

from typing import Any

from ..kube.client import Client, segment


def path(namespace: str, name: str = "") -> str:
    """The API path of a DaemonSet, or of all DaemonSets of a namespace."""
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/daemonsets{'/' + segment(name) if name else ''}"


def pods_path(namespace: str, name: str = "") -> str:
    """The API path of a pod, or of all pods of a namespace."""
    return f"/api/v1/namespaces/{segment(namespace)}/pods{'/' + segment(name) if name else ''}"


def owns(uid: str, pod: dict[str, Any]) -> bool:
    """Whether a pod belongs to the DaemonSet with that uid."""
    return any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or [])


def is_going(item: dict[str, Any]) -> bool:
    """Whether an object is being deleted."""
    return bool(item["metadata"].get("deletionTimestamp"))


def pods_of(client: Client, daemonset: dict[str, Any], *, node: str | None = None) -> list[dict[str, Any]]:
    """The pods of a DaemonSet, on all nodes or on one. Pods that are being deleted are included."""
    query = {}
    labels = daemonset["spec"]["selector"].get("matchLabels") or {}
    if labels:
        query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
    if node is not None:
        query["fieldSelector"] = f"spec.nodeName={node}"
    uid = daemonset["metadata"]["uid"]
    found, _version = client.list_all(pods_path(daemonset["metadata"]["namespace"]), **query)
    return [pod for pod in found if owns(uid, pod)]
