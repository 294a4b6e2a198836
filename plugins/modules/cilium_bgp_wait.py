#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp_wait
short_description: Wait for a node's withdrawal or return where the routers can't be asked
version_added: 0.1.0
description:
  - Use it instead of M(hitless.nodes.frr_bgp_wait) if you can't log in to the routers. It reads what Cilium says, and
    estimates the rest. Its results are estimated, not observed.
  - The node has to be claimed with O(hitless.nodes.node_claim#module:evidence=cilium) or
    O(hitless.nodes.node_claim#module:evidence=estimate). The record keeps this evidence and what was announced before.
    It also keeps for how long routers may still send traffic to the node after it is deselected.
  - Withdrawn means that the node's CiliumBGPNodeConfig was gone for that time without a break. With V(cilium) the agent
    itself must also have said that it has no sessions. The time begins again if something comes back or is unknown.
  - Present means that each session that was established before is established again. Each must announce as many routes
    of each family as before. With V(cilium) the agent's own answer counts, and with V(estimate) the status of the
    CiliumBGPNodeConfig.
  - An agent that gives no answer, a status that may be stale, and a peer that is missing are unknown. Unknown is never
    good.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
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
      - V(withdrawn) waits for as long as routers may keep the node's routes.
      - V(present) waits until they are announced again.
    type: str
    choices: [withdrawn, present]
    required: true
  timeout:
    description:
      - With O(state=present), seconds until that state must be reached.
      - With O(state=withdrawn), the longest time in seconds during which it may be unknown that the sessions are
        closed. The estimated time is added to it.
    type: float
    default: 300
  settle:
    description:
      - Seconds for which O(state=present) must hold without a break. With V(estimate) 5 more are added, for two writes
        of the status.
    type: float
    default: 2
  interval:
    description:
      - Seconds between two looks.
    type: float
    default: 2
  cilium_namespace:
    description:
      - Namespace of Cilium's agents.
    type: str
    default: kube-system
seealso:
  - module: hitless.nodes.frr_bgp_wait
  - module: hitless.nodes.node_bgp
  - module: hitless.nodes.node_claim
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Take worker-3 out of BGP
  hitless.nodes.node_bgp:
    name: worker-3
    state: withdrawn
    sessions: required
  delegate_to: localhost

- name: Wait for as long as routers may send traffic to it
  hitless.nodes.cilium_bgp_wait:
    name: worker-3
    state: withdrawn
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
evidence:
  description: The evidence that it was claimed with.
  type: str
  returned: success
  sample: cilium
msg:
  description: With O(state=withdrawn), says that it was estimated, and from what.
  type: str
  returned: success
  sample: "worker-3: estimated, not observed: taken as withdrawn 122 s after its sessions are closed; peer tor-1:
    perhaps kept as stale for the restart time of 120 s (of the CiliumBGPPeerConfig), 2 s for the routers to act"
observed:
  description: Never true. What the routers do was estimated, not observed.
  type: bool
  returned: success
  sample: false
estimate:
  description: The time waited for O(state=withdrawn), as in RV(hitless.nodes.node_claim#module:withdrawal).
  type: dict
  returned: success
  sample:
    overridden: false
    reason: "peer tor-1: perhaps kept as stale for the restart time of 120 s (of the CiliumBGPPeerConfig), 2 s for the
      routers to act"
    seconds: 122
    unbounded: false
remaining:
  description: What isn't in the wanted state, in words.
  type: list
  elements: str
  returned: success, or after the timeout
  sample: []
seconds:
  description: Seconds until the state was reached.
  type: float
  returned: success
  sample: 122.9
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, SLICE_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.node.cilium_wait import wait


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return wait(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["withdrawn", "present"], "required": True},
            "timeout": {"type": "float", "default": 300.0},
            "settle": {"type": "float", "default": 2.0},
            "interval": {"type": "float", "default": 2.0},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
