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
  - Before any change it names all pods that must not be evicted, with the option that would allow it.
  - Before the first change it looks ahead, see RV(forecast). In check mode that is the result. If a
    PodDisruptionBudget can never allow the eviction of a pod as it is, that is a warning, not a refusal. Operators such
    as KubeVirt's lift such a budget after an eviction was requested.
  - Evictions run at the same time. The module requests no more evictions than a PodDisruptionBudget allows. The next
    one follows as soon as the budget's status allows it, which a watch shows. No pod's eviction is requested more than
    once a second.
  - A refusal that may end (a budget, flow control, an admission webhook, a namespace that is being deleted) is tried
    again until O(timeout). A refusal that won't end (a missing right) ends the drain when nothing else is left to do.
  - A pod is gone when it is deleted or another one has its name. One watch shows this. It survives restarts of the API
    server.
  - While it runs, it prints a line every few seconds. The Node gets Events (C(DrainStarted), C(DrainBlocked) for each
    PodDisruptionBudget, C(DrainFinished), C(DrainFailed)), which C(kubectl describe node) shows. Without the right to
    write them there is a warning.
  - A node that was cordoned before it was claimed is never uncordoned.
  - Refuses a node that another run holds. A node that nobody holds (M(hitless.nodes.node_claim)) may be drained.
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
      - V(drained) cordons the node and evicts its pods.
      - V(cordoned) only keeps new pods away.
      - V(schedulable) uncordons it, unless the record says that it was cordoned before.
    type: str
    choices: [drained, cordoned, schedulable]
    default: drained
  ignore_daemonsets:
    description:
      - Whether pods of DaemonSets are left alone. By default they are a reason to refuse, as with kubectl, because
        their DaemonSet would start them again at once.
    type: bool
    default: false
  delete_emptydir_data:
    description:
      - Whether pods with emptyDir volumes may be evicted. Their data is lost. By default they are a reason to refuse.
    type: bool
    default: false
  force:
    description:
      - Whether pods without a controller may be evicted. Nothing starts them again. By default they are a reason to
        refuse.
    type: bool
    default: false
  disable_eviction:
    description:
      - Whether to delete pods instead of evicting them. This bypasses PodDisruptionBudgets. Only for emergencies.
    type: bool
    default: false
  grace_period:
    description:
      - Seconds that each pod gets to end. V(0) kills at once.
      - By default each pod gets the time in its own spec.
    type: int
  timeout:
    description:
      - Seconds that the whole drain may take. A timeout is a failure. It names which pods are left and why.
    type: float
    default: 300.0
  on_timeout:
    description:
      - What happens to the cordon if pods are left, at the timeout or because they can't be evicted at all.
      - V(fail) leaves it.
      - V(uncordon_and_fail) uncordons the node, but only if this drain has cordoned it, or if the record says that it
        was schedulable at the claim.
    type: str
    choices: [fail, uncordon_and_fail]
    default: fail
  skip_wait_for_delete_timeout:
    description:
      - A pod that should have ended more than this many seconds ago is not waited for. Use it for a node whose kubelet
        is dead, and only if the machine is certainly off.
      - By default (V(0)) every pod is waited for.
    type: int
    default: 0
  pod_selector:
    description:
      - Label selector of the pods to evict, as for C(kubectl -l), such as V(app=web,tier in (front, back)). Other pods
        are left alone.
      - By default all pods are evicted.
    type: str
    default: ''
  exclude_namespaces:
    description:
      - Namespaces whose pods are left alone.
    type: list
    elements: str
    default: []
  order:
    description:
      - V(any) evicts all pods at once.
      - V(priority) evicts the least important pods first, and the next ones when these are gone.
    type: str
    choices: [any, priority]
    default: any
  max_parallel:
    description:
      - How many evictions are in progress at the same time. Lower it to spare the API server.
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

- name: See what a drain of worker-3 would meet
  hitless.nodes.node_drain:
    name: worker-3
    ignore_daemonsets: true
  check_mode: true
  delegate_to: localhost
  register: ahead

- name: Drain worker-3 except storage, the least important pods first, and uncordon it if that fails
  hitless.nodes.node_drain:
    name: worker-3
    ignore_daemonsets: true
    exclude_namespaces: [rook-ceph]
    order: priority
    on_timeout: uncordon_and_fail
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
      - {at: "2026-03-02T22:00:01.640Z", phase: claimed, unschedulable: true}
      - {at: "2026-03-02T22:00:14.120Z", phase: drained}
    holder: alice@bastion
    phase: drained
    since: "2026-03-02T22:00:01.003Z"
    version: 1
