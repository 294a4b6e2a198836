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
  - Flips the label by which a CiliumBGPClusterConfig (or a legacy CiliumBGPPeeringPolicy) selects the node, and
    waits until Cilium has acted on it inside Kubernetes.
  - The label travels hop by hop. The Node has it; the agent on the node copies it to the CiliumNode; the operator
    deletes or creates the node's CiliumBGPNodeConfig; the agent closes or opens its sessions. Each hop has its own
    deadline.
  - Whether the routers have withdrawn the routes is asked on the routers, see M(hitless.nodes.frr_bgp_wait).
  - Which label that is, is computed from all selectors. See RV(hitless.nodes.node_info#module:bgp.problems) for what
    is refused.
  - A label that doesn't arrive is a failure that names the hop (Node, CiliumNode, NodeConfig, sessions), its cause and
    its remedy.
  - Somebody who sets the label back during the wait (GitOps) is noticed, and named where the API server knows the name.
    So is another config that takes the node over after the flip.
  - Refuses to take a node out while cilium-operator is down, since nobody would follow the label. One that was evicted
    from the node a moment ago has O(timeout) to be back elsewhere.
  - Refuses a node that another run holds.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.sliced
  - hitless.nodes.attributes.held
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  state:
    description:
      - V(withdrawn) gives the label the value with which nothing selects the node. A label that has it is left alone.
      - V(announced) gives it back exactly what it had before the claim, be that a value or absence. A node without a
        record
        gets the value that selects it.
    type: str
    choices: [withdrawn, announced]
    required: true
  label:
    description:
      - Name of the label.
      - By default it is the record's, and without a record it is computed. Say it where several labels would do,
        or where a selector asks only that the label exists and it is therefore to be removed.
    type: str
  label_value:
    description:
      - The value that takes the node out. It is tried on the selectors first, and refused if one of them still selects.
      - By default V(false) where the selector wants V(true), and otherwise the label is removed.
      - Booleans become C(true) and C(false). Numbers, dates and lists are refused, because nobody knows how they
        were written.
    type: raw
  sessions:
    description:
      - How the last hop, the agent's own sessions, is looked at. On the way out only the agent can say that it has
        closed them. It is asked by a command in its container, for which the rights to C(get) and C(create)
        C(pods/exec) in O(cilium_namespace) are needed. On the way in the status of the CiliumBGPNodeConfig is asked
        first.
      - V(auto) asks. An agent that can't be asked is passed, after some seconds if it may be only busy, since the
        routers have the last word; the hop then says why it is unknown. On the way in the hop isn't waited for, because
        routers may take their time.
      - With V(required), what is unknown or isn't as wanted at the hop's deadline is a failure, on both ways.
      - With V(ignored), nobody is asked.
    type: str
    choices: [auto, required, ignored]
    default: auto
  evidence:
    description:
      - What is going to prove that the routes are gone or back. A node that was claimed with another one is refused,
        because its record holds what was before by one kind of evidence only.
      - By default whatever the record was made for.
    type: str
    choices: [router, cilium, estimate]
  cilium_namespace:
    description:
      - Namespace of Cilium's agents and its operator.
    type: str
    default: kube-system
  timeout:
    description:
      - Seconds that each hop may take, from when the one before was passed. Cilium takes a few for all of them.
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

- name: Take it out with a value of our own
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
  description: The label that was flipped. V(null) values mean that it is absent.
  type: dict
  returned: success, or when the label didn't arrive
  contains:
    key:
      description: Its name, V(null) if there was nothing to flip and no label could be told.
      type: str
    before:
      description: Its value when the module came.
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
  description: The routers whose configuration this maintenance has changed, or was about to, and has not put back.
  type: list
  elements: str
  returned: success
  sample: []
record:
  description:
    - The maintenance record as this module has just read or written it, V(null) if there is none.
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
      description: Whether it is as wanted, V(null) if that is unknown.
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
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, SLICE_OPTIONS, run
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
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["withdrawn", "announced"], "required": True},
            "label": {"type": "str"},
            "label_value": {"type": "raw"},
            "sessions": {"type": "str", "choices": ["auto", "required", "ignored"], "default": "auto"},
            "evidence": {"type": "str", "choices": list(EVIDENCE)},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "timeout": {"type": "float", "default": 30.0},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
