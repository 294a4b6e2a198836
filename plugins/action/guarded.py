# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.hitless.nodes.plugins.module_utils.node.guard import ACTS
from ansible_collections.hitless.nodes.plugins.module_utils.record import router_answers
from ansible_collections.hitless.nodes.plugins.plugin_utils import _on_routers, _other_hosts

# How often a look that took too long is taken.
TRIES = 3
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "act": {"type": "str", "choices": list(ACTS), "required": True},
    "routers": {"type": "list", "elements": "str", "required": True},
    "evidence": {"type": "str", "choices": ["router", "cilium", "estimate"]},
    "min_announcers": {"type": "int", "default": 1},
    "cilium_namespace": {"type": "str", "default": "kube-system"},
    "note": {"type": "dict", "default": {}},
    "max_age": {"type": "float", "default": 10.0},
    "command": {"type": "str"},
    "module": {"type": "str", "choices": ["community.general.redfish_command", "hitless.nodes.on_routers"]},
    "arguments": {"type": "dict", "default": {}},
    "become": {"type": "bool", "default": False},
    "connection_variables": {"type": "dict", "default": {}},
}
# Runs the command only on the machine whose kubelet reports the Node. The exit code is ours: no command ends with it.
OTHER_MACHINE = 97
# What ssh ends with if the connection does.
SSH_ENDED = 255
CHECKED = (
    "here=$(cat /proc/sys/kernel/random/boot_id); "
    'if [ "$here" != "{boot_id}" ]; then echo "boot ID $here"; exit {code}; fi; {command}'
)


class ActionModule(ActionBase):
    """The last look and what can't be undone, in one step."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result of the command, with the record and guard: {act, age_seconds, routers}."""
        super().run(tmp, task_vars)
        options: dict[str, Any]
        _validation, options = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC,
            mutually_exclusive=[("command", "module")],
            required_one_of=[("command", "module")],
        )
        variables = task_vars or {}
        if self._task.check_mode:
            return {
                "changed": True,
                "skipped": True,
                "skip_reason": "check mode: nothing is withdrawn, nothing is sent",
            }
        looked_at, allowed = self._look(options, variables)
        if allowed.get("failed"):
            return allowed
        age = round(time.monotonic() - looked_at, 3)
        result = self._act(options, variables, allowed)
        result["guard"] = {"act": options["act"], "age_seconds": age, "routers": options["routers"]}
        result["record"] = allowed["record"]
        return result

    def _look(self, options: dict[str, Any], variables: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """When the look began (monotonic), and the result of node_guard."""
        name, oldest = options["name"], options["max_age"]
        for _try in range(TRIES):
            looked_at = time.monotonic()
            info = self._on_controller(variables, "node_info", {"name": name}, options)
            if info.get("failed"):
                return looked_at, info
            if options["command"] and not info["node"]["boot_id"]:
                raise AnsibleActionFail(
                    f"{name}: the Node doesn't say its boot ID (status.nodeInfo.bootID), so nothing tells whether the "
                    f"machine behind ansible_host is this node's, and nothing was sent: use another power_method"
                )
            looked_at, answers = self._ask_routers(options, variables, info["record"])
            if time.monotonic() - looked_at > oldest:
                continue
            asked = {key: options[key] for key in ("name", "act", "routers", "min_announcers", "note")}
            asked |= {"routes": answers, "looked_at": looked_at}
            if options["evidence"]:
                asked["evidence"] = options["evidence"]
            allowed = self._on_controller(variables, "node_guard", asked, options)
            if allowed.get("failed") or time.monotonic() - looked_at <= oldest:
                return looked_at, allowed
        raise AnsibleActionFail(
            f"{name}: no look at the routers and the cluster was done within {oldest:g} s in {TRIES} tries, and an "
            f"older one says nothing of now, so nothing was sent: see why a router or the API is slow, or raise "
            f"power_look_max_age"
        )

    def _ask_routers(
        self, options: dict[str, Any], variables: dict[str, Any], record: dict[str, Any] | None
    ) -> tuple[float, dict[str, Any]]:
        """When the routers were asked (monotonic), and their answers. With other evidence, and for a flush, none is."""
        asked_at = time.monotonic()
        by_routers = record is not None and record["before"].get("evidence", "router") == "router"
        if not by_routers or options["act"] == "flush":
            return asked_at, {}
        asked = {router: {"record": record} for router in options["routers"]}
        answers, _warnings, _diffs = _on_routers.ask(self, variables, "frr_bgp_info", asked)
        return asked_at, answers

    def _on_controller(
        self, variables: dict[str, Any], module: str, arguments: dict[str, Any], options: dict[str, Any]
    ) -> dict[str, Any]:
        """The result of one of our modules for the cluster."""
        arguments = arguments | {"cilium_namespace": options["cilium_namespace"]}
        result = _other_hosts.run_action(self, variables, "localhost", f"hitless.nodes.{module}", arguments)
        if router_answers.is_bad(result):
            result = router_answers.plain(result) | {"failed": True}
        return result

    def _act(self, options: dict[str, Any], variables: dict[str, Any], allowed: dict[str, Any]) -> dict[str, Any]:
        """Does it, on the node or from here."""
        if options["module"]:
            return _other_hosts.run_action(self, variables, "localhost", options["module"], options["arguments"])
        boot_id = allowed["boot_id"]
        node = str(self._task.delegate_to or variables["inventory_hostname"])
        result = _other_hosts.run_action(
            self,
            variables,
            node,
            "ansible.builtin.raw",
            {"_raw_params": CHECKED.format(boot_id=boot_id, code=OTHER_MACHINE, command=options["command"])},
            become=options["become"],
            connection_variables=options["connection_variables"],
        )
        if result.get("rc") == OTHER_MACHINE:
            raise AnsibleActionFail(
                f"{options['name']}: the machine behind ansible_host is another one ({result['stdout'].strip()}, the "
                f"Node has boot ID {boot_id}), so nothing was sent to it: correct ansible_host of {node}"
            )
        return _expected(result)


def _expected(result: dict[str, Any]) -> dict[str, Any]:
    """The result of a command that ends the connection, or finds the machine off already. The caller sees whether."""
    gone = bool(result.pop("unreachable", False)) or result.get("rc") == SSH_ENDED
    if gone:
        result["failed"] = False
    return result | {"changed": True, "answered": not gone}
