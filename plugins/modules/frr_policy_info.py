#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_policy_info
short_description: Read what an FRR router is configured to accept, and what it did with some prefixes
version_added: 0.1.0
description:
  - Runs on the router. Reads neighbours, route-maps and prefix-lists of its running configuration, and how FRR was
    started. For the given prefixes, reads all BGP paths and zebra's routes.
  - A password in the configuration is never returned. The result only says that there is one.
  - What can't be read is an error, never an empty list.
  - The role P(hitless.nodes.doctor#role) uses it, together with M(hitless.nodes.frr_bgp_info).
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router
  - a user in the group C(frrvty), or C(become), or a command in O(exec) that has the rights
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.router
  - hitless.nodes.attributes.programs
options:
  prefixes:
    description:
      - Prefixes to look up in BGP and in zebra.
      - By default no prefix is looked up.
    type: list
    elements: str
    default: []
  vrfs:
    description:
      - The VRFs to look in. Each must have a BGP instance.
      - By default the default VRF.
    type: list
    elements: str
    default: [default]
seealso:
  - module: hitless.nodes.frr_bgp_info
  - module: hitless.nodes.vip_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what the routers do with a VIP
  hitless.nodes.frr_policy_info:
    prefixes: [198.51.100.10/32]
  delegate_to: "{{ item }}"
  loop: "{{ groups['routers'] }}"
  register: policies
"""

RETURN = r"""
router:
  description: The host name that the router itself reports.
  type: str
  returned: success
  sample: tor-1
addresses:
  description: The router's own addresses, of all VRFs, without link-local ones.
  type: list
  elements: dict
  returned: success
  sample: [{"address": "192.0.2.1", "interface": "eth0", "network": "192.0.2.0/24", "vrf": "default"}]
configuration:
  description: The BGP part of its running configuration.
  type: dict
  returned: success
  contains:
    instances:
      description:
        - The BGP instances with C(vrf), C(asn), C(requires_policy) (C(bgp ebgp-requires-policy)), C(neighbors) and
          C(ranges) (C(bgp listen range)). Settings of peer groups are applied to their members.
      type: list
      elements: dict
    route_maps:
      description: The entries of each route-map, in order.
      type: dict
    prefix_lists:
      description: The entries by family and name, in order.
      type: dict
paths:
  description: BGP's paths to the given prefixes, with any next hop.
  type: list
  elements: dict
  returned: success
  sample:
    - bestpath: true
      from: 192.0.2.13
      multipath: true
      next_hops: [192.0.2.13]
      prefix: 198.51.100.10/32
      stale: false
      valid: true
      vrf: default
rib:
  description: Zebra's routes to the given prefixes, of all protocols.
  type: list
  elements: dict
  returned: success
  sample:
    - installed: true
      next_hops: [192.0.2.13]
      prefix: 198.51.100.10/32
      protocol: bgp
      selected: true
      vrf: default
listen_port:
  description: The port on which bgpd listens. V(0) if it doesn't listen. V(null) if that can't be seen.
  type: int
  returned: success
  sample: 179
v6_rr_semantics:
  description: Whether zebra was started with C(--v6-rr-semantics). V(null) if that can't be seen.
  type: bool
  returned: success
  sample: true
unit:
  description: What systemd starts C(frr.service) after and before. V(null) if there is no such unit, or if
    O(exec) leads to another place than the host.
  type: dict
  returned: success
  sample: {"after": [network-pre.target], "before": [multi-user.target]}
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import checked_prefixes, checked_vrfs
from ansible_collections.hitless.nodes.plugins.module_utils.frr.policy_info import frr_policy_info
from ansible_collections.hitless.nodes.plugins.module_utils.frr.programs import PROGRAMS, programs

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "prefixes": {"type": "list", "elements": "str", "default": []},
    "vrfs": {"type": "list", "elements": "str", "default": ["default"]},
    **PROGRAMS,
}


def work(module: AnsibleModule) -> dict[str, Any]:
    """What the router is configured to do, and did."""
    params = module.params
    wanted = checked_prefixes(params["prefixes"], checked_vrfs(params["vrfs"]))
    found = frr_policy_info(*programs(params), wanted)
    return {"changed": False, "router": socket.gethostname(), **found}


def main() -> None:
    adapter.run(work, ARGUMENTS)


if __name__ == "__main__":
    main()
