# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Who restarts Cilium's agents: the controller of their DaemonSet, or this collection, node by node.

While an upgrade drives the restarts, the DaemonSet has updateStrategy OnDelete. An annotation keeps the previous
strategy and template. It is written together with the change, so that a run that was killed can be undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from ..base.words import some
from ..cilium import objects
from ..cilium.agent_pod import AGENT_CONTAINER
from ..kube.api_errors import Forbidden, NotFound
from ..kube.client import NAMES_ONLY, Client
from ..kube.patching import patched
from ..kube.pods import pod_ready
from . import order, preconditions
from .daemonset import is_going, path, pods_of
from .template import image_list, made_of, not_pulled, others_wanted
from .version_step import same_repository, step_problem

ANNOTATION = "hitless.nodes/rollout"
ZONE = "topology.kubernetes.io/zone"
DEFAULT = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


class RolloutRefused(HitlessError):  # noqa: N818 - reads as what it is
    """The rollout mustn't begin or end like this; nothing was changed."""


class ApplyWrong(HitlessError):  # noqa: N818
    """The DaemonSet was changed in a way that forbids to restart agents now."""


@dataclass(frozen=True)
class Look:
    """One look at the DaemonSet. kept: what its annotation keeps, None if there is none. nodes: each node's agent."""

    daemonset: dict[str, Any]
    kept: dict[str, Any] | None
    nodes: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The DaemonSet's name."""
        return str(self.daemonset["metadata"]["name"])

    @property
    def template(self) -> dict[str, Any]:
        """The template now."""
        found: dict[str, Any] = self.daemonset["spec"]["template"]
        return found

    @property
    def old_template(self) -> dict[str, Any]:
        """The template from before the restarts were taken over, or the present one if they weren't."""
        return (self.kept or {}).get("template") or self.template

    @property
    def strategy(self) -> dict[str, Any]:
        """The update strategy now."""
        return self.daemonset["spec"].get("updateStrategy") or DEFAULT

    @property
    def outdated(self) -> list[str]:
        """The nodes whose agents are not of the present template."""
        return [row["name"] for row in self.nodes if not row["current"]]


# Reading


def agent_image(template: dict[str, Any]) -> str:
    """The image of the agent in a template; raises RolloutRefused if it has no agent."""
    for one in template["spec"]["containers"]:
        if one["name"] == AGENT_CONTAINER:
            return str(one["image"])
    raise RolloutRefused(
        f"the DaemonSet has no container {AGENT_CONTAINER}: set agent_daemonset to the DaemonSet of Cilium's agents"
    )


def kept(daemonset: dict[str, Any]) -> dict[str, Any] | None:
    """What the annotation keeps, None if there is none; raises RolloutRefused if it can't be read."""
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
        f"annotation {ANNOTATION} of DaemonSet {name} can't be read: correct updateStrategy by hand, and remove the "
        f"annotation"
    )


def _read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    found = client.find(path(params["cilium_namespace"], params["daemonset"]))
    if found is None:
        raise RolloutRefused(
            f"there is no DaemonSet {params['daemonset']} in namespace {params['cilium_namespace']}: correct "
            f"agent_daemonset or cilium_namespace"
        )
    return found


def _look(client: Client, params: dict[str, Any], daemonset: dict[str, Any]) -> Look:
    """The DaemonSet with its agents."""
    note, zones = kept(daemonset), _zones(client)
    rows = []
    for pod in pods_of(client, daemonset):
        if not is_going(pod):
            row = _row(pod, daemonset["spec"]["template"])
            row["zone"] = zones.get(row["name"])
            row["planned"] = _is_planned(pod, note, params)
            row["restart"] = order.is_restarted(row, before_change=params["before_change"])
            rows.append(row)
    return Look(daemonset, note, sorted(rows, key=lambda row: str(row["name"])))


def _zones(client: Client) -> dict[str, str | None]:
    """Node -> zone, None if its labels name none."""
    found, _version = client.list_all("/api/v1/nodes", accept=NAMES_ONLY)
    return {one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(ZONE) or None for one in found}


