# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Events on the Node, for `kubectl describe node`: what a drain did. No drain fails because an event is missing."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from .api_errors import Forbidden, NotFound
from .client import Client

# Events about objects without a namespace belong there (apimachinery: events validation).
PATH = "/api/v1/namespaces/default/events"
COMPONENT = "hitless.nodes"
# client-go cuts them at this length. A server accepts 1 KiB in events.k8s.io, and both are the same objects.
LONGEST = 1000


def event(node: str, reason: str, message: str, now: datetime, *, warning: bool) -> dict[str, Any]:
    """A core/v1 Event about a Node. Its uid is the name, as the kubelet does it. kubectl describe looks for that."""
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = message if len(message) <= LONGEST else f"{message[: LONGEST - 3]}..."
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{node[:200]}.{secrets.token_hex(8)}", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node},
        "reason": reason,
        "message": text,
        "type": "Warning" if warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


class Events:
    """Writes the events of one drain. failure: the first problem with that, in words for a warning."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node
        self._refused = False
        self.failure = ""

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Writes one event, unless an earlier one was refused for good."""
        if self._refused:
            return
        try:
            self._client.post(PATH, event(self._node, reason, message, datetime.now(UTC), warning=warning))
        except HitlessError as exc:
            self._refused = isinstance(exc, Forbidden | NotFound)
            self.failure = self.failure or (
                f"{self._node}: no Event could be written, so kubectl describe node won't tell of the drain: {exc.msg}"
            )
