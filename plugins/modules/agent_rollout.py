#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_rollout
short_description: Take over the restarts of Cilium's agents from their DaemonSet, and give them back
version_added: 0.1.0
description:
  - Sets the update strategy of the agents' DaemonSet to C(OnDelete), so that a change of its template restarts no agent
    by itself. Puts the strategy back later. An annotation of the DaemonSet keeps the previous strategy and template.
  - First checks whether agents should be restarted at all. The cilium-operator has to run. No condition of a
    CiliumBGPClusterConfig may report a problem. The step may be one minor version at most. For Cilium 1.19 or newer no
    CiliumBGPPeeringPolicy may be left.
  - Returns which agents run the present template. In check mode it only reads.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
options:
  state:
    description:
      - V(driven) takes the restarts over. It does nothing if that is already done.
      - V(released) gives them back. It is refused while an agent runs another template, because the DaemonSet's
        controller would then restart that agent.
      - V(rolled_back) puts back the template that the DaemonSet had when its restarts were taken over. This restarts no
        agent.
    type: str
    choices: [driven, released, rolled_back]
    required: true
  images:
    description:
      - The images of the new version, which were or will be put on the nodes. The new version is the tag of the
        image that has the agent's name.
    type: list
    elements: str
    default: []
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
  preconditions:
    description:
      - Whether a problem is a failure. Otherwise it is only returned.
    type: bool
    default: true
  check_version:
    description:
      - Whether to compare the versions by the tags of the images.
    type: bool
    default: true
  release:
    description:
      - The Helm release that the DaemonSet belongs to, with the deployed revision. It is kept for the rollback when the
        restarts are taken over.
    type: dict
    suboptions:
      name:
        description:
          - Name of the release.
        type: str
        required: true
      revision:
        description:
          - Its revision.
        type: int
        required: true
  applied_by:
    description:
      - What has just changed the DaemonSet, in words for people.
      - With it, the module fails if the DaemonSet was no longer C(OnDelete). The module sets it again.
      - It also fails if the DaemonSet has images that are not in O(images) and were not there before.
    type: str
  expected_images:
    description:
      - Images that the DaemonSet must have after this change.
    type: list
    elements: str
    default: []
  hosts:
    description:
      - The inventory hosts of the run, in their order, each with the name of its Node. They are returned in the order
        in which their agents are restarted.
    type: dict
    default: {}
  batch:
    description:
      - How many agents are restarted at the same time, at most.
    type: int
    default: 1
  before_change:
    description:
      - Whether the template has still to be changed, as in check mode. Then O(images) decides which agents are
        concerned.
    type: bool
    default: false
seealso:
  - module: hitless.nodes.agent_restart
  - module: hitless.nodes.image_pull
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Take the restarts over before the DaemonSet is changed
  hitless.nodes.agent_rollout:
    state: driven
    images: ["quay.io/cilium/cilium:v1.19.1"]
  delegate_to: localhost
  register: rollout

- name: Give them back
  hitless.nodes.agent_rollout:
    state: released
  delegate_to: localhost
"""

RETURN = r"""
strategy:
  description: The DaemonSet's update strategy now.
  type: str
  returned: success
  sample: OnDelete
images:
  description: The images of its present template.
  type: list
  elements: str
  returned: success
  sample: ["quay.io/cilium/cilium:v1.19.1"]
images_before:
  description: The images of the template that it had when its restarts were taken over.
  type: list
  elements: str
  returned: success
  sample: ["quay.io/cilium/cilium:v1.18.4"]
not_pulled:
  description: Images of its present template that are not in O(images) and were not there before.
  type: list
  elements: str
  returned: success
  sample: []
pull_secrets:
  description: Names of the Secrets with which its pods pull.
  type: list
  elements: str
  returned: success
  sample: []
nodes:
  description: The agent of each node.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the Node.
      type: str
    zone:
      description: Its label C(topology.kubernetes.io/zone). V(null) without one.
      type: str
    pod:
      description: Name of the pod.
      type: str
    image:
      description: The agent's image.
      type: str
    ready:
      description: Whether it is Ready.
      type: bool
    current:
      description: Whether it runs the present template.
      type: bool
    planned:
      description:
        - Whether a change that is still to come concerns the agent. It does if O(images) has another version of one of
          its images. With O(state=rolled_back), it does if the agent runs another template than the previous one.
      type: bool
    restart:
      description:
        - Whether to restart it. The reason is that it runs another template than the present one, or isn't Ready. With
          O(before_change), the reason is that the change concerns it.
      type: bool
  sample:
    - name: worker-3
      zone: rack-1
      pod: cilium-7kq2x
      image: "quay.io/cilium/cilium:v1.18.4"
      ready: true
      current: false
      planned: true
      restart: true
outdated:
  description: Names of the Nodes whose agents run another template.
  type: list
  elements: str
  returned: success
  sample: [worker-3]
batches:
  description:
    - O(hosts) in batches of O(batch) at most. A batch has nodes of one zone only. A zone is done before the next one
      begins.
    - The first agent to be restarted is a batch of its own, because its time is the measure for the others.
    - If some nodes have a zone, each node without one is a batch of its own. If no node has one, zones don't count.
  type: list
  elements: list
  returned: success
  sample: [[worker-1], [worker-2, worker-3]]
plan:
  description: Which agents would be restarted, and in which order, in one line.
  type: str
  returned: success
  sample: "2 of 3 agents would be restarted, in this order: worker-1; worker-3"
release:
  description: The Helm release with its previous revision. V(null) if none was kept.
  type: dict
  returned: success
  sample: {name: cilium, revision: 7}
peer_configs:
  description: Name, C(timers) and C(gracefulRestart) of each CiliumBGPPeerConfig.
  type: list
  elements: dict
  returned: success
  sample:
    - {name: rack-1, timers: {connectRetryTimeSeconds: 5}, gracefulRestart: {enabled: true, restartTimeSeconds: 120}}
problems:
  description: Why agents should not be restarted now.
  type: list
  elements: str
  returned: success
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.rollout import rollout


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return rollout(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            "state": {"type": "str", "choices": ["driven", "released", "rolled_back"], "required": True},
            "images": {"type": "list", "elements": "str", "default": []},
            "cilium_namespace": {"type": "str", "default": "kube-system"},
            "daemonset": {"type": "str", "default": "cilium"},
            "preconditions": {"type": "bool", "default": True},
            "check_version": {"type": "bool", "default": True},
            "release": {
                "type": "dict",
                "options": {"name": {"type": "str", "required": True}, "revision": {"type": "int", "required": True}},
            },
            "applied_by": {"type": "str"},
            "expected_images": {"type": "list", "elements": "str", "default": []},
            "hosts": {"type": "dict", "default": {}},
            "batch": {"type": "int", "default": 1},
            "before_change": {"type": "bool", "default": False},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
