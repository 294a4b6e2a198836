#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_bgp_wait
short_description: Wait until an FRR router has withdrawn a node's routes, or has them back
version_added: 0.1.0
description:
  - Runs on the router and waits until no path to the node is left, or until all of them are back.
  - It judges by next hop, not by session and not by prefix. A session can be down while its routes are still in use
    (graceful restart). Another router can pass the node's routes on, with the node as next hop. A VIP stays, through
    the other nodes.
  - Withdrawn means that no BGP path, fresh or stale, and no route in the kernel's forwarding table has the node as next
    hop, for every given prefix. Nor may zebra have it installed over the node, also if the router reaches the node over
    a gateway. For every given prefix, kernel and zebra must agree. No accepted prefix may be left of the sessions with
    the node. C(show bgp nexthop), if FRR has it (10.x), must count no path over the node.
  - Present is the opposite. Every given prefix has a fresh and valid path over the node, and the kernel forwards it to
    the node. The router's sessions with the node that carry a family of the prefixes are up. Sessions that the router's
    configuration shuts don't count.
  - Kept is a watch over a restart of the node's agent. It ends when the sessions have been down and everything is
    present again. It fails as soon as a prefix has no valid path over the node, stale or fresh. It also fails if the
    kernel doesn't forward a prefix to the node in two looks in a row. Start it before the restart, as an asynchronous
    task.
  - What can't be read is unknown. Unknown is never good. During the wait the module asks again. At the end it reports
    what is still unknown.
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router
  - a user in the group C(frrvty), or C(become), or a command in O(exec) that has the rights
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.sliced
  - hitless.nodes.attributes.programs
options:
  record:
    description:
      - The node's record, as M(hitless.nodes.node_claim) returns it. It replaces O(addresses), O(prefixes),
        O(forwarded), O(sessions) and O(staying).
      - The action plugin takes them from it for the router that the task is delegated to. Use the record as it is now,
        because the routes to expect change during a maintenance.
    type: dict
  addresses:
    description:
      - The node's addresses, IPv4 and IPv6. A path or route belongs to the node if its next hop is one of them.
      - Required without O(record).
    type: list
    elements: str
  prefixes:
    description:
      - The prefixes to wait for, IPv4 and IPv6, as a list, or as a dictionary with a list for each VRF.
      - Use those of a baseline that was read before with M(hitless.nodes.frr_bgp_info), of all routers together.
        An empty list is an error, because it would prove nothing.
      - Required without O(record).
    type: raw
  state:
    description:
      - V(withdrawn) waits until the router has no more path to the node.
      - V(present) waits until all prefixes are forwarded to the node again.
      - V(unused) waits until the kernel forwards a prefix to the node only if there is no fresh path over another next
        hop. The node's own paths may stay, as they do after a C(graceful-shutdown).
      - V(kept) watches the router until the node's agent has been away and all prefixes are present again. It fails as
        soon as a prefix is lost.
    type: str
    choices: [withdrawn, present, unused, kept]
    required: true
  forwarded:
    description:
      - The part of O(prefixes) that the kernel has to forward to the node for O(state=present), in the same form. The
        others only have to be in BGP. For instance they were never installed, because another route was better.
      - By default all.
    type: raw
  sessions:
    description:
      - The sessions that have to be up for O(state=present), even if the router doesn't list them now. FRR doesn't list
        dynamic neighbours that are down.
      - Each has its C(address) and, unless it is V(default), its C(vrf), as in
        RV(hitless.nodes.frr_bgp_info#module:neighbors).
      - By default all sessions that the router lists and has not shut, if they carry a family of the prefixes.
    type: list
    elements: dict
  vrfs:
    description:
      - The VRFs to look at if O(prefixes) is a list. Otherwise the keys of O(prefixes) are the VRFs.
    type: list
    elements: str
    default: [default]
  staying:
    description:
      - Prefixes that the node goes on announcing by other means than Cilium's BGP. With O(state=withdrawn) the counters
        of the node's paths may count them.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds after which the wait fails.
      - Must be longer than the node's graceful-restart time (Cilium's default is 120 s) plus its hold time.
    type: float
    default: 300
  begin:
    description:
      - Seconds within which a session with the node has to go down for O(state=kept). If none does, it isn't known
        whether the routes would have been kept. That is a failure.
    type: float
    default: 120
  settle:
    description:
      - Seconds for which the state must hold without a break before it counts, except for O(state=kept).
        A settling time that began before O(timeout) is finished.
    type: float
    default: 2
  held:
    description:
      - Seconds for which an earlier wait on the same router saw the state hold. They count towards O(settle) if the
        first look finds the state, too.
    type: float
    default: 0
  interval:
    description:
      - Seconds between two looks at the router. A look costs one process of C(vtysh) and one of C(ip).
    type: float
    default: 0.25
  _names:
    description: The inventory names of node and router. The action plugin sets it. Not for playbooks.
    type: dict
