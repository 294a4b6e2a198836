#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Say what the cluster, Cilium and the maintenance record know of a node
version_added: 0.1.0
description:
  - Reads a Node, its CiliumNode, the objects of Cilium's BGP control plane that select nodes, and the maintenance
    record.
  - Computes which label selects the node for BGP, and which change of it takes the node out.
    RV(bgp.problems) lists what prevents that. M(hitless.nodes.node_claim) refuses a node that has problems.
  - Run it where the Kubernetes API can be reached, usually with C(delegate_to=localhost).
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.held
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  label:
    description:
      - The label to look at, if several select the node.
      - By default the label that the record names. Without a record, the only label that takes the node out.
    type: str
  cilium_namespace:
    description:
      - Namespace of Cilium's agents and its operator.
    type: str
    default: kube-system
seealso:
  - module: hitless.nodes.cilium_bgp_info
  - module: hitless.nodes.node_claim
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what is known of worker-3
  hitless.nodes.node_info:
    name: worker-3
  delegate_to: localhost
  register: info

- name: Stop unless the node can be taken out of BGP
  ansible.builtin.assert:
    that: info.bgp.problems | length == 0
    fail_msg: "{{ info.bgp.problems | join('; ') }}"
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
bgp:
  description: How Cilium's BGP control plane selects the node.
  type: dict
  returned: success
  contains:
    api_version:
      description: Version in which the cluster serves CiliumBGPClusterConfigs. V(null) if it only has legacy policies.
      type: str
    cluster_configs:
      description: The CiliumBGPClusterConfigs (and legacy CiliumBGPPeeringPolicies) that select the node.
      type: list
      elements: str
    label:
      description: The label to flip. V(null) if there is none.
      type: dict
      contains:
        key:
          description: Its name.
          type: str
        value:
          description: Its value now. V(null) if it is absent.
          type: str
        selected_value:
          description: Its value with which the node is selected.
          type: str
        deselect_value:
          description: Its value with which the node isn't selected. V(null) means that the label has to be absent.
          type: str
    selected:
      description: Whether the Node's labels select it.
      type: bool
    node_config:
      description: Whether the operator has made a CiliumBGPNodeConfig for it.
      type: bool
    peers:
      description:
        - The peers in the CiliumBGPNodeConfig, with what a CiliumBGPNodeConfigOverride adds, or those of the legacy
          policy that selects the node.
        - The address of a peer that Cilium discovers is V(null) until the agent has reported it.
      type: list
      elements: dict
      contains:
        instance:
          description: The BGP instance that has the peer.
          type: str
        name:
          description: The peer's name.
          type: str
        address:
          description: Its address.
          type: str
        asn:
          description: Its AS number.
          type: int
        peer_config:
          description: The name of its CiliumBGPPeerConfig.
          type: str
        local_address:
          description: The address that the node uses for the session, if one is set. It is in RV(node.addresses), too.
          type: str
        local_asn:
          description: The AS number of the node in this instance.
          type: int
    router_ids:
      description:
        - The node's BGP identifiers, by its CiliumBGPNodeConfig, its override, or the annotation of a legacy policy.
          Where none is set, they are its IPv4 addresses.
      type: list
      elements: str
    conditions:
      description:
        - The conditions of the CiliumBGPClusterConfigs that select the node, of the CiliumBGPPeerConfigs of its peers
          and of its CiliumBGPNodeConfig. C(True) means that there is a problem.
        - Cilium leaves them out when its status reporting is off.
      type: list
      elements: dict
      contains:
        kind:
          description: Kind of the object that has the condition.
          type: str
        name:
          description: Its name.
          type: str
        type:
          description: What the condition is about.
          type: str
        status:
          description: C(True), C(False) or C(Unknown).
          type: str
        reason:
          description: In one word.
          type: str
        message:
          description: In words.
          type: str
    problems:
      description:
        - Every reason why the node's routes can't be withdrawn by flipping a label, each with a remedy.
        - One is that cilium-operator is down, which its Lease C(cilium-operator-resource-lock) shows. Others are
          conditions that say C(True). C(cilium.io/MissingAuthSecret) is only a warning if the sessions concerned are
          established.
        - What couldn't be checked because a right is missing is a warning.
      type: list
      elements: str
  sample:
    api_version: cilium.io/v2
    cluster_configs: [rack-1]
    conditions: []
    label: {deselect_value: "false", key: enable-bgp, selected_value: "true", value: "true"}
    node_config: true
    peers:
      - {address: 192.0.2.1, asn: 62112, instance: main, local_address: null, local_asn: 65432, name: tor-1,
         peer_config: tor}
    problems: []
    router_ids: [192.0.2.13]
    selected: true
