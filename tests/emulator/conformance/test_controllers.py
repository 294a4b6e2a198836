# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers do for us: replacement pods, DaemonSets, scheduling, the taint of cordoned nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..client import Api, eventually
from .conftest import Kubelet

Json = dict[str, Any]
Made = Callable[..., Json]

pytestmark = pytest.mark.usefixtures("need_controllers")

_READY = {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Probe", "message": ""}]}}


@pytest.fixture
def ready_node(api: Api, node: str) -> str:
    """A node that pods with the selector of `template` are scheduled to."""
    api.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"lab-node": node}}}).of(200)
    api.patch(f"/api/v1/nodes/{node}/status", {**_READY}).of(200)
    return node


def template(labels: dict[str, str], node: str) -> Json:
    """A pod template for one node."""
    spec: Json = {
        "automountServiceAccountToken": False,
        "nodeSelector": {"lab-node": node},
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "main", "image": "lab.invalid/none"}],
    }
    return {"metadata": {"labels": labels}, "spec": spec}


def test_cordoned_node_gets_a_taint(api: Api, node: str) -> None:
    path = f"/api/v1/nodes/{node}"
    key = "node.kubernetes.io/unschedulable"

    def tainted() -> bool:
        return key in [taint["key"] for taint in api.get(path).of(200)["spec"].get("taints") or ()]

    api.patch(path, {"spec": {"unschedulable": True}}).of(200)
    eventually(tainted)
    api.patch(path, {"spec": {"unschedulable": None}}).of(200)
    eventually(lambda: not tainted())


def test_pod_of_a_deployment_is_replaced_under_another_name(
    api: Api, made: Made, kubelet: Kubelet, namespace: str, pods: str, ready_node: str, name: str
) -> None:
    labels = {"of": name}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template(labels, ready_node)}
    made(f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": name}, "spec": spec})
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"

    def ready() -> bool:
        return bool(api.get(path).of(200).get("status", {}).get("readyReplicas") == 1)

    with kubelet(ready_node):
        eventually(ready)
        (first,) = api.get(pods, labelSelector=f"of={name}").of(200)["items"]
        (owner,) = first["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first["metadata"]["name"]}}
        api.post(f"{pods}/{first['metadata']['name']}/eviction", body).of(201)

        def replaced() -> bool:
            found = [item["metadata"]["uid"] for item in api.get(pods, labelSelector=f"of={name}").of(200)["items"]]
            return len(found) == 1 and found != [first["metadata"]["uid"]]

        eventually(replaced)
        eventually(ready)
        api.delete(path, {"propagationPolicy": "Background"}).of(200)
        eventually(lambda: not api.get(pods, labelSelector=f"of={name}").of(200)["items"])


def test_no_pod_comes_to_a_cordoned_node(api: Api, made: Made, pods: str, ready_node: str, name: str) -> None:
    api.patch(f"/api/v1/nodes/{ready_node}", {"spec": {"unschedulable": True}}).of(200)
    key = "node.kubernetes.io/unschedulable"
    path = f"/api/v1/nodes/{ready_node}"
    eventually(lambda: key in [taint["key"] for taint in api.get(path).of(200)["spec"].get("taints") or ()])
    labels = {"of": name}
    pod = template(labels, ready_node)
    del pod["spec"]["tolerations"]
    made(pods, {**pod, "metadata": {**pod["metadata"], "name": name}})

    def refused() -> bool:
        conditions = api.get(f"{pods}/{name}").of(200)["status"].get("conditions") or ()
        return any(item["type"] == "PodScheduled" and item["reason"] == "Unschedulable" for item in conditions)

    eventually(refused)
    api.patch(path, {"spec": {"unschedulable": None}}).of(200)
    eventually(lambda: api.get(f"{pods}/{name}").of(200)["spec"].get("nodeName") == ready_node)


def test_daemonset_has_a_pod_on_a_cordoned_node_too(
    api: Api, made: Made, kubelet: Kubelet, namespace: str, pods: str, ready_node: str, name: str
) -> None:
    api.patch(f"/api/v1/nodes/{ready_node}", {"spec": {"unschedulable": True}}).of(200)
    labels = {"of": name}
    spec = {"selector": {"matchLabels": labels}, "template": template(labels, ready_node)}
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    made(path, {"metadata": {"name": name}, "spec": spec})

    def ready() -> bool:
        status = api.get(f"{path}/{name}").of(200)["status"]
        return bool((status["desiredNumberScheduled"], status["numberReady"]) == (1, 1))

    with kubelet(ready_node):
        eventually(ready)
        (pod,) = api.get(pods, labelSelector=f"of={name}").of(200)["items"]
        assert pod["spec"]["nodeName"] == ready_node
        assert pod["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"
        api.delete(f"{path}/{name}", {"propagationPolicy": "Background"}).of(200)
        eventually(lambda: not api.get(pods, labelSelector=f"of={name}").of(200)["items"])


def test_daemonset_goes_to_the_nodes_that_its_affinity_names(
    api: Api, made: Made, namespace: str, pods: str, ready_node: str, name: str
) -> None:
    labels = {"of": name}
    named = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["lab-no-such-node"]}]}
    pod = template(labels, ready_node)
    del pod["spec"]["nodeSelector"]
    pod["spec"]["affinity"] = _required([named])
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    strategy = {"type": "OnDelete"}
    spec = {"selector": {"matchLabels": labels}, "template": pod, "updateStrategy": strategy}
    made(path, {"metadata": {"name": name}, "spec": spec})
    eventually(lambda: "observedGeneration" in api.get(f"{path}/{name}").of(200)["status"])
    assert api.get(pods, labelSelector=f"of={name}").of(200)["items"] == []

    ours = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [ready_node]}]}
    affinity = _required([named, ours])
    api.patch(f"{path}/{name}", {"spec": {"template": {"spec": {"affinity": affinity}}}}).of(200)
    eventually(lambda: len(api.get(pods, labelSelector=f"of={name}").of(200)["items"]) == 1)


def _required(terms: list[Json]) -> Json:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def test_daemonset_replaces_pods_of_an_older_template_unless_only_on_delete(
    api: Api, made: Made, kubelet: Kubelet, namespace: str, pods: str, ready_node: str, name: str
) -> None:
    labels = {"of": name}
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    spec = {"selector": {"matchLabels": labels}, "template": template(labels, ready_node)}
    made(path, {"metadata": {"name": name}, "spec": {**spec, "updateStrategy": {"type": "OnDelete"}}})

    def images() -> list[str]:
        found = api.get(pods, labelSelector=f"of={name}").of(200)["items"]
        return [one["spec"]["containers"][0]["image"] for one in found]

    def up_to_date() -> bool:
        status = api.get(f"{path}/{name}").of(200)["status"]
        return bool(status.get("updatedNumberScheduled") == 1 and status["numberReady"] == 1)

    with kubelet(ready_node):
        eventually(up_to_date)
        changed = {"containers": [{"name": "main", "image": "lab.invalid/newer"}]}
        api.patch(f"{path}/{name}", {"spec": {"template": {"spec": changed}}}).of(200)
        eventually(lambda: not up_to_date())
        assert images() == ["lab.invalid/none"]

        api.patch(f"{path}/{name}", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}}).of(200)
        eventually(up_to_date)
        assert images() == ["lab.invalid/newer"]
