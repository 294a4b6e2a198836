# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Who restarts Cilium's agents: their DaemonSet's controller, or this collection, node by node.

As long as an upgrade drives the restarts, the DaemonSet has updateStrategy OnDelete, and an annotation keeps what it
had before, its template included. The annotation is written with the change, so that a killed run can be undone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..base.errors import HitlessError
from ..cilium import objects, operator_lease
from ..cilium.agent_pod import AGENT_CONTAINER
from ..kube.api_errors import Conflict, Forbidden, NotFound
from ..kube.client import NAMES_ONLY, Client, segment
from ..kube.pods import pod_ready
from . import image_verdicts
from .image_pull import path
from .template import image_list, made_of, not_pulled, others_wanted

ANNOTATION = "hitless.nodes/rollout"
ZONE = "topology.kubernetes.io/zone"
ATTEMPTS = 10
VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?")
DEFAULT = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


class RolloutRefused(HitlessError):  # noqa: N818 - reads as what it is
    """The rollout mustn't begin or end like this; nothing was changed."""


# Rules


def version_of(image: str) -> tuple[int, int] | None:
    """Major and minor version of an image by its tag, None if the tag is none."""
    match = VERSION.fullmatch(image_verdicts.parse(image).tag or "")
    return (int(match[1]), int(match[2])) if match else None


def step_problem(old: str, new: str) -> str | None:
    """Why agents mustn't go from one image to the other at once, None if they may: one minor version at a time."""
    before, after = version_of(old), version_of(new)
    if before is None or after is None:
        unknown = old if before is None else new
        return f"the version of {unknown} can't be told from its tag, so whether the step is allowed isn't known"
    if before[0] != after[0] or abs(before[1] - after[1]) > 1:
        return (
            f"from {before[0]}.{before[1]} to {after[0]}.{after[1]} is more than one minor version, and Cilium "
            f"supports one at a time: go by way of the versions in between"
        )
    return None


def agent_image(template: dict[str, Any]) -> str:
    """The image of a template's agent; raises RolloutRefused without one."""
    for one in template["spec"]["containers"]:
        if one["name"] == AGENT_CONTAINER:
            return str(one["image"])
    raise RolloutRefused(f"the DaemonSet has no container {AGENT_CONTAINER}: is it that of Cilium's agents?")


