#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_chart
short_description: Write the chart of a revision of a Helm release into a folder
version_added: 0.1.0
description:
  - Helm keeps the chart and the values of each revision in a Secret. This module writes the chart into a folder, and
    returns the values. Helm can apply the chart again from that folder.
  - The playbook C(hitless.nodes.cilium_upgrade) uses it to roll back. C(helm rollback) would at once give Cilium's
    DaemonSet the update strategy of that revision. Its controller would then restart all agents.
  - It doesn't work for a chart that contains other charts, because helm doesn't keep those.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
options:
  release:
    description:
      - Name of the release.
    type: str
    required: true
  revision:
    description:
      - The revision.
    type: int
    required: true
  namespace:
    description:
      - Namespace of the release.
    type: str
    default: kube-system
  path:
    description:
      - The folder, on the host that the task runs on. It is made if it is missing.
    type: path
    required: true
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Write the previous chart into a folder
  hitless.nodes.release_chart:
    release: cilium
    revision: 7
    path: /tmp/cilium-before
  delegate_to: localhost
  register: before
"""

RETURN = r"""
path:
  description: The folder.
  type: str
  returned: success
  sample: /tmp/cilium-before
chart:
  description: Name and version of the chart.
  type: dict
  returned: success
  sample: {name: cilium, version: 1.18.4}
values:
  description: The user's values of that revision.
  type: dict
  returned: success
  sample: {bgpControlPlane: {enabled: true}}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.helm_release import release_chart


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return release_chart(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            "release": {"type": "str", "required": True},
            "revision": {"type": "int", "required": True},
            "namespace": {"type": "str", "default": "kube-system"},
            "path": {"type": "path", "required": True},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
