#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_claim
short_description: Claim a node for maintenance, note how far it is, and release it
version_added: 0.1.0
description:
  - Keeps the maintenance record, one annotation on the Node. It says who holds the node, since when, and in which
    phase. It also says what was true before the first change. That is the cordon, the label's value or absence, and the
    routes that each router had. So exactly that can be restored, and an interrupted run can continue.
  - Every write carries the Node's resourceVersion. If two runs claim a node at once, one is refused.
  - A record of the same run is continued. So is one of the same user on the same machine whose process is gone.
    Any other record is left alone, unless O(takeover=true).
  - The first claim is refused before anything is written, with all reasons at once. It is refused if the node is
    unknown, if Cilium's objects don't select it, or if no single label takes it out. It is also refused if a router's
    answer is missing, if no router has an established session with it, or if no router has a route to it.
  - With O(evidence=router) it is also refused if no router has the session of a peer that Cilium names for the node, or
    if a router has no session with it, see O(unseen_peers) and O(transit_routers).
  - It is also refused if too few others announce one of its VIPs, or if O(evidence) uses an estimate that has no bound.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.held
  - hitless.nodes.attributes.claimed
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  state:
    description:
      - V(claimed) writes the record, or continues one.
      - V(released) removes it. It is refused unless the cordon and the label are as they were before the claim.
    type: str
    choices: [claimed, released]
    default: claimed
  phase:
    description:
      - The phase that the maintenance has reached now. It is noted in a record that exists.
      - A phase that the record has already passed is not noted again.
      - V(withdrawn) is refused if somebody has changed the label after M(hitless.nodes.node_bgp) set it.
      - Only M(hitless.nodes.guarded) notes the phase C(off), in the same step as the power command.
      - By default the phase doesn't change.
    type: str
    choices: [claimed, drained, withdrawn, "on", restarted, announced, schedulable, released]
  routes:
    description:
      - What each router has of the node. Each key is the name of a router, and each value its result of
        M(hitless.nodes.frr_bgp_info).
      - Required for the first claim. A record keeps them, as they were before the first change.
      - If there is a record, the others that announce the node's VIPs are counted in them once more (O(recount)).
    type: dict
  recount:
    description:
      - Whether to count once more who else announces the node's VIPs, when a record is continued. By then the node's
        own routes may be gone, so its VIPs, and the routers that had them, are those of the record. A VIP that is no
        longer an address of a Service isn't counted.
      - If there are fewer than the record says, nothing is noted, and the module fails. The message names the VIP, its
        Services, the routers, who was counted, and the paths that count for nobody.
      - With evidence of routers this needs O(routes), and is done whenever O(routes) are given. Otherwise the agents of
        other nodes are asked.
    type: bool
    default: false
  evidence:
    description:
      - What will prove that the node's routes are gone and back. This decides what a first claim has to keep.
      - V(router) needs the routers' answers, O(routes).
      - V(cilium) asks the node's agent what it announces, by a command in its container. This needs the rights to
        C(get) and C(create) C(pods/exec) in O(cilium_namespace). It estimates for how long routers may keep the routes.
      - V(estimate) does the same without that question. The sessions and numbers of routes come from the status of the
        CiliumBGPNodeConfig, or from the agent if the status is unknown.
      - By default V(router) for a first claim. A record that was claimed with other evidence is not continued.
    type: str
    choices: [router, cilium, estimate]
  estimate_override:
    description:
      - Seconds to wait if the estimate has no bound. Without it such a claim is refused. A bound is never made shorter.
      - With O(evidence=router) no estimate is waited for. Any number above 0 then allows a claim although long-lived
        graceful restart is negotiated.
    type: int
    default: 0
  min_announcers:
    description:
      - How many others must announce each VIP that the node announces. They are counted on the routers, or with
        O(evidence=cilium) by the agents of other nodes. A VIP is a prefix that holds an address of a Service.
      - Others are other Nodes, each once. A path over a router counts for the nodes from which that router has the
        prefix itself, if it is one of O(routes). A path that belongs to no Node counts for nobody.
      - Other nodes that are claimed don't count until their agent has been restarted or they are announced again.
      - If a VIP would have fewer, or if their number is unknown, the claim is refused, and the message names its
        Services.
      - With V(0) nothing is counted.
      - A record keeps the number of its claim, which is also the one of O(recount). Only V(0) is taken then.
    type: int
    default: 1
  unseen_peers:
    description:
      - Names or addresses of the node's peers that none of the routers in O(routes) has. With O(evidence=router) the
        claim is refused if there is such a peer, because it might go on sending to a node that is off.
      - The record and the report name those that are waived here.
    type: list
    elements: str
    default: []
  transit_routers:
    description:
      - Routers in O(routes) that have no session with any node, such as spines. For all others the claim is refused if
        they have no session with the node in any VRF that was asked.
    type: list
    elements: str
    default: []
  staying_prefixes:
    description:
      - Prefixes that the node goes on announcing when Cilium has closed its sessions, such as the loopback of a routing
        daemon on the host. Nobody waits until they are gone.
      - A prefix that is neither a Service's nor of pods, and that the node's agent doesn't announce, is found by
        itself, if the agent can be asked.
      - A Service's VIP and a network of pods are refused here.
    type: list
    elements: str
    default: []
  label:
    description:
      - Name of the label that will be flipped.
      - By default it is computed from what selects the node. Set it if several labels would do, or if a selector only
        asks that the label exists, so that it has to be removed.
    type: str
  takeover:
    description:
      - Whether to continue the record of somebody else's run. Set it to V(true) only if that run is certainly over.
      - A run that is alive on this machine is never taken over.
    type: bool
    default: false
  cilium_namespace:
    description:
      - Namespace of Cilium's agents and its operator.
    type: str
    default: kube-system
  note:
    description:
      - What to keep in the record's history, besides phase and time.
    type: dict
