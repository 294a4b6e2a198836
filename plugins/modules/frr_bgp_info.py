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
  - Runs on the router. Reads its BGP sessions with a node, the BGP paths whose next hop is the node, and whether the
    kernel forwards to the node. If the router reaches the node over a gateway, zebra tells which routes of the kernel
    are the node's.
  - The result is the baseline that M(hitless.nodes.node_claim) stores before a node is taken out of service.
  - What can't be read is an error, never an empty list. A missing BGP instance, a stopped bgpd, an answer that is cut
    off, and a missing permission each fail with their own message.
  - Reads only single prefixes, so its cost doesn't grow with the routing table.
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router
  - a user in the group C(frrvty), or C(become), or a command in O(exec) that has the rights
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.router
  - hitless.nodes.attributes.programs
options:
  record:
    description:
      - The node's record, as M(hitless.nodes.node_claim) returns it. It replaces O(addresses), O(prefixes) and
        O(staying) by what any router had of the node before the claim.
    type: dict
  addresses:
    description:
      - The node's addresses, IPv4 and IPv6. Required without O(record).
      - A session, path or route belongs to the node if its neighbour or next hop is one of them.
      - They also find sessions over link-local addresses, unnumbered ones included. In such a session the node's BGP
        identifier is one of them or of O(router_ids), or the node has the same hardware address on the same link.
      - Use the addresses that M(hitless.nodes.node_info) returns.
    type: list
    elements: str
  peers:
    description:
      - The peers that Cilium names for the node, as RV(hitless.nodes.node_info#module:bgp.peers) has them.
      - They find sessions whose other end isn't one of O(addresses), as with a second link, SLAAC or NAT. In such a
        session the router's address is the peer's, the AS numbers agree, and the other end has one of O(router_ids).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The peer's name.
        type: str
      instance:
        description: The name of the BGP instance that has it.
        type: str
      address:
        description: The peer's address, so an address of a router. Without it Cilium discovers the peer.
        type: str
      asn:
        description: The peer's AS number.
        type: int
      local_address:
        description: The address that the node uses for the session, if it is set.
        type: str
      local_asn:
        description: The AS number of the node in that instance.
        type: int
      peer_config:
        description: The name of its CiliumBGPPeerConfig. It doesn't matter here.
        type: str
  router_ids:
    description:
      - The node's BGP identifiers, as RV(hitless.nodes.node_info#module:bgp.router_ids) has them. The identifier in a
        session with one of O(addresses) counts, too.
      - If several sessions over one address of the router have the same identifier, the module fails, because two nodes
        could be meant.
    type: list
    elements: str
    default: []
  prefixes:
    description:
      - More prefixes to look up, besides those that the router has from its sessions with the node.
      - By default only those of the sessions are looked up. Give the prefixes that other routers have of the node, to
        see whether they arrive here too.
    type: list
    elements: str
    default: []
  staying:
    description:
      - Prefixes that the node goes on announcing by other means than Cilium's BGP.
      - They aren't looked up, so they are in no result. RV(left) doesn't count their paths.
    type: list
    elements: str
    default: []
  vrfs:
    description:
      - The VRFs to look at. Each must have a BGP instance.
      - By default the default VRF.
    type: list
    elements: str
    default: [default]
seealso:
  - module: hitless.nodes.frr_bgp_wait
  - module: hitless.nodes.node_claim
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read what the routers know of worker-3
  hitless.nodes.frr_bgp_info:
    addresses: [192.0.2.13, "2001:db8::13"]
  delegate_to: "{{ item }}"
  loop: "{{ groups['routers'] }}"
  register: baseline

- name: Look up two more prefixes, in a VRF
  hitless.nodes.frr_bgp_info:
    addresses: [192.0.2.13]
    prefixes: [198.51.100.10/32, 198.51.100.20/32]
    vrfs: [blue]
  delegate_to: tor-1
"""

RETURN = r"""
router:
  description: The host name that the router itself reports.
  type: str
  returned: success
  sample: tor-1
frr_version:
  description: FRR's version. V(null) if it doesn't say one.
  type: str
  returned: success
  sample: 8.4.4
neighbors:
  description: The router's BGP sessions with the node. Empty if it has none.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF that the session is in.
      type: str
      sample: default
    address:
      description: The node's address. For a session over a link-local address, that one.
      type: str
      sample: 192.0.2.13
    router_id:
      description: The node's BGP identifier. C(0.0.0.0) while the session is down.
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
      description: The state in FRR's words.
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
      description: How long the session has been up. V(null) while it is down.
      type: int
      sample: 3600
    hold_time:
      description: The hold time in seconds. V(null) if FRR doesn't show it.
      type: int
      sample: 90
    local_address:
      description: The router's address in the session. V(null) if there is no connection.
      type: str
      sample: 192.0.2.1
    peer:
      description: The name of the node's peer, of O(peers), that this session answers. V(null) if none is known.
      type: str
      sample: tor-1
    next_hops:
      description:
        - The next hops of the router's paths from this session, global and link-local ones. They are the node's.
        - An address at which another session of the router ends is left out.
      type: list
      elements: str
      sample: [192.0.2.13]
    accepted:
      description: The number of prefixes accepted from the node, stale ones included, for each family of the session.
      type: dict
      sample: {"ipv4": 4}
    graceful_restart:
      description: What is known of graceful restart. V(null) is unknown. Most is unknown while the session is down.
      type: dict
      contains:
        local_mode:
          description: The router's mode.
          type: str
          sample: Helper
        remote_mode:
          description: The node's mode.
          type: str
          sample: Restart
        negotiated:
          description: Whether both sides sent the capability. If so, the router keeps the node's paths as stale ones.
          type: bool
          sample: true
        families:
          description: The families for which the node asks the router to keep its paths.
          type: list
          elements: str
          sample: [ipv4]
        notification:
          description: Whether the node sent the N bit (RFC 8538). With it, stale paths survive a NOTIFICATION.
          type: bool
          sample: true
        restarted:
          description: Whether the node sent the R bit (it has just restarted).
          type: bool
          sample: false
        restart_time:
          description: For how many seconds the node asks the router to keep its paths after the session is lost.
          type: int
          sample: 120
        remaining:
          description: For how many more seconds stale paths are kept, if there are any.
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
      description: Whether only graceful restart keeps it.
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
    - A prefix that is only forwarded to other nodes isn't in the list.
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
    via:
      description:
        - The next hops that the kernel has for it, if it was zebra that told that the route is the node's. They are the
          gateways over which the router reaches the node. Empty if the kernel itself names the node.
      type: list
      elements: str
      sample: []
uninstalled:
  description:
    - What zebra says it has installed over the node, and the kernel that was asked doesn't show, in three looks.
    - If it isn't empty, the kernel's word proves nothing. Then C(ip) asks another kernel than FRR's. Set O(exec).
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
      description: The prefix.
      type: str
      sample: 198.51.100.10/32
    next_hop:
      description: The node's address.
      type: str
      sample: 192.0.2.13
    zebra:
      description: What zebra says, for people.
      type: str
      sample: installed over 192.0.2.13, resolved to 10.9.0.1
    kernel:
      description: What the kernel says, for people.
      type: str
      sample: no route
others:
  description:
    - The other ways to the prefixes that were looked up. Only paths count that are valid and fresh, whose next hop is
      reachable, and isn't the node.
    - A prefix to which only the node leads isn't in the list.
    - M(hitless.nodes.node_claim) finds out who is behind them, such as another node, or another router.
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
    paths:
      description: The paths.
      type: list
      elements: dict
      contains:
        next_hops:
          description: The addresses of the next hop. Over IPv6 a global one, and perhaps a link-local one after it.
          type: list
          elements: str
          sample: [192.0.2.11]
        from:
          description: The neighbour that sent the path.
          type: str
          sample: 192.0.2.11
        internal:
          description: Whether that neighbour is in the router's own AS (iBGP).
          type: bool
          sample: false
left:
  description:
    - What M(hitless.nodes.frr_bgp_wait) with O(hitless.nodes.frr_bgp_wait#module:state=withdrawn) would still wait for.
      Empty means that the router has nothing of the node, but for O(staying).
    - Where it has no path to the prefixes that were looked up, FRR's own counters show whether there are paths to
      others. Such an entry has the prefix C(*), and C(paths).
  type: list
  elements: dict
  returned: success
  sample:
    - {"vrf": "default", "family": ipv4, "prefix": 198.51.100.10/32, "next_hop": 192.0.2.13, "where": bgp}
speakers:
  description: Every BGP session of the router in the VRFs that were asked, whoever is at its other end.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF that the session is in.
      type: str
      sample: default
    name:
      description: FRR's name for the session. It is the address, or the interface of an unnumbered session.
      type: str
      sample: 192.0.2.13
    address:
      description: The address at the other end. V(null) for an unnumbered session that has found no neighbour.
      type: str
      sample: 192.0.2.13
    local_address:
      description: The router's address in the session. V(null) if there is no connection.
      type: str
      sample: 192.0.2.1
    router_id:
      description: The BGP identifier of the other end. V(null) while the session is down.
      type: str
      sample: 192.0.2.13
    remote_as:
      description: The AS number of the other end. V(null) if FRR doesn't show it.
      type: int
      sample: 65432
    internal:
      description: Whether this is an iBGP session.
      type: bool
      sample: false
    established:
      description: Whether the session is up.
      type: bool
      sample: true
own_addresses:
  description: The router's own addresses in all VRFs. Link-local ones are left out.
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: The address.
      type: str
      sample: 192.0.2.1
    interface:
      description: The interface that has it.
      type: str
      sample: eth1
    vrf:
      description: The interface's VRF.
      type: str
      sample: default
vrfs_asked:
  description: The VRFs that were looked at, O(vrfs).
  type: list
  elements: str
  returned: success
  sample: [default]
vrfs_there:
  description: The VRFs in which the router has a BGP instance.
  type: list
  elements: str
  returned: success
  sample: [default, blue]
"""

import socket
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.base.net import prefix
from ansible_collections.hitless.nodes.plugins.module_utils.frr import route_rules
from ansible_collections.hitless.nodes.plugins.module_utils.frr.node_sessions import Identity, of_sessions
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import (
    checked_addresses,
    checked_prefixes,
    checked_vrfs,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.programs import PROGRAMS, programs
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_rules import View
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PEER: dict[str, Any] = {
    "name": {"type": "str"},
    "instance": {"type": "str"},
    "address": {"type": "str"},
    "asn": {"type": "int"},
    "local_address": {"type": "str"},
    "local_asn": {"type": "int"},
    "peer_config": {"type": "str"},
}
ARGUMENTS: dict[str, Any] = {
    "record": {"type": "dict"},
    "addresses": {"type": "list", "elements": "str"},
    "peers": {"type": "list", "elements": "dict", "options": PEER, "default": []},
    "router_ids": {"type": "list", "elements": "str", "default": []},
    "prefixes": {"type": "list", "elements": "str", "default": []},
    "staying": {"type": "list", "elements": "str", "default": []},
    "vrfs": {"type": "list", "elements": "str", "default": ["default"]},
    **PROGRAMS,
}


# A route that is just being replaced is in zebra and not in the kernel for some milliseconds.
LOOKS = 3
PAUSE = 0.3


def settled(router: Router, wanted: dict[str, list[str]]) -> View:
    """A look in which the kernel shows what zebra has installed for the node; the last of a few looks otherwise."""
    view = router.look(wanted)
    for _unused in range(LOOKS - 1):
        if not view["uninstalled"]:
            break
        time.sleep(PAUSE)
        view = router.look(wanted)
    return view


def work(module: AnsibleModule) -> dict[str, Any]:
    """What the router knows of the node, just now."""
    params = module.params
    vrfs = checked_vrfs(params["vrfs"])
    asked = checked_prefixes(params["prefixes"], vrfs)
    who = Identity(
        frozenset(checked_addresses(params["addresses"])), frozenset(params["router_ids"]), tuple(params["peers"])
    )
    router = Router(*programs(params), set(who.addresses))
    every, instances = router.speakers(vrfs)
    own_addresses = router.fib.addresses()
    sessions = router.identify(every, who, own_addresses)
    announced = router.announced(vrfs)
    router.staying = [prefix(each) for each in params["staying"]]
    wanted = {}
    for vrf in vrfs:
        wanted[vrf] = [each for each in dict.fromkeys([*announced[vrf], *asked[vrf]]) if each not in router.staying]
    view = settled(router, wanted)
    return {
        "changed": False,
        "router": socket.gethostname(),
        "frr_version": router.release(),
        "neighbors": [
            {**each, **more}
            for each, more in zip(view["neighbors"], of_sessions(view, sessions, who.peers, own_addresses))
        ],
        "routes": route_rules.with_installed(view),
        "fib": view["fib"],
        "uninstalled": view["uninstalled"],
        "others": view["others"],
        "left": route_rules.not_withdrawn(view),
        "speakers": every,
        "own_addresses": [{key: own[key] for key in ("address", "interface", "vrf")} for own in own_addresses],
        "vrfs_there": instances,
        "vrfs_asked": vrfs,
    }


def main() -> None:
    adapter.run(work, ARGUMENTS, required_one_of=[("addresses", "record")])


if __name__ == "__main__":
    main()
