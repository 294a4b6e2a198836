#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_bgp
short_description: Take a node out of Cilium's BGP control plane by its label, and put it back
version_added: 0.1.0
description:
  - Flips the label by which a CiliumBGPClusterConfig (or a legacy CiliumBGPPeeringPolicy) selects the node. Then waits
    until Cilium has acted on it inside Kubernetes.
  - The label travels hop by hop. The Node has it. The agent on the node copies it to the CiliumNode. The operator
    deletes or creates the node's CiliumBGPNodeConfig. The agent closes or opens its sessions. Each hop has its own
    deadline.
  - Only the routers can say whether they have withdrawn the routes. See M(hitless.nodes.frr_bgp_wait).
  - The module computes from all selectors which label to flip. See RV(hitless.nodes.node_info#module:bgp.problems) for
    what is refused.
  - If the label doesn't arrive, the failure names the hop (Node, CiliumNode, NodeConfig, sessions), its cause and its
    remedy.
  - The module notices if somebody sets the label back during the wait (GitOps). It names who did, if the API server
    knows. It also notices another config that takes the node over after the flip.
  - Refuses to take a node out while cilium-operator is down, because nothing would follow the label. An operator that
    was just evicted from the node has O(timeout) to be back on another node.
  - Refuses a node that another run holds.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.sliced
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
      - V(withdrawn) gives the label the value with which nothing selects the node. A label that already has it is left
        alone.
      - V(announced) restores exactly what was there before the claim, a value or no label. A node without a record gets
        the value that selects it.
    type: str
    choices: [withdrawn, announced]
    required: true
  label:
    description:
      - Name of the label.
      - By default it is the record's. Without a record it is computed. Set it if several labels would do, or if a
        selector only asks that the label exists, so that it has to be removed.
    type: str
  label_value:
    description:
      - The value that takes the node out. It is first tried on the selectors, and refused if one of them still selects
        the node.
      - By default it is V(false) if the selector wants V(true). Otherwise the label is removed.
      - Booleans become C(true) and C(false). Numbers, dates and lists are refused, because YAML doesn't keep how they
        were written.
    type: raw
  sessions:
    description:
      - How to check the last hop, the agent's own sessions.
      - On the way out only the agent can say that it has closed them. It is asked by a command in its container. This
        needs the rights to C(get) and C(create) C(pods/exec) in O(cilium_namespace).
      - On the way in, the status of the CiliumBGPNodeConfig is read first.
      - V(auto) asks the agent. If it can't be asked, the hop is passed, because the routers have the last word. The hop
        then says why it is unknown. An agent that may only be busy gets some seconds. On the way in the hop isn't
        waited for, because routers may take their time.
      - With V(required) it is a failure, on both ways, if the sessions are unknown or not as wanted at the hop's
        deadline.
      - With V(ignored) the hop isn't checked.
    type: str
    choices: [auto, required, ignored]
    default: auto
  evidence:
    description:
      - What will prove that the routes are gone or back. A node that was claimed with other evidence is refused,
        because its record has the previous state by one kind of evidence only.
      - By default the evidence of the record.
      - With it, a node without a record is refused, except in check mode.
    type: str
    choices: [router, cilium, estimate]
  routers:
    description:
      - Names of the routers that will be asked. With V(withdrawn), a node is refused if another router had routes of
        it, or a session with it, when it was claimed. With both states it is refused if this maintenance has changed
        another router and not put it back. So no router is forgotten that has left the inventory since the claim.
      - By default the record's routers aren't compared.
    type: list
    elements: str
  cilium_namespace:
    description:
      - Namespace of Cilium's agents and its operator.
    type: str
    default: kube-system
  timeout:
    description:
      - Seconds that each hop may take after the previous one. Cilium takes a few seconds for all of them.
    type: float
    default: 30.0
seealso:
  - module: hitless.nodes.node_info
  - module: hitless.nodes.frr_bgp_wait
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Take worker-3 out of BGP
  hitless.nodes.node_bgp:
    name: worker-3
    state: withdrawn
  delegate_to: localhost

- name: Put it back as it was
  hitless.nodes.node_bgp:
    name: worker-3
    state: announced
  delegate_to: localhost

- name: Take it out with another value
  hitless.nodes.node_bgp:
    name: worker-3
    state: withdrawn
    label_value: maintenance
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
label:
  description: The label that was flipped. A value of V(null) means that it is absent.
  type: dict
  returned: success, or when the label didn't arrive
  contains:
    key:
      description: Its name. V(null) if there was nothing to flip and the label isn't known.
      type: str
    before:
      description: Its value when the module began.
      type: str
    after:
      description: Its value now (in check mode, what it would be).
      type: str
  sample: {after: "false", before: "true", key: enable-bgp}
flipped_at:
  description: When the module began, before it changed the label. UTC, by the clock of the host that it runs on.
  type: str
  returned: success
  sample: "2026-03-02T22:00:14.120Z"
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
record:
  description:
    - The maintenance record as this module has just read or written it. V(null) if there is none.
    - Its keys are those of RV(hitless.nodes.node_claim#module:record).
  type: dict
  returned: success
  sample:
    before: {evidence: router, label: {key: enable-bgp, value: "true"}, unschedulable: false}
    heartbeat: "2026-03-02T22:00:14.120Z"
    history:
      - {at: "2026-03-02T22:00:01.003Z", phase: claimed}
      - {at: "2026-03-02T22:00:14.120Z", phase: claimed, label: {key: enable-bgp, before: "true", after: "false"}}
    holder: alice@bastion
    phase: claimed
    since: "2026-03-02T22:00:01.003Z"
    version: 1
node_config:
  description: Whether the node has a CiliumBGPNodeConfig.
  type: bool
  returned: success
  sample: false
hops:
  description: How far the label has come.
  type: list
  elements: dict
  returned: success, or when the label didn't arrive
  contains:
    hop:
      description: C(Node), C(CiliumNode), C(NodeConfig) or C(sessions).
      type: str
    ok:
      description: Whether it is as wanted. V(null) if that is unknown.
      type: bool
    found:
      description: What is there.
      type: str
  sample:
    - {found: enable-bgp=false, hop: Node, ok: true}
    - {found: enable-bgp=false, hop: CiliumNode, ok: true}
    - {found: not there, hop: NodeConfig, ok: true}
    - {found: no sessions, hop: sessions, ok: true}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import (
    CLAIMED_OPTIONS,
    RUN_OPTIONS,
    SLICE_OPTIONS,
    run,
)
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import EVIDENCE
from ansible_collections.hitless.nodes.plugins.module_utils.node.flip import set_bgp


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return set_bgp(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **CLAIMED_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["withdrawn", "announced"], "required": True},
            "label": {"type": "str"},
            "label_value": {"type": "raw"},
            "sessions": {"type": "str", "choices": ["auto", "required", "ignored"], "default": "auto"},
            "evidence": {"type": "str", "choices": list(EVIDENCE)},
            "routers": {"type": "list", "elements": "str"},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "timeout": {"type": "float", "default": 30.0},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
