# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the probes run: LAB_KUBECONFIG, or an emulator started for them. Everything they make is removed."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ..client import PATIENCE, Api, eventually
from ..kubelet import in_a_thread
from ..process import Process

Json = dict[str, Any]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of the server under test."""
    given = os.environ.get("LAB_KUBECONFIG")
    if given:
        yield Path(given)
        return
    process = Process(tmp_path_factory.mktemp("emulator"))
    yield process.kubeconfig
    assert process.stop() == 0


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Api:
    """The server, as an administrator."""
    return Api(kubeconfig)


@pytest.fixture(scope="session")
def run() -> str:
    """A name for this run: what it makes outside its namespace carries it."""
    return f"lab-conf-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def namespace(api: Api, run: str) -> Iterator[str]:
    """The namespace of this run."""
    api.post("/api/v1/namespaces", {"metadata": {"name": run}}).of(201)
    yield run
    _remove_namespace(api, run)


def _remove_namespace(api: Api, name: str) -> None:
    path = f"/api/v1/namespaces/{name}"
    for pod in api.get(f"{path}/pods").json.get("items", []):
        url = f"{path}/pods/{pod['metadata']['name']}"
        api.patch(url, {"metadata": {"finalizers": None}})
        api.delete(url, {"gracePeriodSeconds": 0})
    api.delete(path)

    def gone() -> bool:
        return api.get(path).status == 404

    # Without a controller manager nobody empties and finalizes namespaces.
    with contextlib.suppress(AssertionError):
        eventually(gone)
        return
    body = api.get(path).json
    body["spec"] = {"finalizers": []}
    api.put(f"{path}/finalize", body)


@pytest.fixture(scope="session")
def controllers(api: Api, namespace: str) -> bool:
    """Whether the server has controllers behind it: one gives every namespace its service account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    try:
        # The emulator has them, however long they take.
        emulated = api.get("/_emulator/models").status == 200
        eventually(lambda: api.get(path).status == 200, patience=PATIENCE if emulated else 5)
    except AssertionError:
        assert not emulated
        return False
    return True


@pytest.fixture
def need_controllers(controllers: bool) -> None:
    """Skip where no controllers run."""
    if not controllers:
        pytest.skip("this server has no controller manager")


@pytest.fixture
def made(api: Api) -> Iterator[Callable[..., Json]]:
    """made(collection path, object): create it, and remove it after the test."""
    paths: list[str] = []

    def make(collection: str, obj: Json) -> Json:
        created: Json = api.post(collection, obj).of(201)
        paths.append(f"{collection}/{created['metadata']['name']}")
        return created

    yield make
    for path in reversed(paths):
        if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            _remove_namespace(api, path.rpartition("/")[2])
            continue
        answer = api.delete(path, {"gracePeriodSeconds": 0})
        if answer.status == 200 and api.get(path).status == 200:
            api.patch(path, {"metadata": {"finalizers": None}})


@pytest.fixture
def name(run: str) -> str:
    """A name that no other probe uses."""
    return f"{run}-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def pods(namespace: str) -> str:
    """Collection path of the run's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


@pytest.fixture(scope="session")
def budgets(namespace: str) -> str:
    """Collection path of the run's PodDisruptionBudgets."""
    return f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"


@pytest.fixture
def node(made: Callable[..., Json], name: str) -> str:
    """The name of a Node that no kubelet looks after."""
    made("/api/v1/nodes", {"metadata": {"name": name, "labels": {"lab-conf": "yes"}}})
    return name


Kubelet = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def kubelet(kubeconfig: Path) -> Kubelet:
    """`with kubelet(node):` the node's pods become Ready, and end when they are asked to."""
    return lambda node: in_a_thread(kubeconfig, only=node, start=0.1)


PodMaker = Callable[..., Json]


@pytest.fixture
def make_pod(api: Api, made: Callable[..., Json], pods: str, node: str, controllers: bool, name: str) -> PodMaker:
    """make_pod(suffix, labels=..., ready=True, phase="Running", bound=True): a pod and its status."""
    if not controllers:
        accounts = pods.replace("/pods", "/serviceaccounts")
        api.post(accounts, {"metadata": {"name": "default"}}).of(201, 409)

    def make(
        suffix: str = "a",
        *,
        labels: dict[str, str] | None = None,
        ready: bool = True,
        phase: str = "Running",
        bound: bool = True,
        **metadata: Any,
    ) -> Json:
        spec: Json = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "main", "image": "lab.invalid/none"}],
        }
        if bound:
            spec["nodeName"] = node
        else:
            spec["schedulerName"] = "lab-nobody"
        full = {"metadata": {"name": f"{name}-{suffix}", "labels": labels or {}, **metadata}, "spec": spec}
        pod = made(pods, full)
        if phase == "Pending":
            return pod
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        path = f"{pods}/{pod['metadata']['name']}/status"
        running: Json = api.patch(path, {"status": {"phase": phase, "conditions": [condition]}}).of(200)
        return running

    return make


@pytest.fixture
def budget(api: Api, made: Callable[..., Json], budgets: str, name: str, controllers: bool) -> Callable[..., str]:
    """budget(allowed=, healthy=, desired=, expected=, **spec): a PDB whose status says so; its path.

    With controllers the status is theirs and the probe waits for it; without them the probe writes it.
    """

    def make(
        *, allowed: int, healthy: int, desired: int, expected: int, suffix: str = "", of: str = "", **spec: Any
    ) -> str:
        selector = {"matchLabels": {"of": of or name}}
        obj = made(budgets, {"metadata": {"name": f"{name}{suffix}"}, "spec": {"selector": selector, **spec}})
        path = f"{budgets}/{name}{suffix}"
        wanted = {
            "observedGeneration": obj["metadata"]["generation"],
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        if not controllers:
            api.patch(f"{path}/status", {"status": wanted}).of(200)
        eventually(lambda: wanted.items() <= api.get(path).of(200)["status"].items())
        return path

    return make


@pytest.fixture
def crd(api: Api, made: Callable[..., Json], run: str) -> Json:
    """A definition of this run: cluster-scoped, two versions, status subresource, a small schema."""
    word = f"t{uuid.uuid4().hex[:8]}"
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["asn"],
                "properties": {
                    "asn": {"type": "integer", "minimum": 1, "maximum": 4294967295},
                    "hold": {"type": "integer", "default": 90},
                    "mode": {"type": "string", "enum": ["a", "b"]},
                    "peers": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    common = {"served": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    group = f"{run}.example.org"
    versions = [{"name": "v2", "storage": True, **common}, {"name": "v1alpha1", "storage": False, **common}]
    names = {"plural": f"{word}s", "singular": word, "kind": word.capitalize(), "listKind": f"{word.capitalize()}List"}
    definition = {
        "metadata": {"name": f"{word}s.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": versions},
    }
    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    created = made(
        collection, {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **definition}
    )
    path = f"/apis/{group}/v2/{word}s"
    eventually(lambda: api.get(path).status == 200)
    return {"path": path, "old_path": f"/apis/{group}/v1alpha1/{word}s", "kind": names["kind"], "group": group,
            "plural": names["plural"], "name": created["metadata"]["name"], "version": f"{group}/v2"}  # fmt: skip
