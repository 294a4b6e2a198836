#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_wait
short_description: Wait until a node that was away is back
version_added: 0.1.0
description:
  - Waits until the node has booted again (its boot id has changed) and is Ready. It must have all the addresses that it
    had at the claim. Its Cilium agent must be Ready and must have started after the node went off.
  - Notes the phase C(on) in the record, if the node has one.
  - Refuses a node that another run holds.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.sliced
  - hitless.nodes.attributes.held
  - hitless.nodes.attributes.claimed
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  rebooted:
    description:
      - Whether the node must have booted again. The record has the old boot id.
      - By default V(true) if the record says that the node was switched off or rebooted, or if O(boot_id) is given.
    type: bool
  boot_id:
    description:
      - The boot id before. By default the one in the record.
    type: str
  agent:
    description:
      - Whether Cilium's agent on the node must also be Ready.
    type: bool
    default: true
  cilium_namespace:
    description:
      - Namespace of Cilium's agents.
    type: str
    default: kube-system
  timeout:
    description:
      - Seconds that the node may take to be back. Servers can take minutes before they boot.
    type: float
    default: 600.0
seealso:
  - module: hitless.nodes.node_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Wait until worker-3 is back
  hitless.nodes.node_wait:
    name: worker-3
    timeout: 900
  delegate_to: localhost

- name: Wait until it is Ready, rebooted or not
  hitless.nodes.node_wait:
    name: worker-3
    rebooted: false
  delegate_to: localhost
"""

RETURN = r"""
node:
  description: The node as the cluster has it.
  type: dict
  returned: success
  contains:
    name:
      description: Its name.
      type: str
    uid:
      description: UID of the Node object.
      type: str
    addresses:
      description: Its addresses, IPv4 and IPv6, that routers may use as next hop.
      type: list
      elements: str
    boot_id:
      description: Boot id of its kernel. It changes with each boot.
      type: str
    system_uuid:
      description: UUID of the machine, to compare with the UUID in the BMC.
      type: str
    ready:
      description: Whether its kubelet reports it as Ready. V(null) if the kubelet is silent.
      type: bool
    unschedulable:
      description: Whether it is cordoned.
      type: bool
    labels:
      description: Its labels.
      type: dict
  sample:
    addresses: [192.0.2.13, "2001:db8::13"]
    boot_id: 5b2f6a52-6f2c-4e6f-9b0e-0d3bd02ff52e
    labels: {enable-bgp: "true", kubernetes.io/hostname: worker-3}
    name: worker-3
    ready: true
    system_uuid: 4c4c4544-0042-3510-8051-b7c04f4d3132
    uid: 2d5e1c8b-9a1d-4a3c-b5b6-7f6f0f5f1c11
    unschedulable: false
record:
  description:
    - The maintenance record as this module has just read or written it. V(null) if there is none.
    - Its keys are those of RV(hitless.nodes.node_claim#module:record).
  type: dict
  returned: success
  sample:
    before: {evidence: router, label: {key: enable-bgp, value: "true"}, unschedulable: false}
    heartbeat: "2026-03-02T22:00:14.120Z"
    history:
      - {at: "2026-03-02T22:00:01.003Z", phase: claimed}
      - {at: "2026-03-02T22:00:14.120Z", phase: "on", boot_id: 0d0c5e1a-3c1c-4a42-8f43-0a6cf2bb5f0e}
    holder: alice@bastion
    phase: "on"
    since: "2026-03-02T22:00:01.003Z"
    version: 1
seconds:
  description: After how many seconds it was back.
  type: float
  returned: success
  sample: 74.2
waiting_for:
  description: What is missing. Empty, except in check mode and when it failed.
  type: list
  elements: str
  returned: success, or when the node isn't back
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import (
    CLAIMED_OPTIONS,
    RUN_OPTIONS,
    SLICE_OPTIONS,
    run,
)
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.node.readiness import wait


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return wait(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **CLAIMED_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "rebooted": {"type": "bool"},
            "boot_id": {"type": "str"},
            "agent": {"type": "bool", "default": True},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "timeout": {"type": "float", "default": 600.0},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
