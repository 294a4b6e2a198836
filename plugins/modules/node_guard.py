#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_guard
short_description: Look once more before something that can't be undone, and note it in the record
version_added: 0.1.0
description:
  - Judges the world as it is now, and fails with every reason why the node must not be switched off now. An earlier
    proof doesn't count.
  - The record must be this run's, and of this Node (by its UID). The label must be as this maintenance set it. Cilium
    must not select the node, and its CiliumBGPNodeConfig must be gone. Every router must be without the node's routes,
    in BGP and in its kernel. Enough others must announce its VIPs. The withdrawal must have been proven, the node still
    be cordoned, and no new pod be on it.
  - If nothing speaks against it, the record gets a note, and the phase V(off).
  - M(hitless.nodes.guarded) runs this, with answers of the routers that it has just got, and then the command. Use that
    one in playbooks.
extends_documentation_fragment:
  - hitless.nodes.last_look
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.held
options:
  routes:
    description:
      - What each router has of the node just now. Each key is the name of a router, and each value its result of
        M(hitless.nodes.frr_bgp_info).
      - Not used if the node was claimed with other evidence than V(router).
    type: dict
    default: {}
  routers:
    description:
      - Inventory names of the routers that must have answered.
    type: list
    elements: str
    default: []
  looked_at:
    description:
      - When the routers were asked, by this machine's monotonic clock. The record gets how long ago that was.
      - By default it was now.
    type: float
  note:
    description:
      - What to keep in the record's history, besides the note of this look.
    type: dict
seealso:
  - module: hitless.nodes.guarded
  - module: hitless.nodes.node_claim
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what the routers have of worker-3 now
  hitless.nodes.on_routers:
    module: frr_bgp_info
    routers: "{{ groups['routers'] }}"
    arguments:
      record: "{{ info.record }}"
  register: looks

- name: Stop unless worker-3 may be switched off now
  hitless.nodes.node_guard:
    name: worker-3
    act: "off"
    routes: "{{ looks.answers }}"
    routers: "{{ groups['routers'] }}"
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
record:
  description: The record as it is now, with the note.
  type: dict
  returned: success
  sample: {holder: alice@admin, phase: "off"}
boot_id:
  description: The boot ID that the Node reports, by which the machine tells that it is this node. Empty if it has none.
  type: str
  returned: success
  sample: 5f3c1f5e-1c0c-4a26-b5a4-4d6f3c1f9b7e
reasons:
  description: Every reason why it must not be done now.
  type: list
  elements: str
  returned: when it is refused
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import EVIDENCE
from ansible_collections.hitless.nodes.plugins.module_utils.node.guard import ACTS, guard


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return guard(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            "name": {"type": "str", "required": True},
            "act": {"type": "str", "choices": list(ACTS), "required": True},
            "routes": {"type": "dict", "default": {}},
            "routers": {"type": "list", "elements": "str", "default": []},
            "evidence": {"type": "str", "choices": list(EVIDENCE)},
            "min_announcers": {"type": "int", "default": 1},
            "looked_at": {"type": "float"},
            "note": {"type": "dict"},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
