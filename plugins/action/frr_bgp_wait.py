# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.plugin_utils._sliced import SlicedAction


class ActionModule(SlicedAction):
    """frr_bgp_wait, in slices with a progress line between them, told the inventory names of node and router."""

    SENDS_RUN = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result, and when the wait began and ended by the controller's clocks: routers' clocks differ.

        Delegated, the play's host is the node; otherwise it is the router itself.
        """
        asked_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        host = (task_vars or {}).get("inventory_hostname")
        delegate = self._task.delegate_to
        names = {"node": host, "router": delegate} if delegate else {"node": None, "router": host}
        self._task.args = {**self._task.args, "_names": names}
        return super().run(tmp, task_vars) | {"asked_at": asked_at, "ended_at": time.monotonic()}
