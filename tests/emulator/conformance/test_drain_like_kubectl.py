# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl drain and node_drain, with the same flags on twin nodes with the same pods, leave the same pods.

Here, since the question is the same as for every probe of this folder (what does Kubernetes do?), and so that it runs
against a real server in the same way. LAB_SEED makes other nodes than the usual ones.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..client import Api, eventually
from ..process import KubeletProcess

Json = dict[str, Any]

NODES = 200
BATCH = 100
# Seconds for kubectl and for node_drain. kubectl asks again every 5 s and spaces its questions by 0.2 s: the second
# time it has asked for all pods. node_drain asks for all pods at once. Where a slow machine hasn't come that far, both
# drain on.
TIMEOUTS = [(9, 5.0), (120, 120.0)]
# Mostly waiting, not computing.
AT_ONCE = 12
FINALIZER = "lab.hitless.nodes/keep"
MIRROR = "kubernetes.io/config.mirror"
# Owners are of no kind that any cluster has, so that garbage collector and controllers leave their pods alone. Only a
# DaemonSet is one of apps/v1: newer kubectls look at that, too. The emulator's collector goes by uid and wants one that
# exists.
GROUP = "lab.hitless.nodes/v1"


@dataclass
class Pod:
    """A pod that is made on both twins. Those with the same `what` can stand for each other."""

    what: str
    labels: dict[str, str]
    owners: list[Json] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    volumes: list[Json] = field(default_factory=list)
    phase: str = "Running"
    ready: bool = True
    finalizers: list[str] = field(default_factory=list)
    deleted: bool = False


@dataclass
class Twins:
    """What is on both nodes, and the flags that both drains get."""

    number: int
    pods: list[Pod]
    budgets: list[Json]
    flags: Json

    @property
    def stuck(self) -> bool:
        """Whether a drain may come to no end before its timeout."""
        return bool(self.budgets) or any(pod.finalizers for pod in self.pods)


def owner(kind: str, name: str, *, controller: bool = True) -> Json:
    """An owner reference; its uid comes when it is known."""
    group = "apps/v1" if kind == "DaemonSet" else GROUP
    return {"apiVersion": group, "kind": kind, "name": name, "controller": controller}


def some_owners(dice: random.Random) -> tuple[str, list[Json]]:
    """Who owns a pod, and a word for it."""
    what = dice.choice(
        ["controlled", "controlled", "controlled", "bare", "daemonset", "missing", "several", "uncontrolled"]
    )
    kind = dice.choice(["ReplicaSet", "StatefulSet", "Job", "ReplicationController", "Database"])
    match what:
        case "controlled":
            return what, [owner(kind, "some")]
        case "bare":
            return what, []
        case "daemonset":
            return what, [owner("DaemonSet", "here")]
        case "missing":
            return what, [owner("DaemonSet", "nowhere")]
        case "several":
            # Only the controller counts, wherever it stands in the list.
            owners = [owner("DaemonSet", "here", controller=False), owner(kind, "some")]
            return what, dice.sample(owners, 2)
        case _:
            return what, [owner(dice.choice([kind, "DaemonSet"]), "here", controller=False)]


def some_pod(dice: random.Random, number: int) -> Pod:
    """A pod of any kind."""
    what, owners = some_owners(dice)
    pod = Pod(f"{number}-{what}", {"app": dice.choice("ab")}, owners)
    if dice.random() < 0.3:
        pod.labels["tier"] = "front"
    if dice.random() < 0.12:
        pod.annotations = {MIRROR: "hash"}
    if dice.random() < 0.25:
        pod.volumes.append({"name": "data", "emptyDir": {}})
    if dice.random() < 0.2:
        pod.volumes.insert(0, {"name": "config", "configMap": {"name": "none", "optional": True}})
    pod.phase = dice.choices(["Running", "Succeeded", "Failed", "Pending"], [7, 1, 1, 1])[0]
    pod.ready = pod.phase == "Running" and dice.random() < 0.9
    return pod


def some_budget(dice: random.Random) -> tuple[list[Pod], list[Json]]:
    """Pods that can stand for each other, and the budgets that select them."""
    count = dice.randint(2, 3)
    kind = dice.choice(["allows", "one", "never", "two", "unready", "unready always"])
    ready = not kind.startswith("unready")
    pods = [Pod(f"budget {kind}", {"budget": "yes"}, [owner("ReplicaSet", "b")], ready=ready)] * count
    spec: Json = {"minAvailable": {"allows": 0, "one": count - 1}.get(kind, count)}
    if kind == "unready always":
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return pods, [spec] * (2 if kind == "two" else 1)


