#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: status_report
short_description: Show nodes by routers, in the terminal and in files on the controller
version_added: 0.1.0
description:
  - Combines what was read of nodes, of Cilium and of routers. The report has a line for each node, a table of nodes by
    routers, and what is wrong.
  - Prints it, and writes it as C(bgp-status.json) and as C(bgp-status.html), a single page without external parts.
  - What could not be read is unknown, and it is a problem.
  - The role P(hitless.nodes.status#role) uses it.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reporter
options:
  hosts:
    description:
      - Inventory names of the nodes.
    type: list
    elements: str
    required: true
  info:
    description:
      - For each of O(hosts), the result of M(hitless.nodes.node_info). Empty if it was not read.
    type: list
    elements: dict
    required: true
  cilium:
    description:
      - For each of O(hosts), the result of M(hitless.nodes.cilium_bgp_info) for this node. Empty if it was not read.
    type: list
    elements: dict
    required: true
  routes:
    description:
      - For each of O(hosts), the result of M(hitless.nodes.on_routers) with M(hitless.nodes.frr_bgp_info). Empty if
        they were not read.
    type: list
    elements: dict
    required: true
  folder:
    description:
      - Folder on the controller for the two files. It is made if it is missing. A relative path starts at the current
        folder.
      - Empty means that no files are written.
    type: path
    default: ""
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Show what was read of two nodes
  hitless.nodes.status_report:
    hosts: [worker-1, worker-2]
    info: "{{ [hostvars['worker-1'].status_info, hostvars['worker-2'].status_info] }}"
    cilium: "{{ [hostvars['worker-1'].status_cilium, hostvars['worker-2'].status_cilium] }}"
    routes: "{{ [hostvars['worker-1'].status_routes, hostvars['worker-2'].status_routes] }}"
    folder: reports
"""

RETURN = r"""
summary:
  description: The content of the JSON file. C(nodes) have their C(problems) and C(routers), and these have C(sessions).
  type: dict
  returned: success
  sample:
    at: "2026-03-02T22:00:00Z"
    nodes: [{node: worker-3, known: true, ready: true, problems: [], routers: []}]
    version: 1
files:
  description: Paths of the files written.
  type: list
  elements: str
  returned: success
  sample: [/home/alice/reports/bgp-status.html, /home/alice/reports/bgp-status.json]
"""
