#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_info
short_description: Read what the cluster has of the way from a Service to the announcement of its addresses
version_added: 0.1.0
description:
  - Reads a Service (or all of type LoadBalancer) with its endpoints, and the pools of addresses. Reads Cilium's BGP
    configuration (cilium.io/v2 or v2alpha1), the nodes that it selects, and the relevant lines of Cilium's logs.
  - A kind that can't be read is V(null) and has its reason in RV(unread). The others are still read.
  - Of Secrets only metadata is requested, which has the names of their keys. The API server doesn't even send their
    values.
  - The role P(hitless.nodes.doctor#role) uses it.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
options:
  service:
    description:
      - The Service to look for, as V(namespace/name).
      - Without it and without O(vip), all Services of type LoadBalancer are read.
    type: str
  vip:
    description:
      - An address of the Services to look for, of any kind.
    type: str
  nodes:
    description:
      - Names of the Nodes to look at. By default all.
    type: list
    elements: str
    default: []
  cilium_namespace:
    description:
      - Namespace of Cilium's agents, operator and configuration.
    type: str
    default: kube-system
  secrets_namespace:
    description:
      - Namespace in which Cilium looks for the Secrets of BGP sessions.
      - By default C(bgp-secrets-namespace) of the ConfigMap C(cilium-config), or else O(cilium_namespace).
    type: str
  log_lines:
    description:
      - How many relevant lines to read of each agent's and operator's log. Relevant are the lines of the last hour
        about BGP and addresses. What looks like a secret is left out.
      - V(0) reads no logs. Any other number needs the right to C(get) C(pods/log) in O(cilium_namespace).
    type: int
    default: 0
seealso:
  - module: hitless.nodes.cilium_bgp_info
  - module: hitless.nodes.frr_policy_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what the cluster knows of a Service's addresses
  hitless.nodes.vip_info:
    service: shop/web
    log_lines: 5
  delegate_to: localhost
  register: vip
"""

RETURN = r"""
asked:
  description: What was asked for.
  type: dict
  returned: success
  sample: {"service": "shop/web", "vip": null}
services:
  description: The Services found, each with its addresses and endpoints.
  type: list
  elements: dict
  returned: success
  sample:
    - addresses: [{address: 198.51.100.10, kind: LoadBalancerIP}, {address: 10.96.0.7, kind: ClusterIP}]
      class: null
      conditions: []
      endpoints: {ready: [{address: 10.0.1.7, node: worker-3}], unready: 0}
      endpoints_reason: ""
      families: [IPv4]
      labels: {app: web}
      name: web
      namespace: shop
      only: null
      policy: Cluster
      ports: [{port: 80, protocol: TCP}]
      selects: true
      type: LoadBalancer
pools:
  description: The CiliumLoadBalancerIPPools.
  type: list
  elements: dict
  returned: success
  sample: [{blocks: [{cidr: 198.51.100.0/24}], conditions: [], disabled: false, name: blue, selector: null}]
advertisements:
  description:
    - The CiliumBGPAdvertisements. Virtual routers of legacy policies are among them, in the same form, with C(legacy).
  type: list
  elements: dict
  returned: success
configs:
  description: The CiliumBGPClusterConfigs and legacy CiliumBGPPeeringPolicies.
  type: list
  elements: dict
  returned: success
  sample: [{conditions: [], kind: CiliumBGPClusterConfig, name: rack-1, selector: {matchLabels: {enable-bgp: "true"}}}]
peer_configs:
  description:
    - The CiliumBGPPeerConfigs. Neighbors of legacy policies are among them, in the same form, with C(legacy).
  type: list
  elements: dict
  returned: success
nodes:
  description:
    - The Nodes, each with the labels of its CiliumNode and what its CiliumBGPNodeConfig, or a legacy policy, asks for.
  type: list
  elements: dict
  returned: success
secrets:
  description:
    - The Secrets that PeerConfigs name. Each says whether it exists, which keys it has, and where else there is one.
  type: list
  elements: dict
  returned: success
  sample: [{elsewhere: [], exists: true, keys: [password], name: bgp-auth, namespace: kube-system, reason: ""}]
vips:
  description: The addresses of these Services that routers should know.
  type: list
  elements: str
  returned: success
  sample: [198.51.100.10]
prefixes:
  description: The prefixes that routers should know of these Services.
  type: list
  elements: str
  returned: success
  sample: [198.51.100.10/32]
addresses:
  description: The addresses of all RV(nodes).
  type: list
  elements: str
  returned: success
  sample: [192.0.2.13, "2001:db8::13"]
logs:
  description: The relevant lines, by pod.
  type: list
  elements: dict
  returned: success
  sample: [{lines: [], node: worker-3, pod: cilium-x7c4p}]
logs_missing:
  description: Which logs couldn't be read, and why.
  type: list
  elements: str
  returned: success
  sample: []
unread:
  description: Kinds that couldn't be read, each with the reason.
  type: dict
  returned: success
  sample: {}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import run
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.cluster_read import vip_info
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect

ASKED = ("service", "vip", "nodes", "cilium_namespace", "secrets_namespace", "log_lines")


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return vip_info(connect(module), **{option: module.params[option] for option in ASKED})


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            "service": {"type": "str"},
            "vip": {"type": "str"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "secrets_namespace": {"type": "str", "no_log": False},
            "log_lines": {"type": "int", "default": 0},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
