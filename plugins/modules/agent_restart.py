#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_restart
short_description: Restart the Cilium agent of one node and time it against the graceful-restart budget
version_added: 0.1.0
description:
  - Deletes the pod of Cilium's agent on a node and waits for the new one. It has to be made from the DaemonSet's
    present template, run the right image, be Ready, and have the same BGP sessions as before.
  - Just before that, a separate pod proves that the node has the images now. An image that was removed meanwhile is
    pulled again. If the pull fails, nothing is restarted.
  - Before it deletes the pod, it notes in the node's record that the restart has begun. A node without a record gets
    none.
  - Does nothing if the agent runs the present template and is Ready. So a stopped run continues where it was.
  - The DaemonSet must have updateStrategy OnDelete. Otherwise its controller restarts agents on other nodes.
  - Only the routers can tell whether they have kept the routes. See M(hitless.nodes.frr_bgp_wait).
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
  cilium_namespace:
    description:
      - Namespace of Cilium's agents.
    type: str
    default: kube-system
  daemonset:
    description:
      - Name of the agents' DaemonSet.
    type: str
    default: cilium
  budget:
    description:
      - Seconds for which the routers keep the node's routes. A restart that takes longer is a failure, but only after
        the agent is back.
      - By default the time is only returned. That is for a node that was taken out of BGP before.
    type: float
  sessions:
    description:
      - Whether the agent must have its BGP sessions again.
      - V(auto) reads the status of its CiliumBGPNodeConfig, or asks the agent. It warns if neither knows.
      - V(required) asks the agent itself, and refuses if it can't.
      - V(ignored) does not look. That is for a node that was taken out of BGP before.
    type: str
    choices: [auto, required, ignored]
    default: auto
  image_timeout:
    description:
      - Seconds for the proof that the images are on the node.
    type: float
    default: 60.0
  timeout:
    description:
      - Seconds that the whole restart may take.
    type: float
    default: 600.0
  force:
    description:
      - Whether to restart an agent that runs the present template and is Ready, for instance after a change of a
        ConfigMap.
    type: bool
    default: false
seealso:
  - module: hitless.nodes.image_pull
  - module: hitless.nodes.frr_bgp_wait
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Restart the agent of worker-3, whose routers keep its routes for two minutes
  hitless.nodes.agent_restart:
    name: worker-3
    budget: 120
  delegate_to: localhost
  register: restarted
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success, or when the agent isn't back in time
  sample: worker-3
pod:
  description: Name of the agent's pod.
  type: str
  returned: success, or when the agent isn't back in time
  sample: cilium-7kq2x
images:
  description: The images of the DaemonSet's present template.
  type: list
  elements: str
  returned: success, or when the agent isn't back in time
  sample: ["quay.io/cilium/cilium:v1.19.1"]
seconds:
  description:
    - Seconds from the deletion of the pod until the last session was up. If sessions are ignored, until the pod was
      Ready. V(null) if nothing was restarted.
  type: float
  returned: success, or when the agent isn't back in time
  sample: 14.2
steps:
  description: Seconds from the deletion until each step was seen done. V(null) if it wasn't.
  type: dict
  returned: success, or when the agent isn't back in time
  contains:
    gone:
      description: The old pod was gone.
      type: float
    running:
      description: The new container ran.
      type: float
    ready:
      description: It was Ready, with the right image.
      type: float
    sessions:
      description: Its sessions were up.
      type: float
  sample: {gone: 1.1, running: 4.0, ready: 11.7, sessions: 14.2}
proof_seconds:
  description: Seconds that the proof of the images took. V(null) if nothing was restarted.
  type: float
  returned: success, or when the agent isn't back in time
  sample: 1.6
budget:
  description: O(budget).
  type: float
  returned: success, or when the agent isn't back in time
  sample: 120.0
exceeded:
  description: Whether the restart took longer than O(budget).
  type: bool
  returned: success, or when the agent isn't back in time
  sample: false
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
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.agent_restart import restart


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return restart(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **CLAIMED_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "daemonset": {"type": "str", "default": "cilium"},
            "budget": {"type": "float"},
            "sessions": {"type": "str", "choices": ["auto", "required", "ignored"], "default": "auto"},
            "image_timeout": {"type": "float", "default": 60.0},
            "timeout": {"type": "float", "default": 600.0},
            "force": {"type": "bool", "default": False},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
