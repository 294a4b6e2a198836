#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_report
short_description: Print a report and write it to files on the controller
version_added: 0.1.0
description:
  - Prints lines in ansible-playbook's output as they are, and writes files on the controller.
  - A file is there as a whole or not at all.
  - It does what several tasks with M(ansible.builtin.debug) and M(ansible.builtin.copy) would do, in a fraction of
    their time.
  - The role P(hitless.nodes.report#role) uses it.
extends_documentation_fragment:
  - hitless.nodes.attributes
attributes:
  check_mode:
    support: full
    details:
      - Prints, but writes no files.
  diff_mode:
    support: N/A
    details:
      - Reports are no change of what they report.
  idempotent:
    support: full
  action:
    description: It is an action plugin and runs on the controller only.
    support: full
options:
  lines:
    description:
      - Lines to print.
    type: list
    elements: str
    default: []
  folder:
    description:
      - Folder for the files, made where it is missing.
      - Without O(files), it is only made sure that files can be written there.
      - By default no files are written.
    type: path
  files:
    description:
      - The content of each file, by its name in O(folder).
    type: dict
    default: {}
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Make sure that a report can be written, before there is anything to report
  hitless.nodes.maintenance_report:
    folder: reports

- name: Print and write it
  hitless.nodes.maintenance_report:
    lines:
      - "worker-3: back in service"
    folder: reports
    files:
      worker-3.json: "{{ report_summary | to_nice_json }}"
"""

RETURN = r"""
files:
  description: Paths of the files written.
  type: list
  elements: str
  returned: success
  sample: [/home/alice/reports/worker-3.json]
"""
