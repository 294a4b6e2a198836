#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_bgp_neighbor
short_description: Drain an FRR router's sessions with a node, flush its stale routes, and undo both
version_added: 0.1.0
description:
  - Runs on the router and changes its running configuration. It only changes the settings C(graceful-shutdown) and
    C(shutdown), and only of BGP neighbours that are the node. It never writes the configuration to a file.
  - The running configuration is compared before and after each change. Any other difference than the wanted one is a
    failure.
  - A neighbour is the node's if its address is one of the node's. Its description doesn't count. No other neighbour can
    be changed.
requirements:
  - FRR 8.4 or newer with its C(vtysh), and iproute2 5.0 or newer, on the router; O(state=graceful_shutdown) needs an
    FRR with C(neighbor ... graceful-shutdown), which 10.x has and 8.4 doesn't
  - a user in the group C(frrvty), or C(become), or a command in O(exec) that has the rights
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.router
  - hitless.nodes.attributes.programs
options:
  record:
    description:
      - The node's record, as M(hitless.nodes.node_claim) returns it. It replaces O(addresses), O(drained) and
        O(prefixes).
      - The action plugin takes them from it for the router that the task is delegated to. Use the record as it is now,
        because it says what this maintenance has changed on the router.
    type: dict
  addresses:
    description:
      - The node's addresses, IPv4 and IPv6.
      - Required without O(record).
    type: list
    elements: str
  state:
    description:
      - V(graceful_shutdown) gives all paths of the node the lowest preference (RFC 8326). Traffic then moves to the
        other nodes, while this node's paths stay as a last resort.
        O(hitless.nodes.frr_bgp_wait#module:state=unused) waits for that.
      - V(flushed) removes stale paths of the node, which graceful restart keeps. It shuts each neighbour that has some
        until they are gone, usually for less than a second. It is refused for a session that is up or has fresh paths.
      - V(up) undoes V(graceful_shutdown) of the neighbours in O(drained). It also undoes the shutdown of a run of
        V(flushed) that did not finish. The module recognizes that shutdown by the message that it left there.
    type: str
    choices: [up, graceful_shutdown, flushed]
    required: true
  drained:
    description:
      - The neighbours for which to undo V(graceful_shutdown). Use RV(drained) of the run that set it. Each has its
        C(address) and, unless it is V(default), its C(vrf).
      - A neighbour that already had that setting before isn't among them, and stays as it was.
    type: list
    elements: dict
    default: []
  prefixes:
    description:
      - The prefixes to look at, as a list, or as a dictionary with a list for each VRF. Required for O(state=flushed).
    type: raw
  vrfs:
    description:
      - The VRFs to look at. Each must have a BGP instance.
    type: list
    elements: str
    default: [default]
  timeout:
    description:
      - Seconds that stale paths may take to disappear after the shutdown.
    type: float
    default: 10
seealso:
  - module: hitless.nodes.frr_bgp_wait
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Let traffic move away from worker-3 before its sessions are closed
  hitless.nodes.frr_bgp_neighbor:
    addresses: [192.0.2.13, "2001:db8::13"]
    state: graceful_shutdown
  delegate_to: tor-1
  register: drain

- name: Undo it
  hitless.nodes.frr_bgp_neighbor:
    addresses: [192.0.2.13, "2001:db8::13"]
    state: up
    drained: "{{ drain.drained }}"
  delegate_to: tor-1

- name: Remove the stale paths of worker-3 that graceful restart keeps
  hitless.nodes.frr_bgp_neighbor:
    addresses: [192.0.2.13, "2001:db8::13"]
    prefixes: [198.51.100.10/32, "2001:db8:100::10/128"]
    state: flushed
  delegate_to: tor-1
"""

RETURN = r"""
neighbors:
  description: The router's sessions with the node, as they are afterwards.
  type: list
  elements: dict
  returned: success
  contains:
    vrf:
      description: The VRF of the session.
      type: str
      sample: default
    address:
      description: The node's address.
      type: str
      sample: 192.0.2.13
    name:
      description: The neighbour's name in FRR's configuration, which is its address or an interface.
      type: str
      sample: 192.0.2.13
    established:
      description: Whether the session was up before.
      type: bool
      sample: true
    shut:
      description: Whether the configuration shuts it down.
      type: bool
      sample: false
    graceful_shutdown:
      description: Whether its paths are only a last resort.
      type: bool
      sample: true
drained:
  description: The neighbours that this run has set (in check mode, would set) to V(graceful_shutdown). For O(drained).
  type: list
  elements: dict
  returned: success
  sample: [{address: 192.0.2.13, vrf: default}]
flushed:
  description: The neighbours that were shut for a moment (in check mode, would be).
  type: list
  elements: dict
  returned: success
  sample: [{address: 192.0.2.13, vrf: default}]
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor import (
    MARK,
    SHUT,
    Change,
    Neighbors,
    Session,
    planned,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor_flush import flush, stale_sessions
from ansible_collections.hitless.nodes.plugins.module_utils.frr.options import (
    checked_addresses,
    checked_prefixes,
    checked_sessions,
    checked_vrfs,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr.programs import PROGRAMS, programs
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "record": {"type": "dict"},
    "addresses": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["up", "graceful_shutdown", "flushed"], "required": True},
    "drained": {"type": "list", "elements": "dict", "default": []},
    "prefixes": {"type": "raw"},
    "vrfs": {"type": "list", "elements": "str", "default": ["default"]},
    "timeout": {"type": "float", "default": 10.0},
    **PROGRAMS,
}


def work(module: AnsibleModule) -> dict[str, Any]:
    """What was, or would be, changed."""
    params = module.params
    router = Router(*programs(params), checked_addresses(params["addresses"]))
    neighbors = Neighbors(router, checked_vrfs(params["vrfs"]), name=socket.gethostname())
    act = flushed if params["state"] == "flushed" else set_state
    return act(module, neighbors)


def short(sessions: list[Session]) -> list[dict[str, str]]:
    """Which sessions these are."""
    return [{"vrf": each.vrf, "address": each.address} for each in sessions]


def checked_drained(values: list[dict[str, Any]], neighbors: Neighbors) -> list[dict[str, Any]]:
    """The sessions in O(drained) in their one spelling; RouterError for one that isn't with the node."""
    drained = checked_sessions(values) or []
    for each in drained:
        if each["address"] not in neighbors.router.addresses:
            raise RouterError(
                f"router {neighbors.name}: drained names {each['address']}, which is none of the node's addresses"
                f" ({', '.join(sorted(neighbors.router.addresses))}); nothing was changed"
            )
    return drained


def set_state(module: AnsibleModule, neighbors: Neighbors) -> dict[str, Any]:
    """The result of the two states that last."""
    state = module.params["state"]
    drained = checked_drained(module.params["drained"], neighbors)
    if state == "graceful_shutdown":
        neighbors.ensure_can_drain()
    before = neighbors.config()
    sessions = neighbors.read(before)
    plan = planned(sessions, state, drained)
    if plan and not module.check_mode:
        sessions = neighbors.read(neighbors.apply(plan, before))
    return {
        "changed": bool(plan),
        "neighbors": [each.facts() for each in sessions],
        "drained": short([change.session for change in plan]) if state == "graceful_shutdown" else [],
        "flushed": [],
        "diff": {"before": "", "after": "".join(f"{change.title}\n" for change in plan)},
    }


def flushed(module: AnsibleModule, neighbors: Neighbors) -> dict[str, Any]:
    """The result of state=flushed."""
    wanted = checked_prefixes(module.params["prefixes"] or {}, neighbors.vrfs)
    sessions = neighbors.read(neighbors.config())
    view = neighbors.router.look(wanted)
    if module.check_mode:
        chosen = stale_sessions(sessions, view, neighbors.name)
    else:
        chosen = flush(neighbors, view, lambda: neighbors.router.look(wanted), timeout=module.params["timeout"])
    names = ", ".join(each.name for each in chosen)
    verb = "would be" if module.check_mode else "was"
    loud = (
        f"router {neighbors.name}: stale routes of the node outlived their time, so neighbor {names} {verb} shut"
        f" ('neighbor ... shutdown message {MARK}') and undone at once"
    )
    return {
        "changed": bool(chosen),
        "neighbors": [each.facts() for each in sessions],
        "drained": [],
        "flushed": short(chosen),
        "warnings": [loud] if chosen else [],
        "diff": {"before": "", "after": "".join(f"{Change(each, SHUT).title}, undone\n" for each in chosen)},
    }


def main() -> None:
    adapter.run(
        work,
        ARGUMENTS,
        required_one_of=[("addresses", "record")],
        required_if=[("state", "flushed", ("prefixes", "record"), True)],
    )


if __name__ == "__main__":
    main()
