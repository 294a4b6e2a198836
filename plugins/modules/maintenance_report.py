#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_report
short_description: Report what happened to a node, in the terminal and in files on the controller
version_added: 0.1.0
description:
  - Says what happened to a node, with phases, durations, routers, what was restored, and what a prober lost.
  - Prints a summary. Writes the same as JSON and as one HTML page without external parts. A file is written completely
    or not at all.
  - There is no report for a node that was refused or never claimed. RV(line) always says why it failed.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reporter
options:
  state:
    description:
      - With V(written), reports what happened to O(node).
      - With V(redrawn), reports again what the JSON file O(report) says, with the figures of a prober that ended later.
      - With V(writable), only makes sure that a report can be written to O(folder), before there is one.
    type: str
    choices: [written, redrawn, writable]
    default: written
  node:
    description:
      - Name of the Node. Required with O(state=written).
    type: str
  host:
    description:
      - Name of the node in the inventory. The last line of a run that failed has it in its command.
      - By default the play's host.
    type: str
    default: ""
  direction:
    description:
      - What was done with the node. Required with O(state=written).
    type: str
    choices: [maintenance, out, in, probe, upgrade]
  sources:
    description:
      - Results of M(hitless.nodes.node_claim), or records. The one with the longest history counts.
    type: list
    elements: dict
    default: []
  failure:
    description:
      - What failed. Empty if nothing did. C(task) and C(reason) say what and why.
      - C(end) says how the node was left. V(refused) means that nothing was changed. V(put back) means that it is as it
        was before. V(left) means that it could not be put back. V(stopped) means that it stays out of service. V(held)
        means that its agent's restart had begun. V(lost) means that its record is gone or belongs to another run.
        V(unread) means that its progress could not be read.
      - With V(left) and V(unread), C(left) has the reason.
    type: dict
    default: {}
  undone:
    description:
      - The routes that are not back although the node was put back, in words.
    type: str
    default: ""
  target:
    description:
      - The target of the run. The last line of a failed upgrade has it in its command.
    type: str
    default: ""
  untouched:
    description:
      - The hosts after this one whose nodes were not claimed. For the last line of a failed upgrade.
    type: list
    elements: str
    default: []
  claimed:
    description:
      - Result of M(hitless.nodes.node_claim). In check mode it shows what would be done.
    type: dict
    default: {}
  info:
    description:
      - Result of M(hitless.nodes.node_info), for the same purpose.
    type: dict
    default: {}
  drained:
    description:
      - Result of M(hitless.nodes.node_drain), for the same purpose. Not needed on the way back.
    type: dict
    default: {}
  action:
    description:
      - What happens to the node while it is out of service, for the same purpose.
    type: str
    choices: [poweroff, reboot, none, pause]
    default: poweroff
  estimates:
    description:
      - Two estimates of M(hitless.nodes.node_claim) and M(hitless.nodes.node_estimate), each with C(seconds),
        C(unbounded) and C(reason). They are printed beside what was measured on the routers for each family.
      - By default the times of each family are not printed.
    type: dict
    suboptions:
      routers:
        description:
          - The estimate from what the routers had negotiated.
        type: dict
        required: true
      cilium:
        description:
          - The estimate from what Cilium alone knows.
        type: dict
        required: true
  probe:
    description:
      - Path, on the controller, of the JSON file of a prober that ran during the maintenance. Empty if none did.
    type: path
    default: ""
  report:
    description:
      - Path, on the controller, of the JSON file of an earlier report. Required with O(state=redrawn).
    type: path
    default: ""
  folder:
    description:
      - Folder on the controller for the two files. It is made if it is missing. A relative path starts at the current
        folder.
      - Empty means that no files are written.
    type: path
    default: ""
  name:
    description:
      - Name of the two files, without extension. Empty means the node's name and the time when its maintenance began.
    type: str
    default: ""
seealso:
  - module: hitless.nodes.node_claim
  - module: hitless.nodes.maintenance_window
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Make sure that a report can be written, before there is anything to report
  hitless.nodes.maintenance_report:
    state: writable
    folder: reports

- name: Report what happened to worker-3
  hitless.nodes.maintenance_report:
    node: worker-3
    direction: maintenance
    sources:
      - "{{ claim_released }}"
    folder: reports

- name: Report why it failed
  hitless.nodes.maintenance_report:
    node: worker-3
    direction: out
    sources:
      - "{{ claim_result }}"
    failure:
      task: Wait until the routes are gone
      reason: "worker-3: 2 of 14 prefixes are still on router tor-1 after 300 s"
      end: put back
    folder: reports
  register: maintenance_reported

- name: Stop here
  ansible.builtin.fail:
    msg: "{{ maintenance_reported.line }}"

- name: Report again, with what a prober has lost
  hitless.nodes.maintenance_report:
    state: redrawn
    report: reports/worker-3-20260302T220001Z.json
    probe: probe.json
    folder: reports
"""

RETURN = r"""
summary:
  description:
    - The content of the JSON file. Empty if there is nothing to report, and with O(state=writable).
    - L(docs/variables.md, https://github.com/hitless/nodes/blob/main/docs/variables.md) names the keys.
  type: dict
  returned: success
  sample:
    node: worker-3
    outcome: maintenance
    result: back in service
    seconds: 62.9
    failure:
line:
  description: What failed and why, how the node was left, and what to do now, in one line. Empty if nothing failed.
  type: str
  returned: success
  sample: "worker-3: 2 of 14 prefixes are still on router tor-1 after 300 s; the node was put back as it was"
files:
  description: Paths of the files written.
  type: list
  elements: str
  returned: success
  sample: [/home/alice/reports/worker-3-20260302T220001Z.html, /home/alice/reports/worker-3-20260302T220001Z.json]
"""
