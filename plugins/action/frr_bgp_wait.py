# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.plugins.plugin_utils._router import RouterAction


class ActionModule(RouterAction):
    """Runs frr_bgp_wait in slices, with progress lines between, and tells it what the record says of the router."""

    WAITS = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result, with times by the controller's clocks, because routers' clocks differ."""
        asked_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        result = super().run(tmp, task_vars)
        stale = any(entry.get("stale") for entry in result.get("remaining") or [])
        return result | {"asked_at": asked_at, "ended_at": time.monotonic(), "stale": stale}

    def arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The arguments, with the inventory's names of node and router."""
        node = variables["inventory_hostname"] if self._task.delegate_to else None
        return super().arguments(variables) | {"_names": {"node": node, "router": self.router(variables)}}

    def from_record(self, record: dict[str, Any], router: str, vrfs: list[str]) -> dict[str, Any]:
        """On the way out, what any router had must be gone. On the way back, what this router had must be there."""
        known = super().from_record(record, router, vrfs)
        if self._task.args.get("state") in ("withdrawn", "unused"):
            wanted = {"prefixes": questions.prefixes_anywhere(record, vrfs), "staying": questions.staying(record)}
            return {"addresses": known["addresses"], **wanted}
        return {
            "addresses": known["addresses"],
            "prefixes": questions.prefixes_back(record, router),
            "forwarded": questions.forwarded_back(record, router),
            "sessions": questions.sessions_back(record, router),
        }
