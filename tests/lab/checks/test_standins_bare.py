# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on a server that has no controllers and no scheduler: the stand-ins are enough, and `down` removes all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lab import cluster, lifecycle, settings
from lab.checks.standins_bench import TESTS, Bench, Kube, eventually
from lab.standins import workloads

pytestmark = pytest.mark.long

Object = dict[str, Any]


def pod(name: str, *, ready: bool = True, **meta: Any) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"name": name, **meta}, "status": {"phase": "Running", "conditions": conditions}}


@pytest.mark.parametrize(
    ("spec", "healthy", "wanted", "allowed"),
    [
        ({"maxUnavailable": 1}, 4, 3, 1),
        ({"maxUnavailable": "50%"}, 4, 2, 2),
        ({"maxUnavailable": 0}, 4, 4, 0),
        ({"minAvailable": 1}, 4, 1, 3),
        ({"minAvailable": "30%"}, 4, 2, 2),
        ({"minAvailable": 9}, 4, 9, 0),
        ({}, 4, 1, 3),
    ],
)
def test_budget_status_counts_as_kubernetes(spec: Object, healthy: int, wanted: int, allowed: int) -> None:
    budget = {"metadata": {"name": "b", "generation": 3}, "spec": spec}
    status = workloads.budget_status(budget, [pod(f"p{i}") for i in range(4)], 4, datetime.now(UTC))
    assert status == {
        "observedGeneration": 3,
        "expectedPods": 4,
        "desiredHealthy": wanted,
        "currentHealthy": healthy,
        "disruptionsAllowed": allowed,
        "disruptedPods": {},
    }


def test_budget_status_leaves_out_unready_ending_and_disrupted_pods() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    recent, old = "2026-01-01T11:59:30Z", "2026-01-01T11:50:00Z"
    pods = [
        pod("a"),
        pod("b", ready=False),
        pod("c", deletionTimestamp=recent),
        pod("d"),
        pod("e"),
    ]
    disrupted = {"c": recent, "d": recent, "e": old, "gone": recent}
    budget = {"metadata": {"name": "b"}, "spec": {"maxUnavailable": 1}, "status": {"disruptedPods": disrupted}}
    status = workloads.budget_status(budget, pods, 5, now)
    assert status["currentHealthy"] == 2  # a, and e whose eviction led to nothing
    assert status["disruptedPods"] == {"d": recent}
    assert status["disruptionsAllowed"] == 0


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    directory = tmp_path_factory.mktemp("bare")
    argv = [sys.executable, "-m", "lab.checks.bare_server", str(directory)]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": TESTS}, stdout=log, stderr=log)
    patch = pytest.MonkeyPatch()
    bench = Bench(settings.LabSettings("sib", form="plain", scenario="off"))
    try:
        eventually("the server listens", (directory / "ready.json").exists)
        patch.setenv("LAB_KUBECONFIG", str(directory / "admin.kubeconfig"))
        bench.lab = lifecycle.up(bench.settings)
        bench.kube = Kube(Path(bench.lab.api["admin_kubeconfig"]))
        yield bench
    finally:
        patch.undo()
        bench.stop()
        server.kill()
        server.wait()


def web(bench: Bench) -> list[Object]:
    """Web pods that are ready and stay."""
    pods = bench.pods("web")
    return [p for p in pods if not p["metadata"].get("deletionTimestamp") and workloads.is_true(p, "Ready")]


def test_pods_run_on_all_nodes_and_others_pods_are_kept_away(bench: Bench) -> None:
    eventually("all web pods are ready", lambda: len(web(bench)) == cluster.REPLICAS)
    counts = [sum(p["spec"]["nodeName"] == bench.node(i) for p in web(bench)) for i in (1, 2, 3)]
    assert counts == [2, 2, 2]
    assert all(workloads.is_true(bench.agent_pod(bench.node(i)) or {}, "Ready") for i in (1, 2, 3))
    taints = [t for i in (1, 2, 3) for t in bench.get_node(bench.node(i))["spec"]["taints"]]
    assert {(t["key"], t["value"]) for t in taints} == {(cluster.LAB, bench.name)}


def test_evictions_follow_the_budget_and_pods_reappear_elsewhere(bench: Bench) -> None:
    eventually("all web pods are ready", lambda: len(web(bench)) == cluster.REPLICAS)
    node = f"/api/v1/nodes/{bench.node(3)}"
    bench.kube("PATCH", node, {"spec": {"unschedulable": True}})
    eventually("tainted", lambda: "unschedulable" in str(bench.kube("GET", node)["spec"]["taints"]))
    statuses = set()

    def drained() -> bool:
        for one in bench.pods("web", bench.node(3)):
            name = one["metadata"]["name"]
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            path = f"/api/v1/namespaces/{bench.name}/pods/{name}/eviction"
            if not one["metadata"].get("deletionTimestamp"):
                statuses.add(bench.status("POST", path, body))
        return not bench.pods("web", bench.node(3))

    eventually("drained", drained)
    assert statuses == {201, 429}  # two pods, one may be missing at a time
    eventually("all ready elsewhere", lambda: len(web(bench)) == cluster.REPLICAS)
    assert {p["spec"]["nodeName"] for p in web(bench)} == {bench.node(1), bench.node(2)}
    bench.kube("PATCH", node, {"spec": {"unschedulable": None}})
    eventually("taint gone", lambda: "unschedulable" not in str(bench.kube("GET", node)["spec"]["taints"]))


def test_power_cut_node_becomes_unknown_and_ready_again(bench: Bench) -> None:
    machine = bench.lab.nodes[bench.node(2)]
    machine.cut()
    eventually("Ready=Unknown", lambda: bench.ready(machine.name) == "Unknown")
    eventually("no pod of it is ready", lambda: bench.node(2) not in {p["spec"]["nodeName"] for p in web(bench)})
    machine.start()
    eventually("in service", lambda: bench.in_service(2))
    eventually("its pods are ready", lambda: len(web(bench)) == cluster.REPLICAS)


def test_deleted_agent_pod_is_replaced_on_its_node(bench: Bench) -> None:
    old = eventually("agent", lambda: bench.agent_pod(bench.node(1)))
    bench.kube("DELETE", f"/api/v1/namespaces/{bench.name}/pods/{old['metadata']['name']}")

    def replaced() -> bool:
        new = bench.agent_pod(bench.node(1))
        return bool(new and new["metadata"]["uid"] != old["metadata"]["uid"] and workloads.is_true(new, "Ready"))

    eventually("a new one is ready", replaced)


def test_down_removes_the_labs_objects_from_the_server(bench: Bench) -> None:
    lifecycle.down(bench.name)
    kube = bench.kube
    assert kube.items("/api/v1/nodes") == []
    assert kube.items("/api/v1/pods") == []
    assert kube.items("/apis/coordination.k8s.io/v1/leases") == []
    assert kube.items(cluster.CRD_PATH) == []
    assert kube.find(f"/api/v1/namespaces/{bench.name}") is None
