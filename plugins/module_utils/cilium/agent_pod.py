# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The pod of Cilium's agent on a node: how to find it, and whether it works. Pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..kube.pods import moment, pod_ready
from ..record.records import rfc3339

AGENT_SELECTOR = "k8s-app=cilium"
AGENT_CONTAINER = "cilium-agent"


def agent_started(pod: dict[str, Any]) -> datetime | None:
    """Since when an agent pod's container has been running, None if it isn't."""
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == AGENT_CONTAINER:
            return moment(((status.get("state") or {}).get("running") or {}).get("startedAt"))
    return None


def agent_missing(pods: list[dict[str, Any]], since: datetime | None) -> str | None:
    """What the agent on the node lacks to work, None if it works. Times of the API are whole seconds."""
    if not pods:
        return "no agent pod on the node"
    ready = [pod for pod in pods if pod_ready(pod)]
    if not ready:
        return f"agent {pods[0]['metadata']['name']} is not Ready"
    if since is None:
        return None
    earliest = since.replace(microsecond=0)
    starts = [agent_started(pod) for pod in ready]
    if any(start is not None and start >= earliest for start in starts):
        return None
    return f"agent {ready[0]['metadata']['name']} has not been started since {rfc3339(since)}"
