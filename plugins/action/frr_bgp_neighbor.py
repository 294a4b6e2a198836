# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.plugins.plugin_utils._router import RouterAction


class ActionModule(RouterAction):
    """Runs frr_bgp_neighbor, and tells it what the record says of the node and of changes on the router."""

    def from_record(self, record: dict[str, Any], router: str, vrfs: list[str]) -> dict[str, Any]:
        """The node's addresses. To flush, also all its prefixes. To undo, also what this maintenance has drained."""
        found: dict[str, Any] = {"addresses": questions.addresses_on(record, router), "vrfs": vrfs}
        if self._task.args.get("state") == "flushed":
            found["prefixes"] = questions.prefixes_anywhere(record, vrfs)
        if self._task.args.get("state") == "up":
            found["drained"] = questions.routers_changed(record).get(router, [])
        return found
