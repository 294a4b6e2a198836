# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which pods a drain evicts, leaves, or refuses to touch: kubectl's rules (pkg/drain/filters.go), as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.hitless.nodes.plugins.module_utils._labels import Labels, matches

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"


@dataclass(frozen=True)
class Permissions:
    """What the caller allows beyond the harmless: the flags of kubectl drain."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False


@dataclass(frozen=True)
class Decision:
    """What a drain does with a pod, and why."""

    action: Literal["evict", "skip", "refuse"]
    reason: str


def controller(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The owner reference of the pod's controller, None if it has none."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def daemonset_of(pod: dict[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the DaemonSet whose existence decides about this pod, None if none does."""
    owner = controller(pod)
    if owner is None or owner.get("kind") != "DaemonSet" or is_finished(pod):
        return None
    return pod["metadata"]["namespace"], owner["name"]


def is_finished(pod: dict[str, Any]) -> bool:
    """Whether all its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_terminating(pod: dict[str, Any]) -> bool:
    """Whether it was deleted already and is on its way out."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def uses_emptydir(pod: dict[str, Any]) -> bool:
    """Whether it has data that ends with it."""
    return any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or [])


def tolerates_cordon(pod: dict[str, Any]) -> bool:
    """Whether the scheduler may put it on a cordoned node."""
    for toleration in (pod.get("spec") or {}).get("tolerations") or []:
        operator, key = toleration.get("operator", "Equal"), toleration.get("key", "")
        every_key = operator == "Exists" and not key
        this_key = key == UNSCHEDULABLE_TAINT and (operator == "Exists" or not toleration.get("value"))
        if (every_key or this_key) and toleration.get("effect") in (None, "", "NoSchedule"):
            return True
    return False


def judge(pod: dict[str, Any], permissions: Permissions, *, daemonset_exists: bool = True) -> Decision:
    """What a drain does with a pod. The first rule that doesn't let it go decides, in kubectl's order."""
    if daemonset_of(pod):
        if not daemonset_exists and not permissions.force:
            return Decision("refuse", "its DaemonSet is gone, so nothing starts it again: force allows to evict it")
        if daemonset_exists and not permissions.ignore_daemonsets:
            return Decision(
                "refuse", "a DaemonSet would start it again at once: ignore_daemonsets leaves such pods alone"
            )
        if daemonset_exists:
            return Decision("skip", "managed by a DaemonSet")
    if MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {}):
        return Decision("skip", "a static pod of the node itself")
    if is_finished(pod):
        return Decision("evict", "finished")
    if uses_emptydir(pod) and not permissions.delete_emptydir_data:
        return Decision("refuse", "it has emptyDir data, which would be lost: delete_emptydir_data allows that")
    if controller(pod) is None and not permissions.force:
        return Decision("refuse", "it has no controller, so nothing starts it elsewhere: force allows to evict it")
    return Decision("evict", "nothing starts it elsewhere (force)" if controller(pod) is None else "evictable")


def budgets_of(labels: Labels, budgets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those PodDisruptionBudgets of a namespace that select a pod with these labels.

    policy/v1: an empty selector selects all pods of the namespace, an absent one none.
    """
    selectors = [(budget, (budget.get("spec") or {}).get("selector")) for budget in budgets]
    return [budget for budget, selector in selectors if selector is not None and matches(selector, labels)]


def budget_numbers(budget: dict[str, Any]) -> dict[str, Any]:
    """A PodDisruptionBudget as modules return it: what it asks for, and what its status says."""
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    return {
        "namespace": budget["metadata"]["namespace"],
        "name": budget["metadata"]["name"],
        "min_available": spec.get("minAvailable"),
        "max_unavailable": spec.get("maxUnavailable"),
        "healthy": status.get("currentHealthy"),
        "desired_healthy": status.get("desiredHealthy"),
        "pods": status.get("expectedPods"),
        "allowed": status.get("disruptionsAllowed"),
    }
