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
  - Judged by next hop, not by session and not by prefix. A session can be down while its routes are still in use
    (graceful restart), another router can hand on the node's routes with the node as next hop, and a VIP stays,
    through the other nodes.
  - Withdrawn means that for every given prefix no BGP path, fresh or stale, and no route in the kernel's forwarding
    table has the node as next hop, that no accepted prefix is left of the sessions with the node, and that
    C(show bgp nexthop), where FRR has it (10.x), counts no path over the node.
  - Present is the mirror. Every given prefix has a fresh and valid path over the node, the kernel forwards it to the
    node, and the router's sessions with the node that carry a family of the prefixes are up (those that the router's
    configuration shuts down don't count).
  - Kept is a watch over a restart of the node's agent. It ends when the sessions have been down and everything is
    present again, and fails as soon as a prefix has no valid path over the node, stale or fresh, or (in two looks one
    after the other) isn't forwarded to it. Meant for an asynchronous task that is started before the restart.
  - What can't be read is unknown and never good news. Inside the wait it is asked again, and in the end reported
    as unknown.
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router
  - a user in the group C(frrvty), or C(become)
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
  - hitless.nodes.attributes.sliced
options:
  record:
    description:
      - The node's record, as M(hitless.nodes.node_claim) returns it, in place of O(addresses), O(prefixes),
        O(forwarded) and O(sessions).
      - The action plugin takes them from it for the router that the task is delegated to. It has to be the record as it
        is now, since what has to be there changes during a maintenance.
    type: dict
  addresses:
    description:
      - The node's addresses, IPv4 and IPv6. A path or route belongs to the node if its next hop is one of them.
      - Required without O(record).
    type: list
    elements: str
  prefixes:
    description:
      - The prefixes to wait for, IPv4 and IPv6, as a list or as a dictionary of a list for each VRF.
      - Those of a baseline that was read with M(hitless.nodes.frr_bgp_info) before, of all routers together.
        An empty list is an error, since it would prove nothing.
      - Required without O(record).
    type: raw
  state:
    description:
      - V(withdrawn) waits until the router has no path to the node any more.
      - V(present) waits until all prefixes are forwarded to the node again.
      - V(unused) waits until the kernel forwards no prefix to the node for which there is a fresh path over somebody
        else. The node's own paths may stay, as they do after a C(graceful-shutdown).
      - V(kept) watches the router until the node's agent has been away and all prefixes are present again, and fails as
        soon as one is lost meanwhile.
    type: str
    choices: [withdrawn, present, unused, kept]
    required: true
  forwarded:
    description:
      - Of O(prefixes) those that the kernel has to forward to the node for O(state=present), in the same form. The
        others only have to be in BGP, for instance because they were never installed, as another route was better.
      - By default all.
    type: raw
  sessions:
    description:
      - The sessions that have to be up for O(state=present), also if the router doesn't list them now, as FRR doesn't
        list dynamic neighbours that are down.
      - Each with its C(address) and, unless it is V(default), its C(vrf), as in
        RV(hitless.nodes.frr_bgp_info#module:neighbors).
      - By default all that the router lists, has not shut, and that carry a family of the prefixes.
    type: list
    elements: dict
  vrfs:
    description:
      - The VRFs to look at, where O(prefixes) is a list; otherwise they are the keys of O(prefixes).
    type: list
    elements: str
    default: [default]
  timeout:
    description:
      - Seconds after which the wait fails.
      - Must be longer than the node's graceful-restart time (120 s by default in Cilium) and its hold time together.
    type: float
    default: 300
  begin:
    description:
      - Seconds within which a session with the node has to go down for O(state=kept). If none does, whether the routes
        would have been kept isn't known, which is a failure.
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
      - Seconds for which the state is known to have held before, as an earlier wait on the same router saw it, see the
        filter P(hitless.nodes.held_seconds#filter). They count towards O(settle) if the first look finds it, too.
      - So that several routers settle at the same time, and all are looked at once more when the last one is done.
    type: float
    default: 0
  interval:
    description:
      - Seconds between two looks at the router. A look costs one process of C(vtysh) and one of C(ip).
    type: float
    default: 0.25
  vtysh:
    description:
      - The path of C(vtysh), with arguments where the system needs them, for instance C(/usr/bin/vtysh -N blue)
        for an FRR that runs in a path space.
      - By default it is searched for in E(PATH).
    type: str
    default: vtysh
  _names:
    description: What the inventory calls node and router. Set by the action plugin, not for playbooks.
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

- name: Stop if a router couldn't be reached, since its routes are unknown then
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
      description: The prefix. V(*) stands for prefixes outside of O(prefixes), and for a whole session.
      type: str
      sample: 198.51.100.10/32
    next_hop:
      description: The node's address that is the next hop, V(null) where there is none.
      type: str
      sample: 192.0.2.13
    where:
      description:
        - V(bgp) for a BGP path, V(fib) for the kernel's forwarding table, V(session) for a session that is down,
          V(unknown) where the router gave no usable answer.
      type: str
      sample: bgp
    stale:
      description: Whether the path is kept by graceful restart only.
      type: bool
      sample: true
    from:
      description: The neighbour that sent the path, where O(state=withdrawn) and it is known.
      type: str
      sample: 192.0.2.13
    paths:
      description: The number of paths, where RV(remaining[].prefix=*).
      type: int
      sample: 4
    state:
      description: The state of the session, where it isn't up.
      type: str
      sample: Idle
seconds:
  description: Seconds until the state first held (then it settled), or that were waited in vain.
  type: float
  returned: always
  sample: 20.4
families:
  description: Seconds until nothing of each family was in the way any more. Empty in check mode.
  type: dict
  returned: success
  sample: {ipv4: 20.4, ipv6: 20.4}
settled:
  description: Whether the state held for O(settle) seconds. Never in check mode, which looks once.
  type: bool
  returned: always
  sample: true
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import (
    checked_addresses,
    checked_prefixes,
    checked_sessions,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_wait import RouteWait
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_watch import RouteWatch
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh

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
    "timeout": {"type": "float", "default": 300.0},
    "begin": {"type": "float", "default": 120.0},
    "settle": {"type": "float", "default": 2.0},
    "held": {"type": "float", "default": 0.0},
    "interval": {"type": "float", "default": 0.25},
    "vtysh": {"type": "str", "default": "vtysh"},
}
# Added by the action plugin: what the inventory calls the node and the router.
NAMES: dict[str, Any] = {"_names": {"type": "dict"}}


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the wait, or of one look in check mode."""
    params = module.params
    wanted = checked_prefixes(params["prefixes"], params["vrfs"])
    names = params["_names"] or {}
    router = Router(Vtysh(params["vtysh"]), Fib(), checked_addresses(params["addresses"]))
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
