#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: guarded
short_description: Do what can't be undone to a claimed node, right after a last look
version_added: 0.1.0
description:
  - Asks all routers at the same time, has M(hitless.nodes.node_guard) judge their answers and the cluster, and then
    sends the command. All that is one step, so nothing gets between the look and the command.
  - If a look took longer than O(max_age), it is taken again, up to three times. Without a fresh look nothing is sent.
  - A command runs on the node, over its own connection. The machine compares its boot ID with the one that the Node
    reports, in the same shell. If C(ansible_host) leads to another machine, the command isn't run.
  - In check mode it does nothing.
extends_documentation_fragment:
  - hitless.nodes.last_look
  - hitless.nodes.attributes
attributes:
  action:
    description: It is an action plugin, which runs other modules.
    support: full
  check_mode:
    description: Does nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Sends the command each time.
    support: none
options:
  routers:
    description:
      - Inventory names of the routers. All must answer, and be without the node's routes.
      - Not asked if the node was claimed with other evidence than V(router), and for V(flush).
    type: list
    elements: str
    required: true
  note:
    description:
      - What to keep in the record's history, besides the note of this look.
    type: dict
    default: {}
  max_age:
    description:
      - Seconds that the look may be old when the command is sent. A look that took longer is taken again, up to three
        times. Raise it if the routers are slow to answer.
    type: float
    default: 10
  command:
    description:
      - A shell command to run on the node.
    type: str
  module:
    description:
      - A module to run on the controller instead.
    type: str
    choices: [community.general.redfish_command, hitless.nodes.on_routers]
  arguments:
    description:
      - The options of O(module).
    type: dict
    default: {}
  become:
    description:
      - Whether O(command) is run by another user, as the node's variables say.
    type: bool
    default: false
  connection_variables:
    description:
      - Variables for the connection to the node, which come before those of the inventory.
    type: dict
    default: {}
seealso:
  - module: hitless.nodes.node_guard
  - module: hitless.nodes.on_routers
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Shut worker-3 down
  hitless.nodes.guarded:
    name: worker-3
    act: "off"
    routers: "{{ groups['routers'] }}"
    command: systemctl poweroff
    become: true
"""

RETURN = r"""
guard:
  description: The look. C(age_seconds) is how old it was when the command was sent.
  type: dict
  returned: when the command was sent
  sample: {"act": "off", "age_seconds": 1.4, "routers": [tor-1, tor-2]}
record:
  description: The record as it is now.
  type: dict
  returned: when the command was sent
  sample: {"holder": alice@admin, "phase": "off"}
answered:
  description:
    - Whether the node answered to O(command). It may end the connection before, or be off already, so V(false) is no
      failure.
  type: bool
  returned: with O(command), when it was sent
  sample: true
"""
