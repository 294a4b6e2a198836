# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.plugins.plugin_utils._router import RouterAction


class ActionModule(RouterAction):
    """Runs frr_bgp_info on a router, which it reaches as the inventory says."""

    def from_record(self, record: dict[str, Any], router: str, vrfs: list[str]) -> dict[str, Any]:
        """Every prefix that any router had of the node is looked up, except those that stay."""
        wanted = {"prefixes": questions.every_prefix(record), "staying": questions.staying(record)}
        return super().from_record(record, router, vrfs) | wanted
