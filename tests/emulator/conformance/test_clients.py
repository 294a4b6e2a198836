# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients people use: kubectl and the Python client's DynamicClient."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes.config
import kubernetes.dynamic
import pytest

from ..client import Api, eventually
from .conftest import Kubelet

Json = dict[str, Any]
Made = Callable[..., Json]


@pytest.fixture(scope="session")
def kubectl(kubectl_program: str, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """kubectl(*arguments): what it prints."""
    # Its caches belong into a place of their own.
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path_factory.mktemp("home"))}

    def run(*arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [kubectl_program, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


Kubectl = Callable[..., str]


def test_kubectl_get(kubectl: Kubectl, node: str) -> None:
    assert node in kubectl("get", "nodes")
    assert json.loads(kubectl("get", "node", node, "-o", "json"))["kind"] == "Node"
    assert "NotFound" in kubectl("get", "node", "lab-nothing", fails=True)


def test_kubectl_describe_node(kubectl: Kubectl, make_pod: Made, node: str) -> None:
    pod = make_pod()["metadata"]["name"]
    text = kubectl("describe", "node", node)
    assert "Unschedulable:" in text
    assert pod in text


def test_kubectl_label_and_annotate(kubectl: Kubectl, api: Api, node: str) -> None:
    kubectl("label", "node", node, "enable-bgp=true")
    kubectl("label", "node", node, "--overwrite", "enable-bgp=false")
    kubectl("annotate", "node", node, "lab=1")
    metadata = api.get(f"/api/v1/nodes/{node}").of(200)["metadata"]
    assert (metadata["labels"]["enable-bgp"], metadata["annotations"]["lab"]) == ("false", "1")
    kubectl("label", "node", node, "enable-bgp-")
    assert "enable-bgp" not in api.get(f"/api/v1/nodes/{node}").of(200)["metadata"]["labels"]


def test_kubectl_cordon_and_uncordon(kubectl: Kubectl, api: Api, node: str) -> None:
    kubectl("cordon", node)
    assert api.get(f"/api/v1/nodes/{node}").of(200)["spec"]["unschedulable"] is True
    kubectl("uncordon", node)
    assert not api.get(f"/api/v1/nodes/{node}").of(200)["spec"].get("unschedulable")


def test_kubectl_taint(kubectl: Kubectl, api: Api, node: str) -> None:
    kubectl("taint", "node", node, "lab=1:PreferNoSchedule")
    assert "lab" in [taint["key"] for taint in api.get(f"/api/v1/nodes/{node}").of(200)["spec"]["taints"]]
    kubectl("taint", "node", node, "lab-")


def test_kubectl_drain_evicts_and_obeys_budgets(
    kubectl: Kubectl,
    kubelet: Kubelet,
    api: Api,
    make_pod: Made,
    budget: Callable[..., str],
    node: str,
    pods: str,
    name: str,
) -> None:
    make_pod("a", labels={"of": name})
    kept = make_pod("b", labels={"of": f"{name}-kept"})["metadata"]["name"]
    path = budget(allowed=0, healthy=1, desired=1, expected=1, of=f"{name}-kept", minAvailable=1)
    with kubelet(node):
        # On a slow machine the refusal comes later.
        for seconds in (3, 60):
            text = kubectl("drain", node, "--force", f"--timeout={seconds}s", fails=True)
            if (refused := "Cannot evict pod as it would violate the pod's disruption budget") in text:
                break
        assert refused in text

        def left() -> list[str]:
            found = api.get(pods, fieldSelector=f"spec.nodeName={node}").of(200)["items"]
            return [item["metadata"]["name"] for item in found]

        eventually(lambda: left() == [kept])
        api.delete(path).of(200)
        assert "drained" in kubectl("drain", node, "--force", "--timeout=300s")
    assert api.get(pods, fieldSelector=f"spec.nodeName={node}").of(200)["items"] == []


def test_kubectl_creates_and_deletes_from_a_file(kubectl: Kubectl, namespace: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "map.yml"
    file.write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{a: b}}\n"
    )
    assert "created" in kubectl("apply", "-f", str(file))
    file.write_text(file.read_text().replace("{a: b}", "{a: c}"))
    assert "configured" in kubectl("apply", "-f", str(file))
    assert kubectl("get", "configmap", name, "-n", namespace, "-o", "jsonpath={.data.a}") == "c"
    kubectl("delete", "-f", str(file))


def test_kubectl_knows_custom_kinds(kubectl: Kubectl, api: Api, crd: Json, name: str) -> None:
    body = {"apiVersion": crd["version"], "kind": crd["kind"], "metadata": {"name": name}, "spec": {"asn": 1}}
    api.post(crd["path"], body).of(201)
    assert name in kubectl("get", f"{crd['plural']}.{crd['group']}")
    kubectl("delete", f"{crd['plural']}.{crd['group']}", name)


@pytest.fixture
def dynamic(kubeconfig: Path, tmp_path: Path) -> kubernetes.dynamic.DynamicClient:
    """A DynamicClient with a cache of its own (its default one is shared by host and port)."""
    client = kubernetes.config.new_client_from_config(str(kubeconfig))
    return kubernetes.dynamic.DynamicClient(client, cache_file=str(tmp_path / "discovery.json"))


def test_dynamic_client_reads_and_patches(dynamic: kubernetes.dynamic.DynamicClient, node: str) -> None:
    nodes = dynamic.resources.get(api_version="v1", kind="Node")
    assert nodes.get(name=node).metadata.name == node
    body = {"metadata": {"labels": {"enable-bgp": "false"}}}
    patched = nodes.patch(name=node, body=body, content_type="application/merge-patch+json")
    assert patched.to_dict()["metadata"]["labels"]["enable-bgp"] == "false"
    assert node in [item.metadata.name for item in nodes.get(label_selector="enable-bgp=false").items]


def test_dynamic_client_watches(dynamic: kubernetes.dynamic.DynamicClient, make_pod: Made, namespace: str) -> None:
    pod = make_pod()["metadata"]["name"]
    resource = dynamic.resources.get(api_version="v1", kind="Pod")
    for event in resource.watch(namespace=namespace, field_selector=f"metadata.name={pod}", timeout=60):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", pod)
        break


def test_dynamic_client_evicts(
    dynamic: kubernetes.dynamic.DynamicClient, api: Api, make_pod: Made, namespace: str, pods: str
) -> None:
    name = make_pod()["metadata"]["name"]
    resource = dynamic.resources.get(api_version="v1", kind="Pod")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    answer = resource.eviction.create(name=name, namespace=namespace, body=body)
    assert answer.to_dict()["status"] == "Success"
    eventually(lambda: "deletionTimestamp" in api.get(f"{pods}/{name}").of(200)["metadata"])


def test_dynamic_client_tells_errors_apart(dynamic: kubernetes.dynamic.DynamicClient) -> None:
    resource = dynamic.resources.get(api_version="v1", kind="Node")
    with pytest.raises(kubernetes.dynamic.exceptions.NotFoundError) as caught:
        resource.get(name="lab-nothing")
    assert caught.value.status == 404