def _row(pod: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    """What the pod of an agent says. current: it is made of the present template."""
    return {
        "name": pod["spec"].get("nodeName"),
        "pod": pod["metadata"]["name"],
        "image": agent_image(pod),
        "ready": pod_ready(pod),
        "current": made_of(pod, template),
    }


def _is_planned(pod: dict[str, Any], note: dict[str, Any] | None, params: dict[str, Any]) -> bool:
    """Whether a later change of the template concerns this agent."""
    if note and params["state"] == "rolled_back":
        return not made_of(pod, note["template"])
    return others_wanted(pod, params["images"])


def _peer_configs(client: Client) -> tuple[list[dict[str, Any]], list[str]]:
    """The timers and gracefulRestart of the CiliumBGPPeerConfigs, and warnings."""
    for version in ("v2", "v2alpha1"):
        try:
            items, _version = client.list_all(f"{objects.GROUP}/{version}/ciliumbgppeerconfigs")
        except NotFound:
            continue
        except Forbidden as exc:
            return [], [f"the timers of CiliumBGPPeerConfigs aren't known: {exc.msg}"]
        return [_peer_config(item) for item in items], []
    return [], []


def _peer_config(item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]
    return {
        "name": item["metadata"]["name"],
        "timers": spec.get("timers") or {},
        "gracefulRestart": spec.get("gracefulRestart") or {},
    }


# Writing: the merge patch that a state needs, None if it needs none


def _drive(look: Look, release: dict[str, Any] | None) -> dict[str, Any] | None:
    """Takes over the restarts."""
    if look.kept is not None and look.strategy.get("type") == "OnDelete":
        return None
    # An apply may have set the chart's strategy again. What is kept stays as it was before the first change.
    note = look.kept or {"strategy": look.strategy, "template": look.template}
    if look.kept is None and release:
        note["release"] = release
    text = json.dumps(note, separators=(",", ":"), sort_keys=True)
    return _patch(text, updateStrategy={"type": "OnDelete", "rollingUpdate": None})


def _give_back(look: Look) -> dict[str, Any] | None:
    """Puts back the previous update strategy; raises RolloutRefused as long as that would restart agents."""
    if look.kept is None:
        return None
    if look.outdated:
        raise RolloutRefused(
            f"{len(look.outdated)} agents are not of the present template ({some(look.outdated)}), and with the "
            f"previous update strategy the DaemonSet's controller would restart them by itself: restart them first, or "
            f"roll back"
        )
    return _patch(None, updateStrategy=look.kept["strategy"])


def _roll_back(look: Look) -> dict[str, Any] | None:
    """Puts back the previous template; raises RolloutRefused if none is kept."""
    if look.kept is None:
        raise RolloutRefused(f"DaemonSet {look.name} keeps no previous template, so there is nothing to roll back to")
    if look.template == look.kept["template"]:
        return None
    return {"spec": {"template": _replaced(look.template, look.kept["template"])}}


def _change(look: Look, params: dict[str, Any]) -> dict[str, Any] | None:
    if params["state"] == "driven":
        return _drive(look, params["release"])
    return _roll_back(look) if params["state"] == "rolled_back" else _give_back(look)


def _replaced(old: Any, new: Any) -> Any:
    """A merge patch that turns the old object into the new one. Keys that the new one lacks are removed."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        patch[key] = _replaced(old.get(key), value)
    return patch


def _patch(note: str | None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {ANNOTATION: note}}, "spec": spec}


# The module


def rollout(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of agent_rollout; raises RolloutRefused or ApplyWrong."""
    result = _rolled(client, params, check_mode=check_mode)
    if params["applied_by"]:
        _ensure_applied_right(result, params)
    return result


def _rolled(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result when the DaemonSet is as the state wants it. If others write it meanwhile, it is judged again."""
    judged: list[tuple[Look, preconditions.Found]] = []

    def change(daemonset: dict[str, Any]) -> dict[str, Any] | None:
        before = _look(client, params, daemonset)
        patch = _change(before, params)
        found = preconditions.look(client, params["cilium_namespace"], params["images"])
        if params["state"] == "driven" and params["preconditions"]:
            _ensure_allowed(before, params, found)
        judged.append((before, found))
        return patch

    written, patch = patched(
        client,
        path(params["cilium_namespace"], params["daemonset"]),
        _read(client, params),
        change,
        what=f"DaemonSet {params['daemonset']}",
        read=lambda: _read(client, params),
        check_mode=check_mode,
    )
    before, found = judged[-1]
    now = before if patch is None or check_mode else _look(client, params, written)
    return _result(client, params, before, now, patch, found)


def _ensure_allowed(look: Look, params: dict[str, Any], found: preconditions.Found) -> None:
    """Raises RolloutRefused if agents shouldn't be restarted now, or mustn't go to this version."""
    old = agent_image(look.old_template)
    new = next((image for image in params["images"] if same_repository(image, old)), None)
    if new and params["check_version"]:
        step = step_problem(old, new)
        found.problems += [step] if step else []
    if found.problems:
        reasons = "; ".join(found.problems)
        raise RolloutRefused(f"no agent is restarted, and nothing was changed: {reasons}", problems=found.problems)


def _ensure_applied_right(result: dict[str, Any], params: dict[str, Any]) -> None:
    """Raises ApplyWrong if an apply has set the update strategy, or has set wrong images."""
    by = params["applied_by"]
    if result["changed"]:
        raise ApplyWrong(
            f"{by} has set the DaemonSet's updateStrategy, so its controller may have begun to restart agents by "
            f"itself (it is OnDelete again now): make {by} set OnDelete, check the agents, and run again",
            **result,
        )
    if result["not_pulled"]:
        raise ApplyWrong(
            f"no agent is restarted, since the DaemonSet has images that were not pulled "
            f"({', '.join(result['not_pulled'])}): add them to agent_images, and run again",
            **result,
        )
    if not set(params["expected_images"]) <= set(result["images"]):
        raise ApplyWrong(
            f"no agent is restarted: helm has applied {by}, but the DaemonSet's images "
            f"({', '.join(result['images'])}) are not those of the chart ({', '.join(params['expected_images'])}): "
            f"correct the DaemonSet by helm, and run again",
            **result,
        )


def _result(
    client: Client,
    params: dict[str, Any],
    before: Look,
    now: Look,
    patch: dict[str, Any] | None,
    found: preconditions.Found,
) -> dict[str, Any]:
    """What the module returns. patch: what was written, or would be in check mode."""
    peer_configs, warnings = _peer_configs(client)
    diff = {"before": {"state": "as it was"}, "after": {"state": params["state"]}}
    old_images = image_list(before.old_template)
    batches = order.batches_of(params["hosts"], now.nodes, params["batch"])
    return {
        "changed": patch is not None,
        "strategy": now.strategy.get("type"),
        "images": image_list(now.template),
        "images_before": old_images,
        "not_pulled": not_pulled(now.template, [*params["images"], *old_images]),
        "pull_secrets": [each["name"] for each in now.template["spec"].get("imagePullSecrets") or []],
        "nodes": now.nodes,
        "outdated": now.outdated,
        "batches": batches,
        "plan": order.plan(batches, params["hosts"], now.nodes),
        "release": (now.kept or {}).get("release"),
        "peer_configs": peer_configs,
        "problems": found.problems,
        "warnings": [*found.warnings, *warnings],
        "diff": diff if patch else {"before": {}, "after": {}},
    }