seealso:
  - module: hitless.nodes.frr_bgp_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Wait until every router has withdrawn the node's routes
  hitless.nodes.frr_bgp_wait:
    addresses: "{{ claimed.addresses }}"
    prefixes: "{{ claimed.prefixes }}"
    state: withdrawn
    timeout: 240
  delegate_to: "{{ item }}"
  loop: "{{ groups['routers'] }}"
  ignore_unreachable: true
  register: withdrawal

- name: Stop if a router couldn't be reached, because its routes are then unknown
  ansible.builtin.fail:
    msg: "Unreachable, so its routes are unknown: {{ item.item }}"
  loop: "{{ withdrawal.results }}"
  when: item.unreachable | default(false)

- name: Wait until the node's routes are back, in two VRFs
  hitless.nodes.frr_bgp_wait:
    addresses: [192.0.2.13, "2001:db8::13"]
    prefixes:
      default: [198.51.100.10/32, "2001:db8:100::10/128"]
      blue: [203.0.113.10/32]
    state: present
    settle: 5
  delegate_to: tor-1

- name: Watch a router in the background while the node's agent is restarted
  hitless.nodes.frr_bgp_wait:
    addresses: "{{ claimed.addresses }}"
    prefixes: "{{ claimed.prefixes }}"
    state: kept
    timeout: 600
  delegate_to: tor-1
  async: 660
  poll: 0
  register: watch

- name: Restart the agent
  hitless.nodes.agent_restart:
    name: worker-3
  delegate_to: localhost

- name: See whether the router has kept the routes
  ansible.builtin.async_status:
    jid: "{{ watch.ansible_job_id }}"
  delegate_to: tor-1
  register: kept
  until: kept is finished
  retries: 300
  delay: 1
"""

RETURN = r"""
stale:
  description: Whether a stale path of the node was left when the wait ended.
  type: bool
  returned: always
  sample: false
asked_at:
  description: When the wait began, by the controller's clock (RFC 3339, UTC).
  type: str
  returned: always
  sample: "2026-11-22T03:07:16.073+00:00"
ended_at:
  description: When the wait ended, in seconds of the controller's monotonic clock, for O(held) of a later wait.
  type: float
  returned: always
  sample: 81234.56
