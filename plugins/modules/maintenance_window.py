#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window
short_description: Say whether there is time for one more node
version_added: 0.1.0
description:
  - Compares a window and a deadline with the clock. Compares the time that is left with the longest time that a node
    has taken.
  - If there is no more time, prints which nodes are done and the command for the rest.
  - In check mode there is always time, because nothing is begun.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reporter
options:
  window:
    description:
      - When nodes may be begun, or a list of such windows. By default at any time.
      - C(start) and C(end) are times of day. C(days) are the days on which the window begins. C(tz) is the time zone.
    type: raw
  deadline:
    description:
      - The moment (RFC 3339, with time zone) by which a node must be finished. By default there is none.
    type: raw
  expected:
    description:
      - Seconds that a node takes. Used until a node was measured. V(0) means that it isn't known.
    type: float
    default: 0
  hosts:
    description:
      - Inventory names of all nodes of the run, to print which of them are done. By default nothing is printed.
    type: list
    elements: str
  results:
    description:
      - For each of O(hosts), the result of M(hitless.nodes.maintenance_report). Empty if there is none yet.
    type: list
    elements: dict
    default: []
  playbook:
    description:
      - Name of the playbook that does the rest. Required with O(hosts).
    type: str
  resume_options:
    description:
      - More options for its command line.
    type: str
    default: ""
seealso:
  - module: hitless.nodes.maintenance_report
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: See whether there is time for one more node
  hitless.nodes.maintenance_window:
    window: {days: [fri, sat], start: "22:00", end: "05:00", tz: Europe/Berlin}
    expected: 600
    hosts: [worker-1, worker-2]
    results:
      - "{{ hostvars['worker-1'].maintenance_reported | default({}) }}"
      - "{{ hostvars['worker-2'].maintenance_reported | default({}) }}"
    playbook: node_maintenance
  run_once: true
  register: maintenance_time

- name: Begin no more
  ansible.builtin.meta: end_play
  when: not maintenance_time.open
"""

RETURN = r"""
open:
  description: Whether one more node may be begun.
  type: bool
  returned: success
  sample: false
problem:
  description: Why none may. Empty if one may.
  type: str
  returned: success
  sample: the window ends at 2026-03-07 05:00 (Europe/Berlin), in 300 s, and a node has taken up to 600 s
line:
  description: What is done, and the command for the rest. Empty if one may be begun, or without O(hosts).
  type: str
  returned: success
  sample: "1 of 2 nodes are done, and no more is begun: no window is open: the next one begins at 2026-03-07 22:00
    (Europe/Berlin); resume with: ansible-playbook hitless.nodes.node_maintenance -e target=worker-2"
"""
