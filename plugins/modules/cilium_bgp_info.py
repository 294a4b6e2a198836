#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp_info
short_description: Read the BGP sessions of nodes as Cilium knows them
version_added: 0.1.0
description:
  - Reads the sessions of nodes from the status of their CiliumBGPNodeConfigs, or from the agents themselves. Agents
    write this status every few seconds.
  - What isn't known is C(unknown), never C(down), and has a reason.
  - A status counts as stale if the agent is gone, isn't Ready, or was started later than the sessions in the status.
    Without status reporting (C(bgpControlPlane.statusReport.enabled=false)) there is no status.
    A peer that is missing from an answer is unknown, too.
  - Also reads the routes of the agents, and the route policies with which they announce them.
  - The routers know better whether traffic still reaches a node. See M(hitless.nodes.frr_bgp_info).
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
options:
  names:
    description:
      - Names of the Nodes.
    type: list
    elements: str
    required: true
  backend:
    description:
      - V(status) reads the status of CiliumBGPNodeConfigs (cilium.io/v2 or v2alpha1).
      - V(agent) runs a command in the container of each agent, in a form that this agent knows. The forms are
        C(cilium-dbg bgp peers -o json), C(cilium-dbg shell -- bgp/peers --format json) in newer releases, and
        C(cilium bgp peers -o json) in older ones. This needs the rights to C(get) and C(create) C(pods/exec) in
        O(cilium_namespace).
      - V(auto) reads the status, and asks the agent if the status leaves something unknown.
    type: str
    choices: [auto, status, agent]
    default: auto
  gather:
    description:
      - What to read. V(peers) are the sessions.
      - V(routes) and V(policies) are always read from the agents, with any O(backend).
    type: list
    elements: str
    choices: [peers, routes, policies]
    default: [peers]
  cilium_namespace:
    description:
      - Namespace of Cilium's agents.
    type: str
    default: kube-system
seealso:
  - module: hitless.nodes.node_info
  - module: hitless.nodes.frr_bgp_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what Cilium knows of the sessions of two nodes
  hitless.nodes.cilium_bgp_info:
    names:
      - worker-2
      - worker-3
  delegate_to: localhost
  register: cilium

- name: Stop unless all of it is known
  ansible.builtin.assert:
    that: cilium.unknown | length == 0
    fail_msg: "{{ cilium.nodes | rejectattr('known') | map(attribute='reason') | join('; ') }}"

- name: Read what worker-3 announces, and to which peers
  hitless.nodes.cilium_bgp_info:
    names: [worker-3]
    gather: [routes, policies]
  delegate_to: localhost
"""

RETURN = r"""
unknown:
  description: Names of the nodes with something unknown.
  type: list
  elements: str
  returned: success
  sample: []
nodes:
  description: One entry for each name, in the order of O(names).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the Node.
      type: str
    node_config:
      description: Whether it has a CiliumBGPNodeConfig. Without one it should have no sessions.
      type: bool
    conditions:
      description: The conditions of the CiliumBGPNodeConfig. C(True) means that there is a problem.
      type: list
      elements: dict
    source:
      description: Where the sessions were read from, C(status) or C(agent). V(null) if neither knows all of them.
      type: str
    known:
      description: Whether everything that was asked for is known.
      type: bool
    reason:
      description: Why something isn't known. V(null) if everything is.
      type: str
    sessions:
      description: One entry for each peer that the node should have, then one for each other peer of the agent.
      type: list
      elements: dict
      contains:
        instance:
          description: BGP instance of the node. V(null) for such another peer if the agent doesn't say it.
          type: str
        peer:
          description: Name of the peer in Cilium's configuration.
          type: str
        address:
          description: The peer's address.
          type: str
        asn:
          description: The peer's AS number.
          type: int
        local_asn:
          description: The node's AS number.
          type: int
        state:
          description: State of the session, C(unknown) if it isn't known.
          type: str
        established:
          description: Whether that is C(established), V(null) if it is unknown.
          type: bool
        established_time:
          description: Since when it has been up, as the agent wrote it into the status. V(null) if the agent was asked.
          type: str
        uptime:
          description: For how many seconds it has been up, as the agent says. V(null) if the status was read.
          type: int
        hold_time:
          description: Negotiated hold time in seconds, V(null) while the session isn't established.
          type: int
        graceful_restart:
          description: Graceful restart as the agent has it. V(null) if the status was read, because it isn't there.
          type: dict
          contains:
            enabled:
              description: Whether the node asks for it.
              type: bool
            restart_time:
              description: Seconds that the node announces.
              type: int
        peer_config:
          description: Name of the CiliumBGPPeerConfig. V(null) if the peer names none or Cilium didn't configure it.
          type: str
        routes:
          description: Numbers of routes advertised and received for each address family.
          type: list
          elements: dict
    routes:
      description: The agent's routes by table, V(null) if they weren't asked for or aren't known.
      type: dict
      contains:
        available:
          description: Those in its own table, each as in RV(nodes[].routes.advertised).
          type: list
          elements: dict
        advertised:
          description: Those that it announces to each peer.
          type: list
          elements: dict
          contains:
            instance:
              description: BGP instance, where the agent says it.
              type: str
            local_asn:
              description: AS number of the instance, where the agent says it.
              type: int
            peer:
              description: Address of the peer, or its name in newer releases. V(null) in the agent's own table.
              type: str
            family:
              description: C(ipv4) or C(ipv6).
              type: str
            prefix:
              description: The prefix.
              type: str
            next_hop:
              description: Next hop. C(0.0.0.0) and C(::) in its own table mean its own address towards each peer.
              type: str
            best:
              description: Whether it is the best path.
              type: bool
            age:
              description: Its age in seconds.
              type: int
            local_preference:
              description: Local preference, V(null) without one.
              type: int
            communities:
              description: Its communities. Newer releases don't say them.
              type: list
              elements: str
            large_communities:
              description: Its large communities. Newer releases don't say them.
              type: list
              elements: str
    policies:
      description: The agent's route policies, V(null) if they weren't asked for or aren't known.
      type: list
      elements: dict
      contains:
        instance:
          description: BGP instance, where the agent says it.
          type: str
        local_asn:
          description: AS number of the instance, where the agent says it.
          type: int
        name:
          description: Name of the policy.
          type: str
        type:
          description: C(export) or C(import).
          type: str
        statements:
          description: What it does with which routes. The first match counts.
          type: list
          elements: dict
  sample:
    - conditions: []
      known: true
      name: worker-3
      node_config: true
      policies: null
      reason: null
      routes: null
      sessions:
        - address: 192.0.2.1
          asn: 62112
          established: true
          established_time: "2026-03-02T21:10:11Z"
          graceful_restart: null
          hold_time: 90
          instance: main
          local_asn: 65432
          peer: tor-1
          peer_config: rack-1
          routes: [{advertised: 3, afi: ipv4, received: 0, safi: unicast}]
          state: established
          uptime: null
      source: status
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import run
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.agents import AT_ONCE
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.bgp_sessions import BACKENDS, GATHER
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import cilium_bgp_info
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    options = module.params
    return cilium_bgp_info(
        connect(module, connections=AT_ONCE),
        options["names"],
        backend=options["backend"],
        gather=options["gather"],
        cilium_namespace=options["cilium_namespace"],
    )


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            "names": {"type": "list", "elements": "str", "required": True},
            "backend": {"type": "str", "choices": list(BACKENDS), "default": "auto"},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": ["peers"]},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
