# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of Kubernetes objects: times and conditions."""

from __future__ import annotations

import time
from typing import Any

Object = dict[str, Any]


def timestamp(at: float | None = None, *, micro: bool = False) -> str:
    """RFC 3339 UTC, as Kubernetes writes Time (or MicroTime) values; `at` is epoch seconds, default now."""
    at = time.time() if at is None else at
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{text}.{int(at % 1 * 1_000_000):06d}Z" if micro else f"{text}Z"


def condition(kind: str, status: str, reason: str, message: str, previous: list[Object], **extra: Any) -> Object:
    """A condition; lastTransitionTime is kept while the status stays the same."""
    since = next((c["lastTransitionTime"] for c in previous if c["type"] == kind and c["status"] == status), None)
    body = {"type": kind, "status": status, "reason": reason, "message": message, **extra}
    return {**body, "lastTransitionTime": since or timestamp()}


def is_true(obj: Object, kind: str) -> bool:
    """Whether the object's condition of this type is True."""
    return any(c["type"] == kind and c["status"] == "True" for c in (obj.get("status") or {}).get("conditions") or [])