def kept(daemonset: dict[str, Any]) -> dict[str, Any] | None:
    """What the annotation keeps, None if nobody drives the rollout; raises RolloutRefused if it can't be read."""
    text = (daemonset["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    try:
        found = json.loads(text)
        if {"strategy", "template"} <= set(found):
            return dict(found)
    except (ValueError, TypeError):
        pass
    name = daemonset["metadata"]["name"]
    raise RolloutRefused(
        f"annotation {ANNOTATION} of DaemonSet {name} can't be read: set updateStrategy right by hand and remove it"
    )


def preconditions(client: Client, namespace: str, new_images: Sequence[str]) -> tuple[list[str], list[str]]:
    """Why no agent should be restarted now, and warnings."""
    problems, warnings = [], []
    verdict = operator_lease.look(client, namespace)
    problems += [verdict.problem] if verdict.problem else []
    warnings += [verdict.warning] if verdict.warning else []
    for config in objects.configs(client).items:
        for condition in config.conditions:
            if condition.get("status") == "True":
                words = condition.get("message") or condition.get("reason")
                problems.append(f"{config.kind} {config.name} says {condition.get('type')}: {words}")
        later = [image for image in new_images if (version_of(image) or (0, 0)) >= (1, 19)]
        if config.kind == "CiliumBGPPeeringPolicy" and later:
            problems.append(
                f"CiliumBGPPeeringPolicy {config.name} is there, and Cilium 1.19 doesn't know this kind any more: "
                f"nodes that it selects would lose their sessions; go over to CiliumBGPClusterConfig first"
            )
    return problems, warnings


# Reading and writing


def _read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    found = client.find(path(params["cilium_namespace"], params["daemonset"]))
    if found is None:
        raise RolloutRefused(f"there is no DaemonSet {params['daemonset']} in namespace {params['cilium_namespace']}")
    return found


def _zones(client: Client) -> dict[str, str | None]:
    """Node -> zone, None where its labels say none."""
    found, _version = client.list_all("/api/v1/nodes", accept=NAMES_ONLY)
    return {one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(ZONE) or None for one in found}


def _nodes(client: Client, params: dict[str, Any], daemonset: dict[str, Any]) -> list[dict[str, Any]]:
    """Each node's agent: {name, zone, pod, image, ready, current (made of the present template), planned}."""
    zones = _zones(client)
    before = (kept(daemonset) or {}).get("template") if params["state"] == "rolled_back" else None
    labels = daemonset["spec"]["selector"].get("matchLabels") or {}
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else {}
    uid, template = daemonset["metadata"]["uid"], daemonset["spec"]["template"]
    rows = []
    for pod in client.list_all(f"/api/v1/namespaces/{segment(params['cilium_namespace'])}/pods", **query)[0]:
        ours = any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or [])
        if ours and not pod["metadata"].get("deletionTimestamp"):
            rows.append(
                {
                    "name": pod["spec"].get("nodeName"),
                    "zone": zones.get(pod["spec"].get("nodeName")),
                    "pod": pod["metadata"]["name"],
                    "image": agent_image(pod),
                    "ready": pod_ready(pod),
                    "current": made_of(pod, template),
                    "planned": not made_of(pod, before) if before else others_wanted(pod, params["images"]),
                }
            )
    return sorted(rows, key=lambda row: str(row["name"]))


def _peer_configs(client: Client) -> tuple[list[dict[str, Any]], list[str]]:
    """The timers and graceful restart of the CiliumBGPPeerConfigs, and warnings."""
    for version in ("v2", "v2alpha1"):
        try:
            items, _version = client.list_all(f"{objects.GROUP}/{version}/ciliumbgppeerconfigs")
        except NotFound:
            continue
        except Forbidden as exc:
            return [], [f"the timers of CiliumBGPPeerConfigs aren't known: {exc.msg}"]
        keys = ("timers", "gracefulRestart")
        return [{"name": i["metadata"]["name"], **{k: i["spec"].get(k) or {} for k in keys}} for i in items], []
    return [], []


def _change(
    daemonset: dict[str, Any], state: str, nodes: list[dict[str, Any]], release: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The merge patch that a state needs, None if none."""
    spec, before = daemonset["spec"], kept(daemonset)
    if state == "driven":
        if before is not None and (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
            return None
        # An apply may have set the strategy of its chart again: what was before stays what it was.
        note = before or {"strategy": spec.get("updateStrategy") or DEFAULT, "template": spec["template"]}
        if before is None and release:
            note["release"] = release
        strategy = {"type": "OnDelete", "rollingUpdate": None}
        return _patch(json.dumps(note, separators=(",", ":"), sort_keys=True), updateStrategy=strategy)
    if before is None:
        if state == "rolled_back":
            name = daemonset["metadata"]["name"]
            raise RolloutRefused(f"DaemonSet {name} keeps no template of before: there is nothing to roll back to")
        return None
    if state == "rolled_back":
        if spec["template"] == before["template"]:
            return None
        return {"spec": {"template": _replaced(spec["template"], before["template"])}}
    stale = [str(row["name"]) for row in nodes if not row["current"]]
    if stale:
        raise RolloutRefused(
            f"{len(stale)} agents are not of the present template ({', '.join(stale[:5])}): with the update strategy "
            f"of before, the DaemonSet's controller would restart them by itself; restart them first, or roll back"
        )
    return _patch(None, updateStrategy=before["strategy"])


def _replaced(old: Any, new: Any) -> Any:
    """A merge patch that makes one object the other: what the new one doesn't have is removed."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**{key: None for key in old if key not in new}, **{key: _replaced(old.get(key), new[key]) for key in new}}


def _patch(note: str | None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {ANNOTATION: note}}, "spec": spec}


def rollout(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of agent_rollout; raises RolloutRefused."""
    images = params["images"]
    for attempt in range(1, ATTEMPTS + 1):
        daemonset = _read(client, params)
        nodes = _nodes(client, params, daemonset)
        old = (kept(daemonset) or {}).get("template") or daemonset["spec"]["template"]
        patch = _change(daemonset, params["state"], nodes, params["release"])
        problems, warnings = preconditions(client, params["cilium_namespace"], images)
        if params["state"] == "driven" and params["preconditions"]:
            new = next((i for i in images if _same_repository(i, agent_image(old))), None)
            if new and params["check_version"] and (step := step_problem(agent_image(old), new)):
                problems.append(step)
            if problems:
                reasons = "; ".join(problems)
                raise RolloutRefused(f"no agent is restarted, and nothing was changed: {reasons}", problems=problems)
        if patch is None or check_mode:
            break
        version = {"metadata": {"resourceVersion": daemonset["metadata"]["resourceVersion"]}}
        body = {**patch, "metadata": {**patch.get("metadata", {}), **version["metadata"]}}
        try:
            daemonset = client.patch(path(params["cilium_namespace"], params["daemonset"]), body)
            nodes = _nodes(client, params, daemonset)
            break
        except Conflict:
            if attempt == ATTEMPTS:
                raise
    peer_configs, more = _peer_configs(client)
    template = daemonset["spec"]["template"]
    diff = {"before": {"state": "as it was"}, "after": {"state": params["state"]}}
    return {
        "changed": patch is not None,
        "strategy": (daemonset["spec"].get("updateStrategy") or DEFAULT).get("type"),
        "images": image_list(template),
        "images_before": image_list(old),
        "not_pulled": not_pulled(template, [*images, *image_list(old)]),
        "pull_secrets": [each["name"] for each in template["spec"].get("imagePullSecrets") or []],
        "nodes": nodes,
        "outdated": [row["name"] for row in nodes if not row["current"]],
        "release": (kept(daemonset) or {}).get("release"),
        "peer_configs": peer_configs,
        "problems": problems,
        "warnings": [*warnings, *more],
        "diff": diff if patch else {"before": {}, "after": {}},
    }


def _same_repository(image: str, other: str) -> bool:
    return image_verdicts.parse(image).repository == image_verdicts.parse(other).repository
