#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp_info
short_description: Read the BGP sessions of nodes as Cilium reports them
version_added: 0.1.0
description:
  - Reads the CiliumBGPNodeConfig of each node, in which Cilium's agents report their sessions every few seconds.
  - What an agent doesn't report is C(unknown), never C(down). An agent that has died leaves its last report behind,
    so a session that is C(established) here is no proof. Routers know better, see M(hitless.nodes.frr_bgp_info).
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
seealso:
  - module: hitless.nodes.node_info
  - module: hitless.nodes.frr_bgp_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: What does Cilium say of the sessions of two nodes?
  hitless.nodes.cilium_bgp_info:
    names:
      - worker-2
      - worker-3
  delegate_to: localhost
  register: cilium
"""

RETURN = r"""
nodes:
  description: One entry for each name, in the order asked for.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the Node.
      type: str
    node_config:
      description: Whether it has a CiliumBGPNodeConfig. Without one it has no sessions.
      type: bool
    conditions:
      description: The conditions of the CiliumBGPNodeConfig. C(True) means that there is a problem.
      type: list
      elements: dict
    sessions:
      description: One entry for each peer that the node should have.
      type: list
      elements: dict
      contains:
        instance:
          description: BGP instance of the node.
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
        state:
          description: What the agent wrote last, C(unknown) if it didn't write.
          type: str
        established:
          description: Whether that is C(established), V(null) if it is unknown.
          type: bool
        established_time:
          description: Since when, as the agent wrote it.
          type: str
        routes:
          description: Numbers of routes advertised and received for each address family.
          type: list
          elements: dict
  sample:
    - conditions: []
      name: worker-3
      node_config: true
      sessions:
        - address: 192.0.2.1
          asn: 62112
          established: true
          established_time: "2026-03-02T21:10:11Z"
          instance: main
          peer: tor-1
          routes: [{advertised: 3, afi: ipv4, received: 0, safi: unicast}]
          state: established
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils import _client
from ansible_collections.hitless.nodes.plugins.module_utils._info import cilium_bgp_info
from ansible_collections.hitless.nodes.plugins.module_utils._module import run


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return cilium_bgp_info(_client.connect(module), module.params["names"])


def main() -> None:
    run(
        work,
        {
            **_client.argument_spec(),
            "names": {"type": "list", "elements": "str", "required": True},
        },
        libraries=_client.LIBRARIES,
    )


if __name__ == "__main__":
    main()