def some_twins(dice: random.Random, number: int) -> Twins:
    """A node of any kind, and flags."""
    pods = [some_pod(dice, index) for index in range(dice.randint(1, 5))]
    if dice.random() < 0.08:
        dice.choice(pods).finalizers = [FINALIZER]
    if dice.random() < 0.08:
        chosen = dice.choice(pods)
        chosen.finalizers, chosen.deleted = [FINALIZER], True
    budgets: list[Json] = []
    if dice.random() < 0.14:
        more, budgets = some_budget(dice)
        pods += more
    flags: Json = {name: dice.random() < 0.8 for name in ("ignore_daemonsets", "delete_emptydir_data", "force")}
    flags["disable_eviction"] = dice.random() < 0.1
    flags["grace_period"] = dice.choice([None, None, 0, 1])
    flags["pod_selector"] = dice.choice(["", "", "", "app=a", "app!=a", "app in (a,c),!tier", "tier", "app notin (a)"])
    # Pods that were deleted here were so long before.
    flags["skip_wait_for_delete_timeout"] = dice.choice([0, 0, 0, 1])
    return Twins(number, pods, budgets, flags)


class Bench:
    """A namespace with what both drains work on."""

    def __init__(self, kubeconfig: Path, namespace: str, run: str, *, controllers: bool) -> None:
        self._kubeconfig = kubeconfig
        self._of_thread = threading.local()
        self.run = run
        self.controllers = controllers
        self.path = f"/api/v1/namespaces/{namespace}/pods"
        self.budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        self.configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
        self.daemonsets = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
        if not controllers:
            self.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}}).of(
                201, 409
            )
        labels = {"lab": "here"}
        nowhere = {"nodeSelector": {"lab.hitless.nodes/no": "such-node"}}
        template = {"metadata": {"labels": labels}, "spec": {**nowhere, "containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.owner: Json = self.api.post(self.configmaps, {"metadata": {"name": "owner"}}).of(201)["metadata"]
        self.api.post(self.daemonsets, {"metadata": {"name": "here"}, "spec": spec}).of(201)

    @property
    def api(self) -> Api:
        """The server; each thread has connections of its own."""
        if not hasattr(self._of_thread, "api"):
            self._of_thread.api = Api(self._kubeconfig)
        found: Api = self._of_thread.api
        return found

    def node(self, twins: Twins, side: str) -> str:
        """Name of one of the twins."""
        return f"{self.run}-{twins.number}{side}"

    def make(self, twins: Twins) -> None:
        """Both nodes with all that is on them."""
        for side in "ab":
            node = self.node(twins, side)
            self.api.post("/api/v1/nodes", {"metadata": {"name": node}}).of(201)
            for number, pod in enumerate(twins.pods):
                self._make_pod(pod, node, f"{node}-{number}")
            for number, spec in enumerate(twins.budgets):
                self._make_budget(twins, spec, node, f"{node}-{number}")
            for number, pod in enumerate(twins.pods):
                if pod.deleted:
                    self.api.delete(f"{self.path}/{node}-{number}", {"gracePeriodSeconds": 0}).of(200)

    def _make_pod(self, pod: Pod, node: str, name: str) -> None:
        metadata = {
            "name": name,
            "labels": {**pod.labels, "node": node},
            "annotations": {**pod.annotations, "what": pod.what},
            "ownerReferences": [{**owner, "uid": self.owner["uid"]} for owner in pod.owners],
            "finalizers": pod.finalizers,
        }
        spec = {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "lab.invalid/none"}],
            "volumes": pod.volumes,
            # On a cluster nobody renews these nodes' leases, and this is how long such a node keeps its pods.
            "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
        }
        self.api.post(self.path, {"metadata": metadata, "spec": spec}).of(201)
        if pod.phase != "Pending":
            conditions = [{"type": "Ready", "status": "True" if pod.ready else "False"}]
            status = {"phase": pod.phase, "conditions": conditions}
            self.api.patch(f"{self.path}/{name}/status", {"status": status}).of(200)

    def _make_budget(self, twins: Twins, spec: Json, node: str, name: str) -> None:
        selector = {"matchLabels": {"budget": "yes", "node": node}}
        made = self.api.post(self.budgets, {"metadata": {"name": name}, "spec": {**spec, "selector": selector}}).of(201)
        chosen = [pod for pod in twins.pods if "budget" in pod.labels]
        healthy, desired = sum(pod.ready for pod in chosen), spec["minAvailable"]
        status = {
            "observedGeneration": made["metadata"]["generation"],
            "expectedPods": len(chosen),
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": max(0, healthy - desired),
        }
        path = f"{self.budgets}/{name}"
        if not self.controllers:
            self.api.patch(f"{path}/status", {"status": status}).of(200)
        eventually(lambda: status.items() <= self.api.get(path).of(200)["status"].items())

    def left(self, twins: Twins, side: str) -> Counter[str]:
        """What is still on one of the twins."""
        pods = self.api.get(self.path, labelSelector=f"node={self.node(twins, side)}").of(200)["items"]
        return Counter(
            pod["metadata"]["annotations"]["what"]
            + (", terminating" if pod["metadata"].get("deletionTimestamp") else "")
            for pod in pods
        )

    def remove(self, twins: Twins) -> None:
        """Everything that `make` made."""
        for side in "ab":
            node = self.node(twins, side)
            for pod in self.api.get(self.path, labelSelector=f"node={node}").of(200)["items"]:
                path = f"{self.path}/{pod['metadata']['name']}"
                if pod["metadata"].get("finalizers"):
                    self.api.patch(path, {"metadata": {"finalizers": None}}).of(200, 404)
                self.api.delete(path, {"gracePeriodSeconds": 0}).of(200, 404)
            for number in range(len(twins.budgets)):
                self.api.delete(f"{self.budgets}/{node}-{number}").of(200, 404)
            self.api.delete(f"/api/v1/nodes/{node}").of(200, 404)