kept_cordoned:
  description: Whether O(state=schedulable) left the node cordoned, because it was cordoned before the claim.
  type: bool
  returned: success
  sample: false
pods:
  description: What happened to each pod of the node.
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
      description: V(gone), V(skipped), V(failed), V(pending) (in check mode), or why it is still there.
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
  description: The PodDisruptionBudgets that delayed evictions, or still do.
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
    min_available:
      description: Its minAvailable, a number or a percentage.
      type: raw
    max_unavailable:
      description: Its maxUnavailable, a number or a percentage.
      type: raw
    healthy:
      description: How many of its pods are healthy.
      type: int
    desired_healthy:
      description: How many have to be healthy.
      type: int
    pods:
      description: How many pods it counts in all.
      type: int
    allowed:
      description: How many may be evicted now.
      type: int
    refusals:
      description: How many evictions it refused.
      type: int
    blocked_seconds:
      description: For how many seconds pods waited for it.
      type: float
  sample:
    - {namespace: shop, name: web, min_available: 3, max_unavailable: null, healthy: 3, desired_healthy: 3, pods: 4,
       allowed: 0, refusals: 1, blocked_seconds: 9.82}
forecast:
  description:
    - What the drain found before its first change. The lists are empty for other states.
  type: dict
  returned: success, or when it wasn't drained
  contains:
    budgets:
      description:
        - The PodDisruptionBudgets of the pods to evict, with the numbers as in RV(budgets). C(pods_here) has the names
          of these pods. C(never) says whether the budget can allow no eviction as it is, and C(why) gives the reason.
      type: list
      elements: dict
    never:
      description: The pods that can never be evicted as it is, each with C(namespace), C(name), C(budget), C(why).
      type: list
      elements: dict
    bare:
      description: Pods without a controller.
      type: list
      elements: str
    emptydir:
      description: Pods with emptyDir volumes.
      type: list
      elements: str
    last_endpoints:
      description: Services (C(service)) that have no other ready endpoint than these C(pods).
      type: list
      elements: dict
    all_replicas_here:
      description: ReplicaSets of CoreDNS and of operators (C(what)) that have no other pods than these C(pods).
      type: list
      elements: dict
  sample:
    budgets: []
    never: []
    bare: []
    emptydir: [shop/cache-0]
    last_endpoints:
      - {service: shop/cache, pods: [shop/cache-0]}
    all_replicas_here:
      - {what: ReplicaSet kube-system/coredns-5d4b, pods: [kube-system/coredns-5d4b-x1, kube-system/coredns-5d4b-x2]}
refused:
  description: The pods that must not be evicted.
  type: list
  elements: str
  returned: when pods mustn't be evicted
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hitless.nodes.plugins.module_utils.base.adapter import (
    CLAIMED_OPTIONS,
    RUN_OPTIONS,
    SLICE_OPTIONS,
    run,
)
from ansible_collections.hitless.nodes.plugins.module_utils.drain.cordon import cordon, uncordon
from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import drain
from ansible_collections.hitless.nodes.plugins.module_utils.kube import connection
from ansible_collections.hitless.nodes.plugins.module_utils.kube.client import connect


def work(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module."""
    client = connect(module, connections=module.params["max_parallel"] + 2)
    if module.params["state"] == "drained":
        return drain(client, module.params, check_mode=module.check_mode)
    act = cordon if module.params["state"] == "cordoned" else uncordon
    options = module.params
    return act(client, options["name"], run=options["_run"], check_mode=module.check_mode, claimed=options["claimed"])


def main() -> None:
    run(
        work,
        {
            **connection.argument_spec(),
            **RUN_OPTIONS,
            **CLAIMED_OPTIONS,
            **SLICE_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "cordoned", "schedulable"], "default": "drained"},
            "ignore_daemonsets": {"type": "bool", "default": False},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "grace_period": {"type": "int"},
            "skip_wait_for_delete_timeout": {"type": "int", "default": 0},
            "pod_selector": {"type": "str", "default": ""},
            "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
            "order": {"type": "str", "choices": ["any", "priority"], "default": "any"},
            "timeout": {"type": "float", "default": 300.0},
            "on_timeout": {"type": "str", "choices": ["fail", "uncordon_and_fail"], "default": "fail"},
            "max_parallel": {"type": "int", "default": 20},
        },
        libraries=connection.LIBRARIES,
    )


if __name__ == "__main__":
    main()
