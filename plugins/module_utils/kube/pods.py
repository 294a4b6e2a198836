# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a pod's status says. Pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def moment(text: str | None) -> datetime | None:
    """A time of the API, None if there is none."""
    return datetime.fromisoformat(text) if text else None


def pod_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is Ready and not terminating."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")
