# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which pods a drain evicts, leaves, or refuses to touch: kubectl's rules (pkg/drain/filters.go), as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..kube.labels import holds
from ..kube.pods import MIRROR_ANNOTATION, controller, is_finished, is_of_daemonset
from .pod_selector import Requirement


@dataclass(frozen=True)
class Permissions:
    """What the caller allows besides the harmless, and what to leave alone: the flags of kubectl drain."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False
    exclude_namespaces: tuple[str, ...] = ()
    selector: tuple[Requirement, ...] = ()
    # Seconds; 0: every pod is waited for.
    skip_wait: int = 0


@dataclass(frozen=True)
class Decision:
    """What a drain does with a pod, and why."""

    action: Literal["evict", "skip", "refuse"]
    reason: str


def daemonset_of(pod: dict[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the DaemonSet whose existence decides about this pod, None if none does.

    As in kubectl, only one of apps/v1 does (kubernetes/kubernetes#128779). Other API groups, such as OpenKruise's, have
    kinds of the same name. Their pods are evicted like those of any other controller.
    """
    owner = controller(pod)
    if owner is None or not is_of_daemonset(pod) or is_finished(pod):
        return None
    return pod["metadata"]["namespace"], owner["name"]


def is_terminating(pod: dict[str, Any]) -> bool:
    """Whether it was already deleted and is terminating."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether its Ready condition is True. Then a PodDisruptionBudget counts it as healthy."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions)


def skips_budgets(pod: dict[str, Any]) -> bool:
    """Whether the API server evicts it without checking PodDisruptionBudgets (canIgnorePDB in its eviction.go)."""
    return (pod.get("status") or {}).get("phase") in ("Pending", "Succeeded", "Failed") or is_terminating(pod)


def overdue_in(deleted_at: str, skip_wait: int, now: datetime) -> float:
    """Seconds until a pod deleted at that moment is no longer waited for (0 or less: now).

    As in kubectl, a deletionTimestamp is the end of the grace period, and whole seconds are counted.
    """
    return skip_wait + 1 - (now - datetime.fromisoformat(deleted_at)).total_seconds()


def left_alone(pod: dict[str, Any], permissions: Permissions) -> str:
    """Why the options leave this pod out of the drain, empty if they don't."""
    metadata = pod["metadata"]
    if metadata["namespace"] in permissions.exclude_namespaces:
        return f"namespace {metadata['namespace']} is left out (drain_exclude_namespaces)"
    if not all(holds(*requirement, metadata.get("labels") or {}) for requirement in permissions.selector):
        return "drain_pod_selector doesn't select it"
    return ""


def uses_emptydir(pod: dict[str, Any]) -> bool:
    """Whether it has data that is lost with it."""
    return any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or [])


def judge(
    pod: dict[str, Any], permissions: Permissions, *, daemonset_exists: bool = True, now: datetime | None = None
) -> Decision:
    """What a drain does with a pod. The first rule against an eviction decides, in kubectl's order."""
    if why := left_alone(pod, permissions) or _overdue(pod, permissions, now or datetime.now(UTC)):
        return Decision("skip", why)
    if daemonset_of(pod) and (decision := _of_daemonset(permissions, exists=daemonset_exists)):
        return decision
    if MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {}):
        return Decision("skip", "a static pod of the node itself")
    if is_finished(pod):
        return Decision("evict", "finished")
    if uses_emptydir(pod) and not permissions.delete_emptydir_data:
        return Decision("refuse", "it has emptyDir data, which would be lost: drain_delete_emptydir_data allows that")
    if controller(pod) is not None:
        return Decision("evict", "evictable")
    if permissions.force:
        return Decision("evict", "nothing starts it elsewhere (drain_force)")
    return Decision("refuse", "it has no controller, so nothing starts it elsewhere: drain_force allows to evict it")


def _overdue(pod: dict[str, Any], permissions: Permissions, now: datetime) -> str:
    """Why a pod that is terminating isn't waited for, empty if it is."""
    deleted_at = pod["metadata"].get("deletionTimestamp")
    if not permissions.skip_wait or not deleted_at or overdue_in(deleted_at, permissions.skip_wait, now) > 0:
        return ""
    return f"should have ended by {deleted_at} (drain_skip_wait_for_delete_timeout)"


def _of_daemonset(permissions: Permissions, *, exists: bool) -> Decision | None:
    """What to do with a DaemonSet's pod, None if the other rules decide because nothing starts it again."""
    if not exists and permissions.force:
        return None
    if not exists:
        return Decision("refuse", "its DaemonSet is gone, so nothing starts it again: drain_force allows to evict it")
    if permissions.ignore_daemonsets:
        return Decision("skip", "managed by a DaemonSet")
    return Decision(
        "refuse", "a DaemonSet would start it again at once: drain_ignore_daemonsets leaves such pods alone"
    )
