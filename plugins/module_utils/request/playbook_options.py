# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The variables of the playbooks, without those of the roles. docs/variables.md describes them."""

from __future__ import annotations

from typing import Any

# The purpose of a run -> what may be done with the node in the meantime.
ACTIONS = {
    "maintenance": ("poweroff", "reboot", "none", "pause"),
    "out": ("poweroff", "none"),
    "in": ("poweroff", "reboot", "none", "pause"),
    "probe": ("none",),
    "upgrade": ("none",),
    "doctor": ("none",),
    "status": ("none",),
}
# Without a target, these look at all nodes.
READERS = ("doctor", "status")
EVIDENCE = ("router", "cilium", "estimate")

# Variable -> specification, as in a role's meta/argument_specs.yml. Those of the whole run are checked once.
OF_THE_RUN: dict[str, dict[str, Any]] = {
    "maintenance_order": {"choices": ("auto", "drain_first", "withdraw_first")},
    "maintenance_expected": {"type": "float"},
    "probe_store": {"type": "bool"},
    "report_dir": {"type": "path"},
}
# The way back doesn't use these. A run that only brings a node back isn't refused for them.
OF_THE_WAY_OUT = (
    "maintenance_deadline",
    "maintenance_expected",
    "maintenance_order",
    "maintenance_tasks",
    "maintenance_window",
    "probe_store",
)
# Those that a host can set for itself.
OF_A_HOST: dict[str, dict[str, Any]] = {
    "node_name": {},
    "cilium_namespace": {},
    "router_vrfs": {"type": "list", "elements": "str"},
    "router_vtysh": {},
    "router_exec": {"type": "raw"},
    "bgp_label": {},
    "kubeconfig": {"type": "path"},
    "kube_context": {},
    "kube_host": {},
    "kube_api_key": {"no_log": True},
    "kube_ca_cert": {"type": "path"},
    "kube_validate_certs": {"type": "bool"},
    "kube_client_cert": {"type": "path"},
    "kube_client_key": {"type": "path"},
    "kube_request_timeout": {"type": "float"},
    "report_name": {},
    "report_probe": {"type": "path"},
}
# Those for which the check of a whole run has special rules.
OTHERS = (
    "maintenance_action",
    "maintenance_deadline",
    "maintenance_serial",
    "maintenance_tasks",
    "maintenance_window",
    "probe_store",
    "report_json",
    # Of the upgrade's playbook.
    "agent_apply",
    "agent_batch",
    "agent_chart",
    "agent_chart_repo",
    "agent_drop_values",
    "agent_helm",
    "agent_margin",
    "agent_measured",
    "agent_release",
    "agent_rollback",
    "agent_values",
    "agent_values_files",
    "agent_version",
    "without_gr",
)

# Variables of the doctor's playbook -> options of its role.
OF_THE_DOCTOR = {
    "check_from": "doctor_check_from",
    "check_port": "doctor_check_port",
    "check_protocol": "doctor_check_protocol",
    "log_lines": "doctor_log_lines",
    "service": "doctor_service",
    "vip": "doctor_vip",
}

# Which entry points of which roles a run uses. The way back validates only what it uses.
_WAY_OUT = {"claim": ("info", "claim", "release"), "drain": ("drain", "uncordon"), "bgp": ("withdraw", "undo")}
_WAY_BACK = {"claim": ("info", "claim", "release"), "drain": ("uncordon",), "bgp": ("announce",), "power": ("on",)}
# The role doctor runs once for all nodes. The other roles run for each node.
ENTRY_POINTS: dict[str, tuple[dict[str, tuple[str, ...]], ...]] = {
    "maintenance": (_WAY_OUT, _WAY_BACK),
    "out": (_WAY_OUT,),
    "in": (_WAY_BACK,),
    "probe": (_WAY_OUT, _WAY_BACK),
    "doctor": ({"doctor": ("main",)},),
    "status": ({"status": ("read", "show")},),
    "upgrade": (
        _WAY_OUT,
        _WAY_BACK,
        {"bgp": ("watch", "kept"), "agent": ("prepull", "restart", "rollback", "release")},
    ),
}
# Also used if the node is switched off or rebooted on the way out.
POWER: dict[str, dict[str, tuple[str, ...]]] = {
    "poweroff": {"power": ("check", "off")},
    "reboot": {"power": ("check", "reboot")},
}


def entry_points(direction: str, action: str, *, router_drain: bool) -> list[tuple[str, str]]:
    """The (role, entry point) pairs that a run of this direction and action uses."""
    found: list[tuple[str, str]] = []
    ways = list(ENTRY_POINTS[direction])
    if direction in ("maintenance", "out"):
        ways.append(POWER.get(action, {}))
    if router_drain:
        ways.append({"bgp": ("check",)})
    for way in ways:
        for role, entries in way.items():
            found += [(role, entry) for entry in entries if (role, entry) not in found]
    return found