seealso:
  - module: hitless.nodes.node_info
  - module: hitless.nodes.frr_bgp_info
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Read the node
  hitless.nodes.node_info:
    name: worker-3
  delegate_to: localhost
  register: info

- name: Read what each router has of it
  hitless.nodes.frr_bgp_info:
    addresses: "{{ info.node.addresses }}"
    peers: "{{ info.bgp.peers }}"
    router_ids: "{{ info.bgp.router_ids }}"
  delegate_to: "{{ item }}"
  loop: "{{ groups['routers'] }}"
  register: answers

- name: Claim it
  hitless.nodes.node_claim:
    name: worker-3
    routes: "{{ dict(answers.results | map(attribute='item') | zip(answers.results)) }}"
  delegate_to: localhost

- name: Note that the routers have withdrawn its routes
  hitless.nodes.node_claim:
    name: worker-3
    phase: withdrawn
    note:
      seconds: 10.4
  delegate_to: localhost

- name: Release it
  hitless.nodes.node_claim:
    name: worker-3
    state: released
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
resumed:
  description: Whether the record of an earlier run is continued.
  type: bool
  returned: success
  sample: false
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
      evidence: router
      label: {key: enable-bgp, value: "true"}
      local_addresses: []
      next_hops: {tor-1: [192.0.2.13]}
      routes: {tor-1: {default: {bgp: [198.51.100.10/32], fib: [198.51.100.10/32]}}}
      sessions: {tor-1: [{address: 192.0.2.13, established: true, graceful_restart: {}, hold_time: 90, vrf: default}]}
      staying: []
      system_uuid: 4c4c4544-0042-3510-8051-b7c04f4d3132
      uid: 2d5e1c8b-9a1d-4a3c-b5b6-7f6f0f5f1c11
      unschedulable: false
      waived: {peers: [], routers: []}
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
routers_before:
  description: The routers that had a route of the node in BGP when it was claimed.
  type: list
  elements: str
  returned: success
  sample: [tor-1, tor-2]
routers_changed:
  description: The routers whose configuration this maintenance has changed or was about to change, and not put back.
  type: list
  elements: str
  returned: success
  sample: []
addresses:
  description: The node's addresses when it was claimed.
  type: list
  elements: str
  returned: success
  sample: [192.0.2.13, "2001:db8::13"]
prefixes:
  description:
    - The prefixes that any router had of the node when it was claimed, or that its agent announced. They can be empty
      with O(evidence=estimate).
  type: list
  elements: str
  returned: success
  sample: [198.51.100.10/32, "2001:db8:100::10/128"]
withdrawal:
  description:
    - For how long the routers may keep the node's routes after it is deselected. It comes from what each session had
      negotiated before the claim, or with O(evidence=cilium) and O(evidence=estimate) from what Cilium knows.
    - It is estimated, not observed, and often longer than the real time. V(null) for a node without a record.
  type: dict
  returned: success
  contains:
    seconds:
      description: The bound. V(null) if there is none.
      type: int
    unbounded:
      description: Whether there is no bound, as with long-lived graceful restart of unknown length.
      type: bool
    reason:
      description: Which session it comes from, and why.
      type: str
    overridden:
      description: Whether the seconds are those of O(estimate_override).
      type: bool
  sample:
    overridden: false
    reason: "router tor-1, session 192.0.2.13: kept as stale for the restart time of 120 s (received by the router),
      2 s for the routers to act"
    seconds: 122
    unbounded: false
before:
  description: What was true before the first change.
  type: dict
  returned: success
  sample: {label: {key: enable-bgp, value: "true"}, unschedulable: false}
order:
  description:
    - What comes first on the way out unless the user says it, C(drain_first) or C(withdraw_first). V(null) for a node
      without a record.
    - C(withdraw_first) if the node announces VIPs of Services with traffic policy V(Local), and no network of pods.
  type: str
  returned: success
  sample: drain_first
history:
  description: What happened, each entry with phase and time. When released, the whole history.
  type: list
  elements: dict
  returned: success
  sample: [{at: "2026-03-02T22:00:01.003Z", phase: claimed}]
restored:
  description: When released, what is as it was before. V(null) otherwise.
  type: dict
  returned: success
  sample: {label: {key: enable-bgp, value: "true"}, unschedulable: false}
reasons:
  description: Every reason against the claim.
  type: list
  elements: str
  returned: when a first claim is refused, or too few others announce a VIP
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import CLAIMED_OPTIONS, RUN_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import EVIDENCE, claim, release
from ansible_collections.hitless.nodes.plugins.module_utils.record.records import RANK


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    act = claim if module.params["state"] == "claimed" else release
    return act(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **CLAIMED_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["claimed", "released"], "default": "claimed"},
            "phase": {"type": "str", "choices": [phase for phase in RANK if phase != "off"]},
            "routes": {"type": "dict"},
            "recount": {"type": "bool", "default": False},
            "evidence": {"type": "str", "choices": list(EVIDENCE)},
            "estimate_override": {"type": "int", "default": 0},
            "min_announcers": {"type": "int", "default": 1},
            "unseen_peers": {"type": "list", "elements": "str", "default": []},
            "transit_routers": {"type": "list", "elements": "str", "default": []},
            "staying_prefixes": {"type": "list", "elements": "str", "default": []},
            "label": {"type": "str"},
            "takeover": {"type": "bool", "default": False},
            "note": {"type": "dict"},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
