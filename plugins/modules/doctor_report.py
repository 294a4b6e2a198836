#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_report
short_description: Judge where a VIP is lost, and show it in the terminal and in files on the controller
version_added: 0.1.0
description:
  - Judges every stage of the way from a Service to the routers' kernels. It uses what was read of the cluster, of
    Cilium's agents and of the routers.
  - Prints the stages and what is wrong, each with a remedy. Writes the same as C(bgp-doctor.json) and as
    C(bgp-doctor.html), a single page without external parts.
  - What could not be read is unknown. Unknown is never good.
  - It never fails for what it finds. RV(diagnosis.verdict) says whether all is well.
  - The role P(hitless.nodes.doctor#role) uses it.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reporter
options:
  cluster:
    description:
      - Result of M(hitless.nodes.vip_info). It may have failed.
    type: dict
    required: true
  cilium:
    description:
      - Result of M(hitless.nodes.cilium_bgp_info). It may have failed or been skipped.
    type: dict
    required: true
  routes:
    description:
      - Result of M(hitless.nodes.on_routers) with M(hitless.nodes.frr_bgp_info). It may have failed or been skipped.
    type: dict
    required: true
  policies:
    description:
      - The same with M(hitless.nodes.frr_policy_info).
    type: dict
    required: true
  answers:
    description:
      - Result of a loop of M(hitless.nodes.port_info) over the hosts that tried. The loop variable is C(__router). It
        may have been skipped.
    type: dict
    required: true
  service:
    description:
      - The Service that was asked for, as namespace/name. The report names it if the cluster could not be read.
    type: str
    default: ""
  vip:
    description:
      - The address that was asked for. The report names it in the same case.
    type: str
    default: ""
  nodes:
    description:
      - Names of the Nodes that were asked for. They should be selected for BGP.
    type: list
    elements: str
    default: []
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
- name: Judge what was read
  hitless.nodes.doctor_report:
    cluster: "{{ doctor_cluster }}"
    cilium: "{{ doctor_cilium }}"
    routes: "{{ doctor_routes }}"
    policies: "{{ doctor_policies }}"
    answers: "{{ doctor_answers }}"
    service: shop/web
    folder: reports
  register: doctor_result

- name: Say whether all is well
  ansible.builtin.assert:
    that: doctor_result.diagnosis.verdict == 'pass'
    fail_msg: "{{ doctor_result.line }}"
"""

RETURN = r"""
diagnosis:
  description:
    - The content of the JSON file. It has C(verdict), C(stage), C(reason), C(remedy), and all C(stages) with their
      findings.
  type: dict
  returned: success
  contains:
    verdict:
      description: V(pass), V(fail), or V(unknown).
      type: str
  sample:
    at: "2026-03-02T22:00:00Z"
    reason: >-
      Service shop/web, 198.51.100.10: Advertisement services selects Services by bgp=red, but the Service has bgp=blue
    remedy: label the Service as the selector asks, or change the selector
    stage: 7
    verdict: fail
line:
  description: The verdict in one line.
  type: str
  returned: success
  sample: "Service shop/web: no stage fails"
files:
  description: Paths of the files written.
  type: list
  elements: str
  returned: success
  sample: [/home/alice/reports/bgp-doctor.html, /home/alice/reports/bgp-doctor.json]
"""