@pytest.fixture
def bench(namespace: str, run: str, kubeconfig: Path, controllers: bool) -> Iterator[Bench]:
    """A namespace, and a kubelet for the nodes of this run."""
    made = Bench(kubeconfig, namespace, run, controllers=controllers)
    try:
        with KubeletProcess(kubeconfig, "--only", f"{run}-"):
            yield made
    finally:
        made.api.delete(f"{made.configmaps}/owner").of(200)
        made.api.delete(f"{made.daemonsets}/here").of(200)


def by_kubectl(program: str, twins: Twins, node: str, kubeconfig: Path, cache: Path, timeout: int) -> tuple[bool, str]:
    """Whether kubectl drain succeeds, and what it says."""
    flags = twins.flags
    argv = [program, "--kubeconfig", str(kubeconfig), "--cache-dir", str(cache), "drain", node]
    argv += [f"--timeout={timeout}s"]
    for name in ("ignore_daemonsets", "delete_emptydir_data", "force", "disable_eviction"):
        argv += [f"--{name.replace('_', '-')}={str(flags[name]).lower()}"]
    argv += [] if flags["grace_period"] is None else [f"--grace-period={flags['grace_period']}"]
    argv += [f"--pod-selector={flags['pod_selector']}"]
    argv += [f"--skip-wait-for-delete-timeout={flags['skip_wait_for_delete_timeout']}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def by_node_drain(twins: Twins, node: str, kubeconfig: Path, timeout: float) -> tuple[bool, str]:
    """Whether node_drain succeeds, and what it says; its own function, with the defaults that its options have."""
    from ansible_collections.hitless.nodes.plugins.module_utils.base import errors
    from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import drain
    from ansible_collections.hitless.nodes.plugins.module_utils.kube import client, connection
    from ansible_collections.hitless.nodes.plugins.modules import node_drain  # type: ignore[import-untyped]

    options = yaml.safe_load(node_drain.DOCUMENTATION)["options"]
    assert twins.flags.keys() <= options.keys()
    params = {name: option.get("default") for name, option in (connection.argument_spec() | options).items()}
    params |= {"_run": None, "_slice": None, "_state": None, "name": node, "kubeconfig": str(kubeconfig)}
    params |= twins.flags | {"timeout": timeout}
    try:
        drain(client.Client(params, connections=22), params, check_mode=False)
    except errors.HitlessError as error:
        return False, error.msg
    return True, ""


def test_kubectl_and_node_drain_leave_the_same_pods(
    kubectl_program: str, bench: Bench, kubeconfig: Path, tmp_path: Path
) -> None:
    seed = int(os.environ.get("LAB_SEED", "1"))
    dice = random.Random(seed)
    everything = [some_twins(dice, number) for number in range(NODES)]
    outcomes: Counter[tuple[bool, bool]] = Counter()

    def compare(twins: Twins) -> str | None:
        """What is not the same."""
        one, other = bench.node(twins, "a"), bench.node(twins, "b")
        for theirs, own in TIMEOUTS if twins.stuck else TIMEOUTS[-1:]:
            reference, said = by_kubectl(kubectl_program, twins, one, kubeconfig, tmp_path / "cache", theirs)
            ours, message = by_node_drain(twins, other, kubeconfig, own)
            # The last pods may be on their way out when a drain has given up.
            with contextlib.suppress(AssertionError):
                eventually(lambda: bench.left(twins, "a") == bench.left(twins, "b"), patience=5)
            left, left_by_us = bench.left(twins, "a"), bench.left(twins, "b")
            if (reference, left) == (ours, left_by_us):
                break
        outcomes[(reference, bool(left))] += 1
        if (reference, left) == (ours, left_by_us):
            return None
        return (
            f"LAB_SEED={seed}, node {twins.number}, {twins.flags}: kubectl {reference} leaves {dict(left)}, "
            f"node_drain {ours} leaves {dict(left_by_us)}\n{twins.pods}\n{said}\n{message}"
        )

    differences: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, NODES, BATCH):
            batch = everything[start : start + BATCH]
            try:
                list(pool.map(bench.make, batch))
                differences += filter(None, pool.map(compare, batch))
            finally:
                list(pool.map(bench.remove, batch))
    assert not differences, f"{len(differences)} of {NODES} differ:\n" + "\n\n".join(differences)
    # Otherwise little was compared: drains that succeed and that don't, nodes that are empty afterwards or not.
    assert min(outcomes[outcome] for outcome in [(True, True), (True, False), (False, True)]) >= NODES // 20, outcomes
