#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Drain, cordon or uncordon a node
version_added: 0.1.0
description:
  - Evicts the pods of a node by the rules of C(kubectl drain), and waits until they are gone.
  - Pods that mustn't be evicted are named all at once, with the option that would allow it, before anything is changed.
  - Evictions run concurrently. One that a PodDisruptionBudget refuses is tried again until O(timeout), at most once
    a second,
    and never for more than one pod of the budget at a time.
  - A pod is gone when it is deleted or another one has its name. One watch tells; it survives restarts of the API
    server.
  - A node that was cordoned before it was claimed is never uncordoned.
  - Refuses a node that another run holds. A node that nobody holds (M(hitless.nodes.node_claim)) may be drained.
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
      - V(drained) cordons the node and evicts its pods.
      - V(cordoned) only keeps new pods away.
      - V(schedulable) uncordons it, unless the record says that it was cordoned before.
    type: str
    choices: [drained, cordoned, schedulable]
    default: drained
  ignore_daemonsets:
    description:
      - Whether pods of DaemonSets are left where they are. By default they are a reason to refuse, as with kubectl,
        since their DaemonSet would start them again at once.
    type: bool
    default: false
  delete_emptydir_data:
    description:
      - Whether pods with emptyDir volumes are evicted. Their data is lost then. By default they are a reason to refuse.
    type: bool
    default: false
  force:
    description:
      - Whether pods without a controller are evicted. Nothing starts them elsewhere. By default they are a reason to
        refuse.
    type: bool
    default: false
  disable_eviction:
    description:
      - Whether pods are deleted rather than evicted, which passes PodDisruptionBudgets over. Only for emergencies.
    type: bool
    default: false
  grace_period:
    description:
      - Seconds that each pod gets to end. V(0) kills at once.
      - By default what each pod asks for.
    type: int
  timeout:
    description:
      - Seconds that the whole drain may take. A timeout is a failure, which names what is left and why.
    type: float
    default: 300.0
  max_parallel:
    description:
      - How many evictions are asked for at the same time. Lower it to spare the API server.
    type: int
    default: 20
seealso:
  - module: hitless.nodes.node_claim
  - module: kubernetes.core.k8s_drain
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: Drain worker-3
  hitless.nodes.node_drain:
    name: worker-3
    ignore_daemonsets: true
    delete_emptydir_data: true
    timeout: 600
  delegate_to: localhost

- name: Keep new pods away from it
  hitless.nodes.node_drain:
    name: worker-3
    state: cordoned
  delegate_to: localhost

- name: Let pods on it again
  hitless.nodes.node_drain:
    name: worker-3
    state: schedulable
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the Node.
  type: str
  returned: success
  sample: worker-3
unschedulable:
  description: Whether the node is cordoned now (in check mode, would be).
  type: bool
  returned: success
  sample: true
kept_cordoned:
  description: Whether O(state=schedulable) left the node cordoned, because it was so before it was claimed.
  type: bool
  returned: success
  sample: false
pods:
  description: What became of each pod of the node.
  type: list
  elements: dict
  returned: success, or when it wasn't drained
  contains:
    namespace:
      description: Its namespace.
      type: str
    name:
      description: Its name.
      type: str
    uid:
      description: Its UID.
      type: str
    action:
      description: V(evict), V(skip) or V(refuse).
      type: str
    reason:
      description: Why.
      type: str
    result:
      description: V(gone), V(skipped), V(pending) (in check mode), or why it is still there.
      type: str
    seconds:
      description: After how many seconds of the drain it was gone.
      type: float
  sample:
    - {action: skip, name: cilium-x7k2p, namespace: kube-system, reason: managed by a DaemonSet, result: skipped,
       seconds: null, uid: 8f1d0d5e-3f0a-4c56-a0df-5c5f4a8f3c01}
    - {action: evict, name: web-5d8f7c9b4-abcde, namespace: shop, reason: evictable, result: gone,
       seconds: 2.31, uid: 1b7a9b2e-56a4-4a7c-9e61-0f0f6f5d9d02}
pending:
  description: The pods that are still there, each with the reason. Empty unless it failed.
  type: list
  elements: dict
  returned: success, or when it wasn't drained
  sample: []
budgets:
  description: The PodDisruptionBudgets that kept pods, with their numbers. Empty unless it failed.
  type: list
  elements: dict
  returned: success, or when it wasn't drained
  sample: []
refused:
  description: The pods that mustn't be evicted.
  type: list
  elements: str
  returned: when pods mustn't be evicted
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils import _client
from ansible_collections.hitless.nodes.plugins.module_utils._drain import cordon, drain, uncordon
from ansible_collections.hitless.nodes.plugins.module_utils._module import RUN_OPTIONS, SLICE_OPTIONS, run


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    client = _client.connect(module, connections=module.params["max_parallel"] + 2)
    if module.params["state"] == "drained":
        return drain(client, module.params, check_mode=module.check_mode)
    act = cordon if module.params["state"] == "cordoned" else uncordon
    return act(client, module.params["name"], run=module.params["_run"], check_mode=module.check_mode)


def main() -> None:
    run(
        work,
        {
            **_client.argument_spec(),
            **RUN_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "cordoned", "schedulable"], "default": "drained"},
            "ignore_daemonsets": {"type": "bool", "default": False},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "grace_period": {"type": "int"},
            "timeout": {"type": "float", "default": 300.0},
            "max_parallel": {"type": "int", "default": 20},
        },
        libraries=_client.LIBRARIES,
    )


if __name__ == "__main__":
    main()
