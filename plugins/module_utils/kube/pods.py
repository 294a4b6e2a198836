# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a pod's status and spec say. Pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
# As in kubectl (kubernetes/kubernetes#128779): other API groups have kinds of the same name.
DAEMONSET = ("apps/v1", "DaemonSet")
UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"


def moment(text: str | None) -> datetime | None:
    """A time of the API, None if there is none."""
    return datetime.fromisoformat(text) if text else None


def pod_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is Ready and not terminating."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def controller(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The owner reference of the pod's controller, None if it has none."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def is_of_daemonset(pod: dict[str, Any]) -> bool:
    """Whether a DaemonSet of apps/v1 controls the pod."""
    owner = controller(pod) or {}
    return (owner.get("apiVersion"), owner.get("kind")) == DAEMONSET


def is_finished(pod: dict[str, Any]) -> bool:
    """Whether all its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def tolerates_cordon(pod: dict[str, Any]) -> bool:
    """Whether the scheduler may put it on a cordoned node."""
    for toleration in (pod.get("spec") or {}).get("tolerations") or []:
        operator, key = toleration.get("operator", "Equal"), toleration.get("key", "")
        every_key = operator == "Exists" and not key
        this_key = key == UNSCHEDULABLE_TAINT and (operator == "Exists" or not toleration.get("value"))
        if (every_key or this_key) and toleration.get("effect") in (None, "", "NoSchedule"):
            return True
    return False
