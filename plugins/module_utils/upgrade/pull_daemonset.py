# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The objects of a pull in the cluster: a DaemonSet that names its nodes one by one, and the pods of image proofs.

The DaemonSet names more nodes as others are done. It has OnDelete, so its pods stay when this changes. As long as they
stay, the images are in use, and no kubelet removes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..kube.api_errors import Conflict, NotFound
from ..kube.client import Client
from ..record import records, runs
from .daemonset import path, pods_path
from .image_ref import Reference
from .image_verdicts import pod_spec

OURS = {"app.kubernetes.io/managed-by": "hitless.nodes"}
RUN = "hitless.nodes/run"
PROOF = "hitless.nodes/image-proof"


class PullFailed(HitlessError):  # noqa: N818 - reads as what it is
    """Nodes don't have the images."""


def full_name(params: dict[str, Any]) -> str:
    """The DaemonSet's name in messages."""
    return f"DaemonSet {params['namespace']}/{params['name']}"


def labels(params: dict[str, Any]) -> dict[str, str]:
    """The labels of the DaemonSet and its pods."""
    return {**OURS, "app.kubernetes.io/name": params["name"]}


def affinity(nodes: Sequence[str]) -> dict[str, Any]:
    """A pod's affinity to exactly these nodes, by their names. Others may have set the hostname label."""
    terms = []
    for name in nodes:
        # A field selector takes only one value. Several terms are alternatives.
        terms.append({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]})
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def named(spec: dict[str, Any]) -> list[str]:
    """The nodes that the affinity in a pod's spec names."""
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [term["matchFields"][0]["values"][0] for term in required["nodeSelectorTerms"]]


def node_of(pod: dict[str, Any]) -> str:
    """The node of one of our pods. Before the pod is scheduled, its affinity names the node."""
    bound: str = pod["spec"].get("nodeName", "")
    if bound:
        return bound
    try:
        return named(pod["spec"])[0]
    except (KeyError, IndexError, TypeError):
        return ""


def manifest(params: dict[str, Any], references: Sequence[Reference], nodes: Sequence[str]) -> dict[str, Any]:
    """The DaemonSet for these nodes."""
    spec = pod_spec(references, pull_secrets=params["pull_secrets"], command=params["command"])
    run = params["_run"] or {}
    note = {"run": run, "holder": run.get("holder", "somebody"), "since": records.rfc3339(datetime.now(UTC))}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": params["name"], "labels": labels(params), "annotations": {RUN: json.dumps(note)}},
        "spec": {
            "selector": {"matchLabels": labels(params)},
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": 0,
            "template": {"metadata": {"labels": labels(params)}, "spec": {**spec, "affinity": affinity(nodes)}},
        },
    }


def same_work(daemonset: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether an existing DaemonSet pulls the same images in the same way."""
    return _work(daemonset) == _work(wanted)


def _work(daemonset: dict[str, Any]) -> dict[str, Any]:
    """What a DaemonSet of ours pulls, and how. The API server adds defaults, so whole specs can't be compared."""
    spec = daemonset["spec"]["template"]["spec"]
    containers = []
    for one in spec["containers"]:
        containers.append({key: one.get(key) for key in ("name", "image", "command")})
    return {"containers": containers, "secrets": spec.get("imagePullSecrets") or []}


def ensure_free(daemonset: dict[str, Any], params: dict[str, Any]) -> None:
    """Raises PullFailed if the DaemonSet isn't ours, HeldError if another run may still need it."""
    name = full_name(params)
    annotations = daemonset["metadata"].get("annotations") or {}
    if RUN not in annotations or not OURS.items() <= (daemonset["metadata"].get("labels") or {}).items():
        raise PullFailed(f"{name} was not made by image_pull: remove it, or give image_pull another name")
    note = json.loads(annotations[RUN])
    if not note["run"] or not params["_run"]:
        return
    record = {**note, "phase": "pulling images", "heartbeat": note["since"]}
    lives = runs.process_lives(note["run"])
    objection = records.objection(
        name,
        record,
        params["_run"],
        lives,
        datetime.now(UTC),
        takeover=params["takeover"] or lives is False,
        variable="agent_pull_takeover",
    )
    if objection:
        raise records.HeldError(objection, record=record)


def delete(client: Client, where: str, uid: str) -> None:
    """Deletes an object of ours, but no later one of the same name."""
    body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
    try:
        client.delete(where, body)
    except (NotFound, Conflict):  # somebody else has deleted it, and may have made a new one
        return


def remove(client: Client, params: dict[str, Any], *, check_mode: bool) -> list[str]:
    """Removes our objects, and returns their names; raises PullFailed or HeldError as ensure_free does."""
    namespace, removed = params["namespace"], []
    found = client.find(path(namespace, params["name"]))
    if found is not None:
        ensure_free(found, params)
        removed.append(full_name(params))
        if not check_mode:
            delete(client, path(namespace, params["name"]), found["metadata"]["uid"])
    for pod in client.list_all(pods_path(namespace), labelSelector=PROOF)[0]:
        name = pod["metadata"]["name"]
        removed.append(f"pod {namespace}/{name}")
        if not check_mode:
            delete(client, pods_path(namespace, name), pod["metadata"]["uid"])
    return removed
