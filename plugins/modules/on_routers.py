#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: on_routers
short_description: Run a module of this collection on all routers at the same time
version_added: 0.1.0
description:
  - Runs one module on every router. A loop with C(delegate_to) asks one router after the other. This asks all of them
    at the same time, so the slowest one decides how long it takes.
  - Reaches each router as the inventory says, with its user, jump host, C(become) and kind of connection.
  - Fails with one line that names each router without a good answer, and why.
extends_documentation_fragment:
  - hitless.nodes.attributes
attributes:
  action:
    description: It is an action plugin, which runs other modules on the routers.
    support: full
  check_mode:
    description: As the module that it runs.
    support: full
  diff_mode:
    description: As the module that it runs.
    support: full
  idempotent:
    description: As the module that it runs.
    support: full
options:
  module:
    description:
      - The module to run, by its name in this collection.
    type: str
    choices: [frr_bgp_info, frr_bgp_wait, frr_bgp_neighbor, frr_policy_info]
    required: true
  routers:
    description:
      - Inventory names of the routers.
    type: list
    elements: str
    required: true
  arguments:
    description:
      - The module's options, the same for all routers. What differs is taken from each router's variables, and from the
        record, if the module has such an option.
    type: dict
    default: {}
  node:
    description:
      - The node that the message is about.
    type: str
    default: ''
  stop_early:
    description:
      - Whether one router that fails ends it. The others are then stopped, and are not in RV(answers).
    type: bool
    default: false
  must_answer:
    description:
      - Whether the task fails if a router gives no good answer. With V(false) it doesn't fail, and RV(problem) names
        the router and the reason.
    type: bool
    default: true
  since:
    description:
      - A moment (RFC 3339). RV(seconds) counts from it.
    type: str
    default: ''
  after:
    description:
      - RV(answers) of an earlier M(hitless.nodes.frr_bgp_wait). The state has held since then on the routers that had
        it. Sets O(hitless.nodes.frr_bgp_wait#module:held) for each router.
    type: dict
    default: {}
seealso:
  - module: hitless.nodes.frr_bgp_info
  - module: hitless.nodes.frr_bgp_wait
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what all routers know of worker-3
  hitless.nodes.on_routers:
    module: frr_bgp_info
    routers: "{{ groups['routers'] }}"
    node: worker-3
    arguments:
      addresses: [192.0.2.13, "2001:db8::13"]
  register: baseline

- name: Show what tor-1 has
  ansible.builtin.debug:
    var: baseline.answers['tor-1'].routes
"""

RETURN = r"""
answers:
  description: The module's result for each router. A router that can't be reached has C(unreachable) and C(msg).
  type: dict
  returned: always
  sample: {"tor-1": {"changed": false, "routes": []}}
problem:
  description: One line that names each router without a good answer. Empty if all answered.
  type: str
  returned: always
  sample: 'worker-3: router tor-1 is unreachable by SSH, so its routes are unknown: Connection refused'
seconds:
  description: How long after O(since) each router had reached the state that it was to wait for.
  type: dict
  returned: always
  sample: {"tor-1": {"seconds": 3.4, "families": {"ipv4": 3.1, "ipv6": 3.4}}}
"""
