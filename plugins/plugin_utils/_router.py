# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Tasks on routers: how to reach a router, its name in the inventory, and what it must show by a node's record."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_list
from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.plugins.plugin_utils import _reach
from ansible_collections.hitless.nodes.plugins.plugin_utils._sliced import SlicedAction


class RouterAction(SlicedAction):
    """Runs the module of the action's name on a router. If the task is delegated, the play's host is the node."""

    SENDS_RUN = False
    WAITS = False
    # Which options a router's variables can set, see _reach.ROUTER.
    OPTIONS = _reach.ROUTER

    def arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, completed by the router's variables and by option record."""
        router = self.router(variables)
        hostvars = variables["hostvars"]
        # If the inventory doesn't have the router, the variables of the task say how to reach it.
        own = hostvars[router] if router in hostvars else {}  # noqa: SIM401 - 2.18 has no KeyError
        _reach.keep_alive(self._connection, own)
        args = _reach.options(self.OPTIONS, self._task.args, own, lambda value: value)
        args = _reach.options(self.OPTIONS, args, variables, self._templar.template)
        record = args.pop("record", None)
        if record is None:
            return args
        if router not in hostvars:
            # A record's names are used for nothing but routers that the user lists.
            raise AnsibleActionFail(
                f"{router}: the inventory has no such router (any more), so it isn't asked, and nothing is changed on "
                f"it: put it back into group routers until the maintenance has ended"
            )
        vrfs = check_type_list(args.pop("vrfs", None) or ["default"])
        try:
            return {**self.from_record(record, router, vrfs), **args}
        except (KeyError, TypeError, AttributeError) as exc:
            raise AnsibleActionFail(
                f"{self._task.action}: option record isn't the record of a node, as hitless.nodes.node_claim returns "
                f"it ({type(exc).__name__}: {exc})"
            ) from exc

    def router(self, variables: dict[str, Any]) -> str:
        """The inventory's name of the router."""
        return str(self._task.delegate_to or variables["inventory_hostname"])

    def from_record(self, record: dict[str, Any], router: str, vrfs: list[str]) -> dict[str, Any]:
        """The options that follow from the record, for this router and its VRFs."""
        addresses = questions.addresses_on(record, router)
        if not addresses:
            raise KeyError("before.addresses")
        return {"addresses": addresses, "vrfs": vrfs}
