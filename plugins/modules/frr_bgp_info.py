#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_bgp_info
short_description: Read what an FRR router knows of a node
version_added: 0.1.0
description:
  - Runs on the router and reads its BGP sessions with a node, the BGP paths whose next hop is the node,
    and whether the kernel forwards to the node.
  - The result is the baseline that M(hitless.nodes.node_claim) stores before a node is taken out of service.
  - What can't be read is an error, never an empty list. There is no BGP instance, bgpd is down, the answer is cut off,
    the user has no permission - each fails with a message of its own.
  - Reads single prefixes only, so that its cost doesn't grow with the size of the routing table.
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router
  - a user in the group C(frrvty), or C(become)
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.router
options:
  addresses:
    description:
      - The node's addresses, IPv4 and IPv6.
      - A session, path or route belongs to the node if its neighbour or next hop is one of them.
      - Sessions over link-local addresses (unnumbered ones, too) are found by them as well. In such a session the node
        calls itself by one of them (its BGP identifier), or it has the same hardware address on the same link.
      - The addresses that M(hitless.nodes.node_info) returns.
    type: list
    elements: str
    required: true
  prefixes:
    description:
      - Prefixes to look up besides those that the router has from its sessions with the node.
      - By default only those of the sessions are looked up. Give the ones that other routers know of the node,
        to see whether they arrive here too.
    type: list
    elements: str
    default: []
  vrfs:
    description:
      - The VRFs to look at. Each must have a BGP instance.
      - By default the one without a name of its own.
    type: list
    elements: str
    default: [default]
  vtysh:
    description:
      - The path of C(vtysh), with arguments where the system needs them, for instance C(/usr/bin/vtysh -N blue)
        for an FRR that runs in a path space.
      - By default it is searched for in E(PATH).
    type: str
    default: vtysh
seealso:
  - module: hitless.nodes.frr_bgp_wait
  - module: hitless.nodes.node_claim
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: What do the routers know of worker-3?
  hitless.nodes.frr_bgp_info:
    addresses: [192.0.2.13, "2001:db8::13"]
  delegate_to: "{{ item }}"
  loop: "{{ groups['routers'] }}"
  register: baseline

- name: Look two prefixes up as well, in a VRF
  hitless.nodes.frr_bgp_info:
    addresses: [192.0.2.13]
    prefixes: [198.51.100.10/32, 198.51.100.20/32]
    vrfs: [blue]
  delegate_to: tor-1
"""

RETURN = r"""
router:
  description: The router's host name, as it says itself.
  type: str
  returned: success
  sample: tor-1
frr_version:
  description: FRR's version, V(null) where it doesn't say one.
  type: str
  returned: success
  sample: 8.4.4
neighbors:
  description: The router's BGP sessions with the node. Empty where it has none.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF that the session is in.
      type: str
      sample: default
    address:
      description: The node's address, a link-local one for a session over it.
      type: str
      sample: 192.0.2.13
    router_id:
      description: What the node calls itself (BGP identifier), C(0.0.0.0) while the session is down.
      type: str
      sample: 192.0.2.13
    times_established:
      description: How often the session has come up since the router began to count.
      type: int
      sample: 1
    remote_as:
      description: The node's AS number.
      type: int
      sample: 65432
    state:
      description: The state as FRR writes it.
      type: str
      sample: Established
    established:
      description: Whether the session is up.
      type: bool
      sample: true
    shut:
      description: Whether the router's configuration shuts the session down.
      type: bool
      sample: false
    uptime_seconds:
      description: How long the session has been up, V(null) while it is down.
      type: int
      sample: 3600
    hold_time:
      description: The hold time in seconds, V(null) where it isn't shown.
      type: int
      sample: 90
    accepted:
      description: The number of prefixes accepted from the node, stale ones included, for each family of the session.
      type: dict
      sample: {"ipv4": 4}
    graceful_restart:
      description: What is known of graceful restart. V(null) = unknown, as most of it is while the session is down.
      type: dict
      contains:
        local_mode:
          description: The router's part in it.
          type: str
          sample: Helper
        remote_mode:
          description: The node's part in it.
          type: str
          sample: Restart
        negotiated:
          description: Whether both sides sent the capability, so that the router keeps the node's paths as stale ones.
          type: bool
          sample: true
        families:
          description: The families for which the node asks that its paths be kept.
          type: list
          elements: str
          sample: [ipv4]
        notification:
          description: Whether the node sent the N bit (RFC 8538), with which stale paths survive a NOTIFICATION.
          type: bool
          sample: true
        restarted:
          description: Whether the node sent the R bit (it has just restarted).
          type: bool
          sample: false
        restart_time:
          description: For how many seconds the node asks to keep its paths once the session is lost.
          type: int
          sample: 120
        remaining:
          description: For how many more seconds stale paths are kept, while they are.
          type: int
          sample: null
        long_lived:
          description: Whether long-lived graceful restart is negotiated.
          type: bool
          sample: false
        long_lived_stale_time:
          description: Its longest stale time in seconds.
          type: int
          sample: 0
