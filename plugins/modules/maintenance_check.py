#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_check
short_description: Check all that a playbook of this collection was asked for, before it changes anything
version_added: 0.1.0
description:
  - Checks the variables of the run and of each node that C(target) matches. It uses the specifications of every role
    that the run will use. It checks types, choices, ranges, paths, label selectors, windows, and rules over several
    variables.
  - Refuses a variable that begins like one of this collection's, but that no playbook or role has. The message has the
    nearest real name. A variable of the inventory is only refused if it is nearly the same as a real one.
  - Reports all problems at once, in one line.
  - Also reports if the Python of the host that it runs on lacks the package C(kubernetes). All modules about nodes need
    it.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
attributes:
  action:
    description: Has an action plugin of the same name, so most of it runs on the controller.
    support: full
options:
  direction:
    description:
      - The purpose of the run. It decides which roles' variables are checked.
      - V(doctor) and V(status) need no C(target).
    type: str
    choices: [maintenance, out, in, probe, upgrade, doctor, status]
    required: true
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Check what was asked for
  hitless.nodes.maintenance_check:
    direction: maintenance
  register: asked
"""

RETURN = r"""
hosts:
  description: The inventory names that C(target) matches, in the order of the inventory.
  type: list
  elements: str
  returned: success
  sample: [worker-3]
nodes:
  description: The names of the Nodes of these hosts. That is C(node_name) of each host, or its inventory name.
  type: list
  elements: str
  returned: success
  sample: [worker-3.example.org]
"""

import importlib.util
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

DIRECTIONS = ["maintenance", "out", "in", "probe", "upgrade", "doctor", "status"]


def work(_module: AnsibleModule) -> dict[str, Any]:
    """Nothing but that the packages are there; the action plugin has the result."""
    if importlib.util.find_spec("kubernetes") is None:
        raise HitlessError(adapter.missing("kubernetes"))
    return {"changed": False}


def main() -> None:
    adapter.run(work, {"direction": {"type": "str", "choices": DIRECTIONS, "required": True}})


if __name__ == "__main__":
    main()
