#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_estimate
short_description: Estimate for how long routers may go on sending to a node, and keep what was measured once
version_added: 0.1.0
description:
  - Estimates, from what Cilium alone knows, for how long routers may keep a node's routes after each kind of end. The
    result is an upper bound, or that there is none.
  - Keeps what was once measured on the routers, as an annotation of the Node (C(hitless.nodes/measured)). Later
    estimates of the same event are never shorter.
  - The measured time replaces the worst case as long as Cilium's image, the node's peers and their CiliumBGPPeerConfigs
    are those of the measurement.
  - The playbook C(hitless.nodes.probe) measures it.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.held
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  measured:
    description:
      - The measurement to keep. The router and family that took longest count. Only one measurement is kept.
    type: dict
    suboptions:
      event:
        description:
          - What happened to the node.
        type: str
        choices: [prefix_withdrawn, deselected, agent_stops, silent_loss]
        required: true
      at:
        description:
          - When it was measured.
        type: str
        required: true
      routers:
        description:
          - For each router, the C(seconds) until it had no path to the node. C(families) has the same for each family
            that is known. The form is that of the history of a maintenance record.
        type: dict
        required: true
  cilium_namespace:
    description:
      - Namespace of Cilium's agents.
    type: str
    default: kube-system
seealso:
  - module: hitless.nodes.node_claim
  - module: hitless.nodes.frr_bgp_wait
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Estimate for how long routers may send traffic to worker-3
  hitless.nodes.node_estimate:
    name: worker-3
  delegate_to: localhost

- name: Keep what was measured
  hitless.nodes.node_estimate:
    name: worker-3
    measured:
      event: deselected
      at: "2026-03-02T22:00:00Z"
      routers:
        tor-1: {seconds: 0.4, families: {ipv4: 0.3, ipv6: 0.4}}
        tor-2: {seconds: 0.2}
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
estimates:
  description: The bound for each event, with what was measured. C(deselected) is the event of a maintenance.
  type: dict
  returned: success
  sample:
    deselected:
      event: deselected
      reason: measured 0.4 s on router tor-1, ipv6, at 2026-03-02T22:00:00Z, with the same Cilium and settings, 2 s for
        the routers to act
      seconds: 3
      unbounded: false
unmeasured:
  description: The bounds as if nothing had been measured.
  type: dict
  returned: success
  sample:
    deselected:
      event: deselected
      reason: "peer tor-1: perhaps kept as stale for the restart time of 120 s (of the CiliumBGPPeerConfig), 2 s for the
        routers to act"
      seconds: 122
      unbounded: false
measured:
  description: What was measured, with a fingerprint of the conditions. V(null) if nothing was.
  type: dict
  returned: success
  sample:
    at: "2026-03-02T22:00:00Z"
    conditions: 6d3f0b0c
    event: deselected
    family: ipv6
    router: tor-1
    seconds: 0.4
    version: 1
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.estimate.per_node import node_estimate
from ansible_collections.hitless.nodes.plugins.module_utils.estimate.per_session import EVENTS
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return node_estimate(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            "name": {"type": "str", "required": True},
            "measured": {
                "type": "dict",
                "options": {
                    "event": {"type": "str", "choices": list(EVENTS), "required": True},
                    "at": {"type": "str", "required": True},
                    "routers": {"type": "dict", "required": True},
                },
            },
            "cilium_namespace": {"type": "str", "default": "kube-system"},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