record:
  description:
    - The maintenance record on the Node. V(null) if there is none.
    - Annotation C(hitless.nodes/record), JSON.
  type: dict
  returned: success
  contains:
    holder:
      description: Who holds the node.
      type: str
    since:
      description: When it was claimed.
      type: str
    heartbeat:
      description: When the holder last wrote the record.
      type: str
    phase:
      description: The phase that the maintenance has reached.
      type: str
    before:
      description: What was true before the first change, and must be true again at the end.
      type: dict
    run:
      description: The process of the holder.
      type: dict
    history:
      description: What happened, each entry with phase and time.
      type: list
      elements: dict
    version:
      description: Version of the record's form.
      type: int
  sample:
    before:
      addresses: [192.0.2.13, "2001:db8::13"]
      boot_id: 5b2f6a52-6f2c-4e6f-9b0e-0d3bd02ff52e
      label: {key: enable-bgp, value: "true"}
      routes: {tor-1: {default: {bgp: [198.51.100.10/32], fib: [198.51.100.10/32]}}}
      sessions: {tor-1: [{address: 192.0.2.13, established: true, graceful_restart: {}, hold_time: 90, vrf: default}]}
      system_uuid: 4c4c4544-0042-3510-8051-b7c04f4d3132
      uid: 2d5e1c8b-9a1d-4a3c-b5b6-7f6f0f5f1c11
      unschedulable: false
    heartbeat: "2026-03-02T22:00:14.120Z"
    history:
      - {at: "2026-03-02T22:00:01.003Z", phase: claimed}
      - {at: "2026-03-02T22:00:14.120Z", phase: drained}
    holder: alice@bastion
    phase: drained
    run:
      boot_id: 0d0c5e1a-3c1c-4a42-8f43-0a6cf2bb5f0e
      holder: alice@bastion
      host: bastion
      pid: 4711
      pid_ns: pid:[4026531836]
      started: 123456
    since: "2026-03-02T22:00:01.003Z"
    version: 1
ours:
  description: Whether the record belongs to this run.
  type: bool
  returned: success
  sample: true
way:
  description: Which half of a maintenance comes next, C(out) or C(in). A node without a record goes C(out).
  type: str
  returned: success
  sample: out
after_failure:
  description:
    - What a failure of this run leads to. C(put back) while the node is on its way out and was not switched off.
      C(stopped) afterwards. C(held) after the restart of its agent has begun. C(lost) if the record is gone or belongs
      to another run.
  type: str
  returned: success
  sample: put back
routers_before:
  description: The routers that had a route of the node in BGP when it was claimed. Empty without a record.
  type: list
  elements: str
  returned: success
  sample: [tor-1, tor-2]
prefixes:
  description: The prefixes that any router had of the node when it was claimed. Empty without a record.
  type: list
  elements: str
  returned: success
  sample: [198.51.100.10/32, "2001:db8:100::10/128"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import node_info
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    options = module.params
    return node_info(
        connect(module),
        options["name"],
        options["_run"],
        label=options["label"],
        cilium_namespace=options["cilium_namespace"],
    )


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            "name": {"type": "str", "required": True},
            "label": {"type": "str"},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