remaining:
  description: What still keeps O(state) from being reached. Empty after success.
  type: list
  elements: dict
  returned: always, except where the router couldn't be asked at all
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
      description: The prefix. V(*) means prefixes outside of O(prefixes), or a whole session.
      type: str
      sample: 198.51.100.10/32
    next_hop:
      description: The node's address that is the next hop. V(null) if there is none.
      type: str
      sample: 192.0.2.13
    where:
      description:
        - V(bgp) for a BGP path, V(fib) for the kernel's forwarding table, V(session) for a session that is down,
          V(unknown) if the router gave no usable answer.
        - V(zebra) if zebra has it installed and the kernel that was asked doesn't show it, V(kernel) if that kernel has
          a route for exactly this prefix that zebra doesn't explain. If one of these stays, C(ip) probably asks another
          kernel than FRR's, see O(exec).
      type: str
      sample: bgp
    via:
      description: The kernel's next hops, if it was zebra that told that the route is the node's, as over a gateway.
      type: list
      elements: str
      sample: [10.9.0.1]
    stale:
      description: Whether only graceful restart keeps the path.
      type: bool
      sample: true
    from:
      description: The neighbour that sent the path, with O(state=withdrawn) and if it is known.
      type: str
      sample: 192.0.2.13
    paths:
      description: The number of paths, if RV(remaining[].prefix=*).
      type: int
      sample: 4
    state:
      description: The state of the session, if it isn't up.
      type: str
      sample: Idle
seconds:
  description: Seconds until the state first held (then it settled). If it never held, the seconds waited.
  type: float
  returned: always
  sample: 20.4
families:
  description: For each family, seconds until nothing of it was left to wait for. Empty in check mode.
  type: dict
  returned: success
  sample: {ipv4: 20.4, ipv6: 20.4}
settled:
  description: Whether the state held for O(settle) seconds. Always false in check mode, which looks once.
  type: bool
  returned: always
  sample: true
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.base.net import prefix
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import (
    checked_addresses,
    checked_prefixes,
    checked_sessions,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.programs import PROGRAMS, programs
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_wait import RouteWait
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_watch import RouteWatch
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "record": {"type": "dict"},
    "addresses": {"type": "list", "elements": "str"},
    "prefixes": {"type": "raw"},
    "state": {"type": "str", "choices": ["withdrawn", "present", "unused", "kept"], "required": True},
    "forwarded": {"type": "raw"},
    "sessions": {"type": "list", "elements": "dict"},
    "vrfs": {"type": "list", "elements": "str", "default": ["default"]},
    "staying": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 300.0},
    "begin": {"type": "float", "default": 120.0},
    "settle": {"type": "float", "default": 2.0},
    "held": {"type": "float", "default": 0.0},
    "interval": {"type": "float", "default": 0.25},
    **PROGRAMS,
}
# Added by the action plugin: what the inventory calls the node and the router.
NAMES: dict[str, Any] = {"_names": {"type": "dict"}}


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the wait, or of one look in check mode."""
    params = module.params
    wanted = checked_prefixes(params["prefixes"], params["vrfs"])
    names = params["_names"] or {}
    router = Router(*programs(params), checked_addresses(params["addresses"]))
    router.staying = [prefix(each) for each in params["staying"]]
    router.link_locals.update((params["_state"] or {}).get("link_locals", []))
    wait = RouteWait(
        router,
        wanted,
        "present" if params["state"] == "kept" else params["state"],
        forwarded=None if params["forwarded"] is None else checked_prefixes(params["forwarded"] or [], params["vrfs"]),
        sessions=checked_sessions(params["sessions"]),
        node=names.get("node") or params["addresses"][0],
        name=names.get("router") or socket.gethostname(),
    )
    if module.check_mode:
        return wait.look()
    if params["state"] == "kept":
        # In one piece: nothing would look at the router between slices.
        return RouteWatch(wait).watch(begin=params["begin"], timeout=params["timeout"], interval=params["interval"])
    limits = Limits.of(params)
    # What an earlier wait saw says nothing about a later slice of this one: its first look found something else.
    held = 0.0 if limits.resumed else params["held"]
    reached = (params["_state"] or {}).get("reached")
    return wait.wait(limits, settle=params["settle"], interval=params["interval"], held=held, reached=reached)


def main() -> None:
    adapter.run(
        work,
        {**ARGUMENTS, **NAMES, **adapter.SLICE_OPTIONS},
        required_one_of=[("addresses", "record"), ("prefixes", "record")],
    )


if __name__ == "__main__":
    main()
