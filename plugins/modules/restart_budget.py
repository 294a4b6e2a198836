#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: restart_budget
short_description: Compare the restart of a node's agent with the time for which its routers keep its routes
version_added: 0.1.0
description:
  - If graceful restart was negotiated, routers keep a node's routes while its agent is away. They keep them for the
    restart time that they received. The shortest time of all routers and families is the budget.
  - The longest restart so far, plus a margin, must fit into the budget. What isn't known is a problem.
  - Fails if the agent must not be restarted as it is. Prints other findings, such as a C(connectRetryTimeSeconds) that
    is too long.
  - Runs only on the controller, with what other tasks have read.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
attributes:
  action:
    description: It is an action plugin and runs only on the controller.
    support: full
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  record:
    description:
      - The record of the claim, RV(hitless.nodes.node_claim#module:record). It has each router's sessions with the
        node.
    type: dict
    required: true
  routers:
    description:
      - Inventory names of the routers. A router that isn't in the record is a problem.
    type: list
    elements: str
    required: true
  peer_configs:
    description:
      - RV(hitless.nodes.agent_rollout#module:peer_configs).
    type: list
    elements: dict
    default: []
  measured:
    description:
      - Seconds that the restarts so far took.
    type: list
    elements: float
    default: []
  margin:
    description:
      - How much longer than the longest of them the next one may take, as a fraction.
    type: float
    default: 0.25
  without_gr:
    description:
      - What to do if the routers would not keep the routes for long enough. With V(drain), the node has to be taken out
        of service for the restart.
    type: str
    choices: [refuse, drain]
    default: refuse
seealso:
  - module: hitless.nodes.agent_restart
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Stop unless the routers would keep the node's routes for long enough
  hitless.nodes.restart_budget:
    name: worker-3
    record: "{{ claim_result.record }}"
    routers: "{{ groups['routers'] }}"
    measured: [14.2]
  register: budget
"""

RETURN = r"""
way:
  description: V(restart), or V(drain) if the node has to be taken out of service before.
  type: str
  returned: success
  sample: restart
available:
  description: For how many seconds the routers keep the routes. V(null) if it isn't known.
  type: int
  returned: success
  sample: 120
needed:
  description: Seconds that the restart may take, with the margin. V(null) if none was measured.
  type: float
  returned: success
  sample: 17.8
measured:
  description: Seconds of the longest restart so far.
  type: float
  returned: success
  sample: 14.2
problems:
  description: Why the agent may not be restarted while the node is in service.
  type: list
  elements: str
  returned: success
  sample: []
sessions:
  description: Each family of each session, with the seconds for which the router keeps its routes.
  type: list
  elements: dict
  returned: success
  sample:
    - router: tor-1
      session: 192.0.2.13
      family: ipv4
      seconds: 120
      hold_time: 90
      where: router tor-1, session 192.0.2.13, ipv4
      problem: null
"""