routes:
  description: The BGP paths whose next hop is the node, from the node itself or from another router, fresh or stale.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF of the path.
      type: str
      sample: default
    family:
      description: The family of the prefix, V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
    prefix:
      description: The prefix.
      type: str
      sample: 198.51.100.10/32
    next_hop:
      description: The node's address that is the next hop.
      type: str
      sample: 192.0.2.13
    from:
      description: The neighbour that sent the path.
      type: str
      sample: 192.0.2.13
    stale:
      description: Whether it is kept by graceful restart only.
      type: bool
      sample: false
    valid:
      description: Whether BGP may use it.
      type: bool
      sample: true
    bestpath:
      description: Whether it is the best one.
      type: bool
      sample: true
    multipath:
      description: Whether it is used together with others (ECMP).
      type: bool
      sample: true
    installed:
      description: Whether the kernel forwards this prefix to the node.
      type: bool
      sample: true
fib:
  description:
    - The routes in the kernel's forwarding table that forward to the node. One entry for each prefix and next hop.
    - A prefix that is forwarded to other nodes only isn't in the list.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF.
      type: str
      sample: default
    family:
      description: The family of the prefix, V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
    prefix:
      description: The prefix that was looked up.
      type: str
      sample: 198.51.100.10/32
    matched:
      description: The prefix of the route that the kernel uses for it.
      type: str
      sample: 198.51.100.10/32
    next_hop:
      description: The node's address.
      type: str
      sample: 192.0.2.13
others:
  description:
    - Who else announces the prefixes that were looked up. Only fresh and valid paths count.
    - A prefix that only the node announces isn't in the list.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF.
      type: str
      sample: default
    prefix:
      description: The prefix.
      type: str
      sample: 198.51.100.10/32
    next_hops:
      description: The next hops, each once, without the node's.
      type: list
      elements: str
      sample: [192.0.2.11, 192.0.2.12]
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.frr import route_rules
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import (
    checked_addresses,
    checked_prefixes,
    checked_vrfs,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "prefixes": {"type": "list", "elements": "str", "default": []},
    "vrfs": {"type": "list", "elements": "str", "default": ["default"]},
    "vtysh": {"type": "str", "default": "vtysh"},
}


def work(module: AnsibleModule) -> dict[str, Any]:
    """What the router knows of the node, just now."""
    params = module.params
    vrfs = checked_vrfs(params["vrfs"])
    asked = checked_prefixes(params["prefixes"], vrfs)
    router = Router(Vtysh(params["vtysh"]), Fib(), checked_addresses(params["addresses"]))
    router.discover(vrfs)
    announced = router.announced(vrfs)
    view = router.look({vrf: list(dict.fromkeys([*announced[vrf], *asked[vrf]])) for vrf in vrfs})
    return {
        "changed": False,
        "router": socket.gethostname(),
        "frr_version": router.release(),
        "neighbors": view["neighbors"],
        "routes": route_rules.with_installed(view),
        "fib": view["fib"],
        "others": view["others"],
    }


def main() -> None:
    adapter.run(work, ARGUMENTS)


if __name__ == "__main__":
    main()
