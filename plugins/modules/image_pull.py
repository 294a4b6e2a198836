#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Put images on nodes and prove that they are there
version_added: 0.1.0
description:
  - Makes nodes pull images by its own DaemonSet, O(parallel) nodes at a time. Waits until every node has proven that it
    has them.
  - An agent's restart must not wait for its image, because the routers keep the routes only for a limited time.
  - The proof is the digest in the status of a container that was made from the image. A runtime may name the image of
    its platform while the reference names the list of all platforms. Then the Node's list of images must have both.
  - A container of the DaemonSet does nothing. If the image lacks O(command), the container can't start, but the node
    has pulled its image all the same.
  - The DaemonSet runs on the nodes' network and tolerates everything. So it also works on a node where Cilium doesn't.
  - The DaemonSet is removed at the end, and also after a failure, unless O(hold) keeps it. The module finds what a
    killed run has left by its name. It continues with that or removes it.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
  - hitless.nodes.attributes.writer
  - hitless.nodes.attributes.sliced
  - hitless.nodes.attributes.held
options:
  images:
    description:
      - The images as pods name them. With a digest, exactly this content is proven. With only a tag, all nodes must
        have the same content.
      - Required with O(state=present).
    type: list
    elements: str
  state:
    description:
      - V(present) puts the images on the nodes.
      - V(absent) removes the DaemonSet and the pods that M(hitless.nodes.agent_restart) may have left. The images
        themselves stay on the nodes.
    type: str
    choices: [present, absent]
    default: present
  nodes:
    description:
      - Names of the Nodes. By default those that O(node_selector) selects.
    type: list
    elements: str
  node_selector:
    description:
      - Label selector of the Nodes, if O(nodes) isn't given. Empty means all Nodes.
    type: str
    default: kubernetes.io/os=linux
  allow_missing:
    description:
      - Names of Nodes on which a failure is only a warning.
    type: list
    elements: str
    default: []
  hold:
    description:
      - Whether the DaemonSet stays afterwards. While it is there, the images are in use, and no kubelet removes them to
        make room. Run the module with O(state=absent) at the end.
    type: bool
    default: false
  namespace:
    description:
      - Namespace for the DaemonSet. It must allow pods on the nodes' network, as the namespace of Cilium's agents does.
    type: str
    default: kube-system
  name:
    description:
      - Name of the DaemonSet.
    type: str
    default: hitless-image-pull
  pull_secrets:
    description:
      - Names of Secrets in O(namespace) for private registries. Give those of Cilium's DaemonSet.
    type: list
    elements: str
    default: []
  command:
    description:
      - What the containers run. It should do nothing for long.
    type: list
    elements: str
    default: [sleep, "86400"]
  parallel:
    description:
      - How many nodes pull at the same time. Nodes whose list already has all images don't count.
    type: int
    default: 20
  retries:
    description:
      - How often a failed pull is tried again, by a new pod.
    type: int
    default: 2
  retry_delay:
    description:
      - Seconds between a failed pull and the next try. Meanwhile the kubelet also tries by itself.
    type: float
    default: 10.0
  node_timeout:
    description:
      - Seconds that one node may take.
    type: float
    default: 600.0
  timeout:
    description:
      - Seconds that all pulls together may take.
    type: float
    default: 3600.0
  takeover:
    description:
      - Whether to continue in place of another run on another machine. Only if that run is certainly over.
    type: bool
    default: false
seealso:
  - module: hitless.nodes.agent_restart
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Put the new agent on all nodes, and keep it there until the upgrade is over
  hitless.nodes.image_pull:
    images:
      - quay.io/cilium/cilium:v1.19.1@sha256:41b8da0c9b7c2f4f37b5ad7b5d18a3a3d4ae9a3a0fbd1d0b3a9a2a5f0f7b5c11
    parallel: 10
    hold: true
  delegate_to: localhost

- name: Let go of it
  hitless.nodes.image_pull:
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
images:
  description: The images, each with its proof.
  type: list
  elements: dict
  returned: success, or when nodes don't have the images
  contains:
    image:
      description: The image as in O(images).
      type: str
    digests:
      description: The digests that the nodes have. There is more than one only if a tag has an image for each platform.
      type: list
      elements: str
    nodes:
      description: How many nodes have proven it.
      type: int
    proven_by:
      description:
        - The number of nodes by kind of proof. C(pod) is the status of the pod, and C(node) is the Node's list.
          C(reference) is the reference alone. That is a container that could not even be made, from an image that is
          named by its digest.
      type: dict
  sample:
    - image: quay.io/cilium/cilium:v1.19.1
      digests: ["sha256:41b8da0c9b7c2f4f37b5ad7b5d18a3a3d4ae9a3a0fbd1d0b3a9a2a5f0f7b5c11"]
      nodes: 500
      proven_by: {pod: 500}
nodes:
  description: The result for each node. In check mode, what would happen.
  type: list
  elements: dict
  returned: success, or when nodes don't have the images
  contains:
    name:
      description: Name of the Node.
      type: str
    platform:
      description: Its operating system and architecture.
      type: str
    result:
      description:
        - V(pulled), V(present) (it was there before), V(failed), or V(missing) (failed, but in O(allow_missing)).
      type: str
    present_before:
      description: Whether the Node's list had all images before. V(null) if the list may be cut off.
      type: bool
    seconds:
      description: How long it took.
      type: float
    tries:
      description: How many pods it took.
      type: int
    reason:
      description: Why it failed, in the kubelet's words.
      type: str
  sample:
    - name: worker-3
      platform: linux/amd64
      result: pulled
      present_before: false
      seconds: 31.4
      tries: 1
      reason: null
failed_nodes:
  description: Names of the nodes that failed.
  type: list
  elements: str
  returned: success, or when nodes don't have the images
  sample: []
missing_nodes:
  description: Names of the nodes that failed and are in O(allow_missing).
  type: list
  elements: str
  returned: success, or when nodes don't have the images
  sample: []
daemonset:
  description: The DaemonSet that was kept. V(null) if none was.
  type: str
  returned: success
  sample: kube-system/hitless-image-pull
removed:
  description: What O(state=absent) removed.
  type: list
  elements: str
  returned: success
  sample: [DaemonSet kube-system/hitless-image-pull]
seconds:
  description: How long it took.
  type: float
  returned: success, or when nodes don't have the images
  sample: 95.2
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import RUN_OPTIONS, SLICE_OPTIONS, run
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull import pull


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    return pull(connect(module), module.params, check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **SLICE_OPTIONS,
            "images": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "nodes": {"type": "list", "elements": "str"},
            "node_selector": {"type": "str", "default": "kubernetes.io/os=linux"},
            "allow_missing": {"type": "list", "elements": "str", "default": []},
            "hold": {"type": "bool", "default": False},
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str", "default": "hitless-image-pull"},
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "command": {"type": "list", "elements": "str", "default": ["sleep", "86400"]},
            "parallel": {"type": "int", "default": 20},
            "retries": {"type": "int", "default": 2},
            "retry_delay": {"type": "float", "default": 10.0},
            "node_timeout": {"type": "float", "default": 600.0},
            "timeout": {"type": "float", "default": 3600.0},
            "takeover": {"type": "bool", "default": False},
        },
        libraries=connection.LIBRARIES,
        required_if=[("state", "present", ["images"])],
    )


if __name__ == "__main__":
    main()
