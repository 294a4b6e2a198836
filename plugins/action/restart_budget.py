# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.restart_time import node_budget

display = Display()


class ActionModule(ActionBase):
    """Compares the restart of a node's agent with the time for which its routers keep its routes."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The budget, and what to do with the node; fails if its agent must not be restarted."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "record": {"type": "dict", "required": True},
                "routers": {"type": "list", "elements": "str", "required": True},
                "peer_configs": {"type": "list", "elements": "dict", "default": []},
                "measured": {"type": "list", "elements": "float", "default": []},
                "margin": {"type": "float", "default": 0.25},
                "without_gr": {"choices": ["refuse", "drain"], "default": "refuse"},
            },
        )
        name = options["name"]
        found = node_budget(
            options["record"],
            options["routers"],
            options["peer_configs"],
            options["measured"],
            margin=options["margin"],
            without_gr=options["without_gr"],
        )
        for line in found.pop("warnings"):
            display.display(f"{name}: {line}")
        if found["way"] == "refuse":
            raise AnsibleActionFail(
                f"{name}: its agent isn't restarted: {'; '.join(found['problems'])}; or take each node out of service "
                f"for its restart: without_gr=drain"
            )
        return {"changed": False, **found}
