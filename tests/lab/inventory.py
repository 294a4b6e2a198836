# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as an Ansible inventory: groups `nodes` and `routers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab import wiring
from lab.machines import Machine
from lab.state import Lab


def write(lab: Lab) -> Path:
    """Writes inventory.yml, readable by its owner only (BMC password); returns its path."""
    path = lab.dir / "inventory.yml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content(lab), sort_keys=False))
    return path


def content(lab: Lab) -> dict[str, Any]:
    """Inventory as data; nodes get the power_redfish_* variables once the Redfish endpoint runs."""
    nodes: dict[str, dict[str, str]] = {name: {} for name in lab.nodes}
    if lab.redfish:
        for name, machine in lab.nodes.items():
            nodes[name] = {
                "power_redfish_baseurl": lab.redfish["baseurl"],
                "power_redfish_username": lab.redfish["username"],
                "power_redfish_password": lab.redfish["password"],
                "power_redfish_ca_path": lab.redfish["ca"],
                "power_redfish_resource_id": machine.uuid,
            }
    common = {
        "ansible_ssh_common_args": f"-F {lab.dir / 'ssh_config'}",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {
        "nodes": {"hosts": nodes, "vars": common | {"ansible_user": "root", "cilium_namespace": lab.settings.name}},
        "routers": {
            "hosts": {name: _router(machine) for name, machine in lab.routers.items()},
            "vars": common | {"ansible_user": "hitless"},
        },
    }


def _router(machine: Machine) -> dict[str, str]:
    """What has to be said of one router."""
    space = wiring.space(machine.settings, machine.role)
    if not space:
        return {}
    # Only root may enter another network namespace.
    commands = {"router_exec": f"ip netns exec {space}", "router_vtysh": f"vtysh -N {space}"}
    return {"ansible_user": "root", **commands}
